/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of the simulated platform: an ECDSA signature (P-256) by a key of the host.
 *
 * It shows that whoever holds that key made this report for this hello.  It isolates nothing: the
 * host can read the enclave's memory, and the key is the host's.  The verifier takes the public key
 * from the evidence itself; a list of trusted keys is the business of a policy above this file.
 */
#include "protocol/crypto.h"
#include "protocol/protocol.h"
#include "protocol/wire.h"

enum {
    SIM_MEASUREMENT_SIZE = 32,
    SIM_REPORT_DATA_SIZE = 64,
    SIM_PUBLIC_KEY_SIZE = 65,
    SIM_SIGNATURE_SIZE = 64,
};
_Static_assert(SIM_EVIDENCE_SIZE == 4 + SIM_MEASUREMENT_SIZE + SIM_REPORT_DATA_SIZE +
                                        SIM_PUBLIC_KEY_SIZE + SIM_SIGNATURE_SIZE,
               "the layout in protocol.h");

static const br_ec_impl *const g_p256 = &br_ec_p256_m31;

static void report_digest(const uint8_t *measurement, const uint8_t *report_data, uint8_t out[32])
{
    br_sha256_context sha;
    br_sha256_init(&sha);
    br_sha256_update(&sha, measurement, SIM_MEASUREMENT_SIZE);
    br_sha256_update(&sha, report_data, SIM_REPORT_DATA_SIZE);
    br_sha256_out(&sha, out);
}

int sim_report(const uint8_t private_key[32], const uint8_t measurement[32],
               const uint8_t report_data[64], uint8_t out_evidence[SIM_EVIDENCE_SIZE])
{
    uint8_t scalar[32], digest[32], public_key[BR_EC_KBUF_PUB_MAX_SIZE];
    uint8_t signature[SIM_SIGNATURE_SIZE];
    int error = PROTOCOL_ARGUMENT; /* the private key is zero, or not below the group's order */
    memcpy(scalar, private_key, sizeof scalar);
    br_ec_private_key key = {.curve = BR_EC_secp256r1, .x = scalar, .xlen = sizeof scalar};
    memset(out_evidence, 0, SIM_EVIDENCE_SIZE);
    report_digest(measurement, report_data, digest);
    if (br_ecdsa_i31_sign_raw(g_p256, &br_sha256_vtable, digest, &key, signature) ==
            SIM_SIGNATURE_SIZE &&
        br_ec_compute_pub(g_p256, NULL, public_key, &key) == SIM_PUBLIC_KEY_SIZE) {
        struct wire w = wire_writer(out_evidence, SIM_EVIDENCE_SIZE);
        wire_put_bytes(&w, "SIM1", 4);
        wire_put_bytes(&w, measurement, SIM_MEASUREMENT_SIZE);
        wire_put_bytes(&w, report_data, SIM_REPORT_DATA_SIZE);
        wire_put_bytes(&w, public_key, SIM_PUBLIC_KEY_SIZE);
        wire_put_bytes(&w, signature, SIM_SIGNATURE_SIZE);
        error = PROTOCOL_OK;
    }
    wipe(scalar, sizeof scalar);
    return error;
}

/* True if the signature is good; a point that is not on the curve gives false. */
static bool signature_valid(const uint8_t digest[32], uint8_t public_key[SIM_PUBLIC_KEY_SIZE],
                            const uint8_t signature[SIM_SIGNATURE_SIZE])
{
    br_ec_public_key key = {.curve = BR_EC_secp256r1, .q = public_key, .qlen = SIM_PUBLIC_KEY_SIZE};
    return br_ecdsa_i31_vrfy_raw(g_p256, digest, 32, &key, signature, SIM_SIGNATURE_SIZE) == 1;
}

int sim_verify(const uint8_t *evidence, size_t length, const uint8_t measurement[32],
               const uint8_t report_data[64])
{
    struct wire w = wire_reader(evidence, length);
    uint8_t magic[4], measured[SIM_MEASUREMENT_SIZE], data[SIM_REPORT_DATA_SIZE];
    uint8_t public_key[SIM_PUBLIC_KEY_SIZE], signature[SIM_SIGNATURE_SIZE], digest[32];
    wire_take_bytes(&w, magic, sizeof magic);
    wire_take_bytes(&w, measured, sizeof measured);
    wire_take_bytes(&w, data, sizeof data);
    wire_take_bytes(&w, public_key, sizeof public_key);
    wire_take_bytes(&w, signature, sizeof signature);
    if (!wire_complete(&w) || memcmp(magic, "SIM1", sizeof magic) != 0)
        return PROTOCOL_EVIDENCE;
    report_digest(measured, data, digest);
    if (!signature_valid(digest, public_key, signature))
        return PROTOCOL_EVIDENCE;
    if (!bytes_equal(measured, measurement, sizeof measured))
        return PROTOCOL_MEASUREMENT;
    if (!bytes_equal(data, report_data, sizeof data))
        return PROTOCOL_REPORT_DATA;
    return PROTOCOL_OK;
}
