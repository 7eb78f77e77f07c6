/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals: handlers with their information, nested and masked; an alternate stack that a handler
 * stays on over a move; sigsuspend; recovery from SIGSEGV, SIGFPE and SIGTRAP; floating point state
 * around handlers; and signals that wait, blocked, over a move: one of each kind, and queued ones
 * with values.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/victim.h"

enum { QUEUED = 5, ALTSTACK_BYTES = 64 * 1024 };

static _Atomic bool g_end;
static _Atomic uint64_t g_outer, g_inner, g_suspended, g_recovered, g_ticks;

/* ---- nested handlers: the outer one raises the inner one and is not left before it ---- */

static _Thread_local volatile int t_depth;

static void on_inner(int number, siginfo_t *info, void *context)
{
    (void)context;
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    VICTIM_CHECK_THAT(t_depth == 1, "the inner handler ran at depth %d", t_depth);
    VICTIM_CHECK_THAT(sigismember(&now, SIGUSR1) && sigismember(&now, number),
                      "the inner handler's mask is wrong");
    VICTIM_CHECK_THAT(info->si_signo == number && info->si_code == SI_TKILL,
                      "the inner handler was told %d, code %d", info->si_signo, info->si_code);
    atomic_fetch_add(&g_inner, 1);
}

static void on_outer(int number, siginfo_t *info, void *context)
{
    (void)context;
    int error = errno;
    t_depth++;
    VICTIM_CHECK_THAT(info->si_signo == number, "handler of %d was told %d", number,
                      info->si_signo);
    volatile double x = 1.5; /* other floating point state than the interrupted code's */
    for (int i = 0; i < 50; i++)
        x = x * 1.0001 + 0.1;
    uint64_t before = atomic_load(&g_inner);
    pthread_kill(pthread_self(), SIGUSR2);
    VICTIM_CHECK_THAT(atomic_load(&g_inner) == before + 1,
                      "the nested signal did not come at once");
    t_depth--;
    atomic_fetch_add(&g_outer, 1);
    errno = error;
}

static void *nester_main(void *argument)
{
    (void)argument;
    double sum = 0;
    for (uint64_t i = 1; !atomic_load(&g_end); i++) {
        uint64_t before = atomic_load(&g_outer);
        double a = (double)i, b = 1 / a;
        pthread_kill(pthread_self(), SIGUSR1);
        VICTIM_CHECK_THAT(atomic_load(&g_outer) == before + 1, "a signal to myself came late");
        VICTIM_CHECK_THAT(b == 1 / a && t_depth == 0, "state is wrong after a handler");
        sum += b;
        if (i % 64 == 0)
            victim_sleep_ms(1);
    }
    VICTIM_CHECK_THAT(sum > 1, "no sum");
    return NULL;
}

/* ---- sigsuspend, woken by another thread, every wake-up counted ---- */

static pthread_t g_suspender;

static void on_tick(int number)
{
    (void)number;
    atomic_fetch_add(&g_ticks, 1);
}

static void *suspender_main(void *argument)
{
    (void)argument;
    sigset_t blocked, open, now;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGRTMIN + 3);
    pthread_sigmask(SIG_BLOCK, &blocked, &open);
    sigdelset(&open, SIGRTMIN + 3);
    while (!atomic_load(&g_end)) {
        uint64_t before = atomic_load(&g_ticks);
        int e = sigsuspend(&open);
        VICTIM_CHECK_THAT(e == -1 && errno == EINTR, "sigsuspend gave %d", e);
        VICTIM_CHECK_THAT(atomic_load(&g_ticks) > before, "sigsuspend ended without its signal");
        pthread_sigmask(SIG_SETMASK, NULL, &now);
        VICTIM_CHECK_THAT(sigismember(&now, SIGRTMIN + 3), "sigsuspend left its mask behind");
        atomic_fetch_add(&g_suspended, 1);
    }
    return NULL;
}

static void *waker_main(void *argument)
{
    (void)argument;
    for (uint64_t sent = 0; !atomic_load(&g_end);) {
        pthread_kill(g_suspender, SIGRTMIN + 3);
        sent++;
        for (int ms = 0; ms < 5000 && atomic_load(&g_ticks) < sent; ms++)
            victim_sleep_ms(1);
        VICTIM_CHECK_THAT(atomic_load(&g_ticks) == sent, "%lu signals sent, %lu came", sent,
                          atomic_load(&g_ticks));
    }
    return NULL;
}

/* ---- faults and recovery ---- */

static _Thread_local sigjmp_buf t_recover;
static _Thread_local void *volatile t_fault;
static void *g_forbidden;
static void *volatile g_low = (void *)8; /* never mapped */

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    t_fault = number == SIGSEGV ? info->si_addr : NULL;
    siglongjmp(t_recover, number);
}

