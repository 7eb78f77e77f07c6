/* SPDX-License-Identifier: Apache-2.0 */
/* Writes to its pages for ever, through touch() of seeded.c.  The argument is a file that says that
 * it has begun. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { PAGES = 2000, WORDS = 512 };

void touch(volatile unsigned long *to, unsigned long value);

int main(int argc, char **argv)
{
    volatile unsigned long *memory = malloc(PAGES * WORDS * sizeof(*memory));

    for (unsigned long i = 0;; i++) {
        touch(&memory[i % PAGES * WORDS + i / PAGES % WORDS], i);
        if (i == 2 * PAGES && argc > 1)
            close(open(argv[1], O_CREAT | O_WRONLY, 0600));
        if (i % 1024 == 0)
            usleep(100);
    }
}
