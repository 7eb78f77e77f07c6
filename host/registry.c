/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection for each question: a start is claimed once in the life of a move.  What the answer
 * is worth the enclave decides (enclave/claims.c).
 */
#include "host/registry.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "host/address.h"

enum { REGISTRY_TIMEOUT_s = 2 };

static const char *g_address;

void registry_at(const char *address)
{
    g_address = address;
}

static long connect_one(const struct addrinfo *to)
{
    /* The send timeout limits connect too. */
    const struct timeval limit = {.tv_sec = REGISTRY_TIMEOUT_s};
    const int yes = 1;
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    long error;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
        return fd;
    error = errno == EINPROGRESS ? -ETIMEDOUT : -errno;
    close(fd);
    return error;
}

static long connect_any(void)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char host[256], port[8];
    long fd = -EHOSTUNREACH;

    if (!address_split(g_address, host, sizeof(host), port, sizeof(port)))
        return -EINVAL;
    if (getaddrinfo(host, port, &hints, &list))
        return -EHOSTUNREACH;
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next)
        fd = connect_one(at);
    freeaddrinfo(list);
    return fd;
}

long host_registry(const void *request, size_t length, void *out_answer, size_t capacity)
{
    size_t done = 0;
    ssize_t got;
    long fd;

    if (!g_address)
        return -ENOTCONN;
    fd = connect_any();
    if (fd < 0)
        return fd;
    got = send((int)fd, request, length, MSG_NOSIGNAL);
    while (got > 0 && done < capacity) {
        got = recv((int)fd, (char *)out_answer + done, capacity - done, 0);
        done += got > 0 ? (size_t)got : 0;
    }
    close((int)fd);
    return done == capacity ? (long)done : -EIO;
}
