/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receipt of a move: one body, over which both sides make a report of their platform.
 *
 *   report data = SHA-256("optmig receipt1" || role || SHA-256(body)) and the same with 2
 *
 * The source's says: I was moved out, once, and by this token the destination was started; I never
 * run the program again.  The destination's: I was started, once, by this token, and have all that
 * was sent.  A runtime makes either only when the session is DONE (transitions.def); what it is
 * worth is what the platform's evidence is worth.  There is one form of each body and file.
 */
#include "boundary/layout.h"
#include "protocol/crypto.h"
#include "protocol/protocol.h"
#include "protocol/text.h"
#include "protocol/wire.h"

enum { START_bytes = 80, MODE_MAX = 3, LENGTHS_bytes = 16 };

static const char g_magic[8] = {'O', 'M', 'R', 'C', 'P', 'T', '0', '1'};

_Static_assert((int)RECEIPT_BODY_bytes + LENGTHS_bytes + EVIDENCE_MAX_bytes +
                       CERTIFICATES_MAX_bytes <=
                   (int)RECORD_BODY_MAX,
               "DEPARTED fits");

size_t encode_whole(uint8_t *body, const struct message_whole *m)
{
    struct wire w = wire_writer(body, RECORD_BODY_MAX);
    wire_put_u64(&w, m->realtime_ns);
    wire_put_bytes(&w, m->policy, sizeof m->policy);
    return w.at;
}

int decode_whole(const uint8_t *body, size_t length, struct message_whole *out)
{
    struct wire w = wire_reader(body, length);
    struct message_whole whole = {0};
    whole.realtime_ns = wire_take_u64(&w);
    wire_take_bytes(&w, whole.policy, sizeof whole.policy);
    memset(out, 0, sizeof *out);
    if (!wire_complete(&w))
        return PROTOCOL_LENGTH;
    *out = whole;
    return PROTOCOL_OK;
}

static void put_name(struct wire *w, const char name[64])
{
    char cleaned[64] = {0};
    size_t length = 0;
    while (length < sizeof cleaned && name[length] != '\0')
        length++;
    text_clean(cleaned, sizeof cleaned, (const uint8_t *)name, length);
    wire_put_bytes(w, cleaned, sizeof cleaned);
}

void encode_receipt(uint8_t body[RECEIPT_BODY_bytes], const struct receipt *r)
{
    const uint64_t figures[] = {
        r->memory_bytes,     r->pages,      r->zero_pages,       r->postcopy_pages,
        r->urgent_pages,     r->bytes_sent, r->stop_realtime_ns, r->start_realtime_ns,
        r->whole.realtime_ns};
    uint8_t bytes[HELLO_bytes];
    struct wire w = wire_writer(body, RECEIPT_BODY_bytes);
    wire_put_bytes(&w, g_magic, sizeof g_magic);
    wire_put_u32(&w, MESSAGES_VERSION);
    wire_put_u32(&w, r->mode);
    put_name(&w, r->name);
    encode_hello(&r->source, bytes);
    wire_put_bytes(&w, bytes, sizeof bytes);
    encode_hello(&r->destination, bytes);
    wire_put_bytes(&w, bytes, sizeof bytes);
    encode_start(bytes, &r->start);
    wire_put_bytes(&w, bytes, START_bytes);
    wire_put_u64(&w, r->moves);
    wire_put_bytes(&w, r->previous, sizeof r->previous);
    wire_put_u64(&w, r->records_sent);
    wire_put_bytes(&w, r->digest, sizeof r->digest);
    wire_put_u32(&w, r->resumed);
    wire_put_u32(&w, 0);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        wire_put_u64(&w, figures[i]);
    wire_put_bytes(&w, r->source_policy, sizeof r->source_policy);
    wire_put_bytes(&w, r->whole.policy, sizeof r->whole.policy);
}

/* All fields, unchecked but for what has a decoder of its own. */
static int take_receipt(struct wire *w, struct receipt *out)
{
    uint64_t *const figures[] = {
        &out->memory_bytes,     &out->pages,      &out->zero_pages,       &out->postcopy_pages,
        &out->urgent_pages,     &out->bytes_sent, &out->stop_realtime_ns, &out->start_realtime_ns,
        &out->whole.realtime_ns};
    uint8_t source[HELLO_bytes], destination[HELLO_bytes], start[START_bytes];
    wire_take_bytes(w, out->name, sizeof out->name);
    wire_take_bytes(w, source, sizeof source);
    wire_take_bytes(w, destination, sizeof destination);
    wire_take_bytes(w, start, sizeof start);
    out->moves = wire_take_u64(w);
    wire_take_bytes(w, out->previous, sizeof out->previous);
    out->records_sent = wire_take_u64(w);
    wire_take_bytes(w, out->digest, sizeof out->digest);
    out->resumed = wire_take_u32(w);
    uint32_t reserved = wire_take_u32(w);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        *figures[i] = wire_take_u64(w);
    wire_take_bytes(w, out->source_policy, sizeof out->source_policy);
    wire_take_bytes(w, out->whole.policy, sizeof out->whole.policy);
    int error = decode_hello(source, sizeof source, &out->source);
    if (!error)
        error = decode_hello(destination, sizeof destination, &out->destination);
    if (!error)
        error = decode_start(start, sizeof start, &out->start);
    return error ? error : reserved ? PROTOCOL_FIELD : PROTOCOL_OK;
}

