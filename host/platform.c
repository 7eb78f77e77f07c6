/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Platform tsm hands on what the kernel says.  Platform sim: a report is a signature by a key of
 * this host over measurement and report data.  It shows that the plumbing of attestation works.  It
 * proves nothing about the enclave: the host can sign any measurement and read all of the enclave's
 * memory.
 */
#include "host/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "host/tsm.h"
#include "protocol/protocol.h"

static struct {
    uint8_t number;
    struct tsm_directory tsm; /* not sim */
    uint8_t key[32];
    uint8_t measurement[32];
} g_platform;

static int read_key(const char *path, char *reason)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, g_platform.key, sizeof(g_platform.key));

    if (length != (ssize_t)sizeof(g_platform.key))
        snprintf(reason, OM_REASON_MAX, "host key %s: %s", path,
                 length < 0 ? strerror(errno) : "not 32 bytes");
    if (fd >= 0)
        close(fd);
    return length == (ssize_t)sizeof(g_platform.key) ? 0 : -1;
}

static int create_tsm(const char *path, char *reason)
{
    char provider[TSM_PROVIDER_bytes], why[TSM_REASON_bytes];

    g_platform.tsm = tsm_kernel;
    g_platform.tsm.path = path;
    if (tsm_provider(&g_platform.tsm, provider, why)) {
        snprintf(reason, OM_REASON_MAX, "%s", why);
        return -1;
    }
    g_platform.number = tsm_platform(provider);
    if (!g_platform.number)
        snprintf(reason, OM_REASON_MAX, "%s: reports of %s are not understood", path, provider);
    return g_platform.number ? 0 : -1;
}

static int create_sim(const char *key_path, char *reason)
{
    g_platform.number = PLATFORM_SIM;
    if (key_path) {
        if (read_key(key_path, reason))
            return -1;
    } else if (getrandom(g_platform.key, sizeof(g_platform.key), 0) !=
               (ssize_t)sizeof(g_platform.key)) {
        snprintf(reason, OM_REASON_MAX, "no random numbers: %s", strerror(errno));
        return -1;
    }
    g_platform.key[0] &= 0x7f; /* Below the order of P-256, which begins with ffffffff. */
    return 0;
}

int platform_create(const char *tsm_path, const char *key_path, const uint8_t measurement[32],
                    char reason[OM_REASON_MAX])
{
    memcpy(g_platform.measurement, measurement, 32);
    return tsm_path ? create_tsm(tsm_path, reason) : create_sim(key_path, reason);
}

uint8_t platform_created(void)
{
    return g_platform.number;
}

static long report_tsm(const uint8_t report_data[64], uint8_t *out, size_t capacity,
                       uint32_t *out_evidence_length)
{
    static struct tsm_evidence evidence; /* one move at a time */
    char reason[TSM_REASON_bytes];
    int error = tsm_report(&g_platform.tsm, report_data, &evidence, reason);

    if (error) {
        fprintf(stderr, "optmig-host: no report: %s\n", reason);
        return error;
    }
    if (evidence.report_length + evidence.certificates_length > capacity)
        return -ENOSPC;
    memcpy(out, evidence.report, evidence.report_length);
    memcpy(out + evidence.report_length, evidence.certificates, evidence.certificates_length);
    *out_evidence_length = (uint32_t)evidence.report_length;
    return (long)(evidence.report_length + evidence.certificates_length);
}

long host_report(const uint8_t report_data[64], uint8_t *out_evidence, size_t capacity,
                 uint32_t *out_evidence_length)
{
    if (g_platform.number != PLATFORM_SIM)
        return report_tsm(report_data, out_evidence, capacity, out_evidence_length);
    if (capacity < SIM_EVIDENCE_SIZE)
        return -ENOSPC;
    if (sim_report(g_platform.key, g_platform.measurement, report_data, out_evidence))
        return -EIO;
    *out_evidence_length = SIM_EVIDENCE_SIZE;
    return SIM_EVIDENCE_SIZE;
}
