/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ioctl.  What a request's argument is, only the request says; so there is a table of those that
 * are known, and their arguments go through memory of ours.  Others are answered ENOTTY, as by an
 * object that does not know them, and named in the log: a pointer that we do not know of could lead
 * out of the program's memory.
 */
#include <asm/ioctls.h>
#include <asm/sockios.h>
#include <asm/termbits.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/sockios.h>

#include "enclave/fd_internal.h"
#include "enclave/syscall_table.h"

enum ioctl_how {
    IOCTL_VALUE = 1, /* the argument is a number, or nothing */
    IOCTL_IN,
    IOCTL_OUT,
    IOCTL_INOUT,
};

enum {
    ARGUMENT_bytes = 256,
    SIZE_word = 4,
    SIZE_window = 8,
    SIZE_interface = 40, /* struct ifreq */
    SIZE_termio = 18,
    INTERFACES_bytes = 16384,
    NAMED_REQUESTS = 32,
};

struct ioctl_row {
    uint32_t request;
    uint8_t how; /* enum ioctl_how */
    uint16_t size;
};

static const struct ioctl_row g_rows[] = {
    {FIONREAD, IOCTL_OUT, SIZE_word},
    {TIOCOUTQ, IOCTL_OUT, SIZE_word},
    {FIOQSIZE, IOCTL_OUT, sizeof(int64_t)},
    /* Terminals. */
    {TCGETS, IOCTL_OUT, sizeof(struct termios)},
    {TCSETS, IOCTL_IN, sizeof(struct termios)},
    {TCSETSW, IOCTL_IN, sizeof(struct termios)},
    {TCSETSF, IOCTL_IN, sizeof(struct termios)},
    {TCGETS2, IOCTL_OUT, sizeof(struct termios2)},
    {TCSETS2, IOCTL_IN, sizeof(struct termios2)},
    {TCSETSW2, IOCTL_IN, sizeof(struct termios2)},
    {TCSETSF2, IOCTL_IN, sizeof(struct termios2)},
    {TCGETA, IOCTL_OUT, SIZE_termio},
    {TCSETA, IOCTL_IN, SIZE_termio},
    {TCSETAW, IOCTL_IN, SIZE_termio},
    {TCSETAF, IOCTL_IN, SIZE_termio},
    {TCSBRK, IOCTL_VALUE, 0},
    {TCSBRKP, IOCTL_VALUE, 0},
    {TCXONC, IOCTL_VALUE, 0},
    {TCFLSH, IOCTL_VALUE, 0},
    {TIOCEXCL, IOCTL_VALUE, 0},
    {TIOCNXCL, IOCTL_VALUE, 0},
    {TIOCSCTTY, IOCTL_VALUE, 0},
    {TIOCNOTTY, IOCTL_VALUE, 0},
    {TIOCGWINSZ, IOCTL_OUT, SIZE_window},
    {TIOCSWINSZ, IOCTL_IN, SIZE_window},
    {TIOCMGET, IOCTL_OUT, SIZE_word},
    {TIOCGPTN, IOCTL_OUT, SIZE_word},
    {TIOCSPTLCK, IOCTL_IN, SIZE_word},
    /* Sockets and interfaces. */
    {SIOCATMARK, IOCTL_OUT, SIZE_word},
    {SIOCGIFNAME, IOCTL_INOUT, SIZE_interface},
    {SIOCGIFINDEX, IOCTL_INOUT, SIZE_interface},
    {SIOCGIFFLAGS, IOCTL_INOUT, SIZE_interface},
    {SIOCGIFADDR, IOCTL_INOUT, SIZE_interface},
    {SIOCGIFDSTADDR, IOCTL_INOUT, SIZE_interface},
    {SIOCGIFBRDADDR, IOCTL_INOUT, SIZE_interface},
    {SIOCGIFNETMASK, IOCTL_INOUT, SIZE_interface},
    {SIOCGIFMETRIC, IOCTL_INOUT, SIZE_interface},
    {SIOCGIFMTU, IOCTL_INOUT, SIZE_interface},
    {SIOCGIFHWADDR, IOCTL_INOUT, SIZE_interface},
    {SIOCGIFTXQLEN, IOCTL_INOUT, SIZE_interface},
    /* Files. */
    {FS_IOC_GETFLAGS, IOCTL_OUT, sizeof(int64_t)},
    {FS_IOC_SETFLAGS, IOCTL_IN, sizeof(int64_t)},
    {FS_IOC_GETVERSION, IOCTL_OUT, sizeof(int64_t)},
    {FS_IOC_FSGETXATTR, IOCTL_OUT, sizeof(struct fsxattr)},
    {FIBMAP, IOCTL_INOUT, SIZE_word},
    {FIGETBSZ, IOCTL_OUT, SIZE_word},
    {BLKGETSIZE, IOCTL_OUT, sizeof(int64_t)},
    {BLKGETSIZE64, IOCTL_OUT, sizeof(int64_t)},
    {BLKSSZGET, IOCTL_OUT, SIZE_word},
};

static const struct ioctl_row *find_row(uint32_t request)
{
    for (size_t i = 0; i < OM_ARRAY_LENGTH(g_rows); i++)
        if (g_rows[i].request == request)
            return &g_rows[i];
    return NULL;
}

