/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that want to know of moves: threads of theirs wait here for one.
 *
 * Who waits for a move waits for the number of moves in the tables to change.  It is a wait like
 * any other: the stop ends it, and at the destination it is made again and finds another number.
 * Who waits for a stop is told before it, and the mover waits a bounded time for the answers; a
 * program can lengthen no move by more than that, and stop none.  See also: sys_process.c (prctl),
 * move_out.c (switchover).
 */
#include "enclave/hooks.h"

#include <asm/unistd.h>
#include <linux/futex.h>

#define OPTMIG_NUMBERS_ONLY
#include "enclave/syscall.h"
#include "enclave/tables.h"
#include "include/optmig.h"

static uint32_t load(const volatile uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

/* 0 when the word is not (or no more) what was seen, or CALL_INTERRUPTED. */
static long wait_for_change(struct call *call, const volatile uint32_t *word, uint32_t seen)
{
    const uint64_t args[6] = {(uint64_t)(uintptr_t)word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, seen};

    while (load(word) == seen) {
        long result = call_blocking(call, __NR_futex, args);

        if (result == CALL_INTERRUPTED)
            return result;
    }
    return 0;
}

static long wait_moved(struct call *call, uint64_t generation)
{
    const volatile uint64_t *moves = &g_tables->clock.moves;

    if (generation != *moves + 1)
        return 0;
    /* Little-endian: the lower half.  It changes between two hosts only, by one. */
    return wait_for_change(call, (const volatile uint32_t *)moves, (uint32_t)*moves);
}

static void raise_to(volatile uint32_t *word, uint32_t value)
{
    uint32_t seen = load(word);

    while (seen < value && !__atomic_compare_exchange_n(word, &seen, value, false, __ATOMIC_SEQ_CST,
                                                        __ATOMIC_SEQ_CST))
        ;
}

static long wait_stop(struct call *call, uint64_t max_ms)
{
    struct hook_state *state = &g_tables->hooks;
    uint32_t seen = load(&state->announced);
    long result;

    raise_to(&state->max_ms, (uint32_t)OM_MIN(max_ms, (uint64_t)OPTMIG_STOP_MAX_MS));
    /* After `announced` was read: who is counted is woken by what comes after the count. */
    __atomic_add_fetch(&state->waiting, 1, __ATOMIC_SEQ_CST);
    result = wait_for_change(call, &state->announced, seen);
    __atomic_sub_fetch(&state->waiting, 1, __ATOMIC_SEQ_CST);
    return result;
}

static long stop_ready(void)
{
    struct hook_state *state = &g_tables->hooks;
    uint32_t seen = load(&state->unready);

    while (seen > 0 && !__atomic_compare_exchange_n(&state->unready, &seen, seen - 1, false,
                                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    if (seen == 1)
        futex_wake(&state->unready, 1);
    return 0;
}

long hooks_prctl(struct call *call)
{
    switch (call->args[1]) {
    case OPTMIG_WAIT_MOVED:
        return wait_moved(call, call->args[2]);
    case OPTMIG_WAIT_STOP:
        return wait_stop(call, call->args[2]);
    case OPTMIG_STOP_READY:
        return stop_ready();
    default:
        return -EINVAL;
    }
}
