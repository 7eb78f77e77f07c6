/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of page numbers.  See pageset.h. */
#include "enclave/pageset.h"

enum { WORD_BITS = 64 };

static uint64_t words_for(uint64_t bits)
{
    return (bits + WORD_BITS - 1) / WORD_BITS;
}

void pageset_create(struct pageset *set, uint64_t limit)
{
    uint64_t words = words_for(limit), blocks = words_for(words);

    if (set->words) {
        om_assert(set->limit >= limit);
        pageset_clear(set);
        return;
    }
    set->limit = limit;
    set->words = local_alloc(words * 8);
    set->blocks = local_alloc(blocks * 8);
    set->spans = local_alloc(words_for(blocks) * 8);
}

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void set_bit(uint64_t *words, uint64_t index)
{
    uint64_t bit = 1ULL << index % WORD_BITS;

    if (!(load(&words[index / WORD_BITS]) & bit))
        __atomic_fetch_or(&words[index / WORD_BITS], bit, __ATOMIC_SEQ_CST);
}

/* After a bit of the word was set (the order that pageset_clear and walks rely on). */
static void note_word(struct pageset *set, uint64_t word)
{
    set_bit(set->blocks, word);
    set_bit(set->spans, word / WORD_BITS);
}

/* The first set bit at or above from, or end.  The index is of bits in words. */
static uint64_t next_bit(const uint64_t *words, uint64_t from, uint64_t end)
{
    while (from < end) {
        uint64_t word = load(&words[from / WORD_BITS]) >> from % WORD_BITS;

        if (word)
            return OM_MIN(from + (uint64_t)__builtin_ctzll(word), end);
        from = OM_ALIGN_DOWN(from, WORD_BITS) + WORD_BITS;
    }
    return end;
}

/* The first word at or above from, and below end, that may not be 0; or end. */
static uint64_t next_word(const struct pageset *set, uint64_t from, uint64_t end)
{
    while (from < end) {
        uint64_t block = from / WORD_BITS;
        uint64_t stop = OM_MIN(end, (block + 1) * WORD_BITS);

        from = next_bit(set->blocks, from, stop);
        if (from < stop)
            return from;
        if (from < end)
            from = next_bit(set->spans, block + 1, words_for(end)) * WORD_BITS;
    }
    return end;
}

void pageset_clear(struct pageset *set)
{
    uint64_t end = words_for(set->limit), blocks = words_for(end);

    for (uint64_t w = next_word(set, 0, end); w < end; w = next_word(set, w + 1, end))
        set->words[w] = 0;
    for (uint64_t b = next_bit(set->spans, 0, blocks); b < blocks;
         b = next_bit(set->spans, b + 1, blocks))
        set->blocks[b] = 0;
    memset(set->spans, 0, words_for(blocks) * 8);
}

bool pageset_has(const struct pageset *set, uint64_t page)
{
    return page < set->limit && (load(&set->words[page / WORD_BITS]) >> page % WORD_BITS & 1);
}

bool pageset_add(struct pageset *set, uint64_t page)
{
    uint64_t bit = 1ULL << page % WORD_BITS, old;

    om_assert(page < set->limit);
    old = __atomic_fetch_or(&set->words[page / WORD_BITS], bit, __ATOMIC_SEQ_CST);
    note_word(set, page / WORD_BITS);
    return !(old & bit);
}

bool pageset_remove(struct pageset *set, uint64_t page)
{
    uint64_t bit = 1ULL << page % WORD_BITS;

    if (page >= set->limit)
        return false;
    return __atomic_fetch_and(&set->words[page / WORD_BITS], ~bit, __ATOMIC_SEQ_CST) & bit;
}

void pageset_touch(struct pageset *set, uint64_t page)
{
    uint64_t word = page / WORD_BITS, block = word / WORD_BITS;

    if (page >= set->limit)
        return;
    __atomic_fetch_or(&set->words[word], 0, __ATOMIC_SEQ_CST);
    __atomic_fetch_or(&set->blocks[block], 0, __ATOMIC_SEQ_CST);
    __atomic_fetch_or(&set->spans[block / WORD_BITS], 0, __ATOMIC_SEQ_CST);
}

/* The bits of word that lie in [first, end). */
static uint64_t mask_of(uint64_t word, uint64_t first, uint64_t end)
{
    uint64_t base = word * WORD_BITS, mask = ~0ULL;

    if (first > base)
        mask &= ~0ULL << (first - base);
    if (end < base + WORD_BITS)
        mask &= ~(~0ULL << (end - base));
    return mask;
}

void pageset_add_range(struct pageset *set, uint64_t first, uint64_t end)
{
    om_assert(first <= end && end <= set->limit);
    for (uint64_t w = first / WORD_BITS; w < words_for(end); w++) {
        __atomic_fetch_or(&set->words[w], mask_of(w, first, end), __ATOMIC_SEQ_CST);
        note_word(set, w);
    }
}

uint64_t pageset_remove_range(struct pageset *set, uint64_t first, uint64_t end)
{
    return pageset_move_range(set, NULL, first, end);
}

uint64_t pageset_move_range(struct pageset *from, struct pageset *to, uint64_t first, uint64_t end)
{
    uint64_t words, count = 0;

    end = OM_MIN(end, from->limit);
    words = words_for(end);
    if (first >= end)
        return 0;
    for (uint64_t w = next_word(from, first / WORD_BITS, words); w < words;
         w = next_word(from, w + 1, words)) {
        uint64_t mask = mask_of(w, first, end);
        uint64_t taken = mask & __atomic_fetch_and(&from->words[w], ~mask, __ATOMIC_SEQ_CST);

        if (taken && to) {
            __atomic_fetch_or(&to->words[w], taken, __ATOMIC_SEQ_CST);
            note_word(to, w);
        }
        count += (uint64_t)__builtin_popcountll(taken);
    }
    return count;
}

/* The first page in [from, end) that is in the set; or end. */
static uint64_t next_page(const struct pageset *set, uint64_t from, uint64_t end)
{
    uint64_t words = words_for(end);

    for (uint64_t w = next_word(set, from / WORD_BITS, words); w < words;
         w = next_word(set, w + 1, words)) {
        uint64_t bits = load(&set->words[w]) & mask_of(w, from, end);

        if (bits)
            return w * WORD_BITS + (uint64_t)__builtin_ctzll(bits);
    }
    return end;
}

bool pageset_next(const struct pageset *set, uint64_t from, uint64_t end, uint64_t max,
                  struct page_run *out_run)
{
    uint64_t at, stop;

    end = OM_MIN(end, set->limit);
    if (from >= end)
        return false;
    at = next_page(set, from, end);
    if (at == end)
        return false;
    out_run->first = at;
    stop = max < end - at ? at + max : end;
    while (at < stop) {
        uint64_t holes = ~load(&set->words[at / WORD_BITS]) >> at % WORD_BITS;

        if (holes) {
            at += (uint64_t)__builtin_ctzll(holes);
            break;
        }
        at = OM_ALIGN_DOWN(at, WORD_BITS) + WORD_BITS;
    }
    out_run->end = OM_MIN(at, stop);
    return true;
}

uint64_t pageset_count(const struct pageset *set)
{
    uint64_t words = words_for(set->limit), count = 0;

    for (uint64_t w = next_word(set, 0, words); w < words; w = next_word(set, w + 1, words))
        count += (uint64_t)__builtin_popcountll(load(&set->words[w]));
    return count;
}
