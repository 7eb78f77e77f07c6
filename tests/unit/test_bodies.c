/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Do the bodies of messages have the agreed form, and is any other form refused, with all outputs
 * cleared?
 */
#include <bearssl.h>

#include "boundary/layout.h"
#include "tests/unit/protocol_fixture.h"

enum { FIRST_PAGE = 0x10, END_PAGE = 0xe000000 }; /* 64 KiB; 896 GiB, the end of the tables */

static uint8_t g_body[RECORD_BODY_MAX];

/* A decoder under test: decodes these bytes, checks that its outputs are zero after an error. */
typedef int decoder(const uint8_t *body, size_t length);

static struct page_batch g_batch;
static struct head_batch g_heads;
static struct message_range g_ranges[RANGES_PER_RECORD_MAX];
static struct message_area g_areas[AREAS_PER_RECORD_MAX];
static uint64_t g_pages[REQUEST_PAGES_MAX];
static uint32_t g_count;
static struct message_prepare g_prepare;
static const uint8_t *g_description;
static struct message_start g_start;
static struct message_started g_started;
static char g_text[REASON_MAX_bytes];
static struct message_evidence g_evidence;

static void assert_zero(const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        assert_int_equal(((const uint8_t *)bytes)[i], 0);
}

static int pages(const uint8_t *body, size_t length)
{
    memset(&g_batch, 0xee, sizeof g_batch);
    int error = decode_pages(body, length, &g_batch);
    if (error)
        assert_zero(&g_batch, sizeof g_batch);
    return error;
}

static int heads(const uint8_t *body, size_t length)
{
    memset(&g_heads, 0xee, sizeof g_heads);
    int error = decode_heads(body, length, &g_heads);
    if (error)
        assert_zero(&g_heads, sizeof g_heads);
    return error;
}

static int evidence(const uint8_t *body, size_t length)
{
    memset(&g_evidence, 0xee, sizeof g_evidence);
    int error = decode_evidence(body, length, &g_evidence);
    if (error)
        assert_zero(&g_evidence, sizeof g_evidence);
    return error;
}

static int ranges(const uint8_t *body, size_t length)
{
    memset(g_ranges, 0, sizeof g_ranges);
    g_count = 77;
    int error = decode_ranges(body, length, g_ranges, RANGES_PER_RECORD_MAX, &g_count);
    if (error) {
        assert_zero(g_ranges, sizeof g_ranges);
        assert_int_equal(g_count, 0);
    }
    return error;
}

static int areas(const uint8_t *body, size_t length)
{
    memset(g_areas, 0, sizeof g_areas);
    g_count = 77;
    int error = decode_areas(body, length, g_areas, AREAS_PER_RECORD_MAX, &g_count);
    if (error) {
        assert_zero(g_areas, sizeof g_areas);
        assert_int_equal(g_count, 0);
    }
    return error;
}

static int request(const uint8_t *body, size_t length)
{
    memset(g_pages, 0, sizeof g_pages);
    g_count = 77;
    int error = decode_request(body, length, g_pages, REQUEST_PAGES_MAX, &g_count);
    if (error) {
        assert_zero(g_pages, sizeof g_pages);
        assert_int_equal(g_count, 0);
    }
    return error;
}

static int prepare(const uint8_t *body, size_t length)
{
    memset(&g_prepare, 0xee, sizeof g_prepare);
    g_description = body;
    int error = decode_prepare(body, length, &g_prepare, &g_description);
    if (error) {
        assert_zero(&g_prepare, sizeof g_prepare);
        assert_null(g_description);
    }
    return error;
}

static int start(const uint8_t *body, size_t length)
{
    memset(&g_start, 0xee, sizeof g_start);
    int error = decode_start(body, length, &g_start);
    if (error)
        assert_zero(&g_start, sizeof g_start);
    return error;
}

static int started(const uint8_t *body, size_t length)
{
    memset(&g_started, 0xee, sizeof g_started);
    int error = decode_started(body, length, &g_started);
    if (error)
        assert_zero(&g_started, sizeof g_started);
    return error;
}

/* Every other length of a valid body is refused; bytes lie in an allocation of just their size. */
static void check_lengths(decoder *decode, const uint8_t *body, size_t length)
{
    for (size_t i = 0; i <= length + 1; i++) {
        uint8_t *exact = calloc(1, i ? i : 1);
        memcpy(exact, body, i < length ? i : length);
        int error = decode(exact, i);
        if (i == length)
            assert_int_equal(error, 0);
        else
            assert_true(error == PROTOCOL_LENGTH || error == PROTOCOL_COUNT);
        free(exact);
    }
}

