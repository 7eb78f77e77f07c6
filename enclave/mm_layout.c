/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protections at the destination of a move.  While pages arrive, the whole program range is
 * writable; maps that the source sends are made true by as few mprotect calls as will do.
 *
 * `applied` is what the page tables have now.  It lives in local memory, because the map in the
 * tables is the source's and changes as it arrives.  One thread, the mover, uses this file.
 */
#include <asm/unistd.h>
#include <linux/mman.h>

#include "enclave/tables.h"

static struct area *g_applied; /* AREAS_MAX of them */
static uint32_t g_applied_count;

/* Reads a layout in ascending order; what is in no area has no access. */
struct cursor {
    const struct area *areas;
    uint32_t count, index;
};

static uint32_t prot_at(struct cursor *cursor, uint64_t address, uint64_t *out_end)
{
    const struct area *area;

    while (cursor->index < cursor->count && cursor->areas[cursor->index].end <= address)
        cursor->index++;
    area = &cursor->areas[cursor->index];
    if (cursor->index == cursor->count)
        *out_end = PROGRAM_END;
    else if (area->start > address)
        *out_end = area->start;
    else
        *out_end = area->end;
    return cursor->index < cursor->count && area->start <= address ? area->prot : PROT_NONE;
}

static bool layout_is_good(const struct area *areas, uint32_t count)
{
    uint64_t floor = PROGRAM_BASE;

    if (count > AREAS_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct area *area = &areas[i];

        if (area->start < floor || area->end <= area->start || area->end > PROGRAM_END ||
            area->start % OM_PAGE_SIZE || area->end % OM_PAGE_SIZE ||
            (area->prot & ~(uint32_t)(PROT_READ | PROT_WRITE | PROT_EXEC)))
            return false;
        floor = area->end;
    }
    return true;
}

static long protect(uint64_t start, uint64_t end, uint32_t prot)
{
    if (start == end)
        return 0;
    return host_syscall(__NR_mprotect, start, end - start, prot, 0, 0, 0);
}

static long apply_protections(const struct area *wanted, uint32_t count)
{
    struct cursor from = {g_applied, g_applied_count, 0}, to = {wanted, count, 0};
    uint64_t run_start = 0, run_end = 0, end;
    uint32_t run_prot = PROT_NONE;

    for (uint64_t at = PROGRAM_BASE; at < PROGRAM_END; at = end) {
        uint64_t from_end, to_end;
        uint32_t is = prot_at(&from, at, &from_end), want = prot_at(&to, at, &to_end);
        long error;

        end = OM_MIN(from_end, to_end);
        if (is == want)
            continue;
        if (run_end != at || run_prot != want) {
            error = protect(run_start, run_end, run_prot);
            if (error)
                return error;
            run_start = at;
            run_prot = want;
        }
        run_end = end;
    }
    return protect(run_start, run_end, run_prot);
}

static const struct area *applied_at(uint64_t address)
{
    uint32_t low = 0, high = g_applied_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (g_applied[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == g_applied_count || g_applied[low].start > address)
        return NULL;
    return &g_applied[low];
}

/* Advice that the program gave goes on to hold.  It is only advice: errors do not matter. */
static void apply_advice(const struct area *wanted, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct area *area = &wanted[i], *before = applied_at(area->start);

        if (!(area->flags & AREA_HUGE_ADVISED))
            continue;
        if (before && (before->flags & AREA_HUGE_ADVISED) && before->end >= area->end)
            continue;
        (void)host_syscall(__NR_madvise, area->start, area->end - area->start, MADV_HUGEPAGE, 0, 0,
                           0);
    }
}

long mm_layout_reset_rw(void)
{
    const uint32_t prot = PROT_READ | PROT_WRITE;

    if (!g_applied)
        g_applied = local_alloc(AREAS_MAX * sizeof(*g_applied));
    g_applied[0] = (struct area){.start = PROGRAM_BASE, .end = PROGRAM_END, .prot = prot};
    g_applied_count = 1;
    return protect(PROGRAM_BASE, PROGRAM_END, prot);
}

long mm_layout_apply(const struct area *wanted, uint32_t wanted_count)
{
    long error;

    if (!g_applied || !layout_is_good(wanted, wanted_count))
        return -EINVAL;
    error = apply_protections(wanted, wanted_count);
    if (error)
        return error;
    apply_advice(wanted, wanted_count);
    memcpy(g_applied, wanted, wanted_count * sizeof(*wanted));
    g_applied_count = wanted_count;
    return 0;
}

bool mm_layout_writable(uint64_t address)
{
    const struct area *area = applied_at(address);

    return area && (area->prot & PROT_WRITE);
}
