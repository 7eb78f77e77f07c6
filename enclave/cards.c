/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks, and the look for them.  The table lies in the program's memory, so the program may write
 * anything there: a wrong mark sends a page too much, a missing one is the program's own loss, and
 * nothing here is steered by what the bytes say.
 *
 * Eight cards are taken at a time, by an exchange: a mark that is set between the look and the
 * clearing must not be wiped out unseen, which a plain store of eight zeros would do.
 */
#include "enclave/cards.h"

#include <linux/mman.h>
#include <linux/signal.h>

#include "enclave/card_scan.h"
#include "enclave/signal.h"
#include "enclave/tables.h"

enum {
    WORD_CARDS = 8,
    RED_ZONE = 128,
    STACK_ROOM_MAX_bytes = 64 << 20,
    DIRECT_MAX_bytes = 16 << 20,
};

#define CARD_MASK (CARD_COUNT - 1)

bool cards_usable(void)
{
    return g_tables->clock.cards != 0;
}

/* Executable stacks hold at most the compiler's trampolines, which only jump. */
static bool is_foreign_code(const struct area *area)
{
    const struct barrier_state *barrier = &g_tables->barrier;
    bool inside = area->start >= barrier->code_start && area->end <= barrier->code_end;

    if (!(area->prot & PROT_EXEC) || area->kind == AREA_VDSO || area->kind == AREA_STACK ||
        area->kind == AREA_CALLS)
        return false;
    return !inside || (area->prot & PROT_WRITE);
}

uint64_t cards_foreign_code(void)
{
    uint64_t found = 0;

    lock_take(&g_tables->mm.lock);
    for (uint32_t i = 0; i < g_tables->mm.count && !found; i++)
        if (is_foreign_code(&g_tables->mm.areas[i]))
            found = g_tables->mm.areas[i].start;
    lock_release(&g_tables->mm.lock);
    return found;
}

/* ---- marks ---- */

static void mark_pages(uint8_t *cards, uint64_t start, uint64_t end)
{
    /* Release: what was written before is not seen later than its mark.  Pairs with the fence of
     * cards_collect(). */
    for (uint64_t page = start >> CARD_SHIFT; page <= (end - 1) >> CARD_SHIFT; page++)
        __atomic_store_n(&cards[page & CARD_MASK], CARD_DIRTY, __ATOMIC_RELEASE);
}

void cards_mark(uint64_t start, uint64_t length)
{
    uint8_t *cards = (uint8_t *)g_tables->clock.cards;
    uint64_t end = start + length;
    struct area area;

    if (!cards || length == 0 || start < PROGRAM_BASE || end > PROGRAM_END || end < start)
        return;
    if (length <= DIRECT_MAX_bytes) {
        mark_pages(cards, start, end);
        return;
    }
    /* A range that holds several buffers: only what is mapped can have been written. */
    for (uint64_t at = start; at < end && mm_next_area(at, &area); at = area.end) {
        if (area.start >= end)
            break;
        mark_pages(cards, OM_MAX(at, area.start), OM_MIN(end, area.end));
    }
}

/* ---- the look ---- */

/* The bytes of word `index` that stand for pages in [first, end). */
static uint64_t bytes_within(uint64_t index, uint64_t first, uint64_t end)
{
    uint64_t base = index * WORD_CARDS, mask = ~0ULL;

    if (first > base)
        mask &= ~0ULL << (first - base) * 8;
    if (end < base + WORD_CARDS)
        mask &= ~(~0ULL << (end - base) * 8);
    return mask;
}

/* The marks of one word, and takes them away.  Bytes outside of the mask are left alone. */
static uint64_t take_word(uint64_t *word, uint64_t mask, bool clear)
{
    if (!clear)
        return __atomic_load_n(word, __ATOMIC_SEQ_CST) & mask;
    if (mask == ~0ULL)
        return __atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST);
    return __atomic_fetch_and(word, ~mask, __ATOMIC_SEQ_CST) & mask;
}

static uint32_t add_page(struct om_region *out, uint32_t count, uint64_t address)
{
    if (count && out[count - 1].end == address) {
        out[count - 1].end += OM_PAGE_SIZE;
        return count;
    }
    out[count] = (struct om_region){address, address + OM_PAGE_SIZE, 0};
    return count + 1;
}

/* Whole ELRANGE lies in the table without wrapping round. */
_Static_assert(ELRANGE_END >> CARD_SHIFT <= CARD_COUNT, "no two pages share a card");

