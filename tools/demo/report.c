/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report --out FILE --dir DIR MODE...
 * Reads MODE.move.json (optmig migrate --json), MODE.load.json (the client) and MODE.check.json
 * (tools/demo/run) from DIR; prints the table and writes the page.
 */
#include "tools/demo/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

double move_number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

const char *text_ms(double ms, char out[TEXT_SIZE])
{
    if (ms >= 1000)
        snprintf(out, TEXT_SIZE, "%.2f s", ms / 1000);
    else
        snprintf(out, TEXT_SIZE, ms >= 100 ? "%.0f ms" : "%.1f ms", ms);
    return out;
}

const char *text_bytes(double bytes, char out[TEXT_SIZE])
{
    if (bytes >= 1 << 30)
        snprintf(out, TEXT_SIZE, "%.2f GiB", bytes / (1 << 30));
    else
        snprintf(out, TEXT_SIZE, "%.1f MiB", bytes / (1 << 20));
    return out;
}

const char *text_count(double count, char out[TEXT_SIZE])
{
    char plain[TEXT_SIZE / 2];
    int length = snprintf(plain, sizeof(plain), "%.0f", count), at = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = plain[i];
    }
    out[at] = 0;
    return out;
}

static json_t *read_object(const char *dir, const char *mode, const char *kind)
{
    char path[4096];
    json_error_t error;
    snprintf(path, sizeof(path), "%s/%s.%s.json", dir, mode, kind);
    json_t *object = json_load_file(path, 0, &error);
    if (!object || !json_is_object(object)) {
        fprintf(stderr, "report: %s: %s\n", path, object ? "not an object" : error.text);
        exit(1);
    }
    return object;
}

static double realtime(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? strtod(text, NULL) : move_number(object, key);
}

static void read_bins(struct move *move)
{
    const json_t *bins = json_object_get(move->load, "bins");
    move->bin_count = (unsigned)json_array_size(bins);
    move->bins = calloc(move->bin_count + 1, sizeof(*move->bins));
    if (!move->bins || !move->bin_count) {
        fprintf(stderr, "report: the client has seen nothing\n");
        exit(1);
    }
    for (unsigned i = 0; i < move->bin_count; i++) {
        const json_t *bin = json_array_get(bins, i);
        move->bins[i] = (struct bin){
            .answers = json_number_value(json_array_get(bin, 0)),
            .median_ms = json_number_value(json_array_get(bin, 1)) / 1000,
            .longest_ms = json_number_value(json_array_get(bin, 2)) / 1000,
        };
    }
}

/* Answers that the move delayed may come a little after its end. */
static void find_longest(struct move *move)
{
    static const double AFTER_s = 0.25;
    const json_t *silences = json_object_get(move->load, "silences_us"), *silence;
    double end_s = fmax(move->complete_s, move->resume_s) + AFTER_s;
    size_t i;
    json_array_foreach(silences, i, silence)
    {
        double at_s = move->bins_begin_s + json_number_value(json_array_get(silence, 0)) / 1e6;
        double length_ms = json_number_value(json_array_get(silence, 1)) / 1000;
        if (at_s + length_ms / 1000 > 0 && at_s < end_s)
            move->silence_ms = fmax(move->silence_ms, length_ms);
    }
    for (unsigned b = 0; b < move->bin_count; b++) {
        double at_s = move->bins_begin_s + b * move->bin_s;
        if (at_s + move->bin_s > 0 && at_s < end_s)
            move->latency_ms = fmax(move->latency_ms, move->bins[b].longest_ms);
    }
}

