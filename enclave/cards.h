/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The card table of an instrumented program (boundary/card.h): a byte for each page of ELRANGE that
 * the program sets after it has written to the page.  The `barrier` tracker reads it, and asks
 * nobody else which pages were written.
 *
 * What instrumented code does not write is marked or sent by the runtime:
 *   - system calls: their buffers, when the call has returned (guard_close)
 *   - the runtime itself: copy_to_program() marks what it has copied; the vDSO too
 *   - stacks, of which the compiler marks only what escapes: sent whole, from the stack pointer up,
 *     when the threads are stopped (cards_stack)
 *
 * The rule of each look: clear, full fence, copy.  Why no write is lost: docs/barrier-runtime.md,
 * and the model of it in model/.
 */
#pragma once

#include "boundary/card.h"
#include "enclave/runtime.h"

struct thread;

/* In the tables. */
struct barrier_state {
    uint32_t tracker; /* enum om_tracker: as given to optmig run */
    uint32_t audit;
    uint64_t code_start,
        code_end; /* the executable's segments; only code in them is instrumented */
};

/* The program is instrumented in full: its marks can be relied on. */
bool cards_usable(void);
/* After the program's memory was written by anyone but instrumented code.  Any range; cheap when
 * there is no table.  On program threads only. */
void cards_mark(uint64_t start, uint64_t length);

/* Code that the program has made itself, or code that it can change: it writes without marks.  The
 * address of the first piece, or 0.  Any thread but program threads in the map's lock. */
uint64_t cards_foreign_code(void);

/* ---- the collector (tracker.c), on the mover's thread, with the map's lock held ---- */

/* Regions of marked pages in [start, *end), at most capacity; *end comes back lower when there were
 * more.  With clear, their marks are gone, and what is copied afterwards is at least as new. */
uint32_t cards_collect(uint64_t start, uint64_t *end, bool clear, struct om_region *out,
                       uint32_t capacity);
/* The page before start is not there (any more), so no look comes to its card: a mark there, which
 * may speak of the head of this page, becomes one of this page. */
void cards_carry(uint64_t start);
/* All marks of the range are gone. */
void cards_clear(uint64_t start, uint64_t end);

/* What a parked thread's stacks hold, from the stack pointer up: at most two regions.  Their
 * number, or -EOPNOTSUPP: it runs on a stack that is neither its own nor its alternate signal
 * stack.
 */
enum { CARDS_STACKS_MAX = 2 };
long cards_stack(const struct thread *thread, struct om_region out[CARDS_STACKS_MAX]);
/* All of the stack that a thread has had, in use or not: what is below the stack pointer is dead.
 */
struct om_region cards_stack_room(uint64_t stack_top);
