/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another connection of a session: the same two get the same keys, which are other ones than those
 * before; whoever else, or says again what was said once, gets nothing.
 */
#include "tests/unit/protocol_fixture.h"

enum { ATTEMPT = 3, SESSION_OFFSET = 8, ATTEMPT_OFFSET = 16, NONCE_OFFSET = 24 };

static void create(struct resumption *r, uint8_t role, uint64_t attempt)
{
    uint8_t random[32];
    uint64_t session = 0;
    for (size_t i = 0; i < 8; i++)
        session |= (uint64_t)vector_resume_source_hello[SESSION_OFFSET + i] << 8 * i;
    for (size_t i = 0; i < sizeof random; i++)
        random[i] = (uint8_t)(i + 64 * role);
    resumption_create(r, role, session, attempt, random);
}

/* Both sides, the source's hello heard at attempt ATTEMPT; the last good one was the one before. */
static void exchange(struct resumption *source, struct resumption *destination)
{
    uint8_t hello[RESUME_HELLO_bytes];
    create(source, ROLE_SOURCE, ATTEMPT);
    create(destination, ROLE_DESTINATION, ATTEMPT - 1);
    resumption_create_hello(source, hello);
    assert_memory_equal(hello, vector_resume_source_hello, sizeof hello);
    assert_int_equal(resumption_consume_hello(destination, hello), 0);
    resumption_create_hello(destination, hello);
    assert_memory_equal(hello, vector_resume_destination_hello, sizeof hello);
    assert_int_equal(resumption_consume_hello(source, hello), 0);
}

static void test_golden(void **unused)
{
    (void)unused;
    struct resumption source, destination;
    struct session_keys first, a, b;
    fixture_keys(&first);
    assert_memory_equal(first.resume_secret, vector_resume_secret, 32);
    exchange(&source, &destination);
    assert_int_equal(resumption_finish(&source, first.resume_secret, &a), 0);
    assert_int_equal(resumption_finish(&destination, first.resume_secret, &b), 0);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_equal(a.key[ROLE_SOURCE][STREAM_BULK], vector_resume_key_source_bulk, 32);
    assert_memory_equal(a.key[ROLE_DESTINATION][STREAM_URGENT],
                        vector_resume_key_destination_urgent, 32);
    assert_memory_equal(a.session_digest, vector_resume_digest, 32);
    assert_memory_equal(a.resume_secret, first.resume_secret, 32);
}

