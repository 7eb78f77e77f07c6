/* SPDX-License-Identifier: Apache-2.0 */
/* See forge.h. */
#include "tests/attest/forge.h"

#include <bearssl.h>
#include <stdio.h>
#include <stdlib.h>

static const uint8_t g_ecdsa_sha256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2};
static const uint8_t g_ecdsa_sha384[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3};
static const uint8_t g_ec_key[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1};
static const uint8_t g_p256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
static const uint8_t g_p384[] = {0x2b, 0x81, 4, 0, 34};
static const uint8_t g_common_name[] = {0x55, 4, 3};
static const uint8_t g_key_usage[] = {0x55, 0x1d, 15};
static const uint8_t g_basic_constraints[] = {0x55, 0x1d, 19};

static _Noreturn void broken(const char *what)
{
    fprintf(stderr, "forge: %s\n", what);
    abort();
}

static const br_ec_impl *curves(const struct forge_key *key)
{
    return key->kind == KEY_P256 ? &br_ec_p256_m31 : &br_ec_prime_i31;
}

static br_ec_private_key private_key(const struct forge_key *key)
{
    return (br_ec_private_key){.curve = key->kind == KEY_P256 ? BR_EC_secp256r1 : BR_EC_secp384r1,
                               .x = (unsigned char *)key->secret,
                               .xlen = key->size};
}

void forge_key(struct forge_key *key, enum key_kind kind, const char *seed)
{
    br_sha384_context sha;
    memset(key, 0, sizeof *key);
    key->kind = kind;
    key->size = kind == KEY_P256 ? 32 : 48;
    br_sha384_init(&sha);
    br_sha384_update(&sha, seed, strlen(seed));
    br_sha384_out(&sha, key->secret);
    key->secret[0] &= 0x7f; /* below the order */
    br_ec_private_key private = private_key(key);
    if (br_ec_compute_pub(curves(key), NULL, key->point, &private) != 1 + 2 * key->size)
        broken("no public key");
}

size_t forge_sign_raw(const struct forge_key *key, struct span message, uint8_t out[96])
{
    br_hash_compat_context sha;
    const br_hash_class *hash = key->kind == KEY_P256 ? &br_sha256_vtable : &br_sha384_vtable;
    uint8_t digest[48];
    hash->init(&sha.vtable);
    hash->update(&sha.vtable, message.bytes, message.length);
    hash->out(&sha.vtable, digest);
    br_ec_private_key private = private_key(key);
    if (br_ecdsa_i31_sign_raw(curves(key), hash, digest, &private, out) != 2 * key->size)
        broken("no signature");
    return 2 * key->size;
}

size_t forge_sign_der(const struct forge_key *key, struct span message, uint8_t out[110])
{
    size_t length = forge_sign_raw(key, message, out);
    return br_ecdsa_raw_to_asn1(out, length);
}

struct span forged_span(const struct forged *f)
{
    return span_of(f->bytes, f->length);
}

void forge_bytes(struct forged *f, const void *bytes, size_t length)
{
    if (length > sizeof f->bytes - f->length)
        broken("too long");
    memcpy(&f->bytes[f->length], bytes, length);
    f->length += length;
}

void forge_der(struct forged *f, uint8_t tag, const void *bytes, size_t length)
{
    const uint8_t l[] = {0x82, (uint8_t)(length >> 8), (uint8_t)length};
    const uint8_t m[] = {0x81, (uint8_t)length}, s[] = {(uint8_t)length};
    forge_bytes(f, &tag, 1);
    if (length > 255)
        forge_bytes(f, l, sizeof l);
    else if (length > 127)
        forge_bytes(f, m, sizeof m);
    else
        forge_bytes(f, s, sizeof s);
    forge_bytes(f, bytes, length);
}

void forge_wrap(struct forged *f, uint8_t tag)
{
    static struct forged copy;
    copy = *f;
    f->length = 0;
    forge_der(f, tag, copy.bytes, copy.length);
}

void forge_append(struct forged *f, const struct forged *more)
{
    forge_bytes(f, more->bytes, more->length);
}

void forge_number(struct forged *f, uint64_t value)
{
    uint8_t bytes[9] = {0};
    size_t at = 9;
    do {
        bytes[--at] = (uint8_t)value;
        value >>= 8;
    } while (value);
    if (bytes[at] & 0x80)
        at--;
    forge_der(f, 0x02, &bytes[at], 9 - at);
}

static void put_name(struct forged *f, const char *name)
{
    struct forged n = {0};
    forge_der(&n, 0x06, g_common_name, sizeof g_common_name);
    forge_der(&n, 0x0c, name, strlen(name));
    forge_wrap(&n, 0x30);
    forge_wrap(&n, 0x31);
    forge_wrap(&n, 0x30);
    forge_append(f, &n);
}

static void put_algorithm(struct forged *f, const struct forge_key *signer)
{
    struct forged a = {0};
    if (signer->kind == KEY_P256)
        forge_der(&a, 0x06, g_ecdsa_sha256, sizeof g_ecdsa_sha256);
    else
        forge_der(&a, 0x06, g_ecdsa_sha384, sizeof g_ecdsa_sha384);
    forge_wrap(&a, 0x30);
    forge_append(f, &a);
}

void forge_key_info(struct forged *out, const struct forge_key *key)
{
    uint8_t bits[98] = {0};
    out->length = 0;
    forge_der(out, 0x06, g_ec_key, sizeof g_ec_key);
    if (key->kind == KEY_P256)
        forge_der(out, 0x06, g_p256, sizeof g_p256);
    else
        forge_der(out, 0x06, g_p384, sizeof g_p384);
    forge_wrap(out, 0x30);
    memcpy(&bits[1], key->point, 1 + 2 * key->size);
    forge_der(out, 0x03, bits, 2 + 2 * key->size);
    forge_wrap(out, 0x30);
}

