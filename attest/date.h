/* SPDX-License-Identifier: Apache-2.0 */
/* Dates of certificates and collateral as seconds since 1970, UTC, and back to text. */
#pragma once

#include "attest/span.h"

struct date {
    uint16_t year, month, day, hour, minute, second;
};

enum { DATE_TEXT_SIZE = sizeof "2026-01-01T00:00:00Z" };

/* Count decimal digits of s, from offset at.  False if they are not all digits. */
bool date_digits(struct span s, size_t at, size_t count, uint16_t *out);
/* Years 1970 to 9999, days that exist, no leap seconds. */
bool date_to_seconds(const struct date *date, uint64_t *out_seconds);
/* "2026-01-01T00:00:00Z", this form only. */
bool date_parse(struct span text, uint64_t *out_seconds);
/* The same form; years after 9999 are written as the last second of 9999. */
void date_text(uint64_t seconds, char out[DATE_TEXT_SIZE]);
