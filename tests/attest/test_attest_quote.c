/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quotes of TDX and SGX with collateral, all signed by keys of our own: each test changes one
 * thing, and exactly the rules that are about it refuse.
 */
#include "tests/attest/check.h"
#include "tests/attest/forge_quote.h"

enum { NOW = 1767225600, QUOTE_bytes = 8192 }; /* 2026-01-01 */

static struct quote_scene g_scene;
static struct attest_workspace g_workspace;
static struct verdict g_verdict;
static struct attest_facts g_facts;

static void set_up_scene(bool sgx, int version, size_t body_size)
{
    quote_scene_begin(&g_scene, sgx, version, body_size);
    g_scene.question.now = NOW;
}

static int set_up_tdx(void **state)
{
    (void)state;
    set_up_scene(false, 4, QUOTE_TD10_BODY_SIZE);
    return 0;
}

static int set_up_sgx(void **state)
{
    (void)state;
    set_up_scene(true, 3, QUOTE_SGX_BODY_SIZE);
    return 0;
}

static void make_policy(struct quote_scene *s)
{
    static struct policy opened;
    static char text[4096];
    char digest[65], measurement[97] = "";
    forge_key_digest(&s->root_key, digest);
    for (size_t i = 0; i < (s->sgx ? 32 : 48); i++)
        strcat(measurement, s->signers_only ? "a2" : "a1");
    snprintf(text, sizeof text,
             "{\"optmig-policy\": 1, \"version\": 5, \"platforms\": [\"%s\"], %s"
             "\"roots\": {\"intel\": [\"%s\"]}, \"%s\": {\"%s\": [\"%s\"]%s}}",
             s->sgx ? "sgx" : "tdx", s->debug_allowed ? "\"debug\": true, " : "", digest,
             s->sgx ? "sgx" : "tdx", s->signers_only ? "signers" : "measurements", measurement,
             s->policy);
    forge_policy(text, &opened);
    s->question.policy = &opened;
}

static bool verify(void)
{
    static struct forged quote, tcb, crls[2];
    struct quote_scene *s = &g_scene;
    quote_scene_make(s, &quote);
    quote_scene_collateral(s);
    make_policy(s);
    forge_certificate(&tcb, &s->tcb);
    forge_crl(&crls[0], &s->root_crl);
    forge_crl(&crls[1], &s->pck_crl);
    s->question.evidence = forged_span(&quote);
    s->question.certificate_count = 1;
    s->question.certificates[0] = forged_span(&tcb);
    s->question.crl_count = s->no_pck_crl ? 1 : 2;
    s->question.crls[0] = forged_span(&crls[0]);
    s->question.crls[1] = forged_span(&crls[1]);
    return attest_verify(&g_workspace, &s->question, &g_verdict, &g_facts);
}

static void test_good_quotes_are_accepted(void **state)
{
    static const struct {
        bool sgx;
        int version;
        size_t size;
    } forms[] = {{true, 3, QUOTE_SGX_BODY_SIZE},   {true, 4, QUOTE_SGX_BODY_SIZE},
                 {true, 5, QUOTE_SGX_BODY_SIZE},   {false, 4, QUOTE_TD10_BODY_SIZE},
                 {false, 5, QUOTE_TD10_BODY_SIZE}, {false, 5, QUOTE_TD15_BODY_SIZE}};
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        set_up_scene(forms[i].sgx, forms[i].version, forms[i].size);
        verify();
        assert_string_equal(forge_failures(&g_verdict), "");
        assert_true(verdict_passed(&g_verdict));
        assert_int_equal(g_facts.platform, forms[i].sgx ? ATTEST_SGX : ATTEST_TDX);
        assert_int_equal(g_facts.version, forms[i].version);
    }
}

/* ---- One thing is wrong ---- */

