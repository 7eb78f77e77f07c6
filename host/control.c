/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link to the daemon: orders in, events out, one JSON object a line (docs/control.md, "The
 * link").
 *
 * The main thread waits here until the process ends.  Events come from the threads of a move as
 * well: they go into one queue under a lock, and whoever adds to it also tries to send, so that
 * "running" is in the daemon's socket before the source can hear of the start by any other way.
 *
 * The daemon is trusted with the handling of the program, as the kernel is, but not with its state:
 * all that passes here are orders and figures.  If it goes away the program runs on and cannot be
 * moved.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/host.h"
#include "host/line.h"
#include "host/report.h"
#include "host/service.h"
#include "host/terminal.h"

enum {
    PROGRESS_BACKLOG_bytes = 64 * 1024, /* beyond it progress events are dropped */
    LAST_WORDS_TIMEOUT_ms = 10000,
    NOT_ENDED = -1,
};

enum role { ROLE_IDLE, ROLE_SOURCE, ROLE_ARRIVING };

static struct {
    pthread_mutex_t lock; /* protects everything below except reader and said */
    int fd;               /* -1: there is no daemon */
    int wake;             /* eventfd: the main thread has something to do */
    int words;            /* standard error as it was at the start */
    struct line_writer writer;
    enum role role;
    bool program_here;   /* it runs in this process, or ran here until a move */
    uint32_t last_phase; /* of the move under way */
    json_t *rules;       /* of policies, judged so far in this move */
    int exit_status;     /* NOT_ENDED, or with what to end the process once all is sent */
    struct line_reader reader;
    char said[OM_REASON_MAX]; /* what to tell the user on the terminal when the program has left */
} g_link = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1, .wake = -1, .exit_status = NOT_ENDED};

static void wake_main(void)
{
    const uint64_t one = 1;

    (void)!write(g_link.wake, &one, sizeof(one));
}

/* Call with the lock held. */
static void post_locked(json_t *event, bool droppable)
{
    if (g_link.fd < 0 || (droppable && line_pending(&g_link.writer) > PROGRESS_BACKLOG_bytes)) {
        json_decref(event);
        return;
    }
    if (line_append(&g_link.writer, event) == 0 && line_flush(&g_link.writer, g_link.fd) != 0)
        wake_main(); /* It waits until the rest can be sent, and sees a link that is broken. */
}

static void post(json_t *event)
{
    pthread_mutex_lock(&g_link.lock);
    post_locked(event, false);
    pthread_mutex_unlock(&g_link.lock);
}

void control_relay(int pid, uint32_t connections)
{
    post(json_pack("{s:s, s:i, s:i}", "event", "relay", "pid", pid, "connections",
                   (int)connections));
}

void control_terminal(int master)
{
    post(json_pack("{s:s, s:i}", "event", "terminal", "fd", master));
}

static void post_failure(const char *event, const char *reason)
{
    post(json_pack("{s:s, s:s}", "event", event, "reason", reason));
}

/* On a thread of the move. */
static void on_progress(const struct om_progress *progress)
{
    json_t *event = progress_to_json(progress);
    bool arrived;

    json_object_set_new(event, "event", json_string("progress"));
    pthread_mutex_lock(&g_link.lock);
    arrived = g_link.role == ROLE_ARRIVING && !g_link.program_here &&
              progress->phase >= OM_PHASE_POSTCOPY;
    if (arrived) {
        g_link.program_here = true;
        post_locked(json_pack("{s:s, s:s, s:b}", "event", "running", "tracker",
                              tracker_name((int)progress->tracker), "audit", (int)progress->audit),
                    false);
    }
    post_locked(event, progress->phase == g_link.last_phase);
    g_link.last_phase = progress->phase;
    pthread_mutex_unlock(&g_link.lock);
}

/* What becomes of this process; NOT_ENDED: the program is here and runs on.  Lock held. */
static int status_after_move(enum om_result result)
{
    if (g_link.role == ROLE_ARRIVING)
        return result == OM_RESULT_MOVED ? NOT_ENDED : 1;
    if (result == OM_RESULT_MOVED)
        return 0;
    return result == OM_RESULT_LOST ? OM_RESULT_LOST : NOT_ENDED;
}

/* On a thread of the move. */
static void on_rule(const struct om_rule *rule)
{
    pthread_mutex_lock(&g_link.lock);
    json_array_append_new(g_link.rules, rule_to_json(rule));
    pthread_mutex_unlock(&g_link.lock);
}

/* On a thread of the move. */
static void on_severed(const struct om_severed *severed)
{
    static const char *const sides[] = {"source", "running", "withdrawn"};
    char areas[OM_SEVERED_AREAS_MAX], reason[OM_PEER_MAX];

    if (severed->side >= OM_SEVERED_SIDE_COUNT)
        return;
    snprintf(areas, sizeof(areas), "%s", severed->areas);
    snprintf(reason, sizeof(reason), "%s", severed->reason);
    post(json_pack("{s:s, s:s, s:I, s:s, s:s}", "event", "severed", "side", sides[severed->side],
                   "missing_pages", (json_int_t)severed->missing_pages, "areas", areas, "reason",
                   reason));
}

