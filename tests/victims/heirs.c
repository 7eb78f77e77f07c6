/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of malloc that outlive the threads that made them: threads put blocks into a table that
 * all of them share, check and free what others, most of them ended long ago, had put there, and
 * end themselves after some thousand turns; others follow them.  What an ended thread leaves behind
 * has to serve the next ones: the places where blocks ever lay are counted.
 *
 *   threads=6 turns=3000 mib=512: more than this much of the address space may not come to be used
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/lib/victim.h"

enum { SLOTS = 8192, THREADS_MAX = 64, PLACE_SHIFT = 16, PLACES = 1 << 16 };

struct block {
    uint64_t seed;
    size_t count;
    uint64_t words[];
};

static _Atomic(struct block *) g_slots[SLOTS];
static _Atomic uint64_t g_places[PLACES]; /* a hash table of addresses by 64 KiB, never emptied */
static _Atomic uint64_t g_place_count, g_checked, g_ended;
static _Atomic bool g_end;
static uint64_t g_turns, g_place_limit;

static void note_place(const void *address)
{
    uint64_t place = (uintptr_t)address >> PLACE_SHIFT;
    for (uint64_t i = victim_mix(place);; i++) {
        uint64_t is = 0;
        if (atomic_compare_exchange_strong(&g_places[i % PLACES], &is, place)) {
            if (atomic_fetch_add(&g_place_count, 1) >= PLACES / 2)
                victim_abort("more places than can be counted");
            return;
        }
        if (is == place)
            return;
    }
}

static uint64_t word(const struct block *b, size_t i)
{
    return b->seed + i * 0x9e3779b97f4a7c15u;
}

/* One in 16 is large: up to 128 KiB; and one in 8 is asked for with an alignment. */
static struct block *make(uint64_t r)
{
    size_t count = 1 + (r >> 20) % (r >> 8 & 15 ? 100 : 16000),
           bytes = sizeof(struct block) + count * 8;
    void *memory = NULL;
    if ((r >> 12 & 7) != 0)
        memory = malloc(bytes);
    else if (posix_memalign(&memory, (size_t)64 << (r >> 16 & 7), bytes))
        memory = NULL;
    if (!memory)
        victim_abort("no memory");
    struct block *b = memory;
    b->seed = r;
    b->count = count;
    for (size_t i = 0; i < count; i++)
        b->words[i] = word(b, i);
    note_place(memory);
    return b;
}

static void check_block(const struct block *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if (b->words[i] != word(b, i)) {
            victim_fail("a block of %zu words at %p lost its contents", b->count, (const void *)b);
            return;
        }
    }
    atomic_fetch_add(&g_checked, b->count);
}

static void *worker(void *argument)
{
    uint64_t random = (uintptr_t)argument;
    for (uint64_t i = 0; i < g_turns && !atomic_load(&g_end); i++) {
        random = victim_mix(random);
        struct block *b = atomic_exchange(&g_slots[random % SLOTS], make(random));
        if (b) {
            check_block(b);
            free(b);
        }
    }
    return NULL;
}

/* Lets workers follow one after the other. */
static void *lane(void *argument)
{
    uint64_t random = (uintptr_t)argument;
    while (!atomic_load(&g_end)) {
        pthread_t thread;
        random = victim_mix(random);
        if (pthread_create(&thread, NULL, worker, (void *)(uintptr_t)random))
            victim_abort("no thread");
        pthread_join(thread, NULL);
        atomic_fetch_add(&g_ended, 1);
    }
    return NULL;
}

static void check(void)
{
    uint64_t places = atomic_load(&g_place_count);
    VICTIM_CHECK_THAT(places <= g_place_limit, "blocks lay in %lu places of 64 KiB, %lu are enough",
                      places, g_place_limit);
    victim_value("places", "%lu", places);
    victim_value("ended", "%lu", atomic_load(&g_ended));
    victim_value("words_checked", "%lu", atomic_load(&g_checked));
}

int main(int argc, char **argv)
{
    pthread_t lanes[THREADS_MAX];
    victim_begin(argc, argv);
    long count = victim_number("threads", 6);
    g_turns = (uint64_t)victim_number("turns", 3000);
    g_place_limit = (uint64_t)victim_number("mib", 512) << 20 >> PLACE_SHIFT;
    if (count < 1 || count > THREADS_MAX)
        victim_abort("1 to %d threads", THREADS_MAX);
    for (long i = 0; i < count; i++) {
        if (pthread_create(&lanes[i], NULL, lane, (void *)(i + 1)))
            victim_abort("no thread");
    }
    victim_ready();
    while (victim_wait()) {
        check();
        victim_answer();
    }
    atomic_store(&g_end, true);
    for (long i = 0; i < count; i++)
        pthread_join(lanes[i], NULL);
    for (size_t i = 0; i < SLOTS; i++) {
        if (g_slots[i])
            check_block(g_slots[i]);
        free(g_slots[i]);
    }
    check();
    return victim_finish();
}
