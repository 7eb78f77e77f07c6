/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for tests that cannot include <pthread.h>. */
#pragma once

#include <stdint.h>

enum { NATIVE_THREADS_MAX = 8 };

struct native_thread {
    void *(*run)(void *);
    void *argument, *result;
};

/* Runs all of them and waits for their ends.  0, or -1 if one could not be started. */
int native_run_threads(struct native_thread *threads, uint32_t count);
