/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clock page and the vDSO together: the host's thread keeps the page, the image is loaded as a
 * shared object, and its clocks are compared with the kernel's.  argv[1] is the image.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "enclave/clock.h"
#include "host/clock.h"
#include "host/host.h"

enum {
    EXIT_SKIPPED = 77,
    THREADS = 3,
    RUN_ms = 2000,
    TOLERANCE_ns = 1000000, /* what the clocks promise when the machine is busy */
};

#define NS_PER_SECOND 1000000000LL

/* The start of the tables: offsets of the monotonic and the boot clock. */
static volatile int64_t *const g_offsets = (volatile int64_t *)TABLES_BASE;
static const struct om_clock_page *const g_page = (const struct om_clock_page *)SHARED_BASE;

static int (*g_gettime)(int, struct timespec *);
static int (*g_getres)(int, struct timespec *);
static int (*g_gettimeofday)(struct timeval *, void *);
static long (*g_time)(long *);
static long (*g_getcpu)(unsigned *, unsigned *, void *);
static uint64_t (*g_generation)(void);

static int64_t vdso_ns(int clock_id)
{
    struct timespec now = {0, 0};

    assert_int_equal(g_gettime(clock_id, &now), 0);
    assert_in_range(now.tv_nsec, 0, NS_PER_SECOND - 1);
    return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

static int64_t kernel_ns(int clock_id)
{
    struct timespec now = {0, 0};

    clock_gettime(clock_id, &now);
    return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/* How far the vDSO's clock is outside of two readings of the kernel's around it. */
static int64_t distance(int vdso_clock, int kernel_clock, int64_t offset)
{
    int64_t before = kernel_ns(kernel_clock) + offset, it = vdso_ns(vdso_clock);
    int64_t after = kernel_ns(kernel_clock) + offset;

    return it < before ? before - it : it > after ? it - after : 0;
}

static void test_page(void **state)
{
    (void)state;
    assert_int_equal(g_page->sequence % 2, 0);
    if (!g_page->valid)
        print_message("the kernel does not keep time by the TSC: only the way by the kernel is "
                      "tested\n");
    assert_int_equal(mprotect((void *)SHARED_BASE, 4096, PROT_READ), 0);
}

static void test_clocks(void **state)
{
    static const struct {
        int vdso, kernel, offset;
    } clocks[] = {
        {CLOCK_REALTIME, CLOCK_REALTIME, -1},      {CLOCK_REALTIME_COARSE, CLOCK_REALTIME, -1},
        {CLOCK_MONOTONIC, CLOCK_MONOTONIC, 0},     {CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC, 0},
        {CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC, 0}, {CLOCK_BOOTTIME, CLOCK_BOOTTIME, 1},
    };

    (void)state;
    if (!g_page->valid)
        skip();
    g_offsets[0] = 5000000000000LL;
    g_offsets[1] = -300;
    for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        int64_t offset = clocks[i].offset < 0 ? 0 : g_offsets[clocks[i].offset];

        assert_in_range(distance(clocks[i].vdso, clocks[i].kernel, offset), 0, TOLERANCE_ns);
    }
    g_offsets[0] = g_offsets[1] = 0;
}

static void test_other_calls(void **state)
{
    struct timespec resolution = {9, 9}, cpu_time;
    struct timeval now;
    struct timezone {
        int west, dst;
    } zone = {-1, -1};
    long seconds = 0, kept;

    (void)state;
    kept = g_time(&seconds);
    assert_int_equal(kept, seconds);
    assert_in_range(kernel_ns(CLOCK_REALTIME) / NS_PER_SECOND - seconds, 0, 1);
    assert_in_range(g_time(NULL) - seconds, 0, 1);
    assert_int_equal(g_gettimeofday(&now, NULL), 0);
    assert_in_range(now.tv_usec, 0, 999999);
    assert_in_range(now.tv_sec - seconds, 0, 1);
    assert_int_equal(g_gettimeofday(&now, &zone), 0);
    assert_int_not_equal(zone.west, -1);
    assert_int_equal(g_gettimeofday(NULL, NULL), 0);
    assert_int_equal(g_getres(CLOCK_MONOTONIC, &resolution), 0);
    assert_int_equal(resolution.tv_nsec, 1);
    /* What it does not know goes to the kernel (here) or to the runtime, with its errors. */
    assert_int_equal(g_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu_time), 0);
    assert_int_equal(g_gettime(12345, &cpu_time), -22);
    assert_int_equal(g_getres(12345, &resolution), -22);
}

