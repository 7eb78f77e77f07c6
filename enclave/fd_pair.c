/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs of connected unix sockets (socketpair), both inside the enclave.  What waits to be read is
 * copied at the stop with MSG_PEEK, which leaves it there, and sent again at the destination: bytes
 * of a stream, or messages, each kept with its length before it.  SO_PEEK_OFF leads from one
 * message to the next.  Descriptors in flight are an obstacle.
 *
 * The kernel steps over an empty message once it has been looked at so.  So empty ones are found by
 * the first capture only; after a move that failed, a queue that had some must have been read.
 */
#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/socket.h>
#include <linux/fcntl.h>
#include <linux/uio.h>

#include "enclave/fd_internal.h"

enum {
    MESSAGE_PEEK = 2,           /* MSG_PEEK */
    MESSAGE_CUT_CONTROL = 8,    /* MSG_CTRUNC */
    MESSAGE_TELL_LENGTH = 0x20, /* MSG_TRUNC */
    MESSAGE_DONT_WAIT = 0x40,   /* MSG_DONTWAIT */
    MESSAGE_NO_SIGNAL = 0x4000, /* MSG_NOSIGNAL */
    ENDED_BY_PEER = 0x2000,     /* POLLRDHUP */
    CREDENTIALS_bytes = 32,     /* CMSG_SPACE(sizeof(struct ucred)) */
    FORGOTTEN_END_bytes = 64 << 20,
};

/* As the kernel takes it. */
struct message_header {
    uint64_t name;
    uint32_t name_length, reserved0;
    const struct iovec *parts;
    uint64_t part_count;
    uint64_t control, control_length;
    uint32_t flags, reserved1;
};

static long unread_bytes(int32_t fd)
{
    int32_t length = 0;
    long error = fd_kernel(__NR_ioctl, (uint64_t)fd, FIONREAD, fd_address_of(&length), 0);

    return error ? error : length;
}

static int32_t option_now(int32_t fd, int32_t name)
{
    int32_t value = 0, length = sizeof(value);

    host_syscall(__NR_getsockopt, (uint64_t)fd, SOL_SOCKET, (uint64_t)name, fd_address_of(&value),
                 fd_address_of(&length), 0);
    return value;
}

/* Its length or -errno; -EXDEV: descriptors come with it.  There is room for the sender's ids, if
 * they are wanted, and for nothing else, so that the kernel makes no descriptor here. */
static long peek(int32_t fd, uint8_t *to, size_t capacity, uint32_t flags)
{
    uint8_t control[CREDENTIALS_bytes] __attribute__((aligned(8)));
    const struct iovec part = {to, capacity};
    struct message_header header = {
        .parts = &part,
        .part_count = 1,
        .control = fd_address_of(control),
        .control_length = option_now(fd, SO_PASSCRED) ? sizeof(control) : 0,
    };
    long got = fd_kernel(__NR_recvmsg, (uint64_t)fd, fd_address_of(&header),
                         flags | MESSAGE_PEEK | MESSAGE_DONT_WAIT, 0);

    return got >= 0 && header.flags & MESSAGE_CUT_CONTROL ? -EXDEV : got;
}

/* Where messages keep an order, looking at one gives 0 also if nothing is left and the other end is
 * shut.  Empty messages before that end cannot be told from it, by the program neither. */
static bool is_end(const struct open_file *file, uint32_t bytes_seen)
{
    struct pollfd poll = {.fd = file->fd, .events = ENDED_BY_PEER};

    return file->socket.type == TYPE_SEQPACKET && unread_bytes(file->fd) <= (long)bytes_seen &&
           fd_kernel(__NR_poll, fd_address_of(&poll), 1, 0, 0) > 0 && poll.revents & ENDED_BY_PEER;
}

static uint8_t *keep_length(uint32_t length, struct fd_data *contents)
{
    struct fd_data piece;
    uint8_t *to = fd_data_room(sizeof(length) + length, &piece);

    if (!to)
        return NULL;
    memcpy(to, &length, sizeof(length));
    contents->length += piece.length;
    return to + sizeof(length);
}

/* The next message: 1, 0: there is none, or -errno.  SO_PEEK_OFF is set. */
static long keep_message(struct open_file *file, uint32_t *total)
{
    struct fd_socket *socket = &file->socket;
    long length = peek(file->fd, NULL, 0, MESSAGE_TELL_LENGTH), got;
    uint8_t *to;

    if (length == -EAGAIN)
        return 0;
    if (length < 0)
        return length;
    if (length == 0 && is_end(file, *total))
        return 0;
    to = keep_length((uint32_t)length, &socket->contents);
    if (!to)
        return -ENOSPC;
    *total += (uint32_t)length;
    if (length == 0) {
        socket->empty_seen = 1;
        return 1;
    }
    got = peek(file->fd, to, (size_t)length, 0);
    return got < 0 ? got : got == length ? 1 : -EIO;
}

