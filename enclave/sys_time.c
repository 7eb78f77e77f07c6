/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks and sleeping.  The program's MONOTONIC and BOOTTIME clocks are the host's plus an offset
 * (clock.h); a sleep is a deadline on the program's clock.  Timers are in timers.c.
 */
#include <asm/unistd.h>
#include <linux/time.h>

#include "enclave/clock.h"
#include "enclave/sys_wait.h"
#include "enclave/syscall_table.h"

/* Clocks that clock.h does not serve: TAI, and CPU time. */
static long read_from_host(uint64_t clock_id, struct __kernel_timespec *out_now)
{
    uint64_t host_clock;
    long error = call_host_clock(clock_id, &host_clock);
    if (error != 0)
        return error;
    return host_syscall(__NR_clock_gettime, host_clock, (uint64_t)(uintptr_t)out_now, 0, 0, 0, 0);
}

long sys_clock_gettime(struct call *call)
{
    struct __kernel_timespec now;
    uint64_t ns;
    if (clock_read((int)call->args[0], &ns)) {
        now = time_of_ns(ns);
    } else {
        long error = read_from_host(call->args[0], &now);
        if (error != 0)
            return error;
    }
    return copy_to_program(call->args[1], &now, sizeof(now));
}

/* Clocks on which a relative sleep is as long as on CLOCK_MONOTONIC; the others count CPU time. */
static bool clock_is_wall(uint64_t clock_id)
{
    switch ((int32_t)clock_id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        return true;
    default:
        return false;
    }
}

/* The host's call; whether the deadline has passed is decided by our own clock, so what is left is
 * never written by the kernel. */
static long sleep_on(struct call *call, uint64_t host_clock, uint64_t flags,
                     const struct __kernel_timespec *time)
{
    uint64_t args[6] = {host_clock, flags, (uint64_t)(uintptr_t)time};
    return call_blocking(call, __NR_clock_nanosleep, args);
}

static long sleep_relative(struct call *call, uint64_t clock_id, int64_t timeout_ns)
{
    uint64_t left = deadline_left(call_deadline(call, timeout_ns));
    if (left == 0)
        return 0;
    struct __kernel_timespec time = time_of_ns(left);
    return sleep_on(call, clock_id, 0, &time);
}

long sys_nanosleep(struct call *call)
{
    int64_t timeout_ns;
    if (call->args[0] == 0)
        return -EFAULT;
    long error = time_from_program(call->args[0], &timeout_ns);
    return error != 0 ? error : sleep_relative(call, CLOCK_MONOTONIC, timeout_ns);
}

long sys_clock_nanosleep(struct call *call)
{
    uint64_t clock_id = call->args[0];
    uint64_t host_clock;
    int64_t time_ns;
    if (call->args[2] == 0)
        return -EFAULT;
    long error = call_host_clock(clock_id, &host_clock);
    if (error == 0)
        error = time_from_program(call->args[2], &time_ns);
    if (error != 0)
        return error;
    if (!(call->args[1] & TIMER_ABSTIME) && clock_is_wall(clock_id))
        return sleep_relative(call, clock_id, time_ns);
    uint64_t host_ns = (uint64_t)time_ns;
    if (call->args[1] & TIMER_ABSTIME)
        host_ns = clock_to_host_ns((int)clock_id, host_ns);
    struct __kernel_timespec time = time_of_ns(host_ns);
    return sleep_on(call, host_clock, call->args[1], &time);
}