static void td_debug(struct quote_scene *s)
{
    s->body[120] = 1;
}
static void td_profiled(struct quote_scene *s)
{
    s->body[120] = 0x20;
}
static void td_migratable(struct quote_scene *s)
{
    s->body[123] = 0x20;
}
static void enclave_debug(struct quote_scene *s)
{
    s->body[48] = 2;
}
static void other_measurement(struct quote_scene *s)
{
    s->body[s->sgx ? 64 : 136] ^= 1;
}
static void other_rtmr(struct quote_scene *s)
{
    sprintf(s->policy, ", \"rtmr2\": [\"%096d\"]", 1);
}
static void pck_expired(struct quote_scene *s)
{
    s->pck.not_after = "251231235959Z";
}
static void authority_expired(struct quote_scene *s)
{
    s->authority.not_after = "251231235959Z";
}
static void pck_revoked(struct quote_scene *s)
{
    s->pck_crl.revoked = 3;
}
static void authority_revoked(struct quote_scene *s)
{
    s->root_crl.revoked = 2;
}
static void tcb_signer_revoked(struct quote_scene *s)
{
    s->root_crl.revoked = 4;
}
static void tcb_signer_expired(struct quote_scene *s)
{
    s->tcb.not_after = "251231235959Z";
}
static void tcb_signer_by_another(struct quote_scene *s)
{
    s->tcb.signer = &s->other;
}
static void pck_crl_missing(struct quote_scene *s)
{
    s->no_pck_crl = true;
}
static void pck_crl_expired(struct quote_scene *s)
{
    s->pck_crl.next_update = "251231235959Z";
}
static void pck_by_another(struct quote_scene *s)
{
    s->pck.signer = &s->other;
}
static void path_too_long(struct quote_scene *s)
{
    s->root.path_length = 0;
}
static void report_by_another(struct quote_scene *s)
{
    s->report_signer = &s->other;
}
static void quote_by_another(struct quote_scene *s)
{
    s->quote_signer = &s->other;
}
static void key_of_another(struct quote_scene *s)
{
    s->report[320] = 1; /* the report names some other key */
}
static void collateral_by_another(struct quote_scene *s)
{
    s->collateral_signer = &s->other;
}
static void collateral_of_another_platform(struct quote_scene *s)
{
    s->fmspc = "00906ED50001";
}
static void collateral_expired(struct quote_scene *s)
{
    s->dates = "\"issueDate\":\"2025-12-01T00:00:00Z\",\"nextUpdate\":\"2025-12-31T23:59:59Z\"";
}
static void collateral_of_the_future(struct quote_scene *s)
{
    s->dates = "\"issueDate\":\"2026-01-01T00:00:01Z\",\"nextUpdate\":\"2026-02-01T00:00:00Z\"";
}
static void collateral_without_dates(struct quote_scene *s)
{
    s->dates = "\"issueDate\":\"2025-12-01\",\"nextUpdate\":\"2027\"";
}
static void collateral_of_another_tee(struct quote_scene *s)
{
    s->info_id = s->sgx ? "TDX" : "SGX";
}
static void platform_behind(struct quote_scene *s) /* reaches the second level only */
{
    s->svn[15] = 6;
}
static void platform_below_all(struct quote_scene *s)
{
    s->svn[3] = 0;
}
static void tdx_component_behind(struct quote_scene *s)
{
    s->body[2] = 6;
}
static void status_revoked(struct quote_scene *s)
{
    s->status = "Revoked";
    strcpy(s->policy, ", \"tcb_status\": [\"UpToDate\", \"OutOfDate\"]");
}
static void status_unheard_of(struct quote_scene *s)
{
    s->status = "BetterThanNew";
}
static void module_behind(struct quote_scene *s)
{
    s->body[0] = 4;
}
static void module_unknown(struct quote_scene *s)
{
    s->body[1] = 2;
}
static void module_signed_by_another(struct quote_scene *s)
{
    s->body[64] = 1; /* MRSIGNERSEAM */
}
static void module_revoked(struct quote_scene *s)
{
    s->module_status = "Revoked";
}
static void quoting_enclave_behind(struct quote_scene *s)
{
    s->report[258] = 5;
}
static void quoting_enclave_below_all(struct quote_scene *s)
{
    s->report[258] = 3;
}
static void quoting_enclave_of_another(struct quote_scene *s)
{
    s->qe_signer = "98";
}
static void quoting_enclave_debug(struct quote_scene *s)
{
    s->report[48] = 2;
}
static void quoting_enclave_misc_select(struct quote_scene *s)
{
    s->report[16] = 1;
}
static void module_attributes(struct quote_scene *s)
{
    s->body[112] = 1;
}
static void
other_certification(struct quote_scene *s) /* an encrypted platform id instead of a chain */
{
    s->chain_kind = 3;
}
static void other_report_certification(struct quote_scene *s)
{
    s->report_kind = 5;
}
static void other_report_data(struct quote_scene *s)
{
    static const uint8_t wanted[64] = {1};
    s->question.report_data = span_of(wanted, 64);
}
static void evaluation_too_old(struct quote_scene *s)
{
    strcpy(s->policy, ", \"min_evaluation\": 18");
}
static void signer_not_listed(struct quote_scene *s)
{
    sprintf(s->policy, ", \"signers\": [\"%064d\"]", 0);
}
static void svn_too_low(struct quote_scene *s)
{
    s->body[258] = 2;
    strcpy(s->policy, ", \"min_svn\": 3");
}
static void product_differs(struct quote_scene *s)
{
    strcpy(s->policy, ", \"product\": 1");
}

