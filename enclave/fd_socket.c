/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets at the stop and at the destination.  Listeners and datagram sockets are made again with
 * their options and addresses, established TCP connections by fd_tcp.c.  A stream that does not
 * move (a connection that is being closed; a unix one to the outside) is at the destination a
 * socket whose peer has reset it, so that the program learns it in the way it is used to.
 *
 * On one machine source and destination need the same address at once: fd_share_addresses sets
 * SO_REUSEPORT at the source, late, and the destination binds with it and then takes it back. Names
 * of unix sockets cannot be shared: a file is unlinked and bound anew; an abstract name is tried
 * until the source has closed.
 *
 * Next: fd_pair.c for socket pairs, sys_socket.c for the program's calls.
 */
#include <asm/socket.h>
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <linux/stat.h>
#include <linux/un.h>

#include "enclave/fd_internal.h"

enum {
    RESETS_PER_LISTENER = 128, /* below any backlog that a kernel allows */
};

bool fd_socket_is_connection(const struct fd_socket *socket)
{
    return socket->type == TYPE_STREAM || socket->type == TYPE_SEQPACKET;
}

bool fd_socket_is_inet(const struct fd_socket *socket)
{
    return socket->domain == FAMILY_INET || socket->domain == FAMILY_INET6;
}

bool fd_socket_listens_tcp(const struct open_file *file)
{
    return file->kind == FD_LISTENER && fd_socket_is_inet(&file->socket);
}

bool fd_socket_is_tcp_connection(const struct open_file *file)
{
    const struct fd_socket *socket = &file->socket;

    return file->kind == FD_SOCKET && fd_socket_is_inet(socket) && socket->type == TYPE_STREAM &&
           (socket->protocol == 0 || socket->protocol == IPPROTO_TCP) &&
           socket->state == SOCKET_CONNECTED;
}

/* ---- options ---- */

static struct fd_option *option_at(uint32_t index)
{
    return &fd_state()->options[index];
}

void fd_socket_clear(struct open_file *file)
{
    while (file->socket.first_option) {
        uint32_t index = file->socket.first_option;

        file->socket.first_option = option_at(index)->next;
        FD_RETURN(option_pool, options, next, index);
    }
}

/* Options that add something each time they are set, rather than replace a value. */
static bool adds_up(int32_t level, int32_t name)
{
    return (level == IPPROTO_IP && name >= IP_ADD_MEMBERSHIP && name <= MCAST_MSFILTER) ||
           (level == IPPROTO_IPV6 && (name == IPV6_ADD_MEMBERSHIP || name == IPV6_DROP_MEMBERSHIP ||
                                      (name >= MCAST_JOIN_GROUP && name <= MCAST_MSFILTER)));
}

/* The list is in the order in which the options were set first. */
void fd_option_record(struct open_file *file, int32_t level, int32_t name, const void *value,
                      uint32_t length)
{
    uint32_t *link = &file->socket.first_option;
    struct fd_option *option;

    if (length > FD_OPTION_bytes) {
        file->socket.option_lost = 1;
        return;
    }
    for (; *link; link = &option_at(*link)->next) {
        option = option_at(*link);
        if (option->level == level && option->name == name && !adds_up(level, name))
            break;
    }
    if (!*link)
        *link = FD_TAKE(option_pool, options, next);
    if (!*link) {
        file->socket.option_lost = 1;
        return;
    }
    option = option_at(*link);
    option->level = level;
    option->name = name;
    option->length = length;
    memcpy(option->value, value, length);
}

const struct fd_option *fd_option_find(const struct open_file *file, int32_t level, int32_t name)
{
    for (uint32_t index = file->socket.first_option; index; index = option_at(index)->next)
        if (option_at(index)->level == level && option_at(index)->name == name)
            return option_at(index);
    return NULL;
}

void fd_options_copy(struct open_file *to, const struct open_file *from)
{
    for (uint32_t index = from->socket.first_option; index; index = option_at(index)->next) {
        const struct fd_option *option = option_at(index);

        fd_option_record(to, option->level, option->name, option->value, option->length);
    }
}

int32_t fd_option_number(const struct open_file *file, int32_t level, int32_t name)
{
    const struct fd_option *option = fd_option_find(file, level, name);
    int32_t value = 0;

    if (option && option->length >= sizeof(value))
        memcpy(&value, option->value, sizeof(value));
    return value;
}

