/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The enclaves that a daemon knows: those that run, those on their way, and records of the last
 * that ended. At most one live enclave has a name; a record gives its name up to a new one.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cli/daemon.h"
#include "host/report.h"
#include "host/service.h"

static const char *const g_states[] = {"starting",  "running", "moving", "leaving",
                                       "receiving", "exited",  "moved",  "lost"};

bool enclave_live(const struct enclave *enclave)
{
    return enclave->state < ENCLAVE_EXITED;
}

struct enclave *enclave_find(struct daemon *daemon, const char *name)
{
    for (struct enclave *e = daemon->enclaves; e; e = e->next)
        if (!strcmp(e->name, name))
            return e; /* The newest is first, so a live one comes before a record. */
    return NULL;
}

/* The newest are first, so the last ones go. */
static void forget_old_records(struct daemon *daemon)
{
    struct enclave *e = daemon->enclaves, *next;
    unsigned ended = 0;

    for (; e; e = next) {
        next = e->next;
        if (!enclave_live(e) && ++ended > ENDED_MAX)
            enclave_free(e);
    }
}

struct enclave *enclave_new(struct daemon *daemon, const char *name)
{
    struct enclave *enclave = calloc(1, sizeof(*enclave));

    if (!enclave)
        abort();
    forget_old_records(daemon);
    enclave->daemon = daemon;
    snprintf(enclave->name, sizeof(enclave->name), "%s", name);
    enclave->pidfd = enclave->relay_pidfd = -1;
    enclave->exit_status = enclave->exit_signal = -1;
    enclave->moves = json_array();
    enclave->services = json_array();
    enclave->next = daemon->enclaves;
    daemon->enclaves = enclave;
    return enclave;
}

void enclave_take_name(struct enclave *enclave)
{
    struct enclave *e = enclave->daemon->enclaves, *next;

    for (; e; e = next) {
        next = e->next;
        if (e != enclave && !enclave_live(e) && !strcmp(e->name, enclave->name))
            enclave_free(e);
    }
}

void enclave_free(struct enclave *enclave)
{
    struct enclave **at = &enclave->daemon->enclaves;

    while (*at != enclave)
        at = &(*at)->next;
    *at = enclave->next;
    if (enclave->departure)
        departure_free(enclave->departure);
    terminal_free(&enclave->terminal);
    process_forget(&enclave->process);
    conn_close(&enclave->link);
    if (enclave->pidfd >= 0)
        close(enclave->pidfd);
    if (enclave->relay_pidfd >= 0)
        close(enclave->relay_pidfd);
    json_decref(enclave->moves);
    json_decref(enclave->services);
    json_decref(enclave->severed);
    query_free(&enclave->farewell);
    free(enclave->command);
    free(enclave->log_path);
    free(enclave);
}

bool enclave_pick_name(struct daemon *daemon, const char *wanted, char out_name[OM_NAME_MAX])
{
    struct enclave *holder;

    snprintf(out_name, OM_NAME_MAX, "%s", wanted);
    for (unsigned number = 2; number < 10000; number++) {
        holder = enclave_find(daemon, out_name);
        if (!holder || !enclave_live(holder))
            return true;
        snprintf(out_name, OM_NAME_MAX, "%.*s-%u", OM_NAME_MAX - 8, wanted, number);
    }
    return false;
}

void enclave_set_pid(struct enclave *enclave, pid_t pid)
{
    enclave->pid = pid;
    enclave->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
}

bool enclave_signal(const struct enclave *enclave, int signal)
{
    if (enclave->pidfd < 0) {
        errno = ESRCH;
        return false;
    }
    return syscall(SYS_pidfd_send_signal, enclave->pidfd, signal, NULL, 0) == 0;
}

uint64_t enclave_memory(const struct enclave *enclave)
{
    unsigned long long pages = 0;
    char path[64];
    FILE *file;

    if (enclave->pid <= 0 || !enclave_live(enclave))
        return 0;
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)enclave->pid);
    file = fopen(path, "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*u %llu", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * OM_PAGE_SIZE;
}

