/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another connection of a session whose channel broke: one hello each way, in clear, then keys.
 *
 *   transcript = SHA-256("optmig resumed" || source's hello || destination's hello)
 *   keys       from this transcript and the session's resume secret (keys.c)
 *
 * Only the two that shook hands in the first place have the secret, so whoever seals a record that
 * opens is the same instance that was attested then.  Both nonces are fresh, so no key comes twice,
 * and nothing of an earlier channel opens in a later one.  The attempt is checked against the last
 * over which the source has proved itself: what was recorded cannot even begin again.
 */
#include "protocol/crypto.h"
#include "protocol/keys.h"
#include "protocol/protocol.h"
#include "protocol/wire.h"

static const char g_magic[4] = {'O', 'M', 'S', '1'};

void resumption_create(struct resumption *r, uint8_t role, uint64_t session, uint64_t attempt,
                       const uint8_t random[32])
{
    memset(r, 0, sizeof *r);
    r->role = role;
    r->session = session;
    r->attempt = role == ROLE_SOURCE ? attempt : 0;
    r->last_good = role == ROLE_DESTINATION ? attempt : 0;
    memcpy(r->mine, random, sizeof r->mine);
}

static void put_hello(const struct resumption *r, uint8_t role, const uint8_t nonce[32],
                      uint8_t out[RESUME_HELLO_bytes])
{
    struct wire w = wire_writer(out, RESUME_HELLO_bytes);
    wire_put_bytes(&w, g_magic, sizeof g_magic);
    wire_put_u16(&w, MESSAGES_VERSION);
    wire_put_u8(&w, role);
    wire_put_u8(&w, 0);
    wire_put_u64(&w, r->session);
    wire_put_u64(&w, r->attempt);
    wire_put_bytes(&w, nonce, 32);
}

void resumption_create_hello(const struct resumption *r, uint8_t out[RESUME_HELLO_bytes])
{
    put_hello(r, r->role, r->mine, out);
}

struct resume_hello {
    uint8_t magic[4], role, reserved;
    uint16_t version;
    uint64_t session, attempt;
    uint8_t nonce[32];
};

static int check_hello(const struct resumption *r, const struct resume_hello *theirs)
{
    if (memcmp(theirs->magic, g_magic, sizeof g_magic) != 0)
        return PROTOCOL_MAGIC;
    if (theirs->version != MESSAGES_VERSION)
        return PROTOCOL_VERSION;
    if (memcmp(theirs->nonce, r->mine, sizeof r->mine) == 0)
        return PROTOCOL_REFLECTED;
    if (theirs->role > ROLE_DESTINATION || theirs->role == r->role)
        return PROTOCOL_ROLE;
    if (theirs->reserved != 0)
        return PROTOCOL_FIELD;
    if (theirs->session != r->session)
        return PROTOCOL_SESSION;
    if (r->role == ROLE_SOURCE ? theirs->attempt != r->attempt : theirs->attempt <= r->last_good)
        return PROTOCOL_COUNTER;
    return PROTOCOL_OK;
}

int resumption_consume_hello(struct resumption *r, const uint8_t bytes[RESUME_HELLO_bytes])
{
    struct resume_hello theirs = {0};
    struct wire w = wire_reader(bytes, RESUME_HELLO_bytes);
    if (r->role > ROLE_DESTINATION || r->consumed)
        return PROTOCOL_ARGUMENT;
    wire_take_bytes(&w, theirs.magic, sizeof theirs.magic);
    theirs.version = wire_take_u16(&w);
    theirs.role = wire_take_u8(&w);
    theirs.reserved = wire_take_u8(&w);
    theirs.session = wire_take_u64(&w);
    theirs.attempt = wire_take_u64(&w);
    wire_take_bytes(&w, theirs.nonce, sizeof theirs.nonce);
    int error = check_hello(r, &theirs);
    if (error)
        return error;
    r->attempt = theirs.attempt;
    memcpy(r->theirs, theirs.nonce, sizeof r->theirs);
    r->consumed = true;
    return PROTOCOL_OK;
}

/* Decoding accepts one form only, so what is made here is what was on the wire. */
static void hash_hello(br_sha256_context *sha, const struct resumption *r, uint8_t role)
{
    uint8_t bytes[RESUME_HELLO_bytes];
    put_hello(r, role, role == r->role ? r->mine : r->theirs, bytes);
    br_sha256_update(sha, bytes, sizeof bytes);
}

int resumption_finish(const struct resumption *r, const uint8_t resume_secret[32],
                      struct session_keys *out_keys)
{
    static const char label[] = "optmig resumed";
    uint8_t transcript[32];
    br_sha256_context sha;
    memset(out_keys, 0, sizeof *out_keys);
    if (!r->consumed)
        return PROTOCOL_ARGUMENT;
    br_sha256_init(&sha);
    br_sha256_update(&sha, label, sizeof label);
    hash_hello(&sha, r, ROLE_SOURCE);
    hash_hello(&sha, r, ROLE_DESTINATION);
    br_sha256_out(&sha, transcript);
    keys_derive(transcript, resume_secret, out_keys);
    memcpy(out_keys->resume_secret, resume_secret, sizeof out_keys->resume_secret);
    return PROTOCOL_OK;
}
