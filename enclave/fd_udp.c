/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams that wait in a socket when its program has moved.
 *
 * The source's sockets hear as ever until the move is done: what comes waits in their queues, and
 * from the restore on, on one machine, some of it in the destination's.  When the program runs
 * there, the source takes its sockets out of the kernel's tables (connected to nobody), reads what
 * waits, and sends it on as if from its sender.  A destination that gives up does the same.  So
 * nothing is lost and nothing comes twice; it may come in another order, as datagrams may.
 *
 * Unix datagram sockets with a path: what waits is sent to that path again, without the sender's
 * name.
 *
 * What was sent to a broadcast or multicast address is dropped: everybody would get it again.
 */
#include <asm/socket.h>
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <linux/uio.h>

#include "enclave/fd_internal.h"

enum {
    DONTWAIT = 0x40,
    CONTROL_bytes = 256,
    DATAGRAM_bytes = 1 << 16,
    UDP_HEADER_bytes = 8,
    NOBODY_PORT = 1,
    IP6_MULTICAST = 0xff, /* first byte */
};

/* As the kernel takes them. */
struct message {
    struct fd_address *name;
    int32_t name_length, reserved0;
    struct iovec *parts;
    uint64_t part_count;
    void *control;
    uint64_t control_length;
    uint32_t flags, reserved1;
};
struct control {
    uint64_t length;
    int32_t level, type;
};

static uint8_t g_packet[FD_IP_HEADER_MAX + UDP_HEADER_bytes + DATAGRAM_bytes];

bool fd_udp_is(const struct open_file *file)
{
    return file->kind == FD_SOCKET && fd_socket_is_inet(&file->socket) &&
           file->socket.type == TYPE_DATAGRAM &&
           (file->socket.protocol == 0 || file->socket.protocol == IPPROTO_UDP);
}

static bool is_unix(const struct open_file *file)
{
    return file->kind == FD_SOCKET && file->socket.domain == FAMILY_UNIX &&
           file->socket.type == TYPE_DATAGRAM && file->socket.bound &&
           fd_address_is_name(&file->socket.local);
}

/* Its peer is a port that nobody has, so nobody's datagrams are for it.  If its address is not here
 * any more that fails, and nothing comes anyway. */
static void leave(const struct open_file *file)
{
    struct sockaddr_in loopback = {
        .sin_family = FAMILY_INET,
        .sin_port = __builtin_bswap16(NOBODY_PORT),
        .sin_addr.s_addr = __builtin_bswap32(INADDR_LOOPBACK),
    };
    struct sockaddr_in6 loopback6 = {.sin6_family = FAMILY_INET6,
                                     .sin6_port = __builtin_bswap16(NOBODY_PORT)};
    struct fd_address own = file->socket.local;
    size_t length;
    const uint8_t *host = fd_address_host(&own, &length);
    bool any = true;

    for (size_t i = 0; i < length; i++)
        any = any && host[i] == 0;
    loopback6.sin6_addr.s6_addr[15] = 1;
    if (!any) { /* itself: always reached from there */
        fd_address_set_port(&own, __builtin_bswap16(NOBODY_PORT));
        fd_kernel(__NR_connect, (uint64_t)file->fd, fd_address_of(own.bytes), own.length, 0);
    } else if (file->socket.domain == FAMILY_INET) {
        fd_kernel(__NR_connect, (uint64_t)file->fd, fd_address_of(&loopback), sizeof(loopback), 0);
    } else {
        fd_kernel(__NR_connect, (uint64_t)file->fd, fd_address_of(&loopback6), sizeof(loopback6),
                  0);
    }
}

struct arrival {
    struct fd_address from, to;
    size_t length, segment; /* several datagrams of one length may come as one (UDP_GRO) */
    bool to_us;
};

/* Where it was sent to: the socket may have been bound to any address. */
static void read_control(const struct control *control, bool six, struct arrival *out)
{
    const void *value = control + 1;

    if (!six && control->level == IPPROTO_IP && control->type == IP_PKTINFO) {
        const struct in_pktinfo *info = value;

        memcpy(out->to.bytes + offsetof(struct sockaddr_in, sin_addr), &info->ipi_addr,
               sizeof(info->ipi_addr));
        out->to_us = !IN_MULTICAST(__builtin_bswap32(info->ipi_addr.s_addr));
    } else if (six && control->level == IPPROTO_IPV6 && control->type == IPV6_PKTINFO) {
        const struct in6_pktinfo *info = value;

        memcpy(out->to.bytes + offsetof(struct sockaddr_in6, sin6_addr), &info->ipi6_addr,
               sizeof(info->ipi6_addr));
        out->to_us = info->ipi6_addr.s6_addr[0] != IP6_MULTICAST;
    } else if (control->level == IPPROTO_UDP && control->type == UDP_GRO) {
        out->segment = (size_t) * (const int *)value;
    }
}

