/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads of a move.  Each runs one ECALL on its own stack in the enclave; when the mover's
 * ECALL returns, the others are joined and the caller is told.  One move at a time.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/channel.h"
#include "host/enclave.h"
#include "host/host.h"

enum { STACK_MOVER = 1, STACK_URGENT = 2, STACK_PAGER = 3 };

static struct {
    volatile int busy;
    volatile int cancel;
    enum ecall_number direction;
    struct move_options options;
    struct move_callbacks callbacks;
    const char *hold_phase, *hold_file; /* tests only, see hold() */
} g_move;

static void *urgent_thread(void *unused)
{
    struct ecall_pager arg = {0};

    (void)unused;
    enclave_call(ECALL_urgent, &arg, STACK_URGENT);
    return NULL;
}

static void *pager_thread(void *unused)
{
    struct ecall_pager arg = {0};

    (void)unused;
    enclave_call(ECALL_pager, &arg, STACK_PAGER);
    return NULL;
}

static void *mover_thread(void *unused)
{
    struct ecall_move move = {
        .mode = g_move.options.mode,
        .tracker = g_move.options.tracker,
        .connections = g_move.options.connections,
        .audit = g_move.options.audit,
        .check_only = g_move.options.check_only,
        .max_downtime_us = g_move.options.max_downtime_us,
        .deadline_us = g_move.options.deadline_us,
        .session = g_move.options.session,
    };
    pthread_t urgent, pager;
    bool destination = g_move.direction == ECALL_move_in;
    void *bundle = NULL;
    long length = bundle_load(&bundle);

    (void)unused;
    /* What cannot be read is missing; the enclave knows whether it may do without. */
    move.bundle = bundle;
    move.bundle_length = length > 0 ? (uint64_t)length : 0;
    memcpy(move.peer, g_move.options.peer, sizeof(move.peer));
    if (pthread_create(&urgent, NULL, urgent_thread, NULL))
        abort();
    if (destination && pthread_create(&pager, NULL, pager_thread, NULL))
        abort();
    enclave_call(g_move.direction, &move, STACK_MOVER);
    pthread_join(urgent, NULL);
    if (destination)
        pthread_join(pager, NULL);
    channel_close_all();
    free(bundle);
    move.report.reason[OM_REASON_MAX - 1] = 0;
    move.report.slow_program[sizeof(move.report.slow_program) - 1] = 0;
    move.report.no_receipt[OM_RULE_TEXT_MAX - 1] = 0;
    __atomic_store_n(&g_move.busy, 0, __ATOMIC_SEQ_CST);
    g_move.callbacks.done(&move.report);
    return NULL;
}

static int begin(const struct move_options *options, const struct move_callbacks *callbacks,
                 enum ecall_number direction)
{
    pthread_t mover;

    if (__atomic_exchange_n(&g_move.busy, 1, __ATOMIC_SEQ_CST))
        return -EBUSY;
    g_move.cancel = 0;
    g_move.direction = direction;
    g_move.options = *options;
    g_move.callbacks = *callbacks;
    g_move.hold_phase = getenv("OPTMIG_TEST_HOLD");
    g_move.hold_file = getenv("OPTMIG_TEST_HOLD_FILE");
    channel_begin(options->reconnect_ms, callbacks->severed);
    for (uint32_t i = 0; i < OM_STREAM_COUNT; i++)
        channel_open(i, options->fds[i]);
    if (pthread_create(&mover, NULL, mover_thread, NULL)) {
        channel_close_all();
        g_move.busy = 0;
        return -EAGAIN;
    }
    pthread_detach(mover);
    return 0;
}

int enclave_move_out(const struct move_options *options, const struct move_callbacks *callbacks)
{
    return begin(options, callbacks, ECALL_move_out);
}

int enclave_move_in(const struct move_options *options, const struct move_callbacks *callbacks)
{
    return begin(options, callbacks, ECALL_move_in);
}

void enclave_resume(const int fds[OM_STREAM_COUNT])
{
    channel_offer(fds);
}

void enclave_orphan(long error)
{
    channel_orphan(error);
}

void host_rule(const struct om_rule *rule)
{
    g_move.callbacks.rule(rule);
}

void enclave_cancel(void)
{
    g_move.cancel = 1;
}

long host_cancel_requested(void)
{
    return g_move.cancel;
}

/* A test can hold a move at the entry of a phase for as long as a file exists. */
static void hold(uint32_t phase)
{
    static const char *const names[] = {"none",       "prepare",  "precopy",
                                        "switchover", "postcopy", "done"};
    const struct timespec interval = {.tv_nsec = 2000000};

    if (!g_move.hold_phase || !g_move.hold_file || phase >= sizeof(names) / sizeof(names[0]) ||
        strcmp(g_move.hold_phase, names[phase]) != 0)
        return;
    while (access(g_move.hold_file, F_OK) == 0 && !g_move.cancel)
        nanosleep(&interval, NULL);
}

void host_progress(const struct om_progress *progress)
{
    static uint32_t last_phase;

    g_move.callbacks.progress(progress);
    if (progress->phase != last_phase) {
        last_phase = progress->phase;
        hold(progress->phase);
    }
}
