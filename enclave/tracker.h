/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding the pages that are there, and those written since the last look.  Three ways (enum
 * om_tracker): the kernel's page tables, asked through the host; guard.c; or the marks of an
 * instrumented program (cards.h).  On the mover's thread only.
 */
#pragma once

#include "enclave/guard.h"

enum sweep_kind {
    SWEEP_PRESENT, /* every page that has contents */
    SWEEP_WRITTEN, /* pages written since a protecting sweep last reported them */
    SWEEP_HOT,     /* the same, looking only where tracker_freeze() saw writing */
};

/* One walk over the program's memory, in pieces, so that what is found can be sent in between. */
struct sweep {
    enum sweep_kind kind;
    bool protect;   /* pages are reported again only if they are written from now on */
    uint64_t at;    /* next address */
    uint64_t piece; /* how much to look at in one call */
};

/* 0 or -errno.  The tables are tracked by the kernel tracker only.  audit: with the barrier
 * tracker, have the kernel's watch it (audit.h). */
long tracker_begin(enum om_tracker kind, bool audit);
/* Undoes everything; the program may be running.  Also after a tracker_begin() that failed. */
void tracker_end(void);
bool tracker_sees_tables(void);

void sweep_begin(struct sweep *sweep, enum sweep_kind kind, bool protect);
/* What was found next, in ascending order: a number of regions of whole pages (valid until the next
 * call), 0 when all has been looked at, or -errno. */
long sweep_next(struct sweep *sweep, const struct om_region **out_regions);

/* Makes the program's memory read-only in pieces of 2 MiB, while it runs (guard.h).  After that a
 * SWEEP_WRITTEN has to follow, and from then on SWEEP_HOT sees all that is written. */
long tracker_freeze(void);
bool tracker_is_frozen(void);
/* Of a host that answers a look (host calls: track_scan): regions of whole pages that ascend,
 * within what was asked for. */
bool tracker_answer_is_good(const struct om_scan *scan, const struct om_region *regions, long count,
                            uint32_t capacity, uint64_t walk_end);

/* Barrier tracker, with the program stopped: what the threads' stacks hold, which nothing marks.  A
 * number of regions (valid until the next call), or -EOPNOTSUPP: the thread of this id runs on a
 * stack of its own making. */
long tracker_stacks(const struct om_region **out_regions, uint32_t *out_tid);
/* Before the stop: makes the memory for that. */
void tracker_expect_stacks(void);
/* A thread begins on this stack; on program threads. */
void tracker_note_stack(uint64_t stack_top);

/* The tables' pages; at most capacity regions: count or -errno. */
long tracker_scan_tables(enum sweep_kind kind, bool protect, struct om_region *out_regions,
                         uint32_t capacity);
