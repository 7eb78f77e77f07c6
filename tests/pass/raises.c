/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A victim: sends signals to itself for ever.  The handler has to have run when the call is back,
 * also while a move makes handlers wait for safepoints: behind a system call is one.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "tests/lib/victim.h"

static atomic_bool g_end;
static atomic_ulong g_signals;
static volatile sig_atomic_t g_handled;

static void handle(int number)
{
    g_handled = number;
}

static void *raiser(void *unused)
{
    (void)unused;
    while (!atomic_load(&g_end)) {
        g_handled = 0;
        raise(SIGUSR1);
        VICTIM_CHECK_THAT(g_handled == SIGUSR1, "raise came back before the handler");
        g_handled = 0;
        pthread_kill(pthread_self(), SIGUSR2);
        VICTIM_CHECK_THAT(g_handled == SIGUSR2, "pthread_kill came back before the handler");
        atomic_fetch_add(&g_signals, 2);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = handle};
    pthread_t thread;

    victim_begin(argc, argv);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    if (pthread_create(&thread, NULL, raiser, NULL))
        victim_abort("no thread");
    victim_ready();
    while (victim_wait()) {
        victim_value("signals", "%lu", atomic_load(&g_signals));
        victim_answer();
    }
    atomic_store(&g_end, true);
    pthread_join(thread, NULL);
    return victim_finish();
}
