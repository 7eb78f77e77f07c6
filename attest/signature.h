/* SPDX-License-Identifier: Apache-2.0 */
/* The signatures that evidence, certificates, collateral and policies carry; by BearSSL. */
#pragma once

#include "attest/span.h"

enum signature_kind {
    SIGNATURE_NONE,
    SIGNATURE_ECDSA_SHA256,   /* P-256 */
    SIGNATURE_ECDSA_SHA384,   /* P-384 */
    SIGNATURE_RSA_PSS_SHA384, /* MGF1 with SHA-384, salt of 48 bytes */
};

enum key_kind { KEY_NONE, KEY_P256, KEY_P384, KEY_RSA };

struct public_key {
    enum key_kind kind;
    struct span point;             /* uncompressed: 4, x, y */
    struct span modulus, exponent; /* big-endian, no leading zero */
};

enum { RSA_MODULUS_MIN_bits = 2048, RSA_MODULUS_MAX_bits = 4096 };

/* ECDSA: r and s, big-endian, as long as the curve's field each.  RSA: as long as the modulus. */
bool signature_verify(enum signature_kind kind, const struct public_key *key, struct span message,
                      struct span signature);
/* The same with ECDSA's r and s in DER, as certificates and openssl have them. */
bool signature_verify_der(enum signature_kind kind, const struct public_key *key,
                          struct span message, struct span signature);
void signature_sha256(struct span message, uint8_t out[32]);
