/* SPDX-License-Identifier: Apache-2.0 */
/* See forge_quote.h. */
#include "tests/attest/forge_quote.h"

#include <stdio.h>
#include <string.h>

static const uint8_t g_intel[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 1, 0x0d, 1};

static void set_up_certificates(struct quote_scene *s)
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

void quote_scene_begin(struct quote_scene *s, bool sgx, int version, size_t body_size)
{
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
static void make_pck(struct quote_scene *s, struct forged *out)
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
static void put_signed(const struct quote_scene *s, struct forged *q)
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
static void put_certification(struct quote_scene *s, struct forged *out)
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

void quote_scene_make(struct quote_scene *s, struct forged *q)
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
static void make_tcb_info(const struct quote_scene *s, char *out)
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

static void make_identity(const struct quote_scene *s, char *out)
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

void quote_scene_collateral(struct quote_scene *s)
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
