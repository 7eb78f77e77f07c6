/* SPDX-License-Identifier: Apache-2.0 */
/* Balanced search trees that are built and freed: small objects from malloc, pointers written along
 * a path. */
#include "input.h"

enum { KEYS = 120000, TURNS = 14 };

struct node {
    struct node *left, *right;
    uint64_t key, priority, size;
};

static uint64_t size_of(const struct node *node)
{
    return node ? node->size : 0;
}

static void update(struct node *node)
{
    node->size = 1 + size_of(node->left) + size_of(node->right);
}

static struct node *rotate_right(struct node *node)
{
    struct node *up = node->left;

    node->left = up->right;
    up->right = node;
    update(node);
    update(up);
    return up;
}

static struct node *rotate_left(struct node *node)
{
    struct node *up = node->right;

    node->right = up->left;
    up->left = node;
    update(node);
    update(up);
    return up;
}

/* A treap: random priorities keep it balanced. */
static struct node *insert(struct node *node, uint64_t key)
{
    if (!node) {
        node = input_memory(1, sizeof(*node));
        node->key = key;
        node->priority = input_next();
        node->size = 1;
        return node;
    }
    if (key < node->key) {
        node->left = insert(node->left, key);
        if (node->left->priority > node->priority)
            return rotate_right(node);
    } else if (key > node->key) {
        node->right = insert(node->right, key);
        if (node->right->priority > node->priority)
            return rotate_left(node);
    }
    update(node);
    return node;
}

static uint64_t nth(const struct node *node, uint64_t at)
{
    while (size_of(node->left) != at) {
        if (at < size_of(node->left)) {
            node = node->left;
            continue;
        }
        at -= size_of(node->left) + 1;
        node = node->right;
    }
    return node->key;
}

static void release(struct node *node)
{
    if (!node)
        return;
    release(node->left);
    release(node->right);
    free(node);
}

int main(void)
{
    uint64_t hash = 0;

    for (int turn = 0; turn < TURNS; turn++) {
        struct node *root = NULL;

        for (int i = 0; i < KEYS; i++)
            root = insert(root, input_next() % (KEYS * 4));
        for (uint64_t at = 0; at < size_of(root); at += 13)
            hash = hash * 31 + nth(root, at);
        release(root);
    }
    printf("%016lx\n", hash);
    return 0;
}
