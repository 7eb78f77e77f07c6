/* SPDX-License-Identifier: Apache-2.0 */
/* What one system call costs: prints nanoseconds, the best of several turns. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { TURNS = 7, CALLS = 20000 };

static int g_zero, g_null;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static long call_getppid(void)
{
    return syscall(SYS_getppid);
}

static long call_read(void)
{
    char byte;
    return read(g_zero, &byte, 1);
}

static long call_write(void)
{
    return write(g_null, "x", 1);
}

static long call_clock(void)
{
    struct timespec now;
    return clock_gettime(CLOCK_REALTIME, &now);
}

static double best_ns(long (*call)(void))
{
    double best = 1e18;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        uint64_t begin = now_ns();
        for (unsigned i = 0; i < CALLS; i++)
            if (call() < 0)
                return -1;
        double ns = (double)(now_ns() - begin) / CALLS;
        best = ns < best ? ns : best;
    }
    return best;
}

int main(void)
{
    g_zero = open("/dev/zero", O_RDONLY);
    g_null = open("/dev/null", O_WRONLY);
    printf("{\"getppid_ns\": %.0f, ", best_ns(call_getppid));
    printf("\"read_ns\": %.0f, ", best_ns(call_read));
    printf("\"write_ns\": %.0f, ", best_ns(call_write));
    printf("\"clock_gettime_ns\": %.0f}\n", best_ns(call_clock));
    return 0;
}
