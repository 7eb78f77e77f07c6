/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lengths of x86-64 instructions, and where they jump.  Just enough to walk through a function from
 * its first byte to its last: what an instruction does to registers and memory is not looked at.
 *
 * Source: Intel SDM volume 2, appendix A (opcode maps), and AMD APM volume 3, appendix A, where
 * they differ.  An instruction that the two read differently, or that no compiler emits for
 * programs, is unknown: whoever asks must then leave the code alone.
 */
#pragma once

#include "enclave/runtime.h"

enum insn_kind {
    INSN_PLAIN,
    INSN_CALL,   /* direct; goes on behind it */
    INSN_BRANCH, /* direct, and may go on behind it: jcc, loop, jrcxz */
    INSN_JUMP,   /* direct, never goes on */
    INSN_JUMP_UNKNOWN /* jmp through a register or memory: it may go anywhere */,
    INSN_RETURN, /* ret, ud2, hlt: never goes on */
    INSN_NOP,
};

struct insn {
    uint32_t length;  /* bytes, 1 to 15 */
    uint32_t kind;    /* enum insn_kind */
    int32_t relative; /* of direct jumps and calls: target minus the end of the instruction */
};

/* The instruction at code, of which room bytes are there.  False: unknown, or cut off. */
bool insn_decode(const uint8_t *code, size_t room, struct insn *out);
