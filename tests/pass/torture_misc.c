/* SPDX-License-Identifier: Apache-2.0 */
/* The libc torture: patterns, users, file lists, locales, asynchronous input, children's
 * attributes. */
#define _GNU_SOURCE
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <langinfo.h>
#include <link.h>
#include <locale.h>
#include <mntent.h>
#include <mqueue.h>
#include <pwd.h>
#include <regex.h>
#include <sched.h>
#include <shadow.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

#include "tests/pass/torture.h"

/* ---- patterns ---- */

TORTURE(regcomp, 0)
{
    regex_t *pattern = PLACE(regex_t);
    int error;

    CALL(error = regcomp(pattern, "\\(a[b-d]*\\)\\(x\\|y\\)\\{2,40\\}", REG_ICASE));
    EXPECT(error == 0 && pattern->re_nsub == 2);
    regfree(pattern);
}

TORTURE(regexec, 0)
{
    static const char *const patterns[2] = {"(a[b-d]*)(x|y)+", "\\(a\\)\\1"};
    regmatch_t *matches = PLACES(regmatch_t, 3);
    regex_t pattern;
    int error;

    EXPECT(!regcomp(&pattern, patterns[torture_turn() % 2], torture_turn() % 2 ? 0 : REG_EXTENDED));
    CALL(error = regexec(&pattern, "--abcdxyaa--", 3, matches, 0));
    EXPECT(error == 0 && matches[0].rm_so >= 2);
    regfree(&pattern);
}

TORTURE(regerror, 0)
{
    char *to = TEXT(60);

    CALL(regerror(REG_EPAREN, NULL, to, 60));
    EXPECT(!strcmp(to, "Missing ')'"));
}

TORTURE(regfree, QUIET)
{
    regex_t *pattern = PLACE(regex_t);

    regcomp(pattern, "a*", 0);
    CALL(regfree(pattern));
}

TORTURE(glob, KERNEL)
{
    glob_t *found = PLACE(glob_t);
    int error;

    CALL(error = glob("/*r", GLOB_MARK, NULL, found));
    EXPECT(error == 0 && found->gl_pathc > 0);
    globfree(found);
}

TORTURE(globfree, 0)
{
    glob_t *found = PLACE(glob_t);

    EXPECT(!glob("/*r", 0, NULL, found));
    CALL(globfree(found));
}

TORTURE(wordexp, KERNEL | NATIVE)
{
    wordexp_t *words = PLACE(wordexp_t);
    int error;

    CALL(error = wordexp("one \"two three\" $((2+2))", words, 0));
    EXPECT(error == 0 && words->we_wordc == 3 && !strcmp(words->we_wordv[2], "4"));
    wordfree(words);
}

TORTURE(wordfree, NATIVE)
{
    wordexp_t *words = PLACE(wordexp_t);

    EXPECT(!wordexp("one two", words, 0));
    CALL(wordfree(words));
}

static int *g_seen;

static int see(const char *path, const struct stat *status, int flag, struct FTW *position)
{
    (void)path;
    (void)status;
    (void)flag;
    (void)position;
    *g_seen += 1;
    return 0;
}

TORTURE(nftw, KERNEL)
{
    int error;

    g_seen = PLACE(int);
    *g_seen = 0;
    CALL(error = nftw(torture_path("."), see, 5, FTW_PHYS));
    EXPECT(error == 0 && *g_seen >= 1);
}

/* ---- users and groups ---- */

#define FINDS(function, type, key, field)                                                          \
    TORTURE(function, KERNEL)                                                                      \
    {                                                                                              \
        type *entry = PLACE(type), **result = PLACE(type *);                                       \
        char *buffer = TEXT(1000);                                                                 \
        int error;                                                                                 \
                                                                                                   \
        CALL(error = function(key, entry, buffer, 1000, result));                                  \
        EXPECT(error == 0 && *result == entry && !strcmp(entry->field, "root"));                   \
    }

FINDS(getpwnam_r, struct passwd, "root", pw_name)
FINDS(getpwuid_r, struct passwd, 0, pw_name)
FINDS(getgrnam_r, struct group, "root", gr_name)
FINDS(getgrgid_r, struct group, 0, gr_name)

TORTURE(getspnam_r, KERNEL)
{
    struct spwd *entry = PLACE(struct spwd), **result = PLACE(struct spwd *);
    char *buffer = TEXT(1000);

    CALL(getspnam_r("root", entry, buffer, 1000, result));
    EXPECT(!*result || *result == entry);
}

TORTURE(getgrouplist, KERNEL)
{
    gid_t *to = PLACES(gid_t, 20);
    int *count = PLACE(int);

    *count = 20;
    CALL(getgrouplist("root", 0, to, count));
    EXPECT(*count >= 1 && to[0] == 0);
}

