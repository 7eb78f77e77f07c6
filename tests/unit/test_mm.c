/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory map against a model that knows nothing of areas: an array of pages.  Many random
 * calls; after each, the areas must be exactly the runs of equal pages of the model, and from time
 * to time the kernel's protections and the contents of memory are compared too.
 */
#include "tests/unit/native.h"

#include <asm/unistd.h>
#include <linux/mman.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PAGES = 96, STEPS = 60000, RW = PROT_READ | PROT_WRITE };

#define WINDOW (4 * OM_GIB)
#define WINDOW_END (WINDOW + PAGES * OM_PAGE_SIZE)

struct page {
    bool mapped;
    uint32_t prot, kind, flags, name; /* name: 0 none, 1 "/a", 2 "/b" */
    uint8_t content;
};

static struct page g_model[PAGES];
static uint32_t g_hook_prot[PAGES]; /* as the hooks told it */
static bool g_hook_discarded[PAGES];
static uint64_t g_seed;

static const char *const g_names[] = {NULL, "/a", "/b"};
static const uint32_t g_prots[] = {PROT_NONE, PROT_READ, RW, PROT_READ | PROT_EXEC, RW | PROT_EXEC};

static uint64_t pick(uint64_t limit)
{
    return native_random(&g_seed) % limit;
}

static uint64_t address_of(uint64_t page)
{
    return WINDOW + page * OM_PAGE_SIZE;
}

static void note_discarded(uint64_t start, uint64_t end)
{
    for (uint64_t i = (start - WINDOW) / OM_PAGE_SIZE; i < (end - WINDOW) / OM_PAGE_SIZE; i++)
        g_hook_discarded[i] = true;
}

static void note_protected(uint64_t start, uint64_t end, uint32_t prot)
{
    for (uint64_t i = (start - WINDOW) / OM_PAGE_SIZE; i < (end - WINDOW) / OM_PAGE_SIZE; i++)
        g_hook_prot[i] = prot;
}

static int create(void **state)
{
    (void)state;
    mm_create();
    memset(g_model, 0, sizeof(g_model));
    memset(g_hook_prot, 0, sizeof(g_hook_prot));
    g_mm_hooks.discarded = note_discarded;
    g_mm_hooks.protected = note_protected;
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    g_mm_hooks.discarded = NULL;
    g_mm_hooks.protected = NULL;
    (void)mm_unmap(PROGRAM_BASE, PROGRAM_END - PROGRAM_BASE);
    return 0;
}

static bool same_attributes(const struct page *a, const struct page *b)
{
    return a->mapped == b->mapped && a->prot == b->prot && a->kind == b->kind &&
           a->flags == b->flags && a->name == b->name;
}

/* The end of the run of equal pages that begins at page. */
static uint32_t run_end(uint32_t page)
{
    uint32_t end = page + 1;

    while (end < PAGES && same_attributes(&g_model[page], &g_model[end]))
        end++;
    return end;
}

static void check_area(const struct area *area, uint32_t page)
{
    const struct page *model = &g_model[page];
    const char *name = g_names[model->name];

    assert_int_equal(area->start, address_of(page));
    assert_int_equal(area->end, address_of(run_end(page)));
    assert_int_equal(area->prot, model->prot);
    assert_int_equal(area->kind, model->kind);
    assert_int_equal(area->flags, model->flags);
    assert_string_equal(mm_area_name(area), name ? name : "");
}

static void check_areas(void)
{
    uint64_t bytes = 0;
    struct area area;
    uint32_t count = 0;

    for (uint32_t page = 0; page < PAGES; page = run_end(page)) {
        if (!g_model[page].mapped)
            continue;
        assert_true(mm_next_area(address_of(page), &area));
        check_area(&area, page);
        bytes += area.end - area.start;
        count++;
    }
    assert_int_equal(g_tables->mm.count, count);
    assert_int_equal(mm_mapped_bytes(), bytes);
}

static void check_hooks(void)
{
    for (uint32_t page = 0; page < PAGES; page++)
        assert_int_equal(g_hook_prot[page], g_model[page].mapped ? g_model[page].prot : PROT_NONE);
}

