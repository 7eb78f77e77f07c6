/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SNP reports that are signed throughout by keys of our own: each test changes one thing, and
 * exactly the rule that is about it refuses.
 */
#include "tests/attest/check.h"
#include "tests/attest/forge_snp.h"

enum { NOW = 1767225600 }; /* 2026-01-01 */

static struct snp_scene g_scene;
static struct attest_workspace g_workspace;
static struct verdict g_verdict;
static struct attest_facts g_facts;

static int set_up(void **state)
{
    (void)state;
    snp_scene_begin(&g_scene);
    g_scene.question.now = NOW;
    return 0;
}

static bool verify(void)
{
    static struct forged root, authority, key, crl;
    static char policy[4096];
    struct snp_scene *s = &g_scene;
    static struct policy opened;
    char digest[65], measurement[97];
    forge_certificate(&root, &s->root);
    forge_certificate(&authority, &s->authority);
    snp_scene_key(s, &key);
    forge_crl(&crl, &s->crl);
    snp_scene_sign(s);
    forge_key_digest(&s->ark, digest);
    memset(measurement, 0, sizeof measurement);
    for (size_t i = 0; i < 48; i++)
        memcpy(&measurement[2 * i], "ae", 2);
    snprintf(policy, sizeof policy,
             "{\"optmig-policy\": 1, \"version\": 5, \"platforms\": [\"snp\"], %s"
             "\"roots\": {\"amd\": [\"%s\"]}, \"snp\": {\"measurements\": [\"%s\"] %s}}",
             s->debug_allowed ? "\"debug\": true, " : "", digest, measurement, s->policy);
    forge_policy(policy, &opened);
    s->question.policy = &opened;
    s->question.evidence = span_of(s->report, sizeof s->report);
    s->question.certificate_count = 0;
    s->question.certificates[s->question.certificate_count++] = forged_span(&key);
    s->question.certificates[s->question.certificate_count++] = forged_span(&root);
    if (!s->no_authority)
        s->question.certificates[s->question.certificate_count++] = forged_span(&authority);
    s->question.crl_count = s->no_crl ? 0 : 1;
    s->question.crls[0] = forged_span(&crl);
    return attest_verify(&g_workspace, &s->question, &g_verdict, &g_facts);
}

static void test_a_good_report_is_accepted(void **state)
{
    (void)state;
    verify();
    assert_string_equal(forge_failures(&g_verdict), "");
    assert_true(verdict_passed(&g_verdict));
    assert_int_equal(g_facts.platform, ATTEST_SNP);
    assert_memory_equal(g_facts.measurement.bytes, &g_scene.report[0x90], 48);
}

/* ---- One thing is wrong ---- */

