/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quotes of TDX and SGX with collateral, all signed by keys of our own: each test changes one
 * thing, and exactly the rules that are about it refuse.
 */
#include "tests/attest/check.h"

enum { NOW = 1767225600, QUOTE_bytes = 8192 }; /* 2026-01-01 */

static const uint8_t g_intel[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 1, 0x0d, 1};

/* A quote and its collateral before they are made; changed by a test. */
struct scene {
    bool sgx;
    int version; /* of the quote */
    struct forge_key root_key, authority_key, pck_key, tcb_key, attestation_key, other;
    struct forge_certificate root, authority, pck, tcb;
    struct forge_crl root_crl, pck_crl;
    const struct forge_key *quote_signer, *report_signer, *collateral_signer;
    bool no_pck_crl;
    uint8_t svn[16]; /* of the PCK certificate */
    uint8_t body[QUOTE_TD15_BODY_SIZE];
    size_t body_size;
    uint8_t report[QUOTE_SGX_BODY_SIZE]; /* the quoting enclave's */
    const char *fmspc, *dates, *status, *module_status, *qe_status, *qe_signer, *info_id;
    int evaluation;
    uint8_t report_kind, chain_kind; /* of the certification data: 6 and 5 */
    char policy[1024];               /* the section of the platform */
    bool debug_allowed, signers_only;
    struct attest_question question;
};

static struct scene g_scene;
static struct attest_workspace g_workspace;
static struct verdict g_verdict;
static struct attest_facts g_facts;

static void set_up_certificates(struct scene *s)
{
    forge_key(&s->root_key, KEY_P256, "root");
    forge_key(&s->authority_key, KEY_P256, "pck authority");
    forge_key(&s->pck_key, KEY_P256, "pck");
    forge_key(&s->tcb_key, KEY_P256, "tcb");
    forge_key(&s->attestation_key, KEY_P256, "attestation");
    forge_key(&s->other, KEY_P256, "other");
    s->root = (struct forge_certificate){.subject = "Root",
                                         .issuer = "Root",
                                         .serial = 1,
                                         .authority = true,
                                         .path_length = 1,
                                         .key = &s->root_key,
                                         .signer = &s->root_key};
    s->authority = (struct forge_certificate){.subject = "PCK CA",
                                              .issuer = "Root",
                                              .serial = 2,
                                              .authority = true,
                                              .path_length = 0,
                                              .key = &s->authority_key,
                                              .signer = &s->root_key};
    s->pck = (struct forge_certificate){.subject = "PCK",
                                        .issuer = "PCK CA",
                                        .serial = 3,
                                        .key = &s->pck_key,
                                        .signer = &s->authority_key};
    s->tcb = (struct forge_certificate){.subject = "Intel SGX TCB Signing",
                                        .issuer = "Root",
                                        .serial = 4,
                                        .key = &s->tcb_key,
                                        .signer = &s->root_key};
    s->root_crl = (struct forge_crl){.issuer = "Root", .signer = &s->root_key};
    s->pck_crl = (struct forge_crl){.issuer = "PCK CA", .signer = &s->authority_key};
}

