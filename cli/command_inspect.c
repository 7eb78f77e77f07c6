/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optmig inspect: what the notes of a program or an object say (boundary/card.h).  The linker joins
 * the notes of all objects; those without one are refused by optmig-cc when it links, by name.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boundary/card.h"
#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/elf_file.h"

struct note_body {
    uint32_t version, flags, stores, marks, polls;
};

struct findings {
    unsigned long objects, plain, untracked, other_version, damaged;
    unsigned long stores, marks, polls;
};

static const struct option g_options[] = {
    CLIENT_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

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

static void read_notes(const uint8_t *notes, uint64_t size, struct findings *out)
{
    uint64_t at = 0;

    while (size - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        uint64_t name = at + sizeof(note), body;

        memcpy(&note, notes + at, sizeof(note));
        body = name + padded(note.n_namesz);
        if (body > size || padded(note.n_descsz) > size - body) {
            out->damaged++;
            return;
        }
        if (note.n_type == CARD_NOTE_TYPE && note.n_namesz == sizeof(CARD_NOTE_NAME) &&
            !memcmp(notes + name, CARD_NOTE_NAME, sizeof(CARD_NOTE_NAME)))
            count_note(notes + body, note.n_descsz, out);
        at = body + padded(note.n_descsz);
    }
}

/* NULL, or what is wrong with it. */
static const char *read_section(const struct elf_file *file, const Elf64_Shdr *section,
                                struct findings *out)
{
    const char *problem = NULL;
    uint8_t *notes;

    if (section->sh_size > file->size)
        return "a damaged ELF file";
    notes = malloc(section->sh_size + 1);
    if (!notes)
        return strerror(ENOMEM);
    if (elf_file_read(file, section->sh_offset, notes, section->sh_size))
        read_notes(notes, section->sh_size, out);
    else
        problem = "a damaged ELF file";
    free(notes);
    return problem;
}

static const char *read_elf(const struct elf_file *file, struct findings *out)
{
    const char *problem = NULL;

    for (unsigned i = 0; i < file->header.e_shnum && !problem; i++) {
        Elf64_Shdr section;

        if (!elf_file_section(file, i, &section))
            problem = "a damaged ELF file";
        else if (section.sh_type == SHT_NOTE)
            problem = read_section(file, &section, out);
    }
    return problem;
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
    struct elf_file file;
    const char *problem = elf_file_open(&file, path);

    if (!problem) {
        problem = read_elf(&file, &found);
        elf_file_close(&file);
    }
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
