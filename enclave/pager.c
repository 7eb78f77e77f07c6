/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads beside the mover.
 *   - pager_run, destination: takes faults from the host and asks the source for the pages
 *   - move_urgent, destination: makes memory ahead of the mover while pages come in order; later
 *     receives the answers to the pager's requests
 *   - move_urgent, source: gives these answers
 * When the channel breaks they let go of it, and use the next one; faults are served meanwhile. The
 * pager touches no program memory, takes no lock but place.c's, and asks for nothing before the
 * program runs.
 */
#include "enclave/move.h"
#include "enclave/move_role.h"
#include "enclave/place.h"
#include "enclave/sealed.h"
#include "enclave/source.h"

enum {
    FAULTS_MAX = 64,
    NEIGHBOURS_MAX = 15,
    WAIT_ms = 200,
    WAIT_EARLY_ms = 1,
    WAIT_SEVERED_ms = 10,
};

/* ---- destination ---- */

static long request(const uint64_t *pages, uint32_t count)
{
    if (!count)
        return 0;
    return sealed_send(STREAM_URGENT, MESSAGE_REQUEST, 0,
                       encode_request(sealed_body(STREAM_URGENT), pages, count));
}

/* Pages that threads wait for go in a record of their own; what they will probably want next
 * follows. */
static long request_wanted(const uint64_t *wanted, uint32_t count)
{
    uint64_t neighbours[FAULTS_MAX * NEIGHBOURS_MAX];
    uint32_t more = 0;
    long error = request(wanted, count);

    for (uint32_t i = 0; i < count; i++)
        more += place_neighbours(wanted[i], neighbours + more, NEIGHBOURS_MAX);
    return error ? error : request(neighbours, more);
}

/* Over another channel: whatever was asked for and has not come. */
static long request_again(void)
{
    static uint64_t pages[REQUEST_PAGES_MAX];
    uint64_t from = 0;
    uint32_t count;
    long error = 0;

    do {
        count = place_requested(&from, pages, REQUEST_PAGES_MAX);
        error = request(pages, count);
    } while (!error && count == REQUEST_PAGES_MAX);
    return error;
}

/* While the channel is broken nothing is asked for: place.c knows what was wanted.  An error here
 * is for the mover to notice, too. */
static void ask_source(const uint64_t *wanted, uint32_t count, uint32_t *mended)
{
    uint32_t now = move_role_mended();
    long error;

    if (!move_role_use())
        return;
    error = now == *mended ? request_wanted(wanted, count) : request_again();
    *mended = now;
    /* What was wanted may have come meanwhile, with all the rest: then nothing may be asked for any
     * more, and the mover still has something to say. */
    if (error && !place_whole())
        g_host.channel_shutdown();
    move_role_unuse();
}

static long serve_faults(void)
{
    uint64_t addresses[FAULTS_MAX], wanted[FAULTS_MAX];
    uint32_t count = 0, mended = move_role_mended();

    for (;;) {
        bool early = count && !place_running(), severed = move_role_severed();
        uint32_t room = FAULTS_MAX - count;
        long got;

        if (room == 0)
            return -EOVERFLOW; /* Before the start there are no threads that could miss so many. */
        got = g_host.pager_wait(addresses, room,
                                early     ? WAIT_EARLY_ms
                                : severed ? WAIT_SEVERED_ms
                                          : WAIT_ms);
        if (got < 0 || got > (long)room)
            return got == -ESHUTDOWN ? 0 : got < 0 ? got : -EIO;
        for (long i = 0; i < got; i++)
            if (addresses[i] < PROGRAM_END && place_fault(addresses[i] >> OM_PAGE_SHIFT))
                wanted[count++] = addresses[i] >> OM_PAGE_SHIFT;
        if (place_running() && (count || mended != move_role_mended())) {
            ask_source(wanted, count, &mended);
            count = 0;
        }
        if (move_role_ending())
            return 0;
    }
}

void pager_run(struct ecall_pager *pager)
{
    uint8_t role;

    pager->result = 0;
    if (!move_role_join(HELPER_PAGER, &role))
        return;
    if (move_role_wait()) {
        pager->result = serve_faults();
        if (pager->result)
            place_fail();
    }
    move_role_leave();
}

static long receive_urgent(void)
{
    struct message message;
    long error;

    do {
        error = sealed_receive(STREAM_URGENT, &message);
        if (!error)
            error = place_pages(message.body, message.length);
    } while (!error);
    return error;
}

/* ---- source ---- */

static long answer_requests(void)
{
    static uint64_t pages[REQUEST_PAGES_MAX];
    struct message message;
    uint32_t count;
    long error;

    do {
        error = sealed_receive(STREAM_URGENT, &message);
        if (!error &&
            decode_request(message.body, message.length, pages, REQUEST_PAGES_MAX, &count))
            error = -EPROTO;
        if (!error)
            error = source_send_listed(STREAM_URGENT, pages, count);
    } while (!error);
    return error;
}

/* ---- both ---- */

static void serve_urgent(uint8_t role, struct ecall_pager *pager)
{
    uint32_t mended;

    do {
        mended = move_role_mended();
        if (!move_role_use())
            continue;
        pager->result = role == ROLE_SOURCE ? answer_requests() : receive_urgent();
        /* A lost peer is for the mover to notice, and at the regular end the stream is shut down
         * under this thread.  But after an error of this side pages would be waited for that nobody
         * sends. */
        if (pager->result != -ECONNRESET)
            g_host.channel_shutdown();
        if (!sealed_broken())
            sealed_doom(); /* Another channel would end the same way. */
        if (role == ROLE_DESTINATION)
            place_fail();
        move_role_unuse();
    } while (move_role_wait_mended(mended));
}

void move_urgent(struct ecall_pager *pager)
{
    uint8_t role;

    pager->result = 0;
    if (!move_role_join(HELPER_URGENT, &role))
        return;
    if (role == ROLE_DESTINATION)
        place_prefault();
    if (move_role_wait())
        serve_urgent(role, pager);
    move_role_leave();
}
