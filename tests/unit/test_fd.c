/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that are no sockets: each kind is made by the program's own calls, moved to another
 * process, and must behave there as before; and as well at the source when the move is called off.
 * So most tests are a function that makes things and one that checks them, in whichever process.
 */
#include "tests/unit/fd_fixture.h"

#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/stat.h>
#include <linux/close_range.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/inotify.h>
#include <linux/stat.h>
#include <linux/time_types.h>
#include <linux/timerfd.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECOND 1000000000LL
#define MILLISECOND 1000000LL

static long g_fd[16]; /* of the test under way; the destination knows them too */

static long text_of(long fd, char *out, size_t capacity)
{
    long got = K(__NR_read, (uint64_t)fd, A(out), capacity - 1);

    out[got > 0 ? got : 0] = 0;
    return got;
}

static void check_text(long fd, const char *should)
{
    char text[256];

    text_of(fd, text, sizeof(text));
    if (strcmp(text, should) != 0)
        fixture_check(false, text, __FILE__, __LINE__);
}

static bool is_ready(long fd, int16_t events)
{
    struct pollfd poll = {.fd = (int32_t)fd, .events = events};

    return K(__NR_poll, A(&poll), 1, 0) == 1;
}

static long open_new(const char *name, uint32_t flags)
{
    return P(sys_openat, FD_AT_CWD, A(fixture_path(name)), flags, 0600);
}

/* ---- files ---- */

static void check_files(void)
{
    char text[4];

    /* Reading on by one descriptor moves the offset of its copies. */
    check_text(g_fd[0], "56789");
    CHECK_EQUAL(K(__NR_lseek, (uint64_t)g_fd[1], 0, SEEK_CUR), 10);
    CHECK_EQUAL(K(__NR_lseek, (uint64_t)g_fd[2], 0, SEEK_CUR), 10);
    CHECK_EQUAL(K(__NR_lseek, (uint64_t)g_fd[0], 5, SEEK_SET), 5);
    CHECK_EQUAL(K(__NR_fcntl, (uint64_t)g_fd[0], F_GETFD), 0);
    CHECK_EQUAL(K(__NR_fcntl, (uint64_t)g_fd[1], F_GETFD), 0);
    CHECK_EQUAL(K(__NR_fcntl, (uint64_t)g_fd[2], F_GETFD), FD_CLOEXEC);
    /* Another opening of the same file has an offset of its own. */
    CHECK_EQUAL(K(__NR_lseek, (uint64_t)g_fd[3], 0, SEEK_CUR), 2);
    /* Appending. */
    CHECK_EQUAL(K(__NR_fcntl, (uint64_t)g_fd[4], F_GETFL) & (O_APPEND | O_ACCMODE),
                O_APPEND | O_WRONLY);
    CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[4], A(text), 1), -EBADF);
    /* Set by fcntl. */
    CHECK_EQUAL(K(__NR_fcntl, (uint64_t)g_fd[5], F_GETFL) & (O_APPEND | O_NONBLOCK), O_NONBLOCK);
    /* A device, and a descriptor that only names a file. */
    CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[6], A(text), 4), 4);
    CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[7], A(text), 4), -EBADF);
    CHECK_EQUAL(K(__NR_fcntl, (uint64_t)g_fd[7], F_GETFL) & O_PATH, O_PATH);
    /* A hole in the numbers is still one. */
    CHECK_EQUAL(K(__NR_fcntl, 40, F_GETFD), -EBADF);
}

static void test_files(void **state)
{
    (void)state;
    fixture_file("ten", "0123456789");
    g_fd[0] = open_new("ten", O_RDONLY);
    K(__NR_lseek, (uint64_t)g_fd[0], 5, SEEK_SET);
    g_fd[1] = P(sys_dup, (uint64_t)g_fd[0]);
    g_fd[2] = P(sys_fcntl, (uint64_t)g_fd[0], F_DUPFD_CLOEXEC, 77);
    assert_int_equal(g_fd[2], 77);
    g_fd[3] = open_new("ten", O_RDONLY | O_CLOEXEC);
    K(__NR_lseek, (uint64_t)g_fd[3], 2, SEEK_SET);
    g_fd[4] = open_new("log", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);
    K(__NR_write, (uint64_t)g_fd[4], A("line\n"), 5);
    g_fd[5] = open_new("new", O_RDWR | O_CREAT | O_EXCL | O_APPEND);
    assert_int_equal(P(sys_fcntl, (uint64_t)g_fd[5], F_SETFL, O_NONBLOCK), 0);
    g_fd[6] = P(sys_open, A("/dev/zero"), O_RDONLY);
    g_fd[7] = open_new("ten", O_PATH);
    fixture_move(check_files);
    fixture_move_away(check_files);
}

/* What O_CREAT, O_TRUNC and O_EXCL have done once is not done again. */
static void check_kept(void)
{
    char text[8] = {0};

    CHECK_EQUAL(K(__NR_pread64, (uint64_t)g_fd[0], A(text), 7, 0), 4);
    CHECK(strcmp(text, "kept") == 0);
}

static void test_truncation_is_not_repeated(void **state)
{
    (void)state;
    g_fd[0] = open_new("file", O_RDWR | O_CREAT | O_TRUNC | O_EXCL);
    K(__NR_write, (uint64_t)g_fd[0], A("kept"), 4);
    fixture_move(check_kept);
}

/* Calls of getdents until the end. */
static long parts_left(long fd)
{
    char buffer[64] __attribute__((aligned(8)));
    long parts = 0;

    while (K(__NR_getdents64, (uint64_t)fd, A(buffer), sizeof(buffer)) > 0)
        parts++;
    return parts;
}

