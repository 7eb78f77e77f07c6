/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions that compilers call by themselves, those that a fortified object (libbearssl.a)
 * calls in their place, and the few string functions of the runtime.  text.c has formatting.
 *
 * No vector registers: they may be the program's (fast_calls.h).  Long copies use rep movsb, which
 * is the fastest on every CPU that has ERMS. Built with -fno-tree-loop-distribute-patterns: a loop
 * here must not become a call to itself.
 */
#include "enclave/runtime.h"

/* Of fortified objects; the compiler names them. */
void *__memcpy_chk(void *to, const void *from, size_t length, size_t room);
void *__memmove_chk(void *to, const void *from, size_t length, size_t room);
void *__memset_chk(void *to, int byte, size_t length, size_t room);
_Noreturn void __stack_chk_fail(void);

enum { REP_MIN_bytes = 256 };

static void copy_repeat(uint8_t *to, const uint8_t *from, size_t length)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
}

/* Up to 16 bytes by two loads that may overlap: right for overlapping buffers too. */
static void copy_small(uint8_t *to, const uint8_t *from, size_t length)
{
    uint64_t first = 0, last = 0;

    if (length >= 8) {
        __builtin_memcpy(&first, from, 8);
        __builtin_memcpy(&last, from + length - 8, 8);
        __builtin_memcpy(to, &first, 8);
        __builtin_memcpy(to + length - 8, &last, 8);
    } else if (length >= 4) {
        __builtin_memcpy(&first, from, 4);
        __builtin_memcpy(&last, from + length - 4, 4);
        __builtin_memcpy(to, &first, 4);
        __builtin_memcpy(to + length - 4, &last, 4);
    } else if (length > 0) {
        uint8_t a = from[0], b = from[length / 2], c = from[length - 1];

        to[0] = a;
        to[length / 2] = b;
        to[length - 1] = c;
    }
}

/* 16 bytes. */
struct pair {
    uint64_t low, high;
};

static struct pair load(const uint8_t *from)
{
    struct pair value;

    __builtin_memcpy(&value.low, from, 8);
    __builtin_memcpy(&value.high, from + 8, 8);
    return value;
}

static void store(uint8_t *to, struct pair value)
{
    __builtin_memcpy(to, &value.low, 8);
    __builtin_memcpy(to + 8, &value.high, 8);
}

/* 16 bytes or more, ascending; the last 16 bytes are loaded before anything is stored. */
static void copy_up(uint8_t *to, const uint8_t *from, size_t length)
{
    struct pair last = load(from + length - 16);
    uint8_t *end = to + length - 16;

    for (; to < end; to += 16, from += 16)
        store(to, load(from));
    store(end, last);
}

/* The same, descending. */
static void copy_down(uint8_t *to, const uint8_t *from, size_t length)
{
    struct pair first = load(from);

    for (size_t left = length; left > 16; left -= 16)
        store(to + left - 16, load(from + left - 16));
    store(to, first);
}

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    if (length <= 16)
        copy_small(to, from, length);
    else if (length < REP_MIN_bytes)
        copy_up(to, from, length);
    else
        copy_repeat(to, from, length);
    return to;
}

void *memmove(void *to, const void *from, size_t length)
{
    uint64_t distance = (uint64_t)to - (uint64_t)from;

    if (length <= 16)
        copy_small(to, from, length);
    else if (distance >= length) /* also when to is below from */
        distance < -(uint64_t)length &&length >= REP_MIN_bytes ? copy_repeat(to, from, length)
                                                               : copy_up(to, from, length);
    else
        copy_down(to, from, length);
    return to;
}

void *memset(void *to, int byte, size_t length)
{
    uint8_t *at = to;

    if (length < 32) {
        for (size_t i = 0; i < length; i++)
            at[i] = (uint8_t)byte;
    } else {
        __asm__ volatile("rep stosb" : "+D"(at), "+c"(length) : "a"(byte) : "memory");
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t length)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < length; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

size_t strlen(const char *s)
{
    size_t length = 0;

    while (s[length])
        length++;
    return length;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t length)
{
    for (; length > 0; a++, b++, length--) {
        if (*a != *b)
            return (unsigned char)*a - (unsigned char)*b;
        if (*a == 0)
            break;
    }
    return 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)(uintptr_t)s;
        if (*s == 0)
            return NULL;
    }
}

void *__memcpy_chk(void *to, const void *from, size_t length, size_t room)
{
    om_assert(length <= room);
    return memcpy(to, from, length);
}

void *__memmove_chk(void *to, const void *from, size_t length, size_t room)
{
    om_assert(length <= room);
    return memmove(to, from, length);
}

void *__memset_chk(void *to, int byte, size_t length, size_t room)
{
    om_assert(length <= room);
    return memset(to, byte, length);
}

void __stack_chk_fail(void)
{
    runtime_abort(__FILE__, __LINE__, "the stack was overwritten");
}
