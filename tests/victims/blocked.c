/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread blocked in each blocking call.  At the end each is released in turn, from the same
 * process, and its call must give what the manual says: no spurious EINTR, no lost wake-up, no
 * early end.  Calls with a timeout end by themselves: by CLOCK_REALTIME and CLOCK_MONOTONIC they
 * must have taken timeout_ms in all, however often the program was moved meanwhile.
 *
 *   timeout_ms=1000   slack_ms=300   how late a timeout may be
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/victim.h"

struct waiter {
    const struct blocking *what;
    pthread_t thread;
    _Atomic int state; /* 0 not yet, 1 in the call, 2 returned */
    int fd[2];
    uint32_t word;
    sem_t semaphore;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_rwlock_t rwlock;
    pthread_barrier_t barrier;
    bool flag;
    char path[108];
    uint64_t real_ns, monotonic_ns; /* how long the call took */
    const char *wrong;              /* NULL: the result was right */
    int error;
};

typedef const char *block_fn(struct waiter *w);
typedef void waiter_fn(struct waiter *w);
struct blocking {
    const char *name;
    waiter_fn *prepare;
    block_fn *block;
    waiter_fn *release; /* NULL: ends by its timeout */
};

static long g_timeout_ms;

static struct timespec after_ms(int clock_id, long ms)
{
    uint64_t t = victim_clock_ns(clock_id) + (uint64_t)ms * 1000000u;
    return (struct timespec){(time_t)(t / 1000000000u), (long)(t % 1000000000u)};
}

static struct timespec timeout(void)
{
    return (struct timespec){g_timeout_ms / 1000, g_timeout_ms % 1000 * 1000000};
}

#define RIGHT_IF(condition) ((condition) ? NULL : #condition)

/* ---- preparations and releases that several share ---- */

static void prepare_nothing(struct waiter *w)
{
    (void)w;
}

static void prepare_pipe(struct waiter *w)
{
    if (pipe2(w->fd, O_CLOEXEC))
        victim_abort("pipe: %s", strerror(errno));
}

static void prepare_full_pipe(struct waiter *w)
{
    static char filling[4096];
    prepare_pipe(w);
    fcntl(w->fd[1], F_SETFL, O_NONBLOCK);
    while (write(w->fd[1], filling, sizeof filling) > 0)
        ;
    fcntl(w->fd[1], F_SETFL, 0);
}

static void prepare_sockets(struct waiter *w)
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, w->fd))
        victim_abort("socketpair: %s", strerror(errno));
}

static void prepare_eventfd(struct waiter *w)
{
    w->fd[0] = w->fd[1] = eventfd(0, 0);
}

static void prepare_locks(struct waiter *w)
{
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->cond, NULL);
    pthread_rwlock_init(&w->rwlock, NULL);
    pthread_barrier_init(&w->barrier, NULL, 2);
    sem_init(&w->semaphore, 0, 0);
    pthread_mutex_lock(&w->mutex);
    pthread_rwlock_wrlock(&w->rwlock);
}

static void release_byte(struct waiter *w)
{
    VICTIM_CHECK_THAT(write(w->fd[1], "x", 1) == 1, "release by a byte: %s", strerror(errno));
}

static void release_count(struct waiter *w)
{
    uint64_t five = 5;
    VICTIM_CHECK_THAT(write(w->fd[1], &five, 8) == 8, "release by a count: %s", strerror(errno));
}

static void release_signal(struct waiter *w)
{
    pthread_kill(w->thread, SIGUSR1);
}

/* ---- descriptors ---- */

static const char *block_read(struct waiter *w)
{
    char byte = 0;
    ssize_t n = read(w->fd[0], &byte, 1);
    return RIGHT_IF(n == 1 && byte == 'x');
}

static const char *block_write(struct waiter *w)
{
    ssize_t n = write(w->fd[1], "yz", 2);
    return RIGHT_IF(n == 2);
}

static void release_drain(struct waiter *w)
{
    char buffer[4096];
    fcntl(w->fd[0], F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 4; i++)
        VICTIM_CHECK_THAT(read(w->fd[0], buffer, sizeof buffer) > 0, "the full pipe is empty");
}

static const char *block_recv(struct waiter *w)
{
    char byte = 0;
    ssize_t n = recv(w->fd[0], &byte, 1, 0);
    return RIGHT_IF(n == 1 && byte == 'x');
}

static const char *block_recvmsg(struct waiter *w)
{
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n = recvmsg(w->fd[0], &message, 0);
    return RIGHT_IF(n == 1 && byte == 'x');
}

