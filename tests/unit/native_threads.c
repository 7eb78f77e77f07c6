/* SPDX-License-Identifier: Apache-2.0 */
/* Apart from native.c, because <pthread.h> does not go together with the kernel's headers. */
#include "tests/unit/native_threads.h"

#include <pthread.h>

int native_run_threads(struct native_thread *threads, uint32_t count)
{
    pthread_t ids[NATIVE_THREADS_MAX];
    uint32_t started = 0;

    while (started < count && started < NATIVE_THREADS_MAX &&
           pthread_create(&ids[started], NULL, threads[started].run, threads[started].argument) ==
               0)
        started++;
    for (uint32_t i = 0; i < started; i++)
        pthread_join(ids[i], &threads[i].result);
    return started == count ? 0 : -1;
}
