/* SPDX-License-Identifier: Apache-2.0 */
/* The page: everything in one file, no script, no resource from anywhere. */
#include <math.h>
#include <string.h>

#include "tools/demo/report.h"

static const char STYLE[] =
    ":root{color-scheme:light "
    "dark;--page:#f7f7f5;--card:#fff;--text:#1b1e23;--soft:#5b626d;--line:#dcdedf;"
    "--throughput:#3a6ea5;--longest:#b3bcc7;--median:#1b1e23;--precopy:#3a8fd9;--switchover:#"
    "d7263d;"
    "--postcopy:#e0a100;--good:#1c7c4a}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#14171b;--card:#1c2026;--text:#e8eaed;--soft:#"
    "9aa3ae;"
    "--line:#30363e;--throughput:#6ea8dc;--longest:#4d5763;--median:#e8eaed;--precopy:#4a9fe8;"
    "--switchover:#ff5468;--postcopy:#e8b83a;--good:#5ec98f}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--text);"
    "font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif}\n"
    "main{max-width:1120px;margin:0 auto;padding:40px 20px 64px}\n"
    "h1{font-size:30px;line-height:1.2;margin:0 0 8px}h2{font-size:20px;margin:0 0 4px}"
    "h3{font-size:15px;margin:20px 0 0}p{margin:0 0 12px}.soft{color:var(--soft)}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(220px,1fr));gap:14px;margin:"
    "26px 0}\n"
    ".tile,.card{background:var(--card);border:1px solid var(--line);border-radius:10px}\n"
    ".tile{padding:16px 18px}.tile b{display:block;font-size:32px;line-height:1.15;"
    "font-variant-numeric:tabular-nums}.tile "
    "span{color:var(--soft);font-size:14px}.good{color:var(--good)}\n"
    ".card{padding:20px;margin:0 0 20px;overflow-x:auto}\n"
    "svg{display:block;width:100%;min-width:640px;height:auto;margin-top:8px}\n"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}"
    "th,td{padding:7px 8px;text-align:right;border-bottom:1px solid "
    "var(--line);white-space:nowrap}"
    "th{color:var(--soft);font-weight:600;vertical-align:bottom}th:first-child,td:first-child{text-"
    "align:left}"
    "tr:last-child td{border-bottom:0}\n"
    ".grid{stroke:var(--line);stroke-width:1}.tick,.axis,.phase-label{fill:var(--soft);font-size:"
    "11.5px}"
    ".axis,.tick.peak{font-weight:600;paint-order:stroke;stroke:var(--card);stroke-width:4px;"
    "stroke-linejoin:round}.phase-label{fill:var(--text)}\n"
    ".throughput{fill:var(--throughput);fill-opacity:.75}.longest{fill:var(--longest)}"
    ".median{fill:none;stroke:var(--median);stroke-width:1.4}\n"
    ".phase{fill-opacity:.16}.phase.precopy{fill:var(--precopy)}.phase.switchover{fill:var(--"
    "switchover);"
    "fill-opacity:.45}.phase.postcopy{fill:var(--postcopy);fill-opacity:.24}\n"
    ".tip{fill:transparent}.tip:hover{fill:var(--text);fill-opacity:.12}\n"
    ".legend{font-size:13.5px;color:var(--soft);margin:0 0 20px}.legend "
    "span{margin-right:18px;white-space:nowrap}"
    ".legend i{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:6px;"
    "vertical-align:-1px}.k-throughput{background:var(--throughput)}.k-longest{background:var(--"
    "longest)}"
    ".k-median{height:3px!important;vertical-align:3px!important;background:var(--median)}\n"
    ".k-precopy{background:var(--precopy);opacity:.4}.k-switchover{background:var(--switchover);"
    "opacity:.7}"
    ".k-postcopy{background:var(--postcopy);opacity:.5}\n"
    "code{font-family:ui-monospace,\"DejaVu Sans Mono\",monospace;font-size:.9em}"
    "li{margin-bottom:4px}ul{margin:0;padding-left:20px}\n";

static const struct move *find(const struct demo *demo, const char *mode)
{
    for (unsigned i = 0; i < demo->count; i++)
        if (!strcmp(demo->move[i].mode, mode))
            return &demo->move[i];
    return NULL;
}

static double total(const struct demo *demo, const char *key)
{
    double sum = 0;
    for (unsigned i = 0; i < demo->count; i++)
        sum += move_number(demo->move[i].load, key);
    return sum;
}

static void write_tile(FILE *to, const char *number, const char *text, const char *class_name)
{
    fprintf(to, "<div class=\"tile\"><b class=\"%s\">%s</b><span>%s</span></div>\n", class_name,
            number, text);
}

