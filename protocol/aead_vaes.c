/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-256-GCM by Intel's Multi-Buffer Crypto for IPsec, 48 blocks at a time (aead.h).
 *
 * Of that library only this one object is linked, by the names of its functions: what is around it
 * (choice of processor, jobs, strings of errors) needs a libc, which an enclave does not have.  The
 * functions take no other arguments than those of the documented calls (IMB_AES256_GCM_ENC).
 */
#include <cpuid.h>

#include "protocol/aead.h"

struct gcm_context { /* its gcm_context_data; nothing is kept in it between calls */
    uint8_t aad_hash[16];
    uint64_t aad_length, in_length;
    uint8_t partial_block_key[16], iv[16], counter[16];
    uint64_t partial_block_length;
};

typedef void gcm_crypt(const struct aead_vaes *keys, struct gcm_context *context, uint8_t *out,
                       const uint8_t *in, uint64_t length, const uint8_t *iv, const uint8_t *aad,
                       uint64_t aad_length, uint8_t *tag, uint64_t tag_length);
gcm_crypt aes_gcm_enc_256_vaes_avx512, aes_gcm_dec_256_vaes_avx512;
void aes_gcm_precomp_256_vaes_avx512(struct aead_vaes *keys);
void aes_keyexp_256_enc_avx512(const void *key, void *round_keys);

/* Where it notes arguments that are no pointers; ours are.  Threads may write it together. */
extern int imb_errno;
extern const int imb_errno_types[64];
int imb_errno;
const int imb_errno_types[64];

static bool system_keeps_registers(void)
{
    const uint32_t sse_to_zmm = 0xe6;
    uint32_t low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & sse_to_zmm) == sse_to_zmm;
}

bool aead_vaes_here(void)
{
    const unsigned words = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_BMI2;
    const unsigned wide = bit_VAES | bit_VPCLMULQDQ;
    const unsigned basic = bit_OSXSAVE | bit_AES | bit_PCLMUL;
    unsigned a, b, c, d;

    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & basic) != basic)
        return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return false;
    return (b & words) == words && (b & bit_AVX512VL) && (c & wide) == wide &&
           system_keeps_registers();
}

void aead_vaes_init(struct aead_vaes *keys, const uint8_t key[AEAD_KEY_SIZE])
{
    aes_keyexp_256_enc_avx512(key, keys->round_keys);
    aes_gcm_precomp_256_vaes_avx512(keys);
}

static void crypt(gcm_crypt *function, const struct aead_vaes *keys, const uint8_t *nonce,
                  const uint8_t *header, size_t header_length, uint8_t *body, size_t length,
                  uint8_t *tag)
{
    struct gcm_context context;

    function(keys, &context, body, body, length, nonce, header, header_length, tag, AEAD_TAG_SIZE);
    wipe(&context, sizeof(context));
}

void aead_vaes_seal(const struct aead_vaes *keys, const uint8_t nonce[AEAD_NONCE_SIZE],
                    const uint8_t *header, size_t header_length, uint8_t *body, size_t length,
                    uint8_t tag[AEAD_TAG_SIZE])
{
    crypt(aes_gcm_enc_256_vaes_avx512, keys, nonce, header, header_length, body, length, tag);
}

void aead_vaes_open(const struct aead_vaes *keys, const uint8_t nonce[AEAD_NONCE_SIZE],
                    const uint8_t *header, size_t header_length, uint8_t *body, size_t length,
                    uint8_t tag[AEAD_TAG_SIZE])
{
    crypt(aes_gcm_dec_256_vaes_avx512, keys, nonce, header, header_length, body, length, tag);
}
