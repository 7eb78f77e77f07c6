/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source of a move.  run() is the story; each step returns 0 or -errno, with words in the
 * report. Pre-copy ends after a round:
 *   - hybrid: if at most 1 MiB was written meanwhile, or more than 0.8 times as much as in the
 *     round before, or after 5 rounds; what is left is listed and comes after the start
 *   - precopy: if what will be written until the next look can be sent in half of max_downtime, or
 *     two rounds in a row were more than 0.8 times the one before, or after 30 rounds
 * The deadline wins over all: when 3/4 of it have passed, hybrid leaves even the middle of a round
 * and precopy begins no other, whatever its downtime will be then.
 * Up to COMMIT every failure ends in undo(): the program runs on here.  After it the program never
 * runs here again, whatever the host says; only the destination itself can give it back, by an
 * ABORT in place of STARTED, or over a later channel: one that breaks after COMMIT is replaced
 * (survive), and then the destination says what it has.
 */
#include "enclave/move.h"

#include <asm/unistd.h>
#include <linux/time.h>

#include "enclave/attestation.h"
#include "enclave/audit.h"
#include "enclave/cards.h"
#include "enclave/claims.h"
#include "enclave/cpu_features.h"
#include "enclave/expect.h"
#include "enclave/fd.h"
#include "enclave/hooks.h"
#include "enclave/move_role.h"
#include "enclave/process.h"
#include "enclave/receipt.h"
#include "enclave/safepoint.h"
#include "enclave/sealed.h"
#include "enclave/source.h"
#include "enclave/stop.h"
#include "enclave/tables.h"
#include "enclave/timers.h"
#include "enclave/tracker.h"

enum {
    HYBRID_ROUNDS_MAX = 5,
    PRECOPY_ROUNDS_MAX = 30,
    SMALL_pages = 256,        /* 1 MiB: not worth another round */
    EAGER_pages = 256,        /* sent while stopped rather than listed */
    RELIST_ROUNDS_MAX = 3,    /* looks between LISTED and the freeze */
    FREEZE_MIN_pages = 16384, /* 64 MiB: below that one full look is cheaper than a freeze */
    HOT_PAGES_MAX = 256,
    LAST_LOOKS = 4, /* barrier: behind a round trip each, until one finds few pages */
    FEW_PAGES = 8,
    STOP_TRIES = 3,
    STOP_TIMEOUT_us = 300000,
    PROGRESS_INTERVAL_us = 50000,
    STALL_ms = 60000,          /* no byte moves while the program runs */
    SWITCHOVER_STALL_ms = 5000 /* no byte moves while it is stopped */
};

struct round {
    uint64_t pages, us;
};

static struct {
    struct ecall_move move;
    struct om_move_report report;
    enum om_phase phase;
    bool stopped, captured, refused, cancelled;
    bool committed;
    bool left;                     /* the destination has said that it runs the program */
    char obstacles[OM_REASON_MAX]; /* check_only: found at this side */
    uint64_t begin_us, deadline_us, progress_us;
    uint64_t memory_pages;  /* found by the first look */
    uint64_t round_trip_ns; /* of an idle channel */
    uint64_t stop_us;       /* when the order to stop was given */
    uint64_t remaining_bytes;
    uint64_t hot_pages[HOT_PAGES_MAX];
} g_out;

static uint64_t now_us(void)
{
    return g_host.now_ns(CLOCK_MONOTONIC) / 1000;
}

static bool mode_lists(void)
{
    return g_out.move.mode == OM_MODE_HYBRID || g_out.move.mode == OM_MODE_POSTCOPY;
}

/* ---- errors and progress ---- */

static long fail(long error, const char *format, ...) OM_PRINTF(2, 3);

/* The first words are the cause; what fails because of it adds nothing. */
static long fail(long error, const char *format, ...)
{
    __builtin_va_list arguments;

    if (g_out.report.reason[0])
        return error;
    __builtin_va_start(arguments, format);
    str_vformat(g_out.report.reason, sizeof(g_out.report.reason), format, arguments);
    __builtin_va_end(arguments);
    return error;
}

static void show_progress(void)
{
    struct om_progress progress = {
        .phase = g_out.phase,
        .round = g_out.report.rounds,
        .bytes_sent = sealed_bytes_sent(),
        .bytes_remaining = g_out.remaining_bytes,
        .memory_bytes = g_out.memory_pages * OM_PAGE_SIZE,
        .elapsed_us = now_us() - g_out.begin_us,
    };

    g_out.progress_us = now_us();
    g_host.progress(&progress);
}

