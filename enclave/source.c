/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages at the source.  The sets and their rule:
 *   - sent: the destination holds contents of this page that are not zero
 *   - dropped: it holds some, and here the page is zero or was discarded: it has to be told
 *   - listed: comes after the start; the destination drops what it holds when it reads the list
 *   - fresh: chosen by a sweep, to be listed or to be sent at once
 *   - heads: of these the first bytes may have been written, by the mark of the page before
 * While the program runs a page is copied with the map's lock held, which the discard hook has too.
 * So a discard is either before the copy (which then sees zero, or newer contents) or after the
 * marks were made (and the hook moves the page to dropped).  Contents written after a discard are
 * reported again by the tracker, because it looked before the copy (tracker.c).  So a DROP never
 * takes contents away that are not sent again after it.
 */
#include "enclave/source.h"

#include <linux/mman.h>

#include "enclave/audit.h"
#include "enclave/cards.h"
#include "enclave/sealed.h"
#include "enclave/tables.h"
#include "enclave/tracker.h"

enum {
    TABLE_REGIONS_MAX = 8192,
    TABLE_COPIES_MAX = 1024, /* 4 MiB; the tables of a small program have a few dozen pages */
    HUGE_RANGES_MAX = 64,
    WAITING_PAGES_MAX = 8, /* for so few a record of their own takes longer than they do */
    FEW_HEADS = 8,         /* so few are sent as whole pages, for the same reason */
    PAGES_HEAD_SIZE = 8 + PAGE_BATCH_MAX * 8,
};

/* A record of pages that is being filled in place (sealed_body). */
struct batch {
    uint32_t stream;
    uint32_t count;    /* entries */
    uint32_t contents; /* of them with contents */
    uint64_t page[PAGE_BATCH_MAX];
    uint8_t flags[PAGE_BATCH_MAX];
};

static struct {
    struct pageset sent, dropped, listed, fresh, heads;
    struct batch batches[OM_STREAM_COUNT];
    struct source_counts counts;
    bool stopped;
    uint64_t push_at; /* next page number to push */
    struct om_region *table_regions;
    struct message_range *ranges;
    struct area *areas;
    struct { /* a record of heads that is being filled */
        uint32_t count;
        uint64_t page[HEADS_PER_RECORD_MAX];
        uint8_t (*contents)[PAGE_HEAD_bytes];
    } taken;
    /* Pages of the tables as they were sent while the program ran, in ascending order. */
    struct {
        uint32_t count;
        uint64_t page[TABLE_COPIES_MAX];
        uint8_t (*contents)[OM_PAGE_SIZE];
    } copies;
} g_source;

static const uint64_t g_pages_end = (TABLES_BASE + TABLES_SIZE) >> OM_PAGE_SHIFT;

void source_create(void)
{
    pageset_create(&g_source.sent, g_pages_end);
    pageset_create(&g_source.dropped, g_pages_end);
    pageset_create(&g_source.listed, g_pages_end);
    pageset_create(&g_source.fresh, g_pages_end);
    pageset_create(&g_source.heads, g_pages_end);
    if (!g_source.ranges) {
        g_source.table_regions = local_alloc(TABLE_REGIONS_MAX * sizeof(struct om_region));
        g_source.ranges = local_alloc(RANGES_PER_RECORD_MAX * sizeof(struct message_range));
        g_source.areas = local_alloc(AREAS_MAX * sizeof(struct area));
        g_source.copies.contents = local_alloc(TABLE_COPIES_MAX * OM_PAGE_SIZE);
        g_source.taken.contents = local_alloc(HEADS_PER_RECORD_MAX * PAGE_HEAD_bytes);
    }
    g_source.copies.count = g_source.taken.count = 0;
    memset(&g_source.counts, 0, sizeof(g_source.counts));
    for (uint32_t i = 0; i < OM_STREAM_COUNT; i++)
        g_source.batches[i] = (struct batch){.stream = i};
    g_source.stopped = false;
    g_source.push_at = 0;
}

void source_counts(struct source_counts *out)
{
    *out = g_source.counts;
}

static void count_up(uint64_t *counter, uint64_t by)
{
    __atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
}

/* Hook of the memory map, under its lock. */
static void discarded(uint64_t start, uint64_t end)
{
    pageset_move_range(&g_source.sent, &g_source.dropped, start >> OM_PAGE_SHIFT,
                       end >> OM_PAGE_SHIFT);
    if (audit_is_on())
        audit_note_discard(start >> OM_PAGE_SHIFT, end >> OM_PAGE_SHIFT);
}

