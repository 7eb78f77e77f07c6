/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dispatcher of system calls.  It looks the call up in syscalls.def (syscall_table.c), has its
 * arguments checked (call_check.c), and hands it to the host or to sys_<name>.
 *
 * Trusts nothing that the program passes: a pointer that does not lie in the program's memory never
 * reaches the kernel.  Where to read next: sys_wait.c and sys_time.c for the calls with timeouts.
 */
#include "enclave/syscall.h"

#include "enclave/clock.h"
#include "enclave/fd.h"
#include "enclave/futex_pi.h"
#include "enclave/guard.h"
#include "enclave/receive_timeout.h"
#include "enclave/signal.h"
#include "enclave/sys_signal.h"
#include "enclave/sys_wait.h"
#include "enclave/syscall_table.h"

/* ---- calls that are not supported ---- */

enum { NAMED_WORDS = (SYSCALL_NUMBERS + 63) / 64 };

static uint64_t s_unsupported;
static uint64_t s_named[NAMED_WORDS + 1]; /* one bit per number; the last word: numbers beyond */

/* True the first time for each number. */
static bool name_once(long nr)
{
    bool inside = (unsigned long)nr < SYSCALL_NUMBERS;
    uint64_t *word = &s_named[inside ? nr / 64 : NAMED_WORDS];
    uint64_t bit = 1ULL << ((unsigned long)nr % 64);
    return !(__atomic_fetch_or(word, bit, __ATOMIC_RELAXED) & bit);
}

uint64_t syscall_unsupported_count(void)
{
    return __atomic_load_n(&s_unsupported, __ATOMIC_RELAXED);
}

long syscall_refuse_named(long error)
{
    __atomic_fetch_add(&s_unsupported, 1, __ATOMIC_RELAXED);
    return -error;
}

long syscall_refuse(const struct call *call, long error, const char *reason)
{
    if (name_once(call->nr))
        log_warn("%s: %s", syscall_name(call->nr), reason);
    return syscall_refuse_named(error);
}

static long refuse_row(const struct call *call, const struct syscall_row *row)
{
    if (row == NULL)
        return syscall_refuse(call, ENOSYS, "this system call is not supported (it has no row)");
    return syscall_refuse(call, row->error, row->reason);
}

/* ---- names and restarting ---- */

const char *syscall_name(long nr)
{
    static char names[8][24];
    static uint32_t used;
    const struct syscall_row *row = syscall_row(nr);
    if (row != NULL)
        return row->name;
    char *name = names[__atomic_fetch_add(&used, 1, __ATOMIC_RELAXED) % OM_ARRAY_LENGTH(names)];
    str_format(name, sizeof(names[0]), "syscall_%ld", nr);
    return name;
}

enum restart_kind syscall_restart_kind(long nr)
{
    const struct syscall_row *row = syscall_row(nr);
    return row != NULL ? (enum restart_kind)row->restart : RESTART_IF_FLAG;
}

enum restart_kind syscall_restart_kind_of(const struct call *call)
{
    enum restart_kind kind = syscall_restart_kind(call->nr);
    if ((kind == RESTART_IF_FLAG && call->not_made) || futex_pi_is_lock(call))
        return RESTART_ALWAYS;
    return wait_is_timed_futex(call) ? RESTART_NEVER : kind;
}

void syscall_interrupted_by_signal(struct call *call)
{
    wait_write_time_left(call);
    call->thread->restart_pc = 0;
}

void syscall_before_handler(struct thread *thread, struct ucontext *uc, bool restart)
{
    struct sigcontext *regs = &uc->uc_mcontext;
    struct call call = {
        .thread = thread,
        .uc = uc,
        .nr = thread->restart_nr,
        .args = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9},
    };
    if (thread->restart_pc == 0)
        return;
    bool about_to_restart = regs->rip == thread->restart_pc && (long)regs->rax == call.nr;
    if (about_to_restart && !(restart && syscall_restart_kind_of(&call) == RESTART_IF_FLAG)) {
        wait_write_time_left(&call);
        regs->rax = (uint64_t)-EINTR;
        regs->rip += SYSCALL_INSTRUCTION_BYTES;
    }
    thread->restart_pc = 0;
}

/* ---- deadlines ---- */

static bool is_kept_attempt(const struct call *call)
{
    const struct thread *thread = call->thread;
    return thread->restart_pc == call->pc && thread->restart_nr == call->nr;
}

