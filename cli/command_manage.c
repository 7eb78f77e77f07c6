/* SPDX-License-Identifier: Apache-2.0 */
/* optmig ls, status, cancel, stop, signal, ping: one request, one reply, printed. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/units.h"

enum { TEXT_bytes = 32, COMMAND_bytes = 256, PING_INTERVAL_ms = 20 };

static const struct option g_options[] = {
    CLIENT_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

static const struct option g_stop_options[] = {
    {"timeout", required_argument, NULL, 't'},
    CLIENT_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

static const struct option g_ping_options[] = {
    {"wait", required_argument, NULL, 't'},
    CLIENT_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

/* out_time_us: of the one option that takes a time, if the command has one. */
static void parse(struct common_options *common, const struct option *options,
                  uint64_t *out_time_us, int argc, char **argv)
{
    char program[TEXT_bytes];
    int option;

    snprintf(program, sizeof(program), "optmig %s", argv[0]);
    while ((option = arguments_next(program, argc, argv, ":", options)) != -1) {
        if (client_common_option(common, argv[0], option))
            continue;
        if (!units_parse_duration(optarg, out_time_us))
            client_usage(argv[0], "--%s %s: a number with us, ms, s, m or h, as in 10s",
                         options[0].name, optarg);
    }
}

static const char *one_name(const char *command, int argc, char **argv)
{
    if (argc - optind != 1)
        client_usage(command, argc == optind ? "which enclave?" : "one enclave at a time");
    return argv[optind];
}

/* Prints errors and, for --json, the whole reply.  NULL when there is nothing left to print. */
static json_t *ask(const struct common_options *common, const char *command, json_t *request,
                   int *out_status)
{
    json_t *reply = client_ask(common, request);

    *out_status = line_flag(reply, "ok") ? EXIT_OK : EXIT_REFUSED;
    if (*out_status)
        client_print_error(command, reply);
    if (common->json)
        client_print_json(reply);
    if (!*out_status && !common->json)
        return reply;
    json_decref(reply);
    return NULL;
}

static json_t *request_for(const char *type, const char *name)
{
    json_t *request = json_pack("{s:s}", "request", type);

    if (name)
        json_object_set_new(request, "name", units_bytes_to_json(name));
    return request;
}

static double number(const json_t *object, const char *key)
{
    return line_number(object, key, 0);
}

static void print_list(const json_t *enclaves)
{
    char command[COMMAND_bytes], memory[TEXT_bytes];
    json_t *enclave;
    size_t i;

    printf("%-20s %-10s %8s %10s  %s\n", "NAME", "STATE", "PID", "MEMORY", "COMMAND");
    json_array_foreach(enclaves, i, enclave)
    {
        units_printable(line_text(enclave, "command", ""), command, sizeof(command));
        printf("%-20s %-10s ", line_text(enclave, "name", ""), line_text(enclave, "state", ""));
        if (json_object_get(enclave, "moved_to"))
            printf("%8s %10s  to %s: %s\n", "-", "-", line_text(enclave, "moved_to", ""), command);
        else if (number(enclave, "pid") > 0)
            printf("%8.0f %10s  %s\n", number(enclave, "pid"),
                   units_size(number(enclave, "memory_bytes"), memory, sizeof(memory)), command);
        else
            printf("%8s %10s  %s\n", "-", "-", command);
    }
}

int command_ls(struct common_options *common, int argc, char **argv)
{
    json_t *reply;
    int status;

    parse(common, g_options, NULL, argc, argv);
    if (argc != optind)
        client_usage("ls", "it takes no name; see optmig status");
    reply = ask(common, "ls", request_for("ls", NULL), &status);
    if (reply)
        print_list(json_object_get(reply, "enclaves"));
    json_decref(reply);
    return status;
}

static void print_moves(const json_t *moves)
{
    char downtime[TEXT_bytes], total[TEXT_bytes], reason[COMMAND_bytes];
    json_t *move;
    size_t i;

    printf("moves      %zu\n", json_array_size(moves));
    json_array_foreach(moves, i, move)
    {
        printf("  %s -> %s  %s  %s", line_text(move, "from", "?"), line_text(move, "to", "?"),
               line_text(move, "mode", "?"), line_text(move, "result", "?"));
        if (number(move, "downtime_ms") > 0)
            printf(", downtime %s, total %s",
                   units_duration_ms(number(move, "downtime_ms"), downtime, sizeof(downtime)),
                   units_duration_ms(number(move, "total_ms"), total, sizeof(total)));
        if (*line_text(move, "reason", ""))
            printf(": %s", units_printable(line_text(move, "reason", ""), reason, sizeof(reason)));
        putchar('\n');
    }
}

static void print_end(const json_t *enclave)
{
    if (json_object_get(enclave, "moved_to"))
        printf("moved to   %s\n", line_text(enclave, "moved_to", ""));
    if (json_object_get(enclave, "exit_status"))
        printf("exit       status %.0f\n", number(enclave, "exit_status"));
    if (json_object_get(enclave, "signal"))
        printf("exit       by signal %.0f (%s)\n", number(enclave, "signal"),
               strsignal((int)number(enclave, "signal")));
}

/* The connections of its move broke: which evidence would settle it, and what can be done. */
static void print_waiting(const json_t *waiting)
{
    const char *side = line_text(waiting, "side", "");
    const char *doubt = line_text(waiting, "in_doubt", "");

    if (!waiting)
        return;
    printf("waiting    for the connection of its move: %s\n", line_text(waiting, "reason", "?"));
    if (!strcmp(side, "running"))
        printf("missing    %.0f pages: %s\n", number(waiting, "missing_pages"),
               line_text(waiting, "areas", "?"));
    if (*doubt)
        printf("in doubt   %s\n", doubt);
    else if (!strcmp(side, "source"))
        puts(
            "evidence   the destination's own word over a new connection: that it runs, or that it "
            "never started");
    else if (!strcmp(side, "running"))
        puts("evidence   the source's pages over a new connection, or its daemon's word that it is "
             "gone");
    else
        puts("evidence   it never started here; kept to say so to the source");
}

