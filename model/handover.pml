/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handover, for Spin (model/run).  Who may do what stands in ../protocol/transitions.def and
 * ../protocol/messages.def, which are included here as they are; so what is explored is the table
 * that the runtime runs on.  This file adds what the table does not say:
 *   - a side may at any time send whatever its row allows
 *   - the network belongs to the enemy: it holds a record back, repeats it, lets others overtake it,
 *     hands it to the sender, to another session, or to nobody, invents records, cuts
 *   - the record layer: a record counts only with this session's key, from the other side, and with
 *     the next counter; anything else is a failure of the side that reads it
 *   - when the channel broke after START there is another one between the same two, with new keys,
 *     and nothing of the old one is under way any more; that may break too
 *   - either side fails (time out, cancelled, its daemon gone), or its host process is killed
 *   - the source's host begins another move, to a second destination, as often as the runtime lets it
 *   - with -DREGISTRY: each start is claimed in a registry by its destination, or by its source, once
 * Budgets keep it finite (EXTRAS, FAILS, TRICKS, below).  What has to hold is in check() and over().
 *
 * Places: 0 is the source, 1 and 2 are destinations.  Session n goes from 0 to n.
 */
#ifndef TABLE
#define TABLE "../protocol/transitions.def"
#endif
#ifndef EXTRAS
#define EXTRAS 1 /* records of each side that lead to no other state */
#endif
#ifndef SESSIONS
#define SESSIONS 2
#endif
#ifndef FAILS
#define FAILS 1 /* failures without a cause in the network */
#endif
#ifndef RESUMES
#define RESUMES 1 /* channels that may break again */
#endif
#ifndef TRICKS
#define TRICKS 2 /* of the network, beside cutting */
#endif

mtype = {
#define SESSION_STATE(name, text) S_##name,
#define TRANSITION(role, state, event, next_state, action)
#include TABLE
#undef SESSION_STATE
#undef TRANSITION
#define MESSAGE(name, number, senders, streams, text) M_##name,
#include "../protocol/messages.def"
#undef MESSAGE
    M_URGENT_PAGES, M_FAIL, M_DENIED, M_REVOKED, M_NOISE, A_NONE, A_COMMIT, A_KEEP, A_TAKE_BACK, A_ASK, A_ANSWER
};
#define SESSION_STATE(name, text)

/* ---- what is there ---- */

mtype state[3] = S_NEW;
bool may_run[3], asked[3], alive[3];
bool attached[3]; /* to the present channel: who waits for another one is not */
byte epoch;       /* of the channel, in this session: each has keys of its own */
byte used[3];     /* counters that were sealed with these keys */
byte session = 1; /* of the source; its number is also its destination's */
byte sent[3], got[3], extras[3]; /* counters of the bulk stream */
bool start_sent;  /* in this session */
bool ever_started;
bool cut;
byte fails, tricks, kills;
byte held[3];     /* who has claimed the start of session n in the registry: 1 its source, 2 its destination */
bool quiet; /* from now on nothing bad happens any more */

chan to_destination = [2] of { mtype, byte }; /* bulk: type and counter */
chan to_source = [2] of { mtype, byte };
chan urgent_to_destination = [1] of { mtype };
chan urgent_to_source = [1] of { mtype };

/* A record that the enemy keeps. */
mtype kept_type;
byte kept_counter, kept_session, kept_epoch;
bool kept_from_source;

hidden byte senders_of[64]; /* constant: 1 source, 2 destination, 3 both */
hidden mtype to_state, action;

#define IS_SOURCE(who)      (who == 0)
#define IS_DESTINATION(who) (who != 0)
#define IS_BOTH(who)        true
#define SENDER_SOURCE      1
#define SENDER_DESTINATION 2
#define SENDER_BOTH        3
#define MAY_SEND(who, event)                                                                       \
    ((senders_of[event] & 1 && IS_SOURCE(who)) || (senders_of[event] & 2 && IS_DESTINATION(who)))
