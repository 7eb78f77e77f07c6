/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals.  One handler takes every signal of every program thread, on the thread's slot stack:
 *
 *   SIGSYS from a system call of the program      dispatch it
 *   SIGSEGV in access_copy                        send it to its error exit
 *   SIGSEGV on guarded memory                     open it (guard.c)
 *   SIGSEGV at a poll of an instrumented program  a safepoint (safepoint.h)
 *   the stop signal                               raise attention
 *   any other                                     queue it in the slot and raise attention
 *
 * Where the signal found the thread decides what follows.  In program code: this frame is the way
 * back into the program, so signal_leave() works on it.  In the runtime or the host: only the
 * attention word is set, and a program counter in one of the windows (entry.S, host/gate.S) is
 * moved, so that the thread sees the word before it blocks or leaves.
 *
 * While safepoints are required (a move by the barrier tracker), a signal that meets program code
 * between two of them only raises the attention word, and goes back: the next poll or system call
 * is where it is dealt with.
 */
#include "enclave/signal.h"

#include <asm/unistd.h>
#include <linux/signal.h>

#include "enclave/access.h"
#include "enclave/entry.h"
#include "enclave/fast_calls.h"
#include "enclave/guard.h"
#include "enclave/safepoint.h"
#include "enclave/signal_frame.h"
#include "enclave/stop.h"
#include "enclave/tables.h"

#ifndef SYS_USER_DISPATCH
#define SYS_USER_DISPATCH 2
#endif

/* Never let into the kernel's mask by the program. */
static bool is_synchronous(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL ||
           number == SIGTRAP;
}

uint32_t xsave_area_size(const struct ucontext *uc)
{
    const struct _fpstate *state = uc->uc_mcontext.fpstate;
    uint32_t size;

    if (!state)
        return 0;
    if (state->sw_reserved.magic1 != FP_XSTATE_MAGIC1)
        return sizeof(struct _fpstate);
    size = state->sw_reserved.extended_size;
    om_assert(size <= XSAVE_MAX);
    return size;
}

/* ---- the kernel's table ---- */

enum { KERNEL_FLAGS = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTORER };

/* Set for each signal that is known to have its default action there, and no flag that would change
 * what that is.  An ignored one is never here: setting that throws away what is pending. */
static uint64_t g_at_default;

static void install(int number, uint64_t handler)
{
    struct kernel_sigaction action = {
        .handler = handler,
        .flags = KERNEL_FLAGS,
        .restorer = g_gate.restorer,
        /* System calls block inside the SIGSYS handler, so there the program's own mask stays in
           force. */
        .mask = number == SIGSYS ? 0 : SIGNALS_ALL_BUT_FAULTS,
    };
    long error = host_syscall(__NR_rt_sigaction, (uint64_t)number, (uint64_t)&action, 0, 8, 0, 0);

    om_assert(error == 0);
}

void signal_install_one(int number)
{
    const struct kernel_sigaction *action = &g_tables->signals.actions[number];

    if (number == SIGKILL || number == SIGSTOP || number == SIGSYS || number == OM_SIGNAL_STOP)
        return;
    if (number == SIGSEGV || number == SIGBUS || action->handler > 1)
        install(number, (uint64_t)signal_entry);
    else
        install(number, action->handler);
}

static bool default_is_ignore(int number)
{
    return number == SIGCHLD || number == SIGURG || number == SIGWINCH || number == SIGCONT;
}

void signal_look_around(void)
{
    g_at_default = 0;
    for (int number = 1; number <= SIGNAL_COUNT; number++) {
        struct kernel_sigaction action = {.handler = 1};
        long error =
            host_syscall(__NR_rt_sigaction, (uint64_t)number, 0, (uint64_t)&action, 8, 0, 0);

        if (error == 0 && action.handler == 0 && (action.flags & ~(uint64_t)KERNEL_FLAGS) == 0 &&
            !default_is_ignore(number))
            g_at_default |= SIGNAL_BIT(number);
    }
}

static bool is_installed(int number)
{
    return g_tables->signals.actions[number].handler == 0 && number != SIGSEGV &&
           number != SIGBUS && (g_at_default & SIGNAL_BIT(number));
}