/* The error when the size-byte number at `at` has another value. */
static int with(decoder *decode, const uint8_t *body, size_t length, size_t at, size_t size,
                uint64_t value)
{
    assert_true(length <= sizeof g_body && at + size <= length);
    memcpy(g_body, body, length);
    for (size_t i = 0; i < size; i++)
        g_body[at + i] = (uint8_t)(value >> 8 * i);
    return decode(g_body, length);
}

#define WITH(decode, vector, at, size, value) with(decode, vector, sizeof vector, at, size, value)

/* ---- PAGES ---- */

static size_t make_pages(uint8_t *body)
{
    static const uint64_t page[] = {0x12345, 0xd000001, 0x10};
    static const uint8_t flags[] = {0, PAGE_ZERO, 0};
    size_t at = encode_pages_head(body, 3, page, flags);
    assert_int_equal(at, sizeof vector_pages_head);
    for (size_t i = 0; i < 4096; i++) {
        body[at + i] = (uint8_t)(i * 31 + (i >> 8));
        body[at + 8191 - i] = (uint8_t)(i * 31 + (i >> 8));
    }
    return at + 8192;
}

static void test_pages(void **unused)
{
    (void)unused;
    uint8_t hash[32];
    br_sha256_context sha;
    uint8_t *body = malloc(RECORD_BODY_MAX);
    size_t length = make_pages(body);
    assert_memory_equal(body, vector_pages_head, sizeof vector_pages_head);
    br_sha256_init(&sha);
    br_sha256_update(&sha, body, length);
    br_sha256_out(&sha, hash);
    assert_memory_equal(hash, vector_pages_hash, 32);
    assert_int_equal(pages(body, length), 0);
    assert_int_equal(g_batch.count, 3);
    assert_int_equal(g_batch.page[0], 0x12345);
    assert_int_equal(g_batch.page[1], 0xd000001);
    assert_int_equal(g_batch.page[2], 0x10);
    assert_int_equal(g_batch.flags[1], PAGE_ZERO);
    assert_ptr_equal(g_batch.contents[0], &body[32]);
    assert_null(g_batch.contents[1]);
    assert_ptr_equal(g_batch.contents[2], &body[32 + 4096]);
    free(body);
}

static void test_pages_fields(void **unused)
{
    (void)unused;
    uint8_t *body = malloc(RECORD_BODY_MAX);
    size_t n = make_pages(body);
    assert_int_equal(with(pages, body, n, 0, 4, 0), PROTOCOL_COUNT);
    assert_int_equal(with(pages, body, n, 0, 4, 65), PROTOCOL_COUNT);
    assert_int_equal(with(pages, body, n, 0, 4, 0xffffffff), PROTOCOL_COUNT);
    assert_int_equal(with(pages, body, n, 0, 4, 2), PROTOCOL_LENGTH);
    assert_int_equal(with(pages, body, n, 4, 4, 1), PROTOCOL_FIELD);
    assert_int_equal(with(pages, body, n, 8, 1, 2), PROTOCOL_FIELD);
    assert_int_equal(with(pages, body, n, 8, 1, 0x81), PROTOCOL_FIELD);
    assert_int_equal(with(pages, body, n, 8, 1, PAGE_ZERO), PROTOCOL_LENGTH);
    assert_int_equal(with(pages, body, n, 9, 7, FIRST_PAGE), 0);
    assert_int_equal(with(pages, body, n, 9, 7, FIRST_PAGE - 1), PROTOCOL_ADDRESS);
    assert_int_equal(with(pages, body, n, 9, 7, END_PAGE - 1), 0);
    assert_int_equal(with(pages, body, n, 9, 7, END_PAGE), PROTOCOL_ADDRESS);
    assert_int_equal(with(pages, body, n, 9, 7, UINT64_MAX), PROTOCOL_ADDRESS);
    free(body);
}

