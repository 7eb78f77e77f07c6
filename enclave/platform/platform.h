/* SPDX-License-Identifier: Apache-2.0 */
/* What the platform gives to the runtime beside memory and threads: reports about itself. */
#pragma once

#include "enclave/runtime.h"

/* As in the hello message. */
uint8_t platform_number(void);
/* Evidence over report_data, at most EVIDENCE_MAX_bytes, and behind it its certificates, at most
 * CERTIFICATES_MAX_bytes.  The length of both, or -errno. */
long platform_report(const uint8_t report_data[64], uint8_t *out, size_t capacity,
                     long *out_evidence_length);
/* Without a policy: is this evidence of the same runtime as this one, over report_data?  0, or a
 * protocol_error. */
int platform_verify(const uint8_t *evidence, size_t length, const uint8_t report_data[64]);
