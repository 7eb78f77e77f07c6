/* SPDX-License-Identifier: Apache-2.0 */
/*
 * readlink and readlinkat: as the host does them, but the link to the program's executable names
 * the program (path.h).
 */
#include <asm/unistd.h>

#include "enclave/path.h"
#include "enclave/syscall_table.h"

static long read_link(struct call *call, uint64_t directory, unsigned path_index)
{
    char translated[PATH_BUFFER_SIZE];
    uint64_t buffer = call->args[path_index + 1];
    int32_t size = (int32_t)call->args[path_index + 2];
    uint64_t path = call->args[path_index];
    long kind = path_translate(call, path_index, translated);
    if (kind < 0)
        return kind;
    if (size <= 0)
        return -EINVAL;
    if (kind == PATH_EXECUTABLE) {
        size_t length = OM_MIN(strlen(translated), (size_t)size);
        return copy_to_program(buffer, translated, length) != 0 ? -EFAULT : (long)length;
    }
    if (kind == PATH_TRANSLATED)
        path = (uint64_t)(uintptr_t)translated;
    return host_syscall(__NR_readlinkat, directory, path, buffer, (uint64_t)size, 0, 0);
}

long sys_readlink(struct call *call)
{
    const int64_t at_current_directory = -100; /* AT_FDCWD */
    return read_link(call, (uint64_t)at_current_directory, 0);
}

long sys_readlinkat(struct call *call)
{
    return read_link(call, call->args[0], 1);
}
