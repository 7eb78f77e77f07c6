/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libc torture: pthread.h, threads.h, semaphore.h, sched.h.  Threads that an entry makes have
 * ended when it ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "tests/pass/torture.h"

/* A value that a function gives back through its second argument. */
#define GETS(function, object, type, call, right)                                                  \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        object attr;                                                                               \
        type *out = PLACE(type);                                                                   \
        int error;                                                                                 \
                                                                                                   \
        object##_begin(&attr);                                                                     \
        CALL(error = call);                                                                        \
        EXPECT(error == 0 && (right));                                                             \
    }
#define SETS(function, how, object, call)                                                          \
    TORTURE(function, how)                                                                         \
    {                                                                                              \
        object *attr = PLACE(object);                                                              \
        int error;                                                                                 \
                                                                                                   \
        object##_begin(attr);                                                                      \
        CALL(error = call);                                                                        \
        EXPECT(error == 0);                                                                        \
    }
#define INITS(function, object, call)                                                              \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        object *attr = PLACE(object);                                                              \
        int error;                                                                                 \
                                                                                                   \
        CALL(error = call);                                                                        \
        EXPECT(error == 0);                                                                        \
    }

#define pthread_attr_t_begin pthread_attr_init
#define pthread_mutexattr_t_begin pthread_mutexattr_init
#define pthread_condattr_t_begin pthread_condattr_init
#define pthread_rwlockattr_t_begin pthread_rwlockattr_init
#define pthread_barrierattr_t_begin pthread_barrierattr_init
#define pthread_mutex_t_begin(m) pthread_mutex_init(m, NULL)
#define pthread_cond_t_begin(c) pthread_cond_init(c, NULL)
#define pthread_rwlock_t_begin(l) pthread_rwlock_init(l, NULL)
#define pthread_spinlock_t_begin(l) pthread_spin_init(l, 0)
#define pthread_barrier_t_begin(b) pthread_barrier_init(b, NULL, 1)
#define mtx_t_begin(m) mtx_init(m, mtx_timed)
#define cnd_t_begin cnd_init
#define sem_t_begin(s) sem_init(s, 0, 1)