enum { BOTH, TDX, SGX };

static const struct {
    const char *what, *rules;
    void (*change)(struct quote_scene *);
    int which;
} g_refused[] = {
    {"debug", "debug", td_debug, TDX},
    {"profiled", "debug", td_profiled, TDX},
    {"migratable", "migratable", td_migratable, TDX},
    {"debug", "debug", enclave_debug, SGX},
    {"other measurement", "measurement", other_measurement, BOTH},
    {"other RTMR", "rtmr2", other_rtmr, TDX},
    {"PCK expired", "quote-chain tcb", pck_expired, BOTH},
    {"authority expired", "quote-chain tcb", authority_expired, TDX},
    {"PCK revoked", "quote-chain tcb", pck_revoked, BOTH},
    {"authority revoked", "quote-chain tcb", authority_revoked, TDX},
    {"TCB signer revoked", "collateral-chain tcb", tcb_signer_revoked, BOTH},
    {"TCB signer expired", "collateral-chain tcb", tcb_signer_expired, TDX},
    {"TCB signer by another", "collateral-chain tcb", tcb_signer_by_another, TDX},
    {"no list of PCKs", "quote-chain tcb", pck_crl_missing, TDX},
    {"list of PCKs expired", "quote-chain tcb", pck_crl_expired, TDX},
    {"PCK by another", "quote-chain tcb", pck_by_another, BOTH},
    {"path too long", "quote-chain tcb", path_too_long, TDX},
    {"report by another", "quote-enclave-report tcb", report_by_another, BOTH},
    {"quote by another", "quote-signature tcb", quote_by_another, BOTH},
    {"key of another", "quote-key tcb", key_of_another, BOTH},
    {"collateral by another", "tcb-info quoting-identity tcb", collateral_by_another, BOTH},
    {"of another platform", "tcb-info tcb", collateral_of_another_platform, BOTH},
    {"collateral expired", "tcb-info quoting-identity tcb", collateral_expired, BOTH},
    {"of the future", "tcb-info quoting-identity tcb", collateral_of_the_future, TDX},
    {"without dates", "tcb-info quoting-identity tcb", collateral_without_dates, TDX},
    {"of another TEE", "tcb-info tcb", collateral_of_another_tee, BOTH},
    {"platform behind", "tcb", platform_behind, BOTH},
    {"platform below all levels", "tcb", platform_below_all, BOTH},
    {"TDX component behind", "tcb", tdx_component_behind, TDX},
    {"status revoked", "tcb", status_revoked, BOTH},
    {"status unheard of", "tcb", status_unheard_of, BOTH},
    {"module behind", "tcb", module_behind, TDX},
    {"module unknown", "tdx-module tcb", module_unknown, TDX},
    {"module by another", "tdx-module tcb", module_signed_by_another, TDX},
    {"module revoked", "tdx-module tcb", module_revoked, TDX},
    {"quoting enclave behind", "tcb", quoting_enclave_behind, BOTH},
    {"quoting enclave below all", "quoting-enclave tcb", quoting_enclave_below_all, BOTH},
    {"quoting enclave of another", "quoting-enclave tcb", quoting_enclave_of_another, BOTH},
    {"quoting enclave debug", "quoting-enclave tcb", quoting_enclave_debug, BOTH},
    {"quoting enclave misc select", "quoting-enclave tcb", quoting_enclave_misc_select, BOTH},
    {"module attributes", "tdx-module tcb", module_attributes, TDX},
    {"other certification", "evidence", other_certification, BOTH},
    {"other certification of the report", "evidence", other_report_certification, TDX},
    {"other report data", "report-data", other_report_data, BOTH},
    {"evaluation too old", "tcb-evaluation", evaluation_too_old, BOTH},
    {"signer not listed", "signer", signer_not_listed, SGX},
    {"svn too low", "svn", svn_too_low, SGX},
    {"product differs", "product", product_differs, SGX},
};

