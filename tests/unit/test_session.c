/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the order of messages what transitions.def says, and does it make sense?  First each row and
 * each absent row; then properties that are stated here in other words; then both sides together,
 * with messages in flight.
 */
#include "tests/unit/protocol_fixture.h"

enum {
    MESSAGE_URGENT_PAGES = MESSAGE_COUNT,
    EVENT_COUNT,
    MESSAGE_FAIL = EVENT_COUNT,
    MESSAGE_DENIED,
    MESSAGE_REVOKED
};
enum { ACTION_NONE, ACTION_COMMIT, ACTION_KEEP, ACTION_TAKE_BACK, ACTION_ASK, ACTION_ANSWER };

struct row {
    bool source, destination;
    enum session_state state;
    int event;
    enum session_state next;
    int action;
};

#define SESSION_STATE(name, text)
#define ROLES_BOTH true, true
#define ROLES_SOURCE true, false
#define ROLES_DESTINATION false, true
#define TRANSITION(role, state, event, next, action)                                               \
    {ROLES_##role, SESSION_##state, MESSAGE_##event, SESSION_##next, ACTION_##action},
static const struct row g_rows[] = {
#include "protocol/transitions.def"
};
#undef SESSION_STATE
#undef TRANSITION
enum { ROW_COUNT = sizeof g_rows / sizeof g_rows[0] };

static const struct row *find_row(int role, enum session_state state, int event)
{
    const struct row *found = NULL;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct row *row = &g_rows[i];
        bool mine = role == ROLE_SOURCE ? row->source : row->destination;
        if (!mine || row->state != state || row->event != event)
            continue;
        assert_null(found); /* no pair has two rows */
        found = row;
    }
    return found;
}

/* Who sends what, said once more than in messages.def. */
static bool may_send(int role, int event)
{
    switch (event) {
    case MESSAGE_ABORT:
        return true;
    case MESSAGE_READY:
    case MESSAGE_REFUSE:
    case MESSAGE_LISTED:
    case MESSAGE_RESTORED:
    case MESSAGE_STARTED:
    case MESSAGE_REQUEST:
    case MESSAGE_RECEIPT:
    case MESSAGE_ARRIVED:
    case MESSAGE_MISSING:
    case MESSAGE_RESUMED:
    case MESSAGE_PONG:
    case MESSAGE_DESTINATION_EVIDENCE:
        return role == ROLE_DESTINATION;
    case MESSAGE_NONE:
        return false;
    default:
        return role == ROLE_SOURCE;
    }
}

static int do_send(struct session *s, int event)
{
    return event == MESSAGE_URGENT_PAGES ? session_send_urgent_pages(s)
                                         : session_send(s, (uint8_t)event);
}

static int do_receive(struct session *s, int event)
{
    return event == MESSAGE_URGENT_PAGES ? session_receive_urgent_pages(s)
                                         : session_receive(s, (uint8_t)event);
}

static struct session session_in(int role, enum session_state state)
{
    struct session s;
    session_init(&s, (uint8_t)role);
    s.state = state;
    s.requested = true;
    return s;
}

/* Who may run afterwards, said once more than in session.c. */
static bool may_run_after(int role, const struct row *row)
{
    switch (row->action) {
    case ACTION_COMMIT:
        return role == ROLE_DESTINATION;
    case ACTION_KEEP:
    case ACTION_TAKE_BACK:
        return role == ROLE_SOURCE;
    default:
        return role == ROLE_SOURCE; /* as session_init() left it */
    }
}

static void check_send(int role, enum session_state state, int event)
{
    const struct row *row = find_row(role, state, event);
    struct session s = session_in(role, state), before = s;
    int error = do_send(&s, event);
    if (row && may_send(role, event) && row->action != ACTION_TAKE_BACK) {
        assert_int_equal(error, 0);
        assert_int_equal(s.state, row->next);
        assert_int_equal(s.may_run, may_run_after(role, row));
        assert_int_equal(session_committed(&s), event == MESSAGE_START);
    } else {
        assert_true(error < 0);
        assert_memory_equal(&s, &before, sizeof s); /* one may ask by trying */
    }
}