static struct timespec soon(int milliseconds)
{
    struct timespec time;

    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_nsec += milliseconds * 1000000L;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

/* ---- attributes ---- */

static char g_stack[65536] __attribute__((aligned(16)));
static const struct sched_param c_param = {.sched_priority = 0};

INITS(pthread_attr_init, pthread_attr_t, pthread_attr_init(attr))
SETS(pthread_attr_destroy, QUIET, pthread_attr_t, pthread_attr_destroy(attr))
SETS(pthread_attr_setdetachstate, 0, pthread_attr_t, pthread_attr_setdetachstate(attr, 1))
SETS(pthread_attr_setguardsize, 0, pthread_attr_t, pthread_attr_setguardsize(attr, 3 * PAGE))
SETS(pthread_attr_setinheritsched, 0, pthread_attr_t, pthread_attr_setinheritsched(attr, 1))
SETS(pthread_attr_setschedparam, QUIET, pthread_attr_t, pthread_attr_setschedparam(attr, &c_param))
SETS(pthread_attr_setschedpolicy, 0, pthread_attr_t, pthread_attr_setschedpolicy(attr, SCHED_RR))
SETS(pthread_attr_setscope, QUIET, pthread_attr_t,
     pthread_attr_setscope(attr, PTHREAD_SCOPE_SYSTEM))
SETS(pthread_attr_setstack, 0, pthread_attr_t,
     pthread_attr_setstack(attr, g_stack, sizeof(g_stack)))
SETS(pthread_attr_setstacksize, 0, pthread_attr_t, pthread_attr_setstacksize(attr, 99999))
GETS(pthread_attr_getdetachstate, pthread_attr_t, int, pthread_attr_getdetachstate(&attr, out),
     *out == 0)
GETS(pthread_attr_getguardsize, pthread_attr_t, size_t, pthread_attr_getguardsize(&attr, out),
     *out > 0)
GETS(pthread_attr_getinheritsched, pthread_attr_t, int, pthread_attr_getinheritsched(&attr, out),
     *out == 0)
GETS(pthread_attr_getschedparam, pthread_attr_t, struct sched_param,
     pthread_attr_getschedparam(&attr, out), out->sched_priority == 0)
GETS(pthread_attr_getschedpolicy, pthread_attr_t, int, pthread_attr_getschedpolicy(&attr, out),
     *out == 0)
GETS(pthread_attr_getscope, pthread_attr_t, int, pthread_attr_getscope(&attr, out), *out == 0)
GETS(pthread_attr_getstacksize, pthread_attr_t, size_t, pthread_attr_getstacksize(&attr, out),
     *out > 0)

TORTURE(pthread_attr_getstack, 0)
{
    pthread_attr_t attr;
    void **stack = PLACE(void *);
    size_t *size = PLACE(size_t);

    pthread_attr_init(&attr);
    pthread_attr_setstack(&attr, g_stack, sizeof(g_stack));
    CALL(pthread_attr_getstack(&attr, stack, size));
    EXPECT(*stack == g_stack && *size == sizeof(g_stack));
}

INITS(pthread_mutexattr_init, pthread_mutexattr_t, pthread_mutexattr_init(attr))
SETS(pthread_mutexattr_destroy, QUIET, pthread_mutexattr_t, pthread_mutexattr_destroy(attr))
SETS(pthread_mutexattr_setprotocol, KERNEL, pthread_mutexattr_t,
     pthread_mutexattr_setprotocol(attr, PTHREAD_PRIO_INHERIT))
SETS(pthread_mutexattr_setpshared, 0, pthread_mutexattr_t, pthread_mutexattr_setpshared(attr, 1))
SETS(pthread_mutexattr_setrobust, KERNEL, pthread_mutexattr_t, pthread_mutexattr_setrobust(attr, 1))
SETS(pthread_mutexattr_settype, 0, pthread_mutexattr_t, pthread_mutexattr_settype(attr, 1))
GETS(pthread_mutexattr_getprotocol, pthread_mutexattr_t, int,
     pthread_mutexattr_getprotocol(&attr, out), *out == 0)
GETS(pthread_mutexattr_getpshared, pthread_mutexattr_t, int,
     pthread_mutexattr_getpshared(&attr, out), *out == 0)
GETS(pthread_mutexattr_getrobust, pthread_mutexattr_t, int, pthread_mutexattr_getrobust(&attr, out),
     *out == 0)
GETS(pthread_mutexattr_gettype, pthread_mutexattr_t, int, pthread_mutexattr_gettype(&attr, out),
     *out == 0)

INITS(pthread_condattr_init, pthread_condattr_t, pthread_condattr_init(attr))
SETS(pthread_condattr_destroy, QUIET, pthread_condattr_t, pthread_condattr_destroy(attr))
SETS(pthread_condattr_setclock, 0, pthread_condattr_t,
     pthread_condattr_setclock(attr, CLOCK_MONOTONIC))
SETS(pthread_condattr_setpshared, 0, pthread_condattr_t, pthread_condattr_setpshared(attr, 1))
GETS(pthread_condattr_getclock, pthread_condattr_t, clockid_t,
     pthread_condattr_getclock(&attr, out), *out == 0)
GETS(pthread_condattr_getpshared, pthread_condattr_t, int, pthread_condattr_getpshared(&attr, out),
     *out == 0)

INITS(pthread_rwlockattr_init, pthread_rwlockattr_t, pthread_rwlockattr_init(attr))
SETS(pthread_rwlockattr_destroy, QUIET, pthread_rwlockattr_t, pthread_rwlockattr_destroy(attr))
SETS(pthread_rwlockattr_setpshared, 0, pthread_rwlockattr_t, pthread_rwlockattr_setpshared(attr, 1))
GETS(pthread_rwlockattr_getpshared, pthread_rwlockattr_t, int,
     pthread_rwlockattr_getpshared(&attr, out), *out == 0)

INITS(pthread_barrierattr_init, pthread_barrierattr_t, pthread_barrierattr_init(attr))
SETS(pthread_barrierattr_destroy, QUIET, pthread_barrierattr_t, pthread_barrierattr_destroy(attr))
SETS(pthread_barrierattr_setpshared, 0, pthread_barrierattr_t,
     pthread_barrierattr_setpshared(attr, 1))
GETS(pthread_barrierattr_getpshared, pthread_barrierattr_t, int,
     pthread_barrierattr_getpshared(&attr, out), *out == 0)

/* ---- locks ---- */

INITS(pthread_mutex_init, pthread_mutex_t, pthread_mutex_init(attr, NULL))
SETS(pthread_mutex_destroy, QUIET, pthread_mutex_t, pthread_mutex_destroy(attr))
SETS(pthread_mutex_lock, 0, pthread_mutex_t, pthread_mutex_lock(attr))
SETS(pthread_mutex_trylock, 0, pthread_mutex_t, pthread_mutex_trylock(attr))
INITS(pthread_cond_init, pthread_cond_t, pthread_cond_init(attr, NULL))
SETS(pthread_cond_destroy, QUIET, pthread_cond_t, pthread_cond_destroy(attr))
SETS(pthread_cond_signal, QUIET, pthread_cond_t, pthread_cond_signal(attr))
SETS(pthread_cond_broadcast, QUIET, pthread_cond_t, pthread_cond_broadcast(attr))
INITS(pthread_rwlock_init, pthread_rwlock_t, pthread_rwlock_init(attr, NULL))
SETS(pthread_rwlock_destroy, QUIET, pthread_rwlock_t, pthread_rwlock_destroy(attr))
SETS(pthread_rwlock_rdlock, 0, pthread_rwlock_t, pthread_rwlock_rdlock(attr))
SETS(pthread_rwlock_wrlock, 0, pthread_rwlock_t, pthread_rwlock_wrlock(attr))
SETS(pthread_rwlock_tryrdlock, 0, pthread_rwlock_t, pthread_rwlock_tryrdlock(attr))
SETS(pthread_rwlock_trywrlock, 0, pthread_rwlock_t, pthread_rwlock_trywrlock(attr))
INITS(pthread_spin_init, pthread_spinlock_t, pthread_spin_init(attr, 0))
SETS(pthread_spin_destroy, QUIET, pthread_spinlock_t, pthread_spin_destroy(attr))
SETS(pthread_spin_lock, 0, pthread_spinlock_t, pthread_spin_lock(attr))
SETS(pthread_spin_trylock, 0, pthread_spinlock_t, pthread_spin_trylock(attr))
INITS(pthread_barrier_init, pthread_barrier_t, pthread_barrier_init(attr, NULL, 2))
SETS(pthread_barrier_destroy, QUIET, pthread_barrier_t, pthread_barrier_destroy(attr))
INITS(mtx_init, mtx_t, mtx_init(attr, mtx_timed | mtx_recursive))
SETS(mtx_lock, 0, mtx_t, mtx_lock(attr))
INITS(cnd_init, cnd_t, cnd_init(attr))
SETS(cnd_signal, QUIET, cnd_t, cnd_signal(attr))
SETS(cnd_broadcast, QUIET, cnd_t, cnd_broadcast(attr))
INITS(sem_init, sem_t, sem_init(attr, 0, 3))
SETS(sem_destroy, QUIET, sem_t, sem_destroy(attr))
SETS(sem_post, 0, sem_t, sem_post(attr))
SETS(sem_wait, 0, sem_t, sem_wait(attr))
SETS(sem_trywait, 0, sem_t, sem_trywait(attr))

TORTURE(sem_timedwait, KERNEL)
{
    sem_t *semaphore = PLACE(sem_t);
    struct timespec end = soon(1);
    int error;

    sem_init(semaphore, 0, 1);
    CALL(error = sem_timedwait(semaphore, &end));
    EXPECT(error == 0);
    CALL(error = sem_timedwait(semaphore, &end));
    EXPECT(error == -1 && errno == ETIMEDOUT);
}

TORTURE(sem_getvalue, 0)
{
    sem_t semaphore;
    int *value = PLACE(int);

    sem_init(&semaphore, 0, 3);
    CALL(sem_getvalue(&semaphore, value));
    EXPECT(*value == 3);
}

TORTURE(sem_open, KERNEL | QUIET | NATIVE)
{
    sem_t *semaphore;

    CALL(semaphore = sem_open("/torture", O_CREAT, 0600, 1));
    EXPECT(semaphore != SEM_FAILED);
    sem_unlink("/torture");
    CALL(sem_close(semaphore));
}

TORTURE(sem_close, QUIET | KERNEL | NATIVE)
{
    sem_t *semaphore = sem_open("/torture", O_CREAT, 0600, 1);
    int error;

    sem_unlink("/torture");
    CALL(error = sem_close(semaphore));
    EXPECT(error == 0);
}

TORTURE(mtx_destroy, QUIET)
{
    mtx_t *lock = PLACE(mtx_t);

    mtx_init(lock, mtx_plain);
    CALL(mtx_destroy(lock));
}

TORTURE(cnd_destroy, QUIET)
{
    cnd_t *condition = PLACE(cnd_t);

    cnd_init(condition);
    CALL(cnd_destroy(condition));
}

TORTURE(mtx_trylock, 0)
{
    mtx_t *lock = PLACE(mtx_t);
    int error;

    mtx_init(lock, mtx_plain);
    CALL(error = mtx_trylock(lock));
    EXPECT(error == thrd_success);
}

TORTURE(mtx_unlock, 0)
{
    mtx_t *lock = PLACE(mtx_t);
    int error;

    mtx_init(lock, mtx_plain);
    mtx_lock(lock);
    CALL(error = mtx_unlock(lock));
    EXPECT(error == thrd_success);
}

/* Locked already: the count of waiters is written while it waits. */
#define WAITS(function, object, lock, call, expected)                                              \
    TORTURE(function, KERNEL)                                                                      \
    {                                                                                              \
        object *attr = PLACE(object);                                                              \
        struct timespec end = soon(2);                                                             \
        int error;                                                                                 \
                                                                                                   \
        object##_begin(attr);                                                                      \
        CALL(error = lock(attr));                                                                  \
        EXPECT(error == 0);                                                                        \
        CALL(error = call(attr, &end));                                                            \
        EXPECT(error == (expected));                                                               \
    }

WAITS(pthread_mutex_timedlock, pthread_mutex_t, pthread_mutex_lock, pthread_mutex_timedlock,
      ETIMEDOUT)
WAITS(mtx_timedlock, mtx_t, mtx_lock, mtx_timedlock, thrd_timedout)
WAITS(pthread_rwlock_timedrdlock, pthread_rwlock_t, pthread_rwlock_wrlock,
      pthread_rwlock_timedrdlock, ETIMEDOUT)
WAITS(pthread_rwlock_timedwrlock, pthread_rwlock_t, pthread_rwlock_rdlock,
      pthread_rwlock_timedwrlock, ETIMEDOUT)

TORTURE(pthread_rwlock_unlock, 0)
{
    pthread_rwlock_t *lock = PLACE(pthread_rwlock_t);
    int error;

    pthread_rwlock_init(lock, NULL);
    pthread_rwlock_wrlock(lock);
    CALL(error = pthread_rwlock_unlock(lock));
    EXPECT(error == 0);
}

TORTURE(pthread_mutex_unlock, 0)
{
    pthread_mutex_t *lock = PLACE(pthread_mutex_t);
    int error;

    pthread_mutex_init(lock, NULL);
    pthread_mutex_lock(lock);
    CALL(error = pthread_mutex_unlock(lock));
    EXPECT(error == 0);
}

TORTURE(pthread_spin_unlock, 0)
{
    pthread_spinlock_t *lock = PLACE(pthread_spinlock_t);

    pthread_spin_init(lock, 0);
    pthread_spin_lock(lock);
    CALL(pthread_spin_unlock(lock));
    EXPECT(*lock == 0);
}

/* A thread ends with a robust lock in its hand: the kernel, in an enclave the runtime, writes its
 * word. */
static void *take_and_end(void *lock)
{
    pthread_mutex_lock(lock);
    return NULL;
}

static void robust_mutex(pthread_mutex_t *lock, int protocol)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setprotocol(&attr, protocol);
    pthread_mutex_init(lock, &attr);
}

