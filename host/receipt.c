/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the receipts that the enclave gives out (enclave/receipt.c): one file each, whole or not at
 * all, for the owner's eyes, the newest RECEIPTS_KEPT_MAX of this daemon.  Host processes of
 * several moves may do this at one time: each has a session of its own, and removing what another
 * one has removed does no harm.
 */
#include "host/receipt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/protocol.h"

enum { SESSION_digits = 16 };

static const char *g_dir;

void receipt_keep_in(const char *dir)
{
    g_dir = dir;
}

static long write_whole(int dir, const char *name, const uint8_t *bytes, size_t length)
{
    char aside[SESSION_digits + 8];
    int fd;
    bool good;

    snprintf(aside, sizeof(aside), "%s.new", name);
    fd = openat(dir, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    good = write(fd, bytes, length) == (ssize_t)length && fsync(fd) == 0;
    good = close(fd) == 0 && good && renameat(dir, aside, dir, name) == 0;
    if (!good)
        unlinkat(dir, aside, 0);
    return good ? 0 : -EIO;
}

static bool is_older(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* Removes the oldest one if there are more than may be kept.  False: there are not. */
static bool prune_one(int dir)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = copy < 0 ? NULL : fdopendir(copy);
    char oldest[SESSION_digits + 1] = "";
    struct timespec when = {0};
    struct stat status;
    struct dirent *entry;
    unsigned count = 0;

    if (!list) {
        if (copy >= 0)
            close(copy);
        return false;
    }
    while ((entry = readdir(list)) != NULL) {
        if (strspn(entry->d_name, "0123456789abcdef") != SESSION_digits ||
            entry->d_name[SESSION_digits] || fstatat(dir, entry->d_name, &status, 0))
            continue;
        if (!count++ || is_older(&status.st_mtim, &when)) {
            memcpy(oldest, entry->d_name, sizeof(oldest));
            when = status.st_mtim;
        }
    }
    closedir(list);
    return count > RECEIPTS_KEPT_MAX && unlinkat(dir, oldest, 0) == 0;
}

long host_receipt(const uint8_t *bytes, size_t length)
{
    struct receipt_file file;
    char name[SESSION_digits + 1];
    int dir = g_dir ? open(g_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    long error;

    if (!g_dir)
        return -ENOENT;
    if (dir < 0)
        return -errno;
    if (decode_receipt_file(bytes, length, &file)) {
        close(dir);
        return -EINVAL;
    }
    snprintf(name, sizeof(name), "%016" PRIx64, file.receipt.source.session);
    error = write_whole(dir, name, bytes, length);
    while (!error && prune_one(dir))
        ;
    close(dir);
    return error;
}
