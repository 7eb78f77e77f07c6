/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Use of the protocol library by the runtime.  Pure C: no I/O, no clock, no allocation;
 * cryptography by BearSSL.  Every function that takes a peer's bytes returns an error for bad ones
 * and never aborts. Threads: one object, one thread at a time.
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
enum protocol_blame { PROTOCOL_BLAME_PEER, PROTOCOL_BLAME_HOST, PROTOCOL_BLAME_BUG };
const char *protocol_error_text(int error);
enum protocol_blame protocol_error_blame(int error);

/* ---- messages, as a table (messages.def) ---- */

const char *message_name(uint8_t type);
/* May a message of this type be sent by this role on this stream at all?  Sealing and opening ask
 * it too. */
bool message_allowed(uint8_t type, uint8_t sender, uint8_t stream);

/* ---- handshake ---- */

enum handshake_stage { HANDSHAKE_OPEN = 1, HANDSHAKE_CONSUMED, HANDSHAKE_FINISHED };

struct handshake {
    uint8_t role;
    uint8_t stage; /* enum handshake_stage */
    uint8_t secret_key[32];
    struct hello mine, theirs;
    uint8_t transcript[32]; /* SHA-256 of both hellos, source's first */
    uint8_t shared[32];
};

struct session_keys {
    uint8_t key[2][2][32]; /* [role of the sender][stream] AES-256 */
    uint8_t session_digest[32];
    uint8_t resume_secret[32]; /* for the keys of other connections of this session */
};

/* random: 64 bytes of good randomness (32 nonce, 32 secret key).  The rest of h->mine (runtime,
 * policy) is the caller's to fill in, before the hello is made. */
void handshake_create(struct handshake *h, uint8_t role, uint8_t platform, uint64_t session,
                      const uint8_t random[64]);
/* Encodes mine; returns the length or an error. */
int handshake_create_hello(const struct handshake *h, uint8_t *out, size_t capacity);
/* How long the hello is that starts with these 12 bytes, or an error. */
int handshake_hello_length(const uint8_t prefix[12]);
/* A hello's bytes, both ways; decoding clears *out and checks their form only. */
void encode_hello(const struct hello *hello, uint8_t out[HELLO_bytes]);
int decode_hello(const uint8_t *bytes, size_t length, struct hello *out);
/* Decodes the peer's hello, once: version, role opposite to ours, same session, platform and
 * runtime; not our own hello reflected. */
int handshake_consume_hello(struct handshake *h, const uint8_t *bytes, size_t length);
/* Both hellos are in: derives all keys and wipes the secrets in h, also when it fails.  Keys are
 * all zero after an error.  Whose keys they are, only evidence says. */
int handshake_finish(struct handshake *h, struct session_keys *out_keys);
/* After handshake_finish: what the report of the side with this role has to be made over. */
void handshake_report_data(const struct handshake *h, uint8_t role, uint8_t out_report_data[64]);

/* ---- resumption: another connection of a session whose channel broke (resume.c) ---- */

struct resumption {
    uint8_t role;
    bool consumed;
    uint64_t session;
    uint64_t attempt; /* source: of this one; destination: that of the peer, once consumed */
    uint64_t
        last_good; /* destination: of the last connection over which the source proved itself */
    uint8_t mine[32], theirs[32]; /* nonces */
};

/* random: 32 bytes.  attempt: source 1, 2, ...; destination that of the last good one, or 0. */
void resumption_create(struct resumption *r, uint8_t role, uint64_t session, uint64_t attempt,
                       const uint8_t random[32]);
/* The source speaks first; the destination answers with the number that it consumed. */
void resumption_create_hello(const struct resumption *r, uint8_t out[RESUME_HELLO_bytes]);
/* Once: version, role opposite to ours, same session, not our own hello; a new attempt at the
 * destination, this one at the source. */
int resumption_consume_hello(struct resumption *r, const uint8_t bytes[RESUME_HELLO_bytes]);
/* Both hellos are in: the keys of this connection.  Only who has the session's secret gets the
 * same ones: the first record that opens is the proof.  All zero after an error; resume_secret
 * stays the session's. */
int resumption_finish(const struct resumption *r, const uint8_t resume_secret[32],
                      struct session_keys *out_keys);

/* ---- records ----
 * A stream's error is final: it is poisoned and its keys are wiped.  A stream may be moved in
 * memory. */

struct record_stream { /* one direction of one stream */
    uint8_t role;      /* of the sender */
    uint8_t stream;
    bool poisoned; /* after any error nothing is sealed or opened any more */
    uint64_t counter;
    uint8_t digest[32]; /* running: SHA-256(previous digest || tag); first: the session's */
    _Alignas(64) unsigned char cipher[1152]; /* expanded keys (size asserted in record.c) */
};

void record_stream_init(struct record_stream *s, const struct session_keys *keys, uint8_t role,
                        uint8_t stream);
