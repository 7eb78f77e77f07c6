/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that only this program can reach: deleted ones and memory of memfd_create.  The destination
 * cannot have them, so their contents go along, in the tables, read at the stop.  That is downtime,
 * so there is a limit.  Descriptors of one such file that were opened separately refer to one file
 * again.
 *
 * A deleted file is made again as a nameless one in its directory (O_TMPFILE), so that it lies on a
 * disk as before; where that is not possible, as memory.
 */
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/stat.h>

#include "enclave/fd_internal.h"

enum { LINK_bytes = 32, NAME_bytes = 200, MODE_BITS = 07777 };

bool fd_is_memfd(const char *link)
{
    static const char prefix[] = "/memfd:";

    return strncmp(link, prefix, sizeof(prefix) - 1) == 0;
}

long fd_kept_look(struct open_file *file, const struct stat *status, const char *path,
                  struct fd_obstacle *out)
{
    file->plain.keeps = true;
    file->plain.mode = status->st_mode & MODE_BITS;
    if ((uint64_t)status->st_size <= FD_KEPT_bytes)
        return 0;
    return fd_refuse(out, file->fd, -EOPNOTSUPP,
                     "fd %d (%s): %s of %lu MiB; at most %d MiB go along with a program", file->fd,
                     path,
                     fd_is_memfd(path) ? "memory of memfd_create" : "an open but deleted file",
                     (uint64_t)status->st_size >> 20, FD_KEPT_bytes >> 20);
}

/* ---- the stop ---- */

/* The open file that this pass has met before, of the same file. */
static uint32_t find_twin(const struct open_file *file)
{
    const struct fd_state *state = fd_state();

    for (uint32_t i = 1; i <= state->file_pool.used; i++) {
        const struct open_file *other = &state->files[i];

        if (other != file && other->kind == FD_FILE && other->entries && other->plain.keeps &&
            other->pass == file->pass && !other->plain.twin &&
            other->plain.inode == file->plain.inode && other->plain.device == file->plain.device)
            return i;
    }
    return 0;
}

static long reopen(long fd, uint32_t flags)
{
    char link[LINK_bytes];

    str_format(link, sizeof(link), "/proc/self/fd/%d", (int)fd);
    return fd_move_up(
        host_syscall(__NR_openat, FD_AT_CWD, fd_address_of(link), flags | O_CLOEXEC, 0, 0, 0));
}

static long read_contents(struct open_file *file)
{
    uint64_t length = file->plain.size, done = 0;
    uint8_t *room = fd_data_room(length, &file->plain.contents);
    long fd = room ? reopen(file->fd, O_RDONLY) : -ENOBUFS, got = fd;

    while (fd >= 0 && done < length) {
        got =
            fd_kernel(__NR_pread64, (uint64_t)fd, fd_address_of(room + done), length - done, done);
        if (got <= 0)
            break;
        done += (uint64_t)got;
    }
    fd_close_number(fd);
    return got < 0 ? got : done == length ? 0 : -EIO;
}

long fd_kept_capture(struct open_file *file, struct fd_obstacle *out)
{
    long error, seals;

    file->plain.contents = (struct fd_data){0};
    file->plain.twin = find_twin(file);
    if (file->plain.twin)
        return 0;
    seals = fd_control(file->fd, F_GET_SEALS, 0);
    file->plain.seals = seals < 0 ? F_SEAL_SEAL : (uint32_t)seals;
    error = read_contents(file);
    if (error)
        return fd_refuse(out, file->fd, error, "fd %d (%s): cannot be read (error %ld)", file->fd,
                         fd_path(file->plain.path), -error);
    return 0;
}

/* ---- the destination ---- */

static long make_memory(const struct open_file *file, const char *path)
{
    const char *name = fd_is_memfd(path) ? path + strlen("/memfd:") : path;
    const bool sealed = file->plain.seals & F_SEAL_SEAL;
    char text[NAME_bytes];

    str_copy(text, name, sizeof(text));
    return fd_kernel(__NR_memfd_create, fd_address_of(text),
                     MFD_CLOEXEC | (sealed ? 0 : MFD_ALLOW_SEALING), 0, 0);
}

static long make_nameless(const struct open_file *file, const char *path)
{
    char directory[PATH_bytes];
    size_t end = strlen(path);

    while (end > 1 && path[end - 1] != '/')
        end--;
    str_copy(directory, path, OM_MIN(end + 1, sizeof(directory)));
    return host_syscall(__NR_openat, FD_AT_CWD, fd_address_of(directory),
                        O_TMPFILE | O_RDWR | O_CLOEXEC, file->plain.mode, 0, 0);
}

static long write_contents(long fd, const struct open_file *file)
{
    const uint8_t *bytes = fd_data_at(&file->plain.contents);
    uint64_t length = file->plain.contents.length, done = 0;

    if (!bytes)
        return -EINVAL;
    while (done < length) {
        long put = fd_kernel(__NR_pwrite64, (uint64_t)fd, fd_address_of(bytes + done),
                             length - done, done);

        if (put <= 0)
            return put ? put : -EIO;
        done += (uint64_t)put;
    }
    return 0;
}

static long make(const struct open_file *file)
{
    const char *path = fd_path(file->plain.path);
    long fd = fd_is_memfd(path) ? -ENOENT : make_nameless(file, path), error;

    if (fd < 0)
        fd = make_memory(file, path);
    fd = fd_move_up(fd);
    if (fd < 0)
        return fd;
    error = write_contents(fd, file);
    if (!error && fd_is_memfd(path))
        fd_kernel(__NR_fchmod, (uint64_t)fd, file->plain.mode, 0, 0);
    if (!error && !(file->plain.seals & F_SEAL_SEAL) && file->plain.seals)
        error = fd_control(fd, F_ADD_SEALS, file->plain.seals);
    if (!error)
        return fd;
    fd_close_number(fd);
    return error;
}

/* The new inode is another one; the descriptors are the program's.  O_NOFOLLOW was about the name
 * that it had; what is opened here is a link. */
long fd_kept_open(const struct open_file *file)
{
    const uint32_t once = FD_ONCE_FLAGS | O_TMPFILE | O_NOFOLLOW, twin = file->plain.twin;
    long original = twin && twin <= FDS_MAX ? fd_file_at(twin)->fd : make(file), fd;

    if (original < 0)
        return original;
    fd = reopen(original, file->flags & ~once);
    if (!twin)
        fd_close_number(original);
    return fd;
}
