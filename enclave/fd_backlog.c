/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that wait in a listener to be accepted.  No call puts a connection into a listener's
 * queue, so a moved one waits here, in the table, and in the kernel's queue stands a dummy for it:
 * a connection that the runtime has made from the same host.  The dummy makes the listener readable
 * for poll and epoll, edge or level, and wakes accept; whoever accepts it gets the oldest of those
 * that wait instead.
 *
 *   begin     clients that come now are not heard; those in the middle of the handshake can end it,
 *             as long as the capture of all else takes
 *   capture   the queue is emptied: dummies are closed, connections get a number beyond what the
 *             program may use, and are captured as all others are (fd_tcp.c).  Then nobody is
 * heard. release   one dummy for each, at the destination, or at the source if the move has failed
 *   accept    fd_backlog_accepted
 */
#include <asm/socket.h>
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/in6.h>

#include "enclave/fd_internal.h"
#include "enclave/fd_tcp.h"

/* While source and destination listen on one machine, the kernel gives a new connection to either,
 * by a hash of the client's port; the source drops it. */
enum { TRIES_MAX = 64 };

static struct fd_backlog *backlog(void)
{
    return &fd_state()->backlog;
}

/* Takes the dummy off the list.  A dummy comes from the address that it goes to, and nobody else
 * can have its port while it is there.  Locked. */
static bool take_dummy(int32_t fd)
{
    struct fd_backlog *state = backlog();
    struct fd_address local, peer;

    if (!state->dummy_count)
        return false;
    fd_socket_local(fd, &local);
    fd_socket_peer(fd, &peer);
    if (!peer.length || !fd_address_same_host(&local, &peer))
        return false;
    for (uint32_t i = 0; i < state->dummy_count; i++) {
        if (state->dummy_ports[i] != fd_address_port(&peer))
            continue;
        state->dummy_ports[i] = state->dummy_ports[--state->dummy_count];
        return true;
    }
    return false;
}

/* ---- the stop ---- */

static void keep_waiting(const struct open_file *listener, long fd)
{
    struct fd_backlog *state = backlog();
    struct open_file model = {.kind = FD_SOCKET, .flags = O_RDWR};
    long high = fd_control(fd, F_DUPFD_CLOEXEC, g_facts.nofile_soft);

    if (high >= (long)fd_numbers_end()) {
        fd_close_number(high);
        high = -EMFILE; /* the program may use all numbers: then this one is missing for a while */
    }
    if (state->count == FD_BACKLOG_MAX) {
        log_warn("a connection that waited to be accepted is reset: there are too many");
        fd_close_number(high);
        fd_close_number(fd);
        return;
    }
    if (high >= 0)
        fd_close_number(fd);
    else
        high = fd;
    model.socket.domain = listener->socket.domain;
    model.socket.type = listener->socket.type;
    model.socket.protocol = listener->socket.protocol;
    model.socket.state = SOCKET_CONNECTED;
    fd_socket_local((int32_t)high, &model.socket.local);
    if (fd_made(high, &model, true) < 0)
        return;
    fd_options_copy(fd_find((uint64_t)high), listener);
    state->fds[state->count++] = (int32_t)high;
}

static void empty_queue(const struct open_file *listener)
{
    long fd;

    while ((fd = fd_kernel(__NR_accept4, (uint64_t)listener->fd, 0, 0, 0)) >= 0) {
        if (take_dummy((int32_t)fd))
            fd_close_number(fd);
        else
            keep_waiting(listener, fd);
    }
}

void fd_backlog_begin(void)
{
    struct fd_walk walk = fd_walk();
    struct open_file *file;

    if (fd_state()->connections == OM_CONNECTIONS_PROXY)
        return; /* the relay hears them */
    while ((file = fd_walk_next(&walk)))
        if (fd_socket_listens_tcp(file))
            fd_tcp_silence_new(file->fd);
}

long fd_backlog_capture(struct fd_obstacle *out)
{
    struct fd_backlog *state = backlog();
    const uint32_t captured = state->count; /* with all else, since an earlier move */
    const bool keep = fd_state()->connections != OM_CONNECTIONS_RESET;
    struct fd_walk walk = fd_walk();
    struct open_file *file;
    long error = 0;

    while ((file = fd_walk_next(&walk))) {
        if (!fd_socket_listens_tcp(file))
            continue;
        if (keep)
            empty_queue(file);
        if (fd_state()->connections == OM_CONNECTIONS_PROXY)
            continue;
        fd_tcp_silence(file->fd, true); /* from now on none is added */
        if (keep)
            empty_queue(file);
    }
    state->dummy_count = 0; /* of listeners that are closed now */
    for (uint32_t i = captured; !error && i < state->count; i++) {
        file = fd_find((uint64_t)state->fds[i]);
        file->fd = state->fds[i];
        error = fd_socket_capture(file, out);
    }
    return error;
}

