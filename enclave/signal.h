/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals, emulated whole: the program's actions are a table; the kernel only knows the runtime's
 * handler.  The kernel's mask of a thread in program code is the program's own mask.
 */
#pragma once

#include "enclave/syscall.h"

/* As the kernel takes it. */
struct kernel_sigaction {
    uint64_t handler; /* program address, SIG_DFL or SIG_IGN */
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};

struct signal_state {
    struct lock lock;
    struct kernel_sigaction actions[SIGNAL_COUNT + 1]; /* by signal number */
};

enum { SIGNAL_QUEUE_MAX = 128 };

struct signal_queue {
    uint64_t set; /* bit n-1: signal n is in it */
    uint32_t count;
    uint32_t reserved;
    siginfo_t infos[SIGNAL_QUEUE_MAX];
};

#define SIGNAL_BIT(n) (1ULL << ((n)-1))
/* Never blocked, whatever the program asks: SIGSYS carries its system calls, STOP stops it. */
#define SIGNALS_KEPT (SIGNAL_BIT(SIGSYS) | SIGNAL_BIT(OM_SIGNAL_STOP) | SIGNALS_OF_FAULTS)
/* The guard faults on behalf of the runtime, so these stay open in the kernel's mask; that the
 * program has blocked them is kept in thread->faults_blocked. */
#define SIGNALS_OF_FAULTS (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS))

/* What the runtime blocks while it must not be interrupted: a fault that is blocked would kill. */
#define SIGNALS_ALL_BUT_FAULTS (~SIGNALS_OF_FAULTS)

/* Bytes of the vector state that a kernel frame points to, with its trailing magic; 0: none. */
uint32_t xsave_area_size(const struct ucontext *uc);

/* Program threads only: while blocked, the slot's queue of pending signals does not change by
 * itself. */
uint64_t signal_block_all(void);
void signal_unblock(uint64_t old);
/* Takes the first waiting signal that the mask lets through; call with all signals blocked. */
bool signal_pending_pop(struct thread *thread, uint64_t mask, siginfo_t *out_info);

/* Ids that the kernel put into a signal become the program's own. */
void signal_info_translate(siginfo_t *info);

/* Writes the result of a call into its registers; CALL_INTERRUPTED: it is to be made again. */
void signal_syscall_finish(struct call *call, long result);

void signal_state_create(void); /* the table from what the host process inherited */
void signal_install_one(int number);
/* The kernel's table from the program's; at start and after a move. */
void signal_install_all(void);
/* Before that, at leisure: reads the kernel's table, so that the next signal_install_all need not
 * set what is set already.  Nothing else may set it in between. */
void signal_look_around(void);