int decode_receipt(const uint8_t *body, size_t length, struct receipt *out)
{
    struct wire w = wire_reader(body, length);
    uint8_t magic[sizeof g_magic], again[RECEIPT_BODY_bytes];
    memset(out, 0, sizeof *out);
    if (length != RECEIPT_BODY_bytes)
        return PROTOCOL_LENGTH;
    wire_take_bytes(&w, magic, sizeof magic);
    uint32_t version = wire_take_u32(&w);
    out->mode = wire_take_u32(&w);
    int error = memcmp(magic, g_magic, sizeof magic) != 0 ? PROTOCOL_MAGIC
                : version != MESSAGES_VERSION             ? PROTOCOL_VERSION
                : out->mode > MODE_MAX                    ? PROTOCOL_FIELD
                                                          : take_receipt(&w, out);
    if (!error && (out->source.role != ROLE_SOURCE || out->destination.role != ROLE_DESTINATION))
        error = PROTOCOL_ROLE;
    if (!error && out->source.session != out->destination.session)
        error = PROTOCOL_SESSION;
    if (!error && (out->name[sizeof out->name - 1] != '\0' || out->moves == 0))
        error = PROTOCOL_FIELD;
    if (!error) { /* A name that would be cleaned, or bytes behind it. */
        encode_receipt(again, out);
        error = memcmp(again, body, sizeof again) == 0 ? PROTOCOL_OK : PROTOCOL_FIELD;
    }
    if (error)
        memset(out, 0, sizeof *out);
    return error;
}

void receipt_digest(const uint8_t body[RECEIPT_BODY_bytes], uint8_t out[32])
{
    br_sha256_context sha;
    br_sha256_init(&sha);
    br_sha256_update(&sha, body, RECEIPT_BODY_bytes);
    br_sha256_out(&sha, out);
}

static void statement(const uint8_t digest[32], uint8_t role, const char label[16], uint8_t out[32])
{
    br_sha256_context sha;
    br_sha256_init(&sha);
    br_sha256_update(&sha, label, 16);
    br_sha256_update(&sha, &role, 1);
    br_sha256_update(&sha, digest, 32);
    br_sha256_out(&sha, out);
}

void receipt_report_data(const uint8_t body[RECEIPT_BODY_bytes], uint8_t role,
                         uint8_t out_report_data[64])
{
    uint8_t digest[32];
    receipt_digest(body, digest);
    statement(digest, role, "optmig receipt1", &out_report_data[0]);
    statement(digest, role, "optmig receipt2", &out_report_data[32]);
}

/* ---- with evidence ---- */

static bool evidence_fits(const struct message_evidence *m)
{
    return m->evidence_length > 0 && m->evidence_length <= EVIDENCE_MAX_bytes &&
           m->certificates_length <= CERTIFICATES_MAX_bytes;
}

size_t encode_receipt_file(uint8_t *out, const uint8_t body[RECEIPT_BODY_bytes],
                           const struct message_evidence *source,
                           const struct message_evidence *destination)
{
    struct wire w = wire_writer(out, RECEIPT_FILE_MAX_bytes);
    if (!evidence_fits(source) || !evidence_fits(destination))
        return 0;
    wire_put_bytes(&w, body, RECEIPT_BODY_bytes);
    wire_put_u32(&w, source->evidence_length);
    wire_put_u32(&w, source->certificates_length);
    wire_put_u32(&w, destination->evidence_length);
    wire_put_u32(&w, destination->certificates_length);
    wire_put_bytes(&w, source->evidence, source->evidence_length);
    wire_put_bytes(&w, source->certificates, source->certificates_length);
    wire_put_bytes(&w, destination->evidence, destination->evidence_length);
    wire_put_bytes(&w, destination->certificates, destination->certificates_length);
    return w.failed ? 0 : w.at;
}

static void take_evidence(struct wire *w, struct message_evidence *out)
{
    out->evidence = wire_take_span(w, out->evidence_length);
    out->certificates = wire_take_span(w, out->certificates_length);
}

int decode_receipt_file(const uint8_t *bytes, size_t length, struct receipt_file *out)
{
    struct wire w = wire_reader(bytes, length);
    memset(out, 0, sizeof *out);
    out->body = wire_take_span(&w, RECEIPT_BODY_bytes);
    out->source.evidence_length = wire_take_u32(&w);
    out->source.certificates_length = wire_take_u32(&w);
    out->destination.evidence_length = wire_take_u32(&w);
    out->destination.certificates_length = wire_take_u32(&w);
    int error = w.failed || !evidence_fits(&out->source) || !evidence_fits(&out->destination)
                    ? PROTOCOL_LENGTH
                    : decode_receipt(out->body, RECEIPT_BODY_bytes, &out->receipt);
    if (!error) {
        take_evidence(&w, &out->source);
        take_evidence(&w, &out->destination);
        error = wire_complete(&w) ? PROTOCOL_OK : PROTOCOL_LENGTH;
    }
    if (error)
        memset(out, 0, sizeof *out);
    return error;
}

size_t encode_departed(uint8_t *message, const uint8_t body[RECEIPT_BODY_bytes],
                       const struct message_evidence *source)
{
    size_t length;
    memcpy(message, body, RECEIPT_BODY_bytes);
    length = encode_evidence(message + RECEIPT_BODY_bytes, source);
    return length ? RECEIPT_BODY_bytes + length : 0;
}

int decode_departed(const uint8_t *message, size_t length, struct receipt *out,
                    struct message_evidence *out_source)
{
    int error = length < RECEIPT_BODY_bytes ? PROTOCOL_LENGTH
                                            : decode_receipt(message, RECEIPT_BODY_bytes, out);
    memset(out_source, 0, sizeof *out_source);
    if (!error)
        error =
            decode_evidence(message + RECEIPT_BODY_bytes, length - RECEIPT_BODY_bytes, out_source);
    if (!error && out_source->rule_count)
        error = PROTOCOL_COUNT;
    if (error) {
        memset(out, 0, sizeof *out);
        memset(out_source, 0, sizeof *out_source);
    }
    return error;
}
