/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files, directories and devices, which the destination opens again by their path; and what an
 * unknown descriptor is, by what /proc/self/fd and fstat say.
 *
 * The path of a file is looked up when a move is asked for, and once more at the stop: it may have
 * been renamed or deleted meanwhile.  File locks are read from /proc/self/fdinfo at the stop, but
 * only for files on which the program has asked for one.
 *
 * Trusts: the host's view of its own files, as every file does.  Next: fd_describe.c.
 */
#include <asm/ioctls.h>
#include <asm/stat.h>
#include <asm/termbits.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "enclave/fd_internal.h"

enum {
    MEMORY_DEVICES = 1,   /* major number of /dev/null and its like */
    TERMINAL_DEVICES = 5, /* of /dev/tty */
    LINK_bytes = 64,
    NO_NUMBER = 1 << 20, /* as fd_stdio.number: nothing that was inherited */
};

static const char g_deleted[] = " (deleted)";

long fd_link(int32_t fd, char *out, size_t capacity)
{
    char link[LINK_bytes];
    long length;

    str_format(link, sizeof(link), "/proc/self/fd/%d", fd);
    length = fd_kernel(__NR_readlink, fd_address_of(link), fd_address_of(out), capacity - 1, 0);
    out[length < 0 ? 0 : length] = 0;
    return length;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);

    return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

static void unsupported(struct open_file *file, const char *what)
{
    file->kind = FD_UNSUPPORTED;
    str_copy(file->name, what, sizeof(file->name));
}

bool fd_is_inherited(uint64_t device, uint64_t inode, int32_t *out_number)
{
    for (int32_t i = 0; i < 3; i++) {
        const struct fd_stdio *inherited = &fd_state()->inherited[i];

        if (inherited->inode == inode && inherited->device == device && inode != 0) {
            *out_number = i;
            return true;
        }
    }
    return false;
}

static void become_stdio(struct open_file *file, int32_t number, const struct stat *status)
{
    file->kind = FD_STDIO;
    file->stdio =
        (struct fd_stdio){.number = number, .device = status->st_dev, .inode = status->st_ino};
}

static void note_terminal(int32_t fd, struct open_file *file, const struct stat *status)
{
    file->stdio.terminal = (status->st_mode & S_IFMT) == S_IFCHR && fd_is_terminal(fd);
}

static bool is_device(const struct stat *status, uint32_t major, uint32_t minor)
{
    return (status->st_rdev >> 8 & 0xfff) == major &&
           ((status->st_rdev & 0xff) | (status->st_rdev >> 12 & ~0xffULL)) == minor;
}

/* The same at every host, and nothing is kept about who has opened it: null, zero, full, random,
 * urandom. */
static bool is_stateless_device(const struct stat *status)
{
    static const uint8_t minors[] = {3, 5, 7, 8, 9};

    for (size_t i = 0; i < sizeof(minors); i++)
        if (is_device(status, MEMORY_DEVICES, minors[i]))
            return true;
    return false;
}

/* The terminal that it was started on, by whichever name the program has opened it again, is one of
 * its own at the destination. */
static void classify_device(int32_t fd, struct open_file *file, const struct stat *status,
                            const char *link)
{
    char what[FD_NAME_bytes];
    int32_t number;

    if (file->flags & O_PATH || is_stateless_device(status))
        return;
    if (fd_is_inherited(status->st_dev, status->st_ino, &number)) {
        become_stdio(file, number, status);
        note_terminal(fd, file, status);
    } else if (is_device(status, TERMINAL_DEVICES, 0)) {
        become_stdio(file, NO_NUMBER, status);
        note_terminal(fd, file, status);
    } else {
        str_format(what, sizeof(what), "%s, %s", link,
                   fd_is_terminal(fd) ? "a terminal that it opened itself" : "a device");
        unsupported(file, what);
    }
}

/* What a file opened by path turns out to be. */
static void classify_plain(int32_t fd, struct open_file *file, const struct stat *status,
                           const char *link)
{
    int32_t number;

    switch (status->st_mode & S_IFMT) {
    case S_IFREG:
    case S_IFLNK:
        break;
    case S_IFDIR:
        file->kind = FD_DIRECTORY;
        break;
    case S_IFCHR:
        classify_device(fd, file, status, link);
        break;
    case S_IFIFO:
        if (fd_is_inherited(status->st_dev, status->st_ino, &number))
            become_stdio(file, number, status);
        else
            unsupported(file, "a pipe that this program did not make");
        break;
    default:
        unsupported(file, link);
        break;
    }
}

static long socket_number(int32_t fd, int32_t name)
{
    const uint64_t level = 1; /* SOL_SOCKET */
    int32_t value = 0, length = sizeof(value);
    long error = host_syscall(__NR_getsockopt, (uint64_t)fd, level, (uint64_t)name,
                              fd_address_of(&value), fd_address_of(&length), 0);

    return error ? error : value;
}

