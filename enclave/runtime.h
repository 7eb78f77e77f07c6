/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every file of the runtime may use.  The runtime is freestanding: no libc, no TLS, no stack
 * protector, no system call instruction; the only way out is g_host (boundary/calls.def).
 *
 * Memory comes in three kinds, and each variable is in the right one:
 *   g_tables (enclave/tables.h)  moves with the enclave;
 *   static variables, .bss       belong to this runtime instance on this host, never sent;
 *   local_alloc()                the same, for large things (buffers, bitmaps, stacks).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boundary/boundary.h"

#define OM_ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define OM_MIN(a, b) ((a) < (b) ? (a) : (b))
#define OM_MAX(a, b) ((a) > (b) ? (a) : (b))
#define OM_ALIGN_DOWN(x, n) ((x) & ~((uint64_t)(n)-1))
#define OM_ALIGN_UP(x, n) (((x) + (uint64_t)(n)-1) & ~((uint64_t)(n)-1))
#define OM_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* The host's entry points, copied in by ECALL create. */
extern struct host_calls g_host;

/* What the host said at creation, checked and copied in. */
struct host_facts {
    uint32_t host_fd_base;
    uint32_t nofile_soft;
    uint32_t process_id;
    int32_t log_fd;
    uint32_t log_level;
    bool privileged;
    bool quiet;
    bool has_fsgsbase; /* programs may read and write GS (AT_HWCAP2) */
    uint8_t platform;  /* protocol.h; what the host says of itself */
    bool logged;       /* standard output and error are the log of the daemon */
    uint8_t measurement[32];
    uint8_t random_key[32]; /* never leaves */
    char name[OM_NAME_MAX]; /* of the enclave, for log lines */
};
extern struct host_facts g_facts;

/* string.c: the four that compilers call, and a few more. */
void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);
int memcmp(const void *a, const void *b, size_t length);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t length);
char *strchr(const char *s, int c);
/* Copies at most capacity - 1 bytes and terminates; returns the length of from. */
size_t str_copy(char *to, const char *from, size_t capacity);
/* A small vsnprintf: %s %d %u %x %lx %lu %ld %zu %c %% %p, widths and zero padding. */
int str_format(char *to, size_t capacity, const char *format, ...) OM_PRINTF(3, 4);
int str_vformat(char *to, size_t capacity, const char *format, __builtin_va_list arguments);
bool page_is_zero(const void *page); /* 4 KiB, aligned */
bool page_is_same(const void *a, const void *b);

/* log.c: one line to the enclave's log, from any thread.  Never logs secrets or program data. */
void log_line(enum om_log_level level, const char *format, ...) OM_PRINTF(2, 3);
#define log_error(...) log_line(OM_LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(OM_LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(OM_LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(OM_LOG_DEBUG, __VA_ARGS__)

/* A bug of ours: logs file and line, and ends the host process (exit status 134). Never for input.
 */
_Noreturn void runtime_abort(const char *file, int line, const char *what);
#define om_assert(condition) ((condition) ? (void)0 : runtime_abort(__FILE__, __LINE__, #condition))

/* local.c: memory of this runtime instance; page-aligned, zeroed, never returned, never sent.
 * Never fails short of LOCAL_SIZE of address space: a bug there aborts. */
void *local_alloc(size_t size);

/* random.c: from RDRAND, whitened; not from the host. */
void random_bytes(void *out, size_t length);

/* lock.c: a futex lock, small enough to live in tables.  Not recursive.  Zero is unlocked.
 * A thread never parks while it holds one (parking happens only when the runtime is left). */
struct lock {
    volatile uint32_t word;
};
void lock_take(struct lock *lock);
void lock_release(struct lock *lock);
/* For one who takes the lock again and again (the mover): lets a waiter have it first.  Otherwise a
 * thread of the program could wait until the mover is done with all of memory. */
void lock_release_fairly(struct lock *lock);

/* Futex on a word of the enclave, private.  timeout_ns < 0: no timeout.  0 or -errno. */
long futex_wait(const volatile uint32_t *word, uint32_t expected, int64_t timeout_ns);
void futex_wake(const volatile uint32_t *word, int count);
/* One who waits for a word of the program, and one who waits for it as a private one. */
void futex_wake_program(uint64_t word);

/* access.c: the program's memory, by pointers that the program gave.  A bad pointer gives
 * -EFAULT instead of a crash.  Length may be 0. */
long copy_from_program(void *to, uint64_t from, size_t length);
long copy_to_program(uint64_t to, const void *from, size_t length);
/* Returns the string's length, or -EFAULT, or -ENAMETOOLONG when it does not fit. */
long copy_string_from_program(char *to, uint64_t from, size_t capacity);

/* System calls that the runtime makes for itself (not interruptible). */
static inline long host_syscall(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                                uint64_t a4, uint64_t a5)
{
    return g_host.syscall(nr, a0, a1, a2, a3, a4, a5);
}

#include "enclave/errno.h"
