/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optmig-relay: what a program leaves behind that has moved with --connections proxy.  It has the
 * kernel's sockets to the program's clients and passes bytes between each of them and its stand-in
 * at the destination, both ways, with the ends of both: a half-close, a reset.  One buffer for each
 * direction; who does not read makes the other side wait.  New clients of the old address are
 * passed on too.
 *
 * Trusts: the host process that has started it.  A stand-in is whoever says its token, which the
 * two enclaves have agreed on over their sealed channel.  The bytes are those that the clients'
 * network carries anyway.
 *
 * It ends when nothing is left to pass on.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "host/relay_protocol.h"

enum {
    BUFFER_bytes = 256 << 10,
    EVENTS = 64,
    UNKNOWN_MAX = 1024,      /* that have not said their token yet */
    STANDINS_TIMEOUT_s = 30, /* for all stand-ins to come */
    BACKLOG = 4096,
    BACKLOG_TURN = 64,
};

struct side {
    enum { SIDE_CLIENT, SIDE_STANDIN, SIDE_UNKNOWN, SIDE_LISTENER, SIDE_HALL } kind;
    int fd;
    struct pair *pair;
    uint32_t events; /* as epoll knows them */
    bool connecting, read_ended, write_ended;
    /* Read from this side, for the other one; SIDE_UNKNOWN: of the token. */
    char *data;
    size_t start, end;
    struct sockaddr_storage to; /* SIDE_LISTENER */
};

struct pair {
    struct pair *next;
    struct side client, standin; /* fd -1: has not come yet */
    uint8_t token[OM_RELAY_TOKEN_bytes];
};

static int g_epoll = -1;
static struct pair *g_pairs;
static unsigned g_pair_count, g_unknown, g_listeners, g_awaited;
static struct side g_hall = {.kind = SIDE_HALL, .fd = -1};

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (!memory)
        abort();
    return memory;
}

static time_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

static void listen_to(struct side *side, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = side};

    if (epoll_ctl(g_epoll, EPOLL_CTL_ADD, side->fd, &event))
        abort();
    side->events = events;
}

static void change(struct side *side, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = side};

    if (side->fd < 0 || side->events == events)
        return;
    epoll_ctl(g_epoll, EPOLL_CTL_MOD, side->fd, &event);
    side->events = events;
}

/* ---- pairs ---- */

