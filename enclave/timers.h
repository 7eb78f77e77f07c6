/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's timers: alarm and setitimer, and POSIX timers (timer_create).  The host's kernel
 * runs them; a move reads what is left of each and sets it again at the destination.  Ids of POSIX
 * timers are the program's own, because the kernel's differ from host to host.
 */
#pragma once

#include "enclave/runtime.h"

enum { POSIX_TIMERS_MAX = 1024, INTERVAL_TIMERS = 3 };

/* What is left of a timer.  Of one that counts wall time: when it ends, on the program's
 * CLOCK_MONOTONIC, so that the pause of the move counts; of one that counts CPU time: how long it
 * has to go. */
struct timer_left {
    uint64_t end_ns; /* 0: not armed */
    uint64_t interval_ns;
};

struct posix_timer {
    uint32_t used;
    int32_t host_id;
    int32_t clock_id; /* the program's */
    int32_t notify;   /* SIGEV_... */
    int32_t signal;
    uint32_t tid; /* virtual, with SIGEV_THREAD_ID */
    uint64_t value;
    struct timer_left left; /* valid after timers_capture */
};

struct timer_state {
    struct lock lock;
    volatile uint32_t posix_limit;               /* records below this index have been used */
    struct timer_left interval[INTERVAL_TIMERS]; /* ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF */
    struct posix_timer posix[POSIX_TIMERS_MAX];
};

/* At the source, all threads parked; only reads, so there is nothing to undo.  To be called before
 * the pending signals are read: a timer that fires in between is then in one of the two.  0 or
 * -errno. */
long timers_capture(void);
/* At the destination, after clock_continue and when the threads exist (timers can be sent to a
 * thread), before they are released.  0 or -errno. */
long timers_restore(void);

/* For siginfo of SI_TIMER: the program's id of a kernel timer; -1 if there is none. */
int32_t timers_virtual_id(int32_t host_id);
