/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of the registry of starts, and what it answers (docs/registry.md).
 *
 * A start of an enclave has a number, its generation, which grows with each move that is begun.
 * Whoever claims a generation first holds it for ever: the destination before it starts the
 * program, or the source to take it back.  The registrar signs who holds it.
 *
 *   request  0   8  magic "OMCLAIM1"      answer   0   8  magic "OMHOLDS1"
 *            8  16  enclave                        8  16  enclave
 *           24   8  generation                    24   8  generation
 *           32  32  who claims it                 32  32  who holds it
 *           64  32  nonce                         64  32  nonce
 *                                                 96  64  signature: r, s (P-256, SHA-256), over
 *                                                         the 96 bytes before it
 *   or instead of an answer, as long as one: magic "OMSORRY1" and a text, padded with zeroes
 */
#pragma once

#include "protocol/protocol.h"

enum { CLAIM_BODY_bytes = 96, CLAIM_ANSWER_bytes = CLAIM_BODY_bytes + 64, REGISTRY_KEY_bytes = 65 };

struct claim {
    uint8_t enclave[ENCLAVE_ID_bytes];
    uint64_t generation;
    uint8_t claimant[32]; /* in an answer: the holder */
    uint8_t nonce[32];
};

/* Whose claim it is: this role in this handshake, and nobody else. */
void claim_claimant(const struct handshake *handshake, uint8_t role, uint8_t out[32]);

size_t encode_claim(uint8_t out[CLAIM_BODY_bytes], const struct claim *claim);
/* 0 or a protocol_error; then *out is zero. */
int decode_claim(const uint8_t *bytes, size_t length, struct claim *out);
/* The registrar's: who holds the start, signed.  0, or PROTOCOL_ARGUMENT: that is no private key.
 */
int encode_holder(uint8_t out[CLAIM_ANSWER_bytes], const struct claim *holder,
                  const uint8_t private_key[32]);
size_t encode_sorry(uint8_t out[CLAIM_ANSWER_bytes], const char *text);

enum claim_verdict {
    CLAIM_GRANTED, /* the claimant holds it */
    CLAIM_HELD,    /* another one does */
    CLAIM_UNKNOWN, /* the registry does not say so: no answer, or not a signed one to this claim */
};
/* What an answer says of this claim.  key: the registrar's, as an uncompressed point.  sorry: its
 * words, if it has sent such, or empty; printable. */
enum claim_verdict claim_judge(const struct claim *claim, const uint8_t key[REGISTRY_KEY_bytes],
                               const uint8_t answer[CLAIM_ANSWER_bytes],
                               char sorry[CLAIM_ANSWER_bytes]);
