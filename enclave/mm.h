/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's memory map, [PROGRAM_BASE, PROGRAM_END).
 *
 * ELRANGE is one anonymous private mapping that is never mapped over again: mapping memory is
 * mprotect, unmapping is MADV_DONTNEED and PROT_NONE, a file mapping is read into memory.  So a
 * userfaultfd registration and the page tables outlive every call of the program.
 *
 * The map is a sorted array of areas in the tables.  All functions take the lock themselves.
 */
#pragma once

#include "enclave/syscall.h"

enum { AREAS_MAX = 32768 };

enum area_kind {
    AREA_ANONYMOUS,
    AREA_FILE,  /* private copy of a file's bytes */
    AREA_HEAP,  /* brk */
    AREA_STACK, /* of the first thread */
    AREA_VDSO,
    AREA_CALLS, /* trampolines (fast_calls.h) */
    AREA_CARDS, /* card table and poll page of an instrumented program: contents never move */
};

struct area {
    uint64_t start, end; /* page-aligned; adjacent areas with equal attributes are merged */
    uint32_t prot;       /* PROT_* as the program sees it */
    uint32_t kind;       /* enum area_kind */
    uint32_t flags;      /* AREA_HUGE_ADVISED, ... */
    uint32_t name;       /* offset into mm_state.names, 0: none (for reports and /proc/self/maps) */
};
enum { AREA_HUGE_ADVISED = 1, AREA_SHARED = 2 };

struct mm_state {
    struct lock lock;
    volatile uint32_t sequence; /* odd while areas change: readers that take no lock look again */
    uint32_t count;
    uint64_t brk_start, brk_end; /* current break */
    uint64_t map_top;            /* mmap places areas downwards from here */
    uint64_t vdso_base;
    uint32_t names_used;
    char names[64 * 1024];
    struct area areas[AREAS_MAX];
};

void mm_create(void); /* an empty map */

/* Adds memory at a fixed place, replacing what was there; zero-filled.  0 or -errno. */
long mm_map_fixed(uint64_t start, uint64_t length, uint32_t prot, uint32_t kind, uint32_t flags,
                  const char *name);
/* The same at a place of the map's choice (2 MiB-aligned if length >= 2 MiB); address or -errno. */
long mm_map_anywhere(uint64_t length, uint32_t prot, uint32_t kind, uint32_t flags,
                     const char *name);
/* At start, only if nothing is mapped there: else -EEXIST. */
long mm_map_vacant(uint64_t start, uint64_t length, uint32_t prot, uint32_t kind, uint32_t flags,
                   const char *name);
/* Somewhere in [low, high), as high as possible, at a multiple of alignment (a power of 2). */
struct mm_room {
    uint64_t low, high, alignment;
};
long mm_map_within(const struct mm_room *room, uint64_t length, uint32_t prot, uint32_t kind,
                   uint32_t flags, const char *name);
long mm_unmap(uint64_t start, uint64_t length);
/* As mprotect(2): -ENOMEM at a hole, with all before it changed. */
long mm_protect(uint64_t start, uint64_t length, uint32_t prot);
/* MADV_DONTNEED: memory reads as zero again, but for AREA_FILE and AREA_VDSO, whose contents stay.
 */
long mm_discard(uint64_t start, uint64_t length);
long mm_set_flags(uint64_t start, uint64_t length, uint32_t set, uint32_t clear); /* of areas */
/* brk(2): the break after the call. The loader sets where it starts. */
uint64_t mm_brk(uint64_t wanted);
void mm_brk_create(uint64_t start);

/* True if [start, start + length) is mapped with all of prot. */
bool mm_is_mapped(uint64_t start, uint64_t length, uint32_t prot);
/* The area that contains address, and that or else the next above it; NULL: none.  The caller holds
 * the map's lock, or the program is stopped. */
const struct area *mm_area_at(uint64_t address);
const struct area *mm_area_from(uint64_t address);
/* Copies out the area that contains address or the next above it; false: none. For walks. */
bool mm_next_area(uint64_t address, struct area *out_area);
const char *mm_area_name(const struct area *area); /* "" for none */
uint64_t mm_mapped_bytes(void);

/* The destination of a move.  The map that arrived in the tables is made true for the page tables:
 * mprotect of what differs from `applied`.  mm_layout_copy takes a copy that can be sent early.
 * First mm_layout_reset_rw: all of the program's range is readable and writable, whatever the map
 * says. mm_layout_apply gives -EINVAL for areas that are not sorted, apart and inside of the range.
 */
long mm_layout_reset_rw(void);
uint32_t mm_layout_copy(struct area *out_areas, uint32_t capacity);
long mm_layout_apply(const struct area *wanted, uint32_t wanted_count);
bool mm_layout_writable(uint64_t address); /* may the runtime write there, as applied now */

/* Hooks that a running move sets (move.h): called with the map's lock held, after the change but
 * for one. */
struct mm_hooks {
    void (*discarding)(uint64_t start, uint64_t end); /* before the change: contents are given up */
    void (*discarded)(uint64_t start, uint64_t end);  /* contents are now zero */
    void (*protected)(uint64_t start, uint64_t end,
                      uint32_t prot); /* protection was set in the kernel */
};
extern struct mm_hooks g_mm_hooks;

/* sys_mm.c: reads a file into memory that is mapped writable; past the end of the file nothing is
 * changed.  0 or -errno. */
long mm_read_file(uint64_t start, uint64_t length, int fd, uint64_t offset);

/* loader.c: maps the executable and its interpreter, builds the stack and the auxiliary vector,
 * fills thread->cpu.  0 or -errno, and out_reason says what is wrong with which file. */
struct program {
    const char *path;
    const char *const *argv;
    const char *const *envp;
    uint32_t tracker; /* enum om_tracker; barrier: refused unless it is instrumented in full */
};
long loader_load(const struct program *program, struct thread *first, char *out_reason,
                 size_t capacity);

/* vdso.c: maps the vDSO image into the program; its address, for AT_SYSINFO_EHDR. */
uint64_t vdso_map(void);
