/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Use of the protocol library by the runtime.  Pure C: no I/O, no clock, no allocation; cryptography by
 * BearSSL.  Every function that takes a peer's bytes returns an error for bad ones and never aborts.
 * Threads: one object, one thread at a time.
 */
#pragma once

#include "protocol/messages.h"

/* Errors, negative; protocol_error_text() has words for the user.  Blame is in errors.def. */
#define PROTOCOL_ERROR(name, number, blame, text) PROTOCOL_##name = -(number),
enum protocol_error {
    PROTOCOL_OK = 0,
#include "protocol/errors.def"
};
#undef PROTOCOL_ERROR
const char *protocol_error_text(int error);

/* ---- handshake ---- */

struct handshake {
    uint8_t role;
    uint8_t secret_key[32];
    struct hello mine, theirs;
    uint8_t transcript[32]; /* SHA-256 of both hellos, source's first */
    uint8_t shared[32];
};

struct session_keys {
    uint8_t key[2][2][32]; /* [role of the sender][stream] AES-256 */
    uint8_t session_digest[32];
};

/* random: 64 bytes of good randomness (32 nonce, 32 secret key). Evidence is added afterwards. */
void handshake_create(struct handshake *h, uint8_t role, uint8_t platform, uint64_t session, const uint8_t random[64]);
/* What the platform's report has to be made over: binds key, nonce, role, session, version. */
void handshake_report_data(const struct hello *hello, uint8_t out_report_data[64]);
int handshake_set_evidence(struct handshake *h, const uint8_t *evidence, size_t length);
/* Encodes mine; returns the length or an error. */
int handshake_create_hello(const struct handshake *h, uint8_t *out, size_t capacity);
/* How long the hello is that starts with these 12 bytes, or an error. */
int handshake_hello_length(const uint8_t prefix[12]);
/* Decodes the peer's hello: version, role opposite to ours, same session; not our own hello reflected. */
int handshake_consume_hello(struct handshake *h, const uint8_t *bytes, size_t length);
/* Both hellos are in and the evidence was verified: derives all keys and wipes the secrets in h. */
int handshake_finish(struct handshake *h, struct session_keys *out_keys);

/* ---- records ---- */

struct record_stream { /* one direction of one stream */
    uint8_t role;      /* of the sender */
    uint8_t stream;
    bool poisoned;     /* after any error nothing is sealed or opened any more */
    uint64_t counter;
    uint8_t digest[32]; /* running: SHA-256(previous digest || tag) */
    _Alignas(16) unsigned char cipher[2048]; /* BearSSL contexts (sizes asserted in record.c) */
};

void record_stream_init(struct record_stream *s, const struct session_keys *keys, uint8_t role, uint8_t stream);
void record_stream_wipe(struct record_stream *s);
/* Seals in place: frame has RECORD_HEADER_SIZE bytes of room, then the body, then RECORD_TAG_SIZE of room.
 * Returns the frame's length. */
int record_seal(struct record_stream *s, uint8_t type, uint32_t round, uint8_t *frame, size_t body_length);
struct record_header {
    uint8_t type;
    uint32_t round;
    uint32_t body_length;
};
/* Looks at the header only to learn how much to read: magic, version, stream, length limit, counter as expected. */
int record_peek(const struct record_stream *s, const uint8_t header[RECORD_HEADER_SIZE], uint32_t *out_body_length);
/* Opens in place; on success the body is at frame + RECORD_HEADER_SIZE in clear. */
int record_open(struct record_stream *s, uint8_t *frame, size_t frame_length, struct record_header *out_header);

/* ---- bodies: encode_* returns the length; decode_* makes all checks and changes nothing else ---- */

/* Pages: u32 count, u32 reserved, count x u64 (page number << 8 | flags), then contents of those not PAGE_ZERO. */
struct page_batch {
    uint32_t count;
    uint64_t page[PAGE_BATCH_MAX];
    uint8_t flags[PAGE_BATCH_MAX];
    const uint8_t *contents[PAGE_BATCH_MAX]; /* NULL for PAGE_ZERO; points into the body */
};
/* Writes the head for count pages and returns where contents start; the caller then copies them there, in
 * order, 4096 bytes each. */
size_t encode_pages_head(uint8_t *body, uint32_t count, const uint64_t *page, const uint8_t *flags);
int decode_pages(const uint8_t *body, size_t length, struct page_batch *out);

size_t encode_ranges(uint8_t *body, const struct message_range *ranges, uint32_t count);
/* Checks: sorted ascending, not empty, not overlapping, page numbers below 2^40 >> 12. */
int decode_ranges(const uint8_t *body, size_t length, struct message_range *out, uint32_t capacity, uint32_t *out_count);

size_t encode_areas(uint8_t *body, const struct message_area *areas, uint32_t count);
int decode_areas(const uint8_t *body, size_t length, struct message_area *out, uint32_t capacity, uint32_t *out_count);

/* Page numbers wanted (MESSAGE_REQUEST): u32 count, u32 reserved, count x u64. */
size_t encode_request(uint8_t *body, const uint64_t *pages, uint32_t count);
int decode_request(const uint8_t *body, size_t length, uint64_t *out_pages, uint32_t capacity, uint32_t *out_count);

size_t encode_prepare(uint8_t *body, const struct message_prepare *m, const uint8_t *description);
int decode_prepare(const uint8_t *body, size_t length, struct message_prepare *out, const uint8_t **out_description);
size_t encode_start(uint8_t *body, const struct message_start *m);
int decode_start(const uint8_t *body, size_t length, struct message_start *out);
size_t encode_started(uint8_t *body, const struct message_started *m);
int decode_started(const uint8_t *body, size_t length, struct message_started *out);
size_t encode_text(uint8_t *body, const char *text); /* REFUSE, ABORT */
int decode_text(const uint8_t *body, size_t length, char *out, size_t capacity); /* printable, terminated */

/* ---- order of messages (session.c): which message may come in which state, as a table in transitions.def ---- */

#define SESSION_STATE(name, text) SESSION_##name,
#define TRANSITION(role, state, event, next)
enum session_state {
#include "protocol/transitions.def"
    SESSION_STATE_COUNT
};
#undef SESSION_STATE
#undef TRANSITION

struct session {
    uint8_t role;
    enum session_state state;
};
void session_init(struct session *s, uint8_t role);
/* A message is about to be sent, or has been opened; refuses any pair that has no row. */
int session_send(struct session *s, uint8_t type);
int session_receive(struct session *s, uint8_t type);
const char *session_state_name(enum session_state state);

/* ---- platform sim: evidence ----
 * Evidence = P-256 signature by the host's key over SHA-256(measurement || report_data), with the public key:
 *   0 4 "SIM1", 4 32 measurement, 36 64 report data, 100 65 public key (uncompressed), 165 64 raw signature.
 * It isolates nothing, and a verifier that has no list of trusted keys accepts any host. */
enum { SIM_EVIDENCE_SIZE = 229, PLATFORM_SIM = 1 };
/* Host side (the simulated platform). private_key: 32 bytes big-endian. 0 or error. */
int sim_report(const uint8_t private_key[32], const uint8_t measurement[32], const uint8_t report_data[64], uint8_t out_evidence[SIM_EVIDENCE_SIZE]);
/* Enclave side: signature good, measurement equal, report data equal. */
int sim_verify(const uint8_t *evidence, size_t length, const uint8_t measurement[32], const uint8_t report_data[64]);
