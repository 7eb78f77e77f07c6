/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page-walker: memory in which lost, stale, duplicated, swapped and torn pages are told apart.
 *
 * Each page holds its own address, its version, its writer, a body of which every write changes one
 * word, and a sum over address and version.  The version that a page must have follows from how
 * many writes its writer has made, so it is computed and not looked up in memory that might be
 * stale too. A writer checks each page before it writes it, and a check compares every word of
 * every page.
 *
 *   mib=64       memory            threads=1    writers; 1: the main thread is the only thread
 *   order=seq    or random         share=100    per cent of the pages that are written
 *   rate=0       pages per second and writer; 0: as fast as it goes
 *   gap=1        a thread that reads the clock in a loop: its gaps, and whether time is whole
 *   masked=1     writers block every signal    (SIGSEGV too, as libc does around its own work)
 *   huge=1       ask for huge pages            idle=1       no writes at all
 *   spoil=lost, stale, swapped, duplicated, torn: does that to a page before a check, which must
 * find it
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "tests/lib/gapmeter.h"
#include "tests/lib/victim.h"

enum {
    PAGE_SIZE = 4096,
    WORD_ADDRESS = 0,
    WORD_VERSION = 1,
    WORD_WRITER = 2,
    WORD_BODY = 3,
    BODY_WORDS = 508,
    WORD_SUM = 511,
    PAGE_WORDS = 512,
    WRITERS_MAX = 64,
    BATCH_NS = 1000000,
};

struct writer {
    uint32_t id;
    uint64_t pages, active; /* its pages; those of them that it writes */
    uint32_t *order;        /* in which order: indices below active */
    _Atomic uint64_t published;
    uint64_t writes; /* the same count; a stale page would split them */
    pthread_t thread;
} __attribute__((aligned(PAGE_SIZE)));

static struct writer g_writers[WRITERS_MAX];
static uint32_t g_count;
static uint64_t *g_memory;
static uint64_t g_rate;
static const char *g_spoil;
static bool g_masked;
static _Atomic bool g_pause, g_end;
static pthread_barrier_t g_barrier;

/* Writers' pages alternate, so that all writers share every huge page. */
static uint64_t *page_of(const struct writer *w, uint64_t index)
{
    return g_memory + (index * g_count + w->id) * PAGE_WORDS;
}

static uint64_t body_value(uint64_t address, uint64_t slot, uint64_t version)
{
    return victim_mix(address * 31 + slot * 0x10001 + (version << 40));
}

static uint64_t sum_value(uint64_t address, uint64_t version)
{
    return victim_mix(~address ^ (version * 0x2545f4914f6cdd1du));
}

static void fill_page(const struct writer *w, uint64_t *page)
{
    uint64_t address = (uint64_t)page;
    page[WORD_ADDRESS] = address;
    page[WORD_VERSION] = 0;
    page[WORD_WRITER] = w->id;
    for (uint64_t i = 0; i < BODY_WORDS; i++)
        page[WORD_BODY + i] = body_value(address, i, 0);
    page[WORD_SUM] = sum_value(address, 0);
}

/* The last version up to `version` that wrote this word of the body; 0: none did. */
static uint64_t slot_version(uint64_t slot, uint64_t version)
{
    return version < slot ? 0 : version - (version - slot) % BODY_WORDS;
}

static void name_failure(const uint64_t *page, uint64_t expected, const char *when)
{
    uint64_t zero = 0, address = (uint64_t)page, found = page[WORD_ADDRESS];
    for (int i = 0; i < PAGE_WORDS; i++)
        zero += page[i] == 0;
    if (zero == PAGE_WORDS)
        victim_fail("%s: page %p is lost: all zero, version %lu expected", when, (void *)page,
                    expected);
    else if (found != address)
        victim_fail("%s: page %p holds the contents of %#lx", when, (void *)page, found);
    else if (page[WORD_VERSION] < expected)
        victim_fail("%s: page %p is stale: version %lu, expected %lu", when, (void *)page,
                    page[WORD_VERSION], expected);
    else if (page[WORD_VERSION] > expected)
        victim_fail("%s: page %p is of the future: version %lu, expected %lu", when, (void *)page,
                    page[WORD_VERSION], expected);
    else
        victim_fail("%s: page %p is torn at version %lu (%lu words are zero)", when, (void *)page,
                    expected, zero);
}

