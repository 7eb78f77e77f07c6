/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes memory from the machine and gives it back: fill MIB
 *
 * A hypervisor takes pages away from a virtual machine that has freed them, and gives them back one
 * by one at their first touch, at ten times the price of a page that the machine still has.  What
 * that costs is no property of a move, so the memory that a destination will need is fetched
 * before.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

int main(int argc, char **argv)
{
    size_t length = argc == 2 ? strtoul(argv[1], NULL, 10) << 20 : 0;
    char *memory;

    if (!length) {
        fprintf(stderr, "usage: fill MIB\n");
        return 2;
    }
    memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        fprintf(stderr, "fill: %s\n", strerror(errno));
        return 1;
    }
    madvise(memory, length, MADV_HUGEPAGE);
    for (size_t i = 0; i < length; i += PAGE)
        ((volatile char *)memory)[i] = 1;
    return 0;
}
