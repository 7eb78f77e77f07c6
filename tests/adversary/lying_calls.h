/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lies of a hostile host: calls of the boundary that are made, and whose answer is another one.
 */
#pragma once

#include "boundary/boundary.h"

enum lie_kind {
    LIE_NONE,
    LIE_MORE,   /* more than was asked for */
    LIE_NUMBER, /* neither a result nor an error */
    LIE_TABLES, /* an address of the runtime's tables, */
    LIE_LOCAL,  /* and one of its own memory */
    LIE_ERROR,  /* that it failed */
    LIE_UNDONE, /* not made at all, and done, it says */
    LIE_KINDS,
};

/* Beside the numbers of system calls: calls of the boundary, and deeds. */
enum lie_about {
    ABOUT_SYSCALLS = 512,
    ABOUT_thread_create = ABOUT_SYSCALLS,
    ABOUT_channel_send,
    ABOUT_channel_recv,
    ABOUT_channel_pending,
    ABOUT_track_begin,
    ABOUT_track_scan,
    ABOUT_track_keep,
    ABOUT_pager_begin,
    ABOUT_pager_wait,
    ABOUT_pager_copy,
    ABOUT_pager_zero,
    ABOUT_pager_wake,
    ABOUT_report,
    ABOUT_memory_available,
    ABOUT_memory_read,
    ABOUT_now_ns,
    ABOUT_cancel_requested,
    ABOUT_receipt,
    ABOUT_arguments, /* the argument of an ECALL changes while the runtime is at it */
    ABOUT_threads,   /* every thread is told to stop, all the time */
    ABOUT_nothing,
    ABOUT_END,
};

enum { SIDE_SOURCE, SIDE_DESTINATION, SIDES };

/* What both sides and who watches them share. */
struct theatre {
    volatile uint32_t rounds[SIDES];  /* that the program has made there */
    volatile uint32_t ended[SIDES];   /* by its own exit: status + 1 */
    volatile uint32_t gave_up[SIDES]; /* the runtime did, in words */
    volatile uint32_t armed[SIDES];
    volatile uint32_t told; /* how many lies */
    volatile uint32_t done; /* the source's move has ended: result + 1 */
    char reason[OM_REASON_MAX];
    volatile uint8_t seen[SIDES][ABOUT_END]; /* was it called? */
    /* The lie. */
    uint32_t side, about;
    enum lie_kind kind;
    uint32_t first, count; /* of its calls: which, how many */
    volatile uint32_t calls;
};

extern struct theatre *g_theatre;
extern int g_side;

/* Is it to be lied about this call, now? */
int lie_is_due(unsigned about);
long lie_answer(enum lie_kind kind, long asked, long truth);

/* For app threads: no C library, no vector registers, any FS base. */
long lying_syscall(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                   uint64_t a5);
long lying_syscall_blocking(long nr, const uint64_t args[6], const volatile uint32_t *attention);
long lying_thread_create(void *stack_top, void (*entry)(void *), void *argument,
                         volatile uint32_t *tid);
