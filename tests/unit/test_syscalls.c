/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that need more than to be passed on: lists of buffers, messages, lengths by pointer, paths,
 * ids, limits and timers.  Most are really made, on pipes and sockets of this process.
 */
#include "tests/unit/syscalls_fixture.h"

#include <asm/resource.h>
#include <asm/unistd.h>
#include <linux/futex.h>
#include <linux/time.h>
#include <string.h>
#include <unistd.h>

#include "enclave/host_result.h"
#include "enclave/path.h"
#include "enclave/process.h"

enum {
    AT_LIST = 4096,  /* iovecs or message headers */
    AT_DATA = 65536, /* buffers */
    UNIX_DOMAIN = 1,
    DATAGRAM = 2,
    STREAM = 1,
};

static void put_entry(unsigned index, uint64_t base, size_t length)
{
    const uint64_t entry[2] = {base, length};
    memcpy(fixture_at(AT_LIST + index * sizeof entry), entry, sizeof entry);
}

static void make_pipe(int out[2])
{
    assert_int_equal(syscall(__NR_pipe2, out, 0), 0);
}

static void close_pair(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

/* ---- lists of buffers ---- */

static void test_lists_are_written_and_read(void **state)
{
    int fds[2];
    (void)state;
    make_pipe(fds);
    memcpy(fixture_at(AT_DATA), "onetwothree", 11);
    put_entry(0, fixture_address(AT_DATA), 3);
    put_entry(1, 0, 0); /* an empty one lies anywhere */
    put_entry(2, fixture_address(AT_DATA + 3), 8);
    assert_int_equal(CALL(__NR_writev, (uint64_t)fds[1], fixture_address(AT_LIST), 3), 11);
    assert_int_not_equal(g_fixture.last.args[1], fixture_address(AT_LIST));
    put_entry(0, fixture_address(AT_DATA + 100), 5);
    put_entry(1, fixture_address(AT_DATA + 200), 50);
    assert_int_equal(CALL(__NR_readv, (uint64_t)fds[0], fixture_address(AT_LIST), 2), 11);
    assert_memory_equal(fixture_at(AT_DATA + 100), "onetw", 5);
    assert_memory_equal(fixture_at(AT_DATA + 200), "othree", 6);
    assert_int_equal(g_fixture.marks, 2); /* of reading only */
    assert_int_equal(g_fixture.marks_closed, 2);
    close_pair(fds);
}

static void test_lists_are_checked_entry_by_entry(void **state)
{
    uint64_t list = fixture_address(AT_LIST);
    (void)state;
    g_fixture.scripted = true;
    for (unsigned i = 0; i < IOVEC_MAX + 1; i++)
        put_entry(i, fixture_address(AT_DATA + i), 1);
    assert_int_equal(CALL(__NR_readv, 0, list, IOVEC_MAX), 0);
    assert_int_equal(CALL(__NR_readv, 0, list, 0), 0);
    assert_int_equal(g_fixture.calls, 2);
    assert_int_equal(CALL(__NR_readv, 0, list, IOVEC_MAX + 1), -EINVAL);
    assert_int_equal(CALL(__NR_readv, 0, list, (uint64_t)-1), -EINVAL);
    put_entry(1000, TABLES_BASE, 1);
    assert_int_equal(CALL(__NR_readv, 0, list, IOVEC_MAX), -EFAULT);
    assert_int_equal(CALL(__NR_writev, 0, list, IOVEC_MAX), -EFAULT);
    assert_int_equal(CALL(__NR_vmsplice, 0, list, IOVEC_MAX), -EFAULT);
    assert_int_equal(CALL(__NR_preadv2, 0, list, IOVEC_MAX), -EFAULT);
    put_entry(1000, fixture_address(0), 1ULL << 63);
    assert_int_equal(CALL(__NR_readv, 0, list, IOVEC_MAX), -EINVAL);
    put_entry(1000, fixture_address(0), PROGRAM_END);
    assert_int_equal(CALL(__NR_readv, 0, list, IOVEC_MAX), -EFAULT);
    assert_int_equal(CALL(__NR_readv, 0, PROGRAM_BASE, 1), -EFAULT); /* not mapped */
    assert_int_equal(g_fixture.calls, 2);
}

static void test_many_buffers_are_marked_with_few_marks(void **state)
{
    (void)state;
    g_fixture.scripted = true;
    for (unsigned i = 0; i < 100; i++)
        put_entry(i, fixture_address(AT_DATA + 1000 - i * 10), 10);
    CALL(__NR_readv, 0, fixture_address(AT_LIST), 100);
    assert_int_equal(g_fixture.marks, 5);
    assert_int_equal(g_fixture.mark[4].start, fixture_address(AT_DATA + 10));
    assert_int_equal(g_fixture.mark[4].length, 960);
}

/* ---- lengths by pointer ---- */

static void test_a_length_by_pointer_is_copied_both_ways(void **state)
{
    uint32_t *length = fixture_at(0);
    int fds[2];
    (void)state;
    assert_int_equal(syscall(__NR_socketpair, UNIX_DOMAIN, STREAM, 0, fds), 0);
    *length = 100;
    const uint64_t option[6] = {(uint64_t)fds[0], 1, 3, fixture_address(64), fixture_address(0)};
    assert_int_equal(fixture_call(__NR_getsockopt, option), 0); /* SO_TYPE */
    assert_int_equal(*length, sizeof(int));
    assert_int_equal(*(int *)fixture_at(64), STREAM);
    assert_int_not_equal(g_fixture.last.args[4], fixture_address(0));
    *length = (uint32_t)-1;
    assert_int_equal(fixture_call(__NR_getsockopt, option), -EINVAL);
    *length = 0x7fffffff;
    unsigned calls = g_fixture.calls;
    const uint64_t beyond[6] = {(uint64_t)fds[0], 1, 3, PROGRAM_END - 4096, fixture_address(0)};
    assert_int_equal(fixture_call(__NR_getsockopt, beyond), -EFAULT);
    assert_int_equal(g_fixture.calls, calls);
    /* No address wanted. */
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(CALL(__NR_recvfrom, (uint64_t)fds[0], fixture_address(64), 10, 0, 0, 0), 1);
    close_pair(fds);
}

/* ---- messages ---- */

struct header {
    uint64_t name, name_length, entries, count, control, control_length, flags;
};

/* The header at that place, with one buffer of its own. */
static struct header *put_message(size_t at, unsigned entry, uint64_t base, size_t length)
{
    struct header *header = fixture_at(at);
    put_entry(entry, base, length);
    *header = (struct header){.entries = fixture_address(AT_LIST + entry * 16), .count = 1};
    return header;
}

static void test_messages(void **state)
{
    struct header *header;
    int fds[2];
    (void)state;
    assert_int_equal(syscall(__NR_socketpair, UNIX_DOMAIN, DATAGRAM, 0, fds), 0);
    memcpy(fixture_at(AT_DATA), "a message", 9);
    put_message(0, 0, fixture_address(AT_DATA), 9);
    assert_int_equal(CALL(__NR_sendmsg, (uint64_t)fds[0], fixture_address(0), 0), 9);
    header = put_message(0, 0, fixture_address(AT_DATA + 512), 4);
    header->name = fixture_address(AT_DATA + 1024);
    header->name_length = 110;
    assert_int_equal(CALL(__NR_recvmsg, (uint64_t)fds[1], fixture_address(0), 0), 4);
    assert_memory_equal(fixture_at(AT_DATA + 512), "a me", 4);
    assert_int_equal(header->flags, 0x20); /* MSG_TRUNC */
    assert_int_equal((uint32_t)header->name_length, 0);
    assert_int_equal(header->entries, fixture_address(AT_LIST)); /* never our copy */
    close_pair(fds);
}

static void test_messages_are_checked(void **state)
{
    struct header *header = put_message(0, 0, TABLES_BASE, 9);
    (void)state;
    g_fixture.scripted = true;
    assert_int_equal(CALL(__NR_sendmsg, 3, fixture_address(0), 0), -EFAULT);
    header = put_message(0, 0, fixture_address(AT_DATA), 9);
    header->name = ELRANGE_END;
    header->name_length = 1;
    assert_int_equal(CALL(__NR_recvmsg, 3, fixture_address(0), 0), -EFAULT);
    header->name_length = 0;
    header->control = PROGRAM_END - 4;
    header->control_length = 8;
    assert_int_equal(CALL(__NR_recvmsg, 3, fixture_address(0), 0), -EFAULT);
    header->control_length = 0;
    header->count = IOVEC_MAX + 1;
    assert_int_equal(CALL(__NR_recvmsg, 3, fixture_address(0), 0), -EMSGSIZE);
    assert_int_equal(CALL(__NR_recvmsg, 3, PROGRAM_BASE, 0), -EFAULT);
    assert_int_equal(g_fixture.calls, 0);
}

static void test_many_messages(void **state)
{
    const size_t slot = 64;
    int fds[2];
    (void)state;
    assert_int_equal(syscall(__NR_socketpair, UNIX_DOMAIN, DATAGRAM, 0, fds), 0);
    memcpy(fixture_at(AT_DATA), "onetwothree", 11);
    put_message(0, 0, fixture_address(AT_DATA), 3);
    put_message(slot, 1, fixture_address(AT_DATA + 3), 3);
    put_message(2 * slot, 2, fixture_address(AT_DATA + 6), 5);
    put_message(3 * slot, 3, TABLES_BASE, 5); /* bad: ends the series */
    assert_int_equal(CALL(__NR_sendmmsg, (uint64_t)fds[0], fixture_address(0), 4, 0), 3);
    assert_int_equal(*(uint32_t *)fixture_at(2 * slot + 56), 5);
    assert_int_equal(CALL(__NR_sendmmsg, (uint64_t)fds[0], fixture_address(3 * slot), 1, 0),
                     -EFAULT);
    for (unsigned i = 0; i < 5; i++)
        put_message(i * slot, i, fixture_address(AT_DATA + 1000 + i * 10), 10);
    /* Waits for the first only; there are three. */
    assert_int_equal(CALL(__NR_recvmmsg, (uint64_t)fds[1], fixture_address(0), 5, 0x10000, 0), 3);
    assert_int_equal(*(uint32_t *)fixture_at(slot + 56), 3);
    assert_memory_equal(fixture_at(AT_DATA + 1020), "three", 5);
    assert_int_equal(CALL(__NR_recvmmsg, (uint64_t)fds[1], fixture_address(0), 5, 0x40, 0),
                     -EAGAIN);
    close_pair(fds);
}

/* ---- paths ---- */

static void expect_path(const char *path, enum path_kind kind, const char *expected)
{
    char buffer[PATH_BUFFER_SIZE] = "";
    assert_int_equal(path_rewrite(path, buffer), kind);
    assert_string_equal(buffer, expected);
}

static void test_paths_that_name_the_program(void **state)
{
    (void)state;
    expect_path("/proc/self/exe", PATH_EXECUTABLE, "/bin/true");
    expect_path("/proc/4242/exe", PATH_EXECUTABLE, "/bin/true");
    expect_path("/proc/self//exe", PATH_EXECUTABLE, "/bin/true");
    expect_path("/proc/4242/status", PATH_TRANSLATED, "/proc/self/status");
    expect_path("/proc/4242", PATH_TRANSLATED, "/proc/self");
    expect_path("/proc/self/task/4242/comm", PATH_TRANSLATED, "/proc/self/task/31337/comm");
    expect_path("/proc/4242/task/4242/comm", PATH_TRANSLATED, "/proc/self/task/31337/comm");
    expect_path("/proc/self/task", PATH_UNCHANGED, "");
    expect_path("/proc/self/task/99/comm", PATH_UNCHANGED, "");
    expect_path("/proc/4243/exe", PATH_UNCHANGED, "");
    expect_path("/proc/42424/exe", PATH_UNCHANGED, "");
    expect_path("/proc/4242x/exe", PATH_UNCHANGED, "");
    expect_path("/proc/99999999999999999999/exe", PATH_UNCHANGED, "");
    expect_path("/proc/self/maps", PATH_UNCHANGED, "");
    expect_path("/proc/cpuinfo", PATH_UNCHANGED, "");
    expect_path("/process", PATH_UNCHANGED, "");
    expect_path("", PATH_UNCHANGED, "");
}

static uint64_t put_path(size_t at, const char *path)
{
    strcpy(fixture_at(at), path);
    return fixture_address(at);
}

static void test_readlink(void **state)
{
    uint64_t exe = put_path(0, "/proc/self/exe");
    uint64_t out = fixture_address(AT_DATA);
    (void)state;
    assert_int_equal(CALL(__NR_readlink, exe, out, 100), 9);
    assert_memory_equal(fixture_at(AT_DATA), "/bin/true", 10); /* no terminator was written */
    assert_int_equal(CALL(__NR_readlink, exe, out, 4), 4);
    assert_int_equal(CALL(__NR_readlink, exe, out, 0), -EINVAL);
    assert_int_equal(CALL(__NR_readlinkat, (uint64_t)-100, exe, out, 100), 9);
    assert_int_equal(g_fixture.calls, 0);
    uint64_t root = put_path(64, "/proc/self/root");
    assert_int_equal(CALL(__NR_readlink, root, out, 100), 1);
    assert_int_equal(CALL(__NR_readlink, put_path(64, "/nowhere"), out, 100), -ENOENT);
    assert_int_equal(CALL(__NR_readlink, PROGRAM_BASE, out, 100), -EFAULT);
}

static void test_paths_are_translated_for_the_host(void **state)
{
    uint64_t exe = put_path(0, "/proc/4242/exe");
    uint64_t plain = put_path(256, "/bin/true");
    (void)state;
    g_fixture.scripted = true;
    CALL(__NR_stat, plain, fixture_address(AT_DATA));
    assert_int_equal(g_fixture.last.args[0], plain);
    g_fixture.watch = 1;
    CALL(__NR_faccessat, (uint64_t)-100, exe, 0);
    assert_memory_equal(g_fixture.last.words, "/bin/true", 10);
    g_fixture.watch = 3;
    CALL(__NR_renameat2, 3, plain, 4, exe, 0);
    assert_int_equal(g_fixture.last.args[1], plain);
    assert_memory_equal(g_fixture.last.words, "/bin/true", 10);
    /* A short string at the very end of what is mapped. */
    uint64_t last = put_path(FIXTURE_MEMORY_bytes - 2, ".");
    CALL(__NR_chdir, last);
    assert_int_equal(g_fixture.last.args[0], last);
}

/* ---- ids and clocks ---- */

static void test_virtual_ids(void **state)
{
    (void)state;
    g_fixture.scripted = true;
    CALL(__NR_sched_getscheduler, FIXTURE_PROCESS);
    assert_int_equal(g_fixture.last.args[0], FIXTURE_HOST_TID);
    CALL(__NR_sched_getscheduler, 0);
    assert_int_equal(g_fixture.last.args[0], 0);
    assert_int_equal(CALL(__NR_sched_getaffinity, 99, 8, fixture_address(0)), -ESRCH);
    CALL(__NR_getpriority, 0, FIXTURE_PROCESS);
    assert_int_equal(g_fixture.last.args[1], FIXTURE_HOST_TID);
    CALL(__NR_setpgid, 0, FIXTURE_PROCESS);
    assert_int_equal(g_fixture.last.args[1], FIXTURE_HOST_PROCESS);
    g_fixture.answer = FIXTURE_HOST_PROCESS;
    assert_int_equal(CALL(__NR_getpgrp, 0), FIXTURE_PROCESS);
    assert_int_equal(CALL(__NR_getsid, FIXTURE_PROCESS), FIXTURE_PROCESS);
    assert_int_equal(g_fixture.last.args[0], FIXTURE_HOST_PROCESS);
    g_fixture.answer = 17;
    assert_int_equal(CALL(__NR_getpgid, 0), 17);
}

/* As pthread_getcpuclockid and clock_getcpuclockid make them. */
static uint64_t clock_of(uint32_t id, uint32_t kind)
{
    return (uint64_t)(int64_t)(int32_t)(~id << 3 | kind);
}

static void test_clocks_of_threads(void **state)
{
    uint64_t clock;
    (void)state;
    assert_int_equal(call_host_clock(CLOCK_MONOTONIC, &clock), 0);
    assert_int_equal(clock, CLOCK_MONOTONIC);
    assert_int_equal(call_host_clock(clock_of(FIXTURE_PROCESS, 6), &clock), 0);
    assert_int_equal(clock, clock_of(FIXTURE_HOST_TID, 6));
    assert_int_equal(call_host_clock(clock_of(FIXTURE_PROCESS, 2), &clock), 0);
    assert_int_equal(clock, clock_of(FIXTURE_HOST_PROCESS, 2));
    assert_int_equal(call_host_clock(clock_of(0, 6), &clock), 0);
    assert_int_equal(clock, clock_of(0, 6));
    assert_int_equal(call_host_clock(clock_of(99, 6), &clock), -EINVAL);
    assert_int_equal(call_host_clock(clock_of(5, 3), &clock), 0); /* of a descriptor */
    assert_int_equal(clock, clock_of(5, 3));
}

static void test_names_of_threads(void **state)
{
    (void)state;
    assert_int_equal(CALL(__NR_prctl, 16, fixture_address(64)), 0);
    assert_string_equal(fixture_at(64), "true"); /* the executable's */
    put_path(0, "a-name-that-is-too-long");
    assert_int_equal(CALL(__NR_prctl, 15, fixture_address(0)), 0);
    assert_string_equal(g_fixture.thread->name, "a-name-that-is-");
    assert_int_equal(CALL(__NR_prctl, 16, fixture_address(64)), 0);
    assert_string_equal(fixture_at(64), "a-name-that-is-");
    assert_int_equal(CALL(__NR_prctl, 15, TABLES_BASE), -EFAULT);
    unsigned calls = g_fixture.calls;
    assert_int_equal(CALL(__NR_prctl, 22, 1, 0), -EINVAL); /* PR_SET_SECCOMP */
    assert_int_equal(CALL(__NR_prctl, 59, 0, 0), -EINVAL); /* PR_SET_SYSCALL_USER_DISPATCH */
    assert_int_equal(g_fixture.calls, calls);
}

/* Requests of include/optmig.h: who has to wait waits in the host, all others come back. */
static void test_hooks(void **state)
{
    const long request = 0x4f4d6967;
    (void)state;
    g_tables->clock.moves = 4;
    unsigned calls = g_fixture.calls;
    assert_int_equal(CALL(__NR_prctl, request, 1, 4), 0); /* it is the fifth here */
    assert_int_equal(CALL(__NR_prctl, request, 1, 6), 0);
    assert_int_equal(CALL(__NR_prctl, request, 1, 5 | 1ULL << 32), 0);
    assert_int_equal(CALL(__NR_prctl, request, 3, 0), 0); /* nobody was told */
    assert_int_equal(CALL(__NR_prctl, request, 4, 0), -EINVAL);
    assert_int_equal(g_tables->hooks.unready, 0);
    assert_int_equal(hooks_announce_stop(), 0);
    assert_int_equal(g_tables->hooks.announced, 0);
    assert_int_equal(g_fixture.calls, calls);
    g_fixture.scripted = true;
    g_fixture.answer = -EINTR;
    assert_int_equal(CALL(__NR_prctl, request, 1, 5), CALL_INTERRUPTED);
    assert_int_equal(g_fixture.last.nr, __NR_futex);
    assert_true(g_fixture.last.blocking);
    assert_int_equal(g_fixture.last.args[0], (uintptr_t)&g_tables->clock.moves);
    assert_int_equal(g_fixture.last.args[2], 4);
    assert_int_equal(CALL(__NR_prctl, request, 2, 1 << 20), CALL_INTERRUPTED);
    assert_int_equal(g_fixture.last.args[0], (uintptr_t)&g_tables->hooks.announced);
    assert_int_equal(g_tables->hooks.max_ms, 100);
    assert_int_equal(g_tables->hooks.waiting, 0); /* who was interrupted is not waited for */
    g_tables->clock.moves = 0;
}

/* ---- limits ---- */

static uint64_t put_limit(uint64_t soft, uint64_t hard)
{
    const uint64_t limit[2] = {soft, hard};
    memcpy(fixture_at(0), limit, sizeof limit);
    return fixture_address(0);
}

static void test_limit_on_descriptors(void **state)
{
    const uint64_t *limit = fixture_at(64);
    (void)state;
    assert_int_equal(CALL(__NR_getrlimit, RLIMIT_NOFILE, fixture_address(64)), 0);
    assert_int_equal(limit[0], 512);
    assert_int_equal(limit[1], FIXTURE_HOST_FD);
    assert_int_equal(CALL(__NR_setrlimit, RLIMIT_NOFILE, put_limit(800, 900)), 0);
    assert_int_equal(CALL(__NR_prlimit64, FIXTURE_PROCESS, RLIMIT_NOFILE, put_limit(100, 850),
                          fixture_address(64)),
                     0);
    assert_int_equal(limit[0], 800);
    assert_int_equal(CALL(__NR_setrlimit, RLIMIT_NOFILE, put_limit(100, 860)), -EPERM);
    assert_int_equal(CALL(__NR_setrlimit, RLIMIT_NOFILE, put_limit(700, 600)), -EINVAL);
    g_facts.privileged = true;
    assert_int_equal(CALL(__NR_setrlimit, RLIMIT_NOFILE, put_limit(100, 860)), 0);
    assert_int_equal(CALL(__NR_setrlimit, RLIMIT_NOFILE, put_limit(100, 901)), -EPERM);
    assert_int_equal(CALL(__NR_prlimit64, 99, RLIMIT_NOFILE, 0, fixture_address(64)), -ESRCH);
    assert_int_equal(CALL(__NR_getrlimit, PROCESS_LIMITS, fixture_address(64)), -EINVAL);
    assert_int_equal(g_fixture.calls, 0); /* the host's own limit is another matter */
}

static void test_other_limits(void **state)
{
    const uint64_t *limit = fixture_at(64);
    uint64_t host[2];
    (void)state;
    assert_int_equal(CALL(__NR_getrlimit, RLIMIT_AS, fixture_address(64)), 0);
    assert_int_equal(CALL(__NR_setrlimit, RLIMIT_AS, put_limit(1 << 20, limit[1])), 0);
    assert_int_equal(syscall(__NR_prlimit64, 0, RLIMIT_AS, 0, host), 0);
    assert_int_not_equal(host[0], 1 << 20); /* not applied to this process */
    assert_int_equal(syscall(__NR_prlimit64, 0, RLIMIT_CORE, 0, host), 0);
    assert_int_equal(CALL(__NR_setrlimit, RLIMIT_CORE, put_limit(0, host[1])), 0);
    assert_int_equal(syscall(__NR_prlimit64, 0, RLIMIT_CORE, 0, host), 0);
    assert_int_equal(host[0], 0); /* but this one is */
    assert_true(g_tables->process.limits_set & 1U << RLIMIT_CORE);
}

/* ---- timers ---- */

static uint64_t put_spec(int64_t interval_s, int64_t value_s)
{
    const int64_t spec[4] = {interval_s, 0, value_s, 0};
    memcpy(fixture_at(512), spec, sizeof spec);
    return fixture_address(512);
}

/* struct sigevent without a signal. */
static uint64_t put_event(void)
{
    uint32_t event[16] = {0};
    event[3] = 1; /* SIGEV_NONE */
    memcpy(fixture_at(256), event, sizeof event);
    return fixture_address(256);
}

static void test_posix_timers_outlive_a_move(void **state)
{
    const uint64_t second = 1000000000ULL;
    const int64_t *spec = fixture_at(640);
    int32_t *id = fixture_at(0);
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(CALL(__NR_timer_create, CLOCK_MONOTONIC, put_event(), fixture_address(0)),
                         0);
        assert_int_equal(*id, i);
    }
    assert_int_equal(CALL(__NR_timer_delete, 1), 0);
    assert_int_equal(CALL(__NR_timer_delete, 1), -EINVAL);
    assert_int_equal(CALL(__NR_timer_settime, 0, 0, put_spec(7, 100), 0), 0);
    assert_int_equal(timers_capture(), 0);
    assert_int_equal(timers_virtual_id(g_tables->timers.posix[2].host_id), 2);
    /* The destination: other ids, an hour's worth of clock difference, 30 seconds later. */
    for (int i = 0; i < 3; i += 2)
        syscall(__NR_timer_delete, g_tables->timers.posix[i].host_id);
    g_fixture.now_ns += 30 * second;
    assert_int_equal(timers_restore(), 0);
    assert_int_equal(CALL(__NR_timer_gettime, 0, fixture_address(640)), 0);
    assert_int_equal(spec[0], 7);
    assert_true(spec[2] == 69 || spec[2] == 70);
    assert_int_equal(CALL(__NR_timer_gettime, 2, fixture_address(640)), 0);
    assert_int_equal(spec[2] | spec[3], 0); /* never armed */
    /* One that ended during the pause fires at once, which SIGEV_NONE shows as its next interval.
     */
    assert_int_equal(timers_capture(), 0);
    syscall(__NR_timer_delete, g_tables->timers.posix[0].host_id);
    syscall(__NR_timer_delete, g_tables->timers.posix[2].host_id);
    g_fixture.now_ns += 1000 * second;
    assert_int_equal(timers_restore(), 0);
    assert_int_equal(CALL(__NR_timer_gettime, 0, fixture_address(640)), 0);
    assert_true(spec[2] <= 7);
    assert_int_equal(CALL(__NR_timer_delete, 0), 0);
    assert_int_equal(CALL(__NR_timer_delete, 2), 0);
    assert_int_equal(CALL(__NR_timer_gettime, 0, fixture_address(640)), -EINVAL);
    assert_int_equal(CALL(__NR_timer_gettime, POSIX_TIMERS_MAX, fixture_address(640)), -EINVAL);
}