void record_stream_wipe(struct record_stream *s);
/* Seals in place: frame has RECORD_HEADER_SIZE bytes of room, then the body, then RECORD_TAG_SIZE
 * of room. Returns the frame's length.  After an error nothing of the frame may be sent. */
int record_seal(struct record_stream *s, uint8_t type, uint32_t round, uint8_t *frame,
                size_t body_length);
struct record_header {
    uint8_t type;
    uint32_t round;
    uint32_t body_length;
};
/* Looks at the header only to learn how much to read: magic, version, stream, length limit, counter
 * as expected. */
int record_peek(const struct record_stream *s, const uint8_t header[RECORD_HEADER_SIZE],
                uint32_t *out_body_length);
/* Opens in place; on success the body is at frame + RECORD_HEADER_SIZE in clear.  If the tag does
 * not verify the body is zeroed. */
int record_open(struct record_stream *s, uint8_t *frame, size_t frame_length,
                struct record_header *out_header);

/* ---- bodies ----
 * encode_* returns the length, or 0 if the caller asks for more entries than a record holds; body
 * has room for RECORD_BODY_MAX bytes.  decode_* makes all checks (lengths exact, reserved fields
 * zero) and changes nothing but its outputs, which are cleared first.  Pages and areas lie in what
 * a move may carry: from PROGRAM_BASE to the end of the tables; never the runtime's local memory or
 * image. */

/* Pages: u32 count, u32 reserved, count x u64 (page number << 8 | flags), then contents of those
 * not PAGE_ZERO. */
struct page_batch {
    uint32_t count;
    uint64_t page[PAGE_BATCH_MAX];
    uint8_t flags[PAGE_BATCH_MAX];
    const uint8_t *contents[PAGE_BATCH_MAX]; /* NULL for PAGE_ZERO; points into the body */
};
/* Writes the head for count pages (1 to PAGE_BATCH_MAX) and returns where contents start; the
 * caller then copies them there, in order, 4096 bytes each, none for PAGE_ZERO.  Pages may come in
 * any order. */
size_t encode_pages_head(uint8_t *body, uint32_t count, const uint64_t *page, const uint8_t *flags);
int decode_pages(const uint8_t *body, size_t length, struct page_batch *out);

struct head_batch { /* a decoded HEADS */
    uint32_t count;
    uint64_t page[HEADS_PER_RECORD_MAX];
    const uint8_t *contents; /* count times PAGE_HEAD_bytes, in the body */
};
/* Writes the whole body for count heads (1 to HEADS_PER_RECORD_MAX); contents: PAGE_HEAD_bytes of
 * each, in order.  Pages may come in any order. */
size_t encode_heads(uint8_t *body, uint32_t count, const uint64_t *page, const uint8_t *contents);
int decode_heads(const uint8_t *body, size_t length, struct head_batch *out);

size_t encode_ranges(uint8_t *body, const struct message_range *ranges, uint32_t count);
/* Checks: sorted ascending, none empty, not overlapping.  No ranges at all is a valid list. */
int decode_ranges(const uint8_t *body, size_t length, struct message_range *out, uint32_t capacity,
                  uint32_t *out_count);

/* Checks: page-aligned, sorted ascending, none empty, not overlapping, prot at most 7, inside the
 * program's memory. */
size_t encode_areas(uint8_t *body, const struct message_area *areas, uint32_t count);
int decode_areas(const uint8_t *body, size_t length, struct message_area *out, uint32_t capacity,
                 uint32_t *out_count);

/* Page numbers wanted (MESSAGE_REQUEST), 1 to REQUEST_PAGES_MAX, in any order. */
size_t encode_request(uint8_t *body, const uint64_t *pages, uint32_t count);
int decode_request(const uint8_t *body, size_t length, uint64_t *out_pages, uint32_t capacity,
                   uint32_t *out_count);

size_t encode_prepare(uint8_t *body, const struct message_prepare *m, const uint8_t *description);
int decode_prepare(const uint8_t *body, size_t length, struct message_prepare *out,
                   const uint8_t **out_description);
size_t encode_start(uint8_t *body, const struct message_start *m);
int decode_start(const uint8_t *body, size_t length, struct message_start *out);
size_t encode_started(uint8_t *body, const struct message_started *m);
int decode_started(const uint8_t *body, size_t length, struct message_started *out);
size_t encode_resumed(uint8_t *body, const struct message_resumed *m);
int decode_resumed(const uint8_t *body, size_t length, struct message_resumed *out);
/* Evidence of either side.  m->rules are what encode_rule made, one after the other; decoding
 * checks each of them. */
