/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding present and written pages.
 *
 * Each piece is looked at with the map's lock held.  So no discard (munmap, MADV_DONTNEED) is half
 * done at that moment: it lies wholly before, and its hook has run, or wholly after, and whatever
 * is written to the page then is reported by a later sweep (source.c relies on this).
 */
#include "enclave/tracker.h"

#include <linux/mman.h>

#include "enclave/audit.h"
#include "enclave/cards.h"
#include "enclave/safepoint.h"
#include "enclave/tables.h"

enum {
    REGIONS_MAX = 16384, /* no piece of PIECE_MIN can have more */
    RUNS_MAX = 8192,
    FREEZE_GRANULE_pages = 512,
};
enum { STACKS_MAX = THREADS_MAX * CARDS_STACKS_MAX };
enum { CARDS_PIECE_bytes = 1 << 30 };
enum { PIECE_MIN_bytes = 64 << 20, FREEZE_PIECE_bytes = 16 << 20, EMPTY_GROWTH = 64 };

static struct {
    bool begun, guarded, audited;
    enum om_tracker kind;
    uint64_t looked_until; /* barrier: memory above it has not been looked at for the first time */
    struct om_region *regions, *stacks;
    struct page_run *runs;
} g_tracker;

static void set_hook(bool on)
{
    lock_take(&g_tables->mm.lock);
    g_mm_hooks.protected = on ? guard_protection_changed : NULL;
    lock_release(&g_tables->mm.lock);
}

/* Until a sweep has protected it, memory counts as written. */
static void mark_all_hot(void)
{
    const struct mm_state *mm = &g_tables->mm;

    lock_take(&g_tables->mm.lock);
    for (uint32_t i = 0; i < mm->count; i++)
        guard_mark_hot(mm->areas[i].start >> OM_PAGE_SHIFT, mm->areas[i].end >> OM_PAGE_SHIFT);
    lock_release(&g_tables->mm.lock);
}

static long begin_barrier(bool audit)
{
    long error = audit ? g_host.track_begin() : 0;

    if (error)
        return error;
    g_tracker.audited = audit;
    g_tracker.looked_until = 0;
    if (audit)
        audit_begin();
    safepoints_require(true);
    return 0;
}

long tracker_begin(enum om_tracker kind, bool audit)
{
    g_tracker.kind = kind;
    g_tracker.begun = true;
    g_tracker.audited = false;
    if (kind == OM_TRACKER_KERNEL)
        return g_host.track_begin();
    if (kind == OM_TRACKER_BARRIER)
        return begin_barrier(audit);
    guard_begin(1);
    g_tracker.guarded = true;
    set_hook(true);
    mark_all_hot();
    return 0;
}

void tracker_end(void)
{
    if (!g_tracker.begun)
        return;
    if (g_tracker.guarded) {
        /* With the lock: a change of protection is either wholly before, or meets no guard. */
        lock_take(&g_tables->mm.lock);
        guard_end();
        g_mm_hooks.protected = NULL;
        lock_release(&g_tables->mm.lock);
        g_tracker.guarded = false;
    }
    if (g_tracker.kind == OM_TRACKER_BARRIER)
        safepoints_require(false);
    if (g_tracker.audited)
        audit_end();
    if (g_tracker.kind == OM_TRACKER_KERNEL || g_tracker.audited)
        g_host.track_end();
    g_tracker.audited = false;
    g_tracker.begun = false;
}

bool tracker_sees_tables(void)
{
    return g_tracker.begun && g_tracker.kind == OM_TRACKER_KERNEL;
}

bool tracker_is_frozen(void)
{
    return g_tracker.guarded && g_tracker.kind == OM_TRACKER_KERNEL;
}

/* ---- one look ---- */

bool tracker_answer_is_good(const struct om_scan *scan, const struct om_region *regions, long count,
                            uint32_t capacity, uint64_t walk_end)
{
    uint64_t start = scan->start;

    if (count > (long)capacity || walk_end <= start || walk_end > scan->end ||
        walk_end % OM_PAGE_SIZE)
        return false;
    for (long i = 0; i < count; i++) {
        if (regions[i].start < start || regions[i].start >= regions[i].end ||
            regions[i].end > walk_end || (regions[i].start | regions[i].end) % OM_PAGE_SIZE)
            return false;
        start = regions[i].end;
    }
    return true;
}

/* Looks at [start, *end); *end may come back lower when there was too much. */
static long look(uint64_t start, uint64_t *end, bool written, bool protect, struct om_region *out,
                 uint32_t capacity)
{
    struct om_scan scan = {start, *end, written, protect};
    uint64_t walk_end = 0;
    long count = g_host.track_scan(&scan, out, capacity, &walk_end);

    if (count < 0)
        return count;
    if (!tracker_answer_is_good(&scan, out, count, capacity, walk_end))
        return -EIO;
    *end = walk_end;
    return count;
}

