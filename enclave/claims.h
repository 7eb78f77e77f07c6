/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry of starts (docs/registry.md), asked where the policy names one: each start of the
 * program is claimed there before it happens, once and for ever, by the destination, or by the
 * source that takes the program back.  The host only carries request and answer.
 */
#pragma once

#include "enclave/runtime.h"
#include "protocol/claim.h"

struct claim_state {
    uint8_t enclave[ENCLAVE_ID_bytes]; /* random, from the first move on; zero: none yet */
    uint64_t generation;               /* of the last move that was begun */
};

/* Source: a new generation, and which registry decides about it. */
void claim_propose(struct message_prepare *prepare);
/* Destination: NULL, or why this proposal cannot be taken. */
const char *claim_accept(const struct message_prepare *prepare);

/* Is a registry asked about the move at hand? */
bool claim_needed(void);
/* Claims the start for this side.  CLAIM_GRANTED also where none is asked, at the destination.
 * Otherwise words says why. */
enum claim_verdict claim_start(char *words, size_t capacity);
