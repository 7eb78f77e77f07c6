/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See clock.h.  A refresh reads the kernel's clock together with the TSC, estimates the TSC's rate
 * over the last seconds, and lays a new line that starts where the old one is at this moment and
 * meets the kernel's clock one horizon later.
 *
 * The sequence number is odd from before the moment's TSC is read until the line is written.  So a
 * reader uses the old line only with TSC values up to the start of the new one, and time cannot run
 * backwards between two readers.  The thread is preempted in that window once in a blue moon;
 * readers then yield.
 */
#include "host/clock.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "host/host.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

enum {
    SAMPLE_ATTEMPTS = 8,
    HISTORY = 32, /* readings kept for the rate */
    FIRST_INTERVAL_ms = 4,
    INTERVAL_ms = 100,
    STACK_SIZE_bytes = 64 * 1024,
    INVARIANT_TSC_LEAF = 0x80000007,
    INVARIANT_TSC_BIT = 1 << 8,
    SEGMENT_CPU_NUMBER = 0x7b,
    CPU_NUMBER_bits = 12,
};

#define NS_PER_SECOND 1000000000LL
#define HORIZON_NS (1.0 * NS_PER_SECOND)    /* in which an error is made good */
#define SLEW_MAX 0.1                        /* of the rate: seconds of error take a while */
#define REALTIME_STEP_NS 20000              /* differences below come from reading two clocks */
#define SEQUENCE_MASK 0x3fffffffffffffffULL /* a random start that will not overflow */

/* The kernel's clocks at one moment of the TSC. */
struct reading {
    uint64_t tsc;
    int64_t monotonic_ns;
    int64_t realtime_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
    int64_t boottime_offset_ns;
};

static struct om_clock_page *g_page; /* the writable view */
static struct reading g_history[HISTORY];
static unsigned g_readings;   /* so far */
static double g_nominal_rate; /* nanoseconds per tick, at the start */
static int g_source_fd = -1;  /* tells what the kernel keeps time by */

