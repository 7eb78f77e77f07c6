/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of a call's arguments against its row of syscalls.def, and copies of those that point to
 * further pointers or lengths, so that the program cannot change them between check and use.
 *
 * What is checked is where memory lies, not that it is mapped: that is left to the kernel (EFAULT).
 * Must never let the kernel read or write memory of the runtime or the host on the program's
 * behalf.
 */
#include "enclave/path.h"
#include "enclave/syscall_table.h"
#include "enclave/tables.h"

enum {
    /* Iovec entries that get a mark of their own (guard.h has few); the others share one. */
    MARKED_ENTRIES = 4,
    COPIED_KINDS = 1 << ARG_PATH | 1 << ARG_IOVEC | 1 << ARG_SIZED,
    FD_SET_BITS = 64,
    /* The kernel writes no longer address.  (Options can be longer: call_with_size.) */
    SOCKET_ADDRESS_BYTES = 128,
};

/* ---- ids and clocks ---- */

long call_host_tid(uint64_t tid, uint64_t *out_host_tid)
{
    uint32_t host_tid = 0;
    if ((uint32_t)tid != 0 && thread_translate_tid((uint32_t)tid, &host_tid) != 0) {
        /* The process outlives its first thread. */
        if ((uint32_t)tid != g_tables->threads.process_id)
            return -ESRCH;
        host_tid = g_facts.process_id;
    }
    *out_host_tid = host_tid;
    return 0;
}

/* The kernel's encoding (posix-timers.h): the id of a process or thread, inverted, above three
 * bits. */
enum { CLOCK_KIND_BITS = 3, CLOCK_KIND_MASK = 7, CLOCK_PER_THREAD = 4, CLOCK_OF_FD = 3 };

long call_host_clock(uint64_t clock_id, uint64_t *out_host_clock)
{
    int32_t id = (int32_t)clock_id;
    uint32_t kind = (uint32_t)id & CLOCK_KIND_MASK;
    uint32_t owner = ~(uint32_t)(id >> CLOCK_KIND_BITS);
    uint64_t host_owner = 0;
    *out_host_clock = clock_id;
    if (id >= 0 || kind == CLOCK_OF_FD || owner == 0)
        return 0;
    if (!(kind & CLOCK_PER_THREAD) && owner == g_tables->threads.process_id)
        host_owner = g_facts.process_id;
    else if (call_host_tid(owner, &host_owner) != 0)
        return -EINVAL;
    *out_host_clock = (uint64_t)(int64_t)(int32_t)(~(uint32_t)host_owner << CLOCK_KIND_BITS | kind);
    return 0;
}

/* ---- checks ---- */

/* The count in an argument, as the kernel reads it; it refuses negative ones itself. */
static uint64_t count_of(const struct argument *argument, const uint64_t *args)
{
    uint64_t count = args[argument->count];
    if (!(argument->flags & ARG_INT))
        return count;
    return (int32_t)count < 0 ? 0 : (uint32_t)count;
}

static long check_memory(struct call *call, uint64_t start, uint64_t length, bool kernel_writes)
{
    if (start == 0)
        return 0; /* Not given, or the kernel's to refuse: nothing is ever mapped there. */
    if (!call_in_program(start, length))
        return -EFAULT;
    if (kernel_writes && length != 0)
        call_kernel_writes(call, start, length);
    return 0;
}

static long check_buffer(struct call *call, const struct argument *argument, uint64_t start,
                         const uint64_t *args)
{
    uint64_t length = argument->unit;
    if (argument->flags & ARG_COUNTED &&
        __builtin_mul_overflow(count_of(argument, args), length, &length))
        return -EFAULT;
    return check_memory(call, start, length, argument->flags & ARG_WRITE);
}

static long check_fd_set(struct call *call, const struct argument *argument, uint64_t start,
                         const uint64_t *args)
{
    int32_t count = (int32_t)args[argument->count];
    if (count <= 0)
        return 0;
    uint64_t words = ((uint64_t)count + FD_SET_BITS - 1) / FD_SET_BITS;
    return check_memory(call, start, words * sizeof(uint64_t), true);
}

static long check_fd(uint64_t fd)
{
    return (int32_t)fd >= (int32_t)g_facts.host_fd_base ? -EBADF : 0;
}

static long check_one(struct call *call, const struct argument *argument, unsigned index,
                      uint64_t *args, bool emulated)
{
    switch ((enum argument_kind)argument->kind) {
    case ARG_NONE:
    case ARG_VALUE:
        return 0;
    case ARG_FD:
        return check_fd(args[index]);
    case ARG_TID:
        return emulated ? 0 : call_host_tid(args[index], &args[index]);
    case ARG_CLOCK:
        return emulated ? 0 : call_host_clock(args[index], &args[index]);
    case ARG_PATH:
    case ARG_STRING:
    case ARG_IOVEC:
        return args[index] == 0 || call_in_program(args[index], 1) ? 0 : -EFAULT;
    case ARG_SIZED:
        return check_memory(call, args[index], SOCKET_ADDRESS_BYTES, emulated);
    case ARG_BUFFER:
        return check_buffer(call, argument, args[index], args);
    case ARG_FD_SET:
        return check_fd_set(call, argument, args[index], args);
    case ARG_MESSAGE:
        return check_memory(call, args[index], argument->unit, false);
    }
    return -EFAULT;
}

