/* SPDX-License-Identifier: Apache-2.0 */
/* See collateral.h.  A text is parsed only after its signature verified. */
#include "attest/collateral.h"

#include "attest/chain_rule.h"
#include "attest/date.h"
#include "attest/value.h"

enum { TCB_COMPONENTS = 16 };

const char *tcb_status_name(enum tcb_status status)
{
    switch (status) {
    case TCB_UP_TO_DATE:
        return "UpToDate";
    case TCB_SW_HARDENING_NEEDED:
        return "SWHardeningNeeded";
    case TCB_CONFIGURATION_NEEDED:
        return "ConfigurationNeeded";
    case TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED:
        return "ConfigurationAndSWHardeningNeeded";
    case TCB_OUT_OF_DATE:
        return "OutOfDate";
    case TCB_OUT_OF_DATE_CONFIGURATION_NEEDED:
        return "OutOfDateConfigurationNeeded";
    case TCB_REVOKED:
        return "Revoked";
    default:
        return "Unknown (no level of Intel's is reached)";
    }
}

enum tcb_status tcb_status_from(struct span word)
{
    for (int status = 0; status < TCB_UNKNOWN; status++)
        if (span_equal(word, span_text(tcb_status_name((enum tcb_status)status))))
            return (enum tcb_status)status;
    return TCB_UNKNOWN;
}

/* An outdated quoting enclave or TDX module makes the platform outdated (Intel's quote verification
 * library has the same table). */
static enum tcb_status converge(enum tcb_status platform, enum tcb_status other)
{
    if (platform == TCB_UNKNOWN || other == TCB_UNKNOWN)
        return TCB_UNKNOWN;
    if (platform == TCB_REVOKED || other == TCB_REVOKED)
        return TCB_REVOKED;
    if (other == TCB_UP_TO_DATE)
        return platform;
    if (platform == TCB_CONFIGURATION_NEEDED ||
        platform == TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED ||
        platform == TCB_OUT_OF_DATE_CONFIGURATION_NEEDED)
        return TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
    return TCB_OUT_OF_DATE;
}

static enum tcb_status level_status(const struct value *level)
{
    struct value word = value_member(level, "tcbStatus");
    return word.kind == VALUE_STRING ? tcb_status_from(word.text) : TCB_UNKNOWN;
}

/* ---- Who says so ---- */

static bool verify_signer(const struct x509_store *store, const struct x509_trust *trust,
                          struct verdict *verdict, const struct x509_certificate **out_signer)
{
    const char *wanted = "from the TCB signing certificate to Intel's root, none revoked";
    struct x509_trust of_leaf = *trust; /* It is below the root: the root's list names it. */
    of_leaf.leaf_crl_needed = trust->crl_needed;
    *out_signer = chain_find(store, "Intel SGX TCB Signing");
    if (!*out_signer)
        return verdict_say(verdict, "collateral-chain", false,
                           "Intel's TCB signing certificate is not in the collateral", wanted);
    return chain_rule(verdict, "collateral-chain", store, *out_signer, &of_leaf, wanted);
}

/* The fields that both texts have: signature, what it is, in force. */
static const char *check_text(struct span text, struct span signature,
                              const struct x509_certificate *signer, const char *id,
                              uint64_t version, uint64_t now, struct value *out,
                              uint64_t *out_evaluation)
{
    uint64_t number, issued, next;
    memset(out, 0, sizeof *out);
    if (!text.bytes)
        return "missing";
    if (!signature_verify(SIGNATURE_ECDSA_SHA256, &signer->key, text, signature))
        return "its signature does not verify";
    const char *reason = value_parse(text, out);
    if (reason)
        return reason;
    struct value what = value_member(out, "id"), form = value_member(out, "version");
    struct value from = value_member(out, "issueDate"), to = value_member(out, "nextUpdate");
    struct value evaluation = value_member(out, "tcbEvaluationDataNumber");
    if (!value_is(&what, id) || !value_number(&form, &number) || number != version)
        return "it is of another kind or version";
    if (from.kind != VALUE_STRING || to.kind != VALUE_STRING || !date_parse(from.text, &issued) ||
        !date_parse(to.text, &next) || !value_number(&evaluation, out_evaluation))
        return "its dates or its number are malformed";
    if (now < issued)
        return "it is of the future";
    return now > next ? "it has expired" : NULL;
}

static bool tell_text(struct verdict *verdict, const char *rule_name, const char *reason,
                      const struct value *text, uint64_t now)
{
    struct verdict_rule *rule = verdict_add(verdict, rule_name, !reason);
    struct words found = verdict_found(rule), wanted = verdict_wanted(rule);
    struct value next = value_member(text, "nextUpdate");
    words_put(&found, reason ? reason : "signed, for this platform, in force");
    if (next.kind == VALUE_STRING) {
        words_put(&found, ", until ");
        words_put_span(&found, next.text);
    }
    words_put(&wanted, "signed by Intel, in force on ");
    words_date(&wanted, now);
    return !reason;
}

