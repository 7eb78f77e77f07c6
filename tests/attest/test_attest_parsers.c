/* SPDX-License-Identifier: Apache-2.0 */
/* What attest/ is made of: DER, dates, PEM, the subset of JSON, RSA-PSS, policies. */
#include "tests/attest/check.h"

#include "attest/bundle.h"
#include "attest/date.h"
#include "attest/der.h"
#include "attest/pem.h"
#include "protocol/protocol.h"
#include "tests/attest/pss_vector.h"

#define BYTES(...) span_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static bool number_is(struct span der, uint64_t value)
{
    struct der d = der_reader(der);
    return der_take_number(&d, UINT64_MAX) == value && der_complete(&d);
}

static void test_numbers_have_one_encoding(void **state)
{
    (void)state;
    assert_true(number_is(BYTES(2, 1, 0), 0));
    assert_true(number_is(BYTES(2, 1, 127), 127));
    assert_true(number_is(BYTES(2, 2, 0, 128), 128));
    assert_true(number_is(BYTES(2, 2, 1, 0), 256));
    assert_false(number_is(BYTES(2, 0), 0));
    assert_false(number_is(BYTES(2, 2, 0, 127), 127)); /* padded */
    assert_false(number_is(BYTES(2, 1, 128), 128));    /* negative */
    assert_false(number_is(BYTES(2, 0x81, 1, 5), 5));  /* long length for a short one */
    assert_false(number_is(BYTES(2, 0x80, 5, 0, 0), 5));
    assert_false(number_is(BYTES(2, 1), 0));
    assert_false(number_is(BYTES(2, 1, 5, 0), 5)); /* something follows */
    assert_false(number_is(BYTES(0x22, 1, 5), 5));
    assert_false(number_is(BYTES(2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0), 0));
}

static void test_lengths_have_one_encoding(void **state)
{
    static uint8_t long_one[4 + 256] = {4, 0x82, 1, 0};
    static uint8_t middle[4 + 200] = {4, 0x81, 200};
    struct der d = der_reader(span_of(long_one, sizeof long_one));
    (void)state;
    assert_int_equal(der_take(&d, DER_OCTET_STRING, NULL).length, 256);
    assert_true(der_complete(&d));
    d = der_reader(span_of(middle, 203));
    assert_int_equal(der_take(&d, DER_OCTET_STRING, NULL).length, 200);
    memcpy(middle, "\x04\x82\x00\xc8", 4); /* two bytes where one does */
    d = der_reader(span_of(middle, 204));
    der_take(&d, DER_OCTET_STRING, NULL);
    assert_true(d.failed);
    long_one[3] = 1; /* one more than there is */
    d = der_reader(span_of(long_one, sizeof long_one));
    der_take(&d, DER_OCTET_STRING, NULL);
    assert_true(d.failed);
    assert_false(der_more(&d));
}

