/* SPDX-License-Identifier: Apache-2.0 */
/* Userfaultfd objects, for track.c and pager.c. */
#pragma once

#include <stdint.h>

/* A new userfaultfd with these features, in the host's range of descriptors; or -errno.
 * kernel_faults: faults of system calls have to be served too, which needs privilege. */
int uffd_open(uint64_t features, int kernel_faults);
/* mode: UFFDIO_REGISTER_MODE_*.  0 or -errno. */
long uffd_register(int uffd, uint64_t start, uint64_t end, uint64_t mode);
void uffd_unregister(int uffd, uint64_t start, uint64_t end);
