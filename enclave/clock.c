/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time inside the runtime: from the clock page, or from the kernel where the TSC is not usable.
 * Both are the host's word.  The offsets in the tables make the program's monotonic clocks out of
 * the host's; MONOTONIC_RAW is served as MONOTONIC (vdso/vdso.c says why).
 */
#include "enclave/clock.h"

#include <asm/unistd.h>
#include <linux/time.h>
#include <linux/time_types.h>

#include "enclave/clock_page.h"

enum { SPINS_BEFORE_YIELD = 1000 };

#define NS_PER_SECOND 1000000000ULL

static uint64_t ask_kernel(int clock_id)
{
    struct __kernel_timespec now = {0, 0};

    (void)host_syscall(__NR_clock_gettime, (uint64_t)clock_id, (uint64_t)&now, 0, 0, 0, 0);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static uint64_t ask_kernel_for_line(enum clock_line line)
{
    const struct clock_state *offsets = clock_offsets();

    switch (line) {
    case CLOCK_LINE_REALTIME:
        return ask_kernel(CLOCK_REALTIME);
    case CLOCK_LINE_MONOTONIC:
        return ask_kernel(CLOCK_MONOTONIC) + (uint64_t)offsets->monotonic_offset_ns;
    case CLOCK_LINE_BOOTTIME:
        return ask_kernel(CLOCK_BOOTTIME) + (uint64_t)offsets->boottime_offset_ns;
    case CLOCK_LINE_HOST_BOOTTIME:
        return ask_kernel(CLOCK_BOOTTIME);
    case CLOCK_LINE_HOST_MONOTONIC:
        break;
    }
    return ask_kernel(CLOCK_MONOTONIC);
}

static uint64_t read_line(enum clock_line line)
{
    for (;;) {
        for (int i = 0; i < SPINS_BEFORE_YIELD; i++) {
            uint64_t ns = 0;
            enum clock_reading reading = clock_page_read(line, &ns);

            if (reading == CLOCK_READ_OK)
                return ns;
            if (reading == CLOCK_READ_INVALID)
                return ask_kernel_for_line(line);
            __builtin_ia32_pause();
        }
        (void)host_syscall(__NR_sched_yield, 0, 0, 0, 0, 0, 0);
    }
}

uint64_t clock_monotonic_ns(void)
{
    return read_line(CLOCK_LINE_MONOTONIC);
}

uint64_t clock_realtime_ns(void)
{
    return read_line(CLOCK_LINE_REALTIME);
}

uint64_t clock_host_monotonic_ns(void)
{
    return read_line(CLOCK_LINE_HOST_MONOTONIC);
}

/* What the program's clock is ahead of the host's. */
static int64_t offset_of(int clock_id)
{
    switch (clock_id) {
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
        return clock_offsets()->monotonic_offset_ns;
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        return clock_offsets()->boottime_offset_ns;
    default:
        return 0;
    }
}

bool clock_read(int clock_id, uint64_t *out_ns)
{
    switch (clock_id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        *out_ns = read_line(CLOCK_LINE_REALTIME);
        return true;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
        *out_ns = read_line(CLOCK_LINE_MONOTONIC);
        return true;
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        *out_ns = read_line(CLOCK_LINE_BOOTTIME);
        return true;
    default:
        return false;
    }
}

bool clock_needs_translation(int clock_id)
{
    return offset_of(clock_id) != 0;
}

/* A time before the host's clock began (its host was started later) is past: 1, since 0 disarms. */
uint64_t clock_to_host_ns(int clock_id, uint64_t program_ns)
{
    int64_t offset = offset_of(clock_id);
    uint64_t host_ns = program_ns - (uint64_t)offset;

    if (program_ns == 0 || offset == 0)
        return program_ns;
    if (offset > 0)
        return program_ns > (uint64_t)offset ? host_ns : 1;
    return host_ns < program_ns ? UINT64_MAX : host_ns;
}

void clock_continue(uint64_t program_monotonic_ns, uint64_t program_boottime_ns)
{
    struct clock_state *offsets = clock_offsets();

    offsets->monotonic_offset_ns =
        (int64_t)(program_monotonic_ns - read_line(CLOCK_LINE_HOST_MONOTONIC));
    offsets->boottime_offset_ns =
        (int64_t)(program_boottime_ns - read_line(CLOCK_LINE_HOST_BOOTTIME));
}
