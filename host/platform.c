/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Platform sim: a report is a signature by a key of this host over measurement and report data.  It
 * shows that the plumbing of attestation works.  It proves nothing about the enclave: the host can
 * sign any measurement and read all of the enclave's memory.
 */
#include "host/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "protocol/protocol.h"

static struct {
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

int platform_create(const char *key_path, const uint8_t measurement[32], char reason[OM_REASON_MAX])
{
    memcpy(g_platform.measurement, measurement, 32);
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

long host_report(const uint8_t report_data[64], uint8_t *out_evidence, size_t capacity,
                 uint32_t *out_evidence_length)
{
    if (capacity < SIM_EVIDENCE_SIZE)
        return -ENOSPC;
    if (sim_report(g_platform.key, g_platform.measurement, report_data, out_evidence))
        return -EIO;
    *out_evidence_length = SIM_EVIDENCE_SIZE;
    return SIM_EVIDENCE_SIZE;
}
