/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optmig migrate: asks the daemon for a move, shows its progress on a terminal, and prints its
 * report. The daemon carries the move on when this command goes away; Ctrl-C cancels the move
 * first.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/units.h"
#include "host/address.h"
#include "host/report.h"

enum { TEXT_bytes = 32, SOURCE_GRACE_ms = 10000, SOURCE_POLL_ms = 20 };

struct migrate_options {
    const char *name, *to, *mode;
    const char *tracker; /* NULL: as given to optmig run */
    const char *connections;
    uint64_t max_downtime_us, deadline_us;
    bool show_progress, audit, resume;
};

static const struct option g_options[] = {
    {"to", required_argument, NULL, 't'},
    {"mode", required_argument, NULL, 'm'},
    {"tracker", required_argument, NULL, 'k'},
    {"audit", no_argument, NULL, 'a'},
    {"connections", required_argument, NULL, 'c'},
    {"proxy", no_argument, NULL, 'P'},
    {"max-downtime", required_argument, NULL, 'd'},
    {"deadline", required_argument, NULL, 'l'},
    {"resume", no_argument, NULL, 'r'},
    {"no-progress", no_argument, NULL, 'n'},
    CLIENT_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

static volatile sig_atomic_t g_interrupts;

static void on_interrupt(int signal)
{
    (void)signal;
    g_interrupts++;
}

static uint64_t duration(const char *option, const char *text)
{
    uint64_t microseconds;

    if (!units_parse_duration(text, &microseconds))
        client_usage("migrate", "%s %s: a number with us, ms, s, m or h, as in 20ms", option, text);
    return microseconds;
}

static void apply(struct migrate_options *migrate, int option)
{
    char host[256], port[8];

    switch (option) {
    case 't':
        if (!address_split(optarg, host, sizeof(host), port, sizeof(port)))
            client_usage("migrate", "--to %s: an address and a port, as in 127.0.0.1:7702", optarg);
        migrate->to = optarg;
        break;
    case 'r':
        migrate->resume = true;
        break;
    case 'm':
        if (mode_parse(optarg) < 0)
            client_usage("migrate", "--mode %s: hybrid, precopy, postcopy or stopcopy", optarg);
        migrate->mode = optarg;
        break;
    case 'k':
        if (tracker_parse(optarg) < 0)
            client_usage("migrate", "--tracker %s: there are kernel, mprotect and barrier", optarg);
        migrate->tracker = optarg;
        break;
    case 'a':
        migrate->audit = true;
        break;
    case 'P':
        migrate->connections = "proxy";
        break;
    case 'c':
        if (connections_parse(optarg) < 0)
            client_usage("migrate", "--connections %s: move, proxy or reset", optarg);
        migrate->connections = optarg;
        break;
    case 'd':
        migrate->max_downtime_us = duration("--max-downtime", optarg);
        break;
    case 'l':
        migrate->deadline_us = duration("--deadline", optarg);
        break;
    case 'n':
        migrate->show_progress = false;
        break;
    default: /* arguments_next gives no others. */
        break;
    }
}

static double field(const json_t *report, const char *key)
{
    return line_number(report, key, 0);
}

static void show_progress(const json_t *event)
{
    char sent[TEXT_bytes], rate[TEXT_bytes], left[TEXT_bytes], eta[TEXT_bytes], line[256];
    const double elapsed_ms = field(event, "elapsed_ms");
    const double per_ms = elapsed_ms > 0 ? field(event, "bytes_sent") / elapsed_ms : 0;
    const double remaining = field(event, "bytes_remaining");
    struct winsize window = {0};
    int width = 100;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1)
        width = window.ws_col - 1;
    snprintf(line, sizeof(line), "%s round %.0f  %s sent  %s/s  %s left  ETA %s",
             line_text(event, "phase", ""), field(event, "round"),
             units_size(field(event, "bytes_sent"), sent, sizeof(sent)),
             units_size(per_ms * 1000, rate, sizeof(rate)),
             units_size(remaining, left, sizeof(left)),
             per_ms > 0 ? units_duration_ms(remaining / per_ms, eta, sizeof(eta)) : "-");
    fprintf(stderr, "\r%.*s\033[K", width, line);
    fflush(stderr);
}

