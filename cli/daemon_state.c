/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state directory of optmigd: made, checked, locked, and with what belongs into it.  What a
 * start makes is noted, so that one that fails takes it back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/daemon.h"
#include "cli/locate.h"

enum { KEY_bytes = 32 };

/* ---- What this start has made ---- */

struct made {
    struct made *next; /* the one made before */
    char path[];
};

static struct made *g_made;
static int g_locked_fd = -1; /* the pid file, once it is ours */

static void note_made(const char *path)
{
    size_t size = strlen(path) + 1;
    struct made *made = malloc(sizeof(*made) + size);

    if (!made)
        abort();
    memcpy(made->path, path, size);
    made->next = g_made;
    g_made = made;
}

static void forget_made(bool remove_it)
{
    while (g_made) {
        struct made *made = g_made;

        g_made = made->next;
        if (remove_it)
            remove(made->path); /* A directory into which somebody else has put something stays. */
        free(made);
    }
}

void state_undo(void)
{
    /* A pid file of an earlier daemon stays, and is left as that one has left it: empty. */
    if (g_locked_fd >= 0 && ftruncate(g_locked_fd, 0))
        fprintf(stderr, "optmigd: the pid file: %s\n", strerror(errno));
    forget_made(true);
}

void state_keep(void)
{
    forget_made(false);
}

/* ---- Parts ---- */

static void make_dir(const char *dir, const char *path, mode_t mode)
{
    if (mkdir(path, mode) == 0)
        note_made(path);
    else if (errno != EEXIST)
        daemon_die("--state %s: %s cannot be made: %s; choose a directory that this user can make "
                   "and write, as in --state /tmp/optmig",
                   dir, path, strerror(errno));
}

/* Makes the directory and its parents.  One that exists must be ours alone to write.  Its absolute
 * path, since host processes and clients work elsewhere. */
static const char *make_state_dir(const char *dir)
{
    static char absolute[PATH_MAX];
    char path[PATH_MAX];
    struct stat status;

    if (!*dir)
        daemon_die("--state: the name of a directory is missing, as in --state /tmp/optmig");
    if (strlen(dir) >= sizeof(path) - 32)
        daemon_die("--state %s: too long", dir);
    for (const char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(path, sizeof(path), "%.*s", (int)(slash - dir), dir);
        make_dir(dir, path, 0755);
    }
    make_dir(dir, dir, 0700);
    if (stat(dir, &status))
        daemon_die("--state %s: %s", dir, strerror(errno));
    if (!S_ISDIR(status.st_mode))
        daemon_die("--state %s: not a directory; choose another", dir);
    if (status.st_uid != geteuid() || status.st_mode & 022)
        daemon_die("--state %s: others may write there; it must be this user's own (chmod 700), "
                   "or choose another",
                   dir);
    if (!realpath(dir, absolute))
        daemon_die("--state %s: %s", dir, strerror(errno));
    return absolute;
}

/* Paths below it are told in JSON, and one of them is the address of a socket. */
static void check_state_name(const char *dir)
{
    struct sockaddr_un address;
    json_t *text = json_string(dir);

    if (!text)
        daemon_die("--state %s: the path must be UTF-8", dir);
    json_decref(text);
    if (!locate_control_socket(dir, &address))
        daemon_die("--state %s: too long for the path of a socket (at most %zu bytes)", dir,
                   sizeof(address.sun_path) - sizeof("/control.sock"));
}

static int open_pid_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        note_made(path);
    else if (errno == EEXIST)
        fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        daemon_die("%s: %s; is the directory of --state writable?", path, strerror(errno));
    return fd;
}

static void lock_state(struct daemon *daemon)
{
    char path[PATH_MAX], pid[16] = "";
    struct stat status;
    int length;

    snprintf(path, sizeof(path), "%s/pid", daemon->options.state);
    daemon->lock_fd = open_pid_file(path);
    if (flock(daemon->lock_fd, LOCK_EX | LOCK_NB)) {
        if (read(daemon->lock_fd, pid, sizeof(pid) - 1) < 0)
            pid[0] = 0;
        pid[strcspn(pid, "\n")] = 0;
        state_keep(); /* The other one has locked what we have just made. */
        daemon_die("another optmigd (pid %s) runs on %s; each needs a --state of its own",
                   pid[0] ? pid : "unknown", daemon->options.state);
    }
    /* One whose start failed may have taken the file away before we had the lock. */
    if (fstat(daemon->lock_fd, &status) || !status.st_nlink)
        daemon_die("--state %s: another optmigd was starting there; try again",
                   daemon->options.state);
    g_locked_fd = daemon->lock_fd;
    length = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    if (ftruncate(daemon->lock_fd, 0) || write(daemon->lock_fd, pid, (size_t)length) != length)
        daemon_die("%s: %s", path, strerror(errno));
}

/* The host's secret of platform sim, made once.  Written aside first, so that there is never half a
 * key. */
static void make_key(struct daemon *daemon)
{
    char aside[PATH_MAX + 8];
    uint8_t key[KEY_bytes];
    struct stat status;
    int fd;

    snprintf(daemon->key_path, sizeof(daemon->key_path), "%s/sim.key", daemon->options.state);
    if (stat(daemon->key_path, &status) == 0) {
        if (status.st_size != KEY_bytes || status.st_mode & 077)
            daemon_die(
                "%s: not a key of 32 bytes that only its owner can read; remove it for a new one",
                daemon->key_path);
        return;
    }
    snprintf(aside, sizeof(aside), "%s.new", daemon->key_path);
    unlink(aside);
    fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || getrandom(key, sizeof(key), 0) != KEY_bytes ||
        write(fd, key, sizeof(key)) != KEY_bytes || fsync(fd) || close(fd) ||
        rename(aside, daemon->key_path))
        daemon_die("%s: %s", daemon->key_path, strerror(errno));
    note_made(daemon->key_path);
    explicit_bzero(key, sizeof(key));
}

static void make_dirs(struct daemon *daemon)
{
    const char *state = daemon->options.state;

    snprintf(daemon->log_dir, sizeof(daemon->log_dir), "%s/logs", state);
    make_dir(state, daemon->log_dir, 0700);
    snprintf(daemon->receipt_dir, sizeof(daemon->receipt_dir), "%s/receipts", state);
    make_dir(state, daemon->receipt_dir, 0700);
}

void state_open(struct daemon *daemon)
{
    daemon->options.state = make_state_dir(daemon->options.state);
    check_state_name(daemon->options.state);
    lock_state(daemon);
    make_key(daemon);
    make_dirs(daemon);
}
