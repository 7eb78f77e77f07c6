/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers of the program (timers.h): the calls of POSIX timers, and all timers over a move.
 * setitimer and alarm go straight to the kernel (syscalls.def); what they set is read at the stop.
 */
#include "enclave/timers.h"

#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/time.h>

#include "enclave/clock.h"
#include "enclave/sys_wait.h"
#include "enclave/syscall_table.h"
#include "enclave/tables.h"

enum { NS_PER_US = 1000, US_PER_S = 1000000, NS_PER_S = 1000000000 };

static struct timer_state *state(void)
{
    return &g_tables->timers;
}

/* NULL: the program has no such timer. */
static struct posix_timer *timer_of(uint64_t id)
{
    struct posix_timer *timer = NULL;
    if ((uint32_t)id < POSIX_TIMERS_MAX)
        timer = &state()->posix[(uint32_t)id];
    return timer != NULL && timer->used ? timer : NULL;
}

int32_t timers_virtual_id(int32_t host_id)
{
    for (int32_t i = 0; i < (int32_t)state()->posix_limit; i++)
        if (state()->posix[i].used && state()->posix[i].host_id == host_id)
            return i;
    return -1;
}

/* ---- the calls ---- */

/* Makes the kernel's timer for a record. */
static long create_at_host(struct posix_timer *timer)
{
    struct sigevent event;
    uint32_t host_tid = 0;
    uint64_t host_clock;
    long error = call_host_clock((uint64_t)(int64_t)timer->clock_id, &host_clock);
    if (error != 0)
        return error;
    if (timer->notify & SIGEV_THREAD_ID && thread_translate_tid(timer->tid, &host_tid) != 0)
        return -EINVAL;
    memset(&event, 0, sizeof(event));
    event.sigev_value.sival_ptr = (void *)(uintptr_t)timer->value;
    event.sigev_signo = timer->signal;
    event.sigev_notify = timer->notify;
    event._sigev_un._tid = (int32_t)host_tid;
    return host_syscall(__NR_timer_create, host_clock, (uint64_t)(uintptr_t)&event,
                        (uint64_t)(uintptr_t)&timer->host_id, 0, 0, 0);
}

/* What the program wants to be told, or what the kernel would choose. */
static long read_event(uint64_t address, uint32_t id, struct posix_timer *timer)
{
    struct sigevent event;
    if (address == 0) {
        timer->notify = SIGEV_SIGNAL;
        timer->signal = SIGALRM;
        timer->value = id;
        return 0;
    }
    if (copy_from_program(&event, address, sizeof(event)) != 0)
        return -EFAULT;
    timer->notify = event.sigev_notify;
    timer->signal = event.sigev_signo;
    timer->value = (uint64_t)(uintptr_t)event.sigev_value.sival_ptr;
    timer->tid = (uint32_t)event._sigev_un._tid;
    return 0;
}

/* Takes a free record; NULL: there are too many. */
static struct posix_timer *take_record(void)
{
    struct posix_timer *found = NULL;
    lock_take(&state()->lock);
    for (uint32_t i = 0; i < POSIX_TIMERS_MAX && found == NULL; i++)
        if (!state()->posix[i].used)
            found = &state()->posix[i];
    if (found != NULL) {
        uint32_t limit = (uint32_t)(found - state()->posix) + 1;
        *found = (struct posix_timer){.used = 1, .host_id = -1};
        state()->posix_limit = OM_MAX(state()->posix_limit, limit);
    }
    lock_release(&state()->lock);
    return found;
}

long sys_timer_create(struct call *call)
{
    struct posix_timer *timer = take_record();
    if (timer == NULL)
        return -EAGAIN;
    uint32_t id = (uint32_t)(timer - state()->posix);
    timer->clock_id = (int32_t)call->args[0];
    long result = read_event(call->args[1], id, timer);
    if (result == 0)
        result = create_at_host(timer);
    if (result == 0 && copy_to_program(call->args[2], &id, sizeof(id)) != 0) {
        host_syscall(__NR_timer_delete, (uint64_t)timer->host_id, 0, 0, 0, 0, 0);
        result = -EFAULT;
    }
    if (result != 0)
        timer->used = 0;
    return result;
}

static uint64_t host_id(const struct posix_timer *timer)
{
    return (uint64_t)(int64_t)timer->host_id;
}

static long spec_to_program(uint64_t address, const struct __kernel_itimerspec *spec)
{
    return address == 0 ? 0 : copy_to_program(address, spec, sizeof(*spec));
}

long sys_timer_settime(struct call *call)
{
    const struct posix_timer *timer = timer_of(call->args[0]);
    struct __kernel_itimerspec wanted;
    struct __kernel_itimerspec old;
    int64_t value_ns;
    if (timer == NULL || call->args[2] == 0)
        return -EINVAL;
    if (copy_from_program(&wanted, call->args[2], sizeof(wanted)) != 0)
        return -EFAULT;
    bool absolute = call->args[1] & TIMER_ABSTIME;
    if (absolute && clock_needs_translation(timer->clock_id) && wanted.it_value.tv_nsec >= 0 &&
        wanted.it_value.tv_nsec < NS_PER_S) {
        long error = time_from_program(
            call->args[2] + offsetof(struct __kernel_itimerspec, it_value), &value_ns);
        if (error != 0)
            return error;
        wanted.it_value = time_of_ns(clock_to_host_ns(timer->clock_id, (uint64_t)value_ns));
    }
    long result = host_syscall(__NR_timer_settime, host_id(timer), call->args[1],
                               (uint64_t)(uintptr_t)&wanted, (uint64_t)(uintptr_t)&old, 0, 0);
    return result != 0 ? result : spec_to_program(call->args[3], &old);
}

