/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what arrives on a stream, read as an enclave reads it: peek, then open.  The first
 * byte is the sender's role and the stream.  The seeds hold records that open, so the fuzzer starts
 * from there.
 */
#include "tests/fuzz/fuzz.h"

#include "protocol/protocol.h"

static struct session_keys g_keys;

/* Whoever has no key makes no record: what opens is what the sender would have sealed. */
static void check_opened(struct record_stream *sealer, const struct record_header *header,
                         uint8_t *frame, const uint8_t *wire, size_t length)
{
    ALWAYS(record_seal(sealer, header->type, header->round, frame, header->body_length) ==
           (int)length);
    ALWAYS(memcmp(frame, wire, length) == 0);
}

static void check_refused(struct record_stream *s, uint8_t *frame, size_t length)
{
    static const uint8_t zero[sizeof s->cipher];
    struct record_header header;
    ALWAYS(s->poisoned && memcmp(s->cipher, zero, sizeof zero) == 0);
    ALWAYS(record_open(s, frame, length, &header) == PROTOCOL_POISONED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct record_stream opener, sealer;
    memset(g_keys.key, 0x5a, sizeof g_keys.key);
    if (size < 1)
        return 0;
    uint8_t role = data[0] & 1, stream = data[0] >> 1 & 1;
    record_stream_init(&opener, &g_keys, role, stream);
    record_stream_init(&sealer, &g_keys, role, stream);
    size_t at = 1;
    while (size - at >= RECORD_HEADER_SIZE) {
        uint32_t body_length;
        struct record_header header;
        int peeked = record_peek(&opener, &data[at], &body_length);
        ALWAYS(body_length <= RECORD_BODY_MAX);
        size_t length = RECORD_HEADER_SIZE + (size_t)body_length + RECORD_TAG_SIZE;
        if (length > size - at)
            length = size - at;
        uint8_t *frame = malloc(length);
        memcpy(frame, &data[at], length);
        int error = record_open(&opener, frame, length, &header);
        ALWAYS(peeked == 0 || error != 0);
        if (error)
            check_refused(&opener, frame, length);
        else
            check_opened(&sealer, &header, frame, &data[at], length);
        free(frame);
        if (error)
            return 0;
        at += length;
    }
    return 0;
}