static void classify_socket(int32_t fd, struct open_file *file)
{
    enum { OPTION_TYPE = 3, OPTION_LISTENS = 30, OPTION_PROTOCOL = 38, OPTION_DOMAIN = 39 };
    enum { BACKLOG = 4096 };
    struct fd_address peer = {.length = sizeof(peer.bytes)};

    file->kind = FD_SOCKET;
    file->socket.domain = (int32_t)socket_number(fd, OPTION_DOMAIN);
    file->socket.type = (int32_t)socket_number(fd, OPTION_TYPE);
    file->socket.protocol = (int32_t)socket_number(fd, OPTION_PROTOCOL);
    file->socket.bound = 1;
    if (socket_number(fd, OPTION_LISTENS) == 1) {
        file->kind = FD_LISTENER;
        file->socket.backlog = BACKLOG;
        fd_socket_local(fd, &file->socket.local);
    } else if (fd_kernel(__NR_getpeername, (uint64_t)fd, fd_address_of(peer.bytes),
                         fd_address_of(&peer.length), 0) == 0) {
        file->socket.state = SOCKET_CONNECTED;
    }
}

long fd_classify(int32_t fd, struct open_file *out)
{
    char link[PATH_bytes];
    struct stat status;
    long flags = fd_control(fd, F_GETFL, 0);
    long error = fd_kernel(__NR_fstat, (uint64_t)fd, fd_address_of(&status), 0, 0);

    if (flags < 0 || error)
        return flags < 0 ? flags : error;
    error = fd_link(fd, link, sizeof(link));
    if (error < 0)
        return error;
    *out = (struct open_file){.kind = FD_FILE, .flags = (uint32_t)flags};
    if ((status.st_mode & S_IFMT) == S_IFSOCK)
        classify_socket(fd, out);
    else
        classify_plain(fd, out, &status, link);
    return 0;
}

long fd_classify_inherited(int32_t fd, struct open_file *out)
{
    struct stat status;
    long error = fd_kernel(__NR_fstat, (uint64_t)fd, fd_address_of(&status), 0, 0);

    if (error)
        return error;
    *out = (struct open_file){.flags = (uint32_t)fd_control(fd, F_GETFL, 0)};
    /* A file of the user's goes along like any other.  The daemon's log does not: at the
     * destination there is another one. */
    if ((status.st_mode & S_IFMT) == S_IFREG &&
        (!g_facts.logged || (out->flags & O_ACCMODE) == O_RDONLY))
        return fd_classify(fd, out);
    become_stdio(out, fd, &status);
    note_terminal(fd, out, &status);
    if (fd < 3)
        fd_state()->inherited[fd] = out->stdio;
    return 0;
}

/* ---- where is it now ---- */

/* /proc/<id of the host process> is another process at the destination. */
static void own_proc(char *path)
{
    char prefix[LINK_bytes];
    size_t length;

    str_format(prefix, sizeof(prefix), "/proc/%u/", g_facts.process_id);
    length = strlen(prefix);
    if (!starts_with(path, prefix))
        return;
    memcpy(path, "/proc/self/", sizeof("/proc/self/") - 1);
    memmove(path + sizeof("/proc/self/") - 1, path + length, strlen(path + length) + 1);
}

/* The kernel adds " (deleted)"; a name can also end so. */
static bool is_deleted(const struct stat *status, const char *path)
{
    if (status->st_nlink == 0)
        return true;
    return ends_with(path, g_deleted) &&
           fd_kernel(__NR_access, fd_address_of(path), 0, 0, 0) == -ENOENT;
}

long fd_plain_look(int32_t fd, struct open_file *file, char *path, struct fd_obstacle *out)
{
    struct stat status;
    /* The name first: what is deleted between the two has no link left in what fstat says. */
    long error = fd_link(fd, path, PATH_bytes);

    if (error >= 0)
        error = fd_kernel(__NR_fstat, (uint64_t)fd, fd_address_of(&status), 0, 0);
    if (error < 0)
        return fd_refuse(out, fd, error, "fd %d: the host does not tell what it is", fd);
    classify_plain(fd, file, &status, path);
    if (file->kind == FD_STDIO)
        return 0;
    if (file->kind == FD_UNSUPPORTED)
        return fd_refuse(out, fd, -EOPNOTSUPP, "fd %d (%s) cannot be moved yet", fd, file->name);
    own_proc(path);
    file->plain.keeps = false;
    if (is_deleted(&status, path)) {
        if (ends_with(path, g_deleted))
            path[strlen(path) - strlen(g_deleted)] = 0;
        if (status.st_nlink != 0 || (status.st_mode & S_IFMT) != S_IFREG)
            return fd_refuse(out, fd, -EOPNOTSUPP,
                             "fd %d (%s, deleted): it has another name still, which nobody knows, "
                             "or is no file: it cannot be moved",
                             fd, path);
        error = fd_kept_look(file, &status, path, out);
        if (error)
            return error;
    }
    file->plain.type = status.st_mode & S_IFMT;
    file->plain.device = status.st_dev;
    file->plain.inode = status.st_ino;
    file->plain.size = (uint64_t)status.st_size;
    return 0;
}