static void test_pages_full_and_truncated(void **unused)
{
    (void)unused;
    uint64_t page[PAGE_BATCH_MAX + 1];
    uint8_t flags[PAGE_BATCH_MAX + 1] = {0};
    uint8_t *body = calloc(1, RECORD_BODY_MAX);
    for (uint64_t i = 0; i <= PAGE_BATCH_MAX; i++)
        page[i] = 0x100 - i; /* any order */
    assert_int_equal(encode_pages_head(body, PAGE_BATCH_MAX + 1, page, flags), 0);
    assert_int_equal(encode_pages_head(body, 0, page, flags), 0);
    assert_int_equal(encode_pages_head(body, PAGE_BATCH_MAX, page, flags), 8 + 64 * 8);
    assert_int_equal(pages(body, RECORD_BODY_MAX), 0);
    assert_int_equal(g_batch.count, PAGE_BATCH_MAX);
    assert_ptr_equal(g_batch.contents[63], &body[RECORD_BODY_MAX - 4096]);
    static const size_t lengths[] = {
        0, 7, 8, 15, 16, 519, 520, 4615, 4616, 4617, RECORD_BODY_MAX - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint8_t *exact = malloc(lengths[i] ? lengths[i] : 1);
        memcpy(exact, body, lengths[i]);
        assert_int_equal(pages(exact, lengths[i]), PROTOCOL_LENGTH);
        free(exact);
    }
    free(body);
}

/* ---- HEADS ---- */

static size_t make_heads(uint8_t *body, uint32_t count)
{
    static uint64_t page[HEADS_PER_RECORD_MAX + 1];
    static uint8_t contents[(HEADS_PER_RECORD_MAX + 1) * PAGE_HEAD_bytes];
    for (uint32_t i = 0; i < count; i++)
        page[i] = 0x12345 - i; /* any order */
    for (size_t i = 0; i < count * (size_t)PAGE_HEAD_bytes; i++)
        contents[i] = (uint8_t)(i * 31 + (i >> 8));
    return encode_heads(body, count, page, contents);
}

static void test_heads(void **unused)
{
    (void)unused;
    static const uint8_t begin[] = {2, 0, 0,    0,    0, 0, 0, 0, 0x45, 0x23, 1, 0,  0, 0,
                                    0, 0, 0x44, 0x23, 1, 0, 0, 0, 0,    0,    0, 31, 62};
    uint8_t *body = malloc(RECORD_BODY_MAX);
    size_t n = make_heads(body, 2);
    assert_int_equal(n, 8 + 2 * (8 + 256));
    assert_memory_equal(body, begin, sizeof begin);
    check_lengths(heads, body, n);
    assert_int_equal(heads(body, n), 0);
    assert_int_equal(g_heads.count, 2);
    assert_int_equal(g_heads.page[0], 0x12345);
    assert_int_equal(g_heads.page[1], 0x12344);
    assert_ptr_equal(g_heads.contents, &body[24]);
    assert_int_equal(g_heads.contents[256 + 3], 94); /* of the second: 259 * 31 + 1, in a byte */
    free(body);
}

static void test_heads_refused(void **unused)
{
    (void)unused;
    uint8_t *body = malloc(RECORD_BODY_MAX);
    size_t n = make_heads(body, 2);
    assert_int_equal(with(heads, body, n, 0, 4, 0), PROTOCOL_COUNT);
    assert_int_equal(with(heads, body, n, 0, 4, 513), PROTOCOL_COUNT);
    assert_int_equal(with(heads, body, n, 0, 4, 0xffffffff), PROTOCOL_COUNT);
    assert_int_equal(with(heads, body, n, 0, 4, 1), PROTOCOL_LENGTH);
    assert_int_equal(with(heads, body, n, 0, 4, 3), PROTOCOL_LENGTH);
    assert_int_equal(with(heads, body, n, 4, 4, 1), PROTOCOL_FIELD);
    assert_int_equal(with(heads, body, n, 8, 8, FIRST_PAGE), 0);
    assert_int_equal(with(heads, body, n, 8, 8, FIRST_PAGE - 1), PROTOCOL_ADDRESS);
    assert_int_equal(with(heads, body, n, 16, 8, END_PAGE - 1), 0);
    assert_int_equal(with(heads, body, n, 16, 8, END_PAGE), PROTOCOL_ADDRESS);
    assert_int_equal(with(heads, body, n, 16, 8, UINT64_MAX), PROTOCOL_ADDRESS);
    free(body);
}

static void test_heads_full(void **unused)
{
    (void)unused;
    uint8_t *body = malloc(RECORD_BODY_MAX);
    assert_int_equal(make_heads(body, 0), 0);
    assert_int_equal(make_heads(body, HEADS_PER_RECORD_MAX + 1), 0);
    size_t n = make_heads(body, HEADS_PER_RECORD_MAX);
    assert_int_equal(n, 8 + 512 * (8 + 256));
    assert_int_equal(heads(body, n), 0);
    assert_int_equal(g_heads.count, HEADS_PER_RECORD_MAX);
    assert_ptr_equal(g_heads.contents, &body[8 + 512 * 8]);
    assert_int_equal(heads(body, n - 1), PROTOCOL_LENGTH);
    free(body);
}

