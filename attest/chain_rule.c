/* SPDX-License-Identifier: Apache-2.0 */
/* See chain_rule.h. */
#include "attest/chain_rule.h"

bool chain_rule(struct verdict *verdict, const char *rule_name, const struct x509_store *store,
                const struct x509_certificate *leaf, const struct x509_trust *trust,
                const char *wanted_path)
{
    const struct x509_certificate *where = leaf;
    char name[X509_NAME_TEXT_bytes];
    const char *reason = x509_verify(store, leaf, trust, &where);
    struct verdict_rule *rule = verdict_add(verdict, rule_name, !reason);
    struct words found = verdict_found(rule), wanted = verdict_wanted(rule);
    x509_common_name(where, name);
    words_put(&found, name);
    words_put(&found, ": ");
    words_put(&found, reason ? reason : "a trusted root, and all below it in force");
    words_put(&wanted, wanted_path);
    words_put(&wanted, ", each valid on ");
    words_date(&wanted, trust->now);
    return !reason;
}

const struct x509_certificate *chain_find(const struct x509_store *store, const char *name)
{
    for (uint32_t i = 0; i < store->count; i++) {
        char found[X509_NAME_TEXT_bytes];
        x509_common_name(&store->certificate[i], found);
        if (span_equal(span_text(found), span_text(name)))
            return &store->certificate[i];
    }
    return NULL;
}
