/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's vDSO: clock reads that do not leave the enclave.  Built as an image of its own and
 * mapped into the program by enclave/vdso.c; it runs as a part of the program.
 *
 * It reads the clock page of the host and the offsets at the start of the tables.  What it cannot
 * answer it asks by `syscall`, which traps to the runtime like any other of the program's calls.
 * MONOTONIC_RAW is MONOTONIC here, and the coarse clocks are the fine ones: all then agree, and
 * none jumps when the program is moved to a host with another uptime.
 */
#include <asm/unistd.h>
#include <linux/time.h>
#include <linux/time_types.h>

#include "boundary/boundary.h"
#include "boundary/card.h"
#include "enclave/clock_page.h"

enum { SPINS_BEFORE_YIELD = 1000 };

int __vdso_clock_gettime(int clock_id, struct __kernel_timespec *out);
int __vdso_clock_getres(int clock_id, struct __kernel_timespec *out);
int __vdso_gettimeofday(struct __kernel_old_timeval *out, struct timezone *out_zone);
long __vdso_time(long *out);
long __vdso_getcpu(unsigned *out_cpu, unsigned *out_node, void *unused);
uint64_t __vdso_optmig_generation(void);

static long call_runtime(long nr, uint64_t a, uint64_t b, uint64_t c)
{
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(nr), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

/* The writer was preempted in the middle of a change: give it the processor. */
static bool read_clock(enum clock_line line, uint64_t *out_ns)
{
    for (;;) {
        for (int i = 0; i < SPINS_BEFORE_YIELD; i++) {
            enum clock_reading reading = clock_page_read(line, out_ns);

            if (reading != CLOCK_READ_AGAIN)
                return reading == CLOCK_READ_OK;
            __builtin_ia32_pause();
        }
        (void)call_runtime(__NR_sched_yield, 0, 0, 0);
    }
}

/* As instrumented code does after each store: this is no program of optmig-cc, but writes for one.
 */
static void mark(const void *written, uint64_t size)
{
    volatile uint8_t *cards = (volatile uint8_t *)clock_offsets()->cards;
    uint64_t first = (uint64_t)written >> CARD_SHIFT,
             last = ((uint64_t)written + size - 1) >> CARD_SHIFT;

    __asm__ volatile("" ::: "memory");
    if (!cards)
        return;
    cards[first & (CARD_COUNT - 1)] = CARD_DIRTY;
    cards[last & (CARD_COUNT - 1)] = CARD_DIRTY;
}

static bool line_of(int clock_id, enum clock_line *out_line)
{
    switch (clock_id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        *out_line = CLOCK_LINE_REALTIME;
        return true;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
        *out_line = CLOCK_LINE_MONOTONIC;
        return true;
    case CLOCK_BOOTTIME:
        *out_line = CLOCK_LINE_BOOTTIME;
        return true;
    default:
        return false;
    }
}

int __vdso_clock_gettime(int clock_id, struct __kernel_timespec *out)
{
    enum clock_line line;
    uint64_t ns;

    if (!line_of(clock_id, &line) || !read_clock(line, &ns))
        return (int)call_runtime(__NR_clock_gettime, (uint64_t)clock_id, (uint64_t)out, 0);
    out->tv_sec = (long)(ns / 1000000000);
    out->tv_nsec = (long)(ns % 1000000000);
    mark(out, sizeof(*out));
    return 0;
}

int __vdso_clock_getres(int clock_id, struct __kernel_timespec *out)
{
    return (int)call_runtime(__NR_clock_getres, (uint64_t)clock_id, (uint64_t)out, 0);
}

int __vdso_gettimeofday(struct __kernel_old_timeval *out, struct timezone *out_zone)
{
    uint64_t ns;

    if (out_zone || !read_clock(CLOCK_LINE_REALTIME, &ns))
        return (int)call_runtime(__NR_gettimeofday, (uint64_t)out, (uint64_t)out_zone, 0);
    if (out) {
        out->tv_sec = (long)(ns / 1000000000);
        out->tv_usec = (long)(ns % 1000000000 / 1000);
        mark(out, sizeof(*out));
    }
    return 0;
}

long __vdso_time(long *out)
{
    uint64_t ns;
    long seconds;

    if (!read_clock(CLOCK_LINE_REALTIME, &ns))
        return call_runtime(__NR_time, (uint64_t)out, 0, 0);
    seconds = (long)(ns / 1000000000);
    if (out) {
        *out = seconds;
        mark(out, sizeof(*out));
    }
    return seconds;
}

/* Linux keeps processor and node number in the limit of a segment that programs may ask for. */
long __vdso_getcpu(unsigned *out_cpu, unsigned *out_node, void *unused)
{
    enum { SEGMENT = 0x7b, CPU_bits = 12 };
    unsigned limit;

    (void)unused;
    if (!clock_page()->cpu_number_valid)
        return call_runtime(__NR_getcpu, (uint64_t)out_cpu, (uint64_t)out_node, 0);
    __asm__ volatile("lsl %1, %0" : "=r"(limit) : "r"(SEGMENT));
    if (out_cpu) {
        *out_cpu = limit & ((1U << CPU_bits) - 1);
        mark(out_cpu, sizeof(*out_cpu));
    }
    if (out_node) {
        *out_node = limit >> CPU_bits;
        mark(out_node, sizeof(*out_node));
    }
    return 0;
}

/* See include/optmig.h. */
uint64_t __vdso_optmig_generation(void)
{
    return clock_offsets()->moves + 1;
}
