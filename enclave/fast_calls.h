/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls without a signal.  A call that raises SIGSYS costs two kernel crossings and the
 * saving of all vector registers, ten times the call itself; a site whose number is known
 * (call_sites.h) jumps to the runtime instead:
 *
 *   site         jmp trampoline                     in place of "mov $number,%eax"
 *   trampoline   its own page of program memory near the site: where the call is, and its number
 *   entry        fast_calls.S: keeps what the call must not change, and changes to the slot's stack
 *   fast_call    the dispatcher that SIGSYS ends in too
 *
 * The thread then goes back to behind the call, unless something waits for it, or the call was
 * interrupted.  Then its whole state is written down as if it had been stopped in the program, and
 * it takes the way of all others (thread_enter).  So parking, handlers and restarts know nothing of
 * this file.  Everything that it does not want is left to the system call at the site.
 *
 * Nothing here may use a vector register: they are the program's all the time.  The runtime is
 * built without them, but for files that program threads do not come to (CMakeLists.txt,
 * tools/check).
 *
 * The thread finds its slot by GS, which compilers do not use on x86-64.  A program that sets GS
 * has it for itself, and goes on with SIGSYS.
 */
#pragma once

#include "enclave/thread.h"

/* Puts trampolines behind the sites in [start, start + length): memory that holds these bytes of
 * the file fd, is writable, and that nobody executes yet. */
void fast_calls_patch(uint64_t start, uint64_t length, int fd, uint64_t offset);

/* A kernel's signal frame has been seen: its vector state has the form that is to be written. */
void fast_calls_learn(const struct ucontext *uc);

/* The program's view of GS, and the kernel's: a program that has set none has 0. */
uint64_t fast_calls_gs_of_program(uint64_t base);
uint64_t fast_calls_gs_of_thread(const struct thread *thread, uint64_t base);

/* fast_calls.S: the window in which an order to stop must send the thread back to its beginning,
 * with its stack at fast_calls_stack(). */
extern char fast_call_leave_begin[], fast_call_leave_end[];
uint64_t fast_calls_stack(const struct thread *thread);
