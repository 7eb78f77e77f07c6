/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests on the control socket (docs/control.md).  A connection has one request at a time; its
 * further lines wait.  What a request waits for is noted in its requester, and found by going
 * through all of them: so nobody keeps a pointer to a requester, who may hang up at any time.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/daemon.h"
#include "cli/units.h"
#include "host/address.h"
#include "host/report.h"
#include "host/service.h"

enum {
    PROGRESS_BACKLOG_bytes = 64 * 1024,
    TERMINAL_BACKLOG_bytes = 256 * 1024,
    COMMAND_TEXT_bytes = 1024,
    NAMES_TEXT_bytes = 400
};

static void dispatch(struct requester *requester, json_t *request);

/* ---- Replies ---- */

static void stop_waiting(struct requester *requester)
{
    requester->wait = WAIT_NOTHING;
    requester->enclave = NULL;
    requester->killed = requester->typed = false;
    requester->typed_bytes = 0;
    timer_stop(&requester->timer);
    json_decref(requester->request);
    requester->request = NULL;
}

/* Last thing to do with a requester: it may take its next request at once. */
void requester_reply(struct requester *requester, json_t *reply)
{
    stop_waiting(requester);
    if (!conn_send(requester->conn, reply))
        daemon_log(requester->daemon, OM_LOG_WARN, "a reply could not be sent");
    conn_hold(requester->conn, false);
}

static json_t *make_error(const char *hint, const char *format, va_list list)
{
    json_t *reply = json_pack("{s:b}", "ok", 0);
    char error[1024], printable[1024];

    vsnprintf(error, sizeof(error), format, list);
    json_object_set_new(reply, "error",
                        json_string(units_printable(error, printable, sizeof(printable))));
    if (hint)
        json_object_set_new(reply, "hint", json_string(hint));
    return reply;
}

__attribute__((format(printf, 3, 4))) static void
reply_error(struct requester *requester, const char *hint, const char *format, ...)
{
    va_list list;
    json_t *reply;

    va_start(list, format);
    reply = make_error(hint, format, list);
    va_end(list);
    requester_reply(requester, reply);
}

/* Every answer to migrate has a report, also when there was no move. */
__attribute__((format(printf, 4, 5))) static void refuse_move(struct requester *requester,
                                                              const json_t *request,
                                                              const char *hint, const char *format,
                                                              ...)
{
    static const char *const keys[] = {"name", "mode", "tracker", "to"};
    json_t *reply, *report, *value;
    va_list list;

    va_start(list, format);
    reply = make_error(hint, format, list);
    va_end(list);
    report = report_without_move(OM_RESULT_REFUSED, OM_PHASE_NONE, line_text(reply, "error", ""));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        value = json_object_get(request, keys[i]);
        json_object_set(report, keys[i], json_is_string(value) ? value : NULL);
        if (!json_is_string(value))
            json_object_set_new(report, keys[i], json_string(""));
    }
    json_object_set_new(report, "platform", json_string(requester->daemon->platform));
    json_object_set_new(report, "from", json_string(requester->daemon->listen_address));
    json_object_set_new(report, "session", json_string(""));
    json_object_set_new(reply, "report", report);
    requester_reply(requester, reply);
}

static void wait_for(struct requester *requester, enum wait wait, struct enclave *enclave)
{
    requester->wait = wait;
    requester->enclave = enclave;
    conn_hold(requester->conn, true);
}

static void wait_until_settled(struct requester *requester, struct enclave *enclave,
                               const json_t *request)
{
    requester->request = json_deep_copy(request);
    wait_for(requester, WAIT_SETTLED, enclave);
}

/* The names that exist, for who asked for one that does not. */
static void list_names(const struct daemon *daemon, char text[NAMES_TEXT_bytes])
{
    size_t length = 0;

    text[0] = 0;
    for (struct enclave *e = daemon->enclaves; e; e = e->next) {
        if (!enclave_live(e) || length + strlen(e->name) + 8 > NAMES_TEXT_bytes)
            continue;
        length += (size_t)sprintf(text + length, "%s%s", length ? ", " : "there are: ", e->name);
    }
    if (!length)
        strcpy(text, "'optmig ls' shows none running");
}

/* A live enclave or a record; otherwise an error has been replied. */
static struct enclave *find(struct requester *requester, const json_t *request)
{
    const char *name = line_text(request, "name", "");
    struct enclave *enclave = enclave_find(requester->daemon, name);
    char names[NAMES_TEXT_bytes];

