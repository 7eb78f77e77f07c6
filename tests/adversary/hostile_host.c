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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tests/adversary/hostile.h"

enum { DESTINATIONS = 2 };

static void expect(bool so, const char *what)
{
    if (!so)
        die(what);
    printf("refused or right: %s\n", what);
    fflush(stdout);
}

/* An ECALL of a move without the threads beside it, that nobody expects. */
static struct om_move_report order_move(enum ecall_number number)
{
    struct ecall_move move = {.mode = OM_MODE_PRECOPY, .session = HOSTILE_SESSION};

    move.report.result = OM_RESULT_MOVED; /* The runtime has to say otherwise. */
    enclave_call(number, &move, 1);
    return move.report;
}

/* Ends with 0 if the program came and another one was refused, with 3 if none came. */
static _Noreturn void be_destination(const struct ends *ends)
{
    struct move_options options;

    hostile_enclave(NULL);
    options = hostile_move(OM_MODE_PRECOPY, ends->destination);
    if (enclave_move_in(&options, &g_hostile_callbacks))
        die("a destination cannot begin");
    if (!hostile_wait_done(HOSTILE_PATIENCE_s))
        die("a destination waits for ever");
    if (g_hostile_report.result != OM_RESULT_MOVED)
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
    struct move_options first, second;
    struct om_move_report report;
    struct ecall_start start = {0};

    hostile_enclave(NULL);
    first = hostile_move(OM_MODE_PRECOPY, ends[0].source);
    second = hostile_move(OM_MODE_PRECOPY, ends[1].source);
    hostile_start(argv);
    abuse_running();
    if (enclave_move_out(&first, &g_hostile_callbacks) || !hostile_wait_done(HOSTILE_PATIENCE_s))
        die("the source cannot begin");
    if (g_hostile_report.result != OM_RESULT_MOVED)
        die(g_hostile_report.reason);
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

/* Each child has its own ends only: so a peer that ends is seen. */
static pid_t spawn(const struct ends *ends, int destination, char **argv)
{
    pid_t pid = fork();

    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < DESTINATIONS; i++) {
        if (i != destination)
            ends_close(ends[i].destination);
        if (destination >= 0)
            ends_close(ends[i].source);
    }
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
    g_hostile_runtime = argv[1];
    for (int i = 0; i < DESTINATIONS; i++)
        ends_make(&ends[i]);
    first = spawn(ends, 0, NULL);
    second = spawn(ends, 1, NULL);
    source = spawn(ends, -1, argv + 2);
    for (int i = 0; i < DESTINATIONS; i++) {
        ends_close(ends[i].source);
        ends_close(ends[i].destination);
    }
    status[0] = hostile_status_of(source);
    status[1] = hostile_status_of(first);
    status[2] = hostile_status_of(second);
    printf("source %d, first destination %d, second %d\n", status[0], status[1], status[2]);
    return status[0] == 0 && status[1] == 0 && status[2] == 3 ? 0 : 1;
}
