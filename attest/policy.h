/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be trusted with a program: a JSON text, signed apart from it by ECDSA P-256 with SHA-256
 * (a key of the operator's; `openssl dgst -sha256 -sign`).  docs/attestation.md lists its members.
 *
 * The text is parsed only after its signature verified, and as a whole: a member that is not known,
 * of the wrong kind, or missing refuses the policy.  Its version only ever grows; who keeps the
 * last one seen gives it to attest_verify().
 */
#pragma once

#include "attest/value.h"
#include "attest/verdict.h"

enum { POLICY_FORMAT = 1, POLICY_KEY_MAX_bytes = 256, POLICY_POINT_bytes = 65 };

struct policy { /* points into the text */
    struct value root;
    uint64_t version;
    uint64_t expires; /* seconds since 1970; UINT64_MAX: never */
    bool debug;       /* debuggable enclaves are allowed */
};

/* An operator's key as DER: of the input, which may be PEM, or in der. */
const char *policy_key_decode(struct span key, uint8_t der[POLICY_KEY_MAX_bytes], struct span *out);
/* key: SubjectPublicKeyInfo in PEM or DER.  NULL if good; else *out is zero. */
const char *policy_open(struct span text, struct span signature, struct span key,
                        struct policy *out);
/* The parsing alone. */
const char *policy_parse(struct span text, struct policy *out);

/* The names of the platforms: "sim", "snp", "tdx", "sgx". */
bool policy_names_platform(const struct policy *policy, const char *platform);
/* The key of the registry of starts: false if the policy names none. */
bool policy_registry(const struct policy *policy, uint8_t key[POLICY_POINT_bytes]);
/* A platform's section. */
struct value policy_section(const struct policy *policy, const char *platform);
/* List is an array of hexadecimal texts; one of them is bytes. */
bool policy_lists_bytes(const struct value *list, struct span bytes);
/* List is an array of texts; one of them is this. */
bool policy_lists_text(const struct value *list, struct span text);
/* The same, where one '*' in a listed text stands for any characters. */
bool policy_lists_pattern(const struct value *list, struct span text);