    if (enclave)
        return enclave;
    list_names(requester->daemon, names);
    reply_error(requester, NULL, "no enclave is called '%s' on this host; %s", name, names);
    return NULL;
}

static void describe_end(const struct enclave *enclave, char *text, size_t size)
{
    if (enclave->state == ENCLAVE_MOVED)
        snprintf(text, size, "%s was moved to %s", enclave->name, enclave->moved_to);
    else if (enclave->state == ENCLAVE_LOST)
        snprintf(text, size, "%s was lost in a move", enclave->name);
    else
        snprintf(text, size, "%s is not running any more", enclave->name);
}

static struct enclave *find_live(struct requester *requester, const json_t *request)
{
    struct enclave *enclave = find(requester, request);
    char text[512];

    if (!enclave || enclave_live(enclave))
        return enclave;
    describe_end(enclave, text, sizeof(text));
    reply_error(requester, NULL, "%s", text);
    return NULL;
}

/* ---- run and register ---- */

static void free_strings(char **strings)
{
    for (size_t i = 0; strings && strings[i]; i++)
        free(strings[i]);
    free(strings);
}

/* NULL: not an array of strings, or an empty one where that is not allowed. */
static char **strings_from_json(const json_t *array, bool may_be_empty)
{
    size_t count = json_array_size(array);
    char **strings;

    if (!json_is_array(array) || (!count && !may_be_empty))
        return NULL;
    strings = calloc(count + 1, sizeof(*strings));
    if (!strings)
        abort();
    for (size_t i = 0; i < count; i++) {
        strings[i] = units_bytes_from_json(json_array_get(array, i));
        if (strings[i])
            continue;
        free_strings(strings);
        return NULL;
    }
    return strings;
}

/* For people: words with a space between. */
static char *command_text(char **argv)
{
    char joined[COMMAND_TEXT_bytes], printable[COMMAND_TEXT_bytes];
    size_t length = 0;

    joined[0] = 0;
    for (size_t i = 0; argv[i] && length + 2 < sizeof(joined); i++) {
        int added =
            snprintf(joined + length, sizeof(joined) - length, "%s%s", i ? " " : "", argv[i]);

        length += (size_t)added;
    }
    return strdup(units_printable(joined, printable, sizeof(printable)));
}

static bool choose_name(struct requester *requester, const json_t *request, char **argv,
                        char out_name[OM_NAME_MAX])
{
    const char *wanted = line_text(request, "name", NULL);
    char from_program[OM_NAME_MAX];
    struct enclave *holder;

    if (!wanted) {
        units_name_of_program(argv[0], from_program, sizeof(from_program));
        if (enclave_pick_name(requester->daemon, from_program, out_name))
            return true;
        reply_error(requester, "give one with --name", "no name is left for %s", from_program);
        return false;
    }
    holder = enclave_find(requester->daemon, wanted);
    if (!units_valid_name(wanted)) {
        reply_error(requester, NULL,
                    "\"%s\" is not a name: 1 to 63 of A-Z a-z 0-9 . _ -, and not first . or -",
                    wanted);
        return false;
    }
    if (holder && enclave_live(holder)) {
        reply_error(requester, "choose another with --name, or end it: optmig stop NAME",
                    "an enclave called %s is here already", wanted);
        return false;
    }
    strcpy(out_name, wanted);
    return true;
}

/* What run and register have in common.  NULL: an error has been replied. */
static struct enclave *make_enclave(struct requester *requester, const json_t *request, char **argv)
{
    const char *tracker = line_text(request, "tracker", "kernel");
    struct enclave *enclave;
    char name[OM_NAME_MAX];

    if (!argv) {
        reply_error(requester, NULL, "argv must be an array of strings, at least one");
        return NULL;
    }
    if (tracker_parse(tracker) < 0) {
        reply_error(requester, NULL, "tracker \"%s\": there are kernel, mprotect and barrier",
                    tracker);
        return NULL;
    }
    if (requester->daemon->stopping) {
        reply_error(requester, NULL, "this daemon is about to end");
        return NULL;
    }
    if (!choose_name(requester, request, argv, name))
        return NULL;
    enclave = enclave_new(requester->daemon, name);
    enclave->tracker = (enum om_tracker)tracker_parse(tracker);
    enclave->audit = line_flag(request, "audit");
    enclave->slow_calls = line_flag(request, "slow_calls");
    enclave->wants_terminal = line_flag(request, "terminal");
    enclave->command = command_text(argv);
    enclave->quiet = line_flag(request, "quiet");
    return enclave;
}