static void check_directories(void)
{
    CHECK_EQUAL(parts_left(g_fd[0]), g_fd[2] - 3);
    CHECK_EQUAL(parts_left(g_fd[1]), 0);
    for (unsigned i = 0; i < 2; i++) {
        K(__NR_lseek, (uint64_t)g_fd[i], 0, SEEK_SET);
        CHECK_EQUAL(parts_left(g_fd[i]), g_fd[2]);
    }
    K(__NR_lseek, (uint64_t)g_fd[0], (uint64_t)g_fd[3], SEEK_SET);
}

static void test_directories(void **state)
{
    char buffer[64] __attribute__((aligned(8)));

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        char name[8];

        str_format(name, sizeof(name), "d%u", i);
        fixture_file(name, "");
    }
    for (unsigned i = 0; i < 2; i++)
        g_fd[i] = P(sys_open, A(fixture_path("")), O_RDONLY | O_DIRECTORY);
    g_fd[2] = parts_left(g_fd[1]); /* which stays at the end */
    assert_true(g_fd[2] >= 5);
    for (unsigned i = 0; i < 3; i++)
        K(__NR_getdents64, (uint64_t)g_fd[0], A(buffer), sizeof(buffer));
    g_fd[3] = K(__NR_lseek, (uint64_t)g_fd[0], 0, SEEK_CUR);
    fixture_move(check_directories);
}

static void check_renamed(void)
{
    check_text(g_fd[0], "first");
    K(__NR_lseek, (uint64_t)g_fd[0], 0, SEEK_SET);
}

/* Log rotation between the request and the stop. */
static void test_renamed_file(void **state)
{
    static uint8_t description[DESCRIPTION_bytes];
    struct fd_obstacle obstacle;

    (void)state;
    fixture_file("a", "first");
    g_fd[0] = open_new("a", O_RDONLY);
    assert_true(fd_prepare(description, sizeof(description), false, &obstacle) > 0);
    K(__NR_rename, A(fixture_path("a")), A(fixture_path("b")));
    fixture_file("a", "second");
    fixture_move(check_renamed);
}

static void check_locks(void)
{
    struct flock probe = {.l_type = F_WRLCK, .l_start = 0, .l_len = 0};
    long other = K(__NR_open, A(fixture_path("locked")), O_RDWR);

    /* Asked as an open file of its own, so that the process's own locks are in the way. */
    CHECK_EQUAL(K(__NR_fcntl, (uint64_t)other, F_OFD_GETLK, A(&probe)), 0);
    CHECK_EQUAL(probe.l_type, F_WRLCK);
    CHECK_EQUAL(probe.l_start, 10);
    CHECK_EQUAL(probe.l_len, 5);
    K(__NR_close, (uint64_t)other);
    other = K(__NR_open, A(fixture_path("flocked")), O_RDWR);
    CHECK_EQUAL(K(__NR_flock, (uint64_t)other, LOCK_SH | LOCK_NB), -EAGAIN);
    K(__NR_close, (uint64_t)other);
}

static void test_locks(void **state)
{
    struct flock range = {.l_type = F_WRLCK, .l_start = 10, .l_len = 5};

    (void)state;
    fixture_file("locked", "0123456789012345");
    fixture_file("flocked", "");
    g_fd[0] = open_new("locked", O_RDWR);
    g_fd[1] = open_new("flocked", O_RDWR);
    assert_int_equal(P(sys_fcntl, (uint64_t)g_fd[0], F_OFD_SETLK, A(&range)), 0);
    assert_int_equal(P(sys_flock, (uint64_t)g_fd[1], LOCK_EX), 0);
    fixture_move(check_locks);
    fixture_move_away(check_locks);
}

/* ---- pipes ---- */

static void check_pipes(void)
{
    char text[16];

    check_text(g_fd[0], "hello");
    K(__NR_write, (uint64_t)g_fd[1], A("hello"), 5);
    CHECK_EQUAL(K(__NR_fcntl, (uint64_t)g_fd[0], 1032), 16384);
    CHECK_EQUAL(K(__NR_fcntl, (uint64_t)g_fd[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    CHECK_EQUAL(K(__NR_fcntl, (uint64_t)g_fd[1], F_GETFL) & O_NONBLOCK, 0);
    /* Nobody can write any more: what was written, then the end. */
    check_text(g_fd[2], "last");
    CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[2], A(text), sizeof(text)), 0);
    /* Nobody reads. */
    CHECK_EQUAL(K(__NR_write, (uint64_t)g_fd[3], A("x"), 1), -EPIPE);
    /* Packets stay apart. */
    CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[4], A(text), sizeof(text)), 3);
    CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[4], A(text), sizeof(text)), 2);
    CHECK(!is_ready(g_fd[4], POLLIN));
}

