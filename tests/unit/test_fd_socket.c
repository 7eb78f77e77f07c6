/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets over a move: listeners that accept at the destination while the source still holds their
 * address, connections that are reset, datagram sockets, pairs.  See test_fd.c for the way of
 * testing.
 */
#include "tests/unit/fd_fixture.h"

#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/socket.h>
#include <asm/stat.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <linux/stat.h>
#include <linux/tcp.h>
#include <linux/un.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { LEVEL_TCP = IPPROTO_TCP };

static long g_fd[16];
static struct fd_address g_address[4];

static struct fd_address inet(uint32_t port)
{
    struct sockaddr_in a = {.sin_family = FAMILY_INET, .sin_port = (uint16_t)port};
    struct fd_address out = {.length = sizeof(a)};

    a.sin_addr.s_addr = __builtin_bswap32(INADDR_LOOPBACK);
    memcpy(out.bytes, &a, sizeof(a));
    return out;
}

static struct fd_address inet6(void)
{
    struct sockaddr_in6 a = {.sin6_family = FAMILY_INET6};
    struct fd_address out = {.length = sizeof(a)};

    a.sin6_addr.s6_addr[15] = 1;
    memcpy(out.bytes, &a, sizeof(a));
    return out;
}

/* A leading '@' makes an abstract name. */
static struct fd_address local(const char *name)
{
    struct sockaddr_un a = {.sun_family = FAMILY_UNIX};
    struct fd_address out = {.length =
                                 (uint32_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))};

    memcpy(a.sun_path, name, strlen(name));
    if (name[0] == '@')
        a.sun_path[0] = 0;
    memcpy(out.bytes, &a, out.length);
    return out;
}

static bool wait_ready(long fd, int16_t events, int32_t timeout_ms)
{
    struct pollfd poll = {.fd = (int32_t)fd, .events = events};

    return K(__NR_poll, A(&poll), 1, (uint64_t)timeout_ms) == 1;
}

static int32_t option(long fd, int32_t level, int32_t name)
{
    int32_t value = -1;
    uint32_t length = sizeof(value);

    CHECK_EQUAL(
        K(__NR_getsockopt, (uint64_t)fd, (uint64_t)level, (uint64_t)name, A(&value), A(&length)),
        0);
    return value;
}

static long set_option(long fd, int32_t level, int32_t name, int32_t value)
{
    return P(sys_setsockopt, (uint64_t)fd, (uint64_t)level, (uint64_t)name, A(&value),
             sizeof(value));
}

