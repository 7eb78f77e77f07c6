/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that wait for descriptors and futexes, with timeouts that count on over stops and moves.
 *
 * A relative timeout becomes a deadline on the program's clock when the call is first made
 * (call_deadline); each attempt gives the kernel what is left.  Timeouts and masks are copied in,
 * so the kernel sees what was checked.  An absolute timeout is translated to this host's clock each
 * time.
 */
#include "enclave/sys_wait.h"

#include <asm/unistd.h>
#include <linux/futex.h>
#include <linux/time.h>

#include "enclave/clock.h"
#include "enclave/futex_pi.h"
#include "enclave/signal.h"
#include "enclave/syscall_table.h"

enum {
    NS_PER_MS = 1000000,
    NS_PER_US = 1000,
    US_PER_S = 1000000,
    NS_PER_S = 1000000000,
    INT_MAX_ = 0x7fffffff,
};

/* ---- times ---- */

static int64_t ns_of(int64_t seconds, int64_t ns)
{
    int64_t total;
    if (__builtin_mul_overflow(seconds, (int64_t)NS_PER_S, &total) ||
        __builtin_add_overflow(total, ns, &total))
        return INT64_MAX;
    return total;
}

long time_from_program(uint64_t address, int64_t *out_ns)
{
    struct __kernel_timespec time;
    *out_ns = -1;
    if (address == 0)
        return 0;
    if (copy_from_program(&time, address, sizeof(time)) != 0)
        return -EFAULT;
    if (time.tv_sec < 0 || time.tv_nsec < 0 || time.tv_nsec >= NS_PER_S)
        return -EINVAL;
    *out_ns = ns_of(time.tv_sec, time.tv_nsec);
    return 0;
}

struct __kernel_timespec time_of_ns(uint64_t ns)
{
    return (struct __kernel_timespec){.tv_sec = (__kernel_time64_t)(ns / NS_PER_S),
                                      .tv_nsec = (long long)(ns % NS_PER_S)};
}

static long timeval_from_program(uint64_t address, int64_t *out_ns)
{
    struct __kernel_old_timeval time;
    *out_ns = -1;
    if (address == 0)
        return 0;
    if (copy_from_program(&time, address, sizeof(time)) != 0)
        return -EFAULT;
    if (time.tv_sec < 0 || time.tv_usec < 0)
        return -EINVAL;
    /* The kernel lets whole seconds stand in the microseconds. */
    int64_t seconds = time.tv_sec;
    if (__builtin_add_overflow(seconds, time.tv_usec / US_PER_S, &seconds))
        seconds = INT64_MAX;
    *out_ns = ns_of(seconds, time.tv_usec % US_PER_S * NS_PER_US);
    return 0;
}

static void timeval_to_program(uint64_t address, uint64_t ns)
{
    struct __kernel_old_timeval time = {.tv_sec = (__kernel_long_t)(ns / NS_PER_S),
                                        .tv_usec = (__kernel_long_t)(ns % NS_PER_S / NS_PER_US)};
    /* As in the kernel, a timeout that cannot be written does not make the call fail. */
    (void)copy_to_program(address, &time, sizeof(time));
}

static void timespec_to_program(uint64_t address, const struct __kernel_timespec *time)
{
    (void)copy_to_program(address, time, sizeof(*time));
}

/* The timeout of one attempt. */
struct limit {
    bool set;
    struct __kernel_timespec left;
};

static struct limit limit_of(struct call *call, int64_t timeout_ns)
{
    struct limit limit = {.set = timeout_ns >= 0};
    if (limit.set)
        limit.left = time_of_ns(deadline_left(call_deadline(call, timeout_ns)));
    return limit;
}

static uint64_t limit_argument(struct limit *limit)
{
    return limit->set ? (uint64_t)(uintptr_t)&limit->left : 0;
}

/* For calls that take milliseconds: what is left, rounded up so that they never end early. */
static uint64_t milliseconds_left(struct call *call, int32_t timeout_ms)
{
    if (timeout_ms <= 0)
        return (uint64_t)timeout_ms;
    uint64_t left = deadline_left(call_deadline(call, (int64_t)timeout_ms * NS_PER_MS));
    return OM_MIN((left + NS_PER_MS - 1) / NS_PER_MS, (uint64_t)INT_MAX_);
}

