/* SPDX-License-Identifier: Apache-2.0 */
/* Claims of starts, and what the registry's answers are worth; claim.h. */
#include "protocol/claim.h"

#include "protocol/crypto.h"
#include "protocol/text.h"
#include "protocol/wire.h"

static const char g_request[] = "OMCLAIM1", g_holds[] = "OMHOLDS1", g_sorry[] = "OMSORRY1";

enum { MAGIC_SIZE = 8 };

void claim_claimant(const struct handshake *handshake, uint8_t role, uint8_t out[32])
{
    uint8_t report_data[64];
    br_sha256_context sha;

    handshake_report_data(handshake, role, report_data);
    br_sha256_init(&sha);
    br_sha256_update(&sha, "OptMig claim", 12);
    br_sha256_update(&sha, report_data, sizeof report_data);
    br_sha256_out(&sha, out);
}

static size_t encode(uint8_t *out, const char *magic, const struct claim *claim)
{
    struct wire w = wire_writer(out, CLAIM_BODY_bytes);

    wire_put_bytes(&w, magic, MAGIC_SIZE);
    wire_put_bytes(&w, claim->enclave, sizeof claim->enclave);
    wire_put_u64(&w, claim->generation);
    wire_put_bytes(&w, claim->claimant, sizeof claim->claimant);
    wire_put_bytes(&w, claim->nonce, sizeof claim->nonce);
    return w.at;
}

static int decode(const uint8_t *bytes, size_t length, const char *magic, struct claim *out)
{
    struct wire w = wire_reader(bytes, length);
    uint8_t found[MAGIC_SIZE];

    memset(out, 0, sizeof *out);
    if (length != CLAIM_BODY_bytes)
        return PROTOCOL_LENGTH;
    wire_take_bytes(&w, found, sizeof found);
    if (memcmp(found, magic, MAGIC_SIZE) != 0)
        return PROTOCOL_MAGIC;
    wire_take_bytes(&w, out->enclave, sizeof out->enclave);
    out->generation = wire_take_u64(&w);
    wire_take_bytes(&w, out->claimant, sizeof out->claimant);
    wire_take_bytes(&w, out->nonce, sizeof out->nonce);
    if (out->generation != 0)
        return PROTOCOL_OK;
    memset(out, 0, sizeof *out);
    return PROTOCOL_FIELD;
}

size_t encode_claim(uint8_t out[CLAIM_BODY_bytes], const struct claim *claim)
{
    return encode(out, g_request, claim);
}

int decode_claim(const uint8_t *bytes, size_t length, struct claim *out)
{
    return decode(bytes, length, g_request, out);
}

static void hash_of(const uint8_t body[CLAIM_BODY_bytes], uint8_t out[32])
{
    br_sha256_context sha;

    br_sha256_init(&sha);
    br_sha256_update(&sha, body, CLAIM_BODY_bytes);
    br_sha256_out(&sha, out);
}

int encode_holder(uint8_t out[CLAIM_ANSWER_bytes], const struct claim *holder,
                  const uint8_t private_key[32])
{
    uint8_t scalar[32], hash[32];
    br_ec_private_key key = {BR_EC_secp256r1, scalar, sizeof scalar};
    size_t length = encode(out, g_holds, holder);

    memcpy(scalar, private_key, sizeof scalar);
    hash_of(out, hash);
    length += br_ecdsa_i31_sign_raw(&br_ec_p256_m31, &br_sha256_vtable, hash, &key, &out[length]);
    wipe(scalar, sizeof scalar);
    return length == CLAIM_ANSWER_bytes ? PROTOCOL_OK : PROTOCOL_ARGUMENT;
}

size_t encode_sorry(uint8_t out[CLAIM_ANSWER_bytes], const char *text)
{
    size_t length = strlen(text), room = CLAIM_ANSWER_bytes - MAGIC_SIZE - 1;

    memset(out, 0, CLAIM_ANSWER_bytes);
    memcpy(out, g_sorry, MAGIC_SIZE);
    memcpy(out + MAGIC_SIZE, text, length < room ? length : room);
    return CLAIM_ANSWER_bytes;
}

static bool signature_right(const uint8_t *answer, const uint8_t key[REGISTRY_KEY_bytes])
{
    uint8_t point[REGISTRY_KEY_bytes], hash[32];
    br_ec_public_key public_key = {BR_EC_secp256r1, point, sizeof point};

    memcpy(point, key, sizeof point);
    hash_of(answer, hash);
    return br_ecdsa_i31_vrfy_raw(&br_ec_p256_m31, hash, sizeof hash, &public_key,
                                 answer + CLAIM_BODY_bytes,
                                 CLAIM_ANSWER_bytes - CLAIM_BODY_bytes) == 1;
}

static bool same_start(const struct claim *a, const struct claim *b)
{
    return memcmp(a->enclave, b->enclave, sizeof a->enclave) == 0 &&
           a->generation == b->generation && memcmp(a->nonce, b->nonce, sizeof a->nonce) == 0;
}

enum claim_verdict claim_judge(const struct claim *claim, const uint8_t key[REGISTRY_KEY_bytes],
                               const uint8_t answer[CLAIM_ANSWER_bytes],
                               char sorry[CLAIM_ANSWER_bytes])
{
    struct claim holder;
    size_t length = 0;

    sorry[0] = '\0';
    if (memcmp(answer, g_sorry, MAGIC_SIZE) == 0) {
        while (length < CLAIM_ANSWER_bytes - MAGIC_SIZE && answer[MAGIC_SIZE + length] != 0)
            length++;
        text_clean(sorry, CLAIM_ANSWER_bytes, &answer[MAGIC_SIZE], length);
        return CLAIM_UNKNOWN;
    }
    /* The signature first: nothing else is looked at before it verifies. */
    if (!signature_right(answer, key) || decode(answer, CLAIM_BODY_bytes, g_holds, &holder) ||
        !same_start(claim, &holder))
        return CLAIM_UNKNOWN;
    return memcmp(holder.claimant, claim->claimant, sizeof holder.claimant) == 0 ? CLAIM_GRANTED
                                                                                 : CLAIM_HELD;
}
