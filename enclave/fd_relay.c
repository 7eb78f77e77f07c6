/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that stay at the source host (--connections proxy), for where their address cannot
 * go.  Nothing of them is read at the stop: the kernel's sockets stay as they are, with all that
 * waits in them, and after the commit a relay process has them (host/relay_start.c, relay/relay.c).
 * The destination makes a stand-in for each, a connection to the relay, which says a token first
 * that came with the tables, sealed.  To the program a stand-in shows the addresses of the
 * connection that it stands for.
 *
 * A stand-in is a connection like any other: on the same machine it moves, to another one it stays
 * behind in its turn.
 */
#include <linux/fcntl.h>

#include "enclave/fd_internal.h"
#include "enclave/fd_tcp.h"

enum { CHUNK = 64 };

bool fd_relay_wanted(const struct open_file *file)
{
    return file->kind == FD_SOCKET && file->socket.relay.wanted;
}

long fd_relay_begin(struct fd_obstacle *out)
{
    uint16_t port = 0;
    long error = g_host.relay_begin(&port);

    fd_state()->relay_port = port;
    if (error)
        return fd_refuse(out, -1, error,
                         "the relay for its connections cannot be started (error %ld)", -error);
    return 0;
}

/* The program has closed it altogether, or its peer has reset it: nothing to stand for. */
static bool is_over(const struct open_file *file)
{
    return !fd_tcp_state_moves(fd_tcp_state(file->fd));
}

void fd_relay_capture(struct open_file *file)
{
    struct fd_relay *relay = &file->socket.relay;

    if (is_over(file))
        return;
    relay->wanted = true;
    random_bytes(relay->token, sizeof(relay->token));
    if (relay->local.length)
        return; /* a stand-in already */
    fd_socket_local(file->fd, &relay->local);
    fd_socket_peer(file->fd, &relay->peer);
}

/* ---- the source, after the commit ---- */

void fd_relay_keep(void)
{
    static struct om_relayed chunk[CHUNK];
    struct fd_walk walk = fd_walk();
    struct open_file *file;
    uint32_t count = 0;
    long error = 0;

    if (fd_state()->connections != OM_CONNECTIONS_PROXY)
        return;
    while (!error && (file = fd_walk_next(&walk))) {
        if (!fd_relay_wanted(file) && !fd_socket_listens_tcp(file))
            continue;
        chunk[count] = (struct om_relayed){.fd = file->fd, .listens = file->kind == FD_LISTENER};
        if (!chunk[count].listens)
            memcpy(chunk[count].token, file->socket.relay.token, sizeof(chunk[count].token));
        if (++count == CHUNK) {
            error = g_host.relay_keep(chunk, count);
            count = 0;
        }
    }
    if (!error && count)
        error = g_host.relay_keep(chunk, count);
    if (!error)
        error = g_host.relay_keep(NULL, 0);
    if (error)
        log_error("connections cannot be given to their relay, and are reset (error %ld)", -error);
}

/* ---- the destination ---- */

long fd_relay_restore(struct open_file *file)
{
    long fd = g_host.relay_connect(fd_state()->relay_port);

    if (fd >= 0)
        fd_options_apply(fd, file);
    return fd;
}

long fd_relay_greet(struct fd_obstacle *out)
{
    struct fd_walk walk = fd_walk();
    struct open_file *file;

    while ((file = fd_walk_next(&walk))) {
        long error;

        if (!fd_relay_wanted(file))
            continue;
        error = g_host.relay_greet(file->fd, file->socket.relay.token);
        if (error)
            return fd_refuse(out, file->fd, error,
                             "fd %d, a connection: the relay at the source host, port %u, cannot "
                             "be reached (error %ld)",
                             file->fd, (unsigned)fd_state()->relay_port, -error);
        fd_control(file->fd, F_SETFL, O_RDWR | (file->flags & O_NONBLOCK));
        if (file->socket.shut)
            fd_kernel(__NR_shutdown, (uint64_t)file->fd, file->socket.shut - 1U, 0, 0);
    }
    return 0;
}

/* ---- what the program sees ---- */

bool fd_relay_shown(uint64_t fd, bool peer, struct fd_address *out)
{
    const struct open_file *file;

    lock_take(&fd_state()->lock);
    file = fd_find(fd);
    *out = (struct fd_address){0};
    if (file && file->kind == FD_SOCKET && file->socket.relay.local.length)
        *out = peer ? file->socket.relay.peer : file->socket.relay.local;
    lock_release(&fd_state()->lock);
    return out->length;
}