static void enter_phase(enum om_phase phase)
{
    g_out.phase = phase;
    g_out.report.phase_reached = phase;
    show_progress();
}

static long check_cancel(void)
{
    if (sealed_committed() || !g_host.cancel_requested())
        return 0;
    g_out.cancelled = true;
    return fail(-ECANCELED, "cancelled");
}

static long stated_abort(const struct message *message)
{
    char text[OM_REASON_MAX];

    decode_text(message->body, message->length, text, sizeof(text));
    return message->type == MESSAGE_REFUSE
               ? fail(-EPERM, "%s", text)
               : fail(-ECONNABORTED, "the destination gave up: %s", text);
}

/* Waits for this message; an ABORT or a REFUSE is an error in any case. */
static long expect(uint8_t type, struct message *out)
{
    long error = sealed_receive(STREAM_BULK, out);

    if (error)
        return error;
    if (out->type == MESSAGE_ABORT || out->type == MESSAGE_REFUSE)
        return stated_abort(out);
    return out->type == type ? 0 : fail(-EPROTO, "unexpected message %s", message_name(out->type));
}

long move_out_tick(void)
{
    struct message message;
    long error = check_cancel();

    if (error)
        return error;
    if (now_us() - g_out.progress_us >= PROGRESS_INTERVAL_us)
        show_progress();
    if (!sealed_committed() && sealed_pending(STREAM_BULK))
        return expect(MESSAGE_ABORT, &message);
    return 0;
}

static bool deadline_nears(void)
{
    return g_out.deadline_us && now_us() - g_out.begin_us >= g_out.deadline_us / 4 * 3;
}

/* All that was sent before has been dealt with by the destination; measures the round trip. */
static long synchronize(void)
{
    struct message message;
    uint64_t begin = g_host.now_ns(CLOCK_MONOTONIC);
    long error = sealed_send(STREAM_BULK, MESSAGE_PING, 0, 0);

    if (!error)
        error = expect(MESSAGE_PONG, &message);
    g_out.round_trip_ns = g_host.now_ns(CLOCK_MONOTONIC) - begin;
    return error;
}

static uint64_t pages_of(const struct om_region *regions, long count)
{
    uint64_t pages = 0;

    for (long i = 0; i < count; i++)
        pages += (regions[i].end - regions[i].start) >> OM_PAGE_SHIFT;
    return pages;
}

/* ---- prepare ---- */

/* Reports how much there is; changes nothing. */
static long count_memory(void)
{
    const struct om_region *regions;
    struct sweep sweep;
    long count;

    g_out.memory_pages = 0;
    sweep_begin(&sweep, SWEEP_PRESENT, false);
    while ((count = sweep_next(&sweep, &regions)) > 0)
        g_out.memory_pages += pages_of(regions, count);
    g_out.report.memory_bytes = g_out.memory_pages * OM_PAGE_SIZE;
    g_out.remaining_bytes = g_out.report.memory_bytes;
    return count < 0
               ? fail(count, "the host does not tell which memory is in use: error %ld", -count)
               : 0;
}

/* Is all that the program writes marked? */
static long check_barrier(void)
{
    uint64_t code;

    if (!cards_usable())
        return fail(
            -EOPNOTSUPP,
            "this program was not built with optmig-cc, so nothing marks what it writes: the "
            "barrier tracker cannot move it; --tracker kernel can");
    code = cards_foreign_code();
    if (code)
        return fail(
            -EOPNOTSUPP,
            "the program has made executable memory itself, at %lx, and what such code writes "
            "is not marked: use --tracker kernel",
            code);
    return 0;
}

static long begin_tracking(void)
{
    long error;

    if (g_out.move.tracker == OM_TRACKER_BARRIER && (error = check_barrier()) != 0)
        return error;
    if (g_out.move.mode == OM_MODE_STOPCOPY)
        return 0;
    g_out.report.audited = g_out.move.audit && g_out.move.tracker == OM_TRACKER_BARRIER;
    error = tracker_begin(g_out.move.tracker, g_out.report.audited);
    if (error)
        return fail(error,
                    "the kernel tracker needs userfaultfd write protection and PAGEMAP_SCAN (Linux "
                    "6.7): error %ld; the mprotect tracker needs neither",
                    -error);
    return 0;
}

