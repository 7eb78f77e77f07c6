/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A victim: sigsetjmp into ever new pages.  Its assembly writes the registers, then a system call,
 * where a move may stop the thread, writes the mask: the mark of the registers has to have come
 * before that.  Here they are in the page in front of the mask's, which no one else marks.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

#include "tests/lib/victim.h"

enum { PAGE = 4096, PAGES = 4096, THREADS = 2 };

static atomic_bool g_end;
static atomic_ulong g_jumps;

static void *jumper(void *unused)
{
    (void)unused;
    while (!atomic_load(&g_end)) {
        char *pages =
            mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (pages == MAP_FAILED)
            victim_abort("no memory");
        for (volatile int i = 0; i < PAGES; i += 2) {
            jmp_buf *buffer =
                (jmp_buf *)(pages + (i + 1) * PAGE - offsetof(struct __jmp_buf_tag, __ss));
            volatile int times = 0;

            if (sigsetjmp(*buffer, 1) == 0) {
                times++;
                siglongjmp(*buffer, 1);
            }
            VICTIM_CHECK_THAT(times == 1, "a jump came back %d times", times);
            atomic_fetch_add(&g_jumps, 1);
        }
        munmap(pages, PAGES * PAGE);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];

    victim_begin(argc, argv);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, jumper, NULL))
            victim_abort("no thread");
    victim_ready();
    while (victim_wait()) {
        victim_value("jumps", "%lu", atomic_load(&g_jumps));
        victim_answer();
    }
    atomic_store(&g_end, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return victim_finish();
}
