/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stopping all threads.  When the order comes, a thread is in one of these situations:
 *
 *   1. program code: the stop signal's frame is its state; signal_leave() parks it at once.
 *   2. runtime code: the signal raises the attention word; it parks when it leaves the runtime.
 *   3. a blocking boundary call: the call ends with EINTR, or, if it has not begun, is cancelled
 *      (host/gate.S window); the dispatcher undoes the call and the thread parks as in 2.
 *   4. a plain boundary call: it ends by itself soon, then as 2.
 *   5. starting: its attention word is looked at before it enters the program.
 *   6. exiting: it is waited for until the kernel has cleared its host_tid.
 *   7. parked.
 * So every captured thread is about to execute an instruction of the program, and holds no lock.
 *
 * While safepoints are required (safepoint.h), 1 becomes: the poll page is closed first, before the
 * order; the signal raises the attention word only, and the thread parks at its next poll or system
 * call.
 */
#include "enclave/stop.h"

#include <asm/prctl.h>
#include <asm/unistd.h>
#include <linux/signal.h>
#include <linux/time.h>

#include "enclave/fast_calls.h"
#include "enclave/safepoint.h"
#include "enclave/signal.h"
#include "enclave/tables.h"

enum { KICK_INTERVAL_us = 1000, AWAKE_us = 100, WAIT_us = 300, STOP_SLOW_us = 10000 };

static struct {
    volatile uint32_t ordered; /* number of the order that stands, or 0 */
    uint32_t orders;
    volatile uint32_t changes; /* counts parkings; the mover waits on it */
    volatile bool active, armed;
    struct stop_delay delay;
    volatile uint32_t untold; /* released at the destination, and nobody knows yet */
} g_stop;

bool stop_ordered(void)
{
    return __atomic_load_n(&g_stop.ordered, __ATOMIC_SEQ_CST) != 0;
}

bool stop_active(void)
{
    return g_stop.active;
}

/* ---- the thread's side ---- */

static uint64_t base_register(int which)
{
    uint64_t base = 0;

    host_syscall(__NR_arch_prctl, (uint64_t)which, (uint64_t)&base, 0, 0, 0, 0);
    return base;
}

static void save_state(struct thread *thread, const struct ucontext *uc)
{
    const void *vectors = uc->uc_mcontext.fpstate;

    thread->cpu.regs = uc->uc_mcontext;
    thread->cpu.sigmask = uc->uc_sigmask;
    thread->cpu.fs_base = base_register(ARCH_GET_FS);
    thread->cpu.gs_base = fast_calls_gs_of_program(base_register(ARCH_GET_GS));
    thread->cpu.xsave_size = xsave_area_size(uc);
    if (thread->cpu.xsave_size && vectors != thread->xsave)
        memcpy(thread->xsave, vectors, thread->cpu.xsave_size);
    host_syscall(__NR_rt_sigpending, (uint64_t)&thread->cpu.pending, 8, 0, 0, 0, 0);
}

void stop_park(struct thread *thread, struct ucontext *uc)
{
    uint32_t order = __atomic_load_n(&g_stop.ordered, __ATOMIC_SEQ_CST);

    if (order) {
        __atomic_store_n(&thread->pending_late, 0, __ATOMIC_SEQ_CST);
        lock_take(&thread->signal_lock); /* Pairs with send_to_thread(). */
        __atomic_store_n(&thread->parking, 1, __ATOMIC_SEQ_CST);
        lock_release(&thread->signal_lock);
        save_state(thread, uc);
        __atomic_store_n(&thread->parked, order, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&g_stop.changes, 1, __ATOMIC_SEQ_CST);
        futex_wake(&g_stop.changes, 1);
        while (__atomic_load_n(&g_stop.ordered, __ATOMIC_SEQ_CST) == order)
            futex_wait(&g_stop.ordered, order, -1);
        thread->cpu.pending = 0; /* Still pending in this kernel. */
        __atomic_store_n(&thread->parking, 0, __ATOMIC_SEQ_CST);
        __atomic_store_n(&thread->parked, 0, __ATOMIC_SEQ_CST);
    }
    __atomic_and_fetch(&thread->attention, ~(uint32_t)ATTENTION_STOP, __ATOMIC_SEQ_CST);
    /* An order that came between the loop and here has raised the bit before: look again. */
    if (stop_ordered())
        __atomic_or_fetch(&thread->attention, ATTENTION_STOP, __ATOMIC_SEQ_CST);
}

/* ---- the mover's side ---- */

void stop_delay(struct stop_delay *out)
{
    *out = g_stop.delay;
}

static bool thread_runs(const struct thread *thread)
{
    uint32_t state = __atomic_load_n(&thread->state, __ATOMIC_ACQUIRE);

    return state == THREAD_LIVE || state == THREAD_STARTING;
}