void source_watch_discards(bool on)
{
    lock_take(&g_tables->mm.lock);
    g_mm_hooks.discarded = on ? discarded : NULL;
    lock_release(&g_tables->mm.lock);
}

void source_set_stopped(bool stopped)
{
    g_source.stopped = stopped;
}

/* The tables hold the lock's word, so it must not be taken while they are copied for good. */
static void map_lock(void)
{
    if (!g_source.stopped)
        lock_take(&g_tables->mm.lock);
}

static void map_unlock(void)
{
    if (!g_source.stopped)
        lock_release(&g_tables->mm.lock);
}

/* ---- copying; the map is locked, or the program stopped ---- */

/* The first bytes of a page.  *hint: the area of the page before, or NULL. */
static long copy_bytes(uint64_t page, uint8_t *to, size_t length, const struct area **hint)
{
    uint64_t address = page << OM_PAGE_SHIFT;
    const struct area *area = *hint;

    if (address >= TABLES_BASE) {
        memcpy(to, (const void *)address, length);
        return 0;
    }
    if (!area || address < area->start || address >= area->end)
        *hint = area = mm_area_at(address);
    if (!area)
        memset(to, 0, length);
    else if (area->prot & PROT_READ)
        memcpy(to, (const void *)address, length);
    else
        return g_host.memory_read(address, to, length);
    return 0;
}

static long copy_page(uint64_t page, uint8_t *to, const struct area **hint)
{
    return copy_bytes(page, to, OM_PAGE_SIZE, hint);
}

/* ---- batches ---- */

static uint8_t *batch_slot(const struct batch *batch)
{
    return sealed_body(batch->stream) + PAGES_HEAD_SIZE + batch->contents * OM_PAGE_SIZE;
}

static void batch_take(struct batch *batch, uint64_t page, uint8_t flags)
{
    batch->page[batch->count] = page;
    batch->flags[batch->count++] = flags;
    batch->contents += !(flags & PAGE_ZERO);
}

static long batch_send(struct batch *batch, uint32_t round)
{
    uint8_t *body = sealed_body(batch->stream);
    size_t head, length = batch->contents * OM_PAGE_SIZE;
    long error;

    if (!batch->count)
        return 0;
    head = encode_pages_head(body, batch->count, batch->page, batch->flags);
    om_assert(head > 0);
    if (head != PAGES_HEAD_SIZE)
        memmove(body + head, body + PAGES_HEAD_SIZE, length);
    error = sealed_send(batch->stream, MESSAGE_PAGES, round, head + length);
    count_up(&g_source.counts.pages, batch->contents);
    batch->count = batch->contents = 0;
    return error;
}

/* ---- tables that no tracker watches: the same contents need not be sent twice ---- */

static void keep_copy(uint64_t page, const uint8_t *contents)
{
    uint32_t count = g_source.copies.count;

    if (count == TABLE_COPIES_MAX || (count && g_source.copies.page[count - 1] >= page))
        return;
    memcpy(g_source.copies.contents[count], contents, OM_PAGE_SIZE);
    g_source.copies.page[count] = page;
    g_source.copies.count = count + 1;
}

/* The copy of this page, or NULL. */
static const uint8_t *find_copy(uint64_t page)
{
    uint32_t low = 0, high = g_source.copies.count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (g_source.copies.page[middle] < page)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == g_source.copies.count || g_source.copies.page[low] != page)
        return NULL;
    return g_source.copies.contents[low];
}

/* The destination has just this already.  If not it is sent, and while the program runs a copy is
 * kept of what is sent. */
static bool is_known_table(uint64_t page, const uint8_t *contents)
{
    const uint8_t *copy;

    if (page < TABLES_BASE >> OM_PAGE_SHIFT || tracker_sees_tables())
        return false;
    if (!g_source.stopped) {
        keep_copy(page, contents);
        return false;
    }
    copy = pageset_has(&g_source.sent, page) ? find_copy(page) : NULL;
    return copy && page_is_same(copy, contents);
}

/* What the audit is told of a copy. */
typedef void audit_note(uint64_t page, const uint8_t *contents);