static void check_receive(int role, enum session_state state, int event)
{
    const struct row *row = find_row(role, state, event);
    struct session s = session_in(role, state);
    int error = do_receive(&s, event);
    if (row && may_send(role ^ 1, event)) {
        assert_int_equal(error, 0);
        assert_int_equal(s.state, row->next);
        assert_int_equal(s.may_run, may_run_after(role, row));
        assert_int_equal(session_committed(&s), event == MESSAGE_START);
    } else {
        const struct row *fail = find_row(role, state, MESSAGE_FAIL);
        assert_true(error < 0);
        assert_true(s.poisoned);
        assert_int_equal(s.state, fail ? fail->next : state);
        assert_int_equal(s.may_run, role == ROLE_SOURCE);
        for (int again = 0; again < EVENT_COUNT; again++) {
            assert_true(do_send(&s, again) < 0);
            assert_true(do_receive(&s, again) < 0);
        }
    }
}

static void test_every_pair(void **unused)
{
    (void)unused;
    for (int role = ROLE_SOURCE; role <= ROLE_DESTINATION; role++)
        for (int state = 0; state < SESSION_STATE_COUNT; state++)
            for (int event = 0; event < EVENT_COUNT; event++) {
                check_send(role, (enum session_state)state, event);
                check_receive(role, (enum session_state)state, event);
            }
}

static void test_unknown_types(void **unused)
{
    (void)unused;
    for (int type = MESSAGE_COUNT; type < 256; type++) {
        struct session s = session_in(ROLE_SOURCE, SESSION_PRECOPY);
        assert_int_equal(session_send(&s, (uint8_t)type), PROTOCOL_TYPE);
        assert_int_equal(session_receive(&s, (uint8_t)type), PROTOCOL_TYPE);
        assert_string_equal(message_name((uint8_t)type), "unknown");
        assert_false(message_allowed((uint8_t)type, ROLE_SOURCE, STREAM_BULK));
    }
    struct session s = session_in(2, SESSION_NEW);
    assert_int_equal(session_send(&s, MESSAGE_PREPARE), PROTOCOL_ARGUMENT);
    assert_int_equal(session_receive(&s, MESSAGE_READY), PROTOCOL_ARGUMENT);
    assert_string_equal(session_state_name(SESSION_STATE_COUNT), "unknown");
    assert_string_equal(session_state_name(SESSION_LIST_SENT), "LIST_SENT");
}

static void test_message_table(void **unused)
{
    (void)unused;
    for (int type = MESSAGE_NONE + 1; type < MESSAGE_COUNT; type++) {
        bool urgent_too = type == MESSAGE_REQUEST || type == MESSAGE_PAGES;
        assert_string_not_equal(message_name((uint8_t)type), "unknown");
        for (uint8_t role = 0; role < 2; role++) {
            bool mine = may_send(role, type);
            assert_int_equal(message_allowed((uint8_t)type, role, STREAM_BULK),
                             mine && type != MESSAGE_REQUEST);
            assert_int_equal(message_allowed((uint8_t)type, role, STREAM_URGENT),
                             mine && urgent_too);
            assert_false(message_allowed((uint8_t)type, role, STREAM_COUNT));
        }
        assert_false(message_allowed((uint8_t)type, 2, STREAM_BULK));
    }
    assert_false(message_allowed(MESSAGE_NONE, ROLE_SOURCE, STREAM_BULK));
    assert_string_equal(message_name(MESSAGE_PAGES_DONE), "PAGES_DONE");
}

static void test_answers_need_a_request(void **unused)
{
    (void)unused;
    struct session source = session_in(ROLE_SOURCE, SESSION_RUNNING);
    struct session destination = session_in(ROLE_DESTINATION, SESSION_RUNNING);
    source.requested = destination.requested = false;
    assert_int_equal(session_send_urgent_pages(&source), PROTOCOL_STATE);
    assert_int_equal(session_send(&destination, MESSAGE_REQUEST), 0);
    assert_int_equal(session_receive(&source, MESSAGE_REQUEST), 0);
    assert_int_equal(session_send_urgent_pages(&source), 0);
    assert_int_equal(session_receive_urgent_pages(&destination), 0);
    destination.requested = false;
    assert_int_equal(session_receive_urgent_pages(&destination), PROTOCOL_STATE);
    assert_true(destination.poisoned);
}

