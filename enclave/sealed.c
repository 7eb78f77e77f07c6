/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sealed channel.  The host carries the bytes and may drop, change or repeat them: every record
 * is opened by protocol/record.c before a byte of it is looked at, and every message has to be one
 * that protocol/transitions.def allows now.  The first error ends the channel; after START the
 * session may go on over another one, with new keys.
 */
#include "enclave/sealed.h"

#include "enclave/attestation.h"
#include "enclave/platform/platform.h"

enum {
    FRAME_SIZE = RECORD_HEADER_SIZE + RECORD_BODY_MAX + RECORD_TAG_SIZE,
    HELLO_PREFIX_SIZE = 12,
    GIVE_UP_ms = 1000,
};
_Static_assert((int)STREAM_COUNT == (int)OM_STREAM_COUNT, "streams of protocol and boundary");

struct pipe {
    struct record_stream out, in;
    uint8_t *frame_out, *frame_in;
    uint64_t records_before; /* received, without the last one */
    uint8_t digest_before[32];
};

static struct {
    struct pipe pipes[STREAM_COUNT];
    struct lock lock; /* of the three below */
    struct session session;
    bool open;
    bool broken; /* the channel, by what came over it or did not */
    bool doomed;
    uint64_t bytes_sent;
    char reason[OM_REASON_MAX];
    struct handshake handshake;
    uint8_t resume_secret[32];
    uint64_t attempt,
        attempt_heard; /* to resume; destination: the last good one, and the present */
} g_sealed;

const char *sealed_reason(void)
{
    return g_sealed.reason;
}

/* Keeps the words of the first error, which is the cause of the others. */
static long fail(long error, const char *what, const char *detail)
{
    lock_take(&g_sealed.lock);
    if (!g_sealed.reason[0])
        str_format(g_sealed.reason, sizeof(g_sealed.reason), "%s%s%s", what, *detail ? ": " : "",
                   detail);
    lock_release(&g_sealed.lock);
    return error;
}

static long fail_host(long error)
{
    __atomic_store_n(&g_sealed.broken, true, __ATOMIC_SEQ_CST);
    switch (error) {
    case 0:
    case -EPIPE:
    case -ECONNRESET:
        return fail(-ECONNRESET, "the connection to the other host was lost", "");
    case -ECANCELED:
        return fail(error, "cancelled", "");
    case -ETIMEDOUT:
        return fail(error, "the other host does not answer", "");
    default:
        return fail(error < 0 ? error : -EIO, "the connection to the other host failed", "");
    }
}

static long fail_protocol(int error)
{
    return fail(-EPROTO, "the channel is broken", protocol_error_text(error));
}

/* What the network can do to a record, which says nothing of the peer. */
static long fail_record(int error)
{
    __atomic_store_n(&g_sealed.broken, true, __ATOMIC_SEQ_CST);
    return fail_protocol(error);
}

/* ---- handshake ---- */

static long send_bytes(uint32_t stream, const void *data, size_t length)
{
    const struct om_buffer part = {data, length};
    long error = g_host.channel_send(stream, &part, 1);

    if (error)
        return fail_host(error);
    __atomic_fetch_add(&g_sealed.bytes_sent, length, __ATOMIC_RELAXED);
    return 0;
}

static long receive_bytes(uint32_t stream, void *buffer, size_t length)
{
    long got = g_host.channel_recv(stream, buffer, length);

    return got == (long)length ? 0 : fail_host(got);
}

static long send_hello(struct handshake *handshake, uint8_t *frame)
{
    int length = handshake_create_hello(handshake, frame, HELLO_bytes);

    return length < 0 ? fail_protocol(length) : send_bytes(STREAM_BULK, frame, (size_t)length);
}

static long receive_hello(struct handshake *handshake, uint8_t *frame)
{
    long error = receive_bytes(STREAM_BULK, frame, HELLO_PREFIX_SIZE);
    int length;

    if (error)
        return error;
    length = handshake_hello_length(frame);
    if (length != HELLO_bytes)
        return fail_protocol(length);
    error = receive_bytes(STREAM_BULK, frame + HELLO_PREFIX_SIZE, HELLO_bytes - HELLO_PREFIX_SIZE);
    if (error)
        return error;
    length = handshake_consume_hello(handshake, frame, HELLO_bytes);
    return length ? fail_protocol(length) : 0;
}