/* ---- ranges, areas, requests ---- */

static void test_ranges(void **unused)
{
    (void)unused;
    static const struct message_range two[] = {{0x10, 1}, {0x12, 0x200000}};
    assert_int_equal(encode_ranges(g_body, two, 2), sizeof vector_ranges);
    assert_memory_equal(g_body, vector_ranges, sizeof vector_ranges);
    assert_int_equal(encode_ranges(g_body, NULL, 0), sizeof vector_no_ranges);
    assert_memory_equal(g_body, vector_no_ranges, sizeof vector_no_ranges);
    check_lengths(ranges, vector_no_ranges, sizeof vector_no_ranges);
    check_lengths(ranges, vector_ranges, sizeof vector_ranges);
    assert_int_equal(ranges(vector_ranges, sizeof vector_ranges), 0);
    assert_int_equal(g_count, 2);
    assert_memory_equal(g_ranges, two, sizeof two);
}

static void test_ranges_refused(void **unused)
{
    (void)unused;
    assert_int_equal(WITH(ranges, vector_ranges, 0, 4, 1), PROTOCOL_LENGTH);
    assert_int_equal(WITH(ranges, vector_ranges, 0, 4, 3), PROTOCOL_LENGTH);
    assert_int_equal(WITH(ranges, vector_ranges, 0, 4, 16385), PROTOCOL_COUNT);
    assert_int_equal(WITH(ranges, vector_ranges, 4, 4, 1), PROTOCOL_FIELD);
    assert_int_equal(WITH(ranges, vector_ranges, 8, 8, FIRST_PAGE - 1), PROTOCOL_ADDRESS);
    assert_int_equal(WITH(ranges, vector_ranges, 16, 8, 0), PROTOCOL_ADDRESS); /* empty */
    assert_int_equal(WITH(ranges, vector_ranges, 16, 8, 2), 0);                /* they touch */
    assert_int_equal(WITH(ranges, vector_ranges, 16, 8, 3), PROTOCOL_ORDER);   /* they overlap */
    assert_int_equal(WITH(ranges, vector_ranges, 8, 8, 0x12), PROTOCOL_ORDER); /* twice */
    assert_int_equal(WITH(ranges, vector_ranges, 8, 8, 0x300000), PROTOCOL_ORDER);
    assert_int_equal(WITH(ranges, vector_ranges, 32, 8, END_PAGE - 0x12), 0);
    assert_int_equal(WITH(ranges, vector_ranges, 32, 8, END_PAGE - 0x11), PROTOCOL_ADDRESS);
    assert_int_equal(WITH(ranges, vector_ranges, 32, 8, UINT64_MAX), PROTOCOL_ADDRESS); /* wraps */
    assert_int_equal(WITH(ranges, vector_ranges, 24, 8, END_PAGE), PROTOCOL_ADDRESS);
    assert_int_equal(decode_ranges(vector_ranges, sizeof vector_ranges, g_ranges, 1, &g_count),
                     PROTOCOL_COUNT); /* more than the caller has room for */
}

static void test_ranges_full(void **unused)
{
    (void)unused;
    static struct message_range many[RANGES_PER_RECORD_MAX + 1];
    for (uint64_t i = 0; i <= RANGES_PER_RECORD_MAX; i++)
        many[i] = (struct message_range){FIRST_PAGE + 2 * i, 1};
    assert_int_equal(encode_ranges(g_body, many, RANGES_PER_RECORD_MAX + 1), 0);
    size_t length = encode_ranges(g_body, many, RANGES_PER_RECORD_MAX);
    assert_int_equal(length, 8 + 16 * RANGES_PER_RECORD_MAX);
    assert_int_equal(ranges(g_body, length), 0);
    assert_memory_equal(g_ranges, many, sizeof g_ranges);
}

static void test_areas(void **unused)
{
    (void)unused;
    static const struct message_area two[] = {{0x10000, 0x12000, 5, 1, 0, 0},
                                              {0x12000, 0x40000000, 3, 2, 1, 0}};
    assert_int_equal(encode_areas(g_body, two, 2), sizeof vector_areas);
    assert_memory_equal(g_body, vector_areas, sizeof vector_areas);
    assert_int_equal(encode_areas(g_body, two, AREAS_PER_RECORD_MAX + 1), 0);
    check_lengths(areas, vector_areas, sizeof vector_areas);
    assert_int_equal(areas(vector_areas, sizeof vector_areas), 0);
    assert_int_equal(g_count, 2);
    assert_memory_equal(g_areas, two, sizeof two);
    assert_int_equal(areas(vector_no_ranges, sizeof vector_no_ranges), 0);
    assert_int_equal(g_count, 0);
}

