/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a row of syscalls.def says, in the form in which the dispatcher reads it; and the checks and
 * copies made from it.  The words that the rows use for arguments are explained here.
 */
#pragma once

#include <linux/uio.h>

#include "enclave/syscall.h"

enum syscall_how {
    HOW_NONE = 0, /* no row */
    HOW_PASS,
    HOW_BLOCK,
    HOW_EMULATE,
    HOW_REFUSE,
};

enum argument_kind {
    ARG_NONE = 0, /* there is no such argument, nor one after it */
    ARG_VALUE,    /* a number, or a pointer that the handler looks after */
    ARG_FD,       /* a descriptor: one of the host's gives EBADF */
    ARG_TID,      /* a virtual thread id; 0 is the caller */
    ARG_CLOCK,    /* a clock id, which can contain a virtual thread id */
    ARG_PATH,     /* a path, translated by path.h */
    ARG_STRING,   /* another string */
    ARG_BUFFER,   /* unit bytes, times the count if there is one */
    ARG_SIZED,    /* a buffer whose size is an int that argument `count` points to */
    ARG_FD_SET,   /* a set of as many descriptors as argument `count` says */
    ARG_IOVEC,    /* an array of struct iovec */
    ARG_MESSAGE,  /* a struct msghdr */
};

enum argument_flag {
    ARG_READ = 1,    /* the kernel reads the memory */
    ARG_WRITE = 2,   /* the kernel writes it */
    ARG_RESULT = 4,  /* and the result of the call says how many bytes */
    ARG_COUNTED = 8, /* argument `count` is the number of units */
    ARG_INT = 16,    /* which the kernel takes as a 32-bit number */
};

struct argument {
    uint8_t kind; /* enum argument_kind */
    uint8_t flags;
    uint8_t count; /* position of another argument */
    uint16_t unit; /* bytes */
};

enum { SYSCALL_ARGUMENTS = 6, SYSCALL_NUMBERS = 463, IOVEC_MAX = 1024 };

struct syscall_row {
    const char *name;                   /* NULL: no row */
    long (*handler)(struct call *call); /* EMULATE */
    const char *reason;                 /* REFUSE: in words */
    uint8_t how, restart;
    uint8_t error; /* REFUSE: errno */
    struct argument arguments[SYSCALL_ARGUMENTS];
};

const struct syscall_row *syscall_row(long nr); /* NULL: no row */
bool syscall_is_fast(long nr);                  /* fast_calls.def */

/* Sizes of the structures that rows name.  syscall_table.c compares them with the kernel's headers.
 */
enum struct_size {
    SIZE_cachestat = 40,
    SIZE_cachestat_range = 16,
    SIZE_cap_data = 24,
    SIZE_cap_header = 8,
    SIZE_epoll_event = 12,
    SIZE_fd_pair = 8,
    SIZE_futex_word = 4,
    SIZE_id = 4,
    SIZE_itimerspec = 32,
    SIZE_itimerval = 32,
    SIZE_mmsghdr = 64,
    SIZE_offset = 8,
    SIZE_pointer = 8,
    SIZE_pollfd = 8,
    SIZE_rlimit = 16,
    SIZE_rusage = 144,
    SIZE_sched_attr = 48,
    SIZE_sched_param = 4,
    SIZE_sigaction = 32,
    SIZE_sigevent = 64,
    SIZE_siginfo = 128,
    SIZE_sigset_argument = 16,
    SIZE_socklen = 4,
    SIZE_stack = 24,
    SIZE_stat = 144,
    SIZE_statfs = 120,
    SIZE_status = 4,
    SIZE_statx = 256,
    SIZE_sysinfo = 112,
    SIZE_time = 8,
    SIZE_timer_id = 4,
    SIZE_timespec = 16,
    SIZE_timespec_pair = 32,
    SIZE_timeval = 16,
    SIZE_timeval_pair = 32,
    SIZE_timex = 208,
    SIZE_timezone = 8,
    SIZE_tms = 32,
    SIZE_utimbuf = 16,
    SIZE_utsname = 390,
};

/* True for memory of the program; an empty range lies anywhere. */
static inline bool call_in_program(uint64_t start, uint64_t length)
{
    return length == 0 ||
           (start >= PROGRAM_BASE && start < PROGRAM_END && length <= PROGRAM_END - start);
}

/* Before a call whose kernel side writes [start, start + length) of the program's memory; the
 * dispatcher takes all such marks back when the call is over. */
void call_kernel_writes(struct call *call, uint64_t start, uint64_t length);

/* call_check.c.  Checks the arguments against the row and marks what the kernel will write; args, a
 * copy of call->args, gets the host's thread and clock ids.  0 or -errno.  out_copies is not 0 if
 * there are arguments that must be copied or translated before the kernel may see them. */
long call_check(struct call *call, const struct syscall_row *row, uint64_t args[SYSCALL_ARGUMENTS],
                uint32_t *out_copies);
/* Makes a call that has such arguments, with copies that the program cannot change any more. */
long call_with_copies(struct call *call, const struct syscall_row *row,
                      uint64_t args[SYSCALL_ARGUMENTS]);
/* How a PASS or BLOCK row goes out (syscall.c). */
long call_host(struct call *call, const struct syscall_row *row,
               const uint64_t args[SYSCALL_ARGUMENTS]);

/* Copies in and checks an array of struct iovec for the kernel.  0 or -errno. */
long call_copy_iovec(struct call *call, uint64_t address, uint64_t count, bool kernel_writes,
                     struct iovec out[IOVEC_MAX]);

/* The host's clock id for the program's: a thread's clock has the thread's id in it. 0 or -EINVAL.
 */
long call_host_clock(uint64_t clock_id, uint64_t *out_host_clock);
/* The host's id for a virtual process or thread id; 0 stays 0 (the caller).  0 or -ESRCH. */
long call_host_tid(uint64_t tid, uint64_t *out_host_tid);

/* Answers -error, counts the call as unsupported, and names it in the log the first time. */
long syscall_refuse(const struct call *call, long error, const char *reason);
/* The same for a call that the caller has named in the log. */
long syscall_refuse_named(long error);
