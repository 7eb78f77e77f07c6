/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a receipt have the agreed form, is any other form refused with all outputs cleared, and does
 * what both sides vouch for depend on every bit of it, and on who vouches?
 */
#include "tests/unit/protocol_fixture.h"

enum { FILE_bytes = sizeof vector_receipt_file, HEAD_bytes = RECEIPT_BODY_bytes + 16 };

static struct receipt g_receipt;
static uint8_t g_bytes[RECEIPT_FILE_MAX_bytes];

static void assert_zero(const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        assert_int_equal(((const uint8_t *)bytes)[i], 0);
}

static int decode(const uint8_t *body, size_t length)
{
    memset(&g_receipt, 0xee, sizeof g_receipt);
    int error = decode_receipt(body, length, &g_receipt);
    if (error)
        assert_zero(&g_receipt, sizeof g_receipt);
    return error;
}

static int decode_file(const uint8_t *bytes, size_t length, struct receipt_file *out)
{
    memset(out, 0xee, sizeof *out);
    int error = decode_receipt_file(bytes, length, out);
    if (error)
        assert_zero(out, sizeof *out);
    return error;
}

/* Both hellos as in the vectors. */
static struct receipt example(void)
{
    struct handshake source, destination;
    struct receipt r = {.mode = 2, .name = "kv", .moves = 3, .records_sent = 1300, .resumed = 1};
    fixture_handshake(&source, &destination);
    r.source = source.mine;
    r.destination = destination.mine;
    r.start = (struct message_start){.records_sent = 1234,
                                     .monotonic_ns = 1000000000000000,
                                     .boottime_ns = 1000000000000007,
                                     .listed_pages = 4096,
                                     .round_trip_ns = 120000,
                                     .threads = 5};
    for (int i = 0; i < 32; i++) {
        r.start.digest[i] = (uint8_t)i;
        r.previous[i] = (uint8_t)(100 + i);
        r.digest[i] = (uint8_t)(32 + i);
        r.source_policy[i] = (uint8_t)(150 + i);
        r.whole.policy[i] = (uint8_t)(180 + i);
    }
    r.memory_bytes = 5ULL << 30;
    r.pages = 1310720;
    r.zero_pages = 77;
    r.postcopy_pages = 4096;
    r.urgent_pages = 12;
    r.bytes_sent = 5400ULL << 20;
    r.stop_realtime_ns = 1700000000000000000;
    r.start_realtime_ns = 1700000000002000000;
    r.whole.realtime_ns = 1700000001000000000;
    return r;
}

static void test_vectors(void **state)
{
    struct receipt r = example();
    uint8_t body[RECEIPT_BODY_bytes], data[64];
    (void)state;
    encode_receipt(body, &r);
    assert_memory_equal(body, vector_receipt, sizeof body);
    assert_int_equal(decode(vector_receipt, sizeof vector_receipt), 0);
    assert_memory_equal(&g_receipt.source, &r.source, sizeof r.source);
    assert_int_equal(g_receipt.urgent_pages, 12);
    receipt_report_data(body, ROLE_SOURCE, data);
    assert_memory_equal(data, vector_receipt_source_report_data, sizeof data);
    receipt_report_data(body, ROLE_DESTINATION, data);
    assert_memory_equal(data, vector_receipt_destination_report_data, sizeof data);
}

