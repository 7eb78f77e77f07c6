/* SPDX-License-Identifier: Apache-2.0 */
/* See elf_file.h.  It is read rather than mapped: whoever cuts the file short meanwhile would end a
 * process that has mapped it. */
#include "cli/elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SYMBOLS_PER_READ = 512, SYMBOLS_MAX = 1 << 20, NAME_MAX_bytes = 128 };

bool elf_file_read(const struct elf_file *file, uint64_t at, void *to, size_t length)
{
    size_t done = 0;

    if (at > file->size || length > file->size - at)
        return false;
    while (done < length) {
        ssize_t got = pread(file->fd, (char *)to + done, length - done, (off_t)(at + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

static const char *check_header(const struct elf_file *file)
{
    const Elf64_Ehdr *header = &file->header;
    const uint64_t table = (uint64_t)header->e_shnum * sizeof(Elf64_Shdr);

    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64)
        return "not for x86-64";
    if (header->e_shentsize != sizeof(Elf64_Shdr) || header->e_shoff > file->size ||
        table > file->size - header->e_shoff)
        return "a damaged ELF file, or one without section headers";
    return NULL;
}

static const char *check(struct elf_file *file)
{
    struct stat status;

    if (fstat(file->fd, &status))
        return strerror(errno);
    if (!S_ISREG(status.st_mode))
        return "not an ELF file";
    file->size = (uint64_t)status.st_size;
    if (!elf_file_read(file, 0, &file->header, sizeof(file->header)) ||
        memcmp(file->header.e_ident, ELFMAG, SELFMAG) != 0)
        return "not an ELF file (an archive: look at its members, ar x)";
    return check_header(file);
}

const char *elf_file_open(struct elf_file *out, const char *path)
{
    const char *problem;
    struct stat status;

    /* To open a device may do something; and nothing is waited for if it is a FIFO. */
    if (stat(path, &status))
        return strerror(errno);
    if (!S_ISREG(status.st_mode))
        return "not an ELF file";
    out->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (out->fd < 0)
        return strerror(errno);
    problem = check(out);
    if (problem)
        elf_file_close(out);
    return problem;
}

void elf_file_close(struct elf_file *file)
{
    close(file->fd);
    file->fd = -1;
}

bool elf_file_section(const struct elf_file *file, unsigned index, Elf64_Shdr *out)
{
    return elf_file_read(file, file->header.e_shoff + index * sizeof(*out), out, sizeof(*out));
}

/* ---- functions ---- */

static bool find_symbols(const struct elf_file *file, Elf64_Shdr *out_symbols,
                         Elf64_Shdr *out_names)
{
    for (unsigned i = 0; i < file->header.e_shnum; i++) {
        if (!elf_file_section(file, i, out_symbols))
            return false;
        if (out_symbols->sh_type == SHT_SYMTAB)
            return out_symbols->sh_entsize == sizeof(Elf64_Sym) &&
                   out_symbols->sh_link < file->header.e_shnum &&
                   elf_file_section(file, out_symbols->sh_link, out_names) &&
                   out_names->sh_type == SHT_STRTAB;
    }
    return false;
}

static bool holds(const Elf64_Sym *symbol, uint64_t address)
{
    return ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && symbol->st_shndx != SHN_UNDEF &&
           address >= symbol->st_value && address - symbol->st_value < symbol->st_size;
}

/* Of several the one that begins last. */
static bool find_function(const struct elf_file *file, const Elf64_Shdr *table, uint64_t address,
                          Elf64_Sym *out)
{
    const uint64_t count = table->sh_size / sizeof(Elf64_Sym);
    Elf64_Sym symbols[SYMBOLS_PER_READ];
    bool found = false;

    if (count > SYMBOLS_MAX)
        return false;
    for (uint64_t at = 0; at < count; at += SYMBOLS_PER_READ) {
        uint64_t part = count - at < SYMBOLS_PER_READ ? count - at : SYMBOLS_PER_READ;

        if (!elf_file_read(file, table->sh_offset + at * sizeof(symbols[0]), symbols,
                           part * sizeof(symbols[0])))
            return false;
        for (uint64_t i = 0; i < part; i++) {
            if (!holds(&symbols[i], address) || (found && symbols[i].st_value < out->st_value))
                continue;
            *out = symbols[i];
            found = true;
        }
    }
    return found;
}

/* Longer names are cut. */
static bool read_name(const struct elf_file *file, const Elf64_Shdr *names, uint64_t at, char *out,
                      size_t size)
{
    uint64_t room = at < names->sh_size ? names->sh_size - at : 0;
    size_t length = size - 1 < room ? size - 1 : (size_t)room;

    if (length == 0 || !elf_file_read(file, names->sh_offset + at, out, length))
        return false;
    out[length] = 0;
    for (char *c = out; *c; c++)
        if (*c <= ' ' || *c > '~')
            *c = '?';
    return out[0] != 0;
}

static bool function_at(const struct elf_file *file, uint64_t address, char *out, size_t size)
{
    Elf64_Shdr symbols, names;
    Elf64_Sym symbol;

    return file->header.e_type == ET_EXEC && find_symbols(file, &symbols, &names) &&
           find_function(file, &symbols, address, &symbol) &&
           read_name(file, &names, symbol.st_name, out, size);
}

bool elf_function_at(const char *path, uint64_t address, char *out, size_t size)
{
    struct elf_file file;
    bool found;

    if (elf_file_open(&file, path))
        return false;
    found = function_at(&file, address, out, size < NAME_MAX_bytes ? size : NAME_MAX_bytes);
    elf_file_close(&file);
    return found;
}
