/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of entry.S and addresses of host/gate.S, for those who compare program counters. */
#pragma once

#include "enclave/thread.h"

void signal_entry(int number, siginfo_t *info, struct ucontext *uc);
extern char signal_leave_begin[], signal_leave_end[];

/* Called by entry.S only. */
int signal_handle(int number, siginfo_t *info, struct ucontext *uc);
void signal_leave(struct ucontext_frame *frame);
long ecall_dispatch(long number, void *argument);
extern void (*g_host_sigreturn)(void *frame);

struct gate_addresses {
    uint64_t blocking_begin, blocking_end, blocking_cancel;
    uint64_t sigreturn_begin, sigreturn_end;
    uint64_t restorer;
};
extern struct gate_addresses g_gate;
