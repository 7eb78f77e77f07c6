/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of page numbers over the whole of ELRANGE: a bitmap under two levels of summary, in local
 * memory that is only touched where pages are in the set.  So a walk costs what is in the set, not
 * the range.
 *
 * Adding, removing and asking are atomic and may run on any thread.  A summary bit is only ever set
 * after its word, and only pageset_clear() takes one away: a walk may find an empty word, and never
 * misses a page that was there all along.
 */
#pragma once

#include "enclave/runtime.h"

struct pageset {
    uint64_t *words;  /* a bit for each page */
    uint64_t *blocks; /* a bit for each word that may not be 0 */
    uint64_t *spans;  /* a bit for each word of blocks that may not be 0 */
    uint64_t limit;   /* page numbers are below it */
};

/* A run of consecutive pages: [first, end). */
struct page_run {
    uint64_t first, end;
};

/* Makes it empty; takes memory the first time.  No other thread may use it meanwhile. */
void pageset_create(struct pageset *set, uint64_t limit);
void pageset_clear(struct pageset *set);

bool pageset_has(const struct pageset *set, uint64_t page);
/* True if the set was changed. */
bool pageset_add(struct pageset *set, uint64_t page);
bool pageset_remove(struct pageset *set, uint64_t page);

/* Takes the memory that adding and removing this page needs, and changes nothing. */
void pageset_touch(struct pageset *set, uint64_t page);

void pageset_add_range(struct pageset *set, uint64_t first, uint64_t end);
/* Returns how many were in the set. */
uint64_t pageset_remove_range(struct pageset *set, uint64_t first, uint64_t end);
/* Takes what from and the range have in common out of from, and adds it to to; returns how many. */
uint64_t pageset_move_range(struct pageset *from, struct pageset *to, uint64_t first, uint64_t end);

/* The first run in [from, end), at most max pages of it; false: there is none. */
bool pageset_next(const struct pageset *set, uint64_t from, uint64_t end, uint64_t max,
                  struct page_run *out_run);
uint64_t pageset_count(const struct pageset *set);