void fd_option_set(long fd, int32_t name, int32_t value)
{
    host_syscall(__NR_setsockopt, (uint64_t)fd, SOL_SOCKET, (uint64_t)name, fd_address_of(&value),
                 sizeof(value), 0);
}

void fd_options_apply(long fd, const struct open_file *file)
{
    for (uint32_t index = file->socket.first_option; index; index = option_at(index)->next) {
        const struct fd_option *option = option_at(index);
        long error =
            host_syscall(__NR_setsockopt, (uint64_t)fd, (uint64_t)option->level,
                         (uint64_t)option->name, fd_address_of(option->value), option->length, 0);

        if (error)
            log_warn("fd %d, a socket: option %d of level %d is refused here (error %ld)", file->fd,
                     option->name, option->level, -error);
    }
    if (file->socket.option_lost)
        log_warn("fd %d, a socket: not all of its options were recorded", file->fd);
}

/* ---- addresses ---- */

static void ask_address(long nr, int32_t fd, struct fd_address *out)
{
    uint32_t length = sizeof(out->bytes);

    memset(out, 0, sizeof(*out));
    if (fd_kernel(nr, (uint64_t)fd, fd_address_of(out->bytes), fd_address_of(&length), 0) == 0 &&
        length <= sizeof(out->bytes))
        out->length = length;
}

void fd_socket_local(int32_t fd, struct fd_address *out)
{
    ask_address(__NR_getsockname, fd, out);
}

void fd_socket_peer(int32_t fd, struct fd_address *out)
{
    ask_address(__NR_getpeername, fd, out);
}

uint16_t fd_address_family(const struct fd_address *address)
{
    uint16_t family = 0;

    if (address->length >= sizeof(family))
        memcpy(&family, address->bytes, sizeof(family));
    return family;
}

uint16_t fd_address_port(const struct fd_address *address)
{
    uint16_t family = fd_address_family(address), port = 0;

    if (family == FAMILY_INET || family == FAMILY_INET6) /* at the same place in both */
        memcpy(&port, &address->bytes[offsetof(struct sockaddr_in, sin_port)], sizeof(port));
    return port;
}

void fd_address_set_port(struct fd_address *address, uint16_t port)
{
    uint16_t family = fd_address_family(address);

    if (family == FAMILY_INET || family == FAMILY_INET6)
        memcpy(&address->bytes[offsetof(struct sockaddr_in, sin_port)], &port, sizeof(port));
}

const uint8_t *fd_address_host(const struct fd_address *address, size_t *out_length)
{
    switch (fd_address_family(address)) {
    case FAMILY_INET:
        *out_length = sizeof(struct in_addr);
        return &address->bytes[offsetof(struct sockaddr_in, sin_addr)];
    case FAMILY_INET6:
        *out_length = sizeof(struct in6_addr);
        return &address->bytes[offsetof(struct sockaddr_in6, sin6_addr)];
    default:
        *out_length = 0;
        return address->bytes;
    }
}

bool fd_address_same_host(const struct fd_address *a, const struct fd_address *b)
{
    size_t length, other;
    const uint8_t *host = fd_address_host(a, &length), *its = fd_address_host(b, &other);

    return length && length == other && memcmp(host, its, length) == 0;
}

bool fd_address_is_mapped(const struct fd_address *address)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    size_t length;
    const uint8_t *host = fd_address_host(address, &length);

    return length == sizeof(struct in6_addr) && memcmp(host, prefix, sizeof(prefix)) == 0;
}

bool fd_address_is_loopback(const struct fd_address *address)
{
    enum { LOOPBACK = 127 };
    static const uint8_t one[16] = {[15] = 1};
    size_t length;
    const uint8_t *host = fd_address_host(address, &length);

    if (length == sizeof(struct in_addr))
        return host[0] == LOOPBACK;
    if (fd_address_is_mapped(address))
        return host[sizeof(struct in6_addr) - sizeof(struct in_addr)] == LOOPBACK;
    return length && memcmp(host, one, sizeof(one)) == 0;
}

/* The path of a unix socket's file; empty for one without a name and for an abstract name. */
void fd_address_path(const struct fd_address *address, char out[FD_ADDRESS_bytes])
{
    const size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t length = address->length > start ? address->length - start : 0;

    if (fd_address_family(address) != FAMILY_UNIX)
        length = 0;
    memcpy(out, &address->bytes[start], length);
    out[OM_MIN(length, (size_t)FD_ADDRESS_bytes - 1)] = 0;
}

