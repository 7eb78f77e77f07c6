/* SPDX-License-Identifier: Apache-2.0 */
/* See hostile.h. */
#include "tests/adversary/hostile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *g_hostile_runtime;
struct om_move_report g_hostile_report;
sem_t g_hostile_done;

static void on_progress(const struct om_progress *progress)
{
    (void)progress;
}

static void on_done(const struct om_move_report *report)
{
    g_hostile_report = *report;
    sem_post(&g_hostile_done);
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

const struct move_callbacks g_hostile_callbacks = {on_progress, on_rule, on_severed, on_done};

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

_Noreturn void die(const char *what)
{
    fprintf(stderr, "hostile: %s\n", what);
    _exit(1);
}

void ends_make(struct ends *ends)
{
    for (int i = 0; i < OM_STREAM_COUNT; i++) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
            die("socketpair");
        ends->source[i] = pair[0];
        ends->destination[i] = pair[1];
    }
}

void ends_close(const int fds[OM_STREAM_COUNT])
{
    for (int i = 0; i < OM_STREAM_COUNT; i++)
        close(fds[i]);
}

void hostile_enclave(const char *bundle_path)
{
    struct enclave_options options = {.runtime_path = g_hostile_runtime,
                                      .bundle_path = bundle_path,
                                      .log_fd = 2,
                                      .quiet = true,
                                      .log_level = OM_LOG_ERROR};
    char reason[OM_REASON_MAX] = "";

    sem_init(&g_hostile_done, 0, 0);
    strcpy(options.name, "victim");
    if (enclave_create(&options, reason))
        die(reason);
}

void hostile_start(char **argv)
{
    extern char **environ;
    char reason[OM_REASON_MAX] = "";

    if (enclave_start(argv[0], argv, environ, NULL, NULL, 0, reason))
        die(reason);
}

struct move_options hostile_move(enum om_mode mode, const int fds[OM_STREAM_COUNT])
{
    struct move_options options = {
        .mode = mode, .max_downtime_us = 20000, .session = HOSTILE_SESSION};

    for (int i = 0; i < OM_STREAM_COUNT; i++) {
        options.fds[i] = host_fd_keep(fds[i]);
        if (options.fds[i] < 0)
            die("a socket could not be kept");
    }
    return options;
}

bool hostile_wait_done(unsigned seconds)
{
    struct timespec until;
    int error;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    do
        error = sem_timedwait(&g_hostile_done, &until);
    while (error && errno == EINTR);
    return error == 0;
}

int hostile_status_of(pid_t pid)
{
    int status = -1;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
