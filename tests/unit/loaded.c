/* SPDX-License-Identifier: Apache-2.0 */
/* A static program for test_loader.c: says what it was given, and uses its vDSO. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Zero only if the memory past the end of the file was made so. */
static char g_zeros[3 * 4096];
static char g_data[] = "data";

int main(int argc, char **argv)
{
    const char *vdso = (const char *)getauxval(AT_SYSINFO_EHDR);
    struct timespec ours, kernels;
    long difference_ms;

    for (size_t i = 0; i < sizeof(g_zeros); i++)
        if (g_zeros[i])
            return 1;
    if (strcmp(g_data, "data") != 0 || getauxval(AT_ENTRY) == 0)
        return 2;
    clock_gettime(CLOCK_MONOTONIC, &ours);
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &kernels);
    difference_ms =
        (kernels.tv_sec - ours.tv_sec) * 1000 + (kernels.tv_nsec - ours.tv_nsec) / 1000000;
    printf("argc %d argv %s\n", argc, argv[argc - 1]);
    printf("environment X=%s\n", getenv("X"));
    printf("vdso %d\n", vdso && memcmp(vdso, "\177ELF", 4) == 0);
    printf("clock %d\n", difference_ms >= 0 && difference_ms < 2000);
    return 42;
}