size_t encode_evidence(uint8_t *body, const struct message_evidence *m);
int decode_evidence(const uint8_t *body, size_t length, struct message_evidence *out);
size_t encode_whole(uint8_t *body, const struct message_whole *m); /* RECEIPT */
int decode_whole(const uint8_t *body, size_t length, struct message_whole *out);
/* Texts are cleaned as by encode_text.  0 if capacity is not enough. */
size_t encode_rule(uint8_t *rules, size_t capacity, const struct message_rule *rule);
/* The rule at *at, which is moved on. */
int decode_rule(const uint8_t *rules, size_t length, size_t *at, struct message_rule *out);
/* REFUSE, ABORT: UTF-8, no terminator.  Both ways, what is not printable (control characters,
 * direction overrides, malformed UTF-8) becomes '?', and what is too long is cut between
 * characters. */
size_t encode_text(uint8_t *body, const char *text);
int decode_text(const uint8_t *body, size_t length, char *out, size_t capacity); /* terminated */

/* ---- receipt (receipt.c) ---- */

void encode_receipt(uint8_t body[RECEIPT_BODY_bytes], const struct receipt *r);
int decode_receipt(const uint8_t *body, size_t length, struct receipt *out);
void receipt_digest(const uint8_t body[RECEIPT_BODY_bytes], uint8_t out[32]);
/* What the report of the side with this role has to be made over. */
void receipt_report_data(const uint8_t body[RECEIPT_BODY_bytes], uint8_t role,
                         uint8_t out_report_data[64]);
/* Writes at most RECEIPT_FILE_MAX_bytes.  0: evidence is missing, or too long. */
size_t encode_receipt_file(uint8_t *out, const uint8_t body[RECEIPT_BODY_bytes],
                           const struct message_evidence *source,
                           const struct message_evidence *destination);
int decode_receipt_file(const uint8_t *bytes, size_t length, struct receipt_file *out);
/* DEPARTED: the body, and the source's evidence behind it. */
size_t encode_departed(uint8_t *message, const uint8_t body[RECEIPT_BODY_bytes],
                       const struct message_evidence *source);
int decode_departed(const uint8_t *message, size_t length, struct receipt *out,
                    struct message_evidence *out_source);

/* ---- order of messages (session.c): which message may come in which state, as a table in
 * transitions.def ---- */

#define SESSION_STATE(name, text) SESSION_##name,
#define TRANSITION(role, state, event, next, action)
enum session_state {
#include "protocol/transitions.def"
    SESSION_STATE_COUNT
};
#undef SESSION_STATE
#undef TRANSITION

struct session {
    uint8_t role;
    bool may_run;   /* this side may run the program; never so on both sides */
    bool requested; /* a REQUEST passed; pages on the urgent stream are answers */
    bool poisoned;  /* the peer broke the rules: nothing is sent or received any more */
    enum session_state state;
};
void session_init(struct session *s, uint8_t role);
/* A message is about to be sent, or has been opened; refuses any pair that has no row.  A refused
 * send changes nothing (so one may ask by trying); a refused receive poisons the session.  REQUEST
 * travels on the urgent stream, every other message on bulk; PAGES on the urgent stream have
 * functions of their own.  The session is shared by the threads of both streams: callers hold one
 * lock around these. */
int session_send(struct session *s, uint8_t type);
int session_receive(struct session *s, uint8_t type);
int session_send_urgent_pages(struct session *s);
int session_receive_urgent_pages(struct session *s);
/* The channel broke, time ran out or somebody cancelled: nothing more is received over it, and
 * nothing but ABORT is sent.  Look at may_run afterwards. */
void session_fail(struct session *s);
/* What the registry of starts has said (claim.h): the destination's claim is not granted, and it
 * will never start; the source's is, and it takes the program back.  False: no row, nothing done.
 */
bool session_denied(struct session *s);
bool session_revoked(struct session *s);
/* START passed, and no ABORT of a destination that did not get it: at the source the program must
 * not run, at the destination it does. */
bool session_committed(const struct session *s);
const char *session_state_name(enum session_state state);

/* ---- platform sim: evidence ----
 * Evidence = P-256 signature by the host's key over SHA-256(measurement || report_data), with the
 * public key: 0 4 "SIM1", 4 32 measurement, 36 64 report data, 100 65 public key (uncompressed),
 * 165 64 raw signature. It isolates nothing, and a verifier that has no list of trusted keys
 * accepts any host. */
enum { SIM_EVIDENCE_SIZE = 229, PLATFORM_SIM = 1, PLATFORM_SNP = 2, PLATFORM_TDX = 3 };
/* Host side (the simulated platform). private_key: 32 bytes big-endian. 0 or error. */
int sim_report(const uint8_t private_key[32], const uint8_t measurement[32],
               const uint8_t report_data[64], uint8_t out_evidence[SIM_EVIDENCE_SIZE]);
/* Enclave side: signature good, measurement equal, report data equal. */
int sim_verify(const uint8_t *evidence, size_t length, const uint8_t measurement[32],
               const uint8_t report_data[64]);
