/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory side of the source of a move: which pages the destination has, which were listed for
 * after the start, and sending.  move_out.c decides what happens when; see there.
 */
#pragma once

#include "enclave/pageset.h"

struct source_counts {
    uint64_t pages;                        /* contents sent */
    uint64_t heads;                        /* of pages, sent alone */
    uint64_t zero_pages;                   /* found zero, not sent */
    uint64_t postcopy_pages, urgent_pages; /* listed ones, sent after the commit */
};

void source_create(void);
void source_counts(struct source_counts *out);

/* From now on (until off) memory that the program gives back is noted. */
void source_watch_discards(bool on);
/* All threads are parked (or run again): memory may be read without the map's lock. */
void source_set_stopped(bool stopped);

/* Sends what the program's pages in these regions contain; zero pages are not sent. 0 or -errno. */
long source_send_regions(const struct om_region *regions, long count, uint32_t round);
/* The marks of these regions speak of the first bytes of the pages behind them too (card.h): such a
 * head is sent by source_send_heads() or source_send_fresh(), or its page listed by
 * source_send_list(), unless all of its page is to come. */
void source_choose_heads(const struct om_region *regions, long count);
long source_send_heads(uint32_t round);
uint64_t source_waiting_heads(void); /* chosen, and neither sent nor listed yet */
/* The destination gets it later, all of it or its head. */
bool source_is_to_come(uint64_t page);
/* As source_send_regions() for the tables.  final: the program is stopped, and only what changed is
 * sent. */
long source_send_tables(bool final, uint32_t round);
/* Sends the pages that wait in the last, partly filled record. */
long source_flush(uint32_t round);
/* Tells the destination which of the pages that it has are zero again. */
long source_send_drops(void);
long source_send_layout(void);

/* Chooses pages that are not listed yet.  They are then listed, or sent at once.  Returns how many.
 */
uint64_t source_choose_regions(const struct om_region *regions, long count);
uint64_t source_fresh_pages(void); /* chosen, and neither listed nor sent yet */
long source_send_list(void);
/* The destination has only these of the listed pages still to come: they are listed anew.  First
 * source_relist(), then each range; no other thread uses the list. */
void source_relist(void);
long source_list_again(const uint8_t *body, size_t length);
/* The destination holds contents of this page that are not zero. */
bool source_has_sent(uint64_t page);
/* The rest waits in a record that is not full: source_flush(), or what is sent next on this stream.
 */
long source_send_fresh(uint32_t round);
uint64_t source_listed_pages(void); /* listed and not sent yet */

/* Sends those of these pages that are listed and not yet sent, on this stream.  Mover: bulk, urgent
 * thread: urgent. */
long source_send_listed(uint32_t stream, const uint64_t *pages, uint32_t count);
/* The same on the bulk stream, but a few pages wait for the next record. */
long source_send_hot(const uint64_t *pages, uint32_t count);
/* Before the stop: what is to be done about these pages and counted then is not to wait for memory.
 */
void source_expect(const uint64_t *pages, uint32_t count);
/* Sends the next listed pages; *out_more: there are others. */
long source_push(bool *out_more);

/* move_out.c: between two records of the bulk stream.  Not 0: give up. */
long move_out_tick(void);
