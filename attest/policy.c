/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a policy; policy.h.  Whether evidence satisfies it: evaluate.c. */
#include "attest/policy.h"

#include "attest/collateral.h"
#include "attest/date.h"
#include "attest/pem.h"
#include "attest/x509.h"

enum field_kind {
    FIELD_NUMBER,
    FIELD_BOOLEAN,
    FIELD_DATE,
    FIELD_TEXT,
    FIELD_TEXTS,     /* an array of any texts */
    FIELD_PLATFORMS, /* an array of names of platforms */
    FIELD_STATUSES,  /* of Intel's words for TCB status */
    FIELD_PRODUCTS,  /* of AMD's processors */
    FIELD_SNP_KEYS,  /* of "vcek", "vlek" */
    FIELD_REVOCATION,
    FIELD_HEX32, /* an array of 32 bytes each, hexadecimal */
    FIELD_HEX48,
    FIELD_POINT,  /* an uncompressed point of P-256, hexadecimal */
    FIELD_OBJECT, /* its members have rows of their own */
};

/* Every member that a policy may have.  Arrays of characters, not pointers: the runtime has no
 * relocations. */
static const struct field {
    char section[12], name[16];
    enum field_kind kind;
} g_fields[] = {
    {"", "optmig-policy", FIELD_NUMBER},
    {"", "version", FIELD_NUMBER},
    {"", "expires", FIELD_DATE},
    {"", "note", FIELD_TEXT},
    {"", "platforms", FIELD_PLATFORMS},
    {"", "debug", FIELD_BOOLEAN},
    {"", "destinations", FIELD_TEXTS},
    {"", "sources", FIELD_TEXTS},
    {"", "snp", FIELD_OBJECT},
    {"", "tdx", FIELD_OBJECT},
    {"", "sgx", FIELD_OBJECT},
    {"", "sim", FIELD_OBJECT},
    {"", "roots", FIELD_OBJECT},
    {"", "registry", FIELD_OBJECT},
    {"snp", "measurements", FIELD_HEX48},
    {"snp", "id_key_digests", FIELD_HEX48},
    {"snp", "host_data", FIELD_HEX32},
    {"snp", "min_tcb", FIELD_OBJECT},
    {"snp", "vmpl_max", FIELD_NUMBER},
    {"snp", "keys", FIELD_SNP_KEYS},
    {"snp", "products", FIELD_PRODUCTS},
    {"snp", "migratable", FIELD_BOOLEAN},
    {"snp", "revocation", FIELD_REVOCATION},
    {"min_tcb", "fmc", FIELD_NUMBER},
    {"min_tcb", "bootloader", FIELD_NUMBER},
    {"min_tcb", "tee", FIELD_NUMBER},
    {"min_tcb", "snp", FIELD_NUMBER},
    {"min_tcb", "microcode", FIELD_NUMBER},
    {"tdx", "measurements", FIELD_HEX48},
    {"tdx", "rtmr0", FIELD_HEX48},
    {"tdx", "rtmr1", FIELD_HEX48},
    {"tdx", "rtmr2", FIELD_HEX48},
    {"tdx", "rtmr3", FIELD_HEX48},
    {"tdx", "tcb_status", FIELD_STATUSES},
    {"tdx", "min_evaluation", FIELD_NUMBER},
    {"tdx", "migratable", FIELD_BOOLEAN},
    {"sgx", "measurements", FIELD_HEX32},
    {"sgx", "signers", FIELD_HEX32},
    {"sgx", "product", FIELD_NUMBER},
    {"sgx", "min_svn", FIELD_NUMBER},
    {"sgx", "tcb_status", FIELD_STATUSES},
    {"sgx", "min_evaluation", FIELD_NUMBER},
    {"sim", "measurements", FIELD_HEX32},
    {"sim", "keys", FIELD_HEX32},
    {"registry", "key", FIELD_POINT},
    {"roots", "amd", FIELD_HEX32},
    {"roots", "intel", FIELD_HEX32},
};

static bool is_platform(const struct value *v)
{
    return value_is(v, "sim") || value_is(v, "snp") || value_is(v, "tdx") || value_is(v, "sgx");
}

