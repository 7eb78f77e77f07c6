/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Are all pages marked that loops have written to?  Each loop below runs with many lengths and
 * begins, into memory that is zero; afterwards each page that is not has to have a mark.  The
 * program looks at memory and cards by itself; it writes there by the loops alone.
 *
 * A loop that wrote nothing would pass unseen, so each one's sum is compared with the number of
 * elements.  Marks of pages that were not written are counted: a strip may mark little more.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGES = 64, PAGE = 4096, BYTES = PAGES * PAGE, SHIFT = 12, HEAD = 256 };

extern unsigned char __optmig_cards_v3[];

static _Alignas(4096) unsigned char g_memory[BYTES];
static volatile unsigned long g_checks, g_spare;

static volatile unsigned char *card(const void *address)
{
    return &__optmig_cards_v3[(uintptr_t)address >> SHIFT];
}

#define LOOP __attribute__((noinline)) static void

LOOP bytes_up(unsigned char *to, long count)
{
    for (long i = 0; i < count; i++)
        to[i] = 1;
}

LOOP bytes_odd(unsigned char *to, long count)
{
    for (long i = 0; i < count; i++)
        to[i] = (unsigned char)(i % 7 + 1);
}

LOOP ints_down(unsigned char *to, long count)
{
    int *numbers = (int *)to;

    for (long i = count / 4 - 1; i >= 0; i--)
        numbers[i] = (int)i | 1;
}

LOOP pointer_up(unsigned char *to, long count)
{
    uint64_t *end = (uint64_t *)to + count / 8;

    for (uint64_t *at = (uint64_t *)to; at != end; at++)
        *at = (uintptr_t)at;
}

LOOP pairs(unsigned char *to, long count)
{
    struct pair {
        uint32_t a, b;
        uint64_t c;
    } *at = (void *)to;

    for (int i = 0; i < (int)(count / (long)sizeof(*at)); i++) {
        at[i].a = (uint32_t)i + 1;
        at[i].c = 5;
    }
}

LOOP strided(unsigned char *to, long count)
{
    for (long i = 0; i < count; i += 600)
        to[i] = 3;
}

LOOP far_apart(unsigned char *to, long count)
{
    for (long i = 0; i < count; i += 5000)
        to[i] = 3;
}

LOOP narrow_counter(unsigned char *to, long count)
{
    for (unsigned short i = 0; i < (unsigned short)(count > 60000 ? 60000 : count); i++)
        to[i] = 9;
}

LOOP conditional(unsigned char *to, long count)
{
    for (long i = 0; i < count; i++)
        if (i * 2654435761u >> 20 & 1)
            to[i] = 4;
}

LOOP left_early(unsigned char *to, long count)
{
    for (long i = 0; i < BYTES; i++) {
        if (i * 3 > count * 2)
            break;
        to[i] = 6;
    }
}

LOOP two_arrays(unsigned char *to, long count)
{
    unsigned char *middle = to + count / 2;

    for (long i = 0; i < count / 2; i++) {
        to[i] = 1;
        middle[-i] = 2;
    }
}

LOOP accumulated(unsigned char *to, long count)
{
    uint64_t *sum = (uint64_t *)to;

    for (long i = 0; i < count; i++)
        *(volatile uint64_t *)sum += 3;
}

LOOP shifted(unsigned char *to, long count)
{
    to[0] = 1;
    for (long i = 1; i < count; i++)
        to[i] = (unsigned char)(to[i - 1] ^ 2);
}

LOOP constant_turns(unsigned char *to, long count)
{
    uint32_t(*rows)[175] = (void *)to;

    for (long row = 0; row < count / (long)sizeof(*rows); row++)
        for (int i = 0; i < 175; i++)
            rows[row][i] += (uint32_t)i + 1;
}

static int check(const char *name, void (*loop)(unsigned char *, long), long begin, long count)
{
    unsigned long written = 0;

    for (int page = 0; page < PAGES; page++)
        *card(g_memory + page * PAGE) = 0;
    loop(g_memory + begin, count);
    for (int page = 0; page < PAGES; page++) {
        const unsigned char *at = g_memory + page * PAGE;
        int marked = *card(at), touched = 0, rest = 0;

        for (int i = 0; i < PAGE; i++) {
            touched |= at[i];
            rest |= i < HEAD ? 0 : at[i];
        }
        written += touched != 0;
        if (marked ? 0 : rest || (touched && !(page && *card(at - PAGE)))) {
            printf("%s, %ld bytes at %ld: page %d has no mark\n", name, count, begin, page);
            return 1;
        }
        g_spare += marked && !touched;
    }
    g_checks++;
    memset(g_memory, 0, BYTES);
    if (written == 0 && count > 700) {
        printf("%s, %ld bytes at %ld: nothing was written\n", name, count, begin);
        return 1;
    }
    return 0;
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(unsigned char *, long);
    } loops[] = {
        {"bytes_up", bytes_up},
        {"bytes_odd", bytes_odd},
        {"ints_down", ints_down},
        {"pointer_up", pointer_up},
        {"pairs", pairs},
        {"strided", strided},
        {"far_apart", far_apart},
        {"narrow_counter", narrow_counter},
        {"conditional", conditional},
        {"left_early", left_early},
        {"two_arrays", two_arrays},
        {"accumulated", accumulated},
        {"shifted", shifted},
        {"constant_turns", constant_turns},
    };
    static const long begins[] = {0, 8, 4088, 4096 * 3 - 24},
                      counts[] = {1, 8, 63, 700, 4096, 4104, 16384, 16400, 32769, 65536, 200000};

    for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++)
        for (size_t b = 0; b < sizeof(begins) / sizeof(begins[0]); b++)
            for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
                for (long more = 0; more < 3; more++)
                    if (check(loops[i].name, loops[i].run, begins[b], counts[c] + more))
                        return 1;
    printf("%lu runs of loops, %lu pages marked that were not written\n", g_checks, g_spare);
    return 0;
}
