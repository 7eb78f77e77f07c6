/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Do two honest sides get the same keys, and is everything else refused?  Handshake, records,
 * evidence.
 */
#include "tests/unit/protocol_fixture.h"

#define FRAME_ROOM(body) (RECORD_HEADER_SIZE + (body) + RECORD_TAG_SIZE)

/* ---- handshake ---- */

static void exchange(struct handshake *source, struct handshake *destination)
{
    uint8_t hello[HELLO_bytes];
    size_t length = fixture_hello(source, hello);
    assert_int_equal(handshake_hello_length(hello), length);
    assert_int_equal(handshake_consume_hello(destination, hello, length), 0);
    length = fixture_hello(destination, hello);
    assert_int_equal(handshake_consume_hello(source, hello, length), 0);
}

static void test_handshake_golden(void **unused)
{
    (void)unused;
    struct handshake source, destination;
    struct session_keys a, b;
    uint8_t hello[HELLO_bytes], report_data[64];
    fixture_handshake(&source, &destination);
    assert_int_equal(fixture_hello(&source, hello), sizeof vector_source_hello);
    assert_memory_equal(hello, vector_source_hello, sizeof vector_source_hello);
    assert_int_equal(fixture_hello(&destination, hello), sizeof vector_destination_hello);
    assert_memory_equal(hello, vector_destination_hello, sizeof vector_destination_hello);
    exchange(&source, &destination);
    assert_int_equal(handshake_finish(&source, &a), 0);
    assert_int_equal(handshake_finish(&destination, &b), 0);
    handshake_report_data(&source, ROLE_SOURCE, report_data);
    assert_memory_equal(report_data, vector_source_report_data, 64);
    handshake_report_data(&destination, ROLE_SOURCE, report_data);
    assert_memory_equal(report_data, vector_source_report_data, 64);
    handshake_report_data(&source, ROLE_DESTINATION, report_data);
    assert_memory_equal(report_data, vector_destination_report_data, 64);
    assert_memory_equal(source.transcript, vector_transcript, 32);
    assert_memory_equal(a.key[ROLE_SOURCE][STREAM_BULK], vector_key_source_bulk, 32);
    assert_memory_equal(a.key[ROLE_SOURCE][STREAM_URGENT], vector_key_source_urgent, 32);
    assert_memory_equal(a.key[ROLE_DESTINATION][STREAM_BULK], vector_key_destination_bulk, 32);
    assert_memory_equal(a.key[ROLE_DESTINATION][STREAM_URGENT], vector_key_destination_urgent, 32);
    assert_memory_equal(a.session_digest, vector_session_digest, 32);
    assert_memory_equal(&a, &b, sizeof a);
}

static void test_keys_differ(void **unused)
{
    (void)unused;
    struct session_keys keys;
    fixture_keys(&keys);
    const uint8_t *all[5] = {keys.key[0][0], keys.key[0][1], keys.key[1][0], keys.key[1][1],
                             keys.session_digest};
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(all[i], all[j], 32);
}

static void test_handshake_wipes(void **unused)
{
    (void)unused;
    static const uint8_t zero[32];
    struct handshake source, destination;
    struct session_keys keys;
    fixture_handshake(&source, &destination);
    exchange(&source, &destination);
    assert_int_equal(handshake_finish(&source, &keys), 0);
    assert_memory_equal(source.secret_key, zero, 32);
    assert_memory_equal(source.shared, zero, 32);
    assert_int_equal(handshake_finish(&source, &keys), PROTOCOL_ARGUMENT);
    assert_memory_equal(keys.key[0][0], zero, 32);
}

static void test_finish_needs_a_hello(void **unused)
{
    (void)unused;
    static const uint8_t zero[32];
    struct handshake source, destination;
    struct session_keys keys;
    fixture_handshake(&source, &destination);
    assert_int_equal(handshake_finish(&source, &keys), PROTOCOL_ARGUMENT);
    assert_memory_equal(source.secret_key, zero, 32);
}

