/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots of threads, and the one way in which a thread enters the program: a kernel signal frame is
 * built from thread->cpu on the slot's stack and given to rt_sigreturn.  The first thread, a cloned
 * one and one that was moved here differ in nothing.
 *
 * Lock order: thread_table.lock is innermost.
 */
#include "enclave/thread.h"

#include <asm/prctl.h>
#include <asm/unistd.h>
#include <linux/prctl.h>
#include <linux/signal.h>

#include "enclave/fast_calls.h"
#include "enclave/guard.h"
#include "enclave/offsets.h"
#include "enclave/process.h"
#include "enclave/safepoint.h"
#include "enclave/stop.h"
#include "enclave/sys_thread.h"
#include "enclave/tables.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON 1
#endif

_Static_assert(SLOT_SIZE == SLOT_SIZE_ASM, "entry.S");
_Static_assert(offsetof(struct thread, attention) == THREAD_ATTENTION_ASM, "entry.S");
_Static_assert(ECALL_STACKS_BASE == ECALL_STACKS_BASE_ASM, "entry.S");
_Static_assert(ECALL_STACK_SIZE == 1 << 20 && ECALL_STACKS == 16, "entry.S");
_Static_assert(sizeof(struct thread) < SLOT_SIZE / 2, "half of a slot is stack");

_Noreturn void signal_resume(struct ucontext_frame *frame);

struct thread *thread_slot(uint32_t index)
{
    return (struct thread *)(SLOTS_BASE + (uint64_t)index * SLOT_SIZE);
}

static uint32_t slot_limit(void)
{
    return __atomic_load_n(&g_tables->threads.slot_limit, __ATOMIC_ACQUIRE);
}

static bool thread_is_alive(const struct thread *thread)
{
    return thread->state == THREAD_LIVE || thread->state == THREAD_STARTING;
}

struct thread *thread_find(uint32_t tid)
{
    for (uint32_t i = 0; i < slot_limit(); i++) {
        struct thread *thread = thread_slot(i);

        if (thread_is_alive(thread) && thread->tid == tid)
            return thread;
    }
    return NULL;
}

/* A slot is free only when the kernel has cleared host_tid: its last owner has left the stack. */
static bool slot_is_free(const struct thread *thread)
{
    return thread->host_tid == 0 &&
           (thread->state == THREAD_FREE || thread->state == THREAD_EXITING);
}

struct thread *thread_allocate(void)
{
    struct thread_table *table = &g_tables->threads;
    struct thread *thread = NULL;

    lock_take(&table->lock);
    for (uint32_t i = 0; i < THREADS_MAX && !thread; i++) {
        if (i < table->slot_limit && !slot_is_free(thread_slot(i)))
            continue;
        thread = thread_slot(i);
        memset(thread, 0, offsetof(struct thread, xsave));
        thread->altstack.ss_flags = SS_DISABLE;
        thread->tid = table->next_tid++;
        thread->state = THREAD_STARTING;
        if (i == table->slot_limit)
            __atomic_store_n(&table->slot_limit, i + 1, __ATOMIC_RELEASE);
    }
    lock_release(&table->lock);
    return thread;
}

static void *slot_stack_top(struct thread *thread)
{
    return (char *)thread + SLOT_SIZE;
}

static void set_signal_stack(struct thread *thread)
{
    stack_t stack = {
        .ss_sp = (char *)thread + OM_ALIGN_UP(sizeof(struct thread), OM_PAGE_SIZE),
        .ss_size = SLOT_SIZE - OM_ALIGN_UP(sizeof(struct thread), OM_PAGE_SIZE),
    };

    om_assert(host_syscall(__NR_sigaltstack, (uint64_t)&stack, 0, 0, 0, 0, 0) == 0);
}

/* Every system call made below ELRANGE_END raises SIGSYS from now on, in this thread. */
static void set_dispatch(void)
{
    long error = host_syscall(__NR_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON,
                              ELRANGE_END, 0x7ffffffff000ULL - ELRANGE_END, 0, 0);

    om_assert(error == 0);
}

static void reraise_pending(struct thread *thread)
{
    for (int signal = 1; signal <= SIGNAL_COUNT; signal++)
        if (thread->cpu.pending >> (signal - 1) & 1)
            host_syscall(__NR_tgkill, g_facts.process_id, thread->host_tid, (uint64_t)signal, 0, 0,
                         0);
    thread->cpu.pending = 0;
}

