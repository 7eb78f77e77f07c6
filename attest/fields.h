/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of binary evidence: protocol/'s cursor, giving spans. */
#pragma once

#include "attest/span.h"
#include "protocol/wire.h"

/* The next length bytes; empty after a failure. */
static inline struct span field_take(struct wire *w, size_t length)
{
    const uint8_t *bytes = wire_take_span(w, length);
    return span_of(bytes, bytes ? length : 0);
}

/* Reserved bytes: the cursor fails if one is not zero. */
static inline void field_zeros(struct wire *w, size_t length)
{
    if (!span_zero(field_take(w, length)))
        w->failed = true;
}
