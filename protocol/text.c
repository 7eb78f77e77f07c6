/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text for people: the errors' words, and the bodies of REFUSE and ABORT.
 *
 * A peer's text goes to a terminal and to logs.  So nothing passes that moves a cursor, starts an
 * escape sequence, ends a line or turns the direction of writing.
 */
#include "protocol/text.h"
#include "protocol/protocol.h"
#include <string.h>

#define PROTOCOL_ERROR(name, number, blame, text) {PROTOCOL_##name, PROTOCOL_BLAME_##blame, text},
static const struct {
    int error;
    enum protocol_blame blame;
    const char *text;
} g_errors[] = {
#include "protocol/errors.def"
};
#undef PROTOCOL_ERROR

enum { ERROR_COUNT = sizeof g_errors / sizeof g_errors[0] };

const char *protocol_error_text(int error)
{
    if (error >= 0)
        return "no error";
    for (size_t i = 0; i < ERROR_COUNT; i++)
        if (g_errors[i].error == error)
            return g_errors[i].text;
    return "unknown error";
}

enum protocol_blame protocol_error_blame(int error)
{
    for (size_t i = 0; i < ERROR_COUNT; i++)
        if (g_errors[i].error == error)
            return g_errors[i].blame;
    return PROTOCOL_BLAME_BUG;
}

/* How many bytes the character takes that starts with this one; 0: no character starts so. */
static size_t length_by_first(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if (first >= 0xe0 && first < 0xf0)
        return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

static bool printable(uint32_t c, size_t length)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return false; /* overlong, too large, or half of a pair */
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029)
        return false; /* control characters, line and paragraph separators */
    bool directs = c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
                   (c >= 0x2066 && c <= 0x2069);
    return !directs;
}

/* Length of the printable character at in[at]; 0: there is none. */
static size_t character_at(const uint8_t *in, size_t at, size_t length)
{
    size_t size = length_by_first(in[at]);
    if (size == 0 || size > length - at)
        return 0;
    uint32_t c = size == 1 ? in[at] : in[at] & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        if ((in[at + i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (in[at + i] & 0x3f);
    }
    return printable(c, size) ? size : 0;
}

size_t text_clean(char *out, size_t capacity, const uint8_t *in, size_t length)
{
    size_t used = 0;
    if (capacity == 0)
        return 0;
    for (size_t at = 0; at < length;) {
        size_t size = character_at(in, at, length);
        if (used + (size ? size : 1) >= capacity)
            break;
        if (size == 0)
            out[used++] = '?';
        for (size_t i = 0; i < size; i++)
            out[used++] = (char)in[at + i];
        at += size ? size : 1;
    }
    out[used] = '\0';
    return used;
}

size_t encode_text(uint8_t *body, const char *text)
{
    char cleaned[REASON_MAX_bytes];
    size_t length = text_clean(cleaned, sizeof cleaned, (const uint8_t *)text, strlen(text));
    memcpy(body, cleaned, length);
    return length;
}

int decode_text(const uint8_t *body, size_t length, char *out, size_t capacity)
{
    if (capacity == 0)
        return PROTOCOL_ARGUMENT;
    memset(out, 0, capacity);
    if (length >= REASON_MAX_bytes)
        return PROTOCOL_LENGTH;
    text_clean(out, capacity, body, length);
    return PROTOCOL_OK;
}
