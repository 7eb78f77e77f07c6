/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls of the program.  enclave/syscalls.def is the one table; signal.c hands each SIGSYS
 * to syscall_dispatch on the thread's slot stack.
 */
#pragma once

#include "enclave/thread.h"

/* Results of a handler beside 0.. and -errno (the kernel's own restart numbers are never seen
 * here). */
enum {
    CALL_INTERRUPTED =
        -700, /* a stop or a signal came first; nothing happened; see syscall_finish */
    CALL_REGISTERS_SET = -701, /* the handler has set the program's registers itself */
};

/* The length of `syscall`. */
enum { SYSCALL_INSTRUCTION_BYTES = 2 };

struct call {
    struct thread *thread;
    struct ucontext *uc; /* of the SIGSYS frame: the program's registers, mask and vector state */
    uint64_t pc;         /* address of the syscall instruction */
    long nr;
    uint64_t args[6];
    bool not_made; /* by call_blocking: it was cancelled before the host made the call */
};

/* Carries out call->nr.  Never returns to the program by itself; does not touch RAX in uc. */
long syscall_dispatch(struct call *call);

/* What a call does when a signal handler ran in the middle (signal(7)). */
enum restart_kind {
    RESTART_NEVER,   /* EINTR whatever SA_RESTART says: poll, epoll_wait, nanosleep, ... */
    RESTART_IF_FLAG, /* made again with SA_RESTART, else EINTR: read, write, accept, futex wait, ...
                      */
    RESTART_ALWAYS, /* made again: the signal came before the call (syscall_restart_kind_of only) */
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

/* A blocking call with a temporary signal mask (ppoll, pselect6, epoll_pwait): args already contain
 * the pointer to *mask, from which SIGNALS_KEPT were taken; NULL: no mask.  The kernel's mask is
 * the temporary one for the time of the call only.  If a signal ended the call, it is as in the
 * kernel: the temporary mask is left in call->uc and the original one in thread->saved_sigmask, so
 * that signal_leave delivers what the temporary mask lets in, and the original is restored after
 * the handler. */
long call_blocking_masked(struct call *call, long nr, const uint64_t args[6], const uint64_t *mask);

/* Before EINTR is given because a handler of the program ran: what the kernel writes then (the time
 * that is left: nanosleep, select), and the deadline is forgotten. */
void syscall_interrupted_by_signal(struct call *call);
/* Before a handler's frame is built on uc: a thread that was about to make an interrupted call
 * again gets EINTR instead, unless restart (the action has SA_RESTART) and the call is of that
 * kind.  Without it a signal that arrives while the thread is parked in pause() or poll() would not
 * end the call. */
void syscall_before_handler(struct thread *thread, struct ucontext *uc, bool restart);
/* As syscall_restart_kind, but of this call: a futex wait with a timeout never restarts; a read or
 * write that was cancelled before it was made always does, because the kernel gives no EINTR there,
 * and programs do not expect one from a file. */
enum restart_kind syscall_restart_kind_of(const struct call *call);

/* Calls that were answered "not supported" so far on this host. */
uint64_t syscall_unsupported_count(void);

/* Each emulated call is `long sys_<name>(struct call *call)`, named by its row in syscalls.def.
 * Where they are: sys_thread.c (clone, exit, set_tid_address, gettid, kill, ...), signal.c
 * (rt_sig*, sigaltstack), mm.c (mmap, brk, ...), sys_*.c for the rest. */
#define SYSCALL(number, name, how, restart, ...) SYSCALL_DECLARE_##how(name)
#define SYSCALL_DECLARE_PASS(name)
#define SYSCALL_DECLARE_BLOCK(name)
#define SYSCALL_DECLARE_EMULATE(name) long sys_##name(struct call *call);
#define REFUSED(number, name, error, why)
#include "enclave/syscalls.def"
#undef SYSCALL
#undef REFUSED
