/* SPDX-License-Identifier: Apache-2.0 */
/* Is a receipt of a move what it says?  Rule by rule; with a policy also: is it good enough? */
#pragma once

#include "attest/attest.h"
#include "protocol/protocol.h"

enum { RECEIPT_RULES_MAX = 2 * VERDICT_RULES_MAX + 16 };

struct receipt_question {
    uint64_t now;       /* seconds since 1970 */
    struct span policy; /* its text, signature and key; NULL: none */
    struct span signature, key;
    struct attest_question collateral; /* what was brought for evidence */
    uint8_t before[32];    /* digest of the body of the receipt before, and its number */
    uint64_t before_moves; /* 0: none was shown */
};

struct receipt_rule {
    const char *of; /* "both", "source", "destination": whose word is judged */
    const char *name;
    bool pass;
    char found[VERDICT_TEXT_bytes], wanted[VERDICT_TEXT_bytes];
};

struct receipt_verdict {
    bool passed, sim;
    uint32_t count;
    struct receipt_rule rule[RECEIPT_RULES_MAX];
};

/* NULL, or why the policy cannot be used; then there is no verdict. */
const char *receipt_verify(const struct receipt_file *file, const struct receipt_question *question,
                           struct receipt_verdict *out);
