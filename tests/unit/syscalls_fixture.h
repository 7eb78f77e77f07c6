/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dispatcher of system calls without an enclave: program memory at a low address, tables at
 * their place, one slot, and a host whose calls can be watched and scripted.  Time stands still
 * unless told. No glibc header that defines signal types may be included beside the runtime's.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "enclave/syscall_table.h"
#include "enclave/tables.h"

enum {
    FIXTURE_PC = 0x20000000,  /* of the program's syscall instruction */
    FIXTURE_PROCESS = 4242,   /* the program's process id, and its first thread's */
    FIXTURE_HOST_TID = 31337, /* what the host calls that thread */
    FIXTURE_HOST_PROCESS = 31000,
    FIXTURE_HOST_FD = 900, /* descriptors from here up are the host's */
    FIXTURE_STUB = 777,    /* what handlers of other parts return here */
    FIXTURE_MEMORY_bytes = 1 << 20,
};

/* A call that the host was asked to make. */
struct host_call {
    long nr;
    uint64_t args[6];
    bool blocking;
    uint64_t words[2]; /* what the last argument that was watched pointed to */
};

struct fixture {
    struct thread *thread;
    struct ucontext uc;
    uint8_t *memory; /* the program's, zeroed before each test */
    uint64_t now_ns; /* the program's clock */
    /* The host. */
    bool scripted; /* answers `answer` instead of making the call */
    long answer;
    int watch;      /* argument whose first two words are kept in host_call.words; -1: none */
    unsigned calls; /* made so far */
    struct host_call last;
    /* What the other parts were told. */
    unsigned log_lines;
    char log[256];
    unsigned marks, marks_closed;
    struct {
        uint64_t start, length;
    } mark[16];
};
extern struct fixture g_fixture;

int fixture_create(void **state); /* once */
int fixture_reset(void **state);  /* before each test */

/* Makes a call as the program. */
#define CALL(nr, ...) fixture_call((nr), (const uint64_t[6]){__VA_ARGS__})
long fixture_call(long nr, const uint64_t args[6]);
/* Addresses in program memory, by offset. */
uint64_t fixture_address(size_t offset);
void *fixture_at(size_t offset);
/* The program's struct timespec at that offset. */
uint64_t fixture_timespec(size_t offset, int64_t seconds, int64_t ns);
