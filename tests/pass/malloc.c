/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs expect of malloc, and mimalloc alone would not give: run natively by
 * tests/run.d/45-pass.  With OWN, this program has a malloc of its own, which libc uses too.  The
 * functions below with names of the kernel's calls are never called.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mmap(void)
{
    abort();
}

void madvise(void)
{
    abort();
}

static int g_wrong;
static void *g_early;

static void expect(int right, const char *what)
{
    if (!right) {
        printf("%s\n", what);
        g_wrong = 1;
    }
}

#ifdef OWN
static char g_pool[1 << 20];
static size_t g_used;

void *malloc(size_t size)
{
    void *block = g_pool + g_used;
    g_used += (size + 31) & ~(size_t)15;
    return block;
}

void free(void *block)
{
    (void)block;
}

void *calloc(size_t count, size_t size)
{
    return malloc(count * size);
}

void *realloc(void *block, size_t size)
{
    (void)block;
    return malloc(size);
}

int main(void)
{
    char *copy = strdup("copy");
    expect(copy >= g_pool && copy < g_pool + sizeof g_pool, "strdup uses another malloc");
    for (int i = 0; i < 100; i++) /* More than libc has room for without its own malloc. */
        expect(atexit(abort) == 0, "atexit");
    fflush(stdout);
    _Exit(g_wrong);
}
#else

__attribute__((constructor)) static void before_main(void)
{
    g_early = malloc(100);
}

static void expect_no_memory(void *block, const char *what)
{
    expect(block == NULL && errno == ENOMEM, what);
    errno = 0;
}

static void refusals(void)
{
    volatile size_t huge = SIZE_MAX / 2 - 100, much = (size_t)1 << 45;
    void *block;
    errno = 0;
    expect_no_memory(malloc(SIZE_MAX), "malloc(SIZE_MAX)");
    expect_no_memory(malloc(huge), "malloc(SIZE_MAX / 2 - 100)");
    expect_no_memory(malloc(much), "malloc of 32 TiB");
    expect_no_memory(calloc(huge, 3), "calloc of too large a product");
    expect_no_memory(realloc(NULL, huge), "realloc");
    expect_no_memory(reallocarray(NULL, huge, 5), "reallocarray of too large a product");
    expect_no_memory(aligned_alloc(4096, huge), "aligned_alloc");
    expect(aligned_alloc(48, 96) == NULL && errno == EINVAL, "aligned_alloc(48)");
    expect(posix_memalign(&block, 24, 10) == EINVAL && posix_memalign(&block, 4, 10) == EINVAL,
           "posix_memalign(24 or 4)");
}

int main(void)
{
    void *block;
    refusals();
    for (size_t alignment = 8; alignment <= (size_t)1 << 28; alignment *= 2) {
        expect(posix_memalign(&block, alignment, 1000) == 0 && (uintptr_t)block % alignment == 0,
               "posix_memalign");
        memset(block, 1, 1000);
        block = realloc(block, 100000);
        expect(((char *)block)[999] == 1, "realloc of an aligned block");
        free(block);
    }
    block = realloc(malloc(0), 0);
    expect(block != NULL && malloc_usable_size(NULL) == 0, "nothing is something");
    free(block);
    block = malloc(100);
    memset(block, 1, malloc_usable_size(block));
    free(block);
    block = realloc(memset(malloc((size_t)40 << 20), 7, (size_t)40 << 20), (size_t)100 << 20);
    expect(((char *)block)[((size_t)40 << 20) - 1] == 7, "realloc of 40 MiB");
    free(block);
    free(g_early);
    return g_wrong;
}
#endif
