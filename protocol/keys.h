/* SPDX-License-Identifier: Apache-2.0 */
/* From a transcript and a secret to all keys of a channel.  Private to protocol/. */
#pragma once

#include "protocol/protocol.h"

void keys_derive(const uint8_t transcript[32], const uint8_t secret[32], struct session_keys *out);
