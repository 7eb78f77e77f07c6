/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that stay behind (optmig migrate --connections proxy).  The source starts a relay
 * process before the switchover and gives it the kernel's sockets after it, as they are, with all
 * that waits in them; the destination's stand-ins connect to the relay's listener, which is there
 * from the begin, and say a token that only the two enclaves know.
 *
 * The relay of a move that failed is told to end.
 */
#include "host/relay_start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/channel.h"
#include "host/host.h"
#include "host/relay_protocol.h"

enum { CONNECT_TIMEOUT_ms = 5000 };

extern char **environ;

/* Made before there is a program: nothing may be opened while one runs (enclave/fd_internal.h). */
static struct {
    int ours, theirs;
    pid_t pid; /* 0: none has been started, or it has all it needs */
    uint32_t connections;
    struct sockaddr_storage here, there; /* of the move */
} g_relay = {.ours = -1, .theirs = -1};

static socklen_t address_length(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET)
        ((struct sockaddr_in *)address)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
}

static uint16_t get_port(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET ? ((const struct sockaddr_in *)address)->sin_port
                                               : ((const struct sockaddr_in6 *)address)->sin6_port);
}

/* ---- the source ---- */

static bool relay_path(char path[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - sizeof("optmig-relay"));
    char *slash;

    if (length <= 0)
        return false;
    path[length] = 0;
    slash = strrchr(path, '/');
    strcpy(slash + 1, "optmig-relay");
    return true;
}

static int spawn(void)
{
    char path[PATH_MAX];
    char *argv[] = {(char *)"optmig-relay", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int error;

    if (!relay_path(path))
        return -ENOENT;
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, g_relay.theirs, RELAY_CONTROL_FD);
    posix_spawn_file_actions_addclosefrom_np(&actions, RELAY_CONTROL_FD + 1);
    error = posix_spawn(&g_relay.pid, path, &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return -error;
}

static bool tell(const struct relay_message *message, int fd)
{
    struct iovec part = {(void *)message, sizeof(*message)};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    struct cmsghdr *rights;

    if (fd >= 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof(control.bytes);
        rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
    }
    return sendmsg(g_relay.ours, &header, MSG_NOSIGNAL) == sizeof(*message);
}

/* What an earlier relay has left unread, or not heard. */
static void clear_line(void)
{
    struct relay_message message;

    while (recv(g_relay.ours, &message, sizeof(message), MSG_DONTWAIT) > 0)
        ;
    while (recv(g_relay.theirs, &message, sizeof(message), MSG_DONTWAIT) > 0)
        ;
}

int relay_prepare(void)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return -errno;
    g_relay.ours = host_fd_keep(pair[0]);
    g_relay.theirs = host_fd_keep(pair[1]);
    return g_relay.ours < 0 || g_relay.theirs < 0 ? -errno : 0;
}

long host_relay_begin(uint16_t *out_port)
{
    struct relay_message message = {.kind = RELAY_HERE};
    struct pollfd wait = {.fd = g_relay.ours, .events = POLLIN};
    int error;

    host_relay_end();
    if (g_relay.ours < 0 || !channel_addresses(&g_relay.here, &g_relay.there))
        return -EAFNOSUPPORT;
    clear_line();
    message.address = g_relay.here;
    set_port(&message.address, 0);
    error = spawn();
    if (error)
        return error;
    if (!tell(&message, -1) || poll(&wait, 1, CONNECT_TIMEOUT_ms) != 1 ||
        recv(g_relay.ours, &message, sizeof(message), MSG_DONTWAIT) != sizeof(message) ||
        message.kind != RELAY_HERE || !get_port(&message.address)) {
        host_relay_end();
        return -EADDRNOTAVAIL;
    }
    g_relay.connections = 0;
    *out_port = get_port(&message.address);
    return 0;
}

void host_relay_end(void)
{
    const struct relay_message message = {.kind = RELAY_END};

    if (!g_relay.pid)
        return;
    tell(&message, -1);
    waitpid(g_relay.pid, NULL, 0);
    g_relay.pid = 0;
}

/* On one machine the program's own listener has the address: the relay must not take its clients.
 */
static bool is_here(const struct sockaddr_storage *here, const struct sockaddr_storage *there)
{
    if (here->ss_family != there->ss_family)
        return false;
    if (here->ss_family == AF_INET)
        return ((const struct sockaddr_in *)here)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)there)->sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)here)->sin6_addr,
                  &((const struct sockaddr_in6 *)there)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);

    getsockname(fd, (struct sockaddr *)&address, &length);
    return get_port(&address);
}

static long go(void)
{
    const struct relay_message message = {.kind = RELAY_GO};

    if (!tell(&message, -1))
        return -errno;
    control_relay(g_relay.pid, g_relay.connections);
    g_relay.pid = 0;
    return 0;
}

long host_relay_keep(const struct om_relayed *sockets, uint32_t count)
{
    struct relay_message message = {0};

    if (!g_relay.pid)
        return -ENOTCONN;
    for (uint32_t i = 0; i < count; i++) {
        message.kind = sockets[i].listens ? RELAY_LISTENER : RELAY_CONNECTION;
        memcpy(message.token, sockets[i].token, sizeof(message.token));
        message.address = g_relay.there;
        if (sockets[i].listens) {
            if (is_here(&g_relay.here, &g_relay.there))
                continue;
            set_port(&message.address, port_of(sockets[i].fd));
        }
        g_relay.connections += !sockets[i].listens;
        if (!tell(&message, sockets[i].fd))
            return -errno;
    }
    return count ? 0 : go();
}

/* ---- the destination ---- */

long host_relay_connect(uint16_t port)
{
    struct sockaddr_storage to;
    int fd;

    if (!channel_addresses(NULL, &to))
        return -EAFNOSUPPORT;
    set_port(&to, port);
    fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&to, address_length(&to)) && errno != EINPROGRESS) {
        int error = errno;

        close(fd);
        return -error;
    }
    return fd;
}

long host_relay_greet(int fd, const uint8_t token[OM_RELAY_TOKEN_bytes])
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t length = sizeof(error);

    if (poll(&wait, 1, CONNECT_TIMEOUT_ms) != 1)
        return -ETIMEDOUT;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) || error)
        return error ? -error : -errno;
    return send(fd, token, OM_RELAY_TOKEN_bytes, MSG_NOSIGNAL) == OM_RELAY_TOKEN_bytes ? 0 : -EIO;
}