static const char *block_recv_timed(struct waiter *w)
{
    struct timeval t = {g_timeout_ms / 1000, g_timeout_ms % 1000 * 1000};
    setsockopt(w->fd[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    char byte;
    ssize_t n = recv(w->fd[0], &byte, 1, 0);
    return RIGHT_IF(n == -1 && errno == EAGAIN);
}

static const char *block_eventfd(struct waiter *w)
{
    uint64_t count = 0;
    ssize_t n = read(w->fd[0], &count, 8);
    return RIGHT_IF(n == 8 && count == 5);
}

static void prepare_timerfd(struct waiter *w)
{
    w->fd[0] = w->fd[1] = timerfd_create(CLOCK_MONOTONIC, 0);
}

static const char *block_timerfd(struct waiter *w)
{
    struct itimerspec t = {.it_value = timeout()};
    timerfd_settime(w->fd[0], 0, &t, NULL);
    uint64_t count = 0;
    ssize_t n = read(w->fd[0], &count, 8);
    return RIGHT_IF(n == 8 && count == 1);
}

static const char *block_timerfd_absolute(struct waiter *w)
{
    struct itimerspec t = {.it_value = after_ms(CLOCK_MONOTONIC, g_timeout_ms)};
    timerfd_settime(w->fd[0], TFD_TIMER_ABSTIME, &t, NULL);
    uint64_t count = 0;
    ssize_t n = read(w->fd[0], &count, 8);
    return RIGHT_IF(n == 8 && count == 1);
}

/* ---- waiting for many ---- */

static const char *block_poll(struct waiter *w)
{
    struct pollfd p = {w->fd[0], POLLIN, 0};
    int n = poll(&p, 1, -1);
    return RIGHT_IF(n == 1 && p.revents == POLLIN);
}

static const char *block_poll_timed(struct waiter *w)
{
    struct pollfd p = {w->fd[0], POLLIN, 0};
    int n = poll(&p, 1, (int)g_timeout_ms);
    return RIGHT_IF(n == 0);
}

static const char *block_ppoll(struct waiter *w)
{
    sigset_t none;
    sigemptyset(&none);
    struct pollfd p = {w->fd[0], POLLIN, 0};
    int n = ppoll(&p, 1, NULL, &none);
    return RIGHT_IF(n == 1 && p.revents == POLLIN);
}

static const char *block_ppoll_timed(struct waiter *w)
{
    struct pollfd p = {w->fd[0], POLLIN, 0};
    struct timespec t = timeout();
    int n = ppoll(&p, 1, &t, NULL);
    return RIGHT_IF(n == 0);
}

/* ppoll that opens the mask for one signal: interrupted by it, and the mask is as before. */
static const char *block_ppoll_signal(struct waiter *w)
{
    sigset_t blocked, open, now;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &blocked, &open);
    sigdelset(&open, SIGUSR1);
    struct pollfd p = {w->fd[0], POLLIN, 0};
    int n = ppoll(&p, 1, NULL, &open);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    return RIGHT_IF(n == -1 && error == EINTR && sigismember(&now, SIGUSR1));
}

static const char *block_select(struct waiter *w)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(w->fd[0], &set);
    int n = select(w->fd[0] + 1, &set, NULL, NULL, NULL);
    return RIGHT_IF(n == 1 && FD_ISSET(w->fd[0], &set));
}

static const char *block_select_timed(struct waiter *w)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(w->fd[0], &set);
    struct timeval t = {g_timeout_ms / 1000, g_timeout_ms % 1000 * 1000};
    int n = select(w->fd[0] + 1, &set, NULL, NULL, &t);
    return RIGHT_IF(n == 0 && t.tv_sec == 0 && t.tv_usec == 0);
}

static const char *block_pselect_timed(struct waiter *w)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(w->fd[0], &set);
    struct timespec t = timeout();
    int n = pselect(w->fd[0] + 1, &set, NULL, NULL, &t, NULL);
    return RIGHT_IF(n == 0);
}

static const char *wait_epoll(struct waiter *w, int timeout_ms, int *out_n)
{
    int set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = 0x1122334455667788};
    epoll_ctl(set, EPOLL_CTL_ADD, w->fd[0], &e);
    memset(&e, 0, sizeof e);
    *out_n = epoll_wait(set, &e, 1, timeout_ms);
    int error = errno;
    close(set);
    errno = error;
    return *out_n == 1 ? RIGHT_IF(e.events == EPOLLIN && e.data.u64 == 0x1122334455667788) : NULL;
}

