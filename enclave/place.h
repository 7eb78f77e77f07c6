/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory side of the destination of a move: putting pages in their place, and knowing which are
 * still missing.  Used by the mover (move_in.c), and after the list by the urgent and pager threads
 * (pager.c).
 */
#pragma once

#include "enclave/pageset.h"
#include "protocol/protocol.h"

/* First of all, before other threads come. */
void place_create(void);
/* An empty enclave that takes pages anywhere.  0 or -errno, as all of these. */
long place_begin(void);
long place_layout(const uint8_t *body, size_t length);
long place_huge(const uint8_t *body, size_t length);
long place_drop(const uint8_t *body, size_t length);
/* Listed pages are missing from now on, until they come. */
long place_list(const uint8_t *body, size_t length);
/* The pager serves from now on (place_list does it by itself). */
long place_serve(void);
long place_pages(const uint8_t *body, size_t length);
/* The first bytes of pages that are there. */
long place_heads(const uint8_t *body, size_t length);
/* The map in the tables is made true. */
long place_restore(void);
/* The program runs from now on. */
void place_run(void);
/* Every page is there: takes the pager away.  Only then may memory be lost to fresh zero pages. */
void place_end(void);

uint64_t place_missing(void);
/* The program runs, and every page that was listed is in its place. */
bool place_whole(void);
/* Waits until no page is missing, or the urgent thread has failed (place_fail): 0 or -errno. */
long place_wait_complete(void);
void place_fail(void);

/* The channel broke, no other thread places pages.  False: a page is spoiled, and no other channel
 * mends that. */
bool place_resume(void);
/* Missing pages from *from on as the body of a MISSING; 0: there are no more.  *from moves on. */
size_t place_encode_missing(uint64_t *from, uint8_t *body);
/* How many are missing, and where, for people. */
uint64_t place_describe_missing(char *out, size_t capacity);
/* It will never run here: its memory is given back. */
void place_erase(void);

/* Pager: a thread waits for this page.  True: it is missing and was not asked for before; else it
 * has been dealt with, or will be when it comes. */
bool place_fault(uint64_t page);
/* Missing pages after this one that nobody asked for yet, at most capacity; they count as asked
 * for. */
uint32_t place_neighbours(uint64_t page, uint64_t *out_pages, uint32_t capacity);
/* Missing pages from *from on that were asked for; *from moves on. */
uint32_t place_requested(uint64_t *from, uint64_t *out_pages, uint32_t capacity);
bool place_running(void);

/* A thread that has nothing to do yet: lets the kernel make the memory of announced blocks, which
 * is what the mover would wait for most.  Comes back when place_prefault_end() is called, or was.
 */
void place_prefault(void);
void place_prefault_end(void); /* and waits for that thread to let go */
