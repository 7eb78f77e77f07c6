/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Do timeouts count on when a wait is interrupted and made again, and only then?  Do temporary
 * signal masks and signals that end a wait do what the kernel does?  The clock stands still between
 * the steps.
 */
#include "tests/unit/syscalls_fixture.h"

#include <asm/poll.h>
#include <asm/unistd.h>
#include <linux/futex.h>
#include <linux/time.h>

#include "enclave/signal.h"

#define SECOND 1000000000ULL
#define MILLISECOND 1000000ULL

/* One way to wait for a relative time. */
struct wait {
    long nr;
    uint64_t args[6];
    int timeout;   /* the host's argument with the timeout */
    long host_nr;  /* the call that the host gets */
    uint64_t unit; /* of a timeout by value, in ns; 0: it is a struct timespec */
};

enum { AT_TIME = 0, AT_MEMORY = 256, SIXTEEN_SECONDS = 16 };

/* All of them wait 16 seconds; memory[AT_TIME] holds that as a timespec (or timeval: the same
 * words). */
static size_t all_waits(struct wait out[16])
{
    uint64_t time = fixture_timespec(AT_TIME, SIXTEEN_SECONDS, 0);
    uint64_t memory = fixture_address(AT_MEMORY);
    const struct wait waits[] = {
        {__NR_nanosleep, {time}, 2, __NR_clock_nanosleep, 0},
        {__NR_clock_nanosleep, {CLOCK_REALTIME, 0, time}, 2, __NR_clock_nanosleep, 0},
        {__NR_clock_nanosleep, {CLOCK_MONOTONIC, 0, time}, 2, __NR_clock_nanosleep, 0},
        {__NR_poll, {memory, 1, 16000}, 2, __NR_poll, MILLISECOND},
        {__NR_ppoll, {memory, 1, time}, 2, __NR_ppoll, 0},
        {__NR_select, {1, memory, 0, 0, time}, 4, __NR_pselect6, 0},
        {__NR_pselect6, {1, memory, 0, 0, time}, 4, __NR_pselect6, 0},
        {__NR_epoll_wait, {3, memory, 1, 16000}, 3, __NR_epoll_wait, MILLISECOND},
        {__NR_epoll_pwait, {3, memory, 1, 16000}, 3, __NR_epoll_pwait, MILLISECOND},
        {__NR_epoll_pwait2, {3, memory, 1, time}, 3, __NR_epoll_pwait2, 0},
        {__NR_futex, {memory, FUTEX_WAIT_PRIVATE, 0, time}, 3, __NR_futex, 0},
    };
    memcpy(out, waits, sizeof waits);
    return OM_ARRAY_LENGTH(waits);
}

/* Makes the call; the host answers so.  Returns what the program would be told. */
static long attempt(const struct wait *wait, long answer)
{
    g_fixture.scripted = true;
    g_fixture.answer = answer;
    g_fixture.watch = wait->unit ? -1 : wait->timeout;
    return fixture_call(wait->nr, wait->args);
}

static uint64_t timeout_given(const struct wait *wait)
{
    assert_int_equal(g_fixture.last.nr, wait->host_nr);
    assert_true(g_fixture.last.blocking);
    if (wait->unit)
        return g_fixture.last.args[wait->timeout] * wait->unit;
    return g_fixture.last.words[0] * SECOND + g_fixture.last.words[1];
}

