/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The destination of a move.  It does what the source's messages say, in the order in which they
 * come; protocol/transitions.def allows no other.  Until START nothing of the program runs here,
 * and any failure is told to the source and ends this enclave.  After START the program lives here
 * only: what is missing is waited for, and never made up.  A channel that breaks then is replaced
 * by another one (survive).  If it breaks while START is waited for, START is not taken any more,
 * and the source, which may have sent it, is told so as soon as it asks (stay_withdrawn).
 */
#include "enclave/move.h"

#include <linux/time.h>

#include "enclave/attestation.h"
#include "enclave/claims.h"
#include "enclave/cpu_features.h"
#include "enclave/expect.h"
#include "enclave/fd.h"
#include "enclave/move_role.h"
#include "enclave/place.h"
#include "enclave/process.h"
#include "enclave/receipt.h"
#include "enclave/sealed.h"
#include "enclave/stop.h"
#include "enclave/tables.h"
#include "enclave/timers.h"

/* The source gives a silent connection up before that; if it does not, nobody is there. */
enum { SOURCE_STALL_ms = 90000 };

static struct {
    struct ecall_move move;
    struct om_move_report report;
    uint32_t mode; /* of the source */
    bool refused;
    uint64_t begin_us, started_us;
    uint64_t fds_us, threads_us, drop_us, resume_us;
    uint64_t memory_bytes;
} g_in;

static uint64_t now_us(void)
{
    return g_host.now_ns(CLOCK_MONOTONIC) / 1000;
}

static long fail(long error, const char *format, ...) OM_PRINTF(2, 3);

/* The first words are the cause. */
static long fail(long error, const char *format, ...)
{
    __builtin_va_list arguments;

    if (g_in.report.reason[0])
        return error;
    __builtin_va_start(arguments, format);
    str_vformat(g_in.report.reason, sizeof(g_in.report.reason), format, arguments);
    __builtin_va_end(arguments);
    return error;
}

static void enter_phase(enum om_phase phase)
{
    struct om_progress progress = {
        .phase = phase,
        .memory_bytes = g_in.memory_bytes,
        .elapsed_us = now_us() - g_in.begin_us,
        .tracker = g_tables->barrier.tracker,
        .audit = g_tables->barrier.audit,
    };

    g_in.report.phase_reached = phase;
    g_host.progress(&progress);
}

static long reply(uint8_t type, size_t length)
{
    return sealed_send(STREAM_BULK, type, 0, length);
}

/* ---- prepare ---- */

/* The verdict is told to the source in either case; only then does this side end, if it has to. */
static long consume_evidence(const struct message *message)
{
    bool accepted = attestation_judge(message);
    long error = attestation_send();

    if (!accepted)
        error = -EPERM;
    return error && attestation_reason()[0] ? fail(error, "%s", attestation_reason()) : error;
}

static bool lists_pages(uint32_t mode)
{
    return mode == OM_MODE_HYBRID || mode == OM_MODE_POSTCOPY;
}

/* Post-copy needs a privilege that had better be missed now than in the middle. */
static long check_pager(void)
{
    long error = g_host.pager_begin(PROGRAM_BASE, PROGRAM_BASE + OM_PAGE_SIZE);

    if (!error)
        g_host.pager_end();
    return error;
}

static long check_prepare(const struct message_prepare *prepare, const uint8_t *description)
{
    struct fd_obstacle obstacle = {0};
    uint64_t missing_features = prepare->xfeatures & ~cpu_xfeatures();
    long available = g_host.memory_available();
    const char *refusal;
    long error;

    if (prepare->session != g_in.move.session)
        return fail(-EPERM, "the source speaks of another session");
    if (prepare->mode > OM_MODE_STOPCOPY)
        return fail(-EPERM, "the source wants an unknown mode %u", prepare->mode);
    if (g_tables->name[0] && strncmp(prepare->name, g_tables->name, sizeof(prepare->name)) != 0)
        return fail(-EPERM, "this place is kept for %s, not for %s", g_tables->name, prepare->name);
    refusal = claim_accept(prepare);
    if (refusal)
        return fail(-EPERM, "%s", refusal);
    if (missing_features)
        return fail(-EPERM, "this processor lacks vector state that the program may use (XCR0 %lx)",
                    missing_features);
    if (available >= 0 && (uint64_t)available < prepare->memory_bytes)
        return fail(-ENOMEM, "not enough memory here: %lu MiB needed, %lu MiB available",
                    prepare->memory_bytes >> 20, (uint64_t)available >> 20);
    error = lists_pages(prepare->mode) ? check_pager() : 0;
    if (error)
        return fail(error,
                    "post-copy needs userfaultfd for faults of the kernel here (root, or access to "
                    "/dev/userfaultfd): error %ld; precopy does not",
                    -error);
    error = fd_check(description, prepare->description_length, &obstacle);
    return error ? fail(error, "%s", obstacle.what) : 0;
}