/* Worth to be bound to: a port, or a name. */
bool fd_address_is_name(const struct fd_address *address)
{
    switch (fd_address_family(address)) {
    case 0:
        return false;
    case FAMILY_INET:
    case FAMILY_INET6:
        return fd_address_port(address) != 0;
    case FAMILY_UNIX:
        return address->length > offsetof(struct sockaddr_un, sun_path);
    default:
        return true;
    }
}

void fd_address_text(const struct fd_address *address, char *out, size_t capacity)
{
    const uint8_t *a = address->bytes;
    unsigned port = __builtin_bswap16(fd_address_port(address));

    switch (fd_address_family(address)) {
    case FAMILY_INET:
        a += offsetof(struct sockaddr_in, sin_addr);
        str_format(out, capacity, "%u.%u.%u.%u:%u", a[0], a[1], a[2], a[3], port);
        break;
    case FAMILY_INET6:
        a += offsetof(struct sockaddr_in6, sin6_addr);
        str_format(out, capacity, "[%x:%x:%x:%x:%x:%x:%x:%x]:%u", a[0] << 8 | a[1],
                   a[2] << 8 | a[3], a[4] << 8 | a[5], a[6] << 8 | a[7], a[8] << 8 | a[9],
                   a[10] << 8 | a[11], a[12] << 8 | a[13], a[14] << 8 | a[15], port);
        break;
    case FAMILY_UNIX: /* an abstract name begins with a zero byte */
        a += offsetof(struct sockaddr_un, sun_path);
        str_format(out, capacity, "%s%s", a[0] ? "" : "@", (const char *)a + (a[0] ? 0 : 1));
        break;
    default:
        str_copy(out, "a socket", capacity);
        break;
    }
}

/* ---- the stop ---- */

/* Sockets share a port only with those of the same user, and a server may have changed its own. */
static uint32_t owner_of(long fd)
{
    struct stat status;

    return fd_kernel(__NR_fstat, (uint64_t)fd, fd_address_of(&status), 0, 0) == 0 ? status.st_uid
                                                                                  : 0;
}

void fd_socket_settle(struct open_file *file)
{
    struct fd_socket *socket = &file->socket;
    struct fd_address peer;

    if (file->kind != FD_SOCKET || !fd_socket_is_connection(socket) ||
        socket->state != SOCKET_CONNECTING)
        return;
    fd_socket_peer(file->fd, &peer);
    if (!peer.length)
        return;
    socket->state = SOCKET_CONNECTED;
    fd_socket_local(file->fd, &socket->local); /* the kernel chose it */
}

long fd_socket_capture(struct open_file *file, struct fd_obstacle *out)
{
    struct fd_socket *socket = &file->socket;

    socket->relay.wanted = false;
    if (!fd_socket_is_tcp_connection(file))
        socket->owner = owner_of(file->fd);
    if (file->kind == FD_LISTENER)
        return 0; /* fd_backlog.c */
    if (!fd_socket_is_connection(socket)) {
        ask_address(__NR_getsockname, file->fd, &socket->local);
        ask_address(__NR_getpeername, file->fd, &socket->peer);
    } else if (socket->state == SOCKET_CONNECTING) {
        fd_socket_settle(file);
    } else if (socket->state == SOCKET_FRESH && socket->bound) {
        ask_address(__NR_getsockname, file->fd, &socket->local);
    }
    socket->tcp = (struct fd_tcp){0};
    if (!fd_socket_is_tcp_connection(file))
        return 0;
    if (fd_state()->connections == OM_CONNECTIONS_PROXY)
        fd_relay_capture(file);
    return fd_state()->connections == OM_CONNECTIONS_MOVE ? fd_tcp_capture(file, out) : 0;
}

/* ---- the destination: bound sockets ---- */

/* The file that the source's socket left.  Only a socket's: anything else is not ours. */
static void unlink_stale(const char *path)
{
    struct stat status;

    if (fd_kernel(__NR_lstat, fd_address_of(path), fd_address_of(&status), 0, 0) == 0 &&
        (status.st_mode & S_IFMT) == S_IFSOCK)
        fd_kernel(__NR_unlink, fd_address_of(path), 0, 0, 0);
}