/* Copies one page into the batch, unless it is zero. */
static long take_page(struct batch *batch, uint64_t page, const struct area **hint,
                      audit_note *note)
{
    uint8_t *slot = batch_slot(batch);
    long error = copy_page(page, slot, hint);

    if (error)
        return error;
    if (is_known_table(page, slot))
        return 0;
    if (audit_is_on())
        note(page, slot);
    if (!page_is_zero(slot)) {
        pageset_add(&g_source.sent, page);
        pageset_remove(&g_source.dropped, page);
        batch_take(batch, page, 0);
        return 0;
    }
    count_up(&g_source.counts.zero_pages, 1);
    if (pageset_remove(&g_source.sent, page))
        pageset_add(&g_source.dropped, page);
    return 0;
}

static long send_run(uint64_t first, uint64_t end, uint32_t round)
{
    struct batch *batch = &g_source.batches[STREAM_BULK];
    long error = 0;

    while (first < end && !error) {
        /* As many pages as one record holds at a time, so that the lock is not held for long. */
        uint64_t stop = OM_MIN(end, first + PAGE_BATCH_MAX);
        const struct area *hint = NULL;

        map_lock();
        while (first < stop && batch->count < PAGE_BATCH_MAX && !error)
            error = take_page(batch, first++, &hint, audit_note_page);
        map_unlock();
        if (!error && batch->count == PAGE_BATCH_MAX)
            error = batch_send(batch, round);
        if (!error)
            error = move_out_tick();
    }
    return error;
}

long source_flush(uint32_t round)
{
    return batch_send(&g_source.batches[STREAM_BULK], round);
}

/* ---- ranges ---- */

static long send_ranges(uint8_t type, uint32_t count)
{
    size_t length;
    long error;

    if (!count)
        return 0;
    error = source_flush(0); /* It is filled in the same place. */
    if (error)
        return error;
    length = encode_ranges(sealed_body(STREAM_BULK), g_source.ranges, count);
    om_assert(length > 0);
    return sealed_send(STREAM_BULK, type, 0, length);
}

/* Blocks of 2 MiB that are wholly there, and of which the destination has nothing yet. */
static long send_huge(const struct om_region *regions, long count, uint32_t round)
{
    uint32_t ranges = 0;
    long error = 0;

    for (long i = 0; i < count && !error; i++) {
        uint64_t start = OM_ALIGN_UP(regions[i].start, OM_HUGE_SIZE);
        uint64_t end = OM_ALIGN_DOWN(regions[i].end, OM_HUGE_SIZE);

        if (start >= end || pageset_has(&g_source.sent, start >> OM_PAGE_SHIFT))
            continue;
        if (!ranges)
            error = source_flush(round);
        g_source.ranges[ranges++] =
            (struct message_range){start >> OM_PAGE_SHIFT, (end - start) >> OM_PAGE_SHIFT};
        if (ranges == HUGE_RANGES_MAX) {
            error = send_ranges(MESSAGE_HUGE, ranges);
            ranges = 0;
        }
    }
    return error ? error : send_ranges(MESSAGE_HUGE, ranges);
}

long source_send_regions(const struct om_region *regions, long count, uint32_t round)
{
    long error = send_huge(regions, count, round);

    for (long i = 0; i < count && !error; i++)
        error = send_run(regions[i].start >> OM_PAGE_SHIFT, regions[i].end >> OM_PAGE_SHIFT, round);
    return error;
}

/* Takes as many runs out of the set as a record holds. */
static uint32_t take_ranges(struct pageset *set, struct pageset *to)
{
    struct page_run run;
    uint64_t at = 0;
    uint32_t count = 0;

    while (count < RANGES_PER_RECORD_MAX && pageset_next(set, at, g_pages_end, ~0ULL, &run)) {
        pageset_move_range(set, to, run.first, run.end);
        g_source.ranges[count++] = (struct message_range){run.first, run.end - run.first};
        at = run.end;
    }
    return count;
}

long source_send_drops(void)
{
    uint32_t count;
    long error = 0;

    do {
        map_lock();
        count = take_ranges(&g_source.dropped, NULL);
        map_unlock();
        error = send_ranges(MESSAGE_DROP, count);
    } while (count == RANGES_PER_RECORD_MAX && !error);
    return error;
}

long source_send_layout(void)
{
    uint32_t count = mm_layout_copy(g_source.areas, AREAS_MAX);
    struct message_area *areas = (struct message_area *)(void *)g_source.areas;

    _Static_assert(sizeof(struct message_area) == sizeof(struct area) &&
                       offsetof(struct message_area, reserved) == offsetof(struct area, name),
                   "an area is sent as it is, but for its name");
    if (count > AREAS_PER_RECORD_MAX)
        return 0; /* It is advice only. */
    for (uint32_t i = 0; i < count; i++)
        areas[i].reserved = 0;
    return sealed_send(STREAM_BULK, MESSAGE_LAYOUT, 0,
                       encode_areas(sealed_body(STREAM_BULK), areas, count));
}