#define OVER(who)                                                                                  \
    (state[who] == S_ENDED || state[who] == S_FAILED || state[who] == S_LOST ||                    \
     state[who] == S_DONE || state[who] == S_WITHDRAWN && !attached[who])
#define WAITS(who) (state[who] == S_SEVERED || state[who] == S_WITHDRAWN)
#define READS(who)                                                                                 \
    (alive[who] && attached[who] && state[who] != S_ENDED && state[who] != S_FAILED &&             \
     state[who] != S_LOST && !CLAIMING(who))
/* With a registry a destination claims its start before it runs anything.  RECKLESS: it does not, and
 * that is wrong. */
#if defined(REGISTRY) && !defined(RECKLESS)
#define CLAIMED(who) (IS_SOURCE(who) || held[who] == 2)
#else
#define CLAIMED(who) true
#endif
#define CLAIMING(who) (state[who] == S_STARTING && !CLAIMED(who)) /* and does nothing else */
#define RUNS(who)  (alive[who] && may_run[who] && CLAIMED(who))

/* ---- what has to hold, always ---- */

inline check() {
    assert(!(RUNS(0) && RUNS(1)) && !(RUNS(0) && RUNS(2)) && !(RUNS(1) && RUNS(2)));
    /* Before the commit point, and while its host lives, the source has the program. */
    assert(!alive[0] || ever_started || may_run[0]);
    /* A destination runs only what the source has given away. */
    assert(!may_run[1] || ever_started);
    assert(!may_run[2] || (session == 2 && start_sent))
}

/* ... and when nothing more can happen. */
inline over() {
    /* Messages get through again: nobody runs it only if a host was killed. */
#ifdef NEVER_LOST
    assert(RUNS(0) || RUNS(1) || RUNS(2));
#endif
#if defined(REGISTRY) && !defined(RECKLESS)
    /* A destination that was killed before it had claimed its start loses nothing. */
    assert(RUNS(0) || RUNS(1) || RUNS(2) || !alive[0] || held[1] == 2 || held[2] == 2);
#endif
    assert(RUNS(0) || RUNS(1) || RUNS(2) || kills > 0);
    /* Messages get through: a move that was begun comes to an end, for both. */
    if
    :: !cut && !kills && !tricks && !fails -> assert(OVER(0) && OVER(session))
    :: else
    fi
}

/* ---- a side takes a row ---- */

inline apply(who) {
    if
    :: action == A_COMMIT ->
        may_run[who] = IS_DESTINATION(who);
        if
        :: IS_SOURCE(who) -> start_sent = true; ever_started = true
        :: else -> assert(state[who] == S_RESTORED && start_sent && who == session)
        fi
    :: action == A_KEEP || action == A_TAKE_BACK -> may_run[who] = IS_SOURCE(who)
    :: action == A_ASK -> asked[who] = true
    :: else
    fi;
    if
    :: to_state != state[who] && (to_state == S_SEVERED || to_state == S_WITHDRAWN) ->
        attached[who] = false
    :: else
    fi;
    state[who] = to_state;
    if /* what is never looked at again may not make two situations out of one */
    :: to_state == S_ENDED || to_state == S_FAILED || to_state == S_LOST ->
        asked[who] = false; got[who] = 0; extras[who] = 0
    :: else
    fi;
    check()
}

/* to_state is 0 if there is no row. */
inline find() {
    to_state = 0;
    if
#define TRANSITION(role, from, what, next_state, does)                                             \
    :: IS_##role(who) && state[who] == S_##from && event == M_##what ->                            \
        to_state = S_##next_state; action = A_##does;
#include TABLE
#undef TRANSITION
    :: else
    fi
}

