/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is every row of syscalls.def sound, and does every row's check keep the program from pointing the
 * kernel at memory or descriptors that are not its own?
 */
#include "tests/unit/syscalls_fixture.h"

#include <asm/unistd.h>
#include <string.h>

/* Numbers that Debian 12's headers do not know yet. */
enum {
    NEW_cachestat = 451,
    NEW_fchmodat2 = 452,
    NEW_map_shadow_stack = 453,
    NEW_futex_wake = 454,
    NEW_futex_wait = 455,
    NEW_futex_requeue = 456,
    NEW_mseal = 462,
};
#ifndef __NR_cachestat
#define __NR_cachestat NEW_cachestat
#endif
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 NEW_fchmodat2
#endif
#ifndef __NR_map_shadow_stack
#define __NR_map_shadow_stack NEW_map_shadow_stack
#endif
#ifndef __NR_futex_wake
#define __NR_futex_wake NEW_futex_wake
#endif
#ifndef __NR_futex_wait
#define __NR_futex_wait NEW_futex_wait
#endif
#ifndef __NR_futex_requeue
#define __NR_futex_requeue NEW_futex_requeue
#endif
#ifndef __NR_mseal
#define __NR_mseal NEW_mseal
#endif

/* The numbers are the kernel's. */
#define SYSCALL(number, name, ...) _Static_assert(number == __NR_##name, #name);
#define REFUSED(number, name, ...) _Static_assert(number == __NR_##name, #name);
#include "enclave/syscalls.def"
#undef SYSCALL
#undef REFUSED
#define FAST(number, name) _Static_assert(number == __NR_##name, #name);
#include "enclave/fast_calls.def"
#undef FAST

/* Each row once, in the order of the table. */
static const struct {
    long nr;
    const char *name;
} c_table[] = {
#define SYSCALL(number, name, ...) {number, #name},
#define REFUSED(number, name, ...) {number, #name},
#include "enclave/syscalls.def"
#undef SYSCALL
#undef REFUSED
};

static bool is_pointer(const struct argument *argument)
{
    return argument->kind >= ARG_PATH;
}

static void test_numbers_are_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < OM_ARRAY_LENGTH(c_table); i++) {
        assert_non_null(syscall_row(c_table[i].nr));
        assert_string_equal(syscall_row(c_table[i].nr)->name, c_table[i].name);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(syscall_name(__NR_read), "read");
    assert_string_equal(syscall_name(__NR_io_uring_setup), "io_uring_setup");
    assert_string_equal(syscall_name(400), "syscall_400");
    assert_string_equal(syscall_name(100000), "syscall_100000");
    assert_string_equal(syscall_name(-1), "syscall_-1");
    assert_null(syscall_row(-1));
    assert_null(syscall_row(SYSCALL_NUMBERS));
}

static void check_argument(const struct syscall_row *row, unsigned index)
{
    const struct argument *argument = &row->arguments[index];
    const struct argument *length = &row->arguments[argument->count];
    assert_true(argument->count < SYSCALL_ARGUMENTS);
    if (argument->kind == ARG_BUFFER) {
        assert_true(argument->flags & (ARG_READ | ARG_WRITE));
        assert_true(argument->unit > 0);
        if (argument->flags & ARG_COUNTED)
            assert_int_equal(length->kind, ARG_VALUE);
    }
    if (argument->flags & ARG_RESULT)
        assert_true(argument->flags & ARG_WRITE);
    if (argument->kind == ARG_IOVEC || argument->kind == ARG_FD_SET)
        assert_int_equal(length->kind, ARG_VALUE);
    if (argument->kind == ARG_SIZED) {
        assert_int_equal(length->kind, ARG_BUFFER);
        assert_int_equal(length->unit, SIZE_socklen);
    }
}

/* call_with_copies handles one list or one sized buffer or up to two paths. */
static void check_copies(const struct syscall_row *row)
{
    unsigned paths = 0;
    unsigned others = 0;
    for (unsigned i = 0; i < SYSCALL_ARGUMENTS; i++) {
        paths += row->arguments[i].kind == ARG_PATH;
        others += row->arguments[i].kind == ARG_IOVEC || row->arguments[i].kind == ARG_SIZED;
        if (row->how != HOW_EMULATE)
            assert_int_not_equal(row->arguments[i].kind, ARG_MESSAGE);
    }
    if (row->how != HOW_EMULATE)
        assert_true(others <= 1 && paths <= 2 && (others == 0 || paths == 0));
}

