/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last file mapping that was read, as long as it is as it was read.
 *
 * The dynamic linker maps a library as a whole and then each of its segments over that, from the
 * same file.  Since a mapping is a copy here, the second mapping of the same bytes needs no
 * reading: a change of protection gives the same result.  That is half of the time that a start
 * takes.
 */
#pragma once

#include <asm/stat.h>

#include "enclave/runtime.h"

struct file_copy {
    uint64_t start, length; /* of memory, whole pages when noted */
    uint64_t offset;        /* in the file */
    uint32_t prot;
    uint32_t area_flags;
    const struct stat *file;
};

/* The memory was just read from the file and nobody could write to it since. */
void file_copy_note(const struct file_copy *copy);
/* Gives such a mapping by a change of protection.  1: done; 0: it has to be read; or -errno. */
long file_copy_reuse(const struct file_copy *wanted);
/* This memory may be changed or go away now. */
void file_copy_forget(uint64_t start, uint64_t length);