static void end_side(struct side *side, bool reset)
{
    const struct linger at_once = {.l_onoff = 1};

    if (side->fd >= 0 && reset)
        setsockopt(side->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    if (side->fd >= 0)
        close(side->fd);
    free(side->data);
    side->fd = -1;
    side->data = NULL;
}

/* Freed at the end of a turn: other events of the turn may name it. */
static void end_pair(struct pair *pair, bool reset)
{
    if (pair->standin.fd < 0 && pair->client.fd >= 0 && g_awaited)
        g_awaited--;
    end_side(&pair->client, reset);
    end_side(&pair->standin, reset);
}

static void free_ended(void)
{
    for (struct pair **at = &g_pairs; *at;) {
        struct pair *pair = *at;

        if (pair->client.fd >= 0) {
            at = &pair->next;
            continue;
        }
        *at = pair->next;
        free(pair);
        g_pair_count--;
    }
}

static struct pair *make_pair(int client, int standin)
{
    struct pair *pair = allocate(sizeof(*pair));

    pair->client = (struct side){.kind = SIDE_CLIENT, .fd = client, .pair = pair};
    pair->standin = (struct side){.kind = SIDE_STANDIN, .fd = standin, .pair = pair};
    pair->client.data = allocate(BUFFER_bytes);
    pair->standin.data = allocate(BUFFER_bytes);
    pair->next = g_pairs;
    g_pairs = pair;
    g_pair_count++;
    return pair;
}

static struct side *other(struct side *side)
{
    return side == &side->pair->client ? &side->pair->standin : &side->pair->client;
}

static void update(struct side *side)
{
    uint32_t events = 0;

    if (!side->read_ended && side->end < BUFFER_bytes)
        events |= EPOLLIN;
    if (side->connecting || other(side)->start < other(side)->end)
        events |= EPOLLOUT;
    change(side, events);
}

/* False: the connection is broken. */
static bool take_in(struct side *from)
{
    ssize_t got;

    if (from->read_ended || from->end == BUFFER_bytes)
        return true;
    got = recv(from->fd, from->data + from->end, BUFFER_bytes - from->end, MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    from->read_ended = got == 0;
    from->end += (size_t)got;
    return true;
}

static bool put_out(struct side *from, struct side *to)
{
    ssize_t put;

    if (to->fd < 0 || to->connecting)
        return true;
    if (from->start < from->end) {
        put = send(to->fd, from->data + from->start, from->end - from->start,
                   MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        from->start += put > 0 ? (size_t)put : 0;
    }
    if (from->start == from->end)
        from->start = from->end = 0;
    if (from->read_ended && from->end == 0 && !to->write_ended) {
        shutdown(to->fd, SHUT_WR);
        to->write_ended = true;
    }
    return true;
}

static bool finish_connect(struct side *side)
{
    int error = 0;
    socklen_t length = sizeof(error);

    getsockopt(side->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    side->connecting = error == EINPROGRESS;
    return !error;
}

static void serve(struct side *side, uint32_t events)
{
    struct side *peer = other(side);
    bool whole = true;

    if (side->connecting && events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
        whole = finish_connect(side);
    if (whole && events & (EPOLLIN | EPOLLERR | EPOLLHUP) && !side->connecting)
        whole = take_in(side);
    whole = whole && put_out(side, peer) && put_out(peer, side);
    if (!whole) {
        end_pair(side->pair, true);
    } else if (side->write_ended && peer->write_ended) {
        end_pair(side->pair, false);
    } else {
        update(side);
        update(peer);
    }
}

/* ---- stand-ins ---- */

static void admit(int fd)
{
    struct side *side;

    if (g_unknown >= UNKNOWN_MAX) {
        close(fd);
        return;
    }
    side = allocate(sizeof(*side));
    *side = (struct side){.kind = SIDE_UNKNOWN, .fd = fd, .data = allocate(OM_RELAY_TOKEN_bytes)};
    g_unknown++;
    listen_to(side, EPOLLIN);
}

/* In constant time: who guesses learns nothing from how long it takes. */
static bool is_token(const uint8_t *a, const uint8_t *b)
{
    uint8_t differ = 0;

    for (size_t i = 0; i < OM_RELAY_TOKEN_bytes; i++)
        differ |= a[i] ^ b[i];
    return differ == 0;
}

static void join(struct pair *pair, int fd)
{
    const int one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    pair->standin.fd = fd;
    g_awaited--;
    listen_to(&pair->standin, EPOLLIN);
    listen_to(&pair->client, EPOLLIN);
}

static void hear_token(struct side *side)
{
    ssize_t got =
        recv(side->fd, side->data + side->end, OM_RELAY_TOKEN_bytes - side->end, MSG_DONTWAIT);
    struct pair *pair = g_pairs;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    side->end += got > 0 ? (size_t)got : 0;
    if (got > 0 && side->end < OM_RELAY_TOKEN_bytes)
        return;
    while (pair && (got <= 0 || pair->standin.fd >= 0 || pair->client.fd < 0 ||
                    !is_token(pair->token, (uint8_t *)side->data)))
        pair = pair->next;
    epoll_ctl(g_epoll, EPOLL_CTL_DEL, side->fd, NULL);
    if (pair)
        join(pair, side->fd);
    else
        close(side->fd);
    free(side->data);
    free(side);
    g_unknown--;
}

/* ---- new clients of the old address ---- */

static void pass_on_new(const struct side *listener)
{
    for (int i = 0; i < BACKLOG_TURN; i++) {
        int client = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), standin;
        struct pair *pair;

        if (client < 0)
            return;
        standin = socket(listener->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (standin < 0 ||
            (connect(standin, (const struct sockaddr *)&listener->to, sizeof(listener->to)) &&
             errno != EINPROGRESS)) {
            close(client);
            if (standin >= 0)
                close(standin);
            continue;
        }
        pair = make_pair(client, standin);
        pair->standin.connecting = true;
        listen_to(&pair->standin, EPOLLOUT);
        listen_to(&pair->client, EPOLLIN);
    }
}

static void accept_standins(void)
{
    for (int i = 0; i < BACKLOG_TURN; i++) {
        int fd = accept4(g_hall.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
            return;
        admit(fd);
    }
}

/* ---- what is left behind ---- */

static void take_connection(const struct relay_message *message, int fd)
{
    struct pair *pair = make_pair(fd, -1);

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    memcpy(pair->token, message->token, sizeof(pair->token));
    g_awaited++;
}

static void take_listener(const struct relay_message *message, int fd)
{
    struct side *side = allocate(sizeof(*side));

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    *side = (struct side){.kind = SIDE_LISTENER, .fd = fd, .to = message->address};
    g_listeners++;
    listen_to(side, EPOLLIN);
}

/* At the address over which the move goes, any port. */
static void open_hall(struct relay_message *message)
{
    socklen_t length = sizeof(message->address);

    g_hall.fd = socket(message->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (g_hall.fd < 0 || bind(g_hall.fd, (struct sockaddr *)&message->address, length) ||
        listen(g_hall.fd, BACKLOG) ||
        getsockname(g_hall.fd, (struct sockaddr *)&message->address, &length) ||
        send(RELAY_CONTROL_FD, message, sizeof(*message), MSG_NOSIGNAL) != sizeof(*message))
        exit(1);
}

/* True once all is here; the process ends if its parent says so, or has ended. */
static bool hear_parent(void)
{
    struct relay_message message;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {&message, sizeof(message)};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    ssize_t got = recvmsg(RELAY_CONTROL_FD, &header, MSG_CMSG_CLOEXEC);
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    int fd = -1;

    if (got < 0 && errno == EINTR)
        return false;
    if (got != sizeof(message) || message.kind == RELAY_END)
        exit(0);
    if (rights && rights->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(rights), sizeof(fd));
    if (message.kind == RELAY_CONNECTION && fd >= 0)
        take_connection(&message, fd);
    else if (message.kind == RELAY_LISTENER && fd >= 0)
        take_listener(&message, fd);
    else if (message.kind == RELAY_HERE)
        open_hall(&message);
    return message.kind == RELAY_GO;
}

/* The destination has all its stand-ins connected before it starts; who is missing will not come.
 */
static void give_up_missing(time_t *deadline)
{
    if (*deadline && now() < *deadline && g_awaited)
        return;
    if (*deadline && g_awaited)
        for (struct pair *pair = g_pairs; pair; pair = pair->next)
            if (pair->standin.fd < 0 && pair->client.fd >= 0)
                end_pair(pair, true);
    if (*deadline && !g_unknown) { /* nobody else has business there */
        close(g_hall.fd);
        *deadline = 0;
    }
}

int main(void)
{
    struct rlimit files = {0, 0};
    struct epoll_event events[EVENTS];
    time_t deadline;

    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    g_epoll = epoll_create1(EPOLL_CLOEXEC);
    while (!hear_parent())
        ;
    close(RELAY_CONTROL_FD);
    listen_to(&g_hall, EPOLLIN);
    deadline = now() + STANDINS_TIMEOUT_s;
    while (g_pair_count || g_listeners) {
        int count = epoll_wait(g_epoll, events, EVENTS, deadline ? 1000 : -1);

        for (int i = 0; i < count; i++) {
            struct side *side = events[i].data.ptr;

            if (side->kind == SIDE_HALL)
                accept_standins();
            else if (side->kind == SIDE_LISTENER)
                pass_on_new(side);
            else if (side->kind == SIDE_UNKNOWN)
                hear_token(side);
            else if (side->fd >= 0)
                serve(side, events[i].events);
        }
        free_ended();
        give_up_missing(&deadline);
    }
    return 0;
}
