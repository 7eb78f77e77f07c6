/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cursor over DER (X.690), strict: one-byte tags, definite lengths in their shortest form.  What
 * has two encodings in BER has one here, so a byte that is changed is a value that is changed.
 *
 * A cursor that met something else has failed and stays so; ask once, at the end: der_complete().
 */
#pragma once

#include "attest/span.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8_STRING = 0x0c,
    DER_PRINTABLE_STRING = 0x13,
    DER_IA5_STRING = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT = 0xa0, /* constructed, plus the number */
};

struct der {
    struct span in;
    size_t at;
    bool failed;
};

struct der der_reader(struct span in);
/* All was taken, and nothing failed. */
bool der_complete(const struct der *d);
/* There is another value (false after a failure). */
bool der_more(const struct der *d);
/* The next value's tag is this one. */
bool der_next_is(const struct der *d, uint8_t tag);
/* The contents of the next value, which must have this tag; with its tag and length in *out_whole
 * if that is not NULL.  Empty after a failure. */
struct span der_take(struct der *d, uint8_t tag, struct span *out_whole);
/* A cursor over the contents of the next value. */
struct der der_enter(struct der *d, uint8_t tag);
/* The outer cursor fails if the inner one did, or has something left. */
void der_leave(struct der *d, const struct der *inner);
/* Non-negative integer in its shortest form, without the leading zero byte of the encoding. */
struct span der_take_unsigned(struct der *d);
/* The same as a number; fails above maximum. */
uint64_t der_take_number(struct der *d, uint64_t maximum);
/* Fails unless the next value is this object identifier (its contents). */
void der_expect_oid(struct der *d, struct span oid);
/* Bits without unused ones: what keys and signatures are. */
struct span der_take_octet_bits(struct der *d);
/* UTCTime or GeneralizedTime of a certificate, in seconds since 1970. */
uint64_t der_take_time(struct der *d);
