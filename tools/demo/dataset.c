/* SPDX-License-Identifier: Apache-2.0 */
/* See dataset.h. */
#include "tools/demo/dataset.h"

#include <stdio.h>
#include <string.h>

uint64_t dataset_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Looks random, so that no compression and no page of zeros makes the move easier. */
static void fill(char *out, size_t length, uint64_t seed)
{
    for (size_t at = 0; at < length; at += sizeof(uint64_t)) {
        uint64_t word = dataset_mix(seed + at);
        size_t left = length - at;
        memcpy(out + at, &word, left < sizeof(word) ? left : sizeof(word));
    }
}

uint64_t dataset_bulk_count(uint64_t mib)
{
    return ((mib << 20) + BULK_VALUE_SIZE - 1) / BULK_VALUE_SIZE;
}

void dataset_bulk_key(uint64_t number, char out_key[KEY_SIZE])
{
    snprintf(out_key, KEY_SIZE, "bulk:%lu", number);
}

void dataset_bulk_value(uint64_t number, char out_value[BULK_VALUE_SIZE])
{
    fill(out_value, BULK_VALUE_SIZE, dataset_mix(number) << 1);
}

void dataset_write_key(unsigned connection, unsigned key, char out_key[KEY_SIZE])
{
    snprintf(out_key, KEY_SIZE, "w:%u:%u", connection, key);
}

void dataset_write_value(unsigned connection, unsigned key, uint32_t sequence,
                         char out_value[WRITE_VALUE_SIZE])
{
    uint64_t name = (uint64_t)connection << 32 | key;
    memcpy(out_value, &sequence, sizeof(sequence));
    fill(out_value + sizeof(sequence), WRITE_VALUE_SIZE - sizeof(sequence),
         dataset_mix(dataset_mix(name) + sequence));
}

bool dataset_write_parse(unsigned connection, unsigned key, const char *value, size_t length,
                         uint32_t *out_sequence)
{
    char expected[WRITE_VALUE_SIZE];
    if (length != WRITE_VALUE_SIZE)
        return false;
    memcpy(out_sequence, value, sizeof(*out_sequence));
    dataset_write_value(connection, key, *out_sequence, expected);
    return !memcmp(value, expected, WRITE_VALUE_SIZE);
}