static void test_absolute_timers(void **state)
{
    const int64_t *spec = fixture_at(640);
    struct {
        int64_t seconds, ns;
    } now;
    (void)state;
    assert_int_equal(syscall(__NR_clock_gettime, CLOCK_MONOTONIC, &now), 0);
    g_tables->clock.monotonic_offset_ns = 5000 * 1000000000LL;
    assert_int_equal(CALL(__NR_timer_create, CLOCK_MONOTONIC, put_event(), fixture_address(0)), 0);
    uint64_t id = *(uint32_t *)fixture_at(0);
    uint64_t end = put_spec(0, now.seconds + 5000 + 100);
    assert_int_equal(CALL(__NR_timer_settime, id, TIMER_ABSTIME, end, 0), 0);
    assert_int_equal(CALL(__NR_timer_gettime, id, fixture_address(640)), 0);
    assert_true(spec[2] >= 95 && spec[2] <= 100);
    assert_int_equal(CALL(__NR_timer_delete, id), 0);
}

static void test_interval_timers_outlive_a_move(void **state)
{
    const uint64_t off[4] = {0};
    uint64_t now[4];
    (void)state;
    put_spec(9, 100);
    assert_int_equal(CALL(__NR_setitimer, 0, fixture_address(512), 0), 0);
    assert_int_equal(timers_capture(), 0);
    assert_int_equal(syscall(__NR_setitimer, 0, off, 0), 0);
    g_fixture.now_ns += 40 * 1000000000ULL;
    assert_int_equal(timers_restore(), 0);
    assert_int_equal(syscall(__NR_getitimer, 0, now), 0);
    assert_int_equal(now[0], 9);
    assert_true(now[2] == 59 || now[2] == 60);
    assert_int_equal(syscall(__NR_setitimer, 0, off, 0), 0);
}

