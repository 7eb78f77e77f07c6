/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Platform sim, the enclave's half.  The report is signed by the host with a key of its own, so it
 * proves that the plumbing works and nothing else: a host can sign whatever it likes.
 */
#include "enclave/platform/platform.h"

#include "protocol/protocol.h"

uint8_t platform_number(void)
{
    return PLATFORM_SIM;
}

long platform_report(const uint8_t report_data[64], uint8_t *out, size_t capacity,
                     long *out_evidence_length)
{
    uint32_t evidence_length = 0;
    long length = g_host.report(report_data, out, capacity, &evidence_length);

    *out_evidence_length = (long)evidence_length;
    if (length < 0)
        return length;
    if (length > (long)capacity || evidence_length == 0 || evidence_length > EVIDENCE_MAX_bytes ||
        length < (long)evidence_length || length - (long)evidence_length > CERTIFICATES_MAX_bytes)
        return -EIO;
    return length;
}

int platform_verify(const uint8_t *evidence, size_t length, const uint8_t report_data[64])
{
    return sim_verify(evidence, length, g_facts.measurement, report_data);
}
