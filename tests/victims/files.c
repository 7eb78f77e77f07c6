/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors and what is behind them, set up once and looked at after every move: offsets, shared
 * offsets, flags, close-on-exec, append, directories half read, pipes and socket pairs with bytes
 * in flight, counters, timers, epoll sets with every kind of interest, listeners, devices.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/victim.h"

enum { ENTRIES = 200, CHUNK = 100, HIGH_FD = 300 };

static unsigned g_round; /* checks so far */

#define MUST(expression)                                                                           \
    do {                                                                                           \
        if ((expression) < 0)                                                                      \
            victim_abort("%s: %s", #expression, strerror(errno));                                  \
    } while (0)

static void chunk(unsigned index, char out[CHUNK])
{
    for (unsigned i = 0; i < CHUNK; i++)
        out[i] = (char)('a' + victim_mix(index * CHUNK + i) % 26);
}

static bool chunk_is(unsigned index, const char *bytes)
{
    char expected[CHUNK];
    chunk(index, expected);
    return !memcmp(expected, bytes, CHUNK);
}

/* ---- regular files ---- */

static int g_plain, g_twin, g_append, g_high, g_readonly;

static void make_files(void)
{
    char bytes[CHUNK];
    MUST(g_plain = open(victim_path("files.plain"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
    for (unsigned i = 0; i < ENTRIES; i++) {
        chunk(i, bytes);
        MUST(write(g_plain, bytes, CHUNK));
    }
    MUST(lseek(g_plain, 0, SEEK_SET));
    MUST(g_twin = dup(g_plain));
    MUST(g_append =
             open(victim_path("files.append"), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0640));
    MUST(g_readonly = open(victim_path("files.constant"), O_WRONLY | O_CREAT | O_TRUNC, 0640));
    for (unsigned i = 0; i < ENTRIES; i++) {
        chunk(i, bytes);
        MUST(write(g_readonly, bytes, CHUNK));
    }
    MUST(close(g_readonly));
    MUST(g_readonly = open(victim_path("files.constant"), O_RDONLY));
    MUST(lseek(g_readonly, 7 * CHUNK, SEEK_SET));
    MUST(g_high = dup2(g_append, HIGH_FD));
}

static void check_files(void)
{
    char bytes[CHUNK];
    unsigned at = g_round * 2 % ENTRIES;
    if (at == 0)
        lseek(g_plain, 0, SEEK_SET);
    VICTIM_CHECK_THAT(read(g_plain, bytes, CHUNK) == CHUNK && chunk_is(at, bytes),
                      "a file's offset is wrong");
    VICTIM_CHECK_THAT(read(g_twin, bytes, CHUNK) == CHUNK && chunk_is(at + 1, bytes),
                      "a dup'ed descriptor no longer shares its offset");
    VICTIM_CHECK_THAT(lseek(g_plain, 0, SEEK_CUR) == (off_t)(at + 2) * CHUNK, "offsets differ");
    VICTIM_CHECK_THAT(lseek(g_readonly, 0, SEEK_CUR) == 7 * CHUNK,
                      "the second file's offset moved");
    VICTIM_CHECK_THAT(write(g_readonly, "x", 1) == -1 && errno == EBADF, "a read-only file is not");
    VICTIM_CHECK_THAT(fcntl(g_plain, F_GETFD) == FD_CLOEXEC, "close-on-exec is lost");
    VICTIM_CHECK_THAT(fcntl(g_twin, F_GETFD) == 0, "close-on-exec was added");
    VICTIM_CHECK_THAT(fcntl(g_append, F_GETFL) & O_APPEND, "O_APPEND is lost");
    struct stat first, second;
    VICTIM_CHECK_THAT(!fstat(g_high, &first) && !fstat(g_append, &second) &&
                          first.st_ino == second.st_ino,
                      "descriptor %d is another file", HIGH_FD);
    VICTIM_CHECK_THAT(write(g_round % 2 ? g_high : g_append, "entry\n", 6) == 6, "append: %s",
                      strerror(errno));
    fstat(g_append, &first);
    VICTIM_CHECK_THAT(first.st_size == 6 * (off_t)(g_round + 1), "appended file has %ld bytes",
                      (long)first.st_size);
    int next = open("/dev/null", O_RDONLY);
    VICTIM_CHECK_THAT(next > 2 && next < HIGH_FD, "the lowest free descriptor is %d", next);
    close(next);
}

/* ---- a directory, half read ---- */

static DIR *g_directory;
static unsigned g_entries_seen;

static void make_directory(void)
{
    char path[4200];
    snprintf(path, sizeof path, "%s", victim_path("files.d"));
    if (mkdir(path, 0755) && errno != EEXIST)
        victim_abort("%s: %s", path, strerror(errno));
    for (unsigned i = 0; i < ENTRIES; i++) {
        snprintf(path, sizeof path, "%s/entry-with-a-long-name-%04u", victim_path("files.d"), i);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        MUST(fd);
        close(fd);
    }
    g_directory = opendir(victim_path("files.d"));
    if (!g_directory)
        victim_abort("opendir: %s", strerror(errno));
    for (g_entries_seen = 0; g_entries_seen < 5; g_entries_seen++) {
        if (!readdir(g_directory))
            victim_abort("readdir");
    }
}

/* Through libc, which holds a buffer; and a fresh read of the whole through the same descriptor. */
static void check_directory(void)
{
    errno = 0;
    while (readdir(g_directory))
        g_entries_seen++;
    VICTIM_CHECK_THAT(g_entries_seen == ENTRIES + 2, "the directory gave %u entries (%s)",
                      g_entries_seen, strerror(errno));
    rewinddir(g_directory);
    for (g_entries_seen = 0; g_entries_seen < 5; g_entries_seen++)
        VICTIM_CHECK_THAT(readdir(g_directory),
                          "the directory gave %u entries after rewinddir (%s)", g_entries_seen,
                          strerror(errno));
}

/* ---- pipes, socket pairs, counters ---- */

static int g_pipe[2], g_nonblocking[2], g_pair[2], g_packets[2], g_counter, g_semaphore, g_timer;

static void fill_in_flight(void)
{
    char bytes[CHUNK];
    for (unsigned i = 0; i < 20; i++) {
        chunk(g_round + i, bytes);
        MUST(write(g_pipe[1], bytes, CHUNK));
        MUST(write(g_pair[0], bytes, CHUNK));
        MUST(write(g_pair[1], bytes, CHUNK));
    }
    MUST(write(g_packets[0], "waits", 5));
    MUST(send(g_packets[0], "", 0, 0));
    MUST(write(g_packets[0], bytes, CHUNK));
}

static void check_in_flight(void)
{
    char bytes[CHUNK];
    for (unsigned i = 0; i < 20; i++) {
        VICTIM_CHECK_THAT(read(g_pipe[0], bytes, CHUNK) == CHUNK && chunk_is(g_round + i, bytes),
                          "bytes in a pipe are lost or changed");
        for (int end = 0; end < 2; end++)
            VICTIM_CHECK_THAT(recv(g_pair[end], bytes, CHUNK, MSG_WAITALL | MSG_DONTWAIT) ==
                                      CHUNK &&
                                  chunk_is(g_round + i, bytes),
                              "bytes in a socket pair are lost or changed");
    }
    VICTIM_CHECK_THAT(recv(g_packets[1], bytes, CHUNK, MSG_DONTWAIT) == 5 &&
                          !memcmp(bytes, "waits", 5),
                      "a datagram that waited is wrong");
    VICTIM_CHECK_THAT(recv(g_packets[1], bytes, CHUNK, MSG_DONTWAIT) == 0,
                      "an empty datagram that waited is wrong");
    VICTIM_CHECK_THAT(recv(g_packets[1], bytes, CHUNK, MSG_DONTWAIT) == CHUNK &&
                          chunk_is(g_round + 19, bytes),
                      "the last datagram that waited is wrong");
    VICTIM_CHECK_THAT(write(g_packets[0], "one", 3) == 3 && write(g_packets[0], "second", 6) == 6,
                      "a pair for datagrams: %s", strerror(errno));
    VICTIM_CHECK_THAT(recv(g_packets[1], bytes, CHUNK, MSG_DONTWAIT) == 3 &&
                          !memcmp(bytes, "one", 3),
                      "the first datagram is wrong");
    VICTIM_CHECK_THAT(recv(g_packets[1], bytes, CHUNK, MSG_DONTWAIT) == 6 &&
                          !memcmp(bytes, "second", 6),
                      "datagrams have run together");
    VICTIM_CHECK_THAT(read(g_nonblocking[0], bytes, 1) == -1 && errno == EAGAIN,
                      "O_NONBLOCK of a pipe is lost");
    VICTIM_CHECK_THAT(fcntl(g_pipe[1], F_GETPIPE_SZ) == 131072, "a pipe's size is lost");
}

static void make_pipes(void)
{
    MUST(pipe(g_pipe));
    MUST(fcntl(g_pipe[1], F_SETPIPE_SZ, 131072));
    MUST(pipe2(g_nonblocking, O_NONBLOCK | O_CLOEXEC));
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, g_pair));
    MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, g_packets));
    MUST(g_counter = eventfd(1000, EFD_NONBLOCK | EFD_CLOEXEC));
    MUST(g_semaphore = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK));
    MUST(g_timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    struct itimerspec far = {{50, 0}, {1000, 0}};
    MUST(timerfd_settime(g_timer, 0, &far, NULL));
    fill_in_flight();
}

