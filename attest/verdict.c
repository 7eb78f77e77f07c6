/* SPDX-License-Identifier: Apache-2.0 */
/* See verdict.h. */
#include "attest/verdict.h"

void verdict_init(struct verdict *v)
{
    memset(v, 0, sizeof *v);
}

bool verdict_passed(const struct verdict *v)
{
    return v->complete && !v->failed && v->count > 0;
}

struct verdict_rule *verdict_add(struct verdict *v, const char *name, bool pass)
{
    bool full = v->count == VERDICT_RULES_MAX;
    struct verdict_rule *rule = &v->rule[full ? VERDICT_RULES_MAX - 1 : v->count++];
    rule->name = name;
    rule->pass = pass && !full;
    rule->found[0] = 0;
    rule->wanted[0] = 0;
    if (!rule->pass)
        v->failed = true;
    return rule;
}

struct words verdict_found(struct verdict_rule *rule)
{
    return words_start(rule->found, sizeof rule->found);
}

struct words verdict_wanted(struct verdict_rule *rule)
{
    return words_start(rule->wanted, sizeof rule->wanted);
}

bool verdict_say(struct verdict *v, const char *name, bool pass, const char *found,
                 const char *wanted)
{
    struct verdict_rule *rule = verdict_add(v, name, pass);
    struct words f = verdict_found(rule), w = verdict_wanted(rule);
    words_put(&f, found);
    words_put(&w, wanted);
    return pass;
}
