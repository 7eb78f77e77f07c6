/* SPDX-License-Identifier: Apache-2.0 */
/* One chart as inline SVG.  Colours are CSS classes of the page, so light and dark are its
 * business. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "tools/demo/report.h"

enum {
    WIDTH = 1040,
    LEFT = 64,
    RIGHT = 1030,
    THROUGHPUT_TOP = 34,
    THROUGHPUT_BOTTOM = 154,
    LATENCY_TOP = 178,
    LATENCY_BOTTOM = 298,
    HEIGHT = 330,
    POINTS_MAX = 900,
    TICKS_MAX = 14,
    LABEL_WIDTH = 130,
    PEAK_WIDTH = 150,
};
static const double LATENCY_LOW_ms = 0.1;
static const double LATENCY_HIGH_ms = 10000;

struct chart {
    FILE *to;
    const struct move *move;
    const struct chart_window *window;
    unsigned first, end, group; /* bins shown; how many make one point */
};

static double x_of(const struct chart *c, double s)
{
    const struct chart_window *w = c->window;
    double share = (s - w->from_s) / (w->to_s - w->from_s);
    return LEFT + fmin(fmax(share, 0), 1) * (RIGHT - LEFT);
}

static double y_of_answers(const struct chart *c, double per_s)
{
    double share = fmin(per_s / c->window->answers_max_per_s, 1);
    return THROUGHPUT_BOTTOM - share * (THROUGHPUT_BOTTOM - THROUGHPUT_TOP);
}

static double y_of_latency(double ms)
{
    double share =
        log10(fmax(ms, LATENCY_LOW_ms) / LATENCY_LOW_ms) / log10(LATENCY_HIGH_ms / LATENCY_LOW_ms);
    return LATENCY_BOTTOM - fmin(share, 1) * (LATENCY_BOTTOM - LATENCY_TOP);
}

/* Several bins as one: answers a second, the median of the middle one, the longest of all. */
static struct bin point_at(const struct chart *c, unsigned first)
{
    struct bin point = {0};
    unsigned end = first + c->group < c->end ? first + c->group : c->end;
    for (unsigned i = first; i < end; i++) {
        const struct bin *bin = &c->move->bins[i];
        point.answers += bin->answers;
        point.median_ms =
            bin->answers > 0 ? fmax(point.median_ms, bin->median_ms) : point.median_ms;
        point.longest_ms = fmax(point.longest_ms, bin->longest_ms);
    }
    point.answers /= (end - first) * c->move->bin_s;
    return point;
}

static double time_of(const struct chart *c, unsigned bin)
{
    return c->move->bins_begin_s + bin * c->move->bin_s;
}

static void write_phase(const struct chart *c, const char *name, const char *label, double from_s,
                        double to_s, double label_y)
{
    char length[TEXT_SIZE];
    double range = c->window->to_s - c->window->from_s;
    if (to_s <= c->window->from_s || from_s >= c->window->to_s || to_s <= from_s)
        return;
    if (to_s - from_s < range / 1000 && strcmp(name, "switchover"))
        return; /* a moment, as the post-copy of stopcopy: nothing to be seen */
    double x = x_of(c, from_s), width = fmax(x_of(c, to_s) - x, 2.5);
    text_ms((to_s - from_s) * 1000, length);
    fprintf(c->to,
            "<rect class=\"phase %s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\">"
            "<title>%s: %s</title></rect>\n",
            name, x, THROUGHPUT_TOP, width, LATENCY_BOTTOM - THROUGHPUT_TOP, label, length);
    /* Left of its border if there is no room: the next label begins there. */
    bool before = !strcmp(name, "precopy") && width < LABEL_WIDTH;
    fprintf(c->to,
            "<text class=\"phase-label\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s %s</text>\n",
            before ? x + width - 4 : fmin(x, RIGHT - LABEL_WIDTH), label_y,
            before ? "end" : "start", label, length);
}