/* ---- properties ---- */

/* Nobody knows yet who the other side is. */
static bool attesting(enum session_state state)
{
    return state == SESSION_NEW || state == SESSION_OFFERED || state == SESSION_ATTESTED;
}

/* The destination decides whether it can take the program: nothing of it may leave. */
static bool early(enum session_state state)
{
    return attesting(state) || state == SESSION_PREPARING;
}

/* Memory and lists flow. */
static bool filling(enum session_state state)
{
    return state == SESSION_PRECOPY || state == SESSION_LISTING || state == SESSION_LIST_SENT ||
           state == SESSION_LISTED;
}

static bool before_start(enum session_state state)
{
    return early(state) || filling(state) || state == SESSION_RESTORING ||
           state == SESSION_RESTORED;
}

static void test_commit_is_final(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct row *row = &g_rows[i];
        bool ends = row->next == SESSION_ENDED || row->next == SESSION_FAILED;
        /* Nothing leads back over START: neither to a state in which the source runs, nor to ENDED.
         */
        /* ... but by the word of a destination that has not got START. */
        bool word = row->action == ACTION_TAKE_BACK, denied = row->event == MESSAGE_DENIED;
        bool withdraws = row->next == SESSION_WITHDRAWN;
        if (!before_start(row->state) && row->state != SESSION_FAILED)
            assert_true(word || !(before_start(row->next) || ends));
        /* Over START leads only START; and nothing may come after an end. */
        if (before_start(row->state) && !before_start(row->next) && !ends && !withdraws)
            assert_int_equal(row->event, MESSAGE_START);
        /* A destination that has said that it is restored and gets no START never starts, and
         * never forgets that: nothing leads out of WITHDRAWN. */
        if (withdraws)
            assert_true(!row->source && (row->state == SESSION_RESTORED ||
                                         row->state == SESSION_WITHDRAWN || denied));
        if (row->state == SESSION_WITHDRAWN)
            assert_true(withdraws);
        assert_true(row->state != SESSION_ENDED && row->state != SESSION_LOST);
        assert_int_equal(row->action == ACTION_COMMIT, row->event == MESSAGE_START);
        if (row->action == ACTION_KEEP)
            assert_true((ends || withdraws) && (before_start(row->state) || denied));
        /* ... or of the registry of starts. */
        assert_int_equal(word, !row->destination && !before_start(row->state) &&
                                   (row->event == MESSAGE_ABORT || row->event == MESSAGE_REVOKED));
        /* Only the states after START have another channel, and it begins with the same words. */
        assert_int_equal(row->event == MESSAGE_RESUME,
                         (row->state == SESSION_SEVERED && row->next == SESSION_RESUMING) ||
                             (withdraws && row->event == MESSAGE_RESUME));
        /* It starts only what has said that it is restored. */
        if (row->event == MESSAGE_START)
            assert_true(row->next == SESSION_STARTING && row->state == SESSION_RESTORED);
        if (row->event == MESSAGE_ABORT)
            assert_true((ends || withdraws) && (before_start(row->state) || withdraws ||
                                                row->state == SESSION_FAILED || word));
    }
}

/* A failure has a row in every state that can fail, and the row is never the destination's start.
 */
