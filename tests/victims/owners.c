/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns what: 200 threads that each hold a robust mutex, every other one with priority
 * inheritance, and a thread-local value over the moves.
 * At each check some of them end without unlocking, one of them while another thread has waited
 * for its mutex since before the move; the next owner has to be told, once. Three threads contend
 * for one inheriting mutex all the time, and many more take it once and end. File locks of both
 * kinds are held too, and a second socket shares the port of the first.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/victim.h"

enum { OWNERS = 200, DIE_AT_CHECK = 7, CONTENDERS = 3, SHORT_ms = 30 };

struct owner {
    pthread_t thread;
    pthread_mutex_t held;
    _Atomic int holds, go;
};

static struct owner g_owners[OWNERS];
static int g_alive = OWNERS;
static _Thread_local struct owner *t_self;

static pthread_t g_waiter;
static _Atomic int g_waiter_got = -1;

static pthread_mutex_t g_contended;
static pthread_t g_contenders[CONTENDERS];
static _Atomic int g_contend = 1;
static _Atomic long g_rounds;
static long g_counted; /* by g_contended */

static int g_file, g_same_file, g_sockets[2];

static void *owner_main(void *argument)
{
    t_self = argument;
    pthread_mutex_lock(&t_self->held);
    atomic_store(&t_self->holds, 1);
    while (!atomic_load(&((struct owner *)argument)->go))
        victim_sleep_ms(20);
    if (t_self != argument)
        victim_fail("a thread-local value is another thread's");
    return NULL; /* and does not unlock */
}

/* Waits for the mutex of the last owner that is alive. */
static void *waiter_main(void *argument)
{
    struct owner *of = argument;
    int error = pthread_mutex_lock(&of->held);

    if (error == EOWNERDEAD)
        pthread_mutex_consistent(&of->held);
    if (error == 0 || error == EOWNERDEAD)
        pthread_mutex_unlock(&of->held);
    atomic_store(&g_waiter_got, error);
    return NULL;
}

static void wait_for_last(void)
{
    atomic_store(&g_waiter_got, -1);
    if (pthread_create(&g_waiter, NULL, waiter_main, &g_owners[g_alive - 1]))
        victim_abort("no thread");
}

static void end_owner(struct owner *owner)
{
    atomic_store(&owner->go, 1);
    pthread_join(owner->thread, NULL);
}

static void check_dead(struct owner *owner)
{
    int error = pthread_mutex_trylock(&owner->held);

    VICTIM_CHECK_THAT(error == EOWNERDEAD, "the lock of a dead thread says %d", error);
    if (error != EOWNERDEAD)
        return;
    pthread_mutex_consistent(&owner->held);
    pthread_mutex_unlock(&owner->held);
    error = pthread_mutex_trylock(&owner->held);
    VICTIM_CHECK_THAT(error == 0, "a lock that was made consistent says %d", error);
    pthread_mutex_unlock(&owner->held);
}

static void check_owners(void)
{
    for (int i = 0; i < g_alive; i++)
        VICTIM_CHECK_THAT(pthread_mutex_trylock(&g_owners[i].held) == EBUSY,
                          "the lock of thread %d is not held", i);
    VICTIM_CHECK_THAT(atomic_load(&g_waiter_got) == -1, "who waits for a lock has not waited");
    struct owner *last = &g_owners[--g_alive];
    end_owner(last);
    for (int ms = 0; ms < 5000 && atomic_load(&g_waiter_got) == -1; ms++)
        victim_sleep_ms(1);
    VICTIM_CHECK_THAT(atomic_load(&g_waiter_got) == EOWNERDEAD,
                      "who waited for a dead owner got %d", atomic_load(&g_waiter_got));
    if (atomic_load(&g_waiter_got) != -1)
        pthread_join(g_waiter, NULL);
    for (int i = 1; i < DIE_AT_CHECK; i++) {
        end_owner(&g_owners[--g_alive]);
        check_dead(&g_owners[g_alive]);
    }
}

static void lock_and_count(void)
{
    int error = pthread_mutex_lock(&g_contended);

    if (error)
        victim_fail("a lock with priority inheritance: %s", strerror(error));
    g_counted++;
    atomic_fetch_add(&g_rounds, 1);
    error = pthread_mutex_unlock(&g_contended);
    if (error)
        victim_fail("its release: %s", strerror(error));
}

static void *contend(void *unused)
{
    (void)unused;
    while (atomic_load(&g_contend))
        lock_and_count();
    return NULL;
}

static void *lock_once(void *unused)
{
    (void)unused;
    lock_and_count();
    return NULL;
}

/* Who is about to wait for an owner may find that it has released the lock and is gone. */
static void check_passing(void)
{
    enum { TURNS = 20, AT_ONCE = 8 };

    for (int turn = 0; turn < TURNS; turn++) {
        pthread_t threads[AT_ONCE];

        for (int i = 0; i < AT_ONCE; i++)
            if (pthread_create(&threads[i], NULL, lock_once, NULL))
                victim_abort("no thread that locks once");
        for (int i = 0; i < AT_ONCE; i++)
            pthread_join(threads[i], NULL);
    }
}

