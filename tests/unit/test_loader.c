/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader, for real: a child process loads a program of the system into ELRANGE and jumps to it.
 * Its system calls go straight to the kernel, so what runs is the executable, its interpreter, its
 * libraries (these mapped by the kernel) and our vDSO, on the stack that the loader made.
 */
#include "tests/unit/native.h"

#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "enclave/loader.h"
#include "host/clock.h"

enum { EXIT_REFUSED = 200, OUTPUT_MAX = 64 * 1024, CHILD_MODE = 0755, SIGCHLD_NUMBER = 17 };

static char g_output[OUTPUT_MAX];
static char g_directory[] = "/tmp/optmig-test-loader-XXXXXXXX";

static long call(long nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    return host_syscall(nr, a0, a1, a2, 0, 0, 0);
}

static _Noreturn void jump(const struct cpu_state *cpu)
{
    __asm__ volatile("mov %0, %%rsp\n\t"
                     "xor %%edx, %%edx\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "jmp *%1"
                     :
                     : "r"(cpu->regs.rsp), "a"(cpu->regs.rip)
                     : "memory");
    __builtin_unreachable();
}

static _Noreturn void be_child(int out, const char *const *argv, const char *const *envp)
{
    static struct thread first;
    const struct program program = {.path = argv[0], .argv = argv, .envp = envp};
    char reason[OM_REASON_MAX];

    call(__NR_dup2, (uint64_t)out, 1, 0);
    call(__NR_dup2, (uint64_t)out, 2, 0);
    if (loader_load(&program, &first, reason, sizeof(reason)) == 0)
        jump(&first.cpu);
    call(__NR_write, 1, (uint64_t)reason, strlen(reason));
    call(__NR_exit_group, EXIT_REFUSED, 0, 0);
    __builtin_unreachable();
}

/* Exit status; what the program (or the loader) wrote is in g_output. */
static int run(const char *const *argv, const char *const *envp)
{
    int ends[2], status = -1;
    size_t used = 0;
    long child, got;

    assert_int_equal(call(__NR_pipe2, (uint64_t)ends, O_CLOEXEC, 0), 0);
    child = call(__NR_fork, 0, 0, 0);
    if (child == 0)
        be_child(ends[1], argv, envp);
    call(__NR_close, (uint64_t)ends[1], 0, 0);
    while ((got = call(__NR_read, (uint64_t)ends[0], (uint64_t)g_output + used,
                       sizeof(g_output) - 1 - used)) > 0)
        used += (size_t)got;
    g_output[used] = 0;
    call(__NR_close, (uint64_t)ends[0], 0, 0);
    host_syscall(__NR_wait4, (uint64_t)child, (uint64_t)&status, 0, 0, 0, 0);
    return status & 0x7f ? 1000 + (status & 0x7f) : status >> 8 & 0xff;
}

#define RUN(...)                                                                                   \
    run((const char *const[]){__VA_ARGS__, NULL}, (const char *const[]){"PATH=/bin", "X=y", NULL})

static bool says(const char *words)
{
    size_t length = strlen(words);

    for (const char *at = g_output; *at; at++)
        if (strncmp(at, words, length) == 0)
            return true;
    print_error("\"%s\" is not in \"%s\"\n", words, g_output);
    return false;
}

static bool exists(const char *path)
{
    return call(__NR_access, (uint64_t)path, 0, 0) == 0;
}

/* A file in the test's own directory; its path. */
static const char *make_file(const char *name, const char *text, uint32_t mode)
{
    static char paths[8][128];
    static int next;
    char *path = paths[next++ % 8];
    long fd;

    str_format(path, sizeof(paths[0]), "%s/%s", g_directory, name);
    call(__NR_unlink, (uint64_t)path, 0, 0);
    fd = call(__NR_open, (uint64_t)path, O_CREAT | O_WRONLY, mode);
    assert_true(fd >= 0);
    call(__NR_write, (uint64_t)fd, (uint64_t)text, strlen(text));
    call(__NR_close, (uint64_t)fd, 0, 0);
    return path;
}

static void remove_file(const char *path)
{
    call(__NR_unlink, (uint64_t)path, 0, 0);
}

static void test_dynamic_programs(void **state)
{
    (void)state;
    assert_int_equal(RUN("/bin/true"), 0);
    assert_int_equal(RUN("/bin/false"), 1);
    assert_int_equal(RUN("/bin/echo", "a", "", "b c"), 0);
    assert_string_equal(g_output, "a  b c\n");
    assert_int_equal(RUN("/usr/bin/env"), 0);
    assert_string_equal(g_output, "PATH=/bin\nX=y\n");
    assert_int_equal(RUN("/bin/sh", "-c", "echo $0 $1 $X; exit 9", "zero", "one"), 9);
    assert_string_equal(g_output, "zero one y\n");
}

/* Debian's python3 is linked to 4 MiB. */
static void test_position_dependent(void **state)
{
    (void)state;
    if (!exists("/usr/bin/python3"))
        skip();
    assert_int_equal(RUN("/usr/bin/python3", "-c", "print(sum(range(100000)))"), 0);
    assert_string_equal(g_output, "4999950000\n");
}

static void test_static_programs(void **state)
{
    static const char *const paths[] = {STATIC_PROGRAM, STATIC_PIE_PROGRAM};

    (void)state;
    for (size_t i = 0; i < OM_ARRAY_LENGTH(paths); i++) {
        assert_int_equal(RUN(paths[i], "one", "two"), 42);
        assert_true(says("argc 3 argv two"));
        assert_true(says("environment X=y"));
        assert_true(says("vdso 1"));
        assert_true(says("clock 1"));
    }
}