static void test_timeouts_count_on(void **state)
{
    struct wait waits[16];
    size_t count = all_waits(waits);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        struct wait *wait = &waits[i];
        fixture_timespec(AT_TIME, SIXTEEN_SECONDS, 0);
        assert_int_equal(attempt(wait, -EINTR), CALL_INTERRUPTED);
        assert_int_equal(timeout_given(wait), 16 * SECOND);
        g_fixture.now_ns += 5 * SECOND;
        assert_int_equal(attempt(wait, -OM_ECANCELLED), CALL_INTERRUPTED);
        assert_int_equal(timeout_given(wait), 11 * SECOND);
        g_fixture.now_ns += 3 * SECOND + 1;
        assert_int_equal(attempt(wait, -EINTR), CALL_INTERRUPTED);
        assert_int_equal(timeout_given(wait), wait->unit ? 8 * SECOND : 8 * SECOND - 1);
        /* Over: the host is asked to look without waiting, or, for a sleep, not at all. */
        g_fixture.now_ns += 60 * SECOND;
        unsigned calls = g_fixture.calls;
        attempt(wait, 0);
        if (wait->host_nr == __NR_clock_nanosleep)
            assert_int_equal(g_fixture.calls, calls);
        else
            assert_int_equal(timeout_given(wait), 0);
        /* And the next call starts anew. */
        fixture_timespec(AT_TIME, SIXTEEN_SECONDS, 0);
        attempt(wait, -EINTR);
        assert_int_equal(timeout_given(wait), 16 * SECOND);
        g_fixture.thread->restart_pc = 0;
    }
}

static void test_another_call_forgets_the_deadline(void **state)
{
    struct wait waits[16];
    size_t count = all_waits(waits);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        fixture_timespec(AT_TIME, SIXTEEN_SECONDS, 0);
        attempt(&waits[i], -EINTR);
        g_fixture.now_ns += 5 * SECOND;
        CALL(__NR_getuid, 0);
        attempt(&waits[i], -EINTR);
        assert_int_equal(timeout_given(&waits[i]), 16 * SECOND);
        /* The same call at another place in the program is another call. */
        g_fixture.now_ns += 5 * SECOND;
        g_fixture.uc.uc_mcontext.rip += 64;
        attempt(&waits[i], -EINTR);
        assert_int_equal(timeout_given(&waits[i]), 16 * SECOND);
        g_fixture.thread->restart_pc = 0;
    }
}

static void test_waiting_for_ever_and_not_at_all(void **state)
{
    uint64_t memory = fixture_address(AT_MEMORY);
    uint64_t zero = fixture_timespec(AT_TIME, 0, 0);
    (void)state;
    g_fixture.scripted = true;
    CALL(__NR_poll, memory, 1, (uint64_t)-1);
    assert_int_equal((int32_t)g_fixture.last.args[2], -1);
    CALL(__NR_poll, memory, 1, 0);
    assert_int_equal(g_fixture.last.args[2], 0);
    CALL(__NR_epoll_wait, 3, memory, 1, 0xffffffff);
    assert_int_equal((int32_t)g_fixture.last.args[3], -1);
    CALL(__NR_ppoll, memory, 1, 0, 0, 0);
    assert_int_equal(g_fixture.last.args[2], 0);
    CALL(__NR_select, 1, memory, 0, 0, 0);
    assert_int_equal(g_fixture.last.args[4], 0);
    CALL(__NR_futex, memory, FUTEX_WAIT, 0, 0);
    assert_int_equal(g_fixture.last.args[3], 0);
    g_fixture.watch = 3;
    CALL(__NR_epoll_pwait2, 3, memory, 1, zero, 0, 0);
    assert_int_not_equal(g_fixture.last.args[3], 0);
    assert_int_equal(g_fixture.last.words[0] | g_fixture.last.words[1], 0);
}