/* On a thread of the move, once. */
static void on_done(const struct om_move_report *report)
{
    json_t *object = report_to_json(report);
    json_t *event = json_pack("{s:s, s:O}", "event", "done", "report", object);

    pthread_mutex_lock(&g_link.lock);
    if (json_array_size(g_link.rules))
        json_object_set(object, "rules", g_link.rules);
    json_decref(object);
    if (g_link.role == ROLE_ARRIVING && report->result == OM_RESULT_MOVED)
        g_link.program_here = true;
    post_locked(event, false);
    g_link.exit_status = status_after_move((enum om_result)report->result);
    if (report->result == OM_RESULT_LOST && g_link.said[0])
        snprintf(g_link.said, sizeof(g_link.said),
                 "optmig run: the program has left, and its move did not end well: %.300s",
                 report->reason);
    else if (report->result != OM_RESULT_MOVED)
        g_link.said[0] = 0;
    g_link.role = ROLE_IDLE;
    g_link.last_phase = OM_PHASE_NONE;
    wake_main();
    pthread_mutex_unlock(&g_link.lock);
}

static void set_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0)
        fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

/* The sockets of a move, out of the program's reach. */
static bool take_sockets(int out_fds[OM_STREAM_COUNT])
{
    int fds[LINE_FDS_MAX];

    if (!line_take_fds(&g_link.reader, fds))
        return false;
    for (int i = 0; i < OM_STREAM_COUNT; i++) {
        set_blocking(fds[i]);
        out_fds[i] = host_fd_keep(fds[i]);
        if (out_fds[i] >= 0)
            continue;
        close(fds[i]);
        if (i == 0)
            close(fds[1]);
        else
            close(out_fds[0]);
        return false;
    }
    return true;
}

static void start_move(const json_t *order, bool destination)
{
    static const struct move_callbacks callbacks = {on_progress, on_rule, on_severed, on_done};
    const int mode = mode_parse(line_text(order, "mode", "hybrid"));
    const int tracker = tracker_parse(line_text(order, "tracker", "kernel"));
    const int connections = connections_parse(line_text(order, "connections", "move"));
    struct move_options options = {
        .mode = mode < 0 ? OM_MODE_HYBRID : (enum om_mode)mode,
        .tracker = tracker < 0 ? OM_TRACKER_KERNEL : (enum om_tracker)tracker,
        .connections = connections < 0 ? OM_CONNECTIONS_MOVE : (enum om_connections)connections,
        .audit = line_flag(order, "audit"),
        .check_only = line_flag(order, "check_only"),
        .max_downtime_us = (uint64_t)line_number(order, "max_downtime_us", 20000),
        .deadline_us = (uint64_t)line_number(order, "deadline_us", 0),
        .reconnect_ms = (uint32_t)line_number(order, "reconnect_ms", 600000),
        .session = strtoull(line_text(order, "session", "0"), NULL, 16),
    };
    struct om_move_report report = {.result = OM_RESULT_REFUSED, .phase_reached = OM_PHASE_NONE};
    int error;

    if (!take_sockets(options.fds)) {
        snprintf(report.reason, sizeof(report.reason),
                 "the host process did not get the sockets of the move");
        post(json_pack("{s:s, s:o}", "event", "done", "report", report_to_json(&report)));
        return;
    }
    snprintf(options.peer, sizeof(options.peer), "%s", line_text(order, "peer", ""));
    pthread_mutex_lock(&g_link.lock);
    json_decref(g_link.rules);
    g_link.rules = json_array();
    snprintf(g_link.said, sizeof(g_link.said), "%s", line_text(order, "note", ""));
    g_link.role = destination ? ROLE_ARRIVING : ROLE_SOURCE;
    pthread_mutex_unlock(&g_link.lock);
    error = destination ? enclave_move_in(&options, &callbacks)
                        : enclave_move_out(&options, &callbacks);
    if (!error)
        return;
    close(options.fds[0]);
    close(options.fds[1]);
    snprintf(report.reason, sizeof(report.reason), "the host process cannot start a move: %s",
             strerror(-error));
    on_done(&report);
}

static void resume_move(void)
{
    int fds[OM_STREAM_COUNT];

    if (take_sockets(fds))
        enclave_resume(fds);
    else
        post_failure("bad_order", "the sockets to resume with did not come");
}

void control_own_service(const struct om_service *service, bool own)
{
    char address[SERVICE_TEXT_MAX];

    service_format(service, address, sizeof(address));
    post(json_pack("{s:s, s:s, s:s, s:b}", "event", "service", "address", address, "device",
                   service->device, "own", own));
}