/* Lines of such files, from and to a stream in the middle of its buffer. */
static FILE *lines(const char *text)
{
    FILE *file = fopen(torture_path("lines"), "w+");

    unlink(torture_path("lines"));
    EXPECT(file != NULL);
    fputc('\n', file);
    fputs(text, file);
    rewind(file);
    EXPECT(fgetc(file) == '\n');
    return file;
}

#define FROM_STREAM(function, type, text, field)                                                   \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        FILE *file = lines(text "\n");                                                             \
        type *entry;                                                                               \
                                                                                                   \
        CALL(entry = function(file));                                                              \
        EXPECT(entry && !strcmp(entry->field, "me"));                                              \
        fclose(file);                                                                              \
    }

FROM_STREAM(fgetpwent, struct passwd, "me:x:5:6:Me:/home/me:/bin/sh", pw_name)
FROM_STREAM(fgetgrent, struct group, "me:x:5:a,b,c", gr_name)
FROM_STREAM(fgetspent, struct spwd, "me:*:1:2:3:4:::", sp_namp)
FROM_STREAM(getmntent, struct mntent, "me /dir ext4 rw 0 0", mnt_fsname)

#define TO_STREAM(function, type, ...)                                                             \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        FILE *file = fopen("/dev/null", "r+");                                                     \
        type entry = {__VA_ARGS__};                                                                \
        int error;                                                                                 \
                                                                                                   \
        fputs("begun", file);                                                                      \
        CALL(error = function(&entry, file));                                                      \
        EXPECT(error == 0);                                                                        \
        fclose(file);                                                                              \
    }

#define CHARS(text)                                                                                \
    (char[])                                                                                       \
    {                                                                                              \
        text                                                                                       \
    }

TO_STREAM(putpwent, struct passwd, .pw_name = CHARS("me"), .pw_passwd = CHARS("x"),
          .pw_gecos = CHARS(""), .pw_dir = CHARS("/"), .pw_shell = CHARS("/"))
TO_STREAM(putgrent, struct group, .gr_name = CHARS("me"), .gr_passwd = CHARS("x"),
          .gr_mem = (char *[]){NULL})
TO_STREAM(putspent, struct spwd, .sp_namp = CHARS("me"), .sp_pwdp = CHARS("x"))

TORTURE(getmntent_r, 0)
{
    FILE *file = lines("me /dir ext4 rw 0 0\n");
    struct mntent *entry = PLACE(struct mntent);
    char *buffer = TEXT(300);

    CALL(getmntent_r(file, entry, buffer, 300));
    EXPECT(!strcmp(entry->mnt_dir, "/dir"));
    fclose(file);
}

TORTURE(addmntent, KERNEL)
{
    FILE *file = lines("");
    struct mntent entry = {CHARS("me"), CHARS("/dir"), CHARS("ext4"), CHARS("rw"), 0, 0};
    int error;

    CALL(error = addmntent(file, &entry));
    EXPECT(error == 0);
    CALL(endmntent(file));
}

TORTURE(endmntent, KERNEL)
{
    FILE *file = lines("");

    fputc('x', file);
    CALL(endmntent(file));
}

/* ---- locales, the program ---- */

TORTURE(newlocale, QUIET)
{
    locale_t locale;

    CALL(locale = newlocale(LC_ALL_MASK, "C.UTF-8", NULL));
    EXPECT(locale != NULL);
    freelocale(locale);
}

TORTURE(duplocale, QUIET)
{
    locale_t locale = newlocale(LC_ALL_MASK, "C", NULL), copy;

    CALL(copy = duplocale(locale));
    EXPECT(copy != NULL);
    freelocale(copy);
    freelocale(locale);
}

static int see_object(struct dl_phdr_info *info, size_t size, void *seen)
{
    (void)info;
    *(size_t *)seen = size;
    return 0;
}

TORTURE(dl_iterate_phdr, 0)
{
    size_t *seen = PLACE(size_t);

    CALL(dl_iterate_phdr(see_object, seen));
    EXPECT(*seen == sizeof(struct dl_phdr_info));
}

/* ---- asynchronous input and output: libc's threads make it ---- */

static struct aiocb *request(char *buffer, size_t size)
{
    struct aiocb *wanted = memset(PLACE(struct aiocb), 0, sizeof(*wanted));

