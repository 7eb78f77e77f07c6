/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the demo's report: report.c (reading, table on the terminal), report_page.c (the
 * HTML page), report_chart.c (its charts). */
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

enum { MOVES_MAX = 4 };

struct bin { /* one bin of the client's time */
    double answers, median_ms, longest_ms;
};

/* One move and what the client saw of it.  Times *_s are seconds from the order to move. */
struct move {
    const char *mode, *digest;
    json_t *report, *load, *check;
    struct bin *bins;
    unsigned bin_count;
    double bin_s, bins_begin_s;
    double precopy_s, stop_s, resume_s,
        complete_s; /* where the phases begin; complete: all pages there */
    double silence_ms,
        latency_ms;   /* the longest of the client from the order to move to all pages there */
    double reduction; /* of downtime against stopcopy, percent; < 0: not known */
};

struct demo {
    struct move move[MOVES_MAX];
    unsigned count;
};

double move_number(const json_t *object, const char *key); /* 0 if it is not there */

/* Text for people. */
enum { TEXT_SIZE = 48 };
const char *text_ms(double ms, char out[TEXT_SIZE]);       /* 4.2 ms, 1.93 s */
const char *text_bytes(double bytes, char out[TEXT_SIZE]); /* 1.04 GiB */
const char *text_count(double count, char out[TEXT_SIZE]); /* 312,345 */

void page_write(FILE *to, const struct demo *demo);

/* report_chart.c: throughput above latency, phases shaded. */
struct chart_window {
    double from_s, to_s;
    double answers_max_per_s;
};
void chart_write(FILE *to, const struct move *move, const struct chart_window *window);
void chart_legend_write(FILE *to);
