/* SPDX-License-Identifier: Apache-2.0 */
/* See tsm.h. */
#include "host/tsm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/attest.h"
#include "protocol/protocol.h"

enum { TRIES = 3, NAMES = 1000, PATH_bytes = 320 };

static int make_directory(const char *entry)
{
    return mkdir(entry, 0700);
}

const struct tsm_directory tsm_kernel = {
    .path = TSM_KERNEL_PATH, .make = make_directory, .remove = rmdir};

/* An open of an attribute; -errno, or the descriptor. */
static int open_attribute(const char *entry, const char *name, int flags)
{
    char path[PATH_bytes];

    if (snprintf(path, sizeof(path), "%s/%s", entry, name) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    int fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* To its end; -EFBIG if that is beyond capacity. */
static int read_attribute(const char *entry, const char *name, void *out, size_t capacity,
                          size_t *out_length)
{
    int fd = open_attribute(entry, name, O_RDONLY), error = 0;
    ssize_t got = 1;
    char more;

    *out_length = 0;
    if (fd < 0)
        return fd;
    while (got && !error) {
        bool full = *out_length == capacity;

        got =
            full ? read(fd, &more, 1) : read(fd, (char *)out + *out_length, capacity - *out_length);
        if (got < 0 && errno != EINTR)
            error = -errno;
        else if (got > 0 && full)
            error = -EFBIG;
        else if (got > 0)
            *out_length += (size_t)got;
    }
    close(fd);
    return error;
}

/* In one write: each is a new request. */
static int write_attribute(const char *entry, const char *name, const void *bytes, size_t length)
{
    int fd = open_attribute(entry, name, O_WRONLY), error = 0;

    if (fd < 0)
        return fd;
    ssize_t put = write(fd, bytes, length);
    if (put < 0)
        error = -errno;
    else if ((size_t)put != length)
        error = -EIO;
    if (close(fd) && !error)
        error = -errno;
    return error;
}

static int read_generation(const char *entry, uint64_t *out)
{
    char text[32], *end;
    size_t length;
    int error = read_attribute(entry, "generation", text, sizeof(text) - 1, &length);

    if (error)
        return error;
    text[length] = 0;
    *out = strtoull(text, &end, 10);
    return end == text || (*end && *end != '\n') ? -EPROTO : 0;
}

static int read_provider(const char *entry, char out[TSM_PROVIDER_bytes])
{
    size_t length;
    int error = read_attribute(entry, "provider", out, TSM_PROVIDER_bytes - 1, &length);

    out[error ? 0 : length] = 0;
    out[strcspn(out, "\n")] = 0;
    return error;
}

/* Was the report made over these bytes?  Whether it is genuine, its verifier finds out. */
static bool is_over(const struct tsm_evidence *evidence, const uint8_t report_data[64])
{
    struct span bytes = span_of(evidence->report, evidence->report_length);
    struct snp_report snp;
    struct quote quote;

    if (!snp_decode(bytes, &snp))
        return !memcmp(snp.report_data.bytes, report_data, 64);
    return !quote_decode(bytes, &quote) &&
           !memcmp(quote_report_data(&quote).bytes, report_data, 64);
}

/* One request in its own directory.  -EAGAIN: somebody else wrote to it meanwhile. */
static int request(const char *entry, const uint8_t report_data[64], struct tsm_evidence *out,
                   const char **out_what)
{
    uint64_t before, after;
    int error;

    *out_what = "generation";
    if ((error = read_generation(entry, &before)))
        return error;
    *out_what = "inblob";
    if ((error = write_attribute(entry, "inblob", report_data, 64)))
        return error;
    *out_what = "provider";
    if ((error = read_provider(entry, out->provider)))
        return error;
    *out_what = "outblob";
    if ((error = read_attribute(entry, "outblob", out->report, sizeof(out->report),
                                &out->report_length)))
        return error;
    *out_what = "auxblob"; /* Not every provider has one. */
    error = read_attribute(entry, "auxblob", out->certificates, sizeof(out->certificates),
                           &out->certificates_length);
    if (error && error != -ENOENT)
        return error;
    *out_what = "generation";
    if ((error = read_generation(entry, &after)))
        return error;
    if (after != before + 1)
        return -EAGAIN;
    *out_what = "outblob (it is not over the bytes that were asked for)";
    return is_over(out, report_data) ? 0 : -EBADMSG;
}

/* A name that nobody else has: of this process, and free. */
static int make_entry(const struct tsm_directory *directory, char entry[PATH_bytes])
{
    for (int i = 0; i < NAMES; i++) {
        snprintf(entry, PATH_bytes, "%s/optmig-%ld-%d", directory->path, (long)getpid(), i);
        if (!directory->make(entry))
            return 0;
        if (errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

static void explain_directory(const struct tsm_directory *directory, int error, char *reason)
{
    const char *advice = error == -ENOENT || error == -ENXIO
                             ? "; this kernel has no configfs-tsm, or configfs is not mounted, or "
                               "this is no confidential VM (modprobe sev-guest or tdx-guest)"
                         : error == -EACCES || error == -EPERM ? "; this needs root"
                                                               : "";
    snprintf(reason, TSM_REASON_bytes, "%s: %s%s", directory->path, strerror(-error), advice);
}

int tsm_provider(const struct tsm_directory *directory, char out[TSM_PROVIDER_bytes],
                 char reason[TSM_REASON_bytes])
{
    char entry[PATH_bytes];
    int error = make_entry(directory, entry);

    if (error) {
        explain_directory(directory, error, reason);
        return error;
    }
    error = read_provider(entry, out);
    directory->remove(entry);
    if (error)
        snprintf(reason, TSM_REASON_bytes, "%s/provider: %s", entry, strerror(-error));
    return error;
}

uint8_t tsm_platform(const char *provider)
{
    if (!strcmp(provider, "sev_guest"))
        return PLATFORM_SNP;
    return !strcmp(provider, "tdx_guest") ? PLATFORM_TDX : 0;
}

const char *tsm_platform_name(const char *provider)
{
    uint8_t number = tsm_platform(provider);

    return number == PLATFORM_SNP ? "snp" : number == PLATFORM_TDX ? "tdx" : NULL;
}

int tsm_report(const struct tsm_directory *directory, const uint8_t report_data[64],
               struct tsm_evidence *out, char reason[TSM_REASON_bytes])
{
    char entry[PATH_bytes];
    const char *what = "";
    int error = -EAGAIN;

    memset(out, 0, sizeof(*out));
    for (int i = 0; i < TRIES && error == -EAGAIN; i++) {
        error = make_entry(directory, entry);
        if (error) {
            explain_directory(directory, error, reason);
            return error;
        }
        error = request(entry, report_data, out, &what);
        directory->remove(entry);
    }
    if (error == -EAGAIN)
        snprintf(reason, TSM_REASON_bytes,
                 "%s: others write to our requests too (generation), %d times in a row",
                 directory->path, TRIES);
    else if (error)
        snprintf(reason, TSM_REASON_bytes, "%s/%s: %s", entry, what, strerror(-error));
    if (error)
        memset(out, 0, sizeof(*out));
    return error;
}