static void test_areas_refused(void **unused)
{
    (void)unused;
    assert_int_equal(WITH(areas, vector_areas, 0, 4, 8193), PROTOCOL_COUNT);
    assert_int_equal(WITH(areas, vector_areas, 4, 4, 1), PROTOCOL_FIELD);
    assert_int_equal(WITH(areas, vector_areas, 8, 8, 0xf000), PROTOCOL_ADDRESS);
    assert_int_equal(WITH(areas, vector_areas, 8, 8, 0x10001), PROTOCOL_ADDRESS);
    assert_int_equal(WITH(areas, vector_areas, 8, 8, 0x12000), PROTOCOL_ADDRESS); /* empty */
    assert_int_equal(WITH(areas, vector_areas, 16, 8, 0x11fff), PROTOCOL_ADDRESS);
    assert_int_equal(WITH(areas, vector_areas, 16, 8, 0x13000), PROTOCOL_ORDER);
    assert_int_equal(WITH(areas, vector_areas, 24, 4, 8), PROTOCOL_FIELD); /* prot */
    assert_int_equal(WITH(areas, vector_areas, 36, 4, 1), PROTOCOL_FIELD); /* reserved */
    assert_int_equal(WITH(areas, vector_areas, 48, 8, PROGRAM_END), 0);
    assert_int_equal(WITH(areas, vector_areas, 48, 8, PROGRAM_END + 4096), PROTOCOL_ADDRESS);
    assert_int_equal(decode_areas(vector_areas, sizeof vector_areas, g_areas, 1, &g_count),
                     PROTOCOL_COUNT);
}

static void test_request(void **unused)
{
    (void)unused;
    static const uint64_t two[] = {0x7ffffff, 0x10};
    static uint64_t many[REQUEST_PAGES_MAX + 1];
    assert_int_equal(encode_request(g_body, two, 2), sizeof vector_request);
    assert_memory_equal(g_body, vector_request, sizeof vector_request);
    check_lengths(request, vector_request, sizeof vector_request);
    assert_int_equal(request(vector_request, sizeof vector_request), 0);
    assert_int_equal(g_count, 2);
    assert_memory_equal(g_pages, two, sizeof two);
    assert_int_equal(WITH(request, vector_request, 0, 4, 0), PROTOCOL_COUNT);
    assert_int_equal(WITH(request, vector_request, 0, 4, 4097), PROTOCOL_COUNT);
    assert_int_equal(WITH(request, vector_request, 4, 4, 1), PROTOCOL_FIELD);
    assert_int_equal(WITH(request, vector_request, 16, 8, FIRST_PAGE - 1), PROTOCOL_ADDRESS);
    assert_int_equal(WITH(request, vector_request, 16, 8, END_PAGE), PROTOCOL_ADDRESS);
    assert_int_equal(decode_request(vector_request, sizeof vector_request, g_pages, 1, &g_count),
                     PROTOCOL_COUNT);
    assert_int_equal(encode_request(g_body, many, 0), 0);
    assert_int_equal(encode_request(g_body, many, REQUEST_PAGES_MAX + 1), 0);
}

/* ---- PREPARE, START, STARTED ---- */

static const struct message_prepare g_honest = {
    .session = 0x1122334455667788,
    .memory_bytes = 5ULL << 30,
    .xfeatures = 0xe7,
    .xsave_size = 2696,
    .mode = 0,
    .fd_base_needed = 21,
    .description_length = 15,
    .name = "kv",
    .enclave = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    .generation = 3,
    .registry = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31},
};

static void test_prepare(void **unused)
{
    (void)unused;
    const uint8_t *description = (const uint8_t *)"fd 0 /dev/null\n";
    assert_int_equal(encode_prepare(g_body, &g_honest, description), sizeof vector_prepare);
    assert_memory_equal(g_body, vector_prepare, sizeof vector_prepare);
    check_lengths(prepare, vector_prepare, sizeof vector_prepare);
    assert_int_equal(prepare(vector_prepare, sizeof vector_prepare), 0);
    assert_memory_equal(&g_prepare, &g_honest, sizeof g_honest);
    assert_ptr_equal(g_description, &vector_prepare[160]);
    struct message_prepare bare = g_honest;
    bare.description_length = 0;
    assert_int_equal(encode_prepare(g_body, &bare, NULL), 160);
    assert_int_equal(prepare(g_body, 160), 0);
    bare.description_length = DESCRIPTION_MAX_bytes + 1;
    assert_int_equal(encode_prepare(g_body, &bare, description), 0);
}