TORTURE(pthread_mutex_consistent, KERNEL)
{
    pthread_mutex_t *lock = PLACE(pthread_mutex_t);
    pthread_t thread;
    int error;

    robust_mutex(lock, PTHREAD_PRIO_NONE);
    pthread_create(&thread, NULL, take_and_end, lock);
    CALL(pthread_join(thread, NULL));
    CALL(error = pthread_mutex_lock(lock));
    EXPECT(error == EOWNERDEAD);
    CALL(error = pthread_mutex_consistent(lock));
    EXPECT(error == 0);
    CALL(pthread_mutex_unlock(lock));
}

TORTURE(robust_ending, KERNEL)
{
    pthread_mutex_t *lock = PLACE(pthread_mutex_t);
    pthread_t thread;

    robust_mutex(lock, PTHREAD_PRIO_NONE);
    CALL(pthread_create(&thread, NULL, take_and_end, lock); pthread_join(thread, NULL));
    EXPECT(pthread_mutex_lock(lock) == EOWNERDEAD);
    pthread_mutex_consistent(lock);
    pthread_mutex_unlock(lock);
}

TORTURE(priority_inheriting, KERNEL)
{
    pthread_mutex_t *lock = PLACE(pthread_mutex_t);
    int error;

    robust_mutex(lock, PTHREAD_PRIO_INHERIT);
    CALL(error = pthread_mutex_lock(lock));
    EXPECT(error == 0);
    CALL(error = pthread_mutex_unlock(lock));
    EXPECT(error == 0);
}

struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t condition;
    pthread_barrier_t barrier;
    int ready;
};

static struct meeting *meet(void)
{
    struct meeting *meeting = PLACE(struct meeting);

    pthread_mutex_init(&meeting->lock, NULL);
    pthread_cond_init(&meeting->condition, NULL);
    pthread_barrier_init(&meeting->barrier, NULL, 2);
    meeting->ready = 0;
    return meeting;
}

static void *say_ready(void *argument)
{
    struct meeting *meeting = argument;

    pthread_mutex_lock(&meeting->lock);
    meeting->ready = 1;
    pthread_cond_broadcast(&meeting->condition);
    pthread_cond_signal(&meeting->condition);
    pthread_mutex_unlock(&meeting->lock);
    return NULL;
}

TORTURE(pthread_cond_wait, KERNEL)
{
    struct meeting *meeting = meet();
    pthread_t thread;

    CALL(pthread_mutex_lock(&meeting->lock); pthread_create(&thread, NULL, say_ready, meeting);
         while (!meeting->ready) pthread_cond_wait(&meeting->condition, &meeting->lock);
         pthread_mutex_unlock(&meeting->lock); pthread_join(thread, NULL));
    EXPECT(meeting->ready);
}

TORTURE(pthread_cond_timedwait, KERNEL | QUIET)
{
    struct meeting *meeting = meet();
    struct timespec end = soon(2);
    int error;

    pthread_mutex_lock(&meeting->lock);
    CALL(error = pthread_cond_timedwait(&meeting->condition, &meeting->lock, &end));
    EXPECT(error == ETIMEDOUT);
    pthread_mutex_unlock(&meeting->lock);
}