static void set_up_scene(bool sgx, int version, size_t body_size)
{
    struct scene *s = &g_scene;
    memset(s, 0, sizeof *s);
    s->sgx = sgx;
    s->version = version;
    s->body_size = body_size;
    set_up_certificates(s);
    s->quote_signer = &s->attestation_key;
    s->report_signer = &s->pck_key;
    s->collateral_signer = &s->tcb_key;
    memset(s->svn, 7, 16);
    s->body[0] = sgx ? 7 : 5; /* CPU svn; TDX: module svn 5 */
    s->body[1] = sgx ? 7 : 3; /* TDX: module version 3 */
    memset(&s->body[2], 7, 14);
    memset(&s->body[sgx ? 64 : 136], 0xa1, sgx ? 32 : 48); /* MRENCLAVE, MRTD */
    memset(&s->body[128], sgx ? 0xa2 : 0, sgx ? 32 : 0);   /* MRSIGNER */
    memset(&s->body[sgx ? 320 : 520], 0xda, 64);
    memset(&s->report[128], 0x99, 32); /* the quoting enclave's signer */
    s->report[256] = 2;                /* product */
    s->report[258] = 6;                /* svn */
    s->fmspc = "00906ED50000";
    s->dates = "\"issueDate\":\"2025-12-01T00:00:00Z\",\"nextUpdate\":\"2026-02-01T00:00:00Z\"";
    s->status = s->module_status = s->qe_status = "UpToDate";
    s->qe_signer = "99";
    s->info_id = sgx ? "SGX" : "TDX";
    s->evaluation = 17;
    s->report_kind = 6;
    s->chain_kind = 5;
    s->question.now = NOW;
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

static void put_pair(struct forged *out, uint8_t number, uint8_t second, const struct forged *value)
{
    struct forged pair = {0};
    uint8_t oid[11];
    memcpy(oid, g_intel, 9);
    oid[9] = number;
    oid[10] = second;
    forge_der(&pair, 0x06, oid, second ? 11 : 10);
    forge_append(&pair, value);
    forge_wrap(&pair, 0x30);
    forge_append(out, &pair);
}

static void put_octets(struct forged *out, uint8_t number, const char *bytes, size_t length)
{
    struct forged value = {0};
    forge_der(&value, 0x04, bytes, length);
    put_pair(out, number, 0, &value);
}

/* Intel's extension of a PCK certificate. */
static void make_pck(struct scene *s, struct forged *out)
{
    struct forged all = {0}, tcb = {0}, value = {0};
    for (uint8_t i = 1; i <= 17; i++) {
        value.length = 0;
        forge_number(&value, i <= 16 ? s->svn[i - 1] : 11);
        put_pair(&tcb, 2, i, &value);
    }
    value.length = 0;
    forge_der(&value, 0x04, s->svn, 16);
    put_pair(&tcb, 2, 18, &value);
    forge_wrap(&tcb, 0x30);
    put_octets(&all, 1, "ppidppidppidppid", 16);
    put_pair(&all, 2, 0, &tcb);
    put_octets(&all, 3, "\0\0", 2);
    put_octets(&all, 4, "\0\x90\x6e\xd5\0\0", 6);
    forge_wrap(&all, 0x30);
    s->pck.extensions.length = 0;
    forge_extension(&s->pck.extensions, g_intel, 9, false, &all);
    forge_certificate(out, &s->pck);
}

static void put_u32(struct forged *f, uint32_t value)
{
    const uint8_t bytes[] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                             (uint8_t)(value >> 24)};
    forge_bytes(f, bytes, 4);
}

/* Header and body: what the attestation key signs. */
static void put_signed(const struct scene *s, struct forged *q)
{
    static const uint8_t vendor[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                       0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};
    uint8_t zeros[20] = {0};
    put_u32(q, (uint32_t)s->version | 2 << 16);
    put_u32(q, s->sgx ? 0 : 0x81);
    put_u32(q, 0);
    forge_bytes(q, vendor, 16);
    forge_bytes(q, zeros, 20);
    if (s->version == 5) {
        const uint8_t kind[2] = {s->body_size == QUOTE_SGX_BODY_SIZE    ? 1
                                 : s->body_size == QUOTE_TD10_BODY_SIZE ? 2
                                                                        : 3};
        forge_bytes(q, kind, 2);
        put_u32(q, (uint32_t)s->body_size);
    }
    forge_bytes(q, s->body, s->body_size);
}

/* The quoting enclave's report, which names the attestation key, and the chain. */
static void put_certification(struct scene *s, struct forged *out)
{
    static struct forged certificate, pem;
    uint8_t key[64 + 32], signature[96];
    memcpy(key, &s->attestation_key.point[1], 64);
    memset(&key[64], 0x5a, 32);
    if (span_zero(span_of(&s->report[320], 64)))
        signature_sha256(span_of(key, sizeof key), &s->report[320]);
    forge_bytes(out, s->report, sizeof s->report);
    forge_sign_raw(s->report_signer, span_of(s->report, sizeof s->report), signature);
    forge_bytes(out, signature, 64);
    forge_bytes(out, "\x20\0", 2);
    forge_bytes(out, &key[64], 32);
    pem.length = 0;
    make_pck(s, &certificate);
    forge_pem(&pem, &certificate, "CERTIFICATE");
    forge_certificate(&certificate, &s->authority);
    forge_pem(&pem, &certificate, "CERTIFICATE");
    forge_certificate(&certificate, &s->root);
    forge_pem(&pem, &certificate, "CERTIFICATE");
    forge_bytes(out, (const uint8_t[]){s->chain_kind, 0}, 2);
    put_u32(out, (uint32_t)pem.length);
    forge_append(out, &pem);
}

static void make_quote(struct scene *s, struct forged *q)
{
    static struct forged data, certification;
    uint8_t signature[96];
    q->length = data.length = certification.length = 0;
    put_signed(s, q);
    forge_sign_raw(s->quote_signer, forged_span(q), signature);
    forge_bytes(&data, signature, 64);
    forge_bytes(&data, &s->attestation_key.point[1], 64);
    put_certification(s, &certification);
    if (s->version > 3) {
        forge_bytes(&data, (const uint8_t[]){s->report_kind, 0}, 2);
        put_u32(&data, (uint32_t)certification.length);
    }
    forge_append(&data, &certification);
    put_u32(q, (uint32_t)data.length);
    forge_append(q, &data);
}

