/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: text is made, cut into words, counted in a table that grows, and sorted; short copies,
 * malloc, formatted output. */
#include <string.h>

#include "input.h"

enum { TEXT = 3 << 20, TURNS = 4 };

struct word {
    struct word *next;
    long count;
    uint32_t hash;
    char text[];
};
struct table {
    struct word **heads;
    size_t size, used;
};

static void grow(struct table *table)
{
    size_t size = table->size ? table->size * 2 : 64;
    struct word **heads = input_memory(size, sizeof(*heads)), *next;

    for (size_t i = 0; i < table->size; i++)
        for (struct word *word = table->heads[i]; word; word = next) {
            next = word->next;
            word->next = heads[word->hash & (size - 1)];
            heads[word->hash & (size - 1)] = word;
        }
    free(table->heads);
    table->heads = heads;
    table->size = size;
}

static void count(struct table *table, const char *text)
{
    uint32_t hash = 2166136261u;
    size_t length = strlen(text);
    struct word *word;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    if (table->used >= table->size)
        grow(table);
    for (word = table->heads[hash & (table->size - 1)]; word; word = word->next)
        if (word->hash == hash && strcmp(word->text, text) == 0) {
            word->count++;
            return;
        }
    word = input_memory(1, sizeof(*word) + length + 1);
    strcpy(word->text, text);
    word->count = 1;
    word->hash = hash;
    word->next = table->heads[hash & (table->size - 1)];
    table->heads[hash & (table->size - 1)] = word;
    table->used++;
}

static char *make_text(void)
{
    char *text = input_memory(TEXT + 32, 1), *to = text;

    while (to < text + TEXT)
        to += snprintf(to, 32, "w%lx-%s ",
                       (unsigned long)(input_next() % 50000 * (input_next() % 7 + 1)),
                       input_next() & 1 ? "left" : "right");
    return text;
}

static int by_count(const void *a, const void *b)
{
    const struct word *x = *(struct word *const *)a, *y = *(struct word *const *)b;

    return x->count != y->count ? (x->count < y->count) - (x->count > y->count)
                                : strcmp(x->text, y->text);
}

int main(void)
{
    uint64_t hash = 0;

    for (int turn = 0; turn < TURNS; turn++) {
        struct table table = {0};
        char *text = make_text(), *rest = text, *word;
        struct word **all;
        size_t at = 0;

        while ((word = strtok_r(rest, " ", &rest)))
            count(&table, word);
        all = input_memory(table.used, sizeof(*all));
        for (size_t i = 0; i < table.size; i++)
            for (struct word *w = table.heads[i]; w; w = w->next)
                all[at++] = w;
        qsort(all, at, sizeof(*all), by_count);
        for (size_t i = 0; i < at; i++) {
            hash = hash * 31 + (uint64_t)all[i]->count + (unsigned char)all[i]->text[1];
            free(all[i]);
        }
        free(all);
        free(table.heads);
        free(text);
    }
    printf("%016lx\n", hash);
    return 0;
}