/* What the source says to the destination's hello when byte `at` of it is changed. */
static int changed_hello(size_t at, uint8_t change)
{
    struct handshake source, destination;
    uint8_t hello[HELLO_bytes];
    fixture_handshake(&source, &destination);
    size_t length = fixture_hello(&destination, hello);
    hello[at] ^= change;
    int error = handshake_consume_hello(&source, hello, length);
    static const struct hello zero;
    if (error)
        assert_memory_equal(&source.theirs, &zero, sizeof zero);
    return error;
}

static void test_hello_refused(void **unused)
{
    (void)unused;
    assert_int_equal(changed_hello(0, 0), 0);
    assert_int_equal(changed_hello(0, 1), PROTOCOL_MAGIC);
    assert_int_equal(changed_hello(4, 1), PROTOCOL_VERSION);
    assert_int_equal(changed_hello(5, 0x80), PROTOCOL_VERSION);
    assert_int_equal(changed_hello(6, 1), PROTOCOL_ROLE);
    assert_int_equal(changed_hello(6, 2), PROTOCOL_ROLE);
    assert_int_equal(changed_hello(7, 3), PROTOCOL_PLATFORM);
    assert_int_equal(changed_hello(8, 1), PROTOCOL_LENGTH);
    assert_int_equal(changed_hello(11, 0x80), PROTOCOL_LENGTH);
    assert_int_equal(changed_hello(12, 1), PROTOCOL_SESSION);
    assert_int_equal(changed_hello(19, 0x80), PROTOCOL_SESSION);
    assert_int_equal(changed_hello(88, 1), PROTOCOL_MEASUREMENT);
    assert_int_equal(changed_hello(119, 0x80), PROTOCOL_MEASUREMENT);
    assert_int_equal(changed_hello(120, 1), 0); /* whose policy it may obey, the policy says */
}

static void test_hello_truncated(void **unused)
{
    (void)unused;
    struct handshake source, destination;
    uint8_t hello[HELLO_bytes];
    fixture_handshake(&source, &destination);
    size_t length = fixture_hello(&destination, hello);
    for (size_t i = 0; i < length; i++) {
        /* An allocation of just that size, so that a sanitizer sees a read beyond it. */
        uint8_t *exact = malloc(i ? i : 1);
        memcpy(exact, hello, i);
        assert_int_equal(handshake_consume_hello(&source, exact, i), PROTOCOL_LENGTH);
        free(exact);
    }
    uint8_t longer[HELLO_bytes + 1] = {0};
    memcpy(longer, hello, length);
    assert_int_equal(handshake_consume_hello(&source, longer, length + 1), PROTOCOL_LENGTH);
    assert_int_equal(handshake_consume_hello(&source, hello, length), 0);
    assert_int_equal(handshake_consume_hello(&source, hello, length), PROTOCOL_ARGUMENT);
}

static void test_hello_reflected(void **unused)
{
    (void)unused;
    struct handshake source, destination;
    uint8_t hello[HELLO_bytes];
    fixture_handshake(&source, &destination);
    size_t length = fixture_hello(&source, hello);
    assert_int_equal(handshake_consume_hello(&source, hello, length), PROTOCOL_REFLECTED);
    hello[6] ^= 1; /* the role of a destination makes it no better, nor another nonce */
    assert_int_equal(handshake_consume_hello(&source, hello, length), PROTOCOL_REFLECTED);
    hello[20] ^= 1;
    assert_int_equal(handshake_consume_hello(&source, hello, length), PROTOCOL_REFLECTED);
}