static void *wait_at_barrier(void *argument)
{
    struct meeting *meeting = argument;

    pthread_barrier_wait(&meeting->barrier);
    return NULL;
}

TORTURE(pthread_barrier_wait, KERNEL | QUIET)
{
    struct meeting *meeting = meet();
    pthread_t thread;

    pthread_create(&thread, NULL, wait_at_barrier, meeting);
    CALL(pthread_barrier_wait(&meeting->barrier));
    pthread_join(thread, NULL);
}

struct meeting_c11 {
    mtx_t lock;
    cnd_t condition;
    int ready;
};

static int say_ready_c11(void *argument)
{
    struct meeting_c11 *meeting = argument;

    mtx_lock(&meeting->lock);
    meeting->ready = 1;
    cnd_broadcast(&meeting->condition);
    mtx_unlock(&meeting->lock);
    return 9;
}

static struct meeting_c11 *meet_c11(void)
{
    struct meeting_c11 *meeting = PLACE(struct meeting_c11);

    mtx_init(&meeting->lock, mtx_timed);
    cnd_init(&meeting->condition);
    meeting->ready = 0;
    return meeting;
}

TORTURE(cnd_wait, KERNEL)
{
    struct meeting_c11 *meeting = meet_c11();
    thrd_t thread;

    CALL(mtx_lock(&meeting->lock); thrd_create(&thread, say_ready_c11, meeting);
         while (!meeting->ready) cnd_wait(&meeting->condition, &meeting->lock);
         mtx_unlock(&meeting->lock); thrd_join(thread, NULL));
    EXPECT(meeting->ready);
}

