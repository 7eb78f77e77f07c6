/* SPDX-License-Identifier: Apache-2.0 */
/* What a host process tells the relay that it leaves behind (relay_start.c, relay/relay.c): one
 * message each on a socket pair, with the descriptor beside it.  Same machine, same build. */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

#include "boundary/boundary.h"

enum { RELAY_CONTROL_FD = 3 };

/* RELAY_HERE is the relay's answer: where it hears stand-ins. */
enum relay_kind { RELAY_CONNECTION = 1, RELAY_LISTENER, RELAY_GO, RELAY_END, RELAY_HERE };

struct relay_message {
    uint32_t kind;
    uint8_t token[OM_RELAY_TOKEN_bytes]; /* RELAY_CONNECTION: who sends it is its other end */
    /* RELAY_LISTENER: where new connections go; RELAY_HERE, to the relay without a port */
    struct sockaddr_storage address;
};
