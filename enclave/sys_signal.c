/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's signal calls.  rt_sigprocmask edits the mask in the SIGSYS frame, which the kernel
 * loads on the way back; actions are a table (signal.h) from which the kernel's is kept up to date.
 */
#include "enclave/sys_signal.h"

#include <asm/unistd.h>
#include <linux/signal.h>
#include <linux/time_types.h>

#include "enclave/clock.h"
#include "enclave/signal.h"
#include "enclave/tables.h"

void signal_recheck(struct thread *thread)
{
    if (thread->pending_count)
        __atomic_or_fetch(&thread->attention, ATTENTION_SIGNAL, __ATOMIC_SEQ_CST);
}

void signal_raise_fault(struct thread *thread)
{
    host_syscall(__NR_tgkill, g_facts.process_id, thread->host_tid, SIGSEGV, 0, 0, 0);
}

long sys_rt_sigaction(struct call *call)
{
    uint64_t number = call->args[0];
    struct kernel_sigaction new_action, old_action;

    if (number < 1 || number > SIGNAL_COUNT || call->args[3] != 8)
        return -EINVAL;
    if (call->args[1]) {
        if (number == SIGKILL || number == SIGSTOP)
            return -EINVAL;
        if (copy_from_program(&new_action, call->args[1], sizeof(new_action)))
            return -EFAULT;
    }
    lock_take(&g_tables->signals.lock);
    old_action = g_tables->signals.actions[number];
    if (call->args[1]) {
        g_tables->signals.actions[number] = new_action;
        signal_install_one((int)number);
    }
    lock_release(&g_tables->signals.lock);
    if (call->args[2] && copy_to_program(call->args[2], &old_action, sizeof(old_action)))
        return -EFAULT;
    return 0;
}

long sys_rt_sigprocmask(struct call *call)
{
    uint64_t old_mask = call->uc->uc_sigmask | call->thread->faults_blocked;
    uint64_t mask = old_mask, set;

    if (call->args[3] != 8)
        return -EINVAL;
    if (call->args[1]) {
        if (copy_from_program(&set, call->args[1], 8))
            return -EFAULT;
        switch ((int)call->args[0]) {
        case SIG_BLOCK:
            mask |= set;
            break;
        case SIG_UNBLOCK:
            mask &= ~set;
            break;
        case SIG_SETMASK:
            mask = set;
            break;
        default:
            return -EINVAL;
        }
    }
    if (call->args[2] && copy_to_program(call->args[2], &old_mask, 8))
        return -EFAULT;
    call->uc->uc_sigmask = mask & ~(SIGNALS_KEPT | SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP));
    call->thread->faults_blocked = mask & SIGNALS_OF_FAULTS;
    signal_recheck(call->thread);
    return 0;
}

long sys_rt_sigpending(struct call *call)
{
    uint64_t pending = 0;

    if (call->args[1] > 8)
        return -EINVAL;
    host_syscall(__NR_rt_sigpending, (uint64_t)&pending, 8, 0, 0, 0, 0);
    for (uint32_t i = 0; i < call->thread->pending_count; i++)
        pending |= SIGNAL_BIT(call->thread->pending[i].si_signo);
    pending &= call->uc->uc_sigmask | call->thread->faults_blocked;
    return copy_to_program(call->args[0], &pending, call->args[1]);
}

long sys_rt_sigsuspend(struct call *call)
{
    uint64_t mask, original = call->uc->uc_sigmask;
    uint64_t args[6] = {(uint64_t)&mask, 8};
    long result;

    if (call->args[1] != 8)
        return -EINVAL;
    if (copy_from_program(&mask, call->args[0], 8))
        return -EFAULT;
    mask &= ~SIGNALS_KEPT;
    for (uint32_t i = 0; i < call->thread->pending_count; i++)
        if (!(mask & SIGNAL_BIT(call->thread->pending[i].si_signo)))
            signal_recheck(call->thread); /* It waited in the slot for just this mask. */
    result = call_blocking(call, __NR_rt_sigsuspend, args);
    if (result == CALL_INTERRUPTED && call->thread->pending_count) {
        call->thread->saved_sigmask = original;
        call->thread->has_saved_sigmask = true;
        call->uc->uc_sigmask = mask;
    }
    return result;
}