bool enclave_stopped(const struct enclave *enclave)
{
    char path[64], state = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)enclave->pid);
    file = fopen(path, "re");
    while (file && state == 0 && !feof(file))
        if (fscanf(file, "State: %c", &state) != 1)
            (void)!fscanf(file, "%*[^\n]%*c");
    if (file)
        fclose(file);
    return state == 'T';
}

uint64_t enclaves_memory(const struct daemon *daemon)
{
    uint64_t total = 0;

    for (struct enclave *e = daemon->enclaves; e; e = e->next) {
        uint64_t now = enclave_memory(e);

        total += now > e->memory_promised ? now : e->memory_promised;
    }
    return total;
}

static void add_details(json_t *object, const struct enclave *enclave)
{
    const char *to = NULL, *phase = departure_phase(enclave, &to);

    json_object_set_new(object, "platform", json_string(enclave->daemon->platform));
    json_object_set_new(object, "isolation", json_string(enclave->daemon->isolation));
    json_object_set_new(object, "tracker", json_string(tracker_name((int)enclave->tracker)));
    json_object_set_new(object, "attached", json_boolean(enclave->attached));
    json_object_set_new(object, "services", json_deep_copy(enclave->services));
    json_object_set_new(object, "moves", json_deep_copy(enclave->moves));
    if (enclave->log_path)
        json_object_set_new(object, "log", json_string(enclave->log_path));
    if (phase)
        json_object_set_new(object, "move", json_pack("{s:s, s:s}", "to", to, "phase", phase));
    else if (enclave->arriving)
        json_object_set_new(object, "arriving", json_true());
    if (enclave->severed)
        json_object_set_new(object, "waiting", json_deep_copy(enclave->severed));
}

bool enclave_relay_signal(const struct enclave *enclave, int signal)
{
    return enclave->relay_pidfd >= 0 &&
           syscall(SYS_pidfd_send_signal, enclave->relay_pidfd, signal, NULL, 0) == 0;
}

json_t *enclave_to_json(const struct enclave *enclave, bool in_full)
{
    json_t *object = json_object();

    json_object_set_new(object, "name", json_string(enclave->name));
    json_object_set_new(object, "state", json_string(g_states[enclave->state]));
    json_object_set_new(object, "command", json_string(enclave->command ? enclave->command : ""));
    if (enclave_live(enclave)) {
        json_object_set_new(object, "pid", json_integer(enclave->pid));
        json_object_set_new(object, "memory_bytes",
                            json_integer((json_int_t)enclave_memory(enclave)));
    }
    if (enclave->moved_to[0])
        json_object_set_new(object, "moved_to", json_string(enclave->moved_to));
    if (enclave_relay_signal(enclave, 0)) {
        json_object_set_new(object, "relay_pid", json_integer(enclave->relay_pid));
        json_object_set_new(object, "relay_connections", json_integer(enclave->relay_connections));
    }
    if (enclave->exit_status >= 0)
        json_object_set_new(object, "exit_status", json_integer(enclave->exit_status));
    if (enclave->exit_signal >= 0)
        json_object_set_new(object, "signal", json_integer(enclave->exit_signal));
    if (in_full)
        add_details(object, enclave);
    return object;
}

void enclave_add_move(struct enclave *enclave, const json_t *report)
{
    static const char *const keys[] = {"from",        "to",       "mode",   "tracker",
                                       "downtime_ms", "total_ms", "result", "reason"};
    struct timespec now;
    json_t *move = json_object(), *value;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if ((value = json_object_get(report, keys[i])) != NULL)
            json_object_set(move, keys[i], value);
    clock_gettime(CLOCK_REALTIME, &now);
    json_object_set_new(move, "ended_unix_s", json_integer(now.tv_sec));
    json_array_append_new(enclave->moves, move);
    if (json_array_size(enclave->moves) > MOVES_KEPT_MAX)
        json_array_remove(enclave->moves, 0);
}