/* Orders of a test to the host processes of a daemon (host/move.c) are given to the daemon. */
static char **add_test_orders(char **envp)
{
    static const char *const names[] = {"OPTMIG_TEST_HOLD", "OPTMIG_TEST_HOLD_FILE"};
    const size_t most = sizeof(names) / sizeof(names[0]);
    size_t count = 0;
    char **longer;

    while (envp[count])
        count++;
    longer = realloc(envp, (count + most + 1) * sizeof(*envp));
    if (!longer)
        abort();
    for (size_t i = 0; i < most; i++)
        if (getenv(names[i]) && asprintf(&longer[count], "%s=%s", names[i], getenv(names[i])) > 0)
            count++;
    longer[count] = NULL;
    return longer;
}

/* As arguments of the host process; NULL and false: not what it should be. */
static bool read_services(const json_t *request, char ***out)
{
    json_t *list = json_object_get(request, "services"), *entry;
    struct om_service service;
    char **services;
    size_t i;

    *out = NULL;
    if (!list)
        return true;
    if (!json_is_array(list) || json_array_size(list) > OM_SERVICES_MAX)
        return false;
    services = calloc(json_array_size(list) + 1, sizeof(*services));
    if (!services)
        abort();
    *out = services;
    json_array_foreach(list, i, entry)
    {
        const char *address = line_text(entry, "address", "");
        const char *device = line_text(entry, "device", "");

        if (!service_parse(address, device, &service))
            return false;
        if (asprintf(&services[i], "%s@%s", address, device) < 0)
            abort();
    }
    return true;
}

static bool read_spawn(const json_t *request, struct spawn *out)
{
    const json_t *env = json_object_get(request, "env"), *cwd = json_object_get(request, "cwd");
    const char *level = line_text(request, "log_level", NULL);

    out->path = units_bytes_from_json(json_object_get(request, "path"));
    out->envp = env ? strings_from_json(env, true) : NULL;
    if (out->envp)
        out->envp = add_test_orders(out->envp);
    out->cwd = cwd ? units_bytes_from_json(cwd) : NULL;
    out->umask = (int)line_number(request, "umask", -1);
    out->log_level = log_level_parse(level) >= 0 ? level : NULL;
    if (!read_services(request, &out->services))
        return false;
    return out->path && out->path[0] == '/' && (!env || out->envp) && (!cwd || out->cwd);
}

static void request_run(struct requester *requester, const json_t *request)
{
    struct spawn spawn = {.argv = strings_from_json(json_object_get(request, "argv"), false)};
    struct enclave *enclave = NULL;
    char reason[1024];

    if (!read_spawn(request, &spawn))
        reply_error(requester, NULL,
                    "path must be absolute; env and cwd, if there, strings; "
                    "services, if there, at most 8 of address and device");
    else
        enclave = make_enclave(requester, request, spawn.argv);
    if (enclave && enclave_spawn(enclave, &spawn, reason, sizeof(reason))) {
        wait_for(requester, WAIT_START, enclave);
    } else if (enclave) {
        enclave_free(enclave);
        reply_error(requester, NULL, "%s", reason);
    }
    free_strings(spawn.argv);
    free_strings(spawn.envp);
    free_strings(spawn.services);
    free(spawn.path);
    free(spawn.cwd);
}

/* The connection becomes the link of the host process, which the requester is about to be. */
static void request_register(struct requester *requester, const json_t *request)
{
    char **argv = strings_from_json(json_object_get(request, "argv"), false);
    struct enclave *enclave = make_enclave(requester, request, argv);
    struct daemon *daemon = requester->daemon;
    struct ucred peer = {0};
    socklen_t length = sizeof(peer);

    free_strings(argv);
    if (!enclave)
        return;
    getsockopt(conn_fd(requester->conn), SOL_SOCKET, SO_PEERCRED, &peer, &length);
    enclave->attached = true;
    enclave_set_pid(enclave, peer.pid);
    conn_send(requester->conn,
              json_pack("{s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "ok", 1, "name", enclave->name,
                        "key", daemon->key_path, "receipts", daemon->receipt_dir, "bundle",
                        daemon->options.policy ? daemon->bundle_path : "", "tsm",
                        daemon->options.tsm ? daemon->options.tsm : "", "registry",
                        daemon->options.registry ? daemon->options.registry : "", "platform",
                        daemon->platform));
    enclave->link = requester->conn;
    requester->conn = NULL;
    conn_give(enclave->link, &link_calls, enclave);
    requester_free(requester);
}

