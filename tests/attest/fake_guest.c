/* SPDX-License-Identifier: Apache-2.0 */
/* See fake_guest.h. */
#include "tests/attest/fake_guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char g_wrong[64];

bool wrong(const char *word)
{
    return strcmp(g_wrong, word) == 0;
}

void write_file(const char *directory, const char *name, struct span bytes)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s%s%s", directory, *directory ? "/" : "", name);
    file = fopen(path, "we");
    if (!file || fwrite(bytes.bytes, 1, bytes.length, file) != bytes.length || fclose(file)) {
        perror(path);
        exit(1);
    }
}

static size_t read_file(const char *directory, const char *name, void *out, size_t capacity)
{
    char path[4096];
    size_t got = 0;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "re");
    if (file) {
        got = fread(out, 1, capacity, file);
        fclose(file);
    }
    return got;
}

bool take_request(const char *root, const char *entry, uint8_t report_data[64])
{
    size_t length = read_file(root, "wrong", g_wrong, sizeof(g_wrong) - 1);

    g_wrong[length] = 0;
    g_wrong[strcspn(g_wrong, "\n")] = 0;
    if (read_file(entry, "inblob", report_data, 64) != 64)
        return false;
    if (wrong("yesterday") && read_file(root, "yesterday", report_data, 64) != 64)
        return false;
    write_file(root, "yesterday", span_of(report_data, 64));
    return true;
}

void end_request(const char *entry)
{
    write_file(entry, "generation", span_text(wrong("another-writer") ? "2\n" : "1\n"));
}