/* A device may still be writing to the buffer of a call under way (direct I/O): the kernel notes
 * that as a write when it begins, and not when it ends.  So such pages count as written at the next
 * look too. */
static void keep_buffers(uint64_t start, uint64_t end)
{
    struct buffer_walk walk = {0, 0};
    struct page_run buffer;

    /* The look, then the buffers: a call that is not seen here begins after the look.  Pairs with
     * the fence in guard_open(). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    while (guard_next_buffer(&walk, &buffer)) {
        uint64_t from = OM_MAX(buffer.first << OM_PAGE_SHIFT, start);
        uint64_t to = OM_MIN(buffer.end << OM_PAGE_SHIFT, end);

        if (from < to)
            (void)g_host.track_keep(from, to);
    }
}

/* Kernel tracker, and present pages with either. */
static long piece_by_pages(struct sweep *sweep, const struct area *area)
{
    uint64_t start = OM_MAX(sweep->at, area->start);
    uint64_t end = OM_MIN(area->end, OM_ALIGN_DOWN(start, OM_HUGE_SIZE) + sweep->piece);
    bool by_kernel = g_tracker.begun && g_tracker.kind == OM_TRACKER_KERNEL;
    long count = look(start, &end, sweep->kind == SWEEP_WRITTEN, sweep->protect && by_kernel,
                      g_tracker.regions, REGIONS_MAX);

    if (count < 0)
        return count;
    if (count > 0 && sweep->protect && by_kernel)
        keep_buffers(start, end);
    sweep->at = end;
    /* Huge reservations are mostly empty: larger steps until something is there. */
    sweep->piece = count ? PIECE_MIN_bytes
                         : OM_MIN(sweep->piece * 2, (uint64_t)PIECE_MIN_bytes * EMPTY_GROWTH);
    return count;
}

/* ---- the barrier's cards ---- */

static bool by_cards(void)
{
    return g_tracker.begun && g_tracker.kind == OM_TRACKER_BARRIER;
}

/* The first look at this memory: all of its pages that are there.  Marks of before say nothing;
 * those that are set from now on are found by the next SWEEP_WRITTEN. */
static long first_piece_by_cards(struct sweep *sweep, const struct area *area)
{
    uint64_t start = OM_MAX(sweep->at, area->start);
    uint64_t end = OM_MIN(area->end, OM_ALIGN_DOWN(start, OM_HUGE_SIZE) + sweep->piece);
    long count;

    if (sweep->protect)
        cards_clear(start, end);
    count = look(start, &end, false, sweep->protect && g_tracker.audited, g_tracker.regions,
                 REGIONS_MAX);
    if (count < 0)
        return count;
    sweep->at = end;
    sweep->piece = count ? PIECE_MIN_bytes
                         : OM_MIN(sweep->piece * 2, (uint64_t)PIECE_MIN_bytes * EMPTY_GROWTH);
    if (sweep->protect)
        g_tracker.looked_until = end;
    return count;
}

static bool nobody_looks_at(uint64_t page)
{
    const struct area *area = mm_area_at(page);

    return !area || area->kind == AREA_CARDS;
}

static long piece_by_cards(struct sweep *sweep, const struct area *area)
{
    uint64_t start = OM_MAX(sweep->at, area->start);
    uint64_t end = OM_MIN(area->end, start + CARDS_PIECE_bytes);
    uint32_t count;
    long error = 0;

    /* A first sweep that was cut short: what it did not come to counts as written. */
    if (sweep->kind == SWEEP_PRESENT || start >= g_tracker.looked_until)
        return first_piece_by_cards(sweep, area);
    end = OM_MIN(end, g_tracker.looked_until);
    if (start == area->start && nobody_looks_at(start - OM_PAGE_SIZE))
        cards_carry(start);
    count = cards_collect(start, &end, sweep->protect, g_tracker.regions, REGIONS_MAX);
    if (g_tracker.audited)
        error = audit_look(start, end, sweep->protect, g_tracker.regions, count);
    sweep->at = end;
    return error ? error : (long)count;
}

static long stack_regions(uint32_t *out_tid)
{
    uint32_t limit = g_tables->threads.slot_limit;
    long count = 0;

    for (uint32_t i = 0; i < limit; i++) {
        const struct thread *thread = thread_slot(i);
        long found;

        if (thread->state != THREAD_LIVE && thread->state != THREAD_STARTING)
            continue;
        found = cards_stack(thread, g_tracker.stacks + count);
        if (found < 0) {
            *out_tid = thread->tid;
            return found;
        }
        count += found;
    }
    return count;
}

void tracker_expect_stacks(void)
{
    uint32_t slots = __atomic_load_n(&g_tables->threads.slot_limit, __ATOMIC_ACQUIRE);

    if (!g_tracker.stacks)
        g_tracker.stacks = local_alloc(STACKS_MAX * sizeof(g_tracker.stacks[0]));
    memset(g_tracker.stacks, 0, slots * CARDS_STACKS_MAX * sizeof(g_tracker.stacks[0]));
}

long tracker_stacks(const struct om_region **out_regions, uint32_t *out_tid)
{
    if (!by_cards())
        return 0;
    if (!g_tracker.stacks)
        tracker_expect_stacks();
    *out_regions = g_tracker.stacks;
    return stack_regions(out_tid);
}

void tracker_note_stack(uint64_t stack_top)
{
    if (g_tracker.audited && cards_usable())
        audit_note_stack(stack_top);
}

/* Moves *at up to the next hot page below end; false: there is none. */
static bool skip_to_hot(uint64_t *at, uint64_t end)
{
    struct page_run run;

    if (!guard_next_hot(*at >> OM_PAGE_SHIFT, end >> OM_PAGE_SHIFT, 1, &run))
        return false;
    *at = run.first << OM_PAGE_SHIFT;
    return true;
}

/* Copies hot runs of the piece to g_tracker.runs; *end comes back lower when there are too many. */
static uint32_t find_hot(uint64_t start, uint64_t *end)
{
    uint32_t count = 0;
    uint64_t first = start >> OM_PAGE_SHIFT, stop = *end >> OM_PAGE_SHIFT;

    while (count < RUNS_MAX && guard_next_hot(first, stop, ~0ULL, &g_tracker.runs[count])) {
        first = g_tracker.runs[count].end;
        count++;
    }
    if (count == RUNS_MAX)
        *end = first << OM_PAGE_SHIFT;
    return count;
}

/* Which of the hot pages are there, or, with the kernel tracker, were written. */
static long look_at_runs(uint32_t runs, bool written, bool protect)
{
    long count = 0;

    for (uint32_t i = 0; i < runs; i++) {
        uint64_t at = g_tracker.runs[i].first << OM_PAGE_SHIFT;
        uint64_t stop = g_tracker.runs[i].end << OM_PAGE_SHIFT;

        while (at < stop) {
            uint64_t end = stop;
            long found = look(at, &end, written, protect, g_tracker.regions + count,
                              (uint32_t)(REGIONS_MAX - count));

            if (found < 0)
                return found;
            if (found > 0 && protect)
                keep_buffers(at, end);
            count += found;
            at = end;
        }
    }
    return count;
}

static long first_piece_by_guard(struct sweep *sweep, const struct area *area, uint64_t start)
{
    uint64_t end = OM_MIN(area->end, OM_ALIGN_DOWN(start, OM_HUGE_SIZE) + PIECE_MIN_bytes);
    struct page_run all = {start >> OM_PAGE_SHIFT, end >> OM_PAGE_SHIFT};

    if (sweep->protect && (area->prot & PROT_WRITE))
        guard_protect(&all, 1, area->prot);
    sweep->piece = PIECE_MIN_bytes;
    return piece_by_pages(sweep, area);
}

/* mprotect tracker: what is hot is protected again and reported.  What is protected and not hot is
 * clean. */
static long piece_by_guard(struct sweep *sweep, const struct area *area)
{
    uint64_t start = OM_MAX(sweep->at, area->start), end;
    uint32_t runs;

    if (sweep->kind == SWEEP_PRESENT)
        return first_piece_by_guard(sweep, area, start);
    if (!skip_to_hot(&start, area->end)) {
        sweep->at = area->end;
        return 0;
    }
    end = OM_MIN(area->end, start + PIECE_MIN_bytes);
    runs = find_hot(start, &end);
    sweep->at = end;
    if (sweep->protect && runs && (area->prot & PROT_WRITE))
        guard_protect(g_tracker.runs, runs, area->prot);
    return look_at_runs(runs, false, false);
}

/* Granules stay open; with the kernel tracker their pages can be protected anew. */
static long piece_of_hot(struct sweep *sweep)
{
    const bool by_kernel = g_tracker.kind == OM_TRACKER_KERNEL;
    uint64_t end;
    uint32_t runs;

    if (!skip_to_hot(&sweep->at, PROGRAM_END)) {
        sweep->at = PROGRAM_END;
        return 0;
    }
    end = OM_MIN(sweep->at + PIECE_MIN_bytes, PROGRAM_END);
    runs = find_hot(sweep->at, &end);
    sweep->at = end;
    return look_at_runs(runs, by_kernel, by_kernel && sweep->protect);
}

/* ---- sweeps ---- */

void sweep_begin(struct sweep *sweep, enum sweep_kind kind, bool protect)
{
    if (!g_tracker.regions) {
        g_tracker.regions = local_alloc(REGIONS_MAX * sizeof(g_tracker.regions[0]));
        g_tracker.runs = local_alloc(RUNS_MAX * sizeof(g_tracker.runs[0]));
    }
    *sweep = (struct sweep){kind, protect, PROGRAM_BASE, PIECE_MIN_bytes};
}

static long next_piece(struct sweep *sweep, bool *out_done)
{
    const struct area *area;

    *out_done = sweep->at >= PROGRAM_END;
    if (*out_done)
        return 0;
    if (sweep->kind == SWEEP_HOT)
        return piece_of_hot(sweep);
    area = mm_area_from(sweep->at);
    *out_done = area == NULL;
    if (!area)
        return 0;
    if (area->kind == AREA_CARDS) {
        sweep->at = area->end;
        return 0;
    }
    if (by_cards())
        return piece_by_cards(sweep, area);
    if (g_tracker.guarded && g_tracker.kind == OM_TRACKER_MPROTECT)
        return piece_by_guard(sweep, area);
    return piece_by_pages(sweep, area);
}

long sweep_next(struct sweep *sweep, const struct om_region **out_regions)
{
    bool done = false;
    long count = 0;

    *out_regions = g_tracker.regions;
    while (!done && count == 0) {
        lock_take(&g_tables->mm.lock);
        count = next_piece(sweep, &done);
        lock_release_fairly(&g_tables->mm.lock);
    }
    if (done && by_cards() && sweep->protect)
        g_tracker.looked_until = PROGRAM_END;
    return count;
}

/* ---- freeze ----
 *
 * Why SWEEP_HOT loses no write (kernel tracker): tracker_freeze() makes memory read-only, then a
 * protecting SWEEP_WRITTEN looks at all of it, then the program is stopped, then SWEEP_HOT.  A
 * write that the SWEEP_WRITTEN did not see came after it had looked at that page.  At that time the
 * page was writable, so since the freeze its granule was opened by a fault or a system call's
 * buffer, or mapped anew, or was never closed: each marks it hot first (guard.c).  And as the page
 * was write-protected for the kernel tracker by that sweep, or not there at all, the write set its
 * written flag.  The same holds for protecting SWEEP_HOTs in between: what they have seen is
 * protected again, and the granules stay hot.
 */

/* Closes the next piece of memory; false when there is no more. */
static bool freeze_piece(uint64_t *at)
{
    const struct area *area = mm_area_from(*at);
    struct page_run run;
    uint64_t start, end;

    if (!area)
        return false;
    start = OM_MAX(*at, area->start);
    end = OM_MIN(area->end, OM_ALIGN_DOWN(start, OM_HUGE_SIZE) + FREEZE_PIECE_bytes);
    if (!(area->prot & PROT_WRITE) || area->kind == AREA_CARDS) {
        *at = area->end;
        return true;
    }
    *at = end;
    run = (struct page_run){start >> OM_PAGE_SHIFT, end >> OM_PAGE_SHIFT};
    guard_protect(&run, 1, area->prot);
    return true;
}

long tracker_freeze(void)
{
    uint64_t at = PROGRAM_BASE;
    bool more = true;

    if (g_tracker.kind != OM_TRACKER_KERNEL || g_tracker.guarded)
        return 0;
    guard_begin(FREEZE_GRANULE_pages);
    g_tracker.guarded = true;
    set_hook(true);
    while (more) {
        lock_take(&g_tables->mm.lock);
        more = freeze_piece(&at);
        lock_release_fairly(&g_tables->mm.lock);
        if (g_host.cancel_requested())
            return -ECANCELED;
    }
    return 0;
}

long tracker_scan_tables(enum sweep_kind kind, bool protect, struct om_region *out_regions,
                         uint32_t capacity)
{
    uint32_t slots = __atomic_load_n(&g_tables->threads.slot_limit, __ATOMIC_ACQUIRE);
    uint64_t at = TABLES_BASE, stop = SLOTS_BASE + (uint64_t)slots * SLOT_SIZE;
    bool by_kernel = tracker_sees_tables();
    long count = 0;

    while (at < stop) {
        uint64_t end = stop;
        long found;

        if (count == (long)capacity)
            return -ENOSPC;
        found = look(at, &end, kind != SWEEP_PRESENT && by_kernel, protect && by_kernel,
                     out_regions + count, capacity - (uint32_t)count);
        if (found < 0)
            return found;
        count += found;
        at = end;
    }
    return count;
}