static void make_pipes(int32_t pipes[4][2])
{
    assert_int_equal(P(sys_pipe2, A(pipes[0]), O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(P(sys_pipe, A(pipes[1])), 0);
    assert_int_equal(P(sys_pipe, A(pipes[2])), 0);
    assert_int_equal(P(sys_pipe2, A(pipes[3]), O_DIRECT), 0);
}

static void test_pipes(void **state)
{
    const struct {
        uint64_t handler, flags;
        uint8_t rest[136];
    } ignore = {.handler = 1};
    const uint64_t broken_pipe = 13;
    int32_t pipes[4][2];

    (void)state;
    K(__NR_rt_sigaction, broken_pipe, A(&ignore), 0, 8);
    make_pipes(pipes);
    g_fd[0] = pipes[0][0];
    g_fd[1] = pipes[0][1];
    assert_int_equal(P(sys_fcntl, (uint64_t)g_fd[1], 1031, 16384), 16384);
    assert_int_equal(P(sys_fcntl, (uint64_t)g_fd[1], F_SETFL, 0), 0);
    K(__NR_write, (uint64_t)g_fd[1], A("hello"), 5);
    g_fd[2] = pipes[1][0];
    K(__NR_write, (uint64_t)pipes[1][1], A("last"), 4);
    assert_int_equal(P(sys_close, (uint64_t)pipes[1][1]), 0);
    g_fd[3] = pipes[2][1];
    assert_int_equal(P(sys_close, (uint64_t)pipes[2][0]), 0);
    g_fd[4] = pipes[3][0];
    K(__NR_write, (uint64_t)pipes[3][1], A("abc"), 3);
    K(__NR_write, (uint64_t)pipes[3][1], A("de"), 2);
    fixture_move(check_pipes);
}

enum { FULL_bytes = 65536 };

static void check_full_pipe(void)
{
    static uint8_t bytes[FULL_bytes];
    uint32_t at = 0;

    CHECK(!is_ready(g_fd[1], POLLOUT));
    while (at < FULL_bytes)
        at += (uint32_t)K(__NR_read, (uint64_t)g_fd[0], A(bytes + at), FULL_bytes - at);
    for (uint32_t i = 0; i < FULL_bytes; i++)
        CHECK(bytes[i] == (uint8_t)(i * 7 >> 3));
    CHECK(!is_ready(g_fd[0], POLLIN));
}

static void test_full_pipe(void **state)
{
    static uint8_t bytes[FULL_bytes];
    int32_t fds[2];

    (void)state;
    for (uint32_t i = 0; i < FULL_bytes; i++)
        bytes[i] = (uint8_t)(i * 7 >> 3);
    assert_int_equal(P(sys_pipe, A(fds)), 0);
    g_fd[0] = fds[0];
    g_fd[1] = fds[1];
    assert_int_equal(K(__NR_write, (uint64_t)fds[1], A(bytes), FULL_bytes), FULL_bytes);
    fixture_move(check_full_pipe);
}

/* The ends of two pipes cross the numbers at which the destination happens to make them. */
static void check_crossed(void)
{
    for (unsigned i = 0; i < 2; i++) {
        K(__NR_write, (uint64_t)g_fd[2 * i + 1], A(i ? "one" : "two"), 3);
        check_text(g_fd[2 * i], i ? "one" : "two");
    }
}

static void test_crossed_numbers(void **state)
{
    int32_t fds[2], other[2];

    (void)state;
    assert_int_equal(P(sys_pipe, A(fds)), 0);
    assert_int_equal(P(sys_pipe, A(other)), 0);
    P(sys_dup2, (uint64_t)fds[0], 50);
    P(sys_dup2, (uint64_t)fds[1], (uint64_t)fds[0]); /* the writer is before the reader */
    P(sys_dup2, 50, (uint64_t)fds[1]);
    P(sys_close, 50);
    g_fd[0] = fds[1];
    g_fd[1] = fds[0];
    g_fd[2] = other[0];
    g_fd[3] = other[1];
    fixture_move(check_crossed);
}

/* ---- counters and timers ---- */

static void check_counters(void)
{
    uint64_t count;

    CHECK(is_ready(g_fd[0], POLLIN));
    CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[0], A(&count), 8), 8);
    CHECK_EQUAL(count, 7);
    CHECK(!is_ready(g_fd[0], POLLIN));
    CHECK_EQUAL(K(__NR_write, (uint64_t)g_fd[0], A(&count), 8), 8);
    CHECK(!is_ready(g_fd[1], POLLIN));
    CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[1], A(&count), 8), -EAGAIN);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[2], A(&count), 8), 8);
        CHECK_EQUAL(count, 1);
    }
    CHECK(!is_ready(g_fd[2], POLLIN));
}

static void test_eventfds(void **state)
{
    (void)state;
    g_fd[0] = P(sys_eventfd2, 7, O_CLOEXEC);
    g_fd[1] = P(sys_eventfd2, 0, O_NONBLOCK);
    g_fd[2] = P(sys_eventfd2, 3, 1);
    fixture_move(check_counters);
}

static int64_t remaining_ns(long fd, int64_t *out_interval)
{
    struct __kernel_itimerspec left;

    CHECK_EQUAL(P(sys_timerfd_gettime, (uint64_t)fd, A(&left)), 0);
    *out_interval = left.it_interval.tv_sec * SECOND + left.it_interval.tv_nsec;
    return left.it_value.tv_sec * SECOND + left.it_value.tv_nsec;
}

static uint64_t ticks_of(long fd)
{
    uint64_t ticks = 0;

    CHECK(is_ready(fd, POLLIN));
    CHECK_EQUAL(K(__NR_read, (uint64_t)fd, A(&ticks), 8), 8);
    return ticks;
}

static int64_t g_expiry_ns; /* on the program's clock */

