/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's calls that make and change sockets.
 *
 * accept: a thread that waits in the kernel's accept holds a descriptor number that nobody else can
 * use, although the program has never heard of it (its dup2 onto the number would fail).  So a
 * listener in the kernel never waits; the wait is a poll, and F_GETFL tells the program what it has
 * set itself (sys_fd.c).
 */
#include <asm/poll.h>
#include <asm/socket.h>
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/time.h>

#include "enclave/fd_internal.h"
#include "enclave/receive_timeout.h"
#include "enclave/sys_wait.h"
#include "enclave/syscall_table.h"

enum { VALUE_bytes = 256 };

long sys_socket(struct call *call)
{
    uint32_t type = (uint32_t)call->args[1];
    struct open_file model = {.kind = FD_SOCKET, .flags = O_RDWR | (type & O_NONBLOCK)};

    model.socket.domain = (int32_t)call->args[0];
    model.socket.type = (int32_t)(type & TYPE_MASK);
    model.socket.protocol = (int32_t)call->args[2];
    return fd_made(fd_kernel(__NR_socket, call->args[0], type, call->args[2], 0), &model,
                   type & O_CLOEXEC);
}

long sys_socketpair(struct call *call)
{
    uint32_t type = (uint32_t)call->args[1];
    struct open_file models[2] = {
        {.kind = FD_SOCKETPAIR, .flags = O_RDWR | (type & O_NONBLOCK)},
    };
    int32_t fds[2] = {-1, -1};
    long error = fd_kernel(__NR_socketpair, call->args[0], type, call->args[2], fd_address_of(fds));

    if (error)
        return error;
    models[0].socket.domain = (int32_t)call->args[0];
    models[0].socket.type = (int32_t)(type & TYPE_MASK);
    models[0].socket.protocol = (int32_t)call->args[2];
    models[0].socket.state = SOCKET_CONNECTED;
    models[1] = models[0];
    error = fd_made_pair(fds, models, type & O_CLOEXEC);
    if (!error && copy_to_program(call->args[3], fds, sizeof(fds)) != 0) {
        error = -EFAULT;
        for (unsigned i = 0; i < 2; i++) {
            fd_gone((uint64_t)fds[i]);
            fd_close_number(fds[i]);
        }
    }
    return error;
}

/* The record of a socket that is not one of a pair; NULL: none. Locked. */
static struct open_file *find_socket(uint64_t fd)
{
    struct open_file *file = fd_find(fd);

    return file && (file->kind == FD_SOCKET || file->kind == FD_LISTENER) ? file : NULL;
}

long sys_bind(struct call *call)
{
    uint64_t fd = (uint32_t)call->args[0];
    struct open_file *file;
    long error = fd_kernel(__NR_bind, fd, call->args[1], call->args[2], 0);

    lock_take(&fd_state()->lock);
    file = find_socket(fd);
    if (!error && file)
        file->socket.bound = 1;
    lock_release(&fd_state()->lock);
    return error;
}

/* ---- connect ---- */

static void record_connect(uint64_t fd, const struct fd_address *peer, long result)
{
    struct open_file *file;
    bool pending = result == -EINPROGRESS || result == CALL_INTERRUPTED;

    if (result != 0 && !pending)
        return;
    lock_take(&fd_state()->lock);
    file = find_socket(fd);
    if (file) {
        file->socket.peer = *peer;
        file->socket.state = pending ? SOCKET_CONNECTING : SOCKET_CONNECTED;
        if (fd_address_family(peer) == 0) { /* AF_UNSPEC takes the connection back */
            file->socket.peer.length = 0;
            file->socket.state = SOCKET_FRESH;
        }
    }
    lock_release(&fd_state()->lock);
}

/* An interrupted connect goes on in the kernel; made again, it waits for the same connection. */
long sys_connect(struct call *call)
{
    struct fd_address peer = {.length = (uint32_t)call->args[2]};
    uint64_t args[6] = {call->args[0], fd_address_of(peer.bytes), peer.length, 0, 0, 0};
    long result;

    if (peer.length > sizeof(peer.bytes))
        return -EINVAL;
    if (copy_from_program(peer.bytes, call->args[1], peer.length) != 0)
        return -EFAULT;
    result = call_blocking(call, __NR_connect, args);
    record_connect((uint32_t)call->args[0], &peer, result);
    return result;
}

/* ---- listen and accept ---- */

long sys_listen(struct call *call)
{
    uint64_t fd = (uint32_t)call->args[0];
    struct open_file *file;
    long error;

    lock_take(&fd_state()->lock);
    error = fd_kernel(__NR_listen, fd, call->args[1], 0, 0);
    file = find_socket(fd);
    if (!error && file) {
        file->kind = FD_LISTENER;
        file->socket.bound = 1;
        file->socket.state = SOCKET_FRESH;
        file->socket.backlog = (int32_t)call->args[1];
        fd_socket_local((int32_t)fd, &file->socket.local);
        fd_control((long)fd, F_SETFL, file->flags | O_NONBLOCK);
        /* Connections inherit it, and what is left of them when they are closed: without it they
         * would keep the port from the destination on the same machine. */
        if (fd_socket_is_inet(&file->socket))
            fd_option_set((long)fd, SO_REUSEADDR, 1);
    }
    lock_release(&fd_state()->lock);
    return error;
}