static long receive(const struct open_file *file, uint8_t *to, struct message *message)
{
    struct iovec part = {to, DATAGRAM_bytes};
    long got;

    message->parts = &part;
    message->part_count = 1;
    do /* an error of an earlier send is told first, once */
        got = fd_kernel(__NR_recvmsg, (uint64_t)file->fd, fd_address_of(message), DONTWAIT, 0);
    while (got < 0 && got != -EAGAIN && got != -EBADF && got != -ENOTSOCK);
    return got;
}

static bool receive_inet(const struct open_file *file, uint8_t *to, struct arrival *out)
{
    uint64_t control[CONTROL_bytes / sizeof(uint64_t)];
    struct message message = {.name = (void *)out->from.bytes,
                              .name_length = sizeof(out->from.bytes),
                              .control = control,
                              .control_length = sizeof(control)};
    long got;

    *out = (struct arrival){.to = file->socket.local};
    got = receive(file, to, &message);
    if (got < 0)
        return false;
    out->from.length = (uint32_t)message.name_length;
    out->length = out->segment = (size_t)got;
    for (uint64_t at = 0; at + sizeof(struct control) <= message.control_length;) {
        const struct control *entry = (const struct control *)((uint8_t *)control + at);

        read_control(entry, file->socket.domain == FAMILY_INET6, out);
        at += (OM_MAX(entry->length, sizeof(*entry)) + 7) & ~7ULL;
    }
    return true;
}

/* The header is written in front of the payload, over what has been sent already. */
static void send_one(struct fd_packets *through, const struct arrival *arrival, uint8_t *payload,
                     size_t payload_length)
{
    uint8_t header[FD_IP_HEADER_MAX], *udp = payload - UDP_HEADER_bytes, *at;
    size_t length = UDP_HEADER_bytes + payload_length;
    size_t header_length =
        fd_packet_header(header, &arrival->from, &arrival->to, IPPROTO_UDP, length);

    at = fd_put16(udp, __builtin_bswap16(fd_address_port(&arrival->from)));
    at = fd_put16(at, __builtin_bswap16(fd_address_port(&arrival->to)));
    fd_put16(at, (uint32_t)length);
    memcpy(udp - header_length, header, header_length);
    fd_catch_passed(udp - header_length, header_length + length);
    fd_packets_send(through, udp - header_length, header_length + length);
}

static void pass_on_inet(const struct open_file *file, struct fd_packets *through)
{
    uint8_t *payload = g_packet + FD_IP_HEADER_MAX + UDP_HEADER_bytes;
    bool six = file->socket.domain == FAMILY_INET6;
    struct arrival arrival;
    const int one = 1;

    host_syscall(__NR_setsockopt, (uint64_t)file->fd, six ? IPPROTO_IPV6 : IPPROTO_IP,
                 six ? IPV6_RECVPKTINFO : IP_PKTINFO, fd_address_of(&one), sizeof(one), 0);
    while (receive_inet(file, payload, &arrival)) {
        size_t done = 0, length;

        if (!arrival.to_us)
            continue;
        do { /* one of no length is one too */
            length = OM_MIN(arrival.segment, arrival.length - done);
            send_one(through, &arrival, payload + done, length);
            done += length;
        } while (length && done < arrival.length);
    }
}

static void pass_on_unix(const struct open_file *file)
{
    const struct fd_address *to = &file->socket.local;
    long fd = fd_move_up(fd_kernel(__NR_socket, FAMILY_UNIX, TYPE_DATAGRAM | O_CLOEXEC, 0, 0)), got;

    for (;;) {
        struct message message = {0};

        got = receive(file, g_packet, &message);
        if (got < 0 || fd < 0)
            break;
        host_syscall(__NR_sendto, (uint64_t)fd, fd_address_of(g_packet), (uint64_t)got, DONTWAIT,
                     fd_address_of(to->bytes), to->length);
    }
    fd_close_number(fd);
}

void fd_udp_pass_on(void)
{
    struct fd_packets through = {0};
    struct fd_walk walk = fd_walk();
    struct open_file *file;

    while ((file = fd_walk_next(&walk)))
        if (fd_udp_is(file))
            leave(file);
    for (walk = fd_walk(); (file = fd_walk_next(&walk));) {
        if (fd_udp_is(file))
            pass_on_inet(file, &through);
        else if (is_unix(file))
            pass_on_unix(file);
    }
    fd_packets_end(&through);
}
