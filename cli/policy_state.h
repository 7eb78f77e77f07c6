/* SPDX-License-Identifier: Apache-2.0 */
/* The highest version of a policy that was seen, kept in a file, so that an older one is refused:
 * as far as that file is safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0 if there is no file yet.  False with a reason that names the file. */
bool policy_state_read(const char *path, uint64_t *out_version, char *reason, size_t size);
/* Whole or not at all, and on the disk, so that a crash cannot take the version back. */
bool policy_state_write(const char *path, uint64_t version, char *reason, size_t size);