TORTURE(cnd_timedwait, KERNEL | QUIET)
{
    struct meeting_c11 *meeting = meet_c11();
    struct timespec end = soon(2);
    int error;

    mtx_lock(&meeting->lock);
    CALL(error = cnd_timedwait(&meeting->condition, &meeting->lock, &end));
    EXPECT(error == thrd_timedout);
}

/* ---- threads ---- */

static void *same(void *argument)
{
    return argument;
}

static int same_c11(void *argument)
{
    (void)argument;
    return 9;
}

TORTURE(pthread_create, KERNEL)
{
    pthread_t *thread = PLACE(pthread_t);
    int error;

    CALL(error = pthread_create(thread, NULL, same, NULL));
    EXPECT(error == 0);
    pthread_join(*thread, NULL);
}

#define JOINS(function, call)                                                                      \
    TORTURE(function, KERNEL)                                                                      \
    {                                                                                              \
        void **value = PLACE(void *);                                                              \
        struct timespec end = soon(10000);                                                         \
        pthread_t thread;                                                                          \
        int error;                                                                                 \
                                                                                                   \
        (void)end;                                                                                 \
        pthread_create(&thread, NULL, same, value);                                                \
        CALL(do error = call; while (error == EBUSY));                                             \
        EXPECT(error == 0 && *value == value);                                                     \
    }

JOINS(pthread_join, pthread_join(thread, value))
JOINS(pthread_timedjoin_np, pthread_timedjoin_np(thread, value, &end))
JOINS(pthread_tryjoin_np, pthread_tryjoin_np(thread, value))

TORTURE(thrd_create, KERNEL)
{
    thrd_t *thread = PLACE(thrd_t);
    int *value = PLACE(int), error;

    CALL(error = thrd_create(thread, same_c11, NULL));
    EXPECT(error == thrd_success);
    CALL(thrd_join(*thread, value));
    EXPECT(*value == 9);
}

