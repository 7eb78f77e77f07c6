/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program that is moved.  An ordinary program: it has memory, perhaps a thread that writes to
 * it, and a thread that reads CLOCK_REALTIME in a loop and notes each gap.  So it says itself how
 * long it stood still.
 *
 *   victim dir=DIR mib=N [share=PERCENT] [spread=1] [rate=PAGES/S] [pace_us=N] [huge=1]
 *
 * share: the writer's working set; 0, no writer.  It rewrites whole pages of it, picked at random,
 * with new random bytes, as fast as it can or at `rate`.  The set is the first pages, or with
 * spread one page in each stretch. pace_us: the clock reader sleeps so long between readings (an
 * idle program should not keep a processor busy).
 *
 * DIR/ready appears when it runs.  DIR/order.N asks for DIR/answer.N, what was seen since the last
 * answer; DIR/stop for DIR/end: a check of all memory.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    PAGE_WORDS = PAGE / 8,
    GAPS_MAX = 1 << 17,
    GAP_MIN_ns = 100000,
    BIN_ms = 100,
    BINS_MAX = 72000, /* two hours */
    POLL_ms = 10,
};

struct gap {
    uint64_t start_ns, length_ns;
};

/* One thread adds, main reads what is complete.  When it is full the oldest are overwritten. */
struct gap_log {
    _Atomic uint64_t count;
    uint64_t told; /* main's: the next to be reported */
    struct gap gap[GAPS_MAX];
};

static struct {
    const char *dir;
    uint64_t mib, share, spread, rate, pace_us, huge;
} g_options;

static uint64_t *g_memory;
static uint64_t g_pages, g_set_pages, g_begin_ns;
static struct gap_log g_meter, g_writer;
static _Atomic uint64_t g_writes;
static _Atomic uint32_t g_bins[BINS_MAX]; /* pages written in each bin of time */
static uint64_t g_bins_told;
static _Atomic bool g_end;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sleep_ns(uint64_t ns)
{
    struct timespec span = {.tv_sec = (time_t)(ns / 1000000000u),
                            .tv_nsec = (long)(ns % 1000000000u)};
    nanosleep(&span, NULL);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void note_gap(struct gap_log *log, uint64_t start_ns, uint64_t length_ns)
{
    uint64_t count = atomic_load_explicit(&log->count, memory_order_relaxed);
    log->gap[count % GAPS_MAX] = (struct gap){start_ns, length_ns};
    atomic_store_explicit(&log->count, count + 1, memory_order_release);
}

/* ---- memory: word 0 is the page's number, word 1 how often it was written, the rest follows from
 * both ---- */

static void page_write(uint64_t page, uint64_t generation)
{
    uint64_t *word = g_memory + page * PAGE_WORDS;
    uint64_t seed = mix(page * 0x9e3779b97f4a7c15u + generation);
    word[0] = page;
    word[1] = generation;
    for (unsigned i = 2; i < PAGE_WORDS; i++)
        word[i] = mix(seed + i);
}

static bool page_is_right(uint64_t page)
{
    const uint64_t *word = g_memory + page * PAGE_WORDS;
    uint64_t seed = mix(page * 0x9e3779b97f4a7c15u + word[1]), wrong = word[0] ^ page;
    for (unsigned i = 2; i < PAGE_WORDS; i++)
        wrong |= word[i] ^ mix(seed + i);
    return !wrong;
}

static uint64_t set_page(uint64_t index)
{
    uint64_t stretch = g_pages / g_set_pages;
    return g_options.spread ? index * stretch + mix(index) % stretch : index;
}

/* ---- threads ---- */

static void *meter_main(void *argument)
{
    (void)argument;
    uint64_t before = now_ns();
    while (!atomic_load_explicit(&g_end, memory_order_relaxed)) {
        if (g_options.pace_us)
            sleep_ns(g_options.pace_us * 1000);
        uint64_t now = now_ns();
        if (now > before && now - before >= GAP_MIN_ns + g_options.pace_us * 1000)
            note_gap(&g_meter, before, now - before);
        before = now;
    }
    return NULL;
}

static void *writer_main(void *argument)
{
    (void)argument;
    uint64_t random = 1, before = now_ns(), due = before;
    while (!atomic_load_explicit(&g_end, memory_order_relaxed)) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t page = set_page((random >> 20) % g_set_pages);
        page_write(page, g_memory[page * PAGE_WORDS + 1] + 1);
        uint64_t now = now_ns(), bin = (now - g_begin_ns) / (BIN_ms * 1000000u);
        if (now > before && now - before >= GAP_MIN_ns)
            note_gap(&g_writer, before, now - before);
        if (bin < BINS_MAX)
            atomic_fetch_add_explicit(&g_bins[bin], 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&g_writes, 1, memory_order_relaxed);
        before = now;
        if (g_options.rate) {
            due += 1000000000u / g_options.rate;
            if (due > now)
                sleep_ns(due - now);
            before = now_ns();
        }
    }
    return NULL;
}

/* ---- orders and answers ---- */

static const char *path_of(const char *leaf, uint64_t number)
{
    static char path[4096];
    if (number)
        snprintf(path, sizeof(path), "%s/%s.%lu", g_options.dir, leaf, number);
    else
        snprintf(path, sizeof(path), "%s/%s", g_options.dir, leaf);
    return path;
}

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "victim: %s: %s\n", what, strerror(errno));
    exit(2);
}