static void write_page(struct writer *w, uint64_t *page, uint64_t version)
{
    uint64_t address = (uint64_t)page;
    if (page[WORD_ADDRESS] != address || page[WORD_VERSION] != version - 1 ||
        page[WORD_WRITER] != w->id || page[WORD_SUM] != sum_value(address, version - 1))
        name_failure(page, version - 1, "before a write");
    uint64_t slot = version % BODY_WORDS;
    page[WORD_VERSION] = version;
    page[WORD_BODY + slot] = body_value(address, slot, version);
    page[WORD_SUM] = sum_value(address, version);
}

static void write_next(struct writer *w)
{
    uint64_t step = w->writes, pass = step / w->active;
    write_page(w, page_of(w, w->order[step % w->active]), pass + 1);
    uint64_t published = atomic_load_explicit(&w->published, memory_order_relaxed);
    if (published != step)
        victim_fail("writer %u: its two counters differ: %lu and %lu", w->id, published, step);
    w->writes = step + 1;
    atomic_store_explicit(&w->published, step + 1, memory_order_relaxed);
}

static bool page_right(const struct writer *w, const uint64_t *page, uint64_t version)
{
    uint64_t address = (uint64_t)page;
    if (page[WORD_ADDRESS] != address || page[WORD_VERSION] != version ||
        page[WORD_WRITER] != w->id || page[WORD_SUM] != sum_value(address, version))
        return false;
    for (uint64_t i = 0; i < BODY_WORDS; i++) {
        if (page[WORD_BODY + i] != body_value(address, i, slot_version(i, version)))
            return false;
    }
    return true;
}

static uint64_t check_writer(const struct writer *w)
{
    uint64_t passes = w->writes / w->active, rest = w->writes % w->active, wrong = 0;
    for (uint64_t k = 0; k < w->pages; k++) {
        uint64_t index = k < w->active ? w->order[k] : k;
        uint64_t version = k < w->active ? passes + (k < rest) : 0;
        const uint64_t *page = page_of(w, index);
        if (!page_right(w, page, version)) {
            wrong++;
            name_failure(page, version, "at a check");
        }
    }
    return wrong;
}

/* The damage that a move could do, done to a page that has been written. */
static void spoil(const char *how)
{
    static uint64_t kept[PAGE_WORDS];
    struct writer *w = &g_writers[0];
    uint64_t *page = page_of(w, w->order[0]), *next = page_of(w, w->order[1]);
    if (w->writes < 2)
        victim_abort("nothing was written yet");
    memcpy(kept, page, PAGE_SIZE);
    if (!strcmp(how, "lost")) {
        memset(page, 0, PAGE_SIZE);
    } else if (!strcmp(how, "stale")) {
        uint64_t version = page[WORD_VERSION]--, slot = version % BODY_WORDS;
        page[WORD_BODY + slot] = body_value((uint64_t)page, slot, slot_version(slot, version - 1));
        page[WORD_SUM] = sum_value((uint64_t)page, version - 1);
    } else if (!strcmp(how, "swapped")) {
        memcpy(page, next, PAGE_SIZE);
        memcpy(next, kept, PAGE_SIZE);
    } else if (!strcmp(how, "duplicated")) {
        memcpy(page, next, PAGE_SIZE);
    } else if (!strcmp(how, "torn")) {
        for (uint64_t i = PAGE_WORDS / 2; i < WORD_SUM; i++)
            page[i] = body_value((uint64_t)page + PAGE_SIZE, i - WORD_BODY, 0);
    } else {
        victim_abort("spoil=%s?", how);
    }
}

/* All writers stand still between two writes. */
static void check(void)
{
    uint64_t pages = 0, wrong = 0, writes = 0;
    if (*g_spoil)
        spoil(g_spoil);
    g_spoil = ""; /* once */
    for (uint32_t i = 0; i < g_count; i++) {
        wrong += check_writer(&g_writers[i]);
        pages += g_writers[i].pages;
        writes += g_writers[i].writes;
    }
    victim_value("pages", "%lu", pages);
    victim_value("wrong", "%lu", wrong);
    victim_value("writes", "%lu", writes);
    gapmeter_report();
}