/* What is refused is a failure of the side that reads it. */
inline receive() {
    find();
    if
    :: event != M_FAIL &&
       (to_state == 0 || action == A_ANSWER && !asked[who] ||
        event != M_URGENT_PAGES && !MAY_SEND(1 - IS_DESTINATION(who), event)) &&
       WAITS(who) -> event = M_FAIL
    :: event != M_FAIL && !WAITS(who) &&
       (to_state == 0 || action == A_ANSWER && !asked[who] ||
        event != M_URGENT_PAGES && !MAY_SEND(1 - IS_DESTINATION(who), event)) ->
        event = M_FAIL;
        find()
    :: else
    fi;
    if
    :: event == M_FAIL && WAITS(who) -> attached[who] = false; got[who] = 0 /* and waits on */
    :: else ->
        if
        :: to_state != 0 -> apply(who)
        :: else
        fi
    fi
}

#ifdef SAME_KEYS /* what is wrong: another channel with the keys of the first */
#define SAME_CHANNEL true
#else
#define SAME_CHANNEL (its_epoch == epoch)
#endif

/* The record layer: this session's key, from the other side, the next counter; else a failure. */
inline open_record() {
    if
    :: its_session == (IS_SOURCE(who) -> session : who) && from_source == IS_DESTINATION(who) &&
       SAME_CHANNEL && counter == got[who] -> got[who]++
    :: else -> event = M_FAIL
    fi
}

/* ---- a side sends ---- */