void signal_install_all(void)
{
    for (int number = 1; number <= SIGNAL_COUNT; number++)
        if (!is_installed(number))
            signal_install_one(number);
    install(SIGSYS, (uint64_t)signal_entry);
    install(OM_SIGNAL_STOP, (uint64_t)signal_entry);
    g_at_default = 0;
}

/* As exec does: ignored signals stay ignored, all others are at their default. */
void signal_state_create(void)
{
    struct kernel_sigaction action;

    for (int number = 1; number <= SIGNAL_COUNT; number++) {
        if (host_syscall(__NR_rt_sigaction, (uint64_t)number, 0, (uint64_t)&action, 8, 0, 0) == 0)
            g_tables->signals.actions[number].handler = action.handler == 1 ? 1 : 0;
    }
}

/* ---- pending signals of a thread ---- */

static void attention_raise(struct thread *thread, uint32_t bits)
{
    __atomic_or_fetch(&thread->attention, bits, __ATOMIC_SEQ_CST);
}

void signal_info_translate(siginfo_t *info)
{
    if (info->si_code == SI_TIMER)
        info->si_tid = timers_virtual_id(info->si_tid);
    else if ((info->si_code == SI_USER || info->si_code == SI_TKILL || info->si_code == SI_QUEUE) &&
             (uint32_t)info->si_pid == g_facts.process_id)
        info->si_pid = (int)g_tables->threads.process_id;
}

static void pending_push(struct thread *thread, const siginfo_t *info)
{
    int number = info->si_signo;

    for (uint32_t i = 0; i < thread->pending_count; i++)
        if (number < 32 && thread->pending[i].si_signo == number)
            return; /* Standard signals do not queue. */
    if (thread->pending_count == PENDING_MAX) {
        log_warn("signal %d lost: %d are waiting already", number, PENDING_MAX);
        return;
    }
    thread->pending[thread->pending_count] = *info;
    signal_info_translate(&thread->pending[thread->pending_count]);
    thread->pending_count++;
}

uint64_t signal_block_all(void)
{
    uint64_t all = SIGNALS_ALL_BUT_FAULTS, old = 0;

    host_syscall(__NR_rt_sigprocmask, SIG_BLOCK, (uint64_t)&all, (uint64_t)&old, 8, 0, 0);
    return old;
}

void signal_unblock(uint64_t old)
{
    host_syscall(__NR_rt_sigprocmask, SIG_SETMASK, (uint64_t)&old, 0, 8, 0, 0);
}

/* The first waiting signal that the mask lets through; call with all signals blocked. */
bool signal_pending_pop(struct thread *thread, uint64_t mask, siginfo_t *out_info)
{
    for (uint32_t i = 0; i < thread->pending_count; i++) {
        if (mask & SIGNAL_BIT(thread->pending[i].si_signo))
            continue;
        *out_info = thread->pending[i];
        thread->pending_count--;
        memmove(&thread->pending[i], &thread->pending[i + 1],
                (thread->pending_count - i) * sizeof(siginfo_t));
        return true;
    }
    return false;
}

static const siginfo_t *pending_first(const struct thread *thread, uint64_t mask)
{
    for (uint32_t i = 0; i < thread->pending_count; i++)
        if (!(mask & SIGNAL_BIT(thread->pending[i].si_signo)))
            return &thread->pending[i];
    return NULL;
}

/* ---- delivery ---- */

_Noreturn static void die_by(int number)
{
    uint64_t bit = SIGNAL_BIT(number);

    install(number, 0);
    host_syscall(__NR_rt_sigprocmask, SIG_UNBLOCK, (uint64_t)&bit, 0, 8, 0, 0);
    host_syscall(__NR_tgkill, g_facts.process_id, thread_current()->host_tid, (uint64_t)number, 0,
                 0, 0);
    host_syscall(__NR_exit_group, 128 + (uint64_t)number, 0, 0, 0, 0, 0);
    __builtin_unreachable();
}

/* The program ends so; not the runtime, whose mover may be the one that fails. */
_Noreturn static void end_program_by(int number)
{
    stop_wait_arrival_told();
    die_by(number);
}

