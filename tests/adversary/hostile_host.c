/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host process that calls the runtime when and as often as it likes, to have one program twice:
 *
 *   hostile-host RUNTIME PROGRAM [ARGUMENT...]
 *
 * The source and two destinations are processes on socket pairs, each with the real runtime.  The
 * source's host calls create, start and move_in on a running enclave, moves it to the first
 * destination, and then orders a second move, to the other one.  The first destination's host
 * orders another program in.  Ends with 0 if the runtime refused all of that and one program runs.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/channel.h"
#include "host/enclave.h"
#include "host/host.h"

enum { SESSION = 77, DESTINATIONS = 2, PATIENCE_s = 20 };

struct ends {
    int source[OM_STREAM_COUNT], destination[OM_STREAM_COUNT];
};

static const char *g_runtime;
static struct om_move_report g_report;
static sem_t g_done;

static void on_progress(const struct om_progress *progress)
{
    (void)progress;
}

static void on_done(const struct om_move_report *report)
{
    g_report = *report;
    sem_post(&g_done);
}

static void on_rule(const struct om_rule *rule)
{
    (void)rule;
}

/* Nobody brings another connection. */
static void on_severed(const struct om_severed *severed)
{
    (void)severed;
    enclave_orphan(-ECONNREFUSED);
}

static const struct move_callbacks g_callbacks = {on_progress, on_rule, on_severed, on_done};

/* In place of control.c: there is no daemon that would have to know. */
void control_relay(int pid, uint32_t connections)
{
    (void)pid;
    (void)connections;
}

void control_terminal(int master)
{
    (void)master;
}

void control_own_service(const struct om_service *service, bool own)
{
    (void)service;
    (void)own;
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "hostile-host: %s\n", what);
    _exit(1);
}

static void expect(bool so, const char *what)
{
    if (!so)
        die(what);
    printf("refused or right: %s\n", what);
    fflush(stdout);
}

static bool wait_done(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_s;
    return sem_timedwait(&g_done, &until) == 0;
}

static void make_enclave(void)
{
    struct enclave_options options = {
        .runtime_path = g_runtime, .log_fd = 2, .quiet = true, .log_level = OM_LOG_ERROR};
    char reason[OM_REASON_MAX] = "";

    strcpy(options.name, "victim");
    if (enclave_create(&options, reason))
        die(reason);
}

static struct move_options options_of(const int fds[OM_STREAM_COUNT])
{
    struct move_options options = {
        .mode = OM_MODE_PRECOPY, .max_downtime_us = 20000, .session = SESSION};

    for (uint32_t i = 0; i < OM_STREAM_COUNT; i++) {
        options.fds[i] = host_fd_keep(fds[i]);
        if (options.fds[i] < 0)
            die("a socket could not be kept");
    }
    return options;
}

/* An ECALL of a move without the threads beside it, that nobody expects. */
static struct om_move_report order_move(enum ecall_number number)
{
    struct ecall_move move = {.mode = OM_MODE_PRECOPY, .session = SESSION};

    move.report.result = OM_RESULT_MOVED; /* The runtime has to say otherwise. */
    enclave_call(number, &move, 1);
    return move.report;
}

/* Ends with 0 if the program came and another one was refused, with 3 if none came. */
static _Noreturn void be_destination(const struct ends *ends)
{
    struct move_options options;

    make_enclave();
    options = options_of(ends->destination);
    if (enclave_move_in(&options, &g_callbacks))
        die("a destination cannot begin");
    if (!wait_done())
        die("a destination waits for ever");
    if (g_report.result != OM_RESULT_MOVED)
        _exit(3);
    expect(order_move(ECALL_move_in).result == OM_RESULT_REFUSED,
           "a second program into an enclave that has one");
    _exit(0);
}

static void abuse_running(void)
{
    struct ecall_create create = {.version = OM_BOUNDARY_VERSION};
    struct ecall_start start = {0};

    expect(enclave_call(ECALL_create, &create, 0) != 0, "create for an enclave that runs");
    enclave_call(ECALL_start, &start, 0);
    expect(start.result != 0, "start for an enclave that runs");
    expect(order_move(ECALL_move_in).result == OM_RESULT_REFUSED,
           "a program moved into an enclave that runs");
}

static _Noreturn void be_source(const struct ends *ends, char **argv)
{
    extern char **environ;
    struct move_options first, second;
    struct om_move_report report;
    char reason[OM_REASON_MAX] = "";
    struct ecall_start start = {0};

    make_enclave();
    first = options_of(ends[0].source);
    second = options_of(ends[1].source);
    if (enclave_start(argv[0], argv, environ, NULL, NULL, 0, reason))
        die(reason);
    abuse_running();
    if (enclave_move_out(&first, &g_callbacks) || !wait_done())
        die("the source cannot begin");
    if (g_report.result != OM_RESULT_MOVED)
        die(g_report.reason);
    for (uint32_t i = 0; i < OM_STREAM_COUNT; i++)
        channel_open(i, second.fds[i]);
    report = order_move(ECALL_move_out);
    channel_close_all();
    printf("second move: result %u, %.200s\n", report.result, report.reason);
    expect(report.result == OM_RESULT_REFUSED, "a second move of a program that is gone");
    enclave_call(ECALL_start, &start, 0);
    expect(start.result != 0, "start for an enclave that has moved");
    _exit(0);
}

static int status_of(pid_t pid)
{
    int status = -1;

    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void close_ends(const int fds[OM_STREAM_COUNT])
{
    for (uint32_t i = 0; i < OM_STREAM_COUNT; i++)
        close(fds[i]);
}

/* Each child has its own ends only: so a peer that ends is seen. */
static pid_t spawn(const struct ends *ends, int destination, char **argv)
{
    pid_t pid = fork();

    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < DESTINATIONS; i++) {
        if (i != destination)
            close_ends(ends[i].destination);
        if (destination >= 0)
            close_ends(ends[i].source);
    }
    sem_init(&g_done, 0, 0);
    if (destination < 0)
        be_source(ends, argv);
    be_destination(&ends[destination]);
}

int main(int argc, char **argv)
{
    struct ends ends[DESTINATIONS];
    pid_t first, second, source;
    int status[3];

    if (argc < 3)
        die("usage: hostile-host RUNTIME PROGRAM [ARGUMENT...]");
    g_runtime = argv[1];
    for (int i = 0; i < DESTINATIONS; i++)
        for (int k = 0; k < OM_STREAM_COUNT; k++) {
            int pair[2];

            if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
                die("socketpair");
            ends[i].source[k] = pair[0];
            ends[i].destination[k] = pair[1];
        }
    first = spawn(ends, 0, NULL);
    second = spawn(ends, 1, NULL);
    source = spawn(ends, -1, argv + 2);
    for (int i = 0; i < DESTINATIONS; i++) {
        close_ends(ends[i].source);
        close_ends(ends[i].destination);
    }
    status[0] = status_of(source);
    status[1] = status_of(first);
    status[2] = status_of(second);
    printf("source %d, first destination %d, second %d\n", status[0], status[1], status[2]);
    return status[0] == 0 && status[1] == 0 && status[2] == 3 ? 0 : 1;
}
