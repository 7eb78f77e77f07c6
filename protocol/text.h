/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that came from the other side and will be shown to a person.  Private to protocol/.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Copies in to out, always terminated; what is not printable becomes '?'; never splits a character.
 * Returns the length.  Cleaning what is clean changes nothing. */
size_t text_clean(char *out, size_t capacity, const uint8_t *in, size_t length);
