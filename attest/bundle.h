/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host brings to the enclave that judges a peer: the operator's key, the policy, its
 * signature, and collateral, as one text of bytes: any number of u32 kind, u32 length, bytes.
 * Nothing of it is believed for being there: the key is compared with the one that the enclave
 * began with, the policy is signed with that key, collateral is signed up to a root.
 */
#pragma once

#include "attest/attest.h"

enum { BUNDLE_MAX_bytes = 512 * 1024 };

enum bundle_kind {
    BUNDLE_POLICY_KEY = 1, /* SubjectPublicKeyInfo, DER */
    BUNDLE_POLICY,
    BUNDLE_POLICY_SIGNATURE,
    BUNDLE_CERTIFICATE, /* as in struct attest_question; these two several times */
    BUNDLE_CRL,
    BUNDLE_TCB_INFO,
    BUNDLE_TCB_INFO_SIGNATURE,
    BUNDLE_QE_IDENTITY,
    BUNDLE_QE_IDENTITY_SIGNATURE,
    BUNDLE_KIND_END
};

struct bundle {
    struct span part[BUNDLE_KIND_END]; /* of the kinds that come once */
};

/* Fills *out, and the collateral of *question; both point into the bytes.  NULL if good. */
const char *bundle_read(struct span bytes, struct bundle *out, struct attest_question *question);

/* Appends what the question has of collateral, and these three.  Its length; 0: no room. */
size_t bundle_write(uint8_t *to, size_t capacity, struct span key, struct span policy,
                    struct span signature, const struct attest_question *question);