static void test_each_wrong_thing_is_refused_by_its_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof g_refused / sizeof g_refused[0]; i++) {
        for (int sgx = 0; sgx < 2; sgx++) {
            if (g_refused[i].which == (sgx ? TDX : SGX))
                continue;
            if (sgx)
                set_up_sgx(NULL);
            else
                set_up_tdx(NULL);
            g_refused[i].change(&g_scene);
            if (verify() || strcmp(forge_failures(&g_verdict), g_refused[i].rules) != 0)
                fail_msg("%s (%s): failed rules: '%s', expected '%s'", g_refused[i].what,
                         sgx ? "SGX" : "TDX", forge_failures(&g_verdict), g_refused[i].rules);
        }
    }
}

static void test_a_lesser_status_is_accepted_where_the_policy_says_so(void **state)
{
    (void)state;
    platform_behind(&g_scene);
    strcpy(g_scene.policy, ", \"tcb_status\": [\"UpToDate\", \"OutOfDate\"]");
    assert_true(verify());
    set_up_tdx(NULL); /* Out of date by its module, and in need of configuration. */
    g_scene.status = "ConfigurationNeeded";
    module_behind(&g_scene);
    strcpy(g_scene.policy, ", \"tcb_status\": [\"UpToDate\", \"ConfigurationNeeded\"]");
    verify();
    assert_refused_by(&g_verdict, "tcb");
    strcpy(g_scene.policy, ", \"tcb_status\": [\"OutOfDateConfigurationNeeded\"]");
    assert_true(verify());
}

static void test_debug_is_accepted_where_the_policy_says_so(void **state)
{
    (void)state;
    td_debug(&g_scene);
    g_scene.debug_allowed = true;
    assert_true(verify());
}

static void test_the_signer_alone_suffices_for_an_enclave(void **state)
{
    (void)state;
    g_scene.signers_only = true;
    assert_true(verify());
    g_scene.body[64] ^= 1; /* another program */
    assert_true(verify());
    g_scene.body[128] ^= 1; /* by another */
    verify();
    assert_refused_by(&g_verdict, "signer");
}

/* Every byte of the quote is signed, or has one value only. */
static void test_no_flipped_byte_of_a_quote_is_accepted(void **state)
{
    static uint8_t quote[QUOTE_bytes];
    size_t step = getenv("TESTS_LONG") && *getenv("TESTS_LONG") ? 1 : 29;
    size_t length;
    (void)state;
    assert_true(verify());
    length = g_scene.question.evidence.length;
    assert_in_range(length, 1000, sizeof quote);
    memcpy(quote, g_scene.question.evidence.bytes, length);
    g_scene.question.evidence = span_of(quote, length);
    for (size_t i = 0; i < length; i += step) {
        quote[i] ^= 1;
        if (attest_verify(&g_workspace, &g_scene.question, &g_verdict, &g_facts))
            fail_msg("accepted with byte %zu of %zu changed", i, length);
        quote[i] ^= 1;
    }
    for (size_t cut = 1; cut < length; cut += 97) {
        g_scene.question.evidence.length = length - cut;
        assert_false(attest_verify(&g_workspace, &g_scene.question, &g_verdict, &g_facts));
    }
    g_scene.question.evidence.length = length + 1; /* one zero: padding */
    assert_true(attest_verify(&g_workspace, &g_scene.question, &g_verdict, &g_facts));
    quote[length] = 1;
    assert_false(attest_verify(&g_workspace, &g_scene.question, &g_verdict, &g_facts));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_quotes_are_accepted),
        cmocka_unit_test(test_each_wrong_thing_is_refused_by_its_rules),
        cmocka_unit_test_setup(test_a_lesser_status_is_accepted_where_the_policy_says_so,
                               set_up_tdx),
        cmocka_unit_test_setup(test_debug_is_accepted_where_the_policy_says_so, set_up_tdx),
        cmocka_unit_test_setup(test_the_signer_alone_suffices_for_an_enclave, set_up_sgx),
        cmocka_unit_test_setup(test_no_flipped_byte_of_a_quote_is_accepted, set_up_tdx),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
