/* SPDX-License-Identifier: Apache-2.0 */
/* A run of bytes that someone else owns.  Every decoder of attest/ takes and gives these. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *bytes;
    size_t length;
};

static inline struct span span_of(const void *bytes, size_t length)
{
    return (struct span){.bytes = bytes, .length = length};
}

static inline struct span span_text(const char *text)
{
    return span_of(text, strlen(text));
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

static inline bool span_zero(struct span s)
{
    for (size_t i = 0; i < s.length; i++)
        if (s.bytes[i] != 0)
            return false;
    return true;
}
