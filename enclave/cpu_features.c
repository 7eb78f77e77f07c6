/* SPDX-License-Identifier: Apache-2.0 */
/* XCR0 and the size of the XSAVE area.  Every x86-64 processor of use here has XSAVE. */
#include "enclave/cpu_features.h"

#include <cpuid.h>

enum {
    LEAF_FEATURES = 1,
    LEAF_EXTENDED = 7,
    LEAF_XSAVE = 0xd,
    AVX2 = 1 << 5,
    OSXSAVE = 1 << 27,
    LEGACY_SIZE = 512
};

static bool has_xsave(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(LEAF_FEATURES, &a, &b, &c, &d) && (c & OSXSAVE);
}

uint64_t cpu_xfeatures(void)
{
    uint32_t low, high;

    if (!has_xsave())
        return 3; /* x87 and SSE */
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

bool cpu_has_avx2(void)
{
    const uint64_t sse_and_avx = 6;
    unsigned a, b, c, d;

    return (cpu_xfeatures() & sse_and_avx) == sse_and_avx && has_xsave() &&
           __get_cpuid_count(LEAF_EXTENDED, 0, &a, &b, &c, &d) && (b & AVX2);
}

uint32_t cpu_xsave_size(void)
{
    unsigned a, b, c, d;

    if (!has_xsave() || !__get_cpuid_count(LEAF_XSAVE, 0, &a, &b, &c, &d))
        return LEGACY_SIZE;
    return b;
}
