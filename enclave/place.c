/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages at the destination.  Until the list comes, they are written in place.  From then on
 * memory is registered for paging: a page that is not there is put there by the pager's copy, which
 * wakes whoever waits for it.  The lock makes one step of each of these:
 *   - a missing page comes: it is taken off `missing` and put in place
 *   - a thread waits for a page that is not missing: it is made zero
 *   - the program gives memory back (hook of the map, before the kernel does it): off `missing`
 * So a page never comes after it was given back, and no zero page takes the place of one that
 * comes.
 *
 * The cards of an instrumented program are not registered: they never move, so a page of them that
 * is not there is zero.  Those of memory that has come are made ready while the program runs at the
 * source; it would wait for each of them in its first steps here.
 *
 * Lock order: mm.lock, then this one.  The movers' threads do not take mm.lock once the program
 * runs: who holds it may wait for a page.  They touch no program memory then either.
 */
#include "enclave/place.h"

#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/uio.h>

#include "enclave/move_role.h"
#include "enclave/tables.h"

enum {
    COPY_RUN_MAX_pages = 16, /* under the lock: a waiting thread waits no longer than that */
    ZERO_RUN_MAX_pages = 16,
    ADVICES_MAX = 4096,
    PREFAULT_RUNS_MAX = 256,
    PREFAULT_STEP_pages = 512,
    DISCARD_BATCH = 512, /* ranges; the kernel takes 1024 */
};

#define CARD_PAGES (CARD_COUNT >> OM_PAGE_SHIFT)

static struct {
    struct lock lock;
    struct pageset missing, requested;
    struct pageset cards; /* pages of the card table that stand for memory that came or is listed */
    uint64_t missing_count;
    volatile uint32_t change; /* futex: complete, or failed */
    bool serving, running, failed;
    bool cards_apart;    /* not registered for paging */
    bool spoiled;        /* a page was taken off the list and could not be put in its place */
    bool huge_by_advice; /* the kernel gives huge pages where it is asked to */
    uint32_t advices;
    struct page_run *advised;
    struct area *areas; /* the layout that is applied */
    uint32_t area_count;
    struct message_range *ranges;
} g_place;

static const uint64_t g_program_pages = PROGRAM_END >> OM_PAGE_SHIFT;

static long advise(uint64_t first, uint64_t end, int advice)
{
    return host_syscall(__NR_madvise, first << OM_PAGE_SHIFT, (end - first) << OM_PAGE_SHIFT,
                        (uint64_t)advice, 0, 0, 0);
}

/* "always [madvise] never": advice changes something only in the middle case. */
static bool huge_pages_by_advice(void)
{
    static const char path[] = "/sys/kernel/mm/transparent_hugepage/enabled";
    char text[64] = "";
    long fd = host_syscall(__NR_openat, (uint64_t)AT_FDCWD, (uint64_t)path, O_RDONLY | O_CLOEXEC, 0,
                           0, 0);

    if (fd < 0)
        return false;
    (void)host_syscall(__NR_read, (uint64_t)fd, (uint64_t)text, sizeof(text) - 1, 0, 0, 0);
    (void)host_syscall(__NR_close, (uint64_t)fd, 0, 0, 0, 0, 0);
    for (const char *at = text; *at; at++)
        if (strncmp(at, "[madvise]", 9) == 0)
            return true;
    return false;
}

long place_begin(void)
{
    pageset_create(&g_place.missing, g_program_pages);
    pageset_create(&g_place.requested, g_program_pages);
    pageset_create(&g_place.cards, CARD_PAGES);
    if (!g_place.ranges) {
        g_place.ranges = local_alloc(RANGES_PER_RECORD_MAX * sizeof(struct message_range));
        g_place.advised = local_alloc(ADVICES_MAX * sizeof(struct page_run));
        g_place.areas = local_alloc(AREAS_PER_RECORD_MAX * sizeof(struct area));
    }
    g_place.missing_count = 0;
    g_place.serving = g_place.running = g_place.failed = g_place.spoiled = false;
    g_place.cards_apart = false;
    g_place.advices = 0;
    g_place.huge_by_advice = huge_pages_by_advice();
    g_place.areas[0] =
        (struct area){.start = PROGRAM_BASE, .end = PROGRAM_END, .prot = PROT_READ | PROT_WRITE};
    g_place.area_count = 1;
    /* What this runtime wrote there when it was created is no part of what moves. */
    if (advise(TABLES_BASE >> OM_PAGE_SHIFT, (TABLES_BASE + TABLES_SIZE) >> OM_PAGE_SHIFT,
               MADV_DONTNEED))
        return -ENOMEM;
    return mm_layout_reset_rw();
}