/* ---- dummies ---- */

/* Within one host a connection is there when connect returns, without waiting. */
static bool connect_dummy(const struct fd_address *to)
{
    struct fd_backlog *state = backlog();
    struct fd_address from;
    bool done;
    long fd = fd_move_up(
        fd_kernel(__NR_socket, fd_address_family(to), TYPE_STREAM | O_CLOEXEC | O_NONBLOCK, 0, 0));

    if (fd < 0)
        return false;
    fd_kernel(__NR_connect, (uint64_t)fd, fd_address_of(to->bytes), to->length, 0);
    done = fd_tcp_state(fd) == TCP_STATE_ESTABLISHED;
    if (done) {
        fd_socket_local((int32_t)fd, &from);
        state->dummy_ports[state->dummy_count++] = fd_address_port(&from);
    }
    fd_close_number(fd);
    return done;
}

static void add_dummy(const struct fd_address *to)
{
    for (int i = 0; i < TRIES_MAX; i++)
        if (connect_dummy(to))
            return;
    log_warn("a connection waits to be accepted, and the program may not learn of it before the "
             "next one comes");
}

void fd_backlog_release(void)
{
    struct fd_backlog *state = backlog();

    for (uint32_t i = 0; i < state->count && i < FD_BACKLOG_MAX; i++) {
        const struct open_file *file = fd_find((uint64_t)state->fds[i]);

        if (file && state->dummy_count < FD_BACKLOG_MAX)
            add_dummy(&file->socket.local);
    }
}

/* ---- accept ---- */

/* The oldest that waits; -1: none.  Locked. */
static int32_t pop(void)
{
    struct fd_backlog *state = backlog();
    int32_t fd = state->fds[0];

    if (!state->count)
        return -1;
    state->count--;
    memmove(&state->fds[0], &state->fds[1], state->count * sizeof(state->fds[0]));
    return fd;
}

/* The lowest free number, as the program expects. */
static long give_number(int32_t waiting, uint32_t flags)
{
    const bool cloexec = flags & O_CLOEXEC;
    struct open_file *file;
    long fd;

    if (waiting < (int32_t)g_facts.nofile_soft) {
        fd = waiting;
        fd_set_cloexec((uint64_t)fd, cloexec);
        fd_control(fd, F_SETFD, cloexec ? FD_CLOEXEC : 0);
    } else {
        fd = fd_control(waiting, cloexec ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
        fd = fd_duplicated(fd, (uint64_t)waiting, cloexec);
        fd_gone((uint64_t)waiting);
        fd_close_number(waiting);
    }
    if (fd < 0)
        return fd;
    lock_take(&fd_state()->lock);
    file = fd_find((uint64_t)fd);
    if (file)
        file->flags = O_RDWR | (flags & O_NONBLOCK);
    lock_release(&fd_state()->lock);
    fd_control(fd, F_SETFL, O_RDWR | (flags & O_NONBLOCK));
    return fd;
}

bool fd_backlog_accepted(long *fd, uint32_t flags)
{
    int32_t waiting;
    bool dummy;

    if (!__atomic_load_n(&backlog()->dummy_count, __ATOMIC_RELAXED) || *fd < 0)
        return false;
    lock_take(&fd_state()->lock);
    dummy = take_dummy((int32_t)*fd);
    waiting = dummy ? pop() : -1;
    lock_release(&fd_state()->lock);
    if (!dummy)
        return false;
    fd_close_number(*fd);
    *fd = waiting < 0 ? -EAGAIN : give_number(waiting, flags);
    return true;
}

/* With their listener goes what nobody can accept any more.  Locked. */
void fd_backlog_forget(const struct open_file *listener)
{
    struct fd_backlog *state = backlog();
    uint32_t kept = 0;

    for (uint32_t i = 0; i < state->count; i++) {
        int32_t fd = state->fds[i];
        const struct open_file *file = fd_find((uint64_t)fd);

        if (!file ||
            fd_address_port(&file->socket.local) != fd_address_port(&listener->socket.local)) {
            state->fds[kept++] = fd;
            continue;
        }
        fd_gone_locked((uint64_t)fd);
        fd_close_number(fd);
    }
    state->count = kept;
}
