/* SPDX-License-Identifier: Apache-2.0 */
/* See call_sites.h.  Pure: nothing is written here. */
#include "enclave/call_sites.h"

#include "enclave/insn.h"

enum {
    SYSCALL_bytes = 2,
    SHORT_REACH_bytes = 127, /* a short jump's, from its end, to be as good in both directions */
    FUNCTION_MAX_bytes = 1 << 20,
};

/* A function in the code: offsets. */
struct extent {
    uint64_t begin, end, after;
};

static bool is_syscall(const uint8_t *at)
{
    return at[0] == 0x0f && at[1] == 0x05;
}

/* What stands before the system call at this offset, if it looks like a site. */
static bool recognise(const struct call_code *code, uint64_t call, struct call_site *out)
{
    const uint8_t *at = code->bytes + call;

    *out = (struct call_site){0};
    if (call >= CALL_SITE_FAR_bytes && at[-5] == 0xb8) {
        out->length = CALL_SITE_FAR_bytes;
        memcpy(&out->number, at - 4, sizeof(out->number));
    } else if (call >= CALL_SITE_SHORT_bytes && at[-2] == 0x31 && at[-1] == 0xc0) {
        out->length = CALL_SITE_SHORT_bytes;
    } else {
        return false;
    }
    out->at = call - out->length;
    return code->wanted(out->number);
}

static bool find_extent(const struct call_code *code, const struct call_site *site,
                        struct extent *out)
{
    struct unwind_function function;

    if (!unwind_find(code->unwind, code->address + site->at, &function) ||
        function.begin < code->address || function.end - code->address > code->length ||
        function.end - function.begin > FUNCTION_MAX_bytes)
        return false;
    out->begin = function.begin - code->address;
    out->end = function.end - code->address;
    out->after = OM_MIN(function.after - code->address, code->length);
    return site->at >= out->begin && site->at + site->length + SYSCALL_bytes <= out->end;
}

/* ---- walking through a function ---- */

static bool goes_on(uint32_t kind)
{
    return kind != INSN_JUMP && kind != INSN_JUMP_UNKNOWN && kind != INSN_RETURN;
}

static bool is_direct(uint32_t kind)
{
    return kind == INSN_CALL || kind == INSN_BRANCH || kind == INSN_JUMP;
}

/* Does a jump of the function lead into [first, end)? */
static bool is_target(const struct call_code *code, const struct extent *function, uint64_t first,
                      uint64_t end)
{
    struct insn insn;

    for (uint64_t at = function->begin; at < function->end; at += insn.length) {
        uint64_t target;

        if (!insn_decode(code->bytes + at, function->end - at, &insn))
            return true;
        target = at + insn.length + (uint64_t)(int64_t)insn.relative;
        if (is_direct(insn.kind) && target >= first && target < end)
            return true;
    }
    return false;
}

struct walk {
    bool site_is_insn, jumps_anywhere, goes_on;
};

/* From the first byte to the last; false: not all of it is known. */
static bool walk_function(const struct call_code *code, const struct extent *function,
                          const struct call_site *site, struct walk *out)
{
    struct insn insn = {0};
    uint64_t at = function->begin;

    *out = (struct walk){0};
    for (; at < function->end; at += insn.length) {
        if (!insn_decode(code->bytes + at, function->end - at, &insn))
            return false;
        if (at == site->at && insn.length == site->length)
            out->site_is_insn = true;
        if (insn.kind == INSN_JUMP_UNKNOWN)
            out->jumps_anywhere = true;
        out->goes_on = goes_on(insn.kind);
    }
    return at == function->end;
}

/* ---- padding ---- */

static bool is_in_reach(const struct call_site *site, uint64_t padding)
{
    uint64_t from = site->at + site->length;

    return padding > from ? padding - from <= SHORT_REACH_bytes
                          : from - padding <= SHORT_REACH_bytes;
}

/* How long a run of instructions that do nothing is. */
static uint64_t nops_at(const struct call_code *code, uint64_t first, uint64_t end)
{
    struct insn insn;
    uint64_t at = first;

    while (at < end && insn_decode(code->bytes + at, end - at, &insn) && insn.kind == INSN_NOP)
        at += insn.length;
    return at - first;
}

/* Behind the function, if it does not run on into it: up to the next one nothing but nops. */
static bool find_padding_behind(const struct call_code *code, const struct extent *function,
                                struct call_site *site)
{
    uint64_t room = function->after - function->end;

    if (room < CALL_SITE_FAR_bytes || nops_at(code, function->end, function->after) != room ||
        !is_in_reach(site, function->end))
        return false;
    site->padding = function->end;
    return true;
}

/* Between two parts of the function: nops that come after a jump or a return. */
static bool find_padding_inside(const struct call_code *code, const struct extent *function,
                                struct call_site *site)
{
    bool reached = true;
    struct insn insn;

    for (uint64_t at = function->begin; at < function->end; at += insn.length) {
        uint64_t room = reached ? 0 : nops_at(code, at, function->end);

        if (room >= CALL_SITE_FAR_bytes && is_in_reach(site, at) &&
            !is_target(code, function, at, at + CALL_SITE_FAR_bytes)) {
            site->padding = at;
            return true;
        }
        if (!insn_decode(code->bytes + at, function->end - at, &insn))
            return false;
        reached = goes_on(insn.kind);
    }
    return false;
}

static bool prove(const struct call_code *code, struct call_site *site)
{
    struct extent function;
    struct walk walk;

    if (!find_extent(code, site, &function) || !walk_function(code, &function, site, &walk) ||
        !walk.site_is_insn || is_target(code, &function, site->at + 1, site->at + site->length))
        return false;
    if (site->length == CALL_SITE_FAR_bytes)
        return true;
    return (!walk.goes_on && find_padding_behind(code, &function, site)) ||
           (!walk.jumps_anywhere && find_padding_inside(code, &function, site));
}

bool call_site_next(const struct call_code *code, uint64_t *from, struct call_site *out)
{
    for (uint64_t at = *from; at + SYSCALL_bytes <= code->length; at++) {
        if (!is_syscall(code->bytes + at))
            continue;
        if (recognise(code, at, out) && prove(code, out)) {
            *from = at + SYSCALL_bytes;
            return true;
        }
    }
    *from = code->length;
    return false;
}