/* What a connection gets from its listener, and how long accept may wait. */
struct accepting {
    struct open_file model;
    bool known; /* else the kernel's accept does all */
    bool wait;
    int64_t timeout_ns; /* SO_RCVTIMEO; < 0: none */
};

static int64_t receive_timeout(const struct open_file *file)
{
    const int64_t second = 1000000000, microsecond = 1000;
    const struct fd_option *option = fd_option_find(file, SOL_SOCKET, SO_RCVTIMEO_OLD);
    int64_t value[2];

    if (!option || option->length < sizeof(value))
        return -1;
    memcpy(value, option->value, sizeof(value));
    if (value[0] < 0 || value[0] > INT32_MAX || (value[0] == 0 && value[1] == 0))
        return -1;
    return value[0] * second + value[1] * microsecond;
}

static void look_at_listener(uint64_t fd, uint32_t flags, struct accepting *out)
{
    const struct open_file *file;

    *out = (struct accepting){.model = {.kind = FD_SOCKET, .flags = O_RDWR | (flags & O_NONBLOCK)}};
    out->model.socket.state = SOCKET_CONNECTED;
    lock_take(&fd_state()->lock);
    file = find_socket(fd);
    if (file) {
        out->known = file->kind == FD_LISTENER;
        out->wait = !(file->flags & O_NONBLOCK);
        out->timeout_ns = receive_timeout(file);
        out->model.socket.domain = file->socket.domain;
        out->model.socket.type = file->socket.type;
        out->model.socket.protocol = file->socket.protocol;
    }
    lock_release(&fd_state()->lock);
}

static long wait_for_connection(struct call *call, uint64_t fd, uint64_t deadline)
{
    struct pollfd poll = {.fd = (int32_t)fd, .events = POLLIN};
    struct __kernel_timespec left = time_of_ns(deadline_left(deadline));
    const uint64_t args[6] = {
        fd_address_of(&poll), 1, deadline == UINT64_MAX ? 0 : fd_address_of(&left), 0, 0, 0};
    long result = call_blocking(call, __NR_ppoll, args);

    return result == 0 ? -EAGAIN : result;
}

/* The kernel gives a connection what was set on its listener; a new one at the destination has to
 * be told. */
static void inherit_options(uint64_t listener, long connection)
{
    const struct open_file *from;
    struct open_file *to;

    if (connection < 0)
        return;
    lock_take(&fd_state()->lock);
    from = find_socket(listener);
    to = find_socket((uint64_t)connection);
    if (from && to && fd_socket_listens_tcp(from))
        fd_options_copy(to, from);
    lock_release(&fd_state()->lock);
}

/* The kernel has written the address of a dummy (fd_backlog.c). */
static long tell_peer(const struct call *call, long fd, uint32_t room)
{
    struct fd_address peer;

    if (!call->args[1])
        return fd;
    fd_socket_peer((int32_t)fd, &peer);
    if (copy_to_program(call->args[1], peer.bytes, OM_MIN(room, peer.length)) != 0 ||
        copy_to_program(call->args[2], &peer.length, sizeof(peer.length)) != 0)
        log_warn("accept: the address cannot be written");
    return fd;
}

static long accept_connection(struct call *call, uint32_t flags)
{
    const uint64_t args[6] = {call->args[0], call->args[1], call->args[2], flags, 0, 0};
    uint64_t fd = (uint32_t)call->args[0], deadline = UINT64_MAX;
    struct accepting accepting;
    uint32_t room = 0;
    long result;

    if (call->args[1] && copy_from_program(&room, call->args[2], sizeof(room)) != 0)
        return -EFAULT;
    look_at_listener(fd, flags, &accepting);
    if (!accepting.known)
        return fd_made(call_blocking(call, __NR_accept4, args), &accepting.model,
                       flags & O_CLOEXEC);
    if (accepting.wait)
        deadline = call_deadline(call, accepting.timeout_ns);
    for (;;) { /* another thread may take the connection that the poll has seen */
        result = fd_kernel(__NR_accept4, args[0], args[1], args[2], args[3]);
        if (fd_backlog_accepted(&result, flags) && result >= 0)
            return tell_peer(call, result, room);
        if (result != -EAGAIN || !accepting.wait)
            break;
        result = wait_for_connection(call, fd, deadline);
        if (result < 0)
            break;
    }
    result = fd_made(result, &accepting.model, flags & O_CLOEXEC);
    inherit_options(fd, result);
    return result;
}

long sys_accept(struct call *call)
{
    return accept_connection(call, 0);
}

