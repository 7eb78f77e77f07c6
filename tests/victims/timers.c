/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers that run all the time: setitimer, timer_create with a signal and with a queued value,
 * timerfd read by a blocked thread, and one-shot timers armed long before they fire.  Expirations
 * are counted with their overruns, so the sum is time divided by period; what a move's pause may
 * cost is bounded by loss_ms.
 *
 *   period_ms=10   loss_ms=100   expirations that may be missing or too many, as time
 *   shot_ms=800    when the one-shot timers fire
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/victim.h"

enum { COOKIE = 0x5ca1ab1e };

static long g_period_ms, g_loss_ms, g_shot_ms;
static _Atomic uint64_t g_itimer, g_posix, g_timerfd, g_wrong_value;
static _Atomic uint64_t g_shot_at_ns, g_alarm_at_ns;
static timer_t g_timer, g_shot;
static int g_timer_fd;
static uint64_t g_begin_ns, g_armed_ns;
static _Atomic bool g_end;

static struct timespec span(long ms)
{
    return (struct timespec){ms / 1000, ms % 1000 * 1000000};
}

static void on_alarm(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info, (void)context;
    atomic_fetch_add(&g_itimer, 1);
}

static void on_posix(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    if (info->si_code != SI_TIMER || info->si_value.sival_int != COOKIE)
        atomic_fetch_add(&g_wrong_value, 1);
    atomic_fetch_add(&g_posix, 1 + (uint64_t)timer_getoverrun(g_timer));
}

static void on_shot(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info, (void)context;
    atomic_store(&g_shot_at_ns, victim_clock_ns(CLOCK_MONOTONIC));
}

static void *timerfd_main(void *argument)
{
    (void)argument;
    while (!atomic_load(&g_end)) {
        uint64_t count = 0;
        ssize_t n = read(g_timer_fd, &count, sizeof count);
        if (n == 8)
            atomic_fetch_add(&g_timerfd, count);
        else if (errno != EINTR)
            victim_fail("read of the timerfd: %s", strerror(errno));
    }
    return NULL;
}

static void *absolute_main(void *argument)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec t = {.it_value = *(struct timespec *)argument};
    uint64_t count = 0;
    if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL))
        victim_fail("absolute timerfd: %s", strerror(errno));
    while (read(fd, &count, sizeof count) != 8 && errno == EINTR)
        ;
    VICTIM_CHECK_THAT(count == 1, "the absolute timerfd fired %lu times", count);
    atomic_store(&g_alarm_at_ns, victim_clock_ns(CLOCK_MONOTONIC));
    close(fd);
    return NULL;
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(number, &action, NULL);
}

static void begin(void)
{
    handle(SIGALRM, on_alarm);
    handle(SIGRTMIN + 1, on_posix);
    handle(SIGRTMIN + 2, on_shot);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1};
    event.sigev_value.sival_int = COOKIE;
    if (timer_create(CLOCK_MONOTONIC, &event, &g_timer))
        victim_abort("timer_create: %s", strerror(errno));
    event.sigev_signo = SIGRTMIN + 2;
    if (timer_create(CLOCK_MONOTONIC, &event, &g_shot))
        victim_abort("timer_create: %s", strerror(errno));
    g_timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    g_begin_ns = victim_clock_ns(CLOCK_MONOTONIC);
    struct itimerspec periodic = {span(g_period_ms), span(g_period_ms)};
    struct itimerval alarm_periodic = {{0, g_period_ms * 1000}, {0, g_period_ms * 1000}};
    setitimer(ITIMER_REAL, &alarm_periodic, NULL);
    timer_settime(g_timer, 0, &periodic, NULL);
    timerfd_settime(g_timer_fd, 0, &periodic, NULL);
    struct itimerspec once = {.it_value = span(g_shot_ms)};
    g_armed_ns = victim_clock_ns(CLOCK_MONOTONIC);
    timer_settime(g_shot, 0, &once, NULL);
}

static void check_count(const char *name, uint64_t count, uint64_t expected, bool coalesced)
{
    uint64_t slack = (uint64_t)(g_loss_ms / g_period_ms) + 3;
    victim_value(name, "%lu", count);
    VICTIM_CHECK_THAT(count <= expected + slack, "%s: %lu expirations, %lu periods have passed",
                      name, count, expected);
    uint64_t least = coalesced ? expected / 2 : expected;
    VICTIM_CHECK_THAT(count + slack >= least, "%s: only %lu expirations in %lu periods", name,
                      count, expected);
}

static void check(void)
{
    uint64_t passed_ns = victim_clock_ns(CLOCK_MONOTONIC) - g_begin_ns;
    uint64_t expected = passed_ns / ((uint64_t)g_period_ms * 1000000);
    victim_value("expected", "%lu", expected);
    check_count("itimer", atomic_load(&g_itimer), expected, true);
    check_count("posix", atomic_load(&g_posix), expected, false);
    check_count("timerfd", atomic_load(&g_timerfd), expected, false);
    VICTIM_CHECK_THAT(!atomic_load(&g_wrong_value), "a timer's signal came without its value");
    struct itimerval it;
    getitimer(ITIMER_REAL, &it);
    VICTIM_CHECK_THAT(it.it_interval.tv_usec == g_period_ms * 1000,
                      "the interval of setitimer is lost");
    struct itimerspec ts;
    timer_gettime(g_timer, &ts);
    VICTIM_CHECK_THAT(ts.it_interval.tv_nsec == g_period_ms * 1000000,
                      "the timer's interval is lost");
    timerfd_gettime(g_timer_fd, &ts);
    VICTIM_CHECK_THAT(ts.it_interval.tv_nsec == g_period_ms * 1000000,
                      "the timerfd's interval is lost");
}

static void check_shot(const char *name, _Atomic uint64_t *at_ns)
{
    uint64_t due_ns = g_armed_ns + (uint64_t)g_shot_ms * 1000000;
    while (victim_clock_ns(CLOCK_MONOTONIC) < due_ns + (uint64_t)g_loss_ms * 1000000 &&
           !atomic_load(at_ns))
        victim_sleep_ms(5);
    uint64_t at = atomic_load(at_ns);
    if (!at) {
        victim_fail("%s never fired", name);
        return;
    }
    long late_us = (long)(at - due_ns) / 1000;
    victim_value(name, "%ld", late_us);
    VICTIM_CHECK_THAT(late_us >= -2000 && late_us <= g_loss_ms * 1000, "%s fired %ld us late", name,
                      late_us);
}

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    g_period_ms = victim_number("period_ms", 10);
    g_loss_ms = victim_number("loss_ms", 100);
    g_shot_ms = victim_number("shot_ms", 800);
    begin();
    uint64_t due = g_armed_ns + (uint64_t)g_shot_ms * 1000000;
    struct timespec absolute = {(time_t)(due / 1000000000), (long)(due % 1000000000)};
    pthread_t reader, shot;
    if (pthread_create(&reader, NULL, timerfd_main, NULL) ||
        pthread_create(&shot, NULL, absolute_main, &absolute))
        victim_abort("no thread");
    victim_ready();
    while (victim_wait()) {
        check();
        victim_answer();
    }
    check();
    check_shot("one_shot_us", &g_shot_at_ns);
    check_shot("absolute_us", &g_alarm_at_ns);
    atomic_store(&g_end, true);
    pthread_join(reader, NULL);
    pthread_join(shot, NULL);
    return victim_finish();
}