static void check_counters(void)
{
    uint64_t count = 0;
    VICTIM_CHECK_THAT(read(g_counter, &count, 8) == 8 && count == 1000, "an eventfd held %lu",
                      count);
    VICTIM_CHECK_THAT(read(g_counter, &count, 8) == -1 && errno == EAGAIN,
                      "an eventfd is no longer non-blocking");
    count = 1000;
    VICTIM_CHECK_THAT(write(g_counter, &count, 8) == 8, "eventfd: %s", strerror(errno));
    for (int i = 0; i < 3; i++)
        VICTIM_CHECK_THAT(read(g_semaphore, &count, 8) == 8 && count == 1, "eventfd semaphore: %lu",
                          count);
    VICTIM_CHECK_THAT(read(g_semaphore, &count, 8) == -1, "the semaphore holds too much");
    count = 3;
    VICTIM_CHECK_THAT(write(g_semaphore, &count, 8) == 8, "semaphore: %s", strerror(errno));
    struct itimerspec left;
    VICTIM_CHECK_THAT(!timerfd_gettime(g_timer, &left) && left.it_interval.tv_sec == 50 &&
                          left.it_value.tv_sec > 800 && left.it_value.tv_sec < 1000,
                      "timerfd: %ld s left, every %ld", left.it_value.tv_sec,
                      left.it_interval.tv_sec);
}

