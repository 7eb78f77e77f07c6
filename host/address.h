/* SPDX-License-Identifier: Apache-2.0 */
/* ADDR:PORT, as users write it; for all programs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* "127.0.0.1:7702", "[::1]:7702", "host:7702".  Both buffers are filled only if true is returned.
 */
bool address_split(const char *text, char *out_host, size_t host_size, char *out_port,
                   size_t port_size);