/* Counters begin anew, so no key may come twice, in any channel. */
static void test_no_key_comes_twice(void **unused)
{
    (void)unused;
    struct session_keys keys[3];
    struct resumption source, destination;
    fixture_keys(&keys[0]);
    exchange(&source, &destination);
    assert_int_equal(resumption_finish(&source, keys[0].resume_secret, &keys[1]), 0);
    source.theirs[31] ^= 1;
    assert_int_equal(resumption_finish(&source, keys[0].resume_secret, &keys[2]), 0);
    const uint8_t *all[15];
    size_t count = 0;
    for (int i = 0; i < 3; i++) {
        for (int role = 0; role < 2; role++)
            for (int stream = 0; stream < 2; stream++)
                all[count++] = keys[i].key[role][stream];
        all[count++] = keys[i].session_digest;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(all[i], all[j], 32);
}

static void test_another_secret(void **unused)
{
    (void)unused;
    struct resumption source, destination;
    struct session_keys a, b;
    uint8_t secret[32];
    exchange(&source, &destination);
    for (size_t bit = 0; bit < 8 * sizeof secret; bit++) {
        memcpy(secret, vector_resume_secret, sizeof secret);
        assert_int_equal(resumption_finish(&source, secret, &a), 0);
        secret[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(resumption_finish(&destination, secret, &b), 0);
        assert_memory_not_equal(a.key[0][0], b.key[0][0], 32);
    }
}

/* A bit that was changed is noticed, or the two have different keys. */
static void test_every_bit(void **unused)
{
    (void)unused;
    for (size_t bit = 0; bit < 8 * RESUME_HELLO_bytes; bit++) {
        struct resumption source, destination;
        struct session_keys a, b;
        uint8_t hello[RESUME_HELLO_bytes];
        create(&source, ROLE_SOURCE, ATTEMPT);
        create(&destination, ROLE_DESTINATION, ATTEMPT - 1);
        resumption_create_hello(&source, hello);
        hello[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (resumption_consume_hello(&destination, hello) != 0) {
            assert_true(resumption_finish(&destination, vector_resume_secret, &b) < 0);
            continue;
        }
        assert_true(bit / 8 >= ATTEMPT_OFFSET);
        resumption_create_hello(&destination, hello);
        if (resumption_consume_hello(&source, hello) != 0)
            continue; /* it answers another attempt */
        assert_true(bit / 8 >= NONCE_OFFSET);
        assert_int_equal(resumption_finish(&source, vector_resume_secret, &a), 0);
        assert_int_equal(resumption_finish(&destination, vector_resume_secret, &b), 0);
        assert_memory_not_equal(a.key[0][0], b.key[0][0], 32);
    }
}

static int consume_changed(uint8_t role, uint64_t attempt, size_t at, uint8_t value)
{
    struct resumption r;
    uint8_t hello[RESUME_HELLO_bytes];
    memcpy(hello,
           role == ROLE_SOURCE ? vector_resume_destination_hello : vector_resume_source_hello,
           sizeof hello);
    if (at < sizeof hello)
        hello[at] = value;
    create(&r, role, attempt);
    return resumption_consume_hello(&r, hello);
}

static void test_refused(void **unused)
{
    (void)unused;
    const size_t none = RESUME_HELLO_bytes;
    struct resumption r;
    struct session_keys keys;
    uint8_t hello[RESUME_HELLO_bytes];
    assert_int_equal(consume_changed(ROLE_DESTINATION, ATTEMPT - 1, none, 0), 0);
    assert_int_equal(consume_changed(ROLE_DESTINATION, ATTEMPT, none, 0), PROTOCOL_COUNTER);
    assert_int_equal(consume_changed(ROLE_DESTINATION, ATTEMPT + 1, none, 0), PROTOCOL_COUNTER);
    assert_int_equal(consume_changed(ROLE_SOURCE, ATTEMPT, none, 0), 0);
    assert_int_equal(consume_changed(ROLE_SOURCE, ATTEMPT + 1, none, 0), PROTOCOL_COUNTER);
    assert_int_equal(consume_changed(ROLE_DESTINATION, 0, 0, 'X'), PROTOCOL_MAGIC);
    assert_int_equal(consume_changed(ROLE_DESTINATION, 0, 4, 1), PROTOCOL_VERSION);
    assert_int_equal(consume_changed(ROLE_DESTINATION, 0, 6, ROLE_DESTINATION), PROTOCOL_ROLE);
    assert_int_equal(consume_changed(ROLE_DESTINATION, 0, 6, 2), PROTOCOL_ROLE);
    assert_int_equal(consume_changed(ROLE_DESTINATION, 0, 7, 1), PROTOCOL_FIELD);
    assert_int_equal(consume_changed(ROLE_DESTINATION, 0, SESSION_OFFSET, 0xa5), PROTOCOL_SESSION);
    create(&r, ROLE_SOURCE, ATTEMPT);
    assert_true(resumption_finish(&r, vector_resume_secret, &keys) < 0);
    resumption_create_hello(&r, hello);
    assert_int_equal(resumption_consume_hello(&r, hello), PROTOCOL_REFLECTED);
    assert_int_equal(resumption_consume_hello(&r, vector_resume_destination_hello), 0);
    assert_int_equal(resumption_consume_hello(&r, vector_resume_destination_hello),
                     PROTOCOL_ARGUMENT);
}

/* A record of the first channel, at the same place in the next one. */
static void test_old_records(void **unused)
{
    (void)unused;
    struct resumption source, destination;
    struct session_keys first, next;
    struct record_stream sealer, opener;
    struct record_header header;
    uint8_t frame[RECORD_HEADER_SIZE + RECORD_TAG_SIZE];
    fixture_keys(&first);
    exchange(&source, &destination);
    assert_int_equal(resumption_finish(&destination, first.resume_secret, &next), 0);
    record_stream_init(&sealer, &first, ROLE_SOURCE, STREAM_BULK);
    record_stream_init(&opener, &next, ROLE_SOURCE, STREAM_BULK);
    assert_int_equal(record_seal(&sealer, MESSAGE_RESUME, 0, frame, 0), sizeof frame);
    assert_int_equal(record_open(&opener, frame, sizeof frame, &header), PROTOCOL_TAG);
}

static void test_resumed_body(void **unused)
{
    (void)unused;
    struct message_resumed m = {1234, 1500}, got;
    uint8_t body[sizeof vector_resumed + 1] = {0};
    assert_int_equal(encode_resumed(body, &m), sizeof vector_resumed);
    assert_memory_equal(body, vector_resumed, sizeof vector_resumed);
    assert_int_equal(decode_resumed(body, sizeof vector_resumed, &got), 0);
    assert_memory_equal(&got, &m, sizeof m);
    for (size_t length = 0; length < sizeof vector_resumed; length++)
        assert_int_equal(decode_resumed(body, length, &got), PROTOCOL_LENGTH);
    assert_int_equal(decode_resumed(body, sizeof body, &got), PROTOCOL_LENGTH);
    body[7] = 1; /* more pages than there are */
    assert_int_equal(decode_resumed(body, sizeof vector_resumed, &got), PROTOCOL_FIELD);
    assert_int_equal(got.missing_pages, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),         cmocka_unit_test(test_no_key_comes_twice),
        cmocka_unit_test(test_another_secret), cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_old_records),
        cmocka_unit_test(test_resumed_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
