/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that comes and goes: blocks of malloc with contents that follow from their address,
 * mappings made, grown, moved, shrunk, discarded and unmapped, protections changed; pages that
 * become zero after they had contents, which is where a stale copy would show.
 *
 *   mib=48   no_fork=1: fork must be refused with ENOSYS, as an enclave does
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/victim.h"

enum { BLOCKS = 4096, MAPPINGS = 64, PAGE = 4096, PAGE_WORDS = 512, ZERO_PAGES = 4096 };

struct block {
    uint64_t *words;
    size_t count;
    uint64_t seed;
};

struct mapping {
    uint64_t *start;
    size_t pages;
    uint64_t seed;
    bool readonly;
    uint64_t zero[4]; /* bit per page below 256: discarded, so zero */
};

static struct churner {
    pthread_t thread;
    uint64_t random;
    struct block blocks[BLOCKS];
    struct mapping mappings[MAPPINGS];
    uint64_t rounds, checked;
} g_churners[2];

static _Atomic bool g_end, g_pause;
static pthread_barrier_t g_barrier;
static size_t g_block_limit;

static uint64_t next_random(struct churner *c)
{
    return c->random = victim_mix(c->random);
}

/* ---- malloc ---- */

static void fill_words(uint64_t *words, size_t from, size_t to, uint64_t seed)
{
    for (size_t i = from; i < to; i++)
        words[i] = seed + i * 0x9e3779b97f4a7c15u;
}

static bool words_right(const uint64_t *words, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i] != seed + i * 0x9e3779b97f4a7c15u)
            return false;
    }
    return true;
}

static void churn_block(struct churner *c)
{
    uint64_t r = next_random(c);
    struct block *b = &c->blocks[r % BLOCKS];
    size_t count = 1 + (r >> 20) % ((r >> 12) % 16 ? 256 : g_block_limit);
    if (b->words && !words_right(b->words, b->count, b->seed))
        victim_fail("a block of malloc lost its contents");
    c->checked += b->count;
    if (b->words && (r >> 60) < 4) {
        size_t kept = b->count < count ? b->count : count;
        b->words = realloc(b->words, count * 8);
        if (b->words && !words_right(b->words, kept, b->seed))
            victim_fail("realloc lost contents");
        if (b->words)
            fill_words(b->words, kept, count, b->seed);
    } else {
        free(b->words);
        b->words = (r >> 60) < 8 ? calloc(count, 8) : malloc(count * 8);
        b->seed = r;
        for (size_t i = 0; b->words && (r >> 60) < 8 && (r >> 60) >= 4 && i < count; i++)
            VICTIM_CHECK_THAT(b->words[i] == 0, "calloc gave a word that is not zero");
        if (b->words)
            fill_words(b->words, 0, count, r);
    }
    b->count = count;
    if (!b->words)
        victim_abort("no memory");
}

/* ---- mmap ---- */

static void fill_page(struct mapping *m, size_t page)
{
    m->start[page * PAGE_WORDS] = m->seed + page;
    m->start[page * PAGE_WORDS + PAGE_WORDS - 1] = ~(m->seed + page);
}

static void check_mapping(const struct mapping *m)
{
    for (size_t page = 0; page < m->pages; page++) {
        bool zero = m->zero[page / 64] >> (page % 64) & 1;
        uint64_t expected = zero ? 0 : m->seed + page, last = zero ? 0 : ~expected;
        const uint64_t *p = m->start + page * PAGE_WORDS;
        if (p[0] != expected || p[PAGE_WORDS - 1] != last)
            victim_fail("page %zu of a mapping of %zu holds %#lx, expected %#lx", page, m->pages,
                        p[0], expected);
    }
}

static void make_mapping(struct mapping *m, uint64_t r)
{
    m->pages = 1 + r % 200;
    m->seed = r | 1;
    m->readonly = false;
    memset(m->zero, 0, sizeof m->zero);
    m->start =
        mmap(NULL, m->pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m->start == MAP_FAILED)
        victim_abort("mmap: %s", strerror(errno));
    for (size_t page = 0; page < m->pages; page++) {
        VICTIM_CHECK_THAT(m->start[page * PAGE_WORDS] == 0, "a fresh mapping is not zero");
        fill_page(m, page);
    }
}

static void resize_mapping(struct mapping *m, uint64_t r)
{
    size_t pages = 1 + r % 250;
    uint64_t *moved = mremap(m->start, m->pages * PAGE, pages * PAGE, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED) {
        victim_fail("mremap: %s", strerror(errno));
        return;
    }
    m->start = moved;
    for (size_t page = m->pages; page < pages; page++) {
        VICTIM_CHECK_THAT(m->start[page * PAGE_WORDS] == 0,
                          "mremap grew by a page that is not zero");
        m->zero[page / 64] &= ~(1ull << (page % 64));
        fill_page(m, page);
    }
    m->pages = pages;
}

static void discard_pages(struct mapping *m, uint64_t r)
{
    size_t first = r % m->pages, count = 1 + (r >> 32) % (m->pages - first);
    if (madvise(m->start + first * PAGE_WORDS, count * PAGE, MADV_DONTNEED))
        victim_fail("madvise: %s", strerror(errno));
    for (size_t page = first; page < first + count; page++)
        m->zero[page / 64] |= 1ull << (page % 64);
}

