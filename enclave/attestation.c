/* SPDX-License-Identifier: Apache-2.0 */
/* See attestation.h.  Verification itself is attest/; the exchange is a part of move_out.c and
 * move_in.c; the order of its messages is in protocol/transitions.def. */
#include "enclave/attestation.h"

#include <linux/time.h>

#include "attest/bundle.h"
#include "attest/signature.h"
#include "enclave/platform/platform.h"

/* Too large for stacks; in local memory, from the first move on. */
struct work {
    uint8_t bundle[BUNDLE_MAX_bytes];
    uint8_t report[EVIDENCE_MAX_bytes + CERTIFICATES_MAX_bytes];
    uint8_t rules[RULES_MAX_bytes];
    struct attest_workspace workspace;
    struct attest_question question;
    struct attest_facts facts;
    struct verdict verdict;
    struct policy policy;
    struct bundle parts;
};

static struct {
    struct work *work;
    bool pinned; /* to a policy's key; for good */
    uint8_t key_digest[32];
    uint8_t policy_digest[32];
    uint64_t version_seen; /* the highest version of a policy that was obeyed here */
    bool obeys;            /* there is a policy for this move */
    char peer[OM_PEER_MAX];
    bool refused_there;
    uint32_t rule_count; /* of the last verdict of this side */
    size_t rules_length;
    char reason[OM_REASON_MAX];
} g_attestation;

const char *attestation_reason(void)
{
    return g_attestation.reason;
}

static void add_reason(const char *format, ...) OM_PRINTF(1, 2);

static void add_reason(const char *format, ...)
{
    size_t at = strlen(g_attestation.reason), room = sizeof(g_attestation.reason) - at;
    __builtin_va_list arguments;

    if (at && room > sizeof(OM_REASON_SEPARATOR)) {
        at += str_copy(g_attestation.reason + at, OM_REASON_SEPARATOR, room);
        room = sizeof(g_attestation.reason) - at;
    }
    __builtin_va_start(arguments, format);
    str_vformat(g_attestation.reason + at, room, format, arguments);
    __builtin_va_end(arguments);
}

/* ---- the policy ---- */

/* The host's bytes, copied in once; then parts that point into the copy. */
static const char *take_bundle(const void *untrusted, uint64_t length)
{
    struct work *work;

    if ((uint64_t)untrusted < ELRANGE_END)
        return "the host's policy does not lie in the host's memory";
    if (!g_attestation.work)
        g_attestation.work = local_alloc(sizeof(struct work));
    work = g_attestation.work;
    if (length > sizeof(work->bundle))
        return "policy and collateral are longer than this enclave takes";
    memcpy(work->bundle, untrusted, length);
    memset(&work->question, 0, sizeof(work->question));
    return bundle_read(span_of(work->bundle, length), &work->parts, &work->question);
}

long attestation_pin(const void *untrusted_bundle, uint64_t length)
{
    if (take_bundle(untrusted_bundle, length))
        return -EINVAL;
    signature_sha256(g_attestation.work->parts.part[BUNDLE_POLICY_KEY], g_attestation.key_digest);
    g_attestation.pinned = true;
    return 0;
}

static const char *open_policy(struct work *work)
{
    const struct span *part = work->parts.part;
    uint8_t digest[32];
    const char *reason;

    signature_sha256(part[BUNDLE_POLICY_KEY], digest);
    if (memcmp(digest, g_attestation.key_digest, sizeof(digest)) != 0)
        return "the policy is of another key than the one that this enclave was made with";
    reason = policy_open(part[BUNDLE_POLICY], part[BUNDLE_POLICY_SIGNATURE],
                         part[BUNDLE_POLICY_KEY], &work->policy);
    if (reason)
        return reason;
    if (work->policy.version < g_attestation.version_seen)
        return "the policy is of an older version than one that this enclave has obeyed";
    g_attestation.version_seen = work->policy.version;
    signature_sha256(part[BUNDLE_POLICY], g_attestation.policy_digest);
    return NULL;
}

