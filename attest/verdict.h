/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What verification found, rule by rule.  It fails closed: passed only if every rule did, none was
 * lost, and the verification came to its end.
 */
#pragma once

#include "attest/words.h"

enum { VERDICT_RULES_MAX = 48, VERDICT_TEXT_bytes = 256 };

struct verdict_rule {
    const char *name; /* a constant */
    bool pass;
    char found[VERDICT_TEXT_bytes];
    char wanted[VERDICT_TEXT_bytes];
};

struct verdict {
    uint32_t count;
    bool failed;   /* a rule did, or there were too many */
    bool complete; /* every rule was asked */
    struct verdict_rule rule[VERDICT_RULES_MAX];
};

void verdict_init(struct verdict *v);
bool verdict_passed(const struct verdict *v);
/* Adds a rule; its texts are empty, to be filled through words_start(). Never NULL. */
struct verdict_rule *verdict_add(struct verdict *v, const char *name, bool pass);
/* The same with texts; returns pass. */
bool verdict_say(struct verdict *v, const char *name, bool pass, const char *found,
                 const char *wanted);
struct words verdict_found(struct verdict_rule *rule);
struct words verdict_wanted(struct verdict_rule *rule);
