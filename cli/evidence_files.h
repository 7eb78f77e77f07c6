/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of evidence, policies and collateral, for attest/.  What a file of collateral is, its
 * contents say: certificates (PEM or DER), revocation lists (DER), Intel's collateral (JSON); by
 * its name only "auxblob", the table of certificates that Linux gives with an SNP report.
 */
#pragma once

#include <stdbool.h>

#include "attest/attest.h"

enum { EVIDENCE_FILE_MAX_bytes = 1 << 20, EVIDENCE_BLOCKS_MAX = 128 };

/* What was read; owns it. */
struct evidence_files {
    void *block[EVIDENCE_BLOCKS_MAX];
    unsigned count;
    bool has_intel;
};

/* Each returns false with a reason that names the file. */
bool evidence_read(struct evidence_files *files, const char *path, struct span *out, char *reason,
                   size_t size);
/* A file, or all regular files of a directory (those that are no collateral are passed over).  Adds
 * to question. */
bool evidence_add_collateral(struct evidence_files *files, const char *path,
                             struct attest_question *question, char *reason, size_t size);
void evidence_free(struct evidence_files *files);