static long send_prepare(void)
{
    struct message_prepare prepare = {
        .session = g_out.move.session,
        .memory_bytes = g_out.report.memory_bytes,
        .xfeatures = cpu_xfeatures(),
        .xsave_size = cpu_xsave_size(),
        .mode = g_out.move.mode,
    };
    static uint8_t description[DESCRIPTION_MAX_bytes];
    struct fd_obstacle obstacle = {0};
    long length = fd_prepare(description, sizeof(description),
                             (enum om_connections)g_out.move.connections, &obstacle);

    if (length < 0 && !g_out.move.check_only)
        return fail(length, "%s", obstacle.what);
    if (length < 0) { /* the destination is asked for the rest */
        str_copy(g_out.obstacles, obstacle.what, sizeof(g_out.obstacles));
        length = (long)obstacle.described;
    }
    prepare.description_length = (uint32_t)length;
    claim_propose(&prepare);
    str_copy(prepare.name, g_tables->name, sizeof(prepare.name));
    return sealed_send(STREAM_BULK, MESSAGE_PREPARE, 0,
                       encode_prepare(sealed_body(STREAM_BULK), &prepare, description));
}

/* All that is in the way, here and there. */
static long end_check(long error)
{
    char there[OM_REASON_MAX];
    size_t at = strlen(g_out.obstacles);

    if (!at)
        return error ? error : -ECANCELED;
    str_copy(there, g_out.report.reason, sizeof(there));
    str_copy(g_out.report.reason, g_out.obstacles, sizeof(g_out.report.reason));
    if (error)
        str_format(g_out.report.reason + at, sizeof(g_out.report.reason) - at, "%s%s",
                   OM_REASON_SEPARATOR, there);
    return -EPERM;
}

/* The policy first, then the channel, then who is at its other end. */
static long attest(void)
{
    const char *reason = attestation_begin(&g_out.move);
    struct message message;
    long error;

    if (reason)
        return fail(-EPERM, "%s", reason);
    error = sealed_open(ROLE_SOURCE, g_out.move.session);
    if (!error)
        error = attestation_send();
    if (!error)
        error = expect(MESSAGE_DESTINATION_EVIDENCE, &message);
    if (!error && !attestation_judge(&message)) {
        error = -EPERM;
        if (attestation_refused_there())
            (void)sealed_receive(STREAM_BULK, &message); /* Its reasons are known already. */
    }
    return error && attestation_reason()[0] ? fail(error, "%s", attestation_reason()) : error;
}

static long prepare(void)
{
    struct message message;
    long error;

    enter_phase(OM_PHASE_PREPARE);
    error = check_cancel();
    if (!error)
        error = attest();
    g_out.report.attest_us = now_us() - g_out.begin_us;
    if (!error)
        error = count_memory();
    if (!error)
        error = begin_tracking();
    if (!error)
        error = send_prepare();
    if (!error)
        error = expect(MESSAGE_READY, &message);
    if (!error)
        g_out.refused = false;
    g_host.channel_limits(1, STALL_ms);
    return error ? error : synchronize();
}

/* ---- pre-copy ---- */

static bool may_cut_round(void)
{
    return g_out.move.mode == OM_MODE_HYBRID && deadline_nears();
}

/* Is a page marked for what is written to the next one too? */
static bool marks_heads(enum sweep_kind kind)
{
    return kind == SWEEP_WRITTEN && g_out.move.tracker == OM_TRACKER_BARRIER;
}

static long send_found(enum sweep_kind kind, const struct om_region *regions, long count)
{
    long error = source_send_regions(regions, count, g_out.report.rounds);

    if (!error && marks_heads(kind))
        source_choose_heads(regions, count);
    return error;
}

/* What is found is listed, or sent later. */
static uint64_t choose_found(enum sweep_kind kind, const struct om_region *regions, long count)
{
    uint64_t added = source_choose_regions(regions, count);

    if (marks_heads(kind))
        source_choose_heads(regions, count);
    return added;
}

/* One walk; what is found is sent.  If the deadline cuts it short, what was found is chosen for the
 * list, and what was not is found by the next SWEEP_WRITTEN: memory that was never protected counts
 * as written. */
static long send_sweep(enum sweep_kind kind, bool protect, struct round *out)
{
    const struct om_region *regions;
    uint64_t begin = now_us();
    struct sweep sweep;
    long count, error = 0;

    out->pages = 0;
    sweep_begin(&sweep, kind, protect);
    while (!error && (count = sweep_next(&sweep, &regions)) != 0) {
        if (count < 0)
            return fail(count, "the host does not tell which memory was written: error %ld",
                        -count);
        if (may_cut_round()) {
            choose_found(kind, regions, count);
            break;
        }
        out->pages += pages_of(regions, count);
        error = send_found(kind, regions, count);
        g_out.remaining_bytes -=
            OM_MIN(g_out.remaining_bytes, pages_of(regions, count) * OM_PAGE_SIZE);
    }
    /* All heads together: a piece of memory may have only a few.  After a round that was cut short
     * their pages are listed. */
    if (!error && !may_cut_round())
        error = source_send_heads(g_out.report.rounds);
    if (!error)
        error = source_flush(g_out.report.rounds);
    out->us = OM_MAX(now_us() - begin, 1ULL);
    return error;
}

