/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a processor without AES and carry-less multiplication instructions seal the same bytes? This
 * file is record.c and aead.c, told that there are none.
 */
#include <bearssl.h>
#include <stdbool.h>

static inline const br_block_ctr_class *no_aes_instructions(void)
{
    return NULL;
}

static inline br_ghash no_multiply_instructions(void)
{
    return NULL;
}

static inline bool no_wide_instructions(void)
{
    return false;
}

#define br_aes_x86ni_ctr_get_vtable no_aes_instructions
#define br_ghash_pclmul_get no_multiply_instructions
#define aead_vaes_here no_wide_instructions
#include "protocol/aead.c"
#include "protocol/record.c"

#include "tests/unit/protocol_fixture.h"

static void test_golden(void **unused)
{
    (void)unused;
    struct session_keys keys;
    struct record_stream s;
    uint8_t frame[5040], hash[32];
    fixture_keys(&keys);
    record_stream_init(&s, &keys, ROLE_SOURCE, STREAM_BULK);
    for (size_t i = 0; i < 37; i++)
        frame[24 + i] = (uint8_t)(i * 7);
    assert_int_equal(record_seal(&s, MESSAGE_PREPARE, 0, frame, 37), 77);
    assert_memory_equal(frame, vector_record_prepare, 77);
    for (size_t i = 0; i < 48; i++)
        frame[24 + i] = (uint8_t)(i * 7);
    assert_int_equal(record_seal(&s, MESSAGE_PAGES, 0x01020304, frame, 48), 88);
    assert_memory_equal(frame, vector_record_pages, 88);
    for (size_t i = 0; i < 5000; i++)
        frame[24 + i] = (uint8_t)(i * 7);
    assert_int_equal(record_seal(&s, MESSAGE_PAGES, 2, frame, 5000), 5040);
    br_sha256_context sha;
    br_sha256_init(&sha);
    br_sha256_update(&sha, frame, sizeof frame);
    br_sha256_out(&sha, hash);
    assert_memory_equal(hash, vector_record_long_hash, 32);
    assert_memory_equal(s.digest, vector_record_digest, 32);
}

static void test_open(void **unused)
{
    (void)unused;
    struct session_keys keys;
    struct record_stream s;
    struct record_header header;
    uint8_t frame[sizeof vector_record_answer];
    memcpy(frame, vector_record_answer, sizeof frame);
    fixture_keys(&keys);
    record_stream_init(&s, &keys, ROLE_SOURCE, STREAM_URGENT);
    assert_int_equal(record_open(&s, frame, sizeof frame, &header), 0);
    for (size_t i = 0; i < 33; i++)
        assert_int_equal(frame[24 + i], (uint8_t)(i * 7));
    memcpy(frame, vector_record_answer, sizeof frame);
    frame[30] ^= 1;
    record_stream_init(&s, &keys, ROLE_SOURCE, STREAM_URGENT);
    assert_int_equal(record_open(&s, frame, sizeof frame, &header), PROTOCOL_TAG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
