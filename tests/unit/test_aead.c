/* SPDX-License-Identifier: Apache-2.0 */
/* AES-256-GCM: a published vector, and the library of this processor against BearSSL's portable
 * code, byte for byte, for every length around its steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* after those */
#include <cmocka.h>

#include "protocol/aead.h"

enum { HEADER = 24, BODY_MAX = 262144 + 16, SHORT = 2400 };

static uint8_t g_plain[BODY_MAX], g_body[BODY_MAX + 1], g_expected[BODY_MAX];

static void unhex(const char *text, uint8_t *out)
{
    for (size_t i = 0; text[2 * i]; i++) {
        char byte[3] = {text[2 * i], text[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
}

/* D. McGrew and J. Viega, "The Galois/Counter Mode of Operation", test case 16. */
static void test_published(void **unused)
{
    uint8_t key[32], nonce[12], aad[20], body[60], cipher[60], tag[16], expected[16];
    struct aead aead;

    (void)unused;
    unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", key);
    unhex("cafebabefacedbaddecaf888", nonce);
    unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad);
    unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24"
          "49a6b525b16aedf5aa0de657ba637b39",
          body);
    unhex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b10"
          "56828838c5f61e6393ba7a0abcc9f662",
          cipher);
    unhex("76fc6ece0f4e1768cddf8853bb2d551b", expected);
    aead_init(&aead, key);
    aead_seal(&aead, nonce, aad, sizeof(aad), body, sizeof(body), tag);
    assert_memory_equal(body, cipher, sizeof(body));
    assert_memory_equal(tag, expected, sizeof(tag));
    assert_true(aead_open(&aead, nonce, aad, sizeof(aad), body, sizeof(body), tag));
    assert_int_equal(body[0], 0xd9);
}

static void portable(const uint8_t *key, const uint8_t *nonce, const uint8_t *aad, uint8_t *body,
                     size_t length, uint8_t *tag)
{
    br_aes_ct64_ctr_keys aes;
    br_gcm_context gcm;

    br_aes_ct64_ctr_init(&aes, key, 32);
    br_gcm_init(&gcm, &aes.vtable, br_ghash_ctmul64);
    br_gcm_reset(&gcm, nonce, 12);
    br_gcm_aad_inject(&gcm, aad, HEADER);
    br_gcm_flip(&gcm);
    br_gcm_run(&gcm, 1, body, length);
    br_gcm_get_tag(&gcm, tag);
}

static void fill(uint8_t *out, size_t length, uint32_t seed)
{
    for (size_t i = 0; i < length; i++) {
        seed = seed * 1664525 + 1013904223;
        out[i] = (uint8_t)(seed >> 24);
    }
}

/* The body lies at an odd address, and behind it is a byte that is nobody's. */
static void compare(uint32_t seed, size_t length)
{
    uint8_t key[32], nonce[12], aad[HEADER], tag[16], expected_tag[16];
    struct aead aead;

    fill(key, sizeof(key), seed);
    fill(nonce, sizeof(nonce), seed + 1);
    fill(aad, sizeof(aad), seed + 2);
    fill(g_plain, length, seed + 3);
    memcpy(g_expected, g_plain, length);
    memcpy(&g_body[seed & 1], g_plain, length);
    uint8_t *body = &g_body[seed & 1];
    portable(key, nonce, aad, g_expected, length, expected_tag);
    aead_init(&aead, key);
    aead_seal(&aead, nonce, aad, HEADER, body, length, tag);
    assert_memory_equal(body, g_expected, length);
    assert_memory_equal(tag, expected_tag, 16);
    assert_true(aead_open(&aead, nonce, aad, HEADER, body, length, tag));
    assert_memory_equal(body, g_plain, length);
}

static void test_same_bytes(void **unused)
{
    (void)unused;
    for (size_t length = 0; length < SHORT; length++)
        compare((uint32_t)length, length);
    for (size_t length = 4096; length < BODY_MAX; length = length * 2 + 7)
        compare((uint32_t)length, length);
    compare(3, BODY_MAX);
    struct aead aead;
    aead_init(&aead, g_plain);
    printf("%u lengths compared; 512-bit registers: %s\n", SHORT + 7, aead.wide ? "yes" : "no");
}

/* One bit anywhere: refused, and nothing of the body is left. */
static void test_forgeries(void **unused)
{
    enum { LENGTH = 1000 };
    uint8_t nonce[12] = {1}, aad[HEADER] = {2}, tag[16], body[LENGTH];
    static const uint8_t zero[LENGTH];
    struct aead aead;

    (void)unused;
    fill(g_plain, LENGTH, 7);
    aead_init(&aead, g_plain);
    memcpy(g_body, g_plain, LENGTH);
    aead_seal(&aead, nonce, aad, HEADER, g_body, LENGTH, tag);
    for (size_t bit = 0; bit < 8 * (size_t)(LENGTH + HEADER + 16 + 12); bit += 3) {
        size_t byte = bit / 8;
        uint8_t *where = byte < LENGTH                 ? &body[byte]
                         : byte < LENGTH + HEADER      ? &aad[byte - LENGTH]
                         : byte < LENGTH + HEADER + 16 ? &tag[byte - LENGTH - HEADER]
                                                       : &nonce[byte - LENGTH - HEADER - 16];
        memcpy(body, g_body, LENGTH);
        *where ^= (uint8_t)(1 << (bit & 7));
        assert_false(aead_open(&aead, nonce, aad, HEADER, body, LENGTH, tag));
        assert_memory_equal(body, zero, LENGTH);
        if (byte >= LENGTH)
            *where ^= (uint8_t)(1 << (bit & 7));
    }
    assert_true(aead_open(&aead, nonce, aad, HEADER, g_body, LENGTH, tag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_forgeries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
