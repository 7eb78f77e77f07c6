/* SPDX-License-Identifier: Apache-2.0 */
/* The order of things for each platform; attest.h. */
#include "attest/attest.h"

#include "attest/roots.h"
#include "protocol/protocol.h"
#include "protocol/wire.h"

enum { SIM_MEASUREMENT_AT = 4, SIM_DATA_AT = 36, SIM_KEY_AT = 100, SIM_KEY_SIZE = 65 };

const char *attest_platform_name(enum attest_platform platform)
{
    switch (platform) {
    case ATTEST_SIM:
        return "sim";
    case ATTEST_SNP:
        return "snp";
    case ATTEST_TDX:
        return "tdx";
    case ATTEST_SGX:
        return "sgx";
    default:
        return "unknown";
    }
}

enum attest_platform attest_platform_of(struct span evidence)
{
    struct wire w = wire_reader(evidence.bytes, evidence.length);
    if (evidence.length == SIM_EVIDENCE_SIZE && memcmp(evidence.bytes, "SIM1", 4) == 0)
        return ATTEST_SIM;
    if (snp_is_report(evidence))
        return ATTEST_SNP;
    if (!quote_is(evidence))
        return ATTEST_NONE;
    wire_take_u32(&w); /* version and kind of key */
    return wire_take_u32(&w) == QUOTE_TDX ? ATTEST_TDX : ATTEST_SGX;
}

static bool fill_trust(struct attest_workspace *ws, const struct attest_question *question,
                       const char *vendor, struct verdict *verdict)
{
    const char *reason = NULL;
    memset(&ws->trust, 0, sizeof ws->trust);
    ws->trust.now = question->now;
    roots_fill(&ws->trust, question->policy, vendor);
    for (uint32_t i = 0; !reason && i < question->certificate_count; i++)
        reason = i < ATTEST_CERTIFICATES_MAX ? x509_store_add(&ws->store, question->certificates[i])
                                             : "more certificates than are looked at";
    for (uint32_t i = 0; !reason && i < question->crl_count; i++)
        reason = i < X509_CRLS_MAX
                     ? x509_decode_crl(question->crls[i], &ws->trust.crl[ws->trust.crl_count++])
                     : "more revocation lists than are looked at";
    if (!reason && question->snp_table.bytes)
        reason = snp_add_table(&ws->store, question->snp_table);
    if (reason)
        verdict_say(verdict, "collateral", false, reason,
                    "certificates and lists that are well formed");
    return !reason;
}

static bool verify_sim(const struct attest_question *question, struct verdict *verdict,
                       struct attest_facts *facts)
{
    const uint8_t *bytes = question->evidence.bytes;
    struct value section = policy_section(question->policy, "sim");
    uint8_t key[32];
    facts->measurement = span_of(&bytes[SIM_MEASUREMENT_AT], 32);
    facts->report_data = span_of(&bytes[SIM_DATA_AT], 64);
    int error = sim_verify(bytes, question->evidence.length, facts->measurement.bytes,
                           facts->report_data.bytes);
    evaluate_common(question, facts, verdict);
    verdict_say(verdict, "sim-signature", !error, error ? protocol_error_text(error) : "good",
                "ECDSA P-256 by the host's key");
    evaluate_listed(verdict, "measurement", &section, "measurements", facts->measurement, true);
    signature_sha256(span_of(&bytes[SIM_KEY_AT], SIM_KEY_SIZE), key);
    evaluate_listed(verdict, "host-key", &section, "keys", span_of(key, sizeof key), false);
    return true;
}

static bool verify_snp(struct attest_workspace *ws, const struct attest_question *question,
                       struct verdict *verdict, struct attest_facts *facts)
{
    const char *reason = snp_decode(question->evidence, &ws->snp);
    struct value section = policy_section(question->policy, "snp");
    struct value revocation = value_member(&section, "revocation");
    enum snp_product product = SNP_PRODUCT_NONE;
    if (!verdict_say(verdict, "evidence", !reason, reason ? reason : "an SNP report",
                     "a report whose reserved fields are zero"))
        return false;
    facts->version = ws->snp.version;
    facts->measurement = ws->snp.measurement;
    facts->signer = ws->snp.id_key_digest;
    facts->report_data = ws->snp.report_data;
    facts->debug = (ws->snp.policy >> SNP_POLICY_DEBUG & 1) != 0;
    facts->migratable = (ws->snp.policy >> SNP_POLICY_MIGRATION_AGENT & 1) != 0;
    evaluate_common(question, facts, verdict);
    if (!fill_trust(ws, question, "amd", verdict))
        return false;
    ws->trust.crl_needed = !value_is(&revocation, "if-present");
    snp_verify(&ws->snp, &ws->store, &ws->trust, verdict, &product);
    evaluate_snp(question->policy, &ws->snp, product, verdict);
    return true;
}

static bool verify_quote(struct attest_workspace *ws, const struct attest_question *question,
                         struct verdict *verdict, struct attest_facts *facts)
{
    const struct quote *q = &ws->quote;
    const char *reason = quote_decode(question->evidence, &ws->quote);
    struct quote_platform platform;
    struct collateral_facts collateral = {.status = TCB_UNKNOWN};
    if (!verdict_say(verdict, "evidence", !reason, reason ? reason : "a DCAP quote",
                     "a quote whose parts fit together"))
        return false;
    bool sgx = q->tee == QUOTE_SGX;
    facts->version = q->version;
    facts->measurement = sgx ? q->enclave.mrenclave : q->domain.mrtd;
    facts->signer = sgx ? q->enclave.mrsigner : q->domain.mrowner;
    facts->report_data = quote_report_data(q);
    facts->debug = quote_debug(q);
    facts->migratable = quote_migratable(q);
    evaluate_common(question, facts, verdict);
    reason = x509_store_add(&ws->store, q->certificates);
    if (reason) {
        verdict_say(verdict, "quote-certificates", false, reason, "a chain in strict PEM");
        return false;
    }
    if (!fill_trust(ws, question, "intel", verdict))
        return false;
    ws->trust.crl_needed = ws->trust.leaf_crl_needed = true;
    bool genuine = quote_verify(q, &ws->store, &ws->trust, verdict, &platform);
    /* Collateral is chosen by what the certificate says, so an unbelieved one is not followed. */
    if (genuine)
        genuine = collateral_verify(q, &platform, &question->collateral, &ws->store, &ws->trust,
                                    verdict, &collateral);
    evaluate_quote(question->policy, q, &collateral, verdict);
    return genuine;
}

bool attest_verify(struct attest_workspace *ws, const struct attest_question *question,
                   struct verdict *verdict, struct attest_facts *out_facts)
{
    bool asked = false;
    verdict_init(verdict);
    memset(out_facts, 0, sizeof *out_facts);
    x509_store_init(&ws->store);
    out_facts->platform = attest_platform_of(question->evidence);
    switch (out_facts->platform) {
    case ATTEST_SIM:
        asked = verify_sim(question, verdict, out_facts);
        break;
    case ATTEST_SNP:
        asked = verify_snp(ws, question, verdict, out_facts);
        break;
    case ATTEST_TDX:
    case ATTEST_SGX:
        asked = verify_quote(ws, question, verdict, out_facts);
        break;
    default:
        verdict_say(verdict, "evidence", false, "neither of sim, nor an SNP report, nor a quote",
                    "evidence of a platform that is known");
    }
    verdict->complete = asked;
    return verdict_passed(verdict);
}