/* ---- memory ahead of the mover ---- */

/* A fixed queue of what HUGE announced.  When it is full the mover makes the memory itself, as it
 * also does where it is faster. */
static struct {
    struct lock lock;
    volatile uint32_t change; /* futex */
    bool ended, busy;
    uint32_t first, count;
    struct page_run runs[PREFAULT_RUNS_MAX];
} g_prefault;

static void prefault_note(void)
{
    __atomic_add_fetch(&g_prefault.change, 1, __ATOMIC_SEQ_CST);
    futex_wake(&g_prefault.change, 1 << 30);
}

static void prefault_add(struct page_run run)
{
    lock_take(&g_prefault.lock);
    if (!g_prefault.ended && g_prefault.count < PREFAULT_RUNS_MAX)
        g_prefault.runs[(g_prefault.first + g_prefault.count++) % PREFAULT_RUNS_MAX] = run;
    lock_release(&g_prefault.lock);
    prefault_note();
}

/* The next block, or false.  Whoever gets one is busy. */
static bool prefault_take(struct page_run *out)
{
    struct page_run *run = &g_prefault.runs[g_prefault.first];
    bool got;

    *out = (struct page_run){0, 0};
    lock_take(&g_prefault.lock);
    got = g_prefault.busy = g_prefault.count > 0 && !g_prefault.ended;
    if (got) {
        *out = (struct page_run){run->first, OM_MIN(run->first + PREFAULT_STEP_pages, run->end)};
        run->first = out->end;
        if (run->first == run->end) {
            g_prefault.first = (g_prefault.first + 1) % PREFAULT_RUNS_MAX;
            g_prefault.count--;
        }
    }
    lock_release(&g_prefault.lock);
    return got;
}

void place_prefault(void)
{
    struct page_run run;

    for (;;) {
        uint32_t seen = __atomic_load_n(&g_prefault.change, __ATOMIC_SEQ_CST);

        while (prefault_take(&run))
            (void)advise(run.first, run.end, MADV_POPULATE_WRITE);
        if (__atomic_load_n(&g_prefault.ended, __ATOMIC_SEQ_CST))
            break;
        futex_wait(&g_prefault.change, seen, -1);
    }
    prefault_note();
}

void place_prefault_end(void)
{
    __atomic_store_n(&g_prefault.ended, true, __ATOMIC_SEQ_CST);
    prefault_note();
    for (;;) {
        uint32_t seen = __atomic_load_n(&g_prefault.change, __ATOMIC_SEQ_CST);
        bool busy;

        lock_take(&g_prefault.lock);
        busy = g_prefault.busy;
        lock_release(&g_prefault.lock);
        if (!busy)
            return;
        futex_wait(&g_prefault.change, seen, -1);
    }
}

void place_create(void)
{
    g_prefault.ended = g_prefault.busy = false;
    g_prefault.first = g_prefault.count = 0;
}

/* ---- cards ---- */

static void note_cards(uint64_t first_page, uint64_t end_page)
{
    uint64_t first = first_page >> OM_PAGE_SHIFT, last = (end_page - 1) >> OM_PAGE_SHIFT;

    _Static_assert(PROGRAM_END >> CARD_SHIFT <= CARD_COUNT, "each page has a card");
    for (uint64_t page = first; page <= last; page++)
        (void)pageset_add(&g_place.cards, page);
}

static const struct area *area_of_cards(uint64_t from)
{
    for (uint32_t i = 0; i < g_place.area_count; i++)
        if (g_place.areas[i].kind == AREA_CARDS && g_place.areas[i].start >= from)
            return &g_place.areas[i];
    return NULL;
}

