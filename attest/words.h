/* SPDX-License-Identifier: Apache-2.0 */
/* Short texts for verdicts, put together without libc.  What does not fit ends in "...". */
#pragma once

#include "attest/span.h"

struct words {
    char *out;
    size_t capacity, at;
};

/* out always stays terminated. */
struct words words_start(char *out, size_t capacity);
void words_put(struct words *w, const char *text);
/* Somebody else's text: what is not printable ASCII becomes '?'. */
void words_put_span(struct words *w, struct span text);
void words_hex(struct words *w, struct span bytes);
void words_number(struct words *w, uint64_t value);
void words_date(struct words *w, uint64_t seconds);
