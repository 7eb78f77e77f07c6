/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of marks on two processors, with the pass's own machine code: one thread stores numbers
 * to a page, another is the collector, which clears the card, fences and copies.  A number that was
 * stored before the last look and is neither in the copy nor marked is a lost write.
 *
 * Prints how many looks there were and how many of them came to a marked card; status 1 for a loss.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 300, STORES = 20000, SHIFT = 12 };

extern unsigned char __optmig_cards_v3[];

static _Alignas(4096) struct {
    volatile unsigned long value;
    char rest[4088];
} g_page;
static atomic_int g_round, g_done;

static atomic_uchar *card(void)
{
    return (atomic_uchar *)&__optmig_cards_v3[(unsigned long)&g_page >> SHIFT];
}

static void *writer(void *unused)
{
    (void)unused;
    for (int round = 1; round <= ROUNDS; round++) {
        while (atomic_load(&g_round) < round)
            ;
        for (unsigned long i = 1; i <= STORES; i++)
            g_page.value = (unsigned long)round * STORES + i;
        atomic_store(&g_done, round);
    }
    return NULL;
}

int main(void)
{
    unsigned long looks = 0, marked = 0, copy = 0;
    pthread_t thread;

    pthread_create(&thread, NULL, writer, NULL);
    for (int round = 1; round <= ROUNDS; round++) {
        int last;

        atomic_store(&g_round, round);
        do { /* the look after the writer has stopped is the one at the switchover */
            last = atomic_load(&g_done) == round;
            looks++;
            if (!atomic_exchange(card(), 0))
                continue;
            marked++;
            atomic_thread_fence(memory_order_seq_cst);
            copy = g_page.value;
        } while (!last);
        if (copy != (unsigned long)round * STORES + STORES) {
            printf("round %d: lost, the copy has %lu\n", round, copy);
            return 1;
        }
    }
    pthread_join(thread, NULL);
    printf("%lu looks, %lu marked\n", looks, marked);
    return marked < ROUNDS; /* or it has tested nothing */
}
