/* SPDX-License-Identifier: Apache-2.0 */
/* SNP reports that are signed throughout by keys of our own. */
#pragma once

#include "tests/attest/forge.h"

/* A report and its collateral before they are made; changed by a test. */
struct snp_scene {
    struct forge_key ark, ask, vcek, other;
    struct forge_certificate root, authority, key;
    struct forge_crl crl;
    bool no_crl, no_authority, is_vlek;
    char product[16];
    uint8_t svn[9]; /* of the certificate, by extension number less one */
    uint8_t chip[64];
    size_t chip_length;
    uint8_t report[SNP_REPORT_SIZE];
    const struct forge_key *report_signer;
    const char *policy; /* members behind the common ones */
    bool debug_allowed;
    struct attest_question question;
};

/* A report that is good but not signed, with its certificates. */
void snp_scene_begin(struct snp_scene *s);
/* The certificate of the signing key, with AMD's extensions. */
void snp_scene_key(struct snp_scene *s, struct forged *out);
void snp_scene_sign(struct snp_scene *s);
