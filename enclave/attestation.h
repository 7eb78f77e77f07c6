/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the other side of a move is, and whether the policy allows it: judged here, in the enclave.
 * Trusts the policy's key that it was created with; the host brings policy and collateral at each
 * move, and they are believed for their signatures only.  The host also says what time it is and
 * which address the peer has: docs/attestation.md, "What the enclave has to take on trust".
 */
#pragma once

#include "attest/policy.h"
#include "enclave/runtime.h"
#include "enclave/sealed.h"

/* At creation, once: the key of this bundle (attest/bundle.h) is the only one whose policies this
 * enclave ever obeys.  0, or -EINVAL. */
long attestation_pin(const void *untrusted_bundle, uint64_t length);
/* Before each move: takes the policy in.  NULL, or why there is none that could be obeyed. */
const char *attestation_begin(const struct ecall_move *move);
/* What the hello says of the policy. */
void attestation_describe(struct hello *mine);

/* Sends this side's evidence; the destination's with its verdict. */
long attestation_send(void);
/* Judges what the other side sent, and heeds its verdict; tells the host each rule.  False:
 * refused, and attestation_reason() has a reason for each rule that failed. */
bool attestation_judge(const struct message *message);
bool attestation_refused_there(void); /* by the destination's verdict: its REFUSE follows */
const char *attestation_reason(void);

/* After the move, in the same session.  SHA-256 of the policy that was obeyed; zero: none. */
void attestation_policy_digest(uint8_t out[32]);
/* The key of the registry of starts that the obeyed policy names, and its SHA-256.  False: none. */
bool attestation_registry(uint8_t out_key[POLICY_POINT_bytes], uint8_t out_digest[32]);
/* Evidence of this side over these bytes; valid until the next is asked for.  0 or -errno. */
long attestation_state(const uint8_t report_data[64], struct message_evidence *out);
/* Would the peer's evidence over these bytes be accepted?  Tells nobody. */
bool attestation_believes(const struct message_evidence *evidence, const uint8_t report_data[64]);