static const char *block_epoll(struct waiter *w)
{
    int n;
    const char *wrong = wait_epoll(w, -1, &n);
    return wrong ? wrong : RIGHT_IF(n == 1);
}

static const char *block_epoll_timed(struct waiter *w)
{
    int n;
    wait_epoll(w, (int)g_timeout_ms, &n);
    return RIGHT_IF(n == 0);
}

/* ---- accepting ---- */

static void prepare_tcp(struct waiter *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    w->fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(w->fd[0], (struct sockaddr *)&a, sizeof a) || listen(w->fd[0], 8))
        victim_abort("tcp listener: %s", strerror(errno));
    w->fd[1] = -1;
    socklen_t length = sizeof a;
    getsockname(w->fd[0], (struct sockaddr *)&a, &length);
    w->word = ntohs(a.sin_port);
}

static void release_tcp(struct waiter *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)w->word)};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (struct sockaddr *)&a, sizeof a) || write(s, "x", 1) != 1)
        victim_fail("connect to my own listener: %s", strerror(errno));
    close(s);
}

static void prepare_unix(struct waiter *w)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(w->path, sizeof w->path, "%s.%d", victim_path("blocked"), (int)getpid());
    strcpy(a.sun_path, w->path);
    unlink(w->path);
    w->fd[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(w->fd[0], (struct sockaddr *)&a, sizeof a) || listen(w->fd[0], 8))
        victim_abort("unix listener: %s", strerror(errno));
}

static void release_unix(struct waiter *w)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, w->path);
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(s, (struct sockaddr *)&a, sizeof a) || write(s, "x", 1) != 1)
        victim_fail("connect to my own unix listener: %s", strerror(errno));
    close(s);
    unlink(w->path);
}

static const char *take_byte(int s)
{
    char byte = 0;
    ssize_t n = s < 0 ? -1 : read(s, &byte, 1);
    close(s);
    return RIGHT_IF(n == 1 && byte == 'x');
}

static const char *block_accept(struct waiter *w)
{
    return take_byte(accept(w->fd[0], NULL, NULL));
}

static const char *block_accept4(struct waiter *w)
{
    return take_byte(accept4(w->fd[0], NULL, NULL, SOCK_CLOEXEC));
}

/* ---- futexes, bare and under libc's locks ---- */

static long futex(uint32_t *word, int operation, uint32_t value, const struct timespec *t)
{
    return syscall(SYS_futex, word, operation, value, t, NULL, FUTEX_BITSET_MATCH_ANY);
}

static const char *block_futex(struct waiter *w)
{
    long n = futex(&w->word, FUTEX_WAIT_PRIVATE, 0, NULL);
    return RIGHT_IF(n == 0 && w->word == 1);
}

static void release_futex(struct waiter *w)
{
    __atomic_store_n(&w->word, 1, __ATOMIC_SEQ_CST);
    futex(&w->word, FUTEX_WAKE_PRIVATE, 1, NULL);
}

static const char *block_futex_timed(struct waiter *w)
{
    struct timespec t = timeout();
    long n = futex(&w->word, FUTEX_WAIT_PRIVATE, 0, &t);
    return RIGHT_IF(n == -1 && errno == ETIMEDOUT);
}

static const char *block_futex_absolute(struct waiter *w)
{
    struct timespec t = after_ms(CLOCK_MONOTONIC, g_timeout_ms);
    long n = futex(&w->word, FUTEX_WAIT_BITSET_PRIVATE, 0, &t);
    return RIGHT_IF(n == -1 && errno == ETIMEDOUT);
}

static const char *block_mutex(struct waiter *w)
{
    int e = pthread_mutex_lock(&w->mutex);
    pthread_mutex_unlock(&w->mutex);
    return RIGHT_IF(e == 0);
}

static void release_mutex(struct waiter *w)
{
    pthread_mutex_unlock(&w->mutex);
}

static const char *block_mutex_timed(struct waiter *w)
{
    struct timespec t = after_ms(CLOCK_REALTIME, g_timeout_ms);
    int e = pthread_mutex_timedlock(&w->mutex, &t);
    return RIGHT_IF(e == ETIMEDOUT);
}

static void prepare_cond(struct waiter *w)
{
    prepare_locks(w);
    pthread_mutex_unlock(&w->mutex);
}

