/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of entry.S, for the fault handler. */
#pragma once
#include <stdint.h>

long access_copy(void *to, const void *from, uint64_t length);
extern char access_copy_end[], access_copy_fault[];
