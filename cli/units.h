/* SPDX-License-Identifier: Apache-2.0 */
/* What people type and read: durations, sizes, addresses, names, and text that a terminal can show.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "20ms", "1.5s", "500us", "2m", "1h"; a bare 0 is allowed, any other bare number is not. */
bool units_parse_duration(const char *text, uint64_t *out_microseconds);
/* "512MiB", "8G", "64k", "1000000": powers of 1024. */
bool units_parse_size(const char *text, uint64_t *out_bytes);
/* A name of an enclave: 1 to 63 of A-Z a-z 0-9 . _ - and not first a dot or minus. */
bool units_valid_name(const char *name);
/* The nearest valid name to the last part of a path; never empty. */
void units_name_of_program(const char *path, char *out_name, size_t size);

/* Into the buffer, which is returned. */
const char *units_size(double bytes, char *buffer, size_t size);
const char *units_duration_ms(double milliseconds, char *buffer, size_t size);
/* Text of others with control characters and what is not UTF-8 as '?'. */
const char *units_printable(const char *text, char *buffer, size_t size);

/* What a platform isolates, in some words; and at every start, for whoever relies on it. */
const char *units_isolation(const char *platform);
const char *units_isolation_warning(const char *platform);

/* Any string of bytes as JSON: a string if it is UTF-8, else {"hex": "..."}; and back, to be freed,
 * or NULL. */
json_t *units_bytes_to_json(const char *bytes);
char *units_bytes_from_json(const json_t *value);
/* The same of bytes that may contain NUL; what comes back has a NUL behind it. */
json_t *units_any_bytes_to_json(const char *bytes, size_t length);
char *units_any_bytes_from_json(const json_t *value, size_t *out_length);
