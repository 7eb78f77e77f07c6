/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence and certificates as the vendors make them, by keys of our own, so that each rule can be
 * tried with all signatures good.  A policy's "roots" make the verifier believe them.
 */
#pragma once

#include "attest/attest.h"

enum { FORGE_bytes = 16 * 1024 };

struct forge_key {
    enum key_kind kind; /* P-256 or P-384 */
    uint8_t secret[48], point[97];
    size_t size; /* of a coordinate */
};
void forge_key(struct forge_key *key, enum key_kind kind, const char *seed);

/* DER is written into one of these, innermost first. */
struct forged {
    size_t length;
    uint8_t bytes[FORGE_bytes];
};
struct span forged_span(const struct forged *f);
void forge_bytes(struct forged *f, const void *bytes, size_t length);
void forge_der(struct forged *f, uint8_t tag, const void *bytes, size_t length);
void forge_wrap(struct forged *f, uint8_t tag); /* all so far becomes the contents */
void forge_append(struct forged *f, const struct forged *more);
void forge_number(struct forged *f, uint64_t value);

struct forge_certificate {
    const char *subject, *issuer;
    uint8_t serial;
    const char *not_before, *not_after; /* UTCTime; NULL: 200101000000Z, 391231235959Z */
    bool authority, no_crl_usage;
    int path_length; /* -1: none */
    const struct forge_key *key, *signer;
    struct forged extensions; /* more of them */
};
void forge_certificate(struct forged *out, const struct forge_certificate *c);

struct forge_crl {
    const char *issuer, *this_update, *next_update;
    uint8_t revoked; /* a serial; 0: none */
    const struct forge_key *signer;
};
void forge_crl(struct forged *out, const struct forge_crl *c);

void forge_extension(struct forged *out, const void *oid, size_t oid_length, bool critical,
                     const struct forged *value);
/* r and s, as evidence has them; returns the length. */
size_t forge_sign_raw(const struct forge_key *key, struct span message, uint8_t out[96]);
/* In DER; returns the length. */
size_t forge_sign_der(const struct forge_key *key, struct span message, uint8_t out[110]);
/* SubjectPublicKeyInfo, and its SHA-256 in hexadecimal. */
void forge_key_info(struct forged *out, const struct forge_key *key);
void forge_key_digest(const struct forge_key *key, char out[65]);

void forge_hex(struct span bytes, char *out); /* 2 characters each and a terminator */
void forge_pem(struct forged *out, const struct forged *der, const char *label);
/* Signs a policy's text and opens it with that key; fails the test if it does not open. */
void forge_policy(const char *text, struct policy *out);
/* All rules that failed, by name, with spaces between. */
const char *forge_failures(const struct verdict *v);