static const char *block_cond(struct waiter *w)
{
    pthread_mutex_lock(&w->mutex);
    int e = 0;
    while (!w->flag && !e)
        e = pthread_cond_wait(&w->cond, &w->mutex);
    pthread_mutex_unlock(&w->mutex);
    return RIGHT_IF(e == 0 && w->flag);
}

static void release_cond(struct waiter *w)
{
    pthread_mutex_lock(&w->mutex);
    w->flag = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->mutex);
}

static const char *block_cond_timed(struct waiter *w)
{
    struct timespec t = after_ms(CLOCK_REALTIME, g_timeout_ms);
    pthread_mutex_lock(&w->mutex);
    int e = 0;
    while (!e)
        e = pthread_cond_timedwait(&w->cond, &w->mutex, &t);
    pthread_mutex_unlock(&w->mutex);
    return RIGHT_IF(e == ETIMEDOUT);
}

static const char *block_cond_monotonic(struct waiter *w)
{
    struct timespec t = after_ms(CLOCK_MONOTONIC, g_timeout_ms);
    pthread_mutex_lock(&w->mutex);
    int e = 0;
    while (!e)
        e = pthread_cond_clockwait(&w->cond, &w->mutex, CLOCK_MONOTONIC, &t);
    pthread_mutex_unlock(&w->mutex);
    return RIGHT_IF(e == ETIMEDOUT);
}

static const char *block_semaphore(struct waiter *w)
{
    int e = sem_wait(&w->semaphore);
    return RIGHT_IF(e == 0);
}

static void release_semaphore(struct waiter *w)
{
    sem_post(&w->semaphore);
}

static const char *block_semaphore_timed(struct waiter *w)
{
    struct timespec t = after_ms(CLOCK_REALTIME, g_timeout_ms);
    int e = sem_timedwait(&w->semaphore, &t);
    return RIGHT_IF(e == -1 && errno == ETIMEDOUT);
}

static const char *block_rwlock(struct waiter *w)
{
    int e = pthread_rwlock_rdlock(&w->rwlock);
    return RIGHT_IF(e == 0);
}

static void release_rwlock(struct waiter *w)
{
    pthread_rwlock_unlock(&w->rwlock);
}

static const char *block_barrier(struct waiter *w)
{
    int e = pthread_barrier_wait(&w->barrier);
    return RIGHT_IF(e == 0 || e == PTHREAD_BARRIER_SERIAL_THREAD);
}

static void release_barrier(struct waiter *w)
{
    pthread_barrier_wait(&w->barrier);
}

static void *child_main(void *argument)
{
    sem_wait(argument);
    return (void *)0x1234;
}

static const char *block_join(struct waiter *w)
{
    pthread_t child;
    void *result = NULL;
    if (pthread_create(&child, NULL, child_main, &w->semaphore))
        return "no thread";
    pthread_join(child, &result);
    return RIGHT_IF(result == (void *)0x1234);
}

/* ---- sleeps and signals ---- */

static const char *block_nanosleep(struct waiter *w)
{
    (void)w;
    struct timespec t = timeout();
    int e = nanosleep(&t, NULL);
    return RIGHT_IF(e == 0);
}

static const char *block_clock_nanosleep(struct waiter *w)
{
    (void)w;
    struct timespec t = timeout();
    int e = clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
    return RIGHT_IF(e == 0);
}

static const char *block_sleep_until(struct waiter *w)
{
    (void)w;
    struct timespec t = after_ms(CLOCK_MONOTONIC, g_timeout_ms);
    int e = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    return RIGHT_IF(e == 0);
}

static const char *block_sleep_until_real(struct waiter *w)
{
    (void)w;
    struct timespec t = after_ms(CLOCK_REALTIME, g_timeout_ms);
    int e = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL);
    return RIGHT_IF(e == 0);
}

/* A signal ends the sleep, and what it says is left is left. */
static const char *block_nanosleep_signal(struct waiter *w)
{
    (void)w;
    struct timespec t = {1000, 0}, left = {0, 0};
    uint64_t begin = victim_clock_ns(CLOCK_MONOTONIC);
    int e = nanosleep(&t, &left);
    int error = errno;
    int64_t slept_ms = (int64_t)(victim_clock_ns(CLOCK_MONOTONIC) - begin) / 1000000;
    int64_t left_ms = left.tv_sec * 1000 + left.tv_nsec / 1000000;
    return RIGHT_IF(e == -1 && error == EINTR && llabs(slept_ms + left_ms - 1000000) < 300);
}

