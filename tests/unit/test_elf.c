/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ELF decoder: the system's own programs decode; truncations and every corruption of a single
 * field of a real file either are refused with a reason or still describe something that can be
 * mapped, and never touch a byte outside of what was given (each run has its own exact buffer, so
 * that ASan sees it).
 */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/elf.h"

enum { HEAD = 4096, REASON = 256 };

struct host_calls g_host;
struct host_facts g_facts;

static uint8_t *g_head; /* of a real executable */
static size_t g_head_size;
static uint64_t g_file_size;

static size_t read_head(const char *path, uint8_t *to, size_t capacity, uint64_t *out_file_size)
{
    FILE *file = fopen(path, "rb");
    size_t size = 0;

    if (!file)
        return 0;
    size = fread(to, 1, capacity, file);
    fseek(file, 0, SEEK_END);
    *out_file_size = (uint64_t)ftell(file);
    fclose(file);
    return size;
}

/* What elf.h promises of an image that passed. */
static void check_image(const struct elf_image *image, uint64_t file_size)
{
    uint64_t floor = image->position_independent ? 0 : PROGRAM_BASE, end = 0;
    bool entered = false;

    assert_in_range(image->segment_count, 1, ELF_SEGMENTS_MAX);
    assert_int_equal(image->low % OM_PAGE_SIZE, 0);
    assert_int_equal(image->high % OM_PAGE_SIZE, 0);
    assert_true(image->low < image->high && image->high <= PROGRAM_END);
    assert_true(image->alignment >= OM_PAGE_SIZE && image->alignment <= OM_GIB);
    assert_int_equal(image->alignment & (image->alignment - 1), 0);
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *s = &image->segments[i];

        assert_true(s->address >= floor && s->address + s->memory_size <= image->high);
        assert_true(s->address >= image->low && OM_ALIGN_DOWN(s->address, OM_PAGE_SIZE) >= end);
        assert_true(s->file_size <= s->memory_size && s->memory_size > 0);
        assert_true(s->file_offset <= file_size && s->file_size <= file_size - s->file_offset);
        assert_int_equal((s->address - s->file_offset) % OM_PAGE_SIZE, 0);
        end = OM_ALIGN_UP(s->address + s->memory_size, OM_PAGE_SIZE);
        entered =
            entered || (image->entry >= s->address && image->entry < s->address + s->memory_size);
    }
    assert_true(entered);
    assert_int_equal(end, image->high);
    if (image->interpreter_size)
        assert_true(image->interpreter_offset + image->interpreter_size <= file_size);
}

/* Decodes a copy that has not a byte more than size. */
static long decode(const uint8_t *head, size_t size, uint64_t file_size, struct elf_image *image,
                   char reason[REASON])
{
    uint8_t *exact = malloc(size ? size : 1);
    long error;

    memcpy(exact, head, size);
    memset(reason, 0, REASON);
    error = elf_decode(exact, size, file_size, image, reason, REASON);
    free(exact);
    if (error) {
        assert_int_equal(error, -ENOEXEC);
        assert_true(strlen(reason) > 10);
    } else {
        check_image(image, file_size);
    }
    return error;
}

static void test_system_programs(void **state)
{
    static const char *const paths[] = {
        "/bin/true",
        "/bin/sh",
        "/usr/bin/python3",
        "/usr/bin/redis-server",
        "/usr/bin/memcached",
        "/usr/bin/sqlite3",
        "/lib64/ld-linux-x86-64.so.2",
    };
    struct elf_image image;
    char reason[REASON];
    int found = 0;

    (void)state;
    for (size_t i = 0; i < OM_ARRAY_LENGTH(paths); i++) {
        uint8_t head[HEAD];
        uint64_t file_size;
        size_t size = read_head(paths[i], head, sizeof(head), &file_size);

        if (size == 0)
            continue;
        assert_int_equal(decode(head, size, file_size, &image, reason), 0);
        assert_true(image.table_address != 0);
        assert_int_equal(image.interpreter_size != 0, i + 1 < OM_ARRAY_LENGTH(paths));
        assert_false(image.executable_stack);
        found++;
    }
    assert_true(found >= 3);
}

