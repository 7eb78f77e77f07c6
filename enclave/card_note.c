/* SPDX-License-Identifier: Apache-2.0 */
/* See card_note.h.  The numbers in a note are checked before they are used; headers are copied out,
 * since the buffer has no alignment. */
#include "enclave/card_note.h"

#include <linux/elf.h>

#include "boundary/card.h"

/* What every version begins with. */
struct note_body {
    uint32_t version, flags;
};

static enum card_notes judge(const uint8_t *body, uint32_t size)
{
    struct note_body note;

    if (size < sizeof(note))
        return CARD_NOTES_BAD;
    memcpy(&note, body, sizeof(note));
    if (note.version != CARD_ABI_VERSION)
        return CARD_NOTES_OTHER_ABI;
    if (note.flags & CARD_NOTE_UNTRACKED)
        return CARD_NOTES_UNTRACKED;
    return note.flags & CARD_NOTE_INSTRUMENTED ? CARD_NOTES_FULL : CARD_NOTES_PARTIAL;
}

static bool is_ours(const Elf64_Nhdr *header, const uint8_t *name)
{
    return header->n_type == CARD_NOTE_TYPE && header->n_namesz == sizeof(CARD_NOTE_NAME) &&
           memcmp(name, CARD_NOTE_NAME, sizeof(CARD_NOTE_NAME)) == 0;
}

/* The worst wins; none at all says nothing about the others. */
enum card_notes card_notes_join(enum card_notes a, enum card_notes b)
{
    if (a == CARD_NOTES_NONE || b == CARD_NOTES_NONE)
        return OM_MAX(a, b);
    return OM_MIN(a, b);
}

enum card_notes card_notes_decode(const uint8_t *notes, size_t size, uint64_t alignment)
{
    enum card_notes verdict = CARD_NOTES_NONE;
    uint64_t unit = alignment == 8 ? 8 : 4, at = 0;

    while (size - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr header;
        uint64_t name, body, next;

        memcpy(&header, notes + at, sizeof(header));
        name = at + sizeof(header);
        body = OM_ALIGN_UP(name + header.n_namesz, unit);
        next = OM_ALIGN_UP(body + header.n_descsz, unit);
        if (body > size || header.n_descsz > size - body)
            return CARD_NOTES_BAD;
        if (is_ours(&header, notes + name))
            verdict = card_notes_join(verdict, judge(notes + body, header.n_descsz));
        at = OM_MIN(next, (uint64_t)size);
    }
    return verdict;
}

const char *card_notes_words(enum card_notes notes)
{
    switch (notes) {
    case CARD_NOTES_NONE:
        return "was not built with optmig-cc, so nothing marks what it writes; build it with "
               "CC=optmig-cc, or use --tracker kernel";
    case CARD_NOTES_BAD:
        return "has a damaged note of optmig-cc; build it anew, or use --tracker kernel";
    case CARD_NOTES_OTHER_ABI:
        return "was built by an optmig-cc of another version; build it anew with this one, or use "
               "--tracker kernel";
    case CARD_NOTES_PARTIAL:
        return "has objects that are not instrumented ('optmig inspect' names them); build all of "
               "it with optmig-cc, or use --tracker kernel";
    case CARD_NOTES_UNTRACKED:
        return "was linked with --allow-untracked, so some of its writes are not marked; link it "
               "without, or use --tracker kernel";
    case CARD_NOTES_FULL:
        break;
    }
    return "is instrumented";
}
