/* SPDX-License-Identifier: Apache-2.0 */
/* See gapmeter.h. */
#include "tests/lib/gapmeter.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "tests/lib/victim.h"

enum { GAPS_MAX = 512, STRAIGHT_READ_NS = 50000 };

static struct {
    pthread_t thread;
    pthread_mutex_t lock;
    bool begun;
    _Atomic bool end;
    uint64_t threshold_ns;
    unsigned gaps;
    uint64_t gap_start[GAPS_MAX], gap_length[GAPS_MAX];
    uint64_t longest_ns, longest_at_ns;
    uint64_t backwards;
    int64_t offset_ns, drift_ns; /* REALTIME - MONOTONIC at the begin; furthest from it since */
    uint64_t reads;
} g_meter = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note_gap(uint64_t start, uint64_t length)
{
    pthread_mutex_lock(&g_meter.lock);
    if (length > g_meter.longest_ns) {
        g_meter.longest_ns = length;
        g_meter.longest_at_ns = start;
    }
    if (length >= g_meter.threshold_ns && g_meter.gaps < GAPS_MAX) {
        g_meter.gap_start[g_meter.gaps] = start;
        g_meter.gap_length[g_meter.gaps++] = length;
    }
    pthread_mutex_unlock(&g_meter.lock);
}

/* Only when nothing came between the readings do they tell of the clocks. */
static void compare_clocks(uint64_t before, uint64_t real, uint64_t after)
{
    if (after - before > STRAIGHT_READ_NS)
        return;
    int64_t offset = (int64_t)(real - before);
    if (!g_meter.offset_ns)
        g_meter.offset_ns = offset;
    int64_t drift = llabs(offset - g_meter.offset_ns);
    if (drift > g_meter.drift_ns)
        g_meter.drift_ns = drift;
}

static void *meter_main(void *argument)
{
    (void)argument;
    uint64_t real = victim_clock_ns(CLOCK_REALTIME), monotonic = victim_clock_ns(CLOCK_MONOTONIC);
    while (!atomic_load_explicit(&g_meter.end, memory_order_relaxed)) {
        uint64_t before = victim_clock_ns(CLOCK_MONOTONIC);
        uint64_t real_now = victim_clock_ns(CLOCK_REALTIME);
        uint64_t after = victim_clock_ns(CLOCK_MONOTONIC);
        if (before < monotonic || after < before)
            g_meter.backwards++;
        compare_clocks(before, real_now, after);
        if (real_now > real && real_now - real > g_meter.longest_ns / 2)
            note_gap(real, real_now - real);
        else if (real_now > real && real_now - real >= g_meter.threshold_ns)
            note_gap(real, real_now - real);
        real = real_now;
        monotonic = after;
        g_meter.reads++;
    }
    return NULL;
}

void gapmeter_begin(uint64_t threshold_ns)
{
    g_meter.threshold_ns = threshold_ns;
    g_meter.begun = true;
    if (pthread_create(&g_meter.thread, NULL, meter_main, NULL))
        victim_abort("no thread for the gap meter");
}

void gapmeter_report(void)
{
    if (!g_meter.begun)
        return;
    pthread_mutex_lock(&g_meter.lock);
    victim_value("gap_max_us", "%lu", g_meter.longest_ns / 1000);
    victim_value("gap_at_ns", "%lu", g_meter.longest_at_ns);
    for (unsigned i = 0; i < g_meter.gaps; i++)
        victim_value("gap", "%lu,%lu", g_meter.gap_start[i], g_meter.gap_length[i]);
    victim_value("monotonic_backwards", "%lu", g_meter.backwards);
    victim_value("drift_us", "%ld", (long)(g_meter.drift_ns / 1000));
    if (g_meter.backwards)
        victim_fail("CLOCK_MONOTONIC went back %lu times", g_meter.backwards);
    if (!g_meter.reads)
        victim_fail("the gap meter has not run");
    g_meter.gaps = 0;
    g_meter.longest_ns = 0;
    g_meter.reads = 0;
    pthread_mutex_unlock(&g_meter.lock);
}

void gapmeter_end(void)
{
    if (!g_meter.begun)
        return;
    atomic_store(&g_meter.end, true);
    pthread_join(g_meter.thread, NULL);
}
