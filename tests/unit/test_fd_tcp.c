/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP connections at their ends over a move: those that the program has not accepted yet, and those
 * that are being closed.  The peers are outside of the enclave and stay.  See test_fd.c for the way
 * of testing, test_fd_socket.c for established connections.
 */
#include "tests/unit/fd_fixture.h"

#include <asm/poll.h>
#include <asm/socket.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tcp.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { WAITING = 60, SHUT_WRITE = 1, UNREAD = 5000, WRITTEN = 3000000 };

static long g_listener, g_set;
static long g_peer[WAITING], g_inside[WAITING];
static struct fd_address g_at;
static uint8_t g_stream[WRITTEN], g_got[WRITTEN];
static uint32_t g_written;

static struct fd_address address(bool six)
{
    struct sockaddr_in a = {.sin_family = FAMILY_INET};
    struct sockaddr_in6 a6 = {.sin6_family = FAMILY_INET6};
    struct fd_address out = {.length = six ? sizeof(a6) : sizeof(a)};

    a.sin_addr.s_addr = __builtin_bswap32(INADDR_LOOPBACK);
    a6.sin6_addr.s6_addr[15] = 1;
    if (six)
        memcpy(out.bytes, &a6, sizeof(a6));
    else
        memcpy(out.bytes, &a, sizeof(a));
    return out;
}

static void listen_at(bool six, uint32_t flags)
{
    g_at = address(six);
    g_listener = P(sys_socket, fd_address_family(&g_at), TYPE_STREAM | flags, 0);
    CHECK_EQUAL(P(sys_bind, (uint64_t)g_listener, A(g_at.bytes), g_at.length), 0);
    CHECK_EQUAL(P(sys_listen, (uint64_t)g_listener, 128), 0);
    fd_socket_local((int32_t)g_listener, &g_at);
}

static long peer(void)
{
    long fd = fd_move_up(K(__NR_socket, fd_address_family(&g_at), TYPE_STREAM, 0));

    CHECK_EQUAL(K(__NR_connect, (uint64_t)fd, A(g_at.bytes), g_at.length), 0);
    return fd;
}

static void read_exactly(long fd, uint32_t length)
{
    fixture_read(fd, g_got, g_stream, length);
}

static void close_peers(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        K(__NR_close, (uint64_t)g_peer[i]);
}

/* ---- not accepted yet ---- */

static void make_waiting(bool six, uint32_t flags)
{
    struct epoll_event event = {EPOLLIN | EPOLLET, 7};

    g_facts.nofile_soft = 400;
    listen_at(six, flags);
    g_set = P(sys_epoll_create1, 0);
    CHECK_EQUAL(P(sys_epoll_ctl, (uint64_t)g_set, EPOLL_CTL_ADD, (uint64_t)g_listener, A(&event)),
                0);
    for (unsigned i = 0; i < WAITING; i++) {
        uint8_t byte = (uint8_t)i;

        g_peer[i] = peer();
        CHECK_EQUAL(K(__NR_write, (uint64_t)g_peer[i], A(&byte), 1), 1);
    }
}

/* They come in their order, with the lowest free number, their peer's address and what was asked
 * for. */
static void check_waiting(void)
{
    struct epoll_event event = {0, 0};
    long lowest = K(__NR_dup, (uint64_t)g_listener);

    K(__NR_close, (uint64_t)lowest);
    CHECK_EQUAL(K(__NR_epoll_wait, (uint64_t)g_set, A(&event), 1, 1000), 1);
    for (unsigned i = 0; i < WAITING; i++) {
        struct fd_address from = {.length = sizeof(from.bytes)}, real;
        uint8_t byte = 0xff;
        long fd = P(sys_accept4, (uint64_t)g_listener, A(from.bytes), A(&from.length), O_NONBLOCK);

        CHECK_EQUAL(fd, lowest + i);
        fd_socket_local((int32_t)g_peer[i], &real);
        CHECK(from.length == real.length && memcmp(from.bytes, real.bytes, real.length) == 0);
        CHECK_EQUAL(K(__NR_read, (uint64_t)fd, A(&byte), 1), 1);
        CHECK_EQUAL(byte, i);
        CHECK_EQUAL(K(__NR_read, (uint64_t)fd, A(&byte), 1), -EAGAIN);
        CHECK_EQUAL(K(__NR_write, (uint64_t)fd, A("y"), 1), 1);
        CHECK_EQUAL(K(__NR_read, (uint64_t)g_peer[i], A(&byte), 1), 1);
        CHECK_EQUAL(byte, 'y');
    }
    CHECK_EQUAL(fd_state()->backlog.count, 0);
    CHECK_EQUAL(P(sys_accept4, (uint64_t)g_listener, 0, 0, 0), -EAGAIN);
}

