/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the destination's daemon how a session ended, when the source's host process cannot say. The
 * answer decides only what is told to people: whichever it is, the source never runs again after
 * it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/daemon.h"

struct query {
    struct daemon *daemon;
    struct sockaddr_storage address;
    socklen_t length;
    struct hello hello;
    void (*answered)(void *owner, enum query_answer answer);
    void *owner;
    int fd;
    bool asked;
    struct watch *watch;
    struct timer *retry, *limit;
    struct exact_line line;
};

static void ask(void *owner);

static void hang_up(struct query *query)
{
    watch_stop(&query->watch);
    if (query->fd >= 0)
        close(query->fd);
    query->fd = -1;
}

void query_free(struct query **query)
{
    if (!*query)
        return;
    hang_up(*query);
    timer_stop(&(*query)->retry);
    timer_stop(&(*query)->limit);
    free(*query);
    *query = NULL;
}

static void ask_again_later(struct query *query)
{
    hang_up(query);
    timer_stop(&query->retry);
    query->retry = timer_start(&query->daemon->loop, QUERY_INTERVAL_ms, ask, query);
}

static void on_limit(void *owner)
{
    struct query *query = owner;

    query->answered(query->owner, QUERY_UNKNOWN);
}

static void on_socket(void *owner, int events)
{
    struct query *query = owner;
    char line[HELLO_LINE_MAX_bytes];
    int got;

    (void)events;
    if (!query->asked) {
        size_t length = hello_format(&query->hello, line, sizeof(line));

        query->asked = true;
        if (send(query->fd, line, length, MSG_NOSIGNAL) != (ssize_t)length)
            ask_again_later(query);
        else
            watch_change(query->watch, UV_READABLE);
        return;
    }
    got = exact_line_read(&query->line, query->fd, HELLO_LINE_MAX_bytes);
    if (got == 0)
        return;
    if (got == 1 && !strcmp(query->line.text, "STATE complete"))
        query->answered(query->owner, QUERY_COMPLETE);
    else if (got == 1 && !strcmp(query->line.text, "STATE none"))
        query->answered(query->owner, QUERY_NONE);
    else
        ask_again_later(query); /* It does not know yet, or the connection failed. */
}

static void ask(void *owner)
{
    struct query *query = owner;
    int fd = departure_socket((const struct sockaddr *)&query->address, query->length);

    if (fd < 0) {
        ask_again_later(query);
        return;
    }
    query->fd = fd;
    query->asked = false;
    query->line.length = 0;
    query->watch = watch_start(&query->daemon->loop, fd, UV_WRITABLE, on_socket, query);
}

struct query *query_begin(struct daemon *daemon, const struct sockaddr_storage *address,
                          socklen_t length, const struct hello *hello,
                          void (*answered)(void *owner, enum query_answer answer), void *owner)
{
    struct query *query = calloc(1, sizeof(*query));

    if (!query)
        abort();
    query->daemon = daemon;
    query->address = *address;
    query->length = length;
    query->hello = *hello;
    query->answered = answered;
    query->owner = owner;
    query->fd = -1;
    query->limit = timer_start(&daemon->loop, QUERY_TIMEOUT_ms, on_limit, query);
    ask(query);
    return query;
}
