/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See shared_files.h.  A range of the file is read again into each mapping that has it; the memory
 * is writable as long as that takes, so that whoever collects written pages looks at it (as in
 * sys_mm.c).
 */
#include "enclave/shared_files.h"

#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "enclave/guard.h"
#include "enclave/tables.h"

static struct shared_files *state(void)
{
    return &g_tables->shared_files;
}

/* ---- the records ---- */

static bool add(const struct shared_map *map)
{
    struct shared_files *shared = state();
    uint32_t count = shared->count;

    if (map->start >= map->end)
        return true;
    if (count == SHARED_FILES_MAX)
        return false;
    shared->maps[count] = *map;
    __atomic_store_n(&shared->count, count + 1, __ATOMIC_RELEASE);
    return true;
}

/* What is left of a record beside [start, end) stays. */
static void cut(uint32_t index, uint64_t start, uint64_t end)
{
    struct shared_files *shared = state();
    struct shared_map before = shared->maps[index], behind = before;

    shared->maps[index] = shared->maps[shared->count - 1];
    __atomic_store_n(&shared->count, shared->count - 1, __ATOMIC_RELEASE);
    before.end = OM_MIN(start, before.end);
    (void)add(&before);
    if (end >= behind.end)
        return;
    behind.offset += end - behind.start;
    behind.start = end;
    if (!add(&behind))
        log_warn("munmap: too many pieces of shared mappings: at %lx writes will not be seen", end);
}

static bool overlaps(uint32_t index, uint64_t start, uint64_t end)
{
    return state()->maps[index].start < end && start < state()->maps[index].end;
}

static void forget(uint64_t start, uint64_t end)
{
    for (uint32_t i = state()->count; i-- > 0;)
        if (overlaps(i, start, end))
            cut(i, start, end);
}

long shared_files_note(uint64_t start, uint64_t length, uint64_t offset, const struct stat *file)
{
    const struct shared_map map = {
        .start = start,
        .end = OM_ALIGN_UP(start + length, OM_PAGE_SIZE),
        .offset = offset,
        .size = (uint64_t)file->st_size,
        .device = file->st_dev,
        .inode = file->st_ino,
    };
    bool added;

    lock_take(&state()->lock);
    forget(map.start, map.end);
    added = add(&map);
    lock_release(&state()->lock);
    return added ? 0 : -ENOMEM;
}

void shared_files_forget(uint64_t start, uint64_t length)
{
    if (state()->count == 0 || length > PROGRAM_END)
        return;
    lock_take(&state()->lock);
    forget(start, OM_ALIGN_UP(start + length, OM_PAGE_SIZE));
    lock_release(&state()->lock);
}

void shared_files_moved(uint64_t from, uint64_t to, uint64_t length)
{
    uint64_t end = OM_ALIGN_UP(from + length, OM_PAGE_SIZE);

    if (state()->count == 0)
        return;
    lock_take(&state()->lock);
    for (uint32_t i = state()->count; i-- > 0;) {
        struct shared_map map = state()->maps[i];
        uint64_t start = OM_MAX(map.start, from), stop = OM_MIN(map.end, end);

        if (start >= stop)
            continue;
        cut(i, start, stop);
        map.offset += start - map.start;
        map.start = to + (start - from);
        map.end = to + (stop - from);
        (void)add(&map);
    }
    lock_release(&state()->lock);
}

/* ---- which part of which file a call has changed ---- */

struct change {
    int fd;
    uint64_t first, end; /* bytes of the file */
};

static uint64_t position(uint64_t fd)
{
    enum { FROM_HERE = 1 }; /* SEEK_CUR */
    long at = host_syscall(__NR_lseek, fd, 0, FROM_HERE, 0, 0, 0);

    return at > 0 ? (uint64_t)at : 0;
}

static struct change behind_position(uint64_t fd, uint64_t length)
{
    uint64_t end = position(fd);

    return (struct change){(int)fd, end - OM_MIN(length, end), end};
}

/* With O_APPEND the offset that was given does not matter. */
static struct change at_offset(uint64_t fd, uint64_t offset, uint64_t length)
{
    long flags = host_syscall(__NR_fcntl, fd, F_GETFL, 0, 0, 0, 0);

    if (flags < 0 || flags & O_APPEND)
        return (struct change){(int)fd, 0, INT64_MAX};
    return (struct change){(int)fd, offset, offset + length};
}

static bool change_of(const struct call *call, uint64_t length, struct change *out)
{
    const uint64_t *args = call->args;

    switch (call->nr) {
    case __NR_write:
    case __NR_writev:
    case __NR_sendfile:
        *out = behind_position(args[0], length);
        return length > 0;
    case __NR_pwrite64:
    case __NR_pwritev:
        *out = at_offset(args[0], args[3], length);
        return length > 0;
    case __NR_pwritev2:
        *out = (int64_t)args[3] == -1 ? behind_position(args[0], length)
                                      : at_offset(args[0], args[3], length);
        return length > 0;
    case __NR_splice:
    case __NR_copy_file_range:
        *out = (struct change){(int)args[2], 0, INT64_MAX};
        return length > 0;
    case __NR_ftruncate:
        *out = (struct change){(int)args[0], args[1], INT64_MAX};
        return true;
    case __NR_fallocate:
        *out = (struct change){(int)args[0], args[2], INT64_MAX};
        return true;
    case __NR_open:
    case __NR_openat:
        *out = (struct change){(int)length, 0, INT64_MAX};
        return (args[call->nr == __NR_open ? 1 : 2] & O_TRUNC) != 0;
    default:
        return false;
    }
}

