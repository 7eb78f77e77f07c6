/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams of a move.  Nothing here understands what is sent: it is sealed.  Sockets block, with
 * a short time limit, after which cancellation and lack of progress are looked at.
 *
 * When they break the enclave may ask for others.  Those come from the daemon (channel_offer): it
 * knows how to reach the other one, and this process does not.
 */
#include "host/channel.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "host/enclave.h"

enum { TICK_ms = 50, PARTS_MAX = 16, UNANSWERED_MAX_ms = 30000, KEEPALIVE_s = 10 };

static struct {
    int fd[OM_STREAM_COUNT];
    volatile uint32_t cancellable, stall_ms;
} g_channel = {.fd = {-1, -1}};

static struct {
    pthread_mutex_t lock; /* also of closing g_channel.fd */
    pthread_cond_t change;
    int fd[OM_STREAM_COUNT]; /* offered; -1: none */
    long orphaned;           /* 0, or why there will be none */
    uint32_t limit_ms;
    void (*severed)(const struct om_severed *severed);
} g_next = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER, .fd = {-1, -1}};

void channel_open(uint32_t stream, int fd)
{
    const struct timeval tick = {.tv_usec = TICK_ms * 1000};
    const int one = 1, unanswered_ms = UNANSWERED_MAX_ms, keepalive_s = KEEPALIVE_s;

    g_channel.fd[stream] = fd;
    g_channel.cancellable = 1;
    g_channel.stall_ms = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof(tick));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tick, sizeof(tick));
    /* Fail on a unix socket, which needs none of them. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive_s, sizeof(keepalive_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &keepalive_s, sizeof(keepalive_s));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof(unanswered_ms));
}

bool channel_addresses(struct sockaddr_storage *out_here, struct sockaddr_storage *out_there)
{
    struct sockaddr_storage unused;
    socklen_t length = sizeof(unused), other = sizeof(unused);
    int fd = g_channel.fd[OM_STREAM_BULK];

    out_here = out_here ? out_here : &unused;
    if (getsockname(fd, (struct sockaddr *)out_here, &length) ||
        (out_here->ss_family != AF_INET && out_here->ss_family != AF_INET6))
        return false;
    out_there = out_there ? out_there : &unused;
    return getpeername(fd, (struct sockaddr *)out_there, &other) == 0;
}

/* The lock is held. */
static void close_both(int fd[OM_STREAM_COUNT])
{
    for (uint32_t i = 0; i < OM_STREAM_COUNT; i++) {
        if (fd[i] >= 0)
            close(fd[i]);
        fd[i] = -1;
    }
}

void channel_close_all(void)
{
    pthread_mutex_lock(&g_next.lock);
    close_both(g_channel.fd);
    close_both(g_next.fd);
    if (!g_next.orphaned)
        g_next.orphaned = -ECONNREFUSED; /* The move is over: nothing is offered to it any more. */
    pthread_mutex_unlock(&g_next.lock);
}

void channel_begin(uint32_t limit_ms, void (*severed)(const struct om_severed *severed))
{
    pthread_mutex_lock(&g_next.lock);
    close_both(g_next.fd);
    g_next.orphaned = 0;
    g_next.limit_ms = limit_ms;
    g_next.severed = severed;
    pthread_mutex_unlock(&g_next.lock);
}

void channel_offer(const int fds[OM_STREAM_COUNT])
{
    pthread_mutex_lock(&g_next.lock);
    close_both(g_next.fd);
    for (uint32_t i = 0; i < OM_STREAM_COUNT; i++)
        g_next.fd[i] = fds[i];
    if (g_next.orphaned)
        close_both(g_next.fd);
    /* The other side has given the present ones up, and this one may not have noticed. */
    for (uint32_t i = 0; i < OM_STREAM_COUNT; i++)
        if (g_channel.fd[i] >= 0)
            shutdown(g_channel.fd[i], SHUT_RDWR);
    pthread_cond_broadcast(&g_next.change);
    pthread_mutex_unlock(&g_next.lock);
}

void channel_orphan(long error)
{
    pthread_mutex_lock(&g_next.lock);
    if (!g_next.orphaned)
        g_next.orphaned = error;
    pthread_cond_broadcast(&g_next.change);
    pthread_mutex_unlock(&g_next.lock);
}

void host_channel_limits(uint32_t cancellable, uint32_t stall_ms)
{
    g_channel.cancellable = cancellable;
    g_channel.stall_ms = stall_ms;
}

void host_channel_shutdown(void)
{
    pthread_mutex_lock(&g_next.lock);
    for (uint32_t i = 0; i < OM_STREAM_COUNT; i++)
        if (g_channel.fd[i] >= 0)
            shutdown(g_channel.fd[i], SHUT_RDWR);
    pthread_mutex_unlock(&g_next.lock);
}

