/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMD SEV-SNP attestation reports, versions 2 to 5 (SEV-SNP ABI 1.58, table "ATTESTATION_REPORT").
 *
 * A report is signed by a key of the chip (VCEK) or of the cloud provider's pool (VLEK), ECDSA
 * P-384; its certificate leads through ASK or ASVK to ARK, RSA-PSS with 4096 bits.  The certificate
 * also says for which chip and which TCB the key was derived, and the report must say the same.
 */
#pragma once

#include "attest/verdict.h"
#include "attest/x509.h"

enum {
    SNP_REPORT_SIZE = 1184,
    SNP_SIGNED_SIZE = 0x2a0,
    SNP_MEASUREMENT_SIZE = 48,
    SNP_VERSION_MIN = 2,
    SNP_VERSION_MAX = 5,
};

/* Bits of the guest's policy. */
enum snp_policy_bit {
    SNP_POLICY_SMT = 16,
    SNP_POLICY_RESERVED_ONE = 17,
    SNP_POLICY_MIGRATION_AGENT = 18,
    SNP_POLICY_DEBUG = 19,
};

enum snp_signing_key { SNP_KEY_VCEK = 0, SNP_KEY_VLEK = 1 };

enum snp_product { SNP_PRODUCT_NONE, SNP_MILAN, SNP_GENOA, SNP_TURIN };

/* Security version numbers; Milan and Genoa have no FMC (0). */
struct snp_tcb {
    uint8_t fmc, bootloader, tee, snp, microcode;
};

struct snp_report { /* spans point into the report */
    uint32_t version, vmpl, signing_key;
    uint64_t policy;
    bool chip_key_masked;
    uint8_t family, model; /* version 3 and later */
    struct span report_data, measurement, host_data, id_key_digest, chip_id;
    struct span current_tcb, reported_tcb, committed_tcb, launch_tcb; /* 8 bytes each */
    struct span signed_bytes;
    uint8_t signature[96]; /* r and s, big-endian */
};

bool snp_is_report(struct span evidence);
/* NULL if good.  All reserved bytes must be zero. */
const char *snp_decode(struct span evidence, struct snp_report *out);

/* What the certificate of the signing key says. */
struct snp_key_facts {
    enum snp_product product;
    struct snp_tcb tcb;
    struct span chip; /* hardware id; empty for a VLEK */
};
const char *snp_key_facts(const struct x509_certificate *key, struct snp_key_facts *out);

void snp_tcb_of(struct span raw, enum snp_product product, struct snp_tcb *out);
/* The lowest of each number in the reported, committed, current and launch TCB. */
void snp_lowest_tcb(const struct snp_report *report, enum snp_product product, struct snp_tcb *out);
const char *snp_product_name(enum snp_product product);
void snp_tcb_words(struct words *w, const struct snp_tcb *tcb);

/* Is it a report of a genuine chip: chain, signature, chip, TCB.  False: a rule failed, or what
 * follows cannot be asked. */
bool snp_verify(const struct snp_report *report, const struct x509_store *store,
                const struct x509_trust *trust, struct verdict *verdict,
                enum snp_product *out_product);

/*
 * The table of certificates that Linux gives as auxblob (GHCB specification, "extended guest
 * request"): entries of GUID, offset, length; the first zero GUID ends it.  VCEK or VLEK, ASK and
 * ARK are added to the store.  NULL if good.
 */
const char *snp_add_table(struct x509_store *store, struct span table);
