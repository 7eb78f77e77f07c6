/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The notes that the compile pass leaves in an executable (boundary/card.h), one of each object.
 * Pure functions on bytes: the file is given by whoever runs the program.
 */
#pragma once

#include "enclave/runtime.h"

enum card_notes {
    CARD_NOTES_NONE,
    CARD_NOTES_BAD,       /* no list of notes, or a note of ours that is too short */
    CARD_NOTES_OTHER_ABI, /* of another version */
    CARD_NOTES_PARTIAL,   /* an object says that it is not instrumented */
    CARD_NOTES_UNTRACKED, /* linked with --allow-untracked */
    CARD_NOTES_FULL,      /* all objects are instrumented */
};

/* The contents of one note segment.  alignment: 4 or 8. */
enum card_notes card_notes_decode(const uint8_t *notes, size_t size, uint64_t alignment);
/* Of two note segments of one file. */
enum card_notes card_notes_join(enum card_notes a, enum card_notes b);
/* What is wrong and what to do; words that go after the file's name. */
const char *card_notes_words(enum card_notes notes);
