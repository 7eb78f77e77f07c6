/* SPDX-License-Identifier: Apache-2.0 */
/* The search for the next mark.  It uses vector registers, so only the collector's thread comes
 * here (fast_calls.h). */
#include "enclave/card_scan.h"

#include "enclave/cpu_features.h"

enum { SCAN_BLOCK = 16 }; /* words */

/* Four words, wherever they lie. */
typedef uint64_t quad __attribute__((vector_size(32), aligned(8), may_alias));

/* Compiled twice below: with 32-byte registers, and with the 16-byte ones that every processor has.
 */
__attribute__((always_inline)) static inline uint64_t skip_clean(const uint64_t *words, uint64_t at,
                                                                 uint64_t end)
{
    for (; at + SCAN_BLOCK <= end; at += SCAN_BLOCK) {
        const quad *block = (const quad *)(words + at);
        quad any = (block[0] | block[1]) | (block[2] | block[3]);

        if (any[0] | any[1] | any[2] | any[3])
            break;
    }
    return at;
}

__attribute__((target("avx2"))) static uint64_t skip_clean_avx2(const uint64_t *words, uint64_t at,
                                                                uint64_t end)
{
    return skip_clean(words, at, end);
}

static uint64_t skip_clean_sse2(const uint64_t *words, uint64_t at, uint64_t end)
{
    return skip_clean(words, at, end);
}

uint64_t card_next_word(const uint64_t *words, uint64_t at, uint64_t end)
{
    static int avx2 = -1;

    if (avx2 < 0)
        avx2 = cpu_has_avx2();
    while (at < end) {
        uint64_t block_end;

        at = avx2 ? skip_clean_avx2(words, at, end) : skip_clean_sse2(words, at, end);
        /* A block in which there is something, or the rest that is shorter than one. */
        for (block_end = OM_MIN(end, at + SCAN_BLOCK); at < block_end; at++)
            if (__atomic_load_n(&words[at], __ATOMIC_RELAXED))
                return at;
    }
    return end;
}
