/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where functions begin and end, from the unwind table of an ELF file (PT_GNU_EH_FRAME).  It is the
 * only place in a stripped file that says so, and unwinding depends on it, so it is right.
 *
 * The file is whatever the program maps: every number in it is checked, and a table of a form that
 * compilers and linkers for x86-64 do not make is no table.
 *
 * Source: Linux Standard Base 5.0, chapter 10.6 (exception frames).
 */
#pragma once

#include "enclave/runtime.h"

enum { UNWIND_LOADS_MAX = 16 };

/* Reads all of it, or says false. */
struct unwind_file {
    bool (*read)(const struct unwind_file *file, void *to, size_t length, uint64_t offset);
    const void *bytes; /* for the reader */
    uint64_t size;
    int fd;
};

struct unwind {
    const struct unwind_file *file;
    uint64_t header; /* address of .eh_frame_hdr, before the file is given a place in memory */
    uint32_t functions;
    uint32_t load_count;
    struct {
        uint64_t address, offset, size;
    } loads[UNWIND_LOADS_MAX];
};

/* Addresses as in the file. */
struct unwind_function {
    uint64_t begin, end;
    uint64_t before; /* end of the function before this one; begin: there is none */
    uint64_t after;  /* beginning of the next; end: there is none */
};

bool unwind_open(struct unwind *out, const struct unwind_file *file);
/* The address of what lies there in the file; UINT64_MAX: nothing that is loaded. */
uint64_t unwind_address(const struct unwind *unwind, uint64_t offset);
bool unwind_find(const struct unwind *unwind, uint64_t address, struct unwind_function *out);
