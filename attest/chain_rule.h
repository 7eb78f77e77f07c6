/* SPDX-License-Identifier: Apache-2.0 */
/* A chain of certificates as a rule of a verdict. */
#pragma once

#include "attest/verdict.h"
#include "attest/x509.h"

/* Adds the rule: which certificate decided, and why; wanted: from where to where.  True if the leaf
 * leads to a trusted root. */
bool chain_rule(struct verdict *verdict, const char *rule, const struct x509_store *store,
                const struct x509_certificate *leaf, const struct x509_trust *trust,
                const char *wanted);
/* The first certificate of this common name, or NULL. */
const struct x509_certificate *chain_find(const struct x509_store *store, const char *name);