static void test_bad_times_are_refused(void **state)
{
    static const int64_t bad[][2] = {{-1, 0}, {0, -1}, {0, 1000000000}};
    (void)state;
    g_fixture.scripted = true;
    for (size_t i = 0; i < OM_ARRAY_LENGTH(bad); i++) {
        uint64_t time = fixture_timespec(AT_TIME, bad[i][0], bad[i][1]);
        uint64_t memory = fixture_address(AT_MEMORY);
        assert_int_equal(CALL(__NR_nanosleep, time), -EINVAL);
        assert_int_equal(CALL(__NR_ppoll, memory, 1, time, 0, 0), -EINVAL);
        assert_int_equal(CALL(__NR_pselect6, 1, memory, 0, 0, time, 0), -EINVAL);
        assert_int_equal(CALL(__NR_futex, memory, FUTEX_WAIT, 0, time), -EINVAL);
        assert_int_equal(CALL(__NR_recvmmsg, 3, memory, 1, 0, time), -EINVAL);
    }
    assert_int_equal(CALL(__NR_nanosleep, 0), -EFAULT);
    assert_int_equal(CALL(__NR_nanosleep, PROGRAM_BASE), -EFAULT); /* not mapped */
    fixture_timespec(AT_TIME, 0, 3000000); /* whole seconds in the microseconds are allowed */
    g_fixture.watch = 4;
    CALL(__NR_select, 0, 0, 0, 0, fixture_address(AT_TIME));
    assert_int_equal(g_fixture.last.words[0], 3);
    fixture_timespec(AT_TIME, INT64_MAX, 0); /* longer than the clock can run */
    g_fixture.watch = 2;
    assert_int_equal(CALL(__NR_nanosleep, fixture_address(AT_TIME)), 0);
    assert_true(g_fixture.last.words[0] > 9000000000ULL);
}

static void test_absolute_times_are_on_the_hosts_clock(void **state)
{
    uint64_t time = fixture_timespec(AT_TIME, 2000, 5);
    uint64_t memory = fixture_address(AT_MEMORY);
    (void)state;
    g_tables->clock.monotonic_offset_ns = (int64_t)(300 * SECOND);
    g_fixture.scripted = true;
    g_fixture.answer = -EINTR;
    g_fixture.watch = 3;
    for (int i = 0; i < 2; i++) { /* the second attempt as the first */
        CALL(__NR_futex, memory, FUTEX_WAIT_BITSET, 0, time, 0, 1);
        assert_int_equal(g_fixture.last.words[0], 1700);
        assert_int_equal(g_fixture.last.words[1], 5);
        assert_int_equal(g_fixture.last.args[5], 1);
        g_fixture.now_ns += SECOND;
    }
    CALL(__NR_futex, memory, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, time, 0, 1);
    assert_int_equal(g_fixture.last.words[0], 2000);
    g_fixture.watch = 2;
    CALL(__NR_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, time);
    assert_int_equal(g_fixture.last.words[0], 1700);
    CALL(__NR_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, time);
    assert_int_equal(g_fixture.last.words[0], 2000);
    g_fixture.answer = 0;
    CALL(__NR_clock_gettime, CLOCK_MONOTONIC, time);
    assert_int_equal(*(int64_t *)fixture_at(AT_TIME), g_fixture.now_ns / SECOND);
}

static void test_time_left_after_a_signal(void **state)
{
    static const struct {
        long nr;
        int argument;
        uint64_t per_second; /* of the second word */
    } rows[] = {
        {__NR_nanosleep, 1, SECOND}, {__NR_clock_nanosleep, 3, SECOND}, {__NR_ppoll, 2, SECOND},
        {__NR_pselect6, 4, SECOND},  {__NR_select, 4, 1000000},
    };
    (void)state;
    for (size_t i = 0; i < OM_ARRAY_LENGTH(rows); i++) {
        uint64_t time = fixture_timespec(AT_TIME, SIXTEEN_SECONDS, 0);
        struct call call = {
            .thread = g_fixture.thread, .uc = &g_fixture.uc, .pc = FIXTURE_PC, .nr = rows[i].nr};
        call.args[rows[i].nr == __NR_clock_nanosleep ? 2 : 0] =
            rows[i].nr == __NR_nanosleep || rows[i].nr == __NR_clock_nanosleep ? time : 0;
        call.args[rows[i].argument] = time;
        g_fixture.scripted = true;
        g_fixture.answer = -EINTR;
        assert_int_equal(syscall_dispatch(&call), CALL_INTERRUPTED);
        g_fixture.now_ns += 5 * SECOND + SECOND / 4;
        syscall_interrupted_by_signal(&call);
        const uint64_t *left = fixture_at(AT_TIME);
        assert_int_equal(left[0], 10);
        assert_int_equal(left[1], rows[i].per_second * 3 / 4);
        assert_int_equal(g_fixture.thread->restart_pc, 0);
    }
    /* An absolute sleep leaves nothing. */
    uint64_t time = fixture_timespec(AT_TIME, 2000, 0);
    struct call call = {.thread = g_fixture.thread,
                        .uc = &g_fixture.uc,
                        .pc = FIXTURE_PC,
                        .nr = __NR_clock_nanosleep,
                        .args = {CLOCK_MONOTONIC, TIMER_ABSTIME, time, time}};
    assert_int_equal(syscall_dispatch(&call), CALL_INTERRUPTED);
    syscall_interrupted_by_signal(&call);
    assert_int_equal(*(int64_t *)fixture_at(AT_TIME), 2000);
}

