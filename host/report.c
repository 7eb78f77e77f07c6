/* SPDX-License-Identifier: Apache-2.0 */
/* See report.h. */
#include "host/report.h"

#include <stdio.h>
#include <string.h>

static const char *const g_modes[] = {"hybrid", "precopy", "postcopy", "stopcopy"};
static const char *const g_trackers[] = {"kernel", "mprotect", "barrier"};
static const char *const g_connections[] = {
    [OM_CONNECTIONS_MOVE] = "move",
    [OM_CONNECTIONS_RESET] = "reset",
    [OM_CONNECTIONS_PROXY] = "proxy",
};
static const char *const g_phases[] = {"none",       "prepare",  "precopy",
                                       "switchover", "postcopy", "done"};
static const char *const g_results[] = {"moved", "refused", NULL,      "failed",
                                        "lost",  "movable", "in doubt"};
static const char *const g_levels[] = {"error", "warn", "info", "debug"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int parse(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; name && i < count; i++)
        if (names[i] && !strcmp(names[i], name))
            return (int)i;
    return -1;
}

static const char *name_of(const char *const *names, size_t count, int value)
{
    return value >= 0 && (size_t)value < count && names[value] ? names[value] : "unknown";
}

int mode_parse(const char *name)
{
    return parse(g_modes, COUNT(g_modes), name);
}

int tracker_parse(const char *name)
{
    return parse(g_trackers, COUNT(g_trackers), name);
}

int connections_parse(const char *name)
{
    return parse(g_connections, COUNT(g_connections), name);
}

int phase_parse(const char *name)
{
    return parse(g_phases, COUNT(g_phases), name);
}

int result_parse(const char *name)
{
    return parse(g_results, COUNT(g_results), name);
}

int log_level_parse(const char *name)
{
    return parse(g_levels, COUNT(g_levels), name);
}

const char *mode_name(int mode)
{
    return name_of(g_modes, COUNT(g_modes), mode);
}

const char *connections_name(int connections)
{
    return name_of(g_connections, COUNT(g_connections), connections);
}

const char *tracker_name(int tracker)
{
    return name_of(g_trackers, COUNT(g_trackers), tracker);
}

const char *phase_name(int phase)
{
    return name_of(g_phases, COUNT(g_phases), phase);
}

const char *result_name(int result)
{
    return name_of(g_results, COUNT(g_results), result);
}

const char *log_level_name(int level)
{
    return name_of(g_levels, COUNT(g_levels), level);
}

static void set_count(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void set_ms(json_t *object, const char *key, uint64_t microseconds)
{
    json_object_set_new(object, key, json_real((double)microseconds / 1000));
}

/* Text of the enclave or of a peer need not be UTF-8; JSON must be. */
static json_t *reason_to_json(const char *reason)
{
    char plain[OM_REASON_MAX];
    json_t *text = json_string(reason);

    if (text)
        return text;
    snprintf(plain, sizeof(plain), "%s", reason);
    for (char *c = plain; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    return json_string(plain);
}

json_t *report_to_json(const struct om_move_report *report)
{
    const uint64_t moved = report->pages * OM_PAGE_SIZE;
    json_t *object = json_object();

    json_object_set_new(object, "result", json_string(result_name((int)report->result)));
    json_object_set_new(object, "reason", reason_to_json(report->reason));
    json_object_set_new(object, "phase_reached",
                        json_string(phase_name((int)report->phase_reached)));
    set_count(object, "memory_bytes", report->memory_bytes);
    set_count(object, "pages", report->pages);
    set_count(object, "heads", report->heads);
    set_count(object, "zero_pages", report->zero_pages);
    set_count(object, "rounds", report->rounds);
    set_count(object, "bytes_sent", report->bytes_sent);
    set_ms(object, "total_ms", report->total_us);
    set_ms(object, "attest_ms", report->attest_us);
    set_ms(object, "prepare_ms", report->prepare_us);
    set_ms(object, "precopy_ms", report->precopy_us);
    set_ms(object, "downtime_ms", report->downtime_us);
    set_ms(object, "stop_ms", report->stop_us);
    set_ms(object, "capture_ms", report->capture_us);
    set_ms(object, "transfer_ms", report->transfer_us);
    set_ms(object, "commit_ms", report->commit_us);
    set_ms(object, "resume_ms", report->resume_us);
    set_ms(object, "dirty_ms", report->dirty_us);
    if (report->hooks_us)
        set_ms(object, "hooks_ms", report->hooks_us);
    if (report->slow_thread) {
        set_count(object, "slow_thread", report->slow_thread);
        set_count(object, "slow_pc", report->slow_pc);
        if (report->slow_program[0])
            json_object_set_new(object, "slow_program", reason_to_json(report->slow_program));
    }
    if (report->resumed)
        set_count(object, "resumed", report->resumed);
    if (report->audited)
        set_count(object, "audit_missed", report->audit_missed);
    set_count(object, "switchover_pages", report->switchover_pages);
    set_count(object, "postcopy_pages", report->postcopy_pages);
    set_ms(object, "postcopy_ms", report->postcopy_us);
    set_count(object, "urgent_pages", report->urgent_pages);
    set_count(object, "throughput_bytes_per_s",
              report->total_us ? (uint64_t)((double)moved * 1e6 / (double)report->total_us) : 0);
    if (report->receipt_us)
        set_ms(object, "receipt_ms", report->receipt_us);
    if (report->no_receipt[0])
        json_object_set_new(object, "no_receipt", reason_to_json(report->no_receipt));
    set_count(object, "stop_realtime_ns", report->stop_realtime_ns);
    set_count(object, "resume_realtime_ns", report->resume_realtime_ns);
    return object;
}

json_t *report_without_move(enum om_result result, enum om_phase phase, const char *reason)
{
    struct om_move_report report = {.result = result, .phase_reached = phase};

    snprintf(report.reason, sizeof(report.reason), "%s", reason);
    return report_to_json(&report);
}

json_t *rule_to_json(const struct om_rule *rule)
{
    return json_pack("{s:s, s:b, s:s, s:o, s:o}", "of",
                     rule->about_source ? "source" : "destination", "pass", (int)rule->pass, "rule",
                     rule->name, "found", reason_to_json(rule->found), "wanted",
                     reason_to_json(rule->wanted));
}

json_t *progress_to_json(const struct om_progress *progress)
{
    json_t *object = json_object();

    json_object_set_new(object, "phase", json_string(phase_name((int)progress->phase)));
    set_count(object, "round", progress->round);
    set_count(object, "bytes_sent", progress->bytes_sent);
    set_count(object, "bytes_remaining", progress->bytes_remaining);
    set_count(object, "memory_bytes", progress->memory_bytes);
    set_ms(object, "elapsed_ms", progress->elapsed_us);
    return object;
}
