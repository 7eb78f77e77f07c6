/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stopping every thread of the program, at any instruction and in any call, with its whole register
 * state in its slot; and letting them go on, here or, from the moved tables, at the destination.
 * Called by the mover only (one at a time).
 */
#pragma once

#include "enclave/thread.h"

/* Right before stop_all: what it needs and takes a while, with the program running.  Only stop_all
 * takes it back. */
void stop_prepare(void);
/* The same pages as stop_hot_pages(), as far as they can be known while the program runs. */
uint32_t stop_likely_pages(uint64_t *out_pages, uint32_t capacity);
/* Returns when every live thread is parked.  0, or -ETIMEDOUT after timeout_us (then all run on).
 */
long stop_all(uint64_t timeout_us);
/* If the last stop_all took over 10 ms: the thread that was the last, and where it was when it was
 * told to stop.  Else all 0. */
struct stop_delay {
    uint64_t us, pc;
    uint32_t tid, slot;
};
void stop_delay(struct stop_delay *out);
/* All parked: takes the signals that are pending for the whole process into the tables; may be
 * called again for those that came since. */
void stop_capture_signals(void);
/* Lets all parked threads run on at the source. */
void stop_resume(void);
/* True between a successful stop_all and stop_resume. */
bool stop_active(void);
/* True while an order to stop stands. */
bool stop_ordered(void);
/* The calling program thread, on its way into the program by uc: saves its state and waits. */
void stop_park(struct thread *thread, struct ucontext *uc);
/* At the destination: gives every live slot a kernel thread, which waits for the release. 0 or
 * -errno. */
long stop_restore_threads(void);
/* At the destination: all restored threads go. */
void stop_release(void);
/* After that: the source and the host have been told that the program runs here. */
void stop_arrival_told(void);
/* The calling program thread is about to end the process.  If the program has just been released it
 * waits until that was told: an end without a word looks like a move that failed, and the source
 * has given the program up already. */
void stop_wait_arrival_told(void);
/* The stacks and code pages that threads will touch first, as page addresses (for eager sending).
 * Returns how many were written. */
uint32_t stop_hot_pages(uint64_t *out_pages, uint32_t capacity);
