/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identity: process and thread ids, thread pointers, the owner of a held mutex, the path of the
 * executable, arguments, environment, working directory, limits: all stay what they were.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/lib/victim.h"

enum { THREADS = 3 };

static struct identity {
    pid_t pid, pgid, sid; /* the parent is another one at each host */
    uid_t uid, euid;
    char exe[512], cwd[512];
    mode_t mask;
    rlim_t stack, files;
    char environment[64];
} g_at_start;

static struct holder {
    pthread_t self;
    pid_t tid;
    pthread_mutex_t held;
    _Atomic unsigned asked, answered;
} g_holders[THREADS];
static _Atomic bool g_end;
static _Atomic unsigned g_signals;

static void on_signal(int number)
{
    (void)number;
    atomic_fetch_add(&g_signals, 1);
}

static void read_identity(struct identity *out)
{
    memset(out, 0, sizeof *out);
    out->pid = (pid_t)syscall(SYS_getpid);
    out->pgid = getpgrp();
    out->sid = getsid(0);
    out->uid = getuid();
    out->euid = geteuid();
    if (readlink("/proc/self/exe", out->exe, sizeof out->exe - 1) < 0)
        victim_fail("/proc/self/exe: %s", strerror(errno));
    if (!getcwd(out->cwd, sizeof out->cwd))
        victim_fail("getcwd: %s", strerror(errno));
    out->mask = umask(022);
    umask(out->mask);
    struct rlimit limit;
    getrlimit(RLIMIT_STACK, &limit);
    out->stack = limit.rlim_cur;
    getrlimit(RLIMIT_NOFILE, &limit);
    out->files = limit.rlim_cur;
    const char *value = getenv("VICTIM_ENVIRONMENT");
    if (value)
        strncpy(out->environment, value, sizeof out->environment - 1);
}

/* Holds an error-checking mutex over the moves: its owner is noted by thread id. */
static void *holder_main(void *argument)
{
    struct holder *h = argument;
    h->self = pthread_self();
    h->tid = (pid_t)syscall(SYS_gettid);
    pthread_mutex_lock(&h->held);
    atomic_store(&h->answered, 1);
    while (!atomic_load(&g_end)) {
        if (atomic_load(&h->asked) < atomic_load(&h->answered)) {
            victim_sleep_ms(1);
            continue;
        }
        pid_t tid = (pid_t)syscall(SYS_gettid);
        VICTIM_CHECK_THAT(tid == h->tid && gettid() == h->tid, "thread id %d was %d", tid, h->tid);
        VICTIM_CHECK_THAT(pthread_equal(pthread_self(), h->self), "pthread_self changed");
        VICTIM_CHECK_THAT(pthread_mutex_lock(&h->held) == EDEADLK, "the held mutex lost its owner");
        VICTIM_CHECK_THAT(!pthread_mutex_unlock(&h->held), "the held mutex could not be unlocked");
        pthread_mutex_lock(&h->held);
        atomic_fetch_add(&h->answered, 1);
    }
    return NULL;
}

static void check(void)
{
    struct identity now;
    read_identity(&now);
    VICTIM_CHECK_THAT(now.pid == g_at_start.pid, "process id %d was %d", now.pid, g_at_start.pid);
    VICTIM_CHECK_THAT(!strcmp(now.exe, g_at_start.exe), "/proc/self/exe is %s, was %s", now.exe,
                      g_at_start.exe);
    VICTIM_CHECK_THAT(!strcmp(now.cwd, g_at_start.cwd), "directory is %s, was %s", now.cwd,
                      g_at_start.cwd);
    VICTIM_CHECK_THAT(!memcmp(&now, &g_at_start, sizeof now),
                      "identity changed: pgid %d/%d sid %d/%d umask %o/%o files %lu/%lu", now.pgid,
                      g_at_start.pgid, now.sid, g_at_start.sid, now.mask, g_at_start.mask,
                      now.files, g_at_start.files);
    unsigned before = atomic_load(&g_signals);
    for (int i = 0; i < THREADS; i++) {
        struct holder *h = &g_holders[i];
        VICTIM_CHECK_THAT(!syscall(SYS_tgkill, now.pid, h->tid, SIGUSR1), "tgkill of thread %d: %s",
                          h->tid, strerror(errno));
        atomic_store(&h->asked, atomic_load(&h->answered));
    }
    VICTIM_CHECK_THAT(!kill(now.pid, SIGUSR1), "kill of myself: %s", strerror(errno));
    for (int i = 0; i < THREADS; i++) {
        struct holder *h = &g_holders[i];
        for (int ms = 0; ms < 5000 && atomic_load(&h->answered) <= atomic_load(&h->asked); ms++)
            victim_sleep_ms(1);
        VICTIM_CHECK_THAT(atomic_load(&h->answered) > atomic_load(&h->asked), "no answer");
    }
    for (int ms = 0; ms < 2000 && atomic_load(&g_signals) < before + THREADS + 1; ms++)
        victim_sleep_ms(1);
    VICTIM_CHECK_THAT(atomic_load(&g_signals) == before + THREADS + 1, "%u signals came, not %u",
                      atomic_load(&g_signals) - before, THREADS + 1);
    victim_value("pid", "%d", now.pid);
    victim_value("exe", "%s", now.exe);
}

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    pthread_mutexattr_t checking;
    pthread_mutexattr_init(&checking);
    pthread_mutexattr_settype(&checking, PTHREAD_MUTEX_ERRORCHECK);
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++) {
        pthread_mutex_init(&g_holders[i].held, &checking);
        if (pthread_create(&thread[i], NULL, holder_main, &g_holders[i]))
            victim_abort("no thread");
        while (!atomic_load(&g_holders[i].answered))
            victim_sleep_ms(1);
    }
    read_identity(&g_at_start);
    victim_ready();
    while (victim_wait()) {
        check();
        victim_answer();
    }
    check();
    atomic_store(&g_end, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    return victim_finish();
}
