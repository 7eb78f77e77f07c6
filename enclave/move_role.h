/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the threads of one move find each other.  The host brings one thread into `urgent` and, at
 * the destination, one into `pager`, for each move; they may come before or after the mover.  The
 * n-th of each belongs to the n-th move.
 */
#pragma once

#include "enclave/runtime.h"

enum helper { HELPER_URGENT, HELPER_PAGER, HELPER_COUNT };

/* The mover. */
void move_role_begin(uint8_t role);
void move_role_serve(void); /* post-copy: helpers go to work */
/* Helpers are to come back (those that wait in the host have to be woken before), and are waited
 * for. */
void move_role_end(void);

/* The channel broke: no helper uses it when this comes back (those that wait in the host have to be
 * woken before), nor will until it is mended. */
void move_role_sever(void);
void move_role_mend(void);

/* A helper: between these the channel is whole, or breaks under it.  False: it may not be used. */
bool move_role_use(void);
void move_role_unuse(void);
bool move_role_severed(void);
/* How often the channel was mended in all moves. */
uint32_t move_role_mended(void);
/* Waits until it has been mended since the caller saw this number.  False: the move ends. */
bool move_role_wait_mended(uint32_t seen);

/* A helper: waits for its move to begin.  False: it has ended already. */
bool move_role_join(enum helper helper, uint8_t *out_role);
/* A helper that joined: waits until there is work.  False: the move ends. */
bool move_role_wait(void);
void move_role_leave(void); /* what every helper that joined does last */
bool move_role_ending(void);
