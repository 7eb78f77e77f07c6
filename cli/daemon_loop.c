/* SPDX-License-Identifier: Apache-2.0 */
/* Watches, timers and line connections over libuv; see daemon.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/daemon.h"

enum {
    BACKLOG_MAX_bytes = 8 << 20, /* for a requester that does not read */
    FILLS_PER_TURN = 16,         /* then others have their turn */
};

struct watch {
    uv_poll_t poll; /* first: libuv gives it back */
    watch_function call;
    void *owner;
};

struct timer {
    uv_timer_t timer; /* first */
    timer_function call;
    void *owner;
};

struct conn {
    int fd;
    struct watch *watch;
    struct line_reader reader;
    struct line_writer writer;
    const struct conn_calls *calls;
    void *owner;
    bool held, dispatching, closed, broken;
};

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (!memory)
        abort();
    return memory;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = (struct watch *)poll;

    /* What is wrong with the descriptor is learned by using it. */
    watch->call(watch->owner, status < 0 ? UV_READABLE | UV_WRITABLE : events);
}

struct watch *watch_start(uv_loop_t *loop, int fd, int events, watch_function call, void *owner)
{
    struct watch *watch = allocate(sizeof(*watch));

    watch->call = call;
    watch->owner = owner;
    if (uv_poll_init(loop, &watch->poll, fd) || uv_poll_start(&watch->poll, events, on_poll))
        abort(); /* Only for a descriptor that epoll does not take; ours are sockets. */
    return watch;
}

void watch_change(struct watch *watch, int events)
{
    uv_poll_start(&watch->poll, events, on_poll);
}

void watch_stop(struct watch **watch)
{
    if (*watch)
        uv_close((uv_handle_t *)&(*watch)->poll, free_handle);
    *watch = NULL;
}

static void on_timer(uv_timer_t *handle)
{
    struct timer *timer = (struct timer *)handle;

    timer->call(timer->owner);
}

struct timer *timer_start(uv_loop_t *loop, uint64_t ms, timer_function call, void *owner)
{
    struct timer *timer = allocate(sizeof(*timer));

    timer->call = call;
    timer->owner = owner;
    uv_update_time(loop);
    uv_timer_init(loop, &timer->timer);
    uv_timer_start(&timer->timer, on_timer, ms, 0);
    return timer;
}

void timer_stop(struct timer **timer)
{
    if (*timer)
        uv_close((uv_handle_t *)&(*timer)->timer, free_handle);
    *timer = NULL;
}

static void update_watch(struct conn *conn)
{
    watch_change(conn->watch, UV_READABLE | (line_pending(&conn->writer) ? UV_WRITABLE : 0));
}

static void release(struct conn *conn)
{
    line_flush(&conn->writer, conn->fd);
    watch_stop(&conn->watch);
    close(conn->fd);
    line_reader_free(&conn->reader);
    line_writer_free(&conn->writer);
    free(conn);
}

/* Gives whole lines to the owner, who may hold, give away or close the conn meanwhile. */
static void deliver(struct conn *conn)
{
    size_t length;
    char *line;

    if (conn->dispatching)
        return;
    conn->dispatching = true;
    while (!conn->held && !conn->closed && (line = line_next(&conn->reader, &length)) != NULL)
        conn->calls->line(conn->owner, line, length);
    conn->dispatching = false;
}

/* Reads until there is nothing, delivering in between so that lines do not heap up. */
static bool receive(struct conn *conn)
{
    long got = 1;

    for (int i = 0; i < FILLS_PER_TURN && got > 0 && !conn->closed; i++) {
        got = line_fill(&conn->reader, conn->fd);
        deliver(conn);
    }
    return conn->closed || got > 0 || got == -EAGAIN;
}

static void on_conn(void *owner, int events)
{
    struct conn *conn = owner;
    bool alive = true;
    int error;

    if (events & UV_WRITABLE) {
        error = line_flush(&conn->writer, conn->fd);
        alive = !error || error == -EAGAIN;
    }
    if (alive && events & UV_READABLE)
        alive = receive(conn);
    if (conn->closed) {
        release(conn);
    } else if (alive && !conn->broken) {
        update_watch(conn);
    } else {
        conn->broken = true;
        watch_change(conn->watch, 0);
        conn->calls->end(conn->owner);
    }
}

struct conn *conn_open(uv_loop_t *loop, int fd, const struct conn_calls *calls, void *owner)
{
    struct conn *conn = allocate(sizeof(*conn));

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    conn->fd = fd;
    conn->calls = calls;
    conn->owner = owner;
    conn->watch = watch_start(loop, fd, UV_READABLE, on_conn, conn);
    return conn;
}

void conn_give(struct conn *conn, const struct conn_calls *calls, void *owner)
{
    conn->calls = calls;
    conn->owner = owner;
}

void conn_hold(struct conn *conn, bool hold)
{
    conn->held = hold;
    if (hold || conn->dispatching)
        return;
    deliver(conn);
    if (conn->closed)
        release(conn);
}

bool conn_send(struct conn *conn, json_t *object)
{
    int error;

    if (conn->broken || conn_backlog(conn) > BACKLOG_MAX_bytes) {
        json_decref(object);
        return false;
    }
    error = line_append(&conn->writer, object);
    if (error)
        return false;
    error = line_flush(&conn->writer, conn->fd);
    if (error && error != -EAGAIN)
        return false;
    if (conn->watch)
        update_watch(conn);
    return true;
}

bool conn_send_fds(struct conn *conn, json_t *object, const int fds[LINE_FDS_MAX])
{
    if (line_send_fds(&conn->writer, conn->fd, object, fds))
        return false;
    update_watch(conn);
    return true;
}

size_t conn_backlog(const struct conn *conn)
{
    return line_pending(&conn->writer);
}

int conn_fd(const struct conn *conn)
{
    return conn->fd;
}

void conn_close(struct conn **conn)
{
    struct conn *closing = *conn;

    *conn = NULL;
    if (!closing || closing->closed)
        return;
    closing->closed = true;
    if (!closing->dispatching)
        release(closing);
}