static void check_kernel(void)
{
    static struct native_region regions[PAGES + 1];
    uint32_t count = native_regions(WINDOW, WINDOW_END, regions, PAGES + 1), at = 0;

    for (uint32_t page = 0; page < PAGES; page++) {
        uint64_t address = address_of(page);
        uint32_t prot = PROT_NONE;

        while (at < count && regions[at].end <= address)
            at++;
        if (at < count && regions[at].start <= address)
            prot = regions[at].prot;
        assert_int_equal(prot, g_model[page].mapped ? g_model[page].prot : PROT_NONE);
    }
}

static void check_contents(void)
{
    for (uint32_t page = 0; page < PAGES; page++) {
        const volatile uint8_t *byte = (const volatile uint8_t *)address_of(page);

        if (g_model[page].mapped && (g_model[page].prot & PROT_READ)) {
            assert_int_equal(byte[0], g_model[page].content);
            assert_int_equal(byte[OM_PAGE_SIZE - 1], g_model[page].content);
        }
    }
}

/* ---- The calls, on both ---- */

struct range {
    uint32_t first, last; /* pages, last excluded */
};

static struct range pick_range(void)
{
    uint32_t first = (uint32_t)pick(PAGES);
    uint32_t most = pick(4) ? 8 : PAGES;

    return (struct range){first, first + 1 + (uint32_t)pick(OM_MIN(most, PAGES - first))};
}

static uint64_t range_start(struct range range)
{
    return address_of(range.first);
}

/* Not always whole pages: the map rounds up. */
static uint64_t range_length(struct range range)
{
    return (range.last - range.first) * OM_PAGE_SIZE - pick(2) * pick(OM_PAGE_SIZE);
}

static bool range_is(struct range range, bool mapped)
{
    for (uint32_t i = range.first; i < range.last; i++)
        if (g_model[i].mapped != mapped)
            return false;
    return true;
}

static struct page pick_attributes(void)
{
    return (struct page){
        .mapped = true,
        .prot = g_prots[pick(OM_ARRAY_LENGTH(g_prots))],
        .kind = pick(2) ? AREA_ANONYMOUS : AREA_FILE,
        .flags = pick(4) ? 0 : AREA_HUGE_ADVISED,
        .name = (uint32_t)pick(3),
    };
}

static void model_fill(struct range range, struct page value)
{
    for (uint32_t i = range.first; i < range.last; i++) {
        if (g_model[i].mapped && g_model[i].content)
            assert_true(g_hook_discarded[i]);
        g_model[i] = value;
    }
}

static void step_map(struct range range, bool vacant_only)
{
    struct page value = pick_attributes();
    uint64_t start = range_start(range), length = range_length(range);
    long (*map)(uint64_t, uint64_t, uint32_t, uint32_t, uint32_t, const char *) =
        vacant_only ? mm_map_vacant : mm_map_fixed;
    long error = map(start, length, value.prot, value.kind, value.flags, g_names[value.name]);

    if (vacant_only && !range_is(range, false)) {
        assert_int_equal(error, -EEXIST);
        return;
    }
    assert_int_equal(error, 0);
    model_fill(range, value);
}

static void step_within(struct range range)
{
    struct page value = pick_attributes();
    struct mm_room room = {WINDOW, WINDOW_END, OM_PAGE_SIZE << pick(4)};
    uint32_t pages = range.last - range.first;
    long at = mm_map_within(&room, pages * OM_PAGE_SIZE, value.prot, value.kind, value.flags,
                            g_names[value.name]);

    for (uint32_t first = PAGES - pages + 1; first-- > 0;) {
        struct range place = {first, first + pages};

        if (address_of(first) % room.alignment || !range_is(place, false))
            continue;
        assert_int_equal(at, address_of(first)); /* the highest one */
        model_fill(place, value);
        return;
    }
    assert_int_equal(at, -ENOMEM);
}