/* Every bit of both hellos that is not refused at once changes the keys, so no record opens. */
static void test_hello_bits_are_in_the_keys(void **unused)
{
    (void)unused;
    struct session_keys honest, keys;
    struct handshake source, destination;
    uint8_t hello[HELLO_bytes];
    fixture_keys(&honest);
    unsigned accepted = 0;
    for (size_t bit = 0; bit < 8 * sizeof vector_destination_hello; bit++) {
        fixture_handshake(&source, &destination);
        size_t length = fixture_hello(&destination, hello);
        hello[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (handshake_consume_hello(&source, hello, length) != 0)
            continue;
        assert_int_equal(handshake_finish(&source, &keys), 0);
        assert_memory_not_equal(keys.key[0][0], honest.key[0][0], 32);
        assert_memory_not_equal(keys.session_digest, honest.session_digest, 32);
        accepted++;
    }
    /* nonce, public key, capabilities, policy's key and version */
    assert_int_equal(accepted, 8 * (32 + 32 + 4 + 32 + 8));
}

/* Both hellos whole and the role, in both halves: a report is worth nothing in another session, for
 * another key, to another peer, or as the peer's own. */
static void test_report_data_binds(void **unused)
{
    (void)unused;
    struct session_keys keys;
    struct handshake source, destination, honest;
    uint8_t hello[HELLO_bytes], mine[64], other[64];
    fixture_handshake(&honest, &destination);
    exchange(&honest, &destination);
    assert_int_equal(handshake_finish(&honest, &keys), 0);
    handshake_report_data(&honest, ROLE_SOURCE, mine);
    handshake_report_data(&honest, ROLE_DESTINATION, other);
    assert_memory_not_equal(&mine[0], &other[0], 32);
    assert_memory_not_equal(&mine[32], &other[32], 32);
    unsigned accepted = 0;
    for (size_t byte = 0; byte < HELLO_bytes; byte++) {
        fixture_handshake(&source, &destination);
        size_t length = fixture_hello(&destination, hello);
        hello[byte] ^= 1;
        if (handshake_consume_hello(&source, hello, length) != 0 ||
            handshake_finish(&source, &keys) != 0)
            continue;
        handshake_report_data(&source, ROLE_SOURCE, other);
        assert_memory_not_equal(&mine[0], &other[0], 32);
        assert_memory_not_equal(&mine[32], &other[32], 32);
        accepted++;
    }
    assert_int_equal(accepted, 32 + 32 + 4 + 32 + 8);
}

/* Points of small order (RFC 7748, section 6.1): zero, one, p, p + 1, and one of order 8. */
static void test_degenerate_keys_refused(void **unused)
{
    (void)unused;
    static const uint8_t order8[32] = {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae,
                                       0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
                                       0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd,
                                       0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00};
    static const uint8_t zero[32];
    uint8_t points[5][32] = {{0}, {1}};
    for (int i = 2; i < 4; i++) {
        memset(points[i], 0xff, 32);
        points[i][0] = (uint8_t)(0xed + i - 2);
        points[i][31] = 0x7f;
    }
    memcpy(points[4], order8, 32);
    for (int i = 0; i < 5; i++) {
        struct handshake source, destination;
        struct session_keys keys;
        uint8_t hello[HELLO_bytes];
        fixture_handshake(&source, &destination);
        memcpy(destination.mine.public_key, points[i], 32);
        size_t length = fixture_hello(&destination, hello);
        assert_int_equal(handshake_consume_hello(&source, hello, length), 0);
        assert_int_equal(handshake_finish(&source, &keys), PROTOCOL_KEY);
        assert_memory_equal(keys.key[0][0], zero, 32);
        assert_memory_equal(source.secret_key, zero, 32);
    }
}

static void test_handshake_arguments(void **unused)
{
    (void)unused;
    struct handshake source, destination;
    uint8_t hello[HELLO_bytes];
    fixture_handshake(&source, &destination);
    assert_int_equal(handshake_create_hello(&source, hello, HELLO_bytes - 1), PROTOCOL_ARGUMENT);
    assert_int_equal(handshake_create_hello(&source, hello, HELLO_bytes), HELLO_bytes);
    assert_int_equal(handshake_hello_length(hello), HELLO_bytes);
    hello[8]++;
    assert_int_equal(handshake_hello_length(hello), PROTOCOL_LENGTH);
}

/* ---- records ---- */

struct pair {
    struct record_stream sealer, opener;
};

static void make_pair(struct pair *p, uint8_t role, uint8_t stream)
{
    struct session_keys keys;
    fixture_keys(&keys);
    record_stream_init(&p->sealer, &keys, role, stream);
    record_stream_init(&p->opener, &keys, role, stream);
}

static void fill(uint8_t *frame, size_t length)
{
    for (size_t i = 0; i < length; i++)
        frame[RECORD_HEADER_SIZE + i] = (uint8_t)(i * 7);
}

static void assert_seals(struct record_stream *s, uint8_t type, uint32_t round, size_t body_length,
                         const uint8_t *wanted, size_t wanted_length)
{
    uint8_t frame[FRAME_ROOM(64)];
    fill(frame, body_length);
    assert_int_equal(record_seal(s, type, round, frame, body_length), wanted_length);
    assert_memory_equal(frame, wanted, wanted_length);
}

#define ASSERT_SEALS(s, type, round, length, vector)                                               \
    assert_seals(s, type, round, length, vector, sizeof vector)

static void test_record_golden(void **unused)
{
    (void)unused;
    struct pair bulk, back, urgent, answers;
    uint8_t frame[FRAME_ROOM(5000)];
    make_pair(&bulk, ROLE_SOURCE, STREAM_BULK);
    make_pair(&back, ROLE_DESTINATION, STREAM_BULK);
    make_pair(&urgent, ROLE_DESTINATION, STREAM_URGENT);
    make_pair(&answers, ROLE_SOURCE, STREAM_URGENT);
    assert_memory_equal(bulk.sealer.digest, vector_session_digest, 32);
    ASSERT_SEALS(&bulk.sealer, MESSAGE_PREPARE, 0, 37, vector_record_prepare);
    ASSERT_SEALS(&bulk.sealer, MESSAGE_PAGES, 0x01020304, 48, vector_record_pages);
    fill(frame, 5000);
    assert_int_equal(record_seal(&bulk.sealer, MESSAGE_PAGES, 2, frame, 5000), FRAME_ROOM(5000));
    assert_memory_equal(bulk.sealer.digest, vector_record_digest, 32);
    ASSERT_SEALS(&back.sealer, MESSAGE_READY, 0, 0, vector_record_ready);
    ASSERT_SEALS(&urgent.sealer, MESSAGE_REQUEST, 0, 16, vector_record_request);
    ASSERT_SEALS(&answers.sealer, MESSAGE_PAGES, 0, 33, vector_record_answer);
}

static void test_record_round_trip(void **unused)
{
    (void)unused;
    static const size_t lengths[] = {0, 1, 15, 16, 17, 4096, 8191, RECORD_BODY_MAX};
    struct pair p;
    uint8_t *frame = malloc(FRAME_ROOM(RECORD_BODY_MAX)),
            *clear = malloc(FRAME_ROOM(RECORD_BODY_MAX));
    make_pair(&p, ROLE_SOURCE, STREAM_BULK);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct record_header header;
        uint32_t peeked;
        fill(frame, lengths[i]);
        memcpy(clear, frame, FRAME_ROOM(lengths[i]));
        int length = record_seal(&p.sealer, MESSAGE_PAGES, (uint32_t)i, frame, lengths[i]);
        assert_int_equal(length, FRAME_ROOM(lengths[i]));
        if (lengths[i] >= 16)
            assert_memory_not_equal(&frame[24], &clear[24], lengths[i]);
        assert_int_equal(record_peek(&p.opener, frame, &peeked), 0);
        assert_int_equal(peeked, lengths[i]);
        assert_int_equal(record_open(&p.opener, frame, (size_t)length, &header), 0);
        assert_int_equal(header.type, MESSAGE_PAGES);
        assert_int_equal(header.round, i);
        assert_int_equal(header.body_length, lengths[i]);
        assert_memory_equal(&frame[24], &clear[24], lengths[i]);
        assert_int_equal(p.opener.counter, i + 1);
        assert_memory_equal(p.sealer.digest, p.opener.digest, 32);
    }
    free(frame);
    free(clear);
}