static void test_descriptions(void **state)
{
    (void)state;
    for (long nr = 0; nr < SYSCALL_NUMBERS; nr++) {
        const struct syscall_row *row = syscall_row(nr);
        bool ended = false;
        if (row == NULL)
            continue;
        assert_true(row->how != HOW_NONE && row->how <= HOW_REFUSE);
        assert_int_equal(row->handler != NULL, row->how == HOW_EMULATE);
        assert_int_equal(row->reason != NULL, row->how == HOW_REFUSE);
        assert_int_equal(row->error != 0, row->how == HOW_REFUSE);
        for (unsigned i = 0; i < SYSCALL_ARGUMENTS; i++) {
            ended |= row->arguments[i].kind == ARG_NONE;
            assert_int_equal(row->arguments[i].kind == ARG_NONE, ended);
            check_argument(row, i);
        }
        check_copies(row);
    }
}

/* Arguments under which nothing is refused but what a test puts in: lengths are 16, pointers NULL.
 */
static void harmless(const struct syscall_row *row, uint64_t args[SYSCALL_ARGUMENTS])
{
    for (unsigned i = 0; i < SYSCALL_ARGUMENTS; i++)
        args[i] = row->arguments[i].kind == ARG_VALUE ? 16 : 0;
}

/* Bad places: the runtime's tables, its code, the host, the first byte beyond, the kernel's half.
 */
static const uint64_t c_bad_places[] = {TABLES_BASE, IMAGE_BASE,        ELRANGE_END,
                                        PROGRAM_END, 0x7ffff0000000ULL, ~0ULL - 7,
                                        1,           PROGRAM_BASE - 8};

static void refuses_pointer(long nr, unsigned index, uint64_t address)
{
    const struct syscall_row *row = syscall_row(nr);
    uint64_t args[SYSCALL_ARGUMENTS];
    unsigned calls = g_fixture.calls;
    harmless(row, args);
    args[index] = address;
    long result = fixture_call(nr, args);
    if (result != -EFAULT)
        fail_msg("%s: argument %u at %lx gives %ld", row->name, index, address, result);
    if (g_fixture.calls != calls)
        fail_msg("%s: argument %u at %lx: the host was called", row->name, index, address);
}

static void test_pointers_outside_are_refused(void **state)
{
    unsigned tried = 0;
    (void)state;
    g_fixture.scripted = true;
    for (long nr = 0; nr < SYSCALL_NUMBERS; nr++) {
        const struct syscall_row *row = syscall_row(nr);
        for (unsigned i = 0; row != NULL && i < SYSCALL_ARGUMENTS; i++) {
            if (!is_pointer(&row->arguments[i]))
                continue;
            for (size_t k = 0; k < OM_ARRAY_LENGTH(c_bad_places); k++)
                refuses_pointer(nr, i, c_bad_places[k]);
            tried++;
        }
    }
    assert_true(tried > 150);
}

/* A buffer that begins in the program and ends in the tables. */
static void test_buffers_over_the_edge_are_refused(void **state)
{
    (void)state;
    g_fixture.scripted = true;
    for (long nr = 0; nr < SYSCALL_NUMBERS; nr++) {
        const struct syscall_row *row = syscall_row(nr);
        for (unsigned i = 0; row != NULL && i < SYSCALL_ARGUMENTS; i++) {
            const struct argument *argument = &row->arguments[i];
            if ((argument->kind == ARG_BUFFER &&
                 (argument->unit > 1 || argument->flags & ARG_COUNTED)) ||
                argument->kind == ARG_FD_SET || argument->kind == ARG_MESSAGE)
                refuses_pointer(nr, i, PROGRAM_END - 1);
        }
    }
}

static void test_descriptors_of_the_host_are_refused(void **state)
{
    unsigned tried = 0;
    (void)state;
    g_fixture.scripted = true;
    for (long nr = 0; nr < SYSCALL_NUMBERS; nr++) {
        const struct syscall_row *row = syscall_row(nr);
        for (unsigned i = 0; row != NULL && i < SYSCALL_ARGUMENTS; i++) {
            uint64_t args[SYSCALL_ARGUMENTS];
            if (row->arguments[i].kind != ARG_FD)
                continue;
            harmless(row, args);
            args[i] = FIXTURE_HOST_FD;
            assert_int_equal(fixture_call(nr, args), -EBADF);
            args[i] = 0xdead00000000ULL | FIXTURE_HOST_FD; /* The kernel looks at 32 bits. */
            assert_int_equal(fixture_call(nr, args), -EBADF);
            tried++;
        }
    }
    assert_int_equal(g_fixture.calls, 0);
    assert_true(tried > 80);
}

