/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eventfd, timerfd and signalfd.
 *
 * Reading a counter takes it away, so an eventfd's is written back at once; everyone is parked, and
 * at worst an edge-triggered waiter of a source that goes on sees one edge more.  Timers are kept
 * as the moment of their next expiry on the program's own clock, so that the pause counts.
 */
#include <asm/poll.h>
#include <linux/fcntl.h>
#include <linux/time.h>
#include <linux/timerfd.h>
#include <linux/uio.h>

#include "enclave/fd_internal.h"

enum {
    NOT_WAITING = 8, /* RWF_NOWAIT */
    EVENT_SEMAPHORE = 1,
    LINE_bytes = 64,
    SIGNAL_MASK_bytes = 8,
};
#define NS_PER_S 1000000000ULL

static char g_info[65536];

/* A number from /proc/self/fdinfo, after its name; 0 if it is not there. */
static uint64_t info_number(int32_t fd, const char *name, unsigned base)
{
    char path[LINE_bytes];
    uint64_t value = 0;
    long length;

    str_format(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    length = fd_read_file(path, g_info, sizeof(g_info));
    for (const char *line = length > 0 ? g_info : NULL; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, strlen(name)) != 0)
            continue;
        for (line += strlen(name); *line == ' ' || *line == '\t'; line++)
            ;
        for (;; line++) {
            unsigned digit = *line >= 'a' ? (unsigned)(*line - 'a') + 10 : (unsigned)(*line - '0');

            if (*line < '0' || digit >= base)
                return value;
            value = value * base + digit;
        }
    }
    return 0;
}

bool fd_is_readable(int32_t fd)
{
    struct pollfd poll = {.fd = fd, .events = POLLIN};
    struct __kernel_timespec now = {0, 0};

    return fd_kernel(__NR_ppoll, fd_address_of(&poll), 1, fd_address_of(&now), 0) == 1 &&
           (poll.revents & POLLIN);
}

/* ---- eventfd ---- */

long fd_event_capture(struct open_file *file, struct fd_obstacle *out)
{
    uint64_t count = 0, fd = (uint64_t)file->fd;
    struct iovec part = {&count, sizeof(count)};
    long got = -EOPNOTSUPP;

    file->event.count = 0;
    if (!file->event.semaphore)
        got = host_syscall(__NR_preadv2, fd, fd_address_of(&part), 1, (uint64_t)-1, 0, NOT_WAITING);
    if (got == -EAGAIN)
        return 0;
    if (got == sizeof(count)) {
        file->event.count = count;
        got = fd_kernel(__NR_write, fd, fd_address_of(&count), sizeof(count), 0);
        if (got != sizeof(count))
            return fd_refuse(out, file->fd, -EIO, "fd %d, an eventfd: cannot be read", file->fd);
        return 0;
    }
    if (fd_is_readable(file->fd))
        file->event.count = info_number(file->fd, "eventfd-count:", 16);
    return 0;
}

long fd_event_restore(struct open_file *file)
{
    uint32_t flags = (file->flags & O_NONBLOCK) | (file->event.semaphore ? EVENT_SEMAPHORE : 0);
    long fd = fd_kernel(__NR_eventfd2, 0, flags, 0, 0);

    if (fd >= 0 && file->event.count)
        fd_kernel(__NR_write, (uint64_t)fd, fd_address_of(&file->event.count), 8, 0);
    return fd_place(fd, file->fd);
}

/* ---- timerfd ---- */

/* The clock that a timer's clock counts with: an alarm clock is another one that wakes the machine.
 */
static int32_t base_clock(int32_t clock)
{
    if (clock == CLOCK_REALTIME_ALARM)
        return CLOCK_REALTIME;
    return clock == CLOCK_BOOTTIME_ALARM ? CLOCK_BOOTTIME : clock;
}

uint64_t fd_timer_to_host(int32_t clock, uint64_t program_ns)
{
    int64_t host_ns = (int64_t)clock_to_host_ns(base_clock(clock), program_ns);

    return host_ns > 0 ? (uint64_t)host_ns : 1; /* 0 would disarm it */
}

static uint64_t clock_now(int32_t clock)
{
    uint64_t now = 0;

    if (base_clock(clock) == CLOCK_REALTIME)
        return clock_realtime_ns();
    if (!clock_read(base_clock(clock), &now))
        now = clock_monotonic_ns();
    return now;
}

static uint64_t to_ns(const struct __kernel_timespec *time)
{
    return (uint64_t)time->tv_sec * NS_PER_S + (uint64_t)time->tv_nsec;
}

static struct __kernel_timespec from_ns(uint64_t ns)
{
    return (struct __kernel_timespec){(int64_t)(ns / NS_PER_S), (int64_t)(ns % NS_PER_S)};
}

long fd_timer_capture(struct open_file *file, struct fd_obstacle *out)
{
    struct __kernel_itimerspec left;
    struct fd_timer *timer = &file->timer;
    long error = fd_kernel(__NR_timerfd_gettime, (uint64_t)file->fd, fd_address_of(&left), 0, 0);
    uint64_t remaining;

    if (error)
        return fd_refuse(out, file->fd, error, "fd %d, a timerfd: cannot be read", file->fd);
    remaining = to_ns(&left.it_value);
    timer->expiry_ns = remaining ? clock_now(timer->clock) + remaining : 0;
    timer->interval_ns = to_ns(&left.it_interval);
    timer->ticks = fd_is_readable(file->fd) ? info_number(file->fd, "ticks:", 10) : 0;
    return 0;
}

/* The first expiry: so far back that the kernel finds as many expirations as were not read. */
static uint64_t first_expiry(const struct fd_timer *timer)
{
    uint64_t back;

    if (timer->ticks == 0)
        return timer->expiry_ns;
    if (timer->expiry_ns == 0 || timer->interval_ns == 0 ||
        __builtin_mul_overflow(timer->ticks, timer->interval_ns, &back) || back >= timer->expiry_ns)
        return 1;
    return timer->expiry_ns - back;
}

long fd_timer_restore(struct open_file *file)
{
    const struct fd_timer *timer = &file->timer;
    long fd =
        fd_kernel(__NR_timerfd_create, (uint64_t)timer->clock, file->flags & O_NONBLOCK, 0, 0);
    uint64_t first = first_expiry(timer);

    if (fd >= 0 && first) {
        struct __kernel_itimerspec setting = {
            .it_interval = from_ns(timer->interval_ns),
            .it_value = from_ns(fd_timer_to_host(timer->clock, first)),
        };
        long error =
            fd_kernel(__NR_timerfd_settime, (uint64_t)fd, TFD_TIMER_ABSTIME | timer->cancel_on_set,
                      fd_address_of(&setting), 0);

        if (error)
            log_error("fd %d, a timerfd: cannot be set (error %ld)", file->fd, -error);
    }
    return fd_place(fd, file->fd);
}

/* ---- signalfd ---- */

long fd_signal_restore(struct open_file *file)
{
    long fd = fd_kernel(__NR_signalfd4, (uint64_t)-1, fd_address_of(&file->signal_mask),
                        SIGNAL_MASK_bytes, file->flags & O_NONBLOCK);

    return fd_place(fd, file->fd);
}
