/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks and waiting, on futexes.  A lock's word: 0 free, 1 taken, 2 taken and somebody waits.
 * Words are private to the process, so they work in the tables at any host.
 */
#include <asm/unistd.h>
#include <linux/futex.h>
#include <linux/time_types.h>

#include "enclave/runtime.h"

enum { FREE = 0, TAKEN = 1, AWAITED = 2, SPINS = 100, YIELDS = 50 };

static bool try_take(struct lock *lock)
{
    uint32_t expected = FREE;

    /* Acquire: pairs with the release in lock_release. */
    return __atomic_compare_exchange_n(&lock->word, &expected, TAKEN, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

void lock_take(struct lock *lock)
{
    for (int i = 0; i < SPINS; i++) {
        if (try_take(lock))
            return;
        __builtin_ia32_pause();
    }
    while (__atomic_exchange_n(&lock->word, AWAITED, __ATOMIC_ACQUIRE) != FREE)
        (void)futex_wait(&lock->word, AWAITED, -1);
}

void lock_release(struct lock *lock)
{
    if (__atomic_exchange_n(&lock->word, FREE, __ATOMIC_RELEASE) == AWAITED)
        futex_wake(&lock->word, 1);
}

void lock_release_fairly(struct lock *lock)
{
    if (__atomic_exchange_n(&lock->word, FREE, __ATOMIC_RELEASE) != AWAITED)
        return;
    futex_wake(&lock->word, 1);
    for (int i = 0; i < YIELDS && __atomic_load_n(&lock->word, __ATOMIC_RELAXED) == FREE; i++)
        (void)host_syscall(__NR_sched_yield, 0, 0, 0, 0, 0, 0);
}

long futex_wait(const volatile uint32_t *word, uint32_t expected, int64_t timeout_ns)
{
    struct __kernel_timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};

    return host_syscall(__NR_futex, (uint64_t)word, FUTEX_WAIT_PRIVATE, expected,
                        timeout_ns < 0 ? 0 : (uint64_t)&timeout, 0, 0);
}

void futex_wake(const volatile uint32_t *word, int count)
{
    (void)host_syscall(__NR_futex, (uint64_t)word, FUTEX_WAKE_PRIVATE, (uint64_t)count, 0, 0, 0);
}

void futex_wake_program(uint64_t word)
{
    host_syscall(__NR_futex, word, FUTEX_WAKE, 1, 0, 0, 0);
    host_syscall(__NR_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0);
}
