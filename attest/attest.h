/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this evidence genuine, and does it satisfy this policy?  One question, answered rule by rule.
 *
 * Pure C like protocol/: no I/O, no clock, no allocation; signatures by BearSSL.  Everything in the
 * question but policy, time and what is wanted comes from whoever wants to be believed, and is
 * checked.  Threads: one workspace, one thread at a time.
 */
#pragma once

#include "attest/collateral.h"
#include "attest/policy.h"
#include "attest/snp.h"

enum { ATTEST_CERTIFICATES_MAX = 8, ATTEST_REPORT_DATA_SIZE = 64 };

enum attest_platform { ATTEST_NONE, ATTEST_SIM, ATTEST_SNP, ATTEST_TDX, ATTEST_SGX };
enum attest_direction { ATTEST_OUT, ATTEST_IN }; /* the peer is the destination; the source */

struct attest_question {
    struct span evidence;
    /* Collateral, by whoever brought it: certificates in PEM or DER, in any order; lists in DER. */
    uint32_t certificate_count, crl_count;
    struct span certificates[ATTEST_CERTIFICATES_MAX], crls[X509_CRLS_MAX];
    struct span snp_table; /* Linux's auxblob for SNP; may be NULL */
    struct collateral collateral;
    /* Ours. */
    const struct policy *policy;
    uint64_t policy_version_min; /* the highest seen so far; 0: none */
    uint64_t now;                /* seconds since 1970 */
    struct span report_data;     /* 64 bytes that the evidence must be over; NULL: not asked */
    struct span peer;            /* the other host's address; NULL: not asked */
    enum attest_direction direction;
};

/* What the evidence says of itself, also if it is not believed. */
struct attest_facts {
    enum attest_platform platform;
    uint32_t version;
    struct span measurement, signer, report_data; /* into the evidence; .bytes may be NULL */
    bool debug, migratable;
};

struct attest_workspace { /* large: not for the stack of the runtime */
    struct x509_store store;
    struct x509_trust trust;
    struct snp_report snp;
    struct quote quote;
};

/* True only if every rule passed; verdict and facts are filled in any case. */
bool attest_verify(struct attest_workspace *workspace, const struct attest_question *question,
                   struct verdict *verdict, struct attest_facts *out_facts);

const char *attest_platform_name(enum attest_platform platform);
enum attest_platform attest_platform_of(struct span evidence);

/* Evaluation of the parts that are not common to all platforms (evaluate.c). */
void evaluate_snp(const struct policy *policy, const struct snp_report *report,
                  enum snp_product product, struct verdict *verdict);
void evaluate_quote(const struct policy *policy, const struct quote *q,
                    const struct collateral_facts *facts, struct verdict *verdict);
/* Rules that are the same for all of them. */
void evaluate_common(const struct attest_question *question, const struct attest_facts *facts,
                     struct verdict *verdict);
/* A rule: the list, if the policy has it, has these bytes.  Needed: without a list it fails. */
bool evaluate_listed(struct verdict *verdict, const char *rule, const struct value *section,
                     const char *member, struct span bytes, bool needed);
