/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of this runtime instance, outside of what moves.  Handed out upwards and never taken back;
 * between two pieces one page stays inaccessible, so that an overrun faults.
 */
#include <asm/unistd.h>
#include <linux/mman.h>

#include "enclave/runtime.h"

static uint64_t g_local_used; /* bytes from LOCAL_BASE */

/* Large pieces start at a huge page's border: buffers of a move are worth huge pages. */
static uint64_t reserve(uint64_t length)
{
    uint64_t alignment = length >= OM_HUGE_SIZE ? OM_HUGE_SIZE : OM_PAGE_SIZE;
    uint64_t used = __atomic_load_n(&g_local_used, __ATOMIC_RELAXED), start;

    do {
        start = OM_ALIGN_UP(used, alignment);
        om_assert(start + length + OM_PAGE_SIZE <= ECALL_STACKS_BASE - LOCAL_BASE);
    } while (!__atomic_compare_exchange_n(&g_local_used, &used, start + length + OM_PAGE_SIZE,
                                          false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return LOCAL_BASE + start;
}

void *local_alloc(size_t size)
{
    uint64_t length = OM_ALIGN_UP(size, OM_PAGE_SIZE), start;

    om_assert(length >= size && length <= LOCAL_SIZE);
    start = reserve(length);
    om_assert(host_syscall(__NR_mprotect, start, length, PROT_READ | PROT_WRITE, 0, 0, 0) == 0);
    return (void *)start;
}
