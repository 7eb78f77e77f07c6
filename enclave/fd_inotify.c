/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inotify: watches, and events that were not read yet.
 *
 * Events cannot be put into the kernel's queue, and reading takes them out.  So at the stop they
 * are read and held in the tables, and a token is put into the queue instead: the event of a watch
 * that is made and removed at once.  It makes poll, epoll and read see that there is something;
 * whoever reads gets what is held first.  The source does the same, so a move that fails loses
 * nothing. What does not fit is told by IN_Q_OVERFLOW, as the kernel does.
 *
 * What happens to the files between the stop and the restore is not seen.
 */
#include <linux/fcntl.h>
#include <linux/inotify.h>
#include <linux/uio.h>

#include "enclave/fd_internal.h"

enum { LINE_bytes = 64, WATCH_ATTEMPTS = 100000 };

static char g_buffer[65536];

/* ---- events that are held ---- */

struct held { /* in front of each event */
    uint32_t file;
    uint32_t length; /* of the event */
};

static struct fd_events *held_events(void)
{
    return &fd_state()->events;
}

static uint32_t size_of(const struct held *held)
{
    return (uint32_t)sizeof(*held) + held->length;
}

/* The first of a file's from `at` on; NULL: none. */
static struct held *next_held(uint32_t file, uint32_t at)
{
    struct fd_events *events = held_events();

    while (at < events->used) {
        struct held *held = (struct held *)(events->bytes + at);

        if (held->file == file)
            return held;
        at += size_of(held);
    }
    return NULL;
}

static void append(uint32_t file, const struct inotify_event *event)
{
    struct fd_events *events = held_events();
    struct held held = {file, (uint32_t)sizeof(*event) + event->len};

    memcpy(events->bytes + events->used, &held, sizeof(held));
    memcpy(events->bytes + events->used + sizeof(held), event, held.length);
    events->used += (uint32_t)sizeof(held) + held.length;
}

/* There is always room left for one overflow of each file: FD_EVENTS_RESERVE. */
static void hold(struct open_file *file, const struct inotify_event *event)
{
    const struct inotify_event overflow = {.wd = -1, .mask = IN_Q_OVERFLOW};
    uint32_t size = (uint32_t)(sizeof(struct held) + sizeof(*event)) + event->len;

    if (file->inotify.overflowed)
        return;
    if (held_events()->used + size <= FD_EVENTS_bytes - FD_EVENTS_RESERVE) {
        append(fd_index_of(file), event);
        return;
    }
    file->inotify.overflowed = 1;
    if (held_events()->used + sizeof(struct held) + sizeof(overflow) <= FD_EVENTS_bytes)
        append(fd_index_of(file), &overflow);
}

/* Takes all that the kernel has now; the token is dropped. */
static void pull(struct open_file *file, int32_t fd)
{
    while (fd_is_readable(fd)) {
        long got = fd_kernel(__NR_read, (uint64_t)fd, fd_address_of(g_buffer), sizeof(g_buffer), 0);

        if (got <= 0)
            return;
        for (const char *at = g_buffer; at < g_buffer + got;) {
            const struct inotify_event *event = (const struct inotify_event *)at;

            if (event->wd == file->inotify.token && event->wd)
                file->inotify.token = 0;
            else
                hold(file, event);
            at += sizeof(*event) + event->len;
        }
    }
}

/* The watched file is one that no program watches; it opens nothing, so it may be done while the
 * program runs. */
static void plant(struct open_file *file, int32_t fd)
{
    static const char path[] = "/proc/self/stat";
    long watch;

    if (file->inotify.token || !next_held(fd_index_of(file), 0))
        return;
    watch = fd_kernel(__NR_inotify_add_watch, (uint64_t)fd, fd_address_of(path),
                      IN_ATTRIB | IN_MASK_CREATE, 0);
    if (watch > 0 && fd_kernel(__NR_inotify_rm_watch, (uint64_t)fd, (uint64_t)watch, 0, 0) == 0)
        file->inotify.token = (int32_t)watch;
    else
        log_error("fd %d, inotify: who waits will not see %u bytes of events (error %ld)", fd,
                  next_held(fd_index_of(file), 0)->length, -watch);
}

/* As many as fit, as the kernel does: -EINVAL if not even the first does. */
static long give(uint32_t file, uint64_t to, uint64_t room)
{
    struct fd_events *events = held_events();
    uint32_t kept = 0, size;
    uint64_t given = 0;
    long error = 0;

    for (uint32_t at = 0; at < events->used; at += size) {
        struct held *held = (struct held *)(events->bytes + at);

        size = size_of(held);
        if (held->file == file && !error) {
            error = held->length > room - given
                        ? -EINVAL
                        : copy_to_program(to + given, held + 1, held->length);
            if (!error) {
                given += held->length;
                continue;
            }
        }
        memmove(events->bytes + kept, held, size);
        kept += size;
    }
    events->used = kept;
    return given ? (long)given : error;
}

static void forget(uint32_t file)
{
    struct fd_events *events = held_events();
    uint32_t kept = 0, size;

    for (uint32_t at = 0; at < events->used; at += size) {
        struct held *held = (struct held *)(events->bytes + at);

        size = size_of(held);
        if (held->file == file)
            continue;
        memmove(events->bytes + kept, held, size);
        kept += size;
    }
    events->used = kept;
}

