/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sendmsg and its kin.  A message header points to an address, a list of buffers and control data;
 * the kernel gets copies of the header and of the list, checked, so that the program cannot change
 * them. The many-message calls are made of single ones: one copy at a time, and no list is too
 * long.
 */
#include <asm/unistd.h>

#include "enclave/clock.h"
#include "enclave/sys_wait.h"
#include "enclave/syscall_table.h"

/* As the kernel takes it. */
struct message_header {
    uint64_t name;
    int32_t name_length;
    uint32_t reserved0;
    uint64_t entries;
    uint64_t entry_count;
    uint64_t control;
    uint64_t control_length;
    uint32_t flags;
    uint32_t reserved1;
};

/* One element of the list that sendmmsg and recvmmsg take. */
struct message_slot {
    struct message_header header;
    uint32_t length;
    uint32_t reserved;
};
_Static_assert(sizeof(struct message_slot) == SIZE_mmsghdr, "as the kernel lays it out");

enum {
    MESSAGES_MAX = 1024,            /* as UIO_MAXIOV */
    MESSAGE_DONT_WAIT = 0x40,       /* MSG_DONTWAIT */
    MESSAGE_WAIT_FOR_ONE = 0x10000, /* MSG_WAITFORONE */
};

static long check_part(struct call *call, uint64_t start, uint64_t length, bool receive)
{
    if (start == 0 || length == 0)
        return 0;
    if (!call_in_program(start, length))
        return -EFAULT;
    if (receive)
        call_kernel_writes(call, start, length);
    return 0;
}

static long copy_header(struct call *call, uint64_t address, bool receive,
                        struct message_header *out, struct iovec entries[IOVEC_MAX])
{
    long error = copy_from_program(out, address, sizeof(*out));
    if (error != 0)
        return error;
    if (out->entry_count > IOVEC_MAX)
        return -EMSGSIZE;
    uint64_t name_length = out->name_length < 0 ? 0 : (uint64_t)out->name_length;
    error = check_part(call, out->name, name_length, receive);
    if (error == 0)
        error = check_part(call, out->control, out->control_length, receive);
    if (error == 0)
        error = call_copy_iovec(call, out->entries, out->entry_count, receive, entries);
    out->entries = (uint64_t)(uintptr_t)entries;
    return error;
}

/* The kernel has set three fields of our copy; the program's header gets them. */
static long header_to_program(uint64_t address, const struct message_header *header)
{
    long error = copy_to_program(address + offsetof(struct message_header, name_length),
                                 &header->name_length, sizeof(header->name_length));
    if (error == 0)
        error = copy_to_program(address + offsetof(struct message_header, control_length),
                                &header->control_length, sizeof(header->control_length));
    if (error == 0)
        error = copy_to_program(address + offsetof(struct message_header, flags), &header->flags,
                                sizeof(header->flags));
    return error;
}

/* One message by its header's address.  Its large frame is given back between messages. */
__attribute__((noinline)) static long message(struct call *call, uint64_t address, uint64_t flags,
                                              bool receive)
{
    struct iovec entries[IOVEC_MAX];
    struct message_header header;
    long result = copy_header(call, address, receive, &header, entries);
    if (result != 0)
        return result;
    uint64_t args[6] = {call->args[0], (uint64_t)(uintptr_t)&header, flags};
    uint64_t control_length = header.control_length;
    result = call_blocking(call, receive ? __NR_recvmsg : __NR_sendmsg, args);
    /* Programs walk through it without looking at how much they had asked for. */
    header.control_length = OM_MIN(header.control_length, control_length);
    if (receive && result >= 0 && header_to_program(address, &header) != 0)
        return -EFAULT;
    return result;
}

long sys_sendmsg(struct call *call)
{
    return message(call, call->args[1], call->args[2], false);
}

long sys_recvmsg(struct call *call)
{
    return message(call, call->args[1], call->args[2], true);
}

/* One of many: also writes its length. */
static long message_of_many(struct call *call, uint64_t index, uint64_t flags, bool receive)
{
    uint64_t slot = call->args[1] + index * sizeof(struct message_slot);
    long result = message(call, slot, flags, receive);
    if (result < 0)
        return result;
    uint32_t length = (uint32_t)result;
    return copy_to_program(slot + offsetof(struct message_slot, length), &length, sizeof(length));
}

static uint64_t message_count(const struct call *call)
{
    return OM_MIN((uint32_t)call->args[2], (uint32_t)MESSAGES_MAX);
}

long sys_sendmmsg(struct call *call)
{
    uint64_t done = 0;
    long result = 0;
    while (done < message_count(call) && result == 0) {
        result = message_of_many(call, done, call->args[3], false);
        done += result == 0;
    }
    return done > 0 ? (long)done : result;
}

/* The timeout is looked at after each message only: so it is in the kernel, a bug that programs
 * know. */
static bool receive_time_is_over(uint64_t address, uint64_t deadline_ns)
{
    if (deadline_ns == UINT64_MAX)
        return false;
    uint64_t left_ns = deadline_left(deadline_ns);
    struct __kernel_timespec left = time_of_ns(left_ns);
    (void)copy_to_program(address, &left, sizeof(left));
    return left_ns == 0;
}

long sys_recvmmsg(struct call *call)
{
    uint64_t flags = call->args[3] & ~(uint64_t)MESSAGE_WAIT_FOR_ONE;
    uint64_t done = 0;
    int64_t timeout_ns;
    long result = time_from_program(call->args[4], &timeout_ns);
    if (result != 0)
        return result;
    uint64_t deadline_ns = call_deadline(call, timeout_ns);
    while (done < message_count(call) && result == 0) {
        result = message_of_many(call, done, flags, true);
        done += result == 0;
        if (result == 0 && receive_time_is_over(call->args[4], deadline_ns))
            break;
        if (call->args[3] & MESSAGE_WAIT_FOR_ONE)
            flags |= MESSAGE_DONT_WAIT;
    }
    return done > 0 ? (long)done : result;
}
