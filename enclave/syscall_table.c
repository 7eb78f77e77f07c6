/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscalls.def as an array, indexed by the number of the call.
 */
#include "enclave/syscall_table.h"

#include <asm/poll.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/resource.h>
#include <linux/stat.h>
#include <linux/sysinfo.h>
#include <linux/time_types.h>
#include <linux/times.h>
#include <linux/timex.h>
#include <linux/utime.h>
#include <linux/utsname.h>

_Static_assert(SIZE_stat == sizeof(struct stat), "asm/stat.h");
_Static_assert(SIZE_statx == sizeof(struct statx), "linux/stat.h");
_Static_assert(SIZE_statfs == sizeof(struct statfs), "asm/statfs.h");
_Static_assert(SIZE_rusage == sizeof(struct rusage), "linux/resource.h");
_Static_assert(SIZE_rlimit == sizeof(struct rlimit64), "linux/resource.h");
_Static_assert(SIZE_sysinfo == sizeof(struct sysinfo), "linux/sysinfo.h");
_Static_assert(SIZE_timex == sizeof(struct __kernel_timex), "linux/timex.h");
_Static_assert(SIZE_tms == sizeof(struct tms), "linux/times.h");
_Static_assert(SIZE_utimbuf == sizeof(struct utimbuf), "linux/utime.h");
_Static_assert(SIZE_utsname == sizeof(struct new_utsname), "linux/utsname.h");
_Static_assert(SIZE_pollfd == sizeof(struct pollfd), "asm/poll.h");
_Static_assert(SIZE_epoll_event == sizeof(struct epoll_event), "linux/eventpoll.h");
_Static_assert(SIZE_timespec == sizeof(struct __kernel_timespec), "linux/time_types.h");
_Static_assert(SIZE_itimerspec == sizeof(struct __kernel_itimerspec), "linux/time_types.h");
_Static_assert(SIZE_siginfo == sizeof(siginfo_t), "asm/siginfo.h");
_Static_assert(SIZE_sigevent == sizeof(struct sigevent), "asm/siginfo.h");
_Static_assert(SIZE_stack == sizeof(stack_t), "asm/signal.h");
_Static_assert(SIZE_cap_header == sizeof(struct __user_cap_header_struct), "linux/capability.h");
_Static_assert(SIZE_cap_data == 2 * sizeof(struct __user_cap_data_struct), "linux/capability.h");

/* The words of the rows. */
#define NONE                                                                                       \
    {                                                                                              \
        ARG_NONE, 0, 0, 0                                                                          \
    }
#define VALUE                                                                                      \
    {                                                                                              \
        ARG_VALUE, 0, 0, 0                                                                         \
    }
#define FD                                                                                         \
    {                                                                                              \
        ARG_FD, 0, 0, 0                                                                            \
    }
#define TID                                                                                        \
    {                                                                                              \
        ARG_TID, 0, 0, 0                                                                           \
    }
#define CLOCK                                                                                      \
    {                                                                                              \
        ARG_CLOCK, 0, 0, 0                                                                         \
    }
#define PATH                                                                                       \
    {                                                                                              \
        ARG_PATH, ARG_READ, 0, 0                                                                   \
    }
#define STRING                                                                                     \
    {                                                                                              \
        ARG_STRING, ARG_READ, 0, 0                                                                 \
    }
#define IN(n)                                                                                      \
    {                                                                                              \
        ARG_BUFFER, ARG_READ | ARG_COUNTED, n, 1                                                   \
    }
#define IN32(n)                                                                                    \
    {                                                                                              \
        ARG_BUFFER, ARG_READ | ARG_COUNTED | ARG_INT, n, 1                                         \
    }
#define OUT(n)                                                                                     \
    {                                                                                              \
        ARG_BUFFER, ARG_WRITE | ARG_COUNTED, n, 1                                                  \
    }
#define OUT32(n)                                                                                   \
    {                                                                                              \
        ARG_BUFFER, ARG_WRITE | ARG_COUNTED | ARG_INT, n, 1                                        \
    }