static void test_cpu_number(void **state)
{
    cpu_set_t all, one;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        unsigned number = 9999, node = 9999;

        if (!CPU_ISSET(cpu, &all))
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
        assert_int_equal(g_getcpu(&number, &node, NULL), 0);
        assert_int_equal(number, cpu);
        assert_int_equal(g_getcpu(NULL, NULL, NULL), 0);
    }
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

/* ---- Several threads over many refreshes ---- */

static volatile int g_stop;
static int64_t g_latest; /* any thread's latest reading */

struct watcher {
    pthread_t thread;
    uint64_t readings, backwards;
    int64_t worst_ns; /* distance from the kernel's clock */
};

static void *watch(void *argument)
{
    struct watcher *watcher = argument;

    while (!g_stop) {
        int64_t seen = __atomic_load_n(&g_latest, __ATOMIC_ACQUIRE), now = vdso_ns(CLOCK_MONOTONIC);
        int64_t distance_ns;

        watcher->backwards += now < seen;
        watcher->readings++;
        while (now > seen && !__atomic_compare_exchange_n(&g_latest, &seen, now, 0,
                                                          __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            ;
        if (watcher->readings % 64)
            continue;
        distance_ns = distance(CLOCK_MONOTONIC, CLOCK_MONOTONIC, 0);
        if (distance_ns > watcher->worst_ns)
            watcher->worst_ns = distance_ns;
    }
    return NULL;
}

static void test_never_backwards(void **state)
{
    struct watcher watchers[THREADS] = {0};
    uint64_t sequence = g_page->sequence;

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&watchers[i].thread, NULL, watch, &watchers[i]), 0);
    usleep(RUN_ms * 1000);
    g_stop = 1;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(watchers[i].thread, NULL);
        print_message("%lu readings, at most %ld ns off\n", watchers[i].readings,
                      (long)watchers[i].worst_ns);
        assert_int_equal(watchers[i].backwards, 0);
        assert_in_range(watchers[i].worst_ns, 0, TOLERANCE_ns);
        assert_in_range(watchers[i].readings, 1000, UINT64_MAX);
    }
    assert_int_not_equal(g_page->sequence, sequence); /* it was refreshed meanwhile */
}

/* At the start it is 1, and one more for each move. */
static void test_generation(void **state)
{
    struct clock_state *clock = (struct clock_state *)TABLES_BASE;

    (void)state;
    clock->moves = 0;
    assert_int_equal(g_generation(), 1);
    clock->moves = 1ULL << 33;
    assert_int_equal(g_generation(), (1ULL << 33) + 1);
    clock->moves = 0;
}

static void *find(void *image, const char *name)
{
    void *symbol = dlvsym(image, name, "LINUX_2.6");

    if (!symbol) {
        fprintf(stderr, "%s is not in the image\n", name);
        exit(1);
    }
    return symbol;
}

static void load(const char *path)
{
    void *image = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!image) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    *(void **)&g_gettime = find(image, "__vdso_clock_gettime");
    *(void **)&g_getres = find(image, "__vdso_clock_getres");
    *(void **)&g_gettimeofday = find(image, "__vdso_gettimeofday");
    *(void **)&g_time = find(image, "__vdso_time");
    *(void **)&g_getcpu = find(image, "__vdso_getcpu");
    *(void **)&g_generation = find(image, "__vdso_optmig_generation");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page),
        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_other_calls),
        cmocka_unit_test(test_cpu_number),
        cmocka_unit_test(test_never_backwards),
        cmocka_unit_test(test_generation),
    };
    void *tables = mmap((void *)TABLES_BASE, 4096, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (argc != 2 || tables != (void *)TABLES_BASE || clock_start()) {
        perror("cannot prepare the test");
        return EXIT_SKIPPED;
    }
    load(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