/* ---- reading it again ---- */

/* A descriptor by which the file can be read; *opened: to be closed. */
static int readable(int fd, bool *opened)
{
    long flags = host_syscall(__NR_fcntl, (uint64_t)fd, F_GETFL, 0, 0, 0, 0), other;
    char link[32];

    *opened = false;
    if ((flags & O_ACCMODE) != O_WRONLY)
        return fd;
    str_format(link, sizeof(link), "/proc/self/fd/%d", fd);
    other = host_syscall(__NR_openat, (uint64_t)AT_FDCWD, (uint64_t)link, O_RDONLY | O_CLOEXEC, 0,
                         0, 0);
    *opened = other >= 0;
    return (int)other;
}

static void read_bytes(uint64_t start, uint64_t end, int fd, uint64_t offset)
{
    while (start < end) {
        long got = host_syscall(__NR_pread64, (uint64_t)fd, start, end - start, offset, 0, 0);

        if (got == -EINTR)
            continue;
        if (got <= 0)
            break;
        start += (uint64_t)got;
        offset += (uint64_t)got;
    }
    if (start < end) /* past the end of the file */
        memset((void *)start, 0, end - start);
}

/* Whole pages of one area. */
static void read_area(struct call *call, const struct area *area, uint64_t start, uint64_t end,
                      int fd, uint64_t offset)
{
    uint64_t length = end - start;

    (void)mm_set_flags(start, length, 0, AREA_SHARED); /* or it could not be made writable */
    if (mm_protect(start, length, PROT_READ | PROT_WRITE) == 0) {
        guard_open(call->thread, start, length);
        read_bytes(start, end, fd, offset);
        guard_close(call->thread);
        (void)mm_protect(start, length, area->prot);
    }
    (void)mm_set_flags(start, length, AREA_SHARED, 0);
}

static void read_map(struct call *call, const struct shared_map *map, const struct change *change,
                     int fd)
{
    uint64_t length = map->end - map->start, from, to;
    struct area area;

    if (change->end <= map->offset || change->first >= map->offset + length ||
        change->first >= change->end)
        return;
    from = OM_ALIGN_DOWN(OM_MAX(change->first, map->offset), OM_PAGE_SIZE) - map->offset;
    to = OM_ALIGN_UP(OM_MIN(change->end, map->offset + length), OM_PAGE_SIZE) - map->offset;
    for (uint64_t at = map->start + from; at < map->start + to && mm_next_area(at, &area);
         at = area.end) {
        uint64_t start = OM_MAX(at, area.start), end = OM_MIN(area.end, map->start + to);

        if (start < end && area.kind == AREA_FILE)
            read_area(call, &area, start, end, fd, map->offset + (start - map->start));
    }
}

/* A file that grows by ftruncate has changed nothing: memory behind its end was zero before. */
static void read_change(struct call *call, struct shared_map *map, struct change change, int fd,
                        uint64_t size)
{
    change.end = OM_MIN(change.end, OM_MAX(size, map->size));
    read_map(call, map, &change, fd);
    map->size = size;
}

static void refresh(struct call *call, const struct change *change)
{
    struct shared_files *shared = state();
    struct stat file;
    bool opened = false;
    int fd = -1;

    if (host_syscall(__NR_fstat, (uint64_t)change->fd, (uint64_t)&file, 0, 0, 0, 0))
        return;
    lock_take(&shared->lock);
    for (uint32_t i = 0; i < shared->count; i++) {
        if (shared->maps[i].inode != file.st_ino || shared->maps[i].device != file.st_dev)
            continue;
        if (fd < 0)
            fd = readable(change->fd, &opened);
        if (fd >= 0)
            read_change(call, &shared->maps[i], *change, fd, (uint64_t)file.st_size);
    }
    lock_release(&shared->lock);
    if (opened)
        host_syscall(__NR_close, (uint64_t)fd, 0, 0, 0, 0, 0);
}

void shared_files_after(struct call *call, long result)
{
    struct change change;

    if (__atomic_load_n(&state()->count, __ATOMIC_ACQUIRE) != 0 && result >= 0 &&
        change_of(call, (uint64_t)result, &change))
        refresh(call, &change);
}

/* ---- the destination ---- */

void shared_files_restore(void)
{
    struct shared_files *shared = state();

    for (uint32_t i = 0; i < shared->count; i++) {
        const struct area *area = mm_area_at(shared->maps[i].start);
        struct stat file;

        if (!area ||
            host_syscall(__NR_stat, (uint64_t)mm_area_name(area), (uint64_t)&file, 0, 0, 0, 0)) {
            log_warn("a shared mapping at %lx: its file is not here; writes will not be seen in it",
                     shared->maps[i].start);
            continue;
        }
        shared->maps[i].device = file.st_dev;
        shared->maps[i].inode = file.st_ino;
    }
    shared->lock.word = 0;
}