uint32_t cards_collect(uint64_t start, uint64_t *end, bool clear, struct om_region *out,
                       uint32_t capacity)
{
    uint64_t *words = (uint64_t *)g_tables->clock.cards;
    uint64_t first = start >> CARD_SHIFT, stop = *end >> CARD_SHIFT;
    uint64_t words_end = (stop + WORD_CARDS - 1) / WORD_CARDS;
    uint32_t count = 0;

    for (uint64_t w = card_next_word(words, first / WORD_CARDS, words_end); w < words_end;
         w = card_next_word(words, w + 1, words_end)) {
        uint64_t marks;

        if (count + WORD_CARDS > capacity) {
            *end = OM_MAX(start, w * WORD_CARDS << CARD_SHIFT);
            break;
        }
        marks = take_word(&words[w], bytes_within(w, first, stop), clear);
        for (uint64_t i = 0; marks; i++, marks >>= 8)
            if (marks & 0xff)
                count = add_page(out, count, (w * WORD_CARDS + i) << CARD_SHIFT);
    }
    /* Clear, then copy: the copies that follow see whatever was written before a mark that was
     * taken here.  Pairs with the order store, mark in the program. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return count;
}

void cards_carry(uint64_t start)
{
    uint8_t *card = (uint8_t *)g_tables->clock.cards + (start >> CARD_SHIFT);

    if (__atomic_load_n(card - 1, __ATOMIC_SEQ_CST) == 0)
        return;
    if (__atomic_exchange_n(card - 1, 0, __ATOMIC_SEQ_CST))
        __atomic_store_n(card, CARD_DIRTY, __ATOMIC_SEQ_CST);
}

void cards_clear(uint64_t start, uint64_t end)
{
    uint64_t *words = (uint64_t *)g_tables->clock.cards;
    uint64_t first = start >> CARD_SHIFT, stop = end >> CARD_SHIFT;
    uint64_t words_end = (stop + WORD_CARDS - 1) / WORD_CARDS;

    for (uint64_t w = card_next_word(words, first / WORD_CARDS, words_end); w < words_end;
         w = card_next_word(words, w + 1, words_end))
        (void)take_word(&words[w], bytes_within(w, first, stop), true);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* ---- stacks ---- */

/* [from, to) lies in one piece of memory: a stack has no holes. */
static bool stack_region(uint64_t from, uint64_t to, struct om_region *out)
{
    const struct area *area = mm_area_at(from);

    *out = (struct om_region){OM_ALIGN_DOWN(from, OM_PAGE_SIZE), OM_ALIGN_UP(to, OM_PAGE_SIZE), 0};
    return area && from < to && out->end <= area->end;
}

static uint64_t own_stack_end(const struct thread *thread)
{
    const struct area *area = mm_area_at(thread->stack_top);

    /* The word at the top itself counts: clone's caller leaves the child its argument there. */
    return area && area->kind == AREA_STACK ? area->end : thread->stack_top + 8;
}

long cards_stack(const struct thread *thread, struct om_region out[CARDS_STACKS_MAX])
{
    uint64_t sp = thread->cpu.regs.rsp, base = (uint64_t)thread->altstack.ss_sp;
    bool alternate = !(thread->altstack.ss_flags & SS_DISABLE) && sp > base &&
                     sp - base <= thread->altstack.ss_size;
    uint64_t own_sp = alternate ? thread->left_stack_at : sp;
    long count = 0;

    if (alternate) {
        uint64_t from = OM_MAX(sp - RED_ZONE, base), to = base + thread->altstack.ss_size;

        if (from < to && !stack_region(from, to, &out[count++]))
            return -EOPNOTSUPP;
    }
    if (!thread->stack_top)
        return count;
    if (own_sp < PROGRAM_BASE || own_sp >= PROGRAM_END ||
        !stack_region(own_sp - RED_ZONE, own_stack_end(thread), &out[count++]))
        return -EOPNOTSUPP;
    return count;
}

struct om_region cards_stack_room(uint64_t stack_top)
{
    const struct area *area = mm_area_at(stack_top - 1);
    struct om_region room = {0};

    if (!area)
        return room;
    room.end = area->kind == AREA_STACK ? area->end : OM_ALIGN_UP(stack_top + 8, OM_PAGE_SIZE);
    room.start = OM_MAX(area->start, room.end - OM_MIN(room.end, (uint64_t)STACK_ROOM_MAX_bytes));
    return room;
}