static uint64_t bytes_per_second(const struct round *round)
{
    return OM_MAX(round->pages * OM_PAGE_SIZE * 1000000 / round->us, 1ULL << 20);
}

/* Is another round worth it?  See the top of this file. */
static bool precopy_is_done(const struct round *first, const struct round *before,
                            const struct round *last, uint32_t *not_shrinking)
{
    bool hybrid = g_out.move.mode == OM_MODE_HYBRID;
    /* While the last round took us, the program wrote as fast as it did during the one before. */
    uint64_t expected = last->pages * last->us / before->us;
    uint64_t send_us = expected * OM_PAGE_SIZE * 1000000 / bytes_per_second(first);

    g_out.remaining_bytes = expected * OM_PAGE_SIZE;
    *not_shrinking = last->pages * 10 > before->pages * 8 ? *not_shrinking + 1 : 0;
    if (deadline_nears())
        return true;
    if (hybrid)
        return last->pages <= SMALL_pages || *not_shrinking > 0 ||
               g_out.report.rounds >= HYBRID_ROUNDS_MAX;
    return send_us <= g_out.move.max_downtime_us / 2 || *not_shrinking >= 2 ||
           g_out.report.rounds >= PRECOPY_ROUNDS_MAX;
}

static long precopy_rounds(void)
{
    struct round first, before, last;
    uint32_t not_shrinking = 0;
    long error;

    error = send_sweep(SWEEP_PRESENT, true, &first);
    if (!error)
        error = source_send_tables(false, 0);
    if (!error)
        error = source_send_layout();
    before = last = first;
    g_out.report.rounds = 1;
    while (!error &&
           !(g_out.report.rounds > 1 && precopy_is_done(&first, &before, &last, &not_shrinking))) {
        if (may_cut_round())
            break;
        before = last;
        error = source_send_drops();
        if (!error)
            error = send_sweep(SWEEP_WRITTEN, true, &last);
        g_out.report.rounds++;
    }
    return error;
}

static long precopy(void)
{
    long error;

    enter_phase(OM_PHASE_PRECOPY);
    error = check_cancel();
    source_watch_discards(true);
    if (error || g_out.move.mode == OM_MODE_STOPCOPY)
        return error;
    if (g_out.move.mode != OM_MODE_POSTCOPY)
        return precopy_rounds();
    error = source_send_layout();
    return error ? error : source_send_tables(false, 0);
}

/* ---- list ---- */

static long list_sweep(enum sweep_kind kind, bool protect, uint64_t *out_pages)
{
    const struct om_region *regions;
    struct sweep sweep;
    long count, error = 0;

    *out_pages = source_fresh_pages();
    sweep_begin(&sweep, kind, protect);
    while (!error && (count = sweep_next(&sweep, &regions)) != 0) {
        if (count < 0)
            return fail(count, "the host does not tell which memory was written: error %ld",
                        -count);
        *out_pages += choose_found(kind, regions, count);
        error = move_out_tick();
    }
    return error;
}

/* Looks at what is still written, each time sooner than the last, since less has to be listed:
 * what is written after the last look is dropped by the destination while the program stands. */
static long relist(enum sweep_kind kind, uint64_t pages)
{
    uint64_t before = ~0ULL;
    long error = 0;

    for (int i = 0; !error && i < RELIST_ROUNDS_MAX && pages > SMALL_pages && pages < before / 2;
         i++) {
        before = pages;
        error = synchronize();
        if (!error)
            error = list_sweep(kind, true, &pages);
        if (!error)
            error = source_send_list();
    }
    return error;
}

/* What was written since the last round is not sent but listed; the destination gets its pager
 * ready. */
static long list_round(void)
{
    bool everything = g_out.move.mode == OM_MODE_POSTCOPY;
    struct message message;
    uint64_t pages;
    long error = source_send_drops();

    if (!error)
        error = list_sweep(everything ? SWEEP_PRESENT : SWEEP_WRITTEN, true, &pages);
    if (!error)
        error = source_send_list();
    if (!error)
        error = sealed_send(STREAM_BULK, MESSAGE_LIST_END, 0, 0);
    if (!error)
        error = expect(MESSAGE_LISTED, &message);
    /* Dropping a long list takes the destination a while, in which more is written. */
    return error ? error : relist(SWEEP_WRITTEN, pages);
}