static long consume_prepare(const struct message *message)
{
    struct message_prepare prepare;
    const uint8_t *description;
    long error;

    if (decode_prepare(message->body, message->length, &prepare, &description))
        return fail(-EPROTO, "the source's proposal makes no sense");
    g_in.mode = prepare.mode;
    g_in.memory_bytes = g_in.report.memory_bytes = prepare.memory_bytes;
    error = check_prepare(&prepare, description);
    if (error)
        return error;
    error = place_begin();
    if (error)
        return fail(error, "memory for the program cannot be set up: error %ld", -error);
    g_in.refused = false;
    /* Cancelling is the source's business; here it would be a lost peer. */
    g_host.channel_limits(0, SOURCE_STALL_ms);
    enter_phase(OM_PHASE_PRECOPY);
    return reply(MESSAGE_READY, 0);
}

/* ---- restore and start ---- */

/* The token speaks of exactly what arrived, in this order, and of what is still to come. */
static long check_token(const struct message *message, struct message_start *out)
{
    uint8_t digest[32];
    uint64_t records, missing = place_missing();

    sealed_received_before(&records, digest);
    if (decode_start(message->body, message->length, out))
        return fail(-EPROTO, "the start token makes no sense");
    if (out->records_sent != records || memcmp(out->digest, digest, sizeof(digest)) != 0)
        return fail(-EPROTO, "the start token does not fit what arrived");
    if (out->listed_pages != missing)
        return fail(-EPROTO, "%lu pages are missing, the start token says %lu", missing,
                    out->listed_pages);
    return 0;
}

static void continue_clock(const struct message_start *token)
{
    uint64_t half = token->round_trip_ns / 2;

    clock_continue(token->monotonic_ns + half, token->boottime_ns + half);
}

static long restore_threads(void)
{
    uint64_t begin = now_us();
    long error;

    signal_install_all();
    process_restore();
    shared_files_restore();
    error = stop_restore_threads();
    if (error)
        return fail(error, "threads cannot be made here: error %ld", -error);
    error = timers_restore();
    if (error)
        return fail(error, "a timer cannot be made here: error %ld", -error);
    g_in.threads_us = now_us() - begin;
    return 0;
}

/* Everything but letting it run. */
static long consume_restore(const struct message *message)
{
    struct fd_obstacle obstacle = {0};
    struct message_start token;
    uint64_t begin;
    long error = check_token(message, &token);

    if (error)
        return error;
    if (g_tables->version != TABLES_VERSION)
        return fail(-EPROTO, "the tables that arrived are of another version");
    g_tables->clock.moves++;
    continue_clock(&token);
    error = place_restore();
    if (error)
        return fail(error, "the memory map cannot be set up: error %ld", -error);
    begin = now_us();
    error = fd_restore(&obstacle);
    if (error)
        return fail(error, "%s", obstacle.what);
    g_in.fds_us = now_us() - begin;
    error = restore_threads();
    if (error)
        return error;
    g_host.channel_limits(0, COMMITTED_STALL_ms);
    return reply(MESSAGE_RESTORED, 0);
}

/* From here on nobody else ever starts it from this token: or this side never does. */
static long claim(void)
{
    char words[OM_REASON_MAX];
    uint64_t begin = now_us();

    if (claim_start(words, sizeof(words)) != CLAIM_GRANTED) {
        sealed_denied();
        return fail(-EACCES, "%s", words);
    }
    if (claim_needed())
        log_info("the registry of starts has granted this start, in %lu us", now_us() - begin);
    return 0;
}

static long consume_start(const struct message *message)
{
    struct message_start token;
    struct message_started started = {0};
    uint64_t begin = now_us();
    long error = check_token(message, &token);

    if (!error)
        error = claim();
    if (error)
        return error;
    receipt_token(&token);
    continue_clock(&token);
    place_run();
    fd_release();
    stop_release();
    started.realtime_ns = g_host.now_ns(CLOCK_REALTIME);
    g_in.started_us = now_us();
    started.resume_us = g_in.resume_us = g_in.started_us - begin;
    started.fds_us = g_in.fds_us;
    started.threads_us = g_in.threads_us;
    started.drop_us = g_in.drop_us;
    error = reply(MESSAGE_STARTED, encode_started(sealed_body(STREAM_BULK), &started));
    enter_phase(OM_PHASE_POSTCOPY);
    stop_arrival_told();
    return error;
}