/* The temporary mask of a call; out_mask gets a copy that the kernel may have. */
static long mask_from_program(uint64_t address, uint64_t size, uint64_t *out_mask)
{
    if (address == 0)
        return 0;
    if (size != sizeof(*out_mask))
        return -EINVAL;
    if (copy_from_program(out_mask, address, sizeof(*out_mask)) != 0)
        return -EFAULT;
    *out_mask &= ~SIGNALS_KEPT;
    return 0;
}

/* ---- poll and select ---- */

long sys_poll(struct call *call)
{
    uint64_t args[6] = {call->args[0], call->args[1]};
    args[2] = milliseconds_left(call, (int32_t)call->args[2]);
    return call_blocking(call, __NR_poll, args);
}

long sys_ppoll(struct call *call)
{
    uint64_t mask = 0;
    uint64_t *mask_used = call->args[3] != 0 ? &mask : NULL;
    int64_t timeout_ns;
    long result = time_from_program(call->args[2], &timeout_ns);
    if (result == 0)
        result = mask_from_program(call->args[3], call->args[4], &mask);
    if (result != 0)
        return result;
    struct limit limit = limit_of(call, timeout_ns);
    uint64_t args[6] = {call->args[0], call->args[1], limit_argument(&limit),
                        (uint64_t)(uintptr_t)mask_used, sizeof(mask)};
    result = call_blocking_masked(call, __NR_ppoll, args, mask_used);
    if (limit.set && result != CALL_INTERRUPTED)
        timespec_to_program(call->args[2], &limit.left);
    return result;
}

/* What pselect6 takes as its sixth argument. */
struct mask_argument {
    uint64_t address, size;
};

static long select_blocking(struct call *call, struct limit *limit, const uint64_t *mask)
{
    struct mask_argument argument = {(uint64_t)(uintptr_t)mask, sizeof(*mask)};
    uint64_t args[6];
    memcpy(args, call->args, sizeof(args));
    args[4] = limit_argument(limit);
    args[5] = (uint64_t)(uintptr_t)&argument;
    return call_blocking_masked(call, __NR_pselect6, args, mask);
}

long sys_select(struct call *call)
{
    int64_t timeout_ns;
    long result = timeval_from_program(call->args[4], &timeout_ns);
    if (result != 0)
        return result;
    struct limit limit = limit_of(call, timeout_ns);
    result = select_blocking(call, &limit, NULL);
    if (limit.set && result != CALL_INTERRUPTED)
        timeval_to_program(call->args[4], (uint64_t)ns_of(limit.left.tv_sec, limit.left.tv_nsec));
    return result;
}

long sys_pselect6(struct call *call)
{
    struct mask_argument given = {0, 0};
    uint64_t mask = 0;
    int64_t timeout_ns;
    long result = time_from_program(call->args[4], &timeout_ns);
    if (result == 0 && call->args[5] != 0)
        result = copy_from_program(&given, call->args[5], sizeof(given));
    if (result == 0)
        result = mask_from_program(given.address, given.size, &mask);
    if (result != 0)
        return result;
    struct limit limit = limit_of(call, timeout_ns);
    result = select_blocking(call, &limit, given.address != 0 ? &mask : NULL);
    if (limit.set && result != CALL_INTERRUPTED)
        timespec_to_program(call->args[4], &limit.left);
    return result;
}

/* ---- epoll ---- */

long sys_epoll_wait(struct call *call)
{
    uint64_t args[6] = {call->args[0], call->args[1], call->args[2]};
    args[3] = milliseconds_left(call, (int32_t)call->args[3]);
    return call_blocking(call, __NR_epoll_wait, args);
}

long sys_epoll_pwait(struct call *call)
{
    uint64_t mask = 0;
    uint64_t *mask_used = call->args[4] != 0 ? &mask : NULL;
    long result = mask_from_program(call->args[4], call->args[5], &mask);
    if (result != 0)
        return result;
    uint64_t args[6] = {call->args[0],
                        call->args[1],
                        call->args[2],
                        milliseconds_left(call, (int32_t)call->args[3]),
                        (uint64_t)(uintptr_t)mask_used,
                        sizeof(mask)};
    return call_blocking_masked(call, __NR_epoll_pwait, args, mask_used);
}

long sys_epoll_pwait2(struct call *call)
{
    uint64_t mask = 0;
    uint64_t *mask_used = call->args[4] != 0 ? &mask : NULL;
    int64_t timeout_ns;
    long result = time_from_program(call->args[3], &timeout_ns);
    if (result == 0)
        result = mask_from_program(call->args[4], call->args[5], &mask);
    if (result != 0)
        return result;
    struct limit limit = limit_of(call, timeout_ns);
    uint64_t args[6] = {call->args[0],
                        call->args[1],
                        call->args[2],
                        limit_argument(&limit),
                        (uint64_t)(uintptr_t)mask_used,
                        sizeof(mask)};
    return call_blocking_masked(call, __NR_epoll_pwait2, args, mask_used);
}