static void test_prepare_refused(void **unused)
{
    (void)unused;
    assert_int_equal(WITH(prepare, vector_prepare, 8, 8, ELRANGE_END), 0);
    assert_int_equal(WITH(prepare, vector_prepare, 8, 8, ELRANGE_END + 1), PROTOCOL_FIELD);
    assert_int_equal(WITH(prepare, vector_prepare, 24, 4, 65537), PROTOCOL_FIELD);
    assert_int_equal(WITH(prepare, vector_prepare, 28, 4, 3), 0);
    assert_int_equal(WITH(prepare, vector_prepare, 28, 4, 4), PROTOCOL_FIELD);
    assert_int_equal(WITH(prepare, vector_prepare, 32, 4, (1 << 20) + 1), PROTOCOL_FIELD);
    assert_int_equal(WITH(prepare, vector_prepare, 36, 4, 14), PROTOCOL_LENGTH);
    assert_int_equal(WITH(prepare, vector_prepare, 36, 4, 16), PROTOCOL_LENGTH);
    assert_int_equal(WITH(prepare, vector_prepare, 36, 4, 0xffffffff), PROTOCOL_LENGTH);
    assert_int_equal(WITH(prepare, vector_prepare, 40, 1, 0x1b), PROTOCOL_FIELD); /* escape */
    assert_int_equal(WITH(prepare, vector_prepare, 40, 1, 0xff), PROTOCOL_FIELD);
    assert_int_equal(WITH(prepare, vector_prepare, 60, 1, 'x'), PROTOCOL_FIELD); /* after the end */
    assert_int_equal(WITH(prepare, vector_prepare, 120, 8, 0), PROTOCOL_FIELD);  /* generation */
}

/* A name of our own that cannot be sent as it is, is made so that the peer takes it. */
static void test_prepare_name(void **unused)
{
    (void)unused;
    struct message_prepare m = g_honest;
    m.description_length = 0;
    memcpy(m.name, "a\nb\x1b[31m", 9);
    assert_int_equal(encode_prepare(g_body, &m, NULL), 160);
    assert_int_equal(prepare(g_body, 160), 0);
    assert_string_equal(g_prepare.name, "a?b?[31m");
    memset(m.name, 'n', sizeof m.name);
    assert_int_equal(encode_prepare(g_body, &m, NULL), 160);
    assert_int_equal(prepare(g_body, 160), 0);
    assert_int_equal(strlen(g_prepare.name), 63);
    memset(&g_body[40], 'n', 64);
    assert_int_equal(prepare(g_body, 160), PROTOCOL_FIELD); /* not terminated */
}

static void test_start(void **unused)
{
    (void)unused;
    struct message_start m = {.records_sent = 1234,
                              .monotonic_ns = 1000000000000000,
                              .boottime_ns = 1000000000000007,
                              .listed_pages = 4096,
                              .round_trip_ns = 120000,
                              .threads = 5};
    for (int i = 0; i < 32; i++)
        m.digest[i] = (uint8_t)i;
    assert_int_equal(encode_start(g_body, &m), sizeof vector_start);
    assert_memory_equal(g_body, vector_start, sizeof vector_start);
    check_lengths(start, vector_start, sizeof vector_start);
    assert_int_equal(start(vector_start, sizeof vector_start), 0);
    assert_memory_equal(&g_start, &m, sizeof m);
    assert_int_equal(WITH(start, vector_start, 56, 8, END_PAGE - FIRST_PAGE), 0);
    assert_int_equal(WITH(start, vector_start, 56, 8, END_PAGE - FIRST_PAGE + 1), PROTOCOL_FIELD);
    assert_int_equal(WITH(start, vector_start, 72, 4, 0), PROTOCOL_FIELD);
    assert_int_equal(WITH(start, vector_start, 76, 4, 1), PROTOCOL_FIELD);
}

static void test_started(void **unused)
{
    (void)unused;
    struct message_started m = {1500, 300, 700, 200, 1700000000000000000};
    assert_int_equal(encode_started(g_body, &m), sizeof vector_started);
    assert_memory_equal(g_body, vector_started, sizeof vector_started);
    check_lengths(started, vector_started, sizeof vector_started);
    assert_int_equal(started(vector_started, sizeof vector_started), 0);
    assert_memory_equal(&g_started, &m, sizeof m);
}

/* ---- text ---- */