static void write_tiles(FILE *to, const struct demo *demo)
{
    char number[TEXT_SIZE], text[2 * TEXT_SIZE];
    const struct move *hybrid = find(demo, "hybrid"), *stopcopy = find(demo, "stopcopy");
    fprintf(to, "<div class=\"tiles\">\n");
    if (hybrid)
        write_tile(to, text_ms(move_number(hybrid->report, "downtime_ms"), number),
                   "downtime of the program, moved live (hybrid)", "good");
    if (stopcopy)
        write_tile(to, text_ms(move_number(stopcopy->report, "downtime_ms"), number),
                   "downtime when stopped, copied, started (stopcopy)", "");
    if (hybrid && hybrid->reduction >= 0) {
        snprintf(number, sizeof(number), "%.2f %%", hybrid->reduction);
        write_tile(to, number, "less downtime than stop-and-copy", "good");
    }
    snprintf(text, sizeof(text), "of %s acknowledged writes lost",
             text_count(total(demo, "writes_acknowledged"), number));
    text_count(total(demo, "wrong"), number);
    write_tile(to, number, text, strcmp(number, "0") ? "" : "good");
    fprintf(to, "</div>\n");
}

static void write_table(FILE *to, const struct demo *demo)
{
    fprintf(to,
            "<section class=\"card\"><h2>The "
            "moves</h2><table><thead><tr><th>mode</th><th>footprint</th>"
            "<th>downtime</th><th>total "
            "time</th><th>rounds</th><th>sent</th><th>post-copy<br>pages</th>"
            "<th>less than<br>stopcopy</th><th>client&rsquo;s<br>silence</th><th>client&rsquo;s "
            "longest<br>"
            "latency</th><th>connections<br>reset</th></tr></thead><tbody>\n");
    for (unsigned i = 0; i < demo->count; i++) {
        const struct move *m = &demo->move[i];
        char t[8][TEXT_SIZE], reduction[TEXT_SIZE] = "&ndash;";
        if (m->reduction >= 0)
            snprintf(reduction, sizeof(reduction), "%.2f %%", m->reduction);
        fprintf(
            to,
            "<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%.0f</td><td>%s</td><td>%s</td>"
            "<td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n",
            m->mode, text_bytes(move_number(m->report, "memory_bytes"), t[0]),
            text_ms(move_number(m->report, "downtime_ms"), t[1]),
            text_ms(move_number(m->report, "total_ms"), t[2]), move_number(m->report, "rounds"),
            text_bytes(move_number(m->report, "bytes_sent"), t[3]),
            text_count(move_number(m->report, "postcopy_pages"), t[4]), reduction,
            text_ms(m->silence_ms, t[5]), text_ms(m->latency_ms, t[6]),
            text_count(move_number(m->load, "reconnects"), t[7]));
    }
    fprintf(to, "</tbody></table></section>\n");
}

static void write_parts(FILE *to, const struct demo *demo)
{
    static const char *const parts[] = {"stop", "capture", "transfer", "commit", "resume"};
    fprintf(to, "<section class=\"card\"><h2>What the downtime is made "
                "of</h2><table><thead><tr><th>mode</th>");
    for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++)
        fprintf(to, "<th>%s</th>", parts[p]);
    fprintf(to, "<th>in all</th></tr></thead><tbody>\n");
    for (unsigned i = 0; i < demo->count; i++) {
        char key[TEXT_SIZE], text[TEXT_SIZE];
        fprintf(to, "<tr><td>%s</td>", demo->move[i].mode);
        for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
            snprintf(key, sizeof(key), "%s_ms", parts[p]);
            fprintf(to, "<td>%.2f ms</td>", move_number(demo->move[i].report, key));
        }
        fprintf(to, "<td>%s</td></tr>\n",
                text_ms(move_number(demo->move[i].report, "downtime_ms"), text));
    }
    fprintf(to, "</tbody></table></section>\n");
}

/* The next number with one or two round digits, for the end of an axis. */
static double round_up(double value)
{
    static const double digits[] = {1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10};
    double step = pow(10, floor(log10(fmax(value, 1))));
    size_t i = 0;
    while (i + 1 < sizeof(digits) / sizeof(digits[0]) && digits[i] * step < value)
        i++;
    return digits[i] * step;
}

/* Room for a bit more than the steady rate; the burst after a long pause may be cut off. */
static double axis_per_s(const struct move *m, double peak)
{
    double steady = move_number(m->load, "rate");
    return round_up(fmax(fmin(peak, 2 * steady), steady));
}

static double peak_per_s(const struct move *m, const struct chart_window *w)
{
    double peak = 0;
    for (unsigned i = 0; i < m->bin_count; i++) {
        double at = m->bins_begin_s + i * m->bin_s;
        if (at >= w->from_s && at < w->to_s)
            peak = fmax(peak, m->bins[i].answers / m->bin_s);
    }
    return peak;
}

