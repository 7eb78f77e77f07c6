/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-256-GCM: the choice of the library, and BearSSL's part (aead.h).
 *
 * BearSSL takes a body in two passes (CTR, GHASH).  Doing that in pieces that fit the first-level
 * cache gains nothing, measured: both passes are bound by computing, the 256 KiB of a record lie in
 * the second-level cache.
 */
#include "protocol/aead.h"

void aead_init(struct aead *aead, const uint8_t key[AEAD_KEY_SIZE])
{
    memset(aead, 0, sizeof(*aead));
    aead->wide = aead_vaes_here();
    if (aead->wide) {
        aead_vaes_init(&aead->vaes, key);
        return;
    }
    /* The getters look at CPUID only. */
    const br_block_ctr_class *aes = br_aes_x86ni_ctr_get_vtable();
    if (!aes)
        aes = &br_aes_ct64_ctr_vtable;
    aead->bear.ghash = br_ghash_pclmul_get();
    if (!aead->bear.ghash)
        aead->bear.ghash = br_ghash_ctmul64;
    aes->init(&aead->bear.aes.vtable, key, AEAD_KEY_SIZE);
}

static void bear_run(const struct aead *aead, int encrypt, const uint8_t nonce[AEAD_NONCE_SIZE],
                     const uint8_t *header, size_t header_length, uint8_t *body, size_t length,
                     uint8_t tag[AEAD_TAG_SIZE])
{
    br_gcm_context gcm;

    /* It keeps a pointer to the keys, in a type that says that they may change; they do not. */
    br_gcm_init(&gcm, (const br_block_ctr_class **)(uintptr_t)&aead->bear.aes.vtable,
                aead->bear.ghash);
    br_gcm_reset(&gcm, nonce, AEAD_NONCE_SIZE);
    br_gcm_aad_inject(&gcm, header, header_length);
    br_gcm_flip(&gcm);
    br_gcm_run(&gcm, encrypt, body, length);
    br_gcm_get_tag(&gcm, tag);
    wipe(&gcm, sizeof(gcm));
}

void aead_seal(const struct aead *aead, const uint8_t nonce[AEAD_NONCE_SIZE], const uint8_t *header,
               size_t header_length, uint8_t *body, size_t length, uint8_t tag[AEAD_TAG_SIZE])
{
    if (aead->wide)
        aead_vaes_seal(&aead->vaes, nonce, header, header_length, body, length, tag);
    else
        bear_run(aead, 1, nonce, header, header_length, body, length, tag);
}

bool aead_open(const struct aead *aead, const uint8_t nonce[AEAD_NONCE_SIZE], const uint8_t *header,
               size_t header_length, uint8_t *body, size_t length, const uint8_t tag[AEAD_TAG_SIZE])
{
    uint8_t expected[AEAD_TAG_SIZE];

    if (aead->wide)
        aead_vaes_open(&aead->vaes, nonce, header, header_length, body, length, expected);
    else
        bear_run(aead, 0, nonce, header, header_length, body, length, expected);
    bool right = bytes_equal(tag, expected, AEAD_TAG_SIZE);
    wipe(expected, sizeof(expected)); /* of a forgery it would be the valid tag */
    if (!right)
        wipe(body, length);
    return right;
}