void requesters_started(struct enclave *enclave)
{
    struct requester *r = enclave->daemon->requesters, *next;

    for (; r; r = next) {
        next = r->next;
        if (r->enclave != enclave || r->wait != WAIT_START)
            continue;
        if (enclave->failure[0])
            requester_reply(r, json_pack("{s:b, s:s, s:i}", "ok", 0, "error", enclave->failure,
                                         "exit_status", enclave->start_status));
        else
            requester_reply(r, json_pack("{s:b, s:s, s:i, s:s, s:s}", "ok", 1, "name",
                                         enclave->name, "pid", (int)enclave->pid, "log",
                                         enclave->log_path, "platform", enclave->daemon->platform));
    }
    if (enclave->state == ENCLAVE_RUNNING)
        requesters_settled(enclave, NULL);
}

/* ---- ls, status, logs, ping ---- */

static void request_ls(struct requester *requester, const json_t *request)
{
    json_t *list = json_array();

    (void)request;
    for (struct enclave *e = requester->daemon->enclaves; e; e = e->next)
        if (enclave_find(requester->daemon, e->name) == e)
            json_array_append_new(list, enclave_to_json(e, false));
    requester_reply(requester, json_pack("{s:b, s:o}", "ok", 1, "enclaves", list));
}

static void reply_status(struct requester *requester, struct enclave *enclave, json_t *figures)
{
    static const char *const keys[] = {"memory_bytes", "threads", "fds", "syscalls", "unsupported"};
    json_t *object = enclave_to_json(enclave, true), *value;

    for (size_t i = 0; figures && i < sizeof(keys) / sizeof(keys[0]); i++)
        if ((value = json_object_get(figures, keys[i])) != NULL)
            json_object_set(object, keys[i], value);
    requester_reply(requester, json_pack("{s:b, s:o}", "ok", 1, "enclave", object));
}

static void on_inspect_timeout(void *owner)
{
    struct requester *requester = owner;

    reply_status(requester, requester->enclave, NULL);
}

static void request_status(struct requester *requester, const json_t *request)
{
    struct enclave *enclave = find(requester, request);

    if (!enclave)
        return;
    if ((enclave->state != ENCLAVE_RUNNING && enclave->state != ENCLAVE_MOVING) || !enclave->link ||
        !conn_send(enclave->link, json_pack("{s:s}", "order", "inspect"))) {
        reply_status(requester, enclave, NULL);
        return;
    }
    wait_for(requester, WAIT_INSPECT, enclave);
    requester->timer =
        timer_start(&requester->daemon->loop, INSPECT_TIMEOUT_ms, on_inspect_timeout, requester);
}

void requesters_inspected(struct enclave *enclave, json_t *figures)
{
    struct requester *r = enclave->daemon->requesters, *next;

    for (; r; r = next) {
        next = r->next;
        if (r->enclave == enclave && r->wait == WAIT_INSPECT)
            reply_status(r, enclave, figures);
    }
}

static void request_logs(struct requester *requester, const json_t *request)
{
    struct enclave *enclave = find(requester, request);
    json_t *reply;

    if (!enclave)
        return;
    if (!enclave->log_path) {
        reply_error(requester, NULL, "%s has no log: it writes to the terminal it was started in",
                    enclave->name);
        return;
    }
    reply = json_pack("{s:b, s:s, s:b}", "ok", 1, "path", enclave->log_path, "live",
                      enclave_live(enclave));
    if (!line_flag(request, "follow")) {
        requester_reply(requester, reply);
        return;
    }
    conn_send(requester->conn, reply);
    if (enclave_live(enclave))
        wait_for(requester, WAIT_FOLLOW, enclave);
    else
        requester_reply(requester, json_pack("{s:s}", "event", "ended"));
}

/* ---- attach ---- */

static void add_end(json_t *reply, const struct enclave *enclave)
{
    if (enclave->exit_status >= 0)
        json_object_set_new(reply, "exit_status", json_integer(enclave->exit_status));
    if (enclave->exit_signal >= 0)
        json_object_set_new(reply, "signal", json_integer(enclave->exit_signal));
}

