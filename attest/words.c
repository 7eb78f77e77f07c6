/* SPDX-License-Identifier: Apache-2.0 */
/* See words.h. */
#include "attest/words.h"

#include "attest/date.h"

struct words words_start(char *out, size_t capacity)
{
    out[0] = 0;
    return (struct words){.out = out, .capacity = capacity};
}

static void put_char(struct words *w, char c)
{
    if (w->at + 1 < w->capacity) {
        w->out[w->at++] = c;
        w->out[w->at] = 0;
    } else if (w->capacity > 4) {
        memcpy(&w->out[w->capacity - 4], "...", 4);
    }
}

void words_put(struct words *w, const char *text)
{
    while (*text)
        put_char(w, *text++);
}

void words_put_span(struct words *w, struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        put_char(w, text.bytes[i] >= ' ' && text.bytes[i] <= '~' ? (char)text.bytes[i] : '?');
}

void words_hex(struct words *w, struct span bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.length; i++) {
        put_char(w, digits[bytes.bytes[i] >> 4]);
        put_char(w, digits[bytes.bytes[i] & 15]);
    }
}

void words_number(struct words *w, uint64_t value)
{
    char digits[21];
    size_t at = sizeof digits - 1;
    digits[at] = 0;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    words_put(w, &digits[at]);
}

void words_date(struct words *w, uint64_t seconds)
{
    char text[DATE_TEXT_SIZE];
    date_text(seconds, text);
    words_put(w, text);
}