/* Errors do not matter: what is not made here is made when it is touched. */
static void make_cards(void)
{
    const struct area *table = area_of_cards(CARD_TABLE_BASE), *poll;
    struct page_run run = {0, 0};

    if (!table || table->start != CARD_TABLE_BASE || table->end < CARD_TABLE_BASE + CARD_COUNT)
        return;
    /* Registered as a whole, before its layout was known: this thread is not to wait there. */
    if (g_place.serving && !g_place.cards_apart)
        return;
    while (pageset_next(&g_place.cards, run.end, CARD_PAGES, ~0ULL, &run)) {
        pageset_remove_range(&g_place.cards, run.first, run.end);
        (void)advise((CARD_TABLE_BASE >> OM_PAGE_SHIFT) + run.first,
                     (CARD_TABLE_BASE >> OM_PAGE_SHIFT) + run.end, MADV_POPULATE_WRITE);
    }
    poll = area_of_cards(CARD_POLL_BASE);
    if (poll && poll->start == CARD_POLL_BASE)
        (void)advise(poll->start >> OM_PAGE_SHIFT, poll->end >> OM_PAGE_SHIFT, MADV_POPULATE_WRITE);
}

/* ---- layout ---- */

long place_layout(const uint8_t *body, size_t length)
{
    uint32_t count;
    long error;

    _Static_assert(sizeof(struct message_area) == sizeof(struct area), "sent as it is");
    if (decode_areas(body, length, (struct message_area *)(void *)g_place.areas,
                     AREAS_PER_RECORD_MAX, &count))
        return -EPROTO;
    g_place.area_count = count;
    error = mm_layout_apply(g_place.areas, count);
    if (!error)
        make_cards();
    /* It is counted again while the program stands; its memory had better be there. */
    (void)pageset_count(&g_place.missing);
    return error;
}

long place_restore(void)
{
    place_prefault_end();
    return mm_layout_apply(g_tables->mm.areas, g_tables->mm.count);
}

/* ---- writing in place; the program does not run ---- */