long sys_pause(struct call *call)
{
    uint64_t args[6] = {0};

    return call_blocking(call, __NR_pause, args);
}

/* A signal that waits in the slot is taken from there, as the kernel would from its queue. */
static bool take_from_slot(struct thread *thread, uint64_t set, siginfo_t *out_info)
{
    uint64_t old = signal_block_all();
    bool found = signal_pending_pop(thread, ~set, out_info);

    signal_unblock(old);
    return found;
}

static int64_t timeout_of(const struct call *call, long *out_error)
{
    struct __kernel_timespec t;

    *out_error = 0;
    if (!call->args[2])
        return -1;
    if (copy_from_program(&t, call->args[2], sizeof(t)))
        *out_error = -EFAULT;
    else if (t.tv_sec < 0 || t.tv_nsec < 0 || t.tv_nsec >= 1000000000)
        *out_error = -EINVAL;
    else if (t.tv_sec > 1000000000)
        return -1;
    else
        return t.tv_sec * 1000000000LL + t.tv_nsec;
    return 0;
}

long sys_rt_sigtimedwait(struct call *call)
{
    struct __kernel_timespec left;
    siginfo_t info;
    uint64_t set, deadline, args[6] = {(uint64_t)&set, (uint64_t)&info, 0, 8};
    int64_t timeout;
    long result;

    if (call->args[3] != 8)
        return -EINVAL;
    timeout = timeout_of(call, &result);
    if (result || copy_from_program(&set, call->args[0], 8))
        return result ? result : -EFAULT;
    set &= ~((SIGNALS_KEPT & ~SIGNALS_OF_FAULTS) | SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP));
    if (take_from_slot(call->thread, set, &info)) {
        result = info.si_signo;
    } else {
        deadline = call_deadline(call, timeout);
        if (deadline != UINT64_MAX) {
            uint64_t ns = deadline_left(deadline);

            left.tv_sec = (long long)(ns / 1000000000);
            left.tv_nsec = (long long)(ns % 1000000000);
            args[2] = (uint64_t)&left;
        }
        result = call_blocking(call, __NR_rt_sigtimedwait, args);
        if (result > 0)
            signal_info_translate(&info);
    }
    if (result > 0 && call->args[1] && copy_to_program(call->args[1], &info, sizeof(info)))
        return -EFAULT;
    return result;
}

long sys_sigaltstack(struct call *call)
{
    struct thread *thread = call->thread;
    uint64_t sp = call->uc->uc_mcontext.rsp, base = (uint64_t)thread->altstack.ss_sp;
    bool inside = !(thread->altstack.ss_flags & SS_DISABLE) && sp > base &&
                  sp - base <= thread->altstack.ss_size;
    stack_t new_stack, old_stack = thread->altstack;

    if (inside)
        old_stack.ss_flags |= SS_ONSTACK;
    if (call->args[0]) {
        if (copy_from_program(&new_stack, call->args[0], sizeof(new_stack)))
            return -EFAULT;
        if (inside)
            return -EPERM;
        if (new_stack.ss_flags & ~(SS_DISABLE | SS_ONSTACK))
            return -EINVAL;
        if (!(new_stack.ss_flags & SS_DISABLE) && new_stack.ss_size < MINSIGSTKSZ)
            return -ENOMEM;
        new_stack.ss_flags &= SS_DISABLE;
    }
    if (call->args[1] && copy_to_program(call->args[1], &old_stack, sizeof(old_stack)))
        return -EFAULT;
    if (call->args[0])
        thread->altstack = new_stack;
    return 0;
}
