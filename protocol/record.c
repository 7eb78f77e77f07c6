/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealed records: AES-256-GCM over header and body, in place.
 *
 * The nonce is sender, stream and counter, and each direction of each stream has a key of its own,
 * so no nonce comes twice under one key.  The receiver accepts only the counter that is next.  One
 * error ends a stream for good.
 *
 * BearSSL takes a record in two passes (CTR, GHASH).  Doing that in pieces that fit the first-level
 * cache gains nothing, measured: both passes are bound by computing, 256 KiB lie in the
 * second-level cache.
 */
#include "protocol/crypto.h"
#include "protocol/protocol.h"
#include "protocol/wire.h"

enum { RECORD_NONCE_SIZE = 12 };

/* 4 PiB of pages: far below what GCM allows under one key. */
static const uint64_t g_records_per_key_max = 1ULL << 34;

/* The type may alias: record_stream gives it a place in bytes, so that protocol.h needs no BearSSL.
 */
struct __attribute__((may_alias)) record_cipher {
    br_aes_gen_ctr_keys aes;
    br_ghash ghash;
    br_gcm_context gcm; /* valid during one record only: it points to aes */
};
_Static_assert(sizeof(struct record_cipher) <= sizeof((struct record_stream *)0)->cipher,
               "record_stream.cipher is too small");
_Static_assert(_Alignof(struct record_cipher) <= 16, "record_stream.cipher is not aligned enough");

static struct record_cipher *cipher_of(struct record_stream *s)
{
    return (struct record_cipher *)(void *)s->cipher;
}

/* The getters look at CPUID only. */
static void cipher_init(struct record_cipher *cipher, const uint8_t key[32])
{
    const br_block_ctr_class *aes = br_aes_x86ni_ctr_get_vtable();
    if (!aes)
        aes = &br_aes_ct64_ctr_vtable;
    cipher->ghash = br_ghash_pclmul_get();
    if (!cipher->ghash)
        cipher->ghash = br_ghash_ctmul64;
    aes->init(&cipher->aes.vtable, key, 32);
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
    cipher_init(cipher_of(s), keys->key[role][stream]);
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

static void cipher_begin(struct record_stream *s, const uint8_t header[RECORD_HEADER_SIZE])
{
    struct record_cipher *cipher = cipher_of(s);
    uint8_t nonce[RECORD_NONCE_SIZE];
    struct wire w = wire_writer(nonce, sizeof nonce);
    wire_put_u8(&w, s->role);
    wire_put_u8(&w, s->stream);
    wire_put_u16(&w, 0);
    wire_put_u64(&w, s->counter);
    br_gcm_init(&cipher->gcm, &cipher->aes.vtable, cipher->ghash);
    br_gcm_reset(&cipher->gcm, nonce, sizeof nonce);
    br_gcm_aad_inject(&cipher->gcm, header, RECORD_HEADER_SIZE);
    br_gcm_flip(&cipher->gcm);
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
    cipher_begin(s, frame);
    br_gcm_context *gcm = &cipher_of(s)->gcm;
    uint8_t *body = &frame[RECORD_HEADER_SIZE], *tag = &body[body_length];
    br_gcm_run(gcm, 1, body, body_length);
    br_gcm_get_tag(gcm, tag);
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
    cipher_begin(s, frame);
    br_gcm_context *gcm = &cipher_of(s)->gcm;
    uint8_t *body = &frame[RECORD_HEADER_SIZE], *tag = &body[header.body_length];
    br_gcm_run(gcm, 0, body, header.body_length);
    if (!br_gcm_check_tag(gcm, tag)) {
        wipe(body, header.body_length);
        return poison(s, PROTOCOL_TAG);
    }
    advance(s, tag);
    *out_header = header;
    return PROTOCOL_OK;
}
