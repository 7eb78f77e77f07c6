/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fd_fixture.h"

#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/time_types.h>
#include <linux/wait.h>

#include "enclave/path.h"
#include "enclave/sys_wait.h"
#include "enclave/syscall_table.h"

int vsnprintf(char *to, size_t capacity, const char *format, __builtin_va_list arguments);
_Noreturn void _Exit(int status);
_Noreturn void abort(void);

enum { EXIT_SKIPPED = 77, MEMORY_bytes = 1 << 20, SIGNAL_CHILD = 17, CHILD_LIMIT_s = 20 };
#define SECOND 1000000000ULL

struct fixture g_fixture;
struct host_calls g_host;
struct host_facts g_facts;
static uint8_t g_description[DESCRIPTION_bytes];
static char g_directory[64];

/* ---- the kernel ---- */

static long raw(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                uint64_t a5)
{
    register uint64_t r10 __asm__("r10") = a3;
    register uint64_t r8 __asm__("r8") = a4;
    register uint64_t r9 __asm__("r9") = a5;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(nr), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

long fixture_kernel(long nr, const uint64_t a[6])
{
    return raw(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

long fixture_program(long (*handler)(struct call *), const uint64_t args[6])
{
    struct call call = {.nr = 0};

    memcpy(call.args, args, sizeof(call.args));
    return handler(&call);
}

/* ---- neighbours ---- */

long call_blocking(struct call *call, long nr, const uint64_t args[6])
{
    (void)call;
    g_fixture.blocking++;
    g_fixture.last_blocking = nr;
    if (g_fixture.interrupt) {
        g_fixture.interrupt = false;
        return CALL_INTERRUPTED;
    }
    return fixture_kernel(nr, args);
}

uint64_t call_deadline(struct call *call, int64_t timeout_ns)
{
    (void)call;
    return timeout_ns < 0 ? UINT64_MAX : clock_monotonic_ns() + (uint64_t)timeout_ns;
}

uint64_t deadline_left(uint64_t deadline_ns)
{
    uint64_t now = clock_monotonic_ns();

    return deadline_ns > now ? deadline_ns - now : 0;
}

struct __kernel_timespec time_of_ns(uint64_t ns)
{
    return (struct __kernel_timespec){(int64_t)(ns / SECOND), (int64_t)(ns % SECOND)};
}

long syscall_refuse_named(long error)
{
    return -error;
}

long syscall_refuse(const struct call *call, long error, const char *reason)
{
    (void)call;
    (void)reason;
    return -error;
}

long call_host_tid(uint64_t tid, uint64_t *out_host_tid)
{
    *out_host_tid = g_facts.process_id;
    return tid == FIXTURE_PROCESS ? 0 : -ESRCH;
}

long path_argument(const struct call *call, unsigned index, char *buffer, uint64_t *out_path)
{
    buffer[0] = 0;
    *out_path = call->args[index];
    return 0;
}

enum path_kind path_rewrite(const char *path, char *buffer)
{
    (void)path;
    buffer[0] = 0;
    return PATH_UNCHANGED;
}

long copy_from_program(void *to, uint64_t from, size_t length)
{
    if (length && from < OM_PAGE_SIZE)
        return -EFAULT;
    memcpy(to, (const void *)from, length);
    return 0;
}

long copy_to_program(uint64_t to, const void *from, size_t length)
{
    if (length && to < OM_PAGE_SIZE)
        return -EFAULT;
    memcpy((void *)to, from, length);
    return 0;
}

long copy_string_from_program(char *to, uint64_t from, size_t capacity)
{
    if (from < OM_PAGE_SIZE)
        return -EFAULT;
    return str_copy(to, (const char *)from, capacity) < capacity ? (long)strlen(to) : -ENAMETOOLONG;
}

static uint64_t kernel_clock(uint64_t id)
{
    struct __kernel_timespec now;

    raw(__NR_clock_gettime, id, A(&now), 0, 0, 0, 0);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

uint64_t clock_host_monotonic_ns(void)
{
    return kernel_clock(1);
}

uint64_t clock_monotonic_ns(void)
{
    return kernel_clock(1) + (uint64_t)g_fixture.ahead_ns;
}

uint64_t clock_realtime_ns(void)
{
    return kernel_clock(0);
}

bool clock_read(int clock_id, uint64_t *out_ns)
{
    *out_ns = kernel_clock((uint64_t)clock_id) + (uint64_t)g_fixture.ahead_ns;
    return clock_id == 1 || clock_id == 7;
}

uint64_t clock_to_host_ns(int clock_id, uint64_t program_ns)
{
    return program_ns - (clock_id == 0 ? 0 : (uint64_t)g_fixture.ahead_ns);
}

void lock_take(struct lock *lock)
{
    fixture_check(lock->word == 0, "the lock is free", __FILE__, __LINE__);
    lock->word = 1;
}

void lock_release(struct lock *lock)
{
    fixture_check(lock->word == 1, "the lock is taken", __FILE__, __LINE__);
    lock->word = 0;
}

void log_line(enum om_log_level level, const char *format, ...)
{
    __builtin_va_list arguments;

    if (level > OM_LOG_WARN)
        return;
    __builtin_va_start(arguments, format);
    vsnprintf(g_fixture.log, sizeof(g_fixture.log), format, arguments);
    __builtin_va_end(arguments);
    g_fixture.log_lines++;
}

/* Past the buffers of stdio, which a child shares with its parent. */
static void say(const char *format, ...)
{
    char text[1024];
    __builtin_va_list arguments;

    __builtin_va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    __builtin_va_end(arguments);
    raw(__NR_write, 2, A(text), strlen(text), 0, 0, 0);
}

void runtime_abort(const char *file, int line, const char *what)
{
    say("%s:%d: %s\n", file, line, what);
    abort();
}

/* ---- checks ---- */

static _Noreturn void fail(void)
{
    say("  in process %ld; last of the log: %s\n", raw(__NR_getpid, 0, 0, 0, 0, 0, 0),
        g_fixture.log);
    _Exit(1);
}

void fixture_check(bool good, const char *what, const char *file, int line)
{
    if (good)
        return;
    say("%s:%d: not so: %s\n", file, line, what);
    fail();
}

void fixture_check_equal(long is, long should, const char *what, const char *file, int line)
{
    if (is == should)
        return;
    say("%s:%d: %s is %ld, should be %ld\n", file, line, what, is, should);
    fail();
}

/* ---- files ---- */

const char *fixture_path(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % OM_ARRAY_LENGTH(paths)];

    str_format(path, sizeof(paths[0]), "%s/%s", g_directory, name);
    return path;
}

long fixture_file(const char *name, const char *contents)
{
    const char *path = fixture_path(name);
    long fd = raw(__NR_open, A(path), O_RDWR | O_CREAT | O_TRUNC, 0600, 0, 0, 0);

    fixture_check(fd >= 0, "a file can be made", __FILE__, __LINE__);
    raw(__NR_write, (uint64_t)fd, A(contents), strlen(contents), 0, 0, 0);
    return raw(__NR_close, (uint64_t)fd, 0, 0, 0, 0, 0);
}

/* The tests make plain files, pipes and sockets only. */
static void remove_directory(void)
{
    char buffer[4096] __attribute__((aligned(8)));
    long fd = raw(__NR_open, A(g_directory), O_RDONLY | O_DIRECTORY, 0, 0, 0, 0), got;

    while (fd >= 0 &&
           (got = raw(__NR_getdents64, (uint64_t)fd, A(buffer), sizeof(buffer), 0, 0, 0)) > 0)
        for (long at = 0; at < got; at += *(uint16_t *)&buffer[at + 16]) {
            raw(__NR_unlinkat, (uint64_t)fd, A(&buffer[at + 19]), 0, 0, 0, 0);
            raw(__NR_unlinkat, (uint64_t)fd, A(&buffer[at + 19]), 0x200, 0, 0, 0);
        }
    if (fd >= 0)
        raw(__NR_close, (uint64_t)fd, 0, 0, 0, 0, 0);
    raw(__NR_rmdir, A(g_directory), 0, 0, 0, 0, 0);
}

/* ---- processes ---- */

static long fork_child(void)
{
    long child = raw(__NR_fork, 0, 0, 0, 0, 0, 0);

    if (child == 0)
        g_facts.process_id = (uint32_t)raw(__NR_getpid, 0, 0, 0, 0, 0, 0);
    return child;
}

static int wait_child(long child)
{
    int32_t status = 0;

    raw(__NR_wait4, (uint64_t)child, A(&status), 0, 0, 0, 0);
    return (status & 0x7f) == 0 ? status >> 8 & 0xff : -1;
}

void fixture_read(long fd, uint8_t *room, const uint8_t *expected, uint32_t length)
{
    uint32_t done = 0;

    while (done < length) {
        long got = raw(__NR_read, (uint64_t)fd, A(room + done), length - done, 0, 0, 0);

        CHECK(got > 0);
        done += (uint32_t)got;
    }
    CHECK(memcmp(room, expected, length) == 0);
}

static void close_program(void)
{
    raw(__NR_close_range, 3, FIXTURE_HOST_FD - 1, 0, 0, 0, 0);
}

/* The destination: `go` is a pipe that the source writes to when it has committed. */
static _Noreturn void destination(void (*check)(void), long length, long go)
{
    static struct fd_obstacle obstacle;
    uint8_t byte;

    raw(__NR_alarm, CHILD_LIMIT_s, 0, 0, 0, 0, 0);
    close_program();
    if (fd_check(g_description, (size_t)length, &obstacle) != 0)
        fixture_check(false, obstacle.what, __FILE__, __LINE__);
    if (fd_restore(&obstacle) != 0)
        fixture_check(false, obstacle.what, __FILE__, __LINE__);
    fd_release();
    if (go >= 0)
        raw(__NR_read, (uint64_t)go, A(&byte), 1, 0, 0, 0);
    check();
    _Exit(0);
}

static long prepare_and_capture(struct fd_obstacle *obstacle, long *out_length)
{
    long error;

    *out_length = fd_prepare(g_description, sizeof(g_description), g_fixture.connections, obstacle);
    if (*out_length < 0)
        return *out_length;
    error = fd_capture(obstacle);
    return error;
}

void fixture_move(void (*check)(void))
{
    struct fd_obstacle obstacle;
    long length, child;

    if (prepare_and_capture(&obstacle, &length) != 0)
        fixture_check(false, obstacle.what, __FILE__, __LINE__);
    fd_share_addresses();
    child = fork_child();
    if (child == 0)
        destination(check, length, -1);
    fixture_check(wait_child(child) == 0, "the destination is content", __FILE__, __LINE__);
    fd_uncapture();
    check();
}

void fixture_move_fails(void (*check)(void))
{
    struct fd_obstacle obstacle;
    long length, child;

    if (prepare_and_capture(&obstacle, &length) != 0)
        fixture_check(false, obstacle.what, __FILE__, __LINE__);
    fd_share_addresses();
    child = fork_child();
    if (child == 0) {
        close_program();
        _Exit(fd_restore(&obstacle) != 0);
    }
    fixture_check(wait_child(child) == 0, "the destination makes all", __FILE__, __LINE__);
    fd_uncapture();
    check();
}

void fixture_move_away(void (*check)(void))
{
    struct fd_obstacle obstacle;
    int32_t go[2];
    long length, child, reader, writer, kept[3];

    if (prepare_and_capture(&obstacle, &length) != 0)
        fixture_check(false, obstacle.what, __FILE__, __LINE__);
    fd_share_addresses();
    raw(__NR_pipe2, A(go), 0, 0, 0, 0, 0);
    reader = fd_move_up(go[0]);
    writer = fd_move_up(go[1]);
    child = fork_child();
    if (child == 0)
        destination(check, length, reader);
    for (uint64_t fd = 0; fd < 3; fd++)
        kept[fd] = raw(__NR_fcntl, fd, F_DUPFD_CLOEXEC, FIXTURE_HOST_FD, 0, 0, 0);
    fd_close_all();
    for (uint64_t fd = 0; fd < 3; fd++)
        fd_place(kept[fd], (int32_t)fd);
    raw(__NR_write, (uint64_t)writer, A("g"), 1, 0, 0, 0);
    raw(__NR_close, (uint64_t)writer, 0, 0, 0, 0, 0);
    raw(__NR_close, (uint64_t)reader, 0, 0, 0, 0, 0);
    fixture_check(wait_child(child) == 0, "the destination is content", __FILE__, __LINE__);
}

const char *fixture_obstacle(void)
{
    static struct fd_obstacle obstacle;
    long length;

    fixture_check(prepare_and_capture(&obstacle, &length) == -EOPNOTSUPP, "there is an obstacle",
                  __FILE__, __LINE__);
    return obstacle.what;
}

const char *fixture_check_elsewhere(const uint8_t *description, size_t length, bool same_machine)
{
    static struct fd_obstacle obstacle;
    static uint8_t copy[DESCRIPTION_bytes];
    const size_t machine_at = 8;

    memcpy(copy, description, length);
    if (!same_machine && length > machine_at)
        copy[machine_at] ^= 1;
    return fd_check(copy, length, &obstacle) == 0 ? NULL : obstacle.what;
}

/* ---- life ---- */

static void map_at(uint64_t address, uint64_t size)
{
    long at =
        raw(__NR_mmap, address, size, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, (uint64_t)-1, 0);

    if (at != (long)address)
        _Exit(EXIT_SKIPPED);
}

/* tests/run.d/76-networks has real ones. */
static long no_service(enum om_service_order order, const struct om_service *service)
{
    (void)order;
    (void)service;
    return -ENODEV;
}

int fixture_create(void **state)
{
    const uint64_t program = 0x10000000;

    (void)state;
    map_at(TABLES_BASE, OM_ALIGN_UP(sizeof(struct tables), OM_PAGE_SIZE));
    map_at(program, MEMORY_bytes);
    g_fixture.memory = (uint8_t *)program;
    g_host.syscall = raw;
    g_host.service = no_service;
    g_facts.host_fd_base = FIXTURE_HOST_FD;
    return 0;
}

int fixture_reset(void **state)
{
    uint8_t *memory = g_fixture.memory;

    (void)state;
    remove_directory();
    close_program();
    raw(__NR_madvise, TABLES_BASE, OM_ALIGN_UP(sizeof(struct tables), OM_PAGE_SIZE), MADV_DONTNEED,
        0, 0, 0);
    g_fixture = (struct fixture){.memory = memory};
    g_facts.process_id = (uint32_t)raw(__NR_getpid, 0, 0, 0, 0, 0, 0);
    g_tables->threads.process_id = FIXTURE_PROCESS;
    str_format(g_directory, sizeof(g_directory), "/tmp/optmig-test-fd-%u", g_facts.process_id);
    raw(__NR_mkdir, A(g_directory), 0700, 0, 0, 0, 0);
    fd_table_create();
    return 0;
}

int fixture_destroy(void **state)
{
    (void)state;
    remove_directory();
    return 0;
}

void random_bytes(void *out, size_t length)
{
    memset(out, 0x5a, length);
}
