/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Write detection by mprotect: memory is made read-only; the first write to a granule faults, the
 * handler makes that granule writable again and notes it.  Used twice:
 *   - as the `mprotect` tracker, with granules of one page, where userfaultfd is not to be had;
 *   - as the freeze before a switchover of the `kernel` tracker, with granules of 2 MiB, so that the
 *     last scan looks only at memory written since the freeze and never at the whole footprint.
 *
 * The kernel does not fault on such a page, it fails the system call (EFAULT).  So every call's
 * output buffers are opened before the call (guard_open, from syscalls.def), and a collector that
 * protects memory afterwards leaves buffers of calls under way alone (thread->kernel_write).
 */
#pragma once

#include "enclave/thread.h"

/* Not zero while some memory is guarded: the dispatcher then calls guard_enter/guard_leave. */
extern volatile uint32_t g_guard_active;

/* The dispatcher, before a call whose output buffer the kernel will write; several per call. */
void guard_open(struct thread *thread, uint64_t start, uint64_t length);
/* The dispatcher, when the call has returned. */
void guard_close(struct thread *thread);
/* The SIGSEGV handler: true if the fault was the guard's and the access can be made again. */
bool guard_fault(uint64_t address);
