/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding of ELF executables.  Pure functions on bytes: no I/O, nothing is mapped, and whatever
 * passes can be mapped without further checks of its own.  Files are given by whoever runs the
 * program, so a bad one is an error with a reason, never a crash.
 */
#pragma once

#include "enclave/runtime.h"

enum {
    ELF_SEGMENTS_MAX = 64,       /* PT_LOAD entries */
    ELF_TABLE_MAX_bytes = 65536, /* of program headers, as in the kernel */
    ELF_HEADER_SIZE_bytes = 64,
    ELF_NOTES_MAX = 8,
    ELF_INTERPRETER_MAX_bytes = 4096, /* with its terminator */
};

struct elf_segment {
    uint64_t address, file_offset; /* congruent modulo the page size */
    uint64_t file_size, memory_size;
    uint32_t prot;
};

/* A PT_NOTE entry. */
struct elf_notes {
    uint64_t file_offset, size, alignment;
};

struct elf_image {
    bool position_independent; /* addresses are relative to where it is put */
    bool executable_stack;
    uint64_t entry;
    uint64_t table_offset; /* program headers in the file */
    uint32_t table_count;
    uint64_t table_address; /* and in memory; 0: not in memory */
    uint64_t low, high;     /* page-aligned bounds of all segments */
    uint64_t alignment;     /* of low; a power of 2, at least a page */
    uint64_t interpreter_offset;
    uint32_t interpreter_size; /* 0: none; else with the terminator, which the reader checks */
    uint32_t note_count;
    struct elf_notes notes[ELF_NOTES_MAX]; /* the first PT_NOTE entries, inside of the file */
    uint32_t segment_count;
    struct elf_segment segments[ELF_SEGMENTS_MAX]; /* ascending, pages apart */
};

/* The file header: what the file is, and where its program headers are.  0 or -ENOEXEC; reason is
 * words that go after the file's name. */
long elf_decode_header(const uint8_t *head, size_t size, uint64_t file_size, struct elf_image *out,
                       char *reason, size_t capacity);
/* Then these, table_count entries; fills the rest of the image. */
long elf_decode_table(const uint8_t *table, uint64_t file_size, struct elf_image *image,
                      char *reason, size_t capacity);
/* Both, for a head that contains the program headers too. */
long elf_decode(const uint8_t *head, size_t size, uint64_t file_size, struct elf_image *out,
                char *reason, size_t capacity);
