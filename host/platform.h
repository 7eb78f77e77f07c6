/* SPDX-License-Identifier: Apache-2.0 */
/* Platform sim, the host's half: what hardware would do in a real TEE.  It isolates nothing. */
#pragma once

#include "boundary/boundary.h"

/* Reads the host's key, 32 bytes, from key_path; NULL: a fresh key.  0 or -1 and a reason. */
int platform_create(const char *key_path, const uint8_t measurement[32],
                    char reason[OM_REASON_MAX]);

long host_report(const uint8_t report_data[64], uint8_t *out_evidence, size_t capacity,
                 uint32_t *out_evidence_length);