static int put_components(char *out, const char *name, int value)
{
    int length = sprintf(out, "\"%s\":[", name);
    for (int i = 0; i < 16; i++)
        length += sprintf(out + length, "%s{\"svn\":%d}", i ? "," : "", value);
    return length + sprintf(out + length, "]");
}

/* Two levels: the first wants what the scene has, the second less. */
static void make_tcb_info(const struct scene *s, char *out)
{
    const char *zeros48 = "000000000000000000000000000000000000000000000000"
                          "000000000000000000000000000000000000000000000000";
    out += sprintf(out,
                   "{\"id\":\"%s\",\"version\":3,%s,\"fmspc\":\"%s\",\"pceId\":\"0000\","
                   "\"tcbType\":0,\"tcbEvaluationDataNumber\":%d,",
                   s->info_id, s->dates, s->fmspc, s->evaluation);
    if (!s->sgx)
        out += sprintf(out,
                       "\"tdxModule\":{\"mrsigner\":\"%s\",\"attributes\":\"0000000000000000\","
                       "\"attributesMask\":\"FFFFFFFFFFFFFFFF\"},"
                       "\"tdxModuleIdentities\":[{\"id\":\"TDX_03\",\"mrsigner\":\"%s\","
                       "\"attributes\":\"0000000000000000\","
                       "\"attributesMask\":\"FFFFFFFFFFFFFFFF\",\"tcbLevels\":[{\"tcb\":"
                       "{\"isvsvn\":5},\"tcbStatus\":\"%s\"},{\"tcb\":{\"isvsvn\":2},"
                       "\"tcbStatus\":\"OutOfDate\"}]}],",
                       zeros48, zeros48, s->module_status);
    out += sprintf(out, "\"tcbLevels\":[");
    for (int level = 0; level < 2; level++) {
        out += sprintf(out, "%s{\"tcb\":{", level ? "," : "");
        out += put_components(out, "sgxtcbcomponents", 7 - 2 * level);
        out += sprintf(out, ",\"pcesvn\":%d,", 11 - level);
        out += put_components(out, "tdxtcbcomponents", 7 - 2 * level);
        out += sprintf(out, "},\"tcbStatus\":\"%s\"}", level ? "OutOfDate" : s->status);
    }
    sprintf(out, "]}");
}

static void make_identity(const struct scene *s, char *out)
{
    char signer[65];
    for (int i = 0; i < 32; i++)
        memcpy(&signer[2 * i], s->qe_signer, 3);
    sprintf(out,
            "{\"id\":\"%s\",\"version\":2,%s,\"tcbEvaluationDataNumber\":%d,"
            "\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\","
            "\"attributes\":\"00000000000000000000000000000000\","
            "\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":\"%s\","
            "\"isvprodid\":2,\"tcbLevels\":[{\"tcb\":{\"isvsvn\":6},\"tcbStatus\":\"%s\"},"
            "{\"tcb\":{\"isvsvn\":4},\"tcbStatus\":\"OutOfDate\"}]}",
            s->sgx ? "QE" : "TD_QE", s->dates, s->evaluation, signer, s->qe_status);
}

static void make_collateral(struct scene *s)
{
    static char info[8192], identity[2048];
    static uint8_t signatures[2][96];
    struct collateral *c = &s->question.collateral;
    make_tcb_info(s, info);
    make_identity(s, identity);
    c->tcb_info = span_text(info);
    c->qe_identity = span_text(identity);
    forge_sign_raw(s->collateral_signer, c->tcb_info, signatures[0]);
    forge_sign_raw(s->collateral_signer, c->qe_identity, signatures[1]);
    c->tcb_info_signature = span_of(signatures[0], 64);
    c->qe_identity_signature = span_of(signatures[1], 64);
}

static void make_policy(struct scene *s)
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
    struct scene *s = &g_scene;
    make_quote(s, &quote);
    make_collateral(s);
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