long sys_timer_gettime(struct call *call)
{
    const struct posix_timer *timer = timer_of(call->args[0]);
    struct __kernel_itimerspec spec;
    if (timer == NULL)
        return -EINVAL;
    long result =
        host_syscall(__NR_timer_gettime, host_id(timer), (uint64_t)(uintptr_t)&spec, 0, 0, 0, 0);
    return result != 0 ? result : copy_to_program(call->args[1], &spec, sizeof(spec));
}

long sys_timer_getoverrun(struct call *call)
{
    const struct posix_timer *timer = timer_of(call->args[0]);
    if (timer == NULL)
        return -EINVAL;
    return host_syscall(__NR_timer_getoverrun, host_id(timer), 0, 0, 0, 0, 0);
}

long sys_timer_delete(struct call *call)
{
    struct posix_timer *timer = timer_of(call->args[0]);
    if (timer == NULL)
        return -EINVAL;
    long result = host_syscall(__NR_timer_delete, host_id(timer), 0, 0, 0, 0, 0);
    if (result == 0)
        timer->used = 0;
    return result;
}

/* ---- over a move ---- */

/* Negative clock ids are CPU time of a process or thread, as are two of the fixed ones. */
static bool counts_wall_time(int32_t clock_id)
{
    return clock_id >= 0 && clock_id != CLOCK_PROCESS_CPUTIME_ID &&
           clock_id != CLOCK_THREAD_CPUTIME_ID;
}

static struct timer_left left_of(uint64_t value_ns, uint64_t interval_ns, bool wall)
{
    struct timer_left left = {.end_ns = value_ns, .interval_ns = interval_ns};
    if (value_ns != 0 && wall)
        left.end_ns += clock_monotonic_ns();
    return left;
}

/* How long a timer has to go now; at least a moment if it was armed. */
static uint64_t ns_to_go(const struct timer_left *left, bool wall)
{
    if (left->end_ns == 0)
        return 0;
    uint64_t to_go = wall ? deadline_left(left->end_ns) : left->end_ns;
    return OM_MAX(to_go, (uint64_t)NS_PER_US);
}

static uint64_t ns_of_timeval(const struct __kernel_old_timeval *time)
{
    return (uint64_t)time->tv_sec * NS_PER_S + (uint64_t)time->tv_usec * NS_PER_US;
}

static struct __kernel_old_timeval timeval_of_ns(uint64_t ns)
{
    return (struct __kernel_old_timeval){.tv_sec = (__kernel_long_t)(ns / NS_PER_S),
                                         .tv_usec = (__kernel_long_t)(ns % NS_PER_S / NS_PER_US)};
}

/* As getitimer gives it. */
struct interval_timer {
    struct __kernel_old_timeval interval, value;
};

static long capture_interval_timer(uint64_t which)
{
    struct interval_timer timer;
    long error = host_syscall(__NR_getitimer, which, (uint64_t)(uintptr_t)&timer, 0, 0, 0, 0);
    if (error == 0)
        state()->interval[which] = left_of(ns_of_timeval(&timer.value),
                                           ns_of_timeval(&timer.interval), which == ITIMER_REAL);
    return error;
}

static long restore_interval_timer(uint64_t which)
{
    const struct timer_left *left = &state()->interval[which];
    struct interval_timer timer = {
        .interval = timeval_of_ns(left->interval_ns),
        .value = timeval_of_ns(ns_to_go(left, which == ITIMER_REAL)),
    };
    if (left->end_ns == 0)
        return 0;
    return host_syscall(__NR_setitimer, which, (uint64_t)(uintptr_t)&timer, 0, 0, 0, 0);
}

static uint64_t ns_of_timespec(const struct __kernel_timespec *time)
{
    return (uint64_t)time->tv_sec * NS_PER_S + (uint64_t)time->tv_nsec;
}

static long capture_posix_timer(struct posix_timer *timer)
{
    struct __kernel_itimerspec spec;
    long error =
        host_syscall(__NR_timer_gettime, host_id(timer), (uint64_t)(uintptr_t)&spec, 0, 0, 0, 0);
    if (error == 0)
        timer->left = left_of(ns_of_timespec(&spec.it_value), ns_of_timespec(&spec.it_interval),
                              counts_wall_time(timer->clock_id));
    return error;
}

static long restore_posix_timer(struct posix_timer *timer)
{
    struct __kernel_itimerspec spec = {
        .it_interval = time_of_ns(timer->left.interval_ns),
        .it_value = time_of_ns(ns_to_go(&timer->left, counts_wall_time(timer->clock_id))),
    };
    long error = create_at_host(timer);
    if (error != 0 || timer->left.end_ns == 0)
        return error;
    return host_syscall(__NR_timer_settime, host_id(timer), 0, (uint64_t)(uintptr_t)&spec, 0, 0, 0);
}

long timers_capture(void)
{
    long error = 0;
    for (uint64_t which = 0; which < INTERVAL_TIMERS && error == 0; which++)
        error = capture_interval_timer(which);
    for (uint32_t i = 0; i < state()->posix_limit && error == 0; i++)
        if (state()->posix[i].used)
            error = capture_posix_timer(&state()->posix[i]);
    return error;
}

long timers_restore(void)
{
    long error = 0;
    for (uint64_t which = 0; which < INTERVAL_TIMERS && error == 0; which++)
        error = restore_interval_timer(which);
    for (uint32_t i = 0; i < state()->posix_limit && error == 0; i++)
        if (state()->posix[i].used)
            error = restore_posix_timer(&state()->posix[i]);
    return error;
}