static long exchange_hellos(uint8_t role, uint64_t session, struct session_keys *out_keys)
{
    struct handshake *handshake = &g_sealed.handshake;
    uint8_t random[64], *frame = g_sealed.pipes[STREAM_BULK].frame_in;
    long error;
    int result;

    random_bytes(random, sizeof(random));
    handshake_create(handshake, role, platform_number(), session, random);
    memset(random, 0, sizeof(random));
    attestation_describe(&handshake->mine);
    error = send_hello(handshake, g_sealed.pipes[STREAM_BULK].frame_out);
    if (!error)
        error = receive_hello(handshake, frame);
    if (error)
        return error;
    result = handshake_finish(handshake, out_keys);
    return result ? fail_protocol(result) : 0;
}

const struct handshake *sealed_handshake(void)
{
    return &g_sealed.handshake;
}

void sealed_create(void)
{
    sealed_close();
    g_sealed.reason[0] = 0;
    g_sealed.bytes_sent = 0;
    g_sealed.broken = g_sealed.doomed = false;
    g_sealed.attempt = g_sealed.attempt_heard = 0;
    session_init(&g_sealed.session, ROLE_SOURCE); /* Until sealed_open: not committed. */
    for (uint32_t i = 0; i < STREAM_COUNT; i++) {
        if (g_sealed.pipes[i].frame_out)
            continue;
        g_sealed.pipes[i].frame_out = local_alloc(FRAME_SIZE);
        g_sealed.pipes[i].frame_in = local_alloc(FRAME_SIZE);
    }
}

static void take_keys(uint8_t role, struct session_keys *keys)
{
    for (uint8_t i = 0; i < STREAM_COUNT; i++) {
        record_stream_init(&g_sealed.pipes[i].out, keys, role, i);
        record_stream_init(&g_sealed.pipes[i].in, keys, role ^ 1, i);
    }
    memcpy(g_sealed.resume_secret, keys->resume_secret, sizeof(g_sealed.resume_secret));
    g_sealed.open = true;
    memset(keys, 0, sizeof(*keys));
    __asm__ volatile("" : : "r"(keys) : "memory"); /* The compiler may not drop the wiping. */
}

long sealed_open(uint8_t role, uint64_t session)
{
    struct session_keys keys;
    long error;

    session_init(&g_sealed.session, role);
    g_host.channel_limits(1, HANDSHAKE_TIMEOUT_ms);
    error = exchange_hellos(role, session, &keys);
    if (error) {
        memset(&g_sealed.handshake, 0, sizeof(g_sealed.handshake));
        return error;
    }
    take_keys(role, &keys);
    return 0;
}

/* ---- another channel ---- */

bool sealed_sever(void)
{
    if (!__atomic_load_n(&g_sealed.broken, __ATOMIC_SEQ_CST) ||
        __atomic_load_n(&g_sealed.doomed, __ATOMIC_SEQ_CST))
        return false;
    g_host.channel_shutdown();
    return true;
}

/* Nobody else uses the channel now, so what came over it last has been heard. */
static bool leave_channel(void)
{
    struct session *session = &g_sealed.session;
    bool can;

    lock_take(&g_sealed.lock);
    if (session->state != SESSION_SEVERED && session->state != SESSION_WITHDRAWN)
        session_fail(session);
    can = !session->poisoned && !g_sealed.doomed &&
          (session->state == SESSION_SEVERED || session->state == SESSION_WITHDRAWN);
    lock_release(&g_sealed.lock);
    return can;
}

bool sealed_withdraw(void)
{
    struct session *session = &g_sealed.session;
    bool withdrawn;

    lock_take(&g_sealed.lock);
    if (session->role == ROLE_DESTINATION && session->state == SESSION_RESTORED)
        session_fail(session);
    withdrawn = session->state == SESSION_WITHDRAWN && !session->poisoned;
    lock_release(&g_sealed.lock);
    return withdrawn;
}