static void write_move(FILE *to, const struct move *m, const struct chart_window *window)
{
    static const char *const says[][2] = {
        {"hybrid", "Memory is copied while Redis runs; what it keeps writing is listed, and "
                   "fetched after the "
                   "switchover. Nothing in the switchover depends on the size of the memory."},
        {"stopcopy", "The baseline: Redis stops, all of its memory is copied, and it starts again. "
                     "The same code, "
                     "the same sealing, the same network."},
        {"precopy",
         "Memory is copied in rounds while Redis runs; the rest of it while it is stopped."},
        {"postcopy", "Redis is moved first; its memory follows, by need and in the background."},
    };
    fprintf(to, "<section class=\"card\"><h2>%s</h2>", m->mode);
    for (size_t i = 0; i < sizeof(says) / sizeof(says[0]); i++)
        if (!strcmp(says[i][0], m->mode))
            fprintf(to, "<p class=\"soft\">%s</p>", says[i][1]);
    chart_write(to, m, window);
    /* A closer look, where the switchover is but a line in the whole. */
    double downtime_s = m->resume_s - m->stop_s;
    if (downtime_s < (window->to_s - window->from_s) / 20) {
        double margin = fmax(0.15, 3 * downtime_s);
        struct chart_window close = {.from_s = m->stop_s - margin,
                                     .to_s = m->resume_s + 2 * margin};
        close.answers_max_per_s = window->answers_max_per_s;
        fprintf(to, "<h3>Around the switchover</h3>");
        chart_write(to, m, &close);
    }
    fprintf(to, "</section>\n");
}

static void write_checks(FILE *to, const struct demo *demo)
{
    fprintf(to, "<section class=\"card\"><h2>What was checked</h2><ul>\n");
    for (unsigned i = 0; i < demo->count; i++) {
        const struct move *m = &demo->move[i];
        char t[3][TEXT_SIZE];
        fprintf(to,
                "<li><b>%s</b>: Redis's own <code>DEBUG DIGEST</code> of the whole data set is the "
                "same after the "
                "move as before: <code>%s</code>. All %s writes that were acknowledged were there: "
                "each write's "
                "answer is the value it replaced, and in the end %s keys were read back. %s values "
                "that were "
                "read during the run were compared to the byte.</li>\n",
                m->mode, m->digest, text_count(move_number(m->load, "writes_acknowledged"), t[0]),
                text_count(move_number(m->load, "keys_read_back"), t[1]),
                text_count(move_number(m->load, "reads_checked"), t[2]));
    }
    fprintf(to, "</ul></section>\n<p class=\"soft\">Requests fall due at a steady rate, and "
                "latency counts from when a "
                "request was due; so a pause is seen by every request that it delays. Established "
                "connections are "
                "reset by a move; the client reconnects and sends what was not answered again. "
                "Both hosts are on "
                "this machine, and share its processors with client and server. Platform "
                "<code>sim</code> has the "
                "structure of an enclave and isolates nothing.</p>\n");
}

void page_write(FILE *to, const struct demo *demo)
{
    struct chart_window window = {.from_s = -1.8};
    double peak = 0;
    char count[TEXT_SIZE], bytes[TEXT_SIZE];
    const json_t *load = demo->move[0].load;
    for (unsigned i = 0; i < demo->count; i++)
        window.to_s =
            fmax(window.to_s, fmax(demo->move[i].complete_s, demo->move[i].resume_s) + 1.8);
    for (unsigned i = 0; i < demo->count; i++)
        peak = fmax(peak, peak_per_s(&demo->move[i], &window));
    window.answers_max_per_s = axis_per_s(&demo->move[0], peak);

    fprintf(
        to,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
        "<title>OptMig: a loaded Redis, moved live</title><style>%s</style></head><body><main>\n",
        STYLE);
    fprintf(to,
            "<h1>A loaded Redis, moved live</h1><p class=\"soft\">Debian's redis-server, "
            "unmodified, with %s "
            "of memory and %s requests a second over %.0f connections, was moved from host alpha "
            "to host "
            "beta.</p>\n",
            text_bytes(move_number(demo->move[0].report, "memory_bytes"), bytes),
            text_count(move_number(load, "rate"), count), move_number(load, "connections"));
    write_tiles(to, demo);
    chart_legend_write(to);
    for (unsigned i = 0; i < demo->count; i++)
        write_move(to, &demo->move[i], &window);
    write_table(to, demo);
    write_parts(to, demo);
    write_checks(to, demo);
    fprintf(to, "</main></body></html>\n");
}