static void test_dates(void **state)
{
    static const struct {
        const char *text;
        uint64_t seconds;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2000-02-29T12:00:00Z", 951825600},
        {"2026-11-23T15:00:00Z", 1795446000},
        {"2100-03-01T00:00:00Z", 4107542400},
        {"9999-12-31T23:59:59Z", 253402300799},
    };
    static const char *const bad[] = {
        "2026-02-29T00:00:00Z",  "2100-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",  "2026-01-00T00:00:00Z", "2026-04-31T00:00:00Z",
        "2026-01-01T24:00:00Z",  "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
        "1969-12-31T23:59:59Z",  "2026-01-01T00:00:00",  "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00ZZ", "2026-1-01T00:00:00Z",  "",
    };
    uint64_t seconds;
    char text[DATE_TEXT_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(date_parse(span_text(good[i].text), &seconds));
        assert_int_equal(seconds, good[i].seconds);
        date_text(seconds, text);
        assert_string_equal(text, good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(date_parse(span_text(bad[i]), &seconds));
    for (uint64_t day = 0; day < 60000; day += 7) { /* there and back */
        date_text(day * 86400 + 1, text);
        assert_true(date_parse(span_text(text), &seconds));
        assert_int_equal(seconds, day * 86400 + 1);
    }
}

static bool time_is(const char *text, uint8_t tag, uint64_t seconds)
{
    struct forged f = {0};
    forge_der(&f, tag, text, strlen(text));
    struct der d = der_reader(forged_span(&f));
    return der_take_time(&d) == seconds && der_complete(&d);
}

static void test_times_of_certificates(void **state)
{
    (void)state;
    assert_true(time_is("700101000000Z", DER_UTC_TIME, 0));
    assert_true(time_is("491231235959Z", DER_UTC_TIME, 2524607999));
    assert_true(time_is("20500101000000Z", DER_GENERALIZED_TIME, 2524608000));
    assert_false(time_is("500101000000Z", DER_UTC_TIME, 0)); /* 1950: before all time */
    assert_false(time_is("700101000000+", DER_UTC_TIME, 0));
    assert_false(time_is("7001010000Z", DER_UTC_TIME, 0));
    assert_false(time_is("19700101000000.0Z", DER_GENERALIZED_TIME, 0));
}

static size_t pem(const char *text, uint8_t out[64])
{
    struct span t = span_text(text);
    size_t length = pem_take(&t, "X", out, 64);
    return pem_at_end(t) ? length : 0;
}

static void test_pem_is_strict(void **state)
{
    static const char *const bad[] = {
        "-----BEGIN X-----\nAAEC-----END X-----\n",         /* no line end */
        "-----BEGIN X-----\nAAE\n-----END X-----\n",        /* not a group */
        "-----BEGIN X-----\nAAF=\n-----END X-----\n",       /* bits where padding is */
        "-----BEGIN X-----\nAA==AAEC\n-----END X-----\n",   /* goes on behind padding */
        "-----BEGIN X-----\nAAEC\nAAEC\n-----END X-----\n", /* a short line that is not last */
        "-----BEGIN X-----\n AAEC\n-----END X-----\n",
        "-----BEGIN X-----\nAAEC\n-----END Y-----\n",
        "-----BEGIN Y-----\nAAEC\n-----END Y-----\n",
        "-----BEGIN X-----\nAAEC\n-----END X-----\nz",
        "-----BEGIN X-----\nAAEC\n-----END X-----z",
        "z-----BEGIN X-----\nAAEC\n-----END X-----\n",
        "-----BEGIN X-----\nAA-C\n-----END X-----\n",
        "-----BEGIN X-----\n\nAAEC\n-----END X-----\n",
        "-----BEGIN X-----\nAAEC\n",
        "",
    };
    uint8_t out[64];
    (void)state;
    assert_int_equal(pem("-----BEGIN X-----\nAAEC\n-----END X-----\n", out), 3);
    assert_memory_equal(out, "\0\1\2", 3);
    assert_int_equal(pem("-----BEGIN X-----\r\nAAE=\r\n-----END X-----\r\n", out), 2);
    assert_int_equal(pem("-----BEGIN X-----\nAA==\n-----END X-----", out), 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (pem(bad[i], out) != 0)
            fail_msg("taken: %s", bad[i]);
}

static void test_values_that_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{1:1}",
        "[1 2]",
        "[}",
        "{\"a\":1]",
        "[\"a]",
        "[\"\\n\"]",
        "[\"\x01\"]",
        "[\"\xc3\xa4\"]",
        "-1",
        "01",
        "1.0",
        "1e3",
        "null",
        "tru",
        "truefalse",
        "18446744073709551616",
        "[1]x",
        "{\"a\":1,\"a\":2}",
        "[[{\"a\":1,\"a\":2}]]",
        ",",
        ":",
        "]",
        "[,1]",
        "[[[[[[[[[[[[[1]]]]]]]]]]]]]",
    };
    struct value value;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!value_parse(span_text(bad[i]), &value))
            fail_msg("taken: %s", bad[i]);
}