/* ---- locks ---- */

/* The next word of a line; NULL at its end. */
static const char *next_word(const char **at, char word[LINK_bytes])
{
    size_t length = 0;

    while (**at == ' ' || **at == '\t')
        (*at)++;
    while (**at && **at != ' ' && **at != '\t' && **at != '\n' && length < LINK_bytes - 1)
        word[length++] = *(*at)++;
    word[length] = 0;
    return length ? word : NULL;
}

static uint64_t decimal(const char *text)
{
    uint64_t value = 0;

    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (uint64_t)(*text - '0');
    return value;
}

/* "1: POSIX  ADVISORY  WRITE 1234 08:01:131 0 EOF", after "lock:". */
static bool parse_lock(const char *line, struct fd_lock *out)
{
    enum { WORDS = 8, WORD_KIND = 1, WORD_MODE = 3, WORD_START = 6, WORD_END = 7 };
    char words[WORDS][LINK_bytes];

    for (unsigned i = 0; i < WORDS; i++)
        if (!next_word(&line, words[i]))
            return false;
    if (strcmp(words[WORD_KIND], "POSIX") == 0)
        out->kind = FD_LOCK_POSIX;
    else if (strcmp(words[WORD_KIND], "OFDLCK") == 0)
        out->kind = FD_LOCK_DESCRIPTION;
    else if (strcmp(words[WORD_KIND], "FLOCK") == 0)
        out->kind = FD_LOCK_FLOCK;
    else
        return false;
    out->write = strcmp(words[WORD_MODE], "WRITE") == 0;
    out->start = decimal(words[WORD_START]);
    out->length =
        strcmp(words[WORD_END], "EOF") == 0 ? 0 : decimal(words[WORD_END]) - out->start + 1;
    return true;
}

static long capture_locks(const struct open_file *file, struct fd_obstacle *out)
{
    static char text[16384];
    struct fd_state *state = fd_state();
    char path[LINK_bytes];
    long length;

    str_format(path, sizeof(path), "/proc/self/fdinfo/%d", file->fd);
    length = fd_read_file(path, text, sizeof(text));
    if (length < 0)
        return fd_refuse(out, file->fd, length, "fd %d: its locks cannot be read", file->fd);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        struct fd_lock lock = {.file = fd_index_of(file)};

        line += *line == '\n';
        if (!starts_with(line, "lock:") || !parse_lock(line + strlen("lock:"), &lock))
            continue;
        if (state->lock_count == FD_LOCKS_MAX)
            return fd_refuse(out, file->fd, -EOPNOTSUPP, "more than %u file locks cannot be moved",
                             (unsigned)FD_LOCKS_MAX);
        state->locks[state->lock_count++] = lock;
    }
    return 0;
}

static long set_lock(const struct open_file *file, const struct fd_lock *lock, bool take)
{
    int16_t type = lock->write ? F_WRLCK : F_RDLCK;
    uint64_t operation = lock->write ? LOCK_EX : LOCK_SH;
    struct flock range = {
        .l_type = take ? type : F_UNLCK,
        .l_whence = 0, /* from the start of the file */
        .l_start = (int64_t)lock->start,
        .l_len = (int64_t)lock->length,
    };

    if (lock->kind == FD_LOCK_FLOCK)
        return fd_kernel(__NR_flock, (uint64_t)file->fd, take ? operation | LOCK_NB : LOCK_UN, 0,
                         0);
    return fd_control(file->fd, lock->kind == FD_LOCK_POSIX ? F_SETLK : F_OFD_SETLK,
                      fd_address_of(&range));
}

static struct open_file *lock_file(const struct fd_lock *lock)
{
    return fd_file_at(OM_MIN(lock->file, (uint32_t)FDS_MAX));
}

/* Another machine's processes cannot know of a lock that was held here; on this machine, the source
 * has released it. */
long fd_locks_restore(struct fd_obstacle *out)
{
    const struct fd_state *state = fd_state();

    for (uint32_t i = 0; i < OM_MIN(state->lock_count, (uint32_t)FD_LOCKS_MAX); i++) {
        const struct open_file *file = lock_file(&state->locks[i]);
        long error = set_lock(file, &state->locks[i], true);

        if (error)
            return fd_refuse(out, file->fd, error, "fd %d (%s): somebody else has locked it",
                             file->fd, fd_path(file->plain.path));
    }
    return 0;
}