static void td_debug(struct scene *s)
{
    s->body[120] = 1;
}
static void td_profiled(struct scene *s)
{
    s->body[120] = 0x20;
}
static void td_migratable(struct scene *s)
{
    s->body[123] = 0x20;
}
static void enclave_debug(struct scene *s)
{
    s->body[48] = 2;
}
static void other_measurement(struct scene *s)
{
    s->body[s->sgx ? 64 : 136] ^= 1;
}
static void other_rtmr(struct scene *s)
{
    sprintf(s->policy, ", \"rtmr2\": [\"%096d\"]", 1);
}
static void pck_expired(struct scene *s)
{
    s->pck.not_after = "251231235959Z";
}
static void authority_expired(struct scene *s)
{
    s->authority.not_after = "251231235959Z";
}
static void pck_revoked(struct scene *s)
{
    s->pck_crl.revoked = 3;
}
static void authority_revoked(struct scene *s)
{
    s->root_crl.revoked = 2;
}
static void tcb_signer_revoked(struct scene *s)
{
    s->root_crl.revoked = 4;
}
static void tcb_signer_expired(struct scene *s)
{
    s->tcb.not_after = "251231235959Z";
}
static void tcb_signer_by_another(struct scene *s)
{
    s->tcb.signer = &s->other;
}
static void pck_crl_missing(struct scene *s)
{
    s->no_pck_crl = true;
}
static void pck_crl_expired(struct scene *s)
{
    s->pck_crl.next_update = "251231235959Z";
}
static void pck_by_another(struct scene *s)
{
    s->pck.signer = &s->other;
}
static void path_too_long(struct scene *s)
{
    s->root.path_length = 0;
}
static void report_by_another(struct scene *s)
{
    s->report_signer = &s->other;
}
static void quote_by_another(struct scene *s)
{
    s->quote_signer = &s->other;
}
static void key_of_another(struct scene *s)
{
    s->report[320] = 1; /* the report names some other key */
}
static void collateral_by_another(struct scene *s)
{
    s->collateral_signer = &s->other;
}
static void collateral_of_another_platform(struct scene *s)
{
    s->fmspc = "00906ED50001";
}
static void collateral_expired(struct scene *s)
{
    s->dates = "\"issueDate\":\"2025-12-01T00:00:00Z\",\"nextUpdate\":\"2025-12-31T23:59:59Z\"";
}
static void collateral_of_the_future(struct scene *s)
{
    s->dates = "\"issueDate\":\"2026-01-01T00:00:01Z\",\"nextUpdate\":\"2026-02-01T00:00:00Z\"";
}
static void collateral_without_dates(struct scene *s)
{
    s->dates = "\"issueDate\":\"2025-12-01\",\"nextUpdate\":\"2027\"";
}
static void collateral_of_another_tee(struct scene *s)
{
    s->info_id = s->sgx ? "TDX" : "SGX";
}
static void platform_behind(struct scene *s) /* reaches the second level only */
{
    s->svn[15] = 6;
}
static void platform_below_all(struct scene *s)
{
    s->svn[3] = 0;
}
static void tdx_component_behind(struct scene *s)
{
    s->body[2] = 6;
}
static void status_revoked(struct scene *s)
{
    s->status = "Revoked";
    strcpy(s->policy, ", \"tcb_status\": [\"UpToDate\", \"OutOfDate\"]");
}
static void status_unheard_of(struct scene *s)
{
    s->status = "BetterThanNew";
}
static void module_behind(struct scene *s)
{
    s->body[0] = 4;
}
static void module_unknown(struct scene *s)
{
    s->body[1] = 2;
}
static void module_signed_by_another(struct scene *s)
{
    s->body[64] = 1; /* MRSIGNERSEAM */
}
static void module_revoked(struct scene *s)
{
    s->module_status = "Revoked";
}
static void quoting_enclave_behind(struct scene *s)
{
    s->report[258] = 5;
}
static void quoting_enclave_below_all(struct scene *s)
{
    s->report[258] = 3;
}
static void quoting_enclave_of_another(struct scene *s)
{
    s->qe_signer = "98";
}
static void quoting_enclave_debug(struct scene *s)
{
    s->report[48] = 2;
}
static void quoting_enclave_misc_select(struct scene *s)
{
    s->report[16] = 1;
}
static void module_attributes(struct scene *s)
{
    s->body[112] = 1;
}
static void other_certification(struct scene *s) /* an encrypted platform id instead of a chain */
{
    s->chain_kind = 3;
}
static void other_report_certification(struct scene *s)
{
    s->report_kind = 5;
}
static void other_report_data(struct scene *s)
{
    static const uint8_t wanted[64] = {1};
    s->question.report_data = span_of(wanted, 64);
}
static void evaluation_too_old(struct scene *s)
{
    strcpy(s->policy, ", \"min_evaluation\": 18");
}
static void signer_not_listed(struct scene *s)
{
    sprintf(s->policy, ", \"signers\": [\"%064d\"]", 0);
}
static void svn_too_low(struct scene *s)
{
    s->body[258] = 2;
    strcpy(s->policy, ", \"min_svn\": 3");
}
static void product_differs(struct scene *s)
{
    strcpy(s->policy, ", \"product\": 1");
}

enum { BOTH, TDX, SGX };

static const struct {
    const char *what, *rules;
    void (*change)(struct scene *);
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
