/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a receipt: its file, or, by the first byte, DEPARTED.  What passes is encoded again,
 * which must give the same bytes.
 */
#include "tests/fuzz/fuzz.h"

#include "protocol/protocol.h"

static uint8_t g_again[RECEIPT_FILE_MAX_bytes];

static void check_receipt(const struct receipt *r, const uint8_t *body)
{
    encode_receipt(g_again, r);
    ALWAYS(memcmp(g_again, body, RECEIPT_BODY_bytes) == 0);
    ALWAYS(r->source.role == ROLE_SOURCE && r->destination.role == ROLE_DESTINATION);
    ALWAYS(r->source.session == r->destination.session && r->moves > 0 && r->start.threads > 0);
    ALWAYS(memchr(r->name, '\0', sizeof r->name) != NULL);
}

static void fuzz_file(const uint8_t *bytes, size_t length)
{
    struct receipt_file file;
    if (decode_receipt_file(bytes, length, &file) != 0) {
        ALWAYS(!file.body && !file.source.evidence && !file.destination.evidence);
        return;
    }
    check_receipt(&file.receipt, bytes);
    ALWAYS(file.body == bytes);
    ALWAYS(encode_receipt_file(g_again, file.body, &file.source, &file.destination) == length);
    ALWAYS(memcmp(g_again, bytes, length) == 0);
}

static void fuzz_departed(const uint8_t *bytes, size_t length)
{
    struct receipt receipt;
    struct message_evidence evidence;
    if (decode_departed(bytes, length, &receipt, &evidence) != 0)
        return;
    check_receipt(&receipt, bytes);
    ALWAYS(encode_departed(g_again, bytes, &evidence) == length);
    ALWAYS(memcmp(g_again, bytes, length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 1)
        (data[0] & 1 ? fuzz_departed : fuzz_file)(&data[1], size - 1);
    return 0;
}