static const char *block_pause(struct waiter *w)
{
    (void)w;
    int e = pause();
    return RIGHT_IF(e == -1 && errno == EINTR);
}

static void only_usr1(sigset_t *out)
{
    sigemptyset(out);
    sigaddset(out, SIGUSR1);
}

static const char *block_sigsuspend(struct waiter *w)
{
    (void)w;
    sigset_t usr1, open, now;
    only_usr1(&usr1);
    pthread_sigmask(SIG_BLOCK, &usr1, &open);
    sigdelset(&open, SIGUSR1);
    int e = sigsuspend(&open);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    return RIGHT_IF(e == -1 && error == EINTR && sigismember(&now, SIGUSR1));
}

static const char *block_sigwaitinfo(struct waiter *w)
{
    (void)w;
    sigset_t usr1;
    siginfo_t info;
    only_usr1(&usr1);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    int n = sigwaitinfo(&usr1, &info);
    return RIGHT_IF(n == SIGUSR1 && info.si_signo == SIGUSR1 && info.si_pid == getpid());
}

static const char *block_sigtimedwait(struct waiter *w)
{
    (void)w;
    sigset_t usr1;
    only_usr1(&usr1);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    struct timespec t = timeout();
    int n = sigtimedwait(&usr1, NULL, &t);
    return RIGHT_IF(n == -1 && errno == EAGAIN);
}

/* SA_RESTART: the read goes on after the handler; a byte ends it. */
static const char *block_read_restarted(struct waiter *w)
{
    char byte = 0;
    ssize_t n = read(w->fd[0], &byte, 1);
    return RIGHT_IF(n == 1 && byte == 'x');
}

static void release_signal_then_byte(struct waiter *w)
{
    pthread_kill(w->thread, SIGUSR2);
    victim_sleep_ms(20);
    VICTIM_CHECK_THAT(atomic_load(&w->state) == 1, "%s: SA_RESTART did not restart", w->what->name);
    release_byte(w);
}

/* ---- all of them ---- */

static const struct blocking g_all[] = {
    {"read of a pipe", prepare_pipe, block_read, release_byte},
    {"write to a full pipe", prepare_full_pipe, block_write, release_drain},
    {"read over a restarting signal", prepare_pipe, block_read_restarted, release_signal_then_byte},
    {"recv", prepare_sockets, block_recv, release_byte},
    {"recvmsg", prepare_sockets, block_recvmsg, release_byte},
    {"recv with SO_RCVTIMEO", prepare_sockets, block_recv_timed, NULL},
    {"read of an eventfd", prepare_eventfd, block_eventfd, release_count},
    {"read of a timerfd", prepare_timerfd, block_timerfd, NULL},
    {"read of an absolute timerfd", prepare_timerfd, block_timerfd_absolute, NULL},
    {"poll", prepare_pipe, block_poll, release_byte},
    {"poll with timeout", prepare_pipe, block_poll_timed, NULL},
    {"ppoll", prepare_pipe, block_ppoll, release_byte},
    {"ppoll with timeout", prepare_pipe, block_ppoll_timed, NULL},
    {"ppoll ended by a signal", prepare_pipe, block_ppoll_signal, release_signal},
    {"select", prepare_pipe, block_select, release_byte},
    {"select with timeout", prepare_pipe, block_select_timed, NULL},
    {"pselect with timeout", prepare_pipe, block_pselect_timed, NULL},
    {"epoll_wait", prepare_pipe, block_epoll, release_byte},
    {"epoll_wait with timeout", prepare_pipe, block_epoll_timed, NULL},
    {"accept on tcp", prepare_tcp, block_accept, release_tcp},
    {"accept4 on unix", prepare_unix, block_accept4, release_unix},
    {"futex wait", prepare_nothing, block_futex, release_futex},
    {"futex wait with timeout", prepare_nothing, block_futex_timed, NULL},
    {"futex wait until", prepare_nothing, block_futex_absolute, NULL},
    {"mutex", prepare_locks, block_mutex, release_mutex},
    {"mutex timedlock", prepare_locks, block_mutex_timed, NULL},
    {"condition variable", prepare_cond, block_cond, release_cond},
    {"cond_timedwait", prepare_cond, block_cond_timed, NULL},
    {"cond_clockwait monotonic", prepare_cond, block_cond_monotonic, NULL},
    {"semaphore", prepare_locks, block_semaphore, release_semaphore},
    {"sem_timedwait", prepare_locks, block_semaphore_timed, NULL},
    {"rwlock", prepare_locks, block_rwlock, release_rwlock},
    {"barrier", prepare_locks, block_barrier, release_barrier},
    {"join", prepare_locks, block_join, release_semaphore},
    {"nanosleep", prepare_nothing, block_nanosleep, NULL},
    {"clock_nanosleep", prepare_nothing, block_clock_nanosleep, NULL},
    {"clock_nanosleep until", prepare_nothing, block_sleep_until, NULL},
    {"clock_nanosleep until real time", prepare_nothing, block_sleep_until_real, NULL},
    {"nanosleep ended by a signal", prepare_nothing, block_nanosleep_signal, release_signal},
    {"pause", prepare_nothing, block_pause, release_signal},
    {"sigsuspend", prepare_nothing, block_sigsuspend, release_signal},
    {"sigwaitinfo", prepare_nothing, block_sigwaitinfo, release_signal},
    {"sigtimedwait with timeout", prepare_nothing, block_sigtimedwait, NULL},
};
enum { COUNT = sizeof g_all / sizeof g_all[0] };
static struct waiter g_waiters[COUNT];

