/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before a stop: threads of the program that wait for one (sys_hooks.c) are told, and given a
 * bounded time.  Whatever they do, the mover goes on after it.
 */
#include "enclave/hooks.h"

#include <linux/time.h>

#define OPTMIG_NUMBERS_ONLY
#include "enclave/tables.h"
#include "include/optmig.h"

enum { NS_PER_MS = 1000000, NS_PER_US = 1000 };

static uint32_t load(const volatile uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

uint64_t hooks_announce_stop(void)
{
    struct hook_state *state = &g_tables->hooks;
    uint32_t unready, waiting = load(&state->waiting);
    uint64_t begin, spent = 0, limit;

    if (waiting == 0)
        return 0;
    begin = g_host.now_ns(CLOCK_MONOTONIC);
    limit = (uint64_t)OM_MIN(load(&state->max_ms), (uint32_t)OPTMIG_STOP_MAX_MS) * NS_PER_MS;
    __atomic_store_n(&state->unready, limit ? waiting : 0, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&state->announced, 1, __ATOMIC_SEQ_CST);
    futex_wake(&state->announced, 1 << 30);
    while ((unready = load(&state->unready)) > 0 && spent < limit) {
        futex_wait(&state->unready, unready, (int64_t)(limit - spent));
        spent = g_host.now_ns(CLOCK_MONOTONIC) - begin;
    }
    return spent / NS_PER_US;
}
