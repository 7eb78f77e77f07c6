/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the clock page is kept when the kernel's clocks misbehave.  The tested file is included, with
 * the kernel's clocks replaced by ones whose rate and steps the test decides; the TSC is the real
 * one.
 */
#include <time.h>

static int fake_clock_gettime(clockid_t id, struct timespec *out);
#define clock_gettime fake_clock_gettime
#include "host/clock.c" /* NOLINT(bugprone-suspicious-include) */
#undef clock_gettime

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { STEP_ms = 5 };

static int64_t g_start_ns, g_monotonic_step_ns, g_realtime_step_ns, g_boottime_step_ns;
static double g_drift; /* of the fake clocks against the real one */
static struct om_clock_page g_fake_page;

static int fake_clock_gettime(clockid_t id, struct timespec *out)
{
    struct timespec real;
    int64_t ns;

    clock_gettime(CLOCK_MONOTONIC, &real);
    ns = real.tv_sec * NS_PER_SECOND + real.tv_nsec;
    if (g_start_ns == 0)
        g_start_ns = ns;
    ns += (int64_t)((double)(ns - g_start_ns) * g_drift) + g_monotonic_step_ns;
    if (id == CLOCK_REALTIME)
        ns += 1700000000 * NS_PER_SECOND + g_realtime_step_ns;
    else if (id == CLOCK_BOOTTIME)
        ns += g_boottime_step_ns;
    out->tv_sec = ns / NS_PER_SECOND;
    out->tv_nsec = ns % NS_PER_SECOND;
    return 0;
}

static int create(void **state)
{
    (void)state;
    g_start_ns = g_monotonic_step_ns = g_realtime_step_ns = g_boottime_step_ns = 0;
    g_drift = 0;
    g_readings = 0;
    memset(&g_fake_page, 0, sizeof(g_fake_page));
    g_page = &g_fake_page;
    open_source();
    first_line();
    return 0;
}

/* One refresh: the line does not jump, and its slope stays within what is promised. */
static void refresh_once(void)
{
    const struct om_clock_page before = g_fake_page;
    uint64_t old_ns, new_ns;
    double slope;

    sleep_ms(STEP_ms);
    refresh();
    old_ns = line_at(&before, g_fake_page.tsc_base);
    new_ns = g_fake_page.monotonic_ns;
    assert_in_range(new_ns - old_ns, 0, 1);
    assert_int_equal(g_fake_page.sequence, before.sequence + 2);
    slope = (double)g_fake_page.multiplier / (double)(1ULL << g_fake_page.shift) / g_nominal_rate;
    assert_true(slope > 0.89 && slope < 1.11);
}

static int64_t error_ns(void)
{
    struct reading now = take_reading();

    return now.monotonic_ns - (int64_t)line_at(g_page, now.tsc);
}

static int64_t realtime_error_ns(void)
{
    struct reading now = take_reading();
    int64_t kernel_ns = now.monotonic_ns + now.realtime_offset_ns;

    return kernel_ns -
           (int64_t)(line_at(g_page, now.tsc) + g_page->realtime_ns - g_page->monotonic_ns);
}

static void test_steady(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++)
        refresh_once();
    assert_in_range(llabs(error_ns()), 0, 100000);
    assert_in_range(llabs(realtime_error_ns()), 0, 200000);
}

/* NTP may make the kernel's clock this fast. */
static void test_drift(void **state)
{
    (void)state;
    g_start_ns = 0;
    g_drift = 0.0005;
    for (int i = 0; i < 60; i++) {
        refresh_once();
        assert_in_range(llabs(error_ns()), 0, 2000000);
    }
}

static void test_realtime_is_set(void **state)
{
    uint64_t monotonic_ns;

    (void)state;
    refresh_once();
    g_realtime_step_ns = 3600 * NS_PER_SECOND;
    refresh_once();
    assert_in_range(llabs(realtime_error_ns()), 0, 200000);
    g_realtime_step_ns = -86400 * NS_PER_SECOND;
    monotonic_ns = g_fake_page.monotonic_ns;
    refresh_once();
    assert_in_range(llabs(realtime_error_ns()), 0, 200000);
    assert_true(g_fake_page.monotonic_ns > monotonic_ns);
}

/* The machine slept: CLOCK_BOOTTIME went on without CLOCK_MONOTONIC. */
static void test_sleep(void **state)
{
    (void)state;
    g_boottime_step_ns = 50 * NS_PER_SECOND;
    refresh_once();
    assert_in_range(llabs((int64_t)g_fake_page.boottime_minus_monotonic_ns - 50 * NS_PER_SECOND), 0,
                    50000);
}

/* The TSC stood still or ran away, as seen by the kernel's clock: made good slowly. */
static void monotonic_steps_by(int64_t step_ns)
{
    int64_t before_ns, first_ns, last_ns;

    refresh_once();
    before_ns = error_ns();
    g_monotonic_step_ns += step_ns;
    refresh_once();
    first_ns = error_ns();
    assert_in_range(llabs(first_ns - before_ns - step_ns), 0, 500000000);
    for (int i = 0; i < 20; i++)
        refresh_once();
    last_ns = error_ns();
    assert_true(llabs(last_ns) < llabs(first_ns));
}

static void test_monotonic_steps(void **state)
{
    (void)state;
    monotonic_steps_by(5 * NS_PER_SECOND);
    monotonic_steps_by(-20 * NS_PER_SECOND);
}

static void test_rates(void **state)
{
    static const double rates[] = {0.2, 0.333, 0.9999, 1.0, 1.7, 10, 1000};
    struct om_clock_page page = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        double rate;

        set_rate(&page, rates[i]);
        rate = (double)page.multiplier / (double)(1ULL << page.shift);
        assert_true(rate / rates[i] > 0.999999 && rate / rates[i] < 1.000001);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_steady, create),
        cmocka_unit_test_setup(test_drift, create),
        cmocka_unit_test_setup(test_realtime_is_set, create),
        cmocka_unit_test_setup(test_sleep, create),
        cmocka_unit_test_setup(test_monotonic_steps, create),
        cmocka_unit_test_setup(test_rates, create),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
