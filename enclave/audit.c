/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The books of the audit.  Each look takes the cards first and then asks the kernel:
 *
 *     owed = (owed + written by the kernel's word) - marked
 *
 * Why a marked write is never owed at the end: its mark comes after it, so it is either in the
 * cards that this look took, or is taken by a later one, and the last one comes when every thread
 * stands at a safepoint, where no write is without its mark.  A page is reported here although
 * nothing is lost in one case only, which is left out: stacks, which are sent whole from the stack
 * pointer up.
 *
 * A mark of page P speaks of the head of the next page Q too (card.h), and nothing is said then of
 * Q.  So a page whose neighbour was marked is owed without a loss if its rest is what it was when
 * its own mark was last taken, and its head is what the destination has, or gets.
 *
 * The kernel counts a page as written too when it is only read for the first time: pages that are
 * zero here and not at the destination are no loss either.
 */
#include "enclave/audit.h"

#include <linux/signal.h>

#include "enclave/cards.h"
#include "enclave/source.h"
#include "enclave/tables.h"
#include "enclave/tracker.h"

enum { REGIONS_MAX = 4096, NAMED_MAX = 16, STACKS_NOTED_MAX = 1024 };

enum { HASH_LANES = 4, HEAD_words = CARD_HEAD / 8 };

/* Zero for zeros: what was never noted is zero at the destination. */
struct note {
    uint64_t head, rest;
};

static const uint64_t g_audited_pages = PROGRAM_END >> OM_PAGE_SHIFT;

static struct {
    bool on;
    struct pageset owed;
    struct pageset headed; /* the page before was marked once */
    struct pageset known;  /* notes[page] is of this move, and not of before a discard */
    struct note *notes;    /* of each page; memory comes as it is touched */
    struct om_region *regions;
    struct lock lock; /* the two below */
    uint32_t noted_count;
    uint64_t noted[STACKS_NOTED_MAX];
} g_audit;

void audit_begin(void)
{
    pageset_create(&g_audit.owed, g_audited_pages);
    pageset_create(&g_audit.headed, g_audited_pages);
    pageset_create(&g_audit.known, g_audited_pages);
    if (!g_audit.regions) {
        g_audit.regions = local_alloc(REGIONS_MAX * sizeof(g_audit.regions[0]));
        g_audit.notes = local_alloc(g_audited_pages * sizeof(g_audit.notes[0]));
    }
    g_audit.noted_count = 0;
    g_audit.on = true;
}

void audit_end(void)
{
    g_audit.on = false;
    pageset_clear(&g_audit.owed);
}

bool audit_is_on(void)
{
    return g_audit.on;
}

/* ---- what was copied ---- */

/* Of a multiple of 32 bytes.  Each step can be undone, so no two contents that differ in one word
 * have the same; zeros have zero. */
static uint64_t hash_of(const uint8_t *bytes, uint64_t words)
{
    const uint64_t prime = 0x9e3779b97f4a7c15;
    uint64_t lanes[HASH_LANES] = {0}, hash = 0;

    for (uint64_t i = 0; i < words; i += HASH_LANES)
        for (uint64_t k = 0; k < HASH_LANES; k++) {
            uint64_t word;

            memcpy(&word, bytes + (i + k) * 8, sizeof(word));
            lanes[k] = (lanes[k] ^ word) * prime;
            lanes[k] ^= lanes[k] >> 29;
        }
    for (uint64_t k = 0; k < HASH_LANES; k++)
        hash = (hash ^ lanes[k]) * prime;
    return hash;
}

static struct note note_of(const uint8_t *contents)
{
    return (struct note){hash_of(contents, HEAD_words),
                         hash_of(contents + CARD_HEAD, OM_PAGE_SIZE / 8 - HEAD_words)};
}

void audit_note_page(uint64_t page, const uint8_t *contents)
{
    if (page >= g_audited_pages)
        return;
    g_audit.notes[page] = note_of(contents);
    pageset_add(&g_audit.known, page);
}

void audit_note_head(uint64_t page, const uint8_t *head)
{
    if (pageset_add(&g_audit.known, page))
        g_audit.notes[page].rest = 0;
    g_audit.notes[page].head = hash_of(head, HEAD_words);
}

void audit_note_choice(uint64_t page)
{
    pageset_add(&g_audit.headed, page);
}

void audit_note_discard(uint64_t first, uint64_t end)
{
    pageset_remove_range(&g_audit.known, first, OM_MIN(end, g_audited_pages));
}

/* ---- what is owed ---- */

static void owe(const struct om_region *regions, long count)
{
    for (long i = 0; i < count; i++)
        pageset_add_range(&g_audit.owed, regions[i].start >> OM_PAGE_SHIFT,
                          regions[i].end >> OM_PAGE_SHIFT);
}

long audit_look(uint64_t start, uint64_t end, bool protect, const struct om_region *marked,
                uint32_t count)
{
    while (start < end) {
        struct om_scan scan = {start, end, 1, protect};
        uint64_t walk_end = 0;
        long found = g_host.track_scan(&scan, g_audit.regions, REGIONS_MAX, &walk_end);

        if (found < 0)
            return found;
        if (!tracker_answer_is_good(&scan, g_audit.regions, found, REGIONS_MAX, walk_end))
            return -EIO;
        owe(g_audit.regions, found);
        start = walk_end;
    }
    for (uint32_t i = 0; i < count; i++)
        pageset_remove_range(&g_audit.owed, marked[i].start >> OM_PAGE_SHIFT,
                             marked[i].end >> OM_PAGE_SHIFT);
    return 0;
}

void audit_note_stack(uint64_t stack_top)
{
    lock_take(&g_audit.lock);
    if (g_audit.noted_count < STACKS_NOTED_MAX)
        g_audit.noted[g_audit.noted_count++] = stack_top;
    lock_release(&g_audit.lock);
}

static void forgive_stack(uint64_t stack_top)
{
    struct om_region room = cards_stack_room(stack_top);

    pageset_remove_range(&g_audit.owed, room.start >> OM_PAGE_SHIFT, room.end >> OM_PAGE_SHIFT);
}

static void forgive_stacks(void)
{
    for (uint32_t i = 0; i < g_tables->threads.slot_limit; i++) {
        const struct thread *thread = thread_slot(i);
        uint64_t base = (uint64_t)thread->altstack.ss_sp;

        if (thread->state != THREAD_LIVE && thread->state != THREAD_STARTING)
            continue;
        if (thread->stack_top)
            forgive_stack(thread->stack_top);
        if (!(thread->altstack.ss_flags & SS_DISABLE) && base < PROGRAM_END &&
            thread->altstack.ss_size < PROGRAM_END - base)
            pageset_remove_range(&g_audit.owed, base >> OM_PAGE_SHIFT,
                                 (base + thread->altstack.ss_size) >> OM_PAGE_SHIFT);
    }
    for (uint32_t i = 0; i < g_audit.noted_count; i++)
        forgive_stack(g_audit.noted[i]);
}

/* The mark of the page before has brought what was written, or will. */
static bool head_accounts(uint64_t page, const uint8_t *contents)
{
    struct note now = note_of(contents), then = {0, 0};

    if (!pageset_has(&g_audit.headed, page))
        return false;
    if (pageset_has(&g_audit.known, page))
        then = g_audit.notes[page];
    return now.rest == then.rest && (now.head == then.head || source_is_to_come(page));
}

/* The destination has what is here, or zero, which is what is here. */
static bool is_harmless(uint64_t page, struct area *out_area)
{
    uint64_t address = page << OM_PAGE_SHIFT;
    static _Alignas(16) uint8_t copy[OM_PAGE_SIZE];

    if (!mm_next_area(address, out_area) || out_area->start > address)
        return true; /* unmapped meanwhile */
    if (g_host.memory_read(address, copy, sizeof(copy)))
        return false;
    return (!source_has_sent(page) && page_is_zero(copy)) || head_accounts(page, copy);
}

static const char *name_of(const struct area *area)
{
    static const char *const kinds[] = {
        [AREA_ANONYMOUS] = "anonymous memory",
        [AREA_FILE] = "file",
        [AREA_HEAP] = "heap",
        [AREA_STACK] = "stack",
        [AREA_VDSO] = "[vdso]",
        [AREA_CALLS] = "[calls]",
    };
    const char *name = mm_area_name(area);

    if (*name)
        return name;
    return area->kind < OM_ARRAY_LENGTH(kinds) ? kinds[area->kind] : "?";
}

uint64_t audit_missed(char *out_first, size_t capacity)
{
    struct page_run run;
    struct area area;
    uint64_t missed = 0;

    forgive_stacks();
    for (uint64_t at = 0; pageset_next(&g_audit.owed, at, g_audit.owed.limit, 1, &run);
         at = run.end) {
        if (is_harmless(run.first, &area))
            continue;
        if (missed == 0)
            str_format(out_first, capacity, "%lx in %s (%lx-%lx)", run.first << OM_PAGE_SHIFT,
                       name_of(&area), area.start, area.end);
        if (missed++ < NAMED_MAX)
            log_error("audit: page %lx was written and not marked, in %s (%lx-%lx)",
                      run.first << OM_PAGE_SHIFT, name_of(&area), area.start, area.end);
    }
    return missed;
}