/* The same plaintext twice gives two frames that have nothing in common but the header's form. */
static void test_record_nonces_differ(void **unused)
{
    (void)unused;
    uint8_t frames[2][FRAME_ROOM(32)];
    struct pair p;
    make_pair(&p, ROLE_SOURCE, STREAM_BULK);
    for (int i = 0; i < 2; i++) {
        fill(frames[i], 32);
        assert_true(record_seal(&p.sealer, MESSAGE_PAGES, 0, frames[i], 32) > 0);
    }
    assert_memory_not_equal(&frames[0][24], &frames[1][24], 16);
    assert_memory_not_equal(&frames[0][24 + 32], &frames[1][24 + 32], 16);
}

/* A stream may be moved in memory between two records. */
static void test_record_stream_moves(void **unused)
{
    (void)unused;
    struct pair p, moved;
    make_pair(&p, ROLE_SOURCE, STREAM_BULK);
    ASSERT_SEALS(&p.sealer, MESSAGE_PREPARE, 0, 37, vector_record_prepare);
    memcpy(&moved, &p, sizeof p);
    memset(&p, 0xee, sizeof p);
    ASSERT_SEALS(&moved.sealer, MESSAGE_PAGES, 0x01020304, 48, vector_record_pages);
}

static void assert_dead(struct record_stream *s)
{
    static const uint8_t zero[sizeof s->cipher];
    uint8_t frame[FRAME_ROOM(8)] = {0};
    struct record_header header;
    uint32_t length;
    assert_true(s->poisoned);
    assert_memory_equal(s->cipher, zero, sizeof zero);
    assert_int_equal(record_seal(s, MESSAGE_PING, 0, frame, 8), PROTOCOL_POISONED);
    assert_int_equal(record_peek(s, frame, &length), PROTOCOL_POISONED);
    assert_int_equal(record_open(s, frame, sizeof frame, &header), PROTOCOL_POISONED);
}