static long by_row(const struct ioctl_row *row, uint64_t fd, uint64_t argument)
{
    uint8_t value[ARGUMENT_bytes] = {0};
    long result = 0;

    if (row->how == IOCTL_VALUE)
        return fd_kernel(__NR_ioctl, fd, row->request, argument, 0);
    if (row->how != IOCTL_OUT)
        result = copy_from_program(value, argument, row->size);
    else if (!call_in_program(argument, row->size))
        result = -EFAULT;
    if (result)
        return result;
    result = fd_kernel(__NR_ioctl, fd, row->request, fd_address_of(value), 0);
    if (result >= 0 && row->how != IOCTL_IN && copy_to_program(argument, value, row->size) != 0)
        return -EFAULT;
    return result;
}

/* FIONBIO and FIOASYNC: fcntl by another name. */
static long set_flag(uint64_t fd, uint64_t argument, uint32_t flag)
{
    int32_t on;
    long flags = fd_get_status_flags(fd);

    if (flags < 0)
        return flags;
    if (copy_from_program(&on, argument, sizeof(on)) != 0)
        return -EFAULT;
    return fd_set_status_flags(fd, on ? (uint32_t)flags | flag : (uint32_t)flags & ~flag);
}

static long set_close_on_exec(uint64_t fd, bool cloexec)
{
    long error = fd_control((long)fd, F_SETFD, cloexec ? FD_CLOEXEC : 0);

    if (!error)
        fd_set_cloexec(fd, cloexec);
    return error;
}

/* struct ifconf points to the buffer for the list of interfaces. */
static long list_interfaces(uint64_t fd, uint64_t argument)
{
    uint8_t interfaces[INTERFACES_bytes];
    struct {
        int32_t length, reserved;
        uint64_t buffer;
    } list;
    uint64_t to;
    long result = copy_from_program(&list, argument, sizeof(list));

    if (result)
        return result;
    to = list.buffer;
    if (list.length < 0)
        return -EINVAL;
    if (to) {
        list.length = OM_MIN(list.length, (int32_t)sizeof(interfaces));
        list.buffer = fd_address_of(interfaces);
    }
    result = fd_kernel(__NR_ioctl, fd, SIOCGIFCONF, fd_address_of(&list), 0);
    list.buffer = to;
    if (!result && to)
        result = copy_to_program(to, interfaces, (size_t)list.length);
    return result ? result : copy_to_program(argument, &list, sizeof(list));
}

/* The source's number could be one of the host's. */
static long clone_file(uint64_t fd, uint64_t source)
{
    if (source >= fd_numbers_end())
        return -EBADF;
    return fd_kernel(__NR_ioctl, fd, FICLONE, source, 0);
}

static long clone_range(uint64_t fd, uint64_t argument)
{
    struct file_clone_range range;

    if (copy_from_program(&range, argument, sizeof(range)) != 0)
        return -EFAULT;
    if ((uint64_t)range.src_fd >= fd_numbers_end())
        return -EBADF;
    return fd_kernel(__NR_ioctl, fd, FICLONERANGE, fd_address_of(&range), 0);
}

/* Each request is named in the log once, as long as there is room to remember them. */
static bool name_request_once(uint32_t request)
{
    static uint64_t named[NAMED_REQUESTS]; /* plus one: 0 is a free place */
    uint64_t entry = (uint64_t)request + 1;

    for (size_t i = 0; i < NAMED_REQUESTS; i++) {
        uint64_t seen = 0;
        if (__atomic_compare_exchange_n(&named[i], &seen, entry, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return true;
        if (seen == entry)
            return false;
    }
    return false;
}

static long refuse_request(uint32_t request)
{
    if (name_request_once(request))
        log_warn("ioctl: request 0x%x is not known, answered ENOTTY", request);
    return syscall_refuse_named(ENOTTY);
}

static long count_unread(uint64_t fd, uint64_t argument)
{
    int32_t unread;

    if (!fd_inotify_unread(fd, &unread))
        return by_row(find_row(FIONREAD), fd, argument);
    return copy_to_program(argument, &unread, sizeof(unread));
}

/* The group is the kernel's number of this process; the program has another one for itself. */
static long ask_group(uint64_t fd, uint32_t request, uint64_t argument)
{
    uint32_t group = 0;
    long error = fd_kernel(__NR_ioctl, fd, request, fd_address_of(&group), 0);

    if (error)
        return error;
    if (group == g_facts.process_id)
        group = g_tables->threads.process_id;
    return copy_to_program(argument, &group, sizeof(group));
}

static long set_group(uint64_t fd, uint64_t argument)
{
    uint32_t group;

    if (copy_from_program(&group, argument, sizeof(group)) != 0)
        return -EFAULT;
    if (group == g_tables->threads.process_id)
        group = g_facts.process_id;
    return fd_kernel(__NR_ioctl, fd, TIOCSPGRP, fd_address_of(&group), 0);
}

long sys_ioctl(struct call *call)
{
    uint64_t fd = (uint32_t)call->args[0], argument = call->args[2];
    uint32_t request = (uint32_t)call->args[1];
    const struct ioctl_row *row = find_row(request);

    switch (request) {
    case FIONREAD:
        return count_unread(fd, argument);
    case TIOCGPGRP:
    case TIOCGSID:
        return ask_group(fd, request, argument);
    case TIOCSPGRP:
        return set_group(fd, argument);
    case FIONBIO:
        return set_flag(fd, argument, O_NONBLOCK);
    case FIOASYNC:
        return set_flag(fd, argument, FASYNC);
    case FIOCLEX:
        return set_close_on_exec(fd, true);
    case FIONCLEX:
        return set_close_on_exec(fd, false);
    case SIOCGIFCONF:
        return list_interfaces(fd, argument);
    case FICLONE:
        return clone_file(fd, argument);
    case FICLONERANGE:
        return clone_range(fd, argument);
    default:
        break;
    }
    if (row)
        return by_row(row, fd, argument);
    return refuse_request(request);
}
