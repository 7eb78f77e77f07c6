/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which system calls are found, and which are left alone.  The lengths of instructions, and every
 * site in the system's own libraries, are compared with what objdump says; small functions are made
 * for each reason to refuse one.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "enclave/call_sites.h"
#include "enclave/insn.h"
#include "tests/unit/elf_sample.h"

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"
#define LINKER "/lib64/ld-linux-x86-64.so.2"
#define PYTHON "/usr/bin/python3"

static const char *const c_files[] = {LIBC, LINKER, PYTHON};

/* ---- what objdump says ---- */

struct line {
    uint64_t address;
    uint8_t bytes[16];
    size_t length;
    char text[128];
};

/* "  401000:\t48 89 e5\tmov    %rsp,%rbp": false for other lines. */
static bool parse_line(char *text, struct line *out)
{
    char *at, *bytes = strchr(text, '\t'), *words = bytes ? strchr(bytes + 1, '\t') : NULL;

    if (!words)
        return false;
    out->address = strtoull(text, &at, 16);
    if (*at != ':')
        return false;
    *words = 0;
    out->length = 0;
    for (at = bytes + 1; out->length < sizeof(out->bytes);) {
        char *end;
        unsigned long byte = strtoul(at, &end, 16);

        if (end == at)
            break;
        out->bytes[out->length++] = (uint8_t)byte;
        at = end;
    }
    snprintf(out->text, sizeof(out->text), "%s", words + 1);
    return out->length > 0;
}

static FILE *disassemble(const char *path)
{
    char command[256];

    snprintf(command, sizeof(command), "objdump -d --insn-width=16 -j .text %s", path);
    return popen(command, "r");
}

/* fwait is a prefix to objdump, and an instruction to processors; xbegin and xabort are unknown. */
static bool differs_rightly(const struct line *line, const struct insn *insn, bool known)
{
    if (!known)
        return strncmp(line->text, "xbegin", 6) == 0 || strncmp(line->text, "xabort", 6) == 0;
    return line->bytes[0] == 0x9b && insn->length == 1;
}

static void test_lengths_are_those_of_objdump(void **state)
{
    unsigned long compared = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(c_files) / sizeof(c_files[0]); i++) {
        FILE *output = disassemble(c_files[i]);
        char text[1024];

        assert_non_null(output);
        while (fgets(text, sizeof(text), output)) {
            struct insn insn = {0};
            struct line line;
            bool known;

            if (!parse_line(text, &line) || strstr(line.text, "(bad)"))
                continue;
            known = insn_decode(line.bytes, line.length, &insn);
            if ((!known || insn.length != line.length) && !differs_rightly(&line, &insn, known))
                fail_msg("%s: %lx %s: %u bytes, not %zu", c_files[i], line.address, line.text,
                         insn.length, line.length);
            compared++;
        }
        assert_int_equal(pclose(output), 0);
    }
    print_message("%lu instructions compared\n", compared);
    assert_true(compared > 500000);
}

/* ---- sites of real files ---- */

static bool read_fd(const struct unwind_file *file, void *to, size_t length, uint64_t offset)
{
    return pread(file->fd, to, length, (off_t)offset) == (ssize_t)length;
}

static bool want_all(uint32_t number)
{
    return number < 500;
}

struct expected {
    uint64_t address[4096]; /* of mov or xor before a system call */
    size_t count;
};

static void expect_sites(const char *path, struct expected *out)
{
    FILE *output = disassemble(path);
    struct line line, before = {0};
    char text[1024];

    out->count = 0;
    assert_non_null(output);
    while (fgets(text, sizeof(text), output)) {
        if (!parse_line(text, &line))
            continue;
        if (strncmp(line.text, "syscall", 7) == 0 &&
            ((before.length == 5 && before.bytes[0] == 0xb8) ||
             (before.length == 2 && before.bytes[0] == 0x31 && before.bytes[1] == 0xc0)))
            out->address[out->count++] = before.address;
        before = line;
    }
    assert_int_equal(pclose(output), 0);
}

static bool is_expected(const struct expected *expected, uint64_t address)
{
    for (size_t i = 0; i < expected->count; i++)
        if (expected->address[i] == address)
            return true;
    return false;
}

/* Where .text lies in the file: from readelf's program headers it would be the segment. */
static void text_segment(int fd, uint64_t *out_offset, uint64_t *out_size)
{
    Elf64_Ehdr elf;
    Elf64_Phdr header;

    assert_int_equal(pread(fd, &elf, sizeof(elf), 0), sizeof(elf));
    for (unsigned i = 0; i < elf.e_phnum; i++) {
        assert_int_equal(
            pread(fd, &header, sizeof(header), (off_t)(elf.e_phoff + i * sizeof(header))),
            sizeof(header));
        if (header.p_type != PT_LOAD || !(header.p_flags & PF_X))
            continue;
        *out_offset = header.p_offset;
        *out_size = header.p_filesz;
        return;
    }
    fail_msg("no code");
}

