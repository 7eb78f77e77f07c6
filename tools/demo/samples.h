/* SPDX-License-Identifier: Apache-2.0 */
/* What the client lived through: when each request was answered and how long it took. */
#pragma once

#include <jansson.h>
#include <stdint.h>

struct samples {
    uint64_t begin_ns;          /* CLOCK_MONOTONIC; everything below counts from here */
    uint64_t begin_realtime_ns; /* CLOCK_REALTIME of the same moment */
    uint64_t count, capacity;
    struct sample {
        uint32_t at_us, latency_us;
    } * sample; /* ordered by at_us */
};

/* 0 or -1: no memory.  capacity requests are kept; more end the program with a message. */
int samples_create(struct samples *s, uint64_t capacity);
void samples_add(struct samples *s, uint64_t now_ns, uint64_t latency_ns);
/* Members: start_realtime_ns, bin_ms, bins ([answers, median us, longest us] each), requests,
 * p50_us, p99_us, max_latency_us, max_latency_at_ms, silences_us ([at, length] of the longer times
 * without any answer). */
json_t *samples_to_json(struct samples *s);
void samples_free(struct samples *s);

uint64_t clock_now_ns(int clock_id);
