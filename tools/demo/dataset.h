/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in the demo's Redis.  Every value can be computed from its name, so any value that is
 * read can be checked to the byte without keeping a copy.
 *
 *   database 0   bulk:N      written once, read all the time, the better part of the memory
 *   database 1   w:C:K       written all the time by connection C; the value says which write it is
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BULK_VALUE_SIZE = 4090, /* with Redis's header just one allocation of 4096 */
    WRITE_VALUE_SIZE = 504,
    KEY_SIZE = 32,
};

uint64_t dataset_mix(uint64_t x); /* splitmix64 */

uint64_t dataset_bulk_count(uint64_t mib);
void dataset_bulk_key(uint64_t number, char out_key[KEY_SIZE]);
void dataset_bulk_value(uint64_t number, char out_value[BULK_VALUE_SIZE]);

void dataset_write_key(unsigned connection, unsigned key, char out_key[KEY_SIZE]);
void dataset_write_value(unsigned connection, unsigned key, uint32_t sequence,
                         char out_value[WRITE_VALUE_SIZE]);
/* Which write of that key this value is; false: it is none. */
bool dataset_write_parse(unsigned connection, unsigned key, const char *value, size_t length,
                         uint32_t *out_sequence);
