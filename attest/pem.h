/* SPDX-License-Identifier: Apache-2.0 */
/* PEM (RFC 7468), strict: lines of 64 characters, no headers, nothing between the blocks but white
 * space.  Strict, so that a text has one meaning and a changed character is refused or changes
 * bytes that are signed. */
#pragma once

#include "attest/span.h"

/* The text looks like PEM (its first characters). */
bool pem_is(struct span text);
/* Decodes the first block, whose label must be this one, and moves *text behind it.  The bytes'
 * number, or 0 if there is none, it is malformed, or it is longer than capacity. */
size_t pem_take(struct span *text, const char *label, uint8_t *out, size_t capacity);
/* Nothing is left but line ends and one terminator. */
bool pem_at_end(struct span text);
