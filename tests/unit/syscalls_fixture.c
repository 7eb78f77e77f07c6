/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Neighbours of the dispatcher, for its unit tests: see syscalls_fixture.h.
 */
#include "tests/unit/syscalls_fixture.h"
#include "enclave/fd.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enclave/guard.h"
#include "enclave/sys_signal.h"

enum { MEMORY_BASE = 0x10000000 };

struct fixture g_fixture;
struct host_calls g_host;
struct host_facts g_facts;
volatile uint32_t g_guard_active;

/* ---- the host ---- */

static void record(long nr, const uint64_t args[6], bool blocking)
{
    struct fixture *f = &g_fixture;
    f->calls++;
    f->last = (struct host_call){.nr = nr, .blocking = blocking};
    memcpy(f->last.args, args, sizeof f->last.args);
    if (f->watch >= 0 && args[f->watch] != 0)
        memcpy(f->last.words, (const void *)args[f->watch], sizeof f->last.words);
}

static long real_call(long nr, const uint64_t a[6])
{
    long result = syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
    return result == -1 ? -errno : result;
}

static long host_call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                      uint64_t a5)
{
    const uint64_t args[6] = {a0, a1, a2, a3, a4, a5};
    record(nr, args, false);
    return g_fixture.scripted ? g_fixture.answer : real_call(nr, args);
}

static long host_call_blocking(long nr, const uint64_t args[6], const volatile uint32_t *attention)
{
    record(nr, args, true);
    if (*attention)
        return -OM_ECANCELLED;
    return g_fixture.scripted ? g_fixture.answer : real_call(nr, args);
}

/* ---- memory of the program ---- */

struct vector {
    const void *base;
    size_t length;
};

/* By the kernel, so that a bad address is an error here as in the runtime. */
static long copy(long nr, const void *here, uint64_t there, size_t length)
{
    const struct vector local = {here, length};
    const struct vector remote = {(const void *)there, length};
    if (length == 0)
        return 0;
    if (!call_in_program(there, length))
        return -EFAULT;
    return syscall(nr, (long)getpid(), &local, 1L, &remote, 1L, 0L) == (long)length ? 0 : -EFAULT;
}

long copy_from_program(void *to, uint64_t from, size_t length)
{
    return copy(SYS_process_vm_readv, to, from, length);
}

long copy_to_program(uint64_t to, const void *from, size_t length)
{
    return copy(SYS_process_vm_writev, from, to, length);
}

long copy_string_from_program(char *to, uint64_t from, size_t capacity)
{
    for (size_t i = 0; i < capacity; i++) {
        if (copy_from_program(&to[i], from + i, 1) != 0)
            return -EFAULT;
        if (to[i] == '\0')
            return (long)i;
    }
    return -ENAMETOOLONG;
}

/* ---- the other parts of the runtime ---- */

void log_line(enum om_log_level level, const char *format, ...)
{
    va_list arguments;
    (void)level;
    va_start(arguments, format);
    vsnprintf(g_fixture.log, sizeof g_fixture.log, format, arguments);
    va_end(arguments);
    g_fixture.log_lines++;
}

void lock_take(struct lock *lock)
{
    assert_int_equal(lock->word, 0);
    lock->word = 1;
}

void lock_release(struct lock *lock)
{
    assert_int_equal(lock->word, 1);
    lock->word = 0;
}

void guard_open(struct thread *thread, uint64_t start, uint64_t length)
{
    unsigned mark = g_fixture.marks++ % OM_ARRAY_LENGTH(g_fixture.mark);
    g_fixture.mark[mark].start = start;
    g_fixture.mark[mark].length = length;
    thread->kernel_write_count++;
}

void guard_close(struct thread *thread)
{
    g_fixture.marks_closed += thread->kernel_write_count;
    thread->kernel_write_count = 0;
}

void signal_recheck(struct thread *thread)
{
    if (thread->pending_count)
        thread->attention |= 1;
}

/* Who is told of a stop is told by the mover, which is not there. */
long futex_wait(const volatile uint32_t *word, uint32_t expected, int64_t timeout_ns)
{
    (void)word;
    (void)expected;
    (void)timeout_ns;
    return -ETIMEDOUT;
}

void futex_wake(const volatile uint32_t *word, int count)
{
    (void)word;
    (void)count;
}

uint64_t clock_monotonic_ns(void)
{
    return g_fixture.now_ns;
}

bool clock_read(int clock_id, uint64_t *out_ns)
{
    *out_ns = g_fixture.now_ns;
    return clock_id == 1;
}