static void debug_bit(struct snp_scene *s)
{
    s->report[8 + 2] |= 8;
}
static void migration_agent(struct snp_scene *s)
{
    s->report[8 + 2] |= 4;
}
static void other_measurement(struct snp_scene *s)
{
    s->report[0x90] ^= 1;
}
static void other_vmpl(struct snp_scene *s)
{
    s->report[0x30] = 1;
}
static void key_expired(struct snp_scene *s)
{
    s->key.not_after = "251231235959Z";
}
static void key_not_yet_valid(struct snp_scene *s)
{
    s->key.not_before = "260101000001Z";
}
static void authority_expired(struct snp_scene *s)
{
    s->authority.not_after = "251231235959Z";
}
static void root_expired(struct snp_scene *s)
{
    s->root.not_after = "251231235959Z";
}
static void authority_revoked(struct snp_scene *s)
{
    s->crl.revoked = 2;
}
static void crl_missing(struct snp_scene *s)
{
    s->no_crl = true;
}
static void crl_expired(struct snp_scene *s)
{
    s->crl.next_update = "251231235959Z";
}
static void crl_of_the_future(struct snp_scene *s)
{
    s->crl.this_update = "260101000001Z";
}
static void crl_by_another(struct snp_scene *s)
{
    s->crl.signer = &s->other;
}
static void crl_not_allowed(struct snp_scene *s)
{
    s->root.no_crl_usage = true;
}
static void authority_is_none(struct snp_scene *s)
{
    s->authority.authority = false;
}
static void authority_missing(struct snp_scene *s)
{
    s->no_authority = true;
}
static void authority_by_another(struct snp_scene *s)
{
    s->authority.signer = &s->other;
}
static void
root_by_another(struct snp_scene *s) /* same names, another key: not the policy's root */
{
    s->root.key = s->root.signer = s->authority.signer = s->crl.signer = &s->other;
}
static void key_by_another(struct snp_scene *s)
{
    s->key.signer = &s->other;
}
static void report_by_another(struct snp_scene *s)
{
    s->report_signer = &s->other;
}
static void tcb_above_certificate(struct snp_scene *s)
{
    s->report[0x180 + 7] = 116;
}
static void tcb_below_certificate(struct snp_scene *s)
{
    s->report[0x180 + 6] = 7;
}
static void other_chip(struct snp_scene *s)
{
    s->chip[63] ^= 1;
}
static void chip_masked(struct snp_scene *s)
{
    s->report[0x48] = 2;
    memset(&s->report[0x1a0], 0, 64);
    memset(s->chip, 0, 64);
}
static void other_product(struct snp_scene *s)
{
    strcpy(s->product, "Naples-B0");
}
static void processor_differs(struct snp_scene *s)
{
    s->report[0] = 3;
    s->report[0x188] = 0x19;
    s->report[0x189] = 0x11; /* Genoa */
}
static void signed_by_no_key(struct snp_scene *s)
{
    s->report[0x48] = 7 << 2;
}
static void
vlek_with_chip(struct snp_scene *s) /* a chip's certificate under the name of a provider's */
{
    s->report[0x48] = 1 << 2;
    s->key.subject = "SEV-VLEK";
}
static void version_6(struct snp_scene *s)
{
    s->report[0] = 6;
}
static void reserved_byte(struct snp_scene *s)
{
    s->report[0x29f] = 1;
}
static void other_report_data(struct snp_scene *s)
{
    static const uint8_t wanted[64] = {1};
    s->question.report_data = span_of(wanted, 64);
}
static void short_report_data(struct snp_scene *s)
{
    s->question.report_data = span_of(&s->report[0x50], 63);
}
static void older_policy(struct snp_scene *s)
{
    s->question.policy_version_min = 6;
}
static void no_such_destination(struct snp_scene *s)
{
    s->question.peer = span_text("10.0.0.2:7702");
}
static void launched_below_minimum(struct snp_scene *s)
{
    s->policy = ", \"min_tcb\": {\"microcode\": 115}";
    s->report[0x1f0 + 7] = 114;
}
static void bootloader_below_minimum(struct snp_scene *s)
{
    s->policy = ", \"min_tcb\": {\"bootloader\": 4}";
}
static void tee_below_minimum(struct snp_scene *s)
{
    s->policy = ", \"min_tcb\": {\"tee\": 2}";
}
static void snp_below_minimum(struct snp_scene *s)
{
    s->policy = ", \"min_tcb\": {\"snp\": 9, \"tee\": 1}";
}
static void fmc_below_minimum(struct snp_scene *s)
{
    s->policy = ", \"min_tcb\": {\"fmc\": 1}";
}
static void reserved_flag(struct snp_scene *s)
{
    s->report[0x48] = 0x20;
}
static void chip_key_masked(struct snp_scene *s)
{
    s->report[0x48] = 2;
}
static void wants_vlek(struct snp_scene *s)
{
    s->policy = ", \"keys\": [\"vlek\"]";
}
static void wants_genoa(struct snp_scene *s)
{
    s->policy = ", \"products\": [\"Genoa\", \"Turin\"]";
}
static void wants_host_data(struct snp_scene *s)
{
    s->policy = ", \"host_data\": "
                "[\"4040404040404040404040404040404040404040404040404040404040404041\"]";
}