const char *attestation_begin(const struct ecall_move *move)
{
    const char *reason;

    g_attestation.obeys = false;
    g_attestation.refused_there = false;
    g_attestation.reason[0] = 0;
    g_attestation.rule_count = 0;
    g_attestation.rules_length = 0;
    memcpy(g_attestation.peer, move->peer, sizeof(g_attestation.peer));
    g_attestation.peer[sizeof(g_attestation.peer) - 1] = 0;
    if (!g_attestation.pinned && !move->bundle_length)
        return NULL;
    if (!move->bundle_length)
        return "this enclave obeys a policy, and its host brings none";
    if (!g_attestation.pinned)
        return "this enclave was made without a policy's key, and can obey no policy";
    reason = take_bundle(move->bundle, move->bundle_length);
    if (!reason)
        reason = open_policy(g_attestation.work);
    g_attestation.obeys = !reason;
    return reason;
}

void attestation_describe(struct hello *mine)
{
    memcpy(mine->runtime, g_facts.measurement, sizeof(mine->runtime));
    if (!g_attestation.obeys)
        return;
    memcpy(mine->policy_key, g_attestation.key_digest, sizeof(mine->policy_key));
    mine->policy_version = g_attestation.work->policy.version;
}

/* ---- showing who we are ---- */

long attestation_state(const uint8_t report_data[64], struct message_evidence *out)
{
    struct work *work;
    long length, total;

    if (!g_attestation.work)
        g_attestation.work = local_alloc(sizeof(struct work));
    work = g_attestation.work;
    memset(out, 0, sizeof(*out));
    total = platform_report(report_data, work->report, sizeof(work->report), &length);
    if (total < 0)
        return total;
    out->evidence = work->report;
    out->evidence_length = (uint32_t)length;
    out->certificates = work->report + length;
    out->certificates_length = (uint32_t)(total - length);
    return 0;
}

long attestation_send(void)
{
    const struct handshake *handshake = sealed_handshake();
    bool source = handshake->role == ROLE_SOURCE;
    struct message_evidence evidence;
    uint8_t report_data[64];
    long error;

    handshake_report_data(handshake, handshake->role, report_data);
    error = attestation_state(report_data, &evidence);
    if (error) {
        add_reason("the platform gives no report about this enclave");
        return error;
    }
    if (!source) {
        evidence.rules = g_attestation.work->rules;
        evidence.rules_length = (uint32_t)g_attestation.rules_length;
        evidence.rule_count = g_attestation.rule_count;
    }
    return sealed_send(STREAM_BULK, source ? MESSAGE_SOURCE_EVIDENCE : MESSAGE_DESTINATION_EVIDENCE,
                       0, encode_evidence(sealed_body(STREAM_BULK), &evidence));
}

/* ---- judging who they are ---- */

static void tell_rule(const struct message_rule *rule, bool about_source)
{
    struct om_rule told = {.pass = rule->pass, .about_source = about_source};

    str_copy(told.name, rule->name, sizeof(told.name));
    str_copy(told.found, rule->found, sizeof(told.found));
    str_copy(told.wanted, rule->wanted, sizeof(told.wanted));
    g_host.rule(&told);
    if (!rule->pass)
        add_reason("the policy of the %s refuses the %s: %s is %s, wanted: %s",
                   about_source ? "destination" : "source", about_source ? "source" : "destination",
                   rule->name, rule->found, rule->wanted);
}

/* The verdict of this side, told and written down for the peer. */
static void tell_verdict(struct work *work, bool about_source)
{
    const struct verdict *verdict = &work->verdict;

    for (uint32_t i = 0; i < verdict->count; i++) {
        const struct verdict_rule *judged = &verdict->rule[i];
        struct message_rule rule = {.pass = judged->pass};
        size_t used;

        str_copy(rule.name, judged->name, sizeof(rule.name));
        str_copy(rule.found, judged->found, sizeof(rule.found));
        str_copy(rule.wanted, judged->wanted, sizeof(rule.wanted));
        tell_rule(&rule, about_source);
        used = encode_rule(work->rules + g_attestation.rules_length,
                           sizeof(work->rules) - g_attestation.rules_length, &rule);
        om_assert(used); /* There is room for RULES_MAX, and a verdict has fewer. */
        g_attestation.rules_length += used;
        g_attestation.rule_count++;
    }
}
_Static_assert((int)VERDICT_RULES_MAX <= (int)RULES_MAX, "a verdict fits into its message");

