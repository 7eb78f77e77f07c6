/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads in all their dealings: creation and exit all the time, thread-local storage, mutexes of
 * every kind, condition variables, a barrier, a rwlock, a semaphore, a detached thread,
 * pthread_once. Every count has to come out exact.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/lib/victim.h"

enum { CHURNERS = 2, LOCKERS = 3, PARTY = 3 };

static _Atomic bool g_end;
static _Atomic uint64_t g_created, g_detached, g_locked, g_turns, g_parties;

/* --- creation, exit, thread-local storage --- */

static _Thread_local uint64_t t_value = 7;
static _Thread_local uint64_t t_array[512];

static void *short_life(void *argument)
{
    uint64_t seed = (uint64_t)(uintptr_t)argument;
    VICTIM_CHECK_THAT(t_value == 7 && t_array[511] == 0, "a new thread has old local storage");
    t_value = seed;
    for (int i = 0; i < 512; i++)
        t_array[i] = victim_mix(seed + (uint64_t)i);
    sched_yield();
    for (int i = 0; i < 512; i++)
        VICTIM_CHECK_THAT(t_array[i] == victim_mix(seed + (uint64_t)i), "local storage is wrong");
    VICTIM_CHECK_THAT(t_value == seed, "a local variable is wrong");
    return (void *)(uintptr_t)victim_mix(seed);
}

static void *detached_life(void *argument)
{
    short_life(argument);
    atomic_fetch_add(&g_detached, 1);
    return NULL;
}

static void *churner_main(void *argument)
{
    uint64_t seed = (uint64_t)(uintptr_t)argument << 32, detached = 0;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    while (!atomic_load(&g_end)) {
        pthread_t thread[4], loner;
        uint64_t first = seed;
        for (int i = 0; i < 4; i++) {
            if (pthread_create(&thread[i], NULL, short_life, (void *)(uintptr_t)++seed))
                victim_abort("pthread_create failed");
        }
        if (pthread_create(&loner, &attributes, detached_life, (void *)(uintptr_t)++seed))
            victim_abort("pthread_create failed");
        detached++;
        for (int i = 0; i < 4; i++) {
            void *result = NULL;
            pthread_join(thread[i], &result);
            VICTIM_CHECK_THAT((uint64_t)(uintptr_t)result == victim_mix(first + 1 + (uint64_t)i),
                              "pthread_join gave another result");
        }
        atomic_fetch_add(&g_created, 5);
        victim_sleep_ms(1);
    }
    return (void *)(uintptr_t)detached;
}

/* --- one counter under every kind of lock --- */

static pthread_mutex_t g_plain = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t g_recursive, g_checking;
static pthread_rwlock_t g_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t g_spin;
static sem_t g_semaphore;
static uint64_t g_under[5];

static void *locker_main(void *argument)
{
    (void)argument;
    uint64_t mine = 0;
    while (!atomic_load(&g_end)) {
        pthread_mutex_lock(&g_plain);
        g_under[0]++;
        pthread_mutex_unlock(&g_plain);
        pthread_mutex_lock(&g_recursive);
        VICTIM_CHECK_THAT(!pthread_mutex_lock(&g_recursive), "recursive lock refused");
        g_under[1]++;
        pthread_mutex_unlock(&g_recursive);
        pthread_mutex_unlock(&g_recursive);
        pthread_mutex_lock(&g_checking);
        VICTIM_CHECK_THAT(pthread_mutex_lock(&g_checking) == EDEADLK, "owner was not known");
        g_under[2]++;
        VICTIM_CHECK_THAT(!pthread_mutex_unlock(&g_checking), "owner was not known at unlock");
        pthread_rwlock_wrlock(&g_rwlock);
        g_under[3]++;
        pthread_rwlock_unlock(&g_rwlock);
        sem_wait(&g_semaphore);
        g_under[4]++;
        sem_post(&g_semaphore);
        mine++;
    }
    atomic_fetch_add(&g_locked, mine);
    return NULL;
}

/* --- turns by condition variable, rounds by barrier --- */

static pthread_cond_t g_turn_changed = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t g_turn_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned g_turn;

