/* SPDX-License-Identifier: Apache-2.0 */
/* A B-tree in memory: inserts that move keys inside of nodes and split them, then look-ups. */
#include <string.h>

#include "input.h"

enum { ORDER = 32, INSERTS = 900000, LOOKUPS = 500000 };

struct node {
    int count, leaf;
    uint64_t keys[ORDER], values[ORDER];
    struct node *children[ORDER + 1];
};

static struct node *node_new(int leaf)
{
    struct node *node = input_memory(1, sizeof(*node));

    node->leaf = leaf;
    return node;
}

static int position(const struct node *node, uint64_t key)
{
    int low = 0, high = node->count;

    while (low < high) {
        int middle = (low + high) / 2;

        if (node->keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void split(struct node *parent, int at)
{
    struct node *left = parent->children[at], *right = node_new(left->leaf);
    int half = ORDER / 2;

    right->count = ORDER - half - 1;
    memcpy(right->keys, left->keys + half + 1, (size_t)right->count * 8);
    memcpy(right->values, left->values + half + 1, (size_t)right->count * 8);
    if (!left->leaf)
        memcpy(right->children, left->children + half + 1, (size_t)(right->count + 1) * 8);
    left->count = half;
    for (int i = parent->count; i > at; i--) {
        parent->keys[i] = parent->keys[i - 1];
        parent->values[i] = parent->values[i - 1];
        parent->children[i + 1] = parent->children[i];
    }
    parent->keys[at] = left->keys[half];
    parent->values[at] = left->values[half];
    parent->children[at + 1] = right;
    parent->count++;
}

static void insert(struct node **root, uint64_t key, uint64_t value)
{
    struct node *node = *root;
    int at;

    if (node->count == ORDER) {
        *root = node_new(0);
        (*root)->children[0] = node;
        split(*root, 0);
        node = *root;
    }
    while (at = position(node, key), !node->leaf) {
        if (at < node->count && node->keys[at] == key)
            break;
        if (node->children[at]->count == ORDER) {
            split(node, at);
            continue;
        }
        node = node->children[at];
    }
    if (at < node->count && node->keys[at] == key) {
        node->values[at] += value;
        return;
    }
    for (int i = node->count; i > at; i--) {
        node->keys[i] = node->keys[i - 1];
        node->values[i] = node->values[i - 1];
    }
    node->keys[at] = key;
    node->values[at] = value;
    node->count++;
}

static uint64_t lookup(const struct node *node, uint64_t key)
{
    for (;;) {
        int at = position(node, key);

        if (at < node->count && node->keys[at] == key)
            return node->values[at];
        if (node->leaf)
            return 0;
        node = node->children[at];
    }
}

int main(void)
{
    struct node *root = node_new(1);
    uint64_t hash = 0;

    for (uint64_t i = 0; i < INSERTS; i++)
        insert(&root, input_next() % (INSERTS * 2), i);
    for (int i = 0; i < LOOKUPS; i++)
        hash = hash * 31 + lookup(root, input_next() % (INSERTS * 2));
    printf("%016lx\n", hash);
    return 0;
}
