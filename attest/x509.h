/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and revocation lists (RFC 5280), as much of them as AMD's and Intel's chains use.
 *
 * What is not understood is refused: other versions, keys, signatures, and any critical extension
 * that is not checked here.  Roots are known by the SHA-256 of their public key; a root's own
 * certificate, like every other, comes from whoever wants to be believed.
 */
#pragma once

#include "attest/signature.h"

enum {
    X509_CERTIFICATES_MAX = 8, /* in one store */
    X509_STORE_bytes = 16 * 1024,
    X509_CRLS_MAX = 4,
    X509_ROOTS_MAX = 8,
    X509_PATH_MAX = 4, /* leaf to root */
    X509_NAME_TEXT_bytes = 64,
};

struct x509_certificate {
    struct span tbs; /* what is signed */
    struct span serial, issuer, subject;
    struct span key_info; /* SubjectPublicKeyInfo: what a root's digest is of */
    struct span extensions;
    struct public_key key;
    uint64_t not_before, not_after;
    enum signature_kind signature_kind;
    struct span signature;
    bool authority, has_path_length, has_usage;
    bool signs_certificates, signs_crls; /* key usage */
    uint32_t path_length;
};

struct x509_crl {
    struct span tbs, issuer, revoked;
    uint64_t this_update, next_update;
    enum signature_kind signature_kind;
    struct span signature;
};

/* NULL if good, else in words why not.  The output points into der; it is cleared after an error.
 */
const char *x509_decode(struct span der, struct x509_certificate *out);
const char *x509_decode_crl(struct span der, struct x509_crl *out);

/* A SubjectPublicKeyInfo by itself. */
bool x509_decode_key(struct span der, struct public_key *out);

/* The contents of an extension's OCTET STRING; .bytes is NULL if there is none. */
struct span x509_extension(const struct x509_certificate *certificate, struct span oid);
/* The subject's common name, printable, cut if it is long. */
void x509_common_name(const struct x509_certificate *certificate, char out[X509_NAME_TEXT_bytes]);

/* Certificates that somebody brought along; none of them is believed.  They point into the store,
 * so it stays where it is. */
struct x509_store {
    uint32_t count;
    size_t used;
    struct x509_certificate certificate[X509_CERTIFICATES_MAX];
    uint8_t bytes[X509_STORE_bytes];
};

void x509_store_init(struct x509_store *store);
/* One certificate in DER, or one or more in PEM (a terminator may follow).  NULL if good.  One that
 * is there already is not added again. */
const char *x509_store_add(struct x509_store *store, struct span text);

struct x509_trust {
    uint64_t now; /* seconds since 1970 */
    uint32_t root_count;
    uint8_t root[X509_ROOTS_MAX][32]; /* SHA-256 of SubjectPublicKeyInfo */
    uint32_t crl_count;
    struct x509_crl crl[X509_CRLS_MAX];
    bool crl_needed;      /* for authorities: without one in force the chain is refused */
    bool leaf_crl_needed; /* for the leaf */
};

/*
 * From leaf through the store to a root: signatures, names, validity, authority, path length,
 * revocation.  NULL if good; else *out_where is the certificate that is meant.
 */
const char *x509_verify(const struct x509_store *store, const struct x509_certificate *leaf,
                        const struct x509_trust *trust, const struct x509_certificate **out_where);
