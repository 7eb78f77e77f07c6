/* SPDX-License-Identifier: Apache-2.0 */
/* A move's modes, trackers, phases and results by name, and its report as JSON (docs/control.md).
 */
#pragma once

#include <jansson.h>

#include "boundary/boundary.h"

/* Value of a name, or -1. */
int mode_parse(const char *name);
int tracker_parse(const char *name);
int connections_parse(const char *name);
int phase_parse(const char *name);
int result_parse(const char *name);
int log_level_parse(const char *name);

/* Name of a value; "unknown" for none. */
const char *mode_name(int mode);
const char *connections_name(int connections);
const char *tracker_name(int tracker);
const char *phase_name(int phase);
const char *result_name(int result);
const char *log_level_name(int level);

/* Durations in milliseconds.  Names of enclave, mode and hosts are not in it: the daemon adds them.
 */
json_t *report_to_json(const struct om_move_report *report);
json_t *rule_to_json(const struct om_rule *rule);
json_t *progress_to_json(const struct om_progress *progress);
/* The report of a move that ended before the source enclave had anything to say. */
json_t *report_without_move(enum om_result result, enum om_phase phase, const char *reason);
