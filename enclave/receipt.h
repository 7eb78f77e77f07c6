/* SPDX-License-Identifier: Apache-2.0 */
/* The receipt of a move (protocol/receipt.c), made by both sides when it has ended well. */
#pragma once

#include "enclave/runtime.h"
#include "protocol/protocol.h"

/* What both sides note on the way, for the same body: the start token, and what RECEIPT says. */
void receipt_begin(void);
void receipt_token(const struct message_start *token);
void receipt_whole(const struct message_whole *whole);

/* After the move, on the mover's thread: makes the receipt with the other side, and has the host
 * keep it.  Fills report->receipt_us and report->no_receipt.  mode: enum om_mode. */
void receipt_as_source(uint32_t mode, struct om_move_report *report);
void receipt_as_destination(uint32_t mode, struct om_move_report *report);
