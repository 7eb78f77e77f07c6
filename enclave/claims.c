/* SPDX-License-Identifier: Apache-2.0 */
/* See claims.h; the bytes and what they are worth: protocol/claim.c. */
#include "enclave/claims.h"

#include <linux/time.h>

#include "enclave/attestation.h"
#include "enclave/sealed.h"
#include "enclave/tables.h"

/* A registry that is moving its leader answers again after a second or two. */
enum { CLAIM_TRIES = 3, TRIES_END_ms = 6000 };
_Static_assert((int)REGISTRY_KEY_bytes == (int)POLICY_POINT_bytes, "a policy has the whole key");

static struct {
    bool needed;
    uint8_t key[REGISTRY_KEY_bytes];
    uint8_t enclave[ENCLAVE_ID_bytes];
    uint64_t generation;
} g_claim;

/* The registry of this side's policy; the digest of its key is zero if there is none. */
static void find_registry(uint8_t out_digest[32])
{
    memset(&g_claim, 0, sizeof(g_claim));
    memset(out_digest, 0, 32);
    g_claim.needed = attestation_registry(g_claim.key, out_digest);
}

void claim_propose(struct message_prepare *prepare)
{
    static const uint8_t none[ENCLAVE_ID_bytes];
    struct claim_state *state = &g_tables->claims;

    find_registry(prepare->registry);
    if (memcmp(state->enclave, none, sizeof(none)) == 0)
        random_bytes(state->enclave, sizeof(state->enclave));
    g_claim.generation = prepare->generation = ++state->generation;
    memcpy(g_claim.enclave, state->enclave, sizeof(g_claim.enclave));
    memcpy(prepare->enclave, state->enclave, sizeof(prepare->enclave));
}

const char *claim_accept(const struct message_prepare *prepare)
{
    uint8_t mine[32];

    find_registry(mine);
    if (memcmp(mine, prepare->registry, sizeof(mine)) != 0)
        return g_claim.needed ? "the destination's policy names a registry of starts, and the "
                                "source's names another one, or none"
                              : "the source's policy names a registry of starts, and the "
                                "destination's names none";
    memcpy(g_claim.enclave, prepare->enclave, sizeof(g_claim.enclave));
    g_claim.generation = prepare->generation;
    return NULL;
}

bool claim_needed(void)
{
    return g_claim.needed;
}

static enum claim_verdict ask(const struct claim *claim, char *words, size_t capacity)
{
    uint8_t request[CLAIM_BODY_bytes], answer[CLAIM_ANSWER_bytes];
    char sorry[CLAIM_ANSWER_bytes];
    enum claim_verdict verdict;
    long length = g_host.registry(request, encode_claim(request, claim), answer, sizeof(answer));

    if (length != (long)sizeof(answer)) {
        str_format(words, capacity, "the registry of starts cannot be reached: error %ld",
                   length < 0 ? -length : EIO);
        return CLAIM_UNKNOWN;
    }
    verdict = claim_judge(claim, g_claim.key, answer, sorry);
    if (verdict == CLAIM_HELD)
        str_copy(words, "the registry of starts says that the other side has claimed this start",
                 capacity);
    else if (verdict == CLAIM_UNKNOWN && sorry[0])
        str_format(words, capacity, "the registry of starts: %s", sorry);
    else if (verdict == CLAIM_UNKNOWN)
        str_copy(words,
                 "what came for the registry's answer is not signed by its key, or answers "
                 "something else",
                 capacity);
    return verdict;
}

enum claim_verdict claim_start(char *words, size_t capacity)
{
    const struct handshake *handshake = sealed_handshake();
    uint64_t begin = g_host.now_ns(CLOCK_MONOTONIC);
    enum claim_verdict verdict = CLAIM_GRANTED;
    struct claim claim = {.generation = g_claim.generation};

    words[0] = 0;
    if (!g_claim.needed)
        return handshake->role == ROLE_DESTINATION ? CLAIM_GRANTED : CLAIM_UNKNOWN;
    memcpy(claim.enclave, g_claim.enclave, sizeof(claim.enclave));
    claim_claimant(handshake, handshake->role, claim.claimant);
    for (int i = 0; i < CLAIM_TRIES; i++) {
        random_bytes(claim.nonce, sizeof(claim.nonce));
        verdict = ask(&claim, words, capacity);
        if (verdict != CLAIM_UNKNOWN ||
            g_host.now_ns(CLOCK_MONOTONIC) - begin > TRIES_END_ms * 1000000ULL)
            break;
    }
    return verdict;
}