/* ---- other attributes of the process ---- */

static void test_attributes_outlive_a_move(void **state)
{
    char directory[PROCESS_PATH_MAX];
    (void)state;
    long mask = syscall(__NR_umask, 027);
    assert_true(syscall(__NR_getcwd, directory, sizeof directory) > 0);
    assert_int_equal(syscall(__NR_chdir, "/usr"), 0);
    assert_int_equal(process_capture(), 0);
    assert_int_equal(syscall(__NR_umask, 077), 027); /* capture has left it as it was */
    assert_int_equal(syscall(__NR_chdir, directory), 0);
    process_restore();
    assert_int_equal(syscall(__NR_umask, mask), 027);
    char now[PROCESS_PATH_MAX] = "";
    assert_true(syscall(__NR_getcwd, now, sizeof now) > 0);
    assert_string_equal(now, "/usr");
    assert_int_equal(syscall(__NR_chdir, directory), 0);
    str_copy(g_tables->process.directory, "/not/there", PROCESS_PATH_MAX);
    process_restore();
    syscall(__NR_umask, mask);
    assert_non_null(strstr(g_fixture.log, "/not/there"));
    assert_int_equal(process_restore_thread(), 0); /* nothing was changed, nothing to do */
}

static void test_changed_ids_are_recorded(void **state)
{
    const struct process_ids *ids = &g_tables->process.ids;
    (void)state;
    assert_false(ids->changed);
    assert_int_equal(CALL(__NR_setuid, getuid()), 0);
    assert_true(ids->changed);
    assert_int_equal(ids->user[1], getuid());
    assert_int_equal(ids->group[2], getgid());
    assert_int_equal(process_restore_thread(), 0);
    g_fixture.scripted = true;
    g_fixture.answer = -EPERM;
    g_tables->process.ids.changed = true;
    assert_int_equal(process_restore_thread(), -EPERM);
}