static void print_cause(const json_t *report)
{
    static const char *const causes[] = {"stop", "capture", "transfer", "commit", "resume"};
    char key[32], text[TEXT_bytes];

    printf("  downtime     %s  =",
           units_duration_ms(field(report, "downtime_ms"), text, TEXT_bytes));
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        snprintf(key, sizeof(key), "%s_ms", causes[i]);
        printf("%s %s %.2f", i ? "," : "", causes[i], field(report, key));
    }
    putchar('\n');
}

static void print_no_receipt(const json_t *report)
{
    char text[OM_RULE_TEXT_MAX];

    if (json_object_get(report, "no_receipt"))
        printf("  receipt      none at the source: %s\n",
               units_printable(line_text(report, "no_receipt", ""), text, sizeof(text)));
}

static void print_slow_stop(const json_t *report)
{
    const char *function = line_text(report, "slow_function", NULL);
    char name[TEXT_bytes * 4];

    if (!json_object_get(report, "slow_thread"))
        return;
    printf("  slow stop    thread %.0f was the last to stop; it was at 0x%llx",
           field(report, "slow_thread"), (unsigned long long)field(report, "slow_pc"));
    if (function)
        printf(", in %s,", units_printable(function, name, sizeof(name)));
    puts(" when it was told");
}

static void print_moved(const json_t *report)
{
    char memory[TEXT_bytes], bytes[TEXT_bytes], rate[TEXT_bytes], total[TEXT_bytes],
        parts[3][TEXT_bytes];

    printf("%s moved to %s in %s (mode %s, tracker %s, platform %s: %s)\n",
           line_text(report, "name", ""), line_text(report, "to", ""),
           units_duration_ms(field(report, "total_ms"), total, TEXT_bytes),
           line_text(report, "mode", ""), line_text(report, "tracker", ""),
           line_text(report, "platform", ""),
           units_isolation(line_text(report, "platform", "sim")));
    print_cause(report);
    printf("  memory       %s, %.0f pages sent, %.0f zero pages not sent\n",
           units_size(field(report, "memory_bytes"), memory, TEXT_bytes), field(report, "pages"),
           field(report, "zero_pages"));
    printf("  wire         %s in %.0f rounds, %s/s\n",
           units_size(field(report, "bytes_sent"), bytes, TEXT_bytes), field(report, "rounds"),
           units_size(field(report, "throughput_bytes_per_s"), rate, TEXT_bytes));
    printf("  phases       prepare %s, pre-copy %s, post-copy %s\n",
           units_duration_ms(field(report, "prepare_ms"), parts[0], TEXT_bytes),
           units_duration_ms(field(report, "precopy_ms"), parts[1], TEXT_bytes),
           units_duration_ms(field(report, "postcopy_ms"), parts[2], TEXT_bytes));
    printf("  pages        %.0f while stopped, %.0f after the start (%.0f of them on demand)\n",
           field(report, "switchover_pages"), field(report, "postcopy_pages"),
           field(report, "urgent_pages"));
    if (json_object_get(report, "hooks_ms"))
        printf("  hooks        the program was told of the stop, and had %s for it\n",
               units_duration_ms(field(report, "hooks_ms"), parts[0], TEXT_bytes));
    if (json_object_get(report, "resumed"))
        printf("  connection   broke after the start, and was replaced %.0f times\n",
               field(report, "resumed"));
    print_no_receipt(report);
    print_slow_stop(report);
    if (json_object_get(report, "audit_missed"))
        puts("  audit        every page that was written was marked");
}