static void check_timers(void)
{
    int64_t interval, left = remaining_ns(g_fd[0], &interval);
    int64_t error = (int64_t)clock_monotonic_ns() + left - g_expiry_ns;

    CHECK(error > -MILLISECOND && error < MILLISECOND);
    CHECK_EQUAL(interval, 250 * MILLISECOND);
    left = remaining_ns(g_fd[1], &interval);
    error = (int64_t)clock_monotonic_ns() + left - g_expiry_ns;
    CHECK(error > -MILLISECOND && error < MILLISECOND);
    CHECK_EQUAL(remaining_ns(g_fd[2], &interval), 0);
    CHECK(!is_ready(g_fd[2], POLLIN));
    CHECK_EQUAL(ticks_of(g_fd[3]), 1); /* once, before the move */
    CHECK_EQUAL(remaining_ns(g_fd[3], &interval), 0);
    left = remaining_ns(g_fd[5], &interval);
    CHECK(left > 99 * SECOND && left <= 100 * SECOND);
    CHECK_EQUAL(K(__NR_fcntl, (uint64_t)g_fd[5], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}

static void set_timer(long fd, uint32_t flags, int64_t value_ns, int64_t interval_ns)
{
    struct __kernel_itimerspec setting = {
        {interval_ns / SECOND, interval_ns % SECOND},
        {value_ns / SECOND, value_ns % SECOND},
    };

    assert_int_equal(P(sys_timerfd_settime, (uint64_t)fd, flags, A(&setting), 0), 0);
}

static void test_timerfds(void **state)
{
    const uint64_t monotonic = 1, boottime = 7, realtime = 0;

    (void)state;
    g_fixture.ahead_ns = 5000 * SECOND; /* as after a move to a host that was started later */
    for (unsigned i = 0; i < 5; i++)
        g_fd[i] = P(sys_timerfd_create, i == 4 ? boottime : monotonic, 0);
    g_fd[5] = P(sys_timerfd_create, realtime, O_NONBLOCK);
    g_expiry_ns = (int64_t)clock_monotonic_ns() + 60 * SECOND;
    set_timer(g_fd[0], 0, 60 * SECOND, 250 * MILLISECOND);
    set_timer(g_fd[1], TFD_TIMER_ABSTIME, g_expiry_ns, 0);
    set_timer(g_fd[3], 0, 1, 0); /* expires at once, and is not read */
    set_timer(g_fd[5], 0, 100 * SECOND, 0);
    while (!is_ready(g_fd[3], POLLIN))
        ;
    fixture_move(check_timers);
}

static void check_ticks(void)
{
    int64_t interval;
    uint64_t ticks = ticks_of(g_fd[0]);

    /* All that were there, and those of the time since: the timer was never late. */
    CHECK_EQUAL(ticks, ((int64_t)clock_monotonic_ns() - g_expiry_ns) / (100 * MILLISECOND) + 1);
    CHECK(remaining_ns(g_fd[0], &interval) <= 100 * MILLISECOND);
    CHECK_EQUAL(interval, 100 * MILLISECOND);
}

static void test_timerfd_ticks_not_read(void **state)
{
    (void)state;
    g_fd[0] = P(sys_timerfd_create, 1, 0);
    /* Absolute, so that the test knows the grid; it has expired 30 times. */
    g_expiry_ns = (int64_t)clock_monotonic_ns() - 2950 * MILLISECOND;
    set_timer(g_fd[0], TFD_TIMER_ABSTIME, g_expiry_ns, 100 * MILLISECOND);
    while (!is_ready(g_fd[0], POLLIN))
        ;
    fixture_move_away(check_ticks);
}

/* ---- epoll ---- */

static void control(long set, uint32_t operation, long fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {events, data};

    assert_int_equal(P(sys_epoll_ctl, (uint64_t)set, operation, (uint64_t)fd, A(&event)), 0);
}

/* The data of what is ready, as a set of bits. */
static uint64_t ready_set(long set)
{
    struct epoll_event events[16];
    long count = K(__NR_epoll_wait, (uint64_t)set, A(events), 16, 0);
    uint64_t ready = 0;

    CHECK(count >= 0);
    for (long i = 0; i < count; i++)
        ready |= 1ULL << events[i].data;
    return ready;
}

static void check_epoll(void)
{
    struct epoll_event event = {EPOLLIN, 9};
    uint64_t one = 1;

    CHECK_EQUAL(ready_set(g_fd[0]), 1 << 1 | 1 << 6); /* a counter, and the set in the set */
    CHECK_EQUAL(ready_set(g_fd[1]), 1 << 8);
    /* Fired once before the move: stays disarmed, and can be armed again. */
    CHECK_EQUAL(K(__NR_epoll_ctl, (uint64_t)g_fd[0], EPOLL_CTL_ADD, (uint64_t)g_fd[3], A(&event)),
                -EEXIST);
    event.events = EPOLLIN | EPOLLONESHOT;
    CHECK_EQUAL(K(__NR_epoll_ctl, (uint64_t)g_fd[0], EPOLL_CTL_MOD, (uint64_t)g_fd[3], A(&event)),
                0);
    CHECK_EQUAL(ready_set(g_fd[0]), 1 << 1 | 1 << 6 | 1 << 9);
    CHECK_EQUAL(ready_set(g_fd[0]), 1 << 1 | 1 << 6);
    /* Closed or taken out: in no set. */
    CHECK_EQUAL(K(__NR_epoll_ctl, (uint64_t)g_fd[0], EPOLL_CTL_DEL, (uint64_t)g_fd[5], A(&event)),
                -ENOENT);
    /* Armed, not ready yet. */
    CHECK_EQUAL(K(__NR_write, (uint64_t)g_fd[4], A(&one), 8), 8);
    CHECK_EQUAL(ready_set(g_fd[0]), 1 << 1 | 1 << 6 | 1 << 4);
    CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[4], A(&one), 8), 8);
}

static void test_epoll(void **state)
{
    long closed;

    (void)state;
    g_fd[0] = P(sys_epoll_create1, O_CLOEXEC);
    g_fd[1] = P(sys_epoll_create, 1);
    g_fd[2] = P(sys_eventfd2, 1, 0);
    g_fd[3] = P(sys_eventfd2, 1, 0);
    g_fd[4] = P(sys_eventfd2, 0, 0);
    g_fd[5] = P(sys_eventfd2, 1, 0);
    closed = P(sys_eventfd2, 1, 0);
    control(g_fd[0], EPOLL_CTL_ADD, g_fd[2], EPOLLOUT, 0);
    control(g_fd[0], EPOLL_CTL_MOD, g_fd[2], EPOLLIN, 1);
    control(g_fd[0], EPOLL_CTL_ADD, g_fd[3], EPOLLIN | EPOLLONESHOT, 3);
    control(g_fd[0], EPOLL_CTL_ADD, g_fd[4], EPOLLIN, 4);
    control(g_fd[0], EPOLL_CTL_ADD, g_fd[5], EPOLLIN, 5);
    control(g_fd[0], EPOLL_CTL_DEL, g_fd[5], 0, 0);
    control(g_fd[0], EPOLL_CTL_ADD, closed, EPOLLIN, 7);
    control(g_fd[0], EPOLL_CTL_ADD, g_fd[1], EPOLLIN, 6);
    control(g_fd[1], EPOLL_CTL_ADD, g_fd[2], EPOLLIN, 8);
    assert_int_equal(P(sys_close, (uint64_t)closed), 0);
    assert_int_equal(ready_set(g_fd[0]), 1 << 1 | 1 << 3 | 1 << 6);
    fixture_move(check_epoll);
}