static void test_values_are_found(void **state)
{
    static const char text[] = " { \"a\" : [ 1 , {\"b\":\"x\"} , [] ] , \"n\":18446744073709551615,"
                               "\"t\":true,\"f\":false, \"h\":\"00fF\", \"e\":{}, \"s\":\"}]\" } ";
    struct value root, list, v, b;
    uint64_t number;
    uint8_t bytes[2];
    bool yes;
    (void)state;
    assert_null(value_parse(span_text(text), &root));
    assert_int_equal(root.kind, VALUE_OBJECT);
    list = value_member(&root, "a");
    struct value_walk walk = value_walk(&list);
    assert_true(value_next(&walk, NULL, &v) && value_number(&v, &number) && number == 1);
    assert_true(value_next(&walk, NULL, &v));
    b = value_member(&v, "b");
    assert_true(value_is(&b, "x"));
    assert_true(value_next(&walk, NULL, &v) && v.kind == VALUE_ARRAY);
    assert_false(value_next(&walk, NULL, &v));
    v = value_member(&root, "n");
    assert_true(value_number(&v, &number) && number == UINT64_MAX);
    v = value_member(&root, "f");
    assert_true(value_boolean(&v, &yes) && !yes);
    v = value_member(&root, "h");
    assert_true(value_hex(&v, bytes, 2) && bytes[0] == 0 && bytes[1] == 0xff);
    assert_false(value_hex(&v, bytes, 1));
    v = value_member(&root, "s");
    assert_true(value_is(&v, "}]"));
    v = value_member(&root, "b"); /* it is deeper, not here */
    assert_int_equal(v.kind, VALUE_NONE);
    assert_false(value_number(&v, &number));
}

static void test_rsa_pss(void **state)
{
    struct public_key key = {.kind = KEY_RSA,
                             .modulus = span_of(g_pss_modulus, sizeof g_pss_modulus),
                             .exponent = BYTES(1, 0, 1)};
    struct span message = span_text("optmig pss vector");
    uint8_t signature[sizeof g_pss_signature];
    (void)state;
    memcpy(signature, g_pss_signature, sizeof signature);
    struct span s = span_of(signature, sizeof signature);
    assert_true(signature_verify(SIGNATURE_RSA_PSS_SHA384, &key, message, s));
    for (size_t i = 0; i < sizeof signature; i += 5) {
        signature[i] ^= 0x10;
        assert_false(signature_verify(SIGNATURE_RSA_PSS_SHA384, &key, message, s));
        signature[i] ^= 0x10;
    }
    assert_false(signature_verify(SIGNATURE_RSA_PSS_SHA384, &key, span_text("another"), s));
    assert_false(signature_verify(SIGNATURE_ECDSA_SHA384, &key, message, s));
    s.length--;
    assert_false(signature_verify(SIGNATURE_RSA_PSS_SHA384, &key, message, s));
    const struct {
        const uint8_t *bytes;
        bool good;
    } encodings[] = {{g_pss_good, true},
                     {g_pss_salt_20, false},
                     {g_pss_separator, false},
                     {g_pss_padding, false},
                     {g_pss_trailer, false}};
    for (size_t i = 0; i < sizeof encodings / sizeof encodings[0]; i++) {
        s = span_of(encodings[i].bytes, sizeof g_pss_good);
        assert_int_equal(signature_verify(SIGNATURE_RSA_PSS_SHA384, &key, message, s),
                         encodings[i].good);
    }
    key.modulus.length -= 1; /* below 2048 bits */
    assert_false(signature_verify(SIGNATURE_RSA_PSS_SHA384, &key, message, s));
}

/* A certificate with one more extension, or with one twice. */
static const char *decode_with_extension(bool critical, unsigned times)
{
    static const uint8_t oid[] = {0x2a, 3, 4};
    static struct forged der;
    struct forge_key key;
    struct x509_certificate decoded;
    struct forged value = {0};
    forge_key(&key, KEY_P256, "key");
    struct forge_certificate c = {
        .subject = "A", .issuer = "B", .serial = 200, .key = &key, .signer = &key};
    forge_number(&value, 1);
    while (times--)
        forge_extension(&c.extensions, oid, sizeof oid, critical, &value);
    forge_certificate(&der, &c);
    return x509_decode(forged_span(&der), &decoded);
}

static void test_extensions_of_certificates(void **state)
{
    (void)state;
    assert_null(decode_with_extension(false, 1));
    assert_string_equal(decode_with_extension(true, 1), "a critical extension is not known");
    assert_string_equal(decode_with_extension(false, 2), "an extension occurs twice");
}

