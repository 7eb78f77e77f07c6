/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: make-scene DIR
 *
 * Writes what the test of the commands needs: evidence of sim, policies with signatures, keys, and
 * collateral, all made with keys of our own.
 */
#include "tests/attest/forge.h"

#include <stdio.h>
#include <stdlib.h>

#include "protocol/protocol.h"

static const char *g_directory;

static void put(const char *name, struct span bytes)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", g_directory, name);
    FILE *file = fopen(path, "we");
    if (!file || fwrite(bytes.bytes, 1, bytes.length, file) != bytes.length || fclose(file)) {
        perror(path);
        exit(1);
    }
}

static void put_key(const char *name, const struct forge_key *key)
{
    struct forged info = {0}, text = {0};
    forge_key_info(&info, key);
    forge_pem(&text, &info, "PUBLIC KEY");
    put(name, forged_span(&text));
}

static void put_policy(const char *name, const struct forge_key *key, const char *text)
{
    char signature_name[64];
    uint8_t signature[110];
    size_t length = forge_sign_der(key, span_text(text), signature);
    put(name, span_text(text));
    snprintf(signature_name, sizeof signature_name, "%s.sig", name);
    put(signature_name, span_of(signature, length));
}

static void put_policies(const struct forge_key *operator)
{
    static const char form[] =
        "{\"optmig-policy\":1,\"version\":%d,\"platforms\":[\"%s\"],\"%s\":{\"measurements\":[\"%"
        "s\"]},"
        "\"destinations\":[\"10.0.0.*\"],\"expires\":\"2030-01-01T00:00:00Z\"}";
    static const char measurement[] =
        "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
    char text[1024];
    for (int version = 4; version <= 6; version++) {
        char name[32];
        snprintf(name, sizeof name, "policy-%d.json", version);
        snprintf(text, sizeof text, form, version, "sim", "sim", measurement);
        put_policy(name, operator, text);
    }
    snprintf(text, sizeof text, form, 5, "sgx", "sgx", measurement);
    put_policy("policy-without-sim.json", operator, text);
}

static void put_collateral(const struct forge_key *key)
{
    struct forge_certificate c = {.subject = "Root",
                                  .issuer = "Root",
                                  .serial = 1,
                                  .authority = true,
                                  .path_length = -1,
                                  .key = key,
                                  .signer = key};
    struct forge_crl l = {.issuer = "Root", .signer = key};
    struct forged der = {0}, text = {0};
    forge_certificate(&der, &c);
    put("collateral/root.der", forged_span(&der));
    forge_pem(&text, &der, "CERTIFICATE");
    put("collateral/root.pem", forged_span(&text));
    forge_crl(&der, &l);
    put("collateral/list.crl", forged_span(&der));
    put("collateral/notes.txt", span_text("no collateral\n"));
}

int main(int argc, char **argv)
{
    struct forge_key operator, other;
    uint8_t measurement[32], data[64], host[32] = {7}, evidence[SIM_EVIDENCE_SIZE];
    if (argc != 2)
        return 2;
    g_directory = argv[1];
    forge_key(&operator, KEY_P256, "operator");
    forge_key(&other, KEY_P256, "another");
    memset(measurement, 0x5a, sizeof measurement);
    memset(data, 0xda, sizeof data);
    if (sim_report(host, measurement, data, evidence))
        return 1;
    put("evidence", span_of(evidence, sizeof evidence));
    evidence[40] ^= 1;
    put("changed-evidence", span_of(evidence, sizeof evidence));
    put_key("operator.pem", &operator);
    put_key("other.pem", &other);
    put_policies(&operator);
    put_collateral(&operator);
    return 0;
}