static void note_end(const struct enclave *enclave)
{
    const struct daemon *daemon = enclave->daemon;

    if (enclave->state == ENCLAVE_MOVED)
        daemon_log(daemon, OM_LOG_INFO, "%s: moved to %s", enclave->name, enclave->moved_to);
    else if (enclave->state == ENCLAVE_LOST)
        daemon_log(daemon, OM_LOG_ERROR, "%s: lost", enclave->name);
    else if (enclave->exit_signal >= 0)
        daemon_log(daemon, OM_LOG_INFO, "%s: ended by signal %d", enclave->name,
                   enclave->exit_signal);
    else if (enclave->exit_status >= 0)
        daemon_log(daemon, OM_LOG_INFO, "%s: ended, exit status %d", enclave->name,
                   enclave->exit_status);
    else
        daemon_log(daemon, OM_LOG_INFO, "%s: ended", enclave->name);
}

/* The process is gone, however it ended, and with it whoever had an address. */
static void remove_services(struct enclave *enclave)
{
    struct om_service service;
    json_t *entry;
    size_t i;

    json_array_foreach(enclave->services, i, entry)
    {
        const char *address = line_text(entry, "address", "");
        long error = service_parse(address, line_text(entry, "device", ""), &service)
                         ? service_order(OM_SERVICE_LEAVE, &service)
                         : -EINVAL;

        if (error)
            daemon_log(enclave->daemon, OM_LOG_WARN, "%s: its address %s stays on %s: %s",
                       enclave->name, address, service.device, strerror((int)-error));
    }
    json_array_clear(enclave->services);
}

/* It never ran: the name is free again and no record stays. */
static void end_unstarted(struct enclave *enclave)
{
    daemon_log(enclave->daemon, OM_LOG_WARN, "%s: did not start: %s", enclave->name,
               enclave->failure[0] ? enclave->failure : "its host process ended");
    requesters_started(enclave);
    requesters_ended(enclave);
    enclave_free(enclave);
}

/* A program can exit before all of its memory is here, and then needs no more of it: it has moved.
 * One that a signal ended may as well be a host process that somebody killed. */
static bool ended_by_itself(const struct enclave *enclave)
{
    return enclave->arriving && !enclave->arrival_failed && enclave->exit_status >= 0 &&
           enclave->exit_status != OM_ABORT_STATUS;
}

void enclave_check_ended(struct enclave *enclave)
{
    struct daemon *daemon = enclave->daemon;

    if (enclave->link || enclave->process || !enclave_live(enclave))
        return;
    remove_services(enclave);
    if (enclave->departure) {
        departure_host_ended(
            enclave); /* It comes back here when it knows what became of the program. */
        return;
    }
    if (enclave->arrival)
        arrival_host_ended(enclave);
    if (enclave->state == ENCLAVE_RECEIVING ||
        (enclave->state == ENCLAVE_STARTING && enclave->failure[0])) {
        end_unstarted(enclave);
        daemon_enclave_ended(daemon);
        return;
    }
    enclave_take_name(enclave);
    if (ended_by_itself(enclave)) {
        enclave->arriving = false;
        enclave->complete = true;
    }
    if (enclave->state == ENCLAVE_STARTING)
        requesters_started(enclave); /* A program can end before the news of its start is read. */
    enclave->state = enclave->arriving || enclave->lost ? ENCLAVE_LOST
                     : enclave->moved_to[0]             ? ENCLAVE_MOVED
                                                        : ENCLAVE_EXITED;
    if (enclave->pidfd >= 0)
        close(enclave->pidfd);
    enclave->pidfd = -1;
    note_end(enclave);
    terminal_end(enclave->terminal);
    requesters_ended(enclave);
    daemon_enclave_ended(daemon);
}