static void fault_once(unsigned kind)
{
    static const int expected[] = {SIGSEGV, SIGSEGV, SIGFPE, SIGILL};
    int number = sigsetjmp(t_recover, 1);
    if (number == 0) {
        volatile int zero = 0, seven = 7;
        if (kind == 0)
            *(volatile int *)g_forbidden = 1;
        else if (kind == 1)
            (void)*(volatile int *)g_low;
        else if (kind == 2)
            zero = seven / zero;
        else
            __asm__ volatile("ud2");
        victim_fail("fault %u did not fault", kind);
        return;
    }
    VICTIM_CHECK_THAT(number == expected[kind], "fault %u came as signal %d", kind, number);
    VICTIM_CHECK_THAT(kind > 1 || t_fault == (kind ? g_low : g_forbidden), "fault address is %p",
                      t_fault);
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    VICTIM_CHECK_THAT(!sigismember(&now, number), "siglongjmp left the mask closed");
    atomic_fetch_add(&g_recovered, 1);
}

static void *faulter_main(void *argument)
{
    (void)argument;
    for (unsigned i = 0; !atomic_load(&g_end); i++) {
        fault_once(i % 4);
        if (i % 16 == 0)
            victim_sleep_ms(1);
    }
    return NULL;
}

/* ---- a handler that stays on the alternate stack ---- */

static char g_altstack[ALTSTACK_BYTES];
static _Atomic bool g_on_altstack, g_leave_altstack;

static void on_alternate(int number)
{
    volatile char here = 1;
    stack_t now;
    (void)number;
    VICTIM_CHECK_THAT((char *)&here > g_altstack && (char *)&here < g_altstack + ALTSTACK_BYTES,
                      "the handler is not on the alternate stack");
    atomic_store(&g_on_altstack, true);
    uint64_t spins = 0;
    while (!atomic_load(&g_leave_altstack))
        spins++;
    sigaltstack(NULL, &now);
    VICTIM_CHECK_THAT(now.ss_flags == SS_ONSTACK, "sigaltstack says that I am not on it");
    VICTIM_CHECK_THAT(here == 1, "the alternate stack lost a byte");
}

static void *alternate_main(void *argument)
{
    (void)argument;
    stack_t stack = {.ss_sp = g_altstack, .ss_size = sizeof g_altstack}, now;
    sigaltstack(&stack, NULL);
    pthread_kill(pthread_self(), SIGRTMIN + 4);
    sigaltstack(NULL, &now);
    VICTIM_CHECK_THAT(now.ss_sp == g_altstack && now.ss_size == sizeof g_altstack && !now.ss_flags,
                      "the alternate stack is not the one that was set");
    return NULL;
}

/* ---- a thread with every signal blocked, SIGSEGV too, that writes all the time ---- */

enum { MASKED_WORDS = 1 << 20 };
static uint64_t g_masked_words[MASKED_WORDS];
static _Atomic uint64_t g_masked_sweeps;

static void *masked_main(void *argument)
{
    (void)argument;
    sigset_t all, now;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    for (uint64_t sweep = 1; !atomic_load(&g_end); sweep++) {
        for (unsigned i = 0; i < MASKED_WORDS; i += 64) {
            VICTIM_CHECK_THAT(g_masked_words[i] == sweep - 1,
                              "a word written with signals blocked is lost");
            g_masked_words[i] = sweep;
        }
        pthread_sigmask(SIG_SETMASK, NULL, &now);
        VICTIM_CHECK_THAT(sigismember(&now, SIGSEGV) && sigismember(&now, SIGUSR1) &&
                              sigismember(&now, SIGBUS),
                          "a blocked signal is no longer blocked");
        atomic_store(&g_masked_sweeps, sweep);
    }
    return NULL;
}

/* ---- signals that wait over a move ---- */

static _Atomic unsigned g_waited, g_queued;
static int g_values[QUEUED];

static void on_waited(int number)
{
    (void)number;
    atomic_fetch_add(&g_waited, 1);
}

static void on_queued(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    unsigned index = atomic_fetch_add(&g_queued, 1);
    if (index < QUEUED)
        g_values[index] = info->si_code == SI_QUEUE ? info->si_value.sival_int : -1;
}

/* SIGHUP to the process, SIGWINCH to this thread, QUEUED values: blocked in all threads. */
static void send_waiting(void)
{
    atomic_store(&g_waited, 0);
    atomic_store(&g_queued, 0);
    kill(getpid(), SIGHUP);
    pthread_kill(pthread_self(), SIGWINCH);
    for (int i = 0; i < QUEUED; i++) {
        union sigval value = {.sival_int = 1000 + i};
        VICTIM_CHECK_THAT(!sigqueue(getpid(), SIGRTMIN + 5, value), "sigqueue: %s",
                          strerror(errno));
    }
}