/* The protection at address, and how far it goes. */
static uint32_t applied_prot(uint64_t address, uint64_t *out_end)
{
    uint32_t low = 0, high = g_place.area_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (g_place.areas[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == g_place.area_count) {
        *out_end = PROGRAM_END;
        return PROT_NONE;
    }
    if (g_place.areas[low].start > address) {
        *out_end = g_place.areas[low].start;
        return PROT_NONE;
    }
    *out_end = g_place.areas[low].end;
    return g_place.areas[low].prot;
}

static long protect(uint64_t start, uint64_t length, uint64_t prot)
{
    return host_syscall(__NR_mprotect, start, length, prot, 0, 0, 0);
}

static long write_plain(uint64_t to, const uint8_t *from, uint64_t length)
{
    while (length) {
        uint64_t end = TABLES_BASE + TABLES_SIZE, part;
        uint32_t prot = to >= TABLES_BASE ? PROT_WRITE : applied_prot(to, &end);
        long error = 0;

        part = OM_MIN(length, end - to);
        if (!(prot & PROT_WRITE))
            error = protect(to, part, PROT_READ | PROT_WRITE);
        if (error)
            return error;
        memcpy((void *)to, from, part);
        if (!(prot & PROT_WRITE))
            error = protect(to, part, prot);
        if (error)
            return error;
        to += part;
        from += part;
        length -= part;
    }
    return 0;
}

/* ---- putting pages in their place, with the pager serving; the lock is held ---- */

static long put_one(uint64_t page, const uint8_t *from)
{
    long got = g_host.pager_copy(page << OM_PAGE_SHIFT, from, OM_PAGE_SIZE);

    /* Before the start a page that was not listed may be there already. */
    if (got == -EEXIST && !g_place.running)
        return write_plain(page << OM_PAGE_SHIFT, from, OM_PAGE_SIZE);
    if (got == (long)OM_PAGE_SIZE)
        return 0;
    return got < 0 ? got : -EIO;
}

static long put(uint64_t page, const uint8_t *from, uint64_t pages)
{
    uint64_t done = 0;
    long got, error = 0;

    /* One call takes no range that lies in two pieces of the kernel's map: the rest goes singly. */
    if (pages > 1) {
        got = g_host.pager_copy(page << OM_PAGE_SHIFT, from, pages * OM_PAGE_SIZE);
        if (got > 0)
            done = OM_MIN((uint64_t)got >> OM_PAGE_SHIFT, pages);
    }
    for (; done < pages && !error; done++)
        error = put_one(page + done, from + (done << OM_PAGE_SHIFT));
    return error;
}

static long put_zero(uint64_t page)
{
    long got = g_host.pager_zero(page << OM_PAGE_SHIFT, OM_PAGE_SIZE);

    if (got == -EEXIST) {
        /* Somebody else was faster; whoever waits is woken all the same. */
        got = g_host.pager_wake(page << OM_PAGE_SHIFT, OM_PAGE_SIZE);
        return got < 0 ? got : 0;
    }
    return got < 0 ? got : 0;
}

static void note_change(void)
{
    __atomic_add_fetch(&g_place.change, 1, __ATOMIC_SEQ_CST);
    futex_wake(&g_place.change, 1 << 30);
}

static void count_arrived(uint64_t pages)
{
    g_place.missing_count -= pages;
    if (pages && g_place.missing_count == 0)
        note_change();
}

/* Before the start: a page that was written once more.  After it: one that was given back
 * meanwhile; who waited for it since before that has to look again, and gets a fresh page. */
static long arrive_unlisted(const struct page_batch *batch, uint32_t index)
{
    uint64_t page = batch->page[index];

    if (g_place.running) {
        (void)g_host.pager_wake(page << OM_PAGE_SHIFT, OM_PAGE_SIZE);
        return 0;
    }
    return batch->contents[index] ? put_one(page, batch->contents[index]) : put_zero(page);
}

/* Pages [first, first + count) of the batch, with consecutive numbers and contents, or zero.  Those
 * that are missing are put in place.  Before the start, those that are not missing replace what is
 * there. */
static long arrive(const struct page_batch *batch, uint32_t first, uint32_t count)
{
    uint64_t taken = 0;
    long error = 0;

    lock_take(&g_place.lock);
    for (uint32_t i = first; i < first + count && !error; i++) {
        uint32_t run = i;

        while (run < first + count && pageset_remove(&g_place.missing, batch->page[run]))
            run++;
        taken += run - i;
        if (run == i) {
            error = arrive_unlisted(batch, i);
            continue;
        }
        if (batch->contents[i])
            error = put(batch->page[i], batch->contents[i], run - i);
        for (uint32_t z = i; !batch->contents[i] && z < run && !error; z++)
            error = put_zero(batch->page[z]);
        i = run - 1;
    }
    count_arrived(taken);
    g_place.spoiled |= error != 0;
    lock_release(&g_place.lock);
    return error;
}

/* How many entries from first on have consecutive page numbers and are all zero or all not. */
static uint32_t run_length(const struct page_batch *batch, uint32_t first, uint32_t max)
{
    uint32_t count = 1;

    while (first + count < batch->count && count < max &&
           batch->page[first + count] == batch->page[first] + count &&
           !batch->contents[first + count] == !batch->contents[first])
        count++;
    return count;
}

static long place_run_of(const struct page_batch *batch, uint32_t first, uint32_t *out_count)
{
    uint64_t address = batch->page[first] << OM_PAGE_SHIFT;
    bool program = address < PROGRAM_END;
    uint32_t count = run_length(batch, first, COPY_RUN_MAX_pages);

    *out_count = count;
    if (program && !g_place.running)
        note_cards(batch->page[first], batch->page[first] + count);
    if (program && g_place.serving)
        return arrive(batch, first, count);
    /* Without a list no page is sent as zero; and a run of contents is one piece of the record. */
    if (!batch->contents[first] || g_place.running)
        return -EPROTO;
    return write_plain(address, batch->contents[first], count * OM_PAGE_SIZE);
}

long place_pages(const uint8_t *body, size_t length)
{
    struct page_batch batch;
    uint32_t count;

    if (decode_pages(body, length, &batch))
        return -EPROTO;
    for (uint32_t i = 0; i < batch.count; i += count) {
        long error = place_run_of(&batch, i, &count);

        if (error)
            return error;
    }
    return 0;
}

/* Of no other page does the source send a head alone. */
static bool takes_head(uint64_t page)
{
    bool takes;

    lock_take(&g_place.lock);
    takes = page < g_program_pages && !g_place.running && !pageset_has(&g_place.missing, page);
    lock_release(&g_place.lock);
    return takes;
}

/* The page is there, also where the pager serves: the source has sent it, and neither listed nor
 * dropped it since.  If it were not, the pager would give a page of zeros to this thread too, for
 * which it takes the lock: so that is not held here. */
long place_heads(const uint8_t *body, size_t length)
{
    struct head_batch batch;
    long error = 0;

    if (decode_heads(body, length, &batch))
        return -EPROTO;
    for (uint32_t i = 0; i < batch.count && !error; i++) {
        if (!takes_head(batch.page[i]))
            return -EPROTO;
        error = write_plain(batch.page[i] << OM_PAGE_SHIFT,
                            batch.contents + (size_t)i * PAGE_HEAD_bytes, PAGE_HEAD_bytes);
    }
    return error;
}

/* ---- ranges ---- */

static long take_ranges(const uint8_t *body, size_t length, uint32_t *out_count)
{
    return decode_ranges(body, length, g_place.ranges, RANGES_PER_RECORD_MAX, out_count) ? -EPROTO
                                                                                         : 0;
}

long place_huge(const uint8_t *body, size_t length)
{
    uint32_t count;
    long error = take_ranges(body, length, &count);

    for (uint32_t i = 0; i < count && !error; i++) {
        struct page_run run = {g_place.ranges[i].first_page,
                               g_place.ranges[i].first_page + g_place.ranges[i].count};

        if (run.end > g_program_pages)
            return -EPROTO;
        /* It is advice only: nothing is lost where the kernel does not take it. */
        if (g_place.huge_by_advice && g_place.advices < ADVICES_MAX &&
            advise(run.first, run.end, MADV_HUGEPAGE) == 0)
            g_place.advised[g_place.advices++] = run;
        /* The mover is about to write to the first block. */
        run.first += PREFAULT_STEP_pages;
        if (run.first < run.end)
            prefault_add(run);
    }
    return error;
}

/* Many ranges in one call, a third of the price: process_madvise(2) on the own process, Linux 6.14.
 * False: not all of them are done, or it cannot say. */
static bool discard_together(const struct message_range *ranges, uint32_t count)
{
    enum { PIDFD_OWN_PROCESS = -20000 }; /* PIDFD_SELF_THREAD_GROUP, not in older headers */
    struct iovec parts[DISCARD_BATCH];
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < count; i++) {
        parts[i].iov_base = (void *)(uintptr_t)(ranges[i].first_page << OM_PAGE_SHIFT);
        parts[i].iov_len = ranges[i].count << OM_PAGE_SHIFT;
        bytes += parts[i].iov_len;
    }
    return host_syscall(__NR_process_madvise, (uint64_t)(int64_t)PIDFD_OWN_PROCESS,
                        (uint64_t)(uintptr_t)parts, count, MADV_DONTNEED, 0, 0) == (long)bytes;
}

