/* SPDX-License-Identifier: Apache-2.0 */
/* See evidence_files.h.  None of this is trusted: attest/ checks what comes of it. */
#include "cli/evidence_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/pem.h"

/* Memory that lives as long as files. */
static void *keep(struct evidence_files *files, size_t size)
{
    void *block = files->count < EVIDENCE_BLOCKS_MAX ? malloc(size ? size : 1) : NULL;

    if (block)
        files->block[files->count++] = block;
    return block;
}

void evidence_free(struct evidence_files *files)
{
    while (files->count)
        free(files->block[--files->count]);
}

static bool read_all(int fd, uint8_t *bytes, size_t capacity, size_t *out_length)
{
    ssize_t got;

    *out_length = 0;
    while (*out_length < capacity &&
           (got = read(fd, bytes + *out_length, capacity - *out_length)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        *out_length += (size_t)got;
    }
    return true;
}

bool evidence_read(struct evidence_files *files, const char *path, struct span *out, char *reason,
                   size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *buffer = malloc(EVIDENCE_FILE_MAX_bytes + 1), *bytes = NULL;
    size_t length = 0;
    bool good = fd >= 0 && buffer && read_all(fd, buffer, EVIDENCE_FILE_MAX_bytes + 1, &length);

    if (!good)
        snprintf(reason, size, "%s: %s", path, strerror(errno));
    if (good && length > EVIDENCE_FILE_MAX_bytes) {
        snprintf(reason, size, "%s is longer than 1 MiB: no evidence or collateral is", path);
        good = false;
    }
    if (good && !(bytes = keep(files, length))) {
        snprintf(reason, size, "%s: too many files, or no memory", path);
        good = false;
    }
    if (good) {
        memcpy(bytes, buffer, length);
        *out = span_of(bytes, length);
    }
    free(buffer);
    if (fd >= 0)
        close(fd);
    return good;
}

/* ---- What a file is ---- */

enum added { ADDED, NOT_COLLATERAL, TOO_MANY, MALFORMED, TWICE };

static enum added add_certificate(struct attest_question *question, struct span text)
{
    if (question->certificate_count == ATTEST_CERTIFICATES_MAX)
        return TOO_MANY;
    question->certificates[question->certificate_count++] = text;
    return ADDED;
}

static enum added add_crl(struct attest_question *question, struct span der)
{
    if (question->crl_count == X509_CRLS_MAX)
        return TOO_MANY;
    question->crls[question->crl_count++] = der;
    return ADDED;
}

static enum added add_der(struct attest_question *question, struct span der)
{
    struct x509_certificate certificate;
    struct x509_crl crl;

    if (!x509_decode(der, &certificate))
        return add_certificate(question, der);
    return x509_decode_crl(der, &crl) ? NOT_COLLATERAL : add_crl(question, der);
}

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* A member's text, copied; decoded if it is hexadecimal. */
static bool take_text(struct evidence_files *files, const json_t *object, const char *name,
                      bool hex, struct span *out)
{
    const char *text = json_string_value(json_object_get(object, name));
    size_t length = text ? strlen(text) : 0;
    uint8_t *bytes = text ? keep(files, length) : NULL;

    if (!bytes || (hex && length % 2))
        return false;
    memcpy(bytes, text, length);
    for (size_t i = 0; hex && i < length / 2; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = span_of(bytes, hex ? length / 2 : length);
    return true;
}

static enum added add_members(struct evidence_files *files, struct attest_question *question,
                              const json_t *object)
{
    static const char *const chains[] = {"pck_crl_issuer_chain", "tcb_info_issuer_chain",
                                         "qe_identity_issuer_chain"};
    static const char *const crls[] = {"root_ca_crl", "pck_crl"};
    struct collateral *c = &question->collateral;
    enum added added = ADDED;
    struct span text;

    if (!json_object_get(object, "tcb_info"))
        return NOT_COLLATERAL;
    if (files->has_intel)
        return TWICE;
    files->has_intel = true;
    for (size_t i = 0; added == ADDED && i < sizeof(chains) / sizeof(chains[0]); i++)
        added = take_text(files, object, chains[i], false, &text) ? add_certificate(question, text)
                                                                  : MALFORMED;
    for (size_t i = 0; added == ADDED && i < sizeof(crls) / sizeof(crls[0]); i++)
        added =
            take_text(files, object, crls[i], true, &text) ? add_crl(question, text) : MALFORMED;
    if (added == ADDED &&
        !(take_text(files, object, "tcb_info", false, &c->tcb_info) &&
          take_text(files, object, "tcb_info_signature", true, &c->tcb_info_signature) &&
          take_text(files, object, "qe_identity", false, &c->qe_identity) &&
          take_text(files, object, "qe_identity_signature", true, &c->qe_identity_signature)))
        added = MALFORMED;
    return added;
}

static enum added add_json(struct evidence_files *files, struct attest_question *question,
                           struct span text)
{
    json_t *object =
        json_loadb((const char *)text.bytes, text.length, JSON_REJECT_DUPLICATES, NULL);
    enum added added =
        json_is_object(object) ? add_members(files, question, object) : NOT_COLLATERAL;

    json_decref(object);
    return added;
}

static enum added add_file(struct evidence_files *files, const char *name,
                           struct attest_question *question, struct span text)
{
    if (!strcmp(name, "auxblob")) {
        question->snp_table = text;
        return ADDED;
    }
    if (pem_is(text) && memmem(text.bytes, text.length, "-----BEGIN CERTIFICATE-----", 27))
        return add_certificate(question, text);
    if (text.length && text.bytes[0] == '{')
        return add_json(files, question, text);
    return text.length && text.bytes[0] == 0x30 ? add_der(question, text) : NOT_COLLATERAL;
}

static bool add_path(struct evidence_files *files, const char *path, bool pass_over,
                     struct attest_question *question, char *reason, size_t size)
{
    const char *name = strrchr(path, '/');
    struct span text;

    if (!evidence_read(files, path, &text, reason, size))
        return false;
    switch (add_file(files, name ? name + 1 : path, question, text)) {
    case ADDED:
        return true;
    case NOT_COLLATERAL:
        snprintf(reason, size, "%s is no certificate, revocation list or Intel collateral", path);
        return pass_over;
    case TOO_MANY:
        snprintf(reason, size, "%s: more certificates or revocation lists than are looked at",
                 path);
        return false;
    case TWICE:
        snprintf(reason, size, "%s is the second collateral of Intel's; name the right one", path);
        return false;
    default:
        snprintf(reason, size, "%s: Intel's collateral lacks a member, or one is malformed", path);
        return false;
    }
}

/* In the order of their names, so that the result does not depend on the directory. */
static bool add_directory(struct evidence_files *files, const char *path,
                          struct attest_question *question, char *reason, size_t size)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    bool good = count >= 0;

    if (!good)
        snprintf(reason, size, "%s: %s", path, strerror(errno));
    for (int i = 0; i < count; i++) {
        char file[4096];
        struct stat status;

        if (good && snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name) < 4096 &&
            !stat(file, &status) && S_ISREG(status.st_mode))
            good = add_path(files, file, true, question, reason, size);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return good;
}

bool evidence_add_collateral(struct evidence_files *files, const char *path,
                             struct attest_question *question, char *reason, size_t size)
{
    struct stat status;

    if (stat(path, &status)) {
        snprintf(reason, size, "%s: %s", path, strerror(errno));
        return false;
    }
    return S_ISDIR(status.st_mode) ? add_directory(files, path, question, reason, size)
                                   : add_path(files, path, false, question, reason, size);
}