/* The kind of signature stands twice: in what is signed, and beside the signature. */
static void test_the_two_kinds_of_signature_are_the_same(void **state)
{
    static const uint8_t sha256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2};
    static struct forged der;
    struct forge_key key;
    struct x509_certificate decoded;
    struct x509_crl list;
    (void)state;
    forge_key(&key, KEY_P256, "key");
    struct forge_certificate c = {.subject = "A", .issuer = "B", .key = &key, .signer = &key};
    struct forge_crl l = {.issuer = "B", .signer = &key};
    forge_certificate(&der, &c);
    assert_null(x509_decode(forged_span(&der), &decoded));
    uint8_t *inner = memmem(der.bytes, der.length, sha256, sizeof sha256);
    inner[7] = 3; /* SHA-384 */
    assert_non_null(x509_decode(forged_span(&der), &decoded));
    forge_crl(&der, &l);
    assert_null(x509_decode_crl(forged_span(&der), &list));
    inner = memmem(der.bytes, der.length, sha256, sizeof sha256);
    inner[7] = 3;
    assert_non_null(x509_decode_crl(forged_span(&der), &list));
}

#define SIM "\"sim\": {\"measurements\": [\"%064d\"]}"

static const char *parse_policy(const char *format)
{
    static char text[1024];
    struct policy policy;
    snprintf(text, sizeof text, format, 0);
    return policy_parse(span_text(text), &policy);
}