/* ---- tables ---- */

/* What the destination has of the tables and is not there any more. */
static void drop_absent_tables(const struct om_region *present, long count)
{
    uint64_t at = TABLES_BASE >> OM_PAGE_SHIFT;

    for (long i = 0; i < count; i++) {
        pageset_move_range(&g_source.sent, &g_source.dropped, at,
                           present[i].start >> OM_PAGE_SHIFT);
        at = present[i].end >> OM_PAGE_SHIFT;
    }
    pageset_move_range(&g_source.sent, &g_source.dropped, at, g_pages_end);
}

long source_send_tables(bool final, uint32_t round)
{
    struct om_region *regions = g_source.table_regions;
    long count, error = 0;

    count = tracker_scan_tables(SWEEP_PRESENT, !final, regions, TABLE_REGIONS_MAX);
    if (final && count >= 0)
        drop_absent_tables(regions, count);
    if (final && count >= 0 && tracker_sees_tables())
        count = tracker_scan_tables(SWEEP_WRITTEN, false, regions, TABLE_REGIONS_MAX);
    if (count < 0)
        return count;
    for (long i = 0; i < count && !error; i++)
        error = send_run(regions[i].start >> OM_PAGE_SHIFT, regions[i].end >> OM_PAGE_SHIFT, round);
    return error ? error : source_flush(round);
}

/* ---- heads: of what a mark says, the part that lies in the next page (card.h) ---- */

_Static_assert((uint64_t)PAGE_HEAD_bytes == CARD_HEAD, "as much as a mark may speak of");

/* All of it is sent later. */
static bool comes_whole(uint64_t page)
{
    return pageset_has(&g_source.listed, page) || pageset_has(&g_source.fresh, page);
}

bool source_is_to_come(uint64_t page)
{
    return comes_whole(page) || pageset_has(&g_source.heads, page);
}

void source_choose_heads(const struct om_region *regions, long count)
{
    for (long i = 0; i < count; i++) {
        uint64_t next = regions[i].end, page = next >> OM_PAGE_SHIFT;

        if (i + 1 < count && regions[i + 1].start == next)
            continue;
        /* The cards themselves never move. */
        if (next >= PROGRAM_END ||
            (next >= CARD_TABLE_BASE && next < CARD_POLL_BASE + CARD_POLL_SIZE))
            continue;
        if (audit_is_on())
            audit_note_choice(page);
        if (!comes_whole(page))
            pageset_add(&g_source.heads, page);
    }
}

static bool head_is_zero(const uint8_t *head)
{
    static const uint8_t zero[PAGE_HEAD_bytes];

    return memcmp(head, zero, sizeof(zero)) == 0;
}

enum head_way { HEAD_NOTHING, HEAD_ALONE, HEAD_WHOLE };

/* What the destination needs of this page; the map is locked.  It has the rest of the page already,
 * or a mark of the page itself tells of that.  head: room for one. */
static enum head_way way_of_head(uint64_t page, uint8_t *head)
{
    if (comes_whole(page))
        return HEAD_NOTHING;
    if (pageset_has(&g_source.sent, page))
        return HEAD_ALONE;
    /* The destination has zero there, or nothing.  Perhaps nothing is here either: the page may be
     * a guard or unmapped, so it is not touched. */
    if (g_host.memory_read(page << OM_PAGE_SHIFT, head, PAGE_HEAD_bytes) || head_is_zero(head))
        return HEAD_NOTHING;
    return HEAD_WHOLE;
}

static long take_head(uint64_t page, uint8_t *head, const struct area **hint)
{
    long error = copy_bytes(page, head, PAGE_HEAD_bytes, hint);

    if (error)
        return error;
    if (audit_is_on())
        audit_note_head(page, head);
    g_source.taken.page[g_source.taken.count++] = page;
    return 0;
}

/* The pages that wait are sent first: they were copied before, and are filled in the same place. */
static long flush_heads(uint32_t round)
{
    uint32_t count = g_source.taken.count;
    size_t length;
    long error;

    if (!count)
        return 0;
    error = source_flush(round);
    if (error)
        return error;
    length = encode_heads(sealed_body(STREAM_BULK), count, g_source.taken.page,
                          g_source.taken.contents[0]);
    om_assert(length > 0);
    error = sealed_send(STREAM_BULK, MESSAGE_HEADS, round, length);
    count_up(&g_source.counts.heads, count);
    g_source.taken.count = 0;
    return error ? error : move_out_tick();
}