static void tell_detached(struct requester *requester, const struct enclave *enclave)
{
    const char *event = enclave->state == ENCLAVE_MOVED  ? "moved"
                        : enclave->state == ENCLAVE_LOST ? "lost"
                                                         : "ended";
    json_t *reply = json_pack("{s:s}", "event", event);

    if (enclave->state == ENCLAVE_MOVED)
        json_object_set_new(reply, "to", json_string(enclave->moved_to));
    json_object_set_new(reply, "received", json_integer((json_int_t)requester->typed_bytes));
    if (requester->typed && enclave->terminal)
        json_object_set_new(reply, "unread", terminal_unread(enclave->terminal));
    add_end(reply, enclave);
    requester_reply(requester, reply);
}

/* The connection is not held: what follows is typed, or a new size of the window. */
static void request_attach(struct requester *requester, const json_t *request)
{
    /* Who has just started it wants to see it, also if it has ended meanwhile. */
    struct enclave *enclave =
        line_flag(request, "started") ? find(requester, request) : find_live(requester, request);

    if (!enclave)
        return;
    if (enclave->state == ENCLAVE_RECEIVING || enclave->state == ENCLAVE_STARTING) {
        wait_until_settled(requester, enclave, request);
        return;
    }
    if (!enclave->terminal) {
        reply_error(requester, "a program gets one with optmig run -t",
                    "%s has no terminal to attach to", enclave->name);
        return;
    }
    conn_send(requester->conn, json_pack("{s:b, s:s, s:o}", "ok", 1, "name", enclave->name, "data",
                                         terminal_shown(enclave->terminal)));
    if (!enclave_live(enclave)) {
        tell_detached(requester, enclave);
        return;
    }
    wait_for(requester, WAIT_ATTACH, enclave);
    conn_hold(requester->conn, false);
}

static void at_terminal(struct requester *requester, const json_t *line)
{
    struct terminal *terminal = requester->enclave->terminal;
    const json_t *input = json_object_get(line, "input");
    size_t length;
    char *bytes = input ? units_any_bytes_from_json(input, &length) : NULL;

    for (struct requester *r = requester->daemon->requesters; bytes && r; r = r->next)
        if (r->enclave == requester->enclave)
            r->typed = r == requester;
    if (bytes)
        requester->typed_bytes += length;
    if (terminal && bytes)
        terminal_type(terminal, bytes, length);
    free(bytes);
    if (terminal && json_object_get(line, "rows"))
        terminal_resize(terminal, (unsigned)line_number(line, "rows", 0),
                        (unsigned)line_number(line, "columns", 0));
}

bool requesters_show(struct enclave *enclave, json_t *output)
{
    bool keep_up = true;

    for (struct requester *r = enclave->daemon->requesters; r; r = r->next) {
        if (r->enclave != enclave || r->wait != WAIT_ATTACH)
            continue;
        conn_send(r->conn, json_incref(output));
        keep_up = keep_up && conn_backlog(r->conn) < TERMINAL_BACKLOG_bytes;
    }
    json_decref(output);
    return keep_up;
}

static void request_ping(struct requester *requester, const json_t *request)
{
    const struct daemon *daemon = requester->daemon;
    json_t *reply =
        json_pack("{s:b, s:s, s:i, s:s, s:s, s:s, s:i}", "ok", 1, "version", OPTMIG_VERSION, "pid",
                  (int)getpid(), "hostname", daemon->hostname, "platform", daemon->platform,
                  "isolation", daemon->isolation, "protocol", (int)OM_BOUNDARY_VERSION);

    (void)request;
    if (daemon->options.listen)
        json_object_set_new(reply, "listen", json_string(daemon->listen_address));
    requester_reply(requester, reply);
}

/* ---- stop and signal ---- */

static void on_stop_timeout(void *owner)
{
    struct requester *requester = owner;

    requester->killed = true;
    enclave_signal(requester->enclave, SIGKILL);
}

/* A host process must not be ended in the middle of a move: that could lose the program. */
static bool refuse_while_moving(struct requester *requester, const struct enclave *enclave)
{
    if (enclave->state != ENCLAVE_MOVING && enclave->state != ENCLAVE_LEAVING)
        return false;
    reply_error(requester, "optmig cancel NAME, or wait until the move has ended",
                "%s is being moved", enclave->name);
    return true;
}

