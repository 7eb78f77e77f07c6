/* SPDX-License-Identifier: Apache-2.0 */
/* The policy's rules, over evidence that was found genuine or not: every rule is told, so that its
 * reader sees all that is in the way at once. */
#include "attest/attest.h"

static bool member_boolean(const struct value *section, const char *name)
{
    struct value value = value_member(section, name);
    bool yes;
    value_boolean(&value, &yes);
    return yes;
}

static uint64_t member_number(const struct value *section, const char *name)
{
    struct value value = value_member(section, name);
    uint64_t number;
    value_number(&value, &number);
    return number;
}

/* The texts of a list as they stand there. */
static void put_list(struct words *w, const struct value *list, const char *otherwise)
{
    struct value_walk walk = value_walk(list);
    struct value element;
    bool any = false;
    while (value_next(&walk, NULL, &element)) {
        words_put(w, any ? ", " : "");
        words_put_span(w, element.text);
        any = true;
    }
    words_put(w, any ? "" : otherwise);
}

bool evaluate_listed(struct verdict *verdict, const char *rule_name, const struct value *section,
                     const char *member, struct span bytes, bool needed)
{
    struct value list = value_member(section, member);
    if (list.kind == VALUE_NONE && !needed)
        return true;
    bool pass = policy_lists_bytes(&list, bytes);
    struct verdict_rule *rule = verdict_add(verdict, rule_name, pass);
    struct words found = verdict_found(rule), wanted = verdict_wanted(rule);
    words_hex(&found, bytes);
    words_put(&wanted, "one of: ");
    put_list(&wanted, &list, "(the policy lists none)");
    return pass;
}

/* The list, if there is one, has this word. */
static void word_listed(struct verdict *verdict, const char *rule_name, const struct value *list,
                        const char *word)
{
    if (list->kind == VALUE_NONE)
        return;
    struct verdict_rule *rule =
        verdict_add(verdict, rule_name, policy_lists_text(list, span_text(word)));
    struct words found = verdict_found(rule), wanted = verdict_wanted(rule);
    words_put(&found, word);
    words_put(&wanted, "one of: ");
    put_list(&wanted, list, "");
}

static void number_rule(struct verdict *verdict, const char *rule_name, bool pass,
                        uint64_t found_number, const char *relation, uint64_t wanted_number)
{
    struct verdict_rule *rule = verdict_add(verdict, rule_name, pass);
    struct words found = verdict_found(rule), wanted = verdict_wanted(rule);
    words_number(&found, found_number);
    words_put(&wanted, relation);
    words_number(&wanted, wanted_number);
}

static void switch_rule(struct verdict *verdict, const char *rule_name, bool on, bool allowed)
{
    verdict_say(verdict, rule_name, !on || allowed, on ? "on" : "off",
                allowed ? "on or off" : "off");
}

/* ---- AMD SEV-SNP ---- */

static void evaluate_snp_tcb(const struct value *section, const struct snp_report *report,
                             enum snp_product product, struct verdict *verdict)
{
    struct value wanted_tcb = value_member(section, "min_tcb");
    if (wanted_tcb.kind == VALUE_NONE)
        return;
    struct snp_tcb tcb;
    snp_lowest_tcb(report, product, &tcb);
    bool pass = product != SNP_PRODUCT_NONE && tcb.fmc >= member_number(&wanted_tcb, "fmc") &&
                tcb.bootloader >= member_number(&wanted_tcb, "bootloader") &&
                tcb.tee >= member_number(&wanted_tcb, "tee") &&
                tcb.snp >= member_number(&wanted_tcb, "snp") &&
                tcb.microcode >= member_number(&wanted_tcb, "microcode");
    struct verdict_rule *rule = verdict_add(verdict, "tcb", pass);
    struct words found = verdict_found(rule), wanted = verdict_wanted(rule);
    struct value_walk walk = value_walk(&wanted_tcb);
    struct value value;
    struct span name;
    snp_tcb_words(&found, &tcb);
    words_put(&wanted, "at least:");
    while (value_next(&walk, &name, &value)) {
        words_put(&wanted, " ");
        words_put_span(&wanted, name);
        words_put(&wanted, " ");
        words_put_span(&wanted, value.text);
    }
}

void evaluate_snp(const struct policy *policy, const struct snp_report *report,
                  enum snp_product product, struct verdict *verdict)
{
    struct value section = policy_section(policy, "snp");
    struct value keys = value_member(&section, "keys"),
                 products = value_member(&section, "products");
    uint64_t vmpl_max = member_number(&section, "vmpl_max");
    evaluate_listed(verdict, "measurement", &section, "measurements", report->measurement, true);
    evaluate_listed(verdict, "host-data", &section, "host_data", report->host_data, false);
    evaluate_listed(verdict, "id-key", &section, "id_key_digests", report->id_key_digest, false);
    evaluate_snp_tcb(&section, report, product, verdict);
    word_listed(verdict, "signing-key", &keys,
                report->signing_key == SNP_KEY_VCEK ? "vcek" : "vlek");
    word_listed(verdict, "product", &products, snp_product_name(product));
    number_rule(verdict, "vmpl", report->vmpl <= vmpl_max, report->vmpl, "at most ", vmpl_max);
}

/* ---- Intel ---- */