static long send_head(uint64_t page, uint32_t round, bool few)
{
    struct batch *batch = &g_source.batches[STREAM_BULK];
    uint8_t *head = g_source.taken.contents[g_source.taken.count];
    const struct area *hint = NULL;
    enum head_way way;
    long error = 0;

    map_lock();
    way = way_of_head(page, head);
    if (way == HEAD_ALONE && !few)
        error = take_head(page, head, &hint);
    else if (way != HEAD_NOTHING)
        /* By the mark of another page: of this one's the audit still wants to know. */
        error = take_page(batch, page, &hint, audit_note_head);
    map_unlock();
    if (!error && batch->count == PAGE_BATCH_MAX)
        error = batch_send(batch, round);
    if (!error && g_source.taken.count == HEADS_PER_RECORD_MAX)
        error = flush_heads(round);
    return error;
}

long source_send_heads(uint32_t round)
{
    bool few = pageset_count(&g_source.heads) <= FEW_HEADS;
    struct page_run run = {0, 0};
    long error = 0;

    while (!error && pageset_next(&g_source.heads, run.end, g_pages_end, 1, &run))
        error = send_head(run.first, round, few);
    pageset_clear(&g_source.heads);
    return error ? error : flush_heads(round);
}

/* Their pages come later, as those of the list do: a stop is not made longer by contents. */
static void list_heads(void)
{
    uint8_t head[PAGE_HEAD_bytes];
    struct page_run run = {0, 0};

    while (pageset_next(&g_source.heads, run.end, g_pages_end, 1, &run)) {
        map_lock();
        if (way_of_head(run.first, head) != HEAD_NOTHING)
            pageset_add(&g_source.fresh, run.first);
        map_unlock();
    }
    pageset_clear(&g_source.heads);
}

uint64_t source_waiting_heads(void)
{
    return pageset_count(&g_source.heads);
}

/* ---- the list ---- */

/* The audit compares the rest of a page with what it was when its own mark was last seen. */
static void note_chosen(uint64_t first, uint64_t end)
{
    static _Alignas(16) uint8_t contents[OM_PAGE_SIZE];

    for (; first < end; first++) {
        const struct area *hint = NULL;

        map_lock();
        if (copy_page(first, contents, &hint) == 0)
            audit_note_page(first, contents);
        map_unlock();
    }
}

static uint64_t choose_run(uint64_t first, uint64_t end)
{
    struct page_run known = {end, end};
    uint64_t added = 0;

    while (first < end) {
        if (!pageset_next(&g_source.listed, first, end, ~0ULL, &known))
            known = (struct page_run){end, end};
        if (first < known.first) {
            pageset_add_range(&g_source.fresh, first, known.first);
            added += known.first - first;
        }
        first = known.end;
    }
    return added;
}

uint64_t source_choose_regions(const struct om_region *regions, long count)
{
    uint64_t added = 0;

    for (long i = 0; i < count; i++) {
        uint64_t first = regions[i].start >> OM_PAGE_SHIFT, end = regions[i].end >> OM_PAGE_SHIFT;

        added += choose_run(first, end);
        if (audit_is_on())
            note_chosen(first, end);
    }
    return added;
}

/* The destination drops what it has of a listed page. */
static void forget_sent(const struct message_range *range)
{
    uint64_t first = range->first_page, end = first + range->count;

    map_lock();
    pageset_remove_range(&g_source.sent, first, end);
    pageset_remove_range(&g_source.dropped, first, end);
    map_unlock();
}

bool source_has_sent(uint64_t page)
{
    return pageset_has(&g_source.sent, page);
}

uint64_t source_fresh_pages(void)
{
    return pageset_count(&g_source.fresh);
}

uint64_t source_listed_pages(void)
{
    return pageset_count(&g_source.listed);
}

long source_send_fresh(uint32_t round)
{
    struct page_run run;
    long error = source_send_heads(round); /* first: a record, and what comes now may wait */

    while (!error && pageset_next(&g_source.fresh, 0, g_pages_end, ~0ULL, &run)) {
        pageset_remove_range(&g_source.fresh, run.first, run.end);
        error = send_run(run.first, run.end, round);
    }
    return error;
}

