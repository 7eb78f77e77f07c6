/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-256-GCM in place (NIST SP 800-38D; nonces of 96 bits, tags of 128).  Private to protocol/.
 *
 * Two libraries do it.  Intel's Multi-Buffer Crypto for IPsec (Debian's libipsec-mb-dev) where the
 * processor has AES and carry-less multiplication on 512-bit registers (aead_vaes.c): all server
 * processors with SGX2 or TDX, and SEV-SNP since Zen 4.  BearSSL elsewhere, five to seven times
 * slower.  The bytes are the same.
 */
#pragma once

#include "protocol/crypto.h"

enum { AEAD_KEY_SIZE = 32, AEAD_NONCE_SIZE = 12, AEAD_TAG_SIZE = 16 };

/* The expanded key of the faster library: struct gcm_key_data of its intel-ipsec-mb.h, version 1.3.
 */
struct aead_vaes {
    _Alignas(64) uint8_t round_keys[15 * 16];
    uint8_t hash_keys[48 * 16];
};

/* The type may alias: record_stream gives it a place in bytes, so that protocol.h needs no library.
 */
struct __attribute__((may_alias)) aead {
    bool wide; /* aead_vaes.c's */
    union {
        struct aead_vaes vaes;
        struct {
            br_aes_gen_ctr_keys aes;
            br_ghash ghash;
        } bear;
    };
};

void aead_init(struct aead *aead, const uint8_t key[AEAD_KEY_SIZE]);
void aead_seal(const struct aead *aead, const uint8_t nonce[AEAD_NONCE_SIZE], const uint8_t *header,
               size_t header_length, uint8_t *body, size_t length, uint8_t tag[AEAD_TAG_SIZE]);
/* False if the tag is wrong: then the body is zeroed. */
bool aead_open(const struct aead *aead, const uint8_t nonce[AEAD_NONCE_SIZE], const uint8_t *header,
               size_t header_length, uint8_t *body, size_t length,
               const uint8_t tag[AEAD_TAG_SIZE]);

/* aead_vaes.c.  The others only where the first says yes. */
bool aead_vaes_here(void);
void aead_vaes_init(struct aead_vaes *keys, const uint8_t key[AEAD_KEY_SIZE]);
void aead_vaes_seal(const struct aead_vaes *keys, const uint8_t nonce[AEAD_NONCE_SIZE],
                    const uint8_t *header, size_t header_length, uint8_t *body, size_t length,
                    uint8_t tag[AEAD_TAG_SIZE]);
/* The tag is what it should have been; the caller compares. */
void aead_vaes_open(const struct aead_vaes *keys, const uint8_t nonce[AEAD_NONCE_SIZE],
                    const uint8_t *header, size_t header_length, uint8_t *body, size_t length,
                    uint8_t tag[AEAD_TAG_SIZE]);