static void test_fail(void **unused)
{
    (void)unused;
    for (int role = ROLE_SOURCE; role <= ROLE_DESTINATION; role++)
        for (int state = 0; state < SESSION_STATE_COUNT; state++) {
            bool over = state == SESSION_DONE || state == SESSION_FAILED ||
                        state == SESSION_ENDED || state == SESSION_LOST ||
                        state == SESSION_WITHDRAWN;
            bool severs =
                !over && !before_start((enum session_state)state) && state != SESSION_SEVERED;
            const struct row *row = find_row(role, (enum session_state)state, MESSAGE_FAIL);
            struct session s = session_in(role, (enum session_state)state);
            assert_int_equal(row == NULL, over);
            assert_int_equal(row && row->next == SESSION_SEVERED, severs);
            assert_int_equal(row && row->next == SESSION_LOST, state == SESSION_SEVERED);
            for (int may_run = 0; may_run < 2; may_run++) {
                s = session_in(role, (enum session_state)state);
                s.may_run = may_run;
                session_fail(&s);
                assert_int_equal(s.state, row ? row->next : (enum session_state)state);
                if (row && before_start((enum session_state)state))
                    assert_int_equal(s.may_run, role == ROLE_SOURCE);
                else
                    assert_int_equal(s.may_run, may_run);
                assert_true(session_send(&s, MESSAGE_START) < 0 &&
                            session_receive(&s, MESSAGE_START) < 0);
            }
        }
}

/* The registry's words: each has one state, of one side, and does nothing anywhere else. */
static void test_registry(void **unused)
{
    (void)unused;
    for (int role = ROLE_SOURCE; role <= ROLE_DESTINATION; role++)
        for (int state = 0; state < SESSION_STATE_COUNT; state++) {
            bool denies = role == ROLE_DESTINATION && state == SESSION_STARTING;
            bool revokes = role == ROLE_SOURCE && state == SESSION_SEVERED;
            struct session s = session_in(role, (enum session_state)state), before = s;
            assert_int_equal(session_denied(&s), denies);
            assert_int_equal(s.state, denies ? SESSION_WITHDRAWN : before.state);
            s = before;
            s.may_run = false;
            assert_int_equal(session_revoked(&s), revokes);
            assert_int_equal(s.state, revokes ? SESSION_FAILED : before.state);
            assert_int_equal(s.may_run, revokes);
            s = before;
            s.poisoned = true;
            assert_false(session_denied(&s) || session_revoked(&s));
        }
}

static void test_phases(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct row *row = &g_rows[i];
        switch (row->event) {
        case MESSAGE_REQUEST:
        case MESSAGE_URGENT_PAGES:
        case MESSAGE_PAGES_DONE:
        case MESSAGE_STARTED:
        case MESSAGE_RECEIPT:
            assert_false(before_start(row->state));
            break;
        case MESSAGE_PAGES:
            assert_true(filling(row->state) || !before_start(row->state));
            break;
        case MESSAGE_HUGE:
        case MESSAGE_HEADS:
        case MESSAGE_DROP:
        case MESSAGE_LAYOUT:
        case MESSAGE_LIST:
        case MESSAGE_LIST_END:
        case MESSAGE_RESTORE:
            assert_true(filling(row->state));
            break;
        default:
            break;
        }
    }
}

/* Evidence comes first, the source's before the destination's, and once; until then nothing else
 * may come but words that end the session. */
static void test_evidence_first(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct row *row = &g_rows[i];
        assert_int_equal(row->event == MESSAGE_SOURCE_EVIDENCE,
                         row->state == SESSION_NEW && row->next == SESSION_OFFERED);
        assert_int_equal(row->event == MESSAGE_DESTINATION_EVIDENCE,
                         row->state == SESSION_OFFERED && row->next == SESSION_ATTESTED);
        assert_int_equal(row->event == MESSAGE_PREPARE,
                         row->state == SESSION_ATTESTED && row->next == SESSION_PREPARING);
        if (attesting(row->next) && row->next != SESSION_NEW)
            assert_true(attesting(row->state));
        assert_true(row->next != SESSION_NEW);
        if (attesting(row->state) && !attesting(row->next) && row->event != MESSAGE_PREPARE)
            assert_true(row->next == SESSION_ENDED || row->next == SESSION_FAILED);
    }
}

/* ABORT is taken in each state before START, PING and PONG before RESTORE, DROP and HEADS while
 * memory flows. */