static void step_unmap(struct range range)
{
    assert_int_equal(mm_unmap(range_start(range), range_length(range)), 0);
    model_fill(range, (struct page){0});
}

static void step_protect(struct range range)
{
    uint32_t prot = g_prots[pick(OM_ARRAY_LENGTH(g_prots))];
    long error = mm_protect(range_start(range), range_length(range), prot);

    for (uint32_t i = range.first; i < range.last; i++) {
        if (!g_model[i].mapped) {
            assert_int_equal(error, -ENOMEM);
            return;
        }
        g_model[i].prot = prot;
    }
    assert_int_equal(error, 0);
}

static void step_discard(struct range range)
{
    long error = mm_discard(range_start(range), range_length(range));

    for (uint32_t i = range.first; i < range.last; i++)
        if (g_model[i].mapped && g_model[i].kind != AREA_FILE)
            g_model[i].content = 0;
    assert_int_equal(error, range_is(range, true) ? 0 : -ENOMEM);
}

static void step_flags(struct range range)
{
    uint32_t set = pick(2) ? AREA_HUGE_ADVISED : 0;

    assert_int_equal(
        mm_set_flags(range_start(range), range_length(range), set, AREA_HUGE_ADVISED & ~set), 0);
    for (uint32_t i = range.first; i < range.last; i++)
        if (g_model[i].mapped)
            g_model[i].flags = set;
}

static void step_write(struct range range)
{
    uint8_t content = (uint8_t)(1 + pick(255));

    for (uint32_t i = range.first; i < range.last; i++) {
        if (!g_model[i].mapped || !(g_model[i].prot & PROT_WRITE))
            continue;
        memset((void *)address_of(i), content, OM_PAGE_SIZE);
        g_model[i].content = content;
    }
}

static void step_ask(struct range range)
{
    uint32_t prot = g_prots[pick(OM_ARRAY_LENGTH(g_prots))];
    bool all = true;

    for (uint32_t i = range.first; i < range.last; i++)
        all = all && g_model[i].mapped && (g_model[i].prot & prot) == prot;
    assert_int_equal(mm_is_mapped(range_start(range), range_length(range), prot), all);
}

static void step(void)
{
    struct range range = pick_range();

    memset(g_hook_discarded, 0, sizeof(g_hook_discarded));
    switch (pick(9)) {
    case 0:
    case 1:
        step_map(range, false);
        break;
    case 2:
        step_map(range, true);
        break;
    case 3:
        step_within(range);
        break;
    case 4:
        step_unmap(range);
        break;
    case 5:
        step_protect(range);
        break;
    case 6:
        step_discard(range);
        break;
    case 7:
        step_flags(range);
        break;
    default:
        step_write(range);
        step_ask(range);
    }
}

static void test_random_calls(void **state)
{
    (void)state;
    g_seed = 20240607;
    for (int i = 0; i < STEPS; i++) {
        step();
        check_areas();
        check_hooks();
        if (i % 64 == 0) {
            check_kernel();
            check_contents();
        }
    }
}

/* ---- The kernel says no ---- */

static void test_refusals_change_nothing(void **state)
{
    (void)state;
    g_seed = 77;
    for (int i = 0; i < 2000; i++) {
        struct range range = pick_range();
        struct page value = pick_attributes();
        long error;

        for (int k = 0; k < 4; k++)
            step();
        g_native_failure = (struct native_failure){__NR_mprotect, 0, -ENOMEM, true};
        if (i % 2)
            error = mm_map_fixed(range_start(range), range_length(range), value.prot, value.kind, 0,
                                 NULL);
        else if (range_is(range, true))
            error = mm_protect(range_start(range), range_length(range), value.prot);
        else
            error = g_native_failure.error;
        g_native_failure.error = 0;
        assert_int_equal(error, -ENOMEM);
        check_areas();
        check_hooks();
        check_kernel();
        check_contents();
    }
}