static long discard_singly(const struct message_range *ranges, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (advise(ranges[i].first_page, ranges[i].first_page + ranges[i].count, MADV_DONTNEED))
            return -ENOMEM;
    return 0;
}

/* Gives back the contents of all ranges: the program stands still while the last ones go. */
static long discard(uint32_t count)
{
    long error = 0;

    for (uint32_t i = 0; i < count && !error; i += DISCARD_BATCH) {
        uint32_t batch = OM_MIN(count - i, (uint32_t)DISCARD_BATCH);

        if (!discard_together(g_place.ranges + i, batch))
            error = discard_singly(g_place.ranges + i, batch);
    }
    return error;
}

long place_drop(const uint8_t *body, size_t length)
{
    uint32_t count;
    long error = take_ranges(body, length, &count);

    return error ? error : discard(count);
}

/* All of the program's memory but its cards.  Their place never changes (mm.c). */
static long begin_paging(void)
{
    const struct area *cards = area_of_cards(PROGRAM_BASE);
    uint64_t at = PROGRAM_BASE;
    long error = 0;

    g_place.cards_apart = cards != NULL;
    for (; cards && !error; cards = area_of_cards(at)) {
        if (cards->start > at)
            error = g_host.pager_begin(at, cards->start);
        at = cards->end;
    }
    return error ? error : g_host.pager_begin(at, PROGRAM_END);
}