static void print_not_moved(const json_t *report)
{
    const char *result = line_text(report, "result", "failed");
    const char *name = line_text(report, "name", "");
    char reason[1024];

    units_printable(line_text(report, "reason", ""), reason, sizeof(reason));
    if (!strcmp(result, "refused"))
        fprintf(stderr, "optmig migrate: %s was not moved, nothing happened to it: %s\n", name,
                reason);
    else if (!strcmp(result, "lost"))
        fprintf(stderr, "optmig migrate: %s IS LOST (in phase %s): %s\n", name,
                line_text(report, "phase_reached", ""), reason);
    else if (!strcmp(result, "in doubt"))
        fprintf(stderr, "optmig migrate: %s IS IN DOUBT: %s\n", name, reason);
    else
        fprintf(stderr, "optmig migrate: %s was not moved (it failed in phase %s): %s\n", name,
                line_text(report, "phase_reached", ""), reason);
}

static int print_report(const struct common_options *common, const json_t *report)
{
    int status = result_parse(line_text(report, "result", "failed"));

    if (common->json)
        client_print_json(report);
    if (status == OM_RESULT_MOVED && !common->json)
        print_moved(report);
    if (status != OM_RESULT_MOVED)
        print_not_moved(report);
    return status < 0 ? EXIT_FAILED : status;
}

/* A report of this command's own, for when the daemon made none. */
static int end_without_daemon(const struct common_options *common,
                              const struct migrate_options *migrate, enum om_result result,
                              const char *reason)
{
    json_t *report = report_without_move(result, OM_PHASE_NONE, reason);
    int status;

    json_object_set_new(report, "name", json_string(migrate->name));
    json_object_set_new(report, "mode", json_string(migrate->mode));
    json_object_set_new(report, "tracker",
                        json_string(migrate->tracker ? migrate->tracker : "kernel"));
    json_object_set_new(report, "platform", json_string("sim"));
    json_object_set_new(report, "from", json_string(common->host));
    json_object_set_new(report, "to", json_string(migrate->to ? migrate->to : ""));
    json_object_set_new(report, "session", json_string(""));
    status = print_report(common, report);
    json_decref(report);
    return status;
}

/* The daemon died.  The host process gives the move up unless it is past the commit point; then it
 * ends.  So a source that is still there after a while still has its program. */
static int daemon_lost(const struct common_options *common, const struct migrate_options *migrate,
                       pid_t source)
{
    const struct timespec interval = {.tv_nsec = SOURCE_POLL_ms * 1000000L};

    for (int waited = 0; source > 0 && waited < SOURCE_GRACE_ms; waited += SOURCE_POLL_ms) {
        if (kill(source, 0) && errno == ESRCH)
            return end_without_daemon(
                common, migrate, OM_RESULT_LOST,
                "the daemon ended during the move, and so did the source's process; the program "
                "may run at the destination: look with optmig ls there");
        nanosleep(&interval, NULL);
    }
    return end_without_daemon(common, migrate, OM_RESULT_FAILED,
                              "the daemon ended during the move; the source's process is still "
                              "there, and can no longer be moved");
}

/* First Ctrl-C: cancel, and wait for how it ends.  Second: leave; the daemon finishes what it does.
 */
static void handle_interrupt(const struct common_options *common,
                             const struct migrate_options *migrate)
{
    struct client canceller;
    char reason[512];

    if (g_interrupts > 1) {
        fprintf(stderr, "\noptmig migrate: not waiting; see: optmig status %s\n", migrate->name);
        signal(SIGINT, SIG_DFL);
        raise(SIGINT);
    }
    fprintf(stderr, "\noptmig migrate: cancelling\n");
    if (client_connect(&canceller, common->host, reason, sizeof(reason)) == 0)
        client_send(&canceller,
                    json_pack("{s:s, s:s}", "request", "cancel", "name", migrate->name));
    client_close(&canceller);
}

/* Reads events until the report is there. */
static int follow(const struct common_options *common, const struct migrate_options *migrate,
                  struct client *client)
{
    pid_t source = 0;
    int handled = 0, error, status;
    bool shown = false;