void host_channel_finish(uint32_t stream)
{
    pthread_mutex_lock(&g_next.lock);
    if (stream < OM_STREAM_COUNT && g_channel.fd[stream] >= 0)
        shutdown(g_channel.fd[stream], SHUT_WR);
    pthread_mutex_unlock(&g_next.lock);
}

/* 0 when there is an offer.  The lock is held. */
static long wait_for_offer(bool limited)
{
    struct timespec until;
    int error = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += g_next.limit_ms / 1000;
    while (g_next.fd[0] < 0 && !g_next.orphaned && error != ETIMEDOUT)
        error = limited ? pthread_cond_timedwait(&g_next.change, &g_next.lock, &until)
                        : pthread_cond_wait(&g_next.change, &g_next.lock);
    if (g_next.fd[0] >= 0)
        return 0;
    return g_next.orphaned ? g_next.orphaned : -ETIMEDOUT;
}

long host_channel_reconnect(const struct om_severed *severed)
{
    int fds[OM_STREAM_COUNT];
    long error;

    pthread_mutex_lock(&g_next.lock);
    close_both(g_channel.fd);
    pthread_mutex_unlock(&g_next.lock);
    g_next.severed(severed);
    pthread_mutex_lock(&g_next.lock);
    error = wait_for_offer(severed->side == OM_SEVERED_WITHDRAWN);
    if (g_next.orphaned == -EOWNERDEAD)
        g_next.orphaned = 0; /* A question of the operator's: asked once. */
    for (uint32_t i = 0; i < OM_STREAM_COUNT; i++) {
        fds[i] = g_next.fd[i];
        g_next.fd[i] = -1;
    }
    /* Under the lock: the next offer has to find them. */
    for (uint32_t i = 0; i < OM_STREAM_COUNT && !error; i++)
        channel_open(i, fds[i]);
    pthread_mutex_unlock(&g_next.lock);
    return error;
}

static uint64_t now_ms(void)
{
    return host_now_ns(CLOCK_MONOTONIC) / 1000000;
}

/* After a call that moved nothing for a tick: 0 to try again. */
static long keep_waiting(uint64_t since_ms, bool limited)
{
    if (errno == EINTR)
        return 0;
    if (errno != EAGAIN)
        return -errno;
    if (g_channel.cancellable && host_cancel_requested())
        return -ECANCELED;
    if (limited && g_channel.stall_ms && now_ms() - since_ms > g_channel.stall_ms)
        return -ETIMEDOUT;
    return 0;
}

/* Takes done bytes off the front of iov; the number of parts left. */
static uint32_t advance(struct iovec *iov, uint32_t count, size_t done)
{
    uint32_t first = 0;

    while (first < count && done >= iov[first].iov_len)
        done -= iov[first++].iov_len;
    for (uint32_t i = first; i < count; i++)
        iov[i - first] = iov[i];
    if (first < count) {
        iov[0].iov_base = (char *)iov[0].iov_base + done;
        iov[0].iov_len -= done;
    }
    return count - first;
}

long host_channel_send(uint32_t stream, const struct om_buffer *parts, uint32_t count)
{
    struct iovec iov[PARTS_MAX];
    uint64_t since = 0;

    if (stream >= OM_STREAM_COUNT || count > PARTS_MAX)
        return -EINVAL;
    for (uint32_t i = 0; i < count; i++)
        iov[i] = (struct iovec){(void *)parts[i].data, parts[i].length};
    while (count) {
        struct msghdr message = {.msg_iov = iov, .msg_iovlen = count};
        ssize_t sent = sendmsg(g_channel.fd[stream], &message, MSG_NOSIGNAL);
        long error = 0;

        if (sent > 0) {
            count = advance(iov, count, (size_t)sent);
            since = 0;
            continue;
        }
        if (!since)
            since = now_ms();
        if (sent < 0)
            error = keep_waiting(since, true);
        if (error)
            return error;
    }
    return 0;
}

long host_channel_recv(uint32_t stream, void *buffer, size_t length)
{
    size_t done = 0;
    uint64_t since = 0;

    if (stream >= OM_STREAM_COUNT)
        return -EINVAL;
    while (done < length) {
        ssize_t got = recv(g_channel.fd[stream], (char *)buffer + done, length - done, MSG_WAITALL);
        long error;

        if (got > 0) {
            done += (size_t)got;
            since = 0;
            continue;
        }
        if (got == 0)
            return done ? -ECONNRESET : 0;
        if (!since)
            since = now_ms();
        error = keep_waiting(since, stream == OM_STREAM_BULK);
        if (error)
            return error;
    }
    return (long)done;
}

long host_channel_pending(uint32_t stream)
{
    struct pollfd fd = {.events = POLLIN};

    if (stream >= OM_STREAM_COUNT)
        return -EINVAL;
    fd.fd = g_channel.fd[stream];
    return poll(&fd, 1, 0) > 0;
}
