/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between test_move.c (libc: processes, threads, signals) and move_enclave.c (the runtime's
 * headers, which do not go together with libc's).  The test has the real move, memory map, guard,
 * protocol and host files around a "program" of ordinary threads, which stop when they are asked
 * to.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boundary/boundary.h"

/* Maps ELRANGE into this process; false: the kernel does not allow it. */
bool fixture_create(const char *name, uint32_t threads);

struct fixture_area {
    uint64_t start, end;
    uint32_t prot;
};
uint32_t fixture_areas(struct fixture_area *out, uint32_t capacity);

long fixture_map(uint64_t start, uint64_t length, uint32_t prot);
long fixture_unmap(uint64_t start, uint64_t length);
long fixture_protect(uint64_t start, uint64_t length, uint32_t prot);
long fixture_discard(uint64_t start, uint64_t length);

void *fixture_signal_stack(uint32_t slot, size_t *out_size);
bool fixture_guard_fault(uint64_t address);
void fixture_guard_open(uint32_t slot, uint64_t start, uint64_t length);
void fixture_guard_close(uint32_t slot);

void fixture_move(bool out, struct ecall_move *move);
void fixture_helper(bool urgent);

/* A digest of every page of the tables but the first, which the destination changes. */
uint64_t fixture_tables_digest(void);
void fixture_set_command(const char *text);
const char *fixture_command(void);

/* ---- what test_move.c does for the stubs ---- */

long program_stop(void);
void program_resume(void);
void program_release(void);
long program_capture(char *out_what, size_t capacity); /* all is stopped */
void program_uncapture(void);
long program_restore(char *out_what, size_t capacity); /* at the destination, before the start */
uint32_t program_hot_pages(uint64_t *out_pages, uint32_t capacity);
