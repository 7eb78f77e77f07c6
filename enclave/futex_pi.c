/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futexes with priority inheritance (pthread_mutexattr_setprotocol).  The kernel cannot serve them:
 * it would look for the owner among its own thread ids, and the word holds the program's.  So the
 * word is kept by the rules of futex(2) here, and waiting is an ordinary wait on it.  Priorities
 * are not inherited: who holds a lock does not run at the priority of those who wait.
 *
 * The word: the owner's id, FUTEX_WAITERS if the owner must ask us to release it, and
 * FUTEX_OWNER_DIED.  Whoever has waited takes it with FUTEX_WAITERS, because others may wait still.
 * The word is program memory and may hold anything: it decides about the program's own locks only.
 */
#include "enclave/futex_pi.h"

#include <asm/unistd.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/time.h>

#include "enclave/clock.h"
#include "enclave/mm.h"
#include "enclave/sys_wait.h"
#include "enclave/syscall_table.h"

enum { WORD_bytes = sizeof(uint32_t) };

static int command_of(const struct call *call)
{
    return (int)call->args[1] & FUTEX_CMD_MASK;
}

bool futex_pi_is_lock(const struct call *call)
{
    return call->nr == __NR_futex &&
           (command_of(call) == FUTEX_LOCK_PI || command_of(call) == FUTEX_LOCK_PI2);
}

static bool exchange(uint64_t address, uint32_t *seen, uint32_t wanted)
{
    return __atomic_compare_exchange_n((uint32_t *)address, seen, wanted, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static long check_word(struct call *call)
{
    uint64_t address = call->args[0];

    if (address % WORD_bytes)
        return -EINVAL;
    if (!mm_is_mapped(address, WORD_bytes, PROT_READ | PROT_WRITE))
        return -EFAULT;
    call_kernel_writes(call, address, WORD_bytes);
    return 0;
}

/* One attempt: 0 taken; -EAGAIN somebody has it, and *seen is the word with FUTEX_WAITERS. */
static long take(const struct call *call, uint32_t waited, uint32_t *seen)
{
    const uint32_t kept = FUTEX_OWNER_DIED | FUTEX_WAITERS;

    for (;;) {
        uint32_t owner = *seen & FUTEX_TID_MASK;

        if (owner == call->thread->tid)
            return -EDEADLK;
        if (owner == 0) {
            if (exchange(call->args[0], seen, call->thread->tid | (*seen & kept) | waited))
                return 0;
            continue;
        }
        if (!thread_find(owner)) {
            /* It may have released the lock and ended since the word was read. */
            if (exchange(call->args[0], seen, *seen))
                return -ESRCH;
            continue;
        }
        if (*seen & FUTEX_WAITERS || command_of(call) == FUTEX_TRYLOCK_PI)
            return -EAGAIN;
        if (exchange(call->args[0], seen, *seen | FUTEX_WAITERS)) {
            *seen |= FUTEX_WAITERS;
            return -EAGAIN;
        }
    }
}

/* Both take an absolute time: FUTEX_LOCK_PI always of the wall clock. */
static long wait_for_change(struct call *call, uint32_t seen, int64_t end_ns)
{
    const uint64_t private_flag = call->args[1] & FUTEX_PRIVATE_FLAG;
    bool wall = command_of(call) == FUTEX_LOCK_PI || call->args[1] & FUTEX_CLOCK_REALTIME;
    uint64_t host_ns =
        end_ns < 0 || wall ? (uint64_t)end_ns : clock_to_host_ns(CLOCK_MONOTONIC, (uint64_t)end_ns);
    struct __kernel_timespec end = time_of_ns(host_ns);
    const uint64_t args[6] = {
        call->args[0],
        FUTEX_WAIT_BITSET | private_flag | (wall ? FUTEX_CLOCK_REALTIME : 0),
        seen,
        end_ns < 0 ? 0 : (uint64_t)(uintptr_t)&end,
        0,
        FUTEX_BITSET_MATCH_ANY,
    };
    long result = call_blocking(call, __NR_futex, args);

    return result == -EAGAIN ? 0 : result;
}

static long lock(struct call *call)
{
    uint32_t seen = 0, waited = 0;
    int64_t end_ns;
    long result = time_from_program(call->args[3], &end_ns);

    if (result != 0)
        return result;
    for (;;) {
        if (copy_from_program(&seen, call->args[0], WORD_bytes) != 0)
            return -EFAULT;
        result = take(call, waited, &seen);
        if (result != -EAGAIN)
            return result;
        waited = FUTEX_WAITERS;
        result = wait_for_change(call, seen, end_ns);
        if (result != 0)
            return result;
    }
}

static long try_lock(struct call *call)
{
    uint32_t seen;

    if (copy_from_program(&seen, call->args[0], WORD_bytes) != 0)
        return -EFAULT;
    return take(call, 0, &seen);
}

static long unlock(struct call *call)
{
    const uint64_t private_flag = call->args[1] & FUTEX_PRIVATE_FLAG;
    uint32_t seen;

    if (copy_from_program(&seen, call->args[0], WORD_bytes) != 0)
        return -EFAULT;
    do {
        if ((seen & FUTEX_TID_MASK) != call->thread->tid)
            return -EPERM;
    } while (!exchange(call->args[0], &seen, 0));
    if (seen & FUTEX_WAITERS)
        g_host.syscall(__NR_futex, call->args[0], FUTEX_WAKE | private_flag, 1, 0, 0, 0);
    return 0;
}

long futex_pi(struct call *call)
{
    long error;

    switch (command_of(call)) {
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
        error = check_word(call);
        return error ? error : lock(call);
    case FUTEX_TRYLOCK_PI:
        error = check_word(call);
        return error ? error : try_lock(call);
    case FUTEX_UNLOCK_PI:
        error = check_word(call);
        return error ? error : unlock(call);
    default:
        return syscall_refuse(call, ENOSYS,
                              "moving waiters to a priority-inheriting futex is not supported");
    }
}
