/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealed records: AES-256-GCM over header and body, in place.
 *
 * The nonce is sender, stream and counter, and each direction of each stream has a key of its own,
 * so no nonce comes twice under one key.  The receiver accepts only the counter that is next.  One
 * error ends a stream for good.
 */
#include "protocol/aead.h"
#include "protocol/protocol.h"
#include "protocol/wire.h"

/* 4 PiB of pages: far below what GCM allows under one key. */
static const uint64_t g_records_per_key_max = 1ULL << 34;

_Static_assert(sizeof(struct aead) <= sizeof((struct record_stream *)0)->cipher,
               "record_stream.cipher is too small");
_Static_assert(_Alignof(struct aead) <= 64, "record_stream.cipher is not aligned enough");

static struct aead *aead_of(struct record_stream *s)
{
    return (struct aead *)(void *)s->cipher;
}

void record_stream_init(struct record_stream *s, const struct session_keys *keys, uint8_t role,
                        uint8_t stream)
{
    memset(s, 0, sizeof *s);
    s->role = role;
    s->stream = stream;
    if (role > ROLE_DESTINATION || stream >= STREAM_COUNT) {
        s->poisoned = true;
        return;
    }
    memcpy(s->digest, keys->session_digest, sizeof s->digest);
    aead_init(aead_of(s), keys->key[role][stream]);
}

void record_stream_wipe(struct record_stream *s)
{
    wipe(s, sizeof *s);
    s->poisoned = true;
}

static int poison(struct record_stream *s, int error)
{
    wipe(s->cipher, sizeof s->cipher);
    s->poisoned = true;
    return error;
}

static void next_nonce(const struct record_stream *s, uint8_t nonce[AEAD_NONCE_SIZE])
{
    struct wire w = wire_writer(nonce, AEAD_NONCE_SIZE);
    wire_put_u8(&w, s->role);
    wire_put_u8(&w, s->stream);
    wire_put_u16(&w, 0);
    wire_put_u64(&w, s->counter);
}

static void advance(struct record_stream *s, const uint8_t tag[RECORD_TAG_SIZE])
{
    br_sha256_context sha;
    br_sha256_init(&sha);
    br_sha256_update(&sha, s->digest, sizeof s->digest);
    br_sha256_update(&sha, tag, RECORD_TAG_SIZE);
    br_sha256_out(&sha, s->digest);
    s->counter++;
}

static void put_header(const struct record_stream *s, uint8_t type, uint32_t round,
                       uint32_t body_length, uint8_t *frame)
{
    struct wire w = wire_writer(frame, RECORD_HEADER_SIZE);
    wire_put_bytes(&w, "OMR1", 4);
    wire_put_u16(&w, MESSAGES_VERSION);
    wire_put_u8(&w, type);
    wire_put_u8(&w, s->stream);
    wire_put_u32(&w, body_length);
    wire_put_u32(&w, round);
    wire_put_u64(&w, s->counter);
}

int record_seal(struct record_stream *s, uint8_t type, uint32_t round, uint8_t *frame,
                size_t body_length)
{
    if (s->poisoned)
        return PROTOCOL_POISONED;
    if (body_length > RECORD_BODY_MAX)
        return poison(s, PROTOCOL_ARGUMENT);
    if (!message_allowed(type, s->role, s->stream))
        return poison(s, PROTOCOL_TYPE);
    if (s->counter >= g_records_per_key_max)
        return poison(s, PROTOCOL_EXHAUSTED);
    put_header(s, type, round, (uint32_t)body_length, frame);
    uint8_t *body = &frame[RECORD_HEADER_SIZE], *tag = &body[body_length];
    uint8_t nonce[AEAD_NONCE_SIZE];
    next_nonce(s, nonce);
    aead_seal(aead_of(s), nonce, frame, RECORD_HEADER_SIZE, body, body_length, tag);
    advance(s, tag);
    return (int)(RECORD_HEADER_SIZE + body_length + RECORD_TAG_SIZE);
}

/* All checks that need no key.  A header that passes may still be a forgery. */
static int decode_header(const struct record_stream *s, const uint8_t *bytes,
                         struct record_header *out)
{
    *out = (struct record_header){0};
    struct wire w = wire_reader(bytes, RECORD_HEADER_SIZE);
    uint8_t magic[4];
    wire_take_bytes(&w, magic, sizeof magic);
    uint16_t version = wire_take_u16(&w);
    struct record_header header = {.type = wire_take_u8(&w)};
    uint8_t stream = wire_take_u8(&w);
    header.body_length = wire_take_u32(&w);
    header.round = wire_take_u32(&w);
    uint64_t counter = wire_take_u64(&w);
    if (memcmp(magic, "OMR1", 4) != 0)
        return PROTOCOL_MAGIC;
    if (version != MESSAGES_VERSION)
        return PROTOCOL_VERSION;
    if (stream != s->stream)
        return PROTOCOL_STREAM;
    if (!message_allowed(header.type, s->role, stream))
        return PROTOCOL_TYPE;
    if (header.body_length > RECORD_BODY_MAX)
        return PROTOCOL_LENGTH;
    if (counter != s->counter || counter >= g_records_per_key_max)
        return PROTOCOL_COUNTER;
    *out = header;
    return PROTOCOL_OK;
}

int record_peek(const struct record_stream *s, const uint8_t bytes[RECORD_HEADER_SIZE],
                uint32_t *out_body_length)
{
    struct record_header header;
    *out_body_length = 0;
    if (s->poisoned)
        return PROTOCOL_POISONED;
    int error = decode_header(s, bytes, &header);
    *out_body_length = header.body_length;
    return error;
}

int record_open(struct record_stream *s, uint8_t *frame, size_t frame_length,
                struct record_header *out_header)
{
    struct record_header header;
    *out_header = (struct record_header){0};
    if (s->poisoned)
        return PROTOCOL_POISONED;
    if (frame_length < RECORD_HEADER_SIZE + RECORD_TAG_SIZE)
        return poison(s, PROTOCOL_LENGTH);
    int error = decode_header(s, frame, &header);
    if (error)
        return poison(s, error);
    if (frame_length != RECORD_HEADER_SIZE + (size_t)header.body_length + RECORD_TAG_SIZE)
        return poison(s, PROTOCOL_LENGTH);
    uint8_t *body = &frame[RECORD_HEADER_SIZE], *tag = &body[header.body_length];
    uint8_t nonce[AEAD_NONCE_SIZE];
    next_nonce(s, nonce);
    if (!aead_open(aead_of(s), nonce, frame, RECORD_HEADER_SIZE, body, header.body_length, tag))
        return poison(s, PROTOCOL_TAG);
    advance(s, tag);
    *out_header = header;
    return PROTOCOL_OK;
}
