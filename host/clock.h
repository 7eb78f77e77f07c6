/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clock page (boundary.h) that the enclave reads instead of asking the kernel.
 *
 * Its monotonic line follows CLOCK_MONOTONIC to well under a microsecond, is continuous, and never
 * runs backwards, on whatever processors it is read: corrections change its slope only.  The
 * realtime line steps when the system's clock is stepped.
 */
#pragma once

/* Maps the page at SHARED_BASE (read-only there) and starts the thread that refreshes it, which
 * runs until the process ends, with all signals blocked.  Once per process.  0, or -1 and errno. */
int clock_start(void);
