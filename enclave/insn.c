/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See insn.h.  An instruction is: prefixes, opcode, ModRM (with SIB and displacement), immediate.
 * The tables below say for each opcode what follows it; everything that they do not list is
 * unknown.
 */
#include "enclave/insn.h"

enum { INSN_MAX_bytes = 15 };

/* What follows an opcode. */
enum {
    F_NONE = 0,
    F_MODRM = 1,
    F_I8 = 2, /* immediates */
    F_I16 = 4,
    F_IZ = 8,       /* 4 bytes, or 2 with the operand-size prefix */
    F_IV = 16,      /* as IZ, or 8 bytes with REX.W */
    F_ADDRESS = 32, /* 8 bytes, or 4 with the address-size prefix */
    F_REL8 = 64,
    F_REL32 = 128,
    F_UNKNOWN = 256,
    F_M8 = F_MODRM | F_I8,
    F_MZ = F_MODRM | F_IZ,
};

/* Runs of opcodes with the same form; each goes to the opcode before the next one's first. */
struct run {
    uint8_t first;
    uint16_t form;
};

static const struct run g_one_byte[] = {
    {0x00, F_MODRM},   {0x04, F_I8},      {0x05, F_IZ},      {0x06, F_UNKNOWN},
    {0x08, F_MODRM},   {0x0c, F_I8},      {0x0d, F_IZ},      {0x0e, F_UNKNOWN},
    {0x10, F_MODRM},   {0x14, F_I8},      {0x15, F_IZ},      {0x16, F_UNKNOWN},
    {0x18, F_MODRM},   {0x1c, F_I8},      {0x1d, F_IZ},      {0x1e, F_UNKNOWN},
    {0x20, F_MODRM},   {0x24, F_I8},      {0x25, F_IZ},      {0x26, F_UNKNOWN},
    {0x28, F_MODRM},   {0x2c, F_I8},      {0x2d, F_IZ},      {0x2e, F_UNKNOWN},
    {0x30, F_MODRM},   {0x34, F_I8},      {0x35, F_IZ},      {0x36, F_UNKNOWN},
    {0x38, F_MODRM},   {0x3c, F_I8},      {0x3d, F_IZ},      {0x3e, F_UNKNOWN},
    {0x50, F_NONE},    {0x60, F_UNKNOWN}, {0x63, F_MODRM},   {0x64, F_UNKNOWN},
    {0x68, F_IZ},      {0x69, F_MZ},      {0x6a, F_I8},      {0x6b, F_M8},
    {0x6c, F_NONE},    {0x70, F_REL8},    {0x80, F_M8},      {0x81, F_MZ},
    {0x82, F_UNKNOWN}, {0x83, F_M8},      {0x84, F_MODRM},   {0x90, F_NONE},
    {0x9a, F_UNKNOWN}, {0x9b, F_NONE},    {0xa0, F_ADDRESS}, {0xa4, F_NONE},
    {0xa8, F_I8},      {0xa9, F_IZ},      {0xaa, F_NONE},    {0xb0, F_I8},
    {0xb8, F_IV},      {0xc0, F_M8},      {0xc2, F_I16},     {0xc3, F_NONE},
    {0xc4, F_UNKNOWN}, {0xc6, F_M8},      {0xc7, F_MZ},      {0xc8, F_I16 | F_I8},
    {0xc9, F_NONE},    {0xca, F_I16},     {0xcb, F_NONE},    {0xcd, F_I8},
    {0xce, F_UNKNOWN}, {0xcf, F_NONE},    {0xd0, F_MODRM},   {0xd4, F_UNKNOWN},
    {0xd7, F_NONE},    {0xd8, F_MODRM},   {0xe0, F_REL8},    {0xe4, F_I8},
    {0xe8, F_REL32},   {0xea, F_UNKNOWN}, {0xeb, F_REL8},    {0xec, F_NONE},
    {0xf0, F_UNKNOWN}, {0xf1, F_NONE},    {0xf2, F_UNKNOWN}, {0xf4, F_NONE},
    {0xf6, F_MODRM},   {0xf8, F_NONE},    {0xfe, F_MODRM},
};

