/* SPDX-License-Identifier: Apache-2.0 */
/* Finding present and written pages by the kernel's page tables: the track_* rows of calls.def. */
#pragma once

#include "boundary/boundary.h"

/* Opens what a move needs.  Best called once before the program runs, so that no descriptor number
 * that the program could see is used for a moment later; the calls below do it themselves if it was
 * not. */
void track_prepare(void);

long host_track_begin(void);
long host_track_scan(const struct om_scan *scan, struct om_region *out_regions, uint32_t capacity,
                     uint64_t *out_walk_end);
long host_track_keep(uint64_t start, uint64_t end);
void host_track_end(void);
long host_memory_read(uint64_t from, void *to, size_t length);
