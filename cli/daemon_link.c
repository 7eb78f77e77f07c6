/* SPDX-License-Identifier: Apache-2.0 */
/* Events of host processes (docs/control.md, "The link"), and the end of their links. */
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/daemon.h"
#include "cli/units.h"
#include "host/report.h"

static void on_started(struct enclave *enclave, json_t *event)
{
    (void)event;
    if (enclave->state != ENCLAVE_STARTING)
        return;
    enclave->state = ENCLAVE_RUNNING;
    enclave_take_name(enclave);
    daemon_log(enclave->daemon, OM_LOG_INFO, "%s: started, pid %d", enclave->name, enclave->pid);
    requesters_started(enclave);
}

static void on_failed(struct enclave *enclave, json_t *event)
{
    units_printable(line_text(event, "reason", "for no stated reason"), enclave->failure,
                    sizeof(enclave->failure));
    enclave->start_status = (int)line_number(event, "exit_status", 1);
}

static void on_ready(struct enclave *enclave, json_t *event)
{
    (void)event;
    if (enclave->arrival)
        arrival_host_ready(enclave);
}

/* Of a program that has arrived here: what it was started with. */
static void take_tracker(struct enclave *enclave, const json_t *event)
{
    int tracker = tracker_parse(line_text(event, "tracker", ""));

    if (tracker >= 0)
        enclave->tracker = (enum om_tracker)tracker;
    enclave->audit = line_flag(event, "audit");
}

static void on_running(struct enclave *enclave, json_t *event)
{
    if (enclave->state != ENCLAVE_RECEIVING)
        return;
    take_tracker(enclave, event);
    enclave->state = ENCLAVE_RUNNING;
    enclave_take_name(enclave);
    enclave->arriving = true;
    daemon_log(enclave->daemon, OM_LOG_INFO, "%s: runs here now, pid %d", enclave->name,
               enclave->pid);
}

static void on_progress(struct enclave *enclave, json_t *event)
{
    int phase = phase_parse(line_text(event, "phase", ""));

    if (phase >= 0)
        enclave->phase = (uint32_t)phase;
    if (enclave->severed) {
        daemon_log(enclave->daemon, OM_LOG_INFO, "%s: its move goes on", enclave->name);
        json_decref(enclave->severed);
        enclave->severed = NULL;
        departure_mended(enclave);
    }
    requesters_progress(enclave, event);
}

static void on_arrived(struct enclave *enclave, json_t *report)
{
    const int result = result_parse(line_text(report, "result", ""));

    daemon_log(enclave->daemon, OM_LOG_INFO, "%s: its move here ended: %s%s%s", enclave->name,
               line_text(report, "result", "?"), result == OM_RESULT_MOVED ? "" : ": ",
               line_text(report, "reason", ""));
    enclave->arrival_failed = result != OM_RESULT_MOVED;
    if (enclave->arrival_failed)
        return;                  /* The host process ends now, and its end is what counts. */
    on_running(enclave, report); /* If progress did not tell before. */
    enclave->arriving = false;
    enclave->complete = true;
    enclave->memory_promised = 0;
    conn_send(enclave->link, json_pack("{s:s}", "order", "inspect")); /* For its command. */
    requesters_settled(enclave, NULL);
    daemon_enclave_settled(enclave);
}

static void on_done(struct enclave *enclave, json_t *event)
{
    json_t *report = json_object_get(event, "report");

    enclave->phase = OM_PHASE_NONE;
    if (!json_is_object(report))
        return;
    if (enclave->departure)
        departure_done(enclave, report);
    else if (enclave->state == ENCLAVE_RECEIVING || enclave->arriving)
        on_arrived(enclave, report);
}

/* Said again for each attempt that fails: only the first is news. */
static void on_severed(struct enclave *enclave, json_t *event)
{
    char reason[OM_PEER_MAX];

    json_object_del(event, "event");
    units_printable(line_text(event, "reason", ""), reason, sizeof(reason));
    json_object_set_new(event, "reason", json_string(reason));
    if (!enclave->severed)
        daemon_log(enclave->daemon, OM_LOG_WARN,
                   "%s: the connection of its move broke (%s); %.0f pages have not come",
                   enclave->name, reason, line_number(event, "missing_pages", 0));
    json_decref(enclave->severed);
    enclave->severed = json_incref(event);
    if (enclave->departure)
        departure_severed(enclave);
}

static void on_inspect(struct enclave *enclave, json_t *event)
{
    const char *command = line_text(event, "command", "");
    char printable[512];

    if (!enclave->command && *command)
        enclave->command = strdup(units_printable(command, printable, sizeof(printable)));
    requesters_inspected(enclave, event);
}

/* A service address that this enclave has now, or has no more. */
static void on_service(struct enclave *enclave, json_t *event)
{
    json_t *entry = json_pack("{s:s, s:s}", "address", line_text(event, "address", ""), "device",
                              line_text(event, "device", "")),
           *known;
    size_t i;

    json_array_foreach(enclave->services, i, known)
    {
        if (json_equal(known, entry)) {
            json_array_remove(enclave->services, i);
            break;
        }
    }
    if (line_flag(event, "own") && json_array_size(enclave->services) < OM_SERVICES_MAX)
        json_array_append(enclave->services, entry);
    json_decref(entry);
}

/* It passes on connections that its program has left here, and ends with the last of them. */
static void on_relay(struct enclave *enclave, json_t *event)
{
    enclave->relay_pid = (pid_t)line_number(event, "pid", -1);
    enclave->relay_connections = (unsigned)line_number(event, "connections", 0);
    enclave->relay_pidfd = (int)syscall(SYS_pidfd_open, enclave->relay_pid, 0);
    daemon_log(enclave->daemon, OM_LOG_INFO, "%s: leaves %u connections to a relay, pid %d",
               enclave->name, enclave->relay_connections, enclave->relay_pid);
}

static void on_terminal(struct enclave *enclave, json_t *event)
{
    terminal_open(enclave, (int)line_number(event, "fd", -1));
}

static void on_bad_order(struct enclave *enclave, json_t *event)
{
    daemon_log(enclave->daemon, OM_LOG_ERROR, "%s: its host process refuses an order: %s",
               enclave->name, line_text(event, "reason", ""));
}

static const struct {
    const char *event;
    void (*call)(struct enclave *enclave, json_t *event);
} g_events[] = {
    {"started", on_started},   {"failed", on_failed},       {"ready", on_ready},
    {"running", on_running},   {"done", on_done},           {"progress", on_progress},
    {"inspect", on_inspect},   {"bad_order", on_bad_order}, {"service", on_service},
    {"terminal", on_terminal}, {"relay", on_relay},         {"severed", on_severed},
};

static void on_line(void *owner, char *line, size_t length)
{
    struct enclave *enclave = owner;
    char reason[256];
    json_t *event = line_parse(line, length, reason, sizeof(reason));
    const char *kind = line_text(event, "event", "");

    if (!event)
        daemon_log(enclave->daemon, OM_LOG_ERROR, "%s: from its host process: %s", enclave->name,
                   reason);
    for (size_t i = 0; event && i < sizeof(g_events) / sizeof(g_events[0]); i++) {
        if (strcmp(kind, g_events[i].event))
            continue;
        g_events[i].call(enclave, event);
        break;
    }
    json_decref(event);
}

static void on_end(void *owner)
{
    struct enclave *enclave = owner;

    conn_close(&enclave->link);
    enclave_check_ended(enclave);
}

const struct conn_calls link_calls = {on_line, on_end};
