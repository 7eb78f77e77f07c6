/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intel's collateral: "TCB info" version 3 of the platform and the identity (version 2) of the
 * quoting enclave, JSON signed by Intel's TCB signing key (PCS API version 4).  Both say of each
 * level what it is worth; the quote's status is the worst of platform, TDX module and quoting
 * enclave.  Which status is good enough is the policy's business.
 */
#pragma once

#include "attest/quote.h"

enum tcb_status {
    TCB_UP_TO_DATE,
    TCB_SW_HARDENING_NEEDED,
    TCB_CONFIGURATION_NEEDED,
    TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
    TCB_OUT_OF_DATE,
    TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
    TCB_REVOKED,
    TCB_UNKNOWN, /* no level fits, or a word that is not known */
    TCB_STATUS_COUNT
};
/* Intel's word, "UpToDate". */
const char *tcb_status_name(enum tcb_status status);
enum tcb_status tcb_status_from(struct span word);

struct collateral {
    struct span tcb_info, tcb_info_signature; /* the text as it is signed; r and s, 64 bytes */
    struct span qe_identity, qe_identity_signature;
};

struct collateral_facts {
    enum tcb_status status;
    uint64_t evaluation_number; /* the lower of both: how new Intel's judgement is */
};

/* The store has the TCB signing certificate too.  False: a rule failed. */
bool collateral_verify(const struct quote *q, const struct quote_platform *platform,
                       const struct collateral *collateral, const struct x509_store *store,
                       const struct x509_trust *trust, struct verdict *verdict,
                       struct collateral_facts *out);