/* ---- signals that meet a call which is about to be made again ---- */

static void interrupt(long nr, const uint64_t args[6])
{
    struct sigcontext *regs = &g_fixture.uc.uc_mcontext;
    g_fixture.scripted = true;
    g_fixture.answer = -EINTR;
    assert_int_equal(fixture_call(nr, args), CALL_INTERRUPTED);
    regs->rdi = args[0];
    regs->rsi = args[1];
    regs->rdx = args[2];
    regs->r10 = args[3];
    regs->rip -= 2;
    regs->rax = (uint64_t)nr;
}

static void test_a_handler_ends_a_wait_that_would_restart(void **state)
{
    struct sigcontext *regs = &g_fixture.uc.uc_mcontext;
    const uint64_t sleep[6] = {fixture_timespec(AT_TIME, 7, 0), fixture_address(AT_TIME)};
    (void)state;
    interrupt(__NR_poll, (const uint64_t[6]){0, 0, (uint64_t)-1});
    syscall_before_handler(g_fixture.thread, &g_fixture.uc, true);
    assert_int_equal(regs->rip, FIXTURE_PC + 2);
    assert_int_equal(regs->rax, (uint64_t)-EINTR);
    interrupt(__NR_nanosleep, sleep);
    g_fixture.now_ns += 2 * SECOND;
    syscall_before_handler(g_fixture.thread, &g_fixture.uc, true);
    assert_int_equal(regs->rip, FIXTURE_PC + 2);
    assert_int_equal(regs->rax, (uint64_t)-EINTR);
    assert_int_equal(*(int64_t *)fixture_at(AT_TIME), 5);
    /* Once is enough. */
    regs->rax = 1;
    syscall_before_handler(g_fixture.thread, &g_fixture.uc, true);
    assert_int_equal(regs->rax, 1);
}

static void test_a_handler_with_restart_leaves_a_read_alone(void **state)
{
    struct sigcontext *regs = &g_fixture.uc.uc_mcontext;
    const uint64_t args[6] = {3, fixture_address(0), 10};
    (void)state;
    interrupt(__NR_read, args);
    syscall_before_handler(g_fixture.thread, &g_fixture.uc, true);
    assert_int_equal(regs->rip, FIXTURE_PC);
    assert_int_equal(regs->rax, __NR_read);
    regs->rip = FIXTURE_PC + 2;
    interrupt(__NR_read, args);
    syscall_before_handler(g_fixture.thread, &g_fixture.uc, false);
    assert_int_equal(regs->rip, FIXTURE_PC + 2);
    assert_int_equal(regs->rax, (uint64_t)-EINTR);
}

