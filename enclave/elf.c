/* SPDX-License-Identifier: Apache-2.0 */
/* See elf.h.  Headers are copied out of the buffer before they are looked at: it has no alignment.
 */
#include "enclave/elf.h"

#include <linux/elf.h>
#include <linux/mman.h>

_Static_assert(sizeof(Elf64_Ehdr) == ELF_HEADER_SIZE_bytes, "the file header's size");

/* Where a reason goes. */
struct verdict {
    char *reason;
    size_t capacity;
};

static long refuse(const struct verdict *verdict, const char *format, ...) OM_PRINTF(2, 3);

static long refuse(const struct verdict *verdict, const char *format, ...)
{
    __builtin_va_list arguments;

    __builtin_va_start(arguments, format);
    str_vformat(verdict->reason, verdict->capacity, format, arguments);
    __builtin_va_end(arguments);
    return -ENOEXEC;
}

static long check_identity(const Elf64_Ehdr *header, const struct verdict *verdict)
{
    const unsigned char *ident = header->e_ident;

    if (memcmp(ident, ELFMAG, SELFMAG))
        return refuse(verdict,
                      "not an x86-64 ELF executable (bad magic), nor a script that begins with #!");
    if (ident[EI_CLASS] != ELFCLASS64)
        return refuse(verdict, "not an x86-64 ELF executable (%s)",
                      ident[EI_CLASS] == ELFCLASS32 ? "32-bit" : "bad class");
    if (ident[EI_DATA] != ELFDATA2LSB)
        return refuse(verdict, "not an x86-64 ELF executable (not little-endian)");
    if (ident[EI_VERSION] != EV_CURRENT || header->e_version != EV_CURRENT)
        return refuse(verdict, "not an x86-64 ELF executable (unknown ELF version)");
    if (header->e_machine != EM_X86_64)
        return refuse(verdict, "not an x86-64 ELF executable (built for machine %u)",
                      header->e_machine);
    if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
        return refuse(verdict, "not an executable (ELF type %u)", header->e_type);
    return 0;
}

long elf_decode_header(const uint8_t *head, size_t size, uint64_t file_size, struct elf_image *out,
                       char *reason, size_t capacity)
{
    const struct verdict verdict = {reason, capacity};
    Elf64_Ehdr header;
    uint64_t table_size;

    memset(out, 0, sizeof(*out));
    if (size < SELFMAG || memcmp(head, ELFMAG, SELFMAG))
        return refuse(&verdict,
                      "not an x86-64 ELF executable (bad magic), nor a script that begins with #!");
    if (size < sizeof(header))
        return refuse(&verdict, "truncated ELF header");
    memcpy(&header, head, sizeof(header));
    if (check_identity(&header, &verdict))
        return -ENOEXEC;
    table_size = (uint64_t)header.e_phnum * sizeof(Elf64_Phdr);
    if (header.e_phnum == 0)
        return refuse(&verdict, "has no program headers");
    if (header.e_phentsize != sizeof(Elf64_Phdr) || table_size > ELF_TABLE_MAX_bytes)
        return refuse(&verdict, "bad program headers (%u of %u bytes)", header.e_phnum,
                      header.e_phentsize);
    if (header.e_phoff > file_size || table_size > file_size - header.e_phoff)
        return refuse(&verdict, "truncated: its program headers lie past the end of the file");
    out->position_independent = header.e_type == ET_DYN;
    out->entry = header.e_entry;
    out->table_offset = header.e_phoff;
    out->table_count = header.e_phnum;
    return 0;
}

static uint32_t prot_of(uint32_t flags)
{
    return ((flags & PF_R) ? PROT_READ : 0) | ((flags & PF_W) ? PROT_WRITE : 0) |
           ((flags & PF_X) ? PROT_EXEC : 0);
}

/* No sum of a segment's numbers may wrap, and it has to lie where programs may be. */
static long check_segment(const Elf64_Phdr *ph, uint64_t file_size, const struct elf_image *image,
                          const struct verdict *verdict)
{
    uint64_t floor = image->position_independent ? 0 : PROGRAM_BASE;
    uint64_t ceiling = image->position_independent ? PROGRAM_END - PROGRAM_BASE : PROGRAM_END;

    if (ph->p_memsz > ceiling || ph->p_vaddr > ceiling - ph->p_memsz)
        return refuse(verdict, "a segment at 0x%lx, 0x%lx bytes long, does not fit into an enclave",
                      (unsigned long)ph->p_vaddr, (unsigned long)ph->p_memsz);
    if (ph->p_vaddr < floor)
        return refuse(verdict, "is linked at 0x%lx, below the lowest address of an enclave, 0x%lx",
                      (unsigned long)ph->p_vaddr, (unsigned long)floor);
    if (ph->p_filesz > ph->p_memsz)
        return refuse(verdict, "a segment is larger in the file than in memory");
    if (ph->p_offset > file_size || ph->p_filesz > file_size - ph->p_offset)
        return refuse(verdict, "truncated: a segment lies past the end of the file");
    if ((ph->p_vaddr ^ ph->p_offset) % OM_PAGE_SIZE)
        return refuse(verdict, "a segment is not aligned to pages");
    if (image->segment_count > 0 && OM_ALIGN_DOWN(ph->p_vaddr, OM_PAGE_SIZE) < image->high)
        return refuse(verdict, "segments overlap or are not in ascending order");
    if (image->segment_count == ELF_SEGMENTS_MAX)
        return refuse(verdict, "has more than %d segments", ELF_SEGMENTS_MAX);
    return 0;
}

