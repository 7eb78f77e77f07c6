/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access to the program's memory by pointers that the program gave.  The one place where the
 * runtime may fault on such a pointer is access_copy in entry.S: signal.c sends a fault there to
 * its error exit.  Must be called on program threads (a host thread has all signals blocked and
 * would die).
 */
#include "enclave/access.h"

#include "enclave/cards.h"

static bool in_program(uint64_t start, size_t length)
{
    return start >= PROGRAM_BASE && start <= PROGRAM_END && length <= PROGRAM_END - start;
}

long copy_from_program(void *to, uint64_t from, size_t length)
{
    if (length == 0)
        return 0;
    if (!in_program(from, length))
        return -EFAULT;
    return access_copy(to, (const void *)from, length);
}

long copy_to_program(uint64_t to, const void *from, size_t length)
{
    long error;

    if (length == 0)
        return 0;
    if (!in_program(to, length))
        return -EFAULT;
    error = access_copy((void *)to, from, length);
    cards_mark(to, length); /* after a fault in the middle too */
    return error;
}

long copy_string_from_program(char *to, uint64_t from, size_t capacity)
{
    size_t done = 0;

    while (done < capacity) {
        uint64_t page_left = OM_PAGE_SIZE - ((from + done) & (OM_PAGE_SIZE - 1));
        size_t part = OM_MIN(page_left, capacity - done);
        long error = copy_from_program(to + done, from + done, part);

        if (error)
            return error;
        for (size_t i = done; i < done + part; i++)
            if (to[i] == 0)
                return (long)i;
        done += part;
    }
    return -ENAMETOOLONG;
}
