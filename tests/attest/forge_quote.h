/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes of TDX and SGX, and Intel's collateral, signed throughout by keys of our own. */
#pragma once

#include "tests/attest/forge.h"

/* A quote and its collateral before they are made; changed by a test. */
struct quote_scene {
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

/* A good one, that nothing is made of yet. */
void quote_scene_begin(struct quote_scene *s, bool sgx, int version, size_t body_size);
void quote_scene_make(struct quote_scene *s, struct forged *out);
/* TCB info, identity of the quoting enclave and their signatures, into the question; valid until
 * the next are made. */
void quote_scene_collateral(struct quote_scene *s);