static void test_unmap_refused(void **state)
{
    uint64_t start = WINDOW;

    (void)state;
    assert_int_equal(mm_map_fixed(start, 4 * OM_PAGE_SIZE, RW, AREA_ANONYMOUS, 0, NULL), 0);
    memset((void *)start, 7, 4 * OM_PAGE_SIZE);
    g_native_failure = (struct native_failure){__NR_mprotect, 0, -ENOMEM, true};
    assert_int_equal(mm_unmap(start + OM_PAGE_SIZE, 2 * OM_PAGE_SIZE), -ENOMEM);
    g_native_failure.error = 0;
    for (uint64_t i = 0; i < 4 * OM_PAGE_SIZE; i++)
        assert_int_equal(((volatile uint8_t *)start)[i], 7);
}

/* ---- Limits and bad arguments ---- */

static void test_too_many_areas(void **state)
{
    uint64_t start = WINDOW_END; /* out of the model's window: it is too small */
    uint32_t limit = 0;
    long error = 0;

    (void)state;
    g_mm_hooks.discarded = NULL;
    g_mm_hooks.protected = NULL;
    while (limit < AREAS_MAX + 10) {
        error = mm_map_fixed(start + limit * OM_PAGE_SIZE, OM_PAGE_SIZE, limit % 2 ? PROT_READ : RW,
                             AREA_ANONYMOUS, 0, NULL);
        if (error)
            break;
        limit++;
    }
    assert_int_equal(error, -ENOMEM);
    assert_in_range(limit, AREAS_MAX - 8, AREAS_MAX);
    assert_true(mm_is_mapped(start, limit * OM_PAGE_SIZE, PROT_READ));
    assert_false(mm_is_mapped(start, (limit + 1) * OM_PAGE_SIZE, PROT_READ));
    /* A full map can still shrink. */
    assert_int_equal(mm_unmap(start, 100 * OM_PAGE_SIZE), 0);
    assert_int_equal(mm_map_fixed(start, OM_PAGE_SIZE, RW, AREA_ANONYMOUS, 0, NULL), 0);
    assert_int_equal(mm_unmap(start, limit * OM_PAGE_SIZE), 0);
    assert_int_equal(g_tables->mm.count, 0);
}

