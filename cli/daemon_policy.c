/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy that this host's enclaves obey.  Its files are read at the start and again before each
 * move, so a new version, or new revocation lists, need no new start; host processes find them as
 * one file in the state directory and give it to their enclaves, which decide.  What is checked
 * here is checked there too: here only so that the operator hears of it early.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attest/bundle.h"
#include "cli/daemon.h"
#include "cli/evidence_files.h"
#include "cli/policy_state.h"

struct policy_files {
    struct evidence_files files;
    struct attest_question question; /* its collateral */
    struct span text, signature, key;
    uint8_t der[POLICY_KEY_MAX_bytes];
    struct policy policy;
};

static bool read_files(const struct daemon_options *options, struct policy_files *p, char *reason,
                       size_t size)
{
    char beside[PATH_MAX];
    const char *signature = options->policy_signature;

    snprintf(beside, sizeof(beside), "%s.sig", options->policy);
    if (!evidence_read(&p->files, options->policy, &p->text, reason, size) ||
        !evidence_read(&p->files, signature ? signature : beside, &p->signature, reason, size) ||
        !evidence_read(&p->files, options->policy_key, &p->key, reason, size))
        return false;
    for (unsigned i = 0; i < options->collateral_count; i++)
        if (!evidence_add_collateral(&p->files, options->collateral[i], &p->question, reason, size))
            return false;
    return true;
}

static bool check_policy(struct policy_files *p, const char *path, char *reason, size_t size)
{
    const char *wrong = policy_key_decode(p->key, p->der, &p->key);

    if (!wrong)
        wrong = policy_open(p->text, p->signature, p->key, &p->policy);
    if (wrong)
        snprintf(reason, size, "policy %s: %s", path, wrong);
    return !wrong;
}

/* Only ever upwards. */
static bool keep_version(const struct daemon *daemon, uint64_t version, char *reason, size_t size)
{
    char path[PATH_MAX + 32];
    uint64_t seen;

    snprintf(path, sizeof(path), "%s/policy-version", daemon->options.state);
    if (!policy_state_read(path, &seen, reason, size))
        return false;
    if (version < seen)
        snprintf(reason, size,
                 "policy %s is of version %" PRIu64 ", and version %" PRIu64
                 " was in force here before",
                 daemon->options.policy, version, seen);
    return version >= seen && (version == seen || policy_state_write(path, version, reason, size));
}

/* Aside first: a host process that reads it meanwhile gets the old one or the new one. */
static bool write_bundle(const char *path, const uint8_t *bytes, size_t length, char *reason,
                         size_t size)
{
    char aside[PATH_MAX + 8];
    bool good;
    int fd;

    snprintf(aside, sizeof(aside), "%s.new", path);
    fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    good = fd >= 0 && write(fd, bytes, length) == (ssize_t)length;
    if (fd >= 0)
        good = !close(fd) && good;
    good = good && !rename(aside, path);
    if (!good)
        snprintf(reason, size, "%s: %s", path, strerror(errno));
    return good;
}

static bool refresh(const struct daemon *daemon, struct policy_files *p, char *reason, size_t size)
{
    uint8_t *bytes;
    size_t length;
    bool good;

    if (!read_files(&daemon->options, p, reason, size) ||
        !check_policy(p, daemon->options.policy, reason, size) ||
        !keep_version(daemon, p->policy.version, reason, size))
        return false;
    bytes = malloc(BUNDLE_MAX_bytes);
    if (!bytes)
        abort();
    length = bundle_write(bytes, BUNDLE_MAX_bytes, p->key, p->text, p->signature, &p->question);
    if (!length)
        snprintf(reason, size, "policy and collateral are longer than %d KiB together",
                 BUNDLE_MAX_bytes / 1024);
    good = length && write_bundle(daemon->bundle_path, bytes, length, reason, size);
    free(bytes);
    return good;
}

bool policy_refresh(const struct daemon *daemon, char *reason, size_t size)
{
    struct policy_files *p;
    bool good;

    if (!daemon->options.policy)
        return true;
    p = calloc(1, sizeof(*p));
    if (!p)
        abort();
    good = refresh(daemon, p, reason, size);
    evidence_free(&p->files);
    free(p);
    return good;
}

void policy_start(struct daemon *daemon)
{
    char reason[1024];

    snprintf(daemon->bundle_path, sizeof(daemon->bundle_path), "%s/policy.bundle",
             daemon->options.state);
    if (!daemon->options.policy)
        unlink(daemon->bundle_path); /* Of an earlier start that had one. */
    else if (!policy_refresh(daemon, reason, sizeof(reason)))
        daemon_die("%s", reason);
}
