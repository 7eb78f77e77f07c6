/* SPDX-License-Identifier: Apache-2.0 */
/* The block function under random_bytes (runtime.h), apart so that it can be tested by vectors. */
#pragma once

#include "enclave/runtime.h"

enum { CHACHA20_KEY_words = 8, CHACHA20_BLOCK_words = 16 };

/* As in RFC 8439, 2.3; words are little-endian in the byte stream. */
void random_chacha20_block(const uint32_t key[CHACHA20_KEY_words], uint32_t counter,
                           const uint32_t nonce[3], uint32_t out[CHACHA20_BLOCK_words]);