/* Both under the lock: an inotify whose queue has the token. */
static struct open_file *with_token(uint64_t fd)
{
    struct open_file *file = fd_find(fd);

    return file && file->kind == FD_INOTIFY && file->inotify.token ? file : NULL;
}

bool fd_inotify_read(long nr, const uint64_t args[6], long *out_result)
{
    struct iovec whole = {(void *)(uintptr_t)args[1], args[2]};
    struct open_file *file;

    if (!__atomic_load_n(&held_events()->used, __ATOMIC_RELAXED) ||
        (nr != __NR_read && nr != __NR_readv))
        return false;
    lock_take(&fd_state()->lock);
    file = with_token((uint32_t)args[0]);
    if (file) {
        if (nr == __NR_readv) /* copied by call_with_iovec; a short read is right */
            whole = args[2] ? *(const struct iovec *)(uintptr_t)args[1] : (struct iovec){0};
        pull(file, (int32_t)args[0]);
        *out_result = give(fd_index_of(file), (uint64_t)(uintptr_t)whole.iov_base, whole.iov_len);
        file->inotify.overflowed = 0;
        plant(file, (int32_t)args[0]);
    }
    lock_release(&fd_state()->lock);
    return file;
}

bool fd_inotify_unread(uint64_t fd, int32_t *out_bytes)
{
    struct open_file *file;

    lock_take(&fd_state()->lock);
    file = with_token(fd);
    if (file) {
        uint32_t index = fd_index_of(file);

        pull(file, (int32_t)fd);
        plant(file, (int32_t)fd);
        *out_bytes = 0;
        for (struct held *held = next_held(index, 0); held;) {
            *out_bytes += (int32_t)held->length;
            held = next_held(
                index, (uint32_t)((uint8_t *)(held + 1) + held->length - held_events()->bytes));
        }
    }
    lock_release(&fd_state()->lock);
    return file;
}

/* ---- watches ---- */

void fd_inotify_clear(struct open_file *file)
{
    struct fd_state *state = fd_state();

    forget(fd_index_of(file));
    while (file->inotify.first) {
        uint32_t index = file->inotify.first;

        file->inotify.first = state->inotify[index].next;
        FD_RETURN(inotify_pool, inotify, next, index);
    }
}

/* Which of the watches still exist: the kernel drops one when its file goes, or after one shot. */
long fd_inotify_capture(struct open_file *file, struct fd_obstacle *out)
{
    struct fd_state *state = fd_state();
    char path[LINE_bytes], name[LINE_bytes];
    uint32_t *link = &file->inotify.first;
    long length;

    pull(file, file->fd);
    plant(file, file->fd);
    str_format(path, sizeof(path), "/proc/self/fdinfo/%d", file->fd);
    length = fd_read_file(path, g_buffer, sizeof(g_buffer));
    if (length < 0)
        return fd_refuse(out, file->fd, length, "fd %d, inotify: cannot be read", file->fd);
    while (*link) {
        uint32_t index = *link;
        const char *line = g_buffer;

        str_format(name, sizeof(name), "inotify wd:%x ",
                   (unsigned)state->inotify[index].descriptor);
        while (line && strncmp(line, name, strlen(name)) != 0) {
            line = strchr(line, '\n');
            line = line ? line + 1 : NULL;
        }
        if (line) {
            link = &state->inotify[index].next;
        } else {
            *link = state->inotify[index].next;
            FD_RETURN(inotify_pool, inotify, next, index);
        }
    }
    return 0;
}

/* The kernel numbers watches upwards, also over those that were removed: so numbers that are
 * missing are used up. */
static long add_watch(long fd, const struct fd_inotify_watch *watch)
{
    for (uint32_t i = 0; i < WATCH_ATTEMPTS; i++) {
        long got = fd_kernel(__NR_inotify_add_watch, (uint64_t)fd, fd_address_of(watch->path),
                             watch->mask, 0);

        if (got < 0 || got == watch->descriptor)
            return got;
        fd_kernel(__NR_inotify_rm_watch, (uint64_t)fd, (uint64_t)got, 0, 0);
        if (got > watch->descriptor)
            return -EEXIST;
    }
    return -E2BIG;
}

/* What was removed left an event each; the program must not see them. */
static void drain(long fd)
{
    while (fd_is_readable((int32_t)fd) &&
           fd_kernel(__NR_read, (uint64_t)fd, fd_address_of(g_buffer), sizeof(g_buffer), 0) > 0)
        ;
}

long fd_inotify_restore(struct open_file *file)
{
    struct fd_state *state = fd_state();
    long fd = fd_kernel(__NR_inotify_init1, file->flags & O_NONBLOCK, 0, 0, 0);

    if (fd < 0)
        return fd;
    for (uint32_t index = file->inotify.first; index; index = state->inotify[index].next) {
        const struct fd_inotify_watch *watch = &state->inotify[index];
        long error = add_watch(fd, watch);

        if (error < 0)
            log_warn("fd %d, inotify: %s cannot be watched again (error %ld)", file->fd,
                     watch->path, -error);
    }
    drain(fd);
    file->inotify.token = 0;
    plant(file, (int32_t)fd);
    return fd_place(fd, file->fd);
}
