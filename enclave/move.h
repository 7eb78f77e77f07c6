/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The move: move_out.c is the source, move_in.c the destination, pager.c serves missing pages at
 * the destination.  Each runs on threads that the host made for it, on stacks in local memory.
 */
#pragma once

#include "enclave/runtime.h"

/* Fill move->report; result and reason always set.  They say whether the program is here now, whole
 * and running. */
bool move_out(struct ecall_move *move);
bool move_in(struct ecall_move *move);
void move_urgent(struct ecall_pager *pager);
void pager_run(struct ecall_pager *pager);