/* A registration outlives its number, as long as the file is open under another one. */
static void check_survivor(void)
{
    CHECK_EQUAL(ready_set(g_fd[0]), 1 << 2);
}

static void test_epoll_number_closed(void **state)
{
    long fd;

    (void)state;
    g_fd[0] = P(sys_epoll_create1, 0);
    fd = P(sys_eventfd2, 1, 0);
    control(g_fd[0], EPOLL_CTL_ADD, fd, EPOLLIN, 2);
    g_fd[1] = P(sys_dup, (uint64_t)fd);
    P(sys_close, (uint64_t)fd);
    assert_int_equal(P(sys_eventfd2, 1, 0), fd); /* another object has the number now */
    fixture_move(check_survivor);
    P(sys_close, (uint64_t)g_fd[1]);
    assert_int_equal(ready_set(g_fd[0]), 0);
    assert_int_equal(fd_find((uint64_t)g_fd[0])->epoll.first, 0);
}

/* ---- signals and watched files ---- */

static void check_signalfd(void)
{
    const uint64_t user1 = 10, set = 1ULL << (user1 - 1);
    uint8_t info[128];

    K(__NR_rt_sigprocmask, 0, A(&set), 0, 8);
    K(__NR_kill, (uint64_t)K(__NR_getpid, 0), user1);
    CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[0], A(info), sizeof(info)), sizeof(info));
    CHECK_EQUAL(*(uint32_t *)info, user1);
    CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[0], A(info), sizeof(info)), -EAGAIN);
}

static void test_signalfd(void **state)
{
    uint64_t mask = 1 << 1;

    (void)state;
    g_fd[0] = P(sys_signalfd4, (uint64_t)-1, A(&mask), 8, O_NONBLOCK);
    mask = ~0ULL; /* the runtime's own are left out */
    assert_int_equal(P(sys_signalfd4, (uint64_t)g_fd[0], A(&mask), 8, 0), g_fd[0]);
    assert_true((fd_find((uint64_t)g_fd[0])->signal_mask & SIGNALS_KEPT) == 0);
    fixture_move(check_signalfd);
}

static void check_inotify(void)
{
    char buffer[512] __attribute__((aligned(8)));
    const struct inotify_event *event = (const struct inotify_event *)buffer;
    long fd;

    long result = 0;
    const uint64_t whole[6] = {(uint64_t)g_fd[0], A(buffer), sizeof(buffer)};

    /* What the source did not read, then nothing. */
    CHECK(is_ready(g_fd[0], POLLIN));
    CHECK(fd_inotify_read(__NR_read, whole, &result));
    CHECK_EQUAL(result, sizeof(*event));
    CHECK_EQUAL(event->wd, g_fd[2]);
    CHECK_EQUAL(event->mask, IN_MODIFY);
    CHECK(!fd_inotify_read(__NR_read, whole, &result));
    CHECK(!is_ready(g_fd[0], POLLIN));
    fd = K(__NR_open, A(fixture_path("watched")), O_WRONLY);
    K(__NR_write, (uint64_t)fd, A("x"), 1);
    K(__NR_close, (uint64_t)fd);
    CHECK(K(__NR_read, (uint64_t)g_fd[0], A(buffer), sizeof(buffer)) > 0);
    CHECK_EQUAL(event->wd, g_fd[2]);
    CHECK_EQUAL(event->mask, IN_MODIFY);
}

static void test_inotify(void **state)
{
    char buffer[512];
    long gone, fd;

    (void)state;
    fixture_file("gone", "");
    fixture_file("watched", "");
    g_fd[0] = P(sys_inotify_init1, O_NONBLOCK);
    gone = P(sys_inotify_add_watch, (uint64_t)g_fd[0], A(fixture_path("gone")), IN_MODIFY);
    g_fd[1] = P(sys_inotify_add_watch, (uint64_t)g_fd[0], A(fixture_path("")), IN_DELETE);
    g_fd[2] = P(sys_inotify_add_watch, (uint64_t)g_fd[0], A(fixture_path("watched")), IN_MODIFY);
    assert_int_equal(P(sys_inotify_rm_watch, (uint64_t)g_fd[0], (uint64_t)gone), 0);
    K(__NR_read, (uint64_t)g_fd[0], A(buffer), sizeof(buffer)); /* that it was removed */
    fd = K(__NR_open, A(fixture_path("watched")), O_WRONLY);
    K(__NR_write, (uint64_t)fd, A("x"), 1);
    K(__NR_close, (uint64_t)fd);
    fixture_move_away(check_inotify); /* two watchers would see each other's writes */
}

/* ---- what was inherited ---- */

static void check_inherited(void)
{
    struct stat here, null;

    K(__NR_stat, A("/dev/null"), A(&null));
    K(__NR_fstat, 0, A(&here));
    CHECK(here.st_rdev == null.st_rdev);
    K(__NR_fstat, 1, A(&here));
    CHECK_EQUAL(here.st_ino, g_fd[0]); /* the host process's own */
    K(__NR_fstat, (uint64_t)g_fd[1], A(&here));
    CHECK_EQUAL(here.st_ino, g_fd[0]);
    CHECK_EQUAL(K(__NR_fcntl, 2, F_GETFD), -EBADF); /* the program has closed it */
    K(__NR_fstat, (uint64_t)g_fd[2], A(&here));
    CHECK_EQUAL(here.st_ino, g_fd[0]);
}

