/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All keys of a channel, by HKDF-SHA256:
 *
 *   prk    = HKDF-Extract(salt: transcript, secret)
 *   key    = HKDF-Expand(prk, "optmig key" || role of the sender || stream)
 *   digest = HKDF-Expand(prk, "optmig session"), where the digests of its streams begin
 *   resume = HKDF-Expand(prk, "optmig resume"), the secret of later channels (resume.c)
 *
 * A handshake has its own transcript and secret (handshake.c), and so has each channel after it:
 * two channels never share a key, and each may count its records from zero.
 */
#include "protocol/keys.h"

#include "protocol/crypto.h"
#include "protocol/wire.h"

static void derive(const br_hkdf_context *prk, const char label[16], uint8_t role, uint8_t stream,
                   uint8_t out[32])
{
    br_hkdf_context hkdf = *prk;
    uint8_t info[18];
    struct wire w = wire_writer(info, sizeof info);
    wire_put_bytes(&w, label, 16);
    wire_put_u8(&w, role);
    wire_put_u8(&w, stream);
    br_hkdf_produce(&hkdf, info, sizeof info, out, 32);
    wipe(&hkdf, sizeof hkdf);
}

void keys_derive(const uint8_t transcript[32], const uint8_t secret[32], struct session_keys *out)
{
    br_hkdf_context prk;
    br_hkdf_init(&prk, &br_sha256_vtable, transcript, 32);
    br_hkdf_inject(&prk, secret, 32);
    br_hkdf_flip(&prk);
    for (uint8_t role = ROLE_SOURCE; role <= ROLE_DESTINATION; role++)
        for (uint8_t stream = 0; stream < STREAM_COUNT; stream++)
            derive(&prk, "optmig key     ", role, stream, out->key[role][stream]);
    derive(&prk, "optmig session ", 0, 0, out->session_digest);
    derive(&prk, "optmig resume  ", 0, 0, out->resume_secret);
    wipe(&prk, sizeof prk);
}