void fd_locks_share(bool share)
{
    const struct fd_state *state = fd_state();

    for (uint32_t i = 0; i < OM_MIN(state->lock_count, (uint32_t)FD_LOCKS_MAX); i++) {
        const struct open_file *file = lock_file(&state->locks[i]);
        long error;

        do
            error = set_lock(file, &state->locks[i], !share);
        while ((error == -EAGAIN || error == -EACCES) && !share && fd_wait_for_destination());
        if (error && !share)
            log_error("fd %d (%s): its lock was lost to somebody else (error %ld)", file->fd,
                      fd_path(file->plain.path), -error);
    }
}

/* ---- a move ---- */

long fd_plain_capture(struct open_file *file, struct fd_obstacle *out)
{
    char path[PATH_bytes];
    long error = fd_plain_look(file->fd, file, path, out);
    long offset;

    if (error || file->kind == FD_STDIO)
        return error;
    if (strcmp(path, fd_path(file->plain.path)) != 0)
        file->plain.path = fd_path_keep(path);
    if (!file->plain.path)
        return fd_refuse(out, file->fd, -EOPNOTSUPP, "the paths of all open files are too long");
    offset = fd_kernel(__NR_lseek, (uint64_t)file->fd, 0, SEEK_CUR, 0);
    file->plain.offset = offset < 0 ? 0 : (uint64_t)offset; /* O_PATH and devices have none */
    error = file->plain.keeps ? fd_kept_capture(file, out) : 0;
    if (error)
        return error;
    return file->plain.lockable ? capture_locks(file, out) : 0;
}

long fd_plain_open(const char *path, uint32_t flags, uint32_t type)
{
    struct stat status;
    long fd = host_syscall(__NR_openat, FD_AT_CWD, fd_address_of(path),
                           (flags & ~FD_ONCE_FLAGS) | O_NOCTTY, 0, 0, 0);
    long error;

    if (fd < 0)
        return fd;
    error = fd_kernel(__NR_fstat, (uint64_t)fd, fd_address_of(&status), 0, 0);
    if (!error && (status.st_mode & S_IFMT) != type)
        error = -ENODEV;
    if (!error)
        return fd;
    fd_close_number(fd);
    return error;
}

/* ext4 keeps the place where a directory's first reading began as if it had been 0: when that was
 * the end, a later rewind finds nothing.  So the first reading is at 0. */
static void read_a_little(long fd)
{
    uint8_t entries[1024] __attribute__((aligned(8)));

    fd_kernel(__NR_getdents64, (uint64_t)fd, fd_address_of(entries), sizeof(entries), 0);
}

long fd_plain_restore(struct open_file *file)
{
    long fd = file->plain.keeps
                  ? fd_kept_open(file)
                  : fd_plain_open(fd_path(file->plain.path), file->flags, file->plain.type);

    if (fd >= 0 && file->kind == FD_DIRECTORY && file->plain.offset)
        read_a_little(fd);
    if (fd >= 0 && file->plain.offset)
        fd_kernel(__NR_lseek, (uint64_t)fd, file->plain.offset, SEEK_SET, 0);
    return fd_place(fd, file->fd);
}

bool fd_is_output(const struct open_file *file)
{
    return fd_find(1) == file || fd_find(2) == file;
}

/* A terminal is one open file for all three, and has one name if it is opened again, as by
 * /dev/stderr: what is written must not be lost. */
static bool is_for_output(const struct open_file *file)
{
    return fd_is_output(file) || (file->flags & O_ACCMODE) == O_WRONLY;
}

/* The host process's own 0, 1 and 2 were put aside; 0 is the daemon's, which says nothing.  They
 * serve who had no terminal, or where none can be made. */
long fd_stdio_restore(struct open_file *file, const long kept[3])
{
    int32_t number = file->stdio.number;
    long fd = file->stdio.terminal ? fd_terminal_open(file) : -EBADF;
    struct stat status;

    if (fd >= 0)
        ;
    else if (number == 0 && is_for_output(file))
        fd = fd_control(kept[1], F_DUPFD, 0);
    else if (number == 1 || number == 2)
        fd = fd_control(kept[number], F_DUPFD, 0);
    if (fd < 0)
        fd = host_syscall(__NR_openat, FD_AT_CWD, fd_address_of("/dev/null"), O_RDWR, 0, 0, 0);
    fd = fd_place(fd, file->fd);
    if (fd >= 0 && fd_kernel(__NR_fstat, (uint64_t)fd, fd_address_of(&status), 0, 0) == 0) {
        become_stdio(file, number, &status);
        note_terminal(file->fd, file, &status);
        if (number >= 0 && number < 3)
            fd_state()->inherited[number] = file->stdio;
    }
    return fd;
}
