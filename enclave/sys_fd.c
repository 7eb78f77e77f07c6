/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's calls that make, copy, change and close descriptors; sockets are in sys_socket.c,
 * ioctl in sys_ioctl.c.  The host does the work; what is needed to make the object again is
 * recorded.
 *
 * Pointers were checked against the table before a handler is called, and descriptors of the host
 * refused.  What the kernel returns by pointer goes through memory of ours where it has to be read.
 */
#include <linux/close_range.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>
#include <linux/time.h>
#include <linux/timerfd.h>

#include "enclave/fd_internal.h"
#include "enclave/path.h"
#include "enclave/syscall_table.h"

enum {
    CREATION_FLAGS = O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | O_CLOEXEC,
    CHANGEABLE_FLAGS = O_APPEND | FASYNC | O_DIRECT | O_NOATIME | O_NONBLOCK,
    NOTIFICATION_PIPE = O_EXCL,
};

/* ---- files ---- */

static long opened(long fd, uint32_t flags)
{
    struct open_file model = {.kind = FD_FILE, .flags = flags & ~(uint32_t)CREATION_FLAGS};

    return fd_made(fd, &model, flags & O_CLOEXEC);
}

/* Opening a named pipe can wait, so a stop must be able to end it. */
static long open_path(struct call *call, uint64_t directory, unsigned path_index, uint32_t flags,
                      uint64_t mode)
{
    char buffer[PATH_BUFFER_SIZE];
    uint64_t path;
    long error = path_argument(call, path_index, buffer, &path);
    const uint64_t args[6] = {directory, path, flags, mode, 0, 0};

    return error ? error : opened(call_blocking(call, __NR_openat, args), flags);
}

long sys_open(struct call *call)
{
    return open_path(call, FD_AT_CWD, 0, (uint32_t)call->args[1], call->args[2]);
}

long sys_creat(struct call *call)
{
    return open_path(call, FD_AT_CWD, 0, O_CREAT | O_WRONLY | O_TRUNC, call->args[1]);
}

long sys_openat(struct call *call)
{
    return open_path(call, call->args[0], 1, (uint32_t)call->args[2], call->args[3]);
}

/* struct open_how begins with its flags; what a newer kernel appends stays with the kernel. */
long sys_openat2(struct call *call)
{
    char buffer[PATH_BUFFER_SIZE];
    uint64_t path, flags = 0;
    long error = path_argument(call, 1, buffer, &path);

    if (!error && call->args[3] >= sizeof(flags))
        error = copy_from_program(&flags, call->args[2], sizeof(flags));
    if (error)
        return error;
    return opened(fd_kernel(__NR_openat2, call->args[0], path, call->args[2], call->args[3]),
                  (uint32_t)flags);
}

long sys_memfd_create(struct call *call)
{
    struct open_file model = {.kind = FD_FILE, .flags = O_RDWR};

    return fd_made(fd_kernel(__NR_memfd_create, call->args[0], call->args[1], 0, 0), &model,
                   call->args[1] & 1); /* MFD_CLOEXEC */
}

/* ---- numbers ---- */

long sys_close(struct call *call)
{
    uint64_t fd = (uint32_t)call->args[0];

    if (fd >= fd_numbers_end())
        return -EBADF;
    fd_gone(fd);
    return fd_kernel(__NR_close, fd, 0, 0, 0);
}

long sys_close_range(struct call *call)
{
    uint32_t first = (uint32_t)call->args[0], last = (uint32_t)call->args[1];
    uint32_t flags = (uint32_t)call->args[2];
    struct fd_state *state = fd_state();

    if (first > last || (flags & ~(uint32_t)CLOSE_RANGE_CLOEXEC))
        return -EINVAL; /* an own table of descriptors would be without the host's */
    last = OM_MIN(last, fd_numbers_end() - 1);
    if (first > last)
        return 0;
    lock_take(&state->lock);
    for (uint64_t fd = first; fd <= last && fd < state->limit; fd++) {
        if (!(flags & CLOSE_RANGE_CLOEXEC))
            fd_gone_locked(fd);
        else if (fd_find(fd))
            state->entries[fd].cloexec = 1;
    }
    lock_release(&state->lock);
    return fd_kernel(__NR_close_range, first, last, flags, 0);
}