    for (;;) {
        json_t *event = client_receive(client, &error);
        const char *kind = line_text(event, "event", NULL);

        if (g_interrupts > handled) {
            handled = g_interrupts;
            handle_interrupt(common, migrate);
        }
        if (!event && error == -EINTR)
            continue;
        if (kind && !strcmp(kind, "accepted"))
            source = (pid_t)line_number(event, "pid", 0);
        if (kind && !strcmp(kind, "progress") && migrate->show_progress) {
            show_progress(event);
            shown = true;
        }
        if (event && kind) {
            json_decref(event);
            continue;
        }
        if (shown)
            fprintf(stderr, "\r\033[K");
        if (!event)
            return daemon_lost(common, migrate, source);
        if (json_object_get(event, "report")) {
            status = print_report(common, json_object_get(event, "report"));
            if (json_object_get(event, "hint"))
                fprintf(stderr, "  %s\n", line_text(event, "hint", ""));
        } else {
            status = end_without_daemon(common, migrate, OM_RESULT_REFUSED,
                                        line_text(event, "error", "the daemon refused"));
        }
        json_decref(event);
        return status;
    }
}

static json_t *make_request(const struct migrate_options *migrate)
{
    json_t *request = json_pack("{s:s, s:s, s:s, s:s, s:f, s:f}", "request", "migrate", "name",
                                migrate->name, "to", migrate->to, "mode", migrate->mode,
                                "max_downtime_ms", (double)migrate->max_downtime_us / 1000,
                                "deadline_ms", (double)migrate->deadline_us / 1000);

    if (migrate->tracker)
        json_object_set_new(request, "tracker", json_string(migrate->tracker));
    if (migrate->audit)
        json_object_set_new(request, "audit", json_true());
    if (migrate->connections)
        json_object_set_new(request, "connections", json_string(migrate->connections));
    return request;
}

int command_migrate(struct common_options *common, int argc, char **argv)
{
    struct migrate_options migrate = {.mode = "hybrid", .max_downtime_us = 20000};
    struct sigaction action = {.sa_handler = on_interrupt};
    struct client client;
    char reason[512];
    int option, status;

    migrate.show_progress = isatty(STDERR_FILENO);
    while ((option = arguments_next("optmig migrate", argc, argv, ":", g_options)) != -1)
        if (!client_common_option(common, "migrate", option))
            apply(&migrate, option);
    if (common->quiet)
        migrate.show_progress = false;
    if (argc - optind != 1)
        client_usage("migrate", argc == optind ? "which enclave?" : "one enclave at a time");
    if (migrate.audit && migrate.tracker && tracker_parse(migrate.tracker) != OM_TRACKER_BARRIER)
        client_usage("migrate", "--audit watches the barrier tracker, not %s", migrate.tracker);
    if (migrate.resume && migrate.to)
        client_usage("migrate", "--resume goes on with a move to where it was going: no --to");
    if (!migrate.to && !migrate.resume)
        client_usage("migrate", "where to?  --to ADDR:PORT is missing, as in --to 127.0.0.1:7702");
    migrate.name = argv[optind];
    if (!units_valid_name(migrate.name))
        client_usage("migrate", "%s is not a name of an enclave; 'optmig ls' shows those there are",
                     migrate.name);
    if (client_connect(&client, common->host, reason, sizeof(reason)))
        return end_without_daemon(common, &migrate, OM_RESULT_REFUSED, reason);
    sigaction(SIGINT, &action, NULL);
    if (client_send(&client, migrate.resume ? json_pack("{s:s, s:s}", "request", "resume", "name",
                                                        migrate.name)
                                            : make_request(&migrate)))
        status = end_without_daemon(common, &migrate, OM_RESULT_REFUSED, "the daemon hung up");
    else
        status = follow(common, &migrate, &client);
    client_close(&client);
    return status;
}