long source_send_list(void)
{
    uint32_t count = RANGES_PER_RECORD_MAX;
    long error = 0;

    if (g_source.stopped)
        list_heads();
    else
        error = source_send_heads(0);
    if (!error)
        error = source_flush(0);
    while (!error && count == RANGES_PER_RECORD_MAX) {
        count = take_ranges(&g_source.fresh, &g_source.listed);
        for (uint32_t i = 0; i < count; i++)
            forget_sent(&g_source.ranges[i]);
        error = send_ranges(MESSAGE_LIST, count);
    }
    return error;
}

void source_relist(void)
{
    pageset_clear(&g_source.listed);
    for (uint32_t i = 0; i < OM_STREAM_COUNT; i++)
        g_source.batches[i].count = g_source.batches[i].contents = 0;
    g_source.push_at = 0;
}

long source_list_again(const uint8_t *body, size_t length)
{
    uint32_t count;

    if (decode_ranges(body, length, g_source.ranges, RANGES_PER_RECORD_MAX, &count))
        return -EPROTO;
    for (uint32_t i = 0; i < count; i++) {
        const struct message_range *range = &g_source.ranges[i];

        if (range->first_page + range->count > PROGRAM_END >> OM_PAGE_SHIFT)
            return -EPROTO;
        pageset_add_range(&g_source.listed, range->first_page, range->first_page + range->count);
    }
    return 0;
}

/* ---- listed pages; the program is stopped ---- */

/* Whoever takes the page off the list sends it; so it is sent once. */
static long take_listed(struct batch *batch, uint64_t page, const struct area **hint)
{
    uint8_t *slot = batch_slot(batch);
    long error;

    if (!pageset_remove(&g_source.listed, page))
        return 0;
    error = copy_page(page, slot, hint);
    if (!error)
        batch_take(batch, page, page_is_zero(slot) ? PAGE_ZERO : 0);
    return error;
}

static long send_taken(struct batch *batch)
{
    uint32_t taken = batch->count;
    long error = batch_send(batch, 0);

    if (!error && sealed_committed())
        count_up(&g_source.counts.postcopy_pages, taken);
    if (!error && batch->stream == STREAM_URGENT)
        count_up(&g_source.counts.urgent_pages, taken);
    return error;
}

static long add_listed(struct batch *batch, const uint64_t *pages, uint32_t count)
{
    const struct area *hint = NULL;
    long error = 0;

    om_assert(g_source.stopped);
    for (uint32_t i = 0; i < count && !error; i++) {
        error = take_listed(batch, pages[i], &hint);
        if (!error && batch->count == PAGE_BATCH_MAX)
            error = send_taken(batch);
    }
    return error;
}

long source_send_listed(uint32_t stream, const uint64_t *pages, uint32_t count)
{
    struct batch *batch = &g_source.batches[stream];
    long error = add_listed(batch, pages, count);

    return error ? error : send_taken(batch);
}

void source_expect(const uint64_t *pages, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        pageset_touch(&g_source.fresh, pages[i]);
        pageset_touch(&g_source.listed, pages[i]);
        pageset_touch(&g_source.heads, pages[i] + 1);
    }
    (void)source_fresh_pages();
    (void)source_waiting_heads();
    (void)source_listed_pages();
    (void)tracker_scan_tables(SWEEP_PRESENT, false, g_source.table_regions, TABLE_REGIONS_MAX);
}

long source_send_hot(const uint64_t *pages, uint32_t count)
{
    struct batch *batch = &g_source.batches[STREAM_BULK];
    long error = add_listed(batch, pages, count);

    return error || batch->count <= WAITING_PAGES_MAX ? error : send_taken(batch);
}

long source_push(bool *out_more)
{
    struct batch *batch = &g_source.batches[STREAM_BULK];
    const struct area *hint = NULL;
    struct page_run run;
    long error = 0;

    om_assert(g_source.stopped);
    while (batch->count < PAGE_BATCH_MAX && !error) {
        *out_more =
            pageset_next(&g_source.listed, g_source.push_at, g_pages_end, PAGE_BATCH_MAX, &run);
        if (!*out_more)
            break;
        for (g_source.push_at = run.first;
             g_source.push_at < run.end && batch->count < PAGE_BATCH_MAX && !error;
             g_source.push_at++)
            error = take_listed(batch, g_source.push_at, &hint);
    }
    return error ? error : send_taken(batch);
}
