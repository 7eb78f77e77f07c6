/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pause that a program itself sees: a thread that reads CLOCK_REALTIME in a loop and notes the
 * gaps.  It reads CLOCK_MONOTONIC too: that must never go back, and must advance as real time does,
 * over a move as well.
 */
#pragma once

#include <stdint.h>

/* Gaps of at least threshold_ns are listed. */
void gapmeter_begin(uint64_t threshold_ns);
/* As victim_value: gap_max_us, gap_at_ns (CLOCK_REALTIME of its begin), a line
 * gap=START_NS,LENGTH_NS for each listed one, monotonic_backwards and drift_us; all since the last
 * report.  Nothing if not begun. */
void gapmeter_report(void);
void gapmeter_end(void);
