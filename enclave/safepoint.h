/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Safepoints of an instrumented program: its polls (boundary/card.h), and its system calls.  There,
 * every store that a thread has made is marked.  During a move by the barrier tracker threads are
 * stopped only at safepoints, and handlers of signals begin only there; at any other time at any
 * instruction, as in every enclave.
 */
#pragma once

#include "enclave/thread.h"

/* The mover: from now on, and no more. */
void safepoints_require(bool on);
bool safepoints_required(void);

/* Every poll faults until as many calls of disarm have come as of arm. */
void safepoint_arm(void);
void safepoint_disarm(void);

/* A program thread that a signal met between safepoints: has its next poll fault; and when it has
 * come there, or to a system call, or ends. */
void safepoint_request(struct thread *thread);
void safepoint_reached(struct thread *thread);

/* The SIGSEGV handler, for a fault of program code: true if it was a poll.  If nothing waits for
 * the thread, uc then goes on behind it. */
bool safepoint_fault(struct thread *thread, struct ucontext *uc, uint64_t address);

/* Faults of the program's own that were given to its handlers between safepoints while those were
 * required: a store may be without its mark for good, if the handler does not return. */
void safepoint_fault_delivered(void);
uint32_t safepoint_faults(void);
