/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handshake: one hello each way, in clear, then keys.
 *
 *   transcript = SHA-256("optmig transcript" || source's hello || destination's hello)
 *   keys       from the transcript and the X25519 shared secret (keys.c)
 *
 *   report data = SHA-256("optmig report 1" || role || transcript) and the same with 2
 *
 * The keys are ephemeral.  Whose they are is shown by evidence over the report data, which goes in
 * the first record of each side: so it is bound to both public keys and both nonces, to the session
 * and to the role of who shows it.  Who stands between two sides has another transcript with each.
 */
#include "protocol/crypto.h"
#include "protocol/keys.h"
#include "protocol/protocol.h"
#include "protocol/wire.h"

enum { HELLO_PREFIX_SIZE = 12 };

static const char g_hello_magic[4] = {'O', 'M', 'H', '1'};

/* RFC 7748's byte order on both sides: little-endian.  BearSSL clamps the scalar itself. */
static void x25519(uint8_t point[32], const uint8_t secret[32])
{
    br_ec_c25519_m31.mul(point, 32, secret, 32, BR_EC_curve25519);
}

void handshake_create(struct handshake *h, uint8_t role, uint8_t platform, uint64_t session,
                      const uint8_t random[64])
{
    memset(h, 0, sizeof *h);
    h->role = role;
    h->stage = HANDSHAKE_OPEN;
    h->mine.role = role;
    h->mine.platform = platform;
    h->mine.session = session;
    struct wire w = wire_reader(random, 64);
    wire_take_bytes(&w, h->mine.nonce, 32);
    wire_take_bytes(&w, h->secret_key, 32);
    h->mine.public_key[0] = 9; /* the base point */
    x25519(h->mine.public_key, h->secret_key);
}

static void report_hash(const struct handshake *h, uint8_t role, const char label[16],
                        uint8_t out[32])
{
    br_sha256_context sha;
    br_sha256_init(&sha);
    br_sha256_update(&sha, label, 16);
    br_sha256_update(&sha, &role, 1);
    br_sha256_update(&sha, h->transcript, sizeof h->transcript);
    br_sha256_out(&sha, out);
}

void handshake_report_data(const struct handshake *h, uint8_t role, uint8_t out_report_data[64])
{
    report_hash(h, role, "optmig report 1", &out_report_data[0]);
    report_hash(h, role, "optmig report 2", &out_report_data[32]);
}

void encode_hello(const struct hello *hello, uint8_t out[HELLO_bytes])
{
    struct wire w = wire_writer(out, HELLO_bytes);
    wire_put_bytes(&w, g_hello_magic, sizeof g_hello_magic);
    wire_put_u16(&w, MESSAGES_VERSION);
    wire_put_u8(&w, hello->role);
    wire_put_u8(&w, hello->platform);
    wire_put_u32(&w, HELLO_bytes);
    wire_put_u64(&w, hello->session);
    wire_put_bytes(&w, hello->nonce, sizeof hello->nonce);
    wire_put_bytes(&w, hello->public_key, sizeof hello->public_key);
    wire_put_u32(&w, hello->capabilities);
    wire_put_bytes(&w, hello->runtime, sizeof hello->runtime);
    wire_put_bytes(&w, hello->policy_key, sizeof hello->policy_key);
    wire_put_u64(&w, hello->policy_version);
}

int handshake_create_hello(const struct handshake *h, uint8_t *out, size_t capacity)
{
    if (h->role > ROLE_DESTINATION || h->stage == 0 || capacity < HELLO_bytes)
        return PROTOCOL_ARGUMENT;
    encode_hello(&h->mine, out);
    return HELLO_bytes;
}

int handshake_hello_length(const uint8_t prefix[HELLO_PREFIX_SIZE])
{
    struct wire w = wire_reader(prefix, HELLO_PREFIX_SIZE);
    uint8_t magic[4];
    wire_take_bytes(&w, magic, sizeof magic);
    uint16_t version = wire_take_u16(&w);
    wire_take_u16(&w); /* role and platform */
    uint32_t length = wire_take_u32(&w);
    if (memcmp(magic, g_hello_magic, sizeof magic) != 0)
        return PROTOCOL_MAGIC;
    if (version != MESSAGES_VERSION)
        return PROTOCOL_VERSION;
    return length == HELLO_bytes ? HELLO_bytes : PROTOCOL_LENGTH;
}