/* The last of those that are alive, which holds its lock, and may be one of either kind. */
static void check_timeout(clockid_t clock)
{
    struct timespec end;

    clock_gettime(clock, &end);
    end.tv_nsec += SHORT_ms * 1000000L;
    end.tv_sec += end.tv_nsec / 1000000000L;
    end.tv_nsec %= 1000000000L;
    VICTIM_CHECK_THAT(pthread_mutex_clocklock(&g_owners[0].held, clock, &end) == ETIMEDOUT &&
                          pthread_mutex_clocklock(&g_owners[1].held, clock, &end) == ETIMEDOUT,
                      "waiting for a held lock does not end in time (clock %d)", clock);
}

static void check_contended(void)
{
    long before = atomic_load(&g_rounds), seen;

    for (int ms = 0; ms < 5000 && atomic_load(&g_rounds) == before; ms++)
        victim_sleep_ms(1);
    pthread_mutex_lock(&g_contended);
    seen = atomic_load(&g_rounds);
    VICTIM_CHECK_THAT(seen > before && seen == g_counted, "counted %ld of %ld rounds, %ld before",
                      g_counted, seen, before);
    pthread_mutex_unlock(&g_contended);
}

static void check_file_locks(void)
{
    struct flock other = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};

    VICTIM_CHECK_THAT(flock(g_same_file, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK,
                      "the file is not locked");
    VICTIM_CHECK_THAT(fcntl(g_same_file, F_OFD_GETLK, &other) == 0 && other.l_type == F_WRLCK &&
                          other.l_start == 10 && other.l_len == 5,
                      "a part of the file is not locked: type %d, %ld bytes from %ld", other.l_type,
                      (long)other.l_len, (long)other.l_start);
}

static void check_shared_port(void)
{
    for (int i = 0; i < 2; i++) {
        int value = 0;
        socklen_t length = sizeof value;

        getsockopt(g_sockets[i], SOL_SOCKET, SO_REUSEPORT, &value, &length);
        VICTIM_CHECK_THAT(value == 1, "socket %d does not share its port any more", i);
    }
    struct sockaddr_in a, b;
    socklen_t length = sizeof a;
    getsockname(g_sockets[0], (struct sockaddr *)&a, &length);
    getsockname(g_sockets[1], (struct sockaddr *)&b, &length);
    VICTIM_CHECK_THAT(a.sin_port == b.sin_port && a.sin_port, "ports %d and %d", ntohs(a.sin_port),
                      ntohs(b.sin_port));
}

static void check(void)
{
    check_timeout(CLOCK_REALTIME);
    check_timeout(CLOCK_MONOTONIC);
    check_owners();
    check_contended();
    check_passing();
    check_file_locks();
    check_shared_port();
    victim_value("alive", "%d", g_alive);
}

static void set_up_file(void)
{
    struct flock part = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};

    g_file = open(victim_path("locked"), O_RDWR | O_CREAT, 0600);
    g_same_file = open(victim_path("locked"), O_RDWR);
    if (g_file < 0 || g_same_file < 0 || flock(g_file, LOCK_EX) ||
        fcntl(g_file, F_OFD_SETLK, &part))
        victim_abort("no locked file: %s", strerror(errno));
}

static void set_up_sockets(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;

    for (int i = 0; i < 2; i++) {
        g_sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        setsockopt(g_sockets[i], SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int));
        if (bind(g_sockets[i], (struct sockaddr *)&address, sizeof address) ||
            listen(g_sockets[i], 5) ||
            getsockname(g_sockets[i], (struct sockaddr *)&address, &length))
            victim_abort("no listener %d: %s", i, strerror(errno));
    }
}

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    pthread_mutexattr_t robust, inheriting;
    pthread_mutexattr_init(&robust);
    pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_init(&inheriting);
    if (pthread_mutexattr_setprotocol(&inheriting, PTHREAD_PRIO_INHERIT) ||
        pthread_mutex_init(&g_contended, &inheriting))
        victim_abort("no priority inheritance");
    for (int i = 0; i < OWNERS; i++) {
        struct owner *owner = &g_owners[i];
        pthread_mutexattr_setprotocol(&robust, i % 2 ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE);
        if (pthread_mutex_init(&owner->held, &robust))
            victim_abort("no lock %d", i);
        if (pthread_create(&owner->thread, NULL, owner_main, owner))
            victim_abort("no thread %d", i);
        while (!atomic_load(&owner->holds))
            victim_sleep_ms(1);
    }
    for (int i = 0; i < CONTENDERS; i++)
        if (pthread_create(&g_contenders[i], NULL, contend, NULL))
            victim_abort("no contender");
    set_up_file();
    set_up_sockets();
    wait_for_last();
    victim_ready();
    while (victim_wait()) {
        check();
        wait_for_last();
        victim_sleep_ms(
            20); /* usually it waits in the kernel then; it is right if it does not, too */
        victim_answer();
    }
    check();
    atomic_store(&g_contend, 0);
    for (int i = 0; i < CONTENDERS; i++)
        pthread_join(g_contenders[i], NULL);
    while (g_alive)
        end_owner(&g_owners[--g_alive]);
    return victim_finish();
}
