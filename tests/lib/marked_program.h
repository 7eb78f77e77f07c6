/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What victims that are marked by hand have in place of a libc: system calls, text, and the files
 * by which they are told what to do.  All buffers are on the stack, which nothing marks.
 */
#pragma once

#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/time.h>
#include <stdbool.h>

#include "tests/lib/marked.h"

static const char *g_directory;

static inline long call6(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = 0;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#define CALL(name, a, b, c, d)                                                                     \
    call6(__NR_##name, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), 0)

/* ---- text ---- */

static inline char *put_text(char *at, const char *text)
{
    for (; *text; text++) {
        *at++ = *text;
        poll_here();
    }
    *at = 0;
    return at;
}

static inline char *put_number(char *at, uint64_t number)
{
    char digits[24];
    int count = 0;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while (count)
        *at++ = digits[--count];
    *at = 0;
    return at;
}

static inline uint64_t length_of(const char *text)
{
    uint64_t length = 0;

    for (; text[length]; length++)
        poll_here();
    return length;
}

/* The value of key=..., or NULL. */
static inline const char *argument(char **argv, const char *key)
{
    for (; *argv; argv++) {
        uint64_t i = 0;

        for (; key[i] && (*argv)[i] == key[i]; i++)
            poll_here();
        if (!key[i] && (*argv)[i] == '=')
            return *argv + i + 1;
    }
    return 0;
}

static inline uint64_t number(char **argv, const char *key, uint64_t otherwise)
{
    const char *text = argument(argv, key);
    uint64_t value = 0;

    if (!text)
        return otherwise;
    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (uint64_t)(*text - '0');
    return value;
}

static inline void path_of(char *out, const char *leaf, uint64_t index)
{
    char *at = put_text(out, g_directory);

    at = put_text(put_text(at, "/"), leaf);
    if (index)
        put_number(put_text(at, "."), index);
}

/* Whole, by a rename. */
static inline void write_file(const char *path, const char *text)
{
    char draft[512];
    int fd;

    put_text(put_text(draft, path), ".draft");
    fd = (int)CALL(open, draft, O_WRONLY | O_CREAT | O_TRUNC, 0600, 0);
    CALL(write, fd, text, length_of(text), 0);
    CALL(close, fd, 0, 0, 0);
    CALL(rename, draft, path, 0, 0);
}

static inline bool exists(const char *leaf, uint64_t index)
{
    char path[512];

    path_of(path, leaf, index);
    return CALL(access, path, 0, 0, 0) == 0;
}

static inline void answer(const char *leaf, uint64_t index, const char *wrong, uint64_t where,
                          uint64_t writes)
{
    char path[512], text[512], *at = put_text(text, "writes=");

    at = put_text(put_number(at, writes), "\n");
    if (wrong)
        at = put_text(put_number(put_text(put_text(at, wrong), " "), where), "\n");
    else
        at = put_text(at, "ok\n");
    path_of(path, leaf, index);
    write_file(path, text);
}

static inline _Noreturn void fail(const char *what, uint64_t where)
{
    char text[256], *at = put_number(put_text(put_text(text, what), " "), where);

    at = put_text(at, "\n");
    CALL(write, 2, text, at - text, 0);
    for (uint64_t i = 1; i < 100; i++)
        answer("result", i, what, where, 0);
    answer("result.stop", 0, what, where, 0);
    for (;;)
        CALL(exit_group, 1, 0, 0, 0);
}

static inline void rest(uint64_t nanoseconds)
{
    struct timespec t = {(long)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000)};

    CALL(nanosleep, &t, 0, 0, 0);
}

/* begin() has the words of the stack: argc, argv. */
_Noreturn void begin(uint64_t *stack);
__asm__(
    ".text\n.globl _start\n_start: xor %ebp, %ebp\nmov %rsp, %rdi\nand $-16, %rsp\ncall begin\n");