static bool element_fits(enum field_kind kind, const struct value *v)
{
    uint8_t bytes[48];
    switch (kind) {
    case FIELD_PLATFORMS:
        return is_platform(v);
    case FIELD_STATUSES: /* Revoked is never accepted. */
        return v->kind == VALUE_STRING && tcb_status_from(v->text) < TCB_REVOKED;
    case FIELD_PRODUCTS:
        return value_is(v, "Milan") || value_is(v, "Genoa") || value_is(v, "Turin");
    case FIELD_SNP_KEYS:
        return value_is(v, "vcek") || value_is(v, "vlek");
    case FIELD_HEX32:
        return value_hex(v, bytes, 32);
    case FIELD_HEX48:
        return value_hex(v, bytes, 48);
    default:
        return v->kind == VALUE_STRING && v->text.length > 0;
    }
}

/* An array with at least one entry, all of this kind.  An empty list is refused: whether it would
 * mean all or nothing, somebody would read it the other way. */
static bool list_fits(enum field_kind kind, const struct value *v)
{
    struct value_walk walk = value_walk(v);
    struct value element;
    bool any = false;
    if (v->kind != VALUE_ARRAY)
        return false;
    while (value_next(&walk, NULL, &element)) {
        if (!element_fits(kind, &element))
            return false;
        any = true;
    }
    return any;
}

static bool field_fits(enum field_kind kind, const struct value *v)
{
    uint8_t point[POLICY_POINT_bytes];
    uint64_t number;
    bool yes;
    switch (kind) {
    case FIELD_NUMBER:
        return value_number(v, &number);
    case FIELD_BOOLEAN:
        return value_boolean(v, &yes);
    case FIELD_DATE:
        return v->kind == VALUE_STRING && date_parse(v->text, &number);
    case FIELD_TEXT:
        return v->kind == VALUE_STRING;
    case FIELD_REVOCATION:
        return value_is(v, "required") || value_is(v, "if-present");
    case FIELD_POINT:
        return value_hex(v, point, sizeof point) && point[0] == 4;
    case FIELD_OBJECT:
        return v->kind == VALUE_OBJECT;
    default:
        return list_fits(kind, v);
    }
}

static const struct field *find_field(const char *section, struct span name)
{
    for (size_t i = 0; i < sizeof g_fields / sizeof g_fields[0]; i++)
        if (strlen(g_fields[i].section) == strlen(section) &&
            memcmp(g_fields[i].section, section, strlen(section)) == 0 &&
            span_equal(name, span_text(g_fields[i].name)))
            return &g_fields[i];
    return NULL;
}

/* One object: every member is known and of its kind. */
static const char *check_section(const char *section, const struct value *object)
{
    struct value_walk walk = value_walk(object);
    struct span name;
    struct value value;
    while (value_next(&walk, &name, &value)) {
        const struct field *field = find_field(section, name);
        if (!field)
            return "the policy has a member that is not known (docs/attestation.md lists them)";
        if (!field_fits(field->kind, &value))
            return "a member of the policy has a value of the wrong kind or length, or an empty "
                   "list";
    }
    return NULL;
}

/* All sections that are there; "min_tcb" lies within "snp". */
static const char *check_sections(const struct value *root)
{
    static const char names[][12] = {"snp", "tdx", "sgx", "sim", "roots", "registry"};
    const char *reason = check_section("", root);
    for (size_t i = 0; !reason && i < sizeof names / sizeof names[0]; i++) {
        struct value section = value_member(root, names[i]);
        reason = check_section(names[i], &section);
    }
    struct value snp = value_member(root, "snp"), tcb = value_member(&snp, "min_tcb");
    return reason ? reason : check_section("min_tcb", &tcb);
}

/* A platform that is named has rules, and they say which programs: nothing is accepted by default.
 */
static bool says_what(const struct value *root, const struct value *platform)
{
    struct value section = {VALUE_NONE, {NULL, 0}};
    struct value_walk walk = value_walk(root);
    struct span name;
    while (value_next(&walk, &name, &section) && !span_equal(name, platform->text))
        section.kind = VALUE_NONE;
    struct value measurements = value_member(&section, "measurements");
    struct value signers = value_member(&section, "signers");
    return measurements.kind == VALUE_ARRAY || signers.kind == VALUE_ARRAY;
}

static const char *check_platforms(const struct value *root)
{
    struct value list = value_member(root, "platforms"), platform;
    struct value_walk walk = value_walk(&list);
    if (list.kind == VALUE_NONE)
        return "the policy names no platforms";
    while (value_next(&walk, NULL, &platform))
        if (!says_what(root, &platform))
            return "a platform is named for which the policy has no measurements";
    return NULL;
}

/* A registry without a key would say anything. */
static const char *check_registry(const struct value *root)
{
    struct value section = value_member(root, "registry");
    struct value key = value_member(&section, "key");
    return section.kind == VALUE_OBJECT && key.kind == VALUE_NONE
               ? "the policy's registry has no key"
               : NULL;
}

