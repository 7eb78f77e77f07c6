/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of descriptors: numbers, open files, and the pools that hang on them.  One lock; it is
 * never held over a call that can block.  That leaves short times in which the kernel and the
 * table differ (a descriptor exists and is not recorded yet, or is recorded no more and still
 * exists); no thread is in such a time when it is parked, and fd_reconcile heals the rest.
 *
 * The order that matters: a record is dropped before the kernel closes the number, because the
 * kernel may give the number to another thread at once.
 *
 * Next: fd_internal.h.
 */
#include <linux/fcntl.h>
#include <linux/kcmp.h>

#include "enclave/fd_internal.h"

/* /proc/self/fd, opened before the program ran (fd_internal.h says why). */
static long g_listing = -1;

uint32_t fd_numbers_end(void)
{
    return OM_MIN(g_facts.host_fd_base, (uint32_t)FDS_MAX);
}

/* ---- pools ---- */

static uint32_t *pool_link(void *elements, size_t size, size_t link, uint32_t index)
{
    return (uint32_t *)((char *)elements + (size_t)index * size + link);
}

uint32_t fd_pool_take(struct fd_pool *pool, void *elements, size_t size, size_t link,
                      uint32_t capacity)
{
    uint32_t index = pool->free;

    if (index) {
        pool->free = *pool_link(elements, size, link, index);
        *pool_link(elements, size, link, index) = 0;
        return index;
    }
    return pool->used < capacity ? ++pool->used : 0;
}

void fd_pool_return(struct fd_pool *pool, void *elements, size_t size, size_t link, uint32_t index)
{
    memset((char *)elements + (size_t)index * size, 0, size);
    *pool_link(elements, size, link, index) = pool->free;
    pool->free = index;
}

/* ---- records ---- */

struct open_file *fd_file_at(uint32_t index)
{
    return &fd_state()->files[index];
}

uint32_t fd_index_of(const struct open_file *file)
{
    return (uint32_t)(file - fd_state()->files);
}

struct open_file *fd_find(uint64_t fd)
{
    uint32_t index = fd < fd_numbers_end() ? fd_state()->entries[fd].file : 0;

    return index ? fd_file_at(index) : NULL;
}

/* The other end of a pipe or a pair learns that this one is closed. */
static void part(const struct open_file *file)
{
    if (file->kind == FD_PIPE && file->pipe.other)
        fd_file_at(file->pipe.other)->pipe.other = 0;
    if (file->kind == FD_SOCKETPAIR && file->socket.other)
        fd_file_at(file->socket.other)->socket.other = 0;
}

static void release(struct open_file *file)
{
    fd_epoll_forget(file);
    part(file);
    switch (file->kind) {
    case FD_EPOLL:
        fd_epoll_clear(file);
        break;
    case FD_INOTIFY:
        fd_inotify_clear(file);
        break;
    case FD_LISTENER:
        fd_backlog_forget(file);
        fd_socket_clear(file);
        break;
    case FD_SOCKET:
    case FD_SOCKETPAIR:
        fd_socket_clear(file);
        break;
    default:
        break;
    }
    FD_RETURN(file_pool, files, next_free, fd_index_of(file));
}

void fd_gone_locked(uint64_t fd)
{
    struct fd_state *state = fd_state();
    struct open_file *file = fd_find(fd);

    if (!file)
        return;
    state->entries[fd] = (struct fd_entry){0, 0};
    state->count--;
    if (--file->entries == 0)
        release(file);
}

void fd_gone(uint64_t fd)
{
    lock_take(&fd_state()->lock);
    fd_gone_locked(fd);
    lock_release(&fd_state()->lock);
}

static void refer(uint64_t fd, uint32_t index, bool cloexec)
{
    struct fd_state *state = fd_state();

    fd_file_at(index)->entries++;
    fd_gone_locked(fd);
    state->entries[fd] = (struct fd_entry){index, cloexec};
    state->count++;
    if (fd >= state->limit)
        state->limit = (uint32_t)fd + 1;
}

/* There are as many records as numbers, so there is always one. */
static uint32_t record(uint64_t fd, const struct open_file *model, bool cloexec)
{
    uint32_t index = FD_TAKE(file_pool, files, next_free);
    struct open_file *file = fd_file_at(index);

    om_assert(index != 0);
    *file = *model;
    file->entries = 0;
    file->generation = ++fd_state()->generation;
    refer(fd, index, cloexec);
    return index;
}

/* A number that the kernel gave; those of the host are not for the program. */
static bool out_of_numbers(long fd)
{
    if (fd < (long)fd_numbers_end())
        return false;
    fd_close_number(fd);
    return true;
}

long fd_made(long fd, const struct open_file *model, bool cloexec)
{
    if (fd < 0)
        return fd;
    if (out_of_numbers(fd))
        return -EMFILE;
    lock_take(&fd_state()->lock);
    record((uint64_t)fd, model, cloexec);
    lock_release(&fd_state()->lock);
    return fd;
}