/* Paging begins before the first page is dropped: the kernel makes no huge page over a hole in
 * memory that is registered, and over others it may. */
long place_serve(void)
{
    long error;

    if (g_place.serving)
        return 0;
    place_prefault_end(); /* It would miss pages that are not listed. */
    error = begin_paging();
    if (error)
        return error;
    g_place.serving = true;
    move_role_serve();
    return 0;
}

long place_list(const uint8_t *body, size_t length)
{
    uint32_t count;
    long error = take_ranges(body, length, &count);

    if (!error)
        error = place_serve();
    for (uint32_t i = 0; i < count && !error; i++) {
        const struct message_range *range = &g_place.ranges[i];

        if (range->first_page + range->count > g_program_pages)
            return -EPROTO;
        note_cards(range->first_page, range->first_page + range->count);
        pageset_add_range(&g_place.missing, range->first_page, range->first_page + range->count);
    }
    return error ? error : discard(count);
}

/* ---- the program runs ---- */

/* Hook of the map, before the kernel gives the memory back: what comes later for it is ignored. */
static void discarding(uint64_t start, uint64_t end)
{
    lock_take(&g_place.lock);
    count_arrived(
        pageset_remove_range(&g_place.missing, start >> OM_PAGE_SHIFT, end >> OM_PAGE_SHIFT));
    lock_release(&g_place.lock);
}

uint64_t place_missing(void)
{
    uint64_t count;

    lock_take(&g_place.lock);
    count = g_place.missing_count = pageset_count(&g_place.missing);
    lock_release(&g_place.lock);
    return count;
}

bool place_whole(void)
{
    bool whole;

    lock_take(&g_place.lock);
    whole = g_place.running && !g_place.spoiled && pageset_count(&g_place.missing) == 0;
    lock_release(&g_place.lock);
    return whole;
}

void place_run(void)
{
    __atomic_store_n(&g_mm_hooks.discarding, discarding, __ATOMIC_SEQ_CST);
    __atomic_store_n(&g_place.running, true, __ATOMIC_SEQ_CST);
}

bool place_running(void)
{
    return __atomic_load_n(&g_place.running, __ATOMIC_SEQ_CST);
}

void place_fail(void)
{
    __atomic_store_n(&g_place.failed, true, __ATOMIC_SEQ_CST);
    note_change();
}

long place_wait_complete(void)
{
    for (;;) {
        uint32_t seen = __atomic_load_n(&g_place.change, __ATOMIC_SEQ_CST);

        if (__atomic_load_n(&g_place.missing_count, __ATOMIC_SEQ_CST) == 0)
            return 0;
        if (__atomic_load_n(&g_place.failed, __ATOMIC_SEQ_CST))
            return -ECONNRESET;
        futex_wait(&g_place.change, seen, -1);
    }
}

/* The advice served to fill memory quickly; whether later memory is huge is for the program to say.
 */
static void take_advice_back(void)
{
    lock_take(&g_tables->mm.lock);
    for (uint32_t i = 0; i < g_tables->mm.count; i++) {
        const struct area *area = &g_tables->mm.areas[i];
        uint64_t first = area->start >> OM_PAGE_SHIFT, end = area->end >> OM_PAGE_SHIFT;
        bool touched = false;

        if (area->flags & AREA_HUGE_ADVISED)
            continue;
        for (uint32_t k = 0; k < g_place.advices && !touched; k++)
            touched = g_place.advised[k].first < end && g_place.advised[k].end > first;
        if (touched)
            (void)advise(first, end, MADV_NOHUGEPAGE);
    }
    lock_release(&g_tables->mm.lock);
}

