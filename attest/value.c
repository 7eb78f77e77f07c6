/* SPDX-License-Identifier: Apache-2.0 */
/* See value.h.  One scanner does both: checking a text, and finding values in one that was checked.
 */
#include "attest/value.h"

struct scan {
    struct span in;
    size_t at;
    const char *reason; /* why it is refused */
};

static void skip_space(struct scan *s)
{
    while (s->at < s->in.length) {
        uint8_t c = s->in.bytes[s->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return;
        s->at++;
    }
}

static uint8_t peek(struct scan *s)
{
    skip_space(s);
    return !s->reason && s->at < s->in.length ? s->in.bytes[s->at] : 0;
}

static void refuse(struct scan *s, const char *reason)
{
    if (!s->reason)
        s->reason = reason;
}

static bool accept(struct scan *s, char c)
{
    if (peek(s) != (uint8_t)c)
        return false;
    s->at++;
    return true;
}

static struct span scan_string(struct scan *s)
{
    size_t start;
    if (!accept(s, '"')) {
        refuse(s, "a string is missing");
        return span_of(NULL, 0);
    }
    start = s->at;
    while (s->at < s->in.length && s->in.bytes[s->at] != '"') {
        uint8_t c = s->in.bytes[s->at++];
        if (c < ' ' || c > '~' || c == '\\')
            refuse(s, "a string has an escape, or something that is not printable ASCII");
    }
    if (s->at == s->in.length) {
        refuse(s, "a string does not end");
        return span_of(NULL, 0);
    }
    return span_of(&s->in.bytes[start], s->at++ - start);
}

/* Whole numbers to 2^64 - 1, no sign, no leading zero. */
static bool number_value(struct span text, uint64_t *out)
{
    uint64_t value = 0;
    *out = 0;
    if (text.length == 0 || (text.length > 1 && text.bytes[0] == '0'))
        return false;
    for (size_t i = 0; i < text.length; i++) {
        uint8_t digit = (uint8_t)(text.bytes[i] - '0');
        if (digit > 9 || value > UINT64_MAX / 10 || value * 10 > UINT64_MAX - digit)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

static struct value scan_word(struct scan *s)
{
    size_t start = s->at;
    uint64_t value;
    while (s->at < s->in.length) {
        uint8_t c = s->in.bytes[s->at];
        if (c <= ' ' || c == ',' || c == ']' || c == '}' || c == ':' || c == '"')
            break;
        s->at++;
    }
    struct span word = span_of(&s->in.bytes[start], s->at - start);
    if (span_equal(word, span_text("true")))
        return (struct value){VALUE_TRUE, word};
    if (span_equal(word, span_text("false")))
        return (struct value){VALUE_FALSE, word};
    if (!number_value(word, &value))
        refuse(s, "a value is none of: object, array, string, whole number, true, false");
    return (struct value){VALUE_NUMBER, word};
}

/* From one brace or bracket to its partner, in a text that was checked. */
static void skip_nested(struct scan *s)
{
    uint32_t depth = 0;
    do {
        uint8_t c = peek(s);
        if (c == '"') {
            scan_string(s);
            continue;
        }
        if (c == 0)
            refuse(s, "the text ends too early");
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        s->at++;
    } while (depth > 0 && !s->reason);
}

/* The next value; nested ones are passed over unchecked. */
static struct value scan_value(struct scan *s)
{
    uint8_t c = peek(s);
    size_t start = s->at;
    if (c == 0)
        refuse(s, "a value is missing");
    if (s->reason)
        return (struct value){VALUE_NONE, {NULL, 0}};
    if (c == '"')
        return (struct value){VALUE_STRING, scan_string(s)};
    if (c != '{' && c != '[')
        return scan_word(s);
    skip_nested(s);
    return (struct value){c == '{' ? VALUE_OBJECT : VALUE_ARRAY,
                          span_of(&s->in.bytes[start], s->at - start)};
}

/* ---- Checking, with a stack of our own instead of recursion ---- */

struct level {
    bool object;
    uint32_t members;
    struct span name[VALUE_MEMBERS_MAX];
};

struct check {
    struct scan s;
    uint32_t depth;
    struct level level[VALUE_DEPTH_MAX];
};

static void check_name(struct check *c)
{
    struct level *level = &c->level[c->depth - 1];
    struct span name = scan_string(&c->s);
    for (uint32_t i = 0; i < level->members; i++)
        if (span_equal(level->name[i], name))
            refuse(&c->s, "an object has a name twice");
    if (level->members == VALUE_MEMBERS_MAX)
        refuse(&c->s, "an object has too many members");
    else
        level->name[level->members++] = name;
    if (!accept(&c->s, ':'))
        refuse(&c->s, "a colon is missing");
}

static void open_level(struct check *c, bool object)
{
    if (c->depth == VALUE_DEPTH_MAX) {
        refuse(&c->s, "the text is nested too deeply");
        return;
    }
    c->s.at++;
    c->level[c->depth].object = object;
    c->level[c->depth++].members = 0;
}

/* A value that is no container, or the opening of one.  False if it was an opening of one with
 * something in it: then a value comes next. */
static bool check_begin(struct check *c)
{
    uint8_t first = peek(&c->s);
    if (first != '{' && first != '[') {
        if (first == ']' || first == '}' || first == ',')
            refuse(&c->s, "a value is missing");
        else
            scan_value(&c->s);
        return true;
    }
    open_level(c, first == '{');
    if (c->s.reason)
        return true;
    if (accept(&c->s, first == '{' ? '}' : ']')) {
        c->depth--;
        return true;
    }
    if (first == '{')
        check_name(c);
    return false;
}

/* After a value: closes what ends here, or goes to the next member. */
static void check_after(struct check *c)
{
    while (c->depth > 0 && !c->s.reason) {
        bool object = c->level[c->depth - 1].object;
        if (accept(&c->s, ',')) {
            if (object)
                check_name(c);
            return;
        }
        if (!accept(&c->s, object ? '}' : ']')) {
            refuse(&c->s, "a comma or a closing bracket is missing");
            return;
        }
        c->depth--;
    }
}

const char *value_parse(struct span text, struct value *out)
{
    struct check c;
    memset(out, 0, sizeof *out);
    if (!text.bytes || text.length > VALUE_TEXT_MAX_bytes)
        return "the text is missing or too long";
    c.s = (struct scan){.in = text};
    c.depth = 0;
    do {
        if (check_begin(&c))
            check_after(&c);
    } while (c.depth > 0 && !c.s.reason);
    if (!c.s.reason && (peek(&c.s) != 0 || c.s.at != text.length))
        refuse(&c.s, "something follows the end of the text");
    if (c.s.reason)
        return c.s.reason;
    struct scan again = {.in = text};
    *out = scan_value(&again);
    return NULL;
}

/* ---- Finding ---- */

struct value_walk value_walk(const struct value *value)
{
    struct value_walk walk = {.object = value->kind == VALUE_OBJECT};
    if (value->kind == VALUE_OBJECT || value->kind == VALUE_ARRAY) /* without its brackets */
        walk.rest = span_of(&value->text.bytes[1], value->text.length - 2);
    return walk;
}

bool value_next(struct value_walk *walk, struct span *out_name, struct value *out_value)
{
    struct scan s = {.in = walk->rest};
    struct span name = {NULL, 0};
    memset(out_value, 0, sizeof *out_value);
    if (peek(&s) == 0)
        return false;
    if (walk->object) {
        name = scan_string(&s);
        accept(&s, ':');
    }
    *out_value = scan_value(&s);
    accept(&s, ',');
    walk->rest = span_of(&s.in.bytes[s.at], s.in.length - s.at);
    if (out_name)
        *out_name = name;
    return !s.reason;
}

struct value value_member(const struct value *value, const char *name)
{
    struct value_walk walk = value_walk(value);
    struct span found;
    struct value member;
    while (walk.object && value_next(&walk, &found, &member))
        if (span_equal(found, span_text(name)))
            return member;
    return (struct value){VALUE_NONE, {NULL, 0}};
}

bool value_number(const struct value *value, uint64_t *out)
{
    *out = 0;
    return value->kind == VALUE_NUMBER && number_value(value->text, out);
}

bool value_boolean(const struct value *value, bool *out)
{
    *out = value->kind == VALUE_TRUE;
    return value->kind == VALUE_TRUE || value->kind == VALUE_FALSE;
}

bool value_is(const struct value *value, const char *text)
{
    return value->kind == VALUE_STRING && span_equal(value->text, span_text(text));
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool value_hex(const struct value *value, uint8_t *out, size_t size)
{
    memset(out, 0, size);
    if (value->kind != VALUE_STRING || value->text.length != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = hex_value(value->text.bytes[2 * i]),
            low = hex_value(value->text.bytes[2 * i + 1]);
        if (high < 0 || low < 0) {
            memset(out, 0, size);
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