static const char *parse(struct span text, struct policy *out)
{
    uint64_t format;
    const char *reason = value_parse(text, &out->root);
    if (reason)
        return reason;
    if (out->root.kind != VALUE_OBJECT)
        return "the policy is not an object";
    struct value number = value_member(&out->root, "optmig-policy");
    struct value version = value_member(&out->root, "version");
    if (!value_number(&number, &format) || format != POLICY_FORMAT)
        return "the policy does not say \"optmig-policy\": 1";
    if (!value_number(&version, &out->version) || out->version == 0)
        return "the policy has no version above 0";
    reason = check_sections(&out->root);
    if (!reason)
        reason = check_platforms(&out->root);
    if (!reason)
        reason = check_registry(&out->root);
    if (reason)
        return reason;
    struct value expires = value_member(&out->root, "expires");
    struct value debug = value_member(&out->root, "debug");
    out->expires = UINT64_MAX;
    if (expires.kind == VALUE_STRING)
        date_parse(expires.text, &out->expires);
    value_boolean(&debug, &out->debug);
    return NULL;
}

const char *policy_parse(struct span text, struct policy *out)
{
    memset(out, 0, sizeof *out);
    const char *reason = parse(text, out);
    if (reason)
        memset(out, 0, sizeof *out);
    return reason;
}

const char *policy_key_decode(struct span key, uint8_t der[POLICY_KEY_MAX_bytes], struct span *out)
{
    *out = key;
    if (!pem_is(key))
        return NULL;
    size_t length = pem_take(&key, "PUBLIC KEY", der, POLICY_KEY_MAX_bytes);
    if (length == 0 || !pem_at_end(key))
        return "the key is not one PEM block \"PUBLIC KEY\"";
    *out = span_of(der, length);
    return NULL;
}

const char *policy_open(struct span text, struct span signature, struct span key,
                        struct policy *out)
{
    uint8_t der[POLICY_KEY_MAX_bytes];
    struct public_key operator;
    memset(out, 0, sizeof *out);
    const char *reason = policy_key_decode(key, der, &key);
    if (reason)
        return reason;
    if (!x509_decode_key(key, &operator) || operator.kind != KEY_P256)
        return "the key is not a public key of P-256";
    if (!signature_verify_der(SIGNATURE_ECDSA_SHA256, &operator, text, signature))
        return "the policy's signature does not verify with this key";
    return policy_parse(text, out);
}

bool policy_names_platform(const struct policy *policy, const char *platform)
{
    struct value list = value_member(&policy->root, "platforms");
    return policy_lists_text(&list, span_text(platform));
}

bool policy_registry(const struct policy *policy, uint8_t key[POLICY_POINT_bytes])
{
    struct value section = value_member(&policy->root, "registry");
    struct value point = value_member(&section, "key");
    return value_hex(&point, key, POLICY_POINT_bytes);
}

struct value policy_section(const struct policy *policy, const char *platform)
{
    return value_member(&policy->root, platform);
}

bool policy_lists_bytes(const struct value *list, struct span bytes)
{
    struct value_walk walk = value_walk(list);
    struct value element;
    uint8_t listed[48];
    while (bytes.length <= sizeof listed && value_next(&walk, NULL, &element))
        if (value_hex(&element, listed, bytes.length) &&
            span_equal(span_of(listed, bytes.length), bytes))
            return true;
    return false;
}

bool policy_lists_text(const struct value *list, struct span text)
{
    struct value_walk walk = value_walk(list);
    struct value element;
    while (value_next(&walk, NULL, &element))
        if (element.kind == VALUE_STRING && span_equal(element.text, text))
            return true;
    return false;
}

static bool matches(struct span pattern, struct span text)
{
    size_t star = 0;
    while (star < pattern.length && pattern.bytes[star] != '*')
        star++;
    if (star == pattern.length)
        return span_equal(pattern, text);
    size_t after = pattern.length - star - 1;
    return text.length >= star + after && memcmp(text.bytes, pattern.bytes, star) == 0 &&
           memcmp(&text.bytes[text.length - after], &pattern.bytes[star + 1], after) == 0;
}

bool policy_lists_pattern(const struct value *list, struct span text)
{
    struct value_walk walk = value_walk(list);
    struct value element;
    while (value_next(&walk, NULL, &element))
        if (element.kind == VALUE_STRING && matches(element.text, text))
            return true;
    return false;
}
