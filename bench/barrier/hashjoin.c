/* SPDX-License-Identifier: Apache-2.0 */
/* A hash join: rows are partitioned, a chained table is built of one side, the other one probes it,
 * matches are written. */
#include "input.h"

enum { BUILD = 600000, PROBE = 1500000, BUCKETS = 1 << 19, PARTS = 64 };

struct row {
    uint64_t key, payload;
};
struct entry {
    struct entry *next;
    struct row row;
};

static void make(struct row *rows, long count)
{
    for (long i = 0; i < count; i++)
        rows[i] = (struct row){input_next() % (BUILD * 2), (uint64_t)i};
}

static void partition(const struct row *rows, long count, struct row *out)
{
    long begins[PARTS] = {0}, sum = 0;

    for (long i = 0; i < count; i++)
        begins[rows[i].key % PARTS]++;
    for (int i = 0; i < PARTS; i++) {
        long own = begins[i];

        begins[i] = sum;
        sum += own;
    }
    for (long i = 0; i < count; i++)
        out[begins[rows[i].key % PARTS]++] = rows[i];
}

static uint64_t bucket(uint64_t key)
{
    return key * 0x9E3779B97F4A7C15ULL >> 45;
}

int main(void)
{
    struct row *left = input_memory(BUILD, sizeof(*left)),
               *right = input_memory(PROBE, sizeof(*right));
    struct row *left_parts = input_memory(BUILD, sizeof(*left)),
               *right_parts = input_memory(PROBE, sizeof(*right));
    struct row *out = input_memory(PROBE * 4, sizeof(*out));
    struct entry **table = input_memory(BUCKETS, sizeof(*table)),
                 *entries = input_memory(BUILD, sizeof(*entries));
    uint64_t hash = 0;

    make(left, BUILD);
    make(right, PROBE);
    for (int turn = 0; turn < 10; turn++) {
        long matches = 0;

        partition(left, BUILD, left_parts);
        partition(right, PROBE, right_parts);
        for (long i = 0; i < BUCKETS; i++)
            table[i] = NULL;
        for (long i = 0; i < BUILD; i++) {
            struct entry **head = &table[bucket(left_parts[i].key)];

            entries[i] = (struct entry){*head, left_parts[i]};
            *head = &entries[i];
        }
        for (long i = 0; i < PROBE; i++)
            for (struct entry *entry = table[bucket(right_parts[i].key)]; entry;
                 entry = entry->next)
                if (entry->row.key == right_parts[i].key && matches < PROBE * 4)
                    out[matches++] = (struct row){entry->row.payload, right_parts[i].payload};
        for (long i = 0; i < matches; i += 101)
            hash = hash * 31 + out[i].key * 7 + out[i].payload;
    }
    printf("%016lx\n", hash);
    return 0;
}