static long listener(struct fd_address *address, uint32_t type, bool reuse)
{
    long fd = P(sys_socket, fd_address_family(address), type, 0);

    CHECK(fd >= 0);
    if (reuse)
        CHECK_EQUAL(set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    CHECK_EQUAL(P(sys_bind, (uint64_t)fd, A(address->bytes), address->length), 0);
    CHECK_EQUAL(P(sys_listen, (uint64_t)fd, 64), 0);
    fd_socket_local((int32_t)fd, address);
    return fd;
}

/* A client outside of the enclave, whose number the table does not have. */
static long client(const struct fd_address *to, uint32_t type)
{
    long fd = fd_move_up(K(__NR_socket, fd_address_family(to), type, 0));
    long error = K(__NR_connect, (uint64_t)fd, A(to->bytes), to->length);

    if (error == 0)
        return fd;
    K(__NR_close, (uint64_t)fd);
    return error;
}

/* A connection to that address reaches this listener: a byte goes through. */
static void check_accepts(long fd, const struct fd_address *address, uint32_t type)
{
    long out = client(address, type), in;
    char byte = 0;

    CHECK(out >= 0);
    CHECK(wait_ready(fd, POLLIN, 2000));
    in = P(sys_accept4, (uint64_t)fd, 0, 0, O_CLOEXEC);
    CHECK(in >= 0);
    CHECK_EQUAL(K(__NR_write, (uint64_t)out, A("x"), 1), 1);
    CHECK_EQUAL(K(__NR_read, (uint64_t)in, A(&byte), 1), 1);
    CHECK_EQUAL(byte, 'x');
    CHECK_EQUAL(P(sys_close, (uint64_t)in), 0);
    K(__NR_close, (uint64_t)out);
}

/* ---- listeners ---- */

static void check_tcp_listeners(void)
{
    for (unsigned i = 0; i < 3; i++) {
        struct fd_address now;

        fd_socket_local((int32_t)g_fd[i], &now);
        CHECK(now.length == g_address[i].length &&
              memcmp(now.bytes, g_address[i].bytes, now.length) == 0);
        CHECK_EQUAL(option(g_fd[i], SOL_SOCKET, SO_ACCEPTCONN), 1);
        CHECK_EQUAL(option(g_fd[i], SOL_SOCKET, SO_REUSEADDR), 1);
        CHECK_EQUAL(option(g_fd[i], SOL_SOCKET, SO_REUSEPORT), i == 2);
        check_accepts(g_fd[i], &g_address[i], TYPE_STREAM);
    }
    CHECK_EQUAL(option(g_fd[0], LEVEL_TCP, TCP_NODELAY), 1);
    CHECK_EQUAL(option(g_fd[1], IPPROTO_IPV6, IPV6_V6ONLY), 1);
    CHECK_EQUAL(P(sys_fcntl, (uint64_t)g_fd[0], F_GETFL) & O_NONBLOCK, 0);
    CHECK_EQUAL(P(sys_fcntl, (uint64_t)g_fd[1], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    CHECK_EQUAL(P(sys_accept, (uint64_t)g_fd[1], 0, 0), -EAGAIN);
    CHECK_EQUAL(K(__NR_fcntl, (uint64_t)g_fd[0], F_GETFD), FD_CLOEXEC);
}

static void make_tcp_listeners(void)
{
    long fd;

    g_address[0] = inet(0);
    g_fd[0] = listener(&g_address[0], TYPE_STREAM | O_CLOEXEC, true);
    CHECK_EQUAL(set_option(g_fd[0], LEVEL_TCP, TCP_NODELAY, 1), 0);
    g_address[1] = inet6();
    g_fd[1] = P(sys_socket, FAMILY_INET6, TYPE_STREAM | O_NONBLOCK, 0);
    CHECK_EQUAL(set_option(g_fd[1], IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
    CHECK_EQUAL(P(sys_bind, (uint64_t)g_fd[1], A(g_address[1].bytes), g_address[1].length), 0);
    CHECK_EQUAL(P(sys_listen, (uint64_t)g_fd[1], 5), 0);
    fd_socket_local((int32_t)g_fd[1], &g_address[1]);
    g_address[2] = inet(0);
    fd = P(sys_socket, FAMILY_INET, TYPE_STREAM, 0);
    CHECK_EQUAL(set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1), 0);
    CHECK_EQUAL(P(sys_bind, (uint64_t)fd, A(g_address[2].bytes), g_address[2].length), 0);
    CHECK_EQUAL(P(sys_listen, (uint64_t)fd, 5), 0);
    fd_socket_local((int32_t)fd, &g_address[2]);
    g_fd[2] = fd;
}

static void test_tcp_listeners(void **state)
{
    (void)state;
    make_tcp_listeners();
    fixture_move_away(check_tcp_listeners);
}

/* The move is called off: the source listens as before, with its own options. */
static void check_at_source_only(void)
{
    if (g_facts.process_id == (uint32_t)g_fd[10])
        check_tcp_listeners();
    else
        CHECK_EQUAL(option(g_fd[0], SOL_SOCKET, SO_ACCEPTCONN), 1);
}

static void test_tcp_listeners_stay(void **state)
{
    (void)state;
    make_tcp_listeners();
    g_fd[10] = g_facts.process_id;
    fixture_move(check_at_source_only);
}

/* Connections hold the port of their listener, and so do closed ones for a minute. */
static void check_busy_port(void)
{
    check_accepts(g_fd[0], &g_address[0], TYPE_STREAM);
}

static void test_port_held_by_connections(void **state)
{
    long out, closed;

    (void)state;
    g_address[0] = inet(0);
    g_fd[0] = listener(&g_address[0], TYPE_STREAM, false);
    out = client(&g_address[0], TYPE_STREAM);
    g_fd[1] = P(sys_accept, (uint64_t)g_fd[0], 0, 0);
    assert_true(out >= 0 && g_fd[1] >= 0);
    closed = client(&g_address[0], TYPE_STREAM);
    P(sys_close, (uint64_t)P(sys_accept, (uint64_t)g_fd[0], 0, 0));
    K(__NR_close, (uint64_t)closed); /* second: what is left is at the listener's side */
    fixture_move_away(check_busy_port);
    K(__NR_close, (uint64_t)out);
}

static void check_unix_listeners(void)
{
    struct stat status;
    long out;

    check_accepts(g_fd[0], &g_address[0], TYPE_STREAM);
    check_accepts(g_fd[1], &g_address[1], TYPE_STREAM);
    check_accepts(g_fd[2], &g_address[1], TYPE_STREAM); /* the same one, by another number */
    CHECK_EQUAL(K(__NR_stat, A(&g_address[0].bytes[2]), A(&status)), 0);
    CHECK_EQUAL(status.st_mode & 07777, 0751);
    CHECK_EQUAL(K(__NR_fcntl, (uint64_t)g_fd[2], F_GETFD), FD_CLOEXEC);
    /* Its epoll set sees when somebody connects. */
    CHECK(!wait_ready(g_fd[3], POLLIN, 0));
    out = client(&g_address[1], TYPE_STREAM);
    CHECK(wait_ready(g_fd[3], POLLIN, 2000));
    CHECK_EQUAL(P(sys_close, (uint64_t)P(sys_accept, (uint64_t)g_fd[1], 0, 0)), 0);
    K(__NR_close, (uint64_t)out);
}

static void make_unix_listeners(void)
{
    struct epoll_event event = {EPOLLIN, 5};

    g_address[0] = local(fixture_path("socket"));
    g_fd[0] = listener(&g_address[0], TYPE_STREAM, false);
    CHECK_EQUAL(K(__NR_chmod, A(fixture_path("socket")), 0751), 0);
    g_address[1] = local("@optmig-test-fd");
    g_fd[1] = listener(&g_address[1], TYPE_STREAM, false);
    g_fd[2] = P(sys_fcntl, (uint64_t)g_fd[1], F_DUPFD_CLOEXEC, 60);
    g_fd[3] = P(sys_epoll_create1, 0);
    CHECK_EQUAL(P(sys_epoll_ctl, (uint64_t)g_fd[3], EPOLL_CTL_ADD, (uint64_t)g_fd[1], A(&event)),
                0);
}

static bool exists(const char *name)
{
    return K(__NR_access, A(fixture_path(name)), 0) == 0;
}

static void test_unix_listeners(void **state)
{
    char second[32];

    (void)state;
    make_unix_listeners();
    str_format(second, sizeof(second), "socket.moving-%u", g_facts.process_id);
    fixture_move(check_unix_listeners); /* at the destination, and again at the source */
    assert_false(exists(second));
    fixture_move_away(check_unix_listeners);
    assert_true(exists("socket"));
    assert_false(exists(second));
}

/* accept() waits by poll, so that the kernel holds no descriptor number meanwhile. */
static void test_accept_waits_without_a_number(void **state)
{
    int64_t timeout[2] = {0, 20000};
    long out;

    (void)state;
    g_address[0] = inet(0);
    g_fd[0] = listener(&g_address[0], TYPE_STREAM, true);
    assert_int_equal(P(sys_setsockopt, (uint64_t)g_fd[0], SOL_SOCKET, SO_RCVTIMEO_OLD, A(timeout),
                       sizeof(timeout)),
                     0);
    g_fixture.interrupt = true;
    assert_int_equal(P(sys_accept, (uint64_t)g_fd[0], 0, 0), CALL_INTERRUPTED);
    assert_int_equal(g_fixture.last_blocking, __NR_ppoll);
    assert_int_equal(P(sys_accept, (uint64_t)g_fd[0], 0, 0), -EAGAIN); /* SO_RCVTIMEO */
    out = client(&g_address[0], TYPE_STREAM);
    g_fd[1] = P(sys_accept4, (uint64_t)g_fd[0], 0, 0, O_NONBLOCK);
    assert_true(g_fd[1] >= 0);
    assert_int_equal(K(__NR_fcntl, (uint64_t)g_fd[1], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    /* FIONBIO and fcntl agree about it. */
    timeout[0] = 1;
    assert_int_equal(P(sys_ioctl, (uint64_t)g_fd[0], FIONBIO, A(timeout)), 0);
    assert_int_equal(P(sys_fcntl, (uint64_t)g_fd[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(P(sys_accept, (uint64_t)g_fd[0], 0, 0), -EAGAIN);
    assert_int_equal(P(sys_fcntl, (uint64_t)g_fd[0], F_SETFL, 0), 0);
    assert_int_equal(P(sys_fcntl, (uint64_t)g_fd[0], F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(K(__NR_fcntl, (uint64_t)g_fd[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    K(__NR_close, (uint64_t)out);
}

static bool says(const char *text, const char *part)
{
    while (*text && strncmp(text, part, strlen(part)) != 0)
        text++;
    return *text;
}

/* ---- connections ---- */

static uint32_t events_of(long fd)
{
    struct pollfd poll = {.fd = (int32_t)fd, .events = POLLIN | POLLOUT};

    K(__NR_poll, A(&poll), 1, 1000);
    return (uint32_t)poll.revents;
}

static void check_reset(long fd)
{
    struct epoll_event event = {0, 0};
    char byte;

    CHECK((events_of(fd) & POLLHUP) == POLLHUP);
    CHECK_EQUAL(K(__NR_epoll_wait, (uint64_t)g_fd[8], A(&event), 1, 1000), 1);
    CHECK_EQUAL(K(__NR_read, (uint64_t)fd, A(&byte), 1), -ECONNRESET);
}

static void check_connections(void)
{
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQUAL(K(__NR_fcntl, (uint64_t)g_fd[i], F_GETFL) & O_NONBLOCK,
                    i == 1 ? O_NONBLOCK : 0);
        CHECK_EQUAL(option(g_fd[i], SOL_SOCKET, SO_DOMAIN), i == 2   ? FAMILY_INET6
                                                            : i == 3 ? FAMILY_UNIX
                                                                     : FAMILY_INET);
        check_reset(g_fd[i]);
    }
}

static void watch(long fd)
{
    struct epoll_event event = {EPOLLIN, (uint64_t)fd};

    assert_int_equal(P(sys_epoll_ctl, (uint64_t)g_fd[8], EPOLL_CTL_ADD, (uint64_t)fd, A(&event)),
                     0);
}

static void test_connections_given_up_are_reset(void **state)
{
    long servers[3], clients[2];
    struct fd_address *a = g_address;

    (void)state;
    g_fixture.connections = OM_CONNECTIONS_RESET;
    g_fd[8] = P(sys_epoll_create1, 0);
    a[0] = inet(0);
    a[1] = inet6();
    a[2] = local(fixture_path("socket"));
    servers[0] = listener(&a[0], TYPE_STREAM, true);
    servers[1] = listener(&a[1], TYPE_STREAM, true);
    servers[2] = listener(&a[2], TYPE_STREAM, false);
    /* Connected from inside to outside, and the other way round. */
    g_fd[0] = P(sys_socket, FAMILY_INET, TYPE_STREAM, 0);
    assert_int_equal(P(sys_connect, (uint64_t)g_fd[0], A(a[0].bytes), a[0].length), 0);
    clients[0] = client(&a[0], TYPE_STREAM);
    P(sys_close, (uint64_t)P(sys_accept, (uint64_t)servers[0], 0, 0));
    g_fd[1] = P(sys_accept4, (uint64_t)servers[0], 0, 0, O_NONBLOCK);
    clients[1] = client(&a[1], TYPE_STREAM);
    g_fd[2] = P(sys_accept, (uint64_t)servers[1], 0, 0);
    g_fd[3] = P(sys_socket, FAMILY_UNIX, TYPE_STREAM, 0);
    assert_int_equal(P(sys_connect, (uint64_t)g_fd[3], A(a[2].bytes), a[2].length), 0);
    for (unsigned i = 0; i < 4; i++)
        watch(g_fd[i]);
    fixture_move_away(check_connections);
    for (unsigned i = 0; i < 2; i++)
        K(__NR_close, (uint64_t)clients[i]);
}

/* Connections with bytes on the way in both directions, in IPv4 and IPv6: more than the peer's
 * window takes to it, and what the program has not read yet from it. */
enum { TCP_PAIRS = 3, STREAM_bytes = 12000000, UNREAD_bytes = 60000 };
static long g_outside[TCP_PAIRS];
static uint8_t g_stream[STREAM_bytes], g_got[STREAM_bytes];
static uint32_t g_streamed[TCP_PAIRS];

static void send_until_full(unsigned pair)
{
    long sent;

    g_streamed[pair] = 0;
    while ((sent = K(__NR_sendto, (uint64_t)g_fd[pair], A(g_stream + g_streamed[pair]),
                     STREAM_bytes - g_streamed[pair], 0x4040, 0, 0)) > 0)
        g_streamed[pair] += (uint32_t)sent;
    assert_int_equal(sent, -EAGAIN);
    assert_int_equal(K(__NR_write, (uint64_t)g_outside[pair], A(g_stream), UNREAD_bytes),
                     UNREAD_bytes);
}

static void read_exactly(long fd, uint32_t length)
{
    fixture_read(fd, g_got, g_stream, length);
}

/* Where the program is now. */
static void check_inside(void)
{
    for (unsigned pair = 0; pair < TCP_PAIRS; pair++) {
        struct epoll_event event = {0, 0};

        CHECK_EQUAL(K(__NR_epoll_wait, (uint64_t)g_fd[8], A(&event), 1, 1000), 1);
        read_exactly(g_fd[pair], UNREAD_bytes);
        CHECK_EQUAL(option(g_fd[pair], IPPROTO_TCP, 1 /* TCP_NODELAY */), pair < 2);
    }
    for (unsigned pair = 0; pair < TCP_PAIRS; pair++) {
        read_exactly(g_outside[pair], g_streamed[pair]); /* the peer, which has noticed nothing */
        CHECK_EQUAL(K(__NR_write, (uint64_t)g_fd[pair], A(g_stream), 7), 7);
        CHECK_EQUAL(K(__NR_write, (uint64_t)g_outside[pair], A(g_stream), 9), 9);
        read_exactly(g_outside[pair], 7);
        read_exactly(g_fd[pair], 9);
    }
}

static void make_streams(void)
{
    struct fd_address *a = g_address;
    long far;

    for (uint32_t i = 0; i < STREAM_bytes; i++)
        g_stream[i] = (uint8_t)(i * 7 + i / 251);
    g_fd[8] = P(sys_epoll_create1, 0);
    a[0] = inet(0);
    a[1] = inet6();
    a[2] = inet(0);
    g_fd[4] = listener(&a[0], TYPE_STREAM, true);
    g_fd[5] = listener(&a[1], TYPE_STREAM, true);
    assert_int_equal(set_option(g_fd[5], IPPROTO_TCP, 1 /* TCP_NODELAY, inherited */, 1), 0);
    for (unsigned i = 0; i < 2; i++) {
        g_outside[i] = client(&a[i], TYPE_STREAM);
        g_fd[i] = P(sys_accept, (uint64_t)g_fd[4 + i], 0, 0);
    }
    /* The program is the client, without a listener at its own address. */
    far = fd_move_up(K(__NR_socket, FAMILY_INET, TYPE_STREAM, 0));
    K(__NR_listen, (uint64_t)far, 1);
    fd_socket_local((int32_t)far, &a[2]);
    g_fd[2] = P(sys_socket, FAMILY_INET, TYPE_STREAM, 0);
    assert_int_equal(P(sys_connect, (uint64_t)g_fd[2], A(a[2].bytes), a[2].length), 0);
    g_outside[2] = fd_move_up(K(__NR_accept, (uint64_t)far, 0, 0));
    K(__NR_close, (uint64_t)far);
    assert_int_equal(set_option(g_fd[0], IPPROTO_TCP, 1 /* TCP_NODELAY */, 1), 0);
    for (unsigned i = 0; i < TCP_PAIRS; i++) {
        watch(g_fd[i]);
        send_until_full(i);
    }
}

static void end_streams(void)
{
    for (unsigned i = 0; i < TCP_PAIRS; i++)
        K(__NR_close, (uint64_t)g_outside[i]);
}

static void test_connections_move_with_their_bytes(void **state)
{
    (void)state;
    make_streams();
    fixture_move_away(check_inside);
    end_streams();
}

static void test_connections_stay_when_a_move_fails(void **state)
{
    (void)state;
    make_streams();
    fixture_move_fails(check_inside);
    end_streams();
}

static void test_connections_that_cannot_follow_are_refused(void **state)
{
    static uint8_t description[4096];
    struct fd_obstacle obstacle;
    long length;

    (void)state;
    make_streams();
    P(sys_close, (uint64_t)g_fd[4]); /* whose addresses are in use here */
    P(sys_close, (uint64_t)g_fd[5]);
    length = fd_prepare(description, sizeof(description), OM_CONNECTIONS_MOVE, &obstacle);
    assert_true(length > 0);
    assert_null(fixture_check_elsewhere(description, (size_t)length, true));
    assert_true(says(fixture_check_elsewhere(description, (size_t)length, false),
                     "its peer stays at the source host; --connections proxy"));
    length = fd_prepare(description, sizeof(description), OM_CONNECTIONS_RESET, &obstacle);
    assert_null(fixture_check_elsewhere(description, (size_t)length, false));
    end_streams();
}

/* To a process of this host: nothing can make it again, and it is lost only if the user says so. */
static void test_a_unix_connection_to_the_outside_is_refused(void **state)
{
    static uint8_t description[4096];
    struct fd_address address = local(fixture_path("outside"));
    struct fd_obstacle obstacle;
    long server = K(__NR_socket, FAMILY_UNIX, TYPE_STREAM, 0);

    (void)state;
    assert_int_equal(K(__NR_bind, (uint64_t)server, A(address.bytes), address.length), 0);
    assert_int_equal(K(__NR_listen, (uint64_t)server, 1), 0);
    g_fd[0] = P(sys_socket, FAMILY_UNIX, TYPE_STREAM, 0);
    assert_true(fd_prepare(description, sizeof(description), OM_CONNECTIONS_MOVE, &obstacle) > 0);
    assert_int_equal(P(sys_connect, (uint64_t)g_fd[0], A(address.bytes), address.length), 0);
    assert_int_equal(fd_prepare(description, sizeof(description), OM_CONNECTIONS_MOVE, &obstacle),
                     -EOPNOTSUPP);
    assert_int_equal(obstacle.fd, g_fd[0]);
    assert_true(says(obstacle.what, "outside): its other end stays at this host"));
    assert_true(fd_prepare(description, sizeof(description), OM_CONNECTIONS_RESET, &obstacle) > 0);
    K(__NR_close, (uint64_t)server);
}

enum { MANY = 400 };
static long g_many[MANY];

static void check_many(void)
{
    for (unsigned i = 0; i < MANY; i++) {
        char byte;

        CHECK((events_of(g_many[i]) & (POLLHUP | POLLERR)) == (POLLHUP | POLLERR));
        CHECK_EQUAL(K(__NR_read, (uint64_t)g_many[i], A(&byte), 1), -ECONNRESET);
    }
}

static void test_many_connections(void **state)
{
    long out[MANY];

    (void)state;
    g_fixture.connections = OM_CONNECTIONS_RESET;
    g_address[0] = inet(0);
    g_fd[0] = listener(&g_address[0], TYPE_STREAM, true);
    for (unsigned i = 0; i < MANY; i++) {
        out[i] = client(&g_address[0], TYPE_STREAM);
        g_many[i] = P(sys_accept, (uint64_t)g_fd[0], 0, 0);
        assert_true(out[i] >= 0 && g_many[i] >= 0);
    }
    fixture_move_away(check_many);
    for (unsigned i = 0; i < MANY; i++)
        K(__NR_close, (uint64_t)out[i]);
}

/* Not connected yet. */
static void check_fresh(void)
{
    CHECK_EQUAL(P(sys_connect, (uint64_t)g_fd[0], A(g_address[0].bytes), g_address[0].length), 0);
    CHECK_EQUAL(option(g_fd[1], SOL_SOCKET, SO_TYPE), TYPE_STREAM);
    /* A connect that did not wait and was under way is under way again, and comes to its end. */
    CHECK(wait_ready(g_fd[2], POLLOUT, 2000));
    CHECK_EQUAL(option(g_fd[2], SOL_SOCKET, SO_ERROR), 0);
}

static void test_sockets_not_connected_yet(void **state)
{
    long outside;

    (void)state;
    g_address[0] = inet(0);
    outside = fd_move_up(K(__NR_socket, FAMILY_INET, TYPE_STREAM, 0));
    K(__NR_bind, (uint64_t)outside, A(g_address[0].bytes), g_address[0].length);
    K(__NR_listen, (uint64_t)outside, 10);
    fd_socket_local((int32_t)outside, &g_address[0]);
    g_fd[0] = P(sys_socket, FAMILY_INET, TYPE_STREAM, 0);
    /* Interrupted: the thread makes the call again at the destination. */
    g_fixture.interrupt = true;
    assert_int_equal(P(sys_connect, (uint64_t)g_fd[0], A(g_address[0].bytes), g_address[0].length),
                     CALL_INTERRUPTED);
    g_fd[1] = P(sys_socket, FAMILY_INET, TYPE_STREAM, 0);
    g_fd[2] = P(sys_socket, FAMILY_INET, TYPE_STREAM | O_NONBLOCK, 0);
    /* The kernel is too fast to be caught at it, so the record says so. */
    fd_find((uint64_t)g_fd[2])->socket.state = SOCKET_CONNECTING;
    fd_find((uint64_t)g_fd[2])->socket.peer = g_address[0];
    fixture_move_away(check_fresh);
    K(__NR_close, (uint64_t)outside);
}

/* ---- datagrams ---- */

static void check_datagrams(void)
{
    char text[16] = {0};
    struct fd_address now;
    long out = client(&g_address[0], TYPE_DATAGRAM);

    fd_socket_local((int32_t)g_fd[0], &now);
    CHECK(memcmp(now.bytes, g_address[0].bytes, now.length) == 0);
    CHECK_EQUAL(K(__NR_write, (uint64_t)out, A("first"), 5), 5);
    CHECK(wait_ready(g_fd[0], POLLIN, 2000));
    CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[0], A(text), sizeof(text)), 5);
    /* Connected to the other one. */
    CHECK_EQUAL(K(__NR_write, (uint64_t)g_fd[1], A("second"), 6), 6);
    CHECK(wait_ready(g_fd[0], POLLIN, 2000));
    CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[0], A(text), sizeof(text)), 6);
    CHECK_EQUAL(K(__NR_write, (uint64_t)g_fd[3], A("third"), 5), 5);
    CHECK_EQUAL(K(__NR_read, (uint64_t)g_fd[2], A(text), sizeof(text)), 5);
    CHECK_EQUAL(option(g_fd[4], SOL_SOCKET, SO_DOMAIN), FAMILY_NETLINK);
    K(__NR_close, (uint64_t)out);
}

static void test_datagrams(void **state)
{
    struct sockaddr_nl netlink = {.nl_family = FAMILY_NETLINK};

    (void)state;
    g_address[0] = inet(0);
    g_fd[0] = P(sys_socket, FAMILY_INET, TYPE_DATAGRAM, 0);
    P(sys_bind, (uint64_t)g_fd[0], A(g_address[0].bytes), g_address[0].length);
    fd_socket_local((int32_t)g_fd[0], &g_address[0]);
    g_fd[1] = P(sys_socket, FAMILY_INET, TYPE_DATAGRAM, 0);
    assert_int_equal(P(sys_connect, (uint64_t)g_fd[1], A(g_address[0].bytes), g_address[0].length),
                     0);
    g_address[1] = local(fixture_path("datagrams"));
    g_fd[2] = P(sys_socket, FAMILY_UNIX, TYPE_DATAGRAM, 0);
    P(sys_bind, (uint64_t)g_fd[2], A(g_address[1].bytes), g_address[1].length);
    g_fd[3] = P(sys_socket, FAMILY_UNIX, TYPE_DATAGRAM, 0);
    assert_int_equal(P(sys_connect, (uint64_t)g_fd[3], A(g_address[1].bytes), g_address[1].length),
                     0);
    g_fd[4] = P(sys_socket, FAMILY_NETLINK, 3, 0);
    P(sys_bind, (uint64_t)g_fd[4], A(&netlink), sizeof(netlink));
    fixture_move_away(check_datagrams);
}

/* ---- pairs ---- */

static void check_text(long fd, const char *should)
{
    char text[64] = {0};

    CHECK_EQUAL(K(__NR_recvfrom, (uint64_t)fd, A(text), sizeof(text) - 1, 0x40), strlen(should));
    CHECK(strcmp(text, should) == 0);
}

static void check_pairs(void)
{
    check_text(g_fd[0], "to the first, in two writes");
    check_text(g_fd[1], "to the second");
    K(__NR_write, (uint64_t)g_fd[1], A("again"), 5);
    check_text(g_fd[0], "again");
    CHECK_EQUAL(K(__NR_fcntl, (uint64_t)g_fd[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    CHECK_EQUAL(K(__NR_fcntl, (uint64_t)g_fd[1], F_GETFL) & O_NONBLOCK, 0);
    CHECK_EQUAL(option(g_fd[1], SOL_SOCKET, SO_PASSCRED), 1);
    /* The peer has closed: what it wrote, then the end. */
    check_text(g_fd[2], "farewell");
    check_text(g_fd[2], "");
    /* The peer has ended its writing. */
    check_text(g_fd[3], "");
    K(__NR_write, (uint64_t)g_fd[3], A("back"), 4);
    check_text(g_fd[4], "back");
    K(__NR_write, (uint64_t)g_fd[5], A("datagram"), 8);
    check_text(g_fd[6], "datagram");
}

static void test_pairs(void **state)
{
    int32_t fds[4][2];

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(
            P(sys_socketpair, FAMILY_UNIX, i == 3 ? TYPE_DATAGRAM : TYPE_STREAM, 0, A(fds[i])), 0);
    g_fd[0] = fds[0][0];
    g_fd[1] = fds[0][1];
    K(__NR_write, (uint64_t)g_fd[1], A("to the first, "), 14);
    K(__NR_write, (uint64_t)g_fd[1], A("in two writes"), 13);
    K(__NR_write, (uint64_t)g_fd[0], A("to the second"), 13);
    P(sys_fcntl, (uint64_t)g_fd[0], F_SETFL, O_NONBLOCK);
    assert_int_equal(set_option(g_fd[1], SOL_SOCKET, SO_PASSCRED, 1), 0);
    g_fd[2] = fds[1][0];
    K(__NR_write, (uint64_t)fds[1][1], A("farewell"), 8);
    P(sys_close, (uint64_t)fds[1][1]);
    g_fd[3] = fds[2][0];
    g_fd[4] = fds[2][1];
    P(sys_shutdown, (uint64_t)g_fd[4], 1);
    g_fd[5] = fds[3][0];
    g_fd[6] = fds[3][1];
    fixture_move(check_pairs);
}

/* What does not fit into one packet buffer of the kernel. */
enum { LONG_bytes = 150000 };

static void check_long_contents(void)
{
    static uint8_t bytes[LONG_bytes];
    long at = 0;

    while (at < g_fd[2])
        at += K(__NR_read, (uint64_t)g_fd[0], A(bytes + at), (uint64_t)(LONG_bytes - at));
    for (long i = 0; i < at; i++)
        CHECK(bytes[i] == (uint8_t)(i * 31 >> 4));
    CHECK(!wait_ready(g_fd[0], POLLIN, 0));
}

static void test_long_contents(void **state)
{
    static uint8_t bytes[LONG_bytes];
    int32_t fds[2];

    (void)state;
    for (long i = 0; i < LONG_bytes; i++)
        bytes[i] = (uint8_t)(i * 31 >> 4);
    P(sys_socketpair, FAMILY_UNIX, TYPE_STREAM | O_NONBLOCK, 0, A(fds));
    g_fd[0] = fds[0];
    g_fd[2] = K(__NR_write, (uint64_t)fds[1], A(bytes), LONG_bytes);
    assert_true(g_fd[2] > 50000);
    fixture_move(check_long_contents);
}

static void send_messages(long fd)
{
    static uint8_t bytes[70000];

    for (long i = 0; i < (long)sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 31 >> 4);
    K(__NR_sendto, (uint64_t)fd, A(""), 0, 0, 0, 0);
    K(__NR_write, (uint64_t)fd, A("one"), 3);
    K(__NR_sendto, (uint64_t)fd, A(""), 0, 0, 0, 0);
    K(__NR_sendto, (uint64_t)fd, A(""), 0, 0, 0, 0);
    CHECK_EQUAL(K(__NR_write, (uint64_t)fd, A(bytes), sizeof(bytes)), sizeof(bytes));
    K(__NR_write, (uint64_t)fd, A("last"), 4);
}

/* Boundaries, empty messages, the sender's ids; the other end may be gone or shut. */
static void check_messages(void)
{
    static uint8_t bytes[LONG_bytes];

    for (unsigned i = 0; i < 4; i += 2) {
        for (unsigned round = 0; round < 2; round++) {
            check_text(g_fd[i], "");
            check_text(g_fd[i], "one");
            check_text(g_fd[i], "");
            check_text(g_fd[i], "");
            CHECK_EQUAL(K(__NR_recvfrom, (uint64_t)g_fd[i], A(bytes), sizeof(bytes), 0x40), 70000);
            CHECK(bytes[0] == 0 && bytes[69999] == (uint8_t)(69999 * 31 >> 4));
            check_text(g_fd[i], "last");
            CHECK_EQUAL(K(__NR_recvfrom, (uint64_t)g_fd[i], A(bytes), 1, 0x40), -EAGAIN);
            if (round == 0) { /* and the other way */
                check_text(g_fd[i + 1], "back");
                send_messages(g_fd[i + 1]);
            }
        }
    }
    check_text(g_fd[4], "farewell");
    check_text(g_fd[5], "before the end");
    check_text(g_fd[5], "");
    CHECK_EQUAL(K(__NR_write, (uint64_t)g_fd[5], A("still"), 5), 5);
    check_text(g_fd[6], "still");
}

static void test_messages(void **state)
{
    static const uint64_t types[4] = {TYPE_DATAGRAM, TYPE_SEQPACKET, TYPE_DATAGRAM, TYPE_SEQPACKET};
    int32_t fds[4][2];

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(P(sys_socketpair, FAMILY_UNIX, types[i], 0, A(fds[i])), 0);
    for (unsigned i = 0; i < 2; i++) {
        g_fd[2 * i] = fds[i][0];
        g_fd[2 * i + 1] = fds[i][1];
        send_messages(fds[i][1]);
        K(__NR_write, (uint64_t)fds[i][0], A("back"), 4);
    }
    assert_int_equal(set_option(g_fd[0], SOL_SOCKET, SO_PASSCRED, 1), 0);
    g_fd[4] = fds[2][0];
    K(__NR_write, (uint64_t)fds[2][1], A("farewell"), 8);
    P(sys_close, (uint64_t)fds[2][1]);
    g_fd[5] = fds[3][0];
    g_fd[6] = fds[3][1];
    K(__NR_write, (uint64_t)g_fd[6], A("before the end"), 14);
    P(sys_shutdown, (uint64_t)g_fd[6], 1);
    fixture_move(check_messages);
}

/* The kernel hides empty messages from the second capture: it must not take them for gone. */
static void check_stays(void)
{
    assert_true(says(fixture_obstacle(), "a socket pair: empty messages"));
    check_text(g_fd[0], "");
    assert_true(says(fixture_obstacle(), "a socket pair: empty messages"));
    check_text(g_fd[0], "one");
}

static void check_nothing_waits(void)
{
    uint8_t byte;

    CHECK_EQUAL(K(__NR_recvfrom, (uint64_t)g_fd[0], A(&byte), 1, 0x40), -EAGAIN);
}

static void check_one(void)
{
    check_text(g_fd[0], "one");
    check_nothing_waits();
}

static void test_empty_messages_after_a_move_that_failed(void **state)
{
    int32_t fds[2];

    (void)state;
    P(sys_socketpair, FAMILY_UNIX, TYPE_DATAGRAM, 0, A(fds));
    g_fd[0] = fds[0];
    K(__NR_write, (uint64_t)fds[1], A(""), 0);
    K(__NR_write, (uint64_t)fds[1], A("one"), 3);
    fixture_move_fails(check_stays);
    fixture_move(check_nothing_waits);
    K(__NR_write, (uint64_t)fds[1], A("one"), 3);
    fixture_move(check_one);
}

static void test_descriptors_in_flight(void **state)
{
    static const uint64_t types[3] = {TYPE_STREAM, TYPE_DATAGRAM, TYPE_SEQPACKET};
    struct {
        uint64_t length;
        int32_t level, type, fd, padding;
    } rights = {20, SOL_SOCKET, 1 /* SCM_RIGHTS */, 0, 0};
    struct {
        uint64_t bytes, length;
    } part = {A("x"), 1};
    struct {
        uint64_t name, name_length, parts, count, control, control_length, flags;
    } header = {0, 0, A(&part), 1, A(&rights), sizeof(rights), 0};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        int32_t fds[2];

        P(sys_socketpair, FAMILY_UNIX, types[i], 0, A(fds));
        assert_int_equal(K(__NR_sendmsg, (uint64_t)fds[0], A(&header), 0), 1);
        assert_true(says(fixture_obstacle(), "a socket pair: descriptors sent over it"));
        assert_int_equal(set_option(fds[1], SOL_SOCKET, SO_PASSCRED, 1), 0);
        assert_true(says(fixture_obstacle(), "a socket pair: descriptors sent over it"));
        P(sys_close, (uint64_t)fds[0]);
        P(sys_close, (uint64_t)fds[1]);
    }
}

/* Ports that somebody else has at another machine, and addresses that it does not have. */
static void test_addresses_at_the_destination(void **state)
{
    static uint8_t description[DESCRIPTION_bytes];
    struct fd_obstacle obstacle;
    const char *what;
    long length;

    (void)state;
    g_address[0] = inet(0);
    g_fd[0] = listener(&g_address[0], TYPE_STREAM, true);
    g_address[1] = local(fixture_path("socket"));
    g_fd[1] = listener(&g_address[1], TYPE_STREAM, true);
    length = fd_prepare(description, sizeof(description), OM_CONNECTIONS_MOVE, &obstacle);
    assert_true(length > 0);
    assert_null(fixture_check_elsewhere(description, (size_t)length, true));
    what = fixture_check_elsewhere(description, (size_t)length, false);
    assert_true(what && says(what, "(address 127.0.0.1:") && says(what, "in use"));
    P(sys_close, (uint64_t)g_fd[0]);
    assert_null(fixture_check_elsewhere(description, (size_t)length, false));
    K(__NR_unlink, A(fixture_path("socket")));
    fixture_file("socket", "a plain file");
    what = fixture_check_elsewhere(description, (size_t)length, false);
    assert_true(what && says(what, "something else in its place"));
}

/* ---- calls ---- */

static void test_pointers_and_lengths(void **state)
{
    struct {
        uint16_t count;
        uint64_t instructions;
    } filter = {1, ELRANGE_END + 0x1000};
    uint8_t address[200] = {FAMILY_INET};

    (void)state;
    g_fd[0] = P(sys_socket, FAMILY_INET, TYPE_STREAM, 0);
    assert_int_equal(P(sys_connect, (uint64_t)g_fd[0], A(address), sizeof(address)), -EINVAL);
    assert_int_equal(P(sys_connect, (uint64_t)g_fd[0], 0, 16), -EFAULT);
    assert_int_equal(P(sys_setsockopt, (uint64_t)g_fd[0], SOL_SOCKET, SO_ATTACH_FILTER, A(&filter),
                       sizeof(filter)),
                     -EFAULT); /* the pointer inside leads to the host */
    assert_int_equal(P(sys_setsockopt, (uint64_t)g_fd[0], IPPROTO_IP, 64, A(address), 84),
                     -ENOPROTOOPT);
    assert_int_equal(
        P(sys_setsockopt, (uint64_t)g_fd[0], SOL_SOCKET, SO_REUSEADDR, A(address), (uint64_t)-1),
        -EINVAL);
    assert_int_equal(P(sys_socketpair, FAMILY_INET, TYPE_STREAM, 0, A(address)), -EOPNOTSUPP);
    assert_int_equal(P(sys_ioctl, (uint64_t)g_fd[0], 0x12345678, A(address)), -ENOTTY);
    assert_int_equal(P(sys_ioctl, (uint64_t)g_fd[0], FIONREAD, ELRANGE_END + 8), -EFAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_reset, fixture_destroy)
        TEST(test_tcp_listeners),
        TEST(test_tcp_listeners_stay),
        TEST(test_port_held_by_connections),
        TEST(test_unix_listeners),
        TEST(test_accept_waits_without_a_number),
        TEST(test_connections_given_up_are_reset),
        TEST(test_connections_move_with_their_bytes),
        TEST(test_connections_stay_when_a_move_fails),
        TEST(test_connections_that_cannot_follow_are_refused),
        TEST(test_a_unix_connection_to_the_outside_is_refused),
        TEST(test_many_connections),
        TEST(test_sockets_not_connected_yet),
        TEST(test_datagrams),
        TEST(test_pairs),
        TEST(test_long_contents),
        TEST(test_messages),
        TEST(test_empty_messages_after_a_move_that_failed),
        TEST(test_descriptors_in_flight),
        TEST(test_addresses_at_the_destination),
        TEST(test_pointers_and_lengths),
    };

    return cmocka_run_group_tests(tests, fixture_create, NULL);
}
