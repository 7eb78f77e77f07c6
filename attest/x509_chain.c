/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a certificate leads to a root that is trusted; x509.h.  The whole path is checked anew
 * each time, and there is only one way through it: the first issuer by name whose key fits. */
#include "attest/x509.h"

#include "attest/der.h"
#include "attest/pem.h"

void x509_store_init(struct x509_store *store)
{
    store->count = 0;
    store->used = 0;
}

static bool same_certificate(const struct x509_certificate *a, const struct x509_certificate *b)
{
    return span_equal(a->tbs, b->tbs) && span_equal(a->signature, b->signature);
}

/* The last bytes of the store's memory, length of them, are a certificate. */
static const char *add_bytes(struct x509_store *store, size_t length)
{
    if (store->count == X509_CERTIFICATES_MAX)
        return "more certificates than are looked at";
    struct x509_certificate *new = &store->certificate[store->count];
    const char *reason = x509_decode(span_of(&store->bytes[store->used], length), new);
    if (reason)
        return reason;
    for (uint32_t i = 0; i < store->count; i++)
        if (same_certificate(&store->certificate[i], new))
            return NULL;
    store->count++;
    store->used += length;
    return NULL;
}

const char *x509_store_add(struct x509_store *store, struct span text)
{
    if (!pem_is(text)) {
        if (!text.bytes || text.length > sizeof store->bytes - store->used)
            return "certificates are longer than is looked at";
        memcpy(&store->bytes[store->used], text.bytes, text.length);
        return add_bytes(store, text.length);
    }
    while (!pem_at_end(text)) {
        size_t length = pem_take(&text, "CERTIFICATE", &store->bytes[store->used],
                                 sizeof store->bytes - store->used);
        const char *reason = length ? add_bytes(store, length) : "not strict PEM certificates";
        if (reason)
            return reason;
    }
    return NULL;
}

static bool is_root(const struct x509_certificate *certificate, const struct x509_trust *trust)
{
    uint8_t digest[32];
    signature_sha256(certificate->key_info, digest);
    for (uint32_t i = 0; i < trust->root_count && i < X509_ROOTS_MAX; i++)
        if (memcmp(trust->root[i], digest, sizeof digest) == 0)
            return true;
    return false;
}

/* By name and key; itself for a certificate that is self-signed. */
static const struct x509_certificate *find_issuer(const struct x509_store *store,
                                                  const struct x509_certificate *of)
{
    for (uint32_t i = 0; i < store->count; i++) {
        const struct x509_certificate *candidate = &store->certificate[i];
        if (span_equal(candidate->subject, of->issuer) &&
            signature_verify_der(of->signature_kind, &candidate->key, of->tbs, of->signature))
            return candidate;
    }
    return NULL;
}

static bool crl_lists(const struct x509_crl *crl, struct span serial)
{
    struct der list = der_reader(crl->revoked);
    while (der_more(&list)) {
        struct der entry = der_enter(&list, DER_SEQUENCE);
        if (span_equal(der_take_unsigned(&entry), serial))
            return true;
    }
    return false;
}

/* A list of this issuer that does not verify is an attack or a mistake: refused, not passed over.
 */
static const char *check_revocation(const struct x509_certificate *certificate,
                                    const struct x509_certificate *issuer, bool needed,
                                    const struct x509_trust *trust)
{
    bool found = false;
    for (uint32_t i = 0; i < trust->crl_count && i < X509_CRLS_MAX; i++) {
        const struct x509_crl *crl = &trust->crl[i];
        if (!span_equal(crl->issuer, issuer->subject))
            continue;
        if (issuer->has_usage && !issuer->signs_crls)
            return "its issuer may not sign revocation lists";
        if (!signature_verify_der(crl->signature_kind, &issuer->key, crl->tbs, crl->signature))
            return "the revocation list of its issuer is not signed by it";
        if (trust->now < crl->this_update)
            return "the revocation list of its issuer is of the future";
        if (trust->now > crl->next_update)
            return "the revocation list of its issuer has expired";
        if (crl_lists(crl, certificate->serial))
            return "revoked";
        found = true;
    }
    return found || !needed ? NULL : "there is no revocation list of its issuer";
}

static const char *check_one(const struct x509_certificate *c, const struct x509_trust *trust)
{
    if (trust->now < c->not_before)
        return "not valid yet";
    if (trust->now > c->not_after)
        return "expired";
    return NULL;
}

/* below: how many authorities lie between this one and the leaf. */
static const char *check_authority(const struct x509_certificate *c, uint32_t below)
{
    if (!c->authority || (c->has_usage && !c->signs_certificates))
        return "not an authority";
    if (c->has_path_length && below > c->path_length)
        return "the path below it is longer than it allows";
    return NULL;
}

const char *x509_verify(const struct x509_store *store, const struct x509_certificate *leaf,
                        const struct x509_trust *trust, const struct x509_certificate **out_where)
{
    const struct x509_certificate *current = leaf;
    const char *reason = NULL;
    for (uint32_t depth = 0; depth < X509_PATH_MAX; depth++) {
        *out_where = current;
        reason = check_one(current, trust);
        if (!reason && depth > 0)
            reason = check_authority(current, depth - 1);
        if (reason)
            return reason;
        const struct x509_certificate *issuer = find_issuer(store, current);
        if (!issuer)
            return "the certificate of its issuer is missing, or did not sign it";
        if (is_root(current, trust))
            return issuer == current || same_certificate(issuer, current)
                       ? NULL
                       : "the root is not signed by itself";
        if (span_equal(current->subject, current->issuer))
            return "not one of the trusted roots";
        reason = check_revocation(current, issuer,
                                  depth == 0 ? trust->leaf_crl_needed : trust->crl_needed, trust);
        if (reason)
            return reason;
        current = issuer;
    }
    return "the chain is too long";
}
