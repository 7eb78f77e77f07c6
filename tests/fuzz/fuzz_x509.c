/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as certificates (DER or PEM), as a revocation list, and as a public key. */
#include "tests/fuzz/fuzz.h"

#include "attest/x509.h"

static void check_within(struct span part, struct span all)
{
    if (part.length > 0)
        ALWAYS(part.bytes >= all.bytes && part.bytes + part.length <= all.bytes + all.length);
}

static void fuzz_certificate(struct span in)
{
    static const uint8_t oid[] = {0x55, 0x1d, 15};
    struct x509_certificate c;
    char name[X509_NAME_TEXT_bytes];
    if (x509_decode(in, &c)) {
        ALWAYS(!c.tbs.bytes && c.key.kind == KEY_NONE);
        return;
    }
    check_within(c.tbs, in);
    check_within(c.serial, in);
    check_within(c.issuer, in);
    check_within(c.subject, in);
    check_within(c.signature, in);
    check_within(c.key.kind == KEY_RSA ? c.key.modulus : c.key.point, in);
    check_within(x509_extension(&c, span_of(oid, sizeof oid)), in);
    x509_common_name(&c, name);
    ALWAYS(strlen(name) < sizeof name);
    /* One certificate has one encoding: nothing is left over, nothing may be missing. */
    ALWAYS(x509_decode(span_of(in.bytes, in.length - 1), &c) != NULL);
}

static void fuzz_crl(struct span in)
{
    struct x509_crl crl;
    if (!x509_decode_crl(in, &crl)) {
        check_within(crl.tbs, in);
        check_within(crl.revoked, in);
        check_within(crl.signature, in);
    }
}

/* A store with whatever is in it leads to no root that it was not given. */
static void fuzz_store(struct span in)
{
    static struct x509_store store;
    static struct x509_trust trust = {.now = 1767225600, .root_count = 1};
    const struct x509_certificate *where;
    x509_store_init(&store);
    x509_store_add(&store, in);
    ALWAYS(store.count <= X509_CERTIFICATES_MAX && store.used <= sizeof store.bytes);
    trust.crl_count = x509_decode_crl(in, &trust.crl[0]) ? 0 : 1;
    for (uint32_t i = 0; i < store.count; i++)
        ALWAYS(x509_verify(&store, &store.certificate[i], &trust, &where) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct public_key key;
    struct span in = span_of(data, size);
    fuzz_certificate(in);
    fuzz_crl(in);
    fuzz_store(in);
    x509_decode_key(in, &key);
    return 0;
}