/* ---- epoll: level, edge, one-shot fired, one-shot armed, output, removed ---- */

static int g_epoll, g_watched[5][2];
static const uint32_t g_interest[5] = {EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT,
                                       EPOLLIN | EPOLLONESHOT, EPOLLIN};

static void make_epoll(void)
{
    MUST(g_epoll = epoll_create1(EPOLL_CLOEXEC));
    for (uint64_t i = 0; i < 5; i++) {
        MUST(pipe2(g_watched[i], O_NONBLOCK));
        struct epoll_event e = {.events = g_interest[i], .data.u64 = 0xabcdef00000000 + i};
        MUST(epoll_ctl(g_epoll, EPOLL_CTL_ADD, g_watched[i][0], &e));
    }
    struct epoll_event fired[8];
    MUST(write(g_watched[2][1], "x", 1)); /* the one-shot fires, and is not armed again */
    if (epoll_wait(g_epoll, fired, 8, 0) != 1 || fired[0].data.u64 != 0xabcdef00000002)
        victim_abort("epoll set-up");
    MUST(epoll_ctl(g_epoll, EPOLL_CTL_DEL, g_watched[4][0], NULL));
}

static unsigned ready_set(void)
{
    struct epoll_event fired[8];
    unsigned set = 0;
    int n = epoll_wait(g_epoll, fired, 8, 0);
    VICTIM_CHECK_THAT(n >= 0, "epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        uint64_t index = fired[i].data.u64 - 0xabcdef00000000;
        VICTIM_CHECK_THAT(index < 5, "epoll gave data %#lx", fired[i].data.u64);
        VICTIM_CHECK_THAT(fired[i].events == EPOLLIN, "epoll gave events %#x", fired[i].events);
        set |= 1u << (index & 31);
    }
    return set;
}

