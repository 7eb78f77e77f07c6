/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quotes of a TDX guest, by keys of our own:
 *
 *   fake-tdx root                 prints the SHA-256 of the root's key, for a policy
 *   fake-tdx collateral FILE      TCB info, the quoting enclave's identity, certificates and lists
 *   fake-tdx answer ROOT ENTRY    answers the request in ENTRY (fake_tsm.c)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/attest/fake_guest.h"
#include "tests/attest/forge_quote.h"

/* In the body of a TD 1.0. */
enum { MEASUREMENT_AT = 136, ATTRIBUTES_AT = 120, DATA_AT = 520 };

static struct quote_scene g_scene;

static void spoil(void)
{
    if (wrong("debug"))
        g_scene.body[ATTRIBUTES_AT] = 1;
    if (wrong("measurement"))
        g_scene.body[MEASUREMENT_AT] ^= 1;
    if (wrong("tcb")) /* of a platform that is behind */
        memset(g_scene.svn, 5, sizeof(g_scene.svn));
    if (wrong("expired"))
        g_scene.authority.not_after = "251231235959Z";
    if (wrong("signature"))
        g_scene.quote_signer = &g_scene.other;
    if (wrong("quoting-enclave"))
        g_scene.report_signer = &g_scene.other;
    if (wrong("root"))
        g_scene.root.key = g_scene.root.signer = g_scene.authority.signer = &g_scene.other;
}

static int answer(const char *root, const char *entry)
{
    static struct forged quote;
    uint8_t data[64];

    if (!take_request(root, entry, data))
        return 1;
    memcpy(&g_scene.body[DATA_AT], data, sizeof(data));
    spoil();
    quote_scene_make(&g_scene, &quote);
    if (wrong("torn"))
        quote.length /= 2;
    if (!wrong("no-report"))
        write_file(entry, "outblob", forged_span(&quote));
    end_request(entry);
    return 0;
}

/* As quote libraries hand collateral on: texts and hexadecimal in one object. */
static void put_text(FILE *file, const char *member, struct span text)
{
    fprintf(file, ",\"%s\":\"", member);
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] == '"')
            fputc('\\', file);
        if (text.bytes[i] == '\n')
            fputs("\\n", file);
        else
            fputc(text.bytes[i], file);
    }
    fputc('"', file);
}

static void put_hex(FILE *file, const char *member, struct span bytes)
{
    fprintf(file, ",\"%s\":\"", member);
    for (size_t i = 0; i < bytes.length; i++)
        fprintf(file, "%02x", bytes.bytes[i]);
    fputc('"', file);
}

static void put_chain(FILE *file, const char *member, const struct forge_certificate *leaf)
{
    static struct forged certificate, pem;

    pem.length = 0;
    forge_certificate(&certificate, leaf);
    forge_pem(&pem, &certificate, "CERTIFICATE");
    put_text(file, member, forged_span(&pem));
}

static int collateral(const char *path)
{
    const struct collateral *c = &g_scene.question.collateral;
    FILE *file = fopen(path, "we");
    static struct forged crl;

    if (!file) {
        perror(path);
        return 1;
    }
    quote_scene_collateral(&g_scene);
    fputs("{\"version\":\"3.1\"", file);
    put_chain(file, "pck_crl_issuer_chain", &g_scene.authority);
    put_chain(file, "tcb_info_issuer_chain", &g_scene.tcb);
    put_chain(file, "qe_identity_issuer_chain", &g_scene.root);
    forge_crl(&crl, &g_scene.root_crl);
    put_hex(file, "root_ca_crl", forged_span(&crl));
    forge_crl(&crl, &g_scene.pck_crl);
    put_hex(file, "pck_crl", forged_span(&crl));
    put_text(file, "tcb_info", c->tcb_info);
    put_hex(file, "tcb_info_signature", c->tcb_info_signature);
    put_text(file, "qe_identity", c->qe_identity);
    put_hex(file, "qe_identity_signature", c->qe_identity_signature);
    fputs("}\n", file);
    return fclose(file) ? 1 : 0;
}

int main(int argc, char **argv)
{
    char digest[65];

    quote_scene_begin(&g_scene, false, 4, QUOTE_TD10_BODY_SIZE);
    g_scene.dates =
        "\"issueDate\":\"2020-01-01T00:00:00Z\",\"nextUpdate\":\"2039-01-01T00:00:00Z\"";
    if (argc == 4 && !strcmp(argv[1], "answer"))
        return answer(argv[2], argv[3]);
    if (argc == 3 && !strcmp(argv[1], "collateral"))
        return collateral(argv[2]);
    if (argc != 2 || strcmp(argv[1], "root"))
        return 2;
    forge_key_digest(&g_scene.root_key, digest);
    puts(digest);
    return 0;
}
