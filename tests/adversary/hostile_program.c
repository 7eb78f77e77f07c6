/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program that lying hosts run: in rounds it makes system calls of many kinds and believes no
 * answer that no kernel gives, and checks all its memory.  A line on standard output says that a
 * round is over.
 *
 * Errors it takes as they are.  Ends with 98 if an answer is impossible, 99 if memory is wrong.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGES = 256,
    WORDS = 512,
    WRONG_ANSWER = 98,
    WRONG_MEMORY = 99,
    FD_MAX = 1 << 20,
    ROUND_ns = 1000000,
};

static uint64_t g_memory[PAGES][WORDS] __attribute__((aligned(4096)));
static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_turn = PTHREAD_COND_INITIALIZER;
static uint64_t g_round;

static void answer(int possible)
{
    if (!possible)
        _exit(WRONG_ANSWER);
}

static void memory(int right)
{
    if (!right)
        _exit(WRONG_MEMORY);
}

static uint64_t value(uint64_t page, uint64_t word, uint64_t round)
{
    return (page * WORDS + word) * 0x9e3779b97f4a7c15u ^ round * 0xbf58476d1ce4e5b9u;
}

/* A page is written every fourth round. */
static void walk(uint64_t round)
{
    for (uint64_t page = 0; page < PAGES; page++) {
        uint64_t before = round - 1 - (round - 1 + page) % 4, now = round - (round + page) % 4;

        for (uint64_t word = 0; word < WORDS; word++) {
            memory(g_memory[page][word] ==
                   (round > 4 ? value(page, word, before) : g_memory[page][word]));
            if (now == round || round <= 4)
                g_memory[page][word] = value(page, word, now);
        }
    }
}

static int fd_of(long result)
{
    answer(result >= -1 && result < FD_MAX);
    return (int)result;
}

static void count(long result, long asked)
{
    answer(result >= -1 && result <= asked);
}

static void files(void)
{
    char buffer[64];
    struct stat status;
    int fd = fd_of(open("/proc/self/status", O_RDONLY)), copy;
    struct iovec parts[2] = {{buffer, 10}, {buffer + 10, 20}};

    if (fd < 0)
        return;
    count(read(fd, buffer, 60), 60);
    count(pread(fd, buffer, 50, 3), 50);
    count(readv(fd, parts, 2), 30);
    answer(fstat(fd, &status) >= -1);
    copy = fd_of(dup(fd));
    if (copy >= 0)
        close(copy);
    close(fd);
    count(readlink("/proc/self/exe", buffer, sizeof(buffer)), sizeof(buffer));
    answer(!getcwd(buffer, sizeof(buffer)) || memchr(buffer, 0, sizeof(buffer)));
    count(getrandom(buffer, 40, 0), 40);
}

static void pipes(void)
{
    int fds[2] = {-1, -1}, poller;
    char buffer[32] = "thirty-one bytes";
    struct pollfd wanted = {.events = POLLIN};
    struct epoll_event events[3] = {{.events = EPOLLIN}};

    answer(pipe2(fds, O_NONBLOCK) >= -1);
    if (fds[0] < 0 || fds[1] < 0)
        return;
    count(write(fds[1], buffer, 31), 31);
    wanted.fd = fds[0];
    count(poll(&wanted, 1, 0), 1);
    poller = fd_of(epoll_create1(0));
    if (poller >= 0) {
        (void)epoll_ctl(poller, EPOLL_CTL_ADD, fds[0], &events[0]);
        count(epoll_wait(poller, events, 3, 0), 3);
        close(poller);
    }
    count(read(fds[0], buffer, sizeof(buffer)), sizeof(buffer));
    close(fds[0]);
    close(fds[1]);
}

static void sockets(void)
{
    int fds[2] = {-1, -1}, kind = 0;
    char buffer[24] = "words", control[64];
    socklen_t size = sizeof(kind);
    struct iovec part = {buffer, sizeof(buffer)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};

    answer(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) >= -1);
    if (fds[0] < 0 || fds[1] < 0)
        return;
    count(send(fds[0], buffer, 20, 0), 20);
    count(recv(fds[1], buffer, 10, 0), 10);
    count(recvmsg(fds[1], &message, 0), sizeof(buffer));
    answer(message.msg_controllen <= sizeof(control));
    (void)getsockopt(fds[0], SOL_SOCKET, SO_TYPE, &kind, &size);
    close(fds[0]);
    close(fds[1]);
}

static void mappings(void)
{
    uint64_t *words =
        mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (words == MAP_FAILED)
        return;
    for (int i = 0; i < 8 * WORDS; i += 64) {
        memory(words[i] == 0);
        words[i] = 1;
    }
    (void)munmap(words, 8 * 4096);
}

static void times(void)
{
    const struct timespec pause = {0, ROUND_ns};
    cpu_set_t set;
    long size = sched_getaffinity(0, sizeof(set), &set);
    sigset_t mask;

    count(size, sizeof(set));
    sigemptyset(&mask);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &mask);
    (void)nanosleep(&pause, NULL);
}

/* The other thread takes turns with this one. */
static void *partner(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&g_lock);
    for (;;) {
        while (g_round % 2 == 0)
            pthread_cond_wait(&g_turn, &g_lock);
        files();
        g_round++;
        pthread_cond_signal(&g_turn);
    }
    return NULL;
}

int main(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, partner, NULL))
        return 1;
    for (uint64_t round = 1;; round++) {
        walk(round);
        files();
        pipes();
        sockets();
        mappings();
        times();
        pthread_mutex_lock(&g_lock);
        g_round++;
        pthread_cond_signal(&g_turn);
        while (g_round % 2 == 1)
            pthread_cond_wait(&g_turn, &g_lock);
        pthread_mutex_unlock(&g_lock);
        if (write(STDOUT_FILENO, "round\n", 6) != 6)
            return 1;
    }
}
