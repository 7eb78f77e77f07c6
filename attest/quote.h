/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intel DCAP quotes: version 3 (SGX), 4 (SGX, TDX 1.0), 5 (SGX, TDX 1.0 and 1.5), with ECDSA P-256
 * (Intel SGX DCAP Quoting Library API, appendix A; TDX DCAP Quoting Library API, appendix A).
 *
 * The quote is signed by a key of the quoting enclave; a report of that enclave names the key; the
 * report is signed by the platform's PCK key; its certificate leads to Intel's root.  Whether that
 * platform and that quoting enclave are good enough is said by collateral that Intel signs:
 * collateral.h.
 */
#pragma once

#include "attest/verdict.h"
#include "attest/x509.h"

enum {
    QUOTE_HEADER_SIZE = 48,
    QUOTE_SGX_BODY_SIZE = 384,
    QUOTE_TD10_BODY_SIZE = 584,
    QUOTE_TD15_BODY_SIZE = 648,
    QUOTE_PADDING_MAX_bytes = 4096, /* zeros behind the quote, as TDX drivers give them */
};

enum quote_tee { QUOTE_SGX = 0, QUOTE_TDX = 0x81 };

struct quote_enclave { /* a report of SGX: the quoted enclave, or the quoting one */
    struct span cpu_svn, attributes, mrenclave, mrsigner, report_data;
    uint32_t misc_select;
    uint16_t product, svn;
};

struct quote_domain { /* a report of TDX */
    struct span tcb_svn, mrseam, mrsignerseam, seam_attributes, attributes, xfam, mrtd;
    struct span mrconfigid, mrowner, mrownerconfig, rtmr[4], report_data;
    struct span tcb_svn_2, mrservicetd; /* TDX 1.5 only; else empty */
};

struct quote { /* spans point into the quote */
    uint16_t version;
    enum quote_tee tee;
    struct quote_enclave enclave; /* QUOTE_SGX */
    struct quote_domain domain;   /* QUOTE_TDX */
    struct span signed_bytes, signature, attestation_key;
    struct quote_enclave quoting; /* the quoting enclave */
    struct span quoting_report, quoting_signature, quoting_data;
    struct span certificates; /* PEM */
};

bool quote_is(struct span evidence);
/* NULL if good; nothing but zeros may follow the quote. */
const char *quote_decode(struct span evidence, struct quote *out);
/* The debug bit of what is quoted. */
bool quote_debug(const struct quote *q);
/* A TD that its host may migrate, with a service TD that it does not choose (never for SGX). */
bool quote_migratable(const struct quote *q);
struct span quote_report_data(const struct quote *q);

/* What the PCK certificate says of the platform: Intel's extension 1.2.840.113741.1.13.1. */
struct quote_platform {
    uint8_t tcb[16];
    uint32_t pce_svn;
    uint8_t fmspc[6], pce_id[2];
};
const char *quote_platform(const struct x509_certificate *pck, struct quote_platform *out);

/* Is it a quote of a genuine platform: PCK chain, quoting enclave, key, signature.  The store has
 * the quote's certificates.  False: a rule failed. */
bool quote_verify(const struct quote *q, const struct x509_store *store,
                  const struct x509_trust *trust, struct verdict *verdict,
                  struct quote_platform *out_platform);