/* What waits for a peer ends by the operator's word: a part of the program is on each side, and
 * neither can run it alone. */
static void end_waiting(struct requester *requester, struct enclave *enclave)
{
    requester->killed = true;
    enclave_signal(enclave, SIGKILL);
    wait_for(requester, WAIT_END, enclave);
}

static void request_stop(struct requester *requester, const json_t *request)
{
    struct enclave *left = enclave_find(requester->daemon, line_text(request, "name", ""));
    struct enclave *enclave;
    const double timeout = line_number(request, "timeout_ms", STOP_TIMEOUT_ms);

    if (left && !enclave_live(left) && enclave_relay_signal(left, SIGTERM)) {
        requester_reply(requester, json_pack("{s:b, s:s, s:b, s:b}", "ok", 1, "name", left->name,
                                             "killed", 0, "relay", 1));
        return;
    }
    enclave = find_live(requester, request);
    if (enclave && enclave->severed) {
        end_waiting(requester, enclave);
        return;
    }
    if (!enclave || refuse_while_moving(requester, enclave))
        return;
    if (enclave->arriving || enclave->state == ENCLAVE_RECEIVING) {
        wait_until_settled(requester, enclave, request);
        return;
    }
    if (!enclave_signal(enclave, SIGTERM) && errno != ESRCH) {
        reply_error(requester, NULL, "%s cannot be signalled: %s", enclave->name, strerror(errno));
        return;
    }
    wait_for(requester, WAIT_END, enclave);
    requester->timer =
        timer_start(&requester->daemon->loop, timeout > 0 && timeout < 1e9 ? (uint64_t)timeout : 0,
                    on_stop_timeout, requester);
}

static void request_signal(struct requester *requester, const json_t *request)
{
    struct enclave *enclave = find_live(requester, request);
    const int signal = (int)line_number(request, "signal", 0);

    /* A host process that is stopped does not move on: SIGCONT must reach it in a move too. */
    const bool any_time = signal == SIGCONT && enclave && enclave->state == ENCLAVE_MOVING;

    if (!enclave || (!any_time && refuse_while_moving(requester, enclave)))
        return;
    if (signal < 1 || signal > 31)
        reply_error(requester, NULL, "signal must be 1 to 31");
    else if (enclave->state != ENCLAVE_RUNNING && !any_time)
        reply_error(requester, NULL, "%s does not run yet", enclave->name);
    else if (!enclave_signal(enclave, signal))
        reply_error(requester, NULL, "%s cannot be signalled: %s", enclave->name, strerror(errno));
    else
        requester_reply(requester, json_pack("{s:b, s:s}", "ok", 1, "name", enclave->name));
}

static void reply_ended(struct requester *requester, const struct enclave *enclave)
{
    json_t *reply =
        json_pack("{s:b, s:s, s:b}", "ok", 1, "name", enclave->name, "killed", requester->killed);

    add_end(reply, enclave);
    requester_reply(requester, reply);
}

static void redo(struct requester *requester)
{
    json_t *request = json_incref(requester->request);

    stop_waiting(requester);
    dispatch(requester, request); /* It replies or waits again. */
    json_decref(request);
}

void requesters_ended(struct enclave *enclave)
{
    struct requester *r = enclave->daemon->requesters, *next;

    for (; r; r = next) {
        next = r->next;
        if (r->enclave != enclave)
            continue;
        if (r->wait == WAIT_END)
            reply_ended(r, enclave);
        else if (r->wait == WAIT_INSPECT)
            reply_status(r, enclave, NULL);
        else if (r->wait == WAIT_SETTLED && enclave_live(enclave))
            reply_error(r, NULL, "%s did not arrive here, or did not start", enclave->name);
        else if (r->wait == WAIT_SETTLED)
            redo(r);
        else if (r->wait == WAIT_FOLLOW)
            requester_reply(r, json_pack("{s:s}", "event", "ended"));
        else if (r->wait == WAIT_ATTACH)
            tell_detached(r, enclave);
        else
            reply_error(r, NULL, "%s has ended", enclave->name);
    }
}

/* ---- migrate and cancel ---- */

