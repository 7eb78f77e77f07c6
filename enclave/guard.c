/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Write detection by mprotect.  Three sets hold all there is to know, under one lock:
 *   closed      pages that were made read-only here; only a page in it may be opened by a fault
 *   executable  those of them that are to be executable when they are opened
 *   hot         pages that may have been written since the collector last took them
 * A page becomes hot before it becomes writable, so a write never comes before its mark.
 *
 * Buffers of system calls.  A thread publishes the buffer, then looks whether it is closed; the
 * collector announces the pages as closed, then looks for published buffers, then protects what is
 * left. Both have a full fence in between, so one of them sees the other: either the thread waits
 * for the lock and opens the page, or the collector leaves it open.  The kernel never meets a
 * closed buffer.
 *
 * Lock order: mm.lock, then this one.  No program memory is touched while it is held.
 */
#include "enclave/guard.h"

#include <asm/unistd.h>
#include <linux/mman.h>

#include "enclave/cards.h"
#include "enclave/tables.h"

enum { KERNEL_WRITES = OM_ARRAY_LENGTH(((struct thread *)0)->kernel_write) };

volatile uint32_t g_guard_active;

static struct {
    struct lock lock;
    struct pageset closed, executable, hot;
    uint64_t granule_pages;
    volatile uint64_t protections; /* how often anything was protected: see fault_is_stale() */
    /* By slot: the last fault on memory that was not closed, and the count above at that time. */
    struct {
        uint64_t address, protections;
    } retried[THREADS_MAX];
} g_guard;

static long set_protection(uint64_t first, uint64_t end, uint64_t prot)
{
    return host_syscall(__NR_mprotect, first << OM_PAGE_SHIFT, (end - first) << OM_PAGE_SHIFT, prot,
                        0, 0, 0);
}

/* Opens the closed pages of [first, end). */
static long open_pages(uint64_t first, uint64_t end)
{
    struct page_run run;

    while (pageset_next(&g_guard.closed, first, end, ~0ULL, &run)) {
        bool executable = pageset_has(&g_guard.executable, run.first);
        struct page_run same = run;
        long error;

        if (executable)
            pageset_next(&g_guard.executable, run.first, run.end, ~0ULL, &same);
        else if (pageset_next(&g_guard.executable, run.first, run.end, 1, &same))
            same = (struct page_run){run.first, same.first};
        else
            same = run;
        error = set_protection(same.first, same.end,
                               PROT_READ | PROT_WRITE | (executable ? PROT_EXEC : 0));
        if (error)
            return error;
        pageset_remove_range(&g_guard.closed, same.first, same.end);
        pageset_remove_range(&g_guard.executable, same.first, same.end);
        first = same.end;
    }
    return 0;
}

/* Opens the granules that [first, end) touches, and marks them hot. */
static void open_granules(uint64_t first, uint64_t end)
{
    struct page_run run;

    first = OM_ALIGN_DOWN(first, g_guard.granule_pages);
    end = OM_MIN(OM_ALIGN_UP(end, g_guard.granule_pages), g_guard.closed.limit);
    if (!pageset_next(&g_guard.closed, first, end, 1, &run))
        return;
    pageset_add_range(&g_guard.hot, first, end);
    if (open_pages(first, end) == 0)
        return;
    /* The kernel allows no more pieces of memory (vm.max_map_count).  Opening everything needs
     * none: each closed run melts into its neighbours.  It costs a full look at the next
     * collection. */
    for (uint64_t at = 0; pageset_next(&g_guard.closed, at, g_guard.closed.limit, ~0ULL, &run);
         at = run.end)
        pageset_add_range(&g_guard.hot, run.first, run.end);
    om_assert(open_pages(0, g_guard.closed.limit) == 0);
}

/* ---- program threads ---- */

