/* SPDX-License-Identifier: Apache-2.0 */
/* What the files about TCP connections share: fd_tcp.c, fd_tcp_fin.c, which knows those that are
 * being closed, and fd_backlog.c, which knows those that wait to be accepted. */
#pragma once

#include "enclave/fd_internal.h"

enum tcp_state { /* tcpi_state; the header for programs has no names for them */
                 TCP_STATE_ESTABLISHED = 1,
                 TCP_STATE_FIN_WAIT1 = 4,
                 TCP_STATE_FIN_WAIT2 = 5,
                 TCP_STATE_CLOSE_WAIT = 8,
                 TCP_STATE_LAST_ACK = 9,
                 TCP_STATE_CLOSING = 11,
};

uint8_t fd_tcp_state(long fd); /* enum tcp_state; 0: it cannot be told */
bool fd_tcp_state_moves(uint8_t state);
bool fd_tcp_fin_sent(uint8_t state);     /* or to be sent: the program has closed its side */
bool fd_tcp_fin_received(uint8_t state); /* the peer has closed its side */

/* Of a connection that has been made again.  Before: repair mode, TCP_SEND_QUEUE.  After: it is
 * heard and may send, and what was unsent has been written. */
void fd_tcp_before_repair_ends(const struct open_file *file);
void fd_tcp_after_repair_ended(const struct open_file *file);