/* ---- switchover ---- */

/* So that the last look, with the program stopped, need not walk all memory (tracker.c). */
static long freeze(void)
{
    struct round round;
    uint64_t pages;
    long error;

    if (g_out.move.mode == OM_MODE_STOPCOPY)
        return 0;
    error = source_send_drops();
    if (!error && g_out.memory_pages >= FREEZE_MIN_pages)
        error = tracker_freeze();
    if (!error && mode_lists()) {
        error = list_sweep(SWEEP_WRITTEN, true, &pages);
        if (!error)
            error = source_send_list();
        if (!error)
            error = relist(tracker_is_frozen() ? SWEEP_HOT : SWEEP_WRITTEN, pages);
    } else if (!error) {
        error = send_sweep(SWEEP_WRITTEN, true, &round);
        g_out.report.rounds++;
    }
    /* The layout that the destination has is what it need not change while the program stands. */
    return error ? error : source_send_layout();
}

/* The first touch of memory is a fault, and a dozen of them are a tenth of the downtime. */
static void expect_stop(void)
{
    uint32_t count = stop_likely_pages(g_out.hot_pages, HOT_PAGES_MAX);

    for (uint32_t i = 0; i < count; i++)
        g_out.hot_pages[i] >>= OM_PAGE_SHIFT;
    source_expect(g_out.hot_pages, count);
    expect_capture();
    if (g_out.move.tracker == OM_TRACKER_BARRIER)
        tracker_expect_stacks();
}

/* What was written during the last round trip.  Few pages are sent rather than listed, since the
 * program may want them first of all. */
static long last_look(uint64_t *out_pages)
{
    long error = list_sweep(SWEEP_WRITTEN, true, out_pages);

    if (!error && *out_pages > PAGE_BATCH_MAX)
        return source_send_list();
    if (!error)
        error = source_send_fresh(g_out.report.rounds);
    return error ? error : source_flush(g_out.report.rounds);
}

/* With cards a look costs next to nothing, so there are more of them, each behind a round trip,
 * until one finds next to nothing: what it finds the destination has still to put in place when the
 * threads stand, at some microseconds a page. */
static long last_looks(void)
{
    uint64_t pages = 0;
    long error = 0;

    if (g_out.move.tracker != OM_TRACKER_BARRIER || !mode_lists())
        return 0;
    for (int i = 0; i < LAST_LOOKS && !error; i++) {
        error = last_look(&pages);
        if (error || pages <= FEW_PAGES)
            break;
        error = synchronize();
    }
    return error;
}

static long stop(void)
{
    struct stop_delay delay;
    long error = -ETIMEDOUT;

    g_out.stop_us = now_us();
    for (int i = 0; i < STOP_TRIES && error == -ETIMEDOUT && !check_cancel(); i++) {
        stop_prepare();
        g_out.stop_us = now_us();
        g_out.report.stop_realtime_ns = g_host.now_ns(CLOCK_REALTIME);
        error = stop_all(STOP_TIMEOUT_us);
    }
    if (error)
        return fail(error, "the program's threads could not be stopped in time");
    stop_delay(&delay);
    g_out.report.slow_thread = delay.tid;
    g_out.report.slow_pc = delay.pc;
    if (delay.pc && strlen(g_tables->exe_path) < sizeof(g_out.report.slow_program))
        str_copy(g_out.report.slow_program, g_tables->exe_path, sizeof(g_out.report.slow_program));
    g_out.stopped = true;
    source_set_stopped(true);
    g_out.report.stop_us = now_us() - g_out.stop_us;
    g_host.channel_limits(1, SWITCHOVER_STALL_ms);
    return 0;
}

/* Barrier tracker: what nothing marks. */
static long choose_stacks(void)
{
    const struct om_region *regions;
    uint32_t tid = 0;
    long count = g_out.move.tracker == OM_TRACKER_BARRIER ? check_barrier() : 0;

    if (count)
        return count;
    if (safepoint_faults())
        return fail(
            -EAGAIN,
            "the program handled a fault of its own (SIGSEGV, SIGFPE, ...) meanwhile, and a "
            "mark may have been lost by that: try again, or use --tracker kernel");
    count = tracker_stacks(&regions, &tid);
    if (count < 0)
        return fail(count,
                    "thread %u runs on a stack of its own making, and the barrier tracker does not "
                    "know what such stacks hold: use --tracker kernel",
                    tid);
    if (mode_lists())
        source_choose_regions(regions, count);
    else if (g_out.move.mode != OM_MODE_STOPCOPY)
        return source_send_regions(regions, count, g_out.report.rounds);
    return 0;
}