static void inspect(const json_t *order)
{
    struct ecall_inspect figures = {0};
    json_t *command;

    enclave_inspect(&figures);
    figures.command[sizeof(figures.command) - 1] = 0;
    command = json_string(figures.command);
    post(json_pack("{s:s, s:f, s:I, s:I, s:I, s:I, s:I, s:o}", "event", "inspect", "id",
                   line_number(order, "id", 0), "memory_bytes", (json_int_t)figures.memory_bytes,
                   "threads", (json_int_t)figures.threads, "fds", (json_int_t)figures.fds,
                   "syscalls", (json_int_t)figures.syscalls, "unsupported",
                   (json_int_t)figures.unsupported, "command", command ? command : json_null()));
}

static void obey(const char *line, size_t length)
{
    char reason[OM_REASON_MAX];
    json_t *order = line_parse(line, length, reason, sizeof(reason));
    const char *type = line_text(order, "order", "");

    if (!order)
        post_failure("bad_order", reason);
    else if (!strcmp(type, "move_out"))
        start_move(order, false);
    else if (!strcmp(type, "move_in"))
        start_move(order, true);
    else if (!strcmp(type, "resume"))
        resume_move();
    else if (!strcmp(type, "gone"))
        enclave_orphan(-ECONNREFUSED);
    else if (!strcmp(type, "recover"))
        enclave_orphan(-EOWNERDEAD);
    else if (!strcmp(type, "cancel"))
        enclave_cancel();
    else if (!strcmp(type, "inspect"))
        inspect(order);
    else
        post_failure("bad_order", "unknown order");
    json_decref(order);
}

/* The daemon is gone.  A program that has not arrived yet stays where it is: nobody could manage it
 * here.  One that is leaving and still runs here stays too; past the commit point the request comes
 * too late. */
static void link_lost(void)
{
    pthread_mutex_lock(&g_link.lock);
    close(g_link.fd);
    g_link.fd = -1;
    line_writer_free(&g_link.writer);
    enclave_orphan(-ENOTCONN); /* New connections come from the daemon. */
    if (g_link.role != ROLE_IDLE)
        enclave_cancel();
    else if (!g_link.program_here)
        g_link.exit_status = 1;
    pthread_mutex_unlock(&g_link.lock);
    line_reader_free(&g_link.reader);
}

static void receive_orders(void)
{
    size_t length;
    char *line;
    long got = line_fill(&g_link.reader, g_link.fd);

    if (got == -EAGAIN)
        return;
    if (got <= 0) {
        link_lost();
        return;
    }
    while ((line = line_next(&g_link.reader, &length)) != NULL)
        obey(line, length);
}

/* A file belongs to the program, which goes on in it at the destination, at the same place. */
static bool may_say(void)
{
    struct stat status;

    return g_link.said[0] && (fstat(g_link.words, &status) || !S_ISREG(status.st_mode) ||
                              (fcntl(g_link.words, F_GETFL) & O_APPEND));
}

/* Says what is still to be said, and ends. */
static _Noreturn void leave(int status)
{
    struct pollfd wait = {.fd = g_link.fd, .events = POLLOUT};

    while (g_link.fd >= 0 && line_flush(&g_link.writer, g_link.fd) == -EAGAIN)
        if (poll(&wait, 1, LAST_WORDS_TIMEOUT_ms) <= 0)
            break;
    host_terminal_leave();
    if (may_say())
        dprintf(g_link.words, "%s\n", g_link.said);
    _exit(status);
}

static void wait_for_work(void)
{
    struct pollfd wait[2] = {{.fd = g_link.wake, .events = POLLIN}};
    uint64_t count;

    pthread_mutex_lock(&g_link.lock);
    if (g_link.exit_status != NOT_ENDED)
        leave(
            g_link
                .exit_status); /* With the lock, so that nothing is added behind the last event. */
    wait[1].fd = g_link.fd;
    wait[1].events = POLLIN | (line_pending(&g_link.writer) ? POLLOUT : 0);
    pthread_mutex_unlock(&g_link.lock);

    if (poll(wait, 2, -1) < 0)
        return;
    if (wait[0].revents)
        (void)!read(g_link.wake, &count, sizeof(count));
    if (wait[1].revents & POLLOUT) {
        pthread_mutex_lock(&g_link.lock);
        line_flush(&g_link.writer, g_link.fd);
        pthread_mutex_unlock(&g_link.lock);
    }
    if (wait[1].revents & ~POLLOUT)
        receive_orders();
}

void control_prepare(void)
{
    int wake = eventfd(0, EFD_CLOEXEC);

    if (wake >= 0)
        g_link.wake = host_fd_keep(wake);
    if (g_link.wake < 0) {
        perror("optmig-host: eventfd");
        _exit(1);
    }
    /* The program may close or change descriptor 2, and when it has left it is /dev/null. */
    g_link.words = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (g_link.words >= 0)
        g_link.words = host_fd_keep(g_link.words);
}

void control_link(int control_fd)
{
    fcntl(control_fd, F_SETFL, fcntl(control_fd, F_GETFL) | O_NONBLOCK);
    g_link.fd = control_fd;
}

void control_run(bool destination)
{
    g_link.program_here = !destination;
    post(json_pack("{s:s}", "event", destination ? "ready" : "started"));
    for (;;)
        wait_for_work();
}