static const struct {
    const char *what, *rules;
    void (*change)(struct snp_scene *);
} g_refused[] = {
    {"debug", "debug", debug_bit},
    {"migration agent", "migratable", migration_agent},
    {"other measurement", "measurement", other_measurement},
    {"other vmpl", "vmpl", other_vmpl},
    {"key expired", "snp-chain", key_expired},
    {"key not yet valid", "snp-chain", key_not_yet_valid},
    {"authority expired", "snp-chain", authority_expired},
    {"root expired", "snp-chain", root_expired},
    {"authority revoked", "snp-chain", authority_revoked},
    {"list missing", "snp-chain", crl_missing},
    {"list expired", "snp-chain", crl_expired},
    {"list of the future", "snp-chain", crl_of_the_future},
    {"list by another", "snp-chain", crl_by_another},
    {"list by one that may not", "snp-chain", crl_not_allowed},
    {"authority is none", "snp-chain", authority_is_none},
    {"authority missing", "snp-chain", authority_missing},
    {"authority by another", "snp-chain", authority_by_another},
    {"another root", "snp-chain", root_by_another},
    {"key by another", "snp-chain", key_by_another},
    {"report by another", "snp-signature", report_by_another},
    {"TCB above certificate", "snp-key-tcb", tcb_above_certificate},
    {"TCB below certificate", "snp-key-tcb", tcb_below_certificate},
    {"other chip", "snp-chip", other_chip},
    {"chip masked", "snp-chip", chip_masked},
    {"unknown product", "snp-product", other_product},
    {"other processor", "snp-product", processor_differs},
    {"signed by no key", "snp-key", signed_by_no_key},
    {"chip's certificate as provider's", "snp-chip", vlek_with_chip},
    {"version 6", "evidence", version_6},
    {"reserved byte", "evidence", reserved_byte},
    {"other report data", "report-data", other_report_data},
    {"short report data", "report-data", short_report_data},
    {"older policy", "policy-version", older_policy},
    {"no such destination", "destination", no_such_destination},
    {"launched below minimum", "tcb", launched_below_minimum},
    {"bootloader below minimum", "tcb", bootloader_below_minimum},
    {"TEE below minimum", "tcb", tee_below_minimum},
    {"SNP below minimum", "tcb", snp_below_minimum},
    {"FMC below minimum", "tcb", fmc_below_minimum},
    {"reserved flag", "evidence", reserved_flag},
    {"chip's key masked", "snp-chip", chip_key_masked},
    {"wants VLEK", "signing-key", wants_vlek},
    {"wants Genoa", "product", wants_genoa},
    {"wants host data", "host-data", wants_host_data},
};

static void test_each_wrong_thing_is_refused_by_its_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof g_refused / sizeof g_refused[0]; i++) {
        set_up(NULL);
        g_refused[i].change(&g_scene);
        if (verify() || strcmp(forge_failures(&g_verdict), g_refused[i].rules) != 0)
            fail_msg("%s: failed rules: '%s', expected '%s'", g_refused[i].what,
                     forge_failures(&g_verdict), g_refused[i].rules);
    }
}

/* ---- What is allowed if the policy says so ---- */

static void test_debug_is_accepted_where_the_policy_says_so(void **state)
{
    (void)state;
    debug_bit(&g_scene);
    g_scene.debug_allowed = true;
    assert_true(verify());
}

static void test_without_a_list_if_the_policy_says_so(void **state)
{
    (void)state;
    g_scene.policy = ", \"revocation\": \"if-present\"";
    crl_missing(&g_scene);
    assert_true(verify());
    set_up(NULL);
    g_scene.policy = ", \"revocation\": \"if-present\"";
    authority_revoked(&g_scene); /* A list that is there counts. */
    verify();
    assert_refused_by(&g_verdict, "snp-chain");
}

static void test_a_providers_key_names_no_chip(void **state)
{
    (void)state;
    g_scene.report[0x48] = 1 << 2;
    g_scene.key.subject = "SEV-VLEK";
    g_scene.chip_length = 0;
    g_scene.policy = ", \"keys\": [\"vlek\"]";
    assert_true(verify());
}

