/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the compile pass puts into a program, by hand (boundary/card.h): for a victim that has no
 * libc and stores nothing but through STORE().  Natively the card table is memory like any other.
 */
#pragma once

#include <stdint.h>

#include "boundary/card.h"

/* The mark comes after the store, and the compiler may move neither over the other. */
#define STORE(pointer, value)                                                                      \
    do {                                                                                           \
        __typeof__(pointer) store_to = (pointer);                                                  \
        *(volatile __typeof__(*store_to) *)store_to = (value);                                     \
        mark(store_to);                                                                            \
    } while (0)

static inline void mark(const volatile void *written)
{
    __asm__ volatile("movb $1, __optmig_cards_v3(%0)"
                     :
                     : "r"((uint64_t)written >> CARD_SHIFT & (CARD_COUNT - 1))
                     : "memory");
}

/* A safepoint: everything stored before is marked. */
static inline void poll_here(void)
{
    __asm__ volatile("testb %%al, __optmig_poll_v3" : : : "cc", "memory");
}

/* Card table, poll page and note; the linker puts the two sections where they belong. */
__asm__(".pushsection .optmig_cards, \"aw\", @nobits\n"
        ".balign 4096\n"
        ".globl __optmig_cards_v3\n"
        "__optmig_cards_v3: .zero 0x10000000\n"
        ".popsection\n"
        ".pushsection .optmig_poll, \"aw\", @nobits\n"
        ".balign 4096\n"
        ".globl __optmig_poll_v3\n"
        "__optmig_poll_v3: .zero 4096\n"
        ".popsection\n"
        ".pushsection .note.optmig, \"a\", @note\n"
        ".balign 4\n"
        ".long 7, 20, 1\n"
        ".asciz \"OptMig\"\n"
        ".balign 4\n"
        ".long 3\n"
#ifdef MARKED_UNTRACKED
        ".long 3\n" /* as if it were linked with --allow-untracked */
#else
        ".long 1\n"
#endif
        ".long 0, 0, 0\n"
        ".popsection\n");