/* In a child, because it loses its own standard descriptors. */
static void inherit(void)
{
    const char *path = fixture_path("out");
    struct stat status;
    long out = K(__NR_open, A(path), O_WRONLY | O_CREAT, 0600);

    K(__NR_dup2, (uint64_t)out, 1);
    K(__NR_close, (uint64_t)out);
    K(__NR_madvise, TABLES_BASE, OM_ALIGN_UP(sizeof(struct tables), OM_PAGE_SIZE), 4);
    fd_table_create();
    K(__NR_fstat, 1, A(&status));
    g_fd[0] = (long)status.st_ino;
    g_fd[1] = P(sys_dup, 1);
    P(sys_close, 2);
    g_fd[2] = P(sys_fcntl, 1, F_DUPFD, 30);
    P(sys_close, 0);
    CHECK_EQUAL(P(sys_open, A("/dev/null"), O_RDONLY), 0);
    fixture_move_away(check_inherited);
}

static void test_inherited(void **state)
{
    int32_t status = -1;
    long child = K(__NR_fork, 0);

    (void)state;
    if (child == 0) {
        g_facts.process_id = (uint32_t)K(__NR_getpid, 0);
        inherit();
        K(__NR_exit_group, 0);
    }
    K(__NR_wait4, (uint64_t)child, A(&status), 0, 0);
    assert_int_equal(status, 0);
}

/* ---- numbers ---- */

static void test_numbers_of_the_host(void **state)
{
    struct fd_state *fds;

    (void)state;
    fds = fd_state();
    assert_int_equal(P(sys_close, FIXTURE_HOST_FD), -EBADF);
    assert_int_equal(P(sys_dup2, 1, FIXTURE_HOST_FD), -EBADF);
    assert_int_equal(P(sys_dup3, 1, FIXTURE_HOST_FD + 1, 0), -EBADF);
    assert_int_equal(P(sys_fcntl, 1, F_DUPFD, FIXTURE_HOST_FD), -EINVAL);
    assert_int_equal(K(__NR_dup2, 1, FIXTURE_HOST_FD + 5), FIXTURE_HOST_FD + 5);
    assert_int_equal(P(sys_dup2, 1, FIXTURE_HOST_FD - 1), FIXTURE_HOST_FD - 1);
    assert_int_equal(fds->limit, FIXTURE_HOST_FD);
    assert_int_equal(P(sys_close_range, 3, UINT32_MAX, 0), 0);
    assert_int_equal(K(__NR_fcntl, FIXTURE_HOST_FD + 5, F_GETFD), 0);
    assert_int_equal(K(__NR_fcntl, FIXTURE_HOST_FD - 1, F_GETFD), -EBADF);
    assert_int_equal(P(sys_close_range, 5, 4, 0), -EINVAL);
    assert_int_equal(P(sys_close_range, 3, 100, CLOSE_RANGE_UNSHARE), -EINVAL);
    K(__NR_close, FIXTURE_HOST_FD + 5);
}

static void test_out_of_numbers(void **state)
{
    uint32_t before = fd_count(), opened = 0;
    int32_t fds[2];
    long fd;

    (void)state;
    while ((fd = P(sys_eventfd2, 0, 0)) >= 0)
        opened++;
    assert_int_equal(fd, -EMFILE);
    assert_int_equal(fd_count(), before + opened);
    assert_int_equal(P(sys_pipe, A(fds)), -EMFILE);
    assert_int_equal(P(sys_dup, 1), -EMFILE);
    /* One number is free: half a pipe is none. */
    assert_int_equal(P(sys_close, 100), 0);
    assert_int_equal(P(sys_pipe, A(fds)), -EMFILE);
    assert_int_equal(P(sys_eventfd2, 0, 0), 100);
    assert_int_equal(P(sys_close_range, 3, FIXTURE_HOST_FD, 0), 0);
    assert_int_equal(fd_state()->files[before + 1].entries, 0);
    assert_int_equal(P(sys_pipe, 0), -EFAULT);
    assert_int_equal(fd_count(), before);
}

static void test_records_are_given_back(void **state)
{
    uint32_t files = 0, watches = 0;
    long set = P(sys_epoll_create1, 0);

    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        int32_t fds[2];

        assert_int_equal(P(sys_pipe, A(fds)), 0);
        control(set, EPOLL_CTL_ADD, fds[0], EPOLLIN, 1);
        P(sys_dup2, (uint64_t)fds[1], (uint64_t)fds[0]); /* closes the reader */
        P(sys_close, (uint64_t)fds[0]);
        P(sys_close, (uint64_t)fds[1]);
        if (i == 10) {
            files = fd_state()->file_pool.used;
            watches = fd_state()->watch_pool.used;
        }
    }
    assert_int_equal(fd_state()->file_pool.used, files);
    assert_int_equal(fd_state()->watch_pool.used, watches);
}

/* ---- what cannot move, and what is missing ---- */

static void expect_obstacle(const char *part)
{
    const char *what = fixture_obstacle();
    size_t length = strlen(part);

    while (*what && strncmp(what, part, length) != 0)
        what++;
    if (!*what)
        fail_msg("\"%s\" does not say \"%s\"", fixture_obstacle(), part);
}

/* Files that only the program can reach: 0 and 1 are one deleted file, opened twice, 2 a memfd that
 * is sealed, 3 a deleted file that it may only write, 4 a large memfd, 5 a duplicate of it. */
enum { LARGE = 9 << 20 };
static uint8_t g_large[LARGE], g_back[LARGE];