/* What is accepted has one form; so each bit is refused or another receipt. */
static void test_every_bit(void **state)
{
    uint8_t body[RECEIPT_BODY_bytes], again[RECEIPT_BODY_bytes], data[64], right[64];
    unsigned refused = 0;
    (void)state;
    receipt_report_data(vector_receipt, ROLE_SOURCE, right);
    for (size_t bit = 0; bit < 8 * sizeof body; bit++) {
        memcpy(body, vector_receipt, sizeof body);
        body[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (decode(body, sizeof body) != 0) {
            refused++;
            continue;
        }
        encode_receipt(again, &g_receipt);
        assert_memory_equal(again, body, sizeof body);
        receipt_report_data(body, ROLE_SOURCE, data);
        assert_memory_not_equal(&data[0], &right[0], 32);
        assert_memory_not_equal(&data[32], &right[32], 32);
    }
    assert_in_range(refused, 500, 2000); /* magic, versions, roles, sessions, zeroes, the name */
}

static void check_wrong(size_t at, uint8_t byte, int error)
{
    uint8_t body[RECEIPT_BODY_bytes];
    memcpy(body, vector_receipt, sizeof body);
    assert_int_not_equal(body[at], byte);
    body[at] = byte;
    assert_int_equal(decode(body, sizeof body), error);
}

static void test_wrong_fields(void **state)
{
    (void)state;
    check_wrong(0, 'X', PROTOCOL_MAGIC);
    check_wrong(8, 1, PROTOCOL_VERSION);
    check_wrong(12, 4, PROTOCOL_FIELD);         /* mode */
    check_wrong(17, '\n', PROTOCOL_FIELD);      /* name */
    check_wrong(40, 'x', PROTOCOL_FIELD);       /* bytes behind the name */
    check_wrong(80 + 6, 1, PROTOCOL_ROLE);      /* two destinations */
    check_wrong(240 + 6, 0, PROTOCOL_ROLE);     /* two sources */
    check_wrong(240 + 12, 0, PROTOCOL_SESSION); /* hellos of two sessions */
    check_wrong(80, 'X', PROTOCOL_MAGIC);       /* no hello */
    check_wrong(400 + 72, 0, PROTOCOL_FIELD);   /* a start without threads */
    check_wrong(480, 0, PROTOCOL_FIELD);        /* of no move */
    check_wrong(564, 1, PROTOCOL_FIELD);        /* reserved */
    assert_int_equal(decode(vector_receipt, sizeof vector_receipt - 1), PROTOCOL_LENGTH);
}

static void test_file(void **state)
{
    const struct message_evidence source = {
        .evidence = (const uint8_t *)"quote",
        .evidence_length = 5,
        .certificates = (const uint8_t *)"pem",
        .certificates_length = 3,
    };
    struct message_evidence destination = {.evidence = (const uint8_t *)"quote2",
                                           .evidence_length = 6};
    struct receipt_file file;
    (void)state;
    assert_int_equal(encode_receipt_file(g_bytes, vector_receipt, &source, &destination),
                     FILE_bytes);
    assert_memory_equal(g_bytes, vector_receipt_file, FILE_bytes);
    assert_int_equal(decode_file(g_bytes, FILE_bytes, &file), 0);
    assert_ptr_equal(file.body, g_bytes);
    assert_ptr_equal(file.source.evidence, &g_bytes[HEAD_bytes]);
    assert_ptr_equal(file.destination.evidence, &g_bytes[HEAD_bytes + 8]);
    assert_int_equal(file.destination.certificates_length, 0);
    for (size_t length = 0; length < FILE_bytes; length++)
        assert_int_not_equal(decode_file(g_bytes, length, &file), 0);
    assert_int_not_equal(decode_file(g_bytes, FILE_bytes + 1, &file), 0);
    for (size_t at = RECEIPT_BODY_bytes; at < HEAD_bytes; at++) {
        g_bytes[at] ^= 0x40; /* a length */
        assert_int_equal(decode_file(g_bytes, FILE_bytes, &file), PROTOCOL_LENGTH);
        g_bytes[at] ^= 0x40;
    }
    destination.evidence_length = 0;
    assert_int_equal(encode_receipt_file(g_bytes, vector_receipt, &source, &destination), 0);
    destination.evidence_length = EVIDENCE_MAX_bytes + 1;
    assert_int_equal(encode_receipt_file(g_bytes, vector_receipt, &source, &destination), 0);
}

static void test_messages(void **state)
{
    const struct message_evidence evidence = {.evidence = (const uint8_t *)"quote",
                                              .evidence_length = 5};
    struct message_evidence out;
    struct message_whole whole;
    size_t length = encode_departed(g_bytes, vector_receipt, &evidence);
    (void)state;
    assert_int_equal(length, RECEIPT_BODY_bytes + 16 + 5);
    assert_int_equal(decode_departed(g_bytes, length, &g_receipt, &out), 0);
    assert_memory_equal(out.evidence, "quote", 5);
    for (size_t cut = 0; cut < length; cut++) {
        assert_int_not_equal(decode_departed(g_bytes, cut, &g_receipt, &out), 0);
        assert_zero(&g_receipt, sizeof g_receipt);
        assert_zero(&out, sizeof out);
    }
    g_bytes[RECEIPT_BODY_bytes + 8] = 1; /* a rule: nobody is judged here */
    memcpy(&g_bytes[length], "\1\0\0", 4);
    assert_int_equal(decode_departed(g_bytes, length + 4, &g_receipt, &out), PROTOCOL_COUNT);
    assert_int_equal(decode_whole(vector_whole, sizeof vector_whole, &whole), 0);
    assert_int_equal(whole.realtime_ns, 1700000001000000000);
    assert_int_equal(encode_whole(g_bytes, &whole), sizeof vector_whole);
    assert_memory_equal(g_bytes, vector_whole, sizeof vector_whole);
    assert_int_equal(decode_whole(vector_whole, sizeof vector_whole - 1, &whole), PROTOCOL_LENGTH);
    assert_zero(&whole, sizeof whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),      cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_wrong_fields), cmocka_unit_test(test_file),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
