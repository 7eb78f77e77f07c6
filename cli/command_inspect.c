/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optmig inspect: what the notes of a program or an object say (boundary/card.h).  The linker joins
 * the notes of all objects; those without one are refused by optmig-cc when it links, by name.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boundary/card.h"
#include "cli/arguments.h"
#include "cli/client.h"

struct note_body {
    uint32_t version, flags, stores, marks, polls;
};

struct findings {
    unsigned long objects, plain, untracked, other_version, damaged;
    unsigned long stores, marks, polls;
};

struct file {
    const uint8_t *bytes;
    size_t size;
};

static const struct option g_options[] = {
    CLIENT_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

static bool inside(const struct file *file, uint64_t at, uint64_t length)
{
    return at <= file->size && length <= file->size - at;
}

static void count_note(const uint8_t *body, uint32_t size, struct findings *out)
{
    struct note_body note;

    out->objects++;
    if (size < sizeof(note)) {
        out->damaged++;
        return;
    }
    memcpy(&note, body, sizeof(note));
    out->other_version += note.version != CARD_ABI_VERSION;
    out->untracked += (note.flags & CARD_NOTE_UNTRACKED) != 0;
    out->plain += !(note.flags & CARD_NOTE_INSTRUMENTED);
    out->stores += note.stores;
    out->marks += note.marks;
    out->polls += note.polls;
}

static uint64_t padded(uint64_t length)
{
    return (length + 3) & ~3ULL;
}

static void read_notes(const struct file *file, uint64_t at, uint64_t size, struct findings *out)
{
    uint64_t end = at + size;

    while (end - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        uint64_t name = at + sizeof(note), body;

        memcpy(&note, file->bytes + at, sizeof(note));
        body = name + padded(note.n_namesz);
        if (body > end || padded(note.n_descsz) > end - body) {
            out->damaged++;
            return;
        }
        if (note.n_type == CARD_NOTE_TYPE && note.n_namesz == sizeof(CARD_NOTE_NAME) &&
            !memcmp(file->bytes + name, CARD_NOTE_NAME, sizeof(CARD_NOTE_NAME)))
            count_note(file->bytes + body, note.n_descsz, out);
        at = body + padded(note.n_descsz);
    }
}

/* NULL, or what is wrong with the file. */
static const char *read_elf(const struct file *file, struct findings *out)
{
    Elf64_Ehdr header;

    if (!inside(file, 0, sizeof(header)) || memcmp(file->bytes, ELFMAG, SELFMAG))
        return "not an ELF file (an archive: look at its members, ar x)";
    memcpy(&header, file->bytes, sizeof(header));
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64)
        return "not for x86-64";
    if (header.e_shentsize != sizeof(Elf64_Shdr) ||
        !inside(file, header.e_shoff, (uint64_t)header.e_shnum * sizeof(Elf64_Shdr)))
        return "a damaged ELF file, or one without section headers";
    for (unsigned i = 0; i < header.e_shnum; i++) {
        Elf64_Shdr section;

        memcpy(&section, file->bytes + header.e_shoff + i * sizeof(section), sizeof(section));
        if (section.sh_type != SHT_NOTE)
            continue;
        if (!inside(file, section.sh_offset, section.sh_size))
            return "a damaged ELF file";
        read_notes(file, section.sh_offset, section.sh_size, out);
    }
    return NULL;
}

static const char *verdict(const struct findings *found)
{
    if (!found->objects)
        return "not instrumented: build it with CC=optmig-cc";
    if (found->damaged)
        return "its notes are damaged: build it anew";
    if (found->other_version)
        return "built by an optmig-cc of another version: build it anew";
    if (found->untracked)
        return "linked with --allow-untracked: some of its writes are not marked";
    if (found->plain)
        return "not fully instrumented: build all of it with optmig-cc";
    return "fully instrumented";
}

static int report(const struct common_options *common, const char *path,
                  const struct findings *found)
{
    const char *words = verdict(found);
    const bool good = !strcmp(words, "fully instrumented");

    if (common->json) {
        json_t *object =
            json_pack("{s:s, s:b, s:s, s:i, s:I, s:I, s:I, s:I}", "file", path, "instrumented",
                      good, "verdict", words, "abi_version", CARD_ABI_VERSION, "objects",
                      (json_int_t)found->objects, "stores", (json_int_t)found->stores, "marks",
                      (json_int_t)found->marks, "polls", (json_int_t)found->polls);

        client_print_json(object);
        json_decref(object);
    } else {
        printf("%s: %s\n", path, words);
        if (found->objects)
            printf("  ABI version %d, %lu objects, %lu stores, %lu marks, %lu polls\n",
                   CARD_ABI_VERSION, found->objects, found->stores, found->marks, found->polls);
    }
    return good ? EXIT_OK : EXIT_REFUSED;
}

static int inspect(const struct common_options *common, const char *path)
{
    struct findings found = {0};
    struct file file = {NULL, 0};
    struct stat status;
    const char *problem = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &status)) {
        problem = strerror(errno);
    } else if (!S_ISREG(status.st_mode) || status.st_size == 0) {
        problem = "not an ELF file";
    } else {
        file.size = (size_t)status.st_size;
        file.bytes = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
        problem = file.bytes == MAP_FAILED ? strerror(errno) : read_elf(&file, &found);
        if (file.bytes != MAP_FAILED && problem)
            munmap((void *)file.bytes, file.size);
    }
    if (fd >= 0)
        close(fd);
    if (!problem)
        return report(common, path, &found);
    fprintf(stderr, "optmig inspect: %s: %s\n", path, problem);
    return EXIT_REFUSED;
}

int command_inspect(struct common_options *common, int argc, char **argv)
{
    int option;

    while ((option = arguments_next("optmig inspect", argc, argv, ":", g_options)) != -1)
        client_common_option(common, "inspect", option);
    if (argc - optind != 1)
        client_usage("inspect", argc == optind ? "which file?" : "one file at a time");
    return inspect(common, argv[optind]);
}
