/* SPDX-License-Identifier: Apache-2.0 */
/* See pem.h. */
#include "attest/pem.h"

enum { PEM_LINE_chars = 64 };

static bool starts_with(struct span text, const char *what)
{
    size_t length = strlen(what);
    return text.length >= length && memcmp(text.bytes, what, length) == 0;
}

static bool skip(struct span *text, const char *what)
{
    if (!starts_with(*text, what))
        return false;
    *text = span_of(text->bytes + strlen(what), text->length - strlen(what));
    return true;
}

/* A line ends with LF or CR LF. */
static bool skip_line_end(struct span *text)
{
    return skip(text, "\n") || skip(text, "\r\n");
}

static int base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters to three bytes, fewer where '=' pads; bits that pad must be zero.  The number of
 * bytes or 0. */
static size_t decode_group(const uint8_t in[4], uint8_t out[3])
{
    size_t padded = in[3] != '=' ? 0 : in[2] != '=' ? 1 : 2;
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padded ? base64_value(in[i]) : 0;
        if (value < 0)
            return 0;
        bits = bits << 6 | (uint32_t)value;
    }
    if ((padded == 1 && (bits & 0xff) != 0) || (padded == 2 && (bits & 0xffff) != 0))
        return 0;
    for (size_t i = 0; i < 3; i++)
        out[i] = (uint8_t)(bits >> (16 - 8 * i));
    return 3 - padded;
}

bool pem_is(struct span text)
{
    return starts_with(text, "-----BEGIN ");
}

/* One line of base64.  *out_last: it was the last. */
static bool take_line(struct span *text, uint8_t *out, size_t capacity, size_t *used,
                      bool *out_last)
{
    size_t length = 0;
    while (length < text->length && length <= PEM_LINE_chars && text->bytes[length] != '\n' &&
           text->bytes[length] != '\r')
        length++;
    if (length == 0 || length > PEM_LINE_chars || length % 4 != 0)
        return false;
    *out_last = length < PEM_LINE_chars;
    for (size_t i = 0; i < length; i += 4) {
        uint8_t bytes[3];
        size_t count = decode_group(&text->bytes[i], bytes);
        if (count == 0 || count > capacity - *used || (count < 3 && i + 4 != length))
            return false;
        memcpy(&out[*used], bytes, count);
        *used += count;
        *out_last = *out_last || count < 3;
    }
    *text = span_of(&text->bytes[length], text->length - length);
    return skip_line_end(text);
}

size_t pem_take(struct span *text, const char *label, uint8_t *out, size_t capacity)
{
    struct span t = *text;
    size_t used = 0;
    bool last = false;
    if (!skip(&t, "-----BEGIN ") || !skip(&t, label) || !skip(&t, "-----") || !skip_line_end(&t))
        return 0;
    while (!last && !starts_with(t, "-----END "))
        if (!take_line(&t, out, capacity, &used, &last))
            return 0;
    if (!skip(&t, "-----END ") || !skip(&t, label) || !skip(&t, "-----"))
        return 0;
    while (skip_line_end(&t))
        ;
    *text = t;
    return used;
}

bool pem_at_end(struct span text)
{
    return text.length == 0 || (text.length == 1 && text.bytes[0] == 0);
}
