/* SPDX-License-Identifier: Apache-2.0 */
/* For tests that use host/clock.c without the rest of the host process. */
#include "host/host.h"

int host_fd_keep(int fd)
{
    return fd;
}
