/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of DCAP quotes, and of what a PCK certificate says; quote.h. */
#include "attest/quote.h"

#include "attest/der.h"
#include "attest/fields.h"

enum {
    KEY_ECDSA_P256 = 2,
    BODY_SGX = 1,
    BODY_TD10 = 2,
    BODY_TD15 = 3,
    CERTIFICATION_CHAIN = 5,  /* PEM: PCK, its authority, the root */
    CERTIFICATION_REPORT = 6, /* the quoting enclave's report, then a chain */
    DEBUG_SGX = 2,            /* in the first byte of the attributes */
    MIGRATABLE_TDX = 0x20,    /* in the fourth */
};

static const uint8_t g_intel_vendor[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                           0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

static void take_enclave(struct wire *w, struct quote_enclave *out)
{
    out->cpu_svn = field_take(w, 16);
    out->misc_select = wire_take_u32(w);
    field_take(w, 12 + 16); /* reserved, extended product id */
    out->attributes = field_take(w, 16);
    out->mrenclave = field_take(w, 32);
    field_zeros(w, 32);
    out->mrsigner = field_take(w, 32);
    field_take(w, 32 + 64); /* reserved, configuration id */
    out->product = wire_take_u16(w);
    out->svn = wire_take_u16(w);
    field_take(w, 2 + 42 + 16); /* configuration svn, reserved, family id */
    out->report_data = field_take(w, 64);
}

static void take_domain(struct wire *w, bool is_15, struct quote_domain *out)
{
    out->tcb_svn = field_take(w, 16);
    out->mrseam = field_take(w, 48);
    out->mrsignerseam = field_take(w, 48);
    out->seam_attributes = field_take(w, 8);
    out->attributes = field_take(w, 8);
    out->xfam = field_take(w, 8);
    out->mrtd = field_take(w, 48);
    out->mrconfigid = field_take(w, 48);
    out->mrowner = field_take(w, 48);
    out->mrownerconfig = field_take(w, 48);
    for (size_t i = 0; i < 4; i++)
        out->rtmr[i] = field_take(w, 48);
    out->report_data = field_take(w, 64);
    if (is_15) {
        out->tcb_svn_2 = field_take(w, 16);
        out->mrservicetd = field_take(w, 48);
    }
}

static void take_header(struct wire *w, struct quote *out)
{
    out->version = wire_take_u16(w);
    uint16_t key = wire_take_u16(w);
    uint32_t tee = wire_take_u32(w);
    field_take(w, 4); /* versions of quoting enclave and PCE (3), reserved (4) */
    struct span vendor = field_take(w, 16);
    field_take(w, 20); /* the vendor's data */
    out->tee = tee == QUOTE_TDX ? QUOTE_TDX : QUOTE_SGX;
    if (out->version < 3 || out->version > 5 || key != KEY_ECDSA_P256 ||
        (tee != QUOTE_SGX && (tee != QUOTE_TDX || out->version == 3)) ||
        !span_equal(vendor, span_of(g_intel_vendor, 16)))
        w->failed = true;
}

static void take_body(struct wire *w, struct quote *out)
{
    uint16_t kind = out->tee == QUOTE_SGX ? BODY_SGX : BODY_TD10;
    uint32_t size = out->tee == QUOTE_SGX ? QUOTE_SGX_BODY_SIZE : QUOTE_TD10_BODY_SIZE;
    if (out->version == 5) {
        kind = wire_take_u16(w);
        size = wire_take_u32(w);
    }
    if (kind == BODY_SGX && size == QUOTE_SGX_BODY_SIZE && out->tee == QUOTE_SGX)
        take_enclave(w, &out->enclave);
    else if (kind == BODY_TD10 && size == QUOTE_TD10_BODY_SIZE && out->tee == QUOTE_TDX)
        take_domain(w, false, &out->domain);
    else if (kind == BODY_TD15 && size == QUOTE_TD15_BODY_SIZE && out->tee == QUOTE_TDX)
        take_domain(w, true, &out->domain);
    else
        w->failed = true;
}

/* A cursor over exactly length bytes of w. */
static struct wire enter(struct wire *w, size_t length)
{
    struct span s = field_take(w, length);
    struct wire inner = wire_reader(s.bytes, s.length);
    inner.failed = w->failed;
    return inner;
}

static void leave(struct wire *w, const struct wire *inner)
{
    if (!wire_complete(inner))
        w->failed = true;
}

static void take_quoting(struct wire *w, struct quote *out)
{
    struct span report = field_take(w, QUOTE_SGX_BODY_SIZE);
    struct wire r = wire_reader(report.bytes, report.length);
    out->quoting_report = report;
    take_enclave(&r, &out->quoting);
    leave(w, &r);
    out->quoting_signature = field_take(w, 64);
    out->quoting_data = field_take(w, wire_take_u16(w));
    uint16_t kind = wire_take_u16(w);
    out->certificates = field_take(w, wire_take_u32(w));
    if (kind != CERTIFICATION_CHAIN)
        w->failed = true;
}

static void take_signature(struct wire *w, struct quote *out)
{
    struct wire s = enter(w, wire_take_u32(w));
    out->signature = field_take(&s, 64);
    out->attestation_key = field_take(&s, 64);
    if (out->version == 3) {
        take_quoting(&s, out);
    } else {
        uint16_t kind = wire_take_u16(&s);
        struct wire report = enter(&s, wire_take_u32(&s));
        take_quoting(&report, out);
        leave(&s, &report);
        if (kind != CERTIFICATION_REPORT)
            s.failed = true;
    }
    leave(w, &s);
}

bool quote_is(struct span evidence)
{
    struct wire w = wire_reader(evidence.bytes, evidence.length);
    struct quote q;
    take_header(&w, &q);
    return !w.failed;
}

const char *quote_decode(struct span evidence, struct quote *out)
{
    struct wire w = wire_reader(evidence.bytes, evidence.length);
    memset(out, 0, sizeof *out);
    take_header(&w, out);
    if (w.failed)
        return "not a quote of version 3 to 5 with ECDSA P-256, of SGX or TDX, by Intel's enclave";
    take_body(&w, out);
    out->signed_bytes = span_of(evidence.bytes, w.at);
    take_signature(&w, out);
    size_t left = wire_left(&w);
    if (left > QUOTE_PADDING_MAX_bytes)
        w.failed = true;
    field_zeros(&w, left);
    if (wire_complete(&w))
        return NULL;
    memset(out, 0, sizeof *out);
    return "the quote's parts do not fit together, or something follows it";
}

bool quote_debug(const struct quote *q)
{
    if (q->tee == QUOTE_SGX)
        return (q->enclave.attributes.bytes[0] & DEBUG_SGX) != 0;
    return q->domain.attributes.bytes[0] != 0; /* the other bits of this byte: as untrusted */
}

bool quote_migratable(const struct quote *q)
{
    return q->tee == QUOTE_TDX && (q->domain.attributes.bytes[3] & MIGRATABLE_TDX) != 0;
}

struct span quote_report_data(const struct quote *q)
{
    return q->tee == QUOTE_SGX ? q->enclave.report_data : q->domain.report_data;
}

/* ---- Intel's extension of the PCK certificate ---- */

#define INTEL_ARC 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01

/* The 16 security versions and the PCE's: SEQUENCE { oid.2.i, INTEGER } in this order; the 18th is
 * all of them again. */
static void take_platform_tcb(struct der *d, struct quote_platform *out)
{
    struct der list = der_enter(d, DER_SEQUENCE);
    for (uint8_t i = 1; i <= 18; i++) {
        const uint8_t oid[] = {INTEL_ARC, 2, i};
        struct der pair = der_enter(&list, DER_SEQUENCE);
        der_expect_oid(&pair, span_of(oid, sizeof oid));
        if (i <= 16)
            out->tcb[i - 1] = (uint8_t)der_take_number(&pair, 255);
        else if (i == 17)
            out->pce_svn = (uint32_t)der_take_number(&pair, 65535);
        else if (der_take(&pair, DER_OCTET_STRING, NULL).length != 16)
            pair.failed = true;
        der_leave(&list, &pair);
    }
    der_leave(d, &list);
}

static void take_octets(struct der *d, uint8_t *out, size_t size)
{
    struct span s = der_take(d, DER_OCTET_STRING, NULL);
    if (s.length == size)
        memcpy(out, s.bytes, size);
    else
        d->failed = true;
}

const char *quote_platform(const struct x509_certificate *pck, struct quote_platform *out)
{
    static const uint8_t extension[] = {INTEL_ARC};
    struct der d = der_reader(x509_extension(pck, span_of(extension, sizeof extension)));
    struct der list = der_enter(&d, DER_SEQUENCE);
    uint32_t seen = 0;
    memset(out, 0, sizeof *out);
    while (der_more(&list)) {
        struct der pair = der_enter(&list, DER_SEQUENCE);
        struct span oid = der_take(&pair, DER_OID, NULL);
        bool ours = oid.length == sizeof extension + 1 &&
                    memcmp(oid.bytes, extension, sizeof extension) == 0;
        uint8_t number = ours ? oid.bytes[sizeof extension] : 0;
        if (number == 2)
            take_platform_tcb(&pair, out);
        else if (number == 3)
            take_octets(&pair, out->pce_id, sizeof out->pce_id);
        else if (number == 4)
            take_octets(&pair, out->fmspc, sizeof out->fmspc);
        else
            pair.at = pair.in.length; /* PPID, type, platform instance, configuration */
        if (number >= 2 && number <= 4) {
            list.failed = list.failed || (seen & 1u << number) != 0;
            seen |= 1u << number;
        }
        der_leave(&list, &pair);
    }
    der_leave(&d, &list);
    return der_complete(&d) && seen == (1u << 2 | 1u << 3 | 1u << 4)
               ? NULL
               : "its certificate does not say which platform and TCB it is";
}
