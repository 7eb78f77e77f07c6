/* SPDX-License-Identifier: Apache-2.0 */
/* The enclave's half of test_move.c: see move_fixture.h. */
#include "tests/unit/move_fixture.h"

#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/time.h>

#include "enclave/expect.h"
#include "enclave/fd.h"
#include "enclave/guard.h"
#include "enclave/move.h"
#include "enclave/process.h"
#include "enclave/stop.h"
#include "enclave/tables.h"
#include "enclave/timers.h"
#include "host/channel.h"
#include "host/enclave.h"
#include "host/pager.h"
#include "host/platform.h"
#include "host/receipt.h"
#include "host/track.h"

struct host_calls g_host;
struct host_facts g_facts;

static const uint8_t g_description[] = "what the destination must have";

static long raw_syscall(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
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

#define OCALL(type, name, parameters) .name = host_##name,
#define ECALL(name, argument)
static const struct host_calls g_calls = {
#define host_syscall raw_syscall
#define host_syscall_blocking NULL
#define host_thread_create NULL
#define host_thread_exit NULL
#define host_sigreturn NULL
#define host_service NULL /* descriptors are not under test */
#define host_terminal NULL
#define host_relay_begin NULL
#define host_relay_keep NULL
#define host_relay_end NULL
#define host_relay_connect NULL
#define host_relay_greet NULL
#define host_registry NULL /* no policy names one */
#include "boundary/calls.def"
#undef host_syscall
#undef host_service
#undef host_terminal
#undef host_relay_begin
#undef host_relay_keep
#undef host_relay_end
#undef host_relay_connect
#undef host_relay_greet
#undef host_registry
};
#undef OCALL
#undef ECALL

bool fixture_create(const char *name, uint32_t threads)
{
    uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    long at = raw_syscall(__NR_mmap, ELRANGE_BASE, ELRANGE_END - ELRANGE_BASE, PROT_NONE, flags,
                          (uint64_t)-1, 0);

    if (at != (long)ELRANGE_BASE)
        return false;
    raw_syscall(__NR_mprotect, TABLES_BASE, TABLES_SIZE, PROT_READ | PROT_WRITE, 0, 0, 0);
    raw_syscall(__NR_mprotect, LOCAL_BASE, LOCAL_SIZE, PROT_READ | PROT_WRITE, 0, 0, 0);
    g_host = g_calls;
    g_facts.host_fd_base = 1000;
    g_facts.log_fd = 2;
    g_facts.log_level = OM_LOG_WARN;
    g_facts.privileged = true;
    memset(g_facts.measurement, 7, sizeof(g_facts.measurement));
    g_tables->version = TABLES_VERSION;
    str_copy(g_tables->name, name, sizeof(g_tables->name));
    g_tables->threads.slot_limit = g_tables->threads.live = threads;
    mm_create();
    return true;
}

uint32_t fixture_areas(struct fixture_area *out, uint32_t capacity)
{
    struct area area = {0};
    uint32_t count = 0;

    while (count < capacity && mm_next_area(area.end, &area))
        out[count++] = (struct fixture_area){area.start, area.end, area.prot};
    return count;
}

long fixture_map(uint64_t start, uint64_t length, uint32_t prot)
{
    return mm_map_fixed(start, length, prot, AREA_ANONYMOUS, 0, NULL);
}

long fixture_unmap(uint64_t start, uint64_t length)
{
    return mm_unmap(start, length);
}

long fixture_protect(uint64_t start, uint64_t length, uint32_t prot)
{
    return mm_protect(start, length, prot);
}

long fixture_discard(uint64_t start, uint64_t length)
{
    return mm_discard(start, length);
}

void *fixture_signal_stack(uint32_t slot, size_t *out_size)
{
    uint64_t head = OM_ALIGN_UP(sizeof(struct thread), OM_PAGE_SIZE);

    *out_size = SLOT_SIZE - head;
    return (uint8_t *)thread_slot(slot) + head;
}

bool fixture_guard_fault(uint64_t address)
{
    return guard_fault(address);
}

void fixture_guard_open(uint32_t slot, uint64_t start, uint64_t length)
{
    guard_open(thread_slot(slot), start, length);
}

void fixture_guard_close(uint32_t slot)
{
    guard_close(thread_slot(slot));
}

void fixture_move(bool out, struct ecall_move *move)
{
    if (out)
        move_out(move);
    else
        move_in(move);
}

void fixture_helper(bool urgent)
{
    struct ecall_pager arg = {0};

    if (urgent)
        move_urgent(&arg);
    else
        pager_run(&arg);
}

static uint64_t digest_of(uint64_t digest, uint64_t start, uint64_t end)
{
    for (const uint64_t *word = (const uint64_t *)start; word < (const uint64_t *)end; word++)
        digest = (digest ^ *word) * 0x100000001b3ULL;
    return digest;
}

uint64_t fixture_tables_digest(void)
{
    uint64_t end = SLOTS_BASE + (uint64_t)g_tables->threads.slot_limit * SLOT_SIZE;

    return digest_of(digest_of(1, TABLES_BASE + OM_PAGE_SIZE,
                               TABLES_BASE + OM_ALIGN_UP(sizeof(struct tables), OM_PAGE_SIZE)),
                     SLOTS_BASE, end);
}

void fixture_set_command(const char *text)
{
    str_copy(g_tables->command, text, sizeof(g_tables->command));
}

const char *fixture_command(void)
{
    return g_tables->command;
}

/* ---- neighbours of the move ---- */

struct thread *thread_slot(uint32_t index)
{
    return (struct thread *)(SLOTS_BASE + (uint64_t)index * SLOT_SIZE);
}

uint32_t stop_likely_pages(uint64_t *out_pages, uint32_t capacity)
{
    (void)out_pages;
    (void)capacity;
    return 0;
}

void stop_prepare(void)
{
}

long stop_all(uint64_t timeout_us)
{
    (void)timeout_us;
    return program_stop();
}

void stop_delay(struct stop_delay *out)
{
    *out = (struct stop_delay){0};
}

/* The program of this test polls nowhere. */
long copy_from_program(void *to, uint64_t from, size_t length)
{
    (void)to;
    (void)from;
    (void)length;
    return -EFAULT;
}

void stop_resume(void)
{
    program_resume();
}

long stop_restore_threads(void)
{
    return 0;
}

void stop_release(void)
{
    program_release();
}

void stop_arrival_told(void)
{
}

uint32_t stop_hot_pages(uint64_t *out_pages, uint32_t capacity)
{
    return program_hot_pages(out_pages, capacity);
}

void signal_install_all(void)
{
}

long timers_capture(void)
{
    return 0;
}

long timers_restore(void)
{
    return 0;
}

void stop_capture_signals(void)
{
}

void scheduling_capture(void)
{
}

long process_capture(void)
{
    return 0;
}

void process_restore(void)
{
}

uint64_t clock_monotonic_ns(void)
{
    return host_now_ns(CLOCK_MONOTONIC);
}

void clock_continue(uint64_t program_monotonic_ns, uint64_t program_boottime_ns)
{
    /* Both processes are on one machine. */
    uint64_t now = host_now_ns(CLOCK_MONOTONIC);

    om_assert(program_monotonic_ns < now + 1000000000 && now < program_monotonic_ns + 10000000000);
    om_assert(program_boottime_ns + 1000000000 >= program_monotonic_ns);
}

long fd_prepare(uint8_t *out, size_t capacity, enum om_connections connections,
                struct fd_obstacle *out_obstacle)
{
    (void)connections;
    om_assert(capacity >= sizeof(g_description));
    memset(out_obstacle, 0, sizeof(*out_obstacle));
    memcpy(out, g_description, sizeof(g_description));
    return sizeof(g_description);
}

long fd_check(const uint8_t *description, size_t length, struct fd_obstacle *out_obstacle)
{
    bool equal = length == sizeof(g_description) && memcmp(description, g_description, length) == 0;

    str_copy(out_obstacle->what, "the description is another", sizeof(out_obstacle->what));
    return equal ? 0 : -EINVAL;
}

void expect_capture(void)
{
}

void expect_restore(void)
{
}

long fd_capture(struct fd_obstacle *out_obstacle)
{
    return program_capture(out_obstacle->what, sizeof(out_obstacle->what));
}

void fd_release(void)
{
}

void fd_uncapture(void)
{
    program_uncapture();
}

void fd_share_addresses(void)
{
}

void fd_abandon(void)
{
}

long fd_restore(struct fd_obstacle *out_obstacle)
{
    return program_restore(out_obstacle->what, sizeof(out_obstacle->what));
}

void fd_close_all(void)
{
}