static void test_waiting_connections_are_accepted_after_a_move(void **state)
{
    (void)state;
    make_waiting(false, O_NONBLOCK);
    fixture_move_away(check_waiting);
    close_peers(WAITING);
}

static void test_waiting_connections_are_accepted_after_a_move_ip6(void **state)
{
    (void)state;
    make_waiting(true, O_NONBLOCK);
    fixture_move_away(check_waiting);
    close_peers(WAITING);
}

static void test_waiting_connections_stay_when_a_move_fails(void **state)
{
    (void)state;
    make_waiting(false, O_NONBLOCK);
    fixture_move_fails(check_waiting);
    close_peers(WAITING);
}

/* Two moves without an accept between them: the dummies of the first are not taken for clients. */
static void check_second_move(void)
{
    fixture_move_fails(check_waiting);
}

static void test_waiting_connections_move_twice(void **state)
{
    (void)state;
    make_waiting(false, O_NONBLOCK);
    fixture_move_fails(check_second_move);
    close_peers(WAITING);
}

static void check_forgotten(void)
{
    struct pollfd poll = {.fd = (int32_t)g_peer[0], .events = POLLIN};

    CHECK_EQUAL(fd_state()->backlog.count, WAITING);
    CHECK_EQUAL(P(sys_close, (uint64_t)g_listener), 0);
    CHECK_EQUAL(fd_state()->backlog.count, 0);
    CHECK_EQUAL(K(__NR_poll, A(&poll), 1, 1000), 1); /* its end */
}

static void test_waiting_connections_end_with_their_listener(void **state)
{
    (void)state;
    make_waiting(false, 0);
    fixture_move_fails(check_forgotten);
    close_peers(WAITING);
}

/* ---- being closed ---- */

enum closing { PEER_CLOSED, PROGRAM_CLOSED, PROGRAM_CLOSED_KNOWN, BOTH_CLOSED, CLOSING_COUNT };

static void fill(long fd)
{
    long sent;

    g_written = 0;
    while (g_written < WRITTEN &&
           (sent = K(__NR_sendto, (uint64_t)fd, A(g_stream + g_written), WRITTEN - g_written,
                     0x4040 /* MSG_DONTWAIT | MSG_NOSIGNAL */, 0, 0)) > 0)
        g_written += (uint32_t)sent;
}

static uint8_t state_of(long fd)
{
    uint8_t state = 0; /* the first byte of struct tcp_info */
    uint32_t length = sizeof(state);

    K(__NR_getsockopt, (uint64_t)fd, IPPROTO_TCP, TCP_INFO, A(&state), A(&length));
    return state;
}

/* The peer acknowledges the end of a stream when it likes to. */
static void wait_acknowledged(long fd)
{
    enum { FIN_WAIT2 = 5 };

    while (state_of(fd) != FIN_WAIT2)
        K(__NR_sched_yield, 0);
}

static void make_closing(bool six)
{
    for (uint32_t i = 0; i < WRITTEN; i++)
        g_stream[i] = (uint8_t)(i * 5 + i / 253);
    listen_at(six, 0);
    for (unsigned i = 0; i < CLOSING_COUNT; i++) {
        g_peer[i] = peer();
        g_inside[i] = P(sys_accept4, (uint64_t)g_listener, 0, 0, 0);
        CHECK(g_inside[i] >= 0);
        if (i == PEER_CLOSED || i == BOTH_CLOSED)
            CHECK_EQUAL(K(__NR_write, (uint64_t)g_peer[i], A(g_stream), UNREAD), UNREAD);
        if (i == PEER_CLOSED || i == BOTH_CLOSED)
            CHECK_EQUAL(K(__NR_shutdown, (uint64_t)g_peer[i], SHUT_WRITE), 0);
        if (i == BOTH_CLOSED) /* unread, so that it cannot be over yet */
            fill(g_inside[i]);
        if (i == BOTH_CLOSED)
            CHECK_EQUAL(P(sys_shutdown, (uint64_t)g_inside[i], SHUT_WRITE), 0);
        if (i == PROGRAM_CLOSED || i == PROGRAM_CLOSED_KNOWN)
            CHECK_EQUAL(P(sys_shutdown, (uint64_t)g_inside[i], SHUT_WRITE), 0);
    }
    wait_acknowledged(g_inside[PROGRAM_CLOSED_KNOWN]);
}

