/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the protocol share: two sides that have finished a handshake, the same every
 * time.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/protocol.h"
#include "tests/unit/protocol_vectors.h"

static const uint64_t g_session = 0x1122334455667788;

static inline void fixture_handshake(struct handshake *source, struct handshake *destination)
{
    uint8_t random[64];
    for (int i = 0; i < 64; i++)
        random[i] = (uint8_t)i;
    handshake_create(source, ROLE_SOURCE, PLATFORM_SIM, g_session, random);
    for (int i = 0; i < 64; i++)
        random[i] = (uint8_t)(128 + i);
    handshake_create(destination, ROLE_DESTINATION, PLATFORM_SIM, g_session, random);
    for (int i = 0; i < 32; i++) {
        source->mine.runtime[i] = destination->mine.runtime[i] = (uint8_t)(200 + i);
        source->mine.policy_key[i] = destination->mine.policy_key[i] = (uint8_t)(3 * i);
    }
    source->mine.policy_version = 7;
    destination->mine.policy_version = 8;
}

static inline size_t fixture_hello(const struct handshake *h, uint8_t out[HELLO_bytes])
{
    int length = handshake_create_hello(h, out, HELLO_bytes);
    assert_true(length > 0);
    return (size_t)length;
}

static inline void fixture_keys(struct session_keys *out)
{
    struct handshake source, destination;
    uint8_t hello[HELLO_bytes];
    fixture_handshake(&source, &destination);
    size_t length = fixture_hello(&destination, hello);
    assert_int_equal(handshake_consume_hello(&source, hello, length), 0);
    assert_int_equal(handshake_finish(&source, out), 0);
}
