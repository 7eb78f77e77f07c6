/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of SNP reports, of what their keys' certificates say, and of the table of certificates;
 * snp.h. */
#include "attest/snp.h"

#include "attest/der.h"
#include "attest/fields.h"

enum {
    SIGNATURE_ALGORITHM_P384 = 1,
    SIGNATURE_NUMBER_SIZE = 72, /* of r and of s, little-endian */
    VMPL_MAX = 3,
    TABLE_ENTRIES_MAX = 16,
};

/* 72 bytes, little-endian, to 48, big-endian. */
static void take_signature_number(struct wire *w, uint8_t out[48])
{
    struct span s = field_take(w, SIGNATURE_NUMBER_SIZE);
    for (size_t i = 0; s.bytes && i < SIGNATURE_NUMBER_SIZE; i++) {
        if (i < 48)
            out[47 - i] = s.bytes[i];
        else if (s.bytes[i] != 0)
            w->failed = true;
    }
}

bool snp_is_report(struct span evidence)
{
    struct wire w = wire_reader(evidence.bytes, evidence.length);
    uint32_t version = wire_take_u32(&w);
    return evidence.length == SNP_REPORT_SIZE && version >= SNP_VERSION_MIN &&
           version <= SNP_VERSION_MAX;
}

/* The last fields before the signature, which versions 3 to 5 extended. */
static void take_versions(struct wire *w, struct snp_report *out)
{
    field_take(w, 3); /* current firmware: build, minor, major */
    field_zeros(w, 1);
    field_take(w, 3); /* committed firmware */
    field_zeros(w, 1);
    out->launch_tcb = field_take(w, 8);
    if (out->version >= 5)
        field_take(w, 16); /* mitigations at launch, and now */
    else
        field_zeros(w, 16);
    field_zeros(w, SNP_SIGNED_SIZE - 0x208);
}

static void take_body(struct wire *w, struct snp_report *out)
{
    field_take(w, 16 + 16); /* family and image id: the guest owner's labels */
    out->vmpl = wire_take_u32(w);
    uint32_t algorithm = wire_take_u32(w);
    out->current_tcb = field_take(w, 8);
    wire_take_u64(w); /* platform information */
    uint32_t flags = wire_take_u32(w);
    out->chip_key_masked = (flags & 2) != 0;
    out->signing_key = flags >> 2 & 7;
    field_zeros(w, 4);
    out->report_data = field_take(w, 64);
    out->measurement = field_take(w, SNP_MEASUREMENT_SIZE);
    out->host_data = field_take(w, 32);
    out->id_key_digest = field_take(w, 48);
    field_take(w, 48 + 32 + 32); /* author key digest, report id, migration agent's report id */
    out->reported_tcb = field_take(w, 8);
    if (out->version >= 3) {
        out->family = wire_take_u8(w);
        out->model = wire_take_u8(w);
        field_take(w, 1); /* stepping */
        field_zeros(w, 21);
    } else {
        field_zeros(w, 24);
    }
    out->chip_id = field_take(w, 64);
    out->committed_tcb = field_take(w, 8);
    take_versions(w, out);
    if (algorithm != SIGNATURE_ALGORITHM_P384 || (flags & ~0x1fu) != 0)
        w->failed = true;
}

const char *snp_decode(struct span evidence, struct snp_report *out)
{
    struct wire w = wire_reader(evidence.bytes, evidence.length);
    memset(out, 0, sizeof *out);
    out->version = wire_take_u32(&w);
    if (!snp_is_report(evidence))
        return "not an SNP report of version 2 to 5 with 1184 bytes";
    wire_take_u32(&w); /* the guest's own security version */
    out->policy = wire_take_u64(&w);
    take_body(&w, out);
    out->signed_bytes = span_of(evidence.bytes, SNP_SIGNED_SIZE);
    take_signature_number(&w, out->signature);
    take_signature_number(&w, &out->signature[48]);
    field_zeros(&w, SNP_REPORT_SIZE - SNP_SIGNED_SIZE - 2 * SIGNATURE_NUMBER_SIZE);
    if (!wire_complete(&w) || out->vmpl > VMPL_MAX ||
        (out->policy >> SNP_POLICY_RESERVED_ONE & 1) == 0) {
        memset(out, 0, sizeof *out);
        return "a reserved field of the report is not as its version has it";
    }
    return NULL;
}

/* ---- The key's certificate: 1.3.6.1.4.1.3704.1.* ---- */

#define AMD_ARC 0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01

static struct span amd_extension(const struct x509_certificate *key, uint8_t arc, uint8_t number)
{
    const uint8_t oid[10] = {AMD_ARC, arc, number};
    return x509_extension(key, span_of(oid, number ? 10 : 9));
}

/* One security version: 1.3.6.1.4.1.3704.1.3.number. */
static uint8_t take_svn(const struct x509_certificate *key, uint8_t number, bool *good)
{
    struct der d = der_reader(amd_extension(key, 3, number));
    uint8_t value = (uint8_t)der_take_number(&d, 255);
    if (!der_complete(&d))
        *good = false;
    return value;
}

