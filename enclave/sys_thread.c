/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that make, end, name and signal threads.  Process and thread ids are the program's
 * own view and stay the same over moves; the kernel's ids are looked up when a call needs them. One
 * process per enclave: fork and exec are refused, by name, once in the log.
 */
#include "enclave/sys_thread.h"

#include <asm/prctl.h>
#include <asm/unistd.h>
#include <linux/sched.h>

#include "enclave/fast_calls.h"
#include "enclave/robust.h"
#include "enclave/signal.h"
#include "enclave/stop.h"
#include "enclave/tables.h"
#include "enclave/tracker.h"

void thread_table_create(uint32_t process_id)
{
    g_tables->threads.process_id = process_id;
    g_tables->threads.next_tid = process_id;
}

static long refuse_once(volatile uint32_t *said, const char *what, const char *why)
{
    if (!__atomic_exchange_n(said, 1, __ATOMIC_RELAXED))
        log_warn("%s is not supported: %s", what, why);
    return -ENOSYS;
}

static long refuse_process(const char *what)
{
    static volatile uint32_t said;

    return refuse_once(&said, what, "an enclave is one process");
}

long sys_fork(struct call *call)
{
    (void)call;
    return refuse_process("fork");
}

long sys_vfork(struct call *call)
{
    (void)call;
    return refuse_process("vfork");
}

long sys_execve(struct call *call)
{
    static volatile uint32_t said;

    (void)call;
    return refuse_once(&said, "execve", "an enclave runs the program that it was started with");
}

long sys_execveat(struct call *call)
{
    return sys_execve(call);
}

/* glibc falls back to clone. */
long sys_clone3(struct call *call)
{
    (void)call;
    return -ENOSYS;
}

long sys_rseq(struct call *call)
{
    (void)call;
    return -ENOSYS; /* The kernel would write into program memory at any time. */
}

static uint64_t base_register(int which)
{
    uint64_t base = 0;

    host_syscall(__NR_arch_prctl, (uint64_t)which, (uint64_t)&base, 0, 0, 0, 0);
    return base;
}

/* The vector state is inherited as clone does. */
static void inherit_vector_state(struct thread *child, const struct ucontext *uc)
{
    const struct _fpstate *from = uc->uc_mcontext.fpstate;

    child->cpu.xsave_size = xsave_area_size(uc);
    if (child->cpu.xsave_size)
        memcpy(child->xsave, from, child->cpu.xsave_size);
}

static long write_child_ids(uint64_t flags, uint64_t parent_tid, uint64_t child_tid, uint32_t tid)
{
    if (flags & CLONE_PARENT_SETTID && copy_to_program(parent_tid, &tid, 4))
        return -EFAULT;
    if (flags & CLONE_CHILD_SETTID && copy_to_program(child_tid, &tid, 4))
        return -EFAULT;
    return 0;
}

long sys_clone(struct call *call)
{
    const uint64_t needed = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FS | CLONE_FILES;
    uint64_t flags = call->args[0], stack = call->args[1];
    uint64_t parent_tid = call->args[2], child_tid = call->args[3], tls = call->args[4];
    struct thread *child;
    uint32_t tid;
    long error;

    if ((flags & needed) != needed)
        return refuse_process(flags & CLONE_VM ? "clone of a process" : "fork (clone)");
    if (stack == 0)
        return -EINVAL;
    child = thread_allocate();
    if (!child)
        return -EAGAIN;
    tid = child->tid;
    child->cpu.regs = call->uc->uc_mcontext;
    child->cpu.regs.rax = 0;
    child->cpu.regs.rsp = stack;
    child->stack_top = stack;
    tracker_note_stack(stack);
    child->cpu.sigmask = call->uc->uc_sigmask;
    child->faults_blocked = call->thread->faults_blocked;
    child->scheduling.set = call->thread->scheduling.set;
    child->cpu.fs_base = flags & CLONE_SETTLS ? tls : base_register(ARCH_GET_FS);
    child->cpu.gs_base = fast_calls_gs_of_program(base_register(ARCH_GET_GS));
    child->clear_child_tid = flags & CLONE_CHILD_CLEARTID ? child_tid : 0;
    memcpy(child->name, call->thread->name, sizeof(child->name));
    inherit_vector_state(child, call->uc);
    error = write_child_ids(flags, parent_tid, child_tid, tid);
    if (error) {
        __atomic_store_n(&child->state, THREAD_FREE, __ATOMIC_RELEASE);
        return error;
    }
    error = thread_launch(child);
    return error ? error : (long)tid;
}

long sys_exit(struct call *call)
{
    robust_locks_leave(call->thread);
    thread_exit(call->thread, call->args[0]);
}