/* First code of a new kernel thread; all signals are blocked until the frame is loaded. */
static void thread_main(void *argument)
{
    struct thread *thread = argument;

    host_syscall(__NR_arch_prctl, ARCH_SET_FS, thread->cpu.fs_base, 0, 0, 0, 0);
    host_syscall(__NR_arch_prctl, ARCH_SET_GS, fast_calls_gs_of_thread(thread, thread->cpu.gs_base),
                 0, 0, 0, 0);
    if (thread->name[0])
        host_syscall(__NR_prctl, PR_SET_NAME, (uint64_t)thread->name, 0, 0, 0, 0);
    if (thread->restored && process_restore_thread()) {
        log_error("user ids cannot be set as they were at the source");
        host_syscall(__NR_exit_group, OM_ABORT_STATUS, 0, 0, 0, 0, 0);
    }
    if (thread->restored)
        scheduling_restore(thread);
    thread->restored = 0;
    set_signal_stack(thread);
    set_dispatch();
    reraise_pending(thread);
    __atomic_store_n(&thread->state, THREAD_LIVE, __ATOMIC_RELEASE);
    thread_enter(thread);
}

long thread_launch(struct thread *thread)
{
    uint64_t all = SIGNALS_ALL_BUT_FAULTS, old = 0;
    long tid;

    __atomic_add_fetch(&g_tables->threads.live, 1, __ATOMIC_ACQ_REL);
    /* The child inherits the mask and has no signal stack yet.  Blocked in addition: a host thread
     * must not take a signal of the program, not even for a moment. */
    host_syscall(__NR_rt_sigprocmask, SIG_BLOCK, (uint64_t)&all, (uint64_t)&old, 8, 0, 0);
    tid = g_host.thread_create(slot_stack_top(thread), thread_main, thread, &thread->host_tid);
    host_syscall(__NR_rt_sigprocmask, SIG_SETMASK, (uint64_t)&old, 0, 8, 0, 0);
    if (tid < 0) {
        __atomic_sub_fetch(&g_tables->threads.live, 1, __ATOMIC_ACQ_REL);
        __atomic_store_n(&thread->state, THREAD_FREE, __ATOMIC_RELEASE);
        return tid;
    }
    return 0;
}

long thread_translate_tid(uint32_t tid, uint32_t *out_host_tid)
{
    struct thread *thread = thread_find(tid);

    *out_host_tid = 0;
    if (!thread || thread->host_tid == 0)
        return -ESRCH;
    *out_host_tid = thread->host_tid;
    return 0;
}

_Noreturn void thread_enter(struct thread *thread)
{
    uint64_t top = (uint64_t)slot_stack_top(thread) - sizeof(struct ucontext_frame) - 256;
    struct ucontext_frame *frame = (struct ucontext_frame *)(OM_ALIGN_DOWN(top, 16) - 8);

    memset(frame, 0, sizeof(*frame));
    frame->uc.uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
    frame->uc.uc_mcontext = thread->cpu.regs;
    frame->uc.uc_mcontext.cs = 0x33;
    frame->uc.uc_mcontext.ss = 0x2b;
    frame->uc.uc_mcontext.fpstate =
        thread->cpu.xsave_size ? (struct _fpstate *)thread->xsave : NULL;
    frame->uc.uc_sigmask = thread->cpu.sigmask;
    /* rt_sigreturn sets the signal stack again from here (and is refused, being on it). */
    frame->uc.uc_stack.ss_sp = (char *)thread + OM_ALIGN_UP(sizeof(struct thread), OM_PAGE_SIZE);
    frame->uc.uc_stack.ss_size = SLOT_SIZE - OM_ALIGN_UP(sizeof(struct thread), OM_PAGE_SIZE);
    signal_resume(frame);
}

_Noreturn void thread_exit(struct thread *thread, uint64_t status)
{
    uint32_t zero = 0;

    safepoint_reached(thread);
    if (thread->clear_child_tid && copy_to_program(thread->clear_child_tid, &zero, 4) == 0) {
        /* Shared futexes too: glibc joins with a shared wait.  For those the word must be writable.
         */
        guard_open(thread, thread->clear_child_tid, sizeof(zero));
        futex_wake_program(thread->clear_child_tid);
        guard_close(thread);
    }
    __atomic_store_n(&thread->state, THREAD_EXITING, __ATOMIC_RELEASE);
    /* Only one of two threads that end at the same time is the last. */
    if (__atomic_sub_fetch(&g_tables->threads.live, 1, __ATOMIC_ACQ_REL) == 0) {
        stop_wait_arrival_told();
        host_syscall(__NR_exit_group, status, 0, 0, 0, 0, 0);
    }
    g_host.thread_exit();
    __builtin_unreachable();
}
