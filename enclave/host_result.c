/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See host_result.h.  The limit of a result comes from the row of the call (syscalls.def) where the
 * row has a buffer, else from the short list below; most calls have none but that of errors.
 */
#include "enclave/host_result.h"

#include <asm/unistd.h>
#include <linux/futex.h>

#include "enclave/syscall_table.h"

enum {
    NO_LIMIT = -1,
    ERRNO_MAX = 4095,
    TRUNCATED = 0x20, /* MSG_TRUNC: the result is the length that there was */
    WORD_BITS = 64,
    READY_SETS = 3, /* select counts a descriptor once for each of its sets */
};

/* A struct msghdr, as far as it is needed. */
struct message_entries {
    uint64_t name, name_length, entries, entry_count;
};

static struct {
    long (*syscall)(long, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
    long (*blocking)(long, const uint64_t[6], const volatile uint32_t *);
    uint64_t named[(SYSCALL_NUMBERS + WORD_BITS - 1) / WORD_BITS];
} g_result;

/* ---- limits ---- */

static int64_t limit_of_count(uint64_t count)
{
    return count > INT64_MAX ? INT64_MAX : (int64_t)count;
}

/* The entries are the runtime's own copies. */
static int64_t limit_of_entries(uint64_t address, uint64_t count)
{
    const struct iovec *entries = (const struct iovec *)(uintptr_t)address;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count && i < IOVEC_MAX; i++)
        if (__builtin_add_overflow(sum, (uint64_t)entries[i].iov_len, &sum))
            return INT64_MAX;
    return limit_of_count(sum);
}

/* Whoever waited gets 0. */
static int64_t limit_of_futex(const uint64_t args[6])
{
    switch (args[1] & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
        return 0;
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
        return limit_of_count(args[2] & INT32_MAX);
    default:
        return INT32_MAX;
    }
}

/* Calls whose buffers rows do not show, or that count something else than bytes. */
static int64_t limit_by_number(long nr, const uint64_t args[6])
{
    const struct message_entries *message = (const void *)(uintptr_t)args[1];

    switch (nr) {
    case __NR_recvmsg:
    case __NR_sendmsg:
        return args[2] & TRUNCATED ? INT64_MAX
                                   : limit_of_entries(message->entries, message->entry_count);
    case __NR_recvfrom:
        return args[3] & TRUNCATED ? INT64_MAX : limit_of_count(args[2]);
    case __NR_sendfile:
    case __NR_copy_file_range:
    case __NR_splice:
        return limit_of_count(args[nr == __NR_sendfile ? 3 : 4]);
    case __NR_write:
    case __NR_pwrite64:
    case __NR_sendto:
    case __NR_tee:
    case __NR_epoll_wait:
    case __NR_epoll_pwait:
    case __NR_epoll_pwait2:
        return limit_of_count(args[2]);
    case __NR_select:
    case __NR_pselect6:
        return limit_of_count(args[0] & INT32_MAX) * READY_SETS;
    case __NR_poll:
    case __NR_ppoll:
        return limit_of_count(args[1]);
    case __NR_rt_sigtimedwait:
        return WORD_BITS;
    case __NR_futex:
        return limit_of_futex(args);
    default:
        return NO_LIMIT;
    }
}

/* A size of 0 asks how much there is. */
static int64_t limit_of(long nr, const uint64_t args[6])
{
    int64_t limit = limit_by_number(nr, args);
    const struct syscall_row *row = limit == NO_LIMIT ? syscall_row(nr) : NULL;

    for (unsigned i = 0; row && i < SYSCALL_ARGUMENTS && row->arguments[i].kind != ARG_NONE; i++) {
        const struct argument *argument = &row->arguments[i];
        uint64_t count = args[argument->count];

        if (argument->kind == ARG_IOVEC)
            return limit_of_entries(args[i], count);
        if (argument->flags & ARG_RESULT && count != 0)
            return limit_of_count(argument->flags & ARG_INT ? (uint32_t)count : count);
    }
    return limit;
}

/* ---- answers ---- */

static bool is_error_of(long nr, long result)
{
    if (nr != __NR_futex)
        return result >= -ERRNO_MAX;
    return result == -EAGAIN || result == -EINTR || result == -ETIMEDOUT || result == -EFAULT ||
           result == -EINVAL || result == -ENOSYS || result == -OM_ECANCELLED;
}

static long refuse(long nr, long result)
{
    uint64_t bit = 1ULL << (unsigned long)nr % WORD_BITS, *word;

    if ((unsigned long)nr >= SYSCALL_NUMBERS)
        return -EIO;
    word = &g_result.named[nr / WORD_BITS];
    if (!(__atomic_fetch_or(word, bit, __ATOMIC_RELAXED) & bit))
        log_error("the host lies: it says that %s gave %ld", syscall_name(nr), result);
    /* C libraries give up at a futex with another error than its own; everybody is prepared to wake
     * for nothing. */
    return nr == __NR_futex ? 0 : -EIO;
}

long host_result(long nr, const uint64_t args[6], long result)
{
    int64_t limit;

    if (result == 0)
        return 0;
    if (result < 0)
        return is_error_of(nr, result) ? result : refuse(nr, result);
    limit = limit_of(nr, args);
    return limit == NO_LIMIT || result <= limit ? result : refuse(nr, result);
}

static long checked_syscall(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                            uint64_t a4, uint64_t a5)
{
    long result = g_result.syscall(nr, a0, a1, a2, a3, a4, a5);
    const uint64_t args[6] = {a0, a1, a2, a3, a4, a5};

    return result == 0 ? 0 : host_result(nr, args, result);
}

static long checked_blocking(long nr, const uint64_t args[6], const volatile uint32_t *attention)
{
    return host_result(nr, args, g_result.blocking(nr, args, attention));
}

void host_results_check(struct host_calls *calls)
{
    g_result.syscall = calls->syscall;
    g_result.blocking = calls->syscall_blocking;
    calls->syscall = checked_syscall;
    calls->syscall_blocking = checked_blocking;
}
