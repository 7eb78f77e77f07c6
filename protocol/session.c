/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which message may come when, and who may run the program then.  The rules are the rows of
 * transitions.def; this file looks them up and does their actions, and names no state, and of the
 * messages only those that travel on the urgent stream.
 */
#include "protocol/protocol.h"

enum {
    /* Events are message types, and these. */
    MESSAGE_URGENT_PAGES = MESSAGE_COUNT,
    MESSAGE_FAIL,
    MESSAGE_DENIED,
    MESSAGE_REVOKED,

    OF_SOURCE = 1 << ROLE_SOURCE,
    OF_DESTINATION = 1 << ROLE_DESTINATION,
    OF_BOTH = OF_SOURCE | OF_DESTINATION,
};

enum action {
    ACTION_NONE,
    ACTION_COMMIT,
    ACTION_KEEP,
    ACTION_TAKE_BACK,
    ACTION_ASK,
    ACTION_ANSWER
};

struct transition {
    uint8_t roles, state, event, next, action;
};

#define SESSION_STATE(name, text)
#define TRANSITION(role, state, event, next, action)                                               \
    {OF_##role, SESSION_##state, MESSAGE_##event, SESSION_##next, ACTION_##action},
static const struct transition g_transitions[] = {
#include "protocol/transitions.def"
};
#undef SESSION_STATE
#undef TRANSITION

#define SESSION_STATE(name, text) #name,
#define TRANSITION(role, state, event, next, action)
static const char *const g_state_names[SESSION_STATE_COUNT] = {
#include "protocol/transitions.def"
};
#undef SESSION_STATE
#undef TRANSITION

void session_init(struct session *s, uint8_t role)
{
    *s = (struct session){.role = role, .may_run = role == ROLE_SOURCE};
}

const char *session_state_name(enum session_state state)
{
    return (unsigned)state < SESSION_STATE_COUNT ? g_state_names[state] : "unknown";
}

static const struct transition *find_transition(const struct session *s, uint8_t event)
{
    for (size_t i = 0; i < sizeof g_transitions / sizeof g_transitions[0]; i++) {
        const struct transition *t = &g_transitions[i];
        if (t->state == s->state && t->event == event && (t->roles >> s->role & 1))
            return t;
    }
    return NULL;
}

static void take_row(struct session *s, const struct transition *row)
{
    s->state = (enum session_state)row->next;
    switch ((enum action)row->action) {
    case ACTION_COMMIT:
        s->may_run = s->role == ROLE_DESTINATION;
        break;
    case ACTION_KEEP:
    case ACTION_TAKE_BACK:
        s->may_run = s->role == ROLE_SOURCE;
        break;
    case ACTION_ASK:
        s->requested = true;
        break;
    case ACTION_ANSWER:
    case ACTION_NONE:
        break;
    }
}

static int session_step(struct session *s, uint8_t sender, uint8_t type, uint8_t stream)
{
    if (s->role > ROLE_DESTINATION)
        return PROTOCOL_ARGUMENT;
    if (s->poisoned)
        return PROTOCOL_POISONED;
    if (!message_allowed(type, sender, stream))
        return PROTOCOL_TYPE;
    uint8_t event = type;
    if (type == MESSAGE_PAGES && stream == STREAM_URGENT)
        event = MESSAGE_URGENT_PAGES;
    const struct transition *found = find_transition(s, event);
    if (!found || (found->action == ACTION_ANSWER && !s->requested) ||
        (found->action == ACTION_TAKE_BACK && sender == s->role))
        return PROTOCOL_STATE;
    take_row(s, found);
    return PROTOCOL_OK;
}

void session_fail(struct session *s)
{
    const struct transition *found = find_transition(s, MESSAGE_FAIL);
    if (found)
        take_row(s, found);
}

static bool registry_says(struct session *s, uint8_t event)
{
    const struct transition *found = s->poisoned ? NULL : find_transition(s, event);
    if (found)
        take_row(s, found);
    return found;
}

bool session_denied(struct session *s)
{
    return registry_says(s, MESSAGE_DENIED);
}

bool session_revoked(struct session *s)
{
    return registry_says(s, MESSAGE_REVOKED);
}

bool session_committed(const struct session *s)
{
    return s->may_run == (s->role == ROLE_DESTINATION);
}

static uint8_t main_stream(uint8_t type)
{
    return type == MESSAGE_REQUEST ? STREAM_URGENT : STREAM_BULK;
}

static int session_receive_on(struct session *s, uint8_t type, uint8_t stream)
{
    int error = session_step(s, s->role ^ 1, type, stream);
    if (error) {
        session_fail(s);
        s->poisoned = true;
    }
    return error;
}

int session_send(struct session *s, uint8_t type)
{
    return session_step(s, s->role, type, main_stream(type));
}

int session_receive(struct session *s, uint8_t type)
{
    return session_receive_on(s, type, main_stream(type));
}

int session_send_urgent_pages(struct session *s)
{
    return session_step(s, s->role, MESSAGE_PAGES, STREAM_URGENT);
}

int session_receive_urgent_pages(struct session *s)
{
    return session_receive_on(s, MESSAGE_PAGES, STREAM_URGENT);
}