static void print_status(const json_t *enclave)
{
    char command[COMMAND_bytes], memory[TEXT_bytes];

    printf("name       %s\n", line_text(enclave, "name", ""));
    printf("state      %s\n", line_text(enclave, "state", ""));
    printf("command    %s\n",
           units_printable(line_text(enclave, "command", ""), command, sizeof(command)));
    printf("platform   %s: %s\n", line_text(enclave, "platform", "?"),
           units_isolation_warning(line_text(enclave, "platform", "sim")));
    printf("tracker    %s\n", line_text(enclave, "tracker", "?"));
    print_end(enclave);
    if (number(enclave, "pid") > 0)
        printf("pid        %.0f\n", number(enclave, "pid"));
    if (json_object_get(enclave, "threads")) {
        printf("memory     %s\n",
               units_size(number(enclave, "memory_bytes"), memory, sizeof(memory)));
        printf("threads    %.0f\nfds        %.0f\n", number(enclave, "threads"),
               number(enclave, "fds"));
        printf("syscalls   %.0f, %.0f not supported\n", number(enclave, "syscalls"),
               number(enclave, "unsupported"));
    }
    if (json_object_get(enclave, "log"))
        printf("log        %s\n", line_text(enclave, "log", ""));
    if (json_object_get(enclave, "move"))
        printf("moving     to %s, phase %s\n",
               line_text(json_object_get(enclave, "move"), "to", "?"),
               line_text(json_object_get(enclave, "move"), "phase", "?"));
    print_waiting(json_object_get(enclave, "waiting"));
    print_moves(json_object_get(enclave, "moves"));
}

int command_status(struct common_options *common, int argc, char **argv)
{
    json_t *reply;
    int status;

    parse(common, g_options, NULL, argc, argv);
    reply = ask(common, "status", request_for("status", one_name("status", argc, argv)), &status);
    if (reply)
        print_status(json_object_get(reply, "enclave"));
    json_decref(reply);
    return status;
}

int command_cancel(struct common_options *common, int argc, char **argv)
{
    const char *name;
    json_t *reply;
    int status;

    parse(common, g_options, NULL, argc, argv);
    name = one_name("cancel", argc, argv);
    reply = ask(common, "cancel", request_for("cancel", name), &status);
    if (reply && !common->quiet)
        printf("the move of %s is cancelled; it runs on here\n", name);
    json_decref(reply);
    return status;
}

int command_stop(struct common_options *common, int argc, char **argv)
{
    uint64_t timeout_us = 10000000;
    json_t *request, *reply;
    const char *name;
    int status;

    parse(common, g_stop_options, &timeout_us, argc, argv);
    name = one_name("stop", argc, argv);
    request = request_for("stop", name);
    json_object_set_new(request, "timeout_ms", json_real((double)timeout_us / 1000));
    reply = ask(common, "stop", request, &status);
    if (reply && line_flag(reply, "killed"))
        printf("%s did not end in time and was killed\n", name);
    json_decref(reply);
    return status;
}

static int signal_number(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (end != text && !*end && value > 0 && value < 32)
        return (int)value;
    if (!strncasecmp(text, "SIG", 3))
        text += 3;
    for (int number_of = 1; number_of < 32; number_of++)
        if (sigabbrev_np(number_of) && !strcasecmp(text, sigabbrev_np(number_of)))
            return number_of;
    return 0;
}

int command_signal(struct common_options *common, int argc, char **argv)
{
    json_t *request, *reply;
    int status, number_of;

    parse(common, g_options, NULL, argc, argv);
    if (argc - optind != 2)
        client_usage("signal", "an enclave and a signal, as in: optmig signal kv HUP");
    number_of = signal_number(argv[optind + 1]);
    if (!number_of)
        client_usage("signal", "%s: no signal between 1 and 31", argv[optind + 1]);
    request = request_for("signal", argv[optind]);
    json_object_set_new(request, "signal", json_integer(number_of));
    reply = ask(common, "signal", request, &status);
    json_decref(reply);
    return status;
}

/* For scripts that have just started a daemon. */
static void wait_for_daemon(const struct common_options *common, uint64_t wait_us)
{
    const struct timespec interval = {.tv_nsec = PING_INTERVAL_ms * 1000000L};
    struct client client;
    char reason[512];

    for (uint64_t waited = 0; waited < wait_us; waited += PING_INTERVAL_ms * 1000) {
        int error = client_connect(&client, common->host, reason, sizeof(reason));

        client_close(&client);
        if (!error)
            return;
        nanosleep(&interval, NULL);
    }
}

int command_ping(struct common_options *common, int argc, char **argv)
{
    uint64_t wait_us = 0;
    json_t *reply;
    int status;

    parse(common, g_ping_options, &wait_us, argc, argv);
    if (argc != optind)
        client_usage("ping", "it takes no name");
    wait_for_daemon(common, wait_us);
    reply = ask(common, "ping", request_for("ping", NULL), &status);
    if (reply)
        printf("optmigd %s on %s, pid %.0f, moves in: %s, platform %s: %s\n",
               line_text(reply, "version", "?"), line_text(reply, "hostname", "?"),
               number(reply, "pid"), line_text(reply, "listen", "none"),
               line_text(reply, "platform", "?"),
               units_isolation(line_text(reply, "platform", "sim")));
    json_decref(reply);
    return status;
}
