/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs of connected unix sockets (socketpair), both inside the enclave.  What waits in a stream to
 * be read is copied at the stop with MSG_PEEK, which leaves it there, and sent again at the
 * destination. Waiting messages of the other types, and descriptors in flight, are an obstacle.
 */
#include <asm/ioctls.h>
#include <asm/poll.h>
#include <linux/fcntl.h>

#include "enclave/fd_internal.h"

enum {
    MESSAGE_PEEK = 2,          /* MSG_PEEK */
    MESSAGE_DONT_WAIT = 0x40,  /* MSG_DONTWAIT */
    MESSAGE_NO_SIGNAL = 0x4000 /* MSG_NOSIGNAL */
};

static long unread_bytes(int32_t fd)
{
    int32_t length = 0;
    long error = fd_kernel(__NR_ioctl, (uint64_t)fd, FIONREAD, fd_address_of(&length), 0);

    return error ? error : length;
}

/* A message can be empty, so its length does not tell; of a pair with an order, 0 is also the end.
 */
static bool has_message(int32_t fd, int32_t type)
{
    uint8_t byte;
    long got = host_syscall(__NR_recvfrom, (uint64_t)fd, fd_address_of(&byte), sizeof(byte),
                            MESSAGE_PEEK | MESSAGE_DONT_WAIT, 0, 0);

    return got > 0 || (got == 0 && type == TYPE_DATAGRAM);
}

long fd_pair_capture(struct open_file *file, struct fd_obstacle *out)
{
    struct fd_socket *socket = &file->socket;
    long length = unread_bytes(file->fd), got;
    uint8_t *to;

    socket->contents = (struct fd_data){0, 0};
    if (socket->type != TYPE_STREAM) {
        if (length > 0 || has_message(file->fd, socket->type))
            return fd_refuse(out, file->fd, -EOPNOTSUPP,
                             "fd %d, a socket pair: messages not read yet cannot be moved",
                             file->fd);
        return 0;
    }
    if (length <= 0)
        return 0;
    to = fd_data_room((size_t)length, &socket->contents);
    if (!to)
        return fd_refuse(out, file->fd, -EOPNOTSUPP,
                         "fd %d, a socket pair: %ld bytes not read yet are too many to move",
                         file->fd, length);
    got = host_syscall(__NR_recvfrom, (uint64_t)file->fd, fd_address_of(to), (uint64_t)length,
                       MESSAGE_PEEK | MESSAGE_DONT_WAIT, 0, 0);
    if (got != length)
        return fd_refuse(
            out, file->fd, -EOPNOTSUPP,
            "fd %d, a socket pair: descriptors sent over it and not received yet cannot "
            "be moved",
            file->fd);
    return 0;
}

static void send_again(long fd, const struct open_file *reader)
{
    const struct fd_data *contents = &reader->socket.contents;
    const uint8_t *from = fd_data_at(contents);
    uint32_t at = 0;

    while (from && at < contents->length) {
        long done =
            host_syscall(__NR_sendto, (uint64_t)fd, fd_address_of(from + at), contents->length - at,
                         MESSAGE_DONT_WAIT | MESSAGE_NO_SIGNAL, 0, 0);

        if (done <= 0) {
            log_error("fd %d, a socket pair: %u bytes are lost (error %ld)", reader->fd,
                      contents->length - at, -done);
            return;
        }
        at += (uint32_t)done;
    }
}

/* shutdown(2) takes 0 to read, 1 to write, 2 for both; the record has a bit for each. */
static void shut_again(long fd, uint8_t shut)
{
    if (shut)
        fd_kernel(__NR_shutdown, (uint64_t)fd, (uint64_t)shut - 1, 0, 0);
}

long fd_pair_restore(struct open_file *file)
{
    struct open_file *ends[2] = {file, file->socket.other ? fd_file_at(file->socket.other) : NULL};
    int32_t wanted[2] = {-1, -1}, made[2];
    long error =
        host_syscall(__NR_socketpair, (uint64_t)file->socket.domain, (uint64_t)file->socket.type,
                     (uint64_t)file->socket.protocol, fd_address_of(made), 0, 0);

    if (error)
        return error;
    for (unsigned i = 0; i < 2; i++)
        if (ends[i])
            fd_options_apply(made[i], ends[i]);
    for (unsigned i = 0; i < 2; i++)
        if (ends[i])
            send_again(made[!i], ends[i]);
    for (unsigned i = 0; i < 2; i++) {
        if (!ends[i])
            continue;
        shut_again(made[i], ends[i]->socket.shut);
        if (ends[i]->flags & O_NONBLOCK)
            fd_control(made[i], F_SETFL, O_NONBLOCK);
        wanted[i] = ends[i]->fd;
        ends[i]->restored = 1;
    }
    return fd_place_pair(made, wanted);
}
