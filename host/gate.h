/* SPDX-License-Identifier: Apache-2.0 */
/* host/gate.S: contracts stand in boundary/calls.def. */
#pragma once

#include "boundary/boundary.h"

long host_gate_syscall(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                       uint64_t a5);
long host_gate_syscall_blocking(long nr, const uint64_t args[6],
                                const volatile uint32_t *attention);
long host_gate_thread_create(void *stack_top, void (*entry)(void *), void *argument,
                             volatile uint32_t *tid);
void host_gate_thread_exit(void);
void host_gate_sigreturn(void *frame);
long host_gate_ecall(uint64_t entry, long number, void *argument, unsigned stack_index);

extern char host_gate_blocking_begin[], host_gate_blocking_end[], host_gate_blocking_cancel[];
extern char host_gate_sigreturn_end[], host_gate_restorer[];