long sys_accept4(struct call *call)
{
    return accept_connection(call, (uint32_t)call->args[3]);
}

/* ---- shutdown and options ---- */

long sys_shutdown(struct call *call)
{
    uint64_t fd = (uint32_t)call->args[0];
    struct open_file *file;
    long error = fd_kernel(__NR_shutdown, fd, call->args[1], 0, 0);

    lock_take(&fd_state()->lock);
    file = fd_find(fd);
    if (!error && file && (file->kind == FD_SOCKETPAIR || file->kind == FD_SOCKET))
        file->socket.shut |= (uint8_t)(call->args[1] + 1); /* 0 to read, 1 to write, 2 both */
    if (!error && file && file->kind == FD_LISTENER && call->args[1] != 1) {
        fd_backlog_forget(file);
        file->kind = FD_SOCKET; /* it listens no more */
        fd_control((long)fd, F_SETFL, file->flags);
    }
    lock_release(&fd_state()->lock);
    return error;
}

/* ---- whose address ---- */

static long ask_address(struct call *call, bool peer)
{
    struct fd_address address;
    uint32_t room, length;
    long error = copy_from_program(&room, call->args[2], sizeof(room));

    if (error)
        return error;
    if ((int32_t)room < 0)
        return -EINVAL;
    if (!fd_relay_shown((uint32_t)call->args[0], peer, &address)) {
        address.length = sizeof(address.bytes);
        error = fd_kernel(call->nr, call->args[0], fd_address_of(address.bytes),
                          fd_address_of(&address.length), 0);
    }
    if (error)
        return error;
    length = OM_MIN(OM_MIN(room, address.length), (uint32_t)sizeof(address.bytes));
    error = copy_to_program(call->args[1], address.bytes, length);
    return error ? error : copy_to_program(call->args[2], &address.length, sizeof(address.length));
}

long sys_getsockname(struct call *call)
{
    return ask_address(call, false);
}

long sys_getpeername(struct call *call)
{
    return ask_address(call, true);
}

/* Options with a pointer inside, which must not lead out of the program's memory. */
static bool holds_filter(int32_t level, int32_t name)
{
    return level == SOL_SOCKET && (name == SO_ATTACH_FILTER || name == SO_ATTACH_REUSEPORT_CBPF);
}

static long check_filter(const uint8_t *value, uint32_t length)
{
    const uint64_t instruction = 8;
    struct { /* struct sock_fprog */
        uint16_t count;
        uint64_t instructions;
    } program;

    if (length != sizeof(program))
        return -EINVAL;
    memcpy(&program, value, sizeof(program));
    return call_in_program(program.instructions, program.count * instruction) ? 0 : -EFAULT;
}

/* Tables of the firewall are set through sockets, too; they hold pointers and belong to the host.
 */
static bool is_firewall(int32_t level, int32_t name)
{
    enum { FIREWALL_FIRST = 64, FIREWALL_LAST = 67 };

    if (level == IPPROTO_IPV6) /* where 66 and 67 are ordinary options */
        return name == FIREWALL_FIRST || name == FIREWALL_FIRST + 1;
    return level == IPPROTO_IP && name >= FIREWALL_FIRST && name <= FIREWALL_LAST;
}

static void record_option(uint64_t fd, int32_t level, int32_t name, const uint8_t *value,
                          uint32_t length, bool lost)
{
    struct open_file *file;

    lock_take(&fd_state()->lock);
    file = fd_find(fd);
    if (file &&
        (file->kind == FD_SOCKET || file->kind == FD_LISTENER || file->kind == FD_SOCKETPAIR)) {
        if (lost)
            file->socket.option_lost = 1;
        else
            fd_option_record(file, level, name, value, length);
    }
    lock_release(&fd_state()->lock);
}

long sys_setsockopt(struct call *call)
{
    int32_t level = (int32_t)call->args[1], name = (int32_t)call->args[2];
    uint64_t fd = (uint32_t)call->args[0], from = call->args[3];
    uint32_t length = (uint32_t)call->args[4];
    uint8_t value[VALUE_bytes] = {0};
    bool fits = length <= sizeof(value), filter = holds_filter(level, name);
    long error = 0;

    if ((int32_t)length < 0)
        return -EINVAL;
    if (is_firewall(level, name))
        return -ENOPROTOOPT;
    if (fits && from && copy_from_program(value, from, length) != 0)
        return -EFAULT;
    if (filter)
        error = fits ? check_filter(value, length) : -EINVAL;
    if (error)
        return error;
    error = host_syscall(__NR_setsockopt, fd, call->args[1], call->args[2],
                         fits && from ? fd_address_of(value) : from, length, 0);
    if (!error)
        record_option(fd, level, name, value, length, !fits || filter);
    if (level == SOL_SOCKET && (name == SO_RCVTIMEO_OLD || name == SO_RCVTIMEO_NEW))
        receive_timeout_used();
    return error;
}