/* A millisecond's worth of writes, at the rate asked for; returns when the next is due. */
static uint64_t write_batch(struct writer *w, uint64_t due_ns)
{
    uint64_t batch = g_rate ? (g_rate * BATCH_NS + 999999999) / 1000000000 : 256;
    for (uint64_t i = 0; i < batch && !atomic_load_explicit(&g_pause, memory_order_relaxed); i++)
        write_next(w);
    if (!g_rate)
        return 0;
    due_ns += batch * 1000000000 / g_rate;
    uint64_t now = victim_clock_ns(CLOCK_MONOTONIC);
    if (due_ns < now)
        return now; /* Late, perhaps moved: no burst to catch up. */
    struct timespec t = {(time_t)(due_ns / 1000000000), (long)(due_ns % 1000000000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    return due_ns;
}

static void *writer_main(void *argument)
{
    struct writer *w = argument;
    if (g_masked) {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, NULL);
    }
    uint64_t due_ns = victim_clock_ns(CLOCK_MONOTONIC);
    while (!atomic_load(&g_end)) {
        due_ns = write_batch(w, due_ns);
        if (atomic_load(&g_pause)) {
            pthread_barrier_wait(&g_barrier);
            pthread_barrier_wait(&g_barrier);
        }
    }
    return NULL;
}

static void shuffle(uint32_t *order, uint64_t count, bool random)
{
    for (uint64_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    for (uint64_t i = count - 1; random && i > 0; i--) {
        uint64_t j = victim_mix(i) % (i + 1);
        uint32_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

static void set_up(void)
{
    uint64_t pages = (uint64_t)victim_number("mib", 64) << 8;
    g_count = (uint32_t)victim_number("threads", 1);
    g_rate = (uint64_t)victim_number("rate", 0);
    bool random = !strcmp(victim_text("order", "seq"), "random");
    uint64_t share = (uint64_t)victim_number("share", 100);
    g_spoil = victim_text("spoil", "");
    g_masked = victim_flag("masked");
    if (g_count < 1 || g_count > WRITERS_MAX || pages < g_count || share < 1 || share > 100)
        victim_abort("mib, threads or share out of range");
    g_memory =
        mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g_memory == MAP_FAILED)
        victim_abort("no memory");
    if (victim_flag("huge"))
        madvise(g_memory, pages * PAGE_SIZE, MADV_HUGEPAGE);
    for (uint32_t i = 0; i < g_count; i++) {
        struct writer *w = &g_writers[i];
        w->id = i;
        w->pages = pages / g_count;
        w->active = w->pages * share / 100 ? w->pages * share / 100 : 1;
        w->order = malloc(w->active * sizeof *w->order);
        if (!w->order)
            victim_abort("no memory");
        shuffle(w->order, w->active, random);
        for (uint64_t k = 0; k < w->pages; k++)
            fill_page(w, page_of(w, k));
    }
}

/* One thread in all: the writer looks for orders itself. */
static void run_alone(bool idle)
{
    struct writer *w = &g_writers[0];
    uint64_t due_ns = victim_clock_ns(CLOCK_MONOTONIC);
    for (;;) {
        enum victim_order order = victim_poll();
        if (order == VICTIM_STOP)
            return;
        if (order == VICTIM_CHECK) {
            check();
            victim_answer();
        }
        if (idle)
            victim_sleep_ms(2);
        else
            due_ns = write_batch(w, due_ns);
    }
}

static void run_writers(void)
{
    pthread_barrier_init(&g_barrier, NULL, g_count + 1);
    for (uint32_t i = 0; i < g_count; i++) {
        if (pthread_create(&g_writers[i].thread, NULL, writer_main, &g_writers[i]))
            victim_abort("no thread");
    }
    while (victim_wait()) {
        atomic_store(&g_pause, true);
        pthread_barrier_wait(&g_barrier);
        check();
        atomic_store(&g_pause, false);
        pthread_barrier_wait(&g_barrier);
        victim_answer();
    }
    atomic_store(&g_end, true);
    for (uint32_t i = 0; i < g_count; i++)
        pthread_join(g_writers[i].thread, NULL);
}

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    set_up();
    bool idle = victim_flag("idle");
    if (victim_flag("gap"))
        gapmeter_begin((uint64_t)victim_number("gap_us", 1000) * 1000);
    victim_ready();
    if ((g_count == 1 && !g_masked) || idle)
        run_alone(idle);
    else
        run_writers();
    gapmeter_end();
    check();
    return victim_finish();
}