static void assert_cleaned(const char *in, const char *wanted)
{
    uint8_t *exact = malloc(strlen(in) + 1);
    memcpy(exact, in, strlen(in));
    assert_int_equal(decode_text(exact, strlen(in), g_text, sizeof g_text), 0);
    assert_string_equal(g_text, wanted);
    size_t length = encode_text(g_body, in);
    assert_int_equal(length, strlen(wanted));
    assert_memory_equal(g_body, wanted, length);
    free(exact);
}

static const struct message_rule g_rules[2] = {
    {.pass = false, .name = "platform", .found = "sim", .wanted = "one of: snp"},
    {.pass = true, .name = "debug", .found = "off", .wanted = ""},
};

static void test_evidence(void **unused)
{
    (void)unused;
    uint8_t rules[64];
    struct message_rule rule;
    size_t used = 0, at = 0;
    for (int i = 0; i < 2; i++)
        used += encode_rule(&rules[used], sizeof rules - used, &g_rules[i]);
    struct message_evidence m = {
        5, 3, 2, (uint32_t)used, (const uint8_t *)"quote", (const uint8_t *)"pem", rules};
    assert_int_equal(encode_evidence(g_body, &m), sizeof vector_evidence);
    assert_memory_equal(g_body, vector_evidence, sizeof vector_evidence);
    assert_int_equal(evidence(vector_evidence, sizeof vector_evidence), 0);
    assert_int_equal(g_evidence.evidence_length, 5);
    assert_memory_equal(g_evidence.evidence, "quote", 5);
    assert_int_equal(g_evidence.certificates_length, 3);
    assert_memory_equal(g_evidence.certificates, "pem", 3);
    assert_int_equal(g_evidence.rule_count, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(decode_rule(g_evidence.rules, g_evidence.rules_length, &at, &rule), 0);
        assert_memory_equal(&rule, &g_rules[i], sizeof rule);
    }
    assert_int_equal(at, g_evidence.rules_length);
}

/* One thing wrong at a time. */
static int changed_evidence(size_t at, uint8_t change)
{
    memcpy(g_body, vector_evidence, sizeof vector_evidence);
    g_body[at] ^= change;
    return evidence(g_body, sizeof vector_evidence);
}

static void test_evidence_refused(void **unused)
{
    (void)unused;
    for (size_t length = 0; length < sizeof vector_evidence; length++)
        assert_true(evidence(vector_evidence, length) < 0);
    memcpy(g_body, vector_evidence, sizeof vector_evidence);
    assert_int_equal(evidence(g_body, sizeof vector_evidence + 1), PROTOCOL_LENGTH);
    assert_int_equal(changed_evidence(0, 5), PROTOCOL_LENGTH);   /* no evidence */
    assert_int_equal(changed_evidence(2, 2), PROTOCOL_LENGTH);   /* more than there may be */
    assert_int_equal(changed_evidence(6, 2), PROTOCOL_LENGTH);   /* certificates, the same */
    assert_int_equal(changed_evidence(8, 3), PROTOCOL_LENGTH);   /* one rule, and more follows */
    assert_int_equal(changed_evidence(8, 1), PROTOCOL_LENGTH);   /* three, and one is missing */
    assert_int_equal(changed_evidence(8, 0x80), PROTOCOL_COUNT); /* more than there may be */
    assert_int_equal(changed_evidence(12, 1), PROTOCOL_FIELD);   /* reserved */
    assert_int_equal(changed_evidence(24, 2), PROTOCOL_FIELD);   /* neither passed nor not */
    assert_int_equal(changed_evidence(26, 'p' ^ 27), PROTOCOL_FIELD); /* an escape in a text */
}

static void test_evidence_full(void **unused)
{
    (void)unused;
    static uint8_t report[EVIDENCE_MAX_bytes + 1], rules[RULES_MAX_bytes];
    struct message_rule longest = {.pass = true};
    size_t used = 0;
    memset(longest.name, 'n', RULE_TEXT_MAX_bytes);
    memset(longest.found, 'f', RULE_TEXT_MAX_bytes);
    memset(longest.wanted, 'w', RULE_TEXT_MAX_bytes);
    for (int i = 0; i < RULES_MAX; i++)
        used += encode_rule(&rules[used], sizeof rules - used, &longest);
    assert_int_equal(used, RULES_MAX_bytes);
    assert_int_equal(encode_rule(rules, 4 + 3 * RULE_TEXT_MAX_bytes - 1, &longest), 0);
    struct message_evidence m = {EVIDENCE_MAX_bytes,
                                 CERTIFICATES_MAX_bytes,
                                 RULES_MAX,
                                 (uint32_t)used,
                                 report,
                                 report,
                                 rules};
    size_t length = encode_evidence(g_body, &m);
    assert_int_equal(evidence(g_body, length), 0);
    assert_int_equal(g_evidence.rule_count, RULES_MAX);
    m.evidence_length++;
    assert_int_equal(encode_evidence(g_body, &m), 0);
}

