/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/native.h"

#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "enclave/access.h"
#include "enclave/fast_calls.h"
#include "enclave/guard.h"

enum { EXIT_SKIPPED = 77 };

struct native_failure g_native_failure;
struct host_calls g_host;
struct host_facts g_facts;

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

static long native_syscall(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                           uint64_t a5)
{
    if (g_native_failure.error && nr == g_native_failure.nr && g_native_failure.after-- == 0) {
        long error = g_native_failure.error;

        g_native_failure.error = 0; /* once */
        if (g_native_failure.partial && nr == __NR_mprotect)
            raw_syscall(nr, a0, OM_ALIGN_UP(a1 / 2, OM_PAGE_SIZE), a2, 0, 0, 0);
        return error;
    }
    return raw_syscall(nr, a0, a1, a2, a3, a4, a5);
}

void native_create(void)
{
    uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    long at = raw_syscall(__NR_mmap, ELRANGE_BASE, ELRANGE_END - ELRANGE_BASE, PROT_NONE, flags,
                          (uint64_t)-1, 0);

    if (at != (long)ELRANGE_BASE)
        raw_syscall(__NR_exit_group, EXIT_SKIPPED, 0, 0, 0, 0, 0);
    raw_syscall(__NR_mprotect, TABLES_BASE, OM_ALIGN_UP(sizeof(struct tables), OM_PAGE_SIZE),
                PROT_READ | PROT_WRITE, 0, 0, 0);
    g_host.syscall = native_syscall;
    g_facts.host_fd_base = 1000;
    g_facts.log_fd = -1;
    mm_create();
}

/* One line of /proc/self/maps: `start-end rwxp ...` */
static const char *parse_hex(const char *at, uint64_t *out)
{
    for (*out = 0;; at++) {
        char c = *at;

        if (c >= '0' && c <= '9')
            *out = *out * 16 + (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            *out = *out * 16 + (uint64_t)(c - 'a') + 10;
        else
            return at;
    }
}

static void add_region(struct native_region *regions, uint32_t *count, struct native_region region)
{
    struct native_region *last = *count ? &regions[*count - 1] : NULL;

    if (last && last->end == region.start && last->prot == region.prot)
        last->end = region.end;
    else
        regions[(*count)++] = region;
}

static size_t read_maps(char *to, size_t capacity)
{
    long fd = raw_syscall(__NR_open, (uint64_t) "/proc/self/maps", O_RDONLY, 0, 0, 0, 0);
    size_t used = 0;

    for (;;) {
        long got =
            raw_syscall(__NR_read, (uint64_t)fd, (uint64_t)to + used, capacity - used - 1, 0, 0, 0);

        if (got <= 0)
            break;
        used += (size_t)got;
    }
    raw_syscall(__NR_close, (uint64_t)fd, 0, 0, 0, 0, 0);
    to[used] = 0;
    return used;
}

uint32_t native_regions(uint64_t start, uint64_t end, struct native_region *out, uint32_t capacity)
{
    static char text[1 << 20];
    uint32_t count = 0;

    read_maps(text, sizeof(text));
    for (const char *line = text; *line && count < capacity;) {
        struct native_region region = {0, 0, 0};
        const char *flags;

        flags = parse_hex(parse_hex(line, &region.start) + 1, &region.end) + 1;
        region.prot = (flags[0] == 'r' ? PROT_READ : 0) | (flags[1] == 'w' ? PROT_WRITE : 0) |
                      (flags[2] == 'x' ? PROT_EXEC : 0);
        region.start = OM_MAX(region.start, start);
        region.end = OM_MIN(region.end, end);
        if (region.start < region.end && region.prot)
            add_region(out, &count, region);
        line = strchr(line, '\n');
        if (!line)
            break;
        line++;
    }
    return count;
}

/* xorshift64* */
uint64_t native_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dULL;
}

/* ---- What neighbours of the tested files would do. ---- */

static bool in_program(uint64_t start, size_t length)
{
    return start >= PROGRAM_BASE && start <= PROGRAM_END && length <= PROGRAM_END - start;
}

long copy_from_program(void *to, uint64_t from, size_t length)
{
    if (!in_program(from, length) || !mm_is_mapped(from, length, PROT_READ))
        return -EFAULT;
    memcpy(to, (const void *)from, length);
    return 0;
}

long copy_to_program(uint64_t to, const void *from, size_t length)
{
    if (!in_program(to, length) || !mm_is_mapped(to, length, PROT_WRITE))
        return -EFAULT;
    memcpy((void *)to, from, length);
    return 0;
}

void guard_open(struct thread *thread, uint64_t start, uint64_t length)
{
    (void)thread;
    (void)start;
    (void)length;
}

void guard_close(struct thread *thread)
{
    (void)thread;
}

/* Code that is mapped here stays as it is in the file. */
void fast_calls_patch(uint64_t start, uint64_t length, int fd, uint64_t offset)
{
    (void)start;
    (void)length;
    (void)fd;
    (void)offset;
}