static void write_phases(const struct chart *c)
{
    const struct move *m = c->move;
    write_phase(c, "precopy", "pre-copy", m->precopy_s, m->stop_s, 26);
    write_phase(c, "postcopy", "post-copy", m->resume_s, m->complete_s, 26);
    write_phase(c, "switchover", "switchover", m->stop_s, m->resume_s, 11);
}

/* 1, 2 or 5 times a power of ten, so that no more than TICKS_MAX of them fit. */
static double tick_step(double range)
{
    double step = pow(10, floor(log10(range / TICKS_MAX)));
    while (range / step > TICKS_MAX)
        step *= range / step > 5 * TICKS_MAX ? 10 : range / step > 2 * TICKS_MAX ? 5 : 2;
    return step;
}

static void write_time_axis(const struct chart *c)
{
    const struct chart_window *w = c->window;
    double range = w->to_s - w->from_s, step = tick_step(range);
    for (double turn = ceil(w->from_s / step); turn * step <= w->to_s; turn++) {
        double s = turn * step + 0.0; /* no minus before 0 */
        double x = x_of(c, s);
        fprintf(c->to, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>\n", x, x,
                THROUGHPUT_TOP, LATENCY_BOTTOM);
        fprintf(c->to, "<text class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">", x,
                LATENCY_BOTTOM + 16);
        if (range > 5)
            fprintf(c->to, "%.0f s</text>\n", s);
        else if (step >= 0.1)
            fprintf(c->to, "%.1f s</text>\n", s);
        else
            fprintf(c->to, "%.2f s</text>\n", s);
    }
}

