/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts of moves, kept as files for `optmig receipt`: DIR/SESSION, 16 hexadecimal digits. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { RECEIPTS_KEPT_MAX = 256 };

/* The directory, which is there; NULL: none is kept. */
void receipt_keep_in(const char *dir);
long host_receipt(const uint8_t *bytes, size_t length);
