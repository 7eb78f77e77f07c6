/* SPDX-License-Identifier: Apache-2.0 */
/* optmig check: what is in the way of a move; a migrate request that ends after "prepare". */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/units.h"
#include "host/address.h"
#include "host/report.h"

static const struct option g_options[] = {
    {"to", required_argument, NULL, 't'},
    {"tracker", required_argument, NULL, 'r'},
    {"connections", required_argument, NULL, 'c'},
    CLIENT_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

static void apply(json_t *request, int option)
{
    char host[256], port[8];

    switch (option) {
    case 't':
        if (!address_split(optarg, host, sizeof(host), port, sizeof(port)))
            client_usage("check", "--to %s: an address and a port, as in 127.0.0.1:7702", optarg);
        json_object_set_new(request, "to", json_string(optarg));
        break;
    case 'r':
        if (tracker_parse(optarg) < 0)
            client_usage("check", "--tracker %s: there is none of that name", optarg);
        json_object_set_new(request, "tracker", json_string(optarg));
        break;
    case 'c':
        if (connections_parse(optarg) < 0)
            client_usage("check", "--connections %s: move, proxy or reset", optarg);
        json_object_set_new(request, "connections", json_string(optarg));
        break;
    default: /* arguments_next gives no others. */
        break;
    }
}

/* The reasons of a refusal, one by one. */
static json_t *split_reasons(const char *text)
{
    json_t *list = json_array();

    while (*text) {
        const char *end = strstr(text, OM_REASON_SEPARATOR);
        size_t length = end ? (size_t)(end - text) : strlen(text);

        json_array_append_new(list, json_stringn(text, length));
        text += length + (end ? strlen(OM_REASON_SEPARATOR) : 0);
    }
    return list;
}

/* Each rule of either side's policy, if there is one. */
static void print_rules(const json_t *rules)
{
    char found[OM_REASON_MAX], wanted[OM_REASON_MAX], what[OM_REASON_MAX];
    json_t *rule;
    size_t i;

    json_array_foreach(rules, i, rule)
    {
        const char *of = line_text(rule, "of", "");

        printf("%s  %-11s  %-20s  %s\n", line_flag(rule, "pass") ? "PASS" : "FAIL",
               units_printable(of, what, sizeof(what)), line_text(rule, "rule", ""),
               units_printable(line_text(rule, "found", ""), found, sizeof(found)));
        printf("      %-11s  %-20s  wanted by the %s: %s\n", "", "",
               !strcmp(of, "source") ? "destination" : "source",
               units_printable(line_text(rule, "wanted", ""), wanted, sizeof(wanted)));
    }
}

static void print_result(const char *name, const char *to, const json_t *obstacles)
{
    char printable[OM_REASON_MAX];
    json_t *obstacle;
    size_t i;

    if (json_array_size(obstacles) == 0)
        printf("%s can be moved to %s\n", name, to);
    else
        printf("%s cannot be moved to %s:\n", name, to);
    json_array_foreach(obstacles, i, obstacle) printf(
        "  %s\n", units_printable(json_string_value(obstacle), printable, sizeof(printable)));
}

/* The reply has a report, or an error that came before. */
static int show(const struct common_options *common, const json_t *request, const json_t *reply)
{
    const json_t *report = json_object_get(reply, "report");
    const char *name = line_text(request, "name", ""), *to = line_text(request, "to", "");
    const char *reason = line_text(report, "reason", line_text(reply, "error", ""));
    bool movable = !strcmp(line_text(report, "result", ""), "movable");
    json_t *rules = json_object_get(report, "rules"), *none = json_array();
    json_t *obstacles = split_reasons(movable   ? ""
                                      : *reason ? reason
                                                : "the daemon ended, or its answer was none");

    if (common->json) {
        json_t *result = json_pack("{s:s, s:s, s:b, s:O, s:O}", "name", name, "to", to, "movable",
                                   movable, "obstacles", obstacles, "rules", rules ? rules : none);

        client_print_json(result);
        json_decref(result);
    } else {
        print_rules(rules);
        print_result(name, to, obstacles);
    }
    json_decref(none);
    json_decref(obstacles);
    return movable ? EXIT_OK : EXIT_REFUSED;
}

static int ask(const struct common_options *common, const json_t *request)
{
    struct client client = {.fd = -1};
    char reason[512];
    json_t *reply = NULL;
    int error = client_connect(&client, common->host, reason, sizeof(reason)), status;

    if (!error) {
        error = client_send(&client, json_deep_copy(request));
        while (!error && (reply = client_receive(&client, &error)) != NULL &&
               json_object_get(reply, "event"))
            json_decref(reply);
    } else {
        reply = json_pack("{s:s}", "error", reason);
    }
    status = show(common, request, reply);
    json_decref(reply);
    client_close(&client);
    return status;
}

int command_check(struct common_options *common, int argc, char **argv)
{
    json_t *request =
        json_pack("{s:s, s:b, s:s}", "request", "migrate", "check_only", 1, "mode", "hybrid");
    int option, status;

    while ((option = arguments_next("optmig check", argc, argv, ":", g_options)) != -1)
        if (!client_common_option(common, "check", option))
            apply(request, option);
    if (argc - optind != 1)
        client_usage("check", argc == optind ? "which enclave?" : "one enclave at a time");
    if (!json_object_get(request, "to"))
        client_usage("check", "for which host?  --to ADDR:PORT is missing, as in --to "
                              "127.0.0.1:7702");
    if (!units_valid_name(argv[optind]))
        client_usage("check", "%s is not a name of an enclave; 'optmig ls' shows those there are",
                     argv[optind]);
    json_object_set_new(request, "name", json_string(argv[optind]));
    status = ask(common, request);
    json_decref(request);
    return status;
}
