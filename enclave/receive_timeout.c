/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A receive with SO_RCVTIMEO that was interrupted by a stop is made again, and the kernel would let
 * it wait for the whole time once more.  So its deadline is kept as for every call with a timeout,
 * and what is left of it is waited for by poll first.  Costs nothing until a program sets such a
 * timeout.
 */
#include "enclave/receive_timeout.h"

#include <asm/socket.h>
#include <asm/unistd.h>
#include <linux/poll.h>
#include <linux/time_types.h>

enum { NS_PER_SECOND = 1000000000, NS_PER_us = 1000 };

static bool is_receive(long nr)
{
    return nr == __NR_read || nr == __NR_readv || nr == __NR_recvfrom || nr == __NR_recvmsg;
}

/* Negative: none, or not a socket. */
static int64_t timeout_of(uint64_t fd)
{
    int64_t value[2] = {0, 0};
    uint32_t length = sizeof(value);
    long error = host_syscall(__NR_getsockopt, fd, SOL_SOCKET, SO_RCVTIMEO_OLD, (uint64_t)value,
                              (uint64_t)&length, 0);

    if (error || value[0] > INT32_MAX || (value[0] == 0 && value[1] == 0))
        return -1;
    return value[0] * NS_PER_SECOND + value[1] * NS_PER_us;
}

long receive_timeout_wait(struct call *call)
{
    struct pollfd poll = {.fd = (int)call->args[0], .events = POLLIN};
    struct __kernel_timespec left;
    const uint64_t args[6] = {(uint64_t)&poll, 1, (uint64_t)&left};
    uint64_t now, deadline;
    int64_t timeout;
    long result;

    if (!g_tables->receive_timeouts || !is_receive(call->nr))
        return 0;
    timeout = timeout_of(call->args[0]);
    if (timeout < 0)
        return 0;
    now = clock_monotonic_ns();
    deadline = call_deadline(call, timeout);
    if (deadline == UINT64_MAX || deadline >= now + (uint64_t)timeout)
        return 0; /* The first attempt: the kernel keeps the time. */
    left.tv_sec = (long long)(deadline_left(deadline) / NS_PER_SECOND);
    left.tv_nsec = (long long)(deadline_left(deadline) % NS_PER_SECOND);
    result = call_blocking(call, __NR_ppoll, args);
    return result == 0 ? -EAGAIN : result > 0 ? 0 : result;
}
