/* SPDX-License-Identifier: Apache-2.0 */
/* Whether an SNP report is of a genuine chip; snp.h.  What the report says is another question:
 * evaluate.c. */
#include "attest/chain_rule.h"
#include "attest/snp.h"

static const char *key_name(uint32_t signing_key)
{
    return signing_key == SNP_KEY_VCEK   ? "SEV-VCEK"
           : signing_key == SNP_KEY_VLEK ? "SEV-VLEK"
                                         : NULL;
}

/* Reports of version 3 and later name the processor; it must be the certificate's. */
static bool processor_fits(const struct snp_report *report, enum snp_product product)
{
    if (report->version < 3)
        return true;
    uint8_t high = report->model >> 4;
    if (report->family == 0x19)
        return (product == SNP_MILAN && high == 0) ||
               (product == SNP_GENOA && (high == 1 || high == 10));
    return report->family == 0x1a && product == SNP_TURIN;
}

static bool tcb_fits(const struct snp_report *report, const struct snp_key_facts *facts)
{
    struct snp_tcb tcb;
    snp_tcb_of(report->reported_tcb, facts->product, &tcb);
    return memcmp(&tcb, &facts->tcb, sizeof tcb) == 0;
}

/* A chip's key signs for that chip only.  Turin's identifiers have 8 bytes, then zeros. */
static bool chip_fits(const struct snp_report *report, const struct snp_key_facts *facts)
{
    size_t length = facts->chip.length;
    if (report->signing_key == SNP_KEY_VLEK)
        return !facts->chip.bytes;
    if (report->chip_key_masked || (length != 8 && length != 64) || span_zero(facts->chip))
        return false;
    return span_equal(span_of(report->chip_id.bytes, length), facts->chip) &&
           span_zero(span_of(&report->chip_id.bytes[length], 64 - length));
}

static void tell_tcb(const struct snp_report *report, const struct snp_key_facts *facts,
                     struct verdict *verdict)
{
    struct snp_tcb tcb;
    struct verdict_rule *rule = verdict_add(verdict, "snp-key-tcb", tcb_fits(report, facts));
    struct words found = verdict_found(rule), wanted = verdict_wanted(rule);
    snp_tcb_of(report->reported_tcb, facts->product, &tcb);
    snp_tcb_words(&found, &tcb);
    snp_tcb_words(&wanted, &facts->tcb);
    words_put(&wanted, ", as its certificate says");
}

bool snp_verify(const struct snp_report *report, const struct x509_store *store,
                const struct x509_trust *trust, struct verdict *verdict,
                enum snp_product *out_product)
{
    const char *name = key_name(report->signing_key);
    const struct x509_certificate *key = name ? chain_find(store, name) : NULL;
    struct snp_key_facts facts;
    *out_product = SNP_PRODUCT_NONE;
    if (!verdict_say(verdict, "snp-key", key != NULL,
                     !name  ? "signed by no key of the chip or the provider"
                     : !key ? "its certificate is not in the collateral"
                            : name,
                     "signed by VCEK or VLEK, with its certificate"))
        return false;
    bool chain = chain_rule(verdict, "snp-chain", store, key, trust,
                            "from the signing key to a root of AMD");
    struct span signature = span_of(report->signature, sizeof report->signature);
    bool is_signed =
        signature_verify(SIGNATURE_ECDSA_SHA384, &key->key, report->signed_bytes, signature);
    verdict_say(verdict, "snp-signature", is_signed, is_signed ? "good" : "does not verify",
                "ECDSA P-384 by that key over the report");
    const char *reason = snp_key_facts(key, &facts);
    bool fits = !reason && processor_fits(report, facts.product);
    verdict_say(verdict, "snp-product", fits,
                reason ? reason
                : fits ? snp_product_name(facts.product)
                       : "the report is of another processor than its certificate",
                "a processor that is known, the certificate's");
    if (reason)
        return false;
    tell_tcb(report, &facts, verdict);
    bool chip = chip_fits(report, &facts);
    verdict_say(verdict, "snp-chip", chip,
                chip ? "the same" : "another chip, or its identifier is masked",
                report->signing_key == SNP_KEY_VLEK ? "none: a provider's key"
                                                    : "the chip that the certificate names");
    *out_product = facts.product;
    return chain && is_signed && fits && chip && tcb_fits(report, &facts);
}