long fd_made_pair(const int32_t fds[2], const struct open_file models[2], bool cloexec)
{
    uint32_t index[2];
    bool out[2];

    if (fds[0] < 0 || fds[1] < 0)
        return -EIO; /* The host said that there were two. */
    out[0] = out_of_numbers(fds[0]);
    out[1] = out_of_numbers(fds[1]);
    for (unsigned i = 0; i < 2; i++)
        if (out[!i] && !out[i])
            fd_close_number(fds[i]);
    if (out[0] || out[1])
        return -EMFILE;
    lock_take(&fd_state()->lock);
    for (unsigned i = 0; i < 2; i++)
        index[i] = record((uint64_t)fds[i], &models[i], cloexec);
    for (unsigned i = 0; i < 2; i++) {
        if (models[i].kind == FD_PIPE)
            fd_file_at(index[i])->pipe.other = index[!i];
        else
            fd_file_at(index[i])->socket.other = index[!i];
    }
    lock_release(&fd_state()->lock);
    return 0;
}

long fd_duplicated(long fd, uint64_t of, bool cloexec)
{
    const struct open_file *file;

    if (fd < 0)
        return fd;
    if (out_of_numbers(fd))
        return -EMFILE;
    lock_take(&fd_state()->lock);
    file = fd_find(of);
    if (file)
        refer((uint64_t)fd, fd_index_of(file), cloexec);
    else
        fd_gone_locked((uint64_t)fd); /* what is there now is found by fd_reconcile */
    lock_release(&fd_state()->lock);
    return fd;
}

void fd_set_cloexec(uint64_t fd, bool cloexec)
{
    lock_take(&fd_state()->lock);
    if (fd_find(fd))
        fd_state()->entries[fd].cloexec = cloexec;
    lock_release(&fd_state()->lock);
}

struct fd_walk fd_walk(void)
{
    return (struct fd_walk){.next = 0, .pass = ++fd_state()->pass};
}

struct open_file *fd_walk_next(struct fd_walk *walk)
{
    struct fd_state *state = fd_state();

    while (walk->next < state->limit) {
        uint32_t fd = walk->next++;
        struct open_file *file = fd_find(fd);

        if (!file || file->pass == walk->pass)
            continue;
        file->pass = walk->pass;
        file->fd = (int32_t)fd;
        return file;
    }
    return NULL;
}

/* ---- strings and bytes ---- */

uint32_t fd_path_keep(const char *path)
{
    struct fd_state *state = fd_state();
    size_t size = strlen(path) + 1;
    uint32_t at = OM_MAX(state->paths_used, 1u); /* 0 is "none" */

    if (size > FD_PATHS_bytes - at)
        return 0;
    memcpy(&state->paths[at], path, size);
    state->paths_used = at + (uint32_t)size;
    return at;
}

const char *fd_path(uint32_t at)
{
    return at < FD_PATHS_bytes ? &fd_state()->paths[at] : "";
}

uint8_t *fd_data_room(size_t length, struct fd_data *out)
{
    struct fd_state *state = fd_state();

    *out = (struct fd_data){state->data_used, (uint32_t)length};
    if (length > FD_DATA_bytes - state->data_used) {
        out->length = 0;
        return NULL;
    }
    state->data_used += (uint32_t)length;
    return &state->data[out->start];
}

const uint8_t *fd_data_at(const struct fd_data *data)
{
    if (data->start > FD_DATA_bytes || data->length > FD_DATA_bytes - data->start)
        return NULL;
    return &fd_state()->data[data->start];
}

long fd_refuse(struct fd_obstacle *out, int32_t fd, long error, const char *format, ...)
{
    __builtin_va_list arguments;
    size_t at = strlen(out->what);

    out->fd = fd;
    if (at + OM_REASON_MAX / 8 > sizeof(out->what))
        return error; /* enough to begin with */
    if (at)
        at += str_copy(out->what + at, OM_REASON_SEPARATOR, sizeof(out->what) - at);
    __builtin_va_start(arguments, format);
    str_vformat(out->what + at, sizeof(out->what) - at, format, arguments);
    __builtin_va_end(arguments);
    return error;
}

const char *fd_kind_name(uint8_t kind)
{
    static const char *const names[] = {
        [FD_NONE] = "nothing",
        [FD_STDIO] = "inherited",
        [FD_FILE] = "a file",
        [FD_DIRECTORY] = "a directory",
        [FD_PIPE] = "a pipe",
        [FD_EVENTFD] = "an eventfd",
        [FD_TIMERFD] = "a timerfd",
        [FD_EPOLL] = "an epoll set",
        [FD_SOCKET] = "a socket",
        [FD_LISTENER] = "a listening socket",
        [FD_SOCKETPAIR] = "a socket pair",
        [FD_SIGNALFD] = "a signalfd",
        [FD_INOTIFY] = "inotify",
        [FD_UNSUPPORTED] = "not supported",
    };

    return kind < OM_ARRAY_LENGTH(names) ? names[kind] : "unknown";
}

