/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of certificates and revocation lists; x509.h.  What they are worth: x509_chain.c. */
#include "attest/x509.h"

#include "attest/der.h"

static const uint8_t g_ecdsa_sha256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2};
static const uint8_t g_ecdsa_sha384[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3};
/* The whole AlgorithmIdentifier: SHA-384, MGF1 with SHA-384, salt 48, trailer 1 (AMD spells the
 * default out). */
static const uint8_t g_pss_sha384[] = {
    0x30, 0x46, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a, 0x30, 0x39,
    0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02,
    0x05, 0x00, 0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
    0x01, 0x08, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02,
    0x05, 0x00, 0xa2, 0x03, 0x02, 0x01, 0x30, 0xa3, 0x03, 0x02, 0x01, 0x01};
static const uint8_t g_ec_key[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1};
static const uint8_t g_p256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
static const uint8_t g_p384[] = {0x2b, 0x81, 4, 0, 34};
static const uint8_t g_rsa_key[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1};
static const uint8_t g_common_name[] = {0x55, 4, 3};
static const uint8_t g_key_usage[] = {0x55, 0x1d, 15};
static const uint8_t g_basic_constraints[] = {0x55, 0x1d, 19};

#define OID(array) span_of(array, sizeof(array))

/* AlgorithmIdentifier of a signature; *out_whole is compared with its other copy. */
static enum signature_kind take_signature_kind(struct der *d, struct span *out_whole)
{
    struct der algorithm = der_reader(der_take(d, DER_SEQUENCE, out_whole));
    struct span oid = der_take(&algorithm, DER_OID, NULL);
    enum signature_kind kind = SIGNATURE_NONE;
    if (span_equal(*out_whole, OID(g_pss_sha384)))
        return SIGNATURE_RSA_PSS_SHA384;
    if (span_equal(oid, OID(g_ecdsa_sha256)))
        kind = SIGNATURE_ECDSA_SHA256;
    else if (span_equal(oid, OID(g_ecdsa_sha384)))
        kind = SIGNATURE_ECDSA_SHA384;
    return der_complete(&algorithm) ? kind : SIGNATURE_NONE; /* ECDSA has no parameters. */
}

static void take_rsa_key(struct span bits, struct public_key *out)
{
    struct der d = der_reader(bits), pair = der_enter(&d, DER_SEQUENCE);
    out->modulus = der_take_unsigned(&pair);
    out->exponent = der_take_unsigned(&pair);
    der_leave(&d, &pair);
    if (der_complete(&d))
        out->kind = KEY_RSA;
}

/* SubjectPublicKeyInfo.  An unknown kind of key is KEY_NONE. */
static void take_key(struct der *d, struct public_key *out, struct span *out_whole)
{
    struct der info = der_reader(der_take(d, DER_SEQUENCE, out_whole));
    struct der algorithm = der_enter(&info, DER_SEQUENCE);
    struct span oid = der_take(&algorithm, DER_OID, NULL), curve = {NULL, 0};
    bool rsa = span_equal(oid, OID(g_rsa_key)), ec = span_equal(oid, OID(g_ec_key));
    if (rsa)
        der_take(&algorithm, DER_NULL, NULL);
    else
        curve = der_take(&algorithm, DER_OID, NULL);
    der_leave(&info, &algorithm);
    struct span bits = der_take_octet_bits(&info);
    if (!der_complete(&info)) {
        d->failed = true;
        return;
    }
    out->point = bits;
    if (rsa)
        take_rsa_key(bits, out);
    else if (ec && span_equal(curve, OID(g_p256)) && bits.length == 65)
        out->kind = KEY_P256;
    else if (ec && span_equal(curve, OID(g_p384)) && bits.length == 97)
        out->kind = KEY_P384;
}

bool x509_decode_key(struct span der, struct public_key *out)
{
    struct der d = der_reader(der);
    struct span whole;
    memset(out, 0, sizeof *out);
    take_key(&d, out, &whole);
    return der_complete(&d) && out->kind != KEY_NONE;
}

/* Any Name; only its form is checked.  Names are compared as bytes. */
static struct span take_name(struct der *d)
{
    struct span whole;
    struct der name = der_reader(der_take(d, DER_SEQUENCE, &whole));
    while (der_more(&name)) {
        struct der set = der_enter(&name, DER_SET);
        der_take(&set, DER_SEQUENCE, NULL);
        der_leave(&name, &set);
    }
    if (!der_complete(&name))
        d->failed = true;
    return whole;
}

