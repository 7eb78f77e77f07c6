/* SPDX-License-Identifier: Apache-2.0 */
/* A random graph whose edges lie in one array, those of each node together. */
#pragma once

#include "input.h"

struct graph {
    long nodes, edges;
    uint32_t *begin;  /* nodes + 1 of them */
    uint32_t *target; /* of each edge */
};

static inline struct graph graph_random(long nodes, long edges)
{
    struct graph graph = {nodes, edges, input_memory((size_t)nodes + 1, 4),
                          input_memory((size_t)edges, 4)};
    uint32_t *from = input_memory((size_t)edges, 4), *at = input_memory((size_t)nodes, 4);

    for (long i = 0; i < edges; i++) {
        from[i] = (uint32_t)(input_next() % (uint64_t)nodes);
        graph.begin[from[i] + 1]++;
    }
    for (long i = 0; i < nodes; i++) {
        graph.begin[i + 1] += graph.begin[i];
        at[i] = graph.begin[i];
    }
    for (long i = 0; i < edges; i++)
        graph.target[at[from[i]]++] = (uint32_t)(input_next() % (uint64_t)nodes);
    free(from);
    free(at);
    return graph;
}
