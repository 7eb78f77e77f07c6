/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the kernel schedules a thread: the processors that it may run on, its policy, its niceness.
 * Read at the stop, from those threads only for which the program has set any of it.
 */
#pragma once

#include <linux/sched/types.h>

#include "enclave/runtime.h"

struct thread;

enum { SCHEDULING_CPU_WORDS = 16 }; /* 1024 processors */

struct scheduling {
    uint32_t set;       /* the program has set something, here or where it was inherited from */
    uint32_t cpu_bytes; /* of cpus; 0: not read */
    uint64_t cpus[SCHEDULING_CPU_WORDS];
    struct sched_attr attributes;
};

/* All threads parked.  Nothing to undo. */
void scheduling_capture(void);
/* On a restored thread, before it enters the program.  What this host refuses is logged. */
void scheduling_restore(const struct thread *thread);
/* The program may have changed that of a thread, as in a call's argument: 0 is the calling one. */
void scheduling_changed(struct thread *caller, uint64_t tid);
