/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies that are ascending lists: ranges of pages (HUGE, DROP, LIST) and areas of the memory map
 * (LAYOUT).
 */
#include "protocol/bodies.h"
#include "protocol/protocol.h"

enum { RANGE_SIZE = 16, AREA_SIZE = 32, PROT_ALL = 7 };

_Static_assert(8 + RANGES_PER_RECORD_MAX * RANGE_SIZE <= RECORD_BODY_MAX, "ranges fit");
_Static_assert(8 + AREAS_PER_RECORD_MAX * AREA_SIZE <= RECORD_BODY_MAX, "areas fit");

size_t encode_ranges(uint8_t *body, const struct message_range *ranges, uint32_t count)
{
    if (count > RANGES_PER_RECORD_MAX)
        return 0;
    struct wire w = wire_writer(body, RECORD_BODY_MAX);
    put_list_head(&w, count);
    for (uint32_t i = 0; i < count; i++) {
        wire_put_u64(&w, ranges[i].first_page);
        wire_put_u64(&w, ranges[i].count);
    }
    return w.at;
}

int decode_ranges(const uint8_t *body, size_t length, struct message_range *out, uint32_t capacity,
                  uint32_t *out_count)
{
    struct wire w = wire_reader(body, length);
    uint32_t count;
    uint64_t free_from = 0;
    *out_count = 0;
    int error = take_list_head(&w, 0, smaller(capacity, RANGES_PER_RECORD_MAX), RANGE_SIZE, &count);
    for (uint32_t i = 0; !error && i < count; i++) {
        out[i].first_page = wire_take_u64(&w);
        out[i].count = wire_take_u64(&w);
        if (!pages_movable(out[i].first_page, out[i].count))
            error = PROTOCOL_ADDRESS;
        else if (out[i].first_page < free_from)
            error = PROTOCOL_ORDER;
        free_from = out[i].first_page + out[i].count;
    }
    if (error)
        memset(out, 0, count * sizeof *out);
    else
        *out_count = count;
    return error;
}

size_t encode_areas(uint8_t *body, const struct message_area *areas, uint32_t count)
{
    if (count > AREAS_PER_RECORD_MAX)
        return 0;
    struct wire w = wire_writer(body, RECORD_BODY_MAX);
    put_list_head(&w, count);
    for (uint32_t i = 0; i < count; i++) {
        wire_put_u64(&w, areas[i].start);
        wire_put_u64(&w, areas[i].end);
        wire_put_u32(&w, areas[i].prot);
        wire_put_u32(&w, areas[i].kind);
        wire_put_u32(&w, areas[i].flags);
        wire_put_u32(&w, 0);
    }
    return w.at;
}

static int check_area(const struct message_area *area, uint64_t free_from)
{
    if (area->start < PROGRAM_BASE || area->end > PROGRAM_END || area->start >= area->end ||
        ((area->start | area->end) & (OM_PAGE_SIZE - 1)) != 0)
        return PROTOCOL_ADDRESS;
    if (area->start < free_from)
        return PROTOCOL_ORDER;
    return area->prot > PROT_ALL || area->reserved != 0 ? PROTOCOL_FIELD : PROTOCOL_OK;
}

int decode_areas(const uint8_t *body, size_t length, struct message_area *out, uint32_t capacity,
                 uint32_t *out_count)
{
    struct wire w = wire_reader(body, length);
    uint32_t count;
    uint64_t free_from = 0;
    *out_count = 0;
    int error = take_list_head(&w, 0, smaller(capacity, AREAS_PER_RECORD_MAX), AREA_SIZE, &count);
    for (uint32_t i = 0; !error && i < count; i++) {
        out[i].start = wire_take_u64(&w);
        out[i].end = wire_take_u64(&w);
        out[i].prot = wire_take_u32(&w);
        out[i].kind = wire_take_u32(&w);
        out[i].flags = wire_take_u32(&w);
        out[i].reserved = wire_take_u32(&w);
        error = check_area(&out[i], free_from);
        free_from = out[i].end;
    }
    if (error)
        memset(out, 0, count * sizeof *out);
    else
        *out_count = count;
    return error;
}
