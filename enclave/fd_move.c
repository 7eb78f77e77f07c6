/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A move through all open files: capture, sharing of addresses, restore, closing.
 *
 * fd_restore comes after the commit point, so it does not give up over one object: what cannot be
 * made again is logged, and its number becomes a descriptor on which every operation gives EBADF.
 * Order: objects, further numbers, resets, epoll sets, locks.
 *
 * Objects are made at whatever number is free and then brought to their own, which is free too,
 * because nothing of the program exists yet and the host's numbers lie above.
 */
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/time_types.h>

#include "enclave/fd_internal.h"

#define WAIT_FOR_SOURCE_NS 2000000000ULL
enum { WAIT_STEP_NS = 500000 };

static uint64_t g_wait_end_ns; /* host's clock */

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

bool fd_wait_for_source(void)
{
    struct __kernel_timespec step = {0, WAIT_STEP_NS};

    if (clock_host_monotonic_ns() >= g_wait_end_ns)
        return false;
    fd_kernel(__NR_nanosleep, fd_address_of(&step), 0, 0, 0);
    return true;
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
    case FD_SIGNALFD:
    case FD_NONE:
        return 0;
    case FD_UNSUPPORTED:
        break;
    }
    return fd_refuse(out, file->fd, -EOPNOTSUPP, "fd %d (%s) cannot be moved yet", file->fd,
                     file->name);
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
    walk = fd_walk();
    while (!error && (file = fd_walk_next(&walk)))
        error = capture_one(file, out_obstacle);
    return error;
}

static void share_all(bool share)
{
    struct fd_walk walk;
    struct open_file *file;

    lock_take(&fd_state()->lock);
    walk = fd_walk();
    while ((file = fd_walk_next(&walk)))
        if (file->kind == FD_SOCKET || file->kind == FD_LISTENER)
            fd_socket_share(file, share);
    fd_state()->shared = share;
    lock_release(&fd_state()->lock);
}

void fd_share_addresses(void)
{
    share_all(true);
}

/* Capture takes nothing away: what it reads it puts back at once. */
void fd_uncapture(void)
{
    if (fd_state()->shared)
        share_all(false);
}

/* The host process's standard descriptors stay in use, so that nothing else gets their numbers. */
void fd_close_all(void)
{
    enum { STANDARD = 3 };
    long null = fd_move_up(
        host_syscall(__NR_openat, FD_AT_CWD, fd_address_of("/dev/null"), O_RDWR, 0, 0, 0));

    for (uint64_t fd = 0; fd < STANDARD; fd++)
        fd_kernel(__NR_dup3, (uint64_t)null, fd, 0, 0);
    fd_close_number(null);
    fd_kernel(__NR_close_range, STANDARD, g_facts.host_fd_base - 1, 0, 0);
}

/* ---- the destination ---- */

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

static void stand_in(const struct open_file *file, long error)
{
    long fd = host_syscall(__NR_openat, FD_AT_CWD, fd_address_of("/"), O_PATH, 0, 0, 0);

    log_error("fd %d (%s) cannot be made again (error %ld): using it gives EBADF", file->fd,
              file->kind == FD_FILE || file->kind == FD_DIRECTORY ? fd_path(file->plain.path)
                                                                  : fd_kind_name(file->kind),
              -error);
    fd_place(fd, file->fd);
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

static void restore_objects(const long kept[3])
{
    struct fd_walk walk = fd_walk();
    struct open_file *file;

    while ((file = fd_walk_next(&walk)))
        file->restored = 0;
    fd_socket_restore_begin();
    for (walk = fd_walk(); (file = fd_walk_next(&walk));) {
        long error = file->restored ? 0 : restore_one(file, kept);

        if (error < 0)
            stand_in(file, error);
    }
    fd_socket_restore_end();
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
}

static void restore_relations(void)
{
    struct fd_walk walk = fd_walk();
    struct open_file *file;

    while ((file = fd_walk_next(&walk))) {
        if (file->kind == FD_EPOLL)
            fd_epoll_fill(file);
        restore_signals(file);
    }
    fd_locks_restore();
}

long fd_restore(struct fd_obstacle *out_obstacle)
{
    enum { STANDARD = 3 };
    struct fd_state *state = fd_state();
    long kept[STANDARD];

    *out_obstacle = (struct fd_obstacle){.fd = -1};
    if (state->limit > fd_numbers_end())
        return fd_refuse(out_obstacle, (int32_t)state->limit - 1, -EMFILE,
                         "fd %d: this host allows only %u descriptors", (int)state->limit - 1,
                         fd_numbers_end());
    g_wait_end_ns = clock_host_monotonic_ns() + WAIT_FOR_SOURCE_NS;
    state->shared = 0;
    for (long fd = 0; fd < STANDARD; fd++)
        kept[fd] = fd_move_up(fd);
    restore_objects(kept);
    restore_numbers();
    restore_relations();
    for (unsigned i = 0; i < STANDARD; i++)
        fd_close_number(kept[i]);
    return 0;
}
