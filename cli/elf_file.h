/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading an ELF file of anybody's making: section headers, contents, and which function an address
 * lies in.  Nothing in the file is believed: what points out of it, or is too large, is an error.
 */
#pragma once

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file {
    int fd;
    uint64_t size;
    Elf64_Ehdr header;
};

/* NULL, or what is wrong with it (then nothing is open). */
const char *elf_file_open(struct elf_file *out, const char *path);
void elf_file_close(struct elf_file *file);
/* False: it is not wholly in the file, or cannot be read. */
bool elf_file_read(const struct elf_file *file, uint64_t at, void *to, size_t length);
/* index is below header.e_shnum. */
bool elf_file_section(const struct elf_file *file, unsigned index, Elf64_Shdr *out);

/* The function of this program that the address lies in, by the program's symbol table; printable.
 * Only for programs that run where they were linked for.  False: it is not known. */
bool elf_function_at(const char *path, uint64_t address, char *out, size_t size);
