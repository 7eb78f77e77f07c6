/* SPDX-License-Identifier: Apache-2.0 */
/* The roots that are trusted when the policy names none: SHA-256 of their SubjectPublicKeyInfo. */
#pragma once

#include "attest/policy.h"
#include "attest/x509.h"

/* Fills trust->root from the policy's "roots" of this vendor ("amd", "intel"), else with ours. */
void roots_fill(struct x509_trust *trust, const struct policy *policy, const char *vendor);