static uint64_t read_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static int64_t read_clock(clockid_t id)
{
    struct timespec now = {0, 0};

    clock_gettime(id, &now);
    return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/* A clock's distance from CLOCK_MONOTONIC, from the closest of a few attempts. */
static int64_t read_offset(clockid_t id)
{
    int64_t best_width = INT64_MAX, offset = 0;

    for (int i = 0; i < SAMPLE_ATTEMPTS; i++) {
        int64_t before = read_clock(CLOCK_MONOTONIC), there = read_clock(id);
        int64_t width = read_clock(CLOCK_MONOTONIC) - before;

        if (width < best_width) {
            best_width = width;
            offset = there - (before + width / 2);
        }
    }
    return offset;
}

static struct reading take_reading(void)
{
    struct reading reading = {0};
    uint64_t best_width = UINT64_MAX;

    for (int i = 0; i < SAMPLE_ATTEMPTS; i++) {
        uint64_t before = read_tsc();
        int64_t monotonic_ns = read_clock(CLOCK_MONOTONIC);
        uint64_t width = read_tsc() - before;

        if (width < best_width) {
            best_width = width;
            reading.tsc = before + width / 2;
            reading.monotonic_ns = monotonic_ns;
        }
    }
    reading.realtime_offset_ns = read_offset(CLOCK_REALTIME);
    reading.boottime_offset_ns = read_offset(CLOCK_BOOTTIME);
    return reading;
}

/* Nanoseconds per tick, over as long a time as the history goes back. */
static double measured_rate(const struct reading *now)
{
    unsigned oldest = g_readings > HISTORY ? g_readings % HISTORY : 0;
    const struct reading *then = &g_history[oldest];

    return (double)(now->monotonic_ns - then->monotonic_ns) /
           (double)(int64_t)(now->tsc - then->tsc);
}

/* The kernel changes the rate by at most 500 in a million.  More means that the TSC was not
 * counting evenly (the machine slept, or was itself moved): what was measured before is worth
 * nothing. */
static double plausible_rate(const struct reading *now)
{
    double rate = measured_rate(now), ratio = rate / g_nominal_rate;

    if (ratio > 0.999 && ratio < 1.001)
        return rate;
    g_readings = 0;
    return g_nominal_rate;
}

static uint64_t line_at(const struct om_clock_page *page, uint64_t tsc)
{
    int64_t ticks = (int64_t)(tsc - page->tsc_base);
    unsigned __int128 product;

    if (ticks < 0) /* another processor's, a little behind */
        ticks = 0;
    product = (unsigned __int128)(uint64_t)ticks * page->multiplier;
    return page->monotonic_ns + (uint64_t)(product >> page->shift);
}

/* The largest shift with which the rate still fits into 32 bits: about nine digits of precision. */
static void set_rate(struct om_clock_page *page, double ns_per_tick)
{
    uint32_t shift = 32;

    while (shift > 1 && ns_per_tick * (double)(1ULL << shift) >= 4294967295.0)
        shift--;
    page->shift = shift;
    page->multiplier = (uint32_t)(ns_per_tick * (double)(1ULL << shift) + 0.5);
}

/* The rate at which the line, now error_ns behind the kernel's clock, meets it at the horizon. */
static double slewed_rate(double rate, int64_t error_ns)
{
    double slew = (double)error_ns / HORIZON_NS;

    if (slew > SLEW_MAX)
        slew = SLEW_MAX;
    else if (slew < -SLEW_MAX)
        slew = -SLEW_MAX;
    return rate * (1.0 + slew);
}

/* Realtime is the same line at a distance, which changes only when the system's clock is set. */
static uint64_t realtime_offset(const struct om_clock_page *page, const struct reading *now)
{
    int64_t kept = (int64_t)(page->realtime_ns - page->monotonic_ns);
    int64_t difference = now->realtime_offset_ns - kept;

    if (difference > REALTIME_STEP_NS || difference < -REALTIME_STEP_NS)
        kept = now->realtime_offset_ns;
    return (uint64_t)kept;
}

/* CLOCK_BOOTTIME - CLOCK_MONOTONIC grows when the machine sleeps and at no other time. */
static uint64_t boottime_offset(const struct om_clock_page *page, const struct reading *now)
{
    int64_t kept = (int64_t)page->boottime_minus_monotonic_ns;

    return (uint64_t)(now->boottime_offset_ns > kept + REALTIME_STEP_NS ? now->boottime_offset_ns
                                                                        : kept);
}

static void publish(const struct om_clock_page *next)
{
    struct om_clock_page *page = g_page;
    uint64_t offset = next->realtime_ns - next->monotonic_ns, monotonic_ns, tsc;

    /* The exchange is a full fence: readers see the odd number before the TSC below is read. */
    __atomic_exchange_n(&page->sequence, page->sequence + 1, __ATOMIC_SEQ_CST);
    tsc = read_tsc();
    /* Rounded up: a reader of the old line whose TSC was read a little late is not ahead of us. */
    monotonic_ns = line_at(page, tsc) + 1;
    page->tsc_base = tsc;
    page->monotonic_ns = monotonic_ns;
    page->realtime_ns = monotonic_ns + offset;
    page->multiplier = next->multiplier;
    page->shift = next->shift;
    page->valid = next->valid;
    page->cpu_number_valid = next->cpu_number_valid;
    page->boottime_minus_monotonic_ns = next->boottime_minus_monotonic_ns;
    __atomic_store_n(&page->sequence, page->sequence + 1, __ATOMIC_RELEASE);
}

/* Does the kernel itself keep time by the TSC?  It says so, and watches it. */
static bool tsc_is_usable(void)
{
    char name[64];
    uint32_t a, b, c, d;
    ssize_t length = pread(g_source_fd, name, sizeof(name) - 1, 0);

    name[length > 0 ? length : 0] = 0;
    name[strcspn(name, "\n")] = 0;
    if (strcmp(name, "tsc") == 0)
        return true;
    /* Virtual machines' own clocks are made of the TSC, if that is steady. */
    if (strcmp(name, "kvm-clock") != 0 && strcmp(name, "hyperv_clocksource_tsc_page") != 0)
        return false;
    return __get_cpuid(INVARIANT_TSC_LEAF, &a, &b, &c, &d) && (d & INVARIANT_TSC_BIT);
}

/* Kept open out of the program's way: a number that is taken for a moment only is taken from it. */
static void open_source(void)
{
    static const char path[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    g_source_fd = fd < 0 ? -1 : host_fd_keep(fd);
}

static bool cpu_number_is_right(void)
{
    for (int i = 0; i < SAMPLE_ATTEMPTS; i++) {
        unsigned before, after, node, limit = 0;
        bool readable;

        syscall(SYS_getcpu, &before, &node, NULL);
        __asm__ volatile("lsl %2, %0"
                         : "+r"(limit), "=@ccz"(readable)
                         : "r"(SEGMENT_CPU_NUMBER)
                         : "cc");
        syscall(SYS_getcpu, &after, &node, NULL);
        if (before == after) /* else it went to another processor meanwhile */
            return readable && limit == (node << CPU_NUMBER_bits | before);
    }
    return false;
}

static void remember(const struct reading *reading)
{
    g_history[g_readings++ % HISTORY] = *reading;
}

/* Lays the next line. */
static void refresh(void)
{
    struct reading now = take_reading();
    struct om_clock_page next = *g_page;
    int64_t error_ns = now.monotonic_ns - (int64_t)line_at(g_page, now.tsc);

    set_rate(&next, slewed_rate(plausible_rate(&now), error_ns));
    next.realtime_ns = next.monotonic_ns + realtime_offset(g_page, &now);
    next.boottime_minus_monotonic_ns = boottime_offset(g_page, &now);
    if (g_readings % HISTORY == 0)
        next.valid = g_page->valid && tsc_is_usable();
    publish(&next);
    remember(&now);
}

static void sleep_ms(unsigned ms)
{
    const struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};

    nanosleep(&time, NULL);
}

static void *run(void *unused)
{
    unsigned interval_ms = FIRST_INTERVAL_ms;

    (void)unused;
    for (;;) {
        sleep_ms(interval_ms);
        refresh();
        if (interval_ms < INTERVAL_ms)
            interval_ms = interval_ms * 3 / 2;
    }
    return NULL;
}

/* The first line: two readings a few milliseconds apart, good to a few parts in a hundred thousand.
 */
static void first_line(void)
{
    struct reading first = take_reading(), second;
    struct om_clock_page *page = g_page;
    uint64_t sequence;

    remember(&first);
    sleep_ms(FIRST_INTERVAL_ms);
    second = take_reading();
    g_nominal_rate = measured_rate(&second);
    set_rate(page, g_nominal_rate);
    remember(&second);
    page->tsc_base = second.tsc;
    page->monotonic_ns = (uint64_t)second.monotonic_ns;
    page->realtime_ns = (uint64_t)(second.monotonic_ns + second.realtime_offset_ns);
    page->boottime_minus_monotonic_ns = (uint64_t)second.boottime_offset_ns;
    page->valid = tsc_is_usable();
    page->cpu_number_valid = cpu_number_is_right();
    /* Random, so that no two processes ever show a reader the same number. */
    if (getrandom(&sequence, sizeof(sequence), 0) != sizeof(sequence))
        sequence = second.tsc * 0x9e3779b97f4a7c15ULL ^ (uint64_t)getpid() << 32;
    __atomic_store_n(&page->sequence, sequence & SEQUENCE_MASK & ~1ULL, __ATOMIC_RELEASE);
}

/* One view for the enclave, which cannot be written, and one for us. */
static int map_page(void)
{
    int fd = memfd_create("optmig-clock", MFD_CLOEXEC), saved;
    void *shared = MAP_FAILED, *own = MAP_FAILED;

    if (fd < 0)
        return -1;
    if (ftruncate(fd, SHARED_SIZE) == 0)
        own = mmap(NULL, SHARED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (own != MAP_FAILED)
        shared = mmap((void *)SHARED_BASE, SHARED_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE,
                      fd, 0);
    saved = errno;
    close(fd);
    if (shared != (void *)SHARED_BASE) { /* MAP_FAILED, or a kernel that took it for a hint */
        errno = shared == MAP_FAILED ? saved : EEXIST;
        return -1;
    }
    g_page = own;
    return 0;
}

static int start_thread(void)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t thread;
    int error;

    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_SIZE_bytes);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    error = pthread_create(&thread, &attributes, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    errno = error;
    return error ? -1 : 0;
}

int clock_start(void)
{
    if (map_page())
        return -1;
    open_source();
    first_line();
    return start_thread();
}
