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

static struct {
    struct pageset owed;
    struct om_region *regions;
    struct lock lock; /* the two below */
    uint32_t noted_count;
    uint64_t noted[STACKS_NOTED_MAX];
} g_audit;

void audit_begin(void)
{
    pageset_create(&g_audit.owed, PROGRAM_END >> OM_PAGE_SHIFT);
    if (!g_audit.regions)
        g_audit.regions = local_alloc(REGIONS_MAX * sizeof(g_audit.regions[0]));
    g_audit.noted_count = 0;
}

void audit_end(void)
{
    pageset_clear(&g_audit.owed);
}

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

/* The destination has what is here, or zero, which is what is here. */
static bool is_harmless(uint64_t page, struct area *out_area)
{
    uint64_t address = page << OM_PAGE_SHIFT;
    static _Alignas(16) uint8_t copy[OM_PAGE_SIZE];

    if (!mm_next_area(address, out_area) || out_area->start > address)
        return true; /* unmapped meanwhile */
    if (source_has_sent(page))
        return false;
    return g_host.memory_read(address, copy, sizeof(copy)) == 0 && page_is_zero(copy);
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
