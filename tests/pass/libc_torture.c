/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does libc mark every page that it writes?  See torture.h.
 *
 *   libc_torture list                 the names of the table
 *   libc_torture check [enclave] [NAME]   each call by itself, its pages against their cards;
 * natively what the kernel writes has no marks and is not looked at libc_torture dir=DIR a victim
 * (tests/lib/victim.h): the whole table in circles on ever new pages, results checked; the marks
 * are the audit's to judge
 */
#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boundary/card.h"
#include "tests/lib/victim.h"
#include "tests/pass/torture.h"

enum { ARENA_PAGES = 160, SNAPSHOT_BYTES = 16 << 20, CARDS_CLEARED = 8 << 20 };

extern volatile unsigned char __optmig_cards_v3[];
extern const struct torture_call *const __start_torture_calls[], *const __stop_torture_calls[];
/* The linker's: where the data ends that has contents, less than a page of it, and where all does.
 */
extern unsigned char edata[], end[];

struct watched {
    const char *name;
    unsigned char *start, *end; /* whole pages */
    unsigned char *before;
    size_t known; /* bytes in `before`; what came later was zero */
};

static struct {
    bool watch, enclave;
    unsigned turn;
    const struct torture_call *now;
    unsigned char *arena;
    size_t used, heap_mark;
    unsigned char *snapshot;
    struct watched ranges[3];
    unsigned changed, calls; /* of the entry under way */
    bool named;              /* one complaint for an entry */
    unsigned long pages, failures, entries;
    atomic_ulong rounds;
    atomic_bool end;
    char directory[256];
} g;

/* ---- what entries use ---- */

unsigned torture_turn(void)
{
    return g.turn;
}

bool torture_in_enclave(void)
{
    return g.enclave;
}

size_t torture_some(void)
{
    static const size_t sizes[TURNS] = {17, 300, 4096, 5003, 9001, 12290};

    return sizes[g.turn];
}

const char *torture_path(const char *leaf)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s", g.directory, leaf);
    return path;
}

static size_t up(size_t value, size_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

void *torture_place(size_t size, size_t alignment)
{
    size_t base = g.used + PAGE, stop = base + up(size, PAGE), at = base;

    if (g.turn == 1) /* its middle is where a page begins */
        at = base + PAGE - (size / 2 & ~(alignment - 1)) % PAGE;
    else if (g.turn == 2) /* it ends where a page does */
        at = (stop - size) & ~(alignment - 1);
    else if (g.turn == 3) /* its first element is the last of a page */
        at = base + PAGE - alignment;
    else if (g.turn == 4) /* its last one is the first of a page */
        at = up(stop - size + 1, alignment);
    else if (g.turn == 5)
        at = up(base + 24, alignment);
    g.used = up(at + size, PAGE);
    if (g.used > ARENA_PAGES * PAGE) {
        fprintf(stderr, "%s: the arena is too small\n", g.now->name);
        exit(2);
    }
    /* Zero pages tell the audit more: nothing but the call has written to them. */
    if (g.watch)
        memset(g.arena + at, 0x55 + (int)g.turn, size);
    return g.arena + at;
}

void *torture_copy(const void *from, size_t size, size_t alignment)
{
    return memcpy(torture_place(size, alignment), from, size);
}

void torture_wrong(const char *what, int line)
{
    if (g.watch && !g.named)
        printf("%s: wrong in turn %u (line %d): %s, errno %d\n", g.now->name, g.turn, line, what,
               errno);
    if (!g.watch)
        victim_fail("%s: wrong in turn %u (line %d): %s, errno %d", g.now->name, g.turn, line, what,
                    errno);
    g.failures += !g.named;
    g.named = true;
}

/* ---- pages and cards ---- */

static volatile unsigned char *card(const unsigned char *address)
{
    return &__optmig_cards_v3[(uintptr_t)address >> CARD_SHIFT];
}

static void set_range(struct watched *range, const char *name, unsigned char *start,
                      unsigned char *end)
{
    range->name = name;
    range->start = (unsigned char *)((uintptr_t)start & ~(uintptr_t)(PAGE - 1));
    range->end = (unsigned char *)up((uintptr_t)end, PAGE);
}

void torture_before(void)
{
    unsigned char *to = g.snapshot;

    if (!g.watch)
        return;
    set_range(&g.ranges[0], "the arena", g.arena, g.arena + g.used + PAGE);
    set_range(&g.ranges[1], "the data", edata - 1, end);
    if (torture_heap_end)
        set_range(&g.ranges[2], "the heap", torture_heap_start() + g.heap_mark, torture_heap_end());
    g.calls++;
    for (struct watched *range = g.ranges; range < g.ranges + 3; range++) {
        range->before = to;
        range->known = (size_t)(range->end - range->start);
        if (to + range->known > g.snapshot + SNAPSHOT_BYTES)
            abort();
        to += range->known;
    }
    /* From here on nothing is written that is watched, but by the call, and by threads of earlier
     * calls that are still ending: so, as the collector does, first clear, then copy. */
    for (const struct watched *range = g.ranges; range < g.ranges + 3; range++)
        for (unsigned char *page = range->start - PAGE; page < range->end + CARDS_CLEARED;
             page += PAGE)
            *card(page) = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (const struct watched *range = g.ranges; range < g.ranges + 3; range++)
        memcpy(range->before, range->start, range->known);
}

/* Of the page's bytes those at `from` and behind. */
static bool is_changed(const struct watched *range, const unsigned char *page, size_t from)
{
    static const unsigned char zero[PAGE];
    size_t at = (size_t)(page - range->start);

    return memcmp(page + from, (at < range->known ? range->before + at : zero) + from,
                  PAGE - from) != 0;
}

/* The mark of the page before is enough for the page's head. */
static bool is_marked(const struct watched *range, const unsigned char *page)
{
    return *card(page) || (*card(page - PAGE) && !is_changed(range, page, CARD_HEAD));
}

/* The mark comes after the store, and another thread may be between the two: it is given time. */
static bool will_be_marked(const struct watched *range, const unsigned char *page)
{
    enum { PATIENCE = 200 };

    for (int i = 0; i < PATIENCE && !is_marked(range, page); i++)
        victim_sleep_ms(1);
    return is_marked(range, page);
}

static void look_at(const struct watched *range)
{
    bool blind = g.now->how & KERNEL && !g.enclave;

    for (const unsigned char *page = range->start; page < range->end; page += PAGE) {
        bool marked = is_marked(range, page);

        if (!is_changed(range, page, 0))
            continue;
        g.pages++;
        g.changed += range != &g.ranges[1];
        if (marked || blind || g.named || will_be_marked(range, page))
            continue;
        g.named = true;
        g.failures++;
        printf("%s: page %zu of %s is written and has no mark (turn %u)\n", g.now->name,
               (size_t)(page - range->start) / PAGE, range->name, g.turn);
    }
}

void torture_after(void)
{
    if (!g.watch)
        return;
    if (torture_heap_end)
        g.ranges[2].end = (unsigned char *)up((uintptr_t)torture_heap_end(), PAGE);
    for (int i = 0; i < 3; i++)
        look_at(&g.ranges[i]);
}

/* ---- runs ---- */

static void run_entry(const struct torture_call *call)
{
    g.now = call;
    g.changed = g.calls = 0;
    g.named = false;
    for (g.turn = 0; g.turn < TURNS; g.turn++) {
        g.used = 0;
        if (torture_heap_end)
            g.heap_mark = (size_t)(torture_heap_end() - torture_heap_start());
        call->run();
    }
    g.entries++;
    if (!g.watch || (g.calls > 0 && (g.changed > 0 || call->how & QUIET || !torture_heap_end)))
        return;
    g.failures++;
    printf("%s: %s\n", call->name, g.calls ? "wrote nothing" : "was not called");
}

static void make_directory(const char *parent)
{
    snprintf(g.directory, sizeof(g.directory), "%s/torture.XXXXXX", parent);
    if (!mkdtemp(g.directory)) {
        perror(g.directory);
        exit(2);
    }
}

static void *map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        abort();
    return memory;
}

