/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the runtime image at the addresses that it was linked for.  Its measurement is SHA-256 over
 * each segment's address, protection and bytes, in order: what SGX's EADD and EEXTEND would
 * measure.
 */
#include "host/image.h"

#include <bearssl.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(char *reason, const char *path, const char *what)
{
    snprintf(reason, OM_REASON_MAX, "runtime image %s: %s", path, what);
    return -1;
}

static int protection_of(const Elf64_Phdr *segment)
{
    return (segment->p_flags & PF_R ? PROT_READ : 0) | (segment->p_flags & PF_W ? PROT_WRITE : 0) |
           (segment->p_flags & PF_X ? PROT_EXEC : 0);
}

static const char *check_segment(const Elf64_Phdr *s, uint64_t file_size)
{
    if (s->p_vaddr % OM_PAGE_SIZE != s->p_offset % OM_PAGE_SIZE)
        return "a segment is not page-aligned";
    if (s->p_filesz > s->p_memsz || s->p_offset > file_size ||
        s->p_filesz > file_size - s->p_offset)
        return "a segment is cut off";
    if (s->p_vaddr < IMAGE_BASE || s->p_vaddr >= ELRANGE_END ||
        s->p_memsz > ELRANGE_END - s->p_vaddr)
        return "a segment lies outside of its place in ELRANGE";
    if ((s->p_flags & PF_W) && (s->p_flags & PF_X))
        return "a segment is writable and executable";
    return NULL;
}

static int map_segment(const uint8_t *file, const Elf64_Phdr *s, br_sha256_context *hash)
{
    uint64_t start = s->p_vaddr & ~(OM_PAGE_SIZE - 1);
    uint64_t end = (s->p_vaddr + s->p_memsz + OM_PAGE_SIZE - 1) & ~(OM_PAGE_SIZE - 1);
    uint64_t header[3] = {s->p_vaddr, s->p_memsz, s->p_flags};

    br_sha256_update(hash, header, sizeof(header));
    br_sha256_update(hash, file + s->p_offset, s->p_filesz);
    if (mprotect((void *)start, end - start, PROT_READ | PROT_WRITE))
        return -1;
    memcpy((void *)s->p_vaddr, file + s->p_offset, s->p_filesz);
    return mprotect((void *)start, end - start, protection_of(s));
}

static int load(const uint8_t *file, uint64_t size, const char *path, uint64_t *out_entry,
                uint8_t out_measurement[32], char *reason)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)file;
    const Elf64_Phdr *segments;
    br_sha256_context hash;

    if (size < sizeof(*header) || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_machine != EM_X86_64 || header->e_type != ET_EXEC ||
        header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phoff > size ||
        header->e_phnum * sizeof(Elf64_Phdr) > size - header->e_phoff)
        return fail(reason, path, "not an OptMig runtime");
    segments = (const Elf64_Phdr *)(file + header->e_phoff);
    br_sha256_init(&hash);
    for (int i = 0; i < header->e_phnum; i++) {
        const char *wrong;

        if (segments[i].p_type != PT_LOAD || segments[i].p_memsz == 0)
            continue;
        wrong = check_segment(&segments[i], size);
        if (wrong)
            return fail(reason, path, wrong);
        if (map_segment(file, &segments[i], &hash))
            return fail(reason, path, strerror(errno));
    }
    br_sha256_update(&hash, &header->e_entry, sizeof(header->e_entry));
    br_sha256_out(&hash, out_measurement);
    *out_entry = header->e_entry;
    return 0;
}

int image_load(const char *path, uint64_t *out_entry, uint8_t out_measurement[32],
               char reason[OM_REASON_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), result;
    struct stat st;
    void *file;

    if (fd < 0 || fstat(fd, &st))
        return fail(reason, path, strerror(errno));
    file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (file == MAP_FAILED)
        return fail(reason, path, strerror(errno));
    result = load(file, (uint64_t)st.st_size, path, out_entry, out_measurement, reason);
    munmap(file, (size_t)st.st_size);
    return result;
}