/* ---- futex ---- */

static long futex_plain(struct call *call)
{
    const uint64_t *args = call->args;
    int command = (int)args[1] & FUTEX_CMD_MASK;
    bool second =
        command == FUTEX_REQUEUE || command == FUTEX_CMP_REQUEUE || command == FUTEX_WAKE_OP;
    if (second && args[4] != 0 && !call_in_program(args[4], SIZE_futex_word))
        return -EFAULT;
    if (command == FUTEX_WAKE_OP)
        call_kernel_writes(call, args[4], SIZE_futex_word);
    return g_host.syscall(__NR_futex, args[0], args[1], args[2], args[3], args[4], args[5]);
}

static long futex_waiting(struct call *call, struct limit *limit)
{
    uint64_t args[6];
    memcpy(args, call->args, sizeof(args));
    args[3] = limit_argument(limit);
    args[4] = 0;
    return call_blocking(call, __NR_futex, args);
}

static long futex_wait_relative(struct call *call)
{
    int64_t timeout_ns;
    long error = time_from_program(call->args[3], &timeout_ns);
    if (error != 0)
        return error;
    struct limit limit = limit_of(call, timeout_ns);
    return futex_waiting(call, &limit);
}

static long futex_wait_absolute(struct call *call)
{
    int64_t end_ns;
    long error = time_from_program(call->args[3], &end_ns);
    if (error != 0)
        return error;
    struct limit limit = {.set = end_ns >= 0};
    if (limit.set && !(call->args[1] & FUTEX_CLOCK_REALTIME))
        end_ns = (int64_t)clock_to_host_ns(CLOCK_MONOTONIC, (uint64_t)end_ns);
    if (limit.set)
        limit.left = time_of_ns((uint64_t)end_ns);
    return futex_waiting(call, &limit);
}

/* The kernel wants the word of a shared futex writable, though it only reads it; and FUTEX_WAKE_OP
 * does write the second one. */
static void mark_words(struct call *call)
{
    int command = (int)call->args[1] & FUTEX_CMD_MASK;

    if (!(call->args[1] & FUTEX_PRIVATE_FLAG))
        call_kernel_writes(call, call->args[0], sizeof(uint32_t));
    if (command == FUTEX_WAKE_OP || command == FUTEX_REQUEUE || command == FUTEX_CMP_REQUEUE)
        call_kernel_writes(call, call->args[4], sizeof(uint32_t));
}

long sys_futex(struct call *call)
{
    mark_words(call);
    switch ((int)call->args[1] & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
        return futex_wait_relative(call);
    case FUTEX_WAIT_BITSET:
        return futex_wait_absolute(call);
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
    case FUTEX_UNLOCK_PI:
    case FUTEX_TRYLOCK_PI:
    case FUTEX_WAIT_REQUEUE_PI:
    case FUTEX_CMP_REQUEUE_PI:
        return futex_pi(call);
    default:
        return futex_plain(call);
    }
}

bool wait_is_timed_futex(const struct call *call)
{
    int command = (int)call->args[1] & FUTEX_CMD_MASK;
    return call->nr == __NR_futex && call->args[3] != 0 &&
           (command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET);
}

/* ---- what is left after a signal ---- */

void wait_write_time_left(struct call *call)
{
    const struct thread *thread = call->thread;
    if (thread->restart_pc == 0 || thread->restart_nr != call->nr ||
        thread->restart_deadline_ns == UINT64_MAX)
        return; /* The call has no relative timeout. */
    uint64_t left_ns = deadline_left(thread->restart_deadline_ns);
    struct __kernel_timespec left = time_of_ns(left_ns);
    switch (call->nr) {
    case __NR_select:
        timeval_to_program(call->args[4], left_ns);
        break;
    case __NR_pselect6:
        timespec_to_program(call->args[4], &left);
        break;
    case __NR_ppoll:
        timespec_to_program(call->args[2], &left);
        break;
    case __NR_nanosleep:
        timespec_to_program(call->args[1], &left);
        break;
    case __NR_clock_nanosleep:
        timespec_to_program(call->args[3], &left);
        break;
    default:
        break;
    }
}
