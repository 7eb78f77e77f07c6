/* SPDX-License-Identifier: Apache-2.0 */
/* See policy_state.h. */
#include "cli/policy_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool policy_state_read(const char *path, uint64_t *out_version, char *reason, size_t size)
{
    FILE *file = fopen(path, "re");
    int matched = 1;
    char rest;

    *out_version = 0;
    if (file) {
        matched = fscanf(file, "%" SCNu64 " %c", out_version, &rest);
        fclose(file);
    } else if (errno != ENOENT) {
        snprintf(reason, size, "%s: %s", path, strerror(errno));
        return false;
    }
    if (matched != 1)
        snprintf(reason, size, "%s is not a policy's version number", path);
    return matched == 1;
}

bool policy_state_write(const char *path, uint64_t version, char *reason, size_t size)
{
    char temporary[4096];
    FILE *file = NULL;
    bool good;

    if (snprintf(temporary, sizeof(temporary), "%s.new", path) < (int)sizeof(temporary))
        file = fopen(temporary, "we");
    good = file && fprintf(file, "%" PRIu64 "\n", version) > 0 && !fflush(file) &&
           !fsync(fileno(file));
    if (file)
        good = !fclose(file) && good;
    good = good && !rename(temporary, path);
    if (!good)
        snprintf(reason, size, "%s: %s", path, strerror(errno));
    return good;
}
