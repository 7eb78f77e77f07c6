/* SPDX-License-Identifier: Apache-2.0 */
/* PageRank: sums over edges, one store for each node, and passes over arrays. */
#include "graph.h"

enum { NODES = 300000, EDGES = 2400000, TURNS = 90 };

int main(void)
{
    struct graph graph = graph_random(NODES, EDGES);
    double *rank = input_memory(NODES, 8), *next = input_memory(NODES, 8),
           *share = input_memory(NODES, 8), sum = 0;

    for (long i = 0; i < NODES; i++)
        rank[i] = 1.0 / NODES;
    for (int turn = 0; turn < TURNS; turn++) {
        double *swap = rank;

        for (long i = 0; i < NODES; i++)
            share[i] = rank[i] / (graph.begin[i + 1] - graph.begin[i] + 1);
        for (long i = 0; i < NODES; i++) {
            double into = 0;

            for (uint32_t edge = graph.begin[i]; edge < graph.begin[i + 1]; edge++)
                into += share[graph.target[edge]];
            next[i] = 0.15 / NODES + 0.85 * into;
        }
        rank = next;
        next = swap;
    }
    for (long i = 0; i < NODES; i++)
        sum += rank[i] * (double)(i % 101);
    printf("%.12f\n", sum);
    return 0;
}
