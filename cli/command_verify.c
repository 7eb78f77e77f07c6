/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optmig verify-evidence: is this evidence genuine, and does a signed policy accept it?  Reads
 * files, asks attest/, prints PASS or FAIL per rule.  Asks no daemon and no network.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attest/date.h"
#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/evidence_files.h"
#include "cli/policy_state.h"
#include "cli/units.h"

enum { COLLATERALS_MAX = 16, REASON_bytes = 1024 };

struct verify_options {
    const char *evidence, *policy, *key, *signature, *state, *report_data, *peer, *at;
    const char *collateral[COLLATERALS_MAX];
    unsigned collaterals;
    enum attest_direction direction;
};

static const struct option g_options[] = {
    {"policy", required_argument, NULL, 'p'},
    {"policy-key", required_argument, NULL, 'k'},
    {"policy-signature", required_argument, NULL, 's'},
    {"policy-state", required_argument, NULL, 'S'},
    {"collateral", required_argument, NULL, 'c'},
    {"report-data", required_argument, NULL, 'r'},
    {"to", required_argument, NULL, 't'},
    {"from", required_argument, NULL, 'f'},
    {"at", required_argument, NULL, 'a'},
    CLIENT_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

/* Everything that one verification needs; large, so not on the stack. */
static struct {
    struct evidence_files files;
    struct attest_question question;
    struct attest_workspace workspace;
    struct attest_facts facts;
    struct verdict verdict;
    struct policy policy;
    uint8_t report_data[ATTEST_REPORT_DATA_SIZE];
    char reason[REASON_bytes];
} g_verify;

static void take_option(struct common_options *common, struct verify_options *o, int option)
{
    switch (option) {
    case 'p':
        o->policy = optarg;
        break;
    case 'k':
        o->key = optarg;
        break;
    case 's':
        o->signature = optarg;
        break;
    case 'S':
        o->state = optarg;
        break;
    case 'c':
        if (o->collaterals == COLLATERALS_MAX)
            client_usage("verify-evidence", "more than %d times --collateral", COLLATERALS_MAX);
        o->collateral[o->collaterals++] = optarg;
        break;
    case 'r':
        o->report_data = optarg;
        break;
    case 't':
    case 'f':
        if (o->peer)
            client_usage("verify-evidence", "one of --to and --from, once");
        o->peer = optarg;
        o->direction = option == 't' ? ATTEST_OUT : ATTEST_IN;
        break;
    case 'a':
        o->at = optarg;
        break;
    default:
        client_common_option(common, "verify-evidence", option);
    }
}

/* What is wanted of the evidence; wrong values are wrong usage. */
static void fill_question(const struct verify_options *o, struct attest_question *question)
{
    struct value hex = {VALUE_STRING, span_text(o->report_data ? o->report_data : "")};

    question->now = (uint64_t)time(NULL);
    if (o->at && !date_parse(span_text(o->at), &question->now))
        client_usage("verify-evidence", "--at wants a time like 2026-01-31T12:00:00Z");
    if (o->report_data) {
        if (!value_hex(&hex, g_verify.report_data, sizeof(g_verify.report_data)))
            client_usage("verify-evidence", "--report-data wants 64 bytes, 128 hexadecimal digits");
        question->report_data = span_of(g_verify.report_data, sizeof(g_verify.report_data));
    }
    if (o->peer)
        question->peer = span_text(o->peer);
    question->direction = o->direction;
    question->policy = &g_verify.policy;
}

/* ---- The policy ---- */

/* NULL if the policy is signed and well formed, else why not. */
static const char *open_policy(const struct verify_options *o)
{
    struct span text, signature, key;
    char beside[4096];
    const char *reason;

    snprintf(beside, sizeof(beside), "%s.sig", o->policy);
    if (!evidence_read(&g_verify.files, o->policy, &text, g_verify.reason, REASON_bytes) ||
        !evidence_read(&g_verify.files, o->signature ? o->signature : beside, &signature,
                       g_verify.reason, REASON_bytes) ||
        !evidence_read(&g_verify.files, o->key, &key, g_verify.reason, REASON_bytes))
        return g_verify.reason;
    reason = policy_open(text, signature, key, &g_verify.policy);
    if (!reason && o->state &&
        !policy_state_read(o->state, &g_verify.question.policy_version_min, g_verify.reason,
                           REASON_bytes))
        return g_verify.reason;
    if (!reason && o->state && g_verify.policy.version > g_verify.question.policy_version_min &&
        !policy_state_write(o->state, g_verify.policy.version, g_verify.reason, REASON_bytes))
        return g_verify.reason;
    return reason;
}

/* ---- What is told ---- */

static void print_rule(const struct verdict_rule *rule)
{
    printf("%s  %-20s  %s\n", rule->pass ? "PASS" : "FAIL", rule->name, rule->found);
    printf("      %-20s  wanted: %s\n", "", rule->wanted);
}

static void print_facts(const struct attest_question *question)
{
    const struct verdict *v = &g_verify.verdict;
    unsigned failed = 0;

    for (uint32_t i = 0; i < v->count; i++)
        failed += !v->rule[i].pass;
    if (!question->report_data.bytes)
        puts("note  report-data           not compared; --report-data says what it has to be");
    if (verdict_passed(v))
        printf("ACCEPTED: evidence of %s, policy version %" PRIu64 "\n",
               attest_platform_name(g_verify.facts.platform), g_verify.policy.version);
    else
        printf("REFUSED: evidence of %s, %u of %u rules failed\n",
               attest_platform_name(g_verify.facts.platform), failed, v->count);
}

static json_t *rule_json(const struct verdict_rule *rule)
{
    return json_pack("{s:s, s:b, s:s, s:s}", "rule", rule->name, "pass", rule->pass, "found",
                     rule->found, "wanted", rule->wanted);
}

static json_t *hex_json(struct span bytes)
{
    char text[2 * 64 + 1];
    struct words w = words_start(text, sizeof(text));

    words_hex(&w, bytes);
    return bytes.bytes ? json_string(text) : json_null();
}

static void print_json(void)
{
    const struct attest_facts *facts = &g_verify.facts;
    json_t *rules = json_array(), *object;

    for (uint32_t i = 0; i < g_verify.verdict.count; i++)
        json_array_append_new(rules, rule_json(&g_verify.verdict.rule[i]));
    object = json_pack(
        "{s:b, s:s, s:o, s:o, s:o, s:I, s:o}", "ok", verdict_passed(&g_verify.verdict), "platform",
        attest_platform_name(facts->platform), "measurement", hex_json(facts->measurement),
        "signer", hex_json(facts->signer), "report_data", hex_json(facts->report_data),
        "policy_version", (json_int_t)g_verify.policy.version, "rules", rules);
    client_print_json(object);
    json_decref(object);
}

/* Something could not be read: no verdict. */
static int fail(const struct common_options *common, const char *reason)
{
    json_t *reply = client_error(reason);

    client_print_error("verify-evidence", reply);
    if (common->json)
        client_print_json(reply);
    json_decref(reply);
    return EXIT_REFUSED;
}

static int verify(const struct common_options *common, const struct verify_options *o)
{
    struct attest_question *question = &g_verify.question;
    const char *reason;

    fill_question(o, question);
    if (!evidence_read(&g_verify.files, o->evidence, &question->evidence, g_verify.reason,
                       REASON_bytes))
        return fail(common, g_verify.reason);
    for (unsigned i = 0; i < o->collaterals; i++)
        if (!evidence_add_collateral(&g_verify.files, o->collateral[i], question, g_verify.reason,
                                     REASON_bytes))
            return fail(common, g_verify.reason);
    reason = open_policy(o);
    if (reason)
        return fail(common, reason);
    attest_verify(&g_verify.workspace, question, &g_verify.verdict, &g_verify.facts);
    if (common->json) {
        print_json();
    } else {
        for (uint32_t i = 0; i < g_verify.verdict.count; i++)
            print_rule(&g_verify.verdict.rule[i]);
        print_facts(question);
    }
    return verdict_passed(&g_verify.verdict) ? EXIT_OK : EXIT_REFUSED;
}

int command_verify_evidence(struct common_options *common, int argc, char **argv)
{
    struct verify_options o = {.key = getenv("OPTMIG_POLICY_KEY")};
    int option, status;

    while ((option = arguments_next("optmig verify-evidence", argc, argv, ":", g_options)) != -1)
        take_option(common, &o, option);
    if (argc - optind != 1)
        client_usage("verify-evidence",
                     argc == optind ? "which file of evidence?" : "one file of evidence at a time");
    if (!o.policy)
        client_usage("verify-evidence", "by which policy?  --policy FILE");
    if (!o.key || !*o.key)
        client_usage("verify-evidence", "whose policy?  --policy-key FILE or $OPTMIG_POLICY_KEY");
    o.evidence = argv[optind];
    status = verify(common, &o);
    evidence_free(&g_verify.files);
    return status;
}
