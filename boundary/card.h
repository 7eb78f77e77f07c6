/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the compile pass (pass/) and the runtime agree on: ABI version 3 of the write barrier.
 *
 * An instrumented program is a static, position-dependent executable.  At fixed addresses it has,
 * as memory without file contents, a card table (one byte per 4 KiB page, set to 1 after each store
 * to that page) and a poll page (read by one instruction at function entries and loop back-edges).
 * Under OptMig the runtime reads and clears cards, and takes the poll page's read permission away
 * to stop threads.
 *
 * A mark says: bytes of this page were written, or of the first CARD_HEAD bytes of the next one. So
 * what may cross a page's end and is no longer than that needs its first byte's card only.
 *
 * The card of an address is CARD_TABLE_BASE + (address >> CARD_SHIFT), without a mask: that is an
 * instruction less in each mark.  All of ELRANGE lies below 2^40 and has its cards in the table of
 * the file.  Natively addresses reach 2^47: pass/runtime/cards.s then reserves what follows the
 * table, before the first mark, and nobody reads it.  The loader of an enclave sets the first card,
 * of a page that is never there, to tell that this is not needed.
 */
#pragma once

#define CARD_ABI_VERSION 3
#ifndef CARD_SHIFT /* another one: only where tests want to see single stores                      \
                      (tests/pass/fuzz_marks) */
#define CARD_SHIFT 12
#endif
#define CARD_HEAD (CARD_SHIFT < 8 ? 8 : 1 << (CARD_SHIFT - 4)) /* bytes */
#define CARD_COUNT (1ULL << 28)
#define CARD_TABLE_BASE 0x60000000ULL /* __optmig_cards_v3, section .optmig_cards */
#define CARD_POLL_BASE 0x70000000ULL  /* __optmig_poll_v3, a page of its own */
#define CARD_POLL_SIZE 4096ULL
#define CARD_DIRTY 1

/* The note of each object: name CARD_NOTE_NAME, type CARD_NOTE_TYPE, in CARD_NOTE_SECTION. */
#define CARD_NOTE_SECTION ".note.optmig"
#define CARD_NOTE_NAME "OptMig"
#define CARD_NOTE_TYPE 1
#define CARD_NOTE_INSTRUMENTED 1u
#define CARD_NOTE_UNTRACKED 2u /* linked with --allow-untracked */
