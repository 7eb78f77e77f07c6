/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optmig receipt: shows the record of a move that both enclaves have signed, and verifies it rule
 * by rule.  Reads files only, those that host processes keep in the state directory
 * (host/receipt.h) or any others; asks no daemon and no network, and believes no file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "attest/date.h"
#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/evidence_files.h"
#include "cli/receipt_rules.h"
#include "cli/units.h"
#include "host/report.h"

enum { COLLATERALS_MAX = 16, REASON_bytes = 1024, SECOND_ns = 1000000000, HEX_bytes = 2 * 32 + 1 };

struct receipt_options {
    const char *policy, *key, *signature, *at, *out;
    const char *collateral[COLLATERALS_MAX];
    unsigned collaterals;
    bool verify;
};

static const struct option g_options[] = {
    {"verify", no_argument, NULL, 'v'},
    {"out", required_argument, NULL, 'o'},
    {"policy", required_argument, NULL, 'p'},
    {"policy-key", required_argument, NULL, 'k'},
    {"policy-signature", required_argument, NULL, 's'},
    {"collateral", required_argument, NULL, 'c'},
    {"at", required_argument, NULL, 'a'},
    CLIENT_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

static struct evidence_files g_files;
static char g_reason[REASON_bytes];

/* Something could not be read: no verdict. */
static int fail(const struct common_options *common, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int fail(const struct common_options *common, const char *format, ...)
{
    char text[REASON_bytes];
    va_list arguments;
    json_t *reply;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    reply = client_error(text);
    client_print_error("receipt", reply);
    if (common->json)
        client_print_json(reply);
    json_decref(reply);
    return EXIT_REFUSED;
}

/* ---- the file ---- */

/* The newest of the receipts in this directory that is of an enclave of that name. */
static bool find_newest(const char *dir, const char *name, char path[PATH_MAX])
{
    struct receipt_file file;
    struct timespec newest = {0};
    struct dirent *entry;
    bool found = false;
    DIR *list = opendir(dir);

    while (list && (entry = readdir(list)) != NULL) {
        char candidate[PATH_MAX];
        struct stat status;
        struct span bytes;

        if (snprintf(candidate, sizeof(candidate), "%s/%s", dir, entry->d_name) >= PATH_MAX ||
            lstat(candidate, &status) || !S_ISREG(status.st_mode) ||
            (found &&
             (status.st_mtim.tv_sec < newest.tv_sec || (status.st_mtim.tv_sec == newest.tv_sec &&
                                                        status.st_mtim.tv_nsec <= newest.tv_nsec))))
            continue;
        if (evidence_read(&g_files, candidate, &bytes, g_reason, sizeof(g_reason)) &&
            !decode_receipt_file(bytes.bytes, bytes.length, &file) &&
            !strcmp(file.receipt.name, name)) {
            snprintf(path, PATH_MAX, "%s", candidate);
            newest = status.st_mtim;
            found = true;
        }
        evidence_free(&g_files);
    }
    if (list)
        closedir(list);
    return found;
}

static bool write_out(const char *path, struct span bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, bytes.bytes, bytes.length) == (ssize_t)bytes.length;

    if (fd >= 0)
        good = close(fd) == 0 && good;
    return good;
}

/* ---- what is told ---- */

static const char *hex(const uint8_t bytes[32], char text[HEX_bytes])
{
    struct words w = words_start(text, HEX_bytes);

    words_hex(&w, span_of(bytes, 32));
    return text;
}

static const char *date(uint64_t realtime_ns, char text[32])
{
    struct words w = words_start(text, 32);

    words_date(&w, realtime_ns / SECOND_ns);
    return text;
}

static bool is_zero(const uint8_t bytes[32])
{
    static const uint8_t zero[32];

    return memcmp(bytes, zero, sizeof(zero)) == 0;
}

static void print_policy(const char *side, const struct hello *hello, const uint8_t digest[32])
{
    char text[HEX_bytes];

    if (is_zero(digest))
        printf("  %-12s obeyed no policy\n", side);
    else
        printf("  %-12s obeyed policy version %" PRIu64 ", SHA-256 %s\n", side,
               hello->policy_version, hex(digest, text));
}

static void print_receipt(const struct receipt *r)
{
    char text[HEX_bytes], stop[32], all[32], size[32];

    printf("%s moved in session %016" PRIx64 ", its move number %" PRIu64 " (mode %s)\n", r->name,
           r->source.session, r->moves, mode_name((int)r->mode));
    printf("  stopped      %s by the source's clock; all there %s by the destination's\n",
           date(r->stop_realtime_ns, stop), date(r->whole.realtime_ns, all));
    printf("  moved        %s of memory, %" PRIu64 " pages, %" PRIu64
           " of them after the start; %u threads\n",
           units_size((double)r->memory_bytes, size, sizeof(size)), r->pages, r->postcopy_pages,
           r->start.threads);
    printf("  at the start %" PRIu64 " records, digest %s\n", r->start.records_sent,
           hex(r->start.digest, text));
    printf("  in all       %" PRIu64 " records, digest %s\n", r->records_sent,
           hex(r->digest, text));
    if (r->resumed)
        printf("  connection   broke after the start, and was replaced %u times\n", r->resumed);
    printf("  runtime      %s\n", hex(r->source.runtime, text));
    print_policy("source", &r->source, r->source_policy);
    print_policy("destination", &r->destination, r->whole.policy);
}

static void print_rules(const struct receipt_verdict *v)
{
    for (uint32_t i = 0; i < v->count; i++) {
        const struct receipt_rule *rule = &v->rule[i];

        printf("%s  %-11s  %-20s  %s\n", rule->pass ? "PASS" : "FAIL", rule->of, rule->name,
               rule->found);
        printf("      %-11s  %-20s  wanted: %s\n", "", "", rule->wanted);
    }
    if (v->sim)
        puts("note  sim isolates nothing: this is the word of two hosts, not of two enclaves");
    puts(v->passed ? "ACCEPTED: started once at the destination; the source never runs it again"
                   : "REFUSED");
}

static json_t *side_json(const struct hello *hello, const uint8_t policy[32])
{
    char runtime[HEX_bytes], key[HEX_bytes], digest[HEX_bytes];

    return json_pack("{s:s, s:s, s:s, s:I}", "runtime", hex(hello->runtime, runtime), "policy_key",
                     is_zero(hello->policy_key) ? "" : hex(hello->policy_key, key), "policy_sha256",
                     is_zero(policy) ? "" : hex(policy, digest), "policy_version",
                     (json_int_t)hello->policy_version);
}

static json_t *rules_json(const struct receipt_verdict *v)
{
    json_t *rules = json_array();

    for (uint32_t i = 0; i < v->count; i++)
        json_array_append_new(rules,
                              json_pack("{s:s, s:s, s:b, s:s, s:s}", "of", v->rule[i].of, "rule",
                                        v->rule[i].name, "pass", (int)v->rule[i].pass, "found",
                                        v->rule[i].found, "wanted", v->rule[i].wanted));
    return rules;
}

static void print_json(const struct receipt_file *file, const struct receipt_verdict *v)
{
    const struct receipt *r = &file->receipt;
    char session[17], start[HEX_bytes], all[HEX_bytes], previous[HEX_bytes], mine[HEX_bytes];
    uint8_t digest[32];
    json_t *object;

    receipt_digest(file->body, digest);
    snprintf(session, sizeof(session), "%016" PRIx64, r->source.session);
    object = json_pack(
        "{s:b, s:s, s:s, s:s, s:I, s:s, s:s, s:I, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I}", "ok",
        (int)v->passed, "name", r->name, "session", session, "mode", mode_name((int)r->mode),
        "moves", (json_int_t)r->moves, "sha256", hex(digest, mine), "previous",
        is_zero(r->previous) ? "" : hex(r->previous, previous), "start_records",
        (json_int_t)r->start.records_sent, "start_digest", hex(r->start.digest, start), "records",
        (json_int_t)r->records_sent, "digest", hex(r->digest, all), "memory_bytes",
        (json_int_t)r->memory_bytes, "pages", (json_int_t)r->pages, "zero_pages",
        (json_int_t)r->zero_pages, "postcopy_pages", (json_int_t)r->postcopy_pages, "urgent_pages",
        (json_int_t)r->urgent_pages);
    json_object_set_new(object, "resumed", json_integer((json_int_t)r->resumed));
    json_object_set_new(object, "stop_realtime_ns", json_integer((json_int_t)r->stop_realtime_ns));
    json_object_set_new(object, "whole_realtime_ns",
                        json_integer((json_int_t)r->whole.realtime_ns));
    json_object_set_new(object, "source", side_json(&r->source, r->source_policy));
    json_object_set_new(object, "destination", side_json(&r->destination, r->whole.policy));
    json_object_set_new(object, "isolation", json_boolean(!v->sim));
    json_object_set_new(object, "rules", rules_json(v));
    client_print_json(object);
    json_decref(object);
}

/* ---- verifying ---- */

static bool read_question(const struct receipt_options *o, struct receipt_question *q)
{
    char beside[PATH_MAX];

    q->now = (uint64_t)time(NULL);
    if (o->at && !date_parse(span_text(o->at), &q->now))
        client_usage("receipt", "--at wants a time like 2026-01-31T12:00:00Z");
    for (unsigned i = 0; i < o->collaterals; i++)
        if (!evidence_add_collateral(&g_files, o->collateral[i], &q->collateral, g_reason,
                                     sizeof(g_reason)))
            return false;
    if (!o->policy)
        return true;
    snprintf(beside, sizeof(beside), "%s.sig", o->policy);
    return evidence_read(&g_files, o->policy, &q->policy, g_reason, sizeof(g_reason)) &&
           evidence_read(&g_files, o->signature ? o->signature : beside, &q->signature, g_reason,
                         sizeof(g_reason)) &&
           evidence_read(&g_files, o->key, &q->key, g_reason, sizeof(g_reason));
}

/* One receipt; the one before it, if there was one, has to be its predecessor. */
static int show(const struct common_options *common, const struct receipt_options *o,
                const char *path, struct receipt_question *question)
{
    static struct receipt_verdict verdict;
    struct receipt_file file;
    struct span bytes;
    const char *reason;
    int error;

    if (!evidence_read(&g_files, path, &bytes, g_reason, sizeof(g_reason)))
        return fail(common, "%s", g_reason);
    error = decode_receipt_file(bytes.bytes, bytes.length, &file);
    if (error)
        return fail(common, "%s: not a receipt: %s", path, protocol_error_text(error));
    reason = receipt_verify(&file, question, &verdict);
    if (reason)
        return fail(common, "%s", reason);
    if (o->out && !write_out(o->out, bytes))
        return fail(common, "%s: %s", o->out, strerror(errno));
    if (common->json) {
        print_json(&file, &verdict);
    } else {
        print_receipt(&file.receipt);
        print_rules(&verdict);
    }
    receipt_digest(file.body, question->before);
    question->before_moves = file.receipt.moves;
    return verdict.passed ? EXIT_OK : EXIT_REFUSED;
}

static int run(const struct common_options *common, const struct receipt_options *o, char **paths)
{
    static struct receipt_question question;
    char dir[PATH_MAX], path[PATH_MAX];
    int status = EXIT_OK;

    if (!read_question(o, &question))
        return fail(common, "%s", g_reason);
    if (!o->verify) {
        struct evidence_files kept = g_files;

        g_files = (struct evidence_files){0};
        snprintf(dir, sizeof(dir), "%s/receipts", common->host);
        if (!find_newest(dir, paths[0], path))
            return fail(common,
                        "there is no receipt of %s in %s; each host that it came to or left keeps "
                        "those of its own moves",
                        paths[0], dir);
        g_files = kept;
        return show(common, o, path, &question);
    }
    for (; *paths; paths++) {
        int one = show(common, o, *paths, &question);

        status = status ? status : one;
    }
    return status;
}

static void take_option(struct common_options *common, struct receipt_options *o, int option)
{
    switch (option) {
    case 'v':
        o->verify = true;
        break;
    case 'o':
        o->out = optarg;
        break;
    case 'p':
        o->policy = optarg;
        break;
    case 'k':
        o->key = optarg;
        break;
    case 's':
        o->signature = optarg;
        break;
    case 'c':
        if (o->collaterals == COLLATERALS_MAX)
            client_usage("receipt", "more than %d times --collateral", COLLATERALS_MAX);
        o->collateral[o->collaterals++] = optarg;
        break;
    case 'a':
        o->at = optarg;
        break;
    default:
        client_common_option(common, "receipt", option);
    }
}

int command_receipt(struct common_options *common, int argc, char **argv)
{
    struct receipt_options o = {.key = getenv("OPTMIG_POLICY_KEY")};
    int option, status;

    while ((option = arguments_next("optmig receipt", argc, argv, ":", g_options)) != -1)
        take_option(common, &o, option);
    if (argc == optind)
        client_usage("receipt", o.verify ? "which file?" : "of which enclave?");
    if (!o.verify && argc - optind != 1)
        client_usage("receipt", "one enclave at a time");
    if (!o.verify && !units_valid_name(argv[optind]))
        client_usage("receipt", "%s is not a name of an enclave; --verify is for files",
                     argv[optind]);
    if (o.out && o.verify)
        client_usage("receipt", "--out is for a receipt that is kept here, not for --verify");
    if (o.policy && (!o.key || !*o.key))
        client_usage("receipt", "whose policy?  --policy-key FILE or $OPTMIG_POLICY_KEY");
    status = run(common, &o, argv + optind);
    evidence_free(&g_files);
    return status;
}
