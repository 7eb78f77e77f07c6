/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memcpy, memmove, memset and memcmp of instrumented programs, in place of musl's.  Compiled
 * without the pass: they mark what they have written themselves, by ranges, behind the stores and
 * before any poll (docs/barrier.md).  Programs call them for a few bytes mostly, so these come
 * first, and without a loop: two overlapping pieces, both read before one is written, which suits
 * memmove too.
 *
 * OPTMIG_PLAIN: without marks and polls, for the libc that measurements compare with.
 */
#include <stddef.h>
#include <stdint.h>

#include "boundary/card.h"

enum { PIECE = 64, STRIP_BYTES = 4 << CARD_SHIFT /* between two polls */ };

typedef unsigned char vector __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint64_t eight __attribute__((aligned(1), may_alias));
typedef uint32_t four __attribute__((aligned(1), may_alias));
typedef uint16_t two __attribute__((aligned(1), may_alias));
typedef unsigned char byte;

struct piece {
    vector part[PIECE / 16];
};

/* Long ones are jumped to: the short ones need no frame. */
#define LONG static __attribute__((noinline))
#define JUMP __attribute__((musttail))

/* Weak: a program may have one of its own. */
__attribute__((weak)) void *memcpy(void *restrict to, const void *restrict from, size_t size);
__attribute__((weak)) void *memmove(void *to, const void *from, size_t size);
__attribute__((weak)) void *memset(void *to, int value, size_t size);
__attribute__((weak)) int memcmp(const void *left, const void *right, size_t size);

/* What the byte's card covers: up to CARD_HEAD bytes behind it, too (boundary/card.h). */
static inline void mark(const byte *written)
{
#ifndef OPTMIG_PLAIN
    __asm__ volatile("movb $1, __optmig_cards_v3(%0)"
                     :
                     : "r"((uintptr_t)written >> CARD_SHIFT)
                     : "memory");
#else
    (void)written;
#endif
}

/* The thread may stop here. */
static inline void poll(void)
{
#ifndef OPTMIG_PLAIN
    __asm__ volatile("testb %%al, __optmig_poll_v3" : : : "cc", "memory");
#endif
}

/* All of a strip, [written, until). */
static inline void mark_strip(const byte *written, const byte *until)
{
    for (const byte *at = written; at < until; at += (size_t)1 << CARD_SHIFT)
        mark(at);
    mark(until - 1);
    poll();
}

static inline struct piece load(const byte *from)
{
    struct piece piece;

    for (int i = 0; i < PIECE / 16; i++)
        piece.part[i] = *(const vector *)(from + 16 * i);
    return piece;
}

static inline void store(byte *to, struct piece piece)
{
    for (int i = 0; i < PIECE / 16; i++)
        *(vector *)(to + 16 * i) = piece.part[i];
}

/* The first bytes and the last, in two overlapping parts. */
#define MOVE_TWO(type)                                                                             \
    do {                                                                                           \
        type first = *(const type *)from, last = *(const type *)(from + size - sizeof(type));      \
                                                                                                   \
        *(type *)to = first;                                                                       \
        *(type *)(to + size - sizeof(type)) = last;                                                \
    } while (0)

/* The shortest first: most calls are for few bytes. */
static inline void move_short(byte *to, const byte *from, size_t size)
{
    if (size >= 16)
        MOVE_TWO(vector);
    else if (size >= 8)
        MOVE_TWO(eight);
    else if (size >= 4)
        MOVE_TWO(four);
    else if (size >= 2)
        MOVE_TWO(two);
    else if (size)
        *to = *from;
    else
        return;
    mark(to);
}

/* More than 32 bytes, at most two pieces. */
static inline void move_medium(byte *to, const byte *from, size_t size)
{
    vector a = *(const vector *)from, b = *(const vector *)(from + 16);
    vector y = *(const vector *)(from + size - 32), z = *(const vector *)(from + size - 16);

    if (size > PIECE) {
        vector c = *(const vector *)(from + 32), d = *(const vector *)(from + 48);
        vector w = *(const vector *)(from + size - 64), x = *(const vector *)(from + size - 48);

        *(vector *)(to + 32) = c, *(vector *)(to + 48) = d;
        *(vector *)(to + size - 64) = w, *(vector *)(to + size - 48) = x;
    }
    *(vector *)to = a, *(vector *)(to + 16) = b;
    *(vector *)(to + size - 32) = y, *(vector *)(to + size - 16) = z;
    mark(to);
}

/* The parts at both ends are read before anything is written, and written last. */
LONG void *move_up(void *to_bytes, const void *from_bytes, size_t size)
{
    byte *to = to_bytes;
    const byte *from = from_bytes;
    vector head = *(const vector *)from;
    struct piece tail = load(from + size - PIECE);
    size_t at = 16 - ((uintptr_t)to & 15);

    while (size - at > PIECE) {
        size_t begin = at, whole = (size - at - 1) / PIECE * PIECE;
        size_t end = at + (whole < STRIP_BYTES ? whole : STRIP_BYTES);

        for (; at < end; at += PIECE)
            store(to + at, load(from + at));
        mark_strip(to + begin, to + end);
    }
    *(vector *)to = head;
    store(to + size - PIECE, tail);
    mark(to);
    mark(to + size - PIECE);
    return to;
}