static void test_policies_that_are_refused(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{\"optmig-policy\": 2, \"version\": 1, \"platforms\": [\"sim\"], " SIM "}",
        "{\"version\": 1, \"platforms\": [\"sim\"], " SIM "}",
        "{\"optmig-policy\": 1, \"platforms\": [\"sim\"], " SIM "}",
        "{\"optmig-policy\": 1, \"version\": 0, \"platforms\": [\"sim\"], " SIM "}",
        "{\"optmig-policy\": 1, \"version\": 1, " SIM "}",
        "{\"optmig-policy\": 1, \"version\": 1, \"platforms\": [], " SIM "}",
        "{\"optmig-policy\": 1, \"version\": 1, \"platforms\": [\"sgx2\"], " SIM "}",
        "{\"optmig-policy\": 1, \"version\": 1, \"platforms\": [\"snp\"], " SIM "}",
        "{\"optmig-policy\": 1, \"version\": 1, \"platforms\": [\"sim\"], \"sim\": {}}",
        "{\"optmig-policy\": 1, \"version\": 1, \"platforms\": [\"sim\"], \"sim\": "
        "{\"measurements\": []}}",
        "{\"optmig-policy\": 1, \"version\": 1, \"platforms\": [\"sim\"], \"sim\": "
        "{\"measurements\": [\"00\"]}}",
        "{\"optmig-policy\": 1, \"version\": 1, \"platforms\": [\"sim\"], \"debugs\": true, " SIM
        "}",
        "{\"optmig-policy\": 1, \"version\": 1, \"platforms\": [\"sim\"], \"debug\": 1, " SIM "}",
        "{\"optmig-policy\": 1, \"version\": 1, \"platforms\": [\"sim\"], \"expires\": "
        "\"soon\", " SIM "}",
        "{\"optmig-policy\": 1, \"version\": 1, \"platforms\": [\"sim\"], \"destinations\": "
        "[], " SIM "}",
        "{\"optmig-policy\": 1, \"version\": 1, \"platforms\": [\"sim\"], " SIM
        ", \"tdx\": {\"tcb_status\": [\"Revoked\"]}}",
        "{\"optmig-policy\": 1, \"version\": 1, \"platforms\": [\"sim\"], " SIM
        ", \"snp\": {\"min_tcb\": {\"ucode\": 1}}}",
        "{\"optmig-policy\": 1, \"version\": 1, \"platforms\": [\"sim\"], " SIM
        ", \"roots\": {\"arm\": [\"00\"]}}",
    };
    (void)state;
    assert_null(parse_policy("{\"optmig-policy\": 1, \"version\": 1, \"platforms\": [\"sim\"], "
                             "\"expires\": \"2030-01-01T00:00:00Z\", \"debug\": true, "
                             "\"destinations\": [\"*\"], " SIM "}"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!parse_policy(bad[i]))
            fail_msg("taken: %s", bad[i]);
}

static void test_a_policy_is_opened_with_its_signers_key_only(void **state)
{
    static const char text[] =
        "{\"optmig-policy\":1,\"version\":1,\"platforms\":[\"sgx\"],\"sgx\":{\"signers\":["
        "\"1111111111111111111111111111111111111111111111111111111111111111\"]}}";
    struct forge_key key, other, large;
    struct forged info, pem_text = {0};
    struct policy policy;
    uint8_t signature[110];
    char changed[sizeof text];
    (void)state;
    forge_key(&key, KEY_P256, "operator");
    forge_key(&other, KEY_P256, "somebody");
    forge_key(&large, KEY_P384, "operator");
    struct span s = span_of(signature, forge_sign_der(&key, span_text(text), signature));
    forge_key_info(&info, &key);
    assert_null(policy_open(span_text(text), s, forged_span(&info), &policy));
    assert_int_equal(policy.version, 1);
    forge_pem(&pem_text, &info, "PUBLIC KEY");
    assert_null(policy_open(span_text(text), s, forged_span(&pem_text), &policy));
    memcpy(changed, text, sizeof text);
    changed[sizeof text - 6] = '2';
    assert_non_null(policy_open(span_text(changed), s, forged_span(&info), &policy));
    assert_int_equal(policy.root.kind, VALUE_NONE);
    forge_key_info(&info, &other);
    assert_non_null(policy_open(span_text(text), s, forged_span(&info), &policy));
    forge_key_info(&info, &large);
    assert_non_null(policy_open(span_text(text), s, forged_span(&info), &policy));
    s.length--;
    forge_key_info(&info, &key);
    assert_non_null(policy_open(span_text(text), s, forged_span(&info), &policy));
}

static void test_addresses_match_patterns(void **state)
{
    struct value list;
    (void)state;
    assert_null(value_parse(span_text("[\"10.0.0.*\",\"*.dc1:7702\",\"a:1\"]"), &list));
    assert_true(policy_lists_pattern(&list, span_text("10.0.0.7:7702")));
    assert_true(policy_lists_pattern(&list, span_text("host.dc1:7702")));
    assert_true(policy_lists_pattern(&list, span_text("a:1")));
    assert_false(policy_lists_pattern(&list, span_text("a:11")));
    assert_false(policy_lists_pattern(&list, span_text("10.0.1.7:7702")));
    assert_false(policy_lists_pattern(&list, span_text("host.dc1:7703")));
    assert_false(policy_lists_pattern(&list, span_text("")));
}

static void test_sim_must_be_named(void **state)
{
    static char named[512], other[512];
    static struct attest_workspace workspace;
    struct policy policy;
    struct verdict verdict;
    struct attest_facts facts;
    uint8_t key[32] = {1}, measurement[32] = {0}, data[64] = {0}, evidence[SIM_EVIDENCE_SIZE];
    (void)state;
    assert_int_equal(sim_report(key, measurement, data, evidence), 0);
    struct attest_question question = {.evidence = span_of(evidence, sizeof evidence),
                                       .policy = &policy};
    snprintf(named, sizeof named,
             "{\"optmig-policy\":1,\"version\":1,\"platforms\":[\"sim\"]," SIM "}", 0);
    snprintf(other, sizeof other,
             "{\"optmig-policy\":1,\"version\":1,\"platforms\":[\"sgx\"]," SIM
             ",\"sgx\":{\"measurements\":[\"%064d\"]}}",
             0, 0);
    forge_policy(named, &policy);
    assert_true(attest_verify(&workspace, &question, &verdict, &facts));
    for (size_t i = 0; i < sizeof evidence; i++) { /* measurement and data are signed, as is all */
        evidence[i] ^= 1;
        assert_false(attest_verify(&workspace, &question, &verdict, &facts));
        evidence[i] ^= 1;
    }
    forge_policy(other, &policy);
    attest_verify(&workspace, &question, &verdict, &facts);
    assert_refused_by(&verdict, "platform");
}

static void test_a_verdict_fails_closed(void **state)
{
    static struct verdict verdict;
    (void)state;
    verdict_init(&verdict);
    verdict.complete = true;
    assert_false(verdict_passed(&verdict)); /* nothing was asked */
    for (int i = 0; i < VERDICT_RULES_MAX; i++)
        verdict_say(&verdict, "rule", true, "", "");
    assert_true(verdict_passed(&verdict));
    verdict_say(&verdict, "one too many", true, "", "");
    assert_false(verdict_passed(&verdict));
    verdict_init(&verdict);
    verdict_say(&verdict, "rule", true, "", "");
    assert_false(verdict_passed(&verdict)); /* not at its end */
}

/* What was written is read; each part once, none unknown, nothing cut off, and the policy there. */
static void test_bundles(void **state)
{
    (void)state;
    struct attest_question in = {.certificate_count = 2, .crl_count = 1}, out = {0};
    uint8_t bytes[256], twice[512];
    struct bundle bundle;
    in.certificates[0] = span_text("one");
    in.certificates[1] = span_text("two");
    in.crls[0] = span_text("list");
    in.collateral.tcb_info = span_text("{}");
    struct span key = span_text("key"), policy = span_text("policy"), signature = span_text("s");
    size_t length = bundle_write(bytes, sizeof bytes, key, policy, signature, &in);
    assert_int_equal(length, 7 * 8 + 3 + 6 + 1 + 3 + 3 + 4 + 2);
    assert_int_equal(bundle_write(bytes, length - 1, key, policy, signature, &in), 0);
    bundle_write(bytes, sizeof bytes, key, policy, signature, &in);
    assert_null(bundle_read(span_of(bytes, length), &bundle, &out));
    assert_true(span_equal(bundle.part[BUNDLE_POLICY_KEY], key));
    assert_true(span_equal(bundle.part[BUNDLE_POLICY], policy));
    assert_true(span_equal(bundle.part[BUNDLE_POLICY_SIGNATURE], signature));
    assert_int_equal(out.certificate_count, 2);
    assert_true(span_equal(out.certificates[1], in.certificates[1]));
    assert_int_equal(out.crl_count, 1);
    assert_true(span_equal(out.crls[0], in.crls[0]));
    assert_true(span_equal(out.collateral.tcb_info, in.collateral.tcb_info));
    assert_null(out.collateral.qe_identity.bytes);
    /* A whole number of parts, and all three of the policy: from these lengths on it is one. */
    size_t first = 3 * 8 + 3 + 6 + 1;
    for (size_t cut = 0; cut < length; cut++) {
        bool whole = cut == first || cut == first + 11 || cut == first + 22 || cut == first + 34;
        memset(&out, 0, sizeof out);
        assert_int_equal(bundle_read(span_of(bytes, cut), &bundle, &out) == NULL, whole);
        if (!whole)
            assert_true(!bundle.part[BUNDLE_POLICY].bytes && out.certificate_count == 0);
    }
    memcpy(twice, bytes, length);
    memcpy(&twice[length], bytes, length);
    memset(&out, 0, sizeof out);
    assert_string_equal(bundle_read(span_of(twice, 2 * length), &bundle, &out),
                        "the bundle has a part twice");
    bytes[0] = BUNDLE_KIND_END;
    assert_string_equal(bundle_read(span_of(bytes, length), &bundle, &out),
                        "the bundle has a part that is not known");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_have_one_encoding),
        cmocka_unit_test(test_lengths_have_one_encoding),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_times_of_certificates),
        cmocka_unit_test(test_pem_is_strict),
        cmocka_unit_test(test_values_that_are_refused),
        cmocka_unit_test(test_values_are_found),
        cmocka_unit_test(test_rsa_pss),
        cmocka_unit_test(test_extensions_of_certificates),
        cmocka_unit_test(test_the_two_kinds_of_signature_are_the_same),
        cmocka_unit_test(test_policies_that_are_refused),
        cmocka_unit_test(test_a_policy_is_opened_with_its_signers_key_only),
        cmocka_unit_test(test_addresses_match_patterns),
        cmocka_unit_test(test_bundles),
        cmocka_unit_test(test_sim_must_be_named),
        cmocka_unit_test(test_a_verdict_fails_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
