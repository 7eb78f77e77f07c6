/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a question to the registrar of starts, and as its answer to an enclave. */
#include "tests/fuzz/fuzz.h"

#include "protocol/claim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[REGISTRY_KEY_bytes] = {4, 1};
    uint8_t again[CLAIM_BODY_bytes], answer[CLAIM_ANSWER_bytes] = {0};
    char sorry[CLAIM_ANSWER_bytes];
    struct claim claim;

    if (decode_claim(data, size, &claim) == 0) {
        ALWAYS(encode_claim(again, &claim) == size && memcmp(again, data, size) == 0);
        ALWAYS(claim.generation > 0);
    } else {
        ALWAYS(claim.generation == 0);
    }
    memcpy(answer, data, size < sizeof(answer) ? size : sizeof(answer));
    /* Nobody has the secret of this key, which is not even one. */
    ALWAYS(claim_judge(&claim, key, answer, sorry) == CLAIM_UNKNOWN);
    ALWAYS(memchr(sorry, 0, sizeof(sorry)));
    return 0;
}