static bool check_move(struct requester *requester, const json_t *request)
{
    char host[256], port[8];
    const char *mode = line_text(request, "mode", "hybrid");
    const char *tracker = line_text(request, "tracker", "kernel");
    const char *connections = line_text(request, "connections", "move");

    if (mode_parse(mode) < 0)
        refuse_move(requester, request, NULL, "mode \"%s\": hybrid, precopy, postcopy, stopcopy",
                    mode);
    else if (tracker_parse(tracker) < 0)
        refuse_move(requester, request, NULL, "tracker \"%s\": kernel, mprotect, barrier", tracker);
    else if (connections_parse(connections) < 0)
        refuse_move(requester, request, NULL, "connections \"%s\": move, proxy, reset",
                    connections);
    else if (!address_split(line_text(request, "to", ""), host, sizeof(host), port, sizeof(port)))
        refuse_move(requester, request, NULL, "to must be ADDR:PORT");
    else if (requester->daemon->stopping)
        refuse_move(requester, request, NULL, "this daemon is about to end");
    else
        return true;
    return false;
}

static void request_migrate(struct requester *requester, const json_t *request)
{
    const char *name = line_text(request, "name", "");
    struct enclave *enclave = enclave_find(requester->daemon, name);
    char text[NAMES_TEXT_bytes];

    if (!check_move(requester, request))
        return;
    if (!enclave) {
        list_names(requester->daemon, text);
        refuse_move(requester, request, NULL, "no enclave is called '%s' on this host; %s", name,
                    text);
    } else if (!enclave_live(enclave)) {
        describe_end(enclave, text, sizeof(text));
        refuse_move(requester, request, NULL, "%s", text);
    } else if (enclave->state == ENCLAVE_MOVING || enclave->state == ENCLAVE_LEAVING) {
        refuse_move(requester, request,
                    "optmig status NAME shows how far; optmig cancel NAME ends it",
                    "%s is being moved already", name);
    } else if (enclave->state != ENCLAVE_RUNNING || enclave->arriving) {
        wait_until_settled(requester, enclave, request);
    } else if (!enclave->link) {
        refuse_move(requester, request, NULL, "the host process of %s has closed its link", name);
    } else if (enclave_stopped(enclave)) {
        refuse_move(requester, request, "optmig signal NAME CONT lets it go on, or fg in its shell",
                    "%s is stopped (by Ctrl-Z or SIGSTOP)", name);
    } else {
        conn_send(requester->conn, json_pack("{s:s, s:s, s:i}", "event", "accepted", "name", name,
                                             "pid", (int)enclave->pid));
        wait_for(requester, WAIT_REPORT, enclave);
        departure_begin(enclave, request);
    }
}

static void request_cancel(struct requester *requester, const json_t *request)
{
    struct enclave *enclave = find_live(requester, request);

    if (!enclave)
        return;
    if (enclave->state != ENCLAVE_MOVING) {
        reply_error(requester, NULL, "%s is not being moved", enclave->name);
        return;
    }
    if (enclave->severed) {
        reply_error(requester, "optmig status NAME says for what it waits",
                    "too late: the start token of %s was sent", enclave->name);
        return;
    }
    wait_for(requester, WAIT_CANCEL, enclave);
    departure_cancel(enclave);
}

/* After in doubt: tries to reach the destination again. */
static void request_resume(struct requester *requester, const json_t *request)
{
    struct enclave *enclave = find_live(requester, request);

    if (!enclave)
        return;
    if (!departure_resume(enclave)) {
        reply_error(requester, NULL, "no move of %s waits for its destination", enclave->name);
        return;
    }
    conn_send(requester->conn, json_pack("{s:s, s:s, s:i}", "event", "accepted", "name",
                                         enclave->name, "pid", (int)enclave->pid));
    wait_for(requester, WAIT_REPORT, enclave);
}

/* Takes the program back, if the registry of starts says that its destination has not started it.
 */
static void request_recover(struct requester *requester, const json_t *request)
{
    struct enclave *enclave = find_live(requester, request);

    if (!enclave)
        return;
    if (!enclave->daemon->options.registry) {
        reply_error(requester, "docs/registry.md says what it is for",
                    "this host has no registry of starts (optmigd --registry)");
        return;
    }
    if (!departure_recover(enclave)) {
        reply_error(requester, "optmig status NAME says for what it waits",
                    "%s does not wait for a destination that cannot be reached", enclave->name);
        return;
    }
    conn_send(requester->conn, json_pack("{s:s, s:s}", "event", "accepted", "name", enclave->name));
    wait_for(requester, WAIT_REPORT, enclave);
}