static void write_value_axes(const struct chart *c)
{
    char text[TEXT_SIZE];
    for (int i = 0; i <= 2; i++) {
        double value = c->window->answers_max_per_s * i / 2, y = y_of_answers(c, value);
        fprintf(c->to, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT,
                RIGHT, y, y);
        fprintf(c->to, "<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                LEFT - 6, y + 4, text_count(value, text));
    }
    for (double ms = LATENCY_LOW_ms; ms <= LATENCY_HIGH_ms * 1.01; ms *= 10) {
        double y = y_of_latency(ms);
        fprintf(c->to, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT,
                RIGHT, y, y);
        fprintf(c->to, "<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">", LEFT - 6,
                y + 4);
        if (ms < 1000)
            fprintf(c->to, "%g ms</text>\n", ms);
        else
            fprintf(c->to, "%g s</text>\n", ms / 1000);
    }
}

/* As steps: a bin is a stretch of time, and a bin without any answer is to be seen as one. */
static void write_throughput(const struct chart *c)
{
    fprintf(c->to, "<path class=\"throughput\" d=\"M%.1f %d", x_of(c, time_of(c, c->first)),
            THROUGHPUT_BOTTOM);
    for (unsigned i = c->first; i < c->end; i += c->group)
        fprintf(c->to, "V%.1fH%.1f", y_of_answers(c, point_at(c, i).answers),
                x_of(c, time_of(c, i + c->group)));
    fprintf(c->to, "V%dZ\"/>\n", THROUGHPUT_BOTTOM);
}

/* Says how high the highest point is, if it does not fit. */
static void write_peak(const struct chart *c)
{
    char text[TEXT_SIZE];
    double peak = 0, at_s = 0;
    for (unsigned i = c->first; i < c->end; i += c->group) {
        double answers = point_at(c, i).answers;
        if (answers > peak) {
            peak = answers;
            at_s = time_of(c, i + c->group);
        }
    }
    if (peak > c->window->answers_max_per_s * 1.001)
        fprintf(c->to,
                "<text class=\"tick peak\" x=\"%.1f\" y=\"%d\">&uarr; catching up: %s</text>\n",
                fmin(fmax(x_of(c, at_s) + 5, LEFT + LABEL_WIDTH), RIGHT - PEAK_WIDTH),
                THROUGHPUT_TOP + 14, text_count(peak, text));
}

static void write_latency(const struct chart *c)
{
    fprintf(c->to, "<path class=\"longest\" d=\"M%.1f %d", x_of(c, time_of(c, c->first)),
            LATENCY_BOTTOM);
    for (unsigned i = c->first; i < c->end; i += c->group)
        fprintf(c->to, "V%.1fH%.1f", y_of_latency(point_at(c, i).longest_ms),
                x_of(c, time_of(c, i + c->group)));
    fprintf(c->to, "V%dZ\"/>\n<path class=\"median\" d=\"", LATENCY_BOTTOM);
    bool pen_down = false;
    for (unsigned i = c->first; i < c->end; i += c->group) {
        struct bin point = point_at(c, i);
        if (point.answers > 0)
            fprintf(c->to, "%c%.1f %.1f", pen_down ? 'L' : 'M',
                    x_of(c, time_of(c, i) + c->group * c->move->bin_s / 2),
                    y_of_latency(point.median_ms));
        pen_down = point.answers > 0;
    }
    fprintf(c->to, "\"/>\n");
}

/* What the pointer shows over each point. */
static void write_tips(const struct chart *c)
{
    for (unsigned i = c->first; i < c->end; i += c->group) {
        struct bin point = point_at(c, i);
        char answers[TEXT_SIZE], median[TEXT_SIZE], longest[TEXT_SIZE];
        double x = x_of(c, time_of(c, i));
        fprintf(c->to,
                "<rect class=\"tip\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"><title>"
                "%.2f s: %s answers/s, latency: median %s, longest %s</title></rect>\n",
                x, THROUGHPUT_TOP, x_of(c, time_of(c, i + c->group)) - x,
                LATENCY_BOTTOM - THROUGHPUT_TOP, time_of(c, i), text_count(point.answers, answers),
                text_ms(point.median_ms, median), text_ms(point.longest_ms, longest));
    }
}

static void write_axis_names(const struct chart *c)
{
    fprintf(c->to,
            "<text class=\"axis\" x=\"%d\" y=\"%d\">answers a second</text>"
            "<text class=\"axis\" x=\"%d\" y=\"%d\">latency</text>\n",
            LEFT + 6, THROUGHPUT_TOP + 14, LEFT + 6, LATENCY_TOP + 14);
}

void chart_write(FILE *to, const struct move *move, const struct chart_window *window)
{
    struct chart c = {.to = to, .move = move, .window = window};
    double first = floor((window->from_s - move->bins_begin_s) / move->bin_s);
    double end = ceil((window->to_s - move->bins_begin_s) / move->bin_s);
    c.first = first > 0 ? (unsigned)first : 0;
    c.end = end < move->bin_count ? (unsigned)end : move->bin_count;
    if (c.first >= c.end)
        return;
    c.group = (c.end - c.first + POINTS_MAX - 1) / POINTS_MAX;
    fprintf(
        to,
        "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Throughput and latency of the client "
        "during the %s move\">\n",
        WIDTH, HEIGHT, move->mode);
    write_time_axis(&c);
    write_value_axes(&c);
    write_throughput(&c);
    write_latency(&c);
    write_phases(&c);
    write_peak(&c);
    write_axis_names(&c);
    write_tips(&c);
    fprintf(to, "</svg>\n");
}

void chart_legend_write(FILE *to)
{
    static const struct {
        const char *class_name, *text;
    } entries[] = {
        {"k-throughput", "answers a second"},
        {"k-longest", "longest latency"},
        {"k-median", "median latency"},
        {"k-precopy", "pre-copy: the program runs at the source"},
        {"k-switchover", "switchover: the program stands still"},
        {"k-postcopy", "post-copy: the program runs at the destination"},
    };
    fprintf(to, "<p class=\"legend\">");
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
        fprintf(to, "<span><i class=\"%s\"></i>%s</span>\n", entries[i].class_name,
                entries[i].text);
    fprintf(to, "</p>\n");
}