static long audit(void)
{
    char first[128] = "";

    if (!g_out.report.audited)
        return 0;
    g_out.report.audit_missed = audit_missed(first, sizeof(first));
    if (g_out.report.audit_missed)
        return fail(-EILSEQ, "audit failed: %lu pages were written and not marked, the first %s",
                    g_out.report.audit_missed, first);
    return 0;
}

/* What was written between the last look and the stop. */
static long send_rest(void)
{
    enum sweep_kind kind = tracker_is_frozen() ? SWEEP_HOT : SWEEP_WRITTEN;
    struct round round;
    uint64_t pages, begin;
    uint32_t hot;
    long error;

    error = choose_stacks();
    if (error)
        return error;
    if (!mode_lists()) {
        error =
            send_sweep(g_out.move.mode == OM_MODE_STOPCOPY ? SWEEP_PRESENT : kind, false, &round);
        return error ? error : audit();
    }
    begin = now_us();
    error = list_sweep(kind, false, &pages);
    g_out.report.dirty_us = now_us() - begin;
    if (!error)
        error = audit();
    if (!error)
        error = pages <= EAGER_pages ? source_send_fresh(g_out.report.rounds) : source_send_list();
    if (error)
        return error;
    /* The threads will touch these first. */
    hot = stop_hot_pages(g_out.hot_pages, HOT_PAGES_MAX);
    for (uint32_t i = 0; i < hot; i++)
        g_out.hot_pages[i] >>= OM_PAGE_SHIFT;
    return source_send_hot(g_out.hot_pages, hot);
}

static long capture(void)
{
    struct fd_obstacle obstacle = {0};
    uint64_t begin = now_us();
    long error = fd_capture(&obstacle);

    g_out.captured = true;
    if (error)
        return fail(error, "%s", obstacle.what);
    /* Before: an interval timer whose signal waits is armed again when that is taken.  After: a
     * timer may fire before it is read. */
    stop_capture_signals();
    error = timers_capture();
    if (error)
        return fail(error, "a timer could not be read: error %ld", -error);
    stop_capture_signals();
    scheduling_capture();
    error = process_capture();
    if (error)
        return fail(error, "the working directory could not be read: error %ld", -error);
    fd_share_addresses();
    g_out.report.capture_us = now_us() - begin;
    return 0;
}

static long send_start(uint8_t type)
{
    struct message_start start = {
        .listed_pages = source_listed_pages(),
        .round_trip_ns = g_out.round_trip_ns,
        .threads = g_tables->threads.live,
    };

    sealed_sent(&start.records_sent, start.digest);
    start.boottime_ns =
        g_host.now_ns(CLOCK_BOOTTIME) + (uint64_t)g_tables->clock.boottime_offset_ns;
    start.monotonic_ns = clock_monotonic_ns();
    receipt_token(&start);
    return sealed_send(STREAM_BULK, type, 0, encode_start(sealed_body(STREAM_BULK), &start));
}

/* All that can fail at the destination is done before the commit. */
static long restore_there(void)
{
    struct message message;
    long error = send_start(MESSAGE_RESTORE);

    return error ? error : expect(MESSAGE_RESTORED, &message);
}

static long commit(void)
{
    long error = check_cancel();

    if (error)
        return error;
    om_assert(source_waiting_heads() == 0);
    g_host.channel_limits(0, COMMITTED_STALL_ms);
    move_role_serve();
    g_out.committed = true;
    /* COMMIT: once the host has the start token, this program never runs here again. */
    return send_start(MESSAGE_START);
}

static long switchover(void)
{
    uint64_t begin, restored;
    struct source_counts counts, before;
    long error;

    enter_phase(OM_PHASE_SWITCHOVER);
    g_out.report.hooks_us = hooks_announce_stop();
    expect_stop();
    error = freeze();
    if (!error)
        error = synchronize();
    if (!error)
        error = last_looks();
    g_out.report.precopy_us = now_us() - g_out.begin_us - g_out.report.prepare_us;
    source_counts(&before);
    if (!error)
        error = stop();
    begin = now_us();
    if (!error)
        error = send_rest();
    if (!error)
        error = capture();
    if (!error)
        error = source_send_drops();
    if (!error)
        error = source_send_tables(true, g_out.report.rounds);
    if (!error)
        error = source_send_drops(); /* of the tables */
    source_counts(&counts);
    g_out.report.switchover_pages = counts.pages - before.pages;
    g_out.report.transfer_us = now_us() - begin - g_out.report.capture_us;
    begin = now_us();
    if (!error)
        error = restore_there();
    restored = now_us();
    g_out.report.resume_us = restored - begin;
    return error ? error : commit();
}

