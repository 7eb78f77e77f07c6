/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of optmig, and how they talk to the daemon. */
#pragma once

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>

#include "host/line.h"

enum exit_status {
    EXIT_OK = 0,
    EXIT_REFUSED = 1, /* or any other failure of a command that is not migrate */
    EXIT_USAGE = 2,
    EXIT_FAILED = 3,
    EXIT_LOST = 4,
};

struct common_options {
    const char *host; /* state directory of the daemon */
    bool json;
    bool quiet;
};

struct client {
    int fd;
    struct line_reader reader;
    char dir[108];
};

/* 0, or -errno with a text that says what to do. */
int client_connect(struct client *out_client, const char *dir, char *reason, size_t reason_size);
void client_close(struct client *client);
/* Takes the reference to request.  0 or -errno. */
int client_send(struct client *client, json_t *request);
/* The next object; waits for it.  NULL: the daemon closed, or the wait was interrupted by a signal
 * (-EINTR). */
json_t *client_receive(struct client *client, int *out_error);
/* Connect, one request, one reply.  Never NULL: without a daemon, or without its answer, it is one
 * of ours that is not ok. */
json_t *client_ask(const struct common_options *options, json_t *request);
json_t *client_error(const char *error);
/* Prints "optmig COMMAND: error" and the hint of a reply that is not ok. */
void client_print_error(const char *command, const json_t *reply);
void client_print_json(const json_t *object);

/* A common option of all commands (--host, --json, --quiet, --help) is taken; others are left
 * alone. */
bool client_common_option(struct common_options *options, const char *command, int option);
/* Status 2, with the way to the command's help. */
_Noreturn void client_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void help_print(const char *command);

enum { OPTION_HOST = 0x100, OPTION_JSON, OPTION_QUIET, OPTION_HELP };
#define CLIENT_COMMON_OPTIONS                                                                      \
    {"host", required_argument, NULL, OPTION_HOST}, {"json", no_argument, NULL, OPTION_JSON},      \
        {"quiet", no_argument, NULL, OPTION_QUIET},                                                \
    {                                                                                              \
        "help", no_argument, NULL, OPTION_HELP                                                     \
    }

/* argv[0] is the command's name.  The exit status. */
int command_run(struct common_options *options, int argc, char **argv);
int command_migrate(struct common_options *options, int argc, char **argv);
int command_inspect(struct common_options *options, int argc, char **argv);
int command_check(struct common_options *options, int argc, char **argv);
int command_ls(struct common_options *options, int argc, char **argv);
int command_status(struct common_options *options, int argc, char **argv);
int command_cancel(struct common_options *options, int argc, char **argv);
int command_stop(struct common_options *options, int argc, char **argv);
int command_signal(struct common_options *options, int argc, char **argv);
int command_ping(struct common_options *options, int argc, char **argv);
int command_attach(struct common_options *options, int argc, char **argv);
int command_attack(struct common_options *options, int argc, char **argv);
int command_logs(struct common_options *options, int argc, char **argv);
int command_collect_evidence(struct common_options *options, int argc, char **argv);
int command_receipt(struct common_options *options, int argc, char **argv);
int command_recover(struct common_options *options, int argc, char **argv);
int command_verify_evidence(struct common_options *options, int argc, char **argv);