static void expect_end(long fd)
{
    uint8_t byte;

    CHECK_EQUAL(K(__NR_read, (uint64_t)fd, A(&byte), 1), 0);
}

/* The peer is at the end, and is still heard. */
static void check_program_closed(unsigned i)
{
    expect_end(g_peer[i]);
    CHECK_EQUAL(K(__NR_write, (uint64_t)g_peer[i], A(g_stream), 100), 100);
    read_exactly(g_inside[i], 100);
    CHECK_EQUAL(K(__NR_write, (uint64_t)g_inside[i], A(g_stream), 1), -EPIPE);
    CHECK_EQUAL(K(__NR_shutdown, (uint64_t)g_peer[i], SHUT_WRITE), 0);
    expect_end(g_inside[i]);
}

static void check_closing(void)
{
    uint32_t both = g_written;

    /* The peer has closed its side: what it had written, then the end; and it still hears. */
    read_exactly(g_inside[PEER_CLOSED], UNREAD);
    expect_end(g_inside[PEER_CLOSED]);
    CHECK_EQUAL(K(__NR_write, (uint64_t)g_inside[PEER_CLOSED], A(g_stream), 100), 100);
    CHECK_EQUAL(P(sys_close, (uint64_t)g_inside[PEER_CLOSED]), 0);
    read_exactly(g_peer[PEER_CLOSED], 100);
    expect_end(g_peer[PEER_CLOSED]);
    for (unsigned i = PROGRAM_CLOSED; i <= PROGRAM_CLOSED_KNOWN; i++)
        check_program_closed(i);
    /* Both, and much is still to be sent. */
    read_exactly(g_peer[BOTH_CLOSED], both);
    expect_end(g_peer[BOTH_CLOSED]);
    read_exactly(g_inside[BOTH_CLOSED], UNREAD);
    expect_end(g_inside[BOTH_CLOSED]);
}

static void ignore_sigpipe(void)
{
    struct kernel_sigaction ignore = {.handler = 1};

    K(__NR_rt_sigaction, 13, A(&ignore), 0, 8);
}

static void test_closing_connections_move(void **state)
{
    (void)state;
    ignore_sigpipe();
    make_closing(false);
    fixture_move_away(check_closing);
    close_peers(CLOSING_COUNT);
}

static void test_closing_connections_move_ip6(void **state)
{
    (void)state;
    ignore_sigpipe();
    make_closing(true);
    fixture_move_away(check_closing);
    close_peers(CLOSING_COUNT);
}

static void test_closing_connections_stay_when_a_move_fails(void **state)
{
    (void)state;
    ignore_sigpipe();
    make_closing(false);
    fixture_move_fails(check_closing);
    close_peers(CLOSING_COUNT);
}

/* The program has written much and closed: the end comes behind the last byte. */
static void check_full(void)
{
    read_exactly(g_peer[0], g_written);
    expect_end(g_peer[0]);
    CHECK_EQUAL(K(__NR_write, (uint64_t)g_peer[0], A(g_stream), 100), 100);
    read_exactly(g_inside[0], 100);
}

static void test_closed_with_bytes_to_send(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < WRITTEN; i++)
        g_stream[i] = (uint8_t)(i * 3);
    listen_at(false, 0);
    g_peer[0] = peer();
    g_inside[0] = P(sys_accept4, (uint64_t)g_listener, 0, 0, 0);
    fill(g_inside[0]);
    CHECK(g_written > 100000);
    CHECK_EQUAL(P(sys_shutdown, (uint64_t)g_inside[0], SHUT_WRITE), 0);
    fixture_move_away(check_full);
    close_peers(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_reset, fixture_destroy)
        TEST(test_waiting_connections_are_accepted_after_a_move),
        TEST(test_waiting_connections_are_accepted_after_a_move_ip6),
        TEST(test_waiting_connections_stay_when_a_move_fails),
        TEST(test_waiting_connections_move_twice),
        TEST(test_waiting_connections_end_with_their_listener),
        TEST(test_closing_connections_move),
        TEST(test_closing_connections_move_ip6),
        TEST(test_closing_connections_stay_when_a_move_fails),
        TEST(test_closed_with_bytes_to_send),
    };

    return cmocka_run_group_tests(tests, fixture_create, NULL);
}
