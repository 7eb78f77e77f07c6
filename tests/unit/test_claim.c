/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer of the registry of starts is worth: only a signed one, to this question. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
/* after those */
#include <cmocka.h>

#include "protocol/claim.h"
#include "protocol/crypto.h"

static uint8_t g_secret[32], g_key[REGISTRY_KEY_bytes];
static struct claim g_claim;
static char g_sorry[CLAIM_ANSWER_bytes];

static int setup(void **unused)
{
    br_ec_private_key key = {BR_EC_secp256r1, g_secret, sizeof(g_secret)};

    (void)unused;
    memset(g_secret, 0x17, sizeof(g_secret));
    memset(&g_claim, 0x5a, sizeof(g_claim));
    g_claim.generation = 7;
    uint8_t buffer[BR_EC_KBUF_PUB_MAX_SIZE];
    return br_ec_compute_pub(&br_ec_p256_m31, NULL, buffer, &key) == REGISTRY_KEY_bytes
               ? (memcpy(g_key, buffer, sizeof(g_key)), 0)
               : 1;
}

/* Over any body, as the registrar never would. */
static void sign(uint8_t answer[CLAIM_ANSWER_bytes])
{
    br_ec_private_key key = {BR_EC_secp256r1, g_secret, sizeof(g_secret)};
    br_sha256_context sha;
    uint8_t hash[32];

    br_sha256_init(&sha);
    br_sha256_update(&sha, answer, CLAIM_BODY_bytes);
    br_sha256_out(&sha, hash);
    assert_int_equal(br_ecdsa_i31_sign_raw(&br_ec_p256_m31, &br_sha256_vtable, hash, &key,
                                           answer + CLAIM_BODY_bytes),
                     64);
}

static enum claim_verdict judge(const struct claim *holder)
{
    uint8_t answer[CLAIM_ANSWER_bytes];

    assert_int_equal(encode_holder(answer, holder, g_secret), 0);
    return claim_judge(&g_claim, g_key, answer, g_sorry);
}

static void test_holder(void **unused)
{
    struct claim holder = g_claim;

    (void)unused;
    assert_int_equal(judge(&holder), CLAIM_GRANTED);
    holder.claimant[31] ^= 1;
    assert_int_equal(judge(&holder), CLAIM_HELD);
}

static void test_other_question(void **unused)
{
    struct claim holder = g_claim;

    (void)unused;
    holder.nonce[0] ^= 1; /* an answer of yesterday */
    assert_int_equal(judge(&holder), CLAIM_UNKNOWN);
    holder = g_claim;
    holder.enclave[15] ^= 1;
    assert_int_equal(judge(&holder), CLAIM_UNKNOWN);
    holder = g_claim;
    holder.generation++;
    assert_int_equal(judge(&holder), CLAIM_UNKNOWN);
}

/* One bit anywhere. */
static void test_forgeries(void **unused)
{
    uint8_t answer[CLAIM_ANSWER_bytes], forged[CLAIM_ANSWER_bytes];
    unsigned tried = 0;

    (void)unused;
    assert_int_equal(encode_holder(answer, &g_claim, g_secret), 0);
    for (size_t bit = 0; bit < sizeof(answer) * 8; bit += 5, tried++) {
        memcpy(forged, answer, sizeof(forged));
        forged[bit / 8] ^= (uint8_t)(1 << (bit & 7));
        assert_int_equal(claim_judge(&g_claim, g_key, forged, g_sorry), CLAIM_UNKNOWN);
    }
    memcpy(forged, answer, sizeof(forged));
    g_key[7] ^= 1; /* another key, which is not even on the curve */
    assert_int_equal(claim_judge(&g_claim, g_key, forged, g_sorry), CLAIM_UNKNOWN);
    g_key[7] ^= 1;
    /* A request is signed by nobody, and is no answer if it were. */
    encode_claim(forged, &g_claim);
    sign(forged);
    assert_int_equal(claim_judge(&g_claim, g_key, forged, g_sorry), CLAIM_UNKNOWN);
    printf("%u forgeries refused\n", tried + 2);
}

static void test_sorry(void **unused)
{
    uint8_t answer[CLAIM_ANSWER_bytes];
    char text[300];

    (void)unused;
    encode_sorry(answer, "etcd is \033[31maway");
    assert_int_equal(claim_judge(&g_claim, g_key, answer, g_sorry), CLAIM_UNKNOWN);
    assert_string_equal(g_sorry, "etcd is ?[31maway");
    memset(text, 'x', sizeof(text));
    text[299] = 0;
    encode_sorry(answer, text);
    assert_int_equal(claim_judge(&g_claim, g_key, answer, g_sorry), CLAIM_UNKNOWN);
    assert_int_equal(strlen(g_sorry), CLAIM_ANSWER_bytes - 9);
}

static void test_request(void **unused)
{
    uint8_t bytes[CLAIM_BODY_bytes];
    struct claim back;

    (void)unused;
    assert_int_equal(encode_claim(bytes, &g_claim), sizeof(bytes));
    assert_int_equal(decode_claim(bytes, sizeof(bytes), &back), 0);
    assert_memory_equal(&back, &g_claim, sizeof(back));
    assert_int_equal(decode_claim(bytes, sizeof(bytes) - 1, &back), PROTOCOL_LENGTH);
    bytes[0] ^= 1;
    assert_int_equal(decode_claim(bytes, sizeof(bytes), &back), PROTOCOL_MAGIC);
    bytes[0] ^= 1;
    memset(&bytes[24], 0, 8); /* generation */
    assert_int_equal(decode_claim(bytes, sizeof(bytes), &back), PROTOCOL_FIELD);
    assert_int_equal(back.claimant[0], 0);
}

/* Another role, another handshake: another claimant. */
static void test_claimant(void **unused)
{
    struct handshake handshake = {.stage = HANDSHAKE_FINISHED};
    uint8_t a[32], b[32], c[32];

    (void)unused;
    claim_claimant(&handshake, ROLE_SOURCE, a);
    claim_claimant(&handshake, ROLE_DESTINATION, b);
    handshake.transcript[5] ^= 1;
    claim_claimant(&handshake, ROLE_SOURCE, c);
    assert_memory_not_equal(a, b, 32);
    assert_memory_not_equal(a, c, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holder),    cmocka_unit_test(test_other_question),
        cmocka_unit_test(test_forgeries), cmocka_unit_test(test_sorry),
        cmocka_unit_test(test_request),   cmocka_unit_test(test_claimant),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
