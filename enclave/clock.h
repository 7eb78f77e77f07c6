/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time as the program sees it.  CLOCK_REALTIME is the host's.  CLOCK_MONOTONIC and BOOTTIME are the
 * host's plus an offset in the tables, set at each move so that they go on from the source's
 * reading plus the time that passed: they never jump back and never hide the pause.
 */
#pragma once

#include "enclave/runtime.h"

/* At a fixed address (the start of the tables), read by the vDSO without the runtime.  The card
 * table is here for it too: what the vDSO writes for an instrumented program, it marks.  And the
 * number of moves: programs read it by way of the vDSO (include/optmig.h). */
struct clock_state {
    volatile int64_t monotonic_offset_ns; /* program's CLOCK_MONOTONIC - host's */
    volatile int64_t boottime_offset_ns;
    volatile uint64_t cards; /* address of the program's card table (cards.h); 0: it has none */
    volatile uint64_t moves; /* of the enclave, so far; a futex too (hooks.c) */
};

uint64_t clock_monotonic_ns(void); /* the program's; from the clock page, or from the kernel */
uint64_t clock_realtime_ns(void);
uint64_t clock_host_monotonic_ns(void);
/* By the number of clock_gettime(2), for the clocks that the program must not read from the kernel;
 * false: any other, which may be asked of it. */
bool clock_read(int clock_id, uint64_t *out_ns);

/* Absolute times that the program gives to the kernel, on the host's clock. */
uint64_t clock_to_host_ns(int clock_id, uint64_t program_ns);
bool clock_needs_translation(int clock_id); /* MONOTONIC and its kin with an offset that is not 0 */

/* At the destination: the program's monotonic clock is now_ns at this moment. */
void clock_continue(uint64_t program_monotonic_ns, uint64_t program_boottime_ns);