/* Where the program goes, the same operator has to go on deciding, by rules that are no older. */
static void judge_obedience(struct verdict *verdict, const struct hello *mine,
                            const struct hello *theirs)
{
    struct verdict_rule *rule =
        verdict_add(verdict, "policy-key",
                    memcmp(mine->policy_key, theirs->policy_key, sizeof(mine->policy_key)) == 0);
    struct words found = verdict_found(rule), wanted = verdict_wanted(rule);

    words_hex(&found, span_of(theirs->policy_key, sizeof(theirs->policy_key)));
    words_hex(&wanted, span_of(mine->policy_key, sizeof(mine->policy_key)));
    if (mine->role != ROLE_SOURCE)
        return;
    rule =
        verdict_add(verdict, "destination-policy", theirs->policy_version >= mine->policy_version);
    found = verdict_found(rule);
    wanted = verdict_wanted(rule);
    words_put(&found, "version ");
    words_number(&found, theirs->policy_version);
    words_put(&wanted, "version ");
    words_number(&wanted, mine->policy_version);
    words_put(&wanted, " or newer");
}

/* The verdict is in the work. */
static bool verify(const struct handshake *handshake, const struct message_evidence *evidence,
                   const uint8_t report_data[64])
{
    struct work *work = g_attestation.work;
    struct attest_question *question = &work->question;

    question->evidence = span_of(evidence->evidence, evidence->evidence_length);
    question->snp_table = evidence->certificates_length
                              ? span_of(evidence->certificates, evidence->certificates_length)
                              : (struct span){0};
    question->policy = &work->policy;
    question->policy_version_min = g_attestation.version_seen;
    question->now = g_host.now_ns(CLOCK_REALTIME) / 1000000000;
    question->report_data = span_of(report_data, 64);
    question->peer = span_text(g_attestation.peer);
    question->direction = handshake->role == ROLE_SOURCE ? ATTEST_OUT : ATTEST_IN;
    return attest_verify(&work->workspace, question, &work->verdict, &work->facts);
}

static bool judge_by_policy(const struct handshake *handshake,
                            const struct message_evidence *evidence, const uint8_t report_data[64])
{
    struct work *work = g_attestation.work;

    (void)verify(handshake, evidence, report_data); /* The rules that follow belong to it. */
    judge_obedience(&work->verdict, &handshake->mine, &handshake->theirs);
    tell_verdict(work, handshake->role == ROLE_DESTINATION);
    return verdict_passed(&work->verdict);
}

bool attestation_believes(const struct message_evidence *evidence, const uint8_t report_data[64])
{
    if (g_attestation.obeys)
        return verify(sealed_handshake(), evidence, report_data);
    return platform_verify(evidence->evidence, evidence->evidence_length, report_data) == 0;
}

void attestation_policy_digest(uint8_t out[32])
{
    memset(out, 0, 32);
    if (g_attestation.obeys)
        memcpy(out, g_attestation.policy_digest, 32);
}

bool attestation_registry(uint8_t out_key[POLICY_POINT_bytes], uint8_t out_digest[32])
{
    if (!g_attestation.obeys || !policy_registry(&g_attestation.work->policy, out_key))
        return false;
    signature_sha256(span_of(out_key, POLICY_POINT_bytes), out_digest);
    return true;
}

/* What the destination found out about this side. */
static void heed_verdict(const struct message_evidence *evidence)
{
    struct message_rule rule;
    size_t at = 0;

    while (at < evidence->rules_length &&
           !decode_rule(evidence->rules, evidence->rules_length, &at, &rule)) {
        tell_rule(&rule, true);
        g_attestation.refused_there = g_attestation.refused_there || !rule.pass;
    }
}

bool attestation_refused_there(void)
{
    return g_attestation.refused_there;
}

bool attestation_judge(const struct message *message)
{
    const struct handshake *handshake = sealed_handshake();
    struct message_evidence evidence;
    uint8_t report_data[64];
    int error = decode_evidence(message->body, message->length, &evidence);
    bool accepted;

    if (!error && handshake->role == ROLE_DESTINATION && evidence.rule_count)
        error = PROTOCOL_COUNT; /* A source has judged nobody yet. */
    if (error) {
        add_reason("the channel is broken: %s", protocol_error_text(error));
        return false;
    }
    handshake_report_data(handshake, handshake->theirs.role, report_data);
    heed_verdict(&evidence);
    if (g_attestation.obeys) {
        accepted = judge_by_policy(handshake, &evidence, report_data);
    } else {
        error = platform_verify(evidence.evidence, evidence.evidence_length, report_data);
        accepted = !error;
        if (error)
            add_reason("the channel is broken: %s", protocol_error_text(error));
    }
    return accepted && !g_attestation.refused_there;
}