/* Opens a changed frame on a fresh stream; it must be refused, and nothing be left of the body. */
static int open_changed(const uint8_t *sealed, size_t length, size_t bit)
{
    static const struct record_header zero_header;
    static const uint8_t zero[4200];
    uint8_t frame[FRAME_ROOM(4200)];
    struct record_header header = {.type = 77, .round = 77, .body_length = 77};
    struct pair p;
    make_pair(&p, ROLE_SOURCE, STREAM_BULK);
    memcpy(frame, sealed, length);
    frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
    int error = record_open(&p.opener, frame, length, &header);
    assert_true(error < 0);
    assert_memory_equal(&header, &zero_header, sizeof header);
    assert_dead(&p.opener);
    if (error == PROTOCOL_TAG)
        assert_memory_equal(&frame[24], zero, length - FRAME_ROOM(0));
    return error;
}

static void test_record_bits(void **unused)
{
    (void)unused;
    enum { BODY = 4200 };
    uint8_t sealed[FRAME_ROOM(BODY)];
    struct pair p;
    make_pair(&p, ROLE_SOURCE, STREAM_BULK);
    fill(sealed, BODY);
    assert_int_equal(record_seal(&p.sealer, MESSAGE_PAGES, 3, sealed, BODY), sizeof sealed);
    for (size_t bit = 0; bit < 8 * RECORD_HEADER_SIZE; bit++) {
        int error = open_changed(sealed, sizeof sealed, bit);
        size_t byte = bit / 8;
        if (byte < 4)
            assert_int_equal(error, PROTOCOL_MAGIC);
        else if (byte < 6)
            assert_int_equal(error, PROTOCOL_VERSION);
        else if (byte == 6)
            assert_true(error == PROTOCOL_TYPE || error == PROTOCOL_TAG);
        else if (byte == 7)
            assert_int_equal(error, PROTOCOL_STREAM);
        else if (byte < 12)
            assert_int_equal(error, PROTOCOL_LENGTH);
        else if (byte < 16)
            assert_int_equal(error, PROTOCOL_TAG);
        else
            assert_int_equal(error, PROTOCOL_COUNTER);
    }
    for (size_t bit = 8 * RECORD_HEADER_SIZE; bit < 8 * sizeof sealed; bit += 61)
        assert_int_equal(open_changed(sealed, sizeof sealed, bit), PROTOCOL_TAG);
    for (size_t bit = 8 * (sizeof sealed - 16); bit < 8 * sizeof sealed; bit++)
        assert_int_equal(open_changed(sealed, sizeof sealed, bit), PROTOCOL_TAG);
}

