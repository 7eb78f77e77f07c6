/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of SOURCE_EVIDENCE and DESTINATION_EVIDENCE.  What the evidence says is not looked at here
 * (attest/).  The rules of a verdict are a peer's words, for people: they are printed, and nothing
 * is decided by them but that a failed one ends the move.
 */
#include "protocol/protocol.h"
#include "protocol/text.h"
#include "protocol/wire.h"

enum { EVIDENCE_HEAD_SIZE = 16 };

_Static_assert((int)EVIDENCE_HEAD_SIZE + EVIDENCE_MAX_bytes + CERTIFICATES_MAX_bytes +
                       RULES_MAX_bytes <=
                   (int)RECORD_BODY_MAX,
               "evidence fits");

size_t encode_evidence(uint8_t *body, const struct message_evidence *m)
{
    struct wire w = wire_writer(body, RECORD_BODY_MAX);
    if (m->evidence_length > EVIDENCE_MAX_bytes ||
        m->certificates_length > CERTIFICATES_MAX_bytes || m->rules_length > RULES_MAX_bytes)
        return 0;
    wire_put_u32(&w, m->evidence_length);
    wire_put_u32(&w, m->certificates_length);
    wire_put_u32(&w, m->rule_count);
    wire_put_u32(&w, 0);
    wire_put_bytes(&w, m->evidence, m->evidence_length);
    wire_put_bytes(&w, m->certificates, m->certificates_length);
    wire_put_bytes(&w, m->rules, m->rules_length);
    return w.at;
}

/* Exactly as many rules as it says, and nothing after them. */
static int check_rules(const struct message_evidence *m)
{
    struct message_rule rule;
    size_t at = 0;
    int error = PROTOCOL_OK;
    for (uint32_t i = 0; !error && i < m->rule_count; i++)
        error = decode_rule(m->rules, m->rules_length, &at, &rule);
    return !error && at != m->rules_length ? PROTOCOL_LENGTH : error;
}

static int check_evidence(const struct message_evidence *m, uint32_t reserved)
{
    if (reserved != 0)
        return PROTOCOL_FIELD;
    if (m->evidence_length == 0 || m->evidence_length > EVIDENCE_MAX_bytes ||
        m->certificates_length > CERTIFICATES_MAX_bytes)
        return PROTOCOL_LENGTH;
    return m->rule_count > RULES_MAX ? PROTOCOL_COUNT : PROTOCOL_OK;
}

int decode_evidence(const uint8_t *body, size_t length, struct message_evidence *out)
{
    struct wire w = wire_reader(body, length);
    memset(out, 0, sizeof *out);
    out->evidence_length = wire_take_u32(&w);
    out->certificates_length = wire_take_u32(&w);
    out->rule_count = wire_take_u32(&w);
    uint32_t reserved = wire_take_u32(&w);
    int error = w.failed ? PROTOCOL_LENGTH : check_evidence(out, reserved);
    if (!error) {
        out->evidence = wire_take_span(&w, out->evidence_length);
        out->certificates = wire_take_span(&w, out->certificates_length);
        out->rules_length = (uint32_t)wire_left(&w);
        out->rules = wire_take_span(&w, out->rules_length);
        error = w.failed ? PROTOCOL_LENGTH : check_rules(out);
    }
    if (error)
        memset(out, 0, sizeof *out);
    return error;
}

static void put_text(struct wire *w, const char *text, size_t length)
{
    wire_put_u8(w, (uint8_t)length);
    wire_put_bytes(w, text, length);
}

size_t encode_rule(uint8_t *rules, size_t capacity, const struct message_rule *rule)
{
    const char *const texts[] = {rule->name, rule->found, rule->wanted};
    struct wire w = wire_writer(rules, capacity);
    char cleaned[RULE_TEXT_MAX_bytes + 1];
    wire_put_u8(&w, rule->pass);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        put_text(&w, cleaned,
                 text_clean(cleaned, sizeof cleaned, (const uint8_t *)texts[i], strlen(texts[i])));
    return w.failed ? 0 : w.at;
}

/* Only what text_clean would leave as it is: there is one form of each rule. */
static bool take_text(struct wire *w, char out[RULE_TEXT_MAX_bytes + 1])
{
    uint8_t length = wire_take_u8(w);
    const uint8_t *bytes = wire_take_span(w, length);
    if (!bytes)
        return false;
    return text_clean(out, RULE_TEXT_MAX_bytes + 1, bytes, length) == length &&
           memcmp(out, bytes, length) == 0;
}

int decode_rule(const uint8_t *rules, size_t length, size_t *at, struct message_rule *out)
{
    struct wire w = wire_reader(rules, length);
    memset(out, 0, sizeof *out);
    wire_take_span(&w, *at);
    uint8_t pass = wire_take_u8(&w);
    bool clean =
        take_text(&w, out->name) && take_text(&w, out->found) && take_text(&w, out->wanted);
    out->pass = pass == 1;
    if (!w.failed && clean && pass <= 1) {
        *at = w.at;
        return PROTOCOL_OK;
    }
    memset(out, 0, sizeof *out);
    return w.failed ? PROTOCOL_LENGTH : PROTOCOL_FIELD;
}