/* Only the form; whether it is the hello that we want is decided by check_hello. */
int decode_hello(const uint8_t *bytes, size_t length, struct hello *out)
{
    memset(out, 0, sizeof *out);
    if (length < HELLO_PREFIX_SIZE)
        return PROTOCOL_LENGTH;
    int stated = handshake_hello_length(bytes);
    if (stated < 0)
        return stated;
    if ((size_t)stated != length)
        return PROTOCOL_LENGTH;
    struct wire w = wire_reader(bytes, length);
    wire_take_span(&w, 6); /* magic and version, checked above */
    out->role = wire_take_u8(&w);
    out->platform = wire_take_u8(&w);
    wire_take_u32(&w); /* total length, checked above */
    out->session = wire_take_u64(&w);
    wire_take_bytes(&w, out->nonce, sizeof out->nonce);
    wire_take_bytes(&w, out->public_key, sizeof out->public_key);
    out->capabilities = wire_take_u32(&w);
    wire_take_bytes(&w, out->runtime, sizeof out->runtime);
    wire_take_bytes(&w, out->policy_key, sizeof out->policy_key);
    out->policy_version = wire_take_u64(&w);
    return wire_complete(&w) ? PROTOCOL_OK : PROTOCOL_LENGTH;
}

static int check_hello(const struct hello *mine, const struct hello *theirs)
{
    if (memcmp(theirs->public_key, mine->public_key, sizeof mine->public_key) == 0 ||
        memcmp(theirs->nonce, mine->nonce, sizeof mine->nonce) == 0)
        return PROTOCOL_REFLECTED;
    if (theirs->role > ROLE_DESTINATION || theirs->role == mine->role)
        return PROTOCOL_ROLE;
    if (theirs->session != mine->session)
        return PROTOCOL_SESSION;
    if (theirs->platform != mine->platform)
        return PROTOCOL_PLATFORM;
    if (memcmp(theirs->runtime, mine->runtime, sizeof mine->runtime) != 0)
        return PROTOCOL_MEASUREMENT;
    return PROTOCOL_OK;
}

int handshake_consume_hello(struct handshake *h, const uint8_t *bytes, size_t length)
{
    if (h->stage != HANDSHAKE_OPEN || h->role > ROLE_DESTINATION)
        return PROTOCOL_ARGUMENT;
    int error = decode_hello(bytes, length, &h->theirs);
    if (!error)
        error = check_hello(&h->mine, &h->theirs);
    if (error)
        memset(&h->theirs, 0, sizeof h->theirs);
    else
        h->stage = HANDSHAKE_CONSUMED;
    return error;
}

/* Decoding accepts one form only, so what is made here is what was on the wire. */
static void hash_hello(br_sha256_context *sha, const struct hello *hello)
{
    uint8_t bytes[HELLO_bytes];
    encode_hello(hello, bytes);
    br_sha256_update(sha, bytes, sizeof bytes);
}

static void make_transcript(struct handshake *h)
{
    static const char label[] = "optmig transcript";
    bool source = h->role == ROLE_SOURCE;
    br_sha256_context sha;
    br_sha256_init(&sha);
    br_sha256_update(&sha, label, sizeof label);
    hash_hello(&sha, source ? &h->mine : &h->theirs);
    hash_hello(&sha, source ? &h->theirs : &h->mine);
    br_sha256_out(&sha, h->transcript);
}

int handshake_finish(struct handshake *h, struct session_keys *out_keys)
{
    static const uint8_t zero[32];
    int error = PROTOCOL_OK;
    memset(out_keys, 0, sizeof *out_keys);
    if (h->stage != HANDSHAKE_CONSUMED) {
        error = PROTOCOL_ARGUMENT;
        goto out;
    }
    make_transcript(h);
    memcpy(h->shared, h->theirs.public_key, sizeof h->shared);
    x25519(h->shared, h->secret_key);
    /* A point of small order gives the same secret to everyone. */
    if (bytes_equal(h->shared, zero, sizeof zero)) {
        error = PROTOCOL_KEY;
        goto out;
    }
    keys_derive(h->transcript, h->shared, out_keys);
out:
    wipe(h->secret_key, sizeof h->secret_key);
    wipe(h->shared, sizeof h->shared);
    h->stage = HANDSHAKE_FINISHED;
    return error;
}
