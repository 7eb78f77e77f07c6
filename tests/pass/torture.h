/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libc torture: a table of calls, one for each function that writes through a pointer that it
 * is given.  The families are torture_*.c; libc_torture.c runs them and looks at the cards.
 *
 *     TORTURE(strcpy, 0)
 *     {
 *         char *to = TEXT(20);
 *         CALL(strcpy(to, "some words"));
 *         EXPECT(!strcmp(to, "some words"));
 *     }
 *
 * What is between the parentheses of CALL is watched: each page of the arena, of the program's data
 * and of the heap (torture_heap.c) whose bytes it changes must have its card.  Whatever prepares
 * the call stands before CALL, because its stores have marks of their own.  An entry runs TURNS
 * times, with its buffers at other places of their pages.  All is compiled with -fno-builtin.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum torture_how {
    KERNEL = 1, /* the kernel writes: natively that has no marks */
    QUIET = 2,  /* writes nothing here that can be told from what was there */
    NATIVE = 4, /* an enclave refuses it */
    STAYS = 8,  /* not while a move may come: it needs what cannot be moved */
};

enum { PAGE = 4096, TURNS = 6 };

struct torture_call {
    const char *name;
    void (*run)(void);
    unsigned how;
};

#define TORTURE(function, how)                                                                     \
    static void run_##function(void);                                                              \
    static const struct torture_call call_##function = {#function, run_##function, how};           \
    __attribute__((section("torture_calls"),                                                       \
                   used)) static const struct torture_call *const entry_##function =               \
        &call_##function;                                                                          \
    static void run_##function(void)

#define CALL(...)                                                                                  \
    do {                                                                                           \
        torture_before();                                                                          \
        __VA_ARGS__;                                                                               \
        torture_after();                                                                           \
    } while (0)
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            torture_wrong(#condition, __LINE__);                                                   \
    } while (0)

/* Fresh memory of the arena, at a place of its page that changes from turn to turn. */
void *torture_place(size_t size, size_t alignment);
#define PLACE(type) ((type *)torture_place(sizeof(type), _Alignof(type)))
#define PLACES(type, count) ((type *)torture_place((count) * sizeof(type), _Alignof(type)))
#define TEXT(bytes) ((char *)torture_place(bytes, 1))
/* The same, with something in it. */
void *torture_copy(const void *from, size_t size, size_t alignment);
#define COPY(text) ((char *)torture_copy(text, sizeof(text), 1))
#define WIDE(text) ((wchar_t *)torture_copy(text, sizeof(text), sizeof(wchar_t)))

/* From some bytes to several pages. */
size_t torture_some(void);
unsigned torture_turn(void);
/* A path in the program's own directory; static memory. */
const char *torture_path(const char *leaf);
bool torture_in_enclave(void);

void torture_before(void);
void torture_after(void);
void torture_wrong(const char *what, int line);

/* Weak: the heap that is watched, if torture_heap.c is linked. */
unsigned char *torture_heap_end(void) __attribute__((weak));
unsigned char *torture_heap_start(void) __attribute__((weak));
