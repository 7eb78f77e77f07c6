/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See lying_calls.h: what runs on threads of the program, on the enclave's stacks.  Compiled so
 * that it uses neither vector registers nor the stack protector, which are the program's there.
 */
#include "tests/adversary/lying_calls.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/futex.h>
#include <stdbool.h>

#include "host/gate.h"

enum { NO_ERRNO = -70000, ASKED_MAX = 1 << 30 };

struct theatre *g_theatre;
int g_side;

int lie_is_due(unsigned about)
{
    uint32_t call;

    g_theatre->seen[g_side][about] = 1;
    if (g_theatre->side != (uint32_t)g_side || g_theatre->about != about ||
        !g_theatre->armed[g_side])
        return 0;
    call = __atomic_fetch_add(&g_theatre->calls, 1, __ATOMIC_SEQ_CST);
    if (call < g_theatre->first || call - g_theatre->first >= g_theatre->count)
        return 0;
    __atomic_fetch_add(&g_theatre->told, 1, __ATOMIC_SEQ_CST);
    return 1;
}

long lie_answer(enum lie_kind kind, long asked, long truth)
{
    switch (kind) {
    case LIE_MORE:
        return asked + 1;
    case LIE_NUMBER:
        return NO_ERRNO;
    case LIE_TABLES:
        return (long)TABLES_BASE + (long)OM_PAGE_SIZE;
    case LIE_LOCAL:
        return (long)LOCAL_BASE + (long)OM_PAGE_SIZE;
    case LIE_ERROR:
        return -EIO;
    case LIE_UNDONE:
        return 0;
    default:
        return truth;
    }
}

/* An upper limit of what was asked for; of a call that counts nothing: of what it can give. */
static long asked_of(long nr, const uint64_t args[6])
{
    switch (nr) {
    case __NR_getcwd:
    case __NR_getrandom:
    case __NR_poll:
    case __NR_ppoll:
    case __NR_sched_getaffinity:
        return (long)args[1];
    case __NR_read:
    case __NR_write:
    case __NR_pread64:
    case __NR_pwrite64:
    case __NR_recvfrom:
    case __NR_sendto:
    case __NR_readlink:
    case __NR_getdents64:
    case __NR_epoll_wait:
    case __NR_epoll_pwait:
        return (long)args[2];
    case __NR_readlinkat:
        return (long)args[3];
    default:
        return ASKED_MAX;
    }
}

/* The last line of a runtime that gives up (enclave/log.c); a program can end with the same status.
 */
static bool is_last_word(const char *text, uint64_t length)
{
    static const char words[] = "the runtime gives up";

    for (uint64_t at = 0; at + sizeof(words) <= length; at++) {
        unsigned same = 0;

        while (same + 1 < sizeof(words) && text[at + same] == words[same])
            same++;
        if (same + 1 == sizeof(words))
            return true;
    }
    return false;
}

/* What the program says of itself: a line to standard output for each round, and its end. */
static bool is_word_of_program(long nr, const uint64_t args[6])
{
    if (nr == __NR_write && args[0] == 1) {
        __atomic_fetch_add(&g_theatre->rounds[g_side], 1, __ATOMIC_SEQ_CST);
        return true;
    }
    if (nr == __NR_write && is_last_word((const char *)args[1], args[2]))
        g_theatre->gave_up[g_side] = 1;
    if (nr == __NR_exit_group)
        g_theatre->ended[g_side] = (uint32_t)args[0] + 1;
    return false;
}

static long lied(long nr, const uint64_t args[6], long truth)
{
    return lie_answer(g_theatre->kind, asked_of(nr, args), truth);
}

static bool is_undone(long nr)
{
    return g_theatre->kind == LIE_UNDONE && nr != __NR_exit_group;
}

long lying_syscall(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                   uint64_t a5)
{
    const uint64_t args[6] = {a0, a1, a2, a3, a4, a5};
    int due;
    long truth;

    if (is_word_of_program(nr, args))
        return (long)a2;
    due = (unsigned long)nr < ABOUT_SYSCALLS && lie_is_due((unsigned)nr);
    if (due && is_undone(nr))
        return 0;
    truth = host_gate_syscall(nr, a0, a1, a2, a3, a4, a5);
    return due ? lied(nr, args, truth) : truth;
}

long lying_syscall_blocking(long nr, const uint64_t args[6], const volatile uint32_t *attention)
{
    int due;
    long truth;

    if (is_word_of_program(nr, args))
        return (long)args[2];
    due = (unsigned long)nr < ABOUT_SYSCALLS && lie_is_due((unsigned)nr);
    if (due && is_undone(nr))
        return 0;
    truth = host_gate_syscall_blocking(nr, args, attention);
    return due && truth != -OM_ECANCELLED ? lied(nr, args, truth) : truth;
}

long lying_thread_create(void *stack_top, void (*entry)(void *), void *argument,
                         volatile uint32_t *tid)
{
    int due = lie_is_due(ABOUT_thread_create);
    long truth = host_gate_thread_create(stack_top, entry, argument, tid);

    if (due && g_theatre->kind == LIE_TABLES)
        *tid = UINT32_MAX; /* An id that is none. */
    return due && truth > 0 ? lie_answer(g_theatre->kind, truth, truth) : truth;
}