long sys_dup(struct call *call)
{
    uint64_t fd = (uint32_t)call->args[0];

    return fd_duplicated(fd_kernel(__NR_dup, fd, 0, 0, 0), fd, false);
}

static long duplicate_onto(uint64_t fd, uint64_t onto, uint64_t flags)
{
    if (onto >= fd_numbers_end())
        return -EBADF;
    return fd_duplicated(fd_kernel(__NR_dup3, fd, onto, flags, 0), fd, flags & O_CLOEXEC);
}

long sys_dup2(struct call *call)
{
    uint64_t fd = (uint32_t)call->args[0], onto = (uint32_t)call->args[1];

    if (fd == onto)
        return fd_kernel(__NR_dup2, fd, onto, 0, 0);
    return duplicate_onto(fd, onto, 0);
}

long sys_dup3(struct call *call)
{
    return duplicate_onto((uint32_t)call->args[0], (uint32_t)call->args[1], call->args[2]);
}

/* ---- fcntl ---- */

static long duplicate_from(uint64_t fd, uint32_t command, uint64_t lowest)
{
    if (lowest >= fd_numbers_end())
        return -EINVAL;
    return fd_duplicated(fd_control((long)fd, command, lowest), fd, command == F_DUPFD_CLOEXEC);
}

static long set_cloexec(uint64_t fd, uint64_t flags)
{
    long error = fd_control((long)fd, F_SETFD, flags);

    if (!error)
        fd_set_cloexec(fd, flags & FD_CLOEXEC);
    return error;
}

/* The kernel's listener never waits (sys_socket.c), whatever the program has set. */
long fd_set_status_flags(uint64_t fd, uint32_t flags)
{
    struct open_file *file;
    uint32_t forced = 0;
    long error;

    lock_take(&fd_state()->lock);
    file = fd_find(fd);
    if (file && file->kind == FD_LISTENER)
        forced = O_NONBLOCK;
    error = fd_control((long)fd, F_SETFL, flags | forced);
    if (!error && file) {
        file->flags = (file->flags & ~(uint32_t)CHANGEABLE_FLAGS) | (flags & CHANGEABLE_FLAGS);
        if (file->kind == FD_PIPE && (flags & O_DIRECT)) {
            file->pipe.packets = true;
            if (file->pipe.other)
                fd_file_at(file->pipe.other)->pipe.packets = true;
        }
    }
    lock_release(&fd_state()->lock);
    return error;
}

long fd_get_status_flags(uint64_t fd)
{
    const struct open_file *file;
    long flags;

    lock_take(&fd_state()->lock);
    file = fd_find(fd);
    flags = fd_control((long)fd, F_GETFL, 0);
    if (flags >= 0 && file && file->kind == FD_LISTENER)
        flags = (flags & ~(long)O_NONBLOCK) | (file->flags & O_NONBLOCK);
    lock_release(&fd_state()->lock);
    return flags;
}

static void note_lock(uint64_t fd)
{
    struct open_file *file;

    lock_take(&fd_state()->lock);
    file = fd_find(fd);
    if (file && file->kind == FD_FILE)
        file->plain.lockable = true;
    lock_release(&fd_state()->lock);
}

static long lock_region(struct call *call, uint32_t command)
{
    struct flock range;
    uint64_t args[6] = {call->args[0], command, fd_address_of(&range), 0, 0, 0};
    long error = copy_from_program(&range, call->args[2], sizeof(range));

    if (error)
        return error;
    if (command == F_GETLK || command == F_OFD_GETLK) {
        error = fd_control((long)call->args[0], command, fd_address_of(&range));
        return error ? error : copy_to_program(call->args[2], &range, sizeof(range));
    }
    note_lock(call->args[0]);
    return call_blocking(call, __NR_fcntl, args);
}

long sys_flock(struct call *call)
{
    note_lock(call->args[0]);
    return call_blocking(call, __NR_flock, call->args);
}

static long set_owner(uint64_t fd, int32_t owner)
{
    uint64_t host_owner = 0;
    struct open_file *file;
    long error = owner < 0 ? -EINVAL : call_host_tid((uint64_t)owner, &host_owner);

    if (error)
        return error;
    lock_take(&fd_state()->lock);
    error = fd_control((long)fd, F_SETOWN, host_owner);
    file = fd_find(fd);
    if (!error && file)
        file->owned = owner != 0;
    lock_release(&fd_state()->lock);
    return error;
}