/* A signal that came before the call was made is delivered before it, as in the kernel. */
static void test_a_read_that_was_not_made_gives_no_eintr(void **state)
{
    struct call call = {.thread = g_fixture.thread,
                        .uc = &g_fixture.uc,
                        .pc = FIXTURE_PC,
                        .nr = __NR_read,
                        .args = {3, fixture_address(0), 10}};
    (void)state;
    g_fixture.scripted = true;
    g_fixture.answer = -OM_ECANCELLED;
    assert_int_equal(syscall_dispatch(&call), CALL_INTERRUPTED);
    assert_int_equal(syscall_restart_kind_of(&call), RESTART_ALWAYS);
    assert_int_equal(g_fixture.thread->restart_pc, 0);
    g_fixture.answer = -EINTR;
    assert_int_equal(syscall_dispatch(&call), CALL_INTERRUPTED);
    assert_int_equal(syscall_restart_kind_of(&call), RESTART_IF_FLAG);
    assert_int_equal(g_fixture.thread->restart_pc, FIXTURE_PC);
    /* A wait ends all the same. */
    call = (struct call){.thread = call.thread, .uc = call.uc, .pc = call.pc, .nr = __NR_poll};
    g_fixture.answer = -OM_ECANCELLED;
    assert_int_equal(syscall_dispatch(&call), CALL_INTERRUPTED);
    assert_int_equal(syscall_restart_kind_of(&call), RESTART_NEVER);
    assert_int_equal(g_fixture.thread->restart_pc, FIXTURE_PC);
}

static void test_a_futex_with_a_timeout_never_restarts(void **state)
{
    struct call call = {.thread = g_fixture.thread,
                        .uc = &g_fixture.uc,
                        .pc = FIXTURE_PC,
                        .nr = __NR_futex,
                        .args = {fixture_address(0), FUTEX_WAIT_PRIVATE, 0, 0}};
    (void)state;
    assert_int_equal(syscall_restart_kind_of(&call), RESTART_IF_FLAG);
    call.args[3] = fixture_timespec(AT_TIME, 1, 0);
    assert_int_equal(syscall_restart_kind_of(&call), RESTART_NEVER);
}

static void test_plain_calls_that_were_interrupted(void **state)
{
    (void)state;
    g_fixture.scripted = true;
    g_fixture.answer = -EINTR;
    assert_int_equal(CALL(__NR_fsync, 3), CALL_INTERRUPTED);
    g_fixture.scripted = false;
    g_fixture.thread->attention = 1;
    assert_int_equal(CALL(__NR_read, 0, fixture_address(0), 1), CALL_INTERRUPTED);
}

/* ---- masks ---- */

#define ORIGINAL_MASK SIGNAL_BIT(SIGTERM)

static uint64_t program_mask(size_t offset, uint64_t mask)
{
    memcpy(fixture_at(offset), &mask, sizeof mask);
    return fixture_address(offset);
}

static void test_masks_never_block_what_the_runtime_needs(void **state)
{
    uint64_t mask = program_mask(512, ~0ULL);
    uint64_t pair[2] = {mask, 8};
    (void)state;
    g_fixture.scripted = true;
    g_fixture.watch = 3;
    CALL(__NR_ppoll, 0, 0, 0, mask, 8);
    assert_int_equal(g_fixture.last.words[0], ~SIGNALS_KEPT);
    assert_int_not_equal(g_fixture.last.args[3], mask);
    g_fixture.watch = 4;
    CALL(__NR_epoll_pwait, 3, fixture_address(0), 1, 0, mask, 8);
    assert_int_equal(g_fixture.last.words[0], ~SIGNALS_KEPT);
    CALL(__NR_epoll_pwait2, 3, fixture_address(0), 1, 0, mask, 8);
    assert_int_equal(g_fixture.last.words[0], ~SIGNALS_KEPT);
    memcpy(fixture_at(1024), pair, sizeof pair);
    g_fixture.watch = 5;
    CALL(__NR_pselect6, 0, 0, 0, 0, 0, fixture_address(1024));
    assert_int_equal(g_fixture.last.words[1], 8);
    assert_int_not_equal(g_fixture.last.words[0], mask);
    CALL(__NR_pselect6, 0, 0, 0, 0, 0, 0);
    assert_int_equal(g_fixture.last.words[0], 0);
    assert_int_equal(CALL(__NR_ppoll, 0, 0, 0, mask, 4), -EINVAL);
    assert_false(g_fixture.thread->has_saved_sigmask);
}