    wanted->aio_fildes = open(torture_path("aio"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    unlink(torture_path("aio"));
    EXPECT(write(wanted->aio_fildes, "0123456789", 10) == 10);
    wanted->aio_buf = buffer;
    wanted->aio_nbytes = size;
    return wanted;
}

static ssize_t complete(struct aiocb *wanted)
{
    const struct aiocb *list[1] = {wanted};

    while (aio_error(wanted) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    return aio_return(wanted);
}

#define ASYNCHRONOUS(function, how, call, expected)                                                \
    TORTURE(function, how)                                                                         \
    {                                                                                              \
        char *buffer = TEXT(10);                                                                   \
        struct aiocb *wanted = request(buffer, 10);                                                \
        ssize_t done = -1;                                                                         \
                                                                                                   \
        CALL(if (!(call)) done = complete(wanted));                                                \
        EXPECT(done == (expected));                                                                \
        close(wanted->aio_fildes);                                                                 \
    }

ASYNCHRONOUS(aio_read, KERNEL, aio_read(wanted), 10)
ASYNCHRONOUS(aio_write, KERNEL, aio_write(wanted), 10)
ASYNCHRONOUS(aio_fsync, KERNEL | QUIET, aio_fsync(O_SYNC, wanted), 0)

TORTURE(aio_return, KERNEL | QUIET)
{
    struct aiocb *wanted = request(TEXT(10), 10);
    ssize_t done;

    EXPECT(!aio_read(wanted));
    while (aio_error(wanted) == EINPROGRESS)
        sched_yield();
    CALL(done = aio_return(wanted));
    EXPECT(done == 10);
    close(wanted->aio_fildes);
}

TORTURE(aio_cancel, KERNEL | QUIET)
{
    struct aiocb *wanted = request(TEXT(10), 10);
    int result;

    EXPECT(!aio_read(wanted));
    complete(wanted);
    CALL(result = aio_cancel(wanted->aio_fildes, wanted));
    EXPECT(result == AIO_ALLDONE);
    close(wanted->aio_fildes);
}

TORTURE(lio_listio, KERNEL)
{
    struct aiocb *wanted = request(TEXT(10), 10), *list[1] = {wanted};
    int error;

    wanted->aio_lio_opcode = LIO_READ;
    CALL(error = lio_listio(LIO_WAIT, list, 1, NULL));
    EXPECT(error == 0 && aio_return(wanted) == 10);
    close(wanted->aio_fildes);
}

/* ---- spawn.h ---- */

#define ATTRIBUTE_SET(function, ...)                                                               \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        posix_spawnattr_t *attr = PLACE(posix_spawnattr_t);                                        \
        int error;                                                                                 \
                                                                                                   \
        posix_spawnattr_init(attr);                                                                \
        CALL(error = function(attr, ##__VA_ARGS__));                                               \
        EXPECT(error == 0);                                                                        \
    }
#define ATTRIBUTE_GET(function, type, how, right)                                                  \
    TORTURE(function, how)                                                                         \
    {                                                                                              \
        posix_spawnattr_t attr;                                                                    \
        type *out = PLACE(type);                                                                   \
        int error;                                                                                 \
                                                                                                   \
        posix_spawnattr_init(&attr);                                                               \
        CALL(error = function(&attr, out));                                                        \
        EXPECT(right);                                                                             \
    }

static sigset_t g_all;

static const sigset_t *all_signals(void)
{
    sigfillset(&g_all);
    return &g_all;
}

TORTURE(posix_spawnattr_init, 0)
{
    posix_spawnattr_t *attr = PLACE(posix_spawnattr_t);

    CALL(posix_spawnattr_init(attr));
}

TORTURE(posix_spawnattr_destroy, QUIET)
{
    posix_spawnattr_t *attr = PLACE(posix_spawnattr_t);

    posix_spawnattr_init(attr);
    CALL(posix_spawnattr_destroy(attr));
}

ATTRIBUTE_SET(posix_spawnattr_setflags, POSIX_SPAWN_SETPGROUP)
ATTRIBUTE_SET(posix_spawnattr_setpgroup, 5)
ATTRIBUTE_SET(posix_spawnattr_setsigdefault, all_signals())
ATTRIBUTE_SET(posix_spawnattr_setsigmask, all_signals())
ATTRIBUTE_GET(posix_spawnattr_getflags, short, 0, error == 0 && *out == 0)
ATTRIBUTE_GET(posix_spawnattr_getpgroup, pid_t, 0, error == 0 && *out == 0)
ATTRIBUTE_GET(posix_spawnattr_getsigdefault, sigset_t, 0, error == 0)
ATTRIBUTE_GET(posix_spawnattr_getsigmask, sigset_t, 0, error == 0)
ATTRIBUTE_GET(posix_spawnattr_getschedparam, struct sched_param, QUIET, error == ENOSYS)
ATTRIBUTE_GET(posix_spawnattr_getschedpolicy, int, QUIET, error == ENOSYS)

#define FILE_ACTION(function, ...)                                                                 \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        posix_spawn_file_actions_t *actions = PLACE(posix_spawn_file_actions_t);                   \
        int error;                                                                                 \
                                                                                                   \
        posix_spawn_file_actions_init(actions);                                                    \
        CALL(error = function(actions, ##__VA_ARGS__));                                            \
        EXPECT(error == 0);                                                                        \
        CALL(error = function(actions, ##__VA_ARGS__));                                            \
        posix_spawn_file_actions_destroy(actions);                                                 \
    }

FILE_ACTION(posix_spawn_file_actions_addclose, 7)
FILE_ACTION(posix_spawn_file_actions_adddup2, 7, 8)
FILE_ACTION(posix_spawn_file_actions_addopen, 7, "/dev/null", O_RDONLY, 0)
FILE_ACTION(posix_spawn_file_actions_addchdir_np, "/")
FILE_ACTION(posix_spawn_file_actions_addfchdir_np, 7)

TORTURE(posix_spawn_file_actions_init, 0)
{
    posix_spawn_file_actions_t *actions = PLACE(posix_spawn_file_actions_t);

    CALL(posix_spawn_file_actions_init(actions));
}

TORTURE(posix_spawn_file_actions_destroy, QUIET)
{
    posix_spawn_file_actions_t *actions = PLACE(posix_spawn_file_actions_t);

    posix_spawn_file_actions_init(actions);
    CALL(posix_spawn_file_actions_destroy(actions));
}

static char *g_arguments[] = {CHARS("true"), NULL};

TORTURE(posix_spawn, KERNEL | NATIVE)
{
    pid_t *child = PLACE(pid_t);
    int error;

    CALL(error = posix_spawn(child, "/bin/true", NULL, NULL, g_arguments, environ));
    EXPECT(error == 0 && waitpid(*child, NULL, 0) == *child);
}

TORTURE(posix_spawnp, KERNEL | NATIVE)
{
    pid_t *child = PLACE(pid_t);
    int error;

    CALL(error = posix_spawnp(child, "true", NULL, NULL, g_arguments, environ));
    EXPECT(error == 0 && waitpid(*child, NULL, 0) == *child);
}

/* Both give ENOSYS in musl. */
TORTURE(posix_spawnattr_setschedparam, QUIET)
{
    posix_spawnattr_t attr;
    struct sched_param param = {0};
    int error;

    posix_spawnattr_init(&attr);
    CALL(error = posix_spawnattr_setschedparam(&attr, &param));
    EXPECT(error == ENOSYS);
}

TORTURE(posix_spawnattr_setschedpolicy, QUIET)
{
    posix_spawnattr_t attr;
    int error;

    posix_spawnattr_init(&attr);
    CALL(error = posix_spawnattr_setschedpolicy(&attr, 0));
    EXPECT(error == ENOSYS);
}

/* ---- message queues, which an enclave does not have ---- */

static mqd_t queue(void)
{
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 100};
    mqd_t made = mq_open("/torture", O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attr);

    EXPECT(made >= 0);
    mq_unlink("/torture");
    mq_send(made, "words", 5, 3);
    return made;
}

TORTURE(mq_open, KERNEL | NATIVE | QUIET)
{
    mqd_t made;

    CALL(made = queue());
    mq_close(made);
}

TORTURE(mq_getattr, KERNEL | NATIVE)
{
    struct mq_attr *attr = PLACE(struct mq_attr);
    mqd_t made = queue();

    CALL(mq_getattr(made, attr));
    EXPECT(attr->mq_curmsgs == 1);
    mq_close(made);
}

TORTURE(mq_setattr, KERNEL | NATIVE)
{
    struct mq_attr *old = PLACE(struct mq_attr), none = {0};
    mqd_t made = queue();

    CALL(mq_setattr(made, &none, old));
    EXPECT(old->mq_curmsgs == 1);
    mq_close(made);
}

#define RECEIVES(function, ...)                                                                    \
    TORTURE(function, KERNEL | NATIVE)                                                             \
    {                                                                                              \
        char *to = TEXT(100);                                                                      \
        unsigned *priority = PLACE(unsigned);                                                      \
        mqd_t made = queue();                                                                      \
                                                                                                   \
        CALL(function(made, to, 100, priority, ##__VA_ARGS__));                                    \
        EXPECT(!memcmp(to, "words", 5) && *priority == 3);                                         \
        mq_close(made);                                                                            \
    }

RECEIVES(mq_receive)
RECEIVES(mq_timedreceive, NULL)
