/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel keeps about a process beside memory, threads, signals and descriptors, as far as
 * it moves: user and group ids, working directory, file mode mask, limits, and a few switches.
 *
 * Limits on memory and on descriptors are the program's view only: applied to the host process they
 * would hit the runtime and the host as well.
 */
#pragma once

#include "enclave/runtime.h"

enum { PROCESS_LIMITS = 16, PROCESS_GROUPS_MAX = 256, PROCESS_PATH_MAX = 4096 };

struct process_limit {
    uint64_t soft, hard;
};

/* Of all threads alike: glibc sees to that, and ids of single threads are not kept. */
struct process_ids {
    bool changed;               /* the program has changed them; else they are the host process's */
    uint32_t user[3], group[3]; /* real, effective, saved */
    uint32_t group_count;
    uint32_t groups[PROCESS_GROUPS_MAX];
};

struct process_state {
    struct lock lock;
    uint32_t limits_set; /* bit n: the program has set limit n, or it is its view only */
    struct process_limit limits[PROCESS_LIMITS];
    struct process_ids ids;
    uint32_t membarrier; /* commands of membarrier that were registered */
    uint32_t switches;   /* enum process_switch */
    uint32_t parent;     /* id of the one that the program had when it first moved */
    uint32_t file_mask;  /* umask; valid after capture, as is the directory */
    char directory[PROCESS_PATH_MAX];
};

enum process_switch {
    PROCESS_NOT_DUMPABLE = 1,
    PROCESS_NO_NEW_PRIVILEGES = 2,
};

/* At the source, all threads parked; nothing to undo.  0 or -errno. */
long process_capture(void);
/* At the destination, before the threads are released: directory, mask, limits.  What this host
 * refuses is logged by name and does not fail the move. */
void process_restore(void);
/* At the destination, on each restored thread before it enters the program: the kernel keeps ids by
 * thread. Does nothing if the program never changed them.  0 or -errno: then it must not run,
 * because it would have rights that it gave away. */
long process_restore_thread(void);