#define LEADS_ON(from, next_state) (S_##from != S_##next_state)
#define ALLOWED(who, what, does)                                                                   \
    (A_##does != A_TAKE_BACK && (A_##does != A_ANSWER || asked[who]) &&                            \
     (M_##what == M_URGENT_PAGES -> IS_SOURCE(who) : MAY_SEND(who, M_##what)))
#define URGENT(what) (M_##what == M_REQUEST || M_##what == M_URGENT_PAGES)
/* After a cut sending seems to work. */
#define ROOM(bulk, urgent, what) (cut || (URGENT(what) && nfull(urgent)) || (!URGENT(what) && nfull(bulk)))

/* A row that this side may take by sending, as an option. */
#define SEND(which, bulk, urgent, role, from, what, next_state, does)                              \
    :: alive[which] && IS_##role(which) && state[which] == S_##from &&                             \
       !CLAIMING(which) &&                                                                         \
       ALLOWED(which, what, does) && (M_##what != M_RESUME || attached[which]) &&                  \
       (LEADS_ON(from, next_state) || extras[which] < EXTRAS ||                                    \
        M_##what == M_ABORT && attached[which]) &&                                                 \
       ROOM(bulk, urgent, what) ->                                                                 \
       d_step { who = which; to_state = S_##next_state; action = A_##does; event = M_##what }

/* No counter is sealed twice with one key. */
inline use_nonce() {
    assert(sent[who] >= used[who]);
    used[who] = sent[who] + 1
}

inline send_one() {
    if
    :: to_state == state[who] && event != M_ABORT -> extras[who]++
    :: else
    fi;
    apply(who);
    if
    :: cut
    :: !cut && event == M_REQUEST -> urgent_to_source!event
    :: !cut && event == M_URGENT_PAGES -> urgent_to_destination!event
    :: !cut && event != M_REQUEST && event != M_URGENT_PAGES && IS_SOURCE(who) ->
        use_nonce(); to_destination!event, sent[who]; sent[who]++
    :: !cut && event != M_REQUEST && event != M_URGENT_PAGES && IS_DESTINATION(who) ->
        use_nonce(); to_source!event, sent[who]; sent[who]++
    fi
}

inline keep(from) {
    tricks++;
    kept_session = session;
    kept_epoch = epoch;
    kept_from_source = from
}

inline take_kept() {
    event = kept_type; counter = kept_counter; its_session = kept_session; from_source = kept_from_source;
    its_epoch = kept_epoch;
    kept_type = 0; kept_counter = 0; kept_session = 0; kept_epoch = 0; kept_from_source = false
}

inline clear() {
    who = 0; event = 0; counter = 0; its_session = 0; its_epoch = 0; from_source = false
}

/* ---- what was under way is gone ---- */

inline lose(stream) {
    if
    :: nempty(stream) -> stream?_, _
    :: empty(stream)
    fi
}

inline lose_urgent(stream) {
    if
    :: nempty(stream) -> stream?_
    :: empty(stream)
    fi
}

inline drain() {
    lose(to_destination);
    lose(to_destination);
    lose(to_source);
    lose(to_source);
    lose_urgent(urgent_to_destination);
    lose_urgent(urgent_to_source)
}

/* ---- another channel ---- */

#define MAY_RECONNECT                                                                              \
    (alive[0] && alive[session] && state[0] == S_SEVERED && !attached[0] &&                        \
     (epoch < RESUMES || quiet) && !OVER_FOR_GOOD(session) && !CLAIMING(session))
/* It needs the source no more, or has given up. */
#define OVER_FOR_GOOD(which)                                                                       \
    (state[which] == S_DONE || state[which] == S_ENDED || state[which] == S_FAILED || state[which] == S_LOST)

/* A destination that had not noticed does now. */
inline reconnect() {
    who = session;
    event = M_FAIL;
    if
    :: !WAITS(session) -> find(); apply(who)
    :: else
    fi;
    assert(WAITS(session));
    drain();
    cut = false;
    epoch++;
    attached[0] = true; attached[session] = true;
    sent[0] = 0; sent[session] = 0; got[0] = 0; got[session] = 0;
#ifndef SAME_KEYS
    used[0] = 0; used[session] = 0;
#endif
    clear()
}

/* ---- the host of the source begins again ---- */

#ifdef FORGETFUL /* a runtime that takes any order */
#define TAKES_ORDERS true
#else
#define TAKES_ORDERS may_run[0]
#endif

inline begin_again() {
    session = 2;
    state[0] = S_NEW;
    may_run[0] = true;
    asked[0] = false;
    start_sent = false;
    cut = false;
    epoch = 0;
    attached[0] = true;
    used[0] = 0;
    sent[0] = 0;
    got[0] = 0;
    extras[0] = 0;
    drain();
    check()
}

/* ---- all of it ---- */

#define FALLIBLE(who) (READS(who) && state[who] != S_DONE && who <= session)
/* The daemon there says that nobody waits for this session. */
#define GONE(who, other) (alive[who] && state[who] == S_SEVERED && (!alive[other] || OVER_FOR_GOOD(other)))
/* The connection broke, a host was killed, or the other side has ended and all that it said before
 * was read (sealed_give_up waits for that). */
#define NOTICES(who)                                                                               \
    (cut || !alive[0] || !alive[session] || IS_DESTINATION(who) && who != session ||               \
     IS_SOURCE(who) && OVER(session) && len(to_source) == 0 ||                                     \
     IS_DESTINATION(who) && OVER(0) && len(to_destination) == 0)

#ifdef REGISTRY /* the source asks before it believes that */
#define HOPELESS (held[session] == 2)
#else
#define HOPELESS true
#endif

init {
    byte who, counter, its_session, its_epoch;
    mtype event;
    bool from_source;

    d_step {
#define MESSAGE(name, number, senders, streams, text) senders_of[M_##name] = SENDER_##senders;
#include "../protocol/messages.def"
#undef MESSAGE
        alive[0] = true; alive[1] = true; alive[2] = true;
        attached[0] = true; attached[1] = true; attached[2] = true;
        may_run[0] = true
    }
    do
    :: atomic { /* a side sends */
        if
#define TRANSITION(role, from, what, next_state, does)                                             \
    SEND(0, to_destination, urgent_to_destination, role, from, what, next_state, does)             \
    SEND(session, to_source, urgent_to_source, role, from, what, next_state, does)
#include TABLE
#undef TRANSITION
        fi;
        d_step { send_one(); clear() }
    }
    :: atomic { /* something comes to a side */
        if
        /* the next record of its stream, when it is its turn */
        :: READS(session) && nempty(to_destination) -> d_step {
                to_destination?event, counter;
                who = session; its_session = session; its_epoch = epoch; from_source = true; open_record() }
        :: READS(0) && nempty(to_source) -> d_step {
                to_source?event, counter;
                who = 0; its_session = session; its_epoch = epoch; from_source = false; open_record() }
        :: READS(session) && nempty(urgent_to_destination) -> d_step {
                urgent_to_destination?event; who = session }
        :: READS(0) && nempty(urgent_to_source) -> d_step { urgent_to_source?event; who = 0 }

        /* one that the enemy kept, handed to anybody at any time; then it is used up */
        :: !quiet && kept_type != 0 && READS(0) -> d_step { who = 0; take_kept(); open_record() }
        :: !quiet && kept_type != 0 && READS(1) -> d_step { who = 1; take_kept(); open_record() }
        :: !quiet && kept_type != 0 && READS(2) -> d_step { who = 2; take_kept(); open_record() }

        /* noise, or a record that was changed: its tag does not verify */
        :: !quiet && tricks < TRICKS && READS(0) -> d_step { who = 0; tricks++; event = M_FAIL }
        :: !quiet && tricks < TRICKS && READS(session) -> d_step { who = session; tricks++; event = M_FAIL }

        /* a failure: with a cause, or without */
        :: FALLIBLE(0) && NOTICES(0) -> d_step { who = 0; event = M_FAIL }
        :: FALLIBLE(1) && NOTICES(1) -> d_step { who = 1; event = M_FAIL }
        :: FALLIBLE(2) && NOTICES(2) -> d_step { who = 2; event = M_FAIL }
        :: !quiet && FALLIBLE(0) && fails < FAILS -> d_step { who = 0; fails++; event = M_FAIL }
        :: !quiet && FALLIBLE(session) && fails < FAILS -> d_step { who = session; fails++; event = M_FAIL }
        fi;
        d_step { receive(); clear() }
    }

    :: MAY_RECONNECT -> d_step { reconnect() }
#ifdef REGISTRY
    /* Whoever comes first has it for ever.  The source comes when an operator, or a daemon that finds
     * nobody, tells it to: here at any time. */
    :: alive[session] && state[session] == S_STARTING && held[session] == 0 -> d_step {
            held[session] = 2; check() }
    :: alive[session] && state[session] == S_STARTING && held[session] == 1 -> d_step {
            who = session; event = M_DENIED; find(); apply(who); clear() }
    :: alive[1] && session == 2 && state[1] == S_STARTING && held[1] == 1 -> d_step {
            who = 1; event = M_DENIED; find(); apply(who); clear() }
    :: alive[0] && state[0] == S_SEVERED && held[session] == 0 -> d_step { held[session] = 1 }
    :: alive[0] && state[0] == S_SEVERED && held[session] == 1 -> d_step {
            who = 0; event = M_REVOKED; find(); apply(who); clear() }
#endif
    :: GONE(0, session) && HOPELESS -> d_step { who = 0; event = M_FAIL; find(); apply(who); clear() }
    :: GONE(session, 0) -> d_step { who = session; event = M_FAIL; find(); apply(who); clear() }

    /* the enemy keeps a record (so it may be lost), or a copy of it */
    :: !quiet && tricks < TRICKS && nempty(to_destination) -> d_step {
            to_destination?kept_type, kept_counter; keep(true) }
    :: !quiet && tricks < TRICKS && nempty(to_source) -> d_step {
            to_source?kept_type, kept_counter; keep(false) }
    :: !quiet && tricks < TRICKS && nempty(to_destination) -> d_step {
            to_destination?<kept_type, kept_counter>; keep(true) }
    :: !quiet && tricks < TRICKS && nempty(to_source) -> d_step {
            to_source?<kept_type, kept_counter>; keep(false) }
    :: !quiet && !cut -> d_step { cut = true; drain() }

    /* host processes are killed */
    :: !quiet && kills < 1 && alive[0] -> d_step { kills++; alive[0] = false; check() }
    :: !quiet && kills < 1 && alive[session] -> d_step { kills++; alive[session] = false; check() }

    :: !quiet && alive[0] && session < SESSIONS && OVER(0) && TAKES_ORDERS -> d_step { begin_again() }
    :: !quiet -> quiet = true
    :: timeout -> break
    od;
    skip;
    d_step { over() }
}
