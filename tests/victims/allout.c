/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes as fast as memory takes it: each thread sweeps its words and raises each from the last
 * sweep's number to this one's, and looks at what it finds.  At a check, every word before the
 * thread's position must hold this sweep's number and every word after it the last one's.
 *
 *   mib=64   threads=1
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "tests/lib/victim.h"

enum { THREADS_MAX = 16, BLOCK_WORDS = 4096 };

struct sweeper {
    uint64_t *words, count;
    uint64_t sweep, position;
    pthread_t thread;
};

static struct sweeper g_sweepers[THREADS_MAX];
static _Atomic bool g_pause, g_end;
static pthread_barrier_t g_barrier;

static void sweep_block(struct sweeper *s)
{
    uint64_t before = s->sweep - 1, seen = 0;
    for (uint64_t i = s->position; i < s->position + BLOCK_WORDS; i++) {
        seen |= s->words[i] ^ before;
        s->words[i] = s->sweep;
    }
    if (seen)
        victim_fail("sweep %lu met other words than it left, near word %lu", s->sweep, s->position);
    s->position += BLOCK_WORDS;
    if (s->position == s->count) {
        s->position = 0;
        s->sweep++;
    }
}

static void *sweeper_main(void *argument)
{
    struct sweeper *s = argument;
    while (!atomic_load_explicit(&g_end, memory_order_relaxed)) {
        sweep_block(s);
        if (atomic_load_explicit(&g_pause, memory_order_relaxed)) {
            pthread_barrier_wait(&g_barrier);
            pthread_barrier_wait(&g_barrier);
        }
    }
    return NULL;
}

static void check(unsigned threads)
{
    uint64_t words = 0, sweeps = 0;
    for (unsigned t = 0; t < threads; t++) {
        struct sweeper *s = &g_sweepers[t];
        for (uint64_t i = 0; i < s->count; i++) {
            uint64_t expected = i < s->position ? s->sweep : s->sweep - 1;
            if (s->words[i] != expected) {
                victim_fail("word %lu of thread %u: %lu, expected %lu", i, t, s->words[i],
                            expected);
                break;
            }
        }
        words += s->count;
        sweeps += s->sweep - 1;
    }
    victim_value("pages", "%lu", words / 512);
    victim_value("sweeps", "%lu", sweeps);
}

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    uint64_t bytes = (uint64_t)victim_number("mib", 64) << 20;
    unsigned threads = (unsigned)victim_number("threads", 1);
    if (threads < 1 || threads > THREADS_MAX)
        victim_abort("threads out of range");
    pthread_barrier_init(&g_barrier, NULL, threads + 1);
    for (unsigned t = 0; t < threads; t++) {
        struct sweeper *s = &g_sweepers[t];
        s->count = bytes / threads / 8 / BLOCK_WORDS * BLOCK_WORDS;
        s->words =
            mmap(NULL, s->count * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        s->sweep = 1;
        if (s->words == MAP_FAILED || pthread_create(&s->thread, NULL, sweeper_main, s))
            victim_abort("no memory or no thread");
    }
    victim_ready();
    while (victim_wait()) {
        atomic_store(&g_pause, true);
        pthread_barrier_wait(&g_barrier);
        check(threads);
        atomic_store(&g_pause, false);
        pthread_barrier_wait(&g_barrier);
        victim_answer();
    }
    atomic_store(&g_end, true);
    for (unsigned t = 0; t < threads; t++)
        pthread_join(g_sweepers[t].thread, NULL);
    check(threads);
    return victim_finish();
}