void requesters_progress(struct enclave *enclave, const json_t *event)
{
    for (struct requester *r = enclave->daemon->requesters; r; r = r->next)
        if (r->enclave == enclave && r->wait == WAIT_REPORT &&
            conn_backlog(r->conn) < PROGRESS_BACKLOG_bytes)
            conn_send(r->conn, json_deep_copy(event));
}

static void reply_cancelled(struct requester *requester, const struct enclave *enclave,
                            json_t *report)
{
    const char *result = line_text(report, "result", "");

    if (!strcmp(result, "failed") || !strcmp(result, "refused"))
        requester_reply(requester, json_pack("{s:b, s:s, s:O}", "ok", 1, "name", enclave->name,
                                             "report", report));
    else if (!strcmp(result, "moved"))
        reply_error(requester, NULL, "too late: %s has been moved to %s", enclave->name,
                    line_text(report, "to", "?"));
    else
        reply_error(requester, NULL, "too late, and %s is %s: %s", enclave->name, result,
                    line_text(report, "reason", ""));
}

void requesters_settled(struct enclave *enclave, const json_t *report)
{
    struct requester *r = enclave->daemon->requesters, *next;
    json_t *copy = report ? json_deep_copy(report) : NULL;

    for (; r; r = next) {
        next = r->next;
        if (r->enclave != enclave)
            continue;
        if (copy && r->wait == WAIT_REPORT)
            requester_reply(r, json_pack("{s:b, s:O}", "ok",
                                         !strcmp(line_text(copy, "result", ""), "moved"), "report",
                                         copy));
        else if (copy && r->wait == WAIT_CANCEL)
            reply_cancelled(r, enclave, copy);
        else if (!copy && r->wait == WAIT_SETTLED)
            redo(r);
    }
    json_decref(copy);
}

/* ---- The connection ---- */

static const struct {
    const char *type;
    void (*call)(struct requester *requester, const json_t *request);
} g_requests[] = {
    {"run", request_run},         {"register", request_register}, {"ls", request_ls},
    {"status", request_status},   {"migrate", request_migrate},   {"cancel", request_cancel},
    {"stop", request_stop},       {"signal", request_signal},     {"logs", request_logs},
    {"ping", request_ping},       {"attach", request_attach},     {"resume", request_resume},
    {"recover", request_recover},
};

static void dispatch(struct requester *requester, json_t *request)
{
    const char *type = line_text(request, "request", "");

    for (size_t i = 0; i < sizeof(g_requests) / sizeof(g_requests[0]); i++) {
        if (strcmp(type, g_requests[i].type))
            continue;
        g_requests[i].call(requester, request);
        return;
    }
    reply_error(requester, "docs/control.md lists them", "there is no request \"%s\"", type);
}

static void on_line(void *owner, char *line, size_t length)
{
    struct requester *requester = owner;
    char reason[256];
    json_t *request = line_parse(line, length, reason, sizeof(reason));

    if (request && requester->wait == WAIT_ATTACH)
        at_terminal(requester, request);
    else if (request)
        dispatch(requester, request);
    else
        reply_error(requester, "a request is one JSON object on one line", "%s", reason);
    json_decref(request);
}

static void on_end(void *owner)
{
    requester_free(owner);
}

static const struct conn_calls g_requester_calls = {on_line, on_end};

void requester_free(struct requester *requester)
{
    struct requester **at = &requester->daemon->requesters;

    while (*at != requester)
        at = &(*at)->next;
    *at = requester->next;
    requester->daemon->requester_count--;
    stop_waiting(requester);
    conn_close(&requester->conn);
    free(requester);
}

static bool may_ask(int fd)
{
    struct ucred peer;
    socklen_t length = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

void requester_accept(void *owner, int events)
{
    struct daemon *daemon = owner;
    struct requester *requester;
    int fd = accept4(daemon->control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0)
        return;
    if (!may_ask(fd) || daemon->requester_count >= REQUESTERS_MAX) {
        static const char busy[] = "{\"ok\":false,\"error\":\"too many requests at one time, or "
                                   "not by root or the daemon's user\"}\n";

        (void)!send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL);
        close(fd);
        return;
    }
    requester = calloc(1, sizeof(*requester));
    if (!requester)
        abort();
    requester->daemon = daemon;
    requester->next = daemon->requesters;
    daemon->requesters = requester;
    daemon->requester_count++;
    requester->conn = conn_open(&daemon->loop, fd, &g_requester_calls, requester);
}