static void *waiter_main(void *argument)
{
    struct waiter *w = argument;
    uint64_t real = victim_clock_ns(CLOCK_REALTIME), monotonic = victim_clock_ns(CLOCK_MONOTONIC);
    atomic_store(&w->state, 1);
    w->wrong = w->what->block(w);
    w->error = errno;
    w->real_ns = victim_clock_ns(CLOCK_REALTIME) - real;
    w->monotonic_ns = victim_clock_ns(CLOCK_MONOTONIC) - monotonic;
    atomic_store(&w->state, 2);
    return NULL;
}

/* Those without a timeout must still be in their call. */
static void check_blocked(void)
{
    unsigned blocked = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        struct waiter *w = &g_waiters[i];
        bool returned = atomic_load(&w->state) == 2;
        VICTIM_CHECK_THAT(!returned || !w->what->release, "%s returned by itself (%s, %s)",
                          w->what->name, w->wrong ? w->wrong : "right", strerror(w->error));
        blocked += !returned;
    }
    victim_value("blocked", "%u", blocked);
}

static void check_ended(struct waiter *w, long slack_ms)
{
    const char *name = w->what->name;
    for (long ms = 0; ms < g_timeout_ms + 10000 && atomic_load(&w->state) != 2; ms += 5)
        victim_sleep_ms(5);
    if (atomic_load(&w->state) != 2) {
        victim_fail("%s: still blocked after its release", name);
        return;
    }
    pthread_join(w->thread, NULL);
    VICTIM_CHECK_THAT(!w->wrong, "%s: not so: %s (%s)", name, w->wrong, strerror(w->error));
    if (w->what->release)
        return;
    long real_ms = (long)(w->real_ns / 1000000), monotonic_ms = (long)(w->monotonic_ns / 1000000);
    VICTIM_CHECK_THAT(monotonic_ms >= g_timeout_ms - 2 && monotonic_ms <= g_timeout_ms + slack_ms,
                      "%s took %ld ms (monotonic), not %ld", name, monotonic_ms, g_timeout_ms);
    VICTIM_CHECK_THAT(real_ms >= g_timeout_ms - 20 && real_ms <= g_timeout_ms + slack_ms,
                      "%s took %ld ms (real), not %ld", name, real_ms, g_timeout_ms);
}

static void on_signal(int number)
{
    (void)number;
}

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    g_timeout_ms = victim_number("timeout_ms", 1000);
    long slack_ms = victim_number("slack_ms", 300);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR2, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < COUNT; i++) {
        struct waiter *w = &g_waiters[i];
        w->what = &g_all[i];
        w->what->prepare(w);
        if (pthread_create(&w->thread, NULL, waiter_main, w))
            victim_abort("no thread");
    }
    for (unsigned i = 0; i < COUNT; i++) {
        while (!atomic_load(&g_waiters[i].state))
            victim_sleep_ms(1);
    }
    victim_sleep_ms(50);
    victim_ready();
    while (victim_wait()) {
        check_blocked();
        victim_answer();
    }
    check_blocked();
    for (unsigned i = 0; i < COUNT; i++) {
        if (g_all[i].release)
            g_all[i].release(&g_waiters[i]);
        check_ended(&g_waiters[i], slack_ms);
    }
    victim_value("calls", "%u", (unsigned)COUNT);
    return victim_finish();
}