static void make_own_files(void)
{
    char link[64];

    fixture_file("shared", "0123456789");
    g_fd[0] = open_new("shared", O_RDWR | O_NOFOLLOW);
    K(__NR_unlink, A(fixture_path("shared")));
    str_format(link, sizeof(link), "/proc/self/fd/%d", (int)g_fd[0]);
    g_fd[1] = P(sys_open, A(link), O_RDONLY);
    K(__NR_lseek, (uint64_t)g_fd[0], 4, SEEK_SET);
    g_fd[2] = P(sys_memfd_create, A("sealed"), 2 /* MFD_ALLOW_SEALING */);
    K(__NR_write, (uint64_t)g_fd[2], A("abc"), 3);
    K(__NR_fcntl, (uint64_t)g_fd[2], F_ADD_SEALS, F_SEAL_GROW);
    fixture_file("written", "");
    g_fd[3] = open_new("written", O_WRONLY | O_APPEND);
    K(__NR_write, (uint64_t)g_fd[3], A("more"), 4);
    K(__NR_unlink, A(fixture_path("written")));
    g_fd[4] = P(sys_memfd_create, A("large"), 0);
    for (uint32_t i = 0; i < LARGE; i++)
        g_large[i] = (uint8_t)(i * 11 + i / 4099);
    assert_int_equal(K(__NR_write, (uint64_t)g_fd[4], A(g_large), LARGE), LARGE);
    g_fd[5] = P(sys_dup, (uint64_t)g_fd[4]);
}

static void check_own_files(void)
{
    uint8_t text[32] = {0};

    CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[0], A(text), 3), 3);
    CHECK(memcmp(text, "456", 3) == 0);
    CHECK_EQUAL(K(__NR_pwrite64, (uint64_t)g_fd[0], A("xy"), 2, 0), 2);
    CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[1], A(text), 20), 10);
    CHECK(memcmp(text, "xy23456789", 10) == 0);
    CHECK_EQUAL(K(__NR_write, (uint64_t)g_fd[1], A("x"), 1), -EBADF);
    CHECK_EQUAL(K(__NR_pread64, (uint64_t)g_fd[2], A(text), 20, 0), 3);
    CHECK(memcmp(text, "abc", 3) == 0);
    CHECK_EQUAL(K(__NR_pwrite64, (uint64_t)g_fd[2], A("x"), 1, 3), -EPERM);
    CHECK_EQUAL(K(__NR_fcntl, (uint64_t)g_fd[2], F_GET_SEALS), F_SEAL_GROW);
    CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[3], A(text), 20), -EBADF);
    CHECK_EQUAL(K(__NR_write, (uint64_t)g_fd[3], A("!"), 1), 1);
    CHECK_EQUAL(K(__NR_lseek, (uint64_t)g_fd[3], 0, SEEK_CUR), 5);
    CHECK_EQUAL(K(__NR_lseek, (uint64_t)g_fd[5], 0, SEEK_CUR), LARGE);
    CHECK_EQUAL(K(__NR_pread64, (uint64_t)g_fd[4], A(g_back), LARGE, 0), LARGE);
    CHECK(memcmp(g_back, g_large, LARGE) == 0);
}

static void test_deleted_files_and_memory(void **state)
{
    (void)state;
    make_own_files();
    fixture_move_away(check_own_files);
}

static void check_nothing(void)
{
    CHECK_EQUAL(K(__NR_fcntl, 3, F_GETFD), -EBADF);
}

