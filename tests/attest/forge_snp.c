/* SPDX-License-Identifier: Apache-2.0 */
/* See forge_snp.h. */
#include "tests/attest/forge_snp.h"

#include <string.h>

static const uint8_t g_amd[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01};

static void set_up_report(uint8_t *r)
{
    static const uint8_t tcb[8] = {3, 1, 0, 0, 0, 0, 8, 115};
    memset(r, 0, SNP_REPORT_SIZE);
    r[0] = 2;
    r[8 + 2] = 3; /* policy: SMT, and the bit that is one */
    r[0x34] = 1;
    memset(&r[0x50], 0xda, 64);
    memset(&r[0x90], 0xae, 48);
    memset(&r[0xc0], 0x40, 32);
    memset(&r[0x1a0], 0xc1, 64);
    memcpy(&r[0x38], tcb, 8);
    memcpy(&r[0x180], tcb, 8);
    memcpy(&r[0x1e0], tcb, 8);
    memcpy(&r[0x1f0], tcb, 8);
}

/* Once: points of P-384 take a while. */
static void make_keys(struct snp_scene *s)
{
    static struct forge_key ark, ask, vcek, other;
    if (ark.size == 0) {
        forge_key(&ark, KEY_P384, "ark");
        forge_key(&ask, KEY_P384, "ask");
        forge_key(&vcek, KEY_P384, "vcek");
        forge_key(&other, KEY_P384, "other");
    }
    s->ark = ark;
    s->ask = ask;
    s->vcek = vcek;
    s->other = other;
}

void snp_scene_begin(struct snp_scene *s)
{
    memset(s, 0, sizeof *s);
    make_keys(s);
    s->root = (struct forge_certificate){.subject = "ARK-Test",
                                         .issuer = "ARK-Test",
                                         .serial = 1,
                                         .authority = true,
                                         .path_length = -1,
                                         .key = &s->ark,
                                         .signer = &s->ark};
    s->authority = (struct forge_certificate){.subject = "SEV-Test",
                                              .issuer = "ARK-Test",
                                              .serial = 2,
                                              .authority = true,
                                              .path_length = 0,
                                              .key = &s->ask,
                                              .signer = &s->ark};
    s->key = (struct forge_certificate){
        .subject = "SEV-VCEK", .issuer = "SEV-Test", .key = &s->vcek, .signer = &s->ask};
    s->crl = (struct forge_crl){.issuer = "ARK-Test", .signer = &s->ark};
    strcpy(s->product, "Milan-B0");
    s->svn[0] = 3;
    s->svn[1] = 1;
    s->svn[2] = 8;
    s->svn[7] = 115;
    memset(s->chip, 0xc1, 64);
    s->chip_length = 64;
    set_up_report(s->report);
    s->report_signer = &s->vcek;
    s->policy = "";
}

void snp_scene_key(struct snp_scene *s, struct forged *out)
{
    struct forged value = {0}, *list = &s->key.extensions;
    uint8_t oid[10];
    memcpy(oid, g_amd, 8);
    list->length = 0;
    oid[8] = 2;
    forge_der(&value, 0x16, s->product, strlen(s->product));
    forge_extension(list, oid, 9, false, &value);
    oid[8] = 3;
    for (uint8_t i = 1; i <= 9; i++) {
        oid[9] = i;
        value.length = 0;
        forge_number(&value, s->svn[i - 1]);
        forge_extension(list, oid, 10, false, &value);
    }
    oid[8] = 4;
    value.length = 0;
    forge_bytes(&value, s->chip, s->chip_length);
    if (s->chip_length)
        forge_extension(list, oid, 9, false, &value);
    forge_certificate(out, &s->key);
}

void snp_scene_sign(struct snp_scene *s)
{
    uint8_t raw[96];
    forge_sign_raw(s->report_signer, span_of(s->report, SNP_SIGNED_SIZE), raw);
    for (size_t i = 0; i < 48; i++) {
        s->report[0x2a0 + i] = raw[47 - i];
        s->report[0x2a0 + 72 + i] = raw[95 - i];
    }
}
