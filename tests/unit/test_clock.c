/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime's clocks, over a clock page that the test writes. */
#include "tests/unit/native.h"

#include <asm/unistd.h>
#include <linux/mman.h>
#include <linux/time.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "enclave/clock_page.h"

#define HOST_MONOTONIC 1000000000000ULL /* in the page */
#define HOST_REALTIME 1700000000000000000ULL
#define BOOT_MINUS_MONOTONIC 777000ULL
#define SECOND 1000000000ULL

static struct om_clock_page *const g_page = (struct om_clock_page *)SHARED_BASE;

static int create(void **state)
{
    (void)state;
    *g_page = (struct om_clock_page){
        .sequence = 1234,
        .tsc_base = clock_tsc(),
        .monotonic_ns = HOST_MONOTONIC,
        .realtime_ns = HOST_REALTIME,
        .multiplier = 1, /* a line that stands still for the time of a test */
        .shift = 63,
        .valid = 1,
        .boottime_minus_monotonic_ns = BOOT_MINUS_MONOTONIC,
    };
    g_tables->clock.monotonic_offset_ns = 0;
    g_tables->clock.boottime_offset_ns = 0;
    return 0;
}

static uint64_t read_by_number(int clock_id)
{
    uint64_t ns = 0;

    assert_true(clock_read(clock_id, &ns));
    return ns;
}

static void test_lines(void **state)
{
    uint64_t ns;

    (void)state;
    g_tables->clock.monotonic_offset_ns = -5000;
    g_tables->clock.boottime_offset_ns = 40;
    assert_int_equal(clock_monotonic_ns(), HOST_MONOTONIC - 5000);
    assert_int_equal(clock_host_monotonic_ns(), HOST_MONOTONIC);
    assert_int_equal(clock_realtime_ns(), HOST_REALTIME);
    assert_int_equal(read_by_number(CLOCK_MONOTONIC), HOST_MONOTONIC - 5000);
    assert_int_equal(read_by_number(CLOCK_MONOTONIC_COARSE), HOST_MONOTONIC - 5000);
    assert_int_equal(read_by_number(CLOCK_MONOTONIC_RAW), HOST_MONOTONIC - 5000);
    assert_int_equal(read_by_number(CLOCK_REALTIME), HOST_REALTIME);
    assert_int_equal(read_by_number(CLOCK_REALTIME_COARSE), HOST_REALTIME);
    assert_int_equal(read_by_number(CLOCK_BOOTTIME), HOST_MONOTONIC + BOOT_MINUS_MONOTONIC + 40);
    assert_false(clock_read(CLOCK_PROCESS_CPUTIME_ID, &ns));
    assert_false(clock_read(-1, &ns));
}

static void test_slope(void **state)
{
    static const struct {
        uint64_t ticks;
        uint32_t multiplier, shift;
        uint64_t ns;
    } cases[] = {
        {0, 1431655765, 32, 0},
        {3000000000ULL, 1431655765, 32, 999999999},            /* 3 GHz */
        {1ULL << 62, 4294967295U, 32, 4611686017353646080ULL}, /* the product has 94 bits */
        {10, 3000000000U, 30, 27},
        {-(uint64_t)5, 1431655765, 32, 0}, /* another processor's TSC, a little behind */
    };

    (void)state;
    for (size_t i = 0; i < OM_ARRAY_LENGTH(cases); i++)
        assert_int_equal(
            clock_elapsed_ns(1000 + cases[i].ticks, 1000, cases[i].multiplier, cases[i].shift),
            cases[i].ns);
}

/* A page that is being written is not used. */
static void test_sequence(void **state)
{
    uint64_t ns;

    (void)state;
    g_page->sequence = 1235;
    assert_int_equal(clock_page_read(CLOCK_LINE_MONOTONIC, &ns), CLOCK_READ_AGAIN);
    g_page->sequence = 1236;
    assert_int_equal(clock_page_read(CLOCK_LINE_MONOTONIC, &ns), CLOCK_READ_OK);
    g_page->valid = 0;
    assert_int_equal(clock_page_read(CLOCK_LINE_MONOTONIC, &ns), CLOCK_READ_INVALID);
}

static void test_without_tsc(void **state)
{
    uint64_t now = clock_host_monotonic_ns();

    (void)state;
    assert_int_equal(now, HOST_MONOTONIC);
    g_page->valid = 0;
    now = clock_host_monotonic_ns(); /* now the kernel's */
    g_tables->clock.monotonic_offset_ns = 50 * SECOND;
    assert_in_range(clock_monotonic_ns() - now, 50 * SECOND, 60 * SECOND);
    g_tables->clock.boottime_offset_ns = -(int64_t)SECOND;
    assert_true(read_by_number(CLOCK_BOOTTIME) < clock_monotonic_ns());
    assert_in_range(clock_realtime_ns() / SECOND, 1700000000, 4000000000);
}

/* The destination's host may have been up for longer or for a shorter time than the source's. */
static void test_continue(void **state)
{
    static const uint64_t readings[] = {5, HOST_MONOTONIC, HOST_MONOTONIC * 900};

    (void)state;
    for (size_t i = 0; i < OM_ARRAY_LENGTH(readings); i++) {
        clock_continue(readings[i], readings[i] + 10);
        assert_int_equal(clock_monotonic_ns(), readings[i]);
        assert_int_equal(read_by_number(CLOCK_BOOTTIME), readings[i] + 10);
        assert_int_equal(clock_realtime_ns(), HOST_REALTIME);
    }
}

static void test_translation(void **state)
{
    (void)state;
    assert_false(clock_needs_translation(CLOCK_MONOTONIC));
    assert_int_equal(clock_to_host_ns(CLOCK_MONOTONIC, 99), 99);
    g_tables->clock.monotonic_offset_ns = 1000;
    g_tables->clock.boottime_offset_ns = -1000;
    assert_true(clock_needs_translation(CLOCK_MONOTONIC));
    assert_true(clock_needs_translation(CLOCK_BOOTTIME));
    assert_false(clock_needs_translation(CLOCK_REALTIME));
    assert_int_equal(clock_to_host_ns(CLOCK_REALTIME, 99), 99);
    assert_int_equal(clock_to_host_ns(CLOCK_MONOTONIC, 5000), 4000);
    assert_int_equal(clock_to_host_ns(CLOCK_MONOTONIC, 1000),
                     1); /* past, but not 0: that disarms */
    assert_int_equal(clock_to_host_ns(CLOCK_MONOTONIC, 0), 0);
    assert_int_equal(clock_to_host_ns(CLOCK_BOOTTIME, 5000), 6000);
    assert_int_equal(clock_to_host_ns(CLOCK_BOOTTIME, UINT64_MAX - 5), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lines, create),
        cmocka_unit_test_setup(test_slope, create),
        cmocka_unit_test_setup(test_sequence, create),
        cmocka_unit_test_setup(test_without_tsc, create),
        cmocka_unit_test_setup(test_continue, create),
        cmocka_unit_test_setup(test_translation, create),
    };

    native_create();
    if (host_syscall(__NR_mmap, SHARED_BASE, SHARED_SIZE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, (uint64_t)-1,
                     0) != (long)SHARED_BASE)
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