static void test_a_signal_is_delivered_under_the_temporary_mask(void **state)
{
    struct thread *thread = g_fixture.thread;
    uint64_t mask = program_mask(512, SIGNAL_BIT(SIGHUP));
    (void)state;
    g_fixture.scripted = true;
    g_fixture.answer = -EINTR;
    g_fixture.uc.uc_sigmask = ORIGINAL_MASK;
    /* A stop, and no signal: all as it was. */
    assert_int_equal(CALL(__NR_ppoll, 0, 0, 0, mask, 8), CALL_INTERRUPTED);
    assert_false(thread->has_saved_sigmask);
    assert_int_equal(g_fixture.uc.uc_sigmask, ORIGINAL_MASK);
    thread->pending_count = 1;
    thread->pending[0].si_signo = SIGTERM;
    assert_int_equal(CALL(__NR_ppoll, 0, 0, 0, mask, 8), CALL_INTERRUPTED);
    assert_int_equal(thread->attention, 1); /* it waited for this mask: no blocking now */
    assert_true(thread->has_saved_sigmask);
    assert_int_equal(thread->saved_sigmask, ORIGINAL_MASK);
    assert_int_equal(g_fixture.uc.uc_sigmask, SIGNAL_BIT(SIGHUP));
}

/* ---- futexes ---- */

static void test_futexes(void **state)
{
    uint64_t word = fixture_address(0);
    (void)state;
    g_fixture.scripted = true;
    g_fixture.answer = 2;
    assert_int_equal(CALL(__NR_futex, word, FUTEX_WAKE, 5, 0, 0, 0), 2);
    assert_false(g_fixture.last.blocking);
    assert_int_equal(CALL(__NR_futex, word, FUTEX_CMP_REQUEUE, 1, 5, word + 64, 0), 2);
    assert_int_equal(g_fixture.last.args[3], 5); /* a count where waits have a time */
    unsigned calls = g_fixture.calls;
    assert_int_equal(CALL(__NR_futex, word, FUTEX_WAKE_OP, 1, 1, TABLES_BASE, 0), -EFAULT);
    assert_int_equal(CALL(__NR_futex, word, FUTEX_CMP_REQUEUE_PI, 1, 0, word + 64, 0), -ENOSYS);
    assert_int_equal(CALL(__NR_futex, word, FUTEX_WAIT_REQUEUE_PI, 0, 0, word + 64, 0), -ENOSYS);
    assert_int_equal(g_fixture.calls, calls);
    assert_int_equal(g_fixture.log_lines, 1);
    /* A real one: the word has another value. */
    g_fixture.scripted = false;
    assert_int_equal(CALL(__NR_futex, word, FUTEX_WAIT, 1, 0, 0, 0), -EAGAIN);
    fixture_timespec(AT_MEMORY, 0, 1000);
    assert_int_equal(CALL(__NR_futex, word, FUTEX_WAIT, 0, fixture_address(AT_MEMORY)), -ETIMEDOUT);
}