static void churn_mapping(struct churner *c)
{
    uint64_t r = next_random(c);
    struct mapping *m = &c->mappings[r % MAPPINGS];
    r >>= 8;
    if (!m->start) {
        make_mapping(m, r);
        return;
    }
    check_mapping(m);
    c->checked += m->pages * 2;
    int what = (int)(r % 5);
    r >>= 8;
    if (what == 1 || (what != 0 && m->readonly)) {
        m->readonly = !m->readonly;
        mprotect(m->start, m->pages * PAGE, m->readonly ? PROT_READ : PROT_READ | PROT_WRITE);
    } else if (what == 0) {
        munmap(m->start, m->pages * PAGE);
        m->start = NULL;
    } else if (what == 2) {
        resize_mapping(m, r);
    } else if (what == 3) {
        discard_pages(m, r);
    } else {
        size_t page = r % m->pages;
        m->zero[page / 64] &= ~(1ull << (page % 64));
        fill_page(m, page);
    }
}

static void *churner_main(void *argument)
{
    struct churner *c = argument;
    while (!atomic_load(&g_end)) {
        for (int i = 0; i < 16; i++)
            churn_block(c);
        churn_mapping(c);
        c->rounds++;
        if (c->rounds % 64 == 0)
            victim_sleep_ms(1);
        if (atomic_load(&g_pause)) {
            pthread_barrier_wait(&g_barrier);
            pthread_barrier_wait(&g_barrier);
        }
    }
    return NULL;
}

/* ---- pages that become zero: had contents at one check, are zero at the next ---- */

static uint8_t *g_zeroed, *g_untouched;
static unsigned g_generation;

/* By turns: discarded, overwritten with zeroes, unmapped and mapped again. */
static bool expect_zero(unsigned page)
{
    return (page + g_generation) % 2 == 0;
}

static void empty_page(unsigned page)
{
    uint8_t *p = g_zeroed + (size_t)page * PAGE;
    switch (page / 2 % 3) {
    case 0:
        madvise(p, PAGE, MADV_DONTNEED);
        break;
    case 1:
        memset(p, 0, PAGE);
        break;
    default:
        munmap(p, PAGE);
        if (mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
            p)
            victim_fail("mmap at a fixed place: %s", strerror(errno));
    }
}

static void check_zeroed(void)
{
    static const uint8_t zero[PAGE];
    for (unsigned page = 0; page < ZERO_PAGES; page++) {
        uint8_t expected[PAGE];
        memset(expected, (int)(1 + (page + g_generation) % 255), PAGE);
        const uint8_t *p = g_zeroed + (size_t)page * PAGE;
        if (memcmp(p, expect_zero(page) ? zero : expected, PAGE))
            victim_fail("page %u: %s (%s)", page,
                        expect_zero(page) ? "had become zero, and is not" : "lost its contents",
                        page / 2 % 3 == 0   ? "madvise"
                        : page / 2 % 3 == 1 ? "memset"
                                            : "munmap");
        if (page % 64 == 0 && memcmp(g_untouched + (size_t)page * PAGE, zero, PAGE))
            victim_fail("an untouched page is not zero");
    }
}

static void next_generation(void)
{
    g_generation++;
    for (unsigned page = 0; page < ZERO_PAGES; page++) {
        if (expect_zero(page))
            empty_page(page);
        else
            memset(g_zeroed + (size_t)page * PAGE, (int)(1 + (page + g_generation) % 255), PAGE);
    }
}

static void *map_pages(size_t pages)
{
    void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        victim_abort("no memory");
    return p;
}

static void check_fork(void)
{
    errno = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    VICTIM_CHECK_THAT(child == -1 && errno == ENOSYS, "fork gave %d, errno %d", child, errno);
}

static void check(void)
{
    uint64_t checked = 0, rounds = 0;
    for (int i = 0; i < 2; i++) {
        struct churner *c = &g_churners[i];
        for (unsigned b = 0; b < BLOCKS; b++)
            VICTIM_CHECK_THAT(
                !c->blocks[b].words ||
                    words_right(c->blocks[b].words, c->blocks[b].count, c->blocks[b].seed),
                "a block of malloc lost its contents");
        for (unsigned m = 0; m < MAPPINGS; m++) {
            if (c->mappings[m].start)
                check_mapping(&c->mappings[m]);
        }
        checked += c->checked;
        rounds += c->rounds;
    }
    check_zeroed();
    next_generation();
    check_zeroed();
    victim_value("rounds", "%lu", rounds);
    victim_value("words_checked", "%lu", checked);
}

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    g_block_limit = (size_t)victim_number("mib", 48) << 20 >> 11;
    bool no_fork = victim_flag("no_fork");
    g_zeroed = map_pages(ZERO_PAGES);
    g_untouched = map_pages(ZERO_PAGES);
    pthread_barrier_init(&g_barrier, NULL, 3);
    next_generation();
    for (int i = 0; i < 2; i++) {
        g_churners[i].random = (uint64_t)i + 1;
        if (pthread_create(&g_churners[i].thread, NULL, churner_main, &g_churners[i]))
            victim_abort("no thread");
    }
    victim_ready();
    while (victim_wait()) {
        atomic_store(&g_pause, true);
        pthread_barrier_wait(&g_barrier);
        check();
        atomic_store(&g_pause, false);
        pthread_barrier_wait(&g_barrier);
        victim_answer();
    }
    atomic_store(&g_end, true);
    for (int i = 0; i < 2; i++)
        pthread_join(g_churners[i].thread, NULL);
    check();
    if (no_fork)
        check_fork();
    return victim_finish();
}
