/* SPDX-License-Identifier: Apache-2.0 */
/* What the host orders to be started, copied in whole before any of it is looked at. */
#pragma once

#include "enclave/runtime.h"

/* The host's memory lies above ELRANGE, and nothing of the enclave's does. */
static inline bool is_of_host(const void *start, size_t length)
{
    return (uint64_t)start >= ELRANGE_END && length <= UINT64_MAX - (uint64_t)start;
}

/* Pointers of *out point to local memory afterwards, strings and lists end in 0.  Once in the life
 * of an enclave. 0, -EFAULT (not of the host's memory), -E2BIG. */
long start_copy(const struct ecall_start *untrusted, struct ecall_start *out);
