/* SPDX-License-Identifier: Apache-2.0 */
/* Signal calls of the program (sys_signal.c), as rows of syscalls.def name them. */
#pragma once

#include "enclave/syscall.h"

long sys_rt_sigaction(struct call *call);
long sys_rt_sigprocmask(struct call *call);
long sys_rt_sigreturn(struct call *call);
long sys_rt_sigsuspend(struct call *call);
long sys_rt_sigpending(struct call *call);
long sys_rt_sigtimedwait(struct call *call);
long sys_sigaltstack(struct call *call);
long sys_pause(struct call *call);

/* The mask or the pending signals changed: look again before the program is entered. */
void signal_recheck(struct thread *thread);
/* A frame that cannot be read or written: SIGSEGV, as the kernel does. */
void signal_raise_fault(struct thread *thread);
