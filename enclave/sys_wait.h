/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that wait, with their timeouts (sys_wait.c), and what else the dispatcher asks about them.
 */
#pragma once

#include <linux/time_types.h>

#include "enclave/syscall.h"

/* A struct timespec of the program: *out_ns < 0 if address is 0.  0, -EFAULT or -EINVAL.
 * What does not fit into 63 bits of nanoseconds (292 years) becomes the longest that does. */
long time_from_program(uint64_t address, int64_t *out_ns);
struct __kernel_timespec time_of_ns(uint64_t ns);

/* FUTEX_WAIT with a timeout: the kernel gives EINTR after a handler, whatever SA_RESTART says. */
bool wait_is_timed_futex(const struct call *call);
/* Writes the time that is left where the interrupted call is to give it (nanosleep, select, ppoll).
 */
void wait_write_time_left(struct call *call);