static void test_anywhere_before_start(void **unused)
{
    (void)unused;
    for (int number = 0; number < SESSION_STATE_COUNT; number++) {
        enum session_state state = (enum session_state)number;
        for (int role = 0; role < 2; role++) {
            bool before_restore = state == SESSION_PREPARING || filling(state);
            bool word =
                role == ROLE_SOURCE && (state == SESSION_STARTING || state == SESSION_PUSHED ||
                                        state == SESSION_SEVERED || state == SESSION_RESUMING);
            bool again = role == ROLE_DESTINATION && state == SESSION_WITHDRAWN;
            assert_int_equal(find_row(role, state, MESSAGE_ABORT) != NULL,
                             before_start(state) || state == SESSION_FAILED || word || again);
            assert_int_equal(find_row(role, state, MESSAGE_DROP) != NULL, filling(state));
            assert_int_equal(find_row(role, state, MESSAGE_HEADS) != NULL, filling(state));
            assert_int_equal(find_row(role, state, MESSAGE_PING) != NULL, before_restore);
            if (before_restore)
                assert_non_null(find_row(role, state, MESSAGE_PONG));
        }
    }
}

/* Both sides follow a script, without anything in flight. */
static void play(const int *script)
{
    struct session sides[2];
    session_init(&sides[0], ROLE_SOURCE);
    session_init(&sides[1], ROLE_DESTINATION);
    for (; *script; script++) {
        int sender = may_send(ROLE_SOURCE, *script) ? ROLE_SOURCE : ROLE_DESTINATION;
        assert_int_equal(do_send(&sides[sender], *script), 0);
        assert_int_equal(do_receive(&sides[sender ^ 1], *script), 0);
        assert_int_equal(session_committed(&sides[0]), session_committed(&sides[1]));
        assert_true(sides[0].may_run != sides[1].may_run);
    }
    assert_int_equal(sides[0].state, SESSION_DONE);
    assert_int_equal(sides[1].state, SESSION_DONE);
    assert_true(sides[1].may_run && !sides[0].may_run);
}

static void test_modes(void **unused)
{
    (void)unused;
    static const int stopcopy[] = {MESSAGE_SOURCE_EVIDENCE,
                                   MESSAGE_DESTINATION_EVIDENCE,
                                   MESSAGE_PREPARE,
                                   MESSAGE_READY,
                                   MESSAGE_HUGE,
                                   MESSAGE_PAGES,
                                   MESSAGE_RESTORE,
                                   MESSAGE_RESTORED,
                                   MESSAGE_START,
                                   MESSAGE_STARTED,
                                   MESSAGE_PAGES_DONE,
                                   MESSAGE_RECEIPT,
                                   0};
    static const int precopy[] = {MESSAGE_SOURCE_EVIDENCE,
                                  MESSAGE_DESTINATION_EVIDENCE,
                                  MESSAGE_PREPARE,
                                  MESSAGE_READY,
                                  MESSAGE_PING,
                                  MESSAGE_PONG,
                                  MESSAGE_PAGES,
                                  MESSAGE_LAYOUT,
                                  MESSAGE_DROP,
                                  MESSAGE_PAGES,
                                  MESSAGE_HEADS,
                                  MESSAGE_RESTORE,
                                  MESSAGE_RESTORED,
                                  MESSAGE_START,
                                  MESSAGE_PAGES_DONE,
                                  MESSAGE_STARTED,
                                  MESSAGE_RECEIPT,
                                  0};
    static const int hybrid[] = {MESSAGE_SOURCE_EVIDENCE, MESSAGE_DESTINATION_EVIDENCE,
                                 MESSAGE_PREPARE,         MESSAGE_READY,
                                 MESSAGE_PAGES,           MESSAGE_LIST,
                                 MESSAGE_PAGES,           MESSAGE_LIST,
                                 MESSAGE_LIST_END,        MESSAGE_DROP,
                                 MESSAGE_LISTED,          MESSAGE_HEADS,
                                 MESSAGE_PAGES,           MESSAGE_LIST,
                                 MESSAGE_RESTORE,         MESSAGE_RESTORED,
                                 MESSAGE_START,           MESSAGE_REQUEST,
                                 MESSAGE_STARTED,         MESSAGE_PAGES,
                                 MESSAGE_URGENT_PAGES,    MESSAGE_REQUEST,
                                 MESSAGE_PAGES_DONE,      MESSAGE_URGENT_PAGES,
                                 MESSAGE_RECEIPT,         0};
    static const int postcopy[] = {MESSAGE_SOURCE_EVIDENCE, MESSAGE_DESTINATION_EVIDENCE,
                                   MESSAGE_PREPARE,         MESSAGE_READY,
                                   MESSAGE_LIST_END,        MESSAGE_LISTED,
                                   MESSAGE_RESTORE,         MESSAGE_RESTORED,
                                   MESSAGE_START,           MESSAGE_PAGES,
                                   MESSAGE_STARTED,         MESSAGE_PAGES_DONE,
                                   MESSAGE_RECEIPT,         0};
    play(stopcopy);
    play(precopy);
    play(hybrid);
    play(postcopy);
}