static void test_bad_arguments(void **state)
{
    static const struct {
        uint64_t start, length;
        long map_error, unmap_error;
    } cases[] = {
        {WINDOW + 1, OM_PAGE_SIZE, -EINVAL, -EINVAL},
        {WINDOW, 0, -EINVAL, -EINVAL},
        {0, OM_PAGE_SIZE, -ENOMEM, 0},
        {PROGRAM_END, OM_PAGE_SIZE, -ENOMEM, -EINVAL},
        {PROGRAM_END - OM_PAGE_SIZE, 2 * OM_PAGE_SIZE, -ENOMEM, -EINVAL},
        {WINDOW, UINT64_MAX, -ENOMEM, -EINVAL},
        {WINDOW, -(uint64_t)WINDOW, -ENOMEM, -EINVAL},
        {TABLES_BASE, OM_PAGE_SIZE, -ENOMEM, -EINVAL},
        {~(uint64_t)0xfff, OM_PAGE_SIZE, -ENOMEM, -EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < OM_ARRAY_LENGTH(cases); i++) {
        uint64_t start = cases[i].start, length = cases[i].length;

        assert_int_equal(mm_map_fixed(start, length, RW, AREA_ANONYMOUS, 0, NULL),
                         cases[i].map_error);
        assert_int_equal(mm_unmap(start, length), cases[i].unmap_error);
        assert_false(mm_is_mapped(start, length ? length : 1, PROT_NONE));
    }
    assert_int_equal(mm_map_anywhere(0, RW, AREA_ANONYMOUS, 0, NULL), -EINVAL);
    assert_int_equal(mm_map_anywhere(UINT64_MAX, RW, AREA_ANONYMOUS, 0, NULL), -ENOMEM);
    assert_int_equal(mm_map_anywhere(PROGRAM_END, RW, AREA_ANONYMOUS, 0, NULL), -ENOMEM);
    assert_int_equal(g_tables->mm.count, 0);
}

static void test_large_mappings_are_aligned(void **state)
{
    g_mm_hooks.protected = NULL;
    g_mm_hooks.discarded = NULL;
    (void)state;
    g_tables->mm.map_top = PROGRAM_END - 3 * OM_PAGE_SIZE;
    for (int i = 0; i < 5; i++) {
        long at = mm_map_anywhere(OM_HUGE_SIZE + OM_PAGE_SIZE, RW, AREA_ANONYMOUS, 0, NULL);

        assert_true(at > 0);
        assert_int_equal((uint64_t)at % OM_HUGE_SIZE, 0);
    }
    assert_int_equal(mm_map_anywhere(OM_PAGE_SIZE, RW, AREA_ANONYMOUS, 0, NULL),
                     PROGRAM_END - 4 * OM_PAGE_SIZE);
}

static void test_break(void **state)
{
    uint64_t base = WINDOW + 8 * OM_PAGE_SIZE;

    (void)state;
    assert_int_equal(mm_brk(base), 0); /* no program yet */
    mm_brk_create(base);
    assert_int_equal(mm_brk(0), base);
    assert_int_equal(mm_brk(base + 100), base + 100);
    *(volatile char *)(base + 50) = 5;
    assert_int_equal(mm_brk(base + 3 * OM_PAGE_SIZE), base + 3 * OM_PAGE_SIZE);
    assert_int_equal(g_tables->mm.count, 1);
    assert_int_equal(mm_brk(base - 1), base + 3 * OM_PAGE_SIZE);
    assert_int_equal(mm_map_fixed(base + 4 * OM_PAGE_SIZE, 1, RW, AREA_ANONYMOUS, 0, NULL), 0);
    assert_int_equal(mm_brk(base + 4 * OM_PAGE_SIZE), base + 4 * OM_PAGE_SIZE);
    assert_int_equal(mm_brk(base + 5 * OM_PAGE_SIZE), base + 4 * OM_PAGE_SIZE); /* in the way */
    assert_int_equal(mm_brk(base), base);
    assert_false(mm_is_mapped(base, 1, PROT_NONE));
    assert_int_equal(mm_brk(base + 1), base + 1);
    assert_int_equal(*(volatile char *)(base + 50), 0);
}

static void test_shared_copies_stay_read_only(void **state)
{
    (void)state;
    assert_int_equal(mm_map_fixed(WINDOW, OM_PAGE_SIZE, PROT_READ, AREA_FILE, AREA_SHARED, "/a"),
                     0);
    assert_int_equal(mm_protect(WINDOW, OM_PAGE_SIZE, RW), -EACCES);
    assert_int_equal(mm_protect(WINDOW, OM_PAGE_SIZE, PROT_NONE), 0);
}

static void test_names_run_out(void **state)
{
    char name[128];
    struct area area;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        str_format(name, sizeof(name), "/a/rather/long/name/of/a/file/number/%d", i);
        assert_int_equal(mm_map_fixed(WINDOW, OM_PAGE_SIZE, RW, AREA_FILE, 0, name), 0);
        assert_true(mm_next_area(WINDOW, &area));
        assert_string_equal(mm_area_name(&area), area.name ? name : "");
        assert_true(i > 1000 || area.name);
    }
    assert_int_equal(area.name, 0);
}

/* ---- The destination of a move ---- */

static uint32_t pick_layout(struct area *out, uint32_t capacity)
{
    uint64_t at = WINDOW + pick(4) * OM_PAGE_SIZE;
    uint32_t count = 0;

    while (count < capacity && at < WINDOW_END - 8 * OM_PAGE_SIZE) {
        uint64_t end = at + (1 + pick(6)) * OM_PAGE_SIZE;

        out[count++] =
            (struct area){at, end, g_prots[pick(OM_ARRAY_LENGTH(g_prots))], AREA_ANONYMOUS, 0, 0};
        at = end + (pick(2) ? pick(4) * OM_PAGE_SIZE : 0);
    }
    return count;
}

