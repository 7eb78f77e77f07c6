/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oracle of the barrier tracker: the kernel's tracker beside it.  A page that the kernel saw
 * written and no mark tells of is owed; what is still owed when the program has stopped at
 * safepoints was missed.  For tests and for those who want to be sure; on the mover's thread unless
 * it says else.
 */
#pragma once

#include "enclave/pageset.h"

void audit_begin(void);
void audit_end(void);
/* After a look at the cards of [start, end), which found these marked regions.  0 or -errno. */
long audit_look(uint64_t start, uint64_t end, bool protect, const struct om_region *marked,
                uint32_t count);

/* A mark speaks of the next page's head too (card.h), so what was written there is never marked as
 * its own page's.  Whether the destination gets it is seen by its contents.  Of each page the audit
 * knows what its head and its rest were when they were copied; on a thread that copies, with the
 * map's lock held, and only if audit_is_on(). */
bool audit_is_on(void);
void audit_note_page(uint64_t page, const uint8_t *contents);
void audit_note_head(uint64_t page, const uint8_t *head);
/* The mark of the page before this one was taken. */
void audit_note_choice(uint64_t page);
/* The program gave these pages back: they are zero at both ends.  Any thread. */
void audit_note_discard(uint64_t first, uint64_t end);

/* A thread begins on this stack: what it writes there need not be marked.  Any thread. */
void audit_note_stack(uint64_t stack_top);
/* The program is stopped and all has been looked at: how many pages were missed; each of the first
 * ones is named in the log, and the first in words. */
uint64_t audit_missed(char *out_first, size_t capacity);
