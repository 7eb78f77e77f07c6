/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies that name single pages: PAGES, HEADS and REQUEST.
 */
#include "protocol/bodies.h"
#include "protocol/protocol.h"

size_t encode_pages_head(uint8_t *body, uint32_t count, const uint64_t *page, const uint8_t *flags)
{
    if (count == 0 || count > PAGE_BATCH_MAX)
        return 0;
    struct wire w = wire_writer(body, RECORD_BODY_MAX);
    put_list_head(&w, count);
    for (uint32_t i = 0; i < count; i++)
        wire_put_u64(&w, page[i] << 8 | flags[i]);
    return w.at;
}

static int take_pages(struct wire *w, struct page_batch *out)
{
    int error = take_list_head(w, 1, PAGE_BATCH_MAX, 0, &out->count);
    if (error)
        return error;
    for (uint32_t i = 0; i < out->count; i++) {
        uint64_t entry = wire_take_u64(w);
        if (w->failed)
            return PROTOCOL_LENGTH;
        out->page[i] = entry >> 8;
        out->flags[i] = entry & 0xff;
        if (out->flags[i] & ~PAGE_ZERO)
            return PROTOCOL_FIELD;
        if (!pages_movable(out->page[i], 1))
            return PROTOCOL_ADDRESS;
    }
    for (uint32_t i = 0; i < out->count; i++)
        if (!(out->flags[i] & PAGE_ZERO))
            out->contents[i] = wire_take_span(w, OM_PAGE_SIZE);
    return wire_complete(w) ? PROTOCOL_OK : PROTOCOL_LENGTH;
}

int decode_pages(const uint8_t *body, size_t length, struct page_batch *out)
{
    struct wire w = wire_reader(body, length);
    memset(out, 0, sizeof *out);
    int error = take_pages(&w, out);
    if (error)
        memset(out, 0, sizeof *out);
    return error;
}

size_t encode_heads(uint8_t *body, uint32_t count, const uint64_t *page, const uint8_t *contents)
{
    _Static_assert(8 + HEADS_PER_RECORD_MAX * (8 + PAGE_HEAD_bytes) <= RECORD_BODY_MAX, "they fit");
    if (count == 0 || count > HEADS_PER_RECORD_MAX)
        return 0;
    struct wire w = wire_writer(body, RECORD_BODY_MAX);
    put_list_head(&w, count);
    for (uint32_t i = 0; i < count; i++)
        wire_put_u64(&w, page[i]);
    wire_put_bytes(&w, contents, (size_t)count * PAGE_HEAD_bytes);
    return w.at;
}

static int take_heads(struct wire *w, struct head_batch *out)
{
    int error = take_list_head(w, 1, HEADS_PER_RECORD_MAX, 8 + PAGE_HEAD_bytes, &out->count);
    if (error)
        return error;
    for (uint32_t i = 0; i < out->count; i++) {
        out->page[i] = wire_take_u64(w);
        if (!pages_movable(out->page[i], 1))
            return PROTOCOL_ADDRESS;
    }
    out->contents = wire_take_span(w, (size_t)out->count * PAGE_HEAD_bytes);
    return wire_complete(w) ? PROTOCOL_OK : PROTOCOL_LENGTH;
}

int decode_heads(const uint8_t *body, size_t length, struct head_batch *out)
{
    struct wire w = wire_reader(body, length);
    memset(out, 0, sizeof *out);
    int error = take_heads(&w, out);
    if (error)
        memset(out, 0, sizeof *out);
    return error;
}

size_t encode_request(uint8_t *body, const uint64_t *pages, uint32_t count)
{
    if (count == 0 || count > REQUEST_PAGES_MAX)
        return 0;
    struct wire w = wire_writer(body, RECORD_BODY_MAX);
    put_list_head(&w, count);
    for (uint32_t i = 0; i < count; i++)
        wire_put_u64(&w, pages[i]);
    return w.at;
}

int decode_request(const uint8_t *body, size_t length, uint64_t *out_pages, uint32_t capacity,
                   uint32_t *out_count)
{
    struct wire w = wire_reader(body, length);
    uint32_t count;
    *out_count = 0;
    int error = take_list_head(&w, 1, smaller(capacity, REQUEST_PAGES_MAX), 8, &count);
    if (error)
        return error;
    for (uint32_t i = 0; i < count; i++) {
        out_pages[i] = wire_take_u64(&w);
        if (!pages_movable(out_pages[i], 1)) {
            memset(out_pages, 0, (i + 1) * sizeof *out_pages);
            return PROTOCOL_ADDRESS;
        }
    }
    *out_count = count;
    return PROTOCOL_OK;
}