static void test_futexes_with_priority_inheritance(void **state)
{
    const uint64_t at = fixture_address(0);
    uint32_t *word = (uint32_t *)at, own = g_fixture.thread->tid;
    (void)state;

    *word = 0;
    assert_int_equal(CALL(__NR_futex, at, FUTEX_UNLOCK_PI, 0, 0, 0, 0), -EPERM);
    assert_int_equal(CALL(__NR_futex, at + 1, FUTEX_LOCK_PI, 0, 0, 0, 0), -EINVAL);
    assert_int_equal(CALL(__NR_futex, fixture_address(0) - 8, FUTEX_LOCK_PI, 0, 0, 0, 0), -EFAULT);
    assert_int_equal(CALL(__NR_futex, at, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0), 0);
    assert_int_equal(*word, own);
    assert_int_equal(CALL(__NR_futex, at, FUTEX_LOCK_PI, 0, 0, 0, 0), -EDEADLK);
    assert_int_equal(CALL(__NR_futex, at, FUTEX_TRYLOCK_PI, 0, 0, 0, 0), -EDEADLK);
    *word = own | FUTEX_WAITERS;
    g_fixture.scripted = true;
    unsigned calls = g_fixture.calls;
    assert_int_equal(CALL(__NR_futex, at, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0), 0);
    assert_int_equal(*word, 0);
    assert_int_equal(g_fixture.calls, calls + 1);
    assert_int_equal(g_fixture.last.args[1], FUTEX_WAKE_PRIVATE);
    /* Nobody alive has it: its owner died, and then an owner that never was. */
    *word = FUTEX_OWNER_DIED | FUTEX_WAITERS;
    assert_int_equal(CALL(__NR_futex, at, FUTEX_TRYLOCK_PI, 0, 0, 0, 0), 0);
    assert_int_equal(*word, own | FUTEX_OWNER_DIED | FUTEX_WAITERS);
    *word = own + 1;
    assert_int_equal(CALL(__NR_futex, at, FUTEX_LOCK_PI, 0, 0, 0, 0), -ESRCH);
    assert_int_equal(*word, own + 1);
}

/* A handler that runs while it waits does not show: glibc takes EINTR there for a bug. */
static void test_a_lock_with_priority_inheritance_gives_no_eintr(void **state)
{
    struct call lock = {.nr = __NR_futex, .args = {0, FUTEX_LOCK_PI_PRIVATE, 0, 1}};
    struct call release = {.nr = __NR_futex, .args = {0, FUTEX_UNLOCK_PI_PRIVATE}};
    (void)state;

    assert_int_equal(syscall_restart_kind_of(&lock), RESTART_ALWAYS);
    assert_int_equal(syscall_restart_kind_of(&release), RESTART_IF_FLAG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_timeouts_count_on, fixture_reset),
        cmocka_unit_test_setup(test_another_call_forgets_the_deadline, fixture_reset),
        cmocka_unit_test_setup(test_waiting_for_ever_and_not_at_all, fixture_reset),
        cmocka_unit_test_setup(test_bad_times_are_refused, fixture_reset),
        cmocka_unit_test_setup(test_absolute_times_are_on_the_hosts_clock, fixture_reset),
        cmocka_unit_test_setup(test_time_left_after_a_signal, fixture_reset),
        cmocka_unit_test_setup(test_a_handler_ends_a_wait_that_would_restart, fixture_reset),
        cmocka_unit_test_setup(test_a_handler_with_restart_leaves_a_read_alone, fixture_reset),
        cmocka_unit_test_setup(test_a_read_that_was_not_made_gives_no_eintr, fixture_reset),
        cmocka_unit_test_setup(test_a_futex_with_a_timeout_never_restarts, fixture_reset),
        cmocka_unit_test_setup(test_plain_calls_that_were_interrupted, fixture_reset),
        cmocka_unit_test_setup(test_masks_never_block_what_the_runtime_needs, fixture_reset),
        cmocka_unit_test_setup(test_a_signal_is_delivered_under_the_temporary_mask, fixture_reset),
        cmocka_unit_test_setup(test_futexes, fixture_reset),
        cmocka_unit_test_setup(test_futexes_with_priority_inheritance, fixture_reset),
        cmocka_unit_test_setup(test_a_lock_with_priority_inheritance_gives_no_eintr, fixture_reset),
    };
    return cmocka_run_group_tests_name("waiting", tests, fixture_create, NULL);
}
