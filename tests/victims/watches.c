/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inotify: events that wait unread are read after the move, in order, and new ones come behind
 * them.  At each check half of those that wait are read, one by one or many at a time, and more are
 * made, so that some of them have waited over several moves.  Another thread waits in read() for an
 * event that comes after the move only.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/victim.h"

enum { BATCH = 40, NAME_bytes = 16, EVENT_bytes = sizeof(struct inotify_event) + NAME_bytes };

static int g_watcher, g_watch, g_epoll;
static int g_made, g_read; /* files, which have the names 0, 1, ... */

static int g_blocking;
static _Atomic int g_blocking_got;

static void make_file(const char *directory, int number)
{
    char name[256];

    snprintf(name, sizeof name, "%s/%d", directory, number);
    if (mknod(name, S_IFREG | 0600, 0) || unlink(name))
        victim_abort("%s: %s", name, strerror(errno));
}

static void make_more(int count)
{
    char directory[200];

    snprintf(directory, sizeof directory, "%s", victim_path("watched"));
    for (int i = 0; i < count; i++)
        make_file(directory, g_made++);
}

static void check_event(const struct inotify_event *event)
{
    char name[NAME_bytes];

    snprintf(name, sizeof name, "%d", g_read++);
    VICTIM_CHECK_THAT(event->wd == g_watch && event->mask == IN_CREATE &&
                          event->len == NAME_bytes && strcmp(event->name, name) == 0,
                      "event %s: watch %d, mask %x, name %s", name, event->wd, event->mask,
                      event->len ? event->name : "none");
}

/* At most `count` of those that wait, `together` at a time. */
static void read_some(int count, int together)
{
    char buffer[8 * EVENT_bytes] __attribute__((aligned(8)));

    while (count > 0) {
        int now = together < count ? together : count;
        ssize_t got = read(g_watcher, buffer, (size_t)now * EVENT_bytes);

        if (got <= 0) {
            victim_fail("event %d of %d cannot be read: %s", g_read, g_made, strerror(errno));
            return;
        }
        VICTIM_CHECK_THAT(got == now * EVENT_bytes, "%zd bytes instead of %d events", got, now);
        for (char *at = buffer; at < buffer + got; at += EVENT_bytes)
            check_event((struct inotify_event *)at);
        count -= now;
    }
}

static void check_readiness(bool expected)
{
    struct pollfd poll_entry = {.fd = g_watcher, .events = POLLIN};
    struct epoll_event event;
    int unread = -1;

    VICTIM_CHECK_THAT(poll(&poll_entry, 1, 0) == expected, "poll does not say %d", expected);
    VICTIM_CHECK_THAT(epoll_wait(g_epoll, &event, 1, 0) == expected, "epoll does not say %d",
                      expected);
    VICTIM_CHECK_THAT(ioctl(g_watcher, FIONREAD, &unread) == 0 &&
                          unread == (g_made - g_read) * EVENT_bytes,
                      "%d bytes wait, not %d events", unread, g_made - g_read);
}

static void *wait_for_one(void *unused)
{
    char buffer[EVENT_bytes] __attribute__((aligned(8)));

    for (;;) {
        ssize_t got = read(g_blocking, buffer, sizeof buffer);
        if (got != EVENT_bytes)
            victim_fail("a waiting read gave %zd (%s)", got, strerror(errno));
        atomic_fetch_add(&g_blocking_got, 1);
    }
    return unused;
}

static void check_blocking(void)
{
    int before = atomic_load(&g_blocking_got);

    make_file(victim_path("other"), before);
    for (int ms = 0; ms < 5000 && atomic_load(&g_blocking_got) == before; ms++)
        victim_sleep_ms(1);
    VICTIM_CHECK_THAT(atomic_load(&g_blocking_got) == before + 1,
                      "who waits in read was not told of an event");
}

static void check(void)
{
    char small[sizeof(struct inotify_event)];

    check_readiness(true);
    VICTIM_CHECK_THAT(read(g_watcher, small, sizeof small) == -1 && errno == EINVAL,
                      "an event was read into too small a buffer");
    read_some((g_made - g_read) / 4, 1);
    check_readiness(true);
    read_some((g_made - g_read) / 4, 7);
    make_more(BATCH);
    check_readiness(true);
    check_blocking();
    victim_value("events", "%d", g_read);
}

static int make_watcher(const char *leaf, int flags, int *out_watch)
{
    int fd = inotify_init1(flags);

    if (mkdir(victim_path(leaf), 0700) && errno != EEXIST)
        victim_abort("%s: %s", leaf, strerror(errno));
    *out_watch = inotify_add_watch(fd, victim_path(leaf), IN_CREATE);
    if (fd < 0 || *out_watch < 0)
        victim_abort("no watch: %s", strerror(errno));
    return fd;
}

int main(int argc, char **argv)
{
    struct epoll_event event = {.events = EPOLLIN};
    pthread_t thread;
    int other;

    victim_begin(argc, argv);
    g_watcher = make_watcher("watched", IN_NONBLOCK, &g_watch);
    g_blocking = make_watcher("other", 0, &other);
    g_epoll = epoll_create1(0);
    if (epoll_ctl(g_epoll, EPOLL_CTL_ADD, g_watcher, &event) ||
        pthread_create(&thread, NULL, wait_for_one, NULL))
        victim_abort("no epoll set or thread: %s", strerror(errno));
    make_more(BATCH);
    victim_ready();
    while (victim_wait()) {
        check();
        victim_answer();
    }
    check();
    read_some(g_made - g_read, 8);
    check_readiness(false);
    return victim_finish();
}
