/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the protocol's own files share of cryptography: BearSSL's names, and the two operations on
 * secrets that a compiler must not improve.  Private to protocol/.
 */
#pragma once

#include <bearssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The empty assembly reads the memory, so the stores before it cannot be dropped as dead. */
static inline void wipe(void *secret, size_t length)
{
    memset(secret, 0, length);
    __asm__ volatile("" : : "r"(secret) : "memory");
}

/* In time that does not depend on the bytes. */
static inline bool bytes_equal(const uint8_t *a, const uint8_t *b, size_t length)
{
    uint8_t difference = 0;
    for (size_t i = 0; i < length; i++)
        difference |= a[i] ^ b[i];
    return difference == 0;
}
