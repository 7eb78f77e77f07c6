/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls of the program.  enclave/syscalls.def is the one table; signal.c hands each SIGSYS
 * to syscall_dispatch on the thread's slot stack.
 */
#pragma once

#include "enclave/thread.h"

/* Results of a handler beside 0.. and -errno (the kernel's own restart numbers are never seen here). */
enum {
    CALL_INTERRUPTED = -700, /* a stop or a signal came first; nothing happened; see syscall_finish */
    CALL_REGISTERS_SET = -701, /* the handler has set the program's registers itself */
};

struct call {
    struct thread *thread;
    struct ucontext *uc; /* of the SIGSYS frame: the program's registers, mask and vector state */
    long nr;
    uint64_t args[6];
};

/* Carries out call->nr.  Never returns to the program by itself; does not touch RAX in uc. */
long syscall_dispatch(struct call *call);

/* What a call does when a signal handler ran in the middle (signal(7)). */
enum restart_kind {
    RESTART_NEVER,   /* EINTR whatever SA_RESTART says: poll, epoll_wait, nanosleep, ... */
    RESTART_IF_FLAG, /* made again with SA_RESTART, else EINTR: read, write, accept, futex wait, ... */
};
enum restart_kind syscall_restart_kind(long nr);
const char *syscall_name(long nr); /* "syscall_400" for one that has no row */

/* A blocking call by the host that a stop or a signal can end: result, or CALL_INTERRUPTED.
 * (EINTR of the host becomes CALL_INTERRUPTED too.) */
long call_blocking(struct call *call, long nr, const uint64_t args[6]);

/* Deadlines of calls with a relative timeout, kept over stops and moves (timeouts count on).
 * Gives the absolute end on the program's CLOCK_MONOTONIC: the one kept from an interrupted attempt
 * of this very call, else now + timeout_ns.  timeout_ns < 0: none (UINT64_MAX). */
uint64_t call_deadline(struct call *call, int64_t timeout_ns);
/* Nanoseconds left, 0 when it has passed. */
uint64_t deadline_left(uint64_t deadline_ns);

/* Each emulated call is `long sys_<name>(struct call *call)`, named by its row in syscalls.def.
 * Where they are: sys_thread.c (clone, exit, set_tid_address, gettid, kill, ...), signal.c
 * (rt_sig*, sigaltstack), mm.c (mmap, brk, ...), sys_*.c for the rest. */
