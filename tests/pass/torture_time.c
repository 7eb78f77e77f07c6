/* SPDX-License-Identifier: Apache-2.0 */
/* The libc torture: time.h, sys/time.h, timers.  The clocks' values are the vDSO's or the kernel's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <locale.h>
#include <monetary.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timeb.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "tests/pass/torture.h"

static const time_t c_day = 86400 * 365;
static const struct tm c_broken = {.tm_year = 71, .tm_mday = 1, .tm_wday = 5};

#define BREAKS_DOWN(function, how)                                                                 \
    TORTURE(function, how)                                                                         \
    {                                                                                              \
        struct tm *time = PLACE(struct tm);                                                        \
                                                                                                   \
        tzset();                                                                                   \
        CALL(function(&c_day, time));                                                              \
        EXPECT(time->tm_year == 71);                                                               \
    }

BREAKS_DOWN(gmtime_r, 0)
BREAKS_DOWN(localtime_r, 0)

TORTURE(gmtime, QUIET)
{
    struct tm *time;

    CALL(time = gmtime(&c_day));
    EXPECT(time->tm_year == 71);
}

TORTURE(localtime, QUIET)
{
    struct tm *time;

    CALL(time = localtime(&c_day));
    EXPECT(time->tm_year == 71);
}

TORTURE(asctime_r, 0)
{
    char *text = TEXT(26);

    CALL(asctime_r(&c_broken, text));
    EXPECT(!strncmp(text, "Fri Jan  1", 10));
}

TORTURE(ctime_r, 0)
{
    char *text = TEXT(26);

    CALL(ctime_r(&c_day, text));
    EXPECT(!strcmp(text + 20, "1971\n"));
}

TORTURE(strftime, 0)
{
    char *text = TEXT(200);

    CALL(
        strftime(text, 200, "%Y-%m-%d %H:%M:%S %A %B %c %x %X %p %U %V %G %s %z %+10Y", &c_broken));
    EXPECT(!strncmp(text, "1971-01-01 00:00:00 Friday January", 34));
}

TORTURE(strftime_l, 0)
{
    char *text = TEXT(100);
    locale_t locale = newlocale(LC_ALL_MASK, "C", NULL);

    CALL(strftime_l(text, 100, "%Y", &c_broken, locale));
    EXPECT(!strcmp(text, "1971"));
    freelocale(locale);
}

TORTURE(strptime, 0)
{
    struct tm *time = memset(PLACE(struct tm), 0, sizeof(*time));

    CALL(strptime("1999-12-31 23:59:58 Friday", "%Y-%m-%d %H:%M:%S %A", time));
    EXPECT(time->tm_year == 99 && time->tm_sec == 58 && time->tm_wday == 5);
}

#define NORMALISES(function)                                                                       \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        struct tm *time = torture_copy(&c_broken, sizeof(c_broken), 8);                            \
                                                                                                   \
        time->tm_mday = 40;                                                                        \
        CALL(function(time));                                                                      \
        EXPECT(time->tm_mon == 1 && time->tm_mday == 9);                                           \
    }

NORMALISES(mktime)
NORMALISES(timegm)

TORTURE(strfmon, 0)
{
    char *text = TEXT(40);
    ssize_t length;

    CALL(length = strfmon(text, 40, "%n", 12.5));
    EXPECT(length > 0 && strstr(text, "12.5"));
}

TORTURE(strfmon_l, 0)
{
    char *text = TEXT(40);
    locale_t locale = newlocale(LC_ALL_MASK, "C", NULL);
    ssize_t length;

    CALL(length = strfmon_l(text, 40, locale, "%n", 12.5));
    EXPECT(length > 0 && strstr(text, "12.5"));
    freelocale(locale);
}

/* ---- clocks ---- */

#define READS_CLOCK(function, type, call, right)                                                   \
    TORTURE(function, KERNEL)                                                                      \
    {                                                                                              \
        type *out = PLACE(type);                                                                   \
        long result;                                                                               \
                                                                                                   \
        CALL(result = (long)(call));                                                               \
        EXPECT(right);                                                                             \
    }

READS_CLOCK(time, time_t, time(out), *out > c_day && result == *out)
READS_CLOCK(clock_gettime, struct timespec, clock_gettime(CLOCK_REALTIME, out),
            result == 0 && out->tv_sec > c_day)
READS_CLOCK(clock_gettime_cpu, struct timespec, clock_gettime(CLOCK_THREAD_CPUTIME_ID, out),
            result == 0 && out->tv_nsec < 1000000000)
READS_CLOCK(clock_getres, struct timespec, clock_getres(CLOCK_MONOTONIC, out),
            result == 0 && out->tv_sec == 0)
READS_CLOCK(gettimeofday, struct timeval, gettimeofday(out, NULL),
            result == 0 && out->tv_sec > c_day)
READS_CLOCK(timespec_get, struct timespec, timespec_get(out, TIME_UTC),
            result == TIME_UTC && out->tv_sec > c_day)