/* ---- The platform's level ---- */

/* Every component of ours, from index first on, is at least the level's. */
static bool components_reach(const struct value *list, const uint8_t *ours, size_t first)
{
    struct value_walk walk = value_walk(list);
    struct value component;
    size_t i = 0;
    while (value_next(&walk, NULL, &component)) {
        struct value svn = value_member(&component, "svn");
        uint64_t number;
        if (i == TCB_COMPONENTS || !value_number(&svn, &number) || (i >= first && ours[i] < number))
            return false;
        i++;
    }
    return i == TCB_COMPONENTS;
}

static bool level_reached(const struct value *level, const struct quote *q,
                          const struct quote_platform *platform)
{
    struct value tcb = value_member(level, "tcb");
    struct value sgx = value_member(&tcb, "sgxtcbcomponents"), pce = value_member(&tcb, "pcesvn");
    struct value tdx = value_member(&tcb, "tdxtcbcomponents");
    uint64_t number;
    if (!components_reach(&sgx, platform->tcb, 0) || !value_number(&pce, &number) ||
        platform->pce_svn < number)
        return false;
    if (q->tee == QUOTE_SGX)
        return true;
    /* Module versions above 0 have identities of their own; the first two numbers are theirs. */
    const uint8_t *ours = q->domain.tcb_svn.bytes;
    return components_reach(&tdx, ours, ours[1] > 0 ? 2 : 0);
}

/* Levels come from best to worst; the first that is reached counts. */
static enum tcb_status platform_status(const struct value *info, const struct quote *q,
                                       const struct quote_platform *platform)
{
    struct value levels = value_member(info, "tcbLevels"), level;
    struct value_walk walk = value_walk(&levels);
    while (value_next(&walk, NULL, &level))
        if (level_reached(&level, q, platform))
            return level_status(&level);
    return TCB_UNKNOWN;
}

static enum tcb_status svn_status(const struct value *identity, uint64_t svn)
{
    struct value levels = value_member(identity, "tcbLevels"), level;
    struct value_walk walk = value_walk(&levels);
    while (value_next(&walk, NULL, &level)) {
        struct value tcb = value_member(&level, "tcb"), number = value_member(&tcb, "isvsvn");
        uint64_t least;
        if (value_number(&number, &least) && svn >= least)
            return level_status(&level);
    }
    return TCB_UNKNOWN;
}

static bool fits_platform(const struct value *info, const struct quote_platform *platform)
{
    struct value fmspc = value_member(info, "fmspc"), pce = value_member(info, "pceId");
    struct value type = value_member(info, "tcbType");
    uint8_t family[6], id[2];
    uint64_t number;
    return value_hex(&fmspc, family, sizeof family) && value_hex(&pce, id, sizeof id) &&
           memcmp(family, platform->fmspc, sizeof family) == 0 &&
           memcmp(id, platform->pce_id, sizeof id) == 0 && value_number(&type, &number) &&
           number == 0;
}

/* ---- The TDX module ---- */

/* value & mask == wanted, for all bytes. */
static bool masked_equal(struct span value, const struct value *wanted, const struct value *mask)
{
    uint8_t w[16], m[16];
    if (value.length > sizeof w || !value_hex(wanted, w, value.length) ||
        !value_hex(mask, m, value.length))
        return false;
    for (size_t i = 0; i < value.length; i++)
        if ((value.bytes[i] & m[i]) != w[i])
            return false;
    return true;
}

static bool module_fits(const struct value *identity, const struct quote_domain *domain)
{
    struct value signer = value_member(identity, "mrsigner");
    struct value wanted = value_member(identity, "attributes");
    struct value mask = value_member(identity, "attributesMask");
    uint8_t bytes[48];
    return value_hex(&signer, bytes, sizeof bytes) &&
           span_equal(domain->mrsignerseam, span_of(bytes, sizeof bytes)) &&
           masked_equal(domain->seam_attributes, &wanted, &mask);
}

/* "TDX_03" for version 3. */
static struct value find_module(const struct value *info, uint8_t version)
{
    char id[] = "TDX_00";
    struct value list = value_member(info, "tdxModuleIdentities"), identity;
    struct value_walk walk = value_walk(&list);
    struct words w = words_start(&id[4], 3);
    words_hex(&w, span_of(&version, 1));
    while (value_next(&walk, NULL, &identity)) {
        struct value name = value_member(&identity, "id");
        if (value_is(&name, id))
            return identity;
    }
    return (struct value){VALUE_NONE, {NULL, 0}};
}