LONG void *move_down(void *to_bytes, const void *from_bytes, size_t size)
{
    byte *to = to_bytes;
    const byte *from = from_bytes;
    struct piece head = load(from);
    vector tail = *(const vector *)(from + size - 16);
    size_t at = size - ((uintptr_t)(to + size) & 15);

    while (at > PIECE) {
        size_t begin = at, whole = (at - 1) / PIECE * PIECE;
        size_t end = at - (whole < STRIP_BYTES ? whole : STRIP_BYTES);

        for (; at > end; at -= PIECE)
            store(to + at - PIECE, load(from + at - PIECE));
        mark_strip(to + end, to + begin);
    }
    store(to, head);
    *(vector *)(to + size - 16) = tail;
    mark(to);
    mark(to + size - 16);
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    if (size <= 32)
        move_short(to, from, size);
    else if (size <= 2 * PIECE)
        move_medium(to, from, size);
    else
        JUMP return move_up(to, from, size);
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    if (size <= 32)
        move_short(to, from, size);
    else if (size <= 2 * PIECE)
        move_medium(to, from, size);
    else if ((uintptr_t)to - (uintptr_t)from >= size)
        JUMP return move_up(to, from, size);
    else
        JUMP return move_down(to, from, size);
    return to;
}

#define SET_TWO(type)                                                                              \
    do {                                                                                           \
        *(type *)to = (type)pattern;                                                               \
        *(type *)(to + size - sizeof(type)) = (type)pattern;                                       \
    } while (0)

static inline void set_short(byte *to, uint64_t pattern, size_t size)
{
    if (size >= 8) {
        SET_TWO(eight);
    } else if (size >= 4) {
        SET_TWO(four);
    } else if (size >= 2) {
        SET_TWO(two);
    } else if (size) {
        *to = (byte)pattern;
    } else {
        return;
    }
    mark(to);
}

static inline uint64_t eight_times(int value)
{
    return (byte)value * 0x0101010101010101ULL;
}

static inline vector spread(int value)
{
    uint64_t pattern = eight_times(value);
    uint64_t both __attribute__((vector_size(16))) = {pattern, pattern};

    return (vector)both;
}

static inline void set_medium(byte *to, vector pattern, size_t size)
{
    *(vector *)to = pattern;
    *(vector *)(to + size - 16) = pattern;
    if (size > 32) {
        *(vector *)(to + 16) = pattern;
        *(vector *)(to + size - 32) = pattern;
    }
    if (size > PIECE) {
        *(vector *)(to + 32) = pattern, *(vector *)(to + 48) = pattern;
        *(vector *)(to + size - 64) = pattern, *(vector *)(to + size - 48) = pattern;
    }
    mark(to);
}

LONG void *set_long(void *to_bytes, int value, size_t size)
{
    byte *to = to_bytes;
    vector pattern = spread(value);
    struct piece piece = {{pattern, pattern, pattern, pattern}};
    size_t at = 16 - ((uintptr_t)to & 15), begin = 0;

    *(vector *)to = pattern;
    while (size - at > PIECE) {
        size_t whole = (size - at - 1) / PIECE * PIECE;
        size_t end = at + (whole < STRIP_BYTES ? whole : STRIP_BYTES);

        for (; at < end; at += PIECE)
            store(to + at, piece);
        mark_strip(to + begin, to + end);
        begin = end;
    }
    store(to + size - PIECE, piece);
    mark(to + size - PIECE);
    return to;
}

void *memset(void *to, int value, size_t size)
{
    if (size > 2 * PIECE)
        JUMP return set_long(to, value, size);
    if (size >= 16)
        set_medium(to, spread(value), size);
    else
        set_short(to, eight_times(value), size);
    return to;
}

/* Of two words that differ, in the order of their bytes in memory. */
static inline int order(uint64_t left, uint64_t right)
{
    return __builtin_bswap64(left) < __builtin_bswap64(right) ? -1 : 1;
}

static inline int compare_eight(const byte *left, const byte *right)
{
    uint64_t a = *(const eight *)left, b = *(const eight *)right;

    return a == b ? 0 : order(a, b);
}

static inline int compare_four(const byte *left, const byte *right)
{
    uint64_t a = *(const four *)left, b = *(const four *)right;

    return a == b ? 0 : order(a, b);
}

static inline int compare_short(const byte *left, const byte *right, size_t size)
{
    int first;

    if (size >= 8) {
        first = compare_eight(left, right);
        return first ? first : compare_eight(left + size - 8, right + size - 8);
    }
    if (size >= 4) {
        first = compare_four(left, right);
        return first ? first : compare_four(left + size - 4, right + size - 4);
    }
    for (; size && *left == *right; size--)
        left++, right++;
    return size ? *left - *right : 0;
}

/* Sixteen bytes: 0 if they are the same. */
static inline int compare_vector(const byte *left, const byte *right)
{
    vector same = *(const vector *)left == *(const vector *)right;
    unsigned where =
        (unsigned)__builtin_ia32_pmovmskb128((__attribute__((vector_size(16))) char)same) ^ 0xffff;

    if (!where)
        return 0;
    where = (unsigned)__builtin_ctz(where);
    return left[where] - right[where];
}

int memcmp(const void *left, const void *right, size_t size)
{
    const byte *a = left, *b = right;

    if (size < 16)
        return compare_short(a, b, size);
    for (size_t at = 0; at < size - 16; at += 16) {
        int difference = compare_vector(a + at, b + at);

        if (difference)
            return difference;
        if (((at + 16) & (STRIP_BYTES - 1)) == 0)
            poll();
    }
    return compare_vector(a + size - 16, b + size - 16);
}