static void test_obstacles(void **state)
{
    int32_t unlocked = 0;
    long fd, slave;

    (void)state;
    fixture_file("gone", "");
    fd = open_new("gone", O_RDWR);
    K(__NR_unlink, A(fixture_path("gone")));
    K(__NR_ftruncate, (uint64_t)fd, FD_KEPT_bytes + 1);
    expect_obstacle("gone): an open but deleted file of 64 MiB; at most 64 MiB go along");
    P(sys_close, (uint64_t)fd);
    fd = P(sys_open, A("/dev/ptmx"), O_RDWR | O_NOCTTY);
    assert_true(fd >= 0);
    expect_obstacle("/dev/ptmx, a terminal that it opened itself) cannot be moved");
    K(__NR_ioctl, (uint64_t)fd, TIOCSPTLCK, A(&unlocked));
    slave = K(__NR_ioctl, (uint64_t)fd, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    assert_true(slave >= 0);
    P(sys_close, (uint64_t)fd);
    expect_obstacle("/dev/pts/");
    K(__NR_close, (uint64_t)slave);
    fd = P(sys_open, A("/dev/kmsg"), O_WRONLY);
    if (fd >= 0)
        expect_obstacle("/dev/kmsg, a device) cannot be moved");
    P(sys_close, (uint64_t)fd);
    K(__NR_mknod, A(fixture_path("fifo")), S_IFIFO | 0600, 0);
    fd = open_new("fifo", O_RDWR);
    expect_obstacle("a pipe that this program did not make");
    P(sys_close, (uint64_t)fd);
    fd = K(__NR_pidfd_open, (uint64_t)K(__NR_getpid, 0), 0); /* came from somewhere */
    assert_true(fd >= 0);
    expect_obstacle("pidfd");
    K(__NR_close, (uint64_t)fd);
    fixture_move(check_nothing); /* with all of them closed, it can move */
}

static uint8_t g_description[DESCRIPTION_bytes];

static size_t describe(void)
{
    struct fd_obstacle obstacle;
    long length = fd_prepare(g_description, sizeof(g_description), false, &obstacle);

    assert_true(length > 0);
    return (size_t)length;
}

static void expect_missing(size_t length, bool same_machine, const char *part)
{
    const char *what = fixture_check_elsewhere(g_description, length, same_machine), *at = what;

    if (!part) {
        if (what)
            fail_msg("\"%s\"", what);
        return;
    }
    assert_non_null(what);
    while (*at && strncmp(at, part, strlen(part)) != 0)
        at++;
    if (!*at)
        fail_msg("\"%s\" does not say \"%s\"", what, part);
}

static void test_other_files_at_the_destination(void **state)
{
    size_t length;

    (void)state;
    fixture_file("read", "contents");
    fixture_file("written", "contents");
    assert_true(open_new("read", O_RDONLY) >= 0);
    K(__NR_lseek, (uint64_t)open_new("written", O_WRONLY), 5, SEEK_SET);
    length = describe();
    expect_missing(length, true, NULL);
    expect_missing(length, false, NULL);
    fixture_file("read", "CONTENTS"); /* the same length */
    expect_missing(length, true,
                   NULL); /* is the same file: whoever changed it, it would be no other */
    expect_missing(length, false, "different at the destination");
    fixture_file("read", "content");
    expect_missing(length, false, "different at the destination");
    K(__NR_unlink, A(fixture_path("read")));
    expect_missing(length, false, "missing at the destination");
    K(__NR_mkdir, A(fixture_path("read")), 0700);
    expect_missing(length, false, "another type of file");
    K(__NR_rmdir, A(fixture_path("read")));
    fixture_file("read", "contents");
    fixture_file("written", "longer than before");
    expect_missing(length, false, NULL);
    fixture_file("written", "four");
    expect_missing(length, false, "shorter at the destination");
}

static void test_working_directory(void **state)
{
    struct fd_obstacle obstacle;
    size_t length;

    (void)state;
    K(__NR_mkdir, A(fixture_path("cwd")), 0700);
    K(__NR_chdir, A(fixture_path("cwd")));
    length = describe();
    expect_missing(length, false, NULL);
    K(__NR_rmdir, A(fixture_path("cwd")));
    expect_missing(length, false, "the working directory");
    assert_int_equal(fd_prepare(g_description, sizeof(g_description), false, &obstacle),
                     -EOPNOTSUPP);
    K(__NR_chdir, A("/"));
}

/* The peer is authentic, and still not trusted to be without a mistake. */
static void test_malformed_descriptions(void **state)
{
    uint64_t random = 88172645463325252ULL;
    unsigned accepted = 0;
    size_t length;

    (void)state;
    fixture_file("file", "contents");
    assert_true(open_new("file", O_RDONLY) >= 0);
    length = describe();
    for (size_t i = 0; i < length; i++)
        accepted += fixture_check_elsewhere(g_description, i, true) == NULL;
    assert_int_equal(accepted, 2); /* cut after the head, and after the working directory */
    g_description[0] ^= 1;
    expect_missing(length, true, "another version");
    g_description[0] ^= 1;
    g_description[6] = 0xff;
    expect_missing(length, true, "descriptors are needed");
    g_description[6] = 0;
    for (unsigned i = 0; i < 20000; i++) {
        size_t at = 4 + (random >> 8) % (length - 4);
        uint8_t old = g_description[at];

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        g_description[at] = (uint8_t)random;
        fixture_check_elsewhere(g_description, length, random >> 62);
        g_description[at] = old;
    }
    expect_missing(length, true, NULL);
}

/* A descriptor that came by a message is found, with what it shares. */
static void check_found(void)
{
    CHECK_EQUAL(K(__NR_lseek, (uint64_t)g_fd[0], 0, SEEK_CUR), 3);
    CHECK_EQUAL(K(__NR_lseek, (uint64_t)g_fd[1], 0, SEEK_CUR), 3);
    K(__NR_lseek, (uint64_t)g_fd[1], 4, SEEK_SET);
    CHECK_EQUAL(K(__NR_lseek, (uint64_t)g_fd[0], 0, SEEK_CUR), 4);
    K(__NR_lseek, (uint64_t)g_fd[1], 3, SEEK_SET);
    CHECK_EQUAL(K(__NR_lseek, (uint64_t)g_fd[2], 0, SEEK_CUR), 0);
}

static void test_descriptors_from_outside(void **state)
{
    uint32_t before;

    (void)state;
    fixture_file("file", "contents");
    g_fd[0] = open_new("file", O_RDONLY);
    K(__NR_lseek, (uint64_t)g_fd[0], 3, SEEK_SET);
    before = fd_count();
    g_fd[1] = K(__NR_dup, (uint64_t)g_fd[0]); /* the runtime does not see these */
    g_fd[2] = K(__NR_open, A(fixture_path("file")), O_RDONLY);
    assert_int_equal(fd_reconcile(), 0);
    assert_int_equal(fd_count(), before + 2);
    fixture_move(check_found);
    K(__NR_close, (uint64_t)g_fd[2]);
    assert_int_equal(fd_reconcile(), 0);
    assert_int_equal(fd_count(), before + 1);
}

/* Opened between the request and the stop. */
static void test_opened_after_the_request(void **state)
{
    (void)state;
    fixture_file("late", "01234");
    describe();
    g_fd[0] = open_new("late", O_RDONLY);
    K(__NR_lseek, (uint64_t)g_fd[0], 3, SEEK_SET);
    g_fd[1] = P(sys_dup, (uint64_t)g_fd[0]);
    g_fd[2] = open_new("late", O_RDONLY);
    fixture_move(check_found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_reset, fixture_destroy)
        TEST(test_files),
        TEST(test_truncation_is_not_repeated),
        TEST(test_directories),
        TEST(test_renamed_file),
        TEST(test_locks),
        TEST(test_pipes),
        TEST(test_full_pipe),
        TEST(test_crossed_numbers),
        TEST(test_eventfds),
        TEST(test_timerfds),
        TEST(test_timerfd_ticks_not_read),
        TEST(test_epoll),
        TEST(test_epoll_number_closed),
        TEST(test_signalfd),
        TEST(test_inotify),
        TEST(test_inherited),
        TEST(test_numbers_of_the_host),
        TEST(test_out_of_numbers),
        TEST(test_records_are_given_back),
        TEST(test_deleted_files_and_memory),
        TEST(test_obstacles),
        TEST(test_other_files_at_the_destination),
        TEST(test_working_directory),
        TEST(test_malformed_descriptions),
        TEST(test_descriptors_from_outside),
        TEST(test_opened_after_the_request),
    };

    return cmocka_run_group_tests(tests, fixture_create, NULL);
}