static void publish(struct thread *thread, uint64_t start, uint64_t end)
{
    uint32_t count = thread->kernel_write_count;

    if (count < KERNEL_WRITES) {
        thread->kernel_write[count].start = start;
        thread->kernel_write[count].end = end;
        __atomic_store_n(&thread->kernel_write_count, count + 1, __ATOMIC_RELEASE);
        return;
    }
    /* More than fit: the last one grows to cover both. */
    count = KERNEL_WRITES - 1;
    thread->kernel_write[count].start = OM_MIN(thread->kernel_write[count].start, start);
    thread->kernel_write[count].end = OM_MAX(thread->kernel_write[count].end, end);
}

void guard_open(struct thread *thread, uint64_t start, uint64_t length)
{
    uint64_t end = start + length;
    struct page_run run;

    if (length == 0 || start < PROGRAM_BASE || end > PROGRAM_END || end < start)
        return;
    publish(thread, start, end);
    /* The buffer, then the look at closed; pairs with the fence in guard_protect(). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!g_guard_active)
        return;
    start >>= OM_PAGE_SHIFT;
    end = OM_ALIGN_UP(end, OM_PAGE_SIZE) >> OM_PAGE_SHIFT;
    if (!pageset_next(&g_guard.closed, start, end, 1, &run))
        return;
    lock_take(&g_guard.lock);
    open_granules(start, end);
    lock_release(&g_guard.lock);
}

void guard_close(struct thread *thread)
{
    uint32_t count = OM_MIN(thread->kernel_write_count, (uint32_t)KERNEL_WRITES);

    /* The kernel has written, or never will: now the marks. */
    for (uint32_t i = 0; i < count && cards_usable(); i++)
        cards_mark(thread->kernel_write[i].start,
                   thread->kernel_write[i].end - thread->kernel_write[i].start);
    if (count)
        __atomic_store_n(&thread->kernel_write_count, 0, __ATOMIC_RELEASE);
}

/* A fault on a page that is not closed: somebody else may have opened it between the fault and
 * here, or it is a fault of the program's own.  Once is let through.  If the same address faults
 * again and nothing was protected in between, it was the program's own. */
static bool fault_is_stale(uint64_t address)
{
    uint64_t slot = ((uint64_t)thread_current() - SLOTS_BASE) / SLOT_SIZE;

    om_assert(slot < THREADS_MAX);
    if (g_guard.retried[slot].address == address &&
        g_guard.retried[slot].protections == g_guard.protections)
        return false;
    g_guard.retried[slot].address = address;
    g_guard.retried[slot].protections = g_guard.protections;
    return true;
}

bool guard_fault(uint64_t address)
{
    uint64_t page = address >> OM_PAGE_SHIFT;
    bool ours;

    if (g_guard.protections == 0 || address < PROGRAM_BASE || address >= PROGRAM_END)
        return false;
    lock_take(&g_guard.lock);
    ours = pageset_has(&g_guard.closed, page);
    if (ours)
        open_granules(page, page + 1);
    else
        ours = fault_is_stale(address);
    lock_release(&g_guard.lock);
    return ours;
}

/* The map has set prot, not knowing of the guard.  A fault on another thread may have opened the
 * range right after that, by what it was before: so it is set once more, under the lock. */
void guard_protection_changed(uint64_t start, uint64_t end, uint32_t prot)
{
    uint64_t first = start >> OM_PAGE_SHIFT, stop = end >> OM_PAGE_SHIFT;

    if (!g_guard_active || first >= stop)
        return;
    lock_take(&g_guard.lock);
    if (prot & PROT_WRITE)
        pageset_add_range(&g_guard.hot, first, stop);
    pageset_remove_range(&g_guard.closed, first, stop);
    pageset_remove_range(&g_guard.executable, first, stop);
    (void)set_protection(first, stop, prot);
    lock_release(&g_guard.lock);
}

/* ---- the collector ---- */

void guard_begin(uint64_t granule_pages)
{
    pageset_create(&g_guard.closed, PROGRAM_END >> OM_PAGE_SHIFT);
    pageset_create(&g_guard.executable, PROGRAM_END >> OM_PAGE_SHIFT);
    pageset_create(&g_guard.hot, PROGRAM_END >> OM_PAGE_SHIFT);
    g_guard.granule_pages = granule_pages;
    __atomic_store_n(&g_guard_active, 1, __ATOMIC_SEQ_CST);
}

