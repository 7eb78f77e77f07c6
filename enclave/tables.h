/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime's tables: everything that moves beside the program's own pages.  They lie in ELRANGE
 * at a fixed place, so they move as pages and there is no serializer for them.  No pointer into
 * .data, .bss or local memory may be stored here.
 */
#pragma once

#include "enclave/cards.h"
#include "enclave/claims.h"
#include "enclave/clock.h"
#include "enclave/fd_table.h"
#include "enclave/hooks.h"
#include "enclave/mm.h"
#include "enclave/process.h"
#include "enclave/shared_files.h"
#include "enclave/signal.h"
#include "enclave/thread.h"
#include "enclave/timers.h"

enum { TABLES_VERSION = 999 };

struct tables {
    struct clock_state clock; /* first: the vDSO reads it at TABLES_BASE */
    uint32_t version;
    uint8_t last_receipt[32]; /* of its last one; zero: none yet (receipt.c) */
    struct claim_state claims;
    char name[OM_NAME_MAX];
    char command[256];
    char exe_path[4096];
    struct thread_table threads;
    struct signal_state signals;
    struct signal_queue process_signals; /* pending for the whole process at the stop */
    struct fd_state fds;
    struct timer_state timers;
    uint32_t receive_timeouts; /* some socket has had one (receive_timeout.c) */
    uint32_t fast_calls;       /* code that is mapped is patched (fast_calls.h) */
    struct process_state process;
    struct shared_files shared_files;
    struct barrier_state barrier;
    struct hook_state hooks;
    struct mm_state mm;
};

#define g_tables ((struct tables *)TABLES_BASE)

/* Thread slots: above struct tables. */
#define SLOTS_BASE (TABLES_BASE + (1ULL << 30))
#define SLOTS_END (SLOTS_BASE + (uint64_t)THREADS_MAX * SLOT_SIZE)
_Static_assert(sizeof(struct tables) < (1ULL << 30), "the tables end below the slots");
