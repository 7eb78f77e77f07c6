/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's half of the platform: who vouches for this enclave.  sim: a key of this host, which
 * isolates nothing.  tsm: the confidential VM in which this host runs, by its kernel (host/tsm.h).
 */
#pragma once

#include "boundary/boundary.h"

/* tsm_path: where the kernel takes requests; NULL: platform sim, with the host's key, 32 bytes, in
 * key_path (NULL: a fresh one).  0 or -1 and a reason. */
int platform_create(const char *tsm_path, const char *key_path, const uint8_t measurement[32],
                    char reason[OM_REASON_MAX]);
uint8_t platform_created(void); /* its number in the hello */

long host_report(const uint8_t report_data[64], uint8_t *out_evidence, size_t capacity,
                 uint32_t *out_evidence_length);
