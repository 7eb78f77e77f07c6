/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports of an SNP guest, by keys of our own:
 *
 *   fake-snp ark                   prints the SHA-256 of the root's key, for a policy
 *   fake-snp crl FILE [SERIAL]     the root's revocation list; with a certificate that is revoked
 *   fake-snp answer ROOT ENTRY     answers the request in ENTRY (fake_tsm.c)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/attest/fake_guest.h"
#include "tests/attest/forge_snp.h"

enum {
    TABLE_ENTRIES = 3,
    ENTRY_bytes = 24,
    DATA_AT = 0x50,
    MEASUREMENT_AT = 0x90,
    POLICY_AT = 8,
    TCB_AT = 0x180
};

static struct snp_scene g_scene;

/* GUID, offset, length for each; as the kernel hands on what the firmware's host gave it. */
static void make_table(struct forged *out)
{
    static const uint8_t guids[TABLE_ENTRIES][16] = {
        {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
         0xcd},
        {0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4, 0x4f, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
         0x82},
        {0xa4, 0x06, 0xb4, 0xc0, 0x03, 0xa8, 0x52, 0x49, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
         0xae}};
    static struct forged certificates[TABLE_ENTRIES];
    size_t at = ENTRY_bytes * (TABLE_ENTRIES + 1);
    uint8_t head[ENTRY_bytes];

    snp_scene_key(&g_scene, &certificates[0]);
    forge_certificate(&certificates[1], &g_scene.authority);
    forge_certificate(&certificates[2], &g_scene.root);
    for (size_t i = 0; i < TABLE_ENTRIES; i++) {
        memcpy(head, guids[i], 16);
        for (size_t k = 0; k < 4; k++) {
            head[16 + k] = (uint8_t)(at >> 8 * k);
            head[20 + k] = (uint8_t)(certificates[i].length >> 8 * k);
        }
        forge_bytes(out, head, sizeof(head));
        at += certificates[i].length;
    }
    memset(head, 0, sizeof(head));
    forge_bytes(out, head, sizeof(head));
    for (size_t i = 0; i < TABLE_ENTRIES; i++)
        forge_append(out, &certificates[i]);
}

static void spoil(void)
{
    if (wrong("debug"))
        g_scene.report[POLICY_AT + 2] |= 8;
    if (wrong("measurement"))
        g_scene.report[MEASUREMENT_AT] ^= 1;
    if (wrong("tcb")) { /* of an older microcode, and its certificate */
        g_scene.svn[7] = 90;
        g_scene.report[0x38 + 7] = g_scene.report[TCB_AT + 7] = 90;
        g_scene.report[0x1e0 + 7] = g_scene.report[0x1f0 + 7] = 90;
    }
    if (wrong("expired"))
        g_scene.authority.not_after = "251231235959Z";
    if (wrong("signature"))
        g_scene.report_signer = &g_scene.other;
    if (wrong("root"))
        g_scene.root.key = g_scene.root.signer = g_scene.authority.signer = &g_scene.other;
}

static int answer(const char *root, const char *entry)
{
    static struct forged table;
    uint8_t data[64];

    if (!take_request(root, entry, data))
        return 1;
    memcpy(&g_scene.report[DATA_AT], data, sizeof(data));
    spoil();
    snp_scene_sign(&g_scene);
    make_table(&table);
    if (wrong("torn-table"))
        table.length = ENTRY_bytes * 2;
    if (!wrong("no-report"))
        write_file(entry, "outblob", span_of(g_scene.report, sizeof(g_scene.report)));
    if (!wrong("no-table"))
        write_file(entry, "auxblob", forged_span(&table));
    end_request(entry);
    return 0;
}

static int list(const char *path, const char *serial)
{
    static struct forged crl;

    if (serial)
        g_scene.crl.revoked = (uint8_t)atoi(serial);
    forge_crl(&crl, &g_scene.crl);
    write_file("", path, forged_span(&crl));
    return 0;
}

int main(int argc, char **argv)
{
    char digest[65];

    snp_scene_begin(&g_scene);
    if (argc == 4 && !strcmp(argv[1], "answer"))
        return answer(argv[2], argv[3]);
    if ((argc == 3 || argc == 4) && !strcmp(argv[1], "crl"))
        return list(argv[2], argc == 4 ? argv[3] : NULL);
    if (argc != 2 || strcmp(argv[1], "ark"))
        return 2;
    forge_key_digest(&g_scene.ark, digest);
    puts(digest);
    return 0;
}