static void test_text(void **unused)
{
    (void)unused;
    assert_int_equal(encode_text(g_body, "no memory: \302\275 GiB"), sizeof vector_text);
    assert_memory_equal(g_body, vector_text, sizeof vector_text);
    assert_cleaned("no memory: \302\275 GiB", "no memory: \302\275 GiB");
    assert_cleaned("", "");
    assert_cleaned("a\nb\tc\r\x1b[2J\x7f", "a?b?c??[2J?");
    assert_cleaned("\xc2\x9b"
                   "31m",
                   "??31m");                         /* C1: control sequence introducer */
    assert_cleaned("\xc0\xaf\xe0\x80\xaf", "?????"); /* overlong */
    assert_cleaned("\xed\xa0\x80", "???");           /* half of a pair */
    assert_cleaned("\xf4\x90\x80\x80", "????");      /* above U+10FFFF */
    assert_cleaned("\xf0\x9f\x90\xa7!", "\xf0\x9f\x90\xa7!");
    assert_cleaned("\xf0\x9f\x90", "???");      /* cut */
    assert_cleaned("\x80\xbf\xfe\xff", "????"); /* no start */
    assert_cleaned("\xe2\x80\xae"
                   "gpj.exe",
                   "???gpj.exe"); /* right-to-left override */
    assert_cleaned("\xe2\x80\xa8"
                   "x",
                   "???x"); /* line separator */
    assert_int_equal(decode_text((const uint8_t *)"a\0b", 3, g_text, sizeof g_text), 0);
    assert_string_equal(g_text, "a?b");
}

static void test_text_lengths(void **unused)
{
    (void)unused;
    static uint8_t long_text[REASON_MAX_bytes];
    static char c_string[2 * REASON_MAX_bytes];
    char small[8];
    memset(long_text, 'x', sizeof long_text);
    memset(c_string, 'y', sizeof c_string - 1);
    assert_int_equal(decode_text(long_text, REASON_MAX_bytes - 1, g_text, sizeof g_text), 0);
    assert_int_equal(strlen(g_text), REASON_MAX_bytes - 1);
    memset(g_text, 'z', sizeof g_text);
    assert_int_equal(decode_text(long_text, REASON_MAX_bytes, g_text, sizeof g_text),
                     PROTOCOL_LENGTH);
    assert_zero(g_text, sizeof g_text);
    assert_int_equal(encode_text(g_body, c_string), REASON_MAX_bytes - 1);
    /* Too long for the caller: cut between characters. */
    const uint8_t *euros = (const uint8_t *)"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac";
    assert_int_equal(decode_text(euros, 9, small, sizeof small), 0);
    assert_string_equal(small, "\xe2\x82\xac\xe2\x82\xac");
    assert_int_equal(decode_text(euros, 9, small, 1), 0);
    assert_string_equal(small, "");
    assert_int_equal(decode_text(euros, 9, small, 0), PROTOCOL_ARGUMENT);
}

#define PROTOCOL_ERROR(name, number, blame, text) {-(number), text, PROTOCOL_BLAME_##blame},
static void test_errors(void **unused)
{
    (void)unused;
    static const struct {
        int error;
        const char *text;
        enum protocol_blame blame;
    } errors[] = {
#include "protocol/errors.def"
    };
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        assert_int_equal(errors[i].error, -(int)(i + 1)); /* no number twice, none left out */
        assert_string_equal(protocol_error_text(errors[i].error), errors[i].text);
        assert_int_equal(protocol_error_blame(errors[i].error), errors[i].blame);
    }
    assert_string_equal(protocol_error_text(0), "no error");
    assert_string_equal(protocol_error_text(-9999), "unknown error");
}
#undef PROTOCOL_ERROR

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_pages_fields),
        cmocka_unit_test(test_pages_full_and_truncated),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_heads_refused),
        cmocka_unit_test(test_heads_full),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_ranges_refused),
        cmocka_unit_test(test_ranges_full),
        cmocka_unit_test(test_areas),
        cmocka_unit_test(test_areas_refused),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_prepare),
        cmocka_unit_test(test_prepare_refused),
        cmocka_unit_test(test_prepare_name),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_started),
        cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_evidence_refused),
        cmocka_unit_test(test_evidence_full),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_text_lengths),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
