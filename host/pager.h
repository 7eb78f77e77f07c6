/* SPDX-License-Identifier: Apache-2.0 */
/* Post-copy paging by userfaultfd in missing mode: the pager_* rows of calls.def. */
#pragma once

#include "boundary/boundary.h"

/* As track_prepare(): opens what pager_begin needs before the program could see it. */
void pager_prepare(void);

long host_pager_begin(uint64_t start, uint64_t end);
/* -ESHUTDOWN: pager_end was called. */
long host_pager_wait(uint64_t *out_addresses, uint32_t capacity, int timeout_ms);
long host_pager_copy(uint64_t to, const void *from, size_t length);
long host_pager_zero(uint64_t to, size_t length);
long host_pager_wake(uint64_t to, size_t length);
void host_pager_end(void);