static struct fd_address address_to_bind(const struct fd_socket *socket)
{
    struct fd_address address = socket->local;

    if (socket->domain ==
        FAMILY_NETLINK) /* the port is the kernel's choice: it was the process id */
        memset(&address.bytes[offsetof(struct sockaddr_nl, nl_pid)], 0, sizeof(uint32_t));
    return address;
}

static long bind_name(long fd, const struct open_file *file)
{
    struct fd_address address = address_to_bind(&file->socket);
    char path[FD_ADDRESS_bytes];
    long error;

    if (!fd_address_is_name(&address))
        return 0;
    fd_address_path(&address, path);
    if (path[0])
        unlink_stale(path);
    if (fd_socket_is_inet(&file->socket)) {
        fd_option_set(fd, SO_REUSEPORT, 1);
        if (fd_socket_is_connection(&file->socket))
            fd_option_set(fd, SO_REUSEADDR, 1);
    }
    error = fd_kernel(__NR_bind, (uint64_t)fd, fd_address_of(address.bytes), address.length, 0);
    if (!error && path[0] && file->socket.path_mode)
        fd_kernel(__NR_chmod, fd_address_of(path), file->socket.path_mode, 0, 0);
    return file->socket.bound ? error : 0; /* a name that the kernel chose is not worth a failure */
}

/* The program's own values again; it may have set none.  Listeners keep SO_REUSEADDR (sys_listen).
 */
static void unshare(long fd, const struct open_file *file)
{
    if (!fd_socket_is_inet(&file->socket) || !fd_address_is_name(&file->socket.local))
        return;
    fd_option_set(fd, SO_REUSEPORT, fd_option_number(file, SOL_SOCKET, SO_REUSEPORT));
    if (file->kind == FD_SOCKET && fd_socket_is_connection(&file->socket))
        fd_option_set(fd, SO_REUSEADDR, fd_option_number(file, SOL_SOCKET, SO_REUSEADDR));
}

static long create(const struct open_file *file, uint32_t flags)
{
    enum { NO_GROUP = -1 };
    long fd = fd_kernel(__NR_socket, (uint64_t)file->socket.domain,
                        (uint64_t)file->socket.type | (flags & O_NONBLOCK),
                        (uint64_t)file->socket.protocol, 0);

    if (fd >= 0 && file->socket.owner)
        fd_kernel(__NR_fchown, (uint64_t)fd, file->socket.owner, (uint64_t)NO_GROUP, 0);
    return fd;
}

static long listen_again(long fd, const struct open_file *file)
{
    long error;

    if (fd_socket_listens_tcp(file))
        fd_tcp_silence(fd, true);
    error = fd_kernel(__NR_listen, (uint64_t)fd, (uint64_t)file->socket.backlog, 0, 0);

    /* The kernel's listener never waits: sys_socket.c does, so that no number is held meanwhile. */
    if (!error)
        error = fd_control(fd, F_SETFL, O_NONBLOCK);
    return error;
}

static long restore_bound(long fd, struct open_file *file)
{
    const struct fd_socket *socket = &file->socket;
    const struct fd_address *peer = &socket->peer;
    long error;

    fd_options_apply(fd, file);
    error = bind_name(fd, file);
    if (!error && file->kind == FD_LISTENER)
        error = listen_again(fd, file);
    unshare(fd, file);
    if (error)
        return error;
    if (peer->length && (!fd_socket_is_connection(socket) || (file->flags & O_NONBLOCK)))
        error = fd_kernel(__NR_connect, (uint64_t)fd, fd_address_of(peer->bytes), peer->length, 0);
    if (error && error != -EINPROGRESS)
        log_warn("fd %d, a socket: cannot be connected again (error %ld)", file->fd, -error);
    return 0;
}

/* ---- the destination: what was connected ---- */

/* Connections are made to a listener of our own, which is then closed: that resets all of them. */
static struct {
    long listener;
    uint32_t port; /* in network order */
    uint32_t pending, total;
} g_reset;

void fd_socket_restore_begin(void)
{
    g_reset.listener = -1;
    g_reset.pending = g_reset.total = 0;
}

static void reset_pending(void)
{
    fd_close_number(g_reset.listener);
    g_reset.listener = -1;
    g_reset.pending = 0;
}

void fd_socket_restore_end(void)
{
    reset_pending();
    if (g_reset.total)
        log_warn("%u established connection%s did not move: reset", g_reset.total,
                 g_reset.total == 1 ? "" : "s");
}

