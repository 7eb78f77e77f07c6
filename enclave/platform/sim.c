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

long platform_report(const uint8_t report_data[64], uint8_t *out_evidence, size_t capacity)
{
    long length = g_host.report(report_data, out_evidence, capacity);

    if (length > (long)capacity)
        return -EIO;
    return length;
}

int platform_verify(const uint8_t *evidence, size_t length, const uint8_t report_data[64])
{
    return sim_verify(evidence, length, g_facts.measurement, report_data);
}
