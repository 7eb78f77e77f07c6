/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one cursor that all encoders and decoders use.  Parsers do no pointer arithmetic of their
 * own.
 *
 * A cursor that ran out of bytes, or met something it may not hold, has failed; it stays so, takes
 * zeroes and puts nothing.  So a decoder takes all its fields first and asks once, at the end:
 * wire_complete(). Numbers are little-endian.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wire {
    const uint8_t *from; /* of a reader */
    uint8_t *to;         /* of a writer */
    size_t length, at;
    bool failed;
};

static inline struct wire wire_reader(const uint8_t *bytes, size_t length)
{
    return (struct wire){.from = bytes, .length = length};
}

static inline struct wire wire_writer(uint8_t *bytes, size_t capacity)
{
    return (struct wire){.to = bytes, .length = capacity};
}

/* Everything was there, and nothing is left over. */
static inline bool wire_complete(const struct wire *w)
{
    return !w->failed && w->at == w->length;
}

static inline size_t wire_left(const struct wire *w)
{
    return w->failed ? 0 : w->length - w->at;
}

/* Moves over length bytes and returns where they start; NULL if they are not all there. */
static inline const uint8_t *wire_take_span(struct wire *w, size_t length)
{
    if (w->failed || !w->from || length > w->length - w->at) {
        w->failed = true;
        return NULL;
    }
    w->at += length;
    return &w->from[w->at - length];
}

static inline uint8_t *wire_put_span(struct wire *w, size_t length)
{
    if (w->failed || !w->to || length > w->length - w->at) {
        w->failed = true;
        return NULL;
    }
    w->at += length;
    return &w->to[w->at - length];
}

static inline uint64_t wire_take_number(struct wire *w, size_t size)
{
    const uint8_t *bytes = wire_take_span(w, size);
    uint64_t value = 0;
    for (size_t i = 0; bytes && i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static inline void wire_put_number(struct wire *w, uint64_t value, size_t size)
{
    uint8_t *bytes = wire_put_span(w, size);
    for (size_t i = 0; bytes && i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

static inline uint8_t wire_take_u8(struct wire *w)
{
    return (uint8_t)wire_take_number(w, 1);
}

static inline uint16_t wire_take_u16(struct wire *w)
{
    return (uint16_t)wire_take_number(w, 2);
}

static inline uint32_t wire_take_u32(struct wire *w)
{
    return (uint32_t)wire_take_number(w, 4);
}

static inline uint64_t wire_take_u64(struct wire *w)
{
    return wire_take_number(w, 8);
}

/* Copies length bytes out; zeroes if they are not all there. */
static inline void wire_take_bytes(struct wire *w, void *out, size_t length)
{
    const uint8_t *bytes = wire_take_span(w, length);
    if (bytes)
        memcpy(out, bytes, length);
    else
        memset(out, 0, length);
}

static inline void wire_put_u8(struct wire *w, uint8_t value)
{
    wire_put_number(w, value, 1);
}

static inline void wire_put_u16(struct wire *w, uint16_t value)
{
    wire_put_number(w, value, 2);
}

static inline void wire_put_u32(struct wire *w, uint32_t value)
{
    wire_put_number(w, value, 4);
}

static inline void wire_put_u64(struct wire *w, uint64_t value)
{
    wire_put_number(w, value, 8);
}

static inline void wire_put_bytes(struct wire *w, const void *bytes, size_t length)
{
    uint8_t *to = wire_put_span(w, length);
    if (to && length > 0)
        memcpy(to, bytes, length);
}