static struct sockaddr_in loopback(uint32_t port)
{
    return (struct sockaddr_in){
        .sin_family = FAMILY_INET,
        .sin_port = (uint16_t)port,
        .sin_addr.s_addr = __builtin_bswap32(INADDR_LOOPBACK),
    };
}

static long open_listener(void)
{
    struct sockaddr_in address = loopback(0);
    uint32_t length = sizeof(address);
    long fd = fd_move_up(fd_kernel(__NR_socket, FAMILY_INET, TYPE_STREAM | O_CLOEXEC, 0, 0));
    long error;

    if (fd < 0)
        return fd;
    error = fd_kernel(__NR_bind, (uint64_t)fd, fd_address_of(&address), sizeof(address), 0);
    if (!error)
        error = fd_kernel(__NR_listen, (uint64_t)fd, RESETS_PER_LISTENER, 0, 0);
    if (!error)
        error = fd_kernel(__NR_getsockname, (uint64_t)fd, fd_address_of(&address),
                          fd_address_of(&length), 0);
    if (error) {
        fd_close_number(fd);
        return error;
    }
    g_reset.listener = fd;
    g_reset.port = address.sin_port;
    return 0;
}

/* Never waits: over loopback the connection is there when connect returns, and if not, a reset
 * comes all the same. */
static long connect_to_be_reset(long fd, const struct open_file *file)
{
    struct sockaddr_in address = loopback(g_reset.port);
    struct sockaddr_in6 mapped = {.sin6_family = FAMILY_INET6, .sin6_port = address.sin_port};
    long error;

    if (file->socket.domain == FAMILY_INET) {
        error = fd_kernel(__NR_connect, (uint64_t)fd, fd_address_of(&address), sizeof(address), 0);
    } else { /* ::ffff:127.0.0.1, which needs no IPv6 address */
        mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
        memcpy(&mapped.sin6_addr.s6_addr[12], &address.sin_addr, sizeof(address.sin_addr));
        error = fd_kernel(__NR_connect, (uint64_t)fd, fd_address_of(&mapped), sizeof(mapped), 0);
    }
    return error == -EINPROGRESS ? 0 : error;
}

static long restore_reset_inet(struct open_file *file)
{
    long error = g_reset.listener < 0 ? open_listener() : 0;
    long fd;

    if (error)
        return error;
    fd = create(file, O_NONBLOCK);
    if (fd < 0)
        return fd;
    error = connect_to_be_reset(fd, file);
    if (error)
        log_warn("fd %d, a connection: cannot be made a reset one (error %ld)", file->fd, -error);
    if (!(file->flags & O_NONBLOCK))
        fd_control(fd, F_SETFL, 0);
    g_reset.total++;
    if (++g_reset.pending == RESETS_PER_LISTENER)
        reset_pending();
    return fd;
}

/* A unix socket is reset when its peer closes without having read everything. */
static long restore_reset_unix(struct open_file *file)
{
    int32_t fds[2];
    char byte = 0;
    long error = host_syscall(__NR_socketpair, FAMILY_UNIX,
                              (uint64_t)file->socket.type | (file->flags & O_NONBLOCK), 0,
                              fd_address_of(fds), 0, 0);

    if (error)
        return error;
    fd_kernel(__NR_write, (uint64_t)fds[0], fd_address_of(&byte), 1, 0);
    fd_close_number(fds[1]);
    g_reset.total++;
    return fds[0];
}

static long restore_open(struct open_file *file)
{
    long fd = create(file, file->flags);
    long error = fd < 0 ? fd : restore_bound(fd, file);

    if (!error)
        return fd;
    fd_close_number(fd);
    return error;
}

long fd_socket_restore(struct open_file *file)
{
    const struct fd_socket *socket = &file->socket;
    bool connected = fd_socket_is_connection(socket) && socket->state == SOCKET_CONNECTED;
    long fd;

    if (connected && socket->relay.wanted)
        fd = fd_relay_restore(file);
    else if (connected && socket->tcp.held)
        fd = fd_tcp_restore(file);
    else if (connected && fd_socket_is_inet(socket))
        fd = restore_reset_inet(file);
    else if (connected && socket->domain == FAMILY_UNIX)
        fd = restore_reset_unix(file);
    else
        fd = restore_open(file);
    return fd_place(fd, file->fd);
}