uint64_t call_deadline(struct call *call, int64_t timeout_ns)
{
    struct thread *thread = call->thread;
    if (timeout_ns < 0)
        return UINT64_MAX;
    if (is_kept_attempt(call) && thread->restart_deadline_ns != UINT64_MAX)
        return thread->restart_deadline_ns;
    uint64_t now = clock_monotonic_ns();
    uint64_t end = now + (uint64_t)timeout_ns;
    thread->restart_deadline_ns = end < now ? UINT64_MAX : end;
    thread->restart_nr = call->nr;
    thread->restart_pc = call->pc;
    return thread->restart_deadline_ns;
}

uint64_t deadline_left(uint64_t deadline_ns)
{
    uint64_t now = clock_monotonic_ns();
    return deadline_ns > now ? deadline_ns - now : 0;
}

/* ---- blocking ---- */

long call_blocking(struct call *call, long nr, const uint64_t args[6])
{
    long result = g_host.syscall_blocking(nr, args, &call->thread->attention);
    call->not_made = result == -OM_ECANCELLED;
    return result == -OM_ECANCELLED || result == -EINTR ? CALL_INTERRUPTED : result;
}

long call_blocking_masked(struct call *call, long nr, const uint64_t args[6], const uint64_t *mask)
{
    struct thread *thread = call->thread;
    if (mask == NULL)
        return call_blocking(call, nr, args);
    for (uint32_t i = 0; i < thread->pending_count; i++)
        if (!(*mask & SIGNAL_BIT(thread->pending[i].si_signo)))
            signal_recheck(thread); /* It waited in the slot for just this mask. */
    long result = call_blocking(call, nr, args);
    if (result == CALL_INTERRUPTED && thread->pending_count > 0) {
        thread->saved_sigmask = call->uc->uc_sigmask;
        thread->has_saved_sigmask = true;
        call->uc->uc_sigmask = *mask;
    }
    if (result != CALL_INTERRUPTED)
        signal_recheck(thread); /* What the temporary mask kept in the slot. */
    return result;
}

/* ---- dispatching ---- */

void call_kernel_writes(struct call *call, uint64_t start, uint64_t length)
{
    guard_open(call->thread, start, length);
}

long call_host(struct call *call, const struct syscall_row *row, const uint64_t args[6])
{
    if (row->how == HOW_BLOCK) {
        long early;
        if (fd_inotify_read(call->nr, args, &early))
            return early;
        early = receive_timeout_wait(call);
        return early != 0 ? early : call_blocking(call, call->nr, args);
    }
    long result = g_host.syscall(call->nr, args[0], args[1], args[2], args[3], args[4], args[5]);
    return result == -EINTR ? CALL_INTERRUPTED : result;
}

static long carry_out(struct call *call, const struct syscall_row *row)
{
    uint64_t args[SYSCALL_ARGUMENTS];
    uint32_t copies = 0;
    memcpy(args, call->args, sizeof(args));
    long result = call_check(call, row, args, &copies);
    if (result != 0)
        return result;
    if (row->how == HOW_EMULATE)
        return row->handler(call);
    return copies != 0 ? call_with_copies(call, row, args) : call_host(call, row, args);
}

/* The call will be made again, unless a handler of the program runs first (syscall_before_handler).
 */
static void keep_attempt(struct call *call)
{
    if (is_kept_attempt(call) || syscall_restart_kind_of(call) == RESTART_ALWAYS)
        return;
    call->thread->restart_pc = call->pc;
    call->thread->restart_nr = call->nr;
    call->thread->restart_deadline_ns = UINT64_MAX;
}

long syscall_dispatch(struct call *call)
{
    struct thread *thread = call->thread;
    const struct syscall_row *row = syscall_row(call->nr);
    thread->syscalls++;
    if (thread->restart_pc != 0 && !is_kept_attempt(call))
        thread->restart_pc = 0;
    if (row == NULL || row->how == HOW_REFUSE)
        return refuse_row(call, row);
    long result = carry_out(call, row);
    shared_files_after(call, result);
    if (thread->kernel_write_count != 0)
        guard_close(thread);
    if (result == CALL_INTERRUPTED)
        keep_attempt(call);
    else
        thread->restart_pc = 0;
    return result;
}