TORTURE(thrd_join, KERNEL)
{
    int *value = PLACE(int);
    thrd_t thread;

    thrd_create(&thread, same_c11, NULL);
    CALL(thrd_join(thread, value));
    EXPECT(*value == 9);
}

TORTURE(thrd_sleep, KERNEL | QUIET)
{
    struct timespec *rest = PLACE(struct timespec), little = {0, 1000};

    CALL(thrd_sleep(&little, rest));
}

static void initialise(void)
{
}

TORTURE(pthread_once, 0)
{
    pthread_once_t *once = memset(PLACE(pthread_once_t), 0, sizeof(*once));

    CALL(pthread_once(once, initialise));
}

TORTURE(call_once, 0)
{
    once_flag *once = memset(PLACE(once_flag), 0, sizeof(*once));

    CALL(call_once(once, initialise));
}

TORTURE(pthread_key_create, KERNEL)
{
    pthread_key_t *key = PLACE(pthread_key_t);
    int error;

    CALL(error = pthread_key_create(key, NULL));
    EXPECT(error == 0);
    pthread_key_delete(*key);
}

TORTURE(pthread_setspecific, QUIET)
{
    pthread_key_t key;

    pthread_key_create(&key, NULL);
    CALL(pthread_setspecific(key, &key));
    EXPECT(pthread_getspecific(key) == &key);
    pthread_key_delete(key);
}

TORTURE(tss_create, KERNEL)
{
    tss_t *key = PLACE(tss_t);
    int error;

    CALL(error = tss_create(key, NULL));
    EXPECT(error == thrd_success);
    tss_delete(*key);
}

TORTURE(tss_set, QUIET)
{
    tss_t key;

    tss_create(&key, NULL);
    CALL(tss_set(key, &key));
    EXPECT(tss_get(key) == &key);
    tss_delete(key);
}

TORTURE(pthread_getattr_np, KERNEL)
{
    pthread_attr_t *attr = PLACE(pthread_attr_t);
    int error;

    CALL(error = pthread_getattr_np(pthread_self(), attr));
    EXPECT(error == 0);
}

TORTURE(pthread_getattr_default_np, KERNEL)
{
    pthread_attr_t *attr = PLACE(pthread_attr_t);
    int error;

    CALL(error = pthread_getattr_default_np(attr));
    EXPECT(error == 0);
}

TORTURE(pthread_getname_np, KERNEL)
{
    char *name = TEXT(16);
    int error;

    pthread_setname_np(pthread_self(), "tortured");
    CALL(error = pthread_getname_np(pthread_self(), name, 16));
    EXPECT(error == 0 && !strcmp(name, "tortured"));
}

TORTURE(pthread_getschedparam, KERNEL)
{
    int *policy = PLACE(int), error;
    struct sched_param *param = PLACE(struct sched_param);

    CALL(error = pthread_getschedparam(pthread_self(), policy, param));
    EXPECT(error == 0 && *policy == SCHED_OTHER && param->sched_priority == 0);
}

TORTURE(pthread_getcpuclockid, 0)
{
    clockid_t *clock = PLACE(clockid_t);
    int error;

    CALL(error = pthread_getcpuclockid(pthread_self(), clock));
    EXPECT(error == 0);
}

TORTURE(pthread_getaffinity_np, KERNEL)
{
    cpu_set_t *set = PLACE(cpu_set_t);
    int error;

    CALL(error = pthread_getaffinity_np(pthread_self(), sizeof(*set), set));
    EXPECT(error == 0 && CPU_COUNT(set) > 0);
}

TORTURE(pthread_setcancelstate, 0)
{
    int *old = PLACE(int);

    CALL(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, old));
    EXPECT(*old == PTHREAD_CANCEL_ENABLE);
}

TORTURE(pthread_setcanceltype, 0)
{
    int *old = PLACE(int);

    CALL(pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, old));
    EXPECT(*old == PTHREAD_CANCEL_DEFERRED);
}