/* In a child, because there is no way back. */
static void test_rights_that_were_given_away_stay_away(void **state)
{
    struct process_ids *ids = &g_tables->process.ids;
    (void)state;
    if (getuid() != 0)
        skip();
    ids->changed = true;
    for (int i = 0; i < 3; i++) {
        ids->user[i] = 65534;
        ids->group[i] = 65533;
    }
    ids->group_count = 1;
    ids->groups[0] = 65532;
    pid_t child = fork();
    if (child == 0) {
        uint32_t group = 0;
        bool right = process_restore_thread() == 0 && getuid() == 65534 && geteuid() == 65534 &&
                     getegid() == 65533 && syscall(__NR_getgroups, 1, &group) == 1 &&
                     group == 65532 && syscall(__NR_setresuid, 0, 0, 0) != 0;
        _exit(right ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(syscall(__NR_wait4, child, &status, 0, 0), child);
    assert_int_equal(status, 0);
}

/* ---- answers of a host that lies ---- */

static long answer(long nr, uint64_t a1, uint64_t a2, uint64_t a3, long result)
{
    const uint64_t args[6] = {3, a1, a2, a3};
    return host_result(nr, args, result);
}

static void test_impossible_answers_are_errors(void **state)
{
    const uint64_t entries[] = {fixture_address(AT_DATA), 10, 0, 20};
    const uint64_t header[] = {0, 0, (uint64_t)entries, 2};
    (void)state;
    assert_int_equal(answer(__NR_read, 0, 10, 0, 10), 10);
    assert_int_equal(answer(__NR_read, 0, 10, 0, 11), -EIO);
    assert_int_equal(answer(__NR_read, 0, 10, 0, (long)TABLES_BASE), -EIO);
    assert_int_equal(answer(__NR_write, 0, 10, 0, 11), -EIO);
    assert_int_equal(answer(__NR_readv, (uint64_t)entries, 2, 0, 30), 30);
    assert_int_equal(answer(__NR_readv, (uint64_t)entries, 2, 0, 31), -EIO);
    assert_int_equal(answer(__NR_recvmsg, (uint64_t)header, 0, 0, 31), -EIO);
    assert_int_equal(answer(__NR_epoll_wait, 0, 4, 0, 5), -EIO);
    assert_int_equal(answer(__NR_getcwd, 10, 0, 0, 11), -EIO);
    assert_int_equal(answer(__NR_openat, 0, 0, 0, -4096), -EIO);
    assert_int_equal(answer(__NR_openat, 0, 0, 0, -4095), -4095);
    assert_int_equal(answer(__NR_read, 0, 10, 0, -OM_ECANCELLED), -OM_ECANCELLED);
}

static void test_answers_that_only_look_too_large_pass(void **state)
{
    const uint64_t entries[] = {fixture_address(AT_DATA), 10};
    const uint64_t header[] = {0, 0, (uint64_t)entries, 1};
    enum { TRUNCATED = 0x20, OPEN_HOW_bytes = 24 };
    (void)state;
    assert_int_equal(answer(__NR_openat2, 0, 0, OPEN_HOW_bytes, 30), 30);
    assert_int_equal(answer(__NR_recvfrom, 0, 10, TRUNCATED, 500), 500);
    assert_int_equal(answer(__NR_recvmsg, (uint64_t)header, TRUNCATED, 0, 500), 500);
    assert_int_equal(answer(__NR_fgetxattr, 0, 0, 0, 500), 500);
    assert_int_equal(answer(__NR_lseek, 0, 0, 0, 1L << 40), 1L << 40);
}

static void test_a_futex_wakes_for_nothing_rather_than_fail(void **state)
{
    (void)state;
    assert_int_equal(answer(__NR_futex, FUTEX_WAIT_PRIVATE, 7, 0, -EIO), 0);
    assert_int_equal(answer(__NR_futex, FUTEX_WAIT_PRIVATE, 7, 0, 1), 0);
    assert_int_equal(answer(__NR_futex, FUTEX_WAIT_PRIVATE, 7, 0, -EAGAIN), -EAGAIN);
    assert_int_equal(answer(__NR_futex, FUTEX_WAKE_PRIVATE, 7, 0, 7), 7);
    assert_int_equal(answer(__NR_futex, FUTEX_WAKE_PRIVATE, 7, 0, 8), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_impossible_answers_are_errors, fixture_reset),
        cmocka_unit_test_setup(test_answers_that_only_look_too_large_pass, fixture_reset),
        cmocka_unit_test_setup(test_a_futex_wakes_for_nothing_rather_than_fail, fixture_reset),
        cmocka_unit_test_setup(test_lists_are_written_and_read, fixture_reset),
        cmocka_unit_test_setup(test_lists_are_checked_entry_by_entry, fixture_reset),
        cmocka_unit_test_setup(test_many_buffers_are_marked_with_few_marks, fixture_reset),
        cmocka_unit_test_setup(test_a_length_by_pointer_is_copied_both_ways, fixture_reset),
        cmocka_unit_test_setup(test_messages, fixture_reset),
        cmocka_unit_test_setup(test_messages_are_checked, fixture_reset),
        cmocka_unit_test_setup(test_many_messages, fixture_reset),
        cmocka_unit_test_setup(test_paths_that_name_the_program, fixture_reset),
        cmocka_unit_test_setup(test_readlink, fixture_reset),
        cmocka_unit_test_setup(test_paths_are_translated_for_the_host, fixture_reset),
        cmocka_unit_test_setup(test_virtual_ids, fixture_reset),
        cmocka_unit_test_setup(test_clocks_of_threads, fixture_reset),
        cmocka_unit_test_setup(test_hooks, fixture_reset),
        cmocka_unit_test_setup(test_names_of_threads, fixture_reset),
        cmocka_unit_test_setup(test_limit_on_descriptors, fixture_reset),
        cmocka_unit_test_setup(test_other_limits, fixture_reset),
        cmocka_unit_test_setup(test_posix_timers_outlive_a_move, fixture_reset),
        cmocka_unit_test_setup(test_absolute_timers, fixture_reset),
        cmocka_unit_test_setup(test_interval_timers_outlive_a_move, fixture_reset),
        cmocka_unit_test_setup(test_attributes_outlive_a_move, fixture_reset),
        cmocka_unit_test_setup(test_changed_ids_are_recorded, fixture_reset),
        cmocka_unit_test_setup(test_rights_that_were_given_away_stay_away, fixture_reset),
    };
    return cmocka_run_group_tests_name("system calls", tests, fixture_create, NULL);
}
