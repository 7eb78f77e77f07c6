/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time: each clock read by several threads never goes back, by libc's fast path and by system call
 * alike; both ways agree; and CLOCK_MONOTONIC and CLOCK_BOOTTIME advance as CLOCK_REALTIME does,
 * the pauses of moves included.
 *
 *   tolerance_us=20000   how far the clocks may come apart in all
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/victim.h"

enum { READERS = 2, STRAIGHT_NS = 200000 };

static const struct clock {
    int id;
    const char *name;
    bool continuous; /* must advance as real time does over a move */
} g_clocks[] = {
    {CLOCK_MONOTONIC, "monotonic", true},
    {CLOCK_MONOTONIC_RAW, "monotonic_raw", false},
    {CLOCK_MONOTONIC_COARSE, "monotonic_coarse", false},
    {CLOCK_BOOTTIME, "boottime", true},
    {CLOCK_REALTIME, "realtime", false},
    {CLOCK_REALTIME_COARSE, "realtime_coarse", false},
};
enum { CLOCKS = sizeof g_clocks / sizeof g_clocks[0], COARSE_NS = 12000000 };

static _Atomic bool g_end;
static _Atomic uint64_t g_reads;
static _Atomic uint64_t g_latest[CLOCKS]; /* by any thread, by any way */

static uint64_t read_raw(int id)
{
    struct timespec t = {0};
    syscall(SYS_clock_gettime, id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A reading that begins after another thread's has ended may not be earlier than it. */
static void read_one(unsigned index, bool raw)
{
    const struct clock *c = &g_clocks[index];
    uint64_t latest = atomic_load(&g_latest[index]);
    uint64_t now = raw ? read_raw(c->id) : victim_clock_ns(c->id);
    if (now < latest)
        victim_fail("%s went back by %lu ns (%s)", c->name, latest - now,
                    raw ? "system call" : "libc");
    while (now > latest && !atomic_compare_exchange_weak(&g_latest[index], &latest, now))
        ;
}

static void *reader_main(void *argument)
{
    (void)argument;
    for (uint64_t i = 0; !atomic_load(&g_end); i++) {
        for (unsigned c = 0; c < CLOCKS; c++)
            read_one(c, (i & 63) == 0);
        atomic_fetch_add(&g_reads, 1);
    }
    return NULL;
}

/* The offset of a clock to CLOCK_REALTIME, when nothing came between the readings. */
static int64_t offset_of(int id)
{
    for (int attempt = 0; attempt < 10000; attempt++) {
        uint64_t before = victim_clock_ns(id);
        uint64_t real = victim_clock_ns(CLOCK_REALTIME);
        uint64_t after = victim_clock_ns(id);
        if (after - before < STRAIGHT_NS)
            return (int64_t)(real - before);
    }
    victim_fail("no two clocks could be read together");
    return 0;
}

static int64_t g_offset[CLOCKS];

static void check(long tolerance_us)
{
    for (unsigned c = 0; c < CLOCKS; c++) {
        if (!g_clocks[c].continuous)
            continue;
        long apart_us = (long)((offset_of(g_clocks[c].id) - g_offset[c]) / 1000);
        victim_value(g_clocks[c].name, "%ld", apart_us);
        VICTIM_CHECK_THAT(labs(apart_us) <= tolerance_us, "%s came apart from real time by %ld us",
                          g_clocks[c].name, apart_us);
    }
    uint64_t fine = victim_clock_ns(CLOCK_MONOTONIC);
    uint64_t coarse = victim_clock_ns(CLOCK_MONOTONIC_COARSE);
    VICTIM_CHECK_THAT(coarse + COARSE_NS > fine, "the coarse clock is %lu us behind",
                      (fine - coarse) / 1000);
    struct timeval tv;
    uint64_t before = victim_clock_ns(CLOCK_REALTIME) / 1000;
    gettimeofday(&tv, NULL);
    uint64_t after = victim_clock_ns(CLOCK_REALTIME) / 1000;
    uint64_t us = (uint64_t)tv.tv_sec * 1000000u + (uint64_t)tv.tv_usec;
    VICTIM_CHECK_THAT(before <= us && us <= after, "gettimeofday is another clock");
    time_t seconds = time(NULL);
    VICTIM_CHECK_THAT((uint64_t)seconds + 1 >= after / 1000000, "time() is another clock");
    victim_value("reads", "%lu", atomic_load(&g_reads));
}

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    long tolerance_us = victim_number("tolerance_us", 20000);
    for (unsigned c = 0; c < CLOCKS; c++)
        g_offset[c] = offset_of(g_clocks[c].id);
    pthread_t thread[READERS];
    for (int i = 0; i < READERS; i++) {
        if (pthread_create(&thread[i], NULL, reader_main, NULL))
            victim_abort("no thread");
    }
    victim_ready();
    while (victim_wait()) {
        check(tolerance_us);
        victim_answer();
    }
    check(tolerance_us);
    atomic_store(&g_end, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(thread[i], NULL);
    return victim_finish();
}
