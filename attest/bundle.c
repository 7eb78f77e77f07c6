/* SPDX-License-Identifier: Apache-2.0 */
/* See bundle.h. */
#include "attest/bundle.h"

#include "attest/fields.h"

static const char *take_part(struct bundle *out, struct attest_question *question, uint32_t kind,
                             struct span bytes)
{
    if (kind == BUNDLE_CERTIFICATE) {
        if (question->certificate_count == ATTEST_CERTIFICATES_MAX)
            return "the bundle has more certificates than are looked at";
        question->certificates[question->certificate_count++] = bytes;
        return NULL;
    }
    if (kind == BUNDLE_CRL) {
        if (question->crl_count == X509_CRLS_MAX)
            return "the bundle has more revocation lists than are looked at";
        question->crls[question->crl_count++] = bytes;
        return NULL;
    }
    if (kind == 0 || kind >= BUNDLE_KIND_END)
        return "the bundle has a part that is not known";
    if (out->part[kind].bytes)
        return "the bundle has a part twice";
    out->part[kind] = bytes;
    return NULL;
}

static const char *read_parts(struct span bytes, struct bundle *out,
                              struct attest_question *question)
{
    struct wire w = wire_reader(bytes.bytes, bytes.length);
    const char *reason = NULL;
    while (!reason && wire_left(&w) > 0) {
        uint32_t kind = wire_take_u32(&w), length = wire_take_u32(&w);
        struct span part = field_take(&w, length);
        reason = w.failed ? "the bundle is cut off" : take_part(out, question, kind, part);
    }
    if (!reason && (!out->part[BUNDLE_POLICY_KEY].bytes || !out->part[BUNDLE_POLICY].bytes ||
                    !out->part[BUNDLE_POLICY_SIGNATURE].bytes))
        reason = "the bundle lacks the policy, its signature or its key";
    return reason;
}

const char *bundle_read(struct span bytes, struct bundle *out, struct attest_question *question)
{
    memset(out, 0, sizeof *out);
    const char *reason = read_parts(bytes, out, question);
    if (reason) {
        memset(out, 0, sizeof *out);
        question->certificate_count = question->crl_count = 0;
        return reason;
    }
    question->collateral = (struct collateral){
        .tcb_info = out->part[BUNDLE_TCB_INFO],
        .tcb_info_signature = out->part[BUNDLE_TCB_INFO_SIGNATURE],
        .qe_identity = out->part[BUNDLE_QE_IDENTITY],
        .qe_identity_signature = out->part[BUNDLE_QE_IDENTITY_SIGNATURE],
    };
    return NULL;
}

static void put_part(struct wire *w, enum bundle_kind kind, struct span bytes)
{
    if (!bytes.bytes)
        return;
    wire_put_u32(w, kind);
    wire_put_u32(w, (uint32_t)bytes.length);
    wire_put_bytes(w, bytes.bytes, bytes.length);
}

size_t bundle_write(uint8_t *to, size_t capacity, struct span key, struct span policy,
                    struct span signature, const struct attest_question *question)
{
    const struct collateral *c = &question->collateral;
    struct wire w = wire_writer(to, capacity);
    put_part(&w, BUNDLE_POLICY_KEY, key);
    put_part(&w, BUNDLE_POLICY, policy);
    put_part(&w, BUNDLE_POLICY_SIGNATURE, signature);
    for (uint32_t i = 0; i < question->certificate_count; i++)
        put_part(&w, BUNDLE_CERTIFICATE, question->certificates[i]);
    for (uint32_t i = 0; i < question->crl_count; i++)
        put_part(&w, BUNDLE_CRL, question->crls[i]);
    put_part(&w, BUNDLE_TCB_INFO, c->tcb_info);
    put_part(&w, BUNDLE_TCB_INFO_SIGNATURE, c->tcb_info_signature);
    put_part(&w, BUNDLE_QE_IDENTITY, c->qe_identity);
    put_part(&w, BUNDLE_QE_IDENTITY_SIGNATURE, c->qe_identity_signature);
    return w.failed ? 0 : w.at;
}