static void decode_basic_constraints(struct span value, struct x509_certificate *out,
                                     const char **reason)
{
    struct der d = der_reader(value), inner = der_enter(&d, DER_SEQUENCE);
    if (der_next_is(&inner, DER_BOOLEAN)) {
        struct span yes = der_take(&inner, DER_BOOLEAN, NULL);
        out->authority = yes.length == 1 && yes.bytes[0] == 0xff;
        inner.failed = inner.failed || !out->authority; /* FALSE is the default, so not encoded */
    }
    if (out->authority && der_next_is(&inner, DER_INTEGER)) {
        out->has_path_length = true;
        out->path_length = (uint32_t)der_take_number(&inner, X509_PATH_MAX);
    }
    der_leave(&d, &inner);
    if (!der_complete(&d))
        *reason = "basic constraints are malformed";
}

/* Named bits, first bit highest: 0 digital signature, ... 5 certificates, 6 CRLs. */
static void decode_key_usage(struct span value, struct x509_certificate *out, const char **reason)
{
    struct der d = der_reader(value);
    struct span bits = der_take(&d, DER_BIT_STRING, NULL);
    if (!der_complete(&d) || bits.length < 2 || bits.length > 3 || bits.bytes[0] > 7) {
        *reason = "the key usage is malformed";
        return;
    }
    out->has_usage = true;
    out->signs_certificates = (bits.bytes[1] & 0x04) != 0;
    out->signs_crls = (bits.bytes[1] & 0x02) != 0;
}

struct extension {
    struct span oid, value;
    bool critical;
};

static struct extension take_extension(struct der *list)
{
    struct extension e = {.critical = false};
    struct der d = der_enter(list, DER_SEQUENCE);
    e.oid = der_take(&d, DER_OID, NULL);
    if (der_next_is(&d, DER_BOOLEAN)) {
        struct span yes = der_take(&d, DER_BOOLEAN, NULL);
        e.critical = yes.length == 1 && yes.bytes[0] == 0xff;
        d.failed = d.failed || !e.critical;
    }
    e.value = der_take(&d, DER_OCTET_STRING, NULL);
    der_leave(list, &d);
    return e;
}

/* Does oid occur in the extensions before offset end? */
static bool occurs_before(struct span extensions, struct span oid, size_t end)
{
    struct der list = der_reader(extensions);
    while (der_more(&list) && list.at < end)
        if (span_equal(take_extension(&list).oid, oid))
            return true;
    return false;
}

static const char *decode_extensions(struct x509_certificate *out)
{
    struct der list = der_reader(out->extensions);
    const char *reason = NULL;
    while (der_more(&list) && !reason) {
        size_t start = list.at;
        struct extension e = take_extension(&list);
        if (list.failed)
            break;
        if (occurs_before(out->extensions, e.oid, start))
            reason = "an extension occurs twice";
        else if (span_equal(e.oid, OID(g_basic_constraints)))
            decode_basic_constraints(e.value, out, &reason);
        else if (span_equal(e.oid, OID(g_key_usage)))
            decode_key_usage(e.value, out, &reason);
        else if (e.critical)
            reason = "a critical extension is not known";
    }
    return reason || der_complete(&list) ? reason : "extensions are malformed";
}

/* The outermost SEQUENCE of certificates and CRLs: what is signed, how, the signature. */
static struct der enter_signed(struct span der, struct span *out_tbs, struct span *out_kind,
                               enum signature_kind *out_signature_kind, struct span *out_signature)
{
    struct der d = der_reader(der), outer = der_enter(&d, DER_SEQUENCE);
    struct der inner = der_reader(der_take(&outer, DER_SEQUENCE, out_tbs));
    *out_signature_kind = take_signature_kind(&outer, out_kind);
    *out_signature = der_take_octet_bits(&outer);
    der_leave(&d, &outer);
    inner.failed = inner.failed || !der_complete(&d);
    return inner;
}

static const char *decode_certificate(struct span der, struct x509_certificate *out)
{
    struct span outer_kind, inner_kind;
    struct der d = enter_signed(der, &out->tbs, &outer_kind, &out->signature_kind, &out->signature);
    struct der version = der_enter(&d, DER_CONTEXT + 0);
    if (der_take_number(&version, 2) != 2)
        return "not a certificate of version 3";
    der_leave(&d, &version);
    out->serial = der_take_unsigned(&d);
    take_signature_kind(&d, &inner_kind);
    out->issuer = take_name(&d);
    struct der validity = der_enter(&d, DER_SEQUENCE);
    out->not_before = der_take_time(&validity);
    out->not_after = der_take_time(&validity);
    der_leave(&d, &validity);
    out->subject = take_name(&d);
    take_key(&d, &out->key, &out->key_info);
    struct der wrapped = der_enter(&d, DER_CONTEXT + 3);
    out->extensions = der_take(&wrapped, DER_SEQUENCE, NULL);
    der_leave(&d, &wrapped);
    if (!der_complete(&d))
        return "the certificate is not strict DER, or lacks a field";
    if (!span_equal(outer_kind, inner_kind) || out->signature_kind == SIGNATURE_NONE)
        return "the certificate has an unknown kind of signature";
    if (out->key.kind == KEY_NONE)
        return "the certificate has an unknown kind of key";
    return decode_extensions(out);
}