static enum tcb_status module_status(const struct value *info, const struct quote_domain *domain,
                                     struct verdict *verdict)
{
    uint8_t version = domain->tcb_svn.bytes[1];
    struct value plain = value_member(info, "tdxModule");
    struct value identity = version > 0 ? find_module(info, version) : plain;
    bool fits = identity.kind == VALUE_OBJECT && module_fits(&identity, domain);
    enum tcb_status status = !fits         ? TCB_UNKNOWN
                             : version > 0 ? svn_status(&identity, domain->tcb_svn.bytes[0])
                                           : TCB_UP_TO_DATE; /* judged with the platform */
    struct verdict_rule *rule =
        verdict_add(verdict, "tdx-module", fits && status != TCB_UNKNOWN && status != TCB_REVOKED);
    struct words found = verdict_found(rule), wanted = verdict_wanted(rule);
    words_put(&found, "version ");
    words_number(&found, version);
    words_put(&found, ", svn ");
    words_number(&found, domain->tcb_svn.bytes[0]);
    words_put(&found, fits ? ": " : ": signer or attributes are not Intel's");
    words_put(&found, fits ? tcb_status_name(status) : "");
    words_put(&wanted, "a module of Intel's that is known");
    return status;
}

/* ---- The quoting enclave ---- */

static bool enclave_fits(const struct value *identity, const struct quote_enclave *e)
{
    struct value signer = value_member(identity, "mrsigner");
    struct value product = value_member(identity, "isvprodid");
    struct value misc = value_member(identity, "miscselect");
    struct value misc_mask = value_member(identity, "miscselectMask");
    struct value attributes = value_member(identity, "attributes");
    struct value attributes_mask = value_member(identity, "attributesMask");
    uint8_t bytes[32];
    /* In the text the bytes stand as in memory. */
    const uint8_t select[4] = {(uint8_t)e->misc_select, (uint8_t)(e->misc_select >> 8),
                               (uint8_t)(e->misc_select >> 16), (uint8_t)(e->misc_select >> 24)};
    uint64_t number;
    return value_hex(&signer, bytes, sizeof bytes) &&
           span_equal(e->mrsigner, span_of(bytes, sizeof bytes)) &&
           value_number(&product, &number) && number == e->product &&
           masked_equal(span_of(select, 4), &misc, &misc_mask) &&
           masked_equal(e->attributes, &attributes, &attributes_mask);
}

static enum tcb_status quoting_status(const struct value *identity, const struct quote_enclave *e,
                                      struct verdict *verdict)
{
    bool fits = enclave_fits(identity, e);
    enum tcb_status status = fits ? svn_status(identity, e->svn) : TCB_UNKNOWN;
    struct verdict_rule *rule = verdict_add(verdict, "quoting-enclave",
                                            fits && status != TCB_UNKNOWN && status != TCB_REVOKED);
    struct words found = verdict_found(rule), wanted = verdict_wanted(rule);
    words_put(&found, "svn ");
    words_number(&found, e->svn);
    words_put(&found, fits ? ": " : ": signer, product, attributes or misc select are others");
    words_put(&found, fits ? tcb_status_name(status) : "");
    words_put(&wanted, "Intel's quoting enclave, as its identity describes it");
    return status;
}

bool collateral_verify(const struct quote *q, const struct quote_platform *platform,
                       const struct collateral *collateral, const struct x509_store *store,
                       const struct x509_trust *trust, struct verdict *verdict,
                       struct collateral_facts *out)
{
    const bool tdx = q->tee == QUOTE_TDX;
    const struct x509_certificate *signer;
    struct value info, identity;
    uint64_t info_number = 0, identity_number = 0;
    *out = (struct collateral_facts){.status = TCB_UNKNOWN};
    if (!verify_signer(store, trust, verdict, &signer))
        return false;
    const char *reason = check_text(collateral->tcb_info, collateral->tcb_info_signature, signer,
                                    tdx ? "TDX" : "SGX", 3, trust->now, &info, &info_number);
    if (!reason && !fits_platform(&info, platform))
        reason = "it is of another platform than the quote";
    bool good = tell_text(verdict, "tcb-info", reason, &info, trust->now);
    reason = check_text(collateral->qe_identity, collateral->qe_identity_signature, signer,
                        tdx ? "TD_QE" : "QE", 2, trust->now, &identity, &identity_number);
    good = tell_text(verdict, "quoting-identity", reason, &identity, trust->now) && good;
    if (!good)
        return false;
    enum tcb_status status = platform_status(&info, q, platform);
    if (tdx)
        status = converge(status, module_status(&info, &q->domain, verdict));
    out->status = converge(status, quoting_status(&identity, &q->quoting, verdict));
    out->evaluation_number = info_number < identity_number ? info_number : identity_number;
    return true;
}