/* The buffer of a cleanup is the caller's; it is a chain through the thread's own memory. */
static void cleaned(void *to)
{
    *(int *)to = 8;
}

TORTURE(_pthread_cleanup_push, 0)
{
    struct __ptcb *buffer = PLACE(struct __ptcb);
    int *to = PLACE(int);

    CALL(_pthread_cleanup_push(buffer, cleaned, to));
    EXPECT(buffer->__x == to);
    _pthread_cleanup_pop(buffer, 0);
}

TORTURE(_pthread_cleanup_pop, 0)
{
    struct __ptcb *buffer = PLACE(struct __ptcb);
    int *to = PLACE(int);

    _pthread_cleanup_push(buffer, cleaned, to);
    CALL(_pthread_cleanup_pop(buffer, 1));
    EXPECT(*to == 8);
}

/* Both give EINVAL in musl. */
TORTURE(pthread_mutex_getprioceiling, QUIET)
{
    pthread_mutex_t lock;
    int *ceiling = PLACE(int), error;

    pthread_mutex_init(&lock, NULL);
    CALL(error = pthread_mutex_getprioceiling(&lock, ceiling));
    EXPECT(error == EINVAL);
}

TORTURE(pthread_mutex_setprioceiling, QUIET)
{
    pthread_mutex_t lock;
    int *ceiling = PLACE(int), error;

    pthread_mutex_init(&lock, NULL);
    CALL(error = pthread_mutex_setprioceiling(&lock, 5, ceiling));
    EXPECT(error == EINVAL);
}

/* ---- sched.h ---- */

TORTURE(sched_getaffinity, KERNEL)
{
    cpu_set_t *set = PLACE(cpu_set_t);
    int error;

    CALL(error = sched_getaffinity(0, sizeof(*set), set));
    EXPECT(error == 0 && CPU_COUNT(set) > 0);
}

TORTURE(sched_rr_get_interval, KERNEL)
{
    struct timespec *interval = PLACE(struct timespec);
    int error;

    CALL(error = sched_rr_get_interval(0, interval));
    EXPECT(error == 0 && interval->tv_nsec < 1000000000);
}

/* ENOSYS in musl; the kernel's call writes. */
TORTURE(sched_getparam, QUIET)
{
    struct sched_param *param = PLACE(struct sched_param);
    int error;

    CALL(error = sched_getparam(0, param));
    EXPECT(error == -1 && errno == ENOSYS);
}

TORTURE(sched_getparam_syscall, KERNEL)
{
    struct sched_param *param = PLACE(struct sched_param);
    long error;

    CALL(error = syscall(SYS_sched_getparam, 0, param));
    EXPECT(error == 0 && param->sched_priority == 0);
}

TORTURE(sched_getattr_syscall, KERNEL)
{
    char *out = TEXT(48);
    long error;

    CALL(error = syscall(SYS_sched_getattr, 0, out, 48, 0));
    EXPECT(error == 0);
}

TORTURE(getcpu_syscall, KERNEL)
{
    unsigned *cpu = PLACE(unsigned), *node = PLACE(unsigned);
    long error;

    CALL(error = syscall(SYS_getcpu, cpu, node, NULL));
    EXPECT(error == 0);
}

TORTURE(get_robust_list_syscall, KERNEL)
{
    void **head = PLACE(void *);
    size_t *length = PLACE(size_t);
    long error;

    CALL(error = syscall(SYS_get_robust_list, 0, head, length));
    EXPECT(error == 0);
}

/* The kernel changes the second word. */
TORTURE(futex_wake_op_syscall, KERNEL)
{
    unsigned *first = PLACE(unsigned), *second = PLACE(unsigned);
    const unsigned add_one = 1u << 28 | 1u << 12;
    long woken;

    *first = *second = 5;
    CALL(woken = syscall(SYS_futex, first, 5 /* FUTEX_WAKE_OP */, 1, 1, second, add_one));
    EXPECT(woken == 0 && *second == 6);
}
