/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict subset of JSON, enough for policies and Intel's collateral, without allocation.
 *
 * A text is checked as a whole first, value_parse(); then values are found by walking it again.
 * Refused, because nothing here needs it and two readers could differ about it: a name that occurs
 * twice in one object, escapes in strings, anything but printable ASCII in strings, null, numbers
 * other than whole ones from 0 to 2^64 - 1, and more than VALUE_DEPTH_MAX levels.
 */
#pragma once

#include "attest/span.h"

enum { VALUE_DEPTH_MAX = 12, VALUE_MEMBERS_MAX = 64, VALUE_TEXT_MAX_bytes = 256 * 1024 };

enum value_kind {
    VALUE_NONE,
    VALUE_OBJECT,
    VALUE_ARRAY,
    VALUE_STRING,
    VALUE_NUMBER,
    VALUE_TRUE,
    VALUE_FALSE
};

/* A value within a text that value_parse() took.  NONE: there is no such value. */
struct value {
    enum value_kind kind;
    struct span text; /* of a string without its quotes */
};

/* The whole text is one value.  NULL if good, else why not. */
const char *value_parse(struct span text, struct value *out);

/* A walk over an object's members or an array's values. */
struct value_walk {
    struct span rest;
    bool object;
};
struct value_walk value_walk(const struct value *value);
/* The next one, and its name if it is an object's (may be NULL).  False at the end. */
bool value_next(struct value_walk *walk, struct span *out_name, struct value *out_value);

/* NONE if value is no object or has no such member. */
struct value value_member(const struct value *value, const char *name);
/* False if the value is of another kind, or (hexadecimal) of another length. */
bool value_number(const struct value *value, uint64_t *out);
bool value_boolean(const struct value *value, bool *out);
bool value_is(const struct value *value, const char *text);
bool value_hex(const struct value *value, uint8_t *out, size_t size);
