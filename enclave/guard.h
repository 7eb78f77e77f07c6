/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Write detection by mprotect: memory is made read-only; the first write to a granule faults, the
 * handler makes that granule writable again and notes it.  Used twice:
 *   - as the `mprotect` tracker, with granules of one page, where userfaultfd is not to be had;
 *   - as the freeze before a switchover of the `kernel` tracker, with granules of 2 MiB, so that
 * the last scan looks only at memory written since the freeze and never at the whole footprint.
 *
 * The kernel does not fault on such a page, it fails the system call (EFAULT).  So every call's
 * output buffers are opened before the call (guard_open, from syscalls.def), and a collector that
 * protects memory afterwards leaves buffers of calls under way alone (thread->kernel_write).
 */
#pragma once

#include "enclave/pageset.h"
#include "enclave/thread.h"

/* Not zero while some memory is guarded. */
extern volatile uint32_t g_guard_active;

/* The dispatcher, before a call whose output buffer the kernel will write; several per call.
 * Always, and not only while the guard is active: it may become so while the call blocks. */
void guard_open(struct thread *thread, uint64_t start, uint64_t length);
/* The dispatcher, when the call has returned: marks what it may have written (cards.h). */
void guard_close(struct thread *thread);
/* The SIGSEGV handler: true if the fault was the guard's and the access can be made again. */
bool guard_fault(uint64_t address);

/* ---- the collector (tracker.c), on the mover's thread ---- */

/* granule_pages: a power of 2. */
void guard_begin(uint64_t granule_pages);
/* Makes these runs of pages of one area read-only, and no longer hot; the caller holds the map's
 * lock, so the area and its protection do not change meanwhile.  What has to stay open is hot
 * afterwards. */
void guard_protect(const struct page_run *runs, uint32_t count, uint32_t prot);
/* The next run of hot pages (whole granules, clipped to [first, end), at most max pages). */
bool guard_next_hot(uint64_t first, uint64_t end, uint64_t max, struct page_run *out_run);
void guard_mark_hot(uint64_t first, uint64_t end);
/* Gives all memory back its own protection. */
void guard_end(void);

/* Walks the buffers of system calls that are under way on any thread.  Begin with {0, 0}.  A full
 * fence has to lie between what the caller did to memory and this. */
struct buffer_walk {
    uint32_t slot, index;
};
bool guard_next_buffer(struct buffer_walk *walk, struct page_run *out);

/* Hook of the memory map (mm.h): the program's own protection of this range was just set. */
void guard_protection_changed(uint64_t start, uint64_t end, uint32_t prot);
