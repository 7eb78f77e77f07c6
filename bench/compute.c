/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that only computes: random reads of a table that no cache holds, floating point, a
 * sort, and pointer chasing.  Prints its own wall time, user time and a result that must not depend
 * on where it runs. compute [TURNS]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { TABLE = 1 << 22, READS = 12 << 20, FLOATS = 40 << 20, SORTED = 1 << 20 };

static uint64_t g_table[TABLE];
static uint32_t g_sorted[SORTED];

static double wall_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double user_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
}

static uint64_t step(uint64_t x)
{
    x ^= x << 13;
    x ^= x >> 7;
    return x ^ (x << 17);
}

static uint64_t random_reads(uint64_t seed)
{
    uint64_t x = seed | 1, sum = 0;
    for (unsigned i = 0; i < READS; i++) {
        x = step(x);
        sum += g_table[x % TABLE];
    }
    return sum;
}

static uint64_t pointer_chase(uint64_t seed)
{
    uint64_t at = seed % TABLE;
    for (unsigned i = 0; i < READS / 8; i++)
        at = g_table[at] % TABLE;
    return at;
}

static uint64_t floats(uint64_t seed)
{
    double a = 1.0 + (double)(seed % 1000) / 1000, b = 0.5, c = 0.25;
    for (unsigned i = 0; i < FLOATS; i++) {
        a = a * 0.999999 + b * 0.000001;
        b = b * 0.999998 + c;
        c = 1.0 - c * 0.5;
    }
    return (uint64_t)(a * 1e6) ^ (uint64_t)(b * 1e3);
}

static int compare(const void *a, const void *b)
{
    const uint32_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static uint64_t sort(uint64_t seed)
{
    uint64_t x = seed | 1;
    for (unsigned i = 0; i < SORTED; i++) {
        x = step(x);
        g_sorted[i] = (uint32_t)x;
    }
    qsort(g_sorted, SORTED, sizeof(g_sorted[0]), compare);
    return g_sorted[SORTED / 2];
}

int main(int argc, char **argv)
{
    unsigned turns = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 3;
    uint64_t x = 88172645463325252u, result = 0;
    for (unsigned i = 0; i < TABLE; i++)
        g_table[i] = x = step(x);
    double wall = wall_s(), user = user_s();
    for (unsigned turn = 1; turn <= turns; turn++)
        result =
            result * 31 + (random_reads(turn) ^ pointer_chase(turn) ^ floats(turn) ^ sort(turn));
    printf("{\"wall_s\": %.6f, \"user_s\": %.6f, \"result\": \"%016lx\"}\n", wall_s() - wall,
           user_s() - user, result);
    return 0;
}
