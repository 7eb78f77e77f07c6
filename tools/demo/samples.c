/* SPDX-License-Identifier: Apache-2.0 */
/* See samples.h. */
#include "tools/demo/samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BIN_ms = 10, BIN_us = BIN_ms * 1000, SILENCE_MIN_us = 2000 };

uint64_t clock_now_ns(int clock_id)
{
    struct timespec now;
    clock_gettime(clock_id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int samples_create(struct samples *s, uint64_t capacity)
{
    *s = (struct samples){.capacity = capacity};
    s->sample = malloc(capacity * sizeof(*s->sample));
    s->begin_ns = clock_now_ns(CLOCK_MONOTONIC);
    s->begin_realtime_ns = clock_now_ns(CLOCK_REALTIME);
    return s->sample ? 0 : -1;
}

void samples_add(struct samples *s, uint64_t now_ns, uint64_t latency_ns)
{
    if (s->count == s->capacity) {
        fprintf(stderr, "load: more than %lu requests: too long a run\n", s->capacity);
        exit(3);
    }
    s->sample[s->count++] = (struct sample){
        .at_us = (uint32_t)((now_ns - s->begin_ns) / 1000),
        .latency_us = (uint32_t)(latency_ns / 1000),
    };
}

static int compare_latency(const void *a, const void *b)
{
    const struct sample *left = a, *right = b;
    return (left->latency_us > right->latency_us) - (left->latency_us < right->latency_us);
}

static void set_integer(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static json_t *silences_to_json(const struct samples *s)
{
    json_t *silences = json_array();
    uint32_t before = 0;
    for (uint64_t i = 0; i < s->count; i++) {
        uint32_t length = s->sample[i].at_us - before;
        if (length >= SILENCE_MIN_us)
            json_array_append_new(silences,
                                  json_pack("[I,I]", (json_int_t)before, (json_int_t)length));
        before = s->sample[i].at_us;
    }
    return silences;
}

static void longest_to_json(const struct samples *s, json_t *object)
{
    struct sample longest = {0};
    for (uint64_t i = 0; i < s->count; i++)
        if (s->sample[i].latency_us > longest.latency_us)
            longest = s->sample[i];
    set_integer(object, "max_latency_us", longest.latency_us);
    set_integer(object, "max_latency_at_ms", longest.at_us / 1000);
}

/* Sorts the samples of each bin by latency; so this comes after all that needs them by time. */
static json_t *bins_to_json(struct samples *s)
{
    json_t *bins = json_array();
    uint64_t next = 0;
    for (uint32_t bin = 0; next < s->count; bin++) {
        uint64_t first = next;
        while (next < s->count && s->sample[next].at_us / BIN_us == bin)
            next++;
        uint64_t count = next - first;
        struct sample median = {0}, longest = {0};
        if (count) {
            qsort(s->sample + first, count, sizeof(*s->sample), compare_latency);
            median = s->sample[first + count / 2];
            longest = s->sample[next - 1];
        }
        json_array_append_new(bins,
                              json_pack("[I,I,I]", (json_int_t)count, (json_int_t)median.latency_us,
                                        (json_int_t)longest.latency_us));
    }
    return bins;
}

json_t *samples_to_json(struct samples *s)
{
    json_t *object = json_object();
    set_integer(object, "start_realtime_ns", s->begin_realtime_ns);
    set_integer(object, "bin_ms", BIN_ms);
    set_integer(object, "requests", s->count);
    json_object_set_new(object, "silences_us", silences_to_json(s));
    longest_to_json(s, object);
    json_object_set_new(object, "bins", bins_to_json(s));
    if (s->count) {
        qsort(s->sample, s->count, sizeof(*s->sample), compare_latency);
        set_integer(object, "p50_us", s->sample[s->count / 2].latency_us);
        set_integer(object, "p99_us", s->sample[s->count - 1 - s->count / 100].latency_us);
    }
    return object;
}

void samples_free(struct samples *s)
{
    free(s->sample);
    s->sample = NULL;
}