/* "Milan-B0", "Genoa", ...: what is before the '-'. */
static enum snp_product product_of(struct span name)
{
    static const struct {
        char name[8];
        enum snp_product product;
    } products[] = {{"Milan", SNP_MILAN}, {"Genoa", SNP_GENOA}, {"Turin", SNP_TURIN}};
    size_t length = 0;
    while (length < name.length && name.bytes[length] != '-')
        length++;
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++)
        if (span_equal(span_of(name.bytes, length), span_text(products[i].name)))
            return products[i].product;
    return SNP_PRODUCT_NONE;
}

const char *snp_key_facts(const struct x509_certificate *key, struct snp_key_facts *out)
{
    bool good = true;
    memset(out, 0, sizeof *out);
    struct der d = der_reader(amd_extension(key, 2, 0));
    struct span name = der_take(&d, DER_IA5_STRING, NULL);
    out->product = der_complete(&d) ? product_of(name) : SNP_PRODUCT_NONE;
    if (out->product == SNP_PRODUCT_NONE)
        return "its certificate names no product that is known (Milan, Genoa, Turin)";
    out->tcb.bootloader = take_svn(key, 1, &good);
    out->tcb.tee = take_svn(key, 2, &good);
    out->tcb.snp = take_svn(key, 3, &good);
    out->tcb.microcode = take_svn(key, 8, &good);
    if (out->product == SNP_TURIN)
        out->tcb.fmc = take_svn(key, 9, &good);
    out->chip = amd_extension(key, 4, 0);
    return good ? NULL : "its certificate does not say for which TCB the key is";
}

void snp_tcb_of(struct span raw, enum snp_product product, struct snp_tcb *out)
{
    memset(out, 0, sizeof *out);
    if (raw.length != 8)
        return;
    const uint8_t *b = raw.bytes;
    if (product == SNP_TURIN)
        *out = (struct snp_tcb){b[0], b[1], b[2], b[3], b[7]};
    else
        *out = (struct snp_tcb){0, b[0], b[1], b[6], b[7]};
}

static uint8_t lower(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

void snp_lowest_tcb(const struct snp_report *report, enum snp_product product, struct snp_tcb *out)
{
    const struct span raw[] = {report->reported_tcb, report->committed_tcb, report->current_tcb,
                               report->launch_tcb};
    memset(out, 0xff, sizeof *out);
    for (size_t i = 0; i < sizeof raw / sizeof raw[0]; i++) {
        struct snp_tcb tcb;
        snp_tcb_of(raw[i], product, &tcb);
        out->fmc = lower(out->fmc, tcb.fmc);
        out->bootloader = lower(out->bootloader, tcb.bootloader);
        out->tee = lower(out->tee, tcb.tee);
        out->snp = lower(out->snp, tcb.snp);
        out->microcode = lower(out->microcode, tcb.microcode);
    }
}

const char *snp_product_name(enum snp_product product)
{
    return product == SNP_MILAN   ? "Milan"
           : product == SNP_GENOA ? "Genoa"
           : product == SNP_TURIN ? "Turin"
                                  : "unknown";
}

void snp_tcb_words(struct words *w, const struct snp_tcb *tcb)
{
    words_put(w, "fmc ");
    words_number(w, tcb->fmc);
    words_put(w, ", bootloader ");
    words_number(w, tcb->bootloader);
    words_put(w, ", tee ");
    words_number(w, tcb->tee);
    words_put(w, ", snp ");
    words_number(w, tcb->snp);
    words_put(w, ", microcode ");
    words_number(w, tcb->microcode);
}

/* ---- The table of certificates ---- */

static bool is_certificate_guid(const uint8_t guid[16])
{
    static const uint8_t known[4][16] = {
        /* VCEK 63da758d-e664-4564-adc5-f4b93be8accd */
        {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
         0xcd},
        /* VLEK a8074bc2-a25a-483e-aae6-39c045a0b8a1 */
        {0xc2, 0x4b, 0x07, 0xa8, 0x5a, 0xa2, 0x3e, 0x48, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8,
         0xa1},
        /* ASK 4ab7b379-bbac-4fe4-a02f-05aef327c782 */
        {0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4, 0x4f, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
         0x82},
        /* ARK c0b406a4-a803-4952-9743-3fb6014cd0ae */
        {0xa4, 0x06, 0xb4, 0xc0, 0x03, 0xa8, 0x52, 0x49, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
         0xae},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (memcmp(known[i], guid, 16) == 0)
            return true;
    return false;
}

const char *snp_add_table(struct x509_store *store, struct span table)
{
    struct wire w = wire_reader(table.bytes, table.length);
    for (uint32_t i = 0; i < TABLE_ENTRIES_MAX; i++) {
        struct span guid = field_take(&w, 16);
        uint32_t offset = wire_take_u32(&w), length = wire_take_u32(&w);
        if (w.failed)
            return "the table of certificates has no end";
        if (span_zero(guid))
            return NULL;
        if (offset > table.length || length > table.length - offset)
            return "the table of certificates points outside of itself";
        if (!is_certificate_guid(guid.bytes)) /* a revocation list, or the vendor's own */
            continue;
        const char *reason = x509_store_add(store, span_of(&table.bytes[offset], length));
        if (reason)
            return reason;
    }
    return "the table of certificates is longer than is looked at";
}