static void read_move(struct move *move, const char *dir, const char *mode)
{
    *move = (struct move){.mode = mode, .reduction = -1};
    move->report = read_object(dir, mode, "move");
    move->load = read_object(dir, mode, "load");
    move->check = read_object(dir, mode, "check");
    move->digest = json_string_value(json_object_get(move->check, "digest"));
    if (!move->digest)
        move->digest = "";
    double begin_ns = realtime(move->check, "begin_realtime_ns");
    move->bin_s = move_number(move->load, "bin_ms") / 1000;
    move->bins_begin_s = (realtime(move->load, "start_realtime_ns") - begin_ns) / 1e9;
    move->stop_s = (realtime(move->report, "stop_realtime_ns") - begin_ns) / 1e9;
    move->resume_s = (realtime(move->report, "resume_realtime_ns") - begin_ns) / 1e9;
    move->precopy_s = move->stop_s - move_number(move->report, "precopy_ms") / 1000;
    move->complete_s = move->resume_s + move_number(move->report, "postcopy_ms") / 1000;
    read_bins(move);
    find_longest(move);
}

static void find_reductions(struct demo *demo)
{
    double stopcopy_ms = 0;
    for (unsigned i = 0; i < demo->count; i++)
        if (!strcmp(demo->move[i].mode, "stopcopy"))
            stopcopy_ms = move_number(demo->move[i].report, "downtime_ms");
    for (unsigned i = 0; i < demo->count && stopcopy_ms > 0; i++)
        if (strcmp(demo->move[i].mode, "stopcopy"))
            demo->move[i].reduction =
                100 * (1 - move_number(demo->move[i].report, "downtime_ms") / stopcopy_ms);
}

static void print_table(const struct demo *demo)
{
    printf("\n%-9s %10s %10s %10s %7s %11s %10s %10s | %9s %9s\n", "mode", "footprint", "downtime",
           "total", "rounds", "sent", "post-copy", "less than", "client's", "longest");
    printf("%-9s %10s %10s %10s %7s %11s %10s %10s | %9s %9s\n", "", "", "", "time", "", "",
           "pages", "stopcopy", "silence", "latency");
    for (unsigned i = 0; i < demo->count; i++) {
        const struct move *m = &demo->move[i];
        char t[7][TEXT_SIZE], reduction[TEXT_SIZE] = "-";
        if (m->reduction >= 0)
            snprintf(reduction, sizeof(reduction), "%.2f %%", m->reduction);
        printf("%-9s %10s %10s %10s %7.0f %11s %10s %10s | %9s %9s\n", m->mode,
               text_bytes(move_number(m->report, "memory_bytes"), t[0]),
               text_ms(move_number(m->report, "downtime_ms"), t[1]),
               text_ms(move_number(m->report, "total_ms"), t[2]), move_number(m->report, "rounds"),
               text_bytes(move_number(m->report, "bytes_sent"), t[3]),
               text_count(move_number(m->report, "postcopy_pages"), t[4]), reduction,
               text_ms(m->silence_ms, t[5]), text_ms(m->latency_ms, t[6]));
    }
    printf("\n");
}

static void demo_free(struct demo *demo)
{
    for (unsigned i = 0; i < demo->count; i++) {
        json_decref(demo->move[i].report);
        json_decref(demo->move[i].load);
        json_decref(demo->move[i].check);
        free(demo->move[i].bins);
    }
}

int main(int argc, char **argv)
{
    struct demo demo = {0};
    if (argc < 6 || argc > 5 + MOVES_MAX || strcmp(argv[1], "--out") || strcmp(argv[3], "--dir")) {
        fprintf(stderr, "usage: report --out FILE --dir DIR MODE...\n");
        return 2;
    }
    for (int i = 5; i < argc; i++)
        read_move(&demo.move[demo.count++], argv[4], argv[i]);
    find_reductions(&demo);
    print_table(&demo);
    FILE *page = fopen(argv[2], "w");
    if (!page) {
        fprintf(stderr, "report: %s: %s\n", argv[2], strerror(errno));
        return 1;
    }
    page_write(page, &demo);
    demo_free(&demo);
    if (fclose(page)) {
        fprintf(stderr, "report: %s: %s\n", argv[2], strerror(errno));
        return 1;
    }
    return 0;
}