/* ---- both sides with messages in flight ---- */

enum { IN_FLIGHT_MAX = 4, QUEUES = 4 };

struct world {
    uint8_t state[2];
    uint8_t may_run[2], requested[2];
    uint8_t attached[2]; /* to the channel of the queues; one that failed reads it no more */
    uint8_t queue[QUEUES][IN_FLIGHT_MAX]; /* [2 * sender + stream], oldest first, 0: none */
};

struct worlds {
    struct world *list;
    uint32_t *table; /* index into list, plus one */
    size_t count, capacity;
};

static uint64_t world_hash(const struct world *w)
{
    uint64_t hash = 0xcbf29ce484222325;
    const uint8_t *bytes = (const uint8_t *)w;
    for (size_t i = 0; i < sizeof *w; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3;
    return hash ^ hash >> 29;
}

static void worlds_add(struct worlds *all, const struct world *w)
{
    size_t mask = 2 * all->capacity - 1;
    size_t at = world_hash(w) & mask;
    for (; all->table[at]; at = (at + 1) & mask)
        if (memcmp(&all->list[all->table[at] - 1], w, sizeof *w) == 0)
            return;
    assert_true(all->count < all->capacity);
    all->list[all->count++] = *w;
    all->table[at] = (uint32_t)all->count;
}

static struct session side_of(const struct world *w, int role)
{
    struct session s = session_in(role, (enum session_state)w->state[role]);
    s.may_run = w->may_run[role];
    s.requested = w->requested[role];
    return s;
}

static bool waits(uint8_t state)
{
    return state == SESSION_SEVERED || state == SESSION_WITHDRAWN;
}

static void set_side(struct world *w, const struct session *s)
{
    if (waits((uint8_t)s->state) && !waits(w->state[s->role]))
        w->attached[s->role] = false; /* it listens to another channel only */
    w->state[s->role] = (uint8_t)s->state;
    w->may_run[s->role] = s->may_run;
    w->requested[s->role] = s->requested;
}

static bool finished(uint8_t state)
{
    return state == SESSION_ENDED || state == SESSION_FAILED || state == SESSION_LOST;
}

static int queue_of(int sender, int event)
{
    return 2 * sender + (event == MESSAGE_REQUEST || event == MESSAGE_URGENT_PAGES);
}

/* Returns how many messages this side may send now. */
static size_t explore_sends(struct worlds *all, const struct world *w, int role)
{
    size_t found = 0;
    for (int event = 1; event < EVENT_COUNT; event++) {
        struct world next = *w;
        uint8_t *queue = next.queue[queue_of(role, event)];
        struct session s = side_of(w, role);
        if (queue[IN_FLIGHT_MAX - 1] || (event == MESSAGE_RESUME && !w->attached[role]) ||
            do_send(&s, event) != 0)
            continue;
        found++;
        set_side(&next, &s);
        for (int i = 0; i < IN_FLIGHT_MAX; i++)
            if (!queue[i]) {
                queue[i] = (uint8_t)event;
                break;
            }
        worlds_add(all, &next);
    }
    return found;
}

/* Returns whether there was a message to receive. */
static bool explore_receive(struct worlds *all, const struct world *w, int number)
{
    int event = w->queue[number][0], role = number / 2 ^ 1;
    if (!event || finished(w->state[role]) || !w->attached[role])
        return false;
    struct world next = *w;
    struct session s = side_of(w, role);
    if (do_receive(&s, event) != 0)
        fail_msg("%s: event %d refused by role %d, %s", session_state_name(w->state[role ^ 1]),
                 event, role, session_state_name(w->state[role]));
    set_side(&next, &s);
    memmove(&next.queue[number][0], &next.queue[number][1], IN_FLIGHT_MAX - 1);
    next.queue[number][IN_FLIGHT_MAX - 1] = 0;
    worlds_add(all, &next);
    return true;
}

/* One side fails: the other does not know. */
static void explore_fail(struct worlds *all, const struct world *w, int role)
{
    struct world next = *w;
    struct session s = side_of(w, role);
    session_fail(&s);
    set_side(&next, &s);
    next.attached[role] = false;
    worlds_add(all, &next);
}

/* The source, which waits, has got other connections; a destination that had not noticed that the
 * old ones broke does now.  Nothing of those is under way any more. */
static bool explore_reconnect(struct worlds *all, const struct world *w)
{
    struct world next = *w;
    struct session destination = side_of(w, ROLE_DESTINATION);
    if (w->state[ROLE_SOURCE] != SESSION_SEVERED || w->attached[ROLE_SOURCE])
        return false;
    if (!waits((uint8_t)destination.state))
        session_fail(&destination);
    if (!waits((uint8_t)destination.state))
        return false; /* it needs the source no more, or has given up */
    set_side(&next, &destination);
    next.attached[ROLE_SOURCE] = next.attached[ROLE_DESTINATION] = true;
    memset(next.queue, 0, sizeof next.queue);
    worlds_add(all, &next);
    return true;
}

static bool check_world(const struct world *w, size_t steps)
{
    assert_false(w->may_run[ROLE_SOURCE] && w->may_run[ROLE_DESTINATION]);
    bool done = w->state[0] == SESSION_DONE && w->state[1] == SESSION_DONE;
    /* No deadlock.  When one side has left the channel the other one will notice; when both have,
     * and the program may have left, there is another one. */
    bool left = !w->attached[0] || !w->attached[1];
    bool both = w->state[0] == SESSION_SEVERED && waits(w->state[1]);
    if (!done && !finished(w->state[0]) && !finished(w->state[1]) && (!left || both))
        assert_true(steps > 0);
    return done;
}

static void test_in_flight(void **unused)
{
    (void)unused;
    struct worlds all = {.capacity = 1 << 22};
    struct world first = {
        .state = {SESSION_NEW, SESSION_NEW}, .may_run = {true, false}, .attached = {true, true}};
    bool done = false, resumed = false, taken_back = false;
    all.list = calloc(all.capacity, sizeof *all.list);
    all.table = calloc(2 * all.capacity, sizeof *all.table);
    worlds_add(&all, &first);
    for (size_t i = 0; i < all.count; i++) {
        struct world w = all.list[i];
        size_t steps = 0;
        for (int role = 0; role < 2; role++)
            steps += explore_sends(&all, &w, role);
        for (int role = 0; role < 2; role++)
            explore_fail(&all, &w, role);
        for (int number = 0; number < QUEUES; number++)
            steps += explore_receive(&all, &w, number);
        steps += explore_reconnect(&all, &w);
        done |= check_world(&w, steps);
        resumed |= w.state[0] == SESSION_RESUMING && w.may_run[1];
        taken_back |= w.state[0] == SESSION_FAILED && w.state[1] == SESSION_WITHDRAWN &&
                      w.may_run[0] && w.attached[1];
    }
    assert_true(done && resumed && taken_back);
    print_message("%zu situations of both sides\n", all.count);
    free(all.list);
    free(all.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair),      cmocka_unit_test(test_unknown_types),
        cmocka_unit_test(test_message_table),   cmocka_unit_test(test_answers_need_a_request),
        cmocka_unit_test(test_commit_is_final), cmocka_unit_test(test_fail),
        cmocka_unit_test(test_registry),        cmocka_unit_test(test_evidence_first),
        cmocka_unit_test(test_phases),          cmocka_unit_test(test_anywhere_before_start),
        cmocka_unit_test(test_modes),           cmocka_unit_test(test_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