static void test_turin_has_another_layout(void **state)
{
    static const uint8_t tcb[8] = {4, 3, 1, 8, 0, 0, 0, 115};
    static const size_t at[] = {0x38, 0x180, 0x1e0, 0x1f0};
    struct snp_scene *s = &g_scene;
    (void)state;
    for (size_t i = 0; i < 4; i++)
        memcpy(&s->report[at[i]], tcb, 8);
    s->report[0] = 5;
    s->report[0x188] = 0x1a;
    s->report[0x1f8] = 9; /* mitigations: a field of version 5 */
    memset(&s->report[0x1a8], 0, 56);
    s->chip_length = 8;
    s->svn[8] = 4;
    strcpy(s->product, "Turin-B0");
    s->policy = ", \"min_tcb\": {\"fmc\": 4, \"bootloader\": 3, \"tee\": 1, \"snp\": 8}";
    assert_true(verify());
    s->svn[8] = 5;
    verify();
    assert_refused_by(&g_verdict, "snp-key-tcb");
}

static void test_report_data_and_destination_that_are_right(void **state)
{
    (void)state;
    g_scene.question.report_data = span_of(&g_scene.report[0x50], 64);
    g_scene.question.policy_version_min = 5;
    assert_true(verify());
}

/* ---- Bytes ---- */

static void test_no_flipped_byte_of_a_report_is_accepted(void **state)
{
    uint8_t report[SNP_REPORT_SIZE];
    size_t step = getenv("TESTS_LONG") && *getenv("TESTS_LONG") ? 1 : 23;
    (void)state;
    assert_true(verify());
    memcpy(report, g_scene.report, sizeof report);
    g_scene.question.evidence = span_of(report, sizeof report);
    for (size_t i = 0; i < sizeof report; i += step) {
        const uint8_t change = (uint8_t)(1 << i % 8);
        report[i] ^= change;
        if (attest_verify(&g_workspace, &g_scene.question, &g_verdict, &g_facts))
            fail_msg("accepted with byte %zu changed", i);
        report[i] ^= change;
    }
    assert_true(attest_verify(&g_workspace, &g_scene.question, &g_verdict, &g_facts));
    g_scene.question.evidence.length--;
    assert_false(attest_verify(&g_workspace, &g_scene.question, &g_verdict, &g_facts));
}

/* The table of certificates that Linux gives beside a report. */
static void test_the_kernels_table_of_certificates_is_read(void **state)
{
    static const uint8_t vcek[16] = {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45,
                                     0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
    static struct forged key, table;
    static struct x509_store store;
    uint8_t head[16 + 8] = {0};
    (void)state;
    snp_scene_key(&g_scene, &key);
    memcpy(head, vcek, 16);
    head[16] = 48;
    head[20] = (uint8_t)key.length;
    head[21] = (uint8_t)(key.length >> 8);
    forge_bytes(&table, head, 24);
    memset(head, 0, sizeof head);
    forge_bytes(&table, head, 24);
    forge_append(&table, &key);
    x509_store_init(&store);
    assert_null(snp_add_table(&store, forged_span(&table)));
    assert_int_equal(store.count, 1);
    for (size_t length = 0; length < 48; length++) { /* without its end */
        x509_store_init(&store);
        assert_non_null(snp_add_table(&store, span_of(table.bytes, length)));
    }
    table.bytes[21] = 0xff; /* beyond its end */
    x509_store_init(&store);
    assert_non_null(snp_add_table(&store, forged_span(&table)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_good_report_is_accepted, set_up),
        cmocka_unit_test_setup(test_each_wrong_thing_is_refused_by_its_rule, set_up),
        cmocka_unit_test_setup(test_debug_is_accepted_where_the_policy_says_so, set_up),
        cmocka_unit_test_setup(test_without_a_list_if_the_policy_says_so, set_up),
        cmocka_unit_test_setup(test_a_providers_key_names_no_chip, set_up),
        cmocka_unit_test_setup(test_turin_has_another_layout, set_up),
        cmocka_unit_test_setup(test_report_data_and_destination_that_are_right, set_up),
        cmocka_unit_test_setup(test_no_flipped_byte_of_a_report_is_accepted, set_up),
        cmocka_unit_test_setup(test_the_kernels_table_of_certificates_is_read, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