/* As in the runtime: only MONOTONIC has an offset here. */
bool clock_needs_translation(int clock_id)
{
    return clock_id == 1 && g_tables->clock.monotonic_offset_ns != 0;
}

uint64_t clock_to_host_ns(int clock_id, uint64_t program_ns)
{
    return clock_id == 1 ? program_ns - (uint64_t)g_tables->clock.monotonic_offset_ns : program_ns;
}

bool fd_inotify_read(long nr, const uint64_t args[6], long *out_result)
{
    (void)nr;
    (void)args;
    (void)out_result;
    return false;
}

struct thread *thread_find(uint32_t tid)
{
    return tid == g_fixture.thread->tid ? g_fixture.thread : NULL;
}

bool mm_is_mapped(uint64_t start, uint64_t length, uint32_t prot)
{
    (void)prot;
    return start >= (uint64_t)g_fixture.memory && start + length <= TABLES_BASE;
}

long thread_translate_tid(uint32_t tid, uint32_t *out_host_tid)
{
    *out_host_tid = FIXTURE_HOST_TID;
    return tid == FIXTURE_PROCESS ? 0 : -ESRCH;
}

/* Handlers that other parts have; those of the parts under test take their place. */
#define SYSCALL(number, name, how, restart, ...) HANDLER_##how(name)
#define HANDLER_PASS(name)
#define HANDLER_BLOCK(name)
#define HANDLER_EMULATE(name)                                                                      \
    __attribute__((weak)) long sys_##name(struct call *call)                                       \
    {                                                                                              \
        (void)call;                                                                                \
        return FIXTURE_STUB;                                                                       \
    }
#define REFUSED(number, name, error, why)
#include "enclave/syscalls.def"
#undef SYSCALL
#undef REFUSED

void scheduling_changed(struct thread *caller, uint64_t tid)
{
    (void)caller;
    (void)tid;
}

/* No file is mapped here. */
void shared_files_after(struct call *call, long result)
{
    (void)call;
    (void)result;
}

/* ---- the fixture ---- */

static void *map_at(uint64_t address, size_t size)
{
    void *memory = mmap((void *)address, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    assert_ptr_equal(memory, (void *)address);
    return memory;
}

int fixture_create(void **state)
{
    (void)state;
    g_fixture.memory = map_at(MEMORY_BASE, FIXTURE_MEMORY_bytes);
    map_at(TABLES_BASE, OM_ALIGN_UP(sizeof(struct tables), OM_PAGE_SIZE));
    g_fixture.thread = map_at(SLOTS_BASE, SLOT_SIZE);
    return 0;
}

int fixture_reset(void **state)
{
    struct fixture *f = &g_fixture;
    struct thread *thread = f->thread;
    uint8_t *memory = f->memory;
    (void)state;
    memset(memory, 0, FIXTURE_MEMORY_bytes);
    memset(g_tables, 0, sizeof *g_tables);
    memset(thread, 0, sizeof *thread);
    *f = (struct fixture){
        .thread = thread, .memory = memory, .watch = -1, .now_ns = 1000 * 1000000000ULL};
    f->uc.uc_mcontext.rip = FIXTURE_PC + 2;
    g_host.syscall = host_call;
    g_host.syscall_blocking = host_call_blocking;
    g_facts = (struct host_facts){
        .host_fd_base = FIXTURE_HOST_FD, .nofile_soft = 512, .process_id = FIXTURE_HOST_PROCESS};
    g_tables->threads.process_id = FIXTURE_PROCESS;
    thread->tid = FIXTURE_PROCESS;
    thread->host_tid = FIXTURE_HOST_TID;
    str_copy(g_tables->exe_path, "/bin/true", sizeof g_tables->exe_path);
    return 0;
}

long fixture_call(long nr, const uint64_t args[6])
{
    struct call call = {.thread = g_fixture.thread,
                        .uc = &g_fixture.uc,
                        .pc = g_fixture.uc.uc_mcontext.rip - 2,
                        .nr = nr};
    memcpy(call.args, args, sizeof call.args);
    return syscall_dispatch(&call);
}

uint64_t fixture_address(size_t offset)
{
    return (uint64_t)(g_fixture.memory + offset);
}

void *fixture_at(size_t offset)
{
    return g_fixture.memory + offset;
}

uint64_t fixture_timespec(size_t offset, int64_t seconds, int64_t ns)
{
    const int64_t time[2] = {seconds, ns};
    memcpy(fixture_at(offset), time, sizeof time);
    return fixture_address(offset);
}
