/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of a confidential VM (SEV-SNP, TDX) from Linux's configfs-tsm interface (6.7 or newer;
 * Documentation/ABI/testing/configfs-tsm-report): a directory for each request, 64 bytes written to
 * inblob, the report read from outblob, certificates from auxblob.  Host side; attest/ verifies.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { TSM_BLOB_MAX_bytes = 64 * 1024, TSM_PROVIDER_bytes = 32, TSM_REASON_bytes = 1024 };

#define TSM_KERNEL_PATH "/sys/kernel/config/tsm/report"

/* Where requests are made, and how; tests have others. */
struct tsm_directory {
    const char *path;
    int (*make)(const char *entry); /* 0, or -1 with errno: EEXIST if the name is taken */
    int (*remove)(const char *entry);
};
extern const struct tsm_directory tsm_kernel;

struct tsm_evidence {
    char provider[TSM_PROVIDER_bytes]; /* "sev_guest", "tdx_guest" */
    size_t report_length, certificates_length;
    uint8_t report[TSM_BLOB_MAX_bytes];
    uint8_t certificates[TSM_BLOB_MAX_bytes]; /* auxblob; none is not an error */
};

/* Which kind of guest this is, by the words of the kernel; no report is made.  As below. */
int tsm_provider(const struct tsm_directory *directory, char out[TSM_PROVIDER_bytes],
                 char reason[TSM_REASON_bytes]);
/* The number of the platform in the hello (protocol/protocol.h); 0: it is none that is verified. */
uint8_t tsm_platform(const char *provider);
const char *tsm_platform_name(const char *provider); /* "snp", "tdx", or NULL */

/*
 * A report over these 64 bytes.  The generation counter tells whether somebody else wrote to the
 * request meanwhile; then it is made anew, three times at most.  The report's own report data is
 * compared too.  0, or -errno and a reason that says what to do.
 */
int tsm_report(const struct tsm_directory *directory, const uint8_t report_data[64],
               struct tsm_evidence *out, char reason[TSM_REASON_bytes]);