static void deliver(struct thread *thread, struct ucontext *uc, const siginfo_t *info)
{
    int number = info->si_signo;
    struct kernel_sigaction action;

    lock_take(&g_tables->signals.lock);
    action = g_tables->signals.actions[number];
    if (action.flags & SA_RESETHAND && action.handler > 1) {
        g_tables->signals.actions[number].handler = 0;
        signal_install_one(number);
    }
    lock_release(&g_tables->signals.lock);

    if (action.handler == 1 || (action.handler == 0 && default_is_ignore(number)))
        return;
    if (action.handler > 1)
        syscall_before_handler(thread, uc, action.flags & SA_RESTART);
    if (action.handler == 0 || signal_frame_push(thread, uc, info, &action))
        end_program_by(action.handler == 0 ? number : SIGSEGV);
    thread->has_saved_sigmask = false; /* It is in the frame now. */
    uc->uc_sigmask |= action.mask;
    if (!(action.flags & SA_NODEFER))
        uc->uc_sigmask |= SIGNAL_BIT(number);
    thread->faults_blocked |= uc->uc_sigmask & SIGNALS_OF_FAULTS;
    uc->uc_sigmask &= ~SIGNALS_KEPT;
}

/* On the way into the program, with frame as the way: parks if ordered, delivers what waits. */
void signal_leave(struct ucontext_frame *frame)
{
    struct thread *thread = thread_current();
    uint64_t old = signal_block_all();
    siginfo_t info;

    safepoint_reached(thread);
    while (thread->attention) {
        if (thread->attention & ATTENTION_STOP) {
            stop_park(thread, &frame->uc);
            continue;
        }
        __atomic_and_fetch(&thread->attention, ~(uint32_t)ATTENTION_SIGNAL, __ATOMIC_SEQ_CST);
        while (signal_pending_pop(thread, frame->uc.uc_sigmask | thread->faults_blocked, &info))
            deliver(thread, &frame->uc, &info);
    }
    if (thread->has_saved_sigmask) {
        /* Nothing was delivered after all: the mask of before the call. */
        frame->uc.uc_sigmask = thread->saved_sigmask;
        thread->has_saved_sigmask = false;
    }
    signal_unblock(old);
}

/* ---- system calls ---- */

void signal_syscall_finish(struct call *call, long result)
{
    struct sigcontext *regs = &call->uc->uc_mcontext;

    if (result == CALL_REGISTERS_SET)
        return;
    if (result != CALL_INTERRUPTED) {
        regs->rax = (uint64_t)result;
        return;
    }
    if (pending_first(call->thread, call->uc->uc_sigmask | call->thread->faults_blocked))
        attention_raise(call->thread, ATTENTION_SIGNAL);
    /* As if the thread were about to make the call: here after the stop, or at the destination.  If
     * a handler comes first, deliver() has syscall_before_handler() decide between that and EINTR.
     */
    regs->rip -= SYSCALL_INSTRUCTION_BYTES;
    regs->rax = (uint64_t)call->nr;
}

static void handle_syscall(struct ucontext *uc)
{
    struct sigcontext *regs = &uc->uc_mcontext;
    struct call call = {
        .thread = thread_current(),
        .uc = uc,
        .pc = regs->rip - SYSCALL_INSTRUCTION_BYTES,
        .nr = (long)(int)regs->rax,
        .args = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9},
    };
    long result;

    fast_calls_learn(uc);
    result = syscall_dispatch(&call);
    signal_syscall_finish(&call, result);
    /* rt_sigreturn goes back to where the program was interrupted, which may be anywhere. */
    call.thread->call_left_at = result == CALL_REGISTERS_SET ? 0 : regs->rip;
}

/* ---- the handler ---- */

static bool in_range(uint64_t pc, uint64_t begin, uint64_t end)
{
    return pc >= begin && pc < end;
}

static bool in_program(uint64_t pc)
{
    return in_range(pc, PROGRAM_BASE, PROGRAM_END);
}

