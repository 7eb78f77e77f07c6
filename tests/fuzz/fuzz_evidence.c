/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as evidence (SNP reports, TDX and SGX quotes, sim), and as the kernel's table of
 * certificates: no input is accepted.  The first byte says how much of the rest is the table.
 */
#include "tests/fuzz/fuzz.h"

#include "attest/attest.h"

static const char g_text[] =
    "{\"optmig-policy\":1,\"version\":1,\"platforms\":[\"snp\",\"tdx\",\"sgx\"],\"debug\":true,"
    "\"snp\":{\"measurements\":[\"000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000\"],\"revocation\":\"if-present\"},"
    "\"tdx\":{\"measurements\":[\"000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000\"]},"
    "\"sgx\":{\"signers\":[\"0000000000000000000000000000000000000000000000000000000000000000\"]}}";

/* The parts of a quote that is taken lie within it. */
static void check_quote(struct span evidence)
{
    struct quote q;
    if (quote_decode(evidence, &q))
        return;
    ALWAYS(quote_is(evidence));
    ALWAYS(q.signed_bytes.length + q.certificates.length < evidence.length);
    ALWAYS(q.certificates.bytes + q.certificates.length <= evidence.bytes + evidence.length);
    ALWAYS(quote_report_data(&q).length == 64);
    quote_debug(&q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct attest_workspace workspace;
    static struct verdict verdict;
    static struct policy policy;
    struct attest_facts facts;
    if (size < 1)
        return 0;
    size_t table = (size_t)data[0] * 16 < size - 1 ? (size_t)data[0] * 16 : size - 1;
    struct attest_question question = {.policy = &policy, .now = 1767225600};
    if (policy.version == 0)
        ALWAYS(!policy_parse(span_text(g_text), &policy));
    question.snp_table = span_of(table ? &data[1] : NULL, table);
    question.evidence = span_of(&data[1 + table], size - 1 - table);
    check_quote(question.evidence);
    ALWAYS(!attest_verify(&workspace, &question, &verdict, &facts));
    ALWAYS(verdict.count > 0);
    for (uint32_t i = 0; i < verdict.count; i++)
        ALWAYS(strlen(verdict.rule[i].found) < VERDICT_TEXT_bytes &&
               strlen(verdict.rule[i].wanted) < VERDICT_TEXT_bytes);
    return 0;
}
