/* SPDX-License-Identifier: Apache-2.0 */
/* A small executable, made of functions that a test writes: with an unwind table, and nothing else.
 */
#pragma once

#include <elf.h>
#include <string.h>

#include "enclave/unwind.h"

enum {
    SAMPLE_CODE_AT = 0x1000, /* in the file; addresses are 0x10000 higher */
    SAMPLE_BASE = 0x10000,
    SAMPLE_SIZE = 0x3000,
    SAMPLE_HEADER_AT = 0x200,
    SAMPLE_FRAMES_AT = 0x400,
    SAMPLE_FRAME_SIZE = 20,
    SAMPLE_FUNCTIONS_MAX = 8,
};

struct sample {
    uint8_t bytes[SAMPLE_SIZE];
    uint32_t functions;
    uint32_t used; /* bytes of code */
};

static inline void sample_put(struct sample *sample, size_t at, uint32_t value)
{
    memcpy(sample->bytes + at, &value, sizeof(value));
}

static inline void sample_begin(struct sample *sample)
{
    Elf64_Ehdr elf = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
                      .e_type = ET_DYN,
                      .e_machine = EM_X86_64,
                      .e_phoff = sizeof(elf),
                      .e_phentsize = sizeof(Elf64_Phdr),
                      .e_phnum = 2};
    Elf64_Phdr headers[2] = {
        {.p_type = PT_LOAD,
         .p_flags = PF_R | PF_X,
         .p_vaddr = SAMPLE_BASE,
         .p_filesz = SAMPLE_SIZE},
        {.p_type = PT_GNU_EH_FRAME, .p_vaddr = SAMPLE_BASE + SAMPLE_HEADER_AT},
    };

    memset(sample, 0, sizeof(*sample));
    memcpy(sample->bytes, &elf, sizeof(elf));
    memcpy(sample->bytes + sizeof(elf), headers, sizeof(headers));
    sample_put(sample, SAMPLE_HEADER_AT, 0x3b031b01);
    memset(sample->bytes + SAMPLE_CODE_AT, 0xcc, SAMPLE_SIZE - SAMPLE_CODE_AT);
}

/* Appends a function, and so many bytes behind it; its offset in the code. */
static inline uint32_t sample_add(struct sample *sample, const void *code, uint32_t length,
                                  const void *behind, uint32_t behind_length)
{
    uint32_t begin = sample->used, at = SAMPLE_CODE_AT + begin;
    uint32_t frame = SAMPLE_FRAMES_AT + sample->functions * SAMPLE_FRAME_SIZE;
    uint32_t entry = SAMPLE_HEADER_AT + 12 + sample->functions * 8;

    memcpy(sample->bytes + at, code, length);
    if (behind_length)
        memcpy(sample->bytes + at + length, behind, behind_length);
    sample_put(sample, entry, at - SAMPLE_HEADER_AT);
    sample_put(sample, entry + 4, frame - SAMPLE_HEADER_AT);
    sample_put(sample, frame, 16);
    sample_put(sample, frame + 4, 1);
    sample_put(sample, frame + 8, at - (frame + 8));
    sample_put(sample, frame + 12, length);
    sample_put(sample, SAMPLE_HEADER_AT + 8, ++sample->functions);
    sample->used += length + behind_length;
    return begin;
}
