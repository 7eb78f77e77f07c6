/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared mappings of files that the program only reads.  A mapping is a copy here, and databases
 * (LMDB, bbolt) write with pwrite what they expect to see in the mapping.  So what the program
 * itself writes to such a file is read into its mappings before the call returns.  What other
 * processes write is not seen until the file is mapped again.
 *
 * In the tables; a program without such a mapping pays for a look at one number.
 */
#pragma once

#include <asm/stat.h>

#include "enclave/syscall.h"

enum { SHARED_FILES_MAX = 256 };

struct shared_files {
    struct lock lock; /* before mm_state.lock; held while contents change */
    volatile uint32_t count;
    struct shared_map {
        uint64_t start, end; /* of memory, whole pages */
        uint64_t offset;     /* of start, in the file */
        uint64_t size;       /* of the file, when it was last read: what is behind that is zero */
        uint64_t device, inode;
    } maps[SHARED_FILES_MAX];
};

/* 0, or -ENOMEM: there are too many. */
long shared_files_note(uint64_t start, uint64_t length, uint64_t offset, const struct stat *file);
void shared_files_forget(uint64_t start, uint64_t length);
void shared_files_moved(uint64_t from, uint64_t to, uint64_t length);
/* After a call of the program that gave result, and before it returns. */
void shared_files_after(struct call *call, long result);
/* The destination: files have other numbers here.  Before the program runs. */
void shared_files_restore(void);
