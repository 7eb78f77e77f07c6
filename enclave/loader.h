/* SPDX-License-Identifier: Apache-2.0 */
/* Between loader.c, which maps files, and loader_stack.c, which makes the first stack. */
#pragma once

#include "enclave/card_note.h"
#include "enclave/elf.h"
#include "enclave/mm.h"

enum {
    LOADER_PATH_MAX_bytes = 4096,
    SCRIPT_LINE_bytes = 256, /* of a `#!` line that count, as in the kernel */
    SCRIPT_LEVELS_MAX = 4,
};

/*
 * Where a program's parts go; every enclave has the same layout.
 *   position-dependent executable   where it was linked
 *   position-independent one        64 GiB, its heap above
 *   ... mappings, downwards from 4 MiB below the stack: interpreter, vDSO, libraries, mmap
 *   stack                           8 MiB, 2 MiB below the end of the program's range
 */
#define PROGRAM_PIE_BASE (64 * OM_GIB)
#define STACK_TOP (PROGRAM_END - OM_HUGE_SIZE)
#define STACK_SIZE (8ULL << 20)
#define STACK_GAP (4ULL << 20)
#define MAP_TOP (STACK_TOP - STACK_SIZE - STACK_GAP)

/* `#! interpreter argument` */
struct script_line {
    char interpreter[SCRIPT_LINE_bytes];
    char argument[SCRIPT_LINE_bytes]; /* empty: none */
};

struct loaded_image {
    struct elf_image elf;
    uint64_t bias; /* added to the file's addresses */
};

struct load {
    const struct program *program;
    char *reason;
    size_t capacity;
    uint32_t script_levels;
    struct script_line scripts[SCRIPT_LEVELS_MAX]; /* 0: of the program itself */
    struct loaded_image executable, interpreter;
    enum card_notes notes; /* of the executable */
    bool has_interpreter;
    uint64_t vdso;
};

/* Sets the reason and returns the error. */
long load_fail(const struct load *load, long error, const char *format, ...) OM_PRINTF(3, 4);
/* Maps and fills the stack; the stack pointer at the program's first instruction, or -errno. */
long load_build_stack(const struct load *load);