static void check_epoll(void)
{
    char byte;
    unsigned set = ready_set();
    VICTIM_CHECK_THAT(set == 0, "epoll: set %#x is ready before anything was written", set);
    for (int i = 0; i < 5; i++)
        VICTIM_CHECK_THAT(write(g_watched[i][1], "y", 1) == 1, "pipe: %s", strerror(errno));
    set = ready_set();
    VICTIM_CHECK_THAT(set == 0xb, "epoll: set %#x is ready, expected 0xb", set);
    set = ready_set();
    VICTIM_CHECK_THAT(set == 1, "epoll: set %#x is ready again, expected only the level one", set);
    for (int i = 0; i < 5; i++) {
        while (read(g_watched[i][0], &byte, 1) == 1 && i != 2)
            ;
    }
    struct epoll_event e = {.events = g_interest[3], .data.u64 = 0xabcdef00000003};
    VICTIM_CHECK_THAT(!epoll_ctl(g_epoll, EPOLL_CTL_MOD, g_watched[3][0], &e), "epoll_ctl: %s",
                      strerror(errno));
    e.data.u64++;
    VICTIM_CHECK_THAT(epoll_ctl(g_epoll, EPOLL_CTL_ADD, g_watched[4][0], &e) == 0 &&
                          epoll_ctl(g_epoll, EPOLL_CTL_DEL, g_watched[4][0], NULL) == 0,
                      "a removed descriptor was still watched");
}

/* ---- listeners and devices ---- */

static int g_tcp, g_unix, g_null, g_random;
static struct sockaddr_in g_tcp_address;
static struct sockaddr_un g_unix_address;

static void make_listeners(void)
{
    int one = 1;
    MUST(g_tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    MUST(setsockopt(g_tcp, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
    g_tcp_address.sin_family = AF_INET;
    g_tcp_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUST(bind(g_tcp, (struct sockaddr *)&g_tcp_address, sizeof g_tcp_address));
    socklen_t length = sizeof g_tcp_address;
    MUST(getsockname(g_tcp, (struct sockaddr *)&g_tcp_address, &length));
    MUST(listen(g_tcp, 16));
    g_unix_address.sun_family = AF_UNIX;
    snprintf(g_unix_address.sun_path, sizeof g_unix_address.sun_path, "%.90s",
             victim_path("files.sock"));
    unlink(g_unix_address.sun_path);
    MUST(g_unix = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    MUST(bind(g_unix, (struct sockaddr *)&g_unix_address, sizeof g_unix_address));
    MUST(listen(g_unix, 16));
    MUST(g_null = open("/dev/null", O_RDWR));
    MUST(g_random = open("/dev/urandom", O_RDONLY));
}

static void check_listener(const char *name, int listener, const void *address, socklen_t length)
{
    char bytes[4] = "";
    int client = socket(((const struct sockaddr *)address)->sa_family, SOCK_STREAM, 0);
    VICTIM_CHECK_THAT(!connect(client, address, length), "connect to my %s listener: %s", name,
                      strerror(errno));
    struct pollfd p = {listener, POLLIN, 0};
    VICTIM_CHECK_THAT(poll(&p, 1, 2000) == 1, "the %s listener gets no connection", name);
    int server = accept4(listener, NULL, NULL, 0);
    VICTIM_CHECK_THAT(server >= 0, "accept on %s: %s", name, strerror(errno));
    VICTIM_CHECK_THAT(send(client, "hey", 3, MSG_NOSIGNAL) == 3 &&
                          recv(server, bytes, 3, MSG_WAITALL) == 3 && !strcmp(bytes, "hey"),
                      "a %s connection does not carry", name);
    close(server);
    close(client);
    VICTIM_CHECK_THAT(accept(listener, NULL, NULL) == -1 && errno == EAGAIN,
                      "O_NONBLOCK of the %s listener is lost", name);
}

static void check_devices(void)
{
    char bytes[16];
    VICTIM_CHECK_THAT(read(g_null, bytes, 1) == 0 && write(g_null, "x", 1) == 1, "/dev/null: %s",
                      strerror(errno));
    VICTIM_CHECK_THAT(read(g_random, bytes, 16) == 16, "/dev/urandom: %s", strerror(errno));
    VICTIM_CHECK_THAT(write(2, "", 0) == 0, "standard error: %s", strerror(errno));
}

static void check(void)
{
    check_files();
    check_directory();
    check_in_flight();
    check_counters();
    check_epoll();
    check_listener("tcp", g_tcp, &g_tcp_address, sizeof g_tcp_address);
    check_listener("unix", g_unix, &g_unix_address, sizeof g_unix_address);
    check_devices();
    g_round++;
    fill_in_flight();
    victim_value("round", "%u", g_round);
}

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    make_files();
    make_directory();
    make_pipes();
    make_epoll();
    make_listeners();
    victim_ready();
    while (victim_wait()) {
        check();
        victim_answer();
    }
    check();
    return victim_finish();
}
