/* SPDX-License-Identifier: Apache-2.0 */
/* See der.h. */
#include "attest/der.h"

#include "attest/date.h"

struct der der_reader(struct span in)
{
    return (struct der){.in = in, .failed = !in.bytes};
}

bool der_complete(const struct der *d)
{
    return !d->failed && d->at == d->in.length;
}

bool der_more(const struct der *d)
{
    return !d->failed && d->at < d->in.length;
}

bool der_next_is(const struct der *d, uint8_t tag)
{
    return der_more(d) && d->in.bytes[d->at] == tag;
}

static struct span fail(struct der *d)
{
    d->failed = true;
    return span_of(NULL, 0);
}

static struct span take_bytes(struct der *d, size_t length)
{
    if (d->failed || length > d->in.length - d->at)
        return fail(d);
    d->at += length;
    return span_of(&d->in.bytes[d->at - length], length);
}

static uint8_t take_byte(struct der *d)
{
    struct span s = take_bytes(d, 1);
    return s.length ? s.bytes[0] : 0;
}

/* Up to two bytes of length: nothing that is read here has 64 KiB or more. */
static size_t take_length(struct der *d)
{
    uint8_t first = take_byte(d);
    if (first < 0x80)
        return first;
    size_t bytes = first & 0x7f, length = 0;
    if (bytes < 1 || bytes > 2) {
        d->failed = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        length = length << 8 | take_byte(d);
    if (length < (bytes == 1 ? 0x80u : 0x100u))
        d->failed = true;
    return length;
}

struct span der_take(struct der *d, uint8_t tag, struct span *out_whole)
{
    if (out_whole)
        *out_whole = span_of(NULL, 0);
    if (!der_next_is(d, tag))
        return fail(d);
    size_t start = d->at;
    take_byte(d);
    size_t length = take_length(d);
    struct span contents = take_bytes(d, length);
    if (!d->failed && out_whole)
        *out_whole = span_of(&d->in.bytes[start], d->at - start);
    return contents;
}

struct der der_enter(struct der *d, uint8_t tag)
{
    struct der inner = der_reader(der_take(d, tag, NULL));
    inner.failed = d->failed;
    return inner;
}

void der_leave(struct der *d, const struct der *inner)
{
    if (!der_complete(inner))
        d->failed = true;
}

struct span der_take_unsigned(struct der *d)
{
    struct span s = der_take(d, DER_INTEGER, NULL);
    if (d->failed)
        return s;
    if (s.length == 0 || s.bytes[0] > 0x7f ||
        (s.length > 1 && s.bytes[0] == 0 && s.bytes[1] <= 0x7f))
        return fail(d);
    if (s.length > 1 && s.bytes[0] == 0)
        s = span_of(&s.bytes[1], s.length - 1);
    return s;
}

uint64_t der_take_number(struct der *d, uint64_t maximum)
{
    struct span s = der_take_unsigned(d);
    uint64_t value = 0;
    if (s.length > sizeof value)
        d->failed = true;
    for (size_t i = 0; !d->failed && i < s.length; i++)
        value = value << 8 | s.bytes[i];
    if (value > maximum)
        d->failed = true;
    return d->failed ? 0 : value;
}

void der_expect_oid(struct der *d, struct span oid)
{
    if (!span_equal(der_take(d, DER_OID, NULL), oid))
        d->failed = true;
}

struct span der_take_octet_bits(struct der *d)
{
    struct span s = der_take(d, DER_BIT_STRING, NULL);
    if (d->failed || s.length < 1 || s.bytes[0] != 0)
        return fail(d);
    return span_of(&s.bytes[1], s.length - 1);
}

uint64_t der_take_time(struct der *d)
{
    bool utc = der_next_is(d, DER_UTC_TIME);
    struct span s = der_take(d, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME, NULL);
    struct date date = {0};
    uint16_t *const fields[] = {&date.month, &date.day, &date.hour, &date.minute, &date.second};
    size_t at = utc ? 2 : 4;
    uint64_t seconds = 0;
    bool good =
        s.length == at + 11 && s.bytes[s.length - 1] == 'Z' && date_digits(s, 0, at, &date.year);
    for (size_t i = 0; good && i < 5; i++)
        good = date_digits(s, at + 2 * i, 2, fields[i]);
    if (utc) /* RFC 5280: 50 to 99 are of the last century. */
        date.year = (uint16_t)(date.year + (date.year >= 50 ? 1900 : 2000));
    if (!good || !date_to_seconds(&date, &seconds))
        d->failed = true;
    return d->failed ? 0 : seconds;
}
