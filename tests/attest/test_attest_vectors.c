/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: test_attest_vectors [PATTERN]: only the tests whose names match
 *
 * Real evidence: the samples in the folder that OPTMIG_VECTORS names (its NOTICE says where they
 * are from).  Without it there is nothing to test here, and this says so.  Times are pinned:
 * certificates and collateral expire.
 */
#include "tests/attest/check.h"

#include "attest/date.h"
#include "cli/evidence_files.h"

enum { SKIPPED = 77 };

static const char *g_folder;
static struct attest_workspace g_workspace;
static struct verdict g_verdict;
static struct attest_facts g_facts;
static struct evidence_files g_files;
static struct attest_question g_question;
static struct policy g_policy;
static char g_text[4096];

#define TD_MEASUREMENT                                                                             \
    "91eb2b44d141d4ece09f0c75c2c53d247a3c68edd7fafe8a3520c942a604a407de03ae6dc5f87f27428b25388731" \
    "18b7"
#define TD_OUTDATED                                                                                \
    "273828c46252fcbdd8ad2dd907130222b03466d52a2911d70c1a5950895d6bd1ae451d382d5a9b1b4c0ed0e5ae9a" \
    "3dbd"
#define SNP_MEASUREMENT                                                                            \
    "b07af9620f3b839b47996422ddec6058338951d984e312115131ea82705eaf5b6bdf8a9ece31a5a608eb0cf2e487" \
    "2b01"
#define SGX_MEASUREMENT "33d8736db756ed4997e04ba358d27833188f1932ff7b1d156904d3f560452fbb"

static void use_policy(const char *debug, const char *sgx_more)
{
    snprintf(g_text, sizeof g_text,
             "{\"optmig-policy\":1,\"version\":1,\"platforms\":[\"snp\",\"tdx\",\"sgx\"],"
             "\"debug\":%s,\"snp\":{\"measurements\":[\"" SNP_MEASUREMENT "\"],"
             "\"revocation\":\"if-present\",\"min_tcb\":{\"bootloader\":2,\"snp\":5,"
             "\"microcode\":68}},\"tdx\":{\"measurements\":[\"" TD_MEASUREMENT "\",\"" TD_OUTDATED
             "\"]},\"sgx\":{\"measurements\":[\"" SGX_MEASUREMENT "\"]%s}}",
             debug, sgx_more);
    forge_policy(g_text, &g_policy);
}

static void read_to(const char *name, struct span *out)
{
    char path[4096], reason[512];
    snprintf(path, sizeof path, "%s/%s", g_folder, name);
    if (!evidence_read(&g_files, path, out, reason, sizeof reason))
        fail_msg("%s", reason);
}

static void add(const char *name)
{
    char path[4096], reason[512];
    snprintf(path, sizeof path, "%s/%s", g_folder, name);
    if (!evidence_add_collateral(&g_files, path, &g_question, reason, sizeof reason))
        fail_msg("%s", reason);
}

static void use(const char *evidence, const char *collateral, const char *time)
{
    evidence_free(&g_files);
    g_files.has_intel = false;
    memset(&g_question, 0, sizeof g_question);
    read_to(evidence, &g_question.evidence);
    add(collateral);
    assert_true(date_parse(span_text(time), &g_question.now));
    g_question.policy = &g_policy;
}

static void use_snp(void)
{
    use_policy("true", "");
    use("snp/attestation.bin", "snp/milan.testcer", "2024-01-01T00:00:00Z");
    add("snp/vcek.testcer");
}

static void use_tdx(void)
{
    use_policy("false", "");
    use("tdx/tdx_quote", "tdx/tdx_quote_collateral.json", "2025-06-20T00:00:00Z");
}

static bool verify(void)
{
    return attest_verify(&g_workspace, &g_question, &g_verdict, &g_facts);
}

static void assert_accepted(void)
{
    verify();
    assert_string_equal(forge_failures(&g_verdict), "");
    assert_true(verdict_passed(&g_verdict));
}

static void test_the_snp_report(void **state)
{
    (void)state;
    use_snp();
    assert_accepted();
    assert_int_equal(g_facts.platform, ATTEST_SNP);
    assert_memory_equal(g_facts.report_data.bytes, "\1\2\3\4\5\0", 6);
    use_policy("false", "");
    verify();
    assert_refused_by(&g_verdict, "debug"); /* its guest may be debugged */
}

static void test_the_snp_report_and_time(void **state)
{
    (void)state;
    use_snp();
    date_parse(span_text("2029-09-24T00:55:28Z"), &g_question.now);
    assert_accepted(); /* the VCEK's last second */
    g_question.now++;
    verify();
    assert_refused_by(&g_verdict, "snp-chain");
    date_parse(span_text("2022-09-24T00:55:27Z"), &g_question.now);
    verify();
    assert_refused_by(&g_verdict, "snp-chain");
}

static void test_the_snp_report_and_another_chain(void **state)
{
    (void)state;
    use_policy("true", "");
    use("snp/attestation.bin", "snp/milanvlek.testcer", "2024-01-01T00:00:00Z");
    add("snp/vcek.testcer");
    verify();
    assert_refused_by(&g_verdict, "snp-chain");
    use("snp/attestation.bin", "snp/milan.testcer", "2024-01-01T00:00:00Z");
    verify();
    assert_refused_by(&g_verdict, "snp-key tcb");
}

