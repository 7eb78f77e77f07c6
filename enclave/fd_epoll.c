/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoll sets.  Every successful epoll_ctl is recorded, so at the stop there is nothing to read,
 * with one exception: the kernel itself disarms a registration with EPOLLONESHOT when it fires, and
 * only /proc/self/fdinfo tells.
 *
 * The kernel's key is (open file, number), and a registration lives as long as the open file,
 * whatever becomes of the number: so do the records.  Each is in two lists.
 */
#include <linux/eventpoll.h>

#include "enclave/fd_internal.h"

enum { INFO_bytes = 1 << 20, LINE_bytes = 64 };

static struct fd_watch *watch_at(uint32_t index)
{
    return &fd_state()->watches[index];
}

static void link_watch(uint32_t index)
{
    struct fd_watch *watch = watch_at(index);
    uint32_t *set_first = &fd_file_at(watch->set)->epoll.first;
    uint32_t *file_first = &fd_file_at(watch->file)->first_watch;

    watch->set_next = *set_first;
    watch->set_previous = 0;
    if (*set_first)
        watch_at(*set_first)->set_previous = index;
    *set_first = index;
    watch->file_next = *file_first;
    watch->file_previous = 0;
    if (*file_first)
        watch_at(*file_first)->file_previous = index;
    *file_first = index;
}

static void unlink_watch(uint32_t index)
{
    struct fd_watch *watch = watch_at(index);
    struct open_file *set = fd_file_at(watch->set);

    if (watch->set_previous)
        watch_at(watch->set_previous)->set_next = watch->set_next;
    else
        set->epoll.first = watch->set_next;
    if (watch->set_next)
        watch_at(watch->set_next)->set_previous = watch->set_previous;
    if (watch->file_previous)
        watch_at(watch->file_previous)->file_next = watch->file_next;
    else
        fd_file_at(watch->file)->first_watch = watch->file_next;
    if (watch->file_next)
        watch_at(watch->file_next)->file_previous = watch->file_previous;
    if (watch->events & EPOLLONESHOT)
        set->epoll.one_shots--;
    FD_RETURN(watch_pool, watches, set_next, index);
}

void fd_epoll_clear(struct open_file *file)
{
    while (file->epoll.first)
        unlink_watch(file->epoll.first);
}

void fd_epoll_forget(struct open_file *file)
{
    while (file->first_watch)
        unlink_watch(file->first_watch);
}

static uint32_t find_watch(uint32_t set, const struct open_file *file, int32_t fd)
{
    uint32_t index = file->first_watch;

    while (index && (watch_at(index)->set != set || watch_at(index)->fd != fd))
        index = watch_at(index)->file_next;
    return index;
}

static void set_events(uint32_t index, uint32_t events)
{
    struct fd_watch *watch = watch_at(index);
    struct open_file *set = fd_file_at(watch->set);

    if (watch->events & EPOLLONESHOT)
        set->epoll.one_shots--;
    watch->events = events;
    if (events & EPOLLONESHOT)
        set->epoll.one_shots++;
}

long fd_epoll_record(uint64_t set_fd, int32_t operation, uint64_t fd, uint32_t events,
                     uint64_t data)
{
    struct open_file *set = fd_find(set_fd), *file = fd_find(fd);
    uint32_t index;

    if (!set || set->kind != FD_EPOLL || !file)
        return 0;
    index = find_watch(fd_index_of(set), file, (int32_t)fd);
    if (operation == EPOLL_CTL_DEL) {
        if (index)
            unlink_watch(index);
        return 0;
    }
    if (!index) {
        index = FD_TAKE(watch_pool, watches, set_next);
        if (!index)
            return -ENOSPC;
        *watch_at(index) = (struct fd_watch){
            .set = fd_index_of(set), .file = fd_index_of(file), .fd = (int32_t)fd};
        link_watch(index);
    }
    set_events(index, events);
    watch_at(index)->data = data;
    return 0;
}

/* ---- what has fired ---- */

static uint64_t number_after(const char *line, const char *name, unsigned base)
{
    uint64_t value = 0;
    size_t length = strlen(name);

    while (*line && *line != '\n' && strncmp(line, name, length) != 0)
        line++;
    if (strncmp(line, name, length) != 0)
        return 0;
    for (line += length; *line == ' '; line++)
        ;
    for (;; line++) {
        unsigned digit = *line >= 'a' ? (unsigned)(*line - 'a') + 10 : (unsigned)(*line - '0');

        if (*line < '0' || digit >= base)
            return value;
        value = value * base + digit;
    }
}

/* "tfd:        5 events: 40000001 data:  5  pos:0 ino:..." */
static void consume_line(const struct open_file *set, const char *line)
{
    int32_t fd = (int32_t)number_after(line, "tfd:", 10);
    uint32_t events = (uint32_t)number_after(line, "events:", 16);
    uint64_t data = number_after(line, "data:", 16);

    const struct open_file *file = fd_find((uint64_t)fd);
    uint32_t index = file ? find_watch(fd_index_of(set), file, fd) : 0;

    if (!index || watch_at(index)->data != data) /* the number is another file's by now */
        for (index = set->epoll.first; index; index = watch_at(index)->set_next)
            if (watch_at(index)->fd == fd && watch_at(index)->data == data)
                break;
    if (index)
        watch_at(index)->events = events | (watch_at(index)->events & EPOLLONESHOT);
}

long fd_epoll_capture(struct open_file *file, struct fd_obstacle *out)
{
    static char text[INFO_bytes];
    char path[LINE_bytes];
    long length;

    if (file->epoll.one_shots == 0)
        return 0;
    str_format(path, sizeof(path), "/proc/self/fdinfo/%d", file->fd);
    length = fd_read_file(path, text, sizeof(text));
    if (length < 0)
        return fd_refuse(out, file->fd, length, "fd %d, an epoll set: cannot be read", file->fd);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "tfd:", 4) == 0)
            consume_line(file, line);
    }
    return 0;
}

/* ---- the destination ---- */

long fd_epoll_restore(struct open_file *file)
{
    return fd_place(fd_kernel(__NR_epoll_create1, 0, 0, 0, 0), file->fd);
}

/* The number of a registration may be another file's by now; the file still has some number. */
static int32_t usable_number(struct fd_watch *watch)
{
    if (fd_find((uint64_t)watch->fd) != fd_file_at(watch->file))
        watch->fd = fd_file_at(watch->file)->fd;
    return watch->fd;
}

static void add(struct fd_watch *watch)
{
    const struct open_file *set = fd_file_at(watch->set);
    struct epoll_event event = {.events = watch->events, .data = watch->data};
    long error = fd_kernel(__NR_epoll_ctl, (uint64_t)set->fd, EPOLL_CTL_ADD,
                           (uint64_t)usable_number(watch), fd_address_of(&event));

    if (error)
        log_error("fd %d, an epoll set: fd %d cannot be added (error %ld)", set->fd, watch->fd,
                  -error);
}

void fd_epoll_fill(struct open_file *file)
{
    for (uint32_t index = file->epoll.first; index; index = watch_at(index)->set_next)
        add(watch_at(index));
}

void fd_epoll_rejoin(const struct open_file *file)
{
    for (uint32_t index = file->first_watch; index; index = watch_at(index)->file_next)
        add(watch_at(index));
}
