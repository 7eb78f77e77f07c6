/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors without an enclave: tables at their place, system calls straight to the kernel.  The
 * test process is the source of a move; the destination is a child that has closed everything and
 * has the tables as fork left them.  Includes no libc header, because the kernel's do not go
 * together with them.
 */
#pragma once

#include "enclave/fd_internal.h"

enum { FIXTURE_HOST_FD = 900, FIXTURE_PROCESS = 4242, DESCRIPTION_bytes = 200 * 1024 };

/* The kernel. */
#define K(nr, ...) fixture_kernel((nr), (const uint64_t[6]){__VA_ARGS__})
long fixture_kernel(long nr, const uint64_t args[6]);
/* The program: a handler of a call. */
#define P(handler, ...) fixture_program((handler), (const uint64_t[6]){__VA_ARGS__})
long fixture_program(long (*handler)(struct call *), const uint64_t args[6]);
#define A(pointer) ((uint64_t)(uintptr_t)(pointer))

struct fixture {
    uint8_t *memory;                 /* of the program */
    unsigned blocking;               /* calls that could be interrupted, so far */
    long last_blocking;              /* number of the last one */
    bool interrupt;                  /* the next one is interrupted instead */
    enum om_connections connections; /* of the next move */
    int64_t ahead_ns; /* the program's monotonic clock is that much ahead of the host's */
    char log[512];    /* last line of warning or worse */
    unsigned log_lines;
};
extern struct fixture g_fixture;

int fixture_create(void **state);
int fixture_reset(void **state); /* before each test */
int fixture_destroy(void **state);

/* A check that also works in the destination, where cmocka does not: ends the process with 1. */
#define CHECK(condition) fixture_check((condition), #condition, __FILE__, __LINE__)
void fixture_check(bool good, const char *what, const char *file, int line);
#define CHECK_EQUAL(is, should)                                                                    \
    fixture_check_equal((long)(is), (long)(should), #is, __FILE__, __LINE__)
void fixture_check_equal(long is, long should, const char *what, const char *file, int line);

/* Reads until so many bytes have come, into room, and checks that they are the expected ones. */
void fixture_read(long fd, uint8_t *room, const uint8_t *expected, uint32_t length);

/* Moves: prepare, check, capture, share, restore, and then `check` at the destination.  Then the
 * move is called off, and `check` must hold at the source as well. */
void fixture_move(void (*check)(void));
/* The same, but the source closes everything before `check`, as after the commit. */
void fixture_move_away(void (*check)(void));
/* The destination makes everything and then fails, before the commit; `check` at the source. */
void fixture_move_fails(void (*check)(void));
/* What keeps the program from moving, at the request or at the stop; aborts the test if nothing. */
const char *fixture_obstacle(void);
/* fd_check in another process, as if at another machine.  NULL: all there. */
const char *fixture_check_elsewhere(const uint8_t *description, size_t length, bool same_machine);

/* A file in a directory of its own, which is removed at the end. */
const char *fixture_path(const char *name);
long fixture_file(const char *name, const char *contents);