static void test_the_tdx_quote(void **state)
{
    (void)state;
    use_tdx();
    assert_accepted();
    assert_int_equal(g_facts.platform, ATTEST_TDX);
    assert_int_equal(g_facts.version, 4);
    assert_false(g_facts.debug);
    date_parse(span_text("2025-07-19T11:00:00Z"), &g_question.now); /* collateral is a month old */
    verify();
    assert_false(verdict_passed(&g_verdict));
    date_parse(span_text("2033-01-01T00:00:00Z"), &g_question.now);
    verify();
    assert_refused_by(&g_verdict, "quote-chain tcb");
}

static void test_the_tdx_quote_of_version_5_of_an_outdated_platform(void **state)
{
    (void)state;
    use_policy("false", "");
    use("tdx/tdx_quote_outdated", "tdx/tdx_quote_outdated_collateral.json", "2026-02-20T00:00:00Z");
    verify();
    assert_refused_by(&g_verdict, "tcb");
    assert_int_equal(g_facts.version, 5);
}

static void test_the_tdx_quotes_with_each_others_collateral(void **state)
{
    (void)state;
    use_policy("false", "");
    use("tdx/tdx_quote", "tdx/tdx_quote_outdated_collateral.json", "2026-02-20T00:00:00Z");
    verify();
    assert_refused_by(&g_verdict, "tcb-info tcb");
    use("tdx/tdx_quote", "sgx/sgx_quote_collateral.json", "2025-06-20T00:00:00Z");
    verify(); /* The list of the other PCK authority does not cover it. */
    assert_refused_by(&g_verdict, "quote-chain tcb");
}

static void test_the_sgx_quote(void **state)
{
    (void)state;
    use_policy("false", "");
    use("sgx/sgx_quote", "sgx/sgx_quote_collateral.json", "2025-06-20T00:00:00Z");
    verify();
    assert_refused_by(&g_verdict, "tcb"); /* ConfigurationAndSWHardeningNeeded */
    use_policy("false", ",\"tcb_status\":[\"ConfigurationAndSWHardeningNeeded\"]");
    assert_accepted();
    assert_int_equal(g_facts.platform, ATTEST_SGX);
    assert_memory_equal(g_facts.report_data.bytes, "Hello, world!", 13);
}

/* Changes each byte, or every so many, of what part points to, and wants it refused, up to offset
 * end; what is behind has a copy in the collateral, which is used if this one is spoilt. */
static void assert_no_change_accepted_before(const char *what, struct span *part, size_t step,
                                             size_t end)
{
    static uint8_t copy[65536];
    const struct span original = *part;
    if (getenv("TESTS_LONG") && *getenv("TESTS_LONG"))
        step = 1;
    assert_in_range(original.length, 1, sizeof copy);
    memcpy(copy, original.bytes, original.length);
    part->bytes = copy;
    assert_accepted();
    for (size_t i = 0; i < original.length; i += step) {
        copy[i] ^= (uint8_t)(1 << i % 8);
        if (verify() && i < end)
            fail_msg("%s: accepted with byte %zu changed", what, i);
        copy[i] ^= (uint8_t)(1 << i % 8);
    }
    *part = original;
}

static void assert_no_change_accepted(const char *what, struct span *part, size_t step)
{
    assert_no_change_accepted_before(what, part, step, part->length);
}

/* The quote's second and third certificate are in the collateral too. */
static size_t end_of_first_certificate(struct span quote)
{
    static const char end[] = "-----END CERTIFICATE-----\n";
    const uint8_t *at = memmem(quote.bytes, quote.length, end, strlen(end));
    assert_non_null(at);
    return (size_t)(at - quote.bytes) + strlen(end);
}

static void test_no_changed_byte_is_accepted_snp(void **state)
{
    (void)state;
    use_snp();
    assert_no_change_accepted("report", &g_question.evidence, 13);
    assert_no_change_accepted("chain", &g_question.certificates[0], 61);
    assert_no_change_accepted("VCEK", &g_question.certificates[1], 19);
}

static void test_no_changed_byte_is_accepted_tdx(void **state)
{
    (void)state;
    use_tdx();
    assert_no_change_accepted_before("quote", &g_question.evidence, 41,
                                     end_of_first_certificate(g_question.evidence));
    assert_no_change_accepted("TCB info", &g_question.collateral.tcb_info, 61);
    assert_no_change_accepted("its signature", &g_question.collateral.tcb_info_signature, 5);
    assert_no_change_accepted("identity", &g_question.collateral.qe_identity, 31);
    assert_no_change_accepted("its signature", &g_question.collateral.qe_identity_signature, 5);
    assert_no_change_accepted("root list", &g_question.crls[0], 11);
    assert_no_change_accepted("PCK list", &g_question.crls[1], 83);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_snp_report),
        cmocka_unit_test(test_the_snp_report_and_time),
        cmocka_unit_test(test_the_snp_report_and_another_chain),
        cmocka_unit_test(test_the_tdx_quote),
        cmocka_unit_test(test_the_tdx_quote_of_version_5_of_an_outdated_platform),
        cmocka_unit_test(test_the_tdx_quotes_with_each_others_collateral),
        cmocka_unit_test(test_the_sgx_quote),
        cmocka_unit_test(test_no_changed_byte_is_accepted_snp),
        cmocka_unit_test(test_no_changed_byte_is_accepted_tdx),
    };
    g_folder = getenv("OPTMIG_VECTORS");
    if (!g_folder || !*g_folder) {
        puts("skipped: OPTMIG_VECTORS does not name the folder of sample evidence");
        return SKIPPED;
    }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    evidence_free(&g_files);
    return failed;
}