bool guard_next_buffer(struct buffer_walk *walk, struct page_run *out)
{
    uint32_t limit = __atomic_load_n(&g_tables->threads.slot_limit, __ATOMIC_ACQUIRE);

    for (; walk->slot < limit; walk->slot++, walk->index = 0) {
        struct thread *thread = thread_slot(walk->slot);
        uint32_t count = __atomic_load_n(&thread->kernel_write_count, __ATOMIC_ACQUIRE);

        while (walk->index < OM_MIN(count, (uint32_t)KERNEL_WRITES)) {
            uint32_t k = walk->index++;
            uint64_t start = __atomic_load_n(&thread->kernel_write[k].start, __ATOMIC_RELAXED);
            uint64_t end = __atomic_load_n(&thread->kernel_write[k].end, __ATOMIC_RELAXED);

            /* One that is just being written may be nonsense; its thread then looks itself. */
            if (start < PROGRAM_BASE || start >= end || end > PROGRAM_END)
                continue;
            out->first = start >> OM_PAGE_SHIFT;
            out->end = OM_ALIGN_UP(end, OM_PAGE_SIZE) >> OM_PAGE_SHIFT;
            return true;
        }
    }
    return false;
}

/* Buffers of calls under way stay open. */
static void open_published(void)
{
    struct buffer_walk walk = {0, 0};
    struct page_run buffer;

    while (guard_next_buffer(&walk, &buffer))
        open_granules(buffer.first, buffer.end);
}

static void protect_run(const struct page_run *run, uint64_t prot)
{
    struct page_run closed;

    for (uint64_t at = run->first; pageset_next(&g_guard.closed, at, run->end, ~0ULL, &closed);
         at = closed.end) {
        if (set_protection(closed.first, closed.end, prot) == 0)
            continue;
        /* It stays as it is, writable, and so has to be looked at. */
        pageset_add_range(&g_guard.hot, closed.first, closed.end);
        pageset_remove_range(&g_guard.closed, closed.first, closed.end);
        pageset_remove_range(&g_guard.executable, closed.first, closed.end);
    }
}

void guard_protect(const struct page_run *runs, uint32_t count, uint32_t prot)
{
    lock_take(&g_guard.lock);
    for (uint32_t i = 0; i < count; i++) {
        /* Writable and not readable is rare, and not what open_pages() would give back. */
        if (!(prot & PROT_READ)) {
            pageset_add_range(&g_guard.hot, runs[i].first, runs[i].end);
            continue;
        }
        if (prot & PROT_EXEC)
            pageset_add_range(&g_guard.executable, runs[i].first, runs[i].end);
        pageset_remove_range(&g_guard.hot, runs[i].first, runs[i].end);
        pageset_add_range(&g_guard.closed, runs[i].first, runs[i].end);
    }
    g_guard.protections++;
    /* The announcement, then the look at buffers; pairs with the fence in guard_open(). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    open_published();
    for (uint32_t i = 0; i < count; i++)
        protect_run(&runs[i], prot & ~(uint64_t)PROT_WRITE);
    lock_release_fairly(&g_guard.lock);
}

bool guard_next_hot(uint64_t first, uint64_t end, uint64_t max, struct page_run *out_run)
{
    return pageset_next(&g_guard.hot, first, end, max, out_run);
}

void guard_mark_hot(uint64_t first, uint64_t end)
{
    lock_take(&g_guard.lock);
    pageset_add_range(&g_guard.hot, first, end);
    lock_release(&g_guard.lock);
}

void guard_end(void)
{
    lock_take(&g_guard.lock);
    om_assert(!g_guard.closed.words || open_pages(0, g_guard.closed.limit) == 0);
    __atomic_store_n(&g_guard_active, 0, __ATOMIC_SEQ_CST);
    lock_release(&g_guard.lock);
}