void forge_extension(struct forged *out, const void *oid, size_t oid_length, bool critical,
                     const struct forged *value)
{
    struct forged e = {0};
    forge_der(&e, 0x06, oid, oid_length);
    if (critical)
        forge_der(&e, 0x01, "\xff", 1);
    forge_der(&e, 0x04, value->bytes, value->length);
    forge_wrap(&e, 0x30);
    forge_append(out, &e);
}

static void put_extensions(struct forged *f, const struct forge_certificate *c)
{
    struct forged list = {0}, value = {0};
    const uint8_t usage[] = {1, c->no_crl_usage ? 0x04 : 0x06};
    if (c->authority) {
        forge_der(&value, 0x01, "\xff", 1);
        if (c->path_length >= 0)
            forge_number(&value, (uint64_t)c->path_length);
    }
    forge_wrap(&value, 0x30);
    forge_extension(&list, g_basic_constraints, sizeof g_basic_constraints, true, &value);
    value.length = 0;
    if (c->authority) {
        forge_der(&value, 0x03, usage, sizeof usage);
        forge_extension(&list, g_key_usage, sizeof g_key_usage, true, &value);
    }
    forge_append(&list, &c->extensions);
    forge_wrap(&list, 0x30);
    forge_wrap(&list, 0xa3);
    forge_append(f, &list);
}

/* tbs becomes what is signed, its kind of signature, and the signature. */
static void sign(struct forged *tbs, const struct forge_key *signer)
{
    uint8_t signature[111] = {0};
    size_t length = forge_sign_der(signer, forged_span(tbs), &signature[1]);
    put_algorithm(tbs, signer);
    forge_der(tbs, 0x03, signature, length + 1);
    forge_wrap(tbs, 0x30);
}

static void put_time(struct forged *f, const char *time, const char *otherwise)
{
    forge_der(f, 0x17, time ? time : otherwise, 13);
}

void forge_certificate(struct forged *out, const struct forge_certificate *c)
{
    struct forged part = {0};
    out->length = 0;
    forge_number(&part, 2);
    forge_wrap(&part, 0xa0);
    forge_append(out, &part);
    forge_number(out, c->serial);
    put_algorithm(out, c->signer);
    put_name(out, c->issuer);
    part.length = 0;
    put_time(&part, c->not_before, "200101000000Z");
    put_time(&part, c->not_after, "391231235959Z");
    forge_wrap(&part, 0x30);
    forge_append(out, &part);
    put_name(out, c->subject);
    forge_key_info(&part, c->key);
    forge_append(out, &part);
    put_extensions(out, c);
    forge_wrap(out, 0x30);
    sign(out, c->signer);
}

void forge_crl(struct forged *out, const struct forge_crl *c)
{
    static const uint8_t crl_number[] = {0x55, 0x1d, 20};
    struct forged part = {0}, value = {0};
    out->length = 0;
    forge_number(out, 1);
    put_algorithm(out, c->signer);
    put_name(out, c->issuer);
    put_time(out, c->this_update, "250101000000Z");
    put_time(out, c->next_update, "391231235959Z");
    if (c->revoked) {
        forge_number(&part, c->revoked);
        put_time(&part, NULL, "250101000000Z");
        forge_wrap(&part, 0x30);
        forge_wrap(&part, 0x30);
        forge_append(out, &part);
    }
    part.length = 0;
    forge_number(&value, 1);
    forge_extension(&part, crl_number, sizeof crl_number, false, &value);
    forge_wrap(&part, 0x30);
    forge_wrap(&part, 0xa0);
    forge_append(out, &part);
    forge_wrap(out, 0x30);
    sign(out, c->signer);
}

void forge_hex(struct span bytes, char *out)
{
    for (size_t i = 0; i < bytes.length; i++)
        sprintf(&out[2 * i], "%02x", bytes.bytes[i]);
}

void forge_key_digest(const struct forge_key *key, char out[65])
{
    struct forged info;
    uint8_t digest[32];
    forge_key_info(&info, key);
    signature_sha256(forged_span(&info), digest);
    forge_hex(span_of(digest, 32), out);
}

void forge_pem(struct forged *out, const struct forged *der, const char *label)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char line[64];
    snprintf(line, sizeof line, "-----BEGIN %s-----\n", label);
    forge_bytes(out, line, strlen(line));
    for (size_t i = 0; i < der->length; i += 3) {
        uint32_t bits = 0;
        char group[4];
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (i + j < der->length ? der->bytes[i + j] : 0);
        for (size_t j = 0; j < 4; j++)
            group[j] = i + j <= der->length ? digits[bits >> (18 - 6 * j) & 63] : '=';
        forge_bytes(out, group, 4);
        if (i % 48 == 45 || i + 3 >= der->length)
            forge_bytes(out, "\n", 1);
    }
    snprintf(line, sizeof line, "-----END %s-----\n", label);
    forge_bytes(out, line, strlen(line));
}

void forge_policy(const char *text, struct policy *out)
{
    struct forge_key operator;
    struct forged info;
    uint8_t signature[110];
    forge_key(&operator, KEY_P256, "operator");
    forge_key_info(&info, &operator);
    size_t length = forge_sign_der(&operator, span_text(text), signature);
    const char *reason =
        policy_open(span_text(text), span_of(signature, length), forged_span(&info), out);
    if (reason) {
        fprintf(stderr, "%s\n", text);
        broken(reason);
    }
}

const char *forge_failures(const struct verdict *v)
{
    static char names[2048];
    names[0] = 0;
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->rule[i].pass)
            continue;
        if (names[0])
            strcat(names, " ");
        strcat(names, v->rule[i].name);
    }
    return names;
}