static int check(const char *only)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    g.watch = true;
    g.arena = map(ARENA_PAGES * PAGE);
    g.snapshot = map(SNAPSHOT_BYTES);
    make_directory("/tmp");
    free(malloc(1)); /* the heap begins */
    for (const struct torture_call *const *at = __start_torture_calls; at < __stop_torture_calls;
         at++)
        if (!((*at)->how & NATIVE && g.enclave) && (!only || !strcmp(only, (*at)->name)))
            run_entry(*at);
    rmdir(g.directory);
    printf("%lu functions, %lu pages written, %lu failures\n", g.entries, g.pages, g.failures);
    return g.failures != 0 || g.entries == 0;
}

/* An arena where none was before, as far as the system follows the hint: an old mark would hide
 * that a new one is missing.  The last ones stay, so that a look of the audit finds their pages;
 * with gaps between them, because what lies in one piece of memory with a thread's stack is not
 * audited. */
static unsigned char *next_arena(void)
{
    enum { KEPT = 256, BYTES = ARENA_PAGES * PAGE };
    static unsigned char *kept[KEPT], *last;
    static unsigned at;

    if (kept[at])
        munmap(kept[at], BYTES);
    last = mmap(last ? last - 2 * BYTES : NULL, BYTES, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (last == MAP_FAILED)
        victim_abort("no memory");
    kept[at] = last;
    at = (at + 1) % KEPT;
    return last;
}

/* The whole table on new pages, once and again. */
static void *circles(void *unused)
{
    (void)unused;
    while (!atomic_load(&g.end)) {
        for (const struct torture_call *const *at = __start_torture_calls;
             at < __stop_torture_calls && !atomic_load(&g.end); at++) {
            if ((*at)->how & (NATIVE | STAYS))
                continue;
            g.arena = next_arena();
            run_entry(*at);
        }
        atomic_fetch_add(&g.rounds, 1);
    }
    return NULL;
}

static int victim(int argc, char **argv)
{
    pthread_t worker;

    victim_begin(argc, argv);
    make_directory(victim_text("dir", "/tmp"));
    if (pthread_create(&worker, NULL, circles, NULL))
        victim_abort("no thread");
    victim_ready();
    while (victim_wait()) {
        victim_value("rounds", "%lu", atomic_load(&g.rounds));
        victim_answer();
    }
    atomic_store(&g.end, true);
    pthread_join(worker, NULL);
    victim_value("rounds", "%lu", atomic_load(&g.rounds));
    return victim_finish();
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "list")) {
        for (const struct torture_call *const *at = __start_torture_calls;
             at < __stop_torture_calls; at++)
            puts((*at)->name);
        return 0;
    }
    setlocale(LC_ALL, "C.UTF-8");
    if (argc < 2 || strcmp(argv[1], "check"))
        return victim(argc, argv);
    g.enclave = argc > 2 && !strcmp(argv[2], "enclave");
    return check(argc > 2 + g.enclave ? argv[2 + g.enclave] : NULL);
}
