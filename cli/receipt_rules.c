/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a receipt.  What the body says of the two sides has to fit together, and each side's
 * evidence has to be over this body, in this role (protocol/receipt.c).  Without a policy only
 * evidence of sim can be judged, which needs nothing but itself, and says as little.
 */
#include "cli/receipt_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/signature.h"

enum { REPORT_DATA_bytes = 64, KEY_DIGEST_bytes = 32 };

static struct {
    struct attest_workspace workspace;
    struct attest_facts facts;
    struct verdict verdict;
    struct policy policy;
    uint8_t der[POLICY_KEY_MAX_bytes];
} g_work; /* too large for the stack */

static void add(struct receipt_verdict *out, const char *of, const char *name, bool pass,
                const char *found, const char *wanted)
{
    struct receipt_rule *rule = &out->rule[out->count];

    out->passed = out->passed && pass && out->count < RECEIPT_RULES_MAX;
    if (out->count == RECEIPT_RULES_MAX)
        return;
    out->count++;
    *rule = (struct receipt_rule){.of = of, .name = name, .pass = pass};
    snprintf(rule->found, sizeof(rule->found), "%s", found);
    snprintf(rule->wanted, sizeof(rule->wanted), "%s", wanted);
}

/* Equal, and both are shown. */
static void add_equal(struct receipt_verdict *out, const char *name, const uint8_t found[32],
                      const uint8_t wanted[32])
{
    char texts[2][80];
    struct words first = words_start(texts[0], sizeof(texts[0]));
    struct words second = words_start(texts[1], sizeof(texts[1]));

    words_hex(&first, span_of(found, 32));
    words_hex(&second, span_of(wanted, 32));
    add(out, "both", name, memcmp(found, wanted, 32) == 0, texts[0], texts[1]);
}

static void judge_body(const struct receipt_file *file, const struct receipt_question *question,
                       struct receipt_verdict *out)
{
    const struct receipt *r = &file->receipt;
    char found[64], wanted[64];

    add_equal(out, "runtime", r->destination.runtime, r->source.runtime);
    add_equal(out, "policy-key", r->destination.policy_key, r->source.policy_key);
    snprintf(found, sizeof(found), "version %llu",
             (unsigned long long)r->destination.policy_version);
    snprintf(wanted, sizeof(wanted), "version %llu or newer",
             (unsigned long long)r->source.policy_version);
    add(out, "both", "destination-policy",
        r->destination.policy_version >= r->source.policy_version, found, wanted);
    if (!question->before_moves)
        return;
    add_equal(out, "previous", r->previous, question->before);
    snprintf(found, sizeof(found), "move %llu", (unsigned long long)r->moves);
    snprintf(wanted, sizeof(wanted), "move %llu", (unsigned long long)question->before_moves + 1);
    add(out, "both", "number", r->moves == question->before_moves + 1, found, wanted);
}

/* Sim measures the runtime itself, so its hello has to say the same. */
static void judge_measurement(const char *of, const struct hello *hello, struct span measurement,
                              struct receipt_verdict *out)
{
    char texts[2][80];
    struct words found = words_start(texts[0], sizeof(texts[0]));
    struct words wanted = words_start(texts[1], sizeof(texts[1]));

    words_hex(&found, measurement);
    words_hex(&wanted, span_of(hello->runtime, sizeof(hello->runtime)));
    add(out, of, "runtime-measured",
        measurement.length == sizeof(hello->runtime) &&
            memcmp(measurement.bytes, hello->runtime, sizeof(hello->runtime)) == 0,
        texts[0], texts[1]);
}

static void judge_by_policy(const char *of, const struct message_evidence *evidence,
                            const struct receipt_question *question, const uint8_t *report_data,
                            enum attest_direction direction, struct receipt_verdict *out)
{
    struct attest_question asked = question->collateral;

    asked.evidence = span_of(evidence->evidence, evidence->evidence_length);
    if (evidence->certificates_length)
        asked.snp_table = span_of(evidence->certificates, evidence->certificates_length);
    asked.policy = &g_work.policy;
    asked.now = question->now;
    asked.report_data = span_of(report_data, REPORT_DATA_bytes);
    asked.direction = direction;
    out->passed =
        attest_verify(&g_work.workspace, &asked, &g_work.verdict, &g_work.facts) && out->passed;
    for (uint32_t i = 0; i < g_work.verdict.count; i++) {
        const struct verdict_rule *rule = &g_work.verdict.rule[i];

        add(out, of, rule->name, rule->pass, rule->found, rule->wanted);
    }
}

static void judge_bare(const char *of, const struct message_evidence *evidence,
                       const struct hello *hello, const uint8_t *report_data,
                       struct receipt_verdict *out)
{
    int error =
        sim_verify(evidence->evidence, evidence->evidence_length, hello->runtime, report_data);

    add(out, of, "evidence", !error, error ? protocol_error_text(error) : "good",
        "signed by the host's key, over this receipt, by this side");
}

static void judge_side(const char *of, const struct receipt_file *file,
                       const struct receipt_question *question, bool source,
                       struct receipt_verdict *out)
{
    const struct message_evidence *evidence = source ? &file->source : &file->destination;
    const struct hello *hello = source ? &file->receipt.source : &file->receipt.destination;
    struct span bytes = span_of(evidence->evidence, evidence->evidence_length);
    bool sim = attest_platform_of(bytes) == ATTEST_SIM;
    uint8_t report_data[REPORT_DATA_bytes];

    out->sim = out->sim || sim;
    receipt_report_data(file->body, source ? ROLE_SOURCE : ROLE_DESTINATION, report_data);
    if (question->policy.bytes)
        judge_by_policy(of, evidence, question, report_data, source ? ATTEST_IN : ATTEST_OUT, out);
    else if (sim)
        judge_bare(of, evidence, hello, report_data, out);
    else
        add(out, of, "evidence", false, attest_platform_name(attest_platform_of(bytes)),
            "a policy to judge it by (--policy)");
    if (sim && question->policy.bytes)
        judge_measurement(of, hello, g_work.facts.measurement, out);
    if (sim)
        add(out, of, "certificates", evidence->certificates_length == 0,
            evidence->certificates_length ? "some" : "none", "none: sim has none");
}

/* The moves' own policies have the key of the one who is asked for. */
static const char *open_policy(const struct receipt_file *file,
                               const struct receipt_question *question, struct receipt_verdict *out)
{
    uint8_t digest[KEY_DIGEST_bytes];
    struct span key;
    const char *reason = policy_key_decode(question->key, g_work.der, &key);

    if (!reason)
        reason = policy_open(question->policy, question->signature, question->key, &g_work.policy);
    if (reason)
        return reason;
    signature_sha256(key, digest);
    add_equal(out, "operator", file->receipt.source.policy_key, digest);
    return NULL;
}

const char *receipt_verify(const struct receipt_file *file, const struct receipt_question *question,
                           struct receipt_verdict *out)
{
    const char *reason = NULL;

    memset(out, 0, sizeof(*out));
    out->passed = true;
    judge_body(file, question, out);
    if (question->policy.bytes)
        reason = open_policy(file, question, out);
    if (reason)
        return reason;
    judge_side("source", file, question, true, out);
    judge_side("destination", file, question, false, out);
    return NULL;
}