/* The runtime or the host was interrupted: makes sure that it sees the attention word in time. */
static void close_windows(struct ucontext *uc)
{
    uint64_t *pc = (uint64_t *)&uc->uc_mcontext.rip;

    if (in_range(*pc, (uint64_t)fast_call_leave_begin, (uint64_t)fast_call_leave_end)) {
        *pc = (uint64_t)fast_call_leave_begin;
        uc->uc_mcontext.rsp = fast_calls_stack(thread_current());
    } else if (in_range(*pc, g_gate.blocking_begin, g_gate.blocking_end))
        *pc = g_gate.blocking_cancel;
    else if (in_range(*pc, (uint64_t)signal_leave_begin, (uint64_t)signal_leave_end) ||
             in_range(*pc, g_gate.sigreturn_begin, g_gate.sigreturn_end))
        *pc = (uint64_t)signal_leave_begin;
}

_Noreturn static void die_in_runtime(int number, const siginfo_t *info, const struct ucontext *uc)
{
    const struct sigcontext *regs = &uc->uc_mcontext;

    log_error("bug: signal %d in the runtime, pc %lx address %lx sp %lx caller %lx", number,
              (unsigned long)regs->rip, (unsigned long)info->si_addr, (unsigned long)regs->rsp,
              (unsigned long)regs->rbp);
    die_by(number);
}

/* A fault of the hardware, not sent by anyone.  True when it has been dealt with. */
static bool handle_fault(int number, const siginfo_t *info, struct ucontext *uc)
{
    uint64_t *pc = (uint64_t *)&uc->uc_mcontext.rip;

    if (number == SIGSEGV && guard_fault((uint64_t)info->si_addr))
        return true;
    if (in_range(*pc, (uint64_t)access_copy, (uint64_t)access_copy_end)) {
        *pc = (uint64_t)access_copy_fault;
        return true;
    }
    if (!in_program(*pc) && *pc >= PROGRAM_END)
        die_in_runtime(number, info, uc);
    return false;
}

/* A fault cannot wait: it is delivered now, or it kills. */
static void deliver_fault(struct thread *thread, struct ucontext *uc, const siginfo_t *info)
{
    const struct kernel_sigaction *action = &g_tables->signals.actions[info->si_signo];

    if (action->handler <= 1 ||
        (uc->uc_sigmask | thread->faults_blocked) & SIGNAL_BIT(info->si_signo))
        end_program_by(info->si_signo);
    safepoint_fault_delivered();
    deliver(thread, uc, info);
}

/* In program code, perhaps between two safepoints: is this a place to stop or to begin a handler?
 * Right behind a system call it is: all stores of before it have their marks, and nothing else
 * leads there (the pass puts an instruction behind each).  And there it has to be, for a signal
 * that the program sends itself is handled before the call returns (raise). */
static bool may_leave(struct thread *thread, const struct ucontext *uc)
{
    if (!thread->attention || !safepoints_required() || uc->uc_mcontext.rip == thread->call_left_at)
        return true;
    safepoint_request(thread);
    return false;
}

/* Returns 1 if the frame is the way back into the program, 0 if into the runtime or the host, or
 * into the program between two safepoints, where nothing may be done but to go back. */
int signal_handle(int number, siginfo_t *info, struct ucontext *uc)
{
    struct thread *thread = thread_current();
    bool outermost = in_program(uc->uc_mcontext.rip) ||
                     (uc->uc_mcontext.rip < PROGRAM_BASE && is_synchronous(number));

    if (number == SIGSYS) {
        if (info->si_code == SYS_USER_DISPATCH && outermost)
            handle_syscall(uc);
        return outermost;
    }
    if (is_synchronous(number) && info->si_code > 0) {
        if (number == SIGSEGV && safepoint_fault(thread, uc, (uint64_t)info->si_addr))
            return outermost;
        if (!handle_fault(number, info, uc))
            deliver_fault(thread, uc, info);
        return outermost && may_leave(thread, uc);
    }
    if (number == OM_SIGNAL_STOP) {
        thread->kicked_at = in_program(uc->uc_mcontext.rip) ? uc->uc_mcontext.rip : 0;
        if (stop_ordered())
            attention_raise(thread, ATTENTION_STOP);
    } else {
        pending_push(thread, info);
        attention_raise(thread, ATTENTION_SIGNAL);
    }
    if (!outermost)
        close_windows(uc);
    return outermost && may_leave(thread, uc);
}