static void note_alignment(struct elf_image *image, uint64_t alignment)
{
    /* As in the kernel, one that makes no sense is left out of account. */
    if ((alignment & (alignment - 1)) == 0 && alignment <= OM_GIB)
        image->alignment = OM_MAX(image->alignment, alignment);
}

static long decode_segment(const Elf64_Phdr *ph, uint64_t file_size, struct elf_image *image,
                           const struct verdict *verdict)
{
    uint64_t table_size = image->table_count * sizeof(Elf64_Phdr);

    if (ph->p_memsz == 0)
        return 0;
    if (check_segment(ph, file_size, image, verdict))
        return -ENOEXEC;
    if (image->segment_count == 0)
        image->low = OM_ALIGN_DOWN(ph->p_vaddr, OM_PAGE_SIZE);
    image->high = OM_ALIGN_UP(ph->p_vaddr + ph->p_memsz, OM_PAGE_SIZE);
    note_alignment(image, ph->p_align);
    if (ph->p_offset <= image->table_offset &&
        image->table_offset + table_size <= ph->p_offset + ph->p_filesz)
        image->table_address = ph->p_vaddr + (image->table_offset - ph->p_offset);
    image->segments[image->segment_count++] = (struct elf_segment){
        .address = ph->p_vaddr,
        .file_offset = ph->p_offset,
        .file_size = ph->p_filesz,
        .memory_size = ph->p_memsz,
        .prot = prot_of(ph->p_flags),
    };
    return 0;
}

static long decode_interpreter(const Elf64_Phdr *ph, uint64_t file_size, struct elf_image *image,
                               const struct verdict *verdict)
{
    if (image->interpreter_size)
        return refuse(verdict, "names more than one program interpreter");
    if (ph->p_filesz < 2 || ph->p_filesz > ELF_INTERPRETER_MAX_bytes)
        return refuse(verdict, "the name of its program interpreter is %lu bytes long",
                      (unsigned long)ph->p_filesz);
    if (ph->p_offset > file_size || ph->p_filesz > file_size - ph->p_offset)
        return refuse(
            verdict,
            "truncated: the name of its program interpreter lies past the end of the file");
    image->interpreter_offset = ph->p_offset;
    image->interpreter_size = (uint32_t)ph->p_filesz;
    return 0;
}

/* Notes say nothing that loading needs: those that are not in the file are left out. */
static void decode_notes(const Elf64_Phdr *ph, uint64_t file_size, struct elf_image *image)
{
    if (image->note_count == ELF_NOTES_MAX || ph->p_offset > file_size ||
        ph->p_filesz > file_size - ph->p_offset)
        return;
    image->notes[image->note_count++] = (struct elf_notes){ph->p_offset, ph->p_filesz, ph->p_align};
}

static long check_entry(const struct elf_image *image, const struct verdict *verdict)
{
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];

        if (image->entry >= segment->address &&
            image->entry - segment->address < segment->memory_size && (segment->prot & PROT_EXEC))
            return 0;
    }
    return refuse(verdict, "its entry point 0x%lx is not in executable memory",
                  (unsigned long)image->entry);
}

long elf_decode_table(const uint8_t *table, uint64_t file_size, struct elf_image *image,
                      char *reason, size_t capacity)
{
    const struct verdict verdict = {reason, capacity};

    image->alignment = OM_PAGE_SIZE;
    for (uint32_t i = 0; i < image->table_count; i++) {
        Elf64_Phdr ph;
        long error = 0;

        memcpy(&ph, table + i * sizeof(ph), sizeof(ph));
        if (ph.p_type == PT_LOAD)
            error = decode_segment(&ph, file_size, image, &verdict);
        else if (ph.p_type == PT_INTERP)
            error = decode_interpreter(&ph, file_size, image, &verdict);
        else if (ph.p_type == PT_NOTE)
            decode_notes(&ph, file_size, image);
        else if (ph.p_type == PT_GNU_STACK)
            image->executable_stack = ph.p_flags & PF_X;
        if (error)
            return error;
    }
    if (image->segment_count == 0)
        return refuse(&verdict, "has nothing to load");
    return check_entry(image, &verdict);
}

long elf_decode(const uint8_t *head, size_t size, uint64_t file_size, struct elf_image *out,
                char *reason, size_t capacity)
{
    long error = elf_decode_header(head, size, file_size, out, reason, capacity);

    if (error)
        return error;
    if (out->table_offset > size ||
        out->table_count * sizeof(Elf64_Phdr) > size - out->table_offset) {
        str_copy(reason, "its program headers are not at the start of the file", capacity);
        return -ENOEXEC;
    }
    return elf_decode_table(head + out->table_offset, file_size, out, reason, capacity);
}
