/* SPDX-License-Identifier: Apache-2.0 */
/* What the platform gives to the runtime beside memory and threads: reports about itself. */
#pragma once

#include "enclave/runtime.h"

/* As in the hello message. */
uint8_t platform_number(void);
/* Evidence that this very runtime made report_data.  Its length, or -errno. */
long platform_report(const uint8_t report_data[64], uint8_t *out_evidence, size_t capacity);
/* Is this evidence of the same runtime as this one, over report_data?  0, or a protocol_error. */
int platform_verify(const uint8_t *evidence, size_t length, const uint8_t report_data[64]);
