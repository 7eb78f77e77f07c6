/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receipt of a move: the last that both sides say to each other.  The source writes the body
 * and vouches for it; the destination compares it with what it knows itself, and vouches for it
 * too; each gives its host both reports.  The program runs at the destination meanwhile, and the
 * move has ended well whatever happens here: what goes wrong is a move without a receipt.
 *
 * The host can withhold a receipt.  It cannot make one, since it has no report of an enclave over
 * such a body: an enclave asks for one here only.  Where to read next: docs/attestation.md.
 */
#include "enclave/receipt.h"

#include <linux/time.h>

#include "enclave/attestation.h"
#include "enclave/sealed.h"
#include "enclave/tables.h"

static struct {
    struct message_start token;
    struct message_whole whole;
    bool has_token, has_whole;
    uint8_t body[RECEIPT_BODY_bytes];
    uint8_t *file;
} g_receipt;

void receipt_begin(void)
{
    g_receipt.has_token = g_receipt.has_whole = false;
}

void receipt_token(const struct message_start *token)
{
    g_receipt.token = *token;
    g_receipt.has_token = true;
}

void receipt_whole(const struct message_whole *whole)
{
    g_receipt.whole = *whole;
    g_receipt.has_whole = true;
}

static const char *keep(const struct message_evidence *source,
                        const struct message_evidence *destination)
{
    size_t length;

    if (!g_receipt.file)
        g_receipt.file = local_alloc(RECEIPT_FILE_MAX_bytes);
    length = encode_receipt_file(g_receipt.file, g_receipt.body, source, destination);
    if (!length)
        return "evidence is missing";
    return g_host.receipt(g_receipt.file, length) ? "the host could not keep it" : NULL;
}

/* What this side knows by itself, into a receipt. */
static void fill_in(struct receipt *out, uint32_t mode, uint64_t moves, uint64_t records,
                    const uint8_t digest[32])
{
    const struct handshake *handshake = sealed_handshake();
    bool source = handshake->role == ROLE_SOURCE;

    out->mode = mode;
    str_copy(out->name, g_tables->name, sizeof(out->name));
    out->source = source ? handshake->mine : handshake->theirs;
    out->destination = source ? handshake->theirs : handshake->mine;
    out->start = g_receipt.token;
    out->moves = moves;
    memcpy(out->previous, g_tables->last_receipt, sizeof(out->previous));
    out->records_sent = records;
    memcpy(out->digest, digest, sizeof(out->digest));
    out->whole = g_receipt.whole;
}

/* ---- source ---- */

static void fill_in_figures(struct receipt *out, const struct om_move_report *report)
{
    out->resumed = (uint32_t)report->resumed;
    out->memory_bytes = report->memory_bytes;
    out->pages = report->pages;
    out->zero_pages = report->zero_pages;
    out->postcopy_pages = report->postcopy_pages;
    out->urgent_pages = report->urgent_pages;
    out->bytes_sent = report->bytes_sent;
    out->stop_realtime_ns = report->stop_realtime_ns;
    out->start_realtime_ns = report->resume_realtime_ns;
    attestation_policy_digest(out->source_policy);
}

static const char *depart(uint32_t mode, const struct om_move_report *report)
{
    struct receipt receipt = {0};
    struct message_evidence mine, theirs;
    struct message message;
    uint8_t digest[32], report_data[64];
    uint64_t records;

    if (!g_receipt.has_token || !g_receipt.has_whole)
        return "the connection broke before the last words";
    sealed_sent(&records, digest);
    fill_in(&receipt, mode, g_tables->clock.moves + 1, records, digest);
    fill_in_figures(&receipt, report);
    encode_receipt(g_receipt.body, &receipt);
    receipt_report_data(g_receipt.body, ROLE_SOURCE, report_data);
    if (attestation_state(report_data, &mine))
        return "the platform of the source gives no report";
    if (sealed_send(STREAM_BULK, MESSAGE_DEPARTED, 0,
                    encode_departed(sealed_body(STREAM_BULK), g_receipt.body, &mine)) ||
        sealed_receive(STREAM_BULK, &message) || message.type != MESSAGE_ARRIVED)
        return "the destination did not answer";
    receipt_report_data(g_receipt.body, ROLE_DESTINATION, report_data);
    if (decode_evidence(message.body, message.length, &theirs) || theirs.rule_count ||
        !attestation_believes(&theirs, report_data))
        return "the destination's evidence is not accepted";
    return keep(&mine, &theirs);
}

/* ---- destination ---- */

/* All that this side knows has to be as it is in what the source wrote. */
static bool agrees(const struct receipt *theirs, uint32_t mode)
{
    struct receipt expected = *theirs;
    uint8_t again[RECEIPT_BODY_bytes], digest[32];
    uint64_t records;

    sealed_received_before(&records, digest);
    memset(expected.name, 0, sizeof(expected.name));
    fill_in(&expected, mode, g_tables->clock.moves, records, digest);
    encode_receipt(again, &expected);
    return memcmp(again, g_receipt.body, sizeof(again)) == 0;
}

static const char *arrive(uint32_t mode)
{
    struct receipt receipt;
    struct message_evidence mine, theirs;
    struct message message;
    uint8_t report_data[64];
    const char *reason;

    if (!g_receipt.has_token || !g_receipt.has_whole || sealed_broken())
        return "the connection broke before the last words";
    if (sealed_receive(STREAM_BULK, &message) || message.type != MESSAGE_DEPARTED)
        return "the source did not make one";
    if (decode_departed(message.body, message.length, &receipt, &theirs))
        return "what the source said of the move makes no sense";
    encode_receipt(g_receipt.body, &receipt);
    if (!agrees(&receipt, mode))
        return "the source says of the move what is not so";
    receipt_report_data(g_receipt.body, ROLE_SOURCE, report_data);
    if (!attestation_believes(&theirs, report_data))
        return "the source's evidence is not accepted";
    receipt_report_data(g_receipt.body, ROLE_DESTINATION, report_data);
    if (attestation_state(report_data, &mine))
        return "the platform of the destination gives no report";
    receipt_digest(g_receipt.body, g_tables->last_receipt);
    reason = keep(&theirs, &mine);
    if (sealed_send(STREAM_BULK, MESSAGE_ARRIVED, 0,
                    encode_evidence(sealed_body(STREAM_BULK), &mine)))
        return reason ? reason : "the source did not wait for it"; /* It is kept here. */
    return reason;
}

/* ---- both ---- */

static void finish(struct om_move_report *report, uint64_t begin_ns, const char *reason)
{
    report->receipt_us = (g_host.now_ns(CLOCK_MONOTONIC) - begin_ns) / 1000;
    if (reason)
        log_info("this move has no receipt here: %s", reason);
    str_copy(report->no_receipt, reason ? reason : "", sizeof(report->no_receipt));
}

void receipt_as_source(uint32_t mode, struct om_move_report *report)
{
    uint64_t begin = g_host.now_ns(CLOCK_MONOTONIC);

    g_host.channel_limits(0, RECEIPT_TIMEOUT_ms);
    finish(report, begin, depart(mode, report));
}

void receipt_as_destination(uint32_t mode, struct om_move_report *report)
{
    uint64_t begin = g_host.now_ns(CLOCK_MONOTONIC);
    const char *reason;

    g_host.channel_limits(0, RECEIPT_TIMEOUT_ms);
    reason = arrive(mode);
    finish(report, begin, reason);
}
