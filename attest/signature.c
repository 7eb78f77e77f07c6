/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checking signatures.  All that is looked at here is public, so time does not matter.
 *
 * BearSSL 0.6 has no RSA-PSS, so the encoding is checked here (RFC 8017, 9.1.2) on top of its RSA
 * public operation.
 */
#include "attest/signature.h"

#include <bearssl.h>

#include "attest/der.h"

enum { SHA384_SIZE = 48, PSS_SALT_SIZE = 48, RSA_MAX_bytes = RSA_MODULUS_MAX_bits / 8 };

void signature_sha256(struct span message, uint8_t out[32])
{
    br_sha256_context sha;
    br_sha256_init(&sha);
    br_sha256_update(&sha, message.bytes, message.length);
    br_sha256_out(&sha, out);
}

static void sha384(struct span message, uint8_t out[SHA384_SIZE])
{
    br_sha384_context sha;
    br_sha384_init(&sha);
    br_sha384_update(&sha, message.bytes, message.length);
    br_sha384_out(&sha, out);
}

static bool verify_ecdsa(const br_ec_impl *curves, int curve, const uint8_t *digest,
                         size_t digest_size, const struct public_key *key, struct span signature)
{
    uint8_t point[1 + 2 * 48];
    if (key->point.length != 1 + 2 * digest_size || key->point.bytes[0] != 4 ||
        signature.length != 2 * digest_size)
        return false;
    memcpy(point, key->point.bytes, key->point.length); /* BearSSL wants it writable. */
    br_ec_public_key ec = {.curve = curve, .q = point, .qlen = key->point.length};
    return br_ecdsa_i31_vrfy_raw(curves, digest, digest_size, &ec, signature.bytes,
                                 signature.length) == 1;
}

/* data ^= MGF1(seed) */
static void mgf1_xor(uint8_t *data, size_t length, const uint8_t seed[SHA384_SIZE])
{
    for (uint32_t counter = 0; counter * SHA384_SIZE < length; counter++) {
        uint8_t mask[SHA384_SIZE];
        const uint8_t number[4] = {0, 0, (uint8_t)(counter >> 8), (uint8_t)counter};
        br_sha384_context sha;
        br_sha384_init(&sha);
        br_sha384_update(&sha, seed, SHA384_SIZE);
        br_sha384_update(&sha, number, sizeof number);
        br_sha384_out(&sha, mask);
        for (size_t i = 0; i < SHA384_SIZE && counter * SHA384_SIZE + i < length; i++)
            data[counter * SHA384_SIZE + i] ^= mask[i];
    }
}

/* EMSA-PSS-VERIFY.  The modulus has a multiple of 8 bits (checked by the caller), so encoded is as
 * long as the modulus and its highest bit is not used. */
static bool pss_valid(uint8_t *encoded, size_t length, const uint8_t digest[SHA384_SIZE])
{
    static const uint8_t zeros[8];
    const size_t data_length = length - SHA384_SIZE - 1;
    const size_t salt = data_length - PSS_SALT_SIZE;
    uint8_t *h = &encoded[data_length], again[SHA384_SIZE];
    if (encoded[length - 1] != 0xbc || (encoded[0] & 0x80) != 0)
        return false;
    mgf1_xor(encoded, data_length, h);
    encoded[0] &= 0x7f;
    for (size_t i = 0; i < salt - 1; i++)
        if (encoded[i] != 0)
            return false;
    if (encoded[salt - 1] != 1)
        return false;
    br_sha384_context sha;
    br_sha384_init(&sha);
    br_sha384_update(&sha, zeros, sizeof zeros);
    br_sha384_update(&sha, digest, SHA384_SIZE);
    br_sha384_update(&sha, &encoded[salt], PSS_SALT_SIZE);
    br_sha384_out(&sha, again);
    return memcmp(again, h, SHA384_SIZE) == 0;
}

static bool verify_rsa(const uint8_t digest[SHA384_SIZE], const struct public_key *key,
                       struct span signature)
{
    uint8_t number[RSA_MAX_bytes], modulus[RSA_MAX_bytes], exponent[8];
    const size_t length = key->modulus.length;
    if (length < RSA_MODULUS_MIN_bits / 8 || length > sizeof number ||
        (key->modulus.bytes[0] & 0x80) == 0 || key->exponent.length < 1 ||
        key->exponent.length > sizeof exponent || signature.length != length)
        return false;
    memcpy(number, signature.bytes, length);
    memcpy(modulus, key->modulus.bytes, length);
    memcpy(exponent, key->exponent.bytes, key->exponent.length);
    br_rsa_public_key rsa = {
        .n = modulus, .nlen = length, .e = exponent, .elen = key->exponent.length};
    return br_rsa_i31_public(number, length, &rsa) == 1 && pss_valid(number, length, digest);
}

bool signature_verify(enum signature_kind kind, const struct public_key *key, struct span message,
                      struct span signature)
{
    uint8_t digest[SHA384_SIZE];
    if (!message.bytes || !signature.bytes)
        return false;
    if (kind == SIGNATURE_ECDSA_SHA256 && key->kind == KEY_P256) {
        signature_sha256(message, digest);
        return verify_ecdsa(&br_ec_p256_m31, BR_EC_secp256r1, digest, 32, key, signature);
    }
    sha384(message, digest);
    if (kind == SIGNATURE_ECDSA_SHA384 && key->kind == KEY_P384)
        return verify_ecdsa(&br_ec_prime_i31, BR_EC_secp384r1, digest, 48, key, signature);
    if (kind == SIGNATURE_RSA_PSS_SHA384 && key->kind == KEY_RSA)
        return verify_rsa(digest, key, signature);
    return false;
}

/* A number of at most size bytes, padded in front. */
static bool put_padded(uint8_t *out, size_t size, struct span number)
{
    if (number.length > size)
        return false;
    memset(out, 0, size - number.length);
    memcpy(&out[size - number.length], number.bytes, number.length);
    return true;
}

bool signature_verify_der(enum signature_kind kind, const struct public_key *key,
                          struct span message, struct span signature)
{
    if (kind == SIGNATURE_RSA_PSS_SHA384)
        return signature_verify(kind, key, message, signature);
    const size_t size = kind == SIGNATURE_ECDSA_SHA256 ? 32 : 48;
    uint8_t raw[2 * 48];
    struct der d = der_reader(signature), pair = der_enter(&d, DER_SEQUENCE);
    struct span r = der_take_unsigned(&pair), s = der_take_unsigned(&pair);
    der_leave(&d, &pair);
    if (!der_complete(&d) || !put_padded(raw, size, r) || !put_padded(&raw[size], size, s))
        return false;
    return signature_verify(kind, key, message, span_of(raw, 2 * size));
}