/* The dynamic linker shows the auxiliary vector that it was given. */
static void test_auxiliary_vector(void **state)
{
    const char *const argv[] = {"/bin/true", NULL}, *const envp[] = {"LD_SHOW_AUXV=1", NULL};

    (void)state;
    assert_int_equal(run(argv, envp), 0);
    assert_true(says("AT_SYSINFO_EHDR:"));
    assert_true(says("AT_PAGESZ:            4096"));
    assert_true(says("AT_PHENT:             56"));
    assert_true(says("AT_CLKTCK:            100"));
    assert_true(says("AT_PHDR:              0x1000000040"));
    assert_true(says("AT_EXECFN:            /bin/true"));
    assert_true(says("AT_PLATFORM:          x86_64"));
    assert_true(says("AT_SECURE:            0"));
    assert_true(says("AT_RANDOM:"));
    assert_true(says("AT_MINSIGSTKSZ:"));
    assert_true(says("AT_HWCAP2:            0x0"));
}

static void test_scripts(void **state)
{
    const char *inner, *outer, *deep;
    char line[256];

    (void)state;
    inner = make_file("inner", "#! \t/bin/sh  \necho in $0 $*\n", CHILD_MODE);
    assert_int_equal(RUN(inner, "x", "y"), 0);
    str_format(line, sizeof(line), "in %s x y\n", inner);
    assert_string_equal(g_output, line);
    /* A script for an interpreter; all the rest of the line is one argument. */
    str_format(line, sizeof(line), "#!%s two words \n", inner);
    outer = make_file("outer", line, CHILD_MODE);
    assert_int_equal(RUN(outer, "z"), 0);
    str_format(line, sizeof(line), "in %s two words %s z\n", inner, outer);
    assert_string_equal(g_output, line);
    /* One that is its own interpreter. */
    str_format(line, sizeof(line), "#!%s/deep\n", g_directory);
    deep = make_file("deep", line, CHILD_MODE);
    assert_int_equal(RUN(deep), EXIT_REFUSED);
    assert_true(says("too many levels"));
    remove_file(inner);
    assert_int_equal(RUN(outer), EXIT_REFUSED);
    assert_true(says("inner: no such file"));
    remove_file(outer);
    remove_file(deep);
}

static void expect_refused(const char *name, const char *text, uint32_t mode, const char *words)
{
    const char *path = make_file(name, text, mode);

    assert_int_equal(RUN(path), EXIT_REFUSED);
    assert_true(says(path));
    assert_true(says(words));
    remove_file(path);
}

static void test_refused_in_words(void **state)
{
    (void)state;
    assert_int_equal(RUN("/no/such/program"), EXIT_REFUSED);
    assert_string_equal(g_output, "/no/such/program: no such file");
    assert_int_equal(RUN("/tmp"), EXIT_REFUSED);
    assert_string_equal(g_output, "/tmp: permission denied");
    assert_int_equal(RUN("/bin/true/x"), EXIT_REFUSED);
    assert_true(says("not a directory"));
    expect_refused("empty", "", CHILD_MODE, "not an x86-64 ELF executable (bad magic)");
    expect_refused("text", "hello\n", CHILD_MODE, "not an x86-64 ELF executable (bad magic)");
    expect_refused("short",
                   "\x7f"
                   "ELF",
                   CHILD_MODE, "truncated ELF header");
    expect_refused("hash", "#!\n", CHILD_MODE, "bad `#!` line");
    expect_refused("blanks", "#!   \n/bin/sh", CHILD_MODE, "bad `#!` line");
    expect_refused("mode", "#!/bin/sh\n", 0644, "permission denied");
}

/* A `#!` line that is longer than what counts. */
static void test_long_script_lines(void **state)
{
    const char *path;
    char line[400];

    (void)state;
    str_format(line, sizeof(line), "#!/bin/echo %0300d\n", 7);
    path = make_file("argument", line, CHILD_MODE);
    assert_int_equal(RUN(path), 0); /* the argument is cut */
    remove_file(path);
    str_format(line, sizeof(line), "#!/%0300d\n", 7);
    expect_refused("interpreter", line, CHILD_MODE, "bad `#!` line");
}

static void test_arguments(void **state)
{
    static char big[200 * 1024];
    static const char *argv[32 + 2];
    const char *const envp[] = {NULL};

    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    argv[0] = "/bin/echo";
    for (int i = 1; i <= 32; i++)
        argv[i] = big;
    assert_int_equal(run(argv, envp), EXIT_REFUSED);
    assert_true(says("too large"));
    argv[5] = NULL;
    argv[0] = "/bin/true";
    assert_int_equal(run(argv, envp), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dynamic_programs),  cmocka_unit_test(test_position_dependent),
        cmocka_unit_test(test_static_programs),   cmocka_unit_test(test_auxiliary_vector),
        cmocka_unit_test(test_scripts),           cmocka_unit_test(test_refused_in_words),
        cmocka_unit_test(test_long_script_lines), cmocka_unit_test(test_arguments),
    };
    uint64_t random;
    int failures;

    native_create();
    if (clock_start())
        return 77;
    random_bytes(&random, sizeof(random));
    str_format(g_directory + strlen("/tmp/optmig-test-loader-"), 9, "%08x", (uint32_t)random);
    call(__NR_mkdir, (uint64_t)g_directory, 0700, 0);
    failures = cmocka_run_group_tests(tests, NULL, NULL);
    call(__NR_rmdir, (uint64_t)g_directory, 0, 0);
    return failures;
}
