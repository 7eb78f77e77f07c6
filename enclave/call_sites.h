/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls in the program's code whose number can be seen:
 *
 *     b8 nn nn nn nn   mov $number,%eax          31 c0   xor %eax,%eax   (read)
 *     0f 05            syscall                   0f 05   syscall
 *
 * The first instruction can be replaced by a jump to a shorter way into the runtime (fast_calls.h):
 * as a whole, so that nobody finds half of it, and with the system call itself left alone, so that
 * whoever jumps there gets what was there before.  Only two bytes hold no far jump; they get a
 * short one to padding nearby that nothing can reach, and that gets the far one.
 *
 * What is replaced is proved to be an instruction: the function that it is in, from its first byte
 * to its last, consists of known instructions, one of which begins there; and no jump of this
 * function leads into its middle or into the padding.
 */
#pragma once

#include "enclave/unwind.h"

enum { CALL_SITE_FAR_bytes = 5, CALL_SITE_SHORT_bytes = 2 };

struct call_site {
    uint64_t at;      /* in the code: offset of the instruction before the system call */
    uint32_t length;  /* CALL_SITE_* */
    uint32_t number;  /* of the system call */
    uint64_t padding; /* if short: offset of 5 bytes that a far jump may take */
};

/* Executable bytes that have been mapped from a file, writable still. */
struct call_code {
    uint8_t *bytes;
    uint64_t length;
    uint64_t address; /* of the first, as in the file */
    const struct unwind *unwind;
    bool (*wanted)(uint32_t number);
};

/* The first one whose system call is at or behind *from, an offset; moves *from behind it.  False:
 * there are no more.  Sites have to be replaced before the next one is looked for. */
bool call_site_next(const struct call_code *code, uint64_t *from, struct call_site *out);