static void *turn_main(void *argument)
{
    unsigned me = (unsigned)(uintptr_t)argument;
    pthread_mutex_lock(&g_turn_lock);
    for (;;) {
        while (g_turn % 2 != me && !atomic_load(&g_end))
            pthread_cond_wait(&g_turn_changed, &g_turn_lock);
        if (atomic_load(&g_end))
            break;
        g_turn++;
        atomic_fetch_add(&g_turns, 1);
        pthread_cond_broadcast(&g_turn_changed);
    }
    pthread_mutex_unlock(&g_turn_lock);
    return NULL;
}

static pthread_barrier_t g_party;
static _Atomic bool g_party_over;
static _Atomic uint64_t g_arrived;

static void *guest_main(void *argument)
{
    (void)argument;
    for (uint64_t round = 1;; round++) {
        atomic_fetch_add(&g_arrived, 1);
        int last = pthread_barrier_wait(&g_party) == PTHREAD_BARRIER_SERIAL_THREAD;
        VICTIM_CHECK_THAT(atomic_load(&g_arrived) == round * PARTY,
                          "the barrier let one pass early");
        if (last) {
            atomic_store(&g_party_over, atomic_load(&g_end));
            atomic_fetch_add(&g_parties, 1);
        }
        pthread_barrier_wait(&g_party);
        if (atomic_load(&g_party_over))
            return NULL;
    }
}

static void set_up(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&g_recursive, &attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&g_checking, &attributes);
    pthread_spin_init(&g_spin, PTHREAD_PROCESS_PRIVATE);
    sem_init(&g_semaphore, 0, 1);
    pthread_barrier_init(&g_party, NULL, PARTY);
}

static void check(uint64_t before[4])
{
    uint64_t now[4] = {atomic_load(&g_created), atomic_load(&g_turns), atomic_load(&g_parties),
                       g_under[0]};
    static const char *const name[4] = {"created", "turns", "parties", "locked"};
    for (int i = 0; i < 4; i++) {
        victim_value(name[i], "%lu", now[i]);
        VICTIM_CHECK_THAT(now[i] > before[i], "%s stands still at %lu", name[i], now[i]);
        before[i] = now[i];
    }
}

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    set_up();
    pthread_t churner[CHURNERS], locker[LOCKERS], turn[2], guest[PARTY];
    int error = 0;
    for (int i = 0; i < CHURNERS; i++)
        error |= pthread_create(&churner[i], NULL, churner_main, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < LOCKERS; i++)
        error |= pthread_create(&locker[i], NULL, locker_main, NULL);
    for (int i = 0; i < 2; i++)
        error |= pthread_create(&turn[i], NULL, turn_main, (void *)(uintptr_t)i);
    for (int i = 0; i < PARTY; i++)
        error |= pthread_create(&guest[i], NULL, guest_main, NULL);
    if (error)
        victim_abort("no thread");
    victim_ready();
    uint64_t before[4] = {0};
    while (victim_wait()) {
        check(before);
        victim_answer();
        victim_sleep_ms(50);
    }
    victim_sleep_ms(50);
    check(before);
    atomic_store(&g_end, true);
    pthread_mutex_lock(&g_turn_lock);
    pthread_cond_broadcast(&g_turn_changed);
    pthread_mutex_unlock(&g_turn_lock);
    uint64_t detached = 0;
    for (int i = 0; i < CHURNERS; i++) {
        void *count;
        pthread_join(churner[i], &count);
        detached += (uint64_t)(uintptr_t)count;
    }
    for (int i = 0; i < LOCKERS; i++)
        pthread_join(locker[i], NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(turn[i], NULL);
    for (int i = 0; i < PARTY; i++)
        pthread_join(guest[i], NULL);
    for (int i = 0; i < 5; i++)
        VICTIM_CHECK_THAT(g_under[i] == atomic_load(&g_locked), "lock kind %d let two in", i);
    for (int i = 0; i < 2000 && atomic_load(&g_detached) < detached; i++)
        victim_sleep_ms(5);
    VICTIM_CHECK_THAT(atomic_load(&g_detached) == detached, "%lu detached threads ran, %lu made",
                      atomic_load(&g_detached), detached);
    return victim_finish();
}
