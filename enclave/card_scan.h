/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "enclave/runtime.h"

/* The first word in [at, end) that is not 0, or end. */
uint64_t card_next_word(const uint64_t *words, uint64_t at, uint64_t end);