/* The first one is looked at as programs do, which finds it even if it is empty and somebody has
 * looked at it before; SO_PEEK_OFF then begins behind it.  1, 0 or -errno, as above. */
static long keep_if_empty(struct open_file *file)
{
    uint8_t byte;
    long got = peek(file->fd, &byte, sizeof(byte), 0);

    if (got == -EAGAIN || (got == 0 && is_end(file, 0))) {
        file->socket.empty_seen = 0;
        return 0;
    }
    if (got >= 0 && file->socket.empty_seen)
        return -ESTALE;
    if (got)
        return got;
    file->socket.empty_seen = 1;
    return keep_length(0, &file->socket.contents) ? 1 : -ENOSPC;
}

static long keep_messages(struct open_file *file)
{
    int32_t offset = option_now(file->fd, SO_PEEK_OFF);
    uint32_t total = 0;
    long more;

    fd_option_set(file->fd, SO_PEEK_OFF, -1);
    more = keep_if_empty(file);
    fd_option_set(file->fd, SO_PEEK_OFF, 0);
    while (more > 0)
        more = keep_message(file, &total);
    fd_option_set(file->fd, SO_PEEK_OFF, offset);
    return more;
}

static long keep_bytes(struct open_file *file)
{
    long length = unread_bytes(file->fd), got;
    uint8_t *to;

    if (length <= 0)
        return 0;
    to = fd_data_room((size_t)length, &file->socket.contents);
    if (!to)
        return -ENOSPC;
    got = peek(file->fd, to, (size_t)length, 0);
    return got < 0 ? got : got == length ? 0 : -EXDEV; /* the kernel stops at descriptors */
}

static const char *why(long error)
{
    switch (-error) {
    case EXDEV:
        return "descriptors sent over it and not received yet cannot be moved";
    case ENOSPC:
        return "what has not been read yet is too much to move";
    case ESTALE:
        return "empty messages that a move which failed has looked at must be read first";
    default:
        return "what has not been read yet cannot be looked at";
    }
}

long fd_pair_capture(struct open_file *file, struct fd_obstacle *out)
{
    struct fd_socket *socket = &file->socket;
    long error;

    socket->contents = (struct fd_data){fd_state()->data_used, 0};
    error = socket->type == TYPE_STREAM ? keep_bytes(file) : keep_messages(file);
    if (!error)
        return 0;
    return fd_refuse(out, file->fd, -EOPNOTSUPP, "fd %d, a socket pair: %s (error %ld)", file->fd,
                     why(error), -error);
}

/* ---- the destination ---- */

static long send_bytes(long fd, const uint8_t *from, uint32_t length)
{
    uint32_t at = 0;

    while (at < length) {
        long done = host_syscall(__NR_sendto, (uint64_t)fd, fd_address_of(from + at), length - at,
                                 MESSAGE_DONT_WAIT | MESSAGE_NO_SIGNAL, 0, 0);

        if (done <= 0)
            return done ? done : -EIO;
        at += (uint32_t)done;
    }
    return 0;
}

static long send_messages(long fd, const uint8_t *from, uint32_t length)
{
    uint32_t size;

    for (uint32_t at = 0; at < length; at += size) {
        long done;

        if (length - at < sizeof(size))
            return -EINVAL;
        memcpy(&size, from + at, sizeof(size));
        at += sizeof(size);
        if (size > length - at)
            return -EINVAL;
        done = host_syscall(__NR_sendto, (uint64_t)fd, fd_address_of(from + at), size,
                            MESSAGE_DONT_WAIT | MESSAGE_NO_SIGNAL, 0, 0);
        if (done != (long)size)
            return done < 0 ? done : -EIO;
    }
    return 0;
}

/* By the other end, which may be gone: then nobody knows how large it had made its buffer. */
static long send_again(long fd, bool forgotten, struct open_file *reader)
{
    const struct fd_data *contents = &reader->socket.contents;
    const uint8_t *from = fd_data_at(contents);
    long error;

    if (!from)
        return -EINVAL;
    reader->socket.empty_seen = 0;
    if (forgotten)
        fd_option_set(fd, SO_SNDBUFFORCE, FORGOTTEN_END_bytes);
    error = reader->socket.type == TYPE_STREAM ? send_bytes(fd, from, contents->length)
                                               : send_messages(fd, from, contents->length);
    if (error)
        log_error("fd %d, a socket pair: what was not read yet cannot be sent again (error %ld)",
                  reader->fd, -error);
    return error;
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
    for (unsigned i = 0; !error && i < 2; i++)
        if (ends[i])
            error = send_again(made[!i], !ends[!i], ends[i]);
    if (error) {
        fd_close_number(made[0]);
        fd_close_number(made[1]);
        return error;
    }
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
