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

/* A helper: waits for its move to begin.  False: it has ended already. */
bool move_role_join(enum helper helper, uint8_t *out_role);
/* A helper that joined: waits until there is work.  False: the move ends. */
bool move_role_wait(void);
void move_role_leave(void); /* what every helper that joined does last */
bool move_role_ending(void);
