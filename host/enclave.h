/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the host process: ECALLs, and OCALLs that have no file of their own. */
#pragma once

#include "boundary/boundary.h"

/* Stack indices: 0 main, 1 mover, 2 urgent, 3 pager, 15 inspect.  One thread at a time on each. */
long enclave_call(enum ecall_number number, void *argument, unsigned stack_index);

void host_log(int level, const char *text, size_t length);
uint64_t host_now_ns(int clock_id);
long host_memory_available(void);
void host_progress(const struct om_progress *progress); /* move.c */
void host_rule(const struct om_rule *rule);             /* move.c */
long host_cancel_requested(void);                       /* move.c */

/* Policy and collateral as the daemon has left them (attest/bundle.h); the length, 0 if this
 * enclave obeys none, or -errno.  *out is the caller's to free. */
long bundle_load(void **out);
