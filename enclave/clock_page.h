/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One reading of the clock page (boundary.h), for the vDSO and for the runtime.
 *
 * The order is: sequence, offset, line, TSC, sequence again.  The offset is inside because a move
 * changes both: a thread that was moved in the middle finds another sequence and reads again.
 */
#pragma once

#include <stdbool.h>

#include "boundary/boundary.h"
#include "enclave/clock.h"

enum clock_line {
    CLOCK_LINE_REALTIME,
    CLOCK_LINE_MONOTONIC, /* the program's */
    CLOCK_LINE_BOOTTIME,  /* the program's */
    CLOCK_LINE_HOST_MONOTONIC,
    CLOCK_LINE_HOST_BOOTTIME,
};

enum clock_reading {
    CLOCK_READ_OK,
    CLOCK_READ_AGAIN, /* the page changed meanwhile, or is just being changed */
    CLOCK_READ_INVALID,
};

static inline const struct om_clock_page *clock_page(void)
{
    return (const struct om_clock_page *)SHARED_BASE;
}

/* clock is the first member of the tables. */
static inline struct clock_state *clock_offsets(void)
{
    return (struct clock_state *)TABLES_BASE;
}

/* After the loads before it.  It may come a little after loads behind it, as the second look at the
 * sequence; the host lays each new line a nanosecond above the old one to make up for that. */
static inline uint64_t clock_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline uint64_t clock_line_start(const struct om_clock_page *page, enum clock_line line)
{
    switch (line) {
    case CLOCK_LINE_REALTIME:
        return page->realtime_ns;
    case CLOCK_LINE_MONOTONIC:
        return page->monotonic_ns + (uint64_t)clock_offsets()->monotonic_offset_ns;
    case CLOCK_LINE_BOOTTIME:
        return page->monotonic_ns + page->boottime_minus_monotonic_ns +
               (uint64_t)clock_offsets()->boottime_offset_ns;
    case CLOCK_LINE_HOST_BOOTTIME:
        return page->monotonic_ns + page->boottime_minus_monotonic_ns;
    case CLOCK_LINE_HOST_MONOTONIC:
        break;
    }
    return page->monotonic_ns;
}

/* Nanoseconds that passed on the line since its start.  A TSC a little before the start (of another
 * processor) counts as the start. */
static inline uint64_t clock_elapsed_ns(uint64_t tsc, uint64_t base, uint32_t multiplier,
                                        uint32_t shift)
{
    int64_t ticks = (int64_t)(tsc - base);

    if (ticks < 0)
        return 0;
    return (uint64_t)(((unsigned __int128)(uint64_t)ticks * multiplier) >> (shift & 63));
}

static inline enum clock_reading clock_page_read(enum clock_line line, uint64_t *out_ns)
{
    const struct om_clock_page *page = clock_page();
    uint64_t sequence = __atomic_load_n(&page->sequence, __ATOMIC_ACQUIRE);
    uint64_t start, base, tsc;
    uint32_t multiplier, shift, valid;

    if (sequence & 1)
        return CLOCK_READ_AGAIN;
    start = clock_line_start(page, line);
    base = page->tsc_base;
    multiplier = page->multiplier;
    shift = page->shift;
    valid = page->valid;
    tsc = clock_tsc();
    if (__atomic_load_n(&page->sequence, __ATOMIC_ACQUIRE) != sequence)
        return CLOCK_READ_AGAIN;
    if (!valid)
        return CLOCK_READ_INVALID;
    *out_ns = start + clock_elapsed_ns(tsc, base, multiplier, shift);
    return CLOCK_READ_OK;
}