static const struct run g_two_byte[] = {
    {0x00, F_MODRM},   {0x04, F_UNKNOWN}, {0x05, F_NONE},    {0x0a, F_UNKNOWN}, {0x0b, F_NONE},
    {0x0c, F_UNKNOWN}, {0x0d, F_MODRM},   {0x0e, F_UNKNOWN}, {0x10, F_MODRM},   {0x20, F_UNKNOWN},
    {0x28, F_MODRM},   {0x30, F_NONE},    {0x36, F_UNKNOWN}, {0x40, F_MODRM},   {0x70, F_M8},
    {0x74, F_MODRM},   {0x77, F_NONE},    {0x78, F_UNKNOWN}, {0x7c, F_MODRM},   {0x80, F_REL32},
    {0x90, F_MODRM},   {0xa0, F_NONE},    {0xa3, F_MODRM},   {0xa4, F_M8},      {0xa5, F_MODRM},
    {0xa6, F_UNKNOWN}, {0xa8, F_NONE},    {0xab, F_MODRM},   {0xac, F_M8},      {0xad, F_MODRM},
    {0xba, F_M8},      {0xbb, F_MODRM},   {0xc2, F_M8},      {0xc3, F_MODRM},   {0xc4, F_M8},
    {0xc7, F_MODRM},   {0xc8, F_NONE},    {0xd0, F_MODRM},
};

/* The map that VEX and EVEX call 1: as two bytes, without what has no vector form. */
static const struct run g_vector[] = {
    {0x00, F_UNKNOWN}, {0x10, F_MODRM},   {0x18, F_UNKNOWN}, {0x28, F_MODRM},   {0x30, F_UNKNOWN},
    {0x41, F_MODRM},   {0x70, F_M8},      {0x74, F_MODRM},   {0x77, F_NONE},    {0x78, F_MODRM},
    {0x80, F_UNKNOWN}, {0x90, F_MODRM},   {0x9a, F_UNKNOWN}, {0xae, F_MODRM},   {0xaf, F_UNKNOWN},
    {0xc2, F_M8},      {0xc3, F_UNKNOWN}, {0xc4, F_M8},      {0xc7, F_UNKNOWN}, {0xd0, F_MODRM},
};

static uint32_t form_in(const struct run *runs, size_t count, uint8_t opcode)
{
    size_t low = 0, high = count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (runs[middle].first <= opcode)
            low = middle;
        else
            high = middle;
    }
    return runs[low].form;
}

struct decoder {
    const uint8_t *at, *end; /* of what is there, and of what may belong to the instruction */
    bool operand_size, address_size, repeat, wide;
    uint8_t opcode;
    uint32_t map; /* 0: one byte, 1: 0f, 2: 0f 38, 3: 0f 3a */
    uint8_t modrm;
    bool vector;
};

static bool take(struct decoder *d, size_t count)
{
    if ((size_t)(d->end - d->at) < count)
        return false;
    d->at += count;
    return true;
}

static bool take_byte(struct decoder *d, uint8_t *out)
{
    if (d->at == d->end)
        return false;
    *out = *d->at++;
    return true;
}

/* Legacy prefixes, then one REX, which counts only right before the opcode. */
static bool take_prefixes(struct decoder *d)
{
    for (; d->at < d->end; d->at++) {
        switch (*d->at) {
        case 0x66:
            d->operand_size = true;
            break;
        case 0x67:
            d->address_size = true;
            break;
        case 0xf2:
        case 0xf3:
            d->repeat = true;
            break;
        case 0xf0:
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0x64:
        case 0x65:
            break;
        default:
            if ((*d->at & 0xf0) == 0x40)
                d->wide = *d->at++ >> 3 & 1;
            return d->at < d->end;
        }
    }
    return false;
}

/* VEX and EVEX: after the first byte, which says which.  0: not known. */
static uint32_t take_vector_opcode(struct decoder *d, uint8_t first)
{
    uint8_t payload[3] = {0};
    size_t count = first == 0xc5 ? 1 : first == 0xc4 ? 2 : 3;

    d->vector = true;
    for (size_t i = 0; i < count; i++)
        if (!take_byte(d, &payload[i]))
            return F_UNKNOWN;
    d->map = first == 0xc5 ? 1 : first == 0xc4 ? payload[0] & 0x1f : payload[0] & 7;
    if (!take_byte(d, &d->opcode))
        return F_UNKNOWN;
    switch (d->map) {
    case 1:
        return form_in(g_vector, OM_ARRAY_LENGTH(g_vector), d->opcode);
    case 2:
        return F_MODRM;
    case 3:
        return F_M8;
    case 5: /* AVX512-FP16 */
    case 6:
        return first == 0x62 ? F_MODRM : F_UNKNOWN;
    default:
        return F_UNKNOWN;
    }
}

static uint32_t take_two_byte_opcode(struct decoder *d)
{
    if (!take_byte(d, &d->opcode))
        return F_UNKNOWN;
    if (d->opcode == 0x38 || d->opcode == 0x3a) {
        d->map = d->opcode == 0x38 ? 2 : 3;
        return take_byte(d, &d->opcode) ? (d->map == 2 ? F_MODRM : F_M8) : F_UNKNOWN;
    }
    d->map = 1;
    return form_in(g_two_byte, OM_ARRAY_LENGTH(g_two_byte), d->opcode);
}

