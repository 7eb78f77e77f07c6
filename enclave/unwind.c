/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See unwind.h.  The table is sorted and has an entry for each function: where it begins, and where
 * its description (FDE) is.  The description repeats the beginning, in an encoding that another
 * record names; it is taken for the usual one (4 bytes, relative to where they stand), and if that
 * gives what the table says, it was the usual one.
 */
#include "enclave/unwind.h"

#include <linux/elf.h>

#ifndef PT_GNU_EH_FRAME
#define PT_GNU_EH_FRAME 0x6474e550
#endif

enum {
    HEADERS_MAX = 64,
    VERSION = 1,
    ENCODED_UDATA4 = 0x03,
    ENCODED_TABLE = 0x3b, /* relative to the header, 4 bytes, signed */
    ENTRY_bytes = 8,
    TABLE_AT = 12, /* version, three encodings, pointer to the frames, count */
};

static bool read_at(const struct unwind *unwind, uint64_t address, void *to, size_t length)
{
    for (uint32_t i = 0; i < unwind->load_count; i++) {
        uint64_t skip = address - unwind->loads[i].address;

        if (address < unwind->loads[i].address || skip > unwind->loads[i].size ||
            length > unwind->loads[i].size - skip)
            continue;
        return unwind->file->read(unwind->file, to, length, unwind->loads[i].offset + skip);
    }
    return false;
}

static bool take_header(struct unwind *out, const struct elf64_phdr *header)
{
    uint64_t size = header->p_filesz;

    if (header->p_type == PT_GNU_EH_FRAME)
        out->header = header->p_vaddr;
    if (header->p_type != PT_LOAD || size == 0)
        return true;
    if (out->load_count == UNWIND_LOADS_MAX || header->p_offset + size < size ||
        header->p_vaddr + size < size)
        return false;
    out->loads[out->load_count].address = header->p_vaddr;
    out->loads[out->load_count].offset = header->p_offset;
    out->loads[out->load_count++].size = size;
    return true;
}

static bool read_headers(struct unwind *out)
{
    const struct unwind_file *file = out->file;
    struct elf64_phdr headers[HEADERS_MAX];
    struct elf64_hdr elf;

    if (!file->read(file, &elf, sizeof(elf), 0) || memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 ||
        elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_machine != EM_X86_64 ||
        elf.e_phentsize != sizeof(headers[0]) || elf.e_phnum > HEADERS_MAX ||
        !file->read(file, headers, elf.e_phnum * sizeof(headers[0]), elf.e_phoff))
        return false;
    for (uint32_t i = 0; i < elf.e_phnum; i++)
        if (!take_header(out, &headers[i]))
            return false;
    return out->header != 0;
}

bool unwind_open(struct unwind *out, const struct unwind_file *file)
{
    uint8_t head[TABLE_AT];

    memset(out, 0, sizeof(*out));
    out->file = file;
    if (!read_headers(out) || !read_at(out, out->header, head, sizeof(head)))
        return false;
    memcpy(&out->functions, head + 8, sizeof(out->functions));
    return head[0] == VERSION && head[2] == ENCODED_UDATA4 && head[3] == ENCODED_TABLE &&
           out->functions > 0;
}

uint64_t unwind_address(const struct unwind *unwind, uint64_t offset)
{
    for (uint32_t i = 0; i < unwind->load_count; i++)
        if (offset >= unwind->loads[i].offset &&
            offset - unwind->loads[i].offset < unwind->loads[i].size)
            return unwind->loads[i].address + (offset - unwind->loads[i].offset);
    return UINT64_MAX;
}

static bool read_entry(const struct unwind *unwind, uint32_t index, uint64_t *out_begin,
                       uint64_t *out_description)
{
    int32_t entry[2];

    if (!read_at(unwind, unwind->header + TABLE_AT + (uint64_t)index * ENTRY_bytes, entry,
                 sizeof(entry)))
        return false;
    *out_begin = unwind->header + (uint64_t)(int64_t)entry[0];
    *out_description = unwind->header + (uint64_t)(int64_t)entry[1];
    return true;
}

static bool read_function(const struct unwind *unwind, uint32_t index, uint64_t *out_begin,
                          uint64_t *out_end)
{
    struct {
        uint32_t length, common;
        int32_t begin;
        uint32_t size;
    } description;
    uint64_t begin, at;

    if (!read_entry(unwind, index, &begin, &at) ||
        !read_at(unwind, at, &description, sizeof(description)))
        return false;
    /* 0 and all ones in the first word mean something else; 0 in the second a common record. */
    if (description.length < sizeof(description) - 4 || description.length == UINT32_MAX ||
        description.common == 0 || description.size == 0 ||
        at + 8 + (uint64_t)(int64_t)description.begin != begin || begin + description.size < begin)
        return false;
    *out_begin = begin;
    *out_end = begin + description.size;
    return true;
}

/* The last entry that does not begin behind the address. */
static bool search(const struct unwind *unwind, uint64_t address, uint32_t *out_index)
{
    uint32_t low = 0, high = unwind->functions;
    uint64_t begin, unused;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (!read_entry(unwind, middle, &begin, &unused))
            return false;
        if (begin <= address)
            low = middle;
        else
            high = middle;
    }
    *out_index = low;
    return true;
}

bool unwind_find(const struct unwind *unwind, uint64_t address, struct unwind_function *out)
{
    uint64_t unused, other;
    uint32_t index;

    if (!search(unwind, address, &index) || !read_function(unwind, index, &out->begin, &out->end) ||
        address < out->begin || address >= out->end)
        return false;
    out->before = out->begin;
    out->after = out->end;
    if (index + 1 < unwind->functions) {
        if (!read_entry(unwind, index + 1, &out->after, &unused) || out->after < out->end)
            return false;
    }
    if (index > 0) {
        if (!read_function(unwind, index - 1, &other, &out->before) || out->before > out->begin)
            return false;
    }
    return true;
}