/* How many threads are not parked and not gone; kicks them if asked.  With the lock no slot is
 * taken meanwhile: a thread could otherwise make another in a slot that was looked at already, and
 * park before its own is looked at. */
static uint32_t count_running(bool kick)
{
    uint32_t running = 0, order = g_stop.ordered, limit;

    lock_take(&g_tables->threads.lock);
    limit = g_tables->threads.slot_limit;
    for (uint32_t i = 0; i < limit; i++) {
        struct thread *thread = thread_slot(i);
        uint32_t host_tid = thread->host_tid;

        if (thread->state == THREAD_EXITING && host_tid != 0)
            running++;
        /* Parked by an earlier order means on its way out of that. */
        if (!thread_runs(thread) || __atomic_load_n(&thread->parked, __ATOMIC_SEQ_CST) == order)
            continue;
        running++;
        g_stop.delay.tid = thread->tid;
        g_stop.delay.slot = i;
        if (!kick)
            continue;
        __atomic_or_fetch(&thread->attention, ATTENTION_STOP, __ATOMIC_SEQ_CST);
        if (host_tid)
            host_syscall(__NR_tgkill, g_facts.process_id, host_tid, OM_SIGNAL_STOP, 0, 0, 0);
    }
    lock_release(&g_tables->threads.lock);
    return running;
}

static uint64_t now_us(void)
{
    return g_host.now_ns(CLOCK_MONOTONIC) / 1000;
}

/* Most threads are there sooner than a sleeping mover would be woken.  It gives way meanwhile,
 * since one of them may be waiting for this processor. */
static void await_change(uint32_t seen)
{
    uint64_t begin = now_us();

    while (__atomic_load_n(&g_stop.changes, __ATOMIC_SEQ_CST) == seen &&
           now_us() - begin < AWAKE_us)
        (void)host_syscall(__NR_sched_yield, 0, 0, 0, 0, 0, 0);
    futex_wait(&g_stop.changes, seen, WAIT_us * 1000);
}

static long wait_until_parked(uint64_t timeout_us)
{
    uint64_t begin = now_us(), kicked = 0;

    for (;;) {
        uint32_t seen = __atomic_load_n(&g_stop.changes, __ATOMIC_SEQ_CST);
        uint64_t now = now_us();
        bool kick = now - kicked >= KICK_INTERVAL_us;

        if (kick)
            kicked = now;
        if (count_running(kick) == 0)
            return 0;
        if (now - begin > timeout_us)
            return -ETIMEDOUT;
        await_change(seen);
    }
}

static void order(void)
{
    g_stop.orders = g_stop.orders == UINT32_MAX ? 1 : g_stop.orders + 1;
    __atomic_store_n(&g_stop.ordered, g_stop.orders, __ATOMIC_SEQ_CST);
}

/* Who was the last, and where it was when it was told: there a poll may be missing. */
static void note_delay(uint64_t us)
{
    struct stop_delay *delay = &g_stop.delay;

    if (us <= STOP_SLOW_us || delay->tid == 0) {
        *delay = (struct stop_delay){0};
        return;
    }
    delay->us = us;
    delay->pc = thread_slot(delay->slot)->kicked_at;
    log_warn("stopping took %lu us; thread %u was the last, and at %lx when it was told", us,
             delay->tid, delay->pc);
}

/* A poll that faults before the order is stepped over, so closing the page costs no downtime. */
void stop_prepare(void)
{
    if (!safepoints_required() || g_stop.armed)
        return;
    safepoint_arm();
    g_stop.armed = true;
}

long stop_all(uint64_t timeout_us)
{
    uint64_t begin = now_us();
    long error;

    order();
    stop_prepare();
    g_stop.delay = (struct stop_delay){0};
    error = wait_until_parked(timeout_us);
    note_delay(now_us() - begin);
    if (error) {
        stop_resume();
        return error;
    }
    g_tables->process_signals.count = 0;
    g_tables->process_signals.set = 0;
    g_stop.active = true;
    return 0;
}

/* Takes them out of the kernel's queue, with their values; this host thread blocks everything and
 * has nothing of its own.  What is pending for one thread keeps its number only (cpu.pending). */
void stop_capture_signals(void)
{
    struct signal_queue *queue = &g_tables->process_signals;
    uint64_t zero[2] = {0, 0}, set = 0;
    long number;

    host_syscall(__NR_rt_sigpending, (uint64_t)&set, 8, 0, 0, 0, 0);
    set &= ~SIGNALS_KEPT;
    queue->set |= set;
    while (set && queue->count < SIGNAL_QUEUE_MAX) {
        number = host_syscall(__NR_rt_sigtimedwait, (uint64_t)&set,
                              (uint64_t)&queue->infos[queue->count], (uint64_t)zero, 8, 0, 0);
        if (number <= 0)
            break;
        queue->count++;
    }
}

