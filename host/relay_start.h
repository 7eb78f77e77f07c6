/* SPDX-License-Identifier: Apache-2.0 */
/* The host's half of connections that stay behind; called by the enclave (boundary/calls.def). */
#pragma once

#include <stdint.h>

#include "boundary/boundary.h"

int relay_prepare(void); /* before a program runs here: 0 or -errno */

/* Of the mover. */
long host_relay_begin(uint16_t *out_port);
long host_relay_keep(const struct om_relayed *sockets, uint32_t count); /* 0: those were all */
void host_relay_end(void);
long host_relay_connect(uint16_t port);
long host_relay_greet(int fd, const uint8_t token[OM_RELAY_TOKEN_bytes]);
