/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A heap that only grows, in place of libc's: its pages can be compared, so that what libc writes
 * into memory that it allocates itself (FILE, DIR, trees, results of asprintf) is watched too.
 * Programs without this file have libc's own.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/pass/torture.h"

#define HEAP_BYTES (1UL << 30)
enum { LEAST = 16 };

static unsigned char *g_heap;
static atomic_size_t g_used;

unsigned char *torture_heap_start(void)
{
    return g_heap;
}

unsigned char *torture_heap_end(void)
{
    return g_heap + g_used;
}

/* The size stands before the block. */
static void *take(size_t size, size_t alignment)
{
    size_t room, at;

    if (size > HEAP_BYTES / 4) {
        errno = ENOMEM;
        return NULL;
    }
    if (!g_heap)
        g_heap = mmap(NULL, HEAP_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    room = (size + alignment + 2 * LEAST) & ~(size_t)(LEAST - 1);
    at = atomic_fetch_add(&g_used, room) + LEAST;
    if (g_heap == MAP_FAILED || at + room > HEAP_BYTES)
        abort();
    at = (at + alignment - 1) & ~(alignment - 1);
    *(size_t *)(g_heap + at - LEAST) = size;
    return g_heap + at;
}

void *malloc(size_t size)
{
    return take(size, LEAST);
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return take(bytes, LEAST); /* fresh memory is zero */
}

void *realloc(void *old, size_t size)
{
    void *block = take(size, LEAST);
    size_t before = old ? *(size_t *)((unsigned char *)old - LEAST) : 0;

    if (block && old)
        memcpy(block, old, before < size ? before : size);
    return block;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return take(size, alignment < LEAST ? LEAST : alignment);
}

size_t malloc_usable_size(void *block)
{
    return block ? *(size_t *)((unsigned char *)block - LEAST) : 0;
}

void free(void *block)
{
    (void)block;
}
