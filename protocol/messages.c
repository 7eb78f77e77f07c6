/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of messages: who may send each, and on which stream.
 */
#include "protocol/protocol.h"

enum {
    FROM_SOURCE = 1 << ROLE_SOURCE,
    FROM_DESTINATION = 1 << ROLE_DESTINATION,
    FROM_BOTH = FROM_SOURCE | FROM_DESTINATION,
    ON_BULK = 1 << STREAM_BULK,
    ON_URGENT = 1 << STREAM_URGENT,
    ON_BOTH = ON_BULK | ON_URGENT,
};

static const struct {
    const char *name;
    uint8_t senders, streams;
} g_messages[MESSAGE_COUNT] = {
#define MESSAGE(name, number, senders, streams, text)                                              \
    [number] = {#name, FROM_##senders, ON_##streams},
#include "protocol/messages.def"
#undef MESSAGE
};

const char *message_name(uint8_t type)
{
    return type < MESSAGE_COUNT && g_messages[type].name ? g_messages[type].name : "unknown";
}

bool message_allowed(uint8_t type, uint8_t sender, uint8_t stream)
{
    if (type >= MESSAGE_COUNT || sender > ROLE_DESTINATION || stream >= STREAM_COUNT)
        return false;
    return (g_messages[type].senders >> sender & 1) && (g_messages[type].streams >> stream & 1);
}
