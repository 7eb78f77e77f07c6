/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a quote is of a genuine platform; quote.h.  Whether that platform is up to date is said
 * by collateral.c, what is quoted is judged by evaluate.c. */
#include "attest/chain_rule.h"
#include "attest/quote.h"

/* The PCK certificate is the first of the quote's chain; the store may have had others before. */
static const struct x509_certificate *find_pck(const struct x509_store *store)
{
    for (uint32_t i = 0; i < store->count; i++) {
        struct quote_platform platform;
        if (!quote_platform(&store->certificate[i], &platform))
            return &store->certificate[i];
    }
    return NULL;
}

/* Report data of the quoting enclave: SHA-256(attestation key || its data), then zeros. */
static bool key_is_quoting_enclaves(const struct quote *q)
{
    uint8_t bytes[64 + 1024], digest[32];
    const struct span data = q->quoting_data, said = q->quoting.report_data;
    if (data.length > sizeof bytes - 64)
        return false;
    memcpy(bytes, q->attestation_key.bytes, 64);
    memcpy(&bytes[64], data.bytes, data.length);
    signature_sha256(span_of(bytes, 64 + data.length), digest);
    return memcmp(said.bytes, digest, 32) == 0 && span_zero(span_of(&said.bytes[32], 32));
}

static bool signed_by_attestation_key(const struct quote *q)
{
    uint8_t point[65];
    point[0] = 4;
    memcpy(&point[1], q->attestation_key.bytes, 64);
    struct public_key key = {.kind = KEY_P256, .point = span_of(point, sizeof point)};
    return signature_verify(SIGNATURE_ECDSA_SHA256, &key, q->signed_bytes, q->signature);
}

bool quote_verify(const struct quote *q, const struct x509_store *store,
                  const struct x509_trust *trust, struct verdict *verdict,
                  struct quote_platform *out_platform)
{
    const struct x509_certificate *pck = find_pck(store);
    const char *reason =
        pck ? quote_platform(pck, out_platform) : "there is no PCK certificate with the quote";
    if (!verdict_say(verdict, "quote-platform", !reason, reason ? reason : "said",
                     "a PCK certificate that says which platform and TCB it is"))
        return false;
    bool chain = chain_rule(verdict, "quote-chain", store, pck, trust,
                            "from the PCK certificate to Intel's root, none revoked");
    bool report = signature_verify(SIGNATURE_ECDSA_SHA256, &pck->key, q->quoting_report,
                                   q->quoting_signature);
    verdict_say(verdict, "quote-enclave-report", report, report ? "good" : "does not verify",
                "the quoting enclave's report signed by the PCK key");
    bool key = key_is_quoting_enclaves(q);
    verdict_say(verdict, "quote-key", key, key ? "named" : "another key",
                "the attestation key that the quoting enclave's report names");
    bool is_signed = signed_by_attestation_key(q);
    verdict_say(verdict, "quote-signature", is_signed, is_signed ? "good" : "does not verify",
                "ECDSA P-256 by the attestation key over the quote");
    return chain && report && key && is_signed;
}