static long get_owner(uint64_t fd)
{
    const struct open_file *file;
    long owner = fd_control((long)fd, F_GETOWN, 0);

    lock_take(&fd_state()->lock);
    file = fd_find(fd);
    if (owner >= 0 && file && file->owned)
        owner = g_tables->threads.process_id;
    lock_release(&fd_state()->lock);
    return owner;
}

static long set_io_signal(uint64_t fd, uint64_t number)
{
    struct open_file *file;
    long error;

    if (number == OM_SIGNAL_STOP || number == SIGSYS)
        return -EINVAL;
    lock_take(&fd_state()->lock);
    error = fd_control((long)fd, F_SETSIG, number);
    file = fd_find(fd);
    if (!error && file)
        file->io_signal = (uint8_t)number;
    lock_release(&fd_state()->lock);
    return error;
}

long sys_fcntl(struct call *call)
{
    enum { GET_LEASE = 1025, SET_PIPE_SIZE = 1031, GET_PIPE_SIZE, ADD_SEALS, GET_SEALS };
    uint64_t fd = (uint32_t)call->args[0], argument = call->args[2];
    uint32_t command = (uint32_t)call->args[1];

    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return duplicate_from(fd, command, (uint32_t)argument);
    case F_SETFD:
        return set_cloexec(fd, argument);
    case F_GETFL:
        return fd_get_status_flags(fd);
    case F_SETFL:
        return fd_set_status_flags(fd, (uint32_t)argument);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return lock_region(call, command);
    case F_SETOWN:
        return set_owner(fd, (int32_t)argument);
    case F_GETOWN:
        return get_owner(fd);
    case F_SETSIG:
        return set_io_signal(fd, argument);
    case F_GETFD:
    case F_GETSIG:
    case GET_LEASE:
    case SET_PIPE_SIZE:
    case GET_PIPE_SIZE:
    case ADD_SEALS:
    case GET_SEALS:
        return fd_control((long)fd, command, argument);
    default:
        return syscall_refuse(call, EINVAL, "this command of fcntl is not supported");
    }
}

/* ---- pipes ---- */

static long make_pipe(uint64_t to, uint32_t flags)
{
    struct open_file models[2] = {{.kind = FD_PIPE}, {.kind = FD_PIPE}};
    int32_t fds[2] = {-1, -1};
    long error = flags & NOTIFICATION_PIPE ? -EINVAL
                                           : fd_kernel(__NR_pipe2, fd_address_of(fds), flags, 0, 0);

    if (error)
        return error;
    for (unsigned i = 0; i < 2; i++) {
        models[i].flags = (i ? O_WRONLY : O_RDONLY) | (flags & (O_NONBLOCK | O_DIRECT));
        models[i].pipe.packets = flags & O_DIRECT;
    }
    error = fd_made_pair(fds, models, flags & O_CLOEXEC);
    if (!error && copy_to_program(to, fds, sizeof(fds)) != 0) {
        error = -EFAULT;
        for (unsigned i = 0; i < 2; i++) {
            fd_gone((uint64_t)fds[i]);
            fd_close_number(fds[i]);
        }
    }
    return error;
}

long sys_pipe(struct call *call)
{
    return make_pipe(call->args[0], 0);
}

long sys_pipe2(struct call *call)
{
    return make_pipe(call->args[0], (uint32_t)call->args[1]);
}

/* ---- events, timers, signals ---- */

static long make_eventfd(uint64_t count, uint32_t flags)
{
    struct open_file model = {.kind = FD_EVENTFD, .flags = O_RDWR | (flags & O_NONBLOCK)};

    model.event.semaphore = flags & 1; /* EFD_SEMAPHORE */
    return fd_made(fd_kernel(__NR_eventfd2, count, flags, 0, 0), &model, flags & O_CLOEXEC);
}

long sys_eventfd(struct call *call)
{
    return make_eventfd(call->args[0], 0);
}

long sys_eventfd2(struct call *call)
{
    return make_eventfd(call->args[0], (uint32_t)call->args[1]);
}

