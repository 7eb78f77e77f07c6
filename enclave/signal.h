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

#define SIGNAL_BIT(n) (1ULL << ((n)-1))
/* Never blocked, whatever the program asks: SIGSYS carries its system calls, STOP stops it. */
#define SIGNALS_KEPT (SIGNAL_BIT(SIGSYS) | SIGNAL_BIT(OM_SIGNAL_STOP))

void signal_install_all(void); /* the kernel's table from the program's; at start and after a move */