/* ---- after the commit ---- */

/* It runs there, commit_us after the order. */
static void note_started(uint64_t commit_us)
{
    if (g_out.left)
        return;
    g_out.left = true;
    g_out.report.commit_us = commit_us;
    g_out.report.downtime_us = g_out.report.stop_us + g_out.report.capture_us +
                               g_out.report.transfer_us + g_out.report.resume_us +
                               g_out.report.commit_us;
    g_out.report.resume_realtime_ns =
        g_out.report.stop_realtime_ns + g_out.report.downtime_us * 1000;
    fd_close_all();
    enter_phase(OM_PHASE_POSTCOPY);
}

static long wait_started(uint64_t committed_us)
{
    struct message message;
    struct message_started started;
    uint64_t half_trip_us = g_out.round_trip_ns / 2000, waited_us;
    long error = expect(MESSAGE_STARTED, &message);

    if (error)
        return error;
    waited_us = now_us() - committed_us;
    if (decode_started(message.body, message.length, &started))
        return fail(-EPROTO, "the destination's report makes no sense");
    note_started(waited_us - OM_MIN(waited_us, half_trip_us));
    return 0;
}

/* What it says is for the receipt of the move; that it came is what counts here. */
static long wait_whole(void)
{
    struct message message;
    struct message_whole whole;
    long error = expect(MESSAGE_RECEIPT, &message);

    if (!error && !decode_whole(message.body, message.length, &whole))
        receipt_whole(&whole);
    return error;
}

static long send_missing(void)
{
    bool more = true;
    long error = 0;

    while (!error && more) {
        g_out.remaining_bytes = source_listed_pages() * OM_PAGE_SIZE;
        for (int i = 0; i < 64 && !error && more; i++)
            error = source_push(&more);
        if (!error)
            error = move_out_tick();
    }
    if (!error)
        error = sealed_send(STREAM_BULK, MESSAGE_PAGES_DONE, 0, 0);
    return error ? error : wait_whole();
}

/* ---- when the channel breaks ---- */

/* What the destination says about itself over the new channel; an ABORT: it never got START, and
 * gave back what it had made. */
static long hear_where(void)
{
    struct message message = {0};
    struct message_resumed resumed;
    long error = sealed_send(STREAM_BULK, MESSAGE_RESUME, 0, 0);

    source_relist();
    while (!error && message.type != MESSAGE_RESUMED) {
        error = sealed_receive(STREAM_BULK, &message);
        if (!error && message.type == MESSAGE_ABORT)
            error = stated_abort(&message);
        else if (!error && message.type == MESSAGE_MISSING)
            error = source_list_again(message.body, message.length);
    }
    if (error)
        return error;
    if (decode_resumed(message.body, message.length, &resumed) ||
        source_listed_pages() > resumed.missing_pages)
        return fail(-EPROTO, "what the destination says of itself makes no sense");
    sealed_resumed();
    note_started(resumed.resume_us + g_out.round_trip_ns / 2000);
    return 0;
}

/* There is no other channel, or the operator wants no more attempts.  If the destination has not
 * claimed the start it never can, and the program is taken back.  error: why it is asked. */
static long take_back(long error)
{
    char words[OM_REASON_MAX];
    enum claim_verdict verdict = claim_start(words, sizeof(words));

    if (verdict == CLAIM_GRANTED && sealed_revoked()) {
        g_out.report.reason[0] = 0; /* That is the end of it, whatever broke before. */
        return fail(-ECONNABORTED, "the destination was given up before it had started: the "
                                   "registry of starts has granted that");
    }
    log_warn("the program cannot be taken back: %s", words);
    sealed_explain(words);
    /* It has been started there, and is there no more. */
    if (verdict == CLAIM_HELD && error == -ECONNREFUSED)
        return error;
    return -EAGAIN; /* It goes on waiting: for the destination, or the registry. */
}