static FILE *answer_open(void)
{
    FILE *file = fopen(path_of("answer.tmp", 0), "w");
    if (!file)
        give_up("answer");
    return file;
}

static void answer_close(FILE *file, const char *leaf, uint64_t number)
{
    char aside[4096];
    snprintf(aside, sizeof(aside), "%s", path_of("answer.tmp", 0));
    if (fclose(file) || rename(aside, path_of(leaf, number)))
        give_up("answer");
}

static void print_gaps(FILE *to, const char *name, struct gap_log *log)
{
    uint64_t count = atomic_load_explicit(&log->count, memory_order_acquire);
    const char *separator = "";
    if (count - log->told > GAPS_MAX / 2)
        log->told = count - GAPS_MAX / 2;
    fprintf(to, "\"%s\": [", name);
    for (; log->told < count; log->told++, separator = ", ") {
        const struct gap *gap = &log->gap[log->told % GAPS_MAX];
        fprintf(to, "%s[%lu, %lu]", separator, gap->start_ns, gap->length_ns);
    }
    fprintf(to, "],\n");
}

static void answer(uint64_t number)
{
    FILE *to = answer_open();
    uint64_t now = now_ns(), end = (now - g_begin_ns) / (BIN_ms * 1000000u);
    fprintf(to, "{");
    print_gaps(to, "gaps", &g_meter);
    print_gaps(to, "writer_gaps", &g_writer);
    fprintf(to, "\"bin_ms\": %d, \"bins_begin_ns\": %lu, \"bins\": [", BIN_ms,
            g_begin_ns + g_bins_told * BIN_ms * 1000000u);
    for (uint64_t i = g_bins_told; i < end && i < BINS_MAX; i++)
        fprintf(to, "%s%u", i > g_bins_told ? ", " : "", atomic_load(&g_bins[i]));
    g_bins_told = end < BINS_MAX ? end : BINS_MAX;
    fprintf(to, "],\n\"writes\": %lu, \"now_ns\": %lu}\n", atomic_load(&g_writes), now);
    answer_close(to, "answer", number);
}

/* The sum of all generations tells a page that fell back to an older state. */
static int check_all(void)
{
    uint64_t wrong = 0, generations = 0, writes = atomic_load(&g_writes);
    for (uint64_t page = 0; page < g_pages; page++) {
        wrong += !page_is_right(page);
        generations += g_memory[page * PAGE_WORDS + 1];
    }
    FILE *to = answer_open();
    fprintf(to,
            "{\"pages\": %lu, \"wrong_pages\": %lu, \"writes\": %lu, \"generations\": %lu, \"ok\": "
            "%s}\n",
            g_pages, wrong, writes, generations, wrong || generations != writes ? "false" : "true");
    answer_close(to, "end", 0);
    return wrong || generations != writes;
}

static void parse(int argc, char **argv)
{
    const struct {
        const char *name;
        uint64_t *value;
    } numbers[] = {
        {"mib", &g_options.mib},   {"share", &g_options.share},     {"spread", &g_options.spread},
        {"rate", &g_options.rate}, {"pace_us", &g_options.pace_us}, {"huge", &g_options.huge},
    };
    for (int i = 1; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        size_t length = equals ? (size_t)(equals - argv[i]) : 0, n = 0,
               count = sizeof(numbers) / sizeof(numbers[0]);
        while (n < count &&
               (strlen(numbers[n].name) != length || strncmp(argv[i], numbers[n].name, length)))
            n++;
        if (equals && !strncmp(argv[i], "dir=", 4)) {
            g_options.dir = equals + 1;
        } else if (equals && n < count) {
            *numbers[n].value = strtoull(equals + 1, NULL, 10);
        } else {
            fprintf(stderr, "victim: what is %s?\n", argv[i]);
            exit(2);
        }
    }
    if (!g_options.dir || !g_options.mib || g_options.share > 100) {
        fprintf(stderr, "usage: victim dir=DIR mib=N [share=PERCENT] [spread=1] [rate=PAGES/S] "
                        "[pace_us=N] [huge=1]\n");
        exit(2);
    }
}

static void fill_memory(void)
{
    uint64_t bytes = g_options.mib << 20;
    g_pages = bytes / PAGE;
    g_set_pages = g_pages * g_options.share / 100;
    g_memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g_memory == MAP_FAILED)
        give_up("memory");
    if (g_options.huge && madvise(g_memory, bytes, MADV_HUGEPAGE))
        give_up("huge pages");
    for (uint64_t page = 0; page < g_pages; page++)
        page_write(page, 0);
}

int main(int argc, char **argv)
{
    pthread_t meter, writer;
    parse(argc, argv);
    fill_memory();
    g_begin_ns = now_ns();
    if (pthread_create(&meter, NULL, meter_main, NULL) ||
        (g_set_pages && pthread_create(&writer, NULL, writer_main, NULL)))
        give_up("thread");
    answer_close(answer_open(), "ready", 0);
    for (uint64_t order = 1; access(path_of("stop", 0), F_OK); sleep_ns(POLL_ms * 1000000u))
        if (!access(path_of("order", order), F_OK))
            answer(order++);
    atomic_store(&g_end, true);
    pthread_join(meter, NULL);
    if (g_set_pages)
        pthread_join(writer, NULL);
    return check_all();
}
