/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optmig collect-evidence: in a confidential VM, a report over 64 bytes from this kernel, with its
 * certificates, as files that optmig verify-evidence takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/attest.h"
#include "cli/arguments.h"
#include "cli/client.h"
#include "host/tsm.h"

static const struct option g_options[] = {
    {"report-data", required_argument, NULL, 'r'},
    {"out", required_argument, NULL, 'o'},
    CLIENT_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

static bool write_file(const char *directory, const char *name, const void *bytes, size_t length,
                       char reason[TSM_REASON_bytes])
{
    char path[512];
    FILE *file = NULL;
    bool good;

    if (snprintf(path, sizeof(path), "%s/%s", directory, name) < (int)sizeof(path))
        file = fopen(path, "we");
    good = file && fwrite(bytes, 1, length, file) == length;
    if (file)
        good = !fclose(file) && good;
    if (!good)
        snprintf(reason, TSM_REASON_bytes, "%.256s/%s: %s", directory, name, strerror(errno));
    return good;
}

static bool collect(const char *directory, const uint8_t report_data[64],
                    struct tsm_evidence *evidence, char reason[TSM_REASON_bytes])
{
    if (tsm_report(&tsm_kernel, report_data, evidence, reason))
        return false;
    if (mkdir(directory, 0777) && errno != EEXIST) {
        snprintf(reason, TSM_REASON_bytes, "%.256s: %s", directory, strerror(errno));
        return false;
    }
    return write_file(directory, "outblob", evidence->report, evidence->report_length, reason) &&
           (!evidence->certificates_length ||
            write_file(directory, "auxblob", evidence->certificates, evidence->certificates_length,
                       reason));
}

static int tell(const struct common_options *common, const char *directory,
                const struct tsm_evidence *evidence)
{
    json_t *object;

    if (!common->json) {
        printf("%zu bytes of %s in %s/outblob", evidence->report_length, evidence->provider,
               directory);
        if (evidence->certificates_length)
            printf(", %zu bytes of certificates in auxblob", evidence->certificates_length);
        putchar('\n');
        return EXIT_OK;
    }
    object = json_pack("{s:b, s:s, s:s, s:I, s:I}", "ok", 1, "directory", directory, "provider",
                       evidence->provider, "report_bytes", (json_int_t)evidence->report_length,
                       "certificate_bytes", (json_int_t)evidence->certificates_length);
    client_print_json(object);
    json_decref(object);
    return EXIT_OK;
}

int command_collect_evidence(struct common_options *common, int argc, char **argv)
{
    static struct tsm_evidence evidence;
    const char *hex = NULL, *directory = NULL;
    char reason[TSM_REASON_bytes];
    uint8_t report_data[ATTEST_REPORT_DATA_SIZE];
    int option;

    while ((option = arguments_next("optmig collect-evidence", argc, argv, ":", g_options)) != -1) {
        if (option == 'r')
            hex = optarg;
        else if (option == 'o')
            directory = optarg;
        else
            client_common_option(common, "collect-evidence", option);
    }
    struct value text = {VALUE_STRING, span_text(hex ? hex : "")};
    if (argc != optind)
        client_usage("collect-evidence", "it takes options only");
    if (!directory)
        client_usage("collect-evidence", "where to?  --out DIR");
    if (!value_hex(&text, report_data, sizeof(report_data)))
        client_usage("collect-evidence", "--report-data wants 64 bytes, 128 hexadecimal digits");
    if (collect(directory, report_data, &evidence, reason))
        return tell(common, directory, &evidence);
    json_t *reply = client_error(reason);
    client_print_error("collect-evidence", reply);
    if (common->json)
        client_print_json(reply);
    json_decref(reply);
    return EXIT_REFUSED;
}
