/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of the runtime, run natively by unit tests: ELRANGE is mapped into the test process as the
 * host process does it, and system calls go straight to the kernel, or fail when a test says so.
 * Includes no libc header, because the kernel's own headers do not go together with them.
 */
#pragma once

#include "enclave/tables.h"

/* Maps ELRANGE and makes an empty map.  Exits with 77 (skipped) where the kernel does not allow it.
 */
void native_create(void);

/* While not zero, that many system calls of this number succeed and all further ones give error. */
struct native_failure {
    long nr;
    uint32_t after;
    long error;
    bool partial; /* a failing mprotect still changes the first half of its range, as Linux may */
};
extern struct native_failure g_native_failure;

struct native_region {
    uint64_t start, end;
    uint32_t prot;
};
/* What the kernel's page tables allow in [start, end), by /proc/self/maps; PROT_NONE is left out,
 * neighbours of equal protection are joined. Returns how many. */
uint32_t native_regions(uint64_t start, uint64_t end, struct native_region *out, uint32_t capacity);

/* Numbers that are the same in each run. */
uint64_t native_random(uint64_t *state);