static void test_plain_calls_pass_as_they_are(void **state)
{
    (void)state;
    g_fixture.scripted = true;
    g_fixture.answer = 123;
    assert_int_equal(CALL(__NR_lseek, FIXTURE_HOST_FD - 1, 5, 1), 123);
    assert_int_equal(g_fixture.last.nr, __NR_lseek);
    assert_false(g_fixture.last.blocking);
    assert_int_equal(g_fixture.last.args[1], 5);
    assert_int_equal(CALL(__NR_read, 3, fixture_address(64), 100), 123);
    assert_true(g_fixture.last.blocking);
    assert_int_equal(g_fixture.last.args[1], fixture_address(64));
    assert_int_equal(g_fixture.thread->syscalls, 2);
    /* NULL and AT_FDCWD are the kernel's to judge. */
    assert_int_equal(CALL(__NR_newfstatat, (uint64_t)-100, 0, 0, 0), 123);
    assert_int_equal(CALL(__NR_read, (uint64_t)-1, 0, 100), 123);
    /* An empty buffer lies anywhere. */
    assert_int_equal(CALL(__NR_write, 1, ELRANGE_END, 0), 123);
    /* Other parts' handlers are called, with their arguments checked. */
    assert_int_equal(CALL(__NR_close, 3), FIXTURE_STUB);
}

static void test_memory_that_the_kernel_writes_is_marked(void **state)
{
    (void)state;
    g_fixture.scripted = true;
    CALL(__NR_read, 3, fixture_address(64), 100);
    assert_int_equal(g_fixture.marks, 1);
    assert_int_equal(g_fixture.mark[0].start, fixture_address(64));
    assert_int_equal(g_fixture.mark[0].length, 100);
    CALL(__NR_write, 3, fixture_address(64), 100);
    assert_int_equal(g_fixture.marks, 1);
    CALL(__NR_getresuid, fixture_address(0), fixture_address(8), 0);
    assert_int_equal(g_fixture.marks, 3);
    CALL(__NR_getgroups, 5, fixture_address(256));
    assert_int_equal(g_fixture.mark[3].length, 20);
    /* Also when another argument is refused afterwards. */
    CALL(__NR_getresuid, fixture_address(0), ELRANGE_END, 0);
    assert_int_equal(g_fixture.marks, 5);
    assert_int_equal(g_fixture.marks_closed, 5);
    assert_int_equal(g_fixture.thread->kernel_write_count, 0);
}

static void test_unsupported_calls_are_counted_and_named_once(void **state)
{
    uint64_t before = syscall_unsupported_count();
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(CALL(__NR_io_uring_setup, 1, 0), -ENOSYS);
    assert_int_equal(g_fixture.log_lines, 1);
    assert_non_null(strstr(g_fixture.log, "io_uring is not supported"));
    assert_int_equal(CALL(400, 0), -ENOSYS);
    assert_non_null(strstr(g_fixture.log, "syscall_400"));
    assert_int_equal(CALL(400, 0), -ENOSYS);
    assert_int_equal(CALL(5000, 0), -ENOSYS);
    assert_int_equal(CALL(-7, 0), -ENOSYS);
    assert_int_equal(CALL(__NR_mount, 0), -EPERM);
    assert_int_equal(CALL(__NR_seccomp, 0), -EINVAL);
    assert_int_equal(g_fixture.log_lines, 6);
    assert_int_equal(syscall_unsupported_count() - before, 9);
    assert_int_equal(g_fixture.calls, 0);
}

static void test_restart_kinds(void **state)
{
    (void)state;
    assert_int_equal(syscall_restart_kind(__NR_read), RESTART_IF_FLAG);
    assert_int_equal(syscall_restart_kind(__NR_accept4), RESTART_IF_FLAG);
    assert_int_equal(syscall_restart_kind(__NR_futex), RESTART_IF_FLAG);
    assert_int_equal(syscall_restart_kind(__NR_poll), RESTART_NEVER);
    assert_int_equal(syscall_restart_kind(__NR_epoll_wait), RESTART_NEVER);
    assert_int_equal(syscall_restart_kind(__NR_nanosleep), RESTART_NEVER);
    assert_int_equal(syscall_restart_kind(__NR_rt_sigsuspend), RESTART_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_numbers_are_unique, fixture_reset),
        cmocka_unit_test_setup(test_names, fixture_reset),
        cmocka_unit_test_setup(test_descriptions, fixture_reset),
        cmocka_unit_test_setup(test_pointers_outside_are_refused, fixture_reset),
        cmocka_unit_test_setup(test_buffers_over_the_edge_are_refused, fixture_reset),
        cmocka_unit_test_setup(test_descriptors_of_the_host_are_refused, fixture_reset),
        cmocka_unit_test_setup(test_plain_calls_pass_as_they_are, fixture_reset),
        cmocka_unit_test_setup(test_memory_that_the_kernel_writes_is_marked, fixture_reset),
        cmocka_unit_test_setup(test_unsupported_calls_are_counted_and_named_once, fixture_reset),
        cmocka_unit_test_setup(test_restart_kinds, fixture_reset),
    };
    return cmocka_run_group_tests_name("syscall table", tests, fixture_create, NULL);
}