long sys_timerfd_create(struct call *call)
{
    uint32_t flags = (uint32_t)call->args[1];
    struct open_file model = {.kind = FD_TIMERFD, .flags = O_RDWR | (flags & O_NONBLOCK)};

    model.timer.clock = (int32_t)call->args[0];
    return fd_made(fd_kernel(__NR_timerfd_create, call->args[0], flags, 0, 0), &model,
                   flags & O_CLOEXEC);
}

/* A moment on the program's clock becomes one on the host's. */
static void translate_moment(int32_t clock, struct __kernel_timespec *value)
{
    const int64_t second = 1000000000;
    uint64_t ns;

    if (value->tv_sec < 0 || value->tv_nsec < 0 || value->tv_nsec >= second ||
        value->tv_sec >= INT64_MAX / second - 1 || (value->tv_sec == 0 && value->tv_nsec == 0))
        return; /* wrong, never, or disarmed */
    ns = fd_timer_to_host(clock, (uint64_t)(value->tv_sec * second + value->tv_nsec));
    value->tv_sec = (int64_t)ns / second;
    value->tv_nsec = (int64_t)ns % second;
}

long sys_timerfd_settime(struct call *call)
{
    uint64_t fd = (uint32_t)call->args[0], flags = call->args[1];
    struct __kernel_itimerspec setting;
    struct open_file *file;
    long error = copy_from_program(&setting, call->args[2], sizeof(setting));

    if (error)
        return error;
    lock_take(&fd_state()->lock);
    file = fd_find(fd);
    if (file && file->kind == FD_TIMERFD && (flags & TFD_TIMER_ABSTIME))
        translate_moment(file->timer.clock, &setting.it_value);
    error = fd_kernel(__NR_timerfd_settime, fd, flags, fd_address_of(&setting), call->args[3]);
    if (!error && file && file->kind == FD_TIMERFD)
        file->timer.cancel_on_set = (uint32_t)flags & TFD_TIMER_CANCEL_ON_SET;
    lock_release(&fd_state()->lock);
    return error;
}

/* Time that is left is the same on every clock. */
long sys_timerfd_gettime(struct call *call)
{
    return fd_kernel(__NR_timerfd_gettime, call->args[0], call->args[1], 0, 0);
}

static long make_signalfd(struct call *call, uint32_t flags)
{
    struct open_file model = {.kind = FD_SIGNALFD, .flags = O_RDWR | (flags & O_NONBLOCK)};
    int32_t fd = (int32_t)call->args[0];
    struct open_file *file;
    uint64_t mask;
    long result;

    if (call->args[2] != sizeof(mask))
        return -EINVAL;
    if (copy_from_program(&mask, call->args[1], sizeof(mask)) != 0)
        return -EFAULT;
    mask &= ~SIGNALS_KEPT;
    result =
        fd_kernel(__NR_signalfd4, (uint64_t)(int64_t)fd, fd_address_of(&mask), sizeof(mask), flags);
    if (fd == -1) {
        model.signal_mask = mask;
        return fd_made(result, &model, flags & O_CLOEXEC);
    }
    lock_take(&fd_state()->lock);
    file = fd_find((uint64_t)fd);
    if (result >= 0 && file && file->kind == FD_SIGNALFD)
        file->signal_mask = mask;
    lock_release(&fd_state()->lock);
    return result;
}

long sys_signalfd(struct call *call)
{
    return make_signalfd(call, 0);
}

long sys_signalfd4(struct call *call)
{
    return make_signalfd(call, (uint32_t)call->args[3]);
}

/* ---- epoll ---- */

static long make_epoll(uint32_t flags)
{
    struct open_file model = {.kind = FD_EPOLL, .flags = O_RDWR};

    return fd_made(fd_kernel(__NR_epoll_create1, flags, 0, 0, 0), &model, flags & O_CLOEXEC);
}

long sys_epoll_create(struct call *call)
{
    return (int32_t)call->args[0] <= 0 ? -EINVAL : make_epoll(0);
}

long sys_epoll_create1(struct call *call)
{
    return make_epoll((uint32_t)call->args[0]);
}

/* Recorded under the same lock under which it is done: so two threads leave the order that the
 * kernel has seen.  epoll_ctl does not wait. */