static uint32_t take_opcode(struct decoder *d)
{
    if (!take_byte(d, &d->opcode))
        return F_UNKNOWN;
    switch (d->opcode) {
    case 0x0f:
        return take_two_byte_opcode(d);
    case 0xc4:
    case 0xc5:
    case 0x62:
        return take_vector_opcode(d, d->opcode);
    default:
        return form_in(g_one_byte, OM_ARRAY_LENGTH(g_one_byte), d->opcode);
    }
}

static bool take_modrm(struct decoder *d)
{
    uint8_t sib = 0;
    uint32_t mode, base;

    if (!take_byte(d, &d->modrm))
        return false;
    mode = d->modrm >> 6;
    base = d->modrm & 7;
    if (mode == 3)
        return true;
    if (base == 4) {
        if (!take_byte(d, &sib))
            return false;
        base = sib & 7;
    }
    if (mode == 2 || (mode == 0 && base == 5))
        return take(d, 4);
    return mode == 0 || take(d, 1);
}

/* Forms that depend on the ModRM byte, in the one-byte map. */
static uint32_t refine(const struct decoder *d, uint32_t form)
{
    uint32_t operation = d->modrm >> 3 & 7;

    if (d->map != 0 || d->vector)
        return form;
    switch (d->opcode) {
    case 0x8f: /* others are AMD's XOP */
        return operation == 0 ? form : F_UNKNOWN;
    case 0xc6:
    case 0xc7: /* others are unknown, or xabort and xbegin, which jumps */
        return operation == 0 ? form : F_UNKNOWN;
    case 0xf6:
        return operation < 2 ? form | F_I8 : form;
    case 0xf7:
        return operation < 2 ? form | F_IZ : form;
    case 0xfe:
        return operation < 2 ? form : F_UNKNOWN;
    case 0xff:
        return operation < 7 ? form : F_UNKNOWN;
    default:
        return form;
    }
}

static size_t immediate_size(const struct decoder *d, uint32_t form)
{
    size_t size = 0;
    size_t word = d->operand_size && !d->wide ? 2 : 4;

    if (form & (F_I8 | F_REL8))
        size += 1;
    if (form & F_I16)
        size += 2;
    if (form & F_IZ)
        size += word;
    if (form & F_IV)
        size += d->wide ? 8 : word;
    if (form & F_ADDRESS)
        size += d->address_size ? 4 : 8;
    if (form & F_REL32)
        size += 4;
    return size;
}

static uint32_t kind_of(const struct decoder *d, uint32_t form)
{
    uint32_t operation = d->modrm >> 3 & 7;

    if (d->vector || d->map > 1)
        return INSN_PLAIN;
    if (d->map == 1) {
        if (d->opcode == 0x1f || d->opcode == 0x1e)
            return d->opcode == 0x1f && operation == 0 ? INSN_NOP : INSN_PLAIN;
        if (d->opcode == 0x0b || d->opcode == 0x07 || d->opcode == 0x35)
            return INSN_RETURN;
        return form & F_REL32 ? INSN_BRANCH : INSN_PLAIN;
    }
    switch (d->opcode) {
    case 0x90:
        return d->repeat ? INSN_PLAIN : INSN_NOP;
    case 0xe8:
        return INSN_CALL;
    case 0xe9:
    case 0xeb:
        return INSN_JUMP;
    case 0xff:
        return operation == 4 || operation == 5 ? INSN_JUMP_UNKNOWN : INSN_PLAIN;
    case 0xc2:
    case 0xc3:
    case 0xca:
    case 0xcb:
    case 0xcf:
    case 0xf4:
        return INSN_RETURN;
    default:
        return form & F_REL8 ? INSN_BRANCH : INSN_PLAIN;
    }
}

bool insn_decode(const uint8_t *code, size_t room, struct insn *out)
{
    struct decoder d = {.at = code, .end = code + OM_MIN(room, (size_t)INSN_MAX_bytes)};
    uint32_t form;
    size_t size;

    if (!take_prefixes(&d))
        return false;
    form = take_opcode(&d);
    if (form & F_UNKNOWN)
        return false;
    /* Processors do not agree on the size of what these add to the program counter. */
    if (form & (F_REL8 | F_REL32) && d.operand_size && !d.wide)
        return false;
    if (form & F_MODRM && !take_modrm(&d))
        return false;
    form = refine(&d, form);
    size = immediate_size(&d, form);
    if (form & F_UNKNOWN || !take(&d, size))
        return false;
    *out = (struct insn){.length = (uint32_t)(d.at - code), .kind = kind_of(&d, form)};
    if (form & F_REL8)
        out->relative = (int8_t)d.at[-1];
    else if (form & F_REL32)
        memcpy(&out->relative, d.at - 4, sizeof(out->relative));
    return true;
}
