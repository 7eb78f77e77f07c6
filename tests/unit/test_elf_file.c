/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of ELF files (cli/elf_file.c): which function an address lies in; and files that are
 * cut short, spoilt in each byte, or no files at all.
 */
#include "cli/elf_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { SYMBOLS = 5, SECTIONS = 3 };

static const char g_names[] = "\0outer\0inner\0data\0un\tprintable";

struct sample {
    Elf64_Ehdr header;
    Elf64_Shdr sections[SECTIONS];
    Elf64_Sym symbols[SYMBOLS];
    char names[sizeof(g_names)];
};

static char g_path[] = "/tmp/test_elf_file.XXXXXX";

static Elf64_Sym symbol(uint32_t name, int type, uint64_t value, uint64_t size)
{
    return (Elf64_Sym){.st_name = name,
                       .st_info = (unsigned char)ELF64_ST_INFO(STB_LOCAL, type),
                       .st_shndx = 1,
                       .st_value = value,
                       .st_size = size};
}

static struct sample make_sample(void)
{
    struct sample s = {
        .header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64},
                   .e_type = ET_EXEC,
                   .e_machine = EM_X86_64,
                   .e_shoff = offsetof(struct sample, sections),
                   .e_shentsize = sizeof(Elf64_Shdr),
                   .e_shnum = SECTIONS},
        .sections = {[1] = {.sh_type = SHT_SYMTAB,
                            .sh_offset = offsetof(struct sample, symbols),
                            .sh_size = sizeof(s.symbols),
                            .sh_link = 2,
                            .sh_entsize = sizeof(Elf64_Sym)},
                     [2] = {.sh_type = SHT_STRTAB,
                            .sh_offset = offsetof(struct sample, names),
                            .sh_size = sizeof(g_names)}},
        .symbols = {[1] = symbol(1, STT_FUNC, 0x1000, 0x100),
                    [2] = symbol(7, STT_FUNC, 0x1080, 0x10),
                    [3] = symbol(13, STT_OBJECT, 0x2000, 0x100),
                    [4] = symbol(18, STT_FUNC, 0x3000, 1)},
    };

    memcpy(s.names, g_names, sizeof(g_names));
    return s;
}

static void write_sample(const void *bytes, size_t length)
{
    FILE *file = fopen(g_path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void check_name(uint64_t address, const char *wanted)
{
    char name[64] = "";

    assert_int_equal(elf_function_at(g_path, address, name, sizeof(name)), wanted != NULL);
    if (wanted)
        assert_string_equal(name, wanted);
}

static void test_names(void **state)
{
    struct sample s = make_sample();
    char cut[4];

    (void)state;
    write_sample(&s, sizeof(s));
    check_name(0xfff, NULL);
    check_name(0x1000, "outer");
    check_name(0x107f, "outer");
    check_name(0x1080, "inner");
    check_name(0x1090, "outer");
    check_name(0x10ff, "outer");
    check_name(0x1100, NULL);
    check_name(0x2000, NULL);
    check_name(0x3000, "un?printable");
    assert_true(elf_function_at(g_path, 0x1000, cut, sizeof(cut)));
    assert_string_equal(cut, "out");
}

static void test_no_names(void **state)
{
    struct sample s = make_sample();

    (void)state;
    s.sections[1].sh_type = SHT_NULL; /* stripped */
    write_sample(&s, sizeof(s));
    check_name(0x1000, NULL);
    s = make_sample();
    s.header.e_type = ET_DYN; /* it is somewhere else when it runs */
    write_sample(&s, sizeof(s));
    check_name(0x1000, NULL);
}

static void test_no_files(void **state)
{
    struct elf_file file;

    (void)state;
    assert_non_null(elf_file_open(&file, "/dev/null"));
    assert_non_null(elf_file_open(&file, "/tmp"));
    assert_non_null(elf_file_open(&file, "/no such file"));
    assert_int_equal(unlink(g_path), 0);
    assert_int_equal(mkfifo(g_path, 0600), 0);
    assert_non_null(elf_file_open(&file, g_path)); /* and does not wait */
    assert_int_equal(unlink(g_path), 0);
}

static void test_cut_short(void **state)
{
    struct sample s = make_sample();
    const size_t needed = offsetof(struct sample, names) + 6; /* up to the name itself */

    (void)state;
    for (size_t length = 0; length < sizeof(s); length++) {
        char name[6] = "";

        write_sample(&s, length);
        assert_int_equal(elf_function_at(g_path, 0x1000, name, sizeof(name)), length >= needed);
    }
}

/* Each byte takes some other values.  Whatever comes out is a name that ends in the buffer. */
static void test_spoilt(void **state)
{
    static const uint8_t masks[] = {0xff, 0x80, 0x01, 0x7f};
    struct sample s = make_sample();
    uint8_t *bytes = (uint8_t *)&s;

    (void)state;
    for (size_t i = 0; i < sizeof(s) * sizeof(masks); i++) {
        char name[16] = "";

        bytes[i / sizeof(masks)] ^= masks[i % sizeof(masks)];
        write_sample(&s, sizeof(s));
        if (elf_function_at(g_path, 0x1000, name, sizeof(name)))
            assert_in_range(strnlen(name, sizeof(name)), 1, sizeof(name) - 1);
        bytes[i / sizeof(masks)] ^= masks[i % sizeof(masks)];
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),     cmocka_unit_test(test_no_names),
        cmocka_unit_test(test_cut_short), cmocka_unit_test(test_spoilt),
        cmocka_unit_test(test_no_files),
    };
    int fd = mkstemp(g_path), failed;

    if (fd < 0)
        return 1;
    close(fd);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(g_path);
    return failed;
}