long sys_epoll_ctl(struct call *call)
{
    uint64_t set = (uint32_t)call->args[0], fd = (uint32_t)call->args[2];
    int32_t operation = (int32_t)call->args[1];
    struct epoll_event event = {0, 0};
    long error;

    if (operation != EPOLL_CTL_DEL && copy_from_program(&event, call->args[3], sizeof(event)) != 0)
        return -EFAULT;
    lock_take(&fd_state()->lock);
    error = fd_kernel(__NR_epoll_ctl, set, (uint64_t)operation, fd, fd_address_of(&event));
    if (!error && fd_epoll_record(set, operation, fd, event.events, event.data) != 0) {
        fd_kernel(__NR_epoll_ctl, set, EPOLL_CTL_DEL, fd, 0);
        error = -ENOSPC;
    }
    lock_release(&fd_state()->lock);
    return error;
}

/* ---- inotify ---- */

static long make_inotify(uint32_t flags)
{
    struct open_file model = {.kind = FD_INOTIFY, .flags = O_RDONLY | (flags & O_NONBLOCK)};

    return fd_made(fd_kernel(__NR_inotify_init1, flags, 0, 0, 0), &model, flags & O_CLOEXEC);
}

long sys_inotify_init(struct call *call)
{
    (void)call;
    return make_inotify(0);
}

long sys_inotify_init1(struct call *call)
{
    return make_inotify((uint32_t)call->args[0]);
}

/* A relative path means another file when the working directory has changed. */
static bool absolute_path(const char *path, char *out, size_t capacity)
{
    size_t length = 0;

    if (path[0] != '/') {
        long got = fd_kernel(__NR_getcwd, fd_address_of(out), capacity, 0, 0);

        if (got <= 1)
            return false;
        length = (size_t)got - 1;
        out[length++] = '/';
    }
    return length < capacity && str_copy(out + length, path, capacity - length) < capacity - length;
}

static uint32_t watch_of(struct open_file *file, int32_t descriptor)
{
    struct fd_state *state = fd_state();
    uint32_t *link = &file->inotify.first;

    while (*link && state->inotify[*link].descriptor < descriptor)
        link = &state->inotify[*link].next;
    if (!*link || state->inotify[*link].descriptor != descriptor) {
        uint32_t index = FD_TAKE(inotify_pool, inotify, next);

        if (!index)
            return 0;
        state->inotify[index].next = *link;
        state->inotify[index].descriptor = descriptor;
        *link = index;
    }
    return *link;
}

static void record_watch(uint64_t fd, int32_t descriptor, const char *path, uint32_t mask)
{
    struct open_file *file;
    uint32_t index;

    lock_take(&fd_state()->lock);
    file = fd_find(fd);
    index = file && file->kind == FD_INOTIFY ? watch_of(file, descriptor) : 0;
    if (index) {
        struct fd_inotify_watch *watch = &fd_state()->inotify[index];

        if (mask & IN_MASK_ADD)
            mask |= watch->mask;
        watch->mask = mask & ~(uint32_t)(IN_MASK_ADD | IN_MASK_CREATE);
    }
    if (file && file->kind == FD_INOTIFY &&
        (!index || !absolute_path(path, fd_state()->inotify[index].path,
                                  sizeof(fd_state()->inotify[index].path))))
        file->inotify.lost = 1;
    lock_release(&fd_state()->lock);
}

long sys_inotify_add_watch(struct call *call)
{
    char given[PATH_BUFFER_SIZE], rewritten[PATH_BUFFER_SIZE];
    uint32_t mask = (uint32_t)call->args[2];
    const char *path = given;
    long result = copy_string_from_program(given, call->args[1], sizeof(given));

    if (result < 0)
        return result;
    if (path_rewrite(given, rewritten) != PATH_UNCHANGED)
        path = rewritten;
    result = fd_kernel(__NR_inotify_add_watch, call->args[0], fd_address_of(path), mask, 0);
    if (result >= 0)
        record_watch((uint32_t)call->args[0], (int32_t)result, path, mask);
    return result;
}

/* The record goes at the stop, with those that the kernel drops by itself (fd_inotify_capture). */
long sys_inotify_rm_watch(struct call *call)
{
    return fd_kernel(__NR_inotify_rm_watch, call->args[0], call->args[1], 0, 0);
}
