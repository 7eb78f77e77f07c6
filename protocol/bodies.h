/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the decoders of lists share.  Private to protocol/.
 */
#pragma once

#include "boundary/layout.h"
#include "protocol/protocol.h"
#include "protocol/wire.h"

/* What a move may carry: the program and the runtime's tables, which lie side by side. */
static const uint64_t g_first_movable_page = PROGRAM_BASE >> OM_PAGE_SHIFT;
static const uint64_t g_end_of_movable_pages = (TABLES_BASE + TABLES_SIZE) >> OM_PAGE_SHIFT;
_Static_assert(PROGRAM_END <= TABLES_BASE && TABLES_BASE + TABLES_SIZE <= LOCAL_BASE,
               "the program and the tables lie below everything that never moves");

static inline bool pages_movable(uint64_t first, uint64_t count)
{
    return first >= g_first_movable_page && first < g_end_of_movable_pages && count > 0 &&
           count <= g_end_of_movable_pages - first;
}

static inline uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline void put_list_head(struct wire *w, uint32_t count)
{
    wire_put_u32(w, count);
    wire_put_u32(w, 0);
}

/* Takes the count.  If entry_size is not 0, the rest of the body is exactly that many entries, so
 * the entries can be taken without asking again. */
static inline int take_list_head(struct wire *w, uint32_t least, uint32_t most, size_t entry_size,
                                 uint32_t *out_count)
{
    uint32_t count = wire_take_u32(w);
    uint32_t reserved = wire_take_u32(w);
    *out_count = 0;
    if (w->failed)
        return PROTOCOL_LENGTH;
    if (reserved != 0)
        return PROTOCOL_FIELD;
    if (count < least || count > most)
        return PROTOCOL_COUNT;
    if (entry_size != 0 && wire_left(w) != count * entry_size)
        return PROTOCOL_LENGTH;
    *out_count = count;
    return PROTOCOL_OK;
}