long sys_exit_group(struct call *call)
{
    stop_wait_arrival_told();
    return host_syscall(__NR_exit_group, call->args[0], 0, 0, 0, 0, 0);
}

long sys_set_tid_address(struct call *call)
{
    call->thread->clear_child_tid = call->args[0];
    return call->thread->tid;
}

long sys_set_robust_list(struct call *call)
{
    call->thread->robust_list = call->args[0];
    call->thread->robust_list_length = call->args[1];
    return 0;
}

long sys_get_robust_list(struct call *call)
{
    struct thread *thread = call->args[0] ? thread_find((uint32_t)call->args[0]) : call->thread;

    if (!thread)
        return -ESRCH;
    if (copy_to_program(call->args[1], &thread->robust_list, 8) ||
        copy_to_program(call->args[2], &thread->robust_list_length, 8))
        return -EFAULT;
    return 0;
}

long sys_gettid(struct call *call)
{
    return call->thread->tid;
}

long sys_getpid(struct call *call)
{
    (void)call;
    return g_tables->threads.process_id;
}

static bool signal_is_ours(uint64_t number)
{
    return number == OM_SIGNAL_STOP || number == SIGSYS;
}

/* Process 0 and negative numbers are groups, and go to the kernel as they are. */
static uint64_t host_process(uint64_t pid)
{
    return (uint32_t)pid == g_tables->threads.process_id ? g_facts.process_id : pid;
}

long sys_kill(struct call *call)
{
    if (signal_is_ours(call->args[1]) && host_process(call->args[0]) == g_facts.process_id)
        return 0;
    return host_syscall(__NR_kill, host_process(call->args[0]), call->args[1], 0, 0, 0, 0);
}

/* Under the lock the target is either parking, and what comes now would not move with it unless
 * noted; or it is not, and will find it when it reads what is pending (stop_park). */
static long send_to_thread(uint32_t tid, uint64_t number, const siginfo_t *info)
{
    struct thread *target = thread_find(tid);
    bool parking;
    long error;

    if (!target || target->host_tid == 0)
        return -ESRCH;
    if (signal_is_ours(number))
        return 0;
    lock_take(&target->signal_lock);
    parking = __atomic_load_n(&target->parking, __ATOMIC_SEQ_CST);
    if (info)
        error = host_syscall(__NR_rt_tgsigqueueinfo, g_facts.process_id, target->host_tid, number,
                             (uint64_t)info, 0, 0);
    else
        error = host_syscall(__NR_tgkill, g_facts.process_id, target->host_tid, number, 0, 0, 0);
    if (!error && parking && number)
        __atomic_or_fetch(&target->pending_late, SIGNAL_BIT(number), __ATOMIC_SEQ_CST);
    lock_release(&target->signal_lock);
    return error;
}

static long signal_thread(uint32_t tid, uint64_t number)
{
    return send_to_thread(tid, number, NULL);
}

long sys_tkill(struct call *call)
{
    return signal_thread((uint32_t)call->args[0], call->args[1]);
}

long sys_tgkill(struct call *call)
{
    if ((uint32_t)call->args[0] != g_tables->threads.process_id)
        return host_syscall(__NR_tgkill, call->args[0], call->args[1], call->args[2], 0, 0, 0);
    return signal_thread((uint32_t)call->args[1], call->args[2]);
}

long sys_rt_sigqueueinfo(struct call *call)
{
    siginfo_t info;

    if (copy_from_program(&info, call->args[2], sizeof(info)))
        return -EFAULT;
    if (signal_is_ours(call->args[1]))
        return 0;
    return host_syscall(__NR_rt_sigqueueinfo, host_process(call->args[0]), call->args[1],
                        (uint64_t)&info, 0, 0, 0);
}

long sys_rt_tgsigqueueinfo(struct call *call)
{
    siginfo_t info;

    if ((uint32_t)call->args[0] != g_tables->threads.process_id)
        return -EPERM;
    if (copy_from_program(&info, call->args[3], sizeof(info)))
        return -EFAULT;
    return send_to_thread((uint32_t)call->args[1], call->args[2], &info);
}

long sys_arch_prctl(struct call *call)
{
    uint64_t base, code = call->args[0];

    switch (code) {
    case ARCH_SET_FS:
        return host_syscall(__NR_arch_prctl, code, call->args[1], 0, 0, 0, 0);
    case ARCH_SET_GS:
        base = fast_calls_gs_of_thread(call->thread, call->args[1]);
        return host_syscall(__NR_arch_prctl, code, base, 0, 0, 0, 0);
    case ARCH_GET_FS:
    case ARCH_GET_GS:
        base = fast_calls_gs_of_program(base_register((int)code));
        return copy_to_program(call->args[1], &base, 8);
    default:
        return -EINVAL; /* CET and the like: glibc takes that for "not there". */
    }
}