static void check_layout(const struct area *areas, uint32_t count)
{
    static struct native_region regions[PAGES], wanted[PAGES];
    uint32_t found = native_regions(PROGRAM_BASE, PROGRAM_END, regions, PAGES), expected = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct native_region *last = expected ? &wanted[expected - 1] : NULL;

        if (areas[i].prot == PROT_NONE)
            continue;
        if (last && last->end == areas[i].start && last->prot == areas[i].prot)
            last->end = areas[i].end;
        else
            wanted[expected++] =
                (struct native_region){areas[i].start, areas[i].end, areas[i].prot};
    }
    assert_int_equal(found, expected);
    assert_memory_equal(regions, wanted, found * sizeof(regions[0]));
}

static void test_layout(void **state)
{
    static struct area areas[PAGES];

    (void)state;
    g_seed = 4242;
    for (int i = 0; i < 300; i++) {
        uint32_t count = pick_layout(areas, PAGES);

        if (i % 50 == 0) {
            assert_int_equal(mm_layout_reset_rw(), 0);
            assert_true(mm_layout_writable(PROGRAM_BASE));
            assert_true(mm_layout_writable(PROGRAM_END - 1));
            *(volatile char *)(PROGRAM_END - 1) = 1;
        }
        assert_int_equal(mm_layout_apply(areas, count), 0);
        check_layout(areas, count);
        for (uint32_t k = 0; k < count; k++) {
            assert_int_equal(mm_layout_writable(areas[k].start), !!(areas[k].prot & PROT_WRITE));
            assert_int_equal(mm_layout_writable(areas[k].end - 1), !!(areas[k].prot & PROT_WRITE));
        }
        assert_false(mm_layout_writable(WINDOW - 1));
        assert_false(mm_layout_writable(WINDOW_END));
    }
    assert_int_equal(mm_layout_apply(areas, 0), 0);
}

static void test_bad_layouts(void **state)
{
    static const struct area good = {WINDOW, WINDOW + OM_PAGE_SIZE, RW, 0, 0, 0};
    struct area areas[2];

    (void)state;
    assert_int_equal(mm_layout_reset_rw(), 0);
    for (int i = 0; i < 8; i++) {
        areas[0] = areas[1] = good;
        areas[1].start = good.end;
        areas[1].end = good.end + OM_PAGE_SIZE;
        switch (i) {
        case 0:
            areas[1].start -= OM_PAGE_SIZE; /* overlap */
            break;
        case 1:
            areas[1].end = areas[1].start; /* empty */
            break;
        case 2:
            areas[0].start = 0;
            break;
        case 3:
            areas[1].end = TABLES_BASE + OM_PAGE_SIZE;
            break;
        case 4:
            areas[1].end++;
            break;
        case 5:
            areas[0].start++;
            break;
        case 6:
            areas[1].prot = 0x100;
            break;
        default:
            areas[1].start = UINT64_MAX & ~0xfffULL;
        }
        assert_int_equal(mm_layout_apply(areas, 2), -EINVAL);
    }
    assert_int_equal(mm_layout_apply(areas, AREAS_MAX + 1), -EINVAL);
    assert_true(mm_layout_writable(WINDOW)); /* nothing was applied */
    assert_int_equal(mm_layout_apply(&good, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_calls, create, destroy),
        cmocka_unit_test_setup_teardown(test_refusals_change_nothing, create, destroy),
        cmocka_unit_test_setup_teardown(test_unmap_refused, create, destroy),
        cmocka_unit_test_setup_teardown(test_too_many_areas, create, destroy),
        cmocka_unit_test_setup_teardown(test_bad_arguments, create, destroy),
        cmocka_unit_test_setup_teardown(test_large_mappings_are_aligned, create, destroy),
        cmocka_unit_test_setup_teardown(test_break, create, destroy),
        cmocka_unit_test_setup_teardown(test_shared_copies_stay_read_only, create, destroy),
        cmocka_unit_test_setup_teardown(test_names_run_out, create, destroy),
        cmocka_unit_test_setup_teardown(test_layout, create, destroy),
        cmocka_unit_test_setup_teardown(test_bad_layouts, create, destroy),
    };

    native_create();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
