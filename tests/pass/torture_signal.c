/* SPDX-License-Identifier: Apache-2.0 */
/* The libc torture: signal.h, sys/wait.h, sys/signalfd.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/pass/torture.h"

static sigset_t *set(int number)
{
    sigset_t *result = PLACE(sigset_t);

    memset(result, 0, sizeof(*result));
    if (number)
        sigaddset(result, number);
    return result;
}

TORTURE(sigemptyset, 0)
{
    sigset_t *out = set(SIGUSR1);

    CALL(sigemptyset(out));
    EXPECT(!sigismember(out, SIGUSR1));
}

TORTURE(sigfillset, 0)
{
    sigset_t *out = set(0);

    CALL(sigfillset(out));
    EXPECT(sigismember(out, SIGUSR1));
}

TORTURE(sigaddset, 0)
{
    sigset_t *out = set(0);

    CALL(sigaddset(out, SIGUSR1));
    EXPECT(sigismember(out, SIGUSR1));
}

TORTURE(sigdelset, 0)
{
    sigset_t *out = set(SIGUSR1);

    CALL(sigdelset(out, SIGUSR1));
    EXPECT(!sigismember(out, SIGUSR1));
}

TORTURE(sigorset, 0)
{
    sigset_t *out = set(0);

    CALL(sigorset(out, set(SIGUSR1), set(SIGUSR2)));
    EXPECT(sigismember(out, SIGUSR1) && sigismember(out, SIGUSR2));
}

TORTURE(sigandset, 0)
{
    sigset_t *out = set(SIGUSR1);

    CALL(sigandset(out, set(SIGUSR1), set(SIGUSR2)));
    EXPECT(!sigismember(out, SIGUSR1));
}

#define MASKS(function)                                                                            \
    TORTURE(function, KERNEL)                                                                      \
    {                                                                                              \
        sigset_t *add = set(SIGURG), *old = set(SIGUSR1), *again = set(SIGUSR1);                   \
                                                                                                   \
        CALL(function(SIG_BLOCK, add, old));                                                       \
        EXPECT(!sigismember(old, SIGURG) && !sigismember(old, SIGUSR1));                           \
        CALL(function(SIG_SETMASK, old, again));                                                   \
        EXPECT(sigismember(again, SIGURG) && !sigismember(again, SIGUSR1));                        \
    }

MASKS(sigprocmask)
MASKS(pthread_sigmask)

static volatile sig_atomic_t g_handled;
static int *volatile g_written;

static void handle(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (g_written)
        *g_written = info->si_code;
    g_handled = number;
}

static void catch (int number)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};

    g_handled = 0;
    sigaction(number, &action, NULL);
}

TORTURE(sigaction, 0)
{
    struct sigaction *old = memset(PLACE(struct sigaction), 0, sizeof(*old));

    catch (SIGUSR1);
    CALL(sigaction(SIGUSR1, NULL, old));
    EXPECT(old->sa_sigaction == handle && old->sa_flags & SA_SIGINFO);
}

/* The frame of a handler on a stack of its own is written by the kernel, in an enclave by the
 * runtime. */
TORTURE(sigaltstack, KERNEL)
{
    enum { SIZE = 40960 };
    stack_t *old = PLACE(stack_t), other = {.ss_sp = TEXT(SIZE), .ss_size = SIZE}, none;
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    none.ss_flags = SS_DISABLE;
    sigaction(SIGUSR1, &action, NULL);
    EXPECT(!sigaltstack(&other, NULL));
    CALL(sigaltstack(NULL, old));
    EXPECT(old->ss_sp == other.ss_sp);
    g_handled = 0;
    raise(SIGUSR1);
    EXPECT(g_handled == SIGUSR1);
    EXPECT(!sigaltstack(&none, NULL));
}

TORTURE(raise, KERNEL)
{
    g_written = PLACE(int);
    catch (SIGUSR1);
    CALL(raise(SIGUSR1));
    EXPECT(g_handled == SIGUSR1 && *g_written == SI_TKILL);
    g_written = NULL;
}

/* A signal that waits is fetched. */
static sigset_t *pending(int number)
{
    sigset_t *wanted = set(number);

    pthread_sigmask(SIG_BLOCK, wanted, NULL);
    pthread_kill(pthread_self(), number);
    return wanted;
}

static void unblock(sigset_t *wanted)
{
    pthread_sigmask(SIG_UNBLOCK, wanted, NULL);
}

TORTURE(sigpending, KERNEL)
{
    sigset_t *wanted = pending(SIGUSR1), *out = set(0);
    int number;

    CALL(sigpending(out));
    EXPECT(sigismember(out, SIGUSR1));
    sigwait(wanted, &number);
    unblock(wanted);
}

TORTURE(sigwait, KERNEL)
{
    sigset_t *wanted = pending(SIGUSR1);
    int *number = PLACE(int);

    CALL(sigwait(wanted, number));
    EXPECT(*number == SIGUSR1);
    unblock(wanted);
}

TORTURE(sigwaitinfo, KERNEL)
{
    sigset_t *wanted = pending(SIGUSR1);
    siginfo_t *info = PLACE(siginfo_t);

    CALL(sigwaitinfo(wanted, info));
    EXPECT(info->si_signo == SIGUSR1);
    unblock(wanted);
}

TORTURE(sigtimedwait, KERNEL)
{
    sigset_t *wanted = pending(SIGUSR1);
    siginfo_t *info = PLACE(siginfo_t);
    struct timespec most = {10, 0};

    CALL(sigtimedwait(wanted, info, &most));
    EXPECT(info->si_signo == SIGUSR1);
    unblock(wanted);
}

TORTURE(signalfd, KERNEL)
{
    sigset_t *wanted = pending(SIGUSR1);
    struct signalfd_siginfo *info = PLACE(struct signalfd_siginfo);
    int fd = signalfd(-1, wanted, SFD_CLOEXEC | SFD_NONBLOCK);

    CALL(read(fd, info, sizeof(*info)));
    EXPECT(info->ssi_signo == SIGUSR1);
    close(fd);
    unblock(wanted);
}

/* ---- children: an enclave has none ---- */

static pid_t child(int status)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(status);
    EXPECT(pid > 0);
    return pid;
}

#define WAITS(function, call)                                                                      \
    TORTURE(function, KERNEL | NATIVE)                                                             \
    {                                                                                              \
        int *status = PLACE(int);                                                                  \
        struct rusage *usage = PLACE(struct rusage);                                               \
        pid_t pid = child(5);                                                                      \
                                                                                                   \
        (void)usage;                                                                               \
        CALL(pid = call);                                                                          \
        EXPECT(pid > 0 && WEXITSTATUS(*status) == 5);                                              \
    }

WAITS(wait, wait(status))
WAITS(wait3, wait3(status, 0, usage))
WAITS(wait4, wait4(pid, status, 0, usage))
WAITS(waitpid, waitpid(pid, status, 0))

TORTURE(waitid, KERNEL | NATIVE)
{
    siginfo_t *info = PLACE(siginfo_t);

    child(5);
    CALL(waitid(P_ALL, 0, info, WEXITED));
    EXPECT(info->si_status == 5);
}

TORTURE(system, KERNEL | NATIVE | QUIET)
{
    int status;

    CALL(status = system("exit 3"));
    EXPECT(WEXITSTATUS(status) == 3);
}