/* As the runtime does it, so that the next site sees what this one has left. */
static void replace(const struct call_code *code, const struct call_site *site)
{
    if (site->length == CALL_SITE_FAR_bytes) {
        memcpy(code->bytes + site->at, "\xe9\x00\x00\x10\x00", 5);
        return;
    }
    memcpy(code->bytes + site->padding, "\xe9\x00\x00\x10\x00", 5);
    code->bytes[site->at] = 0xeb;
    code->bytes[site->at + 1] = (uint8_t)(site->padding - site->at - 2);
}

static void test_sites_of_the_libc_are_found(void **state)
{
    static struct expected expected;
    uint64_t offset = 0, size = 0, from = 0;
    size_t found = 0, found_short = 0;
    struct unwind_file file = {.read = read_fd, .fd = open(LIBC, O_RDONLY)};
    struct unwind unwind;
    struct call_code code = {.unwind = &unwind, .wanted = want_all};
    struct call_site site;

    (void)state;
    assert_true(file.fd >= 0);
    expect_sites(LIBC, &expected);
    assert_true(unwind_open(&unwind, &file));
    text_segment(file.fd, &offset, &size);
    code.bytes = malloc(size);
    code.length = size;
    code.address = unwind_address(&unwind, offset);
    assert_true(read_fd(&file, code.bytes, size, offset));
    while (call_site_next(&code, &from, &site)) {
        assert_true(is_expected(&expected, code.address + site.at));
        found++;
        found_short += site.length == CALL_SITE_SHORT_bytes;
        replace(&code, &site);
    }
    print_message("%zu of %zu sites, %zu of them short\n", found, expected.count, found_short);
    assert_true(found * 10 >= expected.count * 8 && found_short >= 2);
    free(code.bytes);
    close(file.fd);
}

/* ---- sites of made functions ---- */

static struct sample g_sample;

static bool read_sample(const struct unwind_file *file, void *to, size_t length, uint64_t offset)
{
    if (offset > file->size || length > file->size - offset)
        return false;
    memcpy(to, (const uint8_t *)file->bytes + offset, length);
    return true;
}

static bool want_write_and_read(uint32_t number)
{
    return number < 2;
}

/* The sites in all that has been added. */
static size_t find(struct call_site *out, size_t capacity)
{
    const struct unwind_file file = {
        .read = read_sample, .bytes = g_sample.bytes, .size = sizeof(g_sample.bytes)};
    struct unwind unwind;
    struct call_code code = {g_sample.bytes + SAMPLE_CODE_AT, SAMPLE_SIZE - SAMPLE_CODE_AT, 0,
                             &unwind, want_write_and_read};
    uint64_t from = 0;
    size_t count = 0;

    if (!unwind_open(&unwind, &file))
        return 0;
    code.address = unwind_address(&unwind, SAMPLE_CODE_AT);
    while (count < capacity && call_site_next(&code, &from, &out[count]))
        replace(&code, &out[count++]);
    return count;
}

#define NOPS "\x66\x0f\x1f\x84\x00\x00\x00\x00\x00" /* 9 bytes */
#define WRITE "\xb8\x01\x00\x00\x00\x0f\x05"
#define READ "\x31\xc0\x0f\x05"
#define ADD(code, behind) sample_add(&g_sample, code, sizeof(code) - 1, behind, sizeof(behind) - 1)

static size_t sites_of(struct call_site out[4])
{
    return find(out, 4);
}

#define ONE(code, behind)                                                                          \
    (sample_begin(&g_sample), ADD(code, behind), ADD("\xc3", NOPS), sites_of(site))

static void test_far_sites(void **state)
{
    struct call_site site[4];

    (void)state;
    assert_int_equal(ONE("\x53" WRITE "\x5b\xc3", NOPS), 1);
    assert_int_equal(site[0].at, 1);
    assert_int_equal(site[0].number, 1);
    assert_int_equal(site[0].length, CALL_SITE_FAR_bytes);
    /* Two in one function. */
    assert_int_equal(ONE(WRITE WRITE "\xc3", NOPS), 2);
    /* A jump to the mov, and one to the system call. */
    assert_int_equal(ONE("\xeb\x00" WRITE "\xc3", NOPS), 1);
    assert_int_equal(ONE("\xeb\x05" WRITE "\xc3", NOPS), 1);
}

