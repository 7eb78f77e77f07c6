/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames for the program's own signal handlers.  The layout is the kernel's (arch/x86 rt_sigframe):
 * the red zone is left alone, the vector state is 64-byte aligned above the frame, and at the
 * handler's first instruction the stack is as after a call.
 */
#include "enclave/signal_frame.h"

#include <linux/signal.h>

#include "enclave/sys_signal.h"
#include "enclave/tables.h"

enum {
    RED_ZONE = 128,
    FLAGS_CLEARED = 0x100 | 0x400 | 0x10000, /* TF, DF, RF */
    FLAGS_SETTABLE = 0x40000 | 0x800 | 0x400 | 0x100 | 0x80 | 0x40 | 0x10 | 0x4 | 0x1 | 0x10000,
};

static bool on_altstack(const struct thread *thread, uint64_t sp)
{
    uint64_t base = (uint64_t)thread->altstack.ss_sp;

    return !(thread->altstack.ss_flags & SS_DISABLE) && sp > base &&
           sp - base <= thread->altstack.ss_size;
}

static uint64_t frame_stack(const struct thread *thread, const struct ucontext *uc,
                            const struct kernel_sigaction *action)
{
    uint64_t sp = uc->uc_mcontext.rsp;

    if (action->flags & SA_ONSTACK && !(thread->altstack.ss_flags & SS_DISABLE) &&
        !on_altstack(thread, sp))
        return (uint64_t)thread->altstack.ss_sp + thread->altstack.ss_size;
    return sp - RED_ZONE;
}

long signal_frame_push(struct thread *thread, struct ucontext *uc, const siginfo_t *info,
                       const struct kernel_sigaction *action)
{
    uint32_t xsave_size = xsave_area_size(uc);
    uint64_t xsave_at = OM_ALIGN_DOWN(frame_stack(thread, uc, action) - xsave_size, 64);
    uint64_t frame_at = OM_ALIGN_DOWN(xsave_at - sizeof(struct ucontext_frame), 16) - 8;
    struct ucontext_frame frame = {.return_address = action->restorer, .uc = *uc, .info = *info};
    struct sigcontext *regs = &uc->uc_mcontext;

    if (!on_altstack(thread, regs->rsp))
        thread->left_stack_at = regs->rsp;
    frame.uc.uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
    frame.uc.uc_link = NULL;
    frame.uc.uc_stack = thread->altstack;
    if (on_altstack(thread, regs->rsp))
        frame.uc.uc_stack.ss_flags |= SS_ONSTACK;
    frame.uc.uc_mcontext.fpstate = xsave_size ? (struct _fpstate *)xsave_at : NULL;
    if (thread->has_saved_sigmask)
        frame.uc.uc_sigmask = thread->saved_sigmask;
    frame.uc.uc_sigmask |= thread->faults_blocked;
    if (copy_to_program(xsave_at, uc->uc_mcontext.fpstate, xsave_size) ||
        copy_to_program(frame_at, &frame, sizeof(frame)))
        return -EFAULT;

    regs->rdi = (uint64_t)info->si_signo;
    regs->rsi = frame_at + offsetof(struct ucontext_frame, info);
    regs->rdx = frame_at + offsetof(struct ucontext_frame, uc);
    regs->rax = 0;
    regs->rsp = frame_at;
    regs->rip = action->handler;
    regs->eflags &= ~(uint64_t)FLAGS_CLEARED;
    regs->fpstate = NULL; /* The handler starts with a fresh vector state. */
    return 0;
}

/* The kernel's frame of this very SIGSYS has room for the vector state; the program's is copied
 * there. */
static long restore_vector_state(struct ucontext *uc, const struct ucontext *from)
{
    uint32_t room = xsave_area_size(uc);
    struct _fpx_sw_bytes software;
    uint64_t source = (uint64_t)from->uc_mcontext.fpstate;

    if (source == 0) {
        uc->uc_mcontext.fpstate = NULL;
        return 0;
    }
    if (room == 0 || copy_from_program(&software, source + offsetof(struct _fpstate, sw_reserved),
                                       sizeof(software)))
        return -EFAULT;
    if (software.magic1 != FP_XSTATE_MAGIC1 || software.extended_size > room)
        room = sizeof(struct _fpstate);
    return copy_from_program(uc->uc_mcontext.fpstate, source, room);
}

long sys_rt_sigreturn(struct call *call)
{
    struct sigcontext *regs = &call->uc->uc_mcontext;
    struct ucontext from;
    struct sigcontext old = *regs;

    if (copy_from_program(&from, regs->rsp, sizeof(from)) ||
        restore_vector_state(call->uc, &from)) {
        signal_raise_fault(call->thread);
        return CALL_REGISTERS_SET;
    }
    *regs = from.uc_mcontext;
    regs->cs = old.cs;
    regs->ss = old.ss;
    regs->gs = old.gs;
    regs->fs = old.fs;
    regs->fpstate = from.uc_mcontext.fpstate ? old.fpstate : NULL;
    regs->eflags =
        (old.eflags & ~(uint64_t)FLAGS_SETTABLE) | (from.uc_mcontext.eflags & FLAGS_SETTABLE);
    call->uc->uc_sigmask = from.uc_sigmask & ~SIGNALS_KEPT;
    call->thread->faults_blocked = from.uc_sigmask & SIGNALS_OF_FAULTS;
    from.uc_stack.ss_flags &= ~SS_ONSTACK;
    call->thread->altstack = from.uc_stack;
    signal_recheck(call->thread);
    return CALL_REGISTERS_SET;
}
