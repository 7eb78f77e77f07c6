/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a kernel can answer to a system call, and what only a lying host answers: counts above what
 * was asked for, numbers that are neither a result nor an error.  The program, and the runtime,
 * count with results; nobody may write or read beyond a buffer because a host says so.
 */
#pragma once

#include "enclave/runtime.h"

/* From now on every system call made through these is checked; an impossible result becomes -EIO
 * and is named in the log, once for each call. */
void host_results_check(struct host_calls *calls);

/* result, or -EIO.  For the unit test. */
long host_result(long nr, const uint64_t args[6], long result);
