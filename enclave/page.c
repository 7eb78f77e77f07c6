/* SPDX-License-Identifier: Apache-2.0 */
/* The test for a page of zeros that pre-copy makes of every page, and whether two are the same.
 * They use vector registers, so no program thread may come here without a signal (fast_calls.h). */
#include <emmintrin.h>

#include "enclave/runtime.h"

bool page_is_zero(const void *page)
{
    const __m128i *at = page, *end = at + OM_PAGE_SIZE / sizeof(*at);
    const __m128i zero = _mm_setzero_si128();

    for (; at < end; at += 4) {
        __m128i any = _mm_or_si128(_mm_or_si128(_mm_load_si128(at), _mm_load_si128(at + 1)),
                                   _mm_or_si128(_mm_load_si128(at + 2), _mm_load_si128(at + 3)));

        if (_mm_movemask_epi8(_mm_cmpeq_epi8(any, zero)) != 0xffff)
            return false;
    }
    return true;
}

bool page_is_same(const void *a, const void *b)
{
    const __m128i *one = a, *end = one + OM_PAGE_SIZE / sizeof(*one), *other = b;

    for (; one < end; one += 4, other += 4) {
        __m128i any = _mm_setzero_si128();

        for (int i = 0; i < 4; i++)
            any = _mm_or_si128(any,
                               _mm_xor_si128(_mm_loadu_si128(one + i), _mm_loadu_si128(other + i)));
        if (_mm_movemask_epi8(_mm_cmpeq_epi8(any, _mm_setzero_si128())) != 0xffff)
            return false;
    }
    return true;
}
