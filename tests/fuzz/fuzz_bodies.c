/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the body of a message; the first byte picks the decoder.  What passes is encoded
 * again, which must give the same bytes: then there is one form of each body, and no field that
 * nobody looked at.
 */
#include "tests/fuzz/fuzz.h"

#include "boundary/layout.h"
#include "protocol/protocol.h"

static uint8_t g_again[RECORD_BODY_MAX];
static const uint64_t g_end_of_pages = (TABLES_BASE + TABLES_SIZE) >> OM_PAGE_SHIFT;

static void check_again(const uint8_t *body, size_t length, size_t encoded)
{
    ALWAYS(encoded == length && memcmp(g_again, body, length) == 0);
}

static void fuzz_pages(const uint8_t *body, size_t length)
{
    static struct page_batch batch;
    if (decode_pages(body, length, &batch) != 0)
        return;
    size_t head = encode_pages_head(g_again, batch.count, batch.page, batch.flags), at = head;
    ALWAYS(memcmp(g_again, body, head) == 0);
    for (uint32_t i = 0; i < batch.count; i++) {
        ALWAYS(batch.page[i] << OM_PAGE_SHIFT >= PROGRAM_BASE && batch.page[i] < g_end_of_pages);
        ALWAYS((batch.contents[i] == NULL) == (batch.flags[i] == PAGE_ZERO));
        if (batch.contents[i]) {
            ALWAYS(batch.contents[i] == &body[at]);
            at += OM_PAGE_SIZE;
        }
    }
    ALWAYS(at == length);
}

static void fuzz_heads(const uint8_t *body, size_t length)
{
    static struct head_batch batch;
    if (decode_heads(body, length, &batch) != 0)
        return;
    ALWAYS(batch.contents + (size_t)batch.count * PAGE_HEAD_bytes == body + length);
    for (uint32_t i = 0; i < batch.count; i++)
        ALWAYS(batch.page[i] << OM_PAGE_SHIFT >= PROGRAM_BASE && batch.page[i] < g_end_of_pages);
    check_again(body, length, encode_heads(g_again, batch.count, batch.page, batch.contents));
}

static void fuzz_ranges(const uint8_t *body, size_t length)
{
    static struct message_range ranges[RANGES_PER_RECORD_MAX];
    uint32_t count;
    uint64_t free_from = PROGRAM_BASE >> OM_PAGE_SHIFT;
    if (decode_ranges(body, length, ranges, RANGES_PER_RECORD_MAX, &count) != 0)
        return;
    check_again(body, length, encode_ranges(g_again, ranges, count));
    for (uint32_t i = 0; i < count; i++) {
        ALWAYS(ranges[i].first_page >= free_from && ranges[i].count > 0);
        free_from = ranges[i].first_page + ranges[i].count;
        ALWAYS(free_from > ranges[i].first_page && free_from <= g_end_of_pages);
    }
}

static void fuzz_areas(const uint8_t *body, size_t length)
{
    static struct message_area areas[AREAS_PER_RECORD_MAX];
    uint32_t count;
    uint64_t free_from = PROGRAM_BASE;
    if (decode_areas(body, length, areas, AREAS_PER_RECORD_MAX, &count) != 0)
        return;
    check_again(body, length, encode_areas(g_again, areas, count));
    for (uint32_t i = 0; i < count; i++) {
        ALWAYS(areas[i].start >= free_from && areas[i].end > areas[i].start);
        ALWAYS(areas[i].end <= PROGRAM_END && areas[i].prot <= 7);
        free_from = areas[i].end;
    }
}

static void fuzz_request(const uint8_t *body, size_t length)
{
    static uint64_t pages[REQUEST_PAGES_MAX];
    uint32_t count;
    if (decode_request(body, length, pages, REQUEST_PAGES_MAX, &count) != 0)
        return;
    check_again(body, length, encode_request(g_again, pages, count));
    for (uint32_t i = 0; i < count; i++)
        ALWAYS(pages[i] << OM_PAGE_SHIFT >= PROGRAM_BASE && pages[i] < g_end_of_pages);
}

static void fuzz_prepare(const uint8_t *body, size_t length)
{
    struct message_prepare m;
    const uint8_t *description;
    if (decode_prepare(body, length, &m, &description) != 0)
        return;
    ALWAYS(memchr(m.name, '\0', sizeof m.name) != NULL);
    ALWAYS(description + m.description_length == body + length);
    check_again(body, length, encode_prepare(g_again, &m, description));
}

static void fuzz_start(const uint8_t *body, size_t length)
{
    struct message_start m;
    if (decode_start(body, length, &m) == 0)
        check_again(body, length, encode_start(g_again, &m));
}

static void fuzz_started(const uint8_t *body, size_t length)
{
    struct message_started m;
    if (decode_started(body, length, &m) == 0)
        check_again(body, length, encode_started(g_again, &m));
}

static void fuzz_resumed(const uint8_t *body, size_t length)
{
    struct message_resumed m;
    if (decode_resumed(body, length, &m) == 0)
        check_again(body, length, encode_resumed(g_again, &m));
}

static void fuzz_evidence_body(const uint8_t *body, size_t length)
{
    struct message_evidence m;
    struct message_rule rule;
    static uint8_t rules[RULES_MAX_bytes];
    size_t at = 0, used = 0;
    if (decode_evidence(body, length, &m) != 0)
        return;
    for (uint32_t i = 0; i < m.rule_count; i++) {
        ALWAYS(decode_rule(m.rules, m.rules_length, &at, &rule) == 0);
        used += encode_rule(&rules[used], sizeof rules - used, &rule);
    }
    ALWAYS(at == m.rules_length && used == at && memcmp(rules, m.rules, at) == 0);
    check_again(body, length, encode_evidence(g_again, &m));
}

/* Text is not refused but cleaned; cleaning it once more changes nothing, at any capacity. */
static void fuzz_text(const uint8_t *body, size_t length)
{
    char text[REASON_MAX_bytes], cut[REASON_MAX_bytes];
    if (decode_text(body, length, text, sizeof text) != 0)
        return;
    size_t cleaned = encode_text(g_again, text);
    ALWAYS(cleaned == strlen(text) && memcmp(g_again, text, cleaned) == 0);
    for (size_t i = 0; i < cleaned; i++)
        ALWAYS((uint8_t)text[i] >= 0x20 && text[i] != 0x7f);
    size_t capacity = length > 0 ? 1 + body[0] % 64 : 1;
    ALWAYS(decode_text(body, length, cut, capacity) == 0);
    ALWAYS(strlen(cut) < capacity && memcmp(cut, text, strlen(cut)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const fuzz[])(const uint8_t *body, size_t length) = {
        fuzz_pages,   fuzz_ranges, fuzz_areas,         fuzz_request, fuzz_prepare, fuzz_start,
        fuzz_started, fuzz_text,   fuzz_evidence_body, fuzz_resumed, fuzz_heads,
    };
    if (size >= 1)
        fuzz[data[0] % (sizeof fuzz / sizeof fuzz[0])](&data[1], size - 1);
    return 0;
}
