/* SPDX-License-Identifier: Apache-2.0 */
/* The libc torture: unistd.h, fcntl.h, sys/stat.h, dirent.h, sys/uio.h, sys/mman.h, terminals, the
 * machine. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pty.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

#include "tests/pass/torture.h"

/* A file of `size` bytes that has no name any more, at its beginning. */
static int file_of(size_t size)
{
    char *text = memset(malloc(size), 'f', size);
    int fd = open(torture_path("file"), O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);

    unlink(torture_path("file"));
    EXPECT(fd >= 0 && write(fd, text, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    free(text);
    return fd;
}

/* ---- reading ---- */

#define READS(function, call)                                                                      \
    TORTURE(function, KERNEL)                                                                      \
    {                                                                                              \
        size_t size = torture_some();                                                              \
        int fd = file_of(size);                                                                    \
        char *to = TEXT(size);                                                                     \
        ssize_t got;                                                                               \
                                                                                                   \
        CALL(got = call);                                                                          \
        EXPECT(got == (ssize_t)size && to[0] == 'f' && to[size - 1] == 'f');                       \
        close(fd);                                                                                 \
    }

READS(read, read(fd, to, size))
READS(pread, pread(fd, to, size, 0))

/* More entries than the runtime has marks for. */
enum { ENTRIES = 14, ENTRY = 900 };

static struct iovec *entries(void)
{
    struct iovec *list = PLACES(struct iovec, ENTRIES);

    for (int i = 0; i < ENTRIES; i++)
        list[i] = (struct iovec){TEXT(ENTRY), ENTRY};
    return list;
}

#define READS_MANY(function, ...)                                                                  \
    TORTURE(function, KERNEL)                                                                      \
    {                                                                                              \
        struct iovec *list = entries();                                                            \
        int fd = file_of(ENTRIES * ENTRY);                                                         \
        ssize_t got;                                                                               \
                                                                                                   \
        CALL(got = function(fd, list, ENTRIES, ##__VA_ARGS__));                                    \
        EXPECT(got == ENTRIES * ENTRY && *(char *)list[ENTRIES - 1].iov_base == 'f');              \
        close(fd);                                                                                 \
    }

READS_MANY(readv)
READS_MANY(preadv, 0)

#ifdef SYS_preadv2
TORTURE(preadv2_syscall, KERNEL)
{
    struct iovec *list = entries();
    int fd = file_of(ENTRIES * ENTRY);
    ssize_t got;

    CALL(got = syscall(SYS_preadv2, fd, list, ENTRIES, 0, 0, 0));
    EXPECT(got == ENTRIES * ENTRY && *(char *)list[ENTRIES - 1].iov_base == 'f');
    close(fd);
}
#endif

#define MOVES_OFFSET(function, call)                                                               \
    TORTURE(function, KERNEL)                                                                      \
    {                                                                                              \
        int fd = file_of(100), to = file_of(1), ends[2];                                           \
        off_t *offset = PLACE(off_t);                                                              \
        ssize_t done;                                                                              \
                                                                                                   \
        EXPECT(!pipe(ends));                                                                       \
        *offset = 10;                                                                              \
        CALL(done = call);                                                                         \
        EXPECT(done == 50 && *offset == 60);                                                       \
        close(fd);                                                                                 \
        close(to);                                                                                 \
        close(ends[0]);                                                                            \
        close(ends[1]);                                                                            \
    }

MOVES_OFFSET(sendfile, sendfile(to, fd, offset, 50))
MOVES_OFFSET(splice, splice(fd, offset, ends[1], NULL, 50, 0))
MOVES_OFFSET(copy_file_range, copy_file_range(fd, offset, to, NULL, 50, 0))

TORTURE(vmsplice, KERNEL)
{
    struct iovec entry = {TEXT(100), 100};
    int ends[2];
    ssize_t done;

    EXPECT(!pipe(ends) && write(ends[1], "words", 5) == 5);
    CALL(done = vmsplice(ends[0], &entry, 1, 0));
    EXPECT(done == 5 && !memcmp(entry.iov_base, "words", 5));
    close(ends[0]);
    close(ends[1]);
}

#define MAKES_PAIR(function, ...)                                                                  \
    TORTURE(function, KERNEL)                                                                      \
    {                                                                                              \
        int *fds = PLACES(int, 2), error;                                                          \
                                                                                                   \
        CALL(error = function(fds, ##__VA_ARGS__));                                                \
        EXPECT(error == 0 && fds[0] > 2 && fds[1] > 2);                                            \
        close(fds[0]);                                                                             \
        close(fds[1]);                                                                             \
    }

MAKES_PAIR(pipe)
MAKES_PAIR(pipe2, O_CLOEXEC)

/* ---- files ---- */

#define STATS(function, type, call, right)                                                         \
    TORTURE(function, KERNEL)                                                                      \
    {                                                                                              \
        type *out = PLACE(type);                                                                   \
        int fd = file_of(100), error;                                                              \
                                                                                                   \
        CALL(error = call);                                                                        \
        EXPECT(error == 0 && (right));                                                             \
        close(fd);                                                                                 \
    }

STATS(stat, struct stat, stat("/tmp", out), S_ISDIR(out->st_mode))
STATS(lstat, struct stat, lstat("/tmp", out), out->st_ino > 0)
STATS(fstat, struct stat, fstat(fd, out), out->st_size == 100)
STATS(fstatat, struct stat, fstatat(AT_FDCWD, "/tmp", out, 0), S_ISDIR(out->st_mode))
STATS(statfs, struct statfs, statfs("/tmp", out), out->f_bsize > 0)
STATS(fstatfs, struct statfs, fstatfs(fd, out), out->f_bsize > 0)
STATS(statvfs, struct statvfs, statvfs("/tmp", out), out->f_bsize > 0)
STATS(fstatvfs, struct statvfs, fstatvfs(fd, out), out->f_bsize > 0)

/* The kernel's number, for musl 1.2.3 has no function for it. */
TORTURE(statx_syscall, KERNEL)
{
    char *out = TEXT(256);
    long error;

    CALL(error = syscall(SYS_statx, AT_FDCWD, "/tmp", 0, 0x7ff, out));
    EXPECT(error == 0);
}

TORTURE(readlink, KERNEL)
{
    char *to = TEXT(100);
    ssize_t length;

    EXPECT(!symlink("words", torture_path("link")));
    CALL(length = readlink(torture_path("link"), to, 100));
    EXPECT(length == 5 && !memcmp(to, "words", 5));
    unlink(torture_path("link"));
}

TORTURE(readlinkat, KERNEL)
{
    char *to = TEXT(100);
    ssize_t length;

    EXPECT(!symlink("words", torture_path("link")));
    CALL(length = readlinkat(AT_FDCWD, torture_path("link"), to, 100));
    EXPECT(length == 5 && !memcmp(to, "words", 5));
    unlink(torture_path("link"));
}

TORTURE(realpath, KERNEL)
{
    char *to = TEXT(PATH_MAX);

    CALL(realpath("/usr/../usr/lib/.", to));
    EXPECT(to[0] == '/');
}

TORTURE(getcwd, KERNEL)
{
    char *to = TEXT(PATH_MAX);

    CALL(getcwd(to, PATH_MAX));
    EXPECT(to[0] == '/');
}

/* Where the file system has no such attributes, nothing can be asked. */
#define ATTRIBUTES(function, get, list)                                                            \
    TORTURE(function, KERNEL | QUIET)                                                              \
    {                                                                                              \
        const char *path = torture_path("file");                                                   \
        int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);                                   \
        char *to = TEXT(300);                                                                      \
        ssize_t length;                                                                            \
                                                                                                   \
        if (!setxattr(path, "user.torture", "words", 5, 0)) {                                      \
            CALL(length = list ? function##_call(path, fd, NULL, to)                               \
                               : function##_call(path, fd, "user.torture", to));                   \
            EXPECT(length >= 5);                                                                   \
        } else {                                                                                   \
            CALL(function##_call(path, fd, "user.torture", to));                                   \
        }                                                                                          \
        (void)get;                                                                                 \
        close(fd);                                                                                 \
        unlink(path);                                                                              \
    }

#define getxattr_call(path, fd, name, to) getxattr(path, name, to, 300)
#define lgetxattr_call(path, fd, name, to) lgetxattr(path, name, to, 300)
#define fgetxattr_call(path, fd, name, to) fgetxattr(fd, name, to, 300)
#define listxattr_call(path, fd, name, to) listxattr(path, to, 300)
#define llistxattr_call(path, fd, name, to) llistxattr(path, to, 300)
#define flistxattr_call(path, fd, name, to) flistxattr(fd, to, 300)

ATTRIBUTES(getxattr, 1, 0)
ATTRIBUTES(lgetxattr, 1, 0)
ATTRIBUTES(fgetxattr, 1, 0)
ATTRIBUTES(listxattr, 0, 1)
ATTRIBUTES(llistxattr, 0, 1)
ATTRIBUTES(flistxattr, 0, 1)

TORTURE(fcntl, KERNEL)
{
    struct flock *lock = PLACE(struct flock);
    int fd = file_of(10), error;

    *lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 5};
    CALL(error = fcntl(fd, F_GETLK, lock));
    EXPECT(error == 0 && lock->l_type == F_UNLCK);
    close(fd);
}

/* ---- directories ---- */

TORTURE(getdents, KERNEL)
{
    size_t size = torture_some() + 300;
    struct dirent *to = torture_place(size, 8);
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), got;

    CALL(got = getdents(fd, to, size));
    EXPECT(got > 0 && to->d_reclen > 0);
    close(fd);
}

TORTURE(opendir, KERNEL)
{
    DIR *directory;

    CALL(directory = opendir("/"));
    EXPECT(directory != NULL);
    closedir(directory);
}

TORTURE(fdopendir, KERNEL)
{
    DIR *directory;
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    CALL(directory = fdopendir(fd));
    EXPECT(directory != NULL);
    closedir(directory);
}

#define ON_DIRECTORY(function, how, ...)                                                           \
    TORTURE(function, how)                                                                         \
    {                                                                                              \
        DIR *directory = opendir("/");                                                             \
                                                                                                   \
        readdir(directory);                                                                        \
        CALL(__VA_ARGS__);                                                                         \
        if (directory)                                                                             \
            closedir(directory);                                                                   \
    }

ON_DIRECTORY(readdir, KERNEL, readdir(directory))
ON_DIRECTORY(telldir, QUIET, telldir(directory))
ON_DIRECTORY(seekdir, KERNEL, seekdir(directory, 0))
ON_DIRECTORY(rewinddir, KERNEL, rewinddir(directory))
ON_DIRECTORY(dirfd, QUIET, dirfd(directory))
ON_DIRECTORY(closedir, QUIET | KERNEL, closedir(directory); directory = NULL)

TORTURE(readdir_r, KERNEL)
{
    DIR *directory = opendir("/");
    struct dirent *entry = PLACE(struct dirent), **result = PLACE(struct dirent *);

    CALL(readdir_r(directory, entry, result));
    EXPECT(*result == entry && entry->d_name[0]);
    closedir(directory);
}

TORTURE(scandir, KERNEL)
{
    struct dirent ***list = PLACE(struct dirent **);
    int count;

    CALL(count = scandir("/", list, NULL, alphasort));
    EXPECT(count > 2 && !strcmp((*list)[0]->d_name, "."));
    for (int i = 0; i < count; i++)
        free((*list)[i]);
    free(*list);
}

/* ---- memory ---- */

TORTURE(mincore, KERNEL)
{
    unsigned char *to = (unsigned char *)TEXT(8);
    char *pages = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int error;

    pages[PAGE] = 1;
    CALL(error = mincore(pages, 8 * PAGE, to));
    EXPECT(error == 0 && to[1] & 1);
    munmap(pages, 8 * PAGE);
}

/* Memory that moves: its pages are written at the new place. */
TORTURE(mremap, KERNEL | QUIET)
{
    char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
         *moved;

    pages[PAGE] = 9;
    CALL(moved = mremap(pages, 2 * PAGE, 40 * PAGE, MREMAP_MAYMOVE));
    EXPECT(moved != MAP_FAILED && moved[PAGE] == 9 && moved[39 * PAGE] == 0);
    munmap(moved, 40 * PAGE);
}

TORTURE(mmap, KERNEL | QUIET)
{
    int fd = file_of(3 * PAGE);
    char *pages;

    CALL(pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    EXPECT(pages != MAP_FAILED && pages[2 * PAGE] == 'f');
    munmap(pages, 3 * PAGE);
    close(fd);
}

#define ON_MEMORY(function, call)                                                                  \
    TORTURE(function, KERNEL | QUIET)                                                              \
    {                                                                                              \
        char *pages =                                                                              \
            mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);          \
        int error;                                                                                 \
                                                                                                   \
        pages[0] = 1;                                                                              \
        CALL(error = call);                                                                        \
        EXPECT(error == 0);                                                                        \
        munmap(pages, PAGE);                                                                       \
    }

ON_MEMORY(munmap, munmap(pages, PAGE))
ON_MEMORY(mprotect, mprotect(pages, PAGE, PROT_READ))
ON_MEMORY(madvise, madvise(pages, PAGE, MADV_DONTNEED))
ON_MEMORY(posix_madvise, posix_madvise(pages, PAGE, POSIX_MADV_WILLNEED))
ON_MEMORY(msync, msync(pages, PAGE, MS_SYNC))

/* ---- who and where ---- */

TORTURE(getrandom, KERNEL)
{
    size_t size = torture_some();
    char *to = TEXT(size);
    ssize_t got;

    CALL(got = getrandom(to, size, 0));
    EXPECT(got == (ssize_t)size);
}

TORTURE(getentropy, KERNEL)
{
    char *to = TEXT(200);
    int error;

    CALL(error = getentropy(to, 200));
    EXPECT(error == 0);
}

TORTURE(uname, KERNEL)
{
    struct utsname *to = PLACE(struct utsname);
    int error;

    CALL(error = uname(to));
    EXPECT(error == 0 && !strcmp(to->sysname, "Linux"));
}

TORTURE(gethostname, KERNEL)
{
    char *to = TEXT(100);
    int error;

    CALL(error = gethostname(to, 100));
    EXPECT(error == 0);
}

TORTURE(getdomainname, KERNEL)
{
    char *to = TEXT(100);
    int error;

    CALL(error = getdomainname(to, 100));
    EXPECT(error == 0);
}

TORTURE(sysinfo, KERNEL)
{
    struct sysinfo *to = PLACE(struct sysinfo);
    int error;

    CALL(error = sysinfo(to));
    EXPECT(error == 0 && to->totalram > 0);
}

TORTURE(getloadavg, KERNEL)
{
    double *to = PLACES(double, 3);
    int count;

    CALL(count = getloadavg(to, 3));
    EXPECT(count == 3 && to[0] >= 0);
}

TORTURE(getrlimit, KERNEL)
{
    struct rlimit *to = PLACE(struct rlimit);
    int error;

    CALL(error = getrlimit(RLIMIT_NOFILE, to));
    EXPECT(error == 0 && to->rlim_max > 0);
}

TORTURE(prlimit, KERNEL)
{
    struct rlimit *to = PLACE(struct rlimit);
    int error;

    CALL(error = prlimit(0, RLIMIT_NOFILE, NULL, to));
    EXPECT(error == 0 && to->rlim_max > 0);
}

#define THREE_IDS(function)                                                                        \
    TORTURE(function, KERNEL)                                                                      \
    {                                                                                              \
        unsigned *a = PLACE(unsigned), *b = PLACE(unsigned), *c = PLACE(unsigned);                 \
        int error;                                                                                 \
                                                                                                   \
        CALL(error = function(a, b, c));                                                           \
        EXPECT(error == 0 && *a == *b);                                                            \
    }

THREE_IDS(getresuid)
THREE_IDS(getresgid)

TORTURE(getgroups, KERNEL | QUIET)
{
    gid_t *to = PLACES(gid_t, 100);
    int count;

    CALL(count = getgroups(100, to));
    EXPECT(count >= 0);
}

TORTURE(prctl, KERNEL)
{
    char *to = TEXT(16);
    int error;

    CALL(error = prctl(PR_GET_NAME, to));
    EXPECT(error == 0);
}

TORTURE(confstr, 0)
{
    char *to = TEXT(100);
    size_t length;

    CALL(length = confstr(_CS_PATH, to, 100));
    EXPECT(length > 5 && to[0] == '/');
}

TORTURE(klogctl, KERNEL | QUIET)
{
    char *to = TEXT(300);

    CALL(klogctl(3, to, 300));
}

TORTURE(getlogin_r, KERNEL | QUIET)
{
    char *to = TEXT(100);

    setenv("LOGNAME", "somebody", 1);
    CALL(getlogin_r(to, 100));
    EXPECT(!strcmp(to, "somebody"));
}

TORTURE(ctermid, 0)
{
    char *to = TEXT(L_ctermid);

    CALL(ctermid(to));
    EXPECT(!strcmp(to, "/dev/tty"));
}

TORTURE(cuserid, KERNEL)
{
    char *to = TEXT(L_cuserid);

    CALL(cuserid(to));
    EXPECT(!strcmp(to, "root") || getuid() != 0);
}

/* ---- terminals ---- */

static int terminal(int *master)
{
    int slave;

    EXPECT(!openpty(master, &slave, NULL, NULL, NULL));
    return slave;
}

static void close_terminal(int master, int slave)
{
    close(master);
    close(slave);
}

TORTURE(openpty, KERNEL | STAYS)
{
    int *master = PLACE(int), *slave = PLACE(int), error;
    char *name = TEXT(40);

    CALL(error = openpty(master, slave, name, NULL, NULL));
    EXPECT(error == 0 && !strncmp(name, "/dev/pts/", 9));
    close_terminal(*master, *slave);
}

#define ON_TERMINAL(function, type, call, right)                                                   \
    TORTURE(function, KERNEL | STAYS)                                                              \
    {                                                                                              \
        type *out = PLACE(type);                                                                   \
        int master, slave = terminal(&master), error;                                              \
                                                                                                   \
        CALL(error = call);                                                                        \
        EXPECT(error == 0 && (right));                                                             \
        close_terminal(master, slave);                                                             \
    }

ON_TERMINAL(tcgetattr, struct termios, tcgetattr(slave, out), out->c_cflag != 0)
ON_TERMINAL(tcgetwinsize, struct winsize, tcgetwinsize(slave, out), out->ws_row == 0)
ON_TERMINAL(TIOCGWINSZ, struct winsize, ioctl(slave, TIOCGWINSZ, out), out->ws_row == 0)

TORTURE(ioctl, KERNEL)
{
    int *unread = PLACE(int), ends[2], error;

    EXPECT(!pipe(ends) && write(ends[1], "words", 5) == 5);
    CALL(error = ioctl(ends[0], FIONREAD, unread));
    EXPECT(error == 0 && *unread == 5);
    close(ends[0]);
    close(ends[1]);
}

TORTURE(ptsname_r, KERNEL | STAYS)
{
    char *name = TEXT(40);
    int master, slave = terminal(&master), error;

    CALL(error = ptsname_r(master, name, 40));
    EXPECT(error == 0 && !strncmp(name, "/dev/pts/", 9));
    close_terminal(master, slave);
}

TORTURE(ttyname_r, KERNEL | STAYS)
{
    char *name = TEXT(40);
    int master, slave = terminal(&master), error;

    CALL(error = ttyname_r(slave, name, 40));
    EXPECT(error == 0 && !strncmp(name, "/dev/pts/", 9));
    close_terminal(master, slave);
}

TORTURE(forkpty, KERNEL | NATIVE)
{
    int *master = PLACE(int);
    char *name = TEXT(40);
    pid_t child;

    CALL(child = forkpty(master, name, NULL, NULL));
    if (child == 0)
        _exit(0);
    EXPECT(waitpid(child, NULL, 0) == child && !strncmp(name, "/dev/pts/", 9));
    close(*master);
}

TORTURE(cfmakeraw, 0)
{
    struct termios *to = PLACE(struct termios);

    CALL(cfmakeraw(to));
    EXPECT(to->c_cc[VMIN] == 1);
}

#define SETS_SPEED(function)                                                                       \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        struct termios *to = memset(PLACE(struct termios), 0, sizeof(*to));                        \
        int error;                                                                                 \
                                                                                                   \
        CALL(error = function(to, B9600));                                                         \
        EXPECT(error == 0 && cfgetospeed(to) == B9600);                                            \
    }

SETS_SPEED(cfsetispeed)
SETS_SPEED(cfsetospeed)
SETS_SPEED(cfsetspeed)
