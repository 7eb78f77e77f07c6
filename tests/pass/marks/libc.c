/* SPDX-License-Identifier: Apache-2.0 */
/* What programs of fuzz_marks call of a libc, and what the compiler makes of loops; built with the
 * pass, as musl is. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *left, const void *right, size_t size);
size_t strlen(const char *text);
char *strcpy(char *restrict to, const char *restrict from);
void *malloc(size_t size);

/* To the pass each call is a safepoint, also one that the backend makes of a copy; check.c looks at
 * the marks here. */
#define CALLED() __asm__ volatile("ud2" ::: "memory")

enum { ARENA_BYTES = 32768 };
static _Alignas(64) unsigned char g_arena[ARENA_BYTES];
static size_t g_used;

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    unsigned char *out = to;
    const unsigned char *in = from;

    CALLED();
    for (; size >= 8; size -= 8, out += 8, in += 8) {
        uint64_t word;

        __builtin_memcpy_inline(&word, in, 8);
        __builtin_memcpy_inline(out, &word, 8);
    }
    while (size--)
        *out++ = *in++;
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    unsigned char *out = to;
    const unsigned char *in = from;

    CALLED();
    if ((uintptr_t)out - (uintptr_t)in >= size)
        return memcpy(to, from, size);
    while (size--)
        out[size] = in[size];
    return to;
}

void *memset(void *to, int value, size_t size)
{
    unsigned char *out = to;

    CALLED();
    while (size--)
        *out++ = (unsigned char)value;
    return to;
}

int memcmp(const void *left, const void *right, size_t size)
{
    const unsigned char *a = left, *b = right;

    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

size_t strlen(const char *text)
{
    size_t length = 0;

    while (text[length])
        length++;
    return length;
}

char *strcpy(char *restrict to, const char *restrict from)
{
    for (size_t i = 0;; i++) {
        to[i] = from[i];
        if (!from[i])
            return to;
    }
}

/* Nothing is given back; 0 when all is used. */
void *malloc(size_t size)
{
    unsigned char *place = g_arena + g_used;

    size = (size + 15) & ~(size_t)15;
    if (size > ARENA_BYTES - g_used)
        return 0;
    g_used += size;
    return place;
}