static long resume(void)
{
    struct om_severed severed = {
        .side = OM_SEVERED_SOURCE,
        .missing_pages = source_listed_pages(),
    };
    long error;

    str_copy(severed.reason, sealed_reason(), sizeof(severed.reason));
    error = sealed_reopen(&severed);
    if ((error == -ECONNREFUSED || error == -EOWNERDEAD) && claim_needed())
        return take_back(error);
    if (error)
        return error == -EOWNERDEAD ? -EAGAIN : error;
    error = hear_where();
    if (error)
        return sealed_committed() && sealed_broken() ? -EAGAIN : error;
    g_out.report.resumed++;
    show_progress();
    move_role_mend();
    return 0;
}

/* The program has left, or its start token was lost: the same destination says which, over another
 * channel. */
static long survive(long error)
{
    while (error && sealed_committed() && sealed_sever()) {
        move_role_sever();
        do
            error = resume();
        while (error == -EAGAIN);
        if (!error)
            error = send_missing();
        else
            return error;
    }
    return error;
}

static long postcopy(void)
{
    uint64_t begin = now_us();
    long error = wait_started(begin);

    if (!error)
        error = send_missing();
    if (error)
        error = survive(error);
    g_out.report.postcopy_us = now_us() - begin;
    return error;
}

/* ---- the story ---- */

/* Nothing of the move remains; the program runs on. */
static void undo(void)
{
    /* What the destination may have made already, it has to give back first. */
    bool told = g_out.captured;
    const char *reason = g_out.report.result == OM_RESULT_MOVABLE
                             ? "it was only asked whether it could be moved"
                             : g_out.report.reason;

    if (g_out.committed)
        sealed_acknowledge(reason); /* It has, and said so. */
    else if (told)
        sealed_give_up(MESSAGE_ABORT, reason);
    if (g_out.move.connections == OM_CONNECTIONS_PROXY)
        g_host.relay_end();
    if (g_out.captured)
        fd_uncapture();
    if (g_out.stopped)
        stop_resume();
    g_out.stopped = g_out.captured = false;
    source_set_stopped(false);
    source_watch_discards(false);
    tracker_end();
    /* The destination is told if it still listens; it cannot start without a token in any case. */
    if (!told)
        sealed_give_up(MESSAGE_ABORT, reason);
}

static long run(void)
{
    long error = prepare();

    g_out.report.prepare_us = now_us() - g_out.begin_us;
    if (g_out.move.check_only)
        return end_check(error);
    if (!error)
        error = precopy();
    if (!error && mode_lists())
        error = list_round();
    if (!error)
        error = switchover();
    if (sealed_committed())
        error = error ? survive(error) : postcopy();
    return error;
}

static uint32_t result_of(long error)
{
    if (g_out.move.check_only)
        return error == -ECANCELED && !g_out.cancelled ? OM_RESULT_MOVABLE : OM_RESULT_REFUSED;
    if (!error)
        return OM_RESULT_MOVED;
    if (sealed_committed())
        return OM_RESULT_LOST;
    return g_out.refused && !g_out.cancelled ? OM_RESULT_REFUSED : OM_RESULT_FAILED;
}

static void finish_report(long error)
{
    struct om_move_report *report = &g_out.report;
    struct source_counts counts;

    source_counts(&counts);
    if (error == -ECANCELED && !g_out.move.check_only) {
        g_out.cancelled = true;
        (void)fail(error, "cancelled");
    }
    if (error && !report->reason[0] && result_of(error) != OM_RESULT_MOVABLE)
        str_copy(report->reason, sealed_reason()[0] ? sealed_reason() : "the move failed",
                 sizeof(report->reason));
    report->result = result_of(error);
    report->pages = counts.pages;
    report->heads = counts.heads;
    report->zero_pages = counts.zero_pages;
    report->postcopy_pages = counts.postcopy_pages;
    report->urgent_pages = counts.urgent_pages;
    report->bytes_sent = sealed_bytes_sent();
    report->total_us = now_us() - g_out.begin_us;
}

bool move_out(struct ecall_move *untrusted)
{
    long error;

    memset(&g_out, 0, sizeof(g_out));
    g_out.move = *untrusted;
    g_out.refused = true;
    g_out.begin_us = now_us();
    g_out.deadline_us = g_out.move.deadline_us;
    sealed_create();
    receipt_begin();
    source_create();
    move_role_begin(ROLE_SOURCE);
    error = run();
    if (error)
        sealed_fail();
    finish_report(error);
    if (!sealed_committed())
        undo();
    else if (!error)
        receipt_as_source(g_out.move.mode, &g_out.report);
    g_host.channel_shutdown();
    move_role_end();
    sealed_close();
    g_out.phase = OM_PHASE_DONE;
    if (!error)
        enter_phase(OM_PHASE_DONE);
    untrusted->report = g_out.report;
    return !sealed_committed();
}