static void check_waiting(const sigset_t *waiting)
{
    sigset_t pending;
    sigpending(&pending);
    VICTIM_CHECK_THAT(sigismember(&pending, SIGHUP), "SIGHUP no longer waits for the process");
    VICTIM_CHECK_THAT(sigismember(&pending, SIGWINCH), "SIGWINCH no longer waits for the thread");
    VICTIM_CHECK_THAT(sigismember(&pending, SIGRTMIN + 5), "the queued signals no longer wait");
    VICTIM_CHECK_THAT(!atomic_load(&g_waited) && !atomic_load(&g_queued),
                      "a blocked signal was delivered");
    pthread_sigmask(SIG_UNBLOCK, waiting, NULL);
    pthread_sigmask(SIG_BLOCK, waiting, NULL);
    VICTIM_CHECK_THAT(atomic_load(&g_waited) == 2, "%u of 2 waiting signals came",
                      atomic_load(&g_waited));
    unsigned came = atomic_load(&g_queued);
    VICTIM_CHECK_THAT(came == QUEUED, "%u of %d queued signals came", came, QUEUED);
    for (unsigned i = 0; i < came && i < QUEUED; i++)
        VICTIM_CHECK_THAT(g_values[i] == 1000 + (int)i, "queued value %u is %d", i, g_values[i]);
}

static void handle(int number, void *handler, int flags)
{
    struct sigaction action = {.sa_flags = flags};
    if (flags & SA_SIGINFO)
        action.sa_sigaction = (void (*)(int, siginfo_t *, void *))(uintptr_t)handler;
    else
        action.sa_handler = (void (*)(int))(uintptr_t)handler;
    sigaction(number, &action, NULL);
}

static void set_up(sigset_t *waiting)
{
    handle(SIGUSR1, on_outer, SA_SIGINFO | SA_RESTART);
    handle(SIGUSR2, on_inner, SA_SIGINFO | SA_RESTART);
    handle(SIGRTMIN + 3, on_tick, 0);
    handle(SIGRTMIN + 4, on_alternate, SA_ONSTACK | SA_RESTART);
    handle(SIGSEGV, on_fault, SA_SIGINFO | SA_NODEFER);
    handle(SIGFPE, on_fault, SA_SIGINFO);
    handle(SIGILL, on_fault, SA_SIGINFO | SA_ONSTACK);
    handle(SIGHUP, on_waited, SA_RESTART);
    handle(SIGWINCH, on_waited, SA_RESTART);
    handle(SIGRTMIN + 5, on_queued, SA_SIGINFO | SA_RESTART);
    g_forbidden = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigemptyset(waiting);
    sigaddset(waiting, SIGHUP);
    sigaddset(waiting, SIGWINCH);
    sigaddset(waiting, SIGRTMIN + 5);
    pthread_sigmask(SIG_BLOCK, waiting, NULL);
}

static void check(const sigset_t *waiting)
{
    check_waiting(waiting);
    victim_value("nested", "%lu", atomic_load(&g_outer));
    victim_value("suspended", "%lu", atomic_load(&g_suspended));
    victim_value("masked_sweeps", "%lu", atomic_load(&g_masked_sweeps));
    victim_value("recovered", "%lu", atomic_load(&g_recovered));
    VICTIM_CHECK_THAT(atomic_load(&g_on_altstack), "the handler left the alternate stack");
}

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    sigset_t waiting;
    set_up(&waiting);
    pthread_t nester, waker, faulter, alternate, masked;
    if (pthread_create(&nester, NULL, nester_main, NULL) ||
        pthread_create(&g_suspender, NULL, suspender_main, NULL) ||
        pthread_create(&waker, NULL, waker_main, NULL) ||
        pthread_create(&faulter, NULL, faulter_main, NULL) ||
        pthread_create(&masked, NULL, masked_main, NULL) ||
        pthread_create(&alternate, NULL, alternate_main, NULL))
        victim_abort("no thread");
    while (!atomic_load(&g_on_altstack))
        victim_sleep_ms(1);
    send_waiting();
    victim_ready();
    while (victim_wait()) {
        check(&waiting);
        send_waiting();
        victim_answer();
    }
    check(&waiting);
    atomic_store(&g_leave_altstack, true);
    atomic_store(&g_end, true);
    pthread_join(alternate, NULL);
    pthread_join(nester, NULL);
    pthread_join(waker, NULL);
    pthread_join(faulter, NULL);
    pthread_join(masked, NULL);
    pthread_kill(g_suspender, SIGRTMIN + 3);
    pthread_join(g_suspender, NULL);
    return victim_finish();
}