void sealed_explain(const char *words)
{
    lock_take(&g_sealed.lock);
    str_copy(g_sealed.reason, words, sizeof(g_sealed.reason));
    lock_release(&g_sealed.lock);
}

void sealed_denied(void)
{
    lock_take(&g_sealed.lock);
    om_assert(session_denied(&g_sealed.session));
    lock_release(&g_sealed.lock);
}

bool sealed_revoked(void)
{
    bool revoked;

    lock_take(&g_sealed.lock);
    revoked = session_revoked(&g_sealed.session);
    lock_release(&g_sealed.lock);
    return revoked;
}

bool sealed_broken(void)
{
    return __atomic_load_n(&g_sealed.broken, __ATOMIC_SEQ_CST);
}

void sealed_doom(void)
{
    __atomic_store_n(&g_sealed.doomed, true, __ATOMIC_SEQ_CST);
}

static long send_resume_hello(const struct resumption *resumption)
{
    uint8_t hello[RESUME_HELLO_bytes];

    resumption_create_hello(resumption, hello);
    return send_bytes(STREAM_BULK, hello, sizeof(hello));
}

static long receive_resume_hello(struct resumption *resumption)
{
    uint8_t hello[RESUME_HELLO_bytes];
    long error = receive_bytes(STREAM_BULK, hello, sizeof(hello));
    int result = error ? 0 : resumption_consume_hello(resumption, hello);

    return result ? fail_record(result) : error;
}

/* The source speaks first: the destination says nothing to who cannot know the session. */
static long exchange_resume_hellos(struct resumption *resumption, struct session_keys *out_keys)
{
    bool source = resumption->role == ROLE_SOURCE;
    long error = source ? send_resume_hello(resumption) : receive_resume_hello(resumption);

    if (!error)
        error = source ? receive_resume_hello(resumption) : send_resume_hello(resumption);
    if (error)
        return error;
    return resumption_finish(resumption, g_sealed.resume_secret, out_keys) ? -EPROTO : 0;
}

long sealed_reopen(const struct om_severed *severed)
{
    uint8_t role = g_sealed.session.role, random[32];
    struct resumption resumption;
    struct session_keys keys;
    long error = leave_channel() ? g_host.channel_reconnect(severed) : -EPROTO;

    g_sealed.reason[0] = 0;
    if (error)
        return fail(error == -EAGAIN || error > 0 ? -EIO : error, "the connection broke",
                    error == -ECONNREFUSED ? "the other side is gone" : "there is no other one");
    __atomic_store_n(&g_sealed.broken, false, __ATOMIC_SEQ_CST);
    g_host.channel_limits(severed->side == OM_SEVERED_WITHDRAWN, HANDSHAKE_TIMEOUT_ms);
    if (role == ROLE_SOURCE)
        g_sealed.attempt++;
    random_bytes(random, sizeof(random));
    resumption_create(&resumption, role, g_sealed.handshake.mine.session, g_sealed.attempt, random);
    error = exchange_resume_hellos(&resumption, &keys);
    if (error)
        return -EAGAIN;
    g_sealed.attempt_heard = resumption.attempt;
    take_keys(role, &keys);
    return 0;
}

void sealed_resumed(void)
{
    g_sealed.attempt = g_sealed.attempt_heard;
    g_host.channel_limits(0, COMMITTED_STALL_ms);
}

void sealed_close(void)
{
    g_sealed.open = false;
    memset(g_sealed.resume_secret, 0, sizeof(g_sealed.resume_secret));
    for (uint32_t i = 0; i < STREAM_COUNT; i++) {
        record_stream_wipe(&g_sealed.pipes[i].out);
        record_stream_wipe(&g_sealed.pipes[i].in);
    }
}

/* ---- messages ---- */

uint8_t *sealed_body(uint32_t stream)
{
    return g_sealed.pipes[stream].frame_out + RECORD_HEADER_SIZE;
}