static void test_truncations(void **state)
{
    struct elf_image image;
    char reason[REASON];
    size_t table_end = sizeof(Elf64_Ehdr) + ((Elf64_Ehdr *)g_head)->e_phnum * sizeof(Elf64_Phdr);

    (void)state;
    for (size_t size = 0; size < table_end; size++) {
        assert_int_equal(decode(g_head, size, g_file_size, &image, reason), -ENOEXEC);
        assert_int_equal(decode(g_head, size, size, &image, reason), -ENOEXEC);
    }
    assert_int_equal(decode(g_head, table_end, g_file_size, &image, reason), 0);
    /* The head is whole, but not the file. */
    for (uint64_t size = table_end; size < g_file_size / 2; size += 509)
        assert_int_equal(decode(g_head, g_head_size, size, &image, reason), -ENOEXEC);
}

static const uint64_t g_values[] = {
    0,
    1,
    2,
    0x7f,
    0xff,
    0x100,
    0xfff,
    0x1000,
    0x1001,
    0xffff,
    0x10000,
    0x400000,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    1ULL << 32,
    1ULL << 40,
    1ULL << 47,
    1ULL << 62,
    1ULL << 63,
    UINT64_MAX - 4095,
    UINT64_MAX - 1,
    UINT64_MAX,
};

/* Each field of the file header and of each program header becomes each of these values. */
static void test_corrupt_fields(void **state)
{
    size_t end = sizeof(Elf64_Ehdr) + ((Elf64_Ehdr *)g_head)->e_phnum * sizeof(Elf64_Phdr);
    uint8_t *head = malloc(g_head_size);
    struct elf_image image;
    char reason[REASON];
    uint32_t refused = 0;

    (void)state;
    for (size_t width = 1; width <= 8; width *= 2) {
        for (size_t at = 0; at + width <= end; at += width) {
            for (size_t v = 0; v < OM_ARRAY_LENGTH(g_values); v++) {
                memcpy(head, g_head, g_head_size);
                memcpy(head + at, &g_values[v], width);
                refused += decode(head, g_head_size, g_file_size, &image, reason) != 0;
            }
        }
    }
    assert_true(refused > 1000);
    free(head);
}

static void test_random_corruption(void **state)
{
    uint8_t *head = malloc(g_head_size);
    struct elf_image image;
    char reason[REASON];

    (void)state;
    srand(1);
    for (int i = 0; i < 100000; i++) {
        memcpy(head, g_head, g_head_size);
        for (int k = rand() % 6; k >= 0; k--)
            head[rand() % 800] = (uint8_t)(rand() >> 3);
        (void)decode(head, g_head_size, g_file_size, &image, reason);
    }
    free(head);
}

/* ---- One wrong thing each, and what is said about it ---- */

struct small_elf {
    Elf64_Ehdr header;
    Elf64_Phdr table[4];
    uint8_t rest[8192];
};

static struct small_elf small_elf(void)
{
    struct small_elf elf = {
        .header =
            {
                .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                .e_type = ET_EXEC,
                .e_machine = EM_X86_64,
                .e_version = EV_CURRENT,
                .e_entry = 0x400100,
                .e_phoff = sizeof(Elf64_Ehdr),
                .e_phentsize = sizeof(Elf64_Phdr),
                .e_phnum = 4,
            },
        .table =
            {
                {PT_LOAD, PF_R | PF_X, 0, 0x400000, 0x400000, 0x800, 0x800, 0x1000},
                {PT_LOAD, PF_R | PF_W, 0x800, 0x402800, 0x402800, 0x100, 0x2000, 0x1000},
                {PT_INTERP, PF_R, 0x300, 0x400300, 0x400300, 10, 10, 1},
                {PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16},
            },
    };

    return elf;
}

static void expect(const struct small_elf *elf, const char *words)
{
    struct elf_image image;
    char reason[REASON] = "";
    long error = decode((const uint8_t *)elf, sizeof(*elf), sizeof(*elf), &image, reason);

    if (!words) {
        if (error)
            print_error("%s\n", reason);
        assert_int_equal(error, 0);
        return;
    }
    assert_int_equal(error, -ENOEXEC);
    if (!strstr(reason, words))
        print_error("\"%s\" does not say \"%s\"\n", reason, words);
    assert_non_null(strstr(reason, words));
}

#define EXPECT(words, change)                                                                      \
    do {                                                                                           \
        struct small_elf elf = small_elf();                                                        \
        change;                                                                                    \
        expect(&elf, words);                                                                       \
    } while (0)

