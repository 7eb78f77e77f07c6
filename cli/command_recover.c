/* SPDX-License-Identifier: Apache-2.0 */
/* optmig recover: a start that nobody made is taken back (docs/registry.md). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/units.h"
#include "host/report.h"

static const struct option g_options[] = {CLIENT_COMMON_OPTIONS, {NULL, 0, NULL, 0}};

static int tell(const struct common_options *common, const json_t *answer)
{
    const json_t *report = json_object_get(answer, "report");
    const char *name = line_text(report, "name", "");
    const int result = result_parse(line_text(report, "result", "failed"));
    char reason[1024];

    if (!report) {
        fprintf(stderr, "optmig recover: %s\n", line_text(answer, "error", "the daemon refused"));
        return EXIT_REFUSED;
    }
    if (common->json)
        client_print_json(report);
    units_printable(line_text(report, "reason", ""), reason, sizeof(reason));
    if (result == OM_RESULT_FAILED) {
        if (!common->json)
            printf("%s runs on here: %s\n", name, reason);
        return EXIT_OK;
    }
    if (result == OM_RESULT_MOVED) {
        if (!common->json)
            printf("%s has moved to %s meanwhile\n", name, line_text(report, "to", "?"));
        return EXIT_OK;
    }
    fprintf(stderr, "optmig recover: %s is %s: %s\n", name, line_text(report, "result", "?"),
            reason);
    return result;
}

int command_recover(struct common_options *common, int argc, char **argv)
{
    struct client client;
    char reason[512];
    json_t *answer = NULL;
    int option, error, status = EXIT_FAILED;

    while ((option = arguments_next("optmig recover", argc, argv, ":", g_options)) != -1)
        (void)client_common_option(common, "recover", option);
    if (argc - optind != 1 || !units_valid_name(argv[optind]))
        client_usage("recover", "which enclave?");
    if (client_connect(&client, common->host, reason, sizeof(reason))) {
        fprintf(stderr, "optmig recover: %s\n", reason);
        return EXIT_REFUSED;
    }
    client_send(&client, json_pack("{s:s, s:s}", "request", "recover", "name", argv[optind]));
    do {
        json_decref(answer);
        answer = client_receive(&client, &error);
    } while (answer ? json_object_get(answer, "event") != NULL : error == -EINTR);
    if (answer)
        status = tell(common, answer);
    else
        fprintf(stderr, "optmig recover: the daemon ended\n");
    json_decref(answer);
    client_close(&client);
    return status;
}