#define OUT_RESULT(n)                                                                              \
    {                                                                                              \
        ARG_BUFFER, ARG_WRITE | ARG_RESULT | ARG_COUNTED, n, 1                                     \
    }
#define OUT32_RESULT(n)                                                                            \
    {                                                                                              \
        ARG_BUFFER, ARG_WRITE | ARG_RESULT | ARG_COUNTED | ARG_INT, n, 1                           \
    }
#define IN_STRUCT(type)                                                                            \
    {                                                                                              \
        ARG_BUFFER, ARG_READ, 0, SIZE_##type                                                       \
    }
#define OUT_STRUCT(type)                                                                           \
    {                                                                                              \
        ARG_BUFFER, ARG_WRITE, 0, SIZE_##type                                                      \
    }
#define INOUT_STRUCT(type)                                                                         \
    {                                                                                              \
        ARG_BUFFER, ARG_READ | ARG_WRITE, 0, SIZE_##type                                           \
    }
#define IN_ARRAY(n, type)                                                                          \
    {                                                                                              \
        ARG_BUFFER, ARG_READ | ARG_COUNTED | ARG_INT, n, SIZE_##type                               \
    }
#define OUT_ARRAY(n, type)                                                                         \
    {                                                                                              \
        ARG_BUFFER, ARG_WRITE | ARG_COUNTED | ARG_INT, n, SIZE_##type                              \
    }
#define INOUT_ARRAY(n, type)                                                                       \
    {                                                                                              \
        ARG_BUFFER, ARG_READ | ARG_WRITE | ARG_COUNTED | ARG_INT, n, SIZE_##type                   \
    }
#define SIZED_OUT(n)                                                                               \
    {                                                                                              \
        ARG_SIZED, ARG_WRITE, n, 1                                                                 \
    }
#define FD_SET(n)                                                                                  \
    {                                                                                              \
        ARG_FD_SET, ARG_READ | ARG_WRITE, n, 0                                                     \
    }
#define IOVEC_IN(n)                                                                                \
    {                                                                                              \
        ARG_IOVEC, ARG_READ, n, sizeof(struct iovec)                                               \
    }
#define IOVEC_OUT(n)                                                                               \
    {                                                                                              \
        ARG_IOVEC, ARG_WRITE, n, sizeof(struct iovec)                                              \
    }
#define MESSAGE_IN                                                                                 \
    {                                                                                              \
        ARG_MESSAGE, ARG_READ, 0, 56                                                               \
    }
#define MESSAGE_OUT                                                                                \
    {                                                                                              \
        ARG_MESSAGE, ARG_READ | ARG_WRITE, 0, 56                                                   \
    }

#define HANDLER_PASS(name) NULL
#define HANDLER_BLOCK(name) NULL
#define HANDLER_EMULATE(name) sys_##name

static const struct syscall_row c_rows[SYSCALL_NUMBERS] = {
#define SYSCALL(number, call, how_, restart_, ...)                                                 \
    [number] = {.name = #call,                                                                     \
                .handler = HANDLER_##how_(call),                                                   \
                .how = HOW_##how_,                                                                 \
                .restart = RESTART_##restart_,                                                     \
                .arguments = {__VA_ARGS__}},
#define REFUSED(number, call, errno_, why)                                                         \
    [number] = {.name = #call,                                                                     \
                .reason = (why),                                                                   \
                .how = HOW_REFUSE,                                                                 \
                .restart = RESTART_IF_FLAG,                                                        \
                .error = (errno_)},
#include "enclave/syscalls.def"
#undef SYSCALL
#undef REFUSED
};

const struct syscall_row *syscall_row(long nr)
{
    if ((unsigned long)nr >= SYSCALL_NUMBERS || c_rows[nr].how == HOW_NONE)
        return NULL;
    return &c_rows[nr];
}

static const bool c_fast[SYSCALL_NUMBERS] = {
#define FAST(number, call) [number] = true,
#include "enclave/fast_calls.def"
#undef FAST
};

bool syscall_is_fast(long nr)
{
    return (unsigned long)nr < SYSCALL_NUMBERS && c_fast[nr];
}
