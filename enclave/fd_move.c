/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A move through all open files: capture and restore.  fd_share.c is between the two.
 *
 * fd_restore comes before the commit point: if an object cannot be made, the move fails and the
 * program goes on at the source.  Order: objects, further numbers, resets, epoll sets, locks.
 *
 * Objects are made at whatever number is free and then brought to their own, which is free too,
 * because nothing of the program exists yet and the host's numbers lie above.
 */
#include <linux/fcntl.h>

#include "enclave/fd_internal.h"

enum { STANDARD_FDS = 3 }; /* 0, 1 and 2 */

/* ---- numbers ---- */

long fd_place(long made, int32_t wanted)
{
    long result = wanted;

    if (made < 0 || made == wanted)
        return made;
    if (wanted >= 0)
        result = fd_kernel(__NR_dup3, (uint64_t)made, (uint64_t)wanted, 0, 0);
    fd_close_number(made);
    return result;
}

long fd_place_pair(const int32_t made[2], const int32_t wanted[2])
{
    long second = made[1], error;

    if (made[1] == wanted[0]) {
        second = fd_move_up(made[1]);
        if (second < 0) {
            fd_close_number(made[0]);
            return second;
        }
    }
    error = fd_place(made[0], wanted[0]);
    if (error < 0 && wanted[0] >= 0) {
        fd_close_number(second);
        return error;
    }
    error = fd_place(second, wanted[1]);
    return error < 0 && wanted[1] >= 0 ? error : 0;
}

long fd_move_up(long fd)
{
    long up;

    if (fd < 0)
        return fd;
    up = fd_control(fd, F_DUPFD_CLOEXEC, g_facts.host_fd_base);
    fd_close_number(fd);
    return up;
}

