/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work of malloc: mallocs THREADS TURNS.  Each thread replaces blocks of 16 to 1000 bytes of its
 * own, and each 8th turn one that all threads share, so that most of these are freed by another
 * thread than made them.  Prints nothing; bench/mallocs times it.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

enum { OWN = 1024, SHARED = 1024, THREADS_MAX = 64 };

static _Atomic(char *) g_shared[SHARED];
static unsigned long g_turns;

static void *worker(void *argument)
{
    char *own[OWN] = {0};
    uint64_t random = (uintptr_t)argument;

    for (unsigned long i = 0; i < g_turns; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t size = 16 + (random >> 33) % 985, at = (random >> 45) % OWN;
        char *block = malloc(size), *before;

        if (!block)
            abort();
        block[0] = block[size - 1] = (char)i;
        if (i % 8 == 0) {
            before = atomic_exchange(&g_shared[at % SHARED], block);
        } else {
            before = own[at];
            own[at] = block;
        }
        free(before);
    }
    for (size_t i = 0; i < OWN; i++)
        free(own[i]);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS_MAX];
    int count = argc == 3 ? atoi(argv[1]) : 0;

    if (count < 1 || count > THREADS_MAX)
        return 2;
    g_turns = strtoul(argv[2], NULL, 10);
    for (int i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, worker, (void *)(uintptr_t)(i + 1)))
            return 1;
    }
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