void place_end(void)
{
    /* Changes of the map that wait for the hook's lock have it for the last time. */
    __atomic_store_n(&g_mm_hooks.discarding, NULL, __ATOMIC_SEQ_CST);
    if (g_place.serving)
        g_host.pager_end();
    g_place.serving = false;
    if (g_place.advices)
        take_advice_back();
}

/* ---- over another channel ---- */

bool place_resume(void)
{
    bool whole;

    lock_take(&g_place.lock);
    whole = !g_place.spoiled;
    lock_release(&g_place.lock);
    __atomic_store_n(&g_place.failed, false, __ATOMIC_SEQ_CST);
    return whole;
}

size_t place_encode_missing(uint64_t *from, uint8_t *body)
{
    struct page_run run;
    uint32_t count = 0;

    lock_take(&g_place.lock);
    while (count < RANGES_PER_RECORD_MAX &&
           pageset_next(&g_place.missing, *from, g_program_pages, ~0ULL, &run)) {
        g_place.ranges[count++] = (struct message_range){run.first, run.end - run.first};
        *from = run.end;
    }
    lock_release(&g_place.lock);
    return count ? encode_ranges(body, g_place.ranges, count) : 0;
}

uint64_t place_describe_missing(char *out, size_t capacity)
{
    struct page_run run;
    uint64_t from = 0, count;
    size_t length = 0;

    out[0] = 0;
    lock_take(&g_place.lock);
    while (length + 64 < capacity &&
           pageset_next(&g_place.missing, from, g_program_pages, ~0ULL, &run)) {
        str_format(out + length, capacity - length, "%s%lx-%lx", length ? ", " : "",
                   run.first << OM_PAGE_SHIFT, run.end << OM_PAGE_SHIFT);
        length = strlen(out);
        from = run.end;
    }
    if (pageset_next(&g_place.missing, from, g_program_pages, ~0ULL, &run))
        str_format(out + length, capacity - length, ", ...");
    count = pageset_count(&g_place.missing);
    lock_release(&g_place.lock);
    return count;
}

void place_erase(void)
{
    (void)advise(PROGRAM_BASE >> OM_PAGE_SHIFT, g_program_pages, MADV_DONTNEED);
}

/* ---- for the pager ---- */

/* Fills the hole around a page that nobody sends, as far as nothing is to come there. */
static void fill(uint64_t page)
{
    struct page_run next;
    uint64_t end = OM_ALIGN_DOWN(page, ZERO_RUN_MAX_pages) + ZERO_RUN_MAX_pages;
    long got;

    if (pageset_next(&g_place.missing, page, end, 1, &next))
        end = next.first;
    got = g_host.pager_zero(page << OM_PAGE_SHIFT, (end - page) << OM_PAGE_SHIFT);
    if (got <= 0)
        (void)put_zero(page);
}

bool place_fault(uint64_t page)
{
    bool wanted;

    lock_take(&g_place.lock);
    wanted = pageset_has(&g_place.missing, page);
    if (!wanted)
        fill(page);
    lock_release(&g_place.lock);
    return wanted && pageset_add(&g_place.requested, page);
}

uint32_t place_requested(uint64_t *from, uint64_t *out_pages, uint32_t capacity)
{
    struct page_run run;
    uint32_t count = 0;

    while (count < capacity &&
           pageset_next(&g_place.requested, *from, g_program_pages, capacity - count, &run)) {
        for (uint64_t page = run.first; page < run.end; page++)
            if (pageset_has(&g_place.missing, page))
                out_pages[count++] = page;
        *from = run.end;
    }
    return count;
}

uint32_t place_neighbours(uint64_t page, uint64_t *out_pages, uint32_t capacity)
{
    uint32_t count = 0;

    for (uint64_t next = page + 1; next <= page + capacity; next++)
        if (pageset_has(&g_place.missing, next) && pageset_add(&g_place.requested, next))
            out_pages[count++] = next;
    return count;
}