static int step(uint32_t stream, uint8_t type, bool sending)
{
    bool urgent = stream == STREAM_URGENT && type == MESSAGE_PAGES;
    struct session *session = &g_sealed.session;
    int error;

    lock_take(&g_sealed.lock);
    if (sending)
        error = urgent ? session_send_urgent_pages(session) : session_send(session, type);
    else
        error = urgent ? session_receive_urgent_pages(session) : session_receive(session, type);
    lock_release(&g_sealed.lock);
    return error;
}

long sealed_send(uint32_t stream, uint8_t type, uint32_t round, size_t length)
{
    struct pipe *pipe = &g_sealed.pipes[stream];
    int size = step(stream, type, true);

    if (size)
        return fail_protocol(size);
    size = record_seal(&pipe->out, type, round, pipe->frame_out, length);
    return size < 0 ? fail_protocol(size) : send_bytes(stream, pipe->frame_out, (size_t)size);
}

long sealed_receive(uint32_t stream, struct message *out)
{
    struct pipe *pipe = &g_sealed.pipes[stream];
    struct record_header header;
    uint32_t length = 0;
    long error = receive_bytes(stream, pipe->frame_in, RECORD_HEADER_SIZE);
    int result;

    if (error)
        return error;
    result = record_peek(&pipe->in, pipe->frame_in, &length);
    if (result)
        return fail_record(result);
    error = receive_bytes(stream, pipe->frame_in + RECORD_HEADER_SIZE, length + RECORD_TAG_SIZE);
    if (error)
        return error;
    pipe->records_before = pipe->in.counter;
    memcpy(pipe->digest_before, pipe->in.digest, sizeof(pipe->digest_before));
    result = record_open(&pipe->in, pipe->frame_in, RECORD_HEADER_SIZE + length + RECORD_TAG_SIZE,
                         &header);
    if (result)
        return fail_record(result);
    result = step(stream, header.type, false);
    if (result)
        return fail_protocol(result);
    *out = (struct message){header.type, header.round, pipe->frame_in + RECORD_HEADER_SIZE,
                            header.body_length};
    return 0;
}

void sealed_acknowledge(const char *text)
{
    g_host.channel_limits(0, GIVE_UP_ms);
    (void)sealed_send(STREAM_BULK, MESSAGE_ABORT, 0, encode_text(sealed_body(STREAM_BULK), text));
}

void sealed_give_up(uint8_t type, const char *text)
{
    uint8_t *scratch = g_sealed.pipes[STREAM_BULK].frame_in;

    g_host.channel_limits(0, GIVE_UP_ms);
    if (!g_sealed.open ||
        sealed_send(STREAM_BULK, type, 0, encode_text(sealed_body(STREAM_BULK), text)))
        return;
    /* Closing a socket with unread bytes would take these words back: read on until the peer has
     * said its own last words.  It sees the end of ours, so nobody waits for the other one. */
    g_host.channel_finish(STREAM_BULK);
    while (g_host.channel_recv(STREAM_BULK, scratch, FRAME_SIZE) == FRAME_SIZE)
        ;
}

void sealed_fail(void)
{
    lock_take(&g_sealed.lock);
    session_fail(&g_sealed.session);
    lock_release(&g_sealed.lock);
}

bool sealed_pending(uint32_t stream)
{
    return g_host.channel_pending(stream) != 0;
}

void sealed_sent(uint64_t *out_records, uint8_t out_digest[32])
{
    const struct record_stream *out = &g_sealed.pipes[STREAM_BULK].out;

    *out_records = out->counter;
    memcpy(out_digest, out->digest, sizeof(out->digest));
}

void sealed_received_before(uint64_t *out_records, uint8_t out_digest[32])
{
    const struct pipe *pipe = &g_sealed.pipes[STREAM_BULK];

    *out_records = pipe->records_before;
    memcpy(out_digest, pipe->digest_before, sizeof(pipe->digest_before));
}

uint64_t sealed_bytes_sent(void)
{
    return __atomic_load_n(&g_sealed.bytes_sent, __ATOMIC_RELAXED);
}

bool sealed_committed(void)
{
    return session_committed(&g_sealed.session);
}