long call_check(struct call *call, const struct syscall_row *row, uint64_t args[SYSCALL_ARGUMENTS],
                uint32_t *out_copies)
{
    bool emulated = row->how == HOW_EMULATE;
    uint32_t kinds = 0;
    for (unsigned i = 0; i < SYSCALL_ARGUMENTS; i++) {
        const struct argument *argument = &row->arguments[i];
        if (argument->kind == ARG_NONE)
            break;
        kinds |= 1U << argument->kind;
        long error = check_one(call, argument, i, args, emulated);
        if (error != 0)
            return error;
    }
    *out_copies = kinds & COPIED_KINDS;
    return 0;
}

/* ---- copies ---- */

/* Marks entries that the kernel writes: the first few each, the rest by the range that holds them.
 */
static void mark_entries(struct call *call, const struct iovec *entries, uint64_t count)
{
    uint64_t low = UINT64_MAX;
    uint64_t high = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t start = (uint64_t)(uintptr_t)entries[i].iov_base;
        uint64_t length = entries[i].iov_len;
        if (start == 0 || length == 0)
            continue;
        if (i < MARKED_ENTRIES) {
            call_kernel_writes(call, start, length);
            continue;
        }
        low = OM_MIN(low, start);
        high = OM_MAX(high, start + length);
    }
    if (high != 0)
        call_kernel_writes(call, low, high - low);
}

long call_copy_iovec(struct call *call, uint64_t address, uint64_t count, bool kernel_writes,
                     struct iovec out[IOVEC_MAX])
{
    if (count > IOVEC_MAX)
        return -EINVAL;
    long error = copy_from_program(out, address, count * sizeof(struct iovec));
    if (error != 0)
        return error;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t start = (uint64_t)(uintptr_t)out[i].iov_base;
        if ((int64_t)out[i].iov_len < 0)
            return -EINVAL;
        if (start != 0 && !call_in_program(start, out[i].iov_len))
            return -EFAULT;
    }
    if (kernel_writes)
        mark_entries(call, out, count);
    return 0;
}

/* Rows with an iovec have one, and nothing else that is copied. */
__attribute__((noinline)) static long
call_with_iovec(struct call *call, const struct syscall_row *row, unsigned index, uint64_t *args)
{
    struct iovec entries[IOVEC_MAX];
    const struct argument *argument = &row->arguments[index];
    long error = call_copy_iovec(call, args[index], args[argument->count],
                                 argument->flags & ARG_WRITE, entries);
    if (error != 0)
        return error;
    args[index] = (uint64_t)(uintptr_t)entries;
    return call_host(call, row, args);
}

/* The kernel reads and writes the length through a pointer: it gets a copy of ours. */
static long call_with_size(struct call *call, const struct syscall_row *row, unsigned index,
                           uint64_t *args)
{
    unsigned size_index = row->arguments[index].count;
    uint64_t address = args[size_index];
    int32_t size = 0;
    if (args[index] == 0 || address == 0)
        return call_host(call, row, args);
    long result = copy_from_program(&size, address, sizeof(size));
    if (result == 0)
        result = check_memory(call, args[index], size < 0 ? 0 : (uint64_t)size, true);
    if (result != 0)
        return result;
    args[size_index] = (uint64_t)(uintptr_t)&size;
    result = call_host(call, row, args);
    if (result >= 0 && copy_to_program(address, &size, sizeof(size)) != 0)
        return -EFAULT;
    return result;
}

/* Rows have at most two paths. */
__attribute__((noinline)) static long call_with_paths(struct call *call,
                                                      const struct syscall_row *row, uint64_t *args)
{
    char buffers[2][PATH_BUFFER_SIZE];
    unsigned used = 0;
    for (unsigned i = 0; i < SYSCALL_ARGUMENTS && used < OM_ARRAY_LENGTH(buffers); i++) {
        if (row->arguments[i].kind != ARG_PATH)
            continue;
        long error = path_argument(call, i, buffers[used++], &args[i]);
        if (error != 0)
            return error;
    }
    return call_host(call, row, args);
}

long call_with_copies(struct call *call, const struct syscall_row *row,
                      uint64_t args[SYSCALL_ARGUMENTS])
{
    for (unsigned i = 0; i < SYSCALL_ARGUMENTS; i++) {
        switch (row->arguments[i].kind) {
        case ARG_IOVEC:
            return call_with_iovec(call, row, i, args);
        case ARG_SIZED:
            return call_with_size(call, row, i, args);
        case ARG_PATH:
            return call_with_paths(call, row, args);
        default:
            break;
        }
    }
    return call_host(call, row, args);
}
