/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "enclave/thread.h"

/* What the kernel does when a thread ends: locks that it still holds tell who waits that their
 * owner is dead.  On that thread, before its memory may be given up. */
void robust_locks_leave(struct thread *thread);
