/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The platform, the enclave's half: reports come from the host, and prove what their signatures
 * prove.  Those of sim are by a key of the host's own, and show that the plumbing works and nothing
 * else.  Without a policy only sim is understood; evidence of others is judged by one
 * (attestation.c).
 */
#include "enclave/platform/platform.h"

#include "protocol/protocol.h"

uint8_t platform_number(void)
{
    return g_facts.platform;
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
