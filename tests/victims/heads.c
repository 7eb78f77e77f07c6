/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that writes over page ends and marks the first byte's page only, which is all that is
 * asked of it for 256 bytes (boundary/card.h).  No libc: marked by hand, as marked.c.
 *
 * Memory is pairs of pages.  Each step writes an object of 9 to 256 bytes that begins in the first
 * page of a pair and ends in the second, at a place of its own.  The kind of a pair says what else
 * becomes of its second page.  All is written to a shadow too, which is marked in full.
 *
 *   dir=DIR  pairs=512
 *   rate=0   objects a second; 0: as fast as it goes
 *   skip=N   with each object in pair N a word is written to the rest of its second page, unmarked
 */
#include <linux/mman.h>

#include "tests/lib/marked_program.h"

enum {
    PAGE = 4096,
    PAIR = 2 * PAGE,
    REST = 300, /* behind the head */
    BATCH = 64,
    KINDS = 8,
};

enum kind {
    KIND_FILLED,    /* has contents, of which nothing but the head is written */
    KIND_UNTOUCHED, /* is zero but for the head */
    KIND_DISCARDED, /* is given back now and then */
    KIND_READ_ONLY, /* cannot be written any more when its head is looked for */
    KIND_ALONE,     /* the first page is unmapped behind each object */
    KIND_ZEROED,    /* its head is zero every other time */
    KIND_WRITTEN,   /* its rest is written too, and marked */
};

static struct {
    uint8_t *memory, *shadow;
    uint64_t pairs, rate, skip, next;
} g;

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* ---- writing; no poll comes between a store and its mark ---- */

static void shadow_object(uint64_t at, uint64_t length, uint64_t value)
{
    for (uint64_t i = 0; i < length; i++)
        *(volatile uint8_t *)(g.shadow + at + i) = (uint8_t)(value >> i % 8 * 8);
    mark(g.shadow + at);
    mark(g.shadow + at + length - 1);
}

static void write_object(uint64_t at, uint64_t length, uint64_t value)
{
    for (uint64_t i = 0; i < length; i++)
        *(volatile uint8_t *)(g.memory + at + i) = (uint8_t)(value >> i % 8 * 8);
    mark(g.memory + at);
    shadow_object(at, length, value);
    poll_here();
}

/* Of memory that has been given back. */
static void shadow_page_gone(uint64_t at)
{
    for (uint64_t i = 0; i < PAGE; i += 8) {
        STORE((uint64_t *)(g.shadow + at + i), 0ul);
        poll_here();
    }
}

static void write_unmarked(uint64_t at, uint64_t value)
{
    *(volatile uint64_t *)(g.memory + at) = value;
    shadow_object(at, 8, value);
}

static void must(long result, const char *what)
{
    if (result < 0)
        fail(what, (uint64_t)-result);
}

/* Over the end of the first page. */
static void write_over(uint64_t pair, uint64_t value, uint64_t *random)
{
    uint64_t inside = 1 + random_next(random) % 255, most = 256 - inside;
    uint64_t length = inside + 1 + random_next(random) % most;

    if (length < 9)
        length = 9;
    write_object(pair * PAIR + PAGE - inside, length, value);
    if (pair == g.skip)
        write_unmarked(pair * PAIR + PAGE + 2048 + value % 128 * 8, value);
}

static void write_alone(uint64_t pair, uint64_t value, uint64_t *random)
{
    uint8_t *first = g.memory + pair * PAIR;

    must(call6(__NR_mmap, (uint64_t)first, PAGE, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, (uint64_t)-1),
         "no page");
    shadow_page_gone(pair * PAIR);
    write_over(pair, value, random);
    must(CALL(munmap, first, PAGE, 0, 0), "munmap");
}

static void discard(uint64_t at)
{
    must(CALL(madvise, g.memory + at, PAGE, MADV_DONTNEED, 0), "madvise");
    shadow_page_gone(at);
}

