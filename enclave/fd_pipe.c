/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes whose ends are both inside the enclave.  The contents are copied at the stop without being
 * taken out: tee(2) into a pipe of our own, which is then read.  So the source can go on at any
 * time.
 */
#include <asm/ioctls.h>
#include <linux/fcntl.h>

#include "enclave/fd_internal.h"

enum {
    SPLICE_NOT_WAITING = 2, /* SPLICE_F_NONBLOCK */
    PACKET_bytes = 4096,    /* the longest that a pipe with O_DIRECT keeps together */
    SETTABLE_FLAGS = O_NONBLOCK | O_DIRECT,
    SET_SIZE = 1031, /* F_SETPIPE_SZ */
    GET_SIZE = 1032, /* F_GETPIPE_SZ */
};

static bool is_reader(const struct open_file *file)
{
    return (file->flags & O_ACCMODE) == O_RDONLY;
}

/* All of length bytes, or an error. */
static long read_all(long fd, uint8_t *to, size_t length)
{
    for (size_t at = 0; at < length;) {
        long got = fd_kernel(__NR_read, (uint64_t)fd, fd_address_of(to + at), length - at, 0);

        if (got <= 0)
            return got ? got : -EIO;
        at += (size_t)got;
    }
    return 0;
}

static long keep_stream(long fd, size_t length, struct fd_data *out)
{
    uint8_t *to = fd_data_room(length, out);

    return to ? read_all(fd, to, length) : -ENOSPC;
}

/* Each packet is kept with its length before it. */
static long keep_packets(long fd, size_t length, struct fd_data *out)
{
    uint8_t packet[PACKET_bytes];
    struct fd_data piece;

    *out = (struct fd_data){fd_state()->data_used, 0};
    while (length > 0) {
        long got = fd_kernel(__NR_read, (uint64_t)fd, fd_address_of(packet), sizeof(packet), 0);
        uint32_t size = (uint32_t)got;
        uint8_t *to;

        if (got <= 0 || (size_t)got > length)
            return got < 0 ? got : -EIO;
        to = fd_data_room(sizeof(size) + size, &piece);
        if (!to)
            return -ENOSPC;
        memcpy(to, &size, sizeof(size));
        memcpy(to + sizeof(size), packet, size);
        out->length += piece.length;
        length -= size;
    }
    return 0;
}

static long copy_contents(struct open_file *file, size_t length)
{
    int32_t scratch[2];
    long copied;
    long error = fd_kernel(__NR_pipe2, fd_address_of(scratch), O_CLOEXEC | O_NONBLOCK, 0, 0);

    if (error)
        return error;
    fd_control(scratch[1], SET_SIZE, file->pipe.size);
    copied =
        fd_kernel(__NR_tee, (uint64_t)file->fd, (uint64_t)scratch[1], length, SPLICE_NOT_WAITING);
    if (copied != (long)length)
        error = copied < 0 ? copied : -EIO;
    else if (file->pipe.packets)
        error = keep_packets(scratch[0], length, &file->pipe.contents);
    else
        error = keep_stream(scratch[0], length, &file->pipe.contents);
    fd_close_number(scratch[0]);
    fd_close_number(scratch[1]);
    return error;
}

long fd_pipe_capture(struct open_file *file, struct fd_obstacle *out)
{
    long size = fd_control(file->fd, GET_SIZE, 0);
    int32_t length = 0;
    long error;

    file->pipe.contents = (struct fd_data){0, 0};
    if (size > 0)
        file->pipe.size = (uint32_t)size;
    if (!is_reader(file))
        return 0;
    error = fd_kernel(__NR_ioctl, (uint64_t)file->fd, FIONREAD, fd_address_of(&length), 0);
    if (!error && length > 0)
        error = copy_contents(file, (size_t)length);
    if (error)
        return fd_refuse(out, file->fd, error == -ENOSPC ? -EOPNOTSUPP : error,
                         "fd %d, a pipe: its contents (%d bytes) cannot be kept", file->fd, length);
    return 0;
}

/* Neither end waits here: a short write is an error, because the new pipe is as large as the old.
 */
static long fill(long fd, const struct open_file *reader)
{
    const struct fd_data *contents = &reader->pipe.contents;
    const uint8_t *from = fd_data_at(contents);
    uint32_t at = 0;

    while (from && at < contents->length) {
        uint32_t size = contents->length - at;
        long done;

        if (reader->pipe.packets) {
            if (size < sizeof(size))
                return -EINVAL;
            memcpy(&size, from + at, sizeof(size));
            at += (uint32_t)sizeof(size);
            if (size > contents->length - at)
                return -EINVAL;
        }
        done = fd_kernel(__NR_write, (uint64_t)fd, fd_address_of(from + at), size, 0);
        if (done != (long)size)
            return done < 0 ? done : -EIO;
        at += size;
    }
    return 0;
}

long fd_pipe_restore(struct open_file *file)
{
    struct open_file *other = file->pipe.other ? fd_file_at(file->pipe.other) : NULL;
    struct open_file *ends[2] = {is_reader(file) ? file : other, is_reader(file) ? other : file};
    uint32_t flags = O_NONBLOCK | (file->pipe.packets ? O_DIRECT : 0);
    int32_t wanted[2], made[2];
    long error = fd_kernel(__NR_pipe2, fd_address_of(made), flags, 0, 0);

    if (error)
        return error;
    fd_control(made[1], SET_SIZE, file->pipe.size);
    if (ends[0])
        error = fill(made[1], ends[0]);
    if (error)
        log_error("fd %d, a pipe: its contents are lost (error %ld)", file->fd, -error);
    for (unsigned i = 0; i < 2; i++) {
        wanted[i] = ends[i] ? ends[i]->fd : -1;
        if (!ends[i])
            continue;
        fd_control(made[i], F_SETFL, ends[i]->flags & (uint32_t)SETTABLE_FLAGS);
        ends[i]->restored = 1;
    }
    return fd_place_pair(made, wanted);
}