static long consume_pages_done(void)
{
    struct message_whole whole;
    long error = place_wait_complete();

    if (error)
        return error;
    place_end();
    g_in.report.postcopy_us = now_us() - g_in.started_us;
    whole.realtime_ns = g_host.now_ns(CLOCK_REALTIME);
    attestation_policy_digest(whole.policy);
    receipt_whole(&whole);
    return reply(MESSAGE_RECEIPT, encode_whole(sealed_body(STREAM_BULK), &whole));
}

/* ---- messages ---- */

static long consume_layout(const struct message *message)
{
    long error = place_layout(message->body, message->length);

    if (!error)
        expect_restore();
    return error;
}

static long consume_list_end(void)
{
    long error = place_serve();

    return error ? error : reply(MESSAGE_LISTED, 0);
}

static long consume_abort(const struct message *message)
{
    char text[OM_REASON_MAX];

    decode_text(message->body, message->length, text, sizeof(text));
    return fail(-ECONNABORTED, "the source gave up: %s", text);
}

static long consume(const struct message *message)
{
    switch (message->type) {
    case MESSAGE_SOURCE_EVIDENCE:
        return consume_evidence(message);
    case MESSAGE_PREPARE:
        return consume_prepare(message);
    case MESSAGE_LAYOUT:
        return consume_layout(message);
    case MESSAGE_HUGE:
        return place_huge(message->body, message->length);
    case MESSAGE_PAGES:
        return place_pages(message->body, message->length);
    case MESSAGE_HEADS:
        return place_heads(message->body, message->length);
    case MESSAGE_DROP:
        return place_drop(message->body, message->length);
    case MESSAGE_LIST:
        return place_list(message->body, message->length);
    case MESSAGE_LIST_END:
        return consume_list_end();
    case MESSAGE_PING:
        return reply(MESSAGE_PONG, 0);
    case MESSAGE_RESTORE:
        return consume_restore(message);
    case MESSAGE_START:
        return consume_start(message);
    case MESSAGE_PAGES_DONE:
        return consume_pages_done();
    case MESSAGE_ABORT:
        return consume_abort(message);
    default:
        return fail(-EPROTO, "unexpected message %s", message_name(message->type));
    }
}

static long follow_source(void)
{
    struct message message = {0};
    long error = 0;

    while (!error && message.type != MESSAGE_PAGES_DONE) {
        error = sealed_receive(STREAM_BULK, &message);
        /* START has been heard then, and cannot be unheard. */
        if (!error && !sealed_committed() && g_host.cancel_requested())
            error = fail(-ECANCELED, "cancelled at the destination, or its daemon ended");
        if (!error)
            error = consume(&message);
    }
    return error;
}

static long run(void)
{
    const char *reason;
    long error;

    enter_phase(OM_PHASE_PREPARE);
    reason = attestation_begin(&g_in.move);
    error = reason ? fail(-EPERM, "%s", reason) : sealed_open(ROLE_DESTINATION, g_in.move.session);
    return error ? error : follow_source();
}

/* After START every page that was listed has come (or the program gave it back): what the source
 * still says is not needed.  So a connection that breaks late costs nothing. */
static bool arrived_whole(void)
{
    if (!g_in.started_us || !place_whole())
        return false;
    place_end();
    g_in.report.postcopy_us = now_us() - g_in.started_us;
    return true;
}

/* ---- when the channel breaks ---- */

static long expect_resume(void)
{
    struct message message;
    long error = sealed_receive(STREAM_BULK, &message);

    if (error)
        return error;
    if (message.type != MESSAGE_RESUME || message.length)
        return -EPROTO;
    sealed_resumed();
    return 0;
}

static long say_where(void)
{
    struct message_resumed resumed = {.missing_pages = place_missing(),
                                      .resume_us = g_in.resume_us};
    uint64_t from = 0;
    size_t length;
    long error = 0;

    while (!error && (length = place_encode_missing(&from, sealed_body(STREAM_BULK))) > 0)
        error = reply(MESSAGE_MISSING, length);
    /* The program may give pages back meanwhile: the source counts what was listed. */
    return error ? error
                 : reply(MESSAGE_RESUMED, encode_resumed(sealed_body(STREAM_BULK), &resumed));
}

