/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an ELF file whose code is looked through for system calls.  What is found must be
 * what it is said to be, and the jumps that replace it must lie inside of the code.
 */
#include "tests/fuzz/fuzz.h"

#include "enclave/call_sites.h"

static bool read_bytes(const struct unwind_file *file, void *to, size_t length, uint64_t offset)
{
    if (offset > file->size || length > file->size - offset)
        return false;
    memcpy(to, (const uint8_t *)file->bytes + offset, length);
    return true;
}

static bool want_all(uint32_t number)
{
    return number < 512;
}

static void take(const struct call_code *code, const struct call_site *site)
{
    uint8_t *at = code->bytes + site->at;

    ALWAYS(site->at + site->length + 2 <= code->length);
    ALWAYS(at[site->length] == 0x0f && at[site->length + 1] == 0x05);
    if (site->length == CALL_SITE_FAR_bytes) {
        ALWAYS(at[0] == 0xb8);
        at[0] = 0xe9;
        return;
    }
    ALWAYS(site->length == CALL_SITE_SHORT_bytes && at[0] == 0x31 && at[1] == 0xc0);
    ALWAYS(site->padding + CALL_SITE_FAR_bytes <= code->length);
    code->bytes[site->padding] = 0xe9;
    at[0] = 0xeb;
    at[1] = (uint8_t)(site->padding - site->at - 2);
    ALWAYS(site->at + 2 + (uint64_t)(int64_t)(int8_t)at[1] == site->padding);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct unwind_file file = {.read = read_bytes, .bytes = data, .size = size};
    struct unwind unwind;
    struct call_code code = {.length = size, .unwind = &unwind, .wanted = want_all};
    struct call_site site;
    uint64_t from = 0;

    if (!unwind_open(&unwind, &file))
        return 0;
    code.address = unwind_address(&unwind, 0);
    if (code.address == UINT64_MAX)
        return 0;
    code.bytes = malloc(size);
    memcpy(code.bytes, data, size);
    while (call_site_next(&code, &from, &site))
        take(&code, &site);
    free(code.bytes);
    return 0;
}
