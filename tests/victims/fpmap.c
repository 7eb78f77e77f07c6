/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chaotic maps in every floating point width: one bit lost anywhere gives another hash.  The number
 * of steps is fixed, so the hash must be that of a native run.  It never calls the kernel on its
 * way.
 *
 *   steps=N (millions)   threads=1   expect=HASH
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/victim.h"

enum { THREADS_MAX = 16 };

static uint64_t g_steps, g_hash[THREADS_MAX];

static uint64_t bits(double d)
{
    uint64_t u;
    memcpy(&u, &d, sizeof u);
    return u;
}

static void *map_main(void *argument)
{
    unsigned id = (unsigned)(uintptr_t)argument;
    double x = 0.1 + id * 0.01, hx = 0.1, hy = 0.1 * (id + 1);
    long double wide = 0.2L + id * 0.01L;
    float narrow = 0.3f + (float)id * 0.01f;
    uint64_t hash = id;
    for (uint64_t i = 0; i < g_steps; i++) {
        x = 3.9999 * x * (1 - x);
        double next = 1 - 1.4 * hx * hx + hy;
        hy = 0.3 * hx;
        hx = next;
        wide = 3.99999L * wide * (1 - wide);
        narrow = 3.9999f * narrow * (1 - narrow);
        if ((i & 1023) == 0)
            hash = victim_mix(hash ^ bits(x) ^ bits(hx) ^ bits((double)wide) ^ bits(narrow));
    }
    g_hash[id] = hash;
    return NULL;
}

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    unsigned threads = (unsigned)victim_number("threads", 1);
    g_steps = (uint64_t)victim_number("steps", 20) * 1000000;
    const char *expect = victim_text("expect", NULL);
    if (threads < 1 || threads > THREADS_MAX)
        victim_abort("threads out of range");
    victim_ready();
    pthread_t thread[THREADS_MAX];
    for (unsigned t = 1; t < threads; t++) {
        if (pthread_create(&thread[t], NULL, map_main, (void *)(uintptr_t)t))
            victim_abort("no thread");
    }
    map_main(NULL);
    uint64_t hash = g_hash[0];
    for (unsigned t = 1; t < threads; t++) {
        pthread_join(thread[t], NULL);
        hash = victim_mix(hash ^ g_hash[t]);
    }
    victim_value("hash", "%016lx", hash);
    if (expect && strtoull(expect, NULL, 16) != hash)
        victim_fail("hash %016lx, native %s", hash, expect);
    return victim_finish();
}