static void evaluate_status(const struct value *section, const struct collateral_facts *facts,
                            struct verdict *verdict)
{
    struct value list = value_member(section, "tcb_status");
    const char *name = tcb_status_name(facts->status);
    uint64_t least = member_number(section, "min_evaluation");
    bool pass = facts->status == TCB_UP_TO_DATE;
    if (list.kind == VALUE_ARRAY)
        pass = facts->status < TCB_REVOKED && policy_lists_text(&list, span_text(name));
    struct verdict_rule *rule = verdict_add(verdict, "tcb", pass);
    struct words found = verdict_found(rule), wanted = verdict_wanted(rule);
    words_put(&found, name);
    words_put(&wanted, "one of: ");
    put_list(&wanted, &list, "UpToDate");
    if (least > 0)
        number_rule(verdict, "tcb-evaluation", facts->evaluation_number >= least,
                    facts->evaluation_number, "at least ", least);
}

static void evaluate_enclave(const struct value *section, const struct quote_enclave *e,
                             struct verdict *verdict)
{
    struct value measurements = value_member(section, "measurements");
    struct value signers = value_member(section, "signers"),
                 product = value_member(section, "product");
    uint64_t svn = member_number(section, "min_svn"), number;
    /* Either list will do (a policy has one at least); what is listed must fit. */
    evaluate_listed(verdict, "measurement", section, "measurements", e->mrenclave,
                    signers.kind == VALUE_NONE);
    evaluate_listed(verdict, "signer", section, "signers", e->mrsigner,
                    measurements.kind == VALUE_NONE);
    if (value_number(&product, &number))
        number_rule(verdict, "product", e->product == number, e->product, "", number);
    if (svn > 0)
        number_rule(verdict, "svn", e->svn >= svn, e->svn, "at least ", svn);
}

static void evaluate_domain(const struct value *section, const struct quote_domain *d,
                            struct verdict *verdict)
{
    evaluate_listed(verdict, "measurement", section, "measurements", d->mrtd, true);
    evaluate_listed(verdict, "rtmr0", section, "rtmr0", d->rtmr[0], false);
    evaluate_listed(verdict, "rtmr1", section, "rtmr1", d->rtmr[1], false);
    evaluate_listed(verdict, "rtmr2", section, "rtmr2", d->rtmr[2], false);
    evaluate_listed(verdict, "rtmr3", section, "rtmr3", d->rtmr[3], false);
}

void evaluate_quote(const struct policy *policy, const struct quote *q,
                    const struct collateral_facts *facts, struct verdict *verdict)
{
    struct value section = policy_section(policy, q->tee == QUOTE_SGX ? "sgx" : "tdx");
    if (q->tee == QUOTE_SGX)
        evaluate_enclave(&section, &q->enclave, verdict);
    else
        evaluate_domain(&section, &q->domain, verdict);
    evaluate_status(&section, facts, verdict);
}

/* ---- All ---- */

static void evaluate_policy_itself(const struct attest_question *question, struct verdict *verdict)
{
    const struct policy *policy = question->policy;
    number_rule(verdict, "policy-version", policy->version >= question->policy_version_min,
                policy->version, "at least ", question->policy_version_min);
    if (policy->expires == UINT64_MAX)
        return;
    struct verdict_rule *rule =
        verdict_add(verdict, "policy-expiry", question->now <= policy->expires);
    struct words found = verdict_found(rule), wanted = verdict_wanted(rule);
    words_date(&found, policy->expires);
    words_put(&wanted, "not before ");
    words_date(&wanted, question->now);
}

static void evaluate_peer(const struct attest_question *question, struct verdict *verdict)
{
    bool out = question->direction == ATTEST_OUT;
    struct value list = value_member(&question->policy->root, out ? "destinations" : "sources");
    struct verdict_rule *rule = verdict_add(verdict, out ? "destination" : "source",
                                            policy_lists_pattern(&list, question->peer));
    struct words found = verdict_found(rule), wanted = verdict_wanted(rule);
    words_put_span(&found, question->peer);
    words_put(&wanted, "one of: ");
    put_list(&wanted, &list, "(the policy lists none)");
}

static void evaluate_report_data(const struct attest_question *question,
                                 const struct attest_facts *facts, struct verdict *verdict)
{
    bool pass = question->report_data.length == ATTEST_REPORT_DATA_SIZE &&
                span_equal(question->report_data, facts->report_data);
    struct verdict_rule *rule = verdict_add(verdict, "report-data", pass);
    struct words found = verdict_found(rule), wanted = verdict_wanted(rule);
    words_hex(&found, facts->report_data);
    words_hex(&wanted, question->report_data);
}

void evaluate_common(const struct attest_question *question, const struct attest_facts *facts,
                     struct verdict *verdict)
{
    const char *name = attest_platform_name(facts->platform);
    struct value list = value_member(&question->policy->root, "platforms");
    struct value section = policy_section(question->policy, name);
    evaluate_policy_itself(question, verdict);
    struct verdict_rule *rule =
        verdict_add(verdict, "platform", policy_names_platform(question->policy, name));
    struct words found = verdict_found(rule), wanted = verdict_wanted(rule);
    words_put(&found, name);
    if (facts->platform == ATTEST_SIM)
        words_put(&found, " (isolates nothing)");
    words_put(&wanted, "one of: ");
    put_list(&wanted, &list, "");
    switch_rule(verdict, "debug", facts->debug, question->policy->debug);
    if (facts->platform == ATTEST_SNP || facts->platform == ATTEST_TDX)
        switch_rule(verdict, "migratable", facts->migratable,
                    member_boolean(&section, "migratable"));
    if (question->peer.bytes)
        evaluate_peer(question, verdict);
    if (question->report_data.bytes)
        evaluate_report_data(question, facts, verdict);
}
