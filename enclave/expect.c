/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See expect.h.  At the source the program runs: what it shares with the mover is touched by atomic
 * operations that change nothing.  At the destination the tables may be from the middle of a round,
 * or partly there: nothing here believes them.
 */
#include "enclave/expect.h"

#include <asm/unistd.h>

#include "enclave/clock.h"
#include "enclave/fd.h"
#include "enclave/signal.h"
#include "enclave/tables.h"
#include "enclave/tracker.h"

enum {
    SLOTS_TOUCHED_MAX = 64,
    FRAME_ROOM_pages = 3, /* a thread enters the program by a frame at the top of its stack */
    REHEARSAL_STACK_bytes = 64 << 10,
};

static void touch(const volatile void *first, const volatile void *end)
{
    uint64_t page = OM_ALIGN_DOWN((uint64_t)first, OM_PAGE_SIZE);

    for (; page < (uint64_t)end; page += OM_PAGE_SIZE)
        (void)__atomic_fetch_or((uint64_t *)page, 0, __ATOMIC_RELAXED);
}

/* All but the descriptors, whose arrays are large and mostly never used, and the areas. */
static void touch_tables(void)
{
    touch(g_tables, &g_tables->fds);
    touch(&g_tables->timers, &g_tables->mm.areas);
}

/* ---- the source ---- */

void expect_capture(void)
{
    char path[256];
    uint64_t set;

    /* Where the tables are watched, a page that is touched is a page that is sent. */
    if (!tracker_sees_tables())
        touch_tables();
    fd_expect_capture();
    (void)host_syscall(__NR_rt_sigpending, (uint64_t)&set, 8, 0, 0, 0, 0);
    (void)host_syscall(__NR_getcwd, (uint64_t)path, sizeof(path), 0, 0, 0, 0);
}

/* ---- the destination ---- */

static void touch_slots(void)
{
    uint32_t limit = OM_MIN(g_tables->threads.slot_limit, (uint32_t)SLOTS_TOUCHED_MAX);

    for (uint32_t i = 0; i < limit; i++) {
        const char *slot = (const char *)thread_slot(i);

        if (thread_slot(i)->state != THREAD_LIVE)
            continue;
        touch(slot, slot + sizeof(struct thread));
        touch(slot + SLOT_SIZE - FRAME_ROOM_pages * OM_PAGE_SIZE, slot + SLOT_SIZE);
    }
}

static void leave_at_once(void *unused)
{
    (void)unused;
    g_host.thread_exit();
    __builtin_unreachable();
}

/* A thread that ends at once: the kernel has its stack, and what else a thread needs, at hand for
 * the next one. */
static void rehearse_thread(void)
{
    static uint32_t host_tid; /* cleared by the kernel when it has left the stack */
    static char *stack;
    uint64_t all = SIGNALS_ALL_BUT_FAULTS, old = 0;

    if (!stack)
        stack = local_alloc(REHEARSAL_STACK_bytes);
    if (__atomic_load_n(&host_tid, __ATOMIC_SEQ_CST))
        return;
    host_syscall(__NR_rt_sigprocmask, 0, (uint64_t)&all, (uint64_t)&old, 8, 0, 0);
    (void)g_host.thread_create(stack + REHEARSAL_STACK_bytes, leave_at_once, NULL, &host_tid);
    host_syscall(__NR_rt_sigprocmask, 2, (uint64_t)&old, 0, 8, 0, 0);
}

void expect_restore(void)
{
    touch_tables();
    touch_slots();
    fd_expect_restore();
    signal_look_around();
    (void)clock_host_monotonic_ns();
    (void)host_syscall(__NR_chdir, (uint64_t) ".", 0, 0, 0, 0, 0);
    rehearse_thread();
}