static void test_record_truncated(void **unused)
{
    (void)unused;
    uint8_t sealed[FRAME_ROOM(100)];
    struct record_header header;
    struct pair p;
    make_pair(&p, ROLE_SOURCE, STREAM_BULK);
    fill(sealed, 100);
    assert_int_equal(record_seal(&p.sealer, MESSAGE_PAGES, 3, sealed, 100), sizeof sealed);
    for (size_t length = 0; length <= sizeof sealed + 1; length++) {
        uint8_t *exact = calloc(1, length ? length : 1);
        memcpy(exact, sealed, length < sizeof sealed ? length : sizeof sealed);
        make_pair(&p, ROLE_SOURCE, STREAM_BULK);
        int error = record_open(&p.opener, exact, length, &header);
        assert_int_equal(error, length == sizeof sealed ? 0 : PROTOCOL_LENGTH);
        assert_int_equal(p.opener.poisoned, length != sizeof sealed);
        free(exact);
    }
    /* Shortened in the header as well. */
    make_pair(&p, ROLE_SOURCE, STREAM_BULK);
    sealed[8] -= 16;
    assert_int_equal(record_open(&p.opener, sealed, sizeof sealed - 16, &header), PROTOCOL_TAG);
    assert_dead(&p.opener);
}

enum { SEQUENCE = 4 };

static void seal_sequence(uint8_t frames[SEQUENCE][FRAME_ROOM(20)])
{
    struct pair p;
    make_pair(&p, ROLE_SOURCE, STREAM_BULK);
    for (int i = 0; i < SEQUENCE; i++) {
        fill(frames[i], 20);
        assert_true(record_seal(&p.sealer, MESSAGE_PAGES, 0, frames[i], 20) > 0);
    }
}

/* Opens frames in the given order; all but the last must open, the last must fail so. */
static void assert_order(const int *order, int count, int wanted)
{
    uint8_t frames[SEQUENCE][FRAME_ROOM(20)], copy[FRAME_ROOM(20)];
    struct record_header header;
    struct pair p;
    uint32_t length;
    seal_sequence(frames);
    make_pair(&p, ROLE_SOURCE, STREAM_BULK);
    for (int i = 0; i < count; i++) {
        int expected = i == count - 1 ? wanted : 0;
        memcpy(copy, frames[order[i]], sizeof copy);
        assert_int_equal(record_peek(&p.opener, copy, &length), expected);
        assert_int_equal(record_open(&p.opener, copy, sizeof copy, &header), expected);
    }
    if (wanted)
        assert_dead(&p.opener);
}

static void test_record_order(void **unused)
{
    (void)unused;
    assert_order((int[]){0, 1, 2, 3}, 4, 0);
    assert_order((int[]){1}, 1, PROTOCOL_COUNTER);          /* the first is missing */
    assert_order((int[]){0, 2}, 2, PROTOCOL_COUNTER);       /* dropped or reordered */
    assert_order((int[]){0, 0}, 2, PROTOCOL_COUNTER);       /* replayed */
    assert_order((int[]){0, 1, 2, 1}, 4, PROTOCOL_COUNTER); /* replayed later */
}

/* A record is worth nothing on another stream, in the other direction, or in another session; also
 * if the host repairs its header. */
static void test_record_spliced(void **unused)
{
    (void)unused;
    for (int i = 0; i < 4; i++) {
        uint8_t frame[FRAME_ROOM(20)];
        struct record_header header;
        struct session_keys keys;
        struct record_stream opener;
        struct pair p;
        make_pair(&p, ROLE_SOURCE, STREAM_BULK);
        fill(frame, 20);
        assert_true(record_seal(&p.sealer, i == 1 ? MESSAGE_ABORT : MESSAGE_PAGES, 0, frame, 20) >
                    0);
        fixture_keys(&keys);
        if (i == 3)
            keys.key[ROLE_SOURCE][STREAM_BULK][31] ^= 1;
        uint8_t role = i == 1 ? ROLE_DESTINATION : ROLE_SOURCE;
        uint8_t stream = i == 0 || i == 2 ? STREAM_URGENT : STREAM_BULK;
        record_stream_init(&opener, &keys, role, stream);
        if (i == 2)
            frame[7] = STREAM_URGENT;
        int error = record_open(&opener, frame, sizeof frame, &header);
        assert_int_equal(error, i == 0 ? PROTOCOL_STREAM : PROTOCOL_TAG);
        assert_dead(&opener);
    }
}