long fd_read_file(const char *path, char *out, size_t capacity)
{
    long fd =
        host_syscall(__NR_openat, FD_AT_CWD, fd_address_of(path), O_RDONLY | O_CLOEXEC, 0, 0, 0);
    size_t length = 0;
    long got = fd;

    out[0] = 0;
    while (fd >= 0 && length < capacity - 1) {
        got = fd_kernel(__NR_read, (uint64_t)fd, fd_address_of(out + length), capacity - 1 - length,
                        0);
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    fd_close_number(fd);
    if (got < 0)
        return got;
    out[length] = 0;
    return (long)length;
}

/* ---- the source ---- */

static long capture_one(struct open_file *file, struct fd_obstacle *out)
{
    switch ((enum fd_kind)file->kind) {
    case FD_FILE:
    case FD_DIRECTORY:
        return fd_plain_capture(file, out);
    case FD_PIPE:
        return fd_pipe_capture(file, out);
    case FD_EVENTFD:
        return fd_event_capture(file, out);
    case FD_TIMERFD:
        return fd_timer_capture(file, out);
    case FD_EPOLL:
        return fd_epoll_capture(file, out);
    case FD_SOCKET:
    case FD_LISTENER:
        return fd_socket_capture(file, out);
    case FD_SOCKETPAIR:
        return fd_pair_capture(file, out);
    case FD_INOTIFY:
        return fd_inotify_capture(file, out);
    case FD_STDIO:
        fd_terminal_capture(file);
        return 0;
    case FD_SIGNALFD:
    case FD_NONE:
        return 0;
    case FD_UNSUPPORTED:
        break;
    }
    return fd_refuse(out, file->fd, -EOPNOTSUPP, "fd %d (%s) cannot be moved yet", file->fd,
                     file->name);
}

void fd_expect_capture(void)
{
    struct fd_walk walk;
    struct open_file *file;
    int32_t unread;

    (void)fd_reconcile();
    fd_terminal_begin();
    /* The program opens and closes meanwhile, and a walk writes to the records. */
    lock_take(&fd_state()->lock);
    walk = fd_walk();
    while ((file = fd_walk_next(&walk)))
        if (file->kind == FD_PIPE)
            (void)fd_kernel(__NR_ioctl, (uint64_t)file->fd, FIONREAD, fd_address_of(&unread), 0);
    lock_release(&fd_state()->lock);
}

long fd_capture(struct fd_obstacle *out_obstacle)
{
    struct fd_state *state = fd_state();
    struct fd_walk walk;
    struct open_file *file;
    long error = fd_reconcile();

    *out_obstacle = (struct fd_obstacle){.fd = -1};
    if (error)
        return fd_refuse(out_obstacle, -1, error, "the list of descriptors cannot be read");
    state->data_used = 0;
    state->lock_count = 0;
    fd_terminal_begin();
    if (state->connections == OM_CONNECTIONS_MOVE)
        fd_catch_begin();
    fd_backlog_begin();
    walk = fd_walk();
    while (!error && (file = fd_walk_next(&walk)))
        error = capture_one(file, out_obstacle);
    return error ? error : fd_backlog_capture(out_obstacle);
}

void fd_release(void)
{
    struct fd_walk walk = fd_walk();
    struct open_file *file;

    fd_services_release();
    while ((file = fd_walk_next(&walk))) {
        if (fd_socket_listens_tcp(file))
            fd_tcp_silence(file->fd, false);
        else if (file->kind == FD_SOCKET && file->socket.tcp.held)
            fd_tcp_release(file);
    }
    fd_backlog_release();
}

/* ---- the destination ---- */

static bool g_restored;

/* The calls are those of fd_restore for inherited descriptors and pipes. */
void fd_expect_restore(void)
{
    struct fd_state *state = fd_state();
    int32_t ends[2];
    struct stat status;
    long fd;

    g_restored = false;
    fd_look_around();
    for (fd = 0; fd < STANDARD_FDS; fd++)
        fd_close_number(fd_control(fd, F_DUPFD_CLOEXEC, g_facts.host_fd_base));
    (void)__atomic_fetch_or(&state->pass, 0, __ATOMIC_RELAXED);
    (void)__atomic_fetch_or((uint32_t *)&state->inherited, 0, __ATOMIC_RELAXED);
    fd = fd_move_up(
        host_syscall(__NR_openat, FD_AT_CWD, fd_address_of("/dev/null"), O_RDWR, 0, 0, 0));
    if (fd >= 0)
        (void)fd_kernel(__NR_fstat, (uint64_t)fd, fd_address_of(&status), 0, 0);
    fd_close_number(fd);
    if (fd_kernel(__NR_pipe2, fd_address_of(ends), O_CLOEXEC, 0, 0) == 0) {
        fd_close_number(ends[0]);
        fd_close_number(ends[1]);
    }
}

static long restore_one(struct open_file *file, const long kept[3])
{
    switch ((enum fd_kind)file->kind) {
    case FD_STDIO:
        return fd_stdio_restore(file, kept);
    case FD_FILE:
    case FD_DIRECTORY:
        return fd_plain_restore(file);
    case FD_PIPE:
        return fd_pipe_restore(file);
    case FD_EVENTFD:
        return fd_event_restore(file);
    case FD_TIMERFD:
        return fd_timer_restore(file);
    case FD_EPOLL:
        return fd_epoll_restore(file);
    case FD_SOCKET:
    case FD_LISTENER:
        return fd_socket_restore(file);
    case FD_SOCKETPAIR:
        return fd_pair_restore(file);
    case FD_SIGNALFD:
        return fd_signal_restore(file);
    case FD_INOTIFY:
        return fd_inotify_restore(file);
    case FD_NONE:
    case FD_UNSUPPORTED:
        break;
    }
    return -EOPNOTSUPP;
}

static long refuse(const struct open_file *file, long error, struct fd_obstacle *out)
{
    char what[FD_NAME_bytes];

    if (file->kind == FD_FILE || file->kind == FD_DIRECTORY)
        return fd_refuse(out, file->fd, error, "fd %d (%s): cannot be opened (error %ld)", file->fd,
                         fd_path(file->plain.path), -error);
    if (file->kind == FD_LISTENER || (file->kind == FD_SOCKET && file->socket.bound))
        fd_address_text(&file->socket.local, what, sizeof(what));
    else
        str_copy(what, fd_kind_name(file->kind), sizeof(what));
    return fd_refuse(out, file->fd, error,
                     "fd %d (%s): cannot be made at the destination (error %ld)", file->fd, what,
                     -error);
}

/* Who gets the signal of FASYNC is the process, whose id is another one here. */
static void restore_signals(const struct open_file *file)
{
    if (file->owned)
        fd_control(file->fd, F_SETOWN, g_facts.process_id);
    if (file->io_signal)
        fd_control(file->fd, F_SETSIG, file->io_signal);
    if (file->flags & FASYNC)
        fd_control(file->fd, F_SETFL,
                   (uint64_t)fd_control(file->fd, F_GETFL, 0) | (uint64_t)FASYNC);
}

static long restore_objects(const long kept[3], struct fd_obstacle *out)
{
    struct fd_walk walk = fd_walk();
    struct open_file *file;
    long error = 0;

    while ((file = fd_walk_next(&walk)))
        file->restored = 0;
    fd_socket_restore_begin();
    for (walk = fd_walk(); error >= 0 && (file = fd_walk_next(&walk));) {
        error = file->restored ? 0 : restore_one(file, kept);
        if (error < 0)
            refuse(file, error, out);
    }
    fd_socket_restore_end();
    return OM_MIN(error, 0);
}

/* Standard input, if it shared its open file with the output, which goes to the log now. */
static void restore_input(void)
{
    const struct open_file *file = fd_find(0);
    long null;

    if (!file || file->kind != FD_STDIO || file->stdio.terminal || !fd_is_output(file))
        return;
    null = host_syscall(__NR_openat, FD_AT_CWD, fd_address_of("/dev/null"), O_RDWR, 0, 0, 0);
    if (null >= 0)
        fd_kernel(__NR_dup3, (uint64_t)null, 0, fd_state()->entries[0].cloexec ? O_CLOEXEC : 0, 0);
    fd_close_number(null);
}

static void restore_numbers(void)
{
    const struct fd_state *state = fd_state();

    for (uint32_t fd = 0; fd < state->limit; fd++) {
        const struct open_file *file = fd_find(fd);

        if (file && file->fd != (int32_t)fd)
            fd_kernel(__NR_dup3, (uint64_t)file->fd, fd, 0, 0);
        if (file && state->entries[fd].cloexec)
            fd_control(fd, F_SETFD, FD_CLOEXEC);
    }
    restore_input();
}

static long restore_relations(struct fd_obstacle *out)
{
    struct fd_walk walk = fd_walk();
    struct open_file *file;

    while ((file = fd_walk_next(&walk))) {
        if (file->kind == FD_EPOLL)
            fd_epoll_fill(file);
        restore_signals(file);
    }
    return fd_locks_restore(out);
}

void fd_abandon(void)
{
    if (g_restored)
        fd_udp_pass_on();
    fd_services_abandon();
}

long fd_restore(struct fd_obstacle *out_obstacle)
{
    struct fd_state *state = fd_state();
    long kept[STANDARD_FDS], error;

    *out_obstacle = (struct fd_obstacle){.fd = -1};
    if (state->limit > fd_numbers_end())
        return fd_refuse(out_obstacle, (int32_t)state->limit - 1, -EMFILE,
                         "fd %d: this host allows only %u descriptors", (int)state->limit - 1,
                         fd_numbers_end());
    state->shared = 0;
    /* Another machine can have other files with these numbers. */
    memset(state->inherited, 0, sizeof(state->inherited));
    fd_look_around();
    for (long fd = 0; fd < STANDARD_FDS; fd++)
        kept[fd] = fd_move_up(fd);
    error = fd_services_take(out_obstacle);
    if (!error)
        error = restore_objects(kept, out_obstacle);
    if (!error)
        error = fd_relay_greet(out_obstacle);
    if (!error) {
        restore_numbers();
        error = restore_relations(out_obstacle);
    }
    for (unsigned i = 0; i < STANDARD_FDS; i++)
        fd_close_number(kept[i]);
    g_restored = !error;
    return error;
}