/* ---- agreement with the kernel ---- */

struct kernel_directory_entry { /* linux_dirent64 */
    uint64_t inode;
    int64_t next;
    uint16_t length;
    uint8_t type;
    char name[];
};

/* Above FDS_MAX it is only right that it is above. */
static bool parse_number(const char *text, uint32_t *out)
{
    uint32_t value = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        if (value <= FDS_MAX)
            value = value * 10 + (uint32_t)(*text - '0');
    }
    *out = value;
    return true;
}

/* One bit for each of the program's numbers that the kernel has.  0 or -errno.  The kernel lists in
 * ascending order, and for each entry it makes an object: so it is asked for a few at first, which
 * is all that most programs have, and not for those of the host, which lie above. */
static long list_numbers(uint64_t bits[FDS_MAX / 64])
{
    char buffer[4096] __attribute__((aligned(8)));
    uint64_t room = 512;

    memset(bits, 0, FDS_MAX / 8);
    if (g_listing < 0)
        return g_listing;
    fd_kernel(__NR_lseek, (uint64_t)g_listing, 0, 0, 0);
    for (;;) {
        long got = fd_kernel(__NR_getdents64, (uint64_t)g_listing, fd_address_of(buffer), room, 0);

        if (got <= 0)
            return got;
        room = sizeof(buffer);
        for (long at = 0; at < got;) {
            const struct kernel_directory_entry *entry =
                (const struct kernel_directory_entry *)&buffer[at];
            uint32_t fd = 0;
            bool number = parse_number(entry->name, &fd);

            if (number && fd >= fd_numbers_end())
                return 0;
            if (number)
                bits[fd / 64] |= 1ULL << (fd % 64);
            if (entry->length == 0)
                return -EIO;
            at += entry->length;
        }
    }
}

/* The recorded open file that this number shares; 0: none. */
static uint32_t find_shared(uint32_t fd)
{
    struct fd_state *state = fd_state();
    uint64_t process = g_facts.process_id;

    for (uint32_t other = 0; other < state->limit; other++)
        if (other != fd && fd_find(other) &&
            host_syscall(__NR_kcmp, process, process, KCMP_FILE, fd, other, 0) == 0)
            return state->entries[other].file;
    return 0;
}

static void record_found(uint32_t fd, bool inherited)
{
    struct open_file model = {.kind = FD_NONE};
    long cloexec = fd_control(fd, F_GETFD, 0);
    long error =
        inherited ? fd_classify_inherited((int32_t)fd, &model) : fd_classify((int32_t)fd, &model);
    uint32_t shared;

    if (cloexec < 0 || error)
        return; /* closed meanwhile */
    lock_take(&fd_state()->lock);
    shared = find_shared(fd);
    if (!fd_find(fd)) {
        if (shared)
            refer(fd, shared, cloexec & FD_CLOEXEC);
        else
            record(fd, &model, cloexec & FD_CLOEXEC);
    }
    lock_release(&fd_state()->lock);
}

/* A record without a descriptor; unless it was opened after the list was made. */
static void drop_stale(uint32_t fd)
{
    const struct open_file *file;
    uint32_t generation;

    lock_take(&fd_state()->lock);
    file = fd_find(fd);
    generation = file ? file->generation : 0;
    lock_release(&fd_state()->lock);
    if (!file || fd_control(fd, F_GETFD, 0) != -EBADF)
        return;
    lock_take(&fd_state()->lock);
    if (fd_find(fd) == file && file->generation == generation)
        fd_gone_locked(fd);
    lock_release(&fd_state()->lock);
}

static long reconcile(bool inherited)
{
    static uint64_t bits[FDS_MAX / 64];
    struct fd_state *state = fd_state();
    long error = list_numbers(bits);

    if (error)
        return error;
    for (uint32_t fd = 0; fd < fd_numbers_end(); fd++) {
        bool here = bits[fd / 64] >> (fd % 64) & 1;

        if (!here && fd % 64 == 0 && bits[fd / 64] == 0 && fd >= state->limit) {
            fd += 63; /* nothing on either side */
            continue;
        }
        if (here && !state->entries[fd].file) {
            record_found(fd, inherited);
        } else if (!here && state->entries[fd].file) {
            drop_stale(fd);
        }
    }
    return 0;
}

long fd_reconcile(void)
{
    return reconcile(false);
}

/* ---- start ---- */

void fd_look_around(void)
{
    if (g_listing < 0)
        g_listing = fd_move_up(host_syscall(__NR_openat, FD_AT_CWD, fd_address_of("/proc/self/fd"),
                                            O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0, 0));
    fd_describe_machine();
}

void fd_table_create(void)
{
    fd_look_around();
    if (reconcile(true) != 0)
        log_warn("the list of descriptors cannot be read: inherited ones are not known");
}

uint32_t fd_count(void)
{
    return fd_state()->count;
}
