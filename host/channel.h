/* SPDX-License-Identifier: Apache-2.0 */
/* The streams of a move: sockets, relayed as they are.  The channel_* rows of calls.def. */
#pragma once

#include <stdbool.h>

#include "boundary/boundary.h"

struct sockaddr_storage;

/* Takes a connected stream socket (TCP or unix). */
void channel_open(uint32_t stream, int fd);
void channel_close_all(void);
/* Of TCP streams; false: they are none.  Either may be NULL. */
bool channel_addresses(struct sockaddr_storage *out_here, struct sockaddr_storage *out_there);

/* For a channel that breaks, or is broken already: these take its place.  Given away. */
void channel_offer(const int fds[OM_STREAM_COUNT]);
/* Nobody offers another one any more: error is what a mover that waits for one is told. */
void channel_orphan(long error);
/* A move begins: none was offered yet, and one that nobody runs any more after limit_ms is given
 * up (OM_SEVERED_WITHDRAWN).  severed is told when one is waited for. */
void channel_begin(uint32_t limit_ms, void (*severed)(const struct om_severed *severed));

long host_channel_send(uint32_t stream, const struct om_buffer *parts, uint32_t count);
long host_channel_recv(uint32_t stream, void *buffer, size_t length);
long host_channel_pending(uint32_t stream);
void host_channel_limits(uint32_t cancellable, uint32_t stall_ms);
void host_channel_finish(uint32_t stream);
void host_channel_shutdown(void);
long host_channel_reconnect(const struct om_severed *severed);