static long resume(void)
{
    struct om_severed severed = {.side = OM_SEVERED_RUNNING};
    long error;

    severed.missing_pages = place_describe_missing(severed.areas, sizeof(severed.areas));
    str_copy(severed.reason, sealed_reason(), sizeof(severed.reason));
    error = sealed_reopen(&severed);
    if (error)
        return error;
    error = expect_resume();
    if (!error)
        error = say_where();
    if (error)
        return sealed_broken() ? -EAGAIN : error;
    g_in.report.resumed++;
    g_in.report.reason[0] = 0;
    enter_phase(OM_PHASE_POSTCOPY);
    move_role_mend();
    return 0;
}

/* The program runs here, and the channel broke: the same source goes on over another one.  What is
 * missing is waited for meanwhile. */
static long survive(long error)
{
    while (error && !arrived_whole() && sealed_sever()) {
        move_role_sever();
        if (!place_resume())
            return error;
        do
            error = resume();
        while (error == -EAGAIN && !arrived_whole());
        if (!error)
            error = follow_source();
        else if (error != -EAGAIN)
            return error;
    }
    return error;
}

/* 0: the source has heard it, and has the program again. */
static long say_withdrawn(void)
{
    struct message message;
    long error = expect_resume();

    g_host.channel_limits(1, HANDSHAKE_TIMEOUT_ms);
    if (!error)
        error = reply(MESSAGE_ABORT, encode_text(sealed_body(STREAM_BULK), g_in.report.reason));
    if (!error)
        error = sealed_receive(STREAM_BULK, &message);
    return error ? error : message.type == MESSAGE_ABORT ? 0 : -EPROTO;
}

/* It never started here, and never will.  The source may have sent START all the same: it is told
 * whenever it asks, until the host says that nobody will ask any more. */
static void stay_withdrawn(void)
{
    struct om_severed severed = {.side = OM_SEVERED_WITHDRAWN};
    long error;

    str_copy(severed.reason, g_in.report.reason, sizeof(severed.reason));
    g_host.channel_shutdown();
    move_role_sever();
    place_erase();
    do {
        error = sealed_reopen(&severed);
        if (!error && say_withdrawn())
            error = -EAGAIN;
    } while (error == -EAGAIN);
}

static void tell_failure(bool told_by_source)
{
    bool withdrawn = sealed_withdraw();

    fd_abandon();
    sealed_give_up(g_in.refused ? MESSAGE_REFUSE : MESSAGE_ABORT, g_in.report.reason);
    if (withdrawn && !told_by_source)
        stay_withdrawn();
}

static void describe_loss(void)
{
    char areas[OM_SEVERED_AREAS_MAX], text[OM_REASON_MAX];
    uint64_t missing = place_describe_missing(areas, sizeof(areas));

    str_format(text, sizeof(text), "%s; %lu pages are missing: %s", sealed_reason(), missing,
               areas);
    (void)fail(0, "%s", text);
}

static void finish_report(long error)
{
    struct om_move_report *report = &g_in.report;

    if (error && sealed_committed())
        describe_loss();

    if (error && !report->reason[0] && sealed_reason()[0])
        str_copy(report->reason, sealed_reason(), sizeof(report->reason));
    if (error)
        (void)fail(error, "the destination failed: error %ld", -error);
    report->result = !error               ? OM_RESULT_MOVED
                     : sealed_committed() ? OM_RESULT_LOST
                     : g_in.refused       ? OM_RESULT_REFUSED
                                          : OM_RESULT_FAILED;
    report->bytes_sent = sealed_bytes_sent();
    report->total_us = now_us() - g_in.begin_us;
}

bool move_in(struct ecall_move *untrusted)
{
    long error;

    memset(&g_in, 0, sizeof(g_in));
    g_in.move = *untrusted;
    g_in.refused = true;
    g_in.begin_us = now_us();
    sealed_create();
    receipt_begin();
    place_create();
    move_role_begin(ROLE_DESTINATION);
    error = run();
    if (error && sealed_committed())
        error = survive(error);
    if (error && arrived_whole())
        error = 0;
    finish_report(error);
    if (error && !sealed_committed())
        tell_failure(error == -ECONNABORTED);
    if (error)
        sealed_fail();
    /* After a loss the pager is left as it is: threads that wait for a page wait on. */
    place_prefault_end();
    if (!error)
        receipt_as_destination(g_in.mode, &g_in.report);
    g_host.channel_shutdown();
    move_role_end();
    sealed_close();
    if (!error)
        enter_phase(OM_PHASE_DONE);
    untrusted->report = g_in.report;
    return !error;
}