const char *x509_decode(struct span der, struct x509_certificate *out)
{
    memset(out, 0, sizeof *out);
    const char *reason = decode_certificate(der, out);
    if (reason)
        memset(out, 0, sizeof *out);
    return reason;
}

/* Extensions of a list or of an entry: none may be critical (a partial list would be). */
static void check_crl_extensions(struct der *list)
{
    while (der_more(list))
        if (take_extension(list).critical)
            list->failed = true;
}

static void check_revoked(struct der *d, struct span revoked)
{
    struct der list = der_reader(revoked);
    while (der_more(&list)) {
        struct der entry = der_enter(&list, DER_SEQUENCE);
        der_take_unsigned(&entry);
        der_take_time(&entry);
        if (der_next_is(&entry, DER_SEQUENCE)) {
            struct der extensions = der_enter(&entry, DER_SEQUENCE);
            check_crl_extensions(&extensions);
            der_leave(&entry, &extensions);
        }
        der_leave(&list, &entry);
    }
    if (!der_complete(&list))
        d->failed = true;
}

static const char *decode_crl(struct span der, struct x509_crl *out)
{
    struct span outer_kind, inner_kind;
    struct der d = enter_signed(der, &out->tbs, &outer_kind, &out->signature_kind, &out->signature);
    if (der_next_is(&d, DER_INTEGER) && der_take_number(&d, 1) != 1) /* version 1 is not written */
        return "the revocation list is of an unknown version";
    take_signature_kind(&d, &inner_kind);
    out->issuer = take_name(&d);
    out->this_update = der_take_time(&d);
    out->next_update = der_take_time(&d);
    out->revoked = span_of("", 0);
    if (der_next_is(&d, DER_SEQUENCE))
        out->revoked = der_take(&d, DER_SEQUENCE, NULL);
    check_revoked(&d, out->revoked);
    if (der_more(&d)) {
        struct der wrapped = der_enter(&d, DER_CONTEXT + 0);
        struct der extensions = der_enter(&wrapped, DER_SEQUENCE);
        check_crl_extensions(&extensions);
        der_leave(&wrapped, &extensions);
        der_leave(&d, &wrapped);
    }
    if (!der_complete(&d))
        return "the revocation list is not strict DER, or has a critical extension";
    if (!span_equal(outer_kind, inner_kind) || out->signature_kind == SIGNATURE_NONE)
        return "the revocation list has an unknown kind of signature";
    return NULL;
}

const char *x509_decode_crl(struct span der, struct x509_crl *out)
{
    memset(out, 0, sizeof *out);
    const char *reason = decode_crl(der, out);
    if (reason)
        memset(out, 0, sizeof *out);
    return reason;
}

struct span x509_extension(const struct x509_certificate *certificate, struct span oid)
{
    struct der list = der_reader(certificate->extensions);
    while (der_more(&list)) {
        struct extension e = take_extension(&list);
        if (!list.failed && span_equal(e.oid, oid))
            return e.value;
    }
    return span_of(NULL, 0);
}

/* The text of an attribute if it is the common name. */
static struct span common_name_of(struct der *set)
{
    struct der pair = der_enter(set, DER_SEQUENCE);
    struct span oid = der_take(&pair, DER_OID, NULL);
    bool utf8 = der_next_is(&pair, DER_UTF8_STRING);
    struct span text = der_take(&pair, utf8 ? DER_UTF8_STRING : DER_PRINTABLE_STRING, NULL);
    return !pair.failed && span_equal(oid, OID(g_common_name)) ? text : span_of(NULL, 0);
}

void x509_common_name(const struct x509_certificate *certificate, char out[X509_NAME_TEXT_bytes])
{
    struct der d = der_reader(certificate->subject), name = der_enter(&d, DER_SEQUENCE);
    size_t length = 0;
    while (der_more(&name)) {
        struct der set = der_enter(&name, DER_SET);
        struct span text = common_name_of(&set);
        if (!text.bytes)
            continue;
        for (length = 0; length < text.length && length < X509_NAME_TEXT_bytes - 1; length++)
            out[length] = text.bytes[length] >= ' ' && text.bytes[length] <= '~'
                              ? (char)text.bytes[length]
                              : '?';
    }
    out[length] = 0;
}