/* Keys must differ per direction, not only nonces: with the key of one direction under the other's
 * name nothing opens either, since the role is in the nonce. */
static void test_record_role_is_in_the_nonce(void **unused)
{
    (void)unused;
    uint8_t frame[FRAME_ROOM(20)];
    struct record_header header;
    struct session_keys keys;
    struct record_stream sealer, opener;
    fixture_keys(&keys);
    memcpy(keys.key[ROLE_DESTINATION], keys.key[ROLE_SOURCE], sizeof keys.key[0]);
    record_stream_init(&sealer, &keys, ROLE_SOURCE, STREAM_BULK);
    record_stream_init(&opener, &keys, ROLE_DESTINATION, STREAM_BULK);
    fill(frame, 20);
    assert_true(record_seal(&sealer, MESSAGE_ABORT, 0, frame, 20) > 0);
    assert_int_equal(record_open(&opener, frame, sizeof frame, &header), PROTOCOL_TAG);
}

static int seal_error(uint8_t role, uint8_t stream, uint8_t type, size_t length, uint64_t counter)
{
    uint8_t frame[FRAME_ROOM(8)] = {0};
    struct pair p;
    make_pair(&p, role, stream);
    p.sealer.counter = counter;
    int error = record_seal(&p.sealer, type, 0, frame, length);
    if (error < 0) {
        static const uint8_t zero[sizeof frame];
        assert_memory_equal(frame, zero, sizeof frame); /* nothing was written */
        assert_dead(&p.sealer);
    }
    return error;
}

static void test_seal_refuses(void **unused)
{
    (void)unused;
    assert_int_equal(seal_error(0, 0, MESSAGE_PING, 8, 0), FRAME_ROOM(8));
    assert_int_equal(seal_error(0, 0, MESSAGE_PING, RECORD_BODY_MAX + 1, 0), PROTOCOL_ARGUMENT);
    assert_int_equal(seal_error(0, 0, MESSAGE_NONE, 8, 0), PROTOCOL_TYPE);
    assert_int_equal(seal_error(0, 0, MESSAGE_COUNT, 8, 0), PROTOCOL_TYPE);
    assert_int_equal(seal_error(0, 0, 255, 8, 0), PROTOCOL_TYPE);
    assert_int_equal(seal_error(0, 0, MESSAGE_PONG, 8, 0), PROTOCOL_TYPE);
    assert_int_equal(seal_error(1, 0, MESSAGE_PING, 8, 0), PROTOCOL_TYPE);
    assert_int_equal(seal_error(0, 1, MESSAGE_PING, 8, 0), PROTOCOL_TYPE);
    /* The last counter but one before the limit seals, the next does not, and none wraps. */
    assert_int_equal(seal_error(0, 0, MESSAGE_PING, 8, (1ULL << 34) - 1), FRAME_ROOM(8));
    assert_int_equal(seal_error(0, 0, MESSAGE_PING, 8, 1ULL << 34), PROTOCOL_EXHAUSTED);
    assert_int_equal(seal_error(0, 0, MESSAGE_PING, 8, UINT64_MAX), PROTOCOL_EXHAUSTED);
}

static void test_stream_init_and_wipe(void **unused)
{
    (void)unused;
    struct session_keys keys;
    struct record_stream s;
    fixture_keys(&keys);
    record_stream_init(&s, &keys, 2, 0);
    assert_dead(&s);
    record_stream_init(&s, &keys, 0, 2);
    assert_dead(&s);
    record_stream_init(&s, &keys, 0, 0);
    assert_false(s.poisoned);
    record_stream_wipe(&s);
    assert_dead(&s);
}

/* ---- evidence of sim ---- */

static void sim_inputs(uint8_t measurement[32], uint8_t report_data[64])
{
    for (int i = 0; i < 32; i++)
        measurement[i] = (uint8_t)i;
    for (int i = 0; i < 64; i++)
        report_data[i] = (uint8_t)(64 + i);
}