static void step(uint64_t *random)
{
    uint64_t pair = random_next(random) % g.pairs, value = random_next(random);
    uint64_t second = pair * PAIR + PAGE;

    switch ((enum kind)(pair % KINDS)) {
    case KIND_DISCARDED:
        if (value % 4 == 0)
            discard(second);
        write_over(pair, value, random);
        if (value % 4 == 1)
            discard(second); /* not there, when the next move begins */
        return;
    case KIND_READ_ONLY:
        must(CALL(mprotect, g.memory + second, PAGE, PROT_READ | PROT_WRITE, 0), "mprotect");
        write_over(pair, value, random);
        must(CALL(mprotect, g.memory + second, PAGE, PROT_READ, 0), "mprotect");
        return;
    case KIND_ALONE:
        write_alone(pair, value, random);
        return;
    case KIND_ZEROED:
        value = value % 2 ? value : 0;
        break;
    case KIND_WRITTEN:
        write_object(second + REST + value % 3000, 9 + value % 256, value * 3);
        break;
    default:
        break;
    }
    write_over(pair, value, random);
}

/* ---- checking ---- */

static void check_page(uint64_t at)
{
    for (uint64_t i = 0; i < PAGE; i += 8) {
        if (*(uint64_t *)(g.memory + at + i) != *(uint64_t *)(g.shadow + at + i))
            fail(i < 256 && at / PAGE % 2 ? "a stale head:" : "a stale page:",
                 (uint64_t)(g.memory + at + i));
        poll_here();
    }
}

static void check_all(void)
{
    for (uint64_t pair = 0; pair < g.pairs; pair++) {
        if (pair % KINDS != KIND_ALONE)
            check_page(pair * PAIR);
        check_page(pair * PAIR + PAGE);
    }
}

/* False: it is to end. */
static bool obey(uint64_t steps)
{
    bool stop = exists("stop", 0);

    if (exists("check", g.next)) {
        check_all();
        answer("result", g.next, 0, 0, steps);
        STORE(&g.next, g.next + 1);
    }
    if (stop) {
        check_all();
        answer("result.stop", 0, 0, 0, steps);
    }
    return !stop;
}

static void fill(void)
{
    for (uint64_t pair = 0; pair < g.pairs; pair++) {
        for (uint64_t at = 0; at < PAIR; at += 8) {
            bool second = at >= PAGE;

            if (second && (pair % KINDS == KIND_UNTOUCHED || pair % KINDS == KIND_ZEROED))
                break;
            write_object(pair * PAIR + at, 8, pair * 0x10001 + at);
        }
        if (pair % KINDS == KIND_READ_ONLY)
            must(CALL(mprotect, g.memory + pair * PAIR + PAGE, PAGE, PROT_READ, 0), "mprotect");
    }
}

static uint8_t *memory_of(uint64_t size)
{
    long at = call6(__NR_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                    (uint64_t)-1);

    must(at, "no memory");
    return (uint8_t *)at;
}

_Noreturn void begin(uint64_t *stack)
{
    char **argv = (char **)(stack + 1);
    uint64_t random = 88172645463325252, steps = 0;
    char path[512];

    STORE(&g_directory, argument(argv, "dir"));
    STORE(&g.pairs, number(argv, "pairs", 512));
    STORE(&g.rate, number(argv, "rate", 0));
    STORE(&g.skip, number(argv, "skip", ~0ul));
    STORE(&g.next, 1ul);
    STORE(&g.shadow, memory_of(g.pairs * PAIR));
    STORE(&g.memory, memory_of(g.pairs * PAIR));
    fill();
    path_of(path, "ready", 0);
    write_file(path, "ok\n");
    do {
        for (int i = 0; i < 16; i++) {
            for (int k = 0; k < BATCH; k++, steps++)
                step(&random);
            if (g.rate)
                rest(1000000000ul * BATCH / g.rate);
        }
    } while (obey(steps));
    for (;;)
        CALL(exit_group, 0, 0, 0, 0);
}