static void queue_signals_again(void)
{
    struct signal_queue *queue = &g_tables->process_signals;

    for (uint32_t i = 0; i < queue->count; i++) {
        uint64_t number = (uint64_t)queue->infos[i].si_signo;

        /* Linux lets only the first thread, which this is not, repeat what the kernel or kill said.
         */
        if (host_syscall(__NR_rt_sigqueueinfo, g_facts.process_id, number,
                         (uint64_t)&queue->infos[i], 0, 0, 0))
            host_syscall(__NR_kill, g_facts.process_id, number, 0, 0, 0, 0);
    }
    queue->count = 0;
    queue->set = 0;
}

static void release(void)
{
    g_stop.active = false;
    __atomic_store_n(&g_stop.ordered, 0, __ATOMIC_SEQ_CST);
    if (g_stop.armed)
        safepoint_disarm();
    g_stop.armed = false;
    futex_wake(&g_stop.ordered, INT32_MAX);
}

void stop_resume(void)
{
    queue_signals_again();
    release();
}

/* ---- the destination ---- */

/* A slot as the source left it becomes one that thread_launch can take. */
static bool slot_prepare(struct thread *thread)
{
    bool alive = thread_runs(thread);

    thread->host_tid = 0;
    thread->parked = 0;
    thread->parking = 0;
    thread->signal_lock.word = 0;
    thread->kernel_write_count = 0;
    thread->poll_requested = 0;
    if (!alive) {
        thread->state = THREAD_FREE;
        return false;
    }
    thread->attention = ATTENTION_STOP | (thread->pending_count ? ATTENTION_SIGNAL : 0);
    thread->cpu.pending |= thread->pending_late;
    thread->cpu.pending &= ~g_tables->process_signals.set;
    thread->restored = 1;
    thread->state = THREAD_STARTING;
    return true;
}

long stop_restore_threads(void)
{
    uint32_t limit = g_tables->threads.slot_limit;

    om_assert(limit <= THREADS_MAX);
    g_tables->threads.live = 0;
    order();
    for (uint32_t i = 0; i < limit; i++) {
        long error;

        if (!slot_prepare(thread_slot(i)))
            continue;
        error = thread_launch(thread_slot(i));
        if (error)
            return error;
    }
    return wait_until_parked(10 * 1000 * 1000);
}

void stop_release(void)
{
    __atomic_store_n(&g_stop.untold, 1, __ATOMIC_SEQ_CST);
    queue_signals_again();
    release();
}

void stop_arrival_told(void)
{
    __atomic_store_n(&g_stop.untold, 0, __ATOMIC_SEQ_CST);
    futex_wake(&g_stop.untold, INT32_MAX);
}

void stop_wait_arrival_told(void)
{
    while (__atomic_load_n(&g_stop.untold, __ATOMIC_SEQ_CST))
        futex_wait(&g_stop.untold, 1, -1);
}

static uint32_t add_page(uint64_t *pages, uint32_t count, uint32_t capacity, uint64_t address)
{
    uint64_t page = OM_ALIGN_DOWN(address, OM_PAGE_SIZE);

    if (address < PROGRAM_BASE || address >= PROGRAM_END)
        return count;
    for (uint32_t i = 0; i < count; i++)
        if (pages[i] == page)
            return count;
    if (count < capacity)
        pages[count++] = page;
    return count;
}

uint32_t stop_likely_pages(uint64_t *out_pages, uint32_t capacity)
{
    uint32_t limit = __atomic_load_n(&g_tables->threads.slot_limit, __ATOMIC_ACQUIRE), count = 0;

    count = add_page(out_pages, count, capacity, g_tables->barrier.code_start);
    for (uint32_t i = 0; i < limit; i++)
        if (thread_runs(thread_slot(i)))
            count = add_page(out_pages, count, capacity, thread_slot(i)->stack_top - 1);
    return count;
}

uint32_t stop_hot_pages(uint64_t *out_pages, uint32_t capacity)
{
    uint32_t limit = g_tables->threads.slot_limit, count = 0;

    for (uint32_t i = 0; i < limit; i++) {
        const struct thread *thread = thread_slot(i);

        if (!thread_runs(thread))
            continue;
        count = add_page(out_pages, count, capacity, thread->cpu.regs.rip);
        count = add_page(out_pages, count, capacity, thread->cpu.regs.rsp);
        count = add_page(out_pages, count, capacity, thread->cpu.regs.rsp - 256);
        count = add_page(out_pages, count, capacity, thread->cpu.regs.rsp + OM_PAGE_SIZE);
        count = add_page(out_pages, count, capacity, thread->cpu.fs_base);
    }
    return count;
}
