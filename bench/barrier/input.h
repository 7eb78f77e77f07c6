/* SPDX-License-Identifier: Apache-2.0 */
/* Input of the programs here: numbers that are the same in every run, and memory or an end. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t g_input_state = 88172645463325252ULL;

/* xorshift64: the next pseudo-random number. */
static inline uint64_t input_next(void)
{
    g_input_state ^= g_input_state << 13;
    g_input_state ^= g_input_state >> 7;
    g_input_state ^= g_input_state << 17;
    return g_input_state;
}

/* Memory of `count` elements of `size` bytes, zero. */
static inline void *input_memory(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (!memory) {
        fprintf(stderr, "no memory\n");
        exit(1);
    }
    return memory;
}
