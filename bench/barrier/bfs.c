/* SPDX-License-Identifier: Apache-2.0 */
/* Breadth-first search: scattered stores of distances, and a queue.  They fit into a cache of 1 MiB
 * with room to spare: where they just do not, it is luck of physical pages how long a run takes
 * (the same program 0.52 to 0.89 s). */
#include "graph.h"

enum { NODES = 100000, EDGES = 800000, SEARCHES = 180 };

static uint64_t search(const struct graph *graph, uint32_t start, int32_t *distance,
                       uint32_t *queue)
{
    long head = 0, tail = 0;
    uint64_t hash = 0;

    for (long i = 0; i < graph->nodes; i++)
        distance[i] = -1;
    distance[start] = 0;
    queue[tail++] = start;
    while (head < tail) {
        uint32_t node = queue[head++];

        for (uint32_t edge = graph->begin[node]; edge < graph->begin[node + 1]; edge++) {
            uint32_t to = graph->target[edge];

            if (distance[to] < 0) {
                distance[to] = distance[node] + 1;
                queue[tail++] = to;
            }
        }
    }
    for (long i = 0; i < graph->nodes; i += 17)
        hash = hash * 31 + (uint64_t)distance[i];
    return hash;
}

int main(void)
{
    struct graph graph = graph_random(NODES, EDGES);
    int32_t *distance = input_memory(NODES, 4);
    uint32_t *queue = input_memory(NODES, 4);
    uint64_t hash = 0;

    for (int i = 0; i < SEARCHES; i++)
        hash = hash * 31 + search(&graph, (uint32_t)(input_next() % NODES), distance, queue);
    printf("%016lx\n", hash);
    return 0;
}
