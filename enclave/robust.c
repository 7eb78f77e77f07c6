/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Robust futexes.  A program keeps a list, for each thread, of the locks that it holds
 * (set_robust_list); when the thread ends, the kernel sets a bit in each and wakes one who waits.
 * The kernel cannot do it here: its list would be that of the host's thread, and the ids in the
 * locks are the program's view.
 *
 * The list is program memory, and may hold anything: each step is checked, and there is a limit, as
 * in the kernel (kernel/futex/core.c; Documentation/locking/robust-futex-ABI.rst).
 * Locks with priority inheritance are marked in the list; here they are as others (futex_pi.c).
 */
#include "enclave/robust.h"

#include <linux/futex.h>
#include <linux/mman.h>

#include "enclave/guard.h"
#include "enclave/mm.h"

enum { WORD_bytes = sizeof(uint32_t) };
#define ENTRY_PI 1ULL

struct robust_list_of_program {
    uint64_t first, offset, pending;
};

/* Others may set FUTEX_WAITERS meanwhile, so the word is not simply written. */
static bool take_from_owner(uint64_t address, uint32_t seen)
{
    uint32_t dead = (seen & FUTEX_WAITERS) | FUTEX_OWNER_DIED;

    return __atomic_compare_exchange_n((uint32_t *)address, &seen, dead, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static void leave_lock(struct thread *thread, uint64_t address, bool pending)
{
    uint32_t seen;

    if (address % WORD_bytes || !mm_is_mapped(address, WORD_bytes, PROT_READ | PROT_WRITE))
        return;
    guard_open(thread, address, WORD_bytes);
    do {
        if (copy_from_program(&seen, address, WORD_bytes) != 0)
            break;
        /* It was about to be locked, or has just been released: who waits may not have been told.
         */
        if (pending && seen == 0)
            futex_wake_program(address);
        if ((seen & FUTEX_TID_MASK) != thread->tid)
            break;
        if (!take_from_owner(address, seen))
            continue;
        if (seen & FUTEX_WAITERS)
            futex_wake_program(address);
        break;
    } while (true);
    guard_close(thread);
}

void robust_locks_leave(struct thread *thread)
{
    struct robust_list_of_program list;
    uint64_t entry, next;

    if (!thread->robust_list || thread->robust_list_length != sizeof(list) ||
        copy_from_program(&list, thread->robust_list, sizeof(list)) != 0)
        return;
    entry = list.first;
    for (int i = 0; i < ROBUST_LIST_LIMIT && (entry & ~ENTRY_PI) != thread->robust_list; i++) {
        /* Read before the lock is left: then it may be another's already. */
        if (copy_from_program(&next, entry & ~ENTRY_PI, sizeof(next)) != 0)
            break;
        if (entry != list.pending)
            leave_lock(thread, (entry & ~ENTRY_PI) + list.offset, false);
        entry = next;
    }
    if (list.pending)
        leave_lock(thread, (list.pending & ~ENTRY_PI) + list.offset, true);
}
