/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of pages against a model: an array of bools, in windows that straddle words, blocks and
 * spans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "enclave/pageset.h"

#include <cmocka.h>

enum { WINDOW = 9000, STEPS = 20000, LIMIT = 234881024 };

static bool g_model[WINDOW], g_other_model[WINDOW];
static struct pageset g_set, g_other;
static uint64_t g_base;

void *local_alloc(size_t size)
{
    return calloc(1, size);
}

_Noreturn void runtime_abort(const char *file, int line, const char *what)
{
    (void)file;
    (void)line;
    (void)what;
    abort();
}

static uint64_t pick(uint64_t limit)
{
    return (uint64_t)random() % limit;
}

/* Walks in pieces of at most max, and compares each run with the model. */
static void check_walk(const struct pageset *set, const bool *model, uint64_t max)
{
    struct page_run run;
    uint64_t at = 0, seen = 0, expected = 0;

    while (pageset_next(set, g_base + at, g_base + WINDOW, max, &run)) {
        assert_true(run.first >= g_base + at && run.end > run.first && run.end - run.first <= max);
        for (; at < run.first - g_base; at++)
            assert_false(model[at]);
        for (; at < run.end - g_base; at++)
            assert_true(model[at]);
        if (run.end - run.first < max && run.end < g_base + WINDOW)
            assert_false(model[at]);
        seen += run.end - run.first;
    }
    for (; at < WINDOW; at++)
        assert_false(model[at]);
    for (uint64_t i = 0; i < WINDOW; i++)
        expected += model[i];
    assert_int_equal(seen, expected);
    assert_int_equal(pageset_count(set), expected);
}

static uint64_t model_move(uint64_t first, uint64_t end, bool to_other)
{
    uint64_t count = 0;

    for (uint64_t i = first; i < end; i++) {
        count += g_model[i];
        if (to_other && g_model[i])
            g_other_model[i] = true;
        g_model[i] = false;
    }
    return count;
}

static void step(void)
{
    uint64_t first = pick(WINDOW), end = first + 1 + pick(pick(4) ? 70 : 3000);

    if (end > WINDOW)
        end = WINDOW;
    switch (pick(7)) {
    case 0:
        assert_int_equal(pageset_add(&g_set, g_base + first), !g_model[first]);
        g_model[first] = true;
        break;
    case 1:
        assert_int_equal(pageset_remove(&g_set, g_base + first), g_model[first]);
        g_model[first] = false;
        break;
    case 2:
        pageset_add_range(&g_set, g_base + first, g_base + end);
        for (uint64_t i = first; i < end; i++)
            g_model[i] = true;
        break;
    case 3:
        assert_int_equal(pageset_remove_range(&g_set, g_base + first, g_base + end),
                         model_move(first, end, false));
        break;
    case 4:
        assert_int_equal(pageset_move_range(&g_set, &g_other, g_base + first, g_base + end),
                         model_move(first, end, true));
        break;
    case 5: /* changes nothing */
        pageset_touch(&g_set, g_base + first);
        break;
    default:
        assert_int_equal(pageset_has(&g_set, g_base + first), g_model[first]);
        break;
    }
}

static void run_at(uint64_t base)
{
    g_base = base;
    for (int i = 0; i < STEPS; i++) {
        step();
        if (i % 500 == 0) {
            check_walk(&g_set, g_model, pick(2) ? ~0ULL : 1 + pick(200));
            check_walk(&g_other, g_other_model, ~0ULL);
        }
    }
    pageset_clear(&g_set);
    pageset_clear(&g_other);
    memset(g_model, 0, sizeof(g_model));
    memset(g_other_model, 0, sizeof(g_other_model));
    check_walk(&g_set, g_model, ~0ULL);
}

static void test_against_model(void **state)
{
    (void)state;
    srandom(1);
    pageset_create(&g_set, LIMIT);
    pageset_create(&g_other, LIMIT);
    run_at(16);                  /* the first page of ELRANGE */
    run_at(64 * 64 * 64 - 4500); /* a border of spans */
    run_at(LIMIT - WINDOW);      /* the last page */
}

static void test_far_apart(void **state)
{
    struct page_run run;

    (void)state;
    pageset_create(&g_set, LIMIT);
    pageset_add(&g_set, 16);
    pageset_add(&g_set, LIMIT - 1);
    assert_true(pageset_next(&g_set, 17, LIMIT, ~0ULL, &run));
    assert_int_equal(run.first, LIMIT - 1);
    assert_int_equal(run.end, LIMIT);
    assert_false(pageset_next(&g_set, 17, LIMIT - 1, ~0ULL, &run));
    assert_false(pageset_next(&g_set, LIMIT, LIMIT + 5, ~0ULL, &run));
    assert_false(pageset_has(&g_set, LIMIT));
    assert_int_equal(pageset_remove_range(&g_set, 0, ~0ULL), 2);
    assert_int_equal(pageset_count(&g_set), 0);
    pageset_clear(&g_set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_far_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
