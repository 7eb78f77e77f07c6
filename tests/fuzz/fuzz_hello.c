/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the peer's hello, and what follows it as evidence of sim; or as its hello over
 * another connection of a session.  The first byte is our role, and which of the two.
 */
#include "tests/fuzz/fuzz.h"

#include "protocol/protocol.h"

static void make_handshake(struct handshake *h, uint8_t role)
{
    uint8_t random[64];
    for (int i = 0; i < 64; i++)
        random[i] = (uint8_t)(i + 64 * role);
    handshake_create(h, role, PLATFORM_SIM, 0x1122334455667788, random);
}

/* There is one form only: what was accepted is what it would be encoded as. */
static void check_form(const struct handshake *h, const uint8_t *bytes, size_t length)
{
    static uint8_t again[HELLO_bytes];
    struct handshake theirs = {.role = h->theirs.role, .stage = HANDSHAKE_OPEN, .mine = h->theirs};
    ALWAYS(handshake_create_hello(&theirs, again, sizeof again) == (int)length);
    ALWAYS(memcmp(again, bytes, length) == 0);
}

static void check_refused(const struct handshake *h)
{
    static const struct hello zero;
    ALWAYS(memcmp(&h->theirs, &zero, sizeof zero) == 0);
    ALWAYS(h->stage == HANDSHAKE_OPEN);
}

static void fuzz_resumption(uint8_t role, const uint8_t *bytes, size_t size)
{
    static const uint8_t random[32] = {1}, secret[32] = {2}, zero[32];
    struct resumption r, again;
    struct session_keys keys;
    uint8_t hello[RESUME_HELLO_bytes];
    if (size < RESUME_HELLO_bytes)
        return;
    resumption_create(&r, role, 0x1122334455667788, 5, random);
    if (resumption_consume_hello(&r, bytes) != 0) {
        ALWAYS(!r.consumed && memcmp(r.theirs, zero, 32) == 0);
        ALWAYS(resumption_finish(&r, secret, &keys) != 0 && memcmp(keys.key[0][0], zero, 32) == 0);
        return;
    }
    ALWAYS(role == ROLE_SOURCE ? r.attempt == 5 : r.attempt > 5);
    again = r;
    again.role ^= 1;
    memcpy(again.mine, r.theirs, sizeof again.mine);
    resumption_create_hello(&again, hello);
    ALWAYS(memcmp(hello, bytes, sizeof hello) == 0); /* one form only */
    ALWAYS(resumption_finish(&r, secret, &keys) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t zero[32];
    static struct handshake honest[2];
    if (honest[1].stage == 0)
        for (uint8_t role = 0; role < 2; role++)
            make_handshake(&honest[role], role);
    if (size < 1)
        return 0;
    if (data[0] & 2) {
        fuzz_resumption(data[0] & 1, &data[1], size - 1);
        return 0;
    }
    struct handshake h = honest[data[0] & 1];
    const uint8_t *bytes = &data[1];
    size_t length = size - 1 < HELLO_bytes ? size - 1 : HELLO_bytes;
    if (length >= 12)
        ALWAYS(handshake_hello_length(bytes) <= HELLO_bytes);
    if (handshake_consume_hello(&h, bytes, length) != 0) {
        check_refused(&h);
        return 0;
    }
    check_form(&h, bytes, length);
    uint8_t report_data[64];
    struct session_keys keys;
    int error = handshake_finish(&h, &keys);
    handshake_report_data(&h, h.theirs.role, report_data);
    /* No input can be signed over this by chance; the decoding is what is tested. */
    sim_verify(&bytes[length], size - 1 - length, zero, report_data);
    ALWAYS((error == 0) == (memcmp(keys.key[0][0], zero, 32) != 0));
    ALWAYS(memcmp(h.secret_key, zero, 32) == 0);
    return 0;
}