static void test_headers_in_words(void **state)
{
    (void)state;
    EXPECT(NULL, (void)0);
    EXPECT("bad magic", elf.header.e_ident[0] = 'M');
    EXPECT("32-bit", elf.header.e_ident[EI_CLASS] = ELFCLASS32);
    EXPECT("bad class", elf.header.e_ident[EI_CLASS] = 7);
    EXPECT("not little-endian", elf.header.e_ident[EI_DATA] = ELFDATA2MSB);
    EXPECT("unknown ELF version", elf.header.e_ident[EI_VERSION] = 2);
    EXPECT("unknown ELF version", elf.header.e_version = 0);
    EXPECT("machine 183", elf.header.e_machine = EM_AARCH64);
    EXPECT("ELF type 1", elf.header.e_type = ET_REL);
    EXPECT("ELF type 4", elf.header.e_type = ET_CORE);
    EXPECT("no program headers", elf.header.e_phnum = 0);
    EXPECT("bad program headers", elf.header.e_phentsize = 32);
    EXPECT("bad program headers", elf.header.e_phnum = 0xffff);
    EXPECT("past the end", elf.header.e_phoff = sizeof(elf));
    EXPECT("past the end", elf.header.e_phoff = UINT64_MAX - 8);
    EXPECT("entry point", elf.header.e_entry = 0);
    EXPECT("entry point", elf.header.e_entry = 0x402900); /* data */
}

static void test_segments_in_words(void **state)
{
    (void)state;
    EXPECT("nothing to load", elf.table[0].p_type = elf.table[1].p_type = PT_NULL);
    EXPECT("below the lowest address", elf.table[0].p_vaddr = 0);
    EXPECT("does not fit", elf.table[1].p_vaddr = PROGRAM_END - 0x800);
    EXPECT("does not fit", elf.table[1].p_vaddr = UINT64_MAX - 0x7ff);
    EXPECT("does not fit", elf.table[1].p_memsz = UINT64_MAX);
    EXPECT("larger in the file", elf.table[0].p_filesz = 0x801);
    EXPECT("past the end of the file", elf.table[1].p_offset = 0x100800);
    EXPECT("past the end of the file", elf.table[1].p_offset = UINT64_MAX - 0x7ff);
    EXPECT("not aligned", elf.table[1].p_offset = 0x801);
    EXPECT("overlap", elf.table[1].p_vaddr = 0x400800);
    EXPECT("ascending", elf.table[1].p_vaddr = 0x3f0800);
    EXPECT("overlap", elf.table[0].p_memsz = 0x2001);
    EXPECT(NULL, elf.table[0].p_memsz = 0x2000);
    EXPECT(NULL, elf.table[1].p_align = 12345); /* the kernel does not mind either */
    EXPECT("0 bytes long", elf.table[2].p_filesz = 0);
    EXPECT("5000 bytes long", elf.table[2].p_filesz = 5000);
    EXPECT("interpreter lies past", elf.table[2].p_offset = sizeof(elf) - 5);
    EXPECT("interpreter lies past", elf.table[2].p_offset = UINT64_MAX);
    EXPECT("more than one", elf.table[3] = elf.table[2]);
}

static void test_values(void **state)
{
    struct small_elf elf = small_elf();
    struct elf_image image;
    char reason[REASON];

    (void)state;
    elf.table[0].p_align = 1 << 21;
    elf.table[3].p_flags |= PF_X;
    assert_int_equal(decode((uint8_t *)&elf, sizeof(elf), sizeof(elf), &image, reason), 0);
    assert_false(image.position_independent);
    assert_true(image.executable_stack);
    assert_int_equal(image.entry, 0x400100);
    assert_int_equal(image.table_address, 0x400040);
    assert_int_equal(image.low, 0x400000);
    assert_int_equal(image.high, 0x405000);
    assert_int_equal(image.alignment, 1 << 21);
    assert_int_equal(image.interpreter_offset, 0x300);
    assert_int_equal(image.interpreter_size, 10);
    assert_int_equal(image.segment_count, 2);
    assert_int_equal(image.segments[0].prot, 1 | 4);
    assert_int_equal(image.segments[1].prot, 1 | 2);
    assert_int_equal(image.segments[1].memory_size, 0x2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_system_programs),  cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_corrupt_fields),   cmocka_unit_test(test_random_corruption),
        cmocka_unit_test(test_headers_in_words), cmocka_unit_test(test_segments_in_words),
        cmocka_unit_test(test_values),
    };
    int failures;

    g_head = malloc(HEAD);
    g_head_size = read_head("/bin/true", g_head, HEAD, &g_file_size);
    failures = cmocka_run_group_tests(tests, NULL, NULL);
    free(g_head);
    return failures;
}
