/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deep in recursion: each frame holds values of its own that are compared on the way back, and its
 * result depends on all below.  One stack stays deep and waits at the bottom until a check; others
 * go up and down all the time.  Main thread and a thread with a big stack.
 *
 *   depth=20000   threads=2
 */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/lib/victim.h"

enum { FRAME_WORDS = 24, THREADS_MAX = 8, STACK_BYTES = 64 << 20 };

static _Atomic bool g_end;
static _Atomic uint64_t g_descents;
static long g_depth;

typedef void bottom_fn(void);

static __attribute__((noinline)) uint64_t descend(long depth, uint64_t seed, bottom_fn *bottom)
{
    volatile uint64_t frame[FRAME_WORDS];
    for (int i = 0; i < FRAME_WORDS; i++)
        frame[i] = victim_mix(seed + (uint64_t)i);
    uint64_t below = 0;
    if (depth > 0)
        below = descend(depth - 1, frame[depth % FRAME_WORDS], bottom);
    else if (bottom)
        bottom();
    for (int i = 0; i < FRAME_WORDS; i++) {
        if (frame[i] != victim_mix(seed + (uint64_t)i)) {
            victim_fail("frame at depth %ld, word %d is wrong", depth, i);
            break;
        }
    }
    return victim_mix(below ^ frame[0]);
}

/* The same without the checks' memory: what the descent must give. */
static uint64_t expected_hash(long depth, uint64_t seed)
{
    uint64_t seeds[2] = {seed, 0};
    uint64_t *first = __builtin_malloc((size_t)(depth + 1) * sizeof *first);
    if (!first)
        victim_abort("no memory");
    for (long d = depth; d >= 0; d--) {
        first[d] = victim_mix(seeds[0]);
        seeds[0] = victim_mix(seeds[0] + (uint64_t)(d % FRAME_WORDS));
    }
    uint64_t hash = 0;
    for (long d = 0; d <= depth; d++)
        hash = victim_mix(hash ^ first[d]);
    __builtin_free(first);
    return hash;
}

static void *diver_main(void *argument)
{
    uint64_t seed = (uint64_t)(uintptr_t)argument, expected = expected_hash(g_depth, seed);
    while (!atomic_load(&g_end)) {
        if (descend(g_depth, seed, NULL) != expected)
            victim_fail("a descent gave another hash");
        atomic_fetch_add(&g_descents, 1);
    }
    return NULL;
}

static bool g_go_on;

static void wait_at_bottom(void)
{
    g_go_on = victim_wait();
}

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    g_depth = victim_number("depth", 20000);
    int threads = (int)victim_number("threads", 2);
    pthread_t thread[THREADS_MAX];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    if (threads < 1 || threads > THREADS_MAX)
        victim_abort("threads out of range");
    for (int t = 1; t < threads; t++) {
        if (pthread_create(&thread[t], &attributes, diver_main, (void *)(uintptr_t)(t * 1000)))
            victim_abort("no thread");
    }
    uint64_t expected = expected_hash(g_depth, 42);
    victim_ready();
    do {
        if (descend(g_depth, 42, wait_at_bottom) != expected)
            victim_fail("the deep stack gave another hash");
        victim_value("depth", "%ld", g_depth);
        victim_value("descents", "%lu", atomic_load(&g_descents));
        if (g_go_on)
            victim_answer();
    } while (g_go_on);
    atomic_store(&g_end, true);
    for (int t = 1; t < threads; t++)
        pthread_join(thread[t], NULL);
    return victim_finish();
}
