/* SPDX-License-Identifier: Apache-2.0 */
/* What programs that want to know of moves ask for (include/optmig.h); nothing depends on it. */
#pragma once

#include "enclave/runtime.h"

struct call;

struct hook_state {
    volatile uint32_t announced; /* stops so far, a futex */
    volatile uint32_t waiting;   /* threads that wait to be told */
    volatile uint32_t unready;   /* of those that were told; a futex */
    volatile uint32_t max_ms;    /* the longest that any of them asked for */
};

/* prctl(OPTMIG_PRCTL, request, argument). */
long hooks_prctl(struct call *call);
/* The mover, while the program runs: tells who waits for it that a stop is near, and gives them the
 * time that they asked for, at most OPTMIG_STOP_MAX_MS.  The microseconds that this took. */
uint64_t hooks_announce_stop(void);
