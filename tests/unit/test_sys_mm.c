/* SPDX-License-Identifier: Apache-2.0 */
/* The memory calls as a program makes them: results, contents, and errors as the kernel gives them.
 */
#include "tests/unit/native.h"

#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/unit/native_threads.h"

enum { RW = PROT_READ | PROT_WRITE, FILE_SIZE = 5 * 4096 + 100, PAGE = 4096 };

#define HINT (3 * OM_GIB)

typedef long handler(struct call *);

static long call(handler *handle, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                 uint64_t a5)
{
    static struct thread thread;
    struct call arguments = {.thread = &thread, .args = {a0, a1, a2, a3, a4, a5}};

    return handle(&arguments);
}

static long map(uint64_t at, uint64_t length, int prot, int flags, int fd, uint64_t offset)
{
    return call(sys_mmap, at, length, (uint64_t)prot, (uint64_t)flags, (uint64_t)fd, offset);
}

static long map_anonymous(uint64_t length)
{
    return map(0, length, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long remap(long at, uint64_t old_length, uint64_t new_length, int flags, uint64_t to)
{
    return call(sys_mremap, (uint64_t)at, old_length, new_length, (uint64_t)flags, to, 0);
}

static long advise(long at, uint64_t length, int advice)
{
    return call(sys_madvise, (uint64_t)at, length, (uint64_t)advice, 0, 0, 0);
}

static bool is_mapped(long at, uint64_t length, uint32_t prot)
{
    return mm_is_mapped((uint64_t)at, length, prot);
}

static uint8_t byte_at(long at, uint64_t offset)
{
    return *(volatile uint8_t *)((uint64_t)at + offset);
}

/* A file whose every byte tells its place. */
static uint8_t file_byte(uint64_t offset)
{
    return (uint8_t)(1 + offset * 31 % 251);
}

static int make_file(void)
{
    static uint8_t bytes[FILE_SIZE];
    long fd = host_syscall(__NR_memfd_create, (uint64_t) "test", 0, 0, 0, 0, 0);

    for (uint64_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = file_byte(i);
    assert_int_equal(host_syscall(__NR_write, (uint64_t)fd, (uint64_t)bytes, FILE_SIZE, 0, 0, 0),
                     FILE_SIZE);
    return (int)fd;
}

static int reopen(int fd, int flags)
{
    char path[64];

    str_format(path, sizeof(path), "/proc/self/fd/%d", fd);
    return (int)host_syscall(__NR_open, (uint64_t)path, (uint64_t)flags, 0, 0, 0, 0);
}

static void close_file(int fd)
{
    host_syscall(__NR_close, (uint64_t)fd, 0, 0, 0, 0, 0);
}

static int create(void **state)
{
    (void)state;
    mm_create();
    g_tables->mm.map_top = PROGRAM_END - OM_HUGE_SIZE;
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    return (int)mm_unmap(PROGRAM_BASE, PROGRAM_END - PROGRAM_BASE);
}

static void test_file(void **state)
{
    int fd = make_file();
    long at = map(0, 8 * PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
    struct area area;

    (void)state;
    assert_true(at > 0);
    for (uint64_t i = 0; i < 8 * PAGE; i++)
        assert_int_equal(byte_at(at, i), i + PAGE < FILE_SIZE ? file_byte(i + PAGE) : 0);
    assert_true(mm_next_area((uint64_t)at, &area));
    assert_int_equal(area.kind, AREA_FILE);
    assert_int_equal(area.prot, PROT_READ);
    assert_string_equal(mm_area_name(&area), "/memfd:test (deleted)");
    /* Past the end of the file altogether. */
    at = map(0, PAGE, RW, MAP_PRIVATE, fd, 64 * PAGE);
    assert_int_equal(byte_at(at, 0), 0);
    /* A private copy: what is written does not get into the file, and stays over DONTNEED. */
    at = map(0, PAGE, RW, MAP_PRIVATE, fd, 0);
    *(volatile uint8_t *)at = 255;
    assert_int_equal(advise(at, PAGE, MADV_DONTNEED), 0);
    assert_int_equal(byte_at(at, 0), 255);
    assert_int_equal(byte_at(at, 1), file_byte(1));
    assert_int_equal(byte_at(map(0, PAGE, RW, MAP_PRIVATE, fd, 0), 0), file_byte(0));
    close_file(fd);
}

static void test_file_over_other_memory(void **state)
{
    int fd = make_file();
    long at = map_anonymous(16 * PAGE);

    (void)state;
    memset((void *)at, 0xee, 16 * PAGE);
    assert_int_equal(map((uint64_t)at + 4 * PAGE, 8 * PAGE, PROT_READ | PROT_EXEC,
                         MAP_PRIVATE | MAP_FIXED, fd, 0),
                     at + 4 * PAGE);
    assert_int_equal(byte_at(at, 4 * PAGE - 1), 0xee);
    assert_int_equal(byte_at(at, 4 * PAGE), file_byte(0));
    assert_int_equal(byte_at(at, 4 * PAGE + FILE_SIZE), 0);
    assert_int_equal(byte_at(at, 12 * PAGE), 0xee);
    assert_true(is_mapped(at + 4 * PAGE, 8 * PAGE, PROT_EXEC));
    assert_false(is_mapped(at + 4 * PAGE, 8 * PAGE, PROT_WRITE));
    close_file(fd);
}

static void test_refused_files(void **state)
{
    int fd = make_file(), read_only = reopen(fd, O_RDONLY), write_only = reopen(fd, O_WRONLY);
    int directory = (int)host_syscall(__NR_open, (uint64_t) "/", O_RDONLY, 0, 0, 0, 0);
    int zero = (int)host_syscall(__NR_open, (uint64_t) "/dev/zero", O_RDWR, 0, 0, 0, 0);
    long shared;

    (void)state;
    assert_int_equal(map(0, PAGE, RW, MAP_SHARED, fd, 0), -ENODEV);
    assert_int_equal(map(0, PAGE, RW, MAP_SHARED, read_only, 0), -EACCES);
    assert_int_equal(map(0, PAGE, PROT_READ, MAP_PRIVATE, write_only, 0), -EACCES);
    assert_int_equal(map(0, PAGE, PROT_READ, MAP_PRIVATE, directory, 0), -ENODEV);
    assert_int_equal(map(0, PAGE, PROT_READ, MAP_PRIVATE, 999, 0), -EBADF);
    assert_int_equal(map(0, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), -EBADF);
    assert_int_equal(map(0, PAGE, PROT_READ, MAP_PRIVATE, 1000, 0), -EBADF); /* the host's */
    assert_int_equal(map(0, PAGE, PROT_READ, MAP_PRIVATE, fd, 100), -EINVAL);
    assert_int_equal(g_tables->mm.count, 0);
    shared = map(0, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    assert_int_equal(byte_at(shared, 7), file_byte(7));
    assert_int_equal(call(sys_mprotect, (uint64_t)shared, PAGE, RW, 0, 0, 0), -EACCES);
    /* The device is a source of memory, not a file. */
    shared = map(0, PAGE, RW, MAP_SHARED, zero, 0);
    *(volatile uint8_t *)shared = 1;
    close_file(fd);
    close_file(read_only);
    close_file(write_only);
    close_file(directory);
    close_file(zero);
}

/* The file system breaks down half-way: nothing stays mapped. */
static void test_unreadable_file(void **state)
{
    int fd = make_file();

    (void)state;
    g_native_failure = (struct native_failure){__NR_pread64, 0, -EIO, false};
    assert_int_equal(map(0, 8 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0), -EIO);
    assert_int_equal(g_tables->mm.count, 0);
    g_native_failure = (struct native_failure){__NR_pread64, 0, -EINTR, false};
    assert_int_equal(byte_at(map(0, 8 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0), PAGE),
                     file_byte(PAGE));
    close_file(fd);
}

/* Maps a page of the file at its place in a copy of all of it; false if it had to be read for that.
 */
static bool maps_without_reading(long copy, uint64_t page, int prot, int fd, uint64_t file_page)
{
    const uint64_t at = (uint64_t)copy + page * PAGE;
    long result;

    g_native_failure = (struct native_failure){__NR_pread64, 0, -EIO, false};
    result = map(at, PAGE, prot, MAP_PRIVATE | MAP_FIXED, fd, file_page * PAGE);
    g_native_failure.error = 0;
    if (result == -EIO) {
        result = map(at, PAGE, prot, MAP_PRIVATE | MAP_FIXED, fd, file_page * PAGE);
        assert_int_equal(result, at);
        assert_int_equal(byte_at(copy, page * PAGE + 9), file_byte(file_page * PAGE + 9));
        return false;
    }
    assert_int_equal(result, at);
    assert_int_equal(byte_at(copy, page * PAGE + 9), file_byte(file_page * PAGE + 9));
    assert_true(is_mapped(copy + (long)page * PAGE, PAGE, (uint32_t)prot));
    return true;
}

/* What the dynamic linker does: the whole, then parts of it at their places. */
static void test_mapping_again(void **state)
{
    int fd = make_file(), other = make_file();
    long at = map(0, 6 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

    (void)state;
    assert_true(maps_without_reading(at, 1, PROT_READ | PROT_EXEC, fd, 1));
    assert_true(maps_without_reading(at, 2, PROT_READ, fd, 2));
    assert_true(is_mapped(at + PAGE, PAGE, PROT_EXEC));
    assert_false(is_mapped(at + 2 * PAGE, PAGE, PROT_EXEC));
    assert_true(maps_without_reading(at, 4, RW, fd, 4));
    *(volatile uint8_t *)(at + 4 * PAGE + 9) = 0; /* no longer what the file says */
    assert_false(maps_without_reading(at, 4, PROT_READ, fd, 4));

    at = map(0, 5 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_false(maps_without_reading(at, 1, PROT_READ, fd, 2)); /* another place in the file */
    at = map(0, 5 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_false(maps_without_reading(at, 1, PROT_READ, other, 1)); /* another file */
    at = map(0, 5 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_int_equal(call(sys_mprotect, (uint64_t)at + 2 * PAGE, PAGE, RW, 0, 0, 0), 0);
    assert_false(maps_without_reading(at, 2, PROT_READ, fd, 2));
    at = map(0, 5 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_int_equal(call(sys_munmap, (uint64_t)at, PAGE, 0, 0, 0, 0), 0);
    assert_false(maps_without_reading(at, 0, PROT_READ, fd, 0));
    at = map(0, 4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_true(remap(at, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, HINT) == (long)HINT);
    assert_false(maps_without_reading(at, 1, PROT_READ, fd, 1));
    at = map(0, 4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    map((uint64_t)at + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    assert_false(maps_without_reading(at, 1, PROT_READ, fd, 1));
    close_file(fd);
    close_file(other);
}

static void test_where(void **state)
{
    const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
    long at;

    (void)state;
    assert_int_equal(map(HINT + 5, PAGE, RW, anonymous, -1, 0), HINT); /* a hint is rounded */
    at = map(HINT, PAGE, RW, anonymous, -1, 0);
    assert_true(at > 0 && at != (long)HINT);
    assert_int_equal(map(HINT, PAGE, RW, anonymous | MAP_FIXED_NOREPLACE, -1, 0), -EEXIST);
    assert_int_equal(map(HINT + PAGE, PAGE, RW, anonymous | MAP_FIXED_NOREPLACE, -1, 0),
                     HINT + PAGE);
    assert_int_equal(map(HINT + 1, PAGE, RW, anonymous | MAP_FIXED, -1, 0), -EINVAL);
    assert_int_equal(map(0, PAGE, RW, anonymous | MAP_FIXED, -1, 0), -EPERM);
    assert_int_equal(map(PROGRAM_END, PAGE, RW, anonymous | MAP_FIXED, -1, 0), -ENOMEM);
    assert_int_equal(map(PROGRAM_END - PAGE, 2 * PAGE, RW, anonymous | MAP_FIXED, -1, 0), -ENOMEM);
    at = map(SHARED_BASE, PAGE, RW, anonymous, -1, 0); /* hints elsewhere are only hints */
    assert_true(at > 0 && at < (long)PROGRAM_END);
    at = map(0, PAGE, RW, anonymous | MAP_32BIT, -1, 0);
    assert_in_range(at, 0x40000000, 0x80000000 - PAGE);
    assert_int_equal(map(0, 2 * OM_GIB, RW, anonymous | MAP_32BIT, -1, 0), -ENOMEM);
    at = map(0, 3 * OM_HUGE_SIZE, RW, anonymous, -1, 0);
    assert_int_equal((uint64_t)at % OM_HUGE_SIZE, 0);
}

static void test_bad_mappings(void **state)
{
    (void)state;
    assert_int_equal(map(0, 0, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), -EINVAL);
    assert_int_equal(map(0, PAGE, RW, MAP_ANONYMOUS, -1, 0), -EINVAL);
    assert_int_equal(map(0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 1), -EINVAL);
    assert_int_equal(map_anonymous(UINT64_MAX), -ENOMEM);
    assert_int_equal(map_anonymous(PROGRAM_END), -ENOMEM);
    assert_int_equal(map(0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0), -ENOMEM);
    assert_int_equal(g_tables->mm.count, 0);
}

static void test_populate(void **state)
{
    long at = map(0, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    long answers = map_anonymous(PAGE);

    (void)state;
    assert_int_equal(call(sys_mincore, (uint64_t)at, 8 * PAGE - 5, (uint64_t)answers, 0, 0, 0), 0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(byte_at(answers, (uint64_t)i), 1);
    assert_int_equal(byte_at(answers, 8), 0);
    assert_int_equal(advise(at, 8 * PAGE, MADV_DONTNEED), 0);
    assert_int_equal(call(sys_mincore, (uint64_t)at, PAGE, (uint64_t)answers, 0, 0, 0), 0);
    assert_int_equal(byte_at(answers, 0), 0);
    assert_int_equal(call(sys_mincore, (uint64_t)at, 64 * PAGE, (uint64_t)answers, 0, 0, 0),
                     -ENOMEM);
    assert_int_equal(call(sys_mincore, (uint64_t)at, PAGE, SHARED_BASE, 0, 0, 0), -EFAULT);
}

/* ---- mremap ---- */

static void write_marks(long at, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i += 3)
        *(volatile uint32_t *)((uint64_t)at + i * PAGE + 40) = i + 1;
}

static void check_marks(long at, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++)
        assert_int_equal(*(volatile uint32_t *)((uint64_t)at + i * PAGE + 40),
                         i % 3 == 0 ? i + 1 : 0);
}

static void test_remap_in_place(void **state)
{
    long at = map(HINT, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    write_marks(at, 8);
    assert_int_equal(remap(at, 8 * PAGE, 12 * PAGE, 0, 0), at);
    check_marks(at, 8);
    assert_true(is_mapped(at, 12 * PAGE, RW));
    assert_int_equal(g_tables->mm.count, 1);
    assert_int_equal(remap(at, 12 * PAGE, 4 * PAGE, 0, 0), at);
    assert_false(is_mapped(at + 4 * PAGE, 1, 0));
    assert_int_equal(remap(at, 4 * PAGE, 4 * PAGE, 0, 0), at);
    assert_int_equal(remap(at, 4 * PAGE, 8 * PAGE, 0, 0), at);
    check_marks(at, 4);
    assert_int_equal(byte_at(at, 6 * PAGE + 40), 0); /* what was cut off is gone */
}

static void remap_moves(uint32_t prot, uint32_t pages)
{
    long at = map(HINT, pages * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), to;

    write_marks(at, pages);
    assert_int_equal(map((uint64_t)at + pages * PAGE, PAGE, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
                     at + pages * PAGE);
    assert_int_equal(call(sys_mprotect, (uint64_t)at, pages * PAGE, prot, 0, 0, 0), 0);
    assert_int_equal(remap(at, pages * PAGE, 2 * pages * PAGE, 0, 0), -ENOMEM);
    to = remap(at, pages * PAGE, 2 * pages * PAGE, MREMAP_MAYMOVE, 0);
    assert_true(to > 0 && to != at);
    assert_false(is_mapped(at, 1, 0));
    assert_true(is_mapped(to, 2 * pages * PAGE, prot));
    assert_int_equal(is_mapped(to, PAGE, PROT_WRITE), !!(prot & PROT_WRITE));
    assert_int_equal(call(sys_mprotect, (uint64_t)to, 2 * pages * PAGE, RW, 0, 0, 0), 0);
    check_marks(to, pages);
    assert_int_equal(mm_unmap(PROGRAM_BASE, PROGRAM_END - PROGRAM_BASE), 0);
}

static void test_remap_moves(void **state)
{
    (void)state;
    remap_moves(RW, 9);
    remap_moves(PROT_READ, 9);
    remap_moves(PROT_NONE, 9);
    remap_moves(RW, 2600); /* more than two huge pages */
}

/* Pages that hold nothing are not made by moving them. */
static void test_remap_stays_sparse(void **state)
{
    long at = map(HINT, 64 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), to;
    long answers = map_anonymous(PAGE);
    uint32_t present = 0;

    (void)state;
    *(volatile uint8_t *)(at + 9 * PAGE) = 1;
    to = remap(at, 64 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 2 * HINT);
    assert_int_equal(to, 2 * HINT);
    assert_int_equal(call(sys_mincore, (uint64_t)to, 64 * PAGE, (uint64_t)answers, 0, 0, 0), 0);
    for (uint64_t i = 0; i < 64; i++)
        present += byte_at(answers, i);
    assert_int_equal(present, 1);
    assert_int_equal(byte_at(to, 9 * PAGE), 1);
}

static void test_remap_fixed(void **state)
{
    long at = map(HINT, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long to = map_anonymous(8 * PAGE);
    const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

    (void)state;
    write_marks(at, 8);
    memset((void *)to, 0xaa, 8 * PAGE);
    assert_int_equal(remap(at, 8 * PAGE, 4 * PAGE, flags, (uint64_t)to + 1), -EINVAL);
    assert_int_equal(remap(at, 8 * PAGE, 4 * PAGE, flags, (uint64_t)at + PAGE), -EINVAL);
    assert_int_equal(remap(at, 8 * PAGE, 4 * PAGE, MREMAP_FIXED, (uint64_t)to), -EINVAL);
    assert_int_equal(remap(at, 8 * PAGE, 4 * PAGE, flags, (uint64_t)to), to);
    check_marks(to, 4);
    assert_int_equal(byte_at(to, 4 * PAGE), 0xaa);
    assert_false(is_mapped(at, 8 * PAGE, 0));
    assert_int_equal(remap(to, 4 * PAGE, 8 * PAGE, flags, PROGRAM_END), -ENOMEM);
    check_marks(to, 4);
}

static void test_bad_remaps(void **state)
{
    int fd = make_file();
    long at = map(HINT, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long file = map(0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

    (void)state;
    assert_int_equal(remap(at + 1, PAGE, PAGE, 0, 0), -EINVAL);
    assert_int_equal(remap(at, PAGE, 0, 0, 0), -EINVAL);
    assert_int_equal(remap(at, 0, PAGE, MREMAP_MAYMOVE, 0), -EINVAL);
    assert_int_equal(remap(at, PAGE, PAGE, 64, 0), -EINVAL);
    assert_int_equal(remap(at, 5 * PAGE, 8 * PAGE, MREMAP_MAYMOVE, 0), -EFAULT);
    assert_int_equal(remap(HINT / 2, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0), -EFAULT);
    assert_int_equal(remap(at, 4 * PAGE, UINT64_MAX / 2, MREMAP_MAYMOVE, 0), -ENOMEM);
    assert_int_equal(remap(at, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | 4, 0), -EINVAL); /* DONTUNMAP */
    assert_int_equal(remap(file, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0), -ENOMEM);
    assert_int_equal(byte_at(file, 3), file_byte(3));
    close_file(fd);
}

/* ---- Advice, protection and the rest ---- */

static void test_advice(void **state)
{
    long at = map(HINT, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct area area;

    (void)state;
    memset((void *)at, 9, 8 * PAGE);
    assert_int_equal(advise(at + PAGE, 2 * PAGE - 7, MADV_DONTNEED), 0);
    assert_int_equal(advise(at + 4 * PAGE, PAGE, MADV_FREE), 0);
    for (uint64_t i = 0; i < 8; i++)
        assert_int_equal(byte_at(at, i * PAGE), i == 1 || i == 2 || i == 4 ? 0 : 9);
    assert_int_equal(advise(at, 8 * PAGE, MADV_WILLNEED), 0);
    assert_int_equal(advise(at, 8 * PAGE, MADV_DONTDUMP), 0);
    assert_int_equal(advise(at, 8 * PAGE, MADV_HUGEPAGE), 0);
    assert_true(mm_next_area((uint64_t)at, &area));
    assert_int_equal(area.flags, AREA_HUGE_ADVISED);
    assert_int_equal(advise(at, 8 * PAGE, MADV_NOHUGEPAGE), 0);
    assert_true(mm_next_area((uint64_t)at, &area));
    assert_int_equal(area.flags, 0);
    /* Errors. */
    assert_int_equal(advise(at, 8 * PAGE, 9999), -EINVAL);
    assert_int_equal(advise(at, 8 * PAGE, MADV_REMOVE), -EINVAL);
    assert_int_equal(advise(at, 0, 9999), -EINVAL);
    assert_int_equal(advise(at, 0, MADV_DONTNEED), 0);
    assert_int_equal(advise(at + 1, PAGE, MADV_DONTNEED), -EINVAL);
    assert_int_equal(advise(at, UINT64_MAX, MADV_DONTNEED), -EINVAL);
    assert_int_equal(advise(at, 16 * PAGE, MADV_WILLNEED), -ENOMEM);
    assert_int_equal(advise(at + 6 * PAGE, 16 * PAGE, MADV_DONTNEED), -ENOMEM);
    assert_int_equal(byte_at(at, 7 * PAGE), 0); /* what is mapped was discarded nevertheless */
    assert_int_equal(advise(PROGRAM_END, PAGE, MADV_DONTNEED), -ENOMEM);
}

static void test_protection(void **state)
{
    long at = map(HINT, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_int_equal(call(sys_mprotect, (uint64_t)at, 4 * PAGE, PROT_READ, 0, 0, 0), 0);
    assert_false(is_mapped(at, PAGE, PROT_WRITE));
    assert_int_equal(call(sys_mprotect, (uint64_t)at, 0, PROT_READ, 0, 0, 0), 0);
    assert_int_equal(call(sys_mprotect, (uint64_t)at + 1, PAGE, PROT_READ, 0, 0, 0), -EINVAL);
    assert_int_equal(call(sys_mprotect, (uint64_t)at, PAGE, 0x1000, 0, 0, 0), -EINVAL);
    /* As in Linux: what comes before the hole is changed. */
    assert_int_equal(call(sys_mprotect, (uint64_t)at, 16 * PAGE, PROT_NONE, 0, 0, 0), -ENOMEM);
    assert_true(is_mapped(at, 8 * PAGE, PROT_NONE));
    assert_false(is_mapped(at, PAGE, PROT_READ));
    /* The stack can be made executable from any address in it. */
    assert_int_equal(mm_map_fixed(2 * HINT, 8 * PAGE, RW, AREA_STACK, 0, "[stack]"), 0);
    assert_int_equal(
        call(sys_mprotect, 2 * HINT + 7 * PAGE, PAGE, RW | PROT_EXEC | PROT_GROWSDOWN, 0, 0, 0), 0);
    assert_true(is_mapped(2 * HINT, 8 * PAGE, PROT_EXEC));
    assert_int_equal(call(sys_mprotect, (uint64_t)at, PAGE, PROT_READ | PROT_GROWSDOWN, 0, 0, 0),
                     -EINVAL);
}

static void test_small_calls(void **state)
{
    long at = map(HINT, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_int_equal(call(sys_mlock, (uint64_t)at + 5, 100, 0, 0, 0, 0), 0);
    assert_int_equal(call(sys_mlock, (uint64_t)at, 9 * PAGE, 0, 0, 0, 0), -ENOMEM);
    assert_int_equal(call(sys_mlock2, (uint64_t)at, PAGE, 2, 0, 0, 0), -EINVAL);
    assert_int_equal(call(sys_munlock, (uint64_t)at, PAGE, 0, 0, 0, 0), 0);
    assert_int_equal(call(sys_mlockall, MCL_CURRENT, 0, 0, 0, 0, 0), 0);
    assert_int_equal(call(sys_mlockall, 0, 0, 0, 0, 0, 0), -EINVAL);
    assert_int_equal(call(sys_munlockall, 0, 0, 0, 0, 0, 0), 0);
    assert_int_equal(call(sys_msync, (uint64_t)at, PAGE, MS_SYNC, 0, 0, 0), 0);
    assert_int_equal(call(sys_msync, (uint64_t)at, PAGE, MS_SYNC | MS_ASYNC, 0, 0, 0), -EINVAL);
    assert_int_equal(call(sys_msync, (uint64_t)at, 9 * PAGE, MS_SYNC, 0, 0, 0), -ENOMEM);
    assert_int_equal(call(sys_munmap, (uint64_t)at, 8 * PAGE, 0, 0, 0, 0), 0);
    assert_int_equal(call(sys_munmap, (uint64_t)at, 8 * PAGE, 0, 0, 0, 0), 0);
    assert_int_equal(call(sys_munmap, (uint64_t)at, 0, 0, 0, 0, 0), -EINVAL);
}

/* ---- Threads ---- */

enum { TURNS = 3000, WRITERS = 2 };
static volatile uint32_t g_writers_left;

/* Memory that stays must be seen at every moment while its surroundings change. */
static void *look(void *argument)
{
    long at = (long)argument;
    uint64_t wrong = 0;

    while (g_writers_left) {
        struct area area = {0};

        wrong += !is_mapped(at, 4 * PAGE, RW);
        wrong += is_mapped(at - PAGE, PAGE, PROT_EXEC);
        wrong += !mm_next_area((uint64_t)at, &area) || area.start > (uint64_t)at ||
                 area.end < (uint64_t)at + 4 * PAGE;
    }
    return (void *)wrong;
}

static void *change(void *argument)
{
    uint64_t base = (uint64_t)argument;
    uint64_t wrong = 0;

    for (int i = 0; i < TURNS; i++) {
        wrong += mm_map_fixed(base - 8 * PAGE, 8 * PAGE, RW, AREA_ANONYMOUS, 0, "/x") != 0;
        wrong += mm_map_fixed(base + 4 * PAGE, 4 * PAGE, RW, AREA_ANONYMOUS, 0, NULL) != 0;
        wrong += mm_protect(base - 6 * PAGE, 2 * PAGE, PROT_READ) != 0;
        wrong += mm_unmap(base + 5 * PAGE, 2 * PAGE) != 0;
        wrong += mm_unmap(base - 8 * PAGE, 8 * PAGE) != 0;
    }
    __atomic_sub_fetch(&g_writers_left, 1, __ATOMIC_SEQ_CST);
    return (void *)wrong;
}

static void test_readers_and_writers(void **state)
{
    long at = map(HINT, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long other = map(4 * HINT, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct native_thread threads[] = {
        {look, (void *)at, NULL},
        {change, (void *)at, NULL},
        {change, (void *)other, NULL},
    };

    (void)state;
    g_writers_left = WRITERS;
    assert_int_equal(native_run_threads(threads, OM_ARRAY_LENGTH(threads)), 0);
    for (size_t i = 0; i < OM_ARRAY_LENGTH(threads); i++)
        assert_null(threads[i].result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file, create, destroy),
        cmocka_unit_test_setup_teardown(test_file_over_other_memory, create, destroy),
        cmocka_unit_test_setup_teardown(test_refused_files, create, destroy),
        cmocka_unit_test_setup_teardown(test_unreadable_file, create, destroy),
        cmocka_unit_test_setup_teardown(test_mapping_again, create, destroy),
        cmocka_unit_test_setup_teardown(test_where, create, destroy),
        cmocka_unit_test_setup_teardown(test_bad_mappings, create, destroy),
        cmocka_unit_test_setup_teardown(test_populate, create, destroy),
        cmocka_unit_test_setup_teardown(test_remap_in_place, create, destroy),
        cmocka_unit_test_setup_teardown(test_remap_moves, create, destroy),
        cmocka_unit_test_setup_teardown(test_remap_stays_sparse, create, destroy),
        cmocka_unit_test_setup_teardown(test_remap_fixed, create, destroy),
        cmocka_unit_test_setup_teardown(test_bad_remaps, create, destroy),
        cmocka_unit_test_setup_teardown(test_advice, create, destroy),
        cmocka_unit_test_setup_teardown(test_protection, create, destroy),
        cmocka_unit_test_setup_teardown(test_small_calls, create, destroy),
        cmocka_unit_test_setup_teardown(test_readers_and_writers, create, destroy),
    };

    native_create();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