static void test_sim_golden(void **unused)
{
    (void)unused;
    uint8_t measurement[32], report_data[64], evidence[SIM_EVIDENCE_SIZE];
    sim_inputs(measurement, report_data);
    assert_int_equal(sim_report(vector_sim_private_key, measurement, report_data, evidence), 0);
    assert_memory_equal(evidence, vector_sim_evidence, SIM_EVIDENCE_SIZE);
    assert_int_equal(sim_verify(evidence, sizeof evidence, measurement, report_data), 0);
}

/* Every bit of the evidence counts.  (The first byte of the public key has other values than 4 in
 * the standard, which are refused as well.) */
static void test_sim_bits(void **unused)
{
    (void)unused;
    uint8_t measurement[32], report_data[64], evidence[SIM_EVIDENCE_SIZE];
    sim_inputs(measurement, report_data);
    for (size_t bit = 0; bit < 8 * SIM_EVIDENCE_SIZE; bit += 7) {
        memcpy(evidence, vector_sim_evidence, SIM_EVIDENCE_SIZE);
        evidence[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(sim_verify(evidence, sizeof evidence, measurement, report_data),
                         PROTOCOL_EVIDENCE);
    }
}

static void test_sim_refuses(void **unused)
{
    (void)unused;
    uint8_t measurement[32], report_data[64], longer[SIM_EVIDENCE_SIZE + 1] = {0};
    sim_inputs(measurement, report_data);
    const uint8_t *good = vector_sim_evidence;
    for (size_t length = 0; length < SIM_EVIDENCE_SIZE; length++)
        assert_int_equal(sim_verify(good, length, measurement, report_data), PROTOCOL_EVIDENCE);
    memcpy(longer, good, SIM_EVIDENCE_SIZE);
    assert_int_equal(sim_verify(longer, sizeof longer, measurement, report_data),
                     PROTOCOL_EVIDENCE);
    measurement[31] ^= 1;
    assert_int_equal(sim_verify(good, SIM_EVIDENCE_SIZE, measurement, report_data),
                     PROTOCOL_MEASUREMENT);
    measurement[31] ^= 1;
    report_data[63] ^= 1;
    assert_int_equal(sim_verify(good, SIM_EVIDENCE_SIZE, measurement, report_data),
                     PROTOCOL_REPORT_DATA);
}

/* Private keys that are none: zero, and the order of the group. */
static void test_sim_private_keys(void **unused)
{
    (void)unused;
    static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                      0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    static const uint8_t zero[SIM_EVIDENCE_SIZE];
    uint8_t measurement[32], report_data[64], evidence[SIM_EVIDENCE_SIZE];
    sim_inputs(measurement, report_data);
    assert_int_equal(sim_report(zero, measurement, report_data, evidence), PROTOCOL_ARGUMENT);
    assert_memory_equal(evidence, zero, sizeof zero);
    assert_int_equal(sim_report(order, measurement, report_data, evidence), PROTOCOL_ARGUMENT);
    assert_memory_equal(evidence, zero, sizeof zero);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake_golden),
        cmocka_unit_test(test_keys_differ),
        cmocka_unit_test(test_handshake_wipes),
        cmocka_unit_test(test_finish_needs_a_hello),
        cmocka_unit_test(test_hello_refused),
        cmocka_unit_test(test_hello_truncated),
        cmocka_unit_test(test_hello_reflected),
        cmocka_unit_test(test_hello_bits_are_in_the_keys),
        cmocka_unit_test(test_report_data_binds),
        cmocka_unit_test(test_degenerate_keys_refused),
        cmocka_unit_test(test_handshake_arguments),
        cmocka_unit_test(test_record_golden),
        cmocka_unit_test(test_record_round_trip),
        cmocka_unit_test(test_record_nonces_differ),
        cmocka_unit_test(test_record_stream_moves),
        cmocka_unit_test(test_record_bits),
        cmocka_unit_test(test_record_truncated),
        cmocka_unit_test(test_record_order),
        cmocka_unit_test(test_record_spliced),
        cmocka_unit_test(test_record_role_is_in_the_nonce),
        cmocka_unit_test(test_seal_refuses),
        cmocka_unit_test(test_stream_init_and_wipe),
        cmocka_unit_test(test_sim_golden),
        cmocka_unit_test(test_sim_bits),
        cmocka_unit_test(test_sim_refuses),
        cmocka_unit_test(test_sim_private_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