READS_CLOCK(ftime, struct timeb, ftime(out), result == 0 && out->time > c_day)
READS_CLOCK(times, struct tms, times(out), result != -1 && out->tms_utime >= 0)
READS_CLOCK(clock_getcpuclockid, clockid_t, clock_getcpuclockid(0, out), result == 0)
READS_CLOCK(getrusage, struct rusage, getrusage(RUSAGE_SELF, out),
            result == 0 && out->ru_maxrss > 0)
READS_CLOCK(getitimer, struct itimerval, getitimer(ITIMER_REAL, out),
            result == 0 && out->it_value.tv_sec == 0)

TORTURE(setitimer, KERNEL)
{
    struct itimerval *old = PLACE(struct itimerval), none = {{0, 0}, {0, 0}};
    int error;

    CALL(error = setitimer(ITIMER_VIRTUAL, &none, old));
    EXPECT(error == 0 && old->it_value.tv_sec == 0);
}

TORTURE(adjtimex, KERNEL)
{
    struct timex *time = memset(PLACE(struct timex), 0, sizeof(*time));
    int state;

    CALL(state = adjtimex(time));
    EXPECT(state >= 0 && time->tick > 0);
}

TORTURE(clock_adjtime, KERNEL)
{
    struct timex *time = memset(PLACE(struct timex), 0, sizeof(*time));
    int state;

    CALL(state = clock_adjtime(CLOCK_REALTIME, time));
    EXPECT(state >= 0 && time->tick > 0);
}

TORTURE(adjtime, KERNEL)
{
    struct timeval *left = PLACE(struct timeval);
    int error;

    CALL(error = adjtime(NULL, left));
    EXPECT(error == 0);
}

/* The rest of the time is written only if a signal ends it. */
static void nothing(int number)
{
    (void)number;
}

static timer_t alarm_soon(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    struct sigaction action = {.sa_handler = nothing};
    struct itimerspec soon = {{0, 2000000}, {0, 1000000}};
    timer_t timer = 0;

    sigaction(SIGUSR2, &action, NULL);
    EXPECT(!timer_create(CLOCK_MONOTONIC, &event, &timer));
    EXPECT(!timer_settime(timer, 0, &soon, NULL));
    return timer;
}

TORTURE(nanosleep, KERNEL | STAYS)
{
    timer_t timer = alarm_soon();
    struct timespec *rest = PLACE(struct timespec), most = {20, 0};
    int error;

    CALL(error = nanosleep(&most, rest));
    EXPECT(error == -1 && errno == EINTR && rest->tv_sec >= 10);
    timer_delete(timer);
}

TORTURE(clock_nanosleep, KERNEL | STAYS)
{
    timer_t timer = alarm_soon();
    struct timespec *rest = PLACE(struct timespec), most = {20, 0};
    int error;

    CALL(error = clock_nanosleep(CLOCK_MONOTONIC, 0, &most, rest));
    EXPECT(error == EINTR && rest->tv_sec >= 10);
    timer_delete(timer);
}

/* ---- timers ---- */

TORTURE(timer_create, KERNEL)
{
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    timer_t *timer = PLACE(timer_t);
    int error;

    CALL(error = timer_create(CLOCK_MONOTONIC, &event, timer));
    EXPECT(error == 0);
    timer_delete(*timer);
}

static timer_t far_timer(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    struct itimerspec far = {{5, 0}, {1000, 0}};
    timer_t timer = 0;

    EXPECT(!timer_create(CLOCK_MONOTONIC, &event, &timer));
    EXPECT(!timer_settime(timer, 0, &far, NULL));
    return timer;
}

TORTURE(timer_gettime, KERNEL)
{
    timer_t timer = far_timer();
    struct itimerspec *now = PLACE(struct itimerspec);

    CALL(timer_gettime(timer, now));
    EXPECT(now->it_interval.tv_sec == 5 && now->it_value.tv_sec > 100);
    timer_delete(timer);
}

TORTURE(timer_settime, KERNEL)
{
    timer_t timer = far_timer();
    struct itimerspec *old = PLACE(struct itimerspec), other = {{7, 0}, {2000, 0}};

    CALL(timer_settime(timer, 0, &other, old));
    EXPECT(old->it_interval.tv_sec == 5);
    timer_delete(timer);
}

static int far_timerfd(void)
{
    struct itimerspec far = {{5, 0}, {1000, 0}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

    EXPECT(fd >= 0 && !timerfd_settime(fd, 0, &far, NULL));
    return fd;
}

TORTURE(timerfd_gettime, KERNEL)
{
    int fd = far_timerfd();
    struct itimerspec *now = PLACE(struct itimerspec);

    CALL(timerfd_gettime(fd, now));
    EXPECT(now->it_interval.tv_sec == 5);
    close(fd);
}

TORTURE(timerfd_settime, KERNEL)
{
    int fd = far_timerfd();
    struct itimerspec *old = PLACE(struct itimerspec), other = {{7, 0}, {2000, 0}};

    CALL(timerfd_settime(fd, 0, &other, old));
    EXPECT(old->it_interval.tv_sec == 5);
    close(fd);
}
