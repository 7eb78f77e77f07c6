/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of fixed form: PREPARE, START, STARTED, RESUMED.
 */
#include "protocol/bodies.h"
#include "protocol/protocol.h"
#include "protocol/text.h"

enum { PREPARE_SIZE = 160, START_SIZE = 80, STARTED_SIZE = 40, RESUMED_SIZE = 16, MODE_MAX = 3 };

_Static_assert(PREPARE_SIZE + DESCRIPTION_MAX_bytes <= RECORD_BODY_MAX, "a description fits");

size_t encode_prepare(uint8_t *body, const struct message_prepare *m, const uint8_t *description)
{
    char name[sizeof m->name] = {0};
    if (m->description_length > DESCRIPTION_MAX_bytes)
        return 0;
    size_t name_length = 0;
    while (name_length < sizeof m->name && m->name[name_length] != '\0')
        name_length++;
    text_clean(name, sizeof name, (const uint8_t *)m->name, name_length);
    struct wire w = wire_writer(body, RECORD_BODY_MAX);
    wire_put_u64(&w, m->session);
    wire_put_u64(&w, m->memory_bytes);
    wire_put_u64(&w, m->xfeatures);
    wire_put_u32(&w, m->xsave_size);
    wire_put_u32(&w, m->mode);
    wire_put_u32(&w, m->fd_base_needed);
    wire_put_u32(&w, m->description_length);
    wire_put_bytes(&w, name, sizeof name);
    wire_put_bytes(&w, m->enclave, sizeof m->enclave);
    wire_put_u64(&w, m->generation);
    wire_put_bytes(&w, m->registry, sizeof m->registry);
    wire_put_bytes(&w, description, m->description_length);
    return w.at;
}

static bool name_valid(const char name[64])
{
    char cleaned[64] = {0};
    size_t length = 0;
    while (length < sizeof cleaned && name[length] != '\0')
        length++;
    if (length == sizeof cleaned)
        return false;
    text_clean(cleaned, sizeof cleaned, (const uint8_t *)name, length);
    return memcmp(cleaned, name, sizeof cleaned) == 0;
}

static int check_prepare(const struct message_prepare *m, size_t description_room)
{
    if (m->description_length > DESCRIPTION_MAX_bytes || m->description_length != description_room)
        return PROTOCOL_LENGTH;
    if (m->memory_bytes > ELRANGE_END || m->xsave_size > XSAVE_SIZE_MAX_bytes ||
        m->mode > MODE_MAX || m->fd_base_needed > FD_BASE_MAX || m->generation == 0 ||
        !name_valid(m->name))
        return PROTOCOL_FIELD;
    return PROTOCOL_OK;
}

int decode_prepare(const uint8_t *body, size_t length, struct message_prepare *out,
                   const uint8_t **out_description)
{
    struct wire w = wire_reader(body, length);
    *out_description = NULL;
    memset(out, 0, sizeof *out);
    if (length < PREPARE_SIZE)
        return PROTOCOL_LENGTH;
    out->session = wire_take_u64(&w);
    out->memory_bytes = wire_take_u64(&w);
    out->xfeatures = wire_take_u64(&w);
    out->xsave_size = wire_take_u32(&w);
    out->mode = wire_take_u32(&w);
    out->fd_base_needed = wire_take_u32(&w);
    out->description_length = wire_take_u32(&w);
    wire_take_bytes(&w, out->name, sizeof out->name);
    wire_take_bytes(&w, out->enclave, sizeof out->enclave);
    out->generation = wire_take_u64(&w);
    wire_take_bytes(&w, out->registry, sizeof out->registry);
    int error = check_prepare(out, wire_left(&w));
    if (error)
        memset(out, 0, sizeof *out);
    else
        *out_description = wire_take_span(&w, out->description_length);
    return error;
}

size_t encode_start(uint8_t *body, const struct message_start *m)
{
    struct wire w = wire_writer(body, START_SIZE);
    wire_put_u64(&w, m->records_sent);
    wire_put_bytes(&w, m->digest, sizeof m->digest);
    wire_put_u64(&w, m->monotonic_ns);
    wire_put_u64(&w, m->boottime_ns);
    wire_put_u64(&w, m->listed_pages);
    wire_put_u64(&w, m->round_trip_ns);
    wire_put_u32(&w, m->threads);
    wire_put_u32(&w, 0);
    return w.at;
}

int decode_start(const uint8_t *body, size_t length, struct message_start *out)
{
    struct wire w = wire_reader(body, length);
    memset(out, 0, sizeof *out);
    if (length != START_SIZE)
        return PROTOCOL_LENGTH;
    out->records_sent = wire_take_u64(&w);
    wire_take_bytes(&w, out->digest, sizeof out->digest);
    out->monotonic_ns = wire_take_u64(&w);
    out->boottime_ns = wire_take_u64(&w);
    out->listed_pages = wire_take_u64(&w);
    out->round_trip_ns = wire_take_u64(&w);
    out->threads = wire_take_u32(&w);
    out->reserved = wire_take_u32(&w);
    if (out->threads == 0 || out->reserved != 0 ||
        out->listed_pages > g_end_of_movable_pages - g_first_movable_page) {
        memset(out, 0, sizeof *out);
        return PROTOCOL_FIELD;
    }
    return PROTOCOL_OK;
}

size_t encode_started(uint8_t *body, const struct message_started *m)
{
    struct wire w = wire_writer(body, STARTED_SIZE);
    wire_put_u64(&w, m->resume_us);
    wire_put_u64(&w, m->fds_us);
    wire_put_u64(&w, m->threads_us);
    wire_put_u64(&w, m->drop_us);
    wire_put_u64(&w, m->realtime_ns);
    return w.at;
}

int decode_started(const uint8_t *body, size_t length, struct message_started *out)
{
    struct wire w = wire_reader(body, length);
    memset(out, 0, sizeof *out);
    if (length != STARTED_SIZE)
        return PROTOCOL_LENGTH;
    out->resume_us = wire_take_u64(&w);
    out->fds_us = wire_take_u64(&w);
    out->threads_us = wire_take_u64(&w);
    out->drop_us = wire_take_u64(&w);
    out->realtime_ns = wire_take_u64(&w);
    return PROTOCOL_OK;
}

size_t encode_resumed(uint8_t *body, const struct message_resumed *m)
{
    struct wire w = wire_writer(body, RESUMED_SIZE);
    wire_put_u64(&w, m->missing_pages);
    wire_put_u64(&w, m->resume_us);
    return w.at;
}

int decode_resumed(const uint8_t *body, size_t length, struct message_resumed *out)
{
    struct wire w = wire_reader(body, length);
    memset(out, 0, sizeof *out);
    if (length != RESUMED_SIZE)
        return PROTOCOL_LENGTH;
    out->missing_pages = wire_take_u64(&w);
    out->resume_us = wire_take_u64(&w);
    if (out->missing_pages > g_end_of_movable_pages - g_first_movable_page) {
        memset(out, 0, sizeof *out);
        return PROTOCOL_FIELD;
    }
    return PROTOCOL_OK;
}