static void test_what_is_left_alone(void **state)
{
    struct call_site site[4];

    (void)state;
    /* Another number. */
    assert_int_equal(ONE("\xb8\x03\x00\x00\x00\x0f\x05\xc3", NOPS), 0);
    /* A jump into the middle of the mov. */
    assert_int_equal(ONE("\xeb\x02" WRITE "\xc3", NOPS), 0);
    /* The mov is the end of a longer instruction: movabs $..., %rax with these bytes at its end. */
    assert_int_equal(ONE("\x48\xb8\x00\x00\x00\xb8\x01\x00\x00\x00\x0f\x05\xc3", NOPS), 0);
    /* An instruction that is not known. */
    assert_int_equal(ONE("\x06" WRITE "\xc3", NOPS), 0);
    /* The last instruction is cut off by the end of the function. */
    assert_int_equal(ONE(WRITE "\xe8\x00", NOPS), 0);
    /* In no function. */
    sample_begin(&g_sample);
    ADD("\xc3", WRITE "\xc3");
    assert_int_equal(sites_of(site), 0);
}

static void test_short_sites(void **state)
{
    struct call_site site[4];

    (void)state;
    /* Behind the function. */
    assert_int_equal(ONE(READ "\xc3", NOPS), 1);
    assert_int_equal(site[0].length, CALL_SITE_SHORT_bytes);
    assert_int_equal(site[0].number, 0);
    assert_int_equal(site[0].padding, 5);
    /* It is taken only once. */
    assert_int_equal(ONE(READ READ "\xc3", NOPS), 1);
    /* Inside, behind a return. */
    assert_int_equal(ONE(READ "\xc3" NOPS "\x90\xe8\x00\x00\x00\x00", "\xcc"), 1);
    assert_int_equal(site[0].padding, 5);
}

static void test_padding_that_may_be_reached(void **state)
{
    struct call_site site[4];
    static char far_away[300];

    (void)state;
    /* The function runs on into it. */
    assert_int_equal(ONE(READ "\x90", NOPS), 0);
    assert_int_equal(ONE(READ "\xe8\x00\x00\x00\x00", NOPS), 0);
    /* There is something else in it. */
    assert_int_equal(ONE(READ "\xc3", NOPS "\x53"), 0);
    assert_int_equal(ONE(READ "\xc3", "\xcc\xcc\xcc\xcc\xcc\xcc"), 0);
    assert_int_equal(ONE(READ "\xc3", "\x90\x90\x90\x90"), 0);
    /* Inside: a jump leads there, or one that may lead anywhere. */
    assert_int_equal(ONE("\xeb\x05" READ "\xc3" NOPS "\xe8\x00\x00\x00\x00", "\xcc"), 0);
    assert_int_equal(ONE(READ "\xc3" NOPS "\xff\xe0\xe8\x00\x00\x00\x00", "\xcc"), 0);
    /* Too far away. */
    sample_begin(&g_sample);
    memset(far_away, 0x90, sizeof(far_away));
    memcpy(far_away, READ, 4);
    far_away[sizeof(far_away) - 1] = (char)0xc3;
    sample_add(&g_sample, far_away, sizeof(far_away), NOPS, 9);
    ADD("\xc3", "");
    assert_int_equal(sites_of(site), 0);
}

/* A table that is not as it should be is no table; nothing is read outside of the file. */
static void test_damaged_tables(void **state)
{
    struct call_site site[4];
    size_t found = 0;

    (void)state;
    for (size_t at = 0; at < SAMPLE_FRAMES_AT + 2 * SAMPLE_FRAME_SIZE; at++) {
        for (unsigned value = 0; value < 256; value += 15) {
            sample_begin(&g_sample);
            ADD("\x53" WRITE "\x5b\xc3", NOPS);
            ADD("\xc3", NOPS);
            g_sample.bytes[at] = (uint8_t)value;
            found += sites_of(site) <= 1;
        }
    }
    assert_int_equal(found, (SAMPLE_FRAMES_AT + 2 * SAMPLE_FRAME_SIZE) * 18);
    sample_begin(&g_sample);
    ADD(WRITE "\xc3", NOPS);
    sample_put(&g_sample, SAMPLE_FRAMES_AT + 8, 0); /* the frame is another function's */
    assert_int_equal(sites_of(site), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths_are_those_of_objdump),
        cmocka_unit_test(test_sites_of_the_libc_are_found),
        cmocka_unit_test(test_far_sites),
        cmocka_unit_test(test_what_is_left_alone),
        cmocka_unit_test(test_short_sites),
        cmocka_unit_test(test_padding_that_may_be_reached),
        cmocka_unit_test(test_damaged_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
