/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What peers send while nobody hears them (fd_tcp.c) is caught at the source and sent on when the
 * destination listens, or the source again.  Without it they would repeat it by themselves, but not
 * before a fifth of a second has passed (TCP_RTO_MIN), which is a hundred times the downtime.
 *
 * A packet socket sees every packet that arrives for one of the program's TCP ports, whatever the
 * filters of its sockets do with it; a raw socket sends it on as it is.  On one machine it comes to
 * the destination's sockets over the loopback interface; where the address has moved to another
 * host, over the network.  Whatever fails here costs time, not bytes: the peer repeats.
 */
#include <asm/ioctls.h>
#include <asm/socket.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/in6.h>

#include "enclave/fd_internal.h"

enum {
    FAMILY_PACKET = 17,
    TYPE_RAW = 3,
    OPTION_PACKET_LEVEL = 263, /* SOL_PACKET */
    PORTS_MAX = 32,            /* more: every TCP packet of the host is looked at */
    FILTER_MAX = 16 + PORTS_MAX,
    BUFFER_bytes = 32 << 20,
    PACKET_bytes = 128 << 10,
    DONTWAIT = 0x40,
    IP4_HEADER_bytes = 20,
    IP6_HEADER_bytes = 40,
    TCP_HEADER_bytes = 20,
    TCP_CHECKSUM_at = 16,
};

static long g_caught = -1; /* the packet socket */
static uint16_t g_ports[PORTS_MAX];
static uint32_t g_port_count;
static uint8_t g_packet[PACKET_bytes];

static void add_port(uint16_t port)
{
    for (uint32_t i = 0; i < g_port_count && i < PORTS_MAX; i++)
        if (g_ports[i] == port)
            return;
    if (g_port_count < PORTS_MAX)
        g_ports[g_port_count] = port;
    g_port_count++;
}

static bool collect_ports(void)
{
    struct fd_walk walk = fd_walk();
    struct open_file *file;
    bool any = false;

    g_port_count = 0;
    while ((file = fd_walk_next(&walk))) {
        bool connection;

        fd_socket_settle(file);
        connection = fd_socket_is_tcp_connection(file);
        if (!connection && !fd_socket_listens_tcp(file))
            continue;
        if (connection)
            fd_socket_local(file->fd, &file->socket.local);
        any = true;
        add_port(__builtin_bswap16(fd_address_port(&file->socket.local)));
    }
    return any;
}

/* TCP over IPv4 or IPv6 to one of the ports.  Offsets are from the network header. */
static uint32_t make_filter(struct sock_filter out[FILTER_MAX])
{
    const uint32_t ports = g_port_count > PORTS_MAX ? 0 : g_port_count;
    const uint8_t first_port = 12, accept = (uint8_t)ports; /* from the first port's instruction */
    const uint8_t refuse = (uint8_t)(first_port + ports + (ports ? 2 : 1)); /* the last one */
    const struct sock_filter head[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 0, 5),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, (uint8_t)(refuse - 5)),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
        BPF_JUMP(BPF_JMP | BPF_JA, 4, 0, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x60, 0, (uint8_t)(refuse - 9)),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, (uint8_t)(refuse - 11)),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, IP6_HEADER_bytes + 2),
    };
    uint32_t count = OM_ARRAY_LENGTH(head);

    _Static_assert(OM_ARRAY_LENGTH(head) == 12, "where the ports begin");
    memcpy(out, head, sizeof(head));
    for (uint32_t i = 0; i < ports; i++, count++)
        out[count] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, g_ports[i],
                                                  (uint8_t)(accept - i), 0);
    if (ports) /* none of them */
        out[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
    out[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, PACKET_bytes);
    out[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
    return count;
}

static void set(long fd, uint64_t level, uint64_t name, const void *value, uint64_t length)
{
    host_syscall(__NR_setsockopt, (uint64_t)fd, level, name, fd_address_of(value), length, 0);
}

static void attach(long fd, struct sock_filter *filter, uint32_t count)
{
    const struct sock_fprog program = {(unsigned short)count, filter};

    set(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

void fd_catch_begin(void)
{
    struct sock_filter filter[FILTER_MAX];
    struct sockaddr_ll everywhere = {.sll_family = FAMILY_PACKET,
                                     .sll_protocol = __builtin_bswap16(ETH_P_ALL)};
    const int one = 1, room = BUFFER_bytes;

    if (g_caught >= 0 || !collect_ports())
        return;
    /* Without a protocol it hears nothing before bind, so nothing comes in before the filter. */
    g_caught = fd_move_up(fd_kernel(__NR_socket, FAMILY_PACKET, TYPE_DATAGRAM | O_CLOEXEC, 0, 0));
    if (g_caught < 0)
        return;
    attach(g_caught, filter, make_filter(filter));
    set(g_caught, OPTION_PACKET_LEVEL, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
    set(g_caught, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    fd_kernel(__NR_bind, (uint64_t)g_caught, fd_address_of(&everywhere), sizeof(everywhere), 0);
}

/* ---- sending on ---- */

static uint32_t sum_words(uint32_t sum, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i + 1 < length; i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    if (length & 1)
        sum += (uint32_t)bytes[length - 1] << 8;
    return (sum & 0xffff) + (sum >> 16);
}

/* Over loopback the sender leaves it out.  `addresses`: both, as they lie in the header. */
static void set_checksum(const uint8_t *addresses, size_t addresses_length, uint8_t *segment,
                         size_t length)
{
    uint32_t sum = IPPROTO_TCP + (uint32_t)(length >> 16) + (uint32_t)(length & 0xffff);

    segment[TCP_CHECKSUM_at] = segment[TCP_CHECKSUM_at + 1] = 0;
    sum = sum_words(sum, addresses, addresses_length);
    /* In pieces, so that 32 bits are enough. */
    for (size_t done = 0; done < length; done += 4096)
        sum = sum_words(sum, segment + done, OM_MIN(length - done, (size_t)4096));
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    segment[TCP_CHECKSUM_at] = (uint8_t)(~sum >> 8);
    segment[TCP_CHECKSUM_at + 1] = (uint8_t)~sum;
}

static void send_ip4(long raw, uint8_t *packet, size_t length)
{
    struct sockaddr_in to = {.sin_family = FAMILY_INET};
    size_t header = (size_t)(packet[0] & 0xf) * 4;
    size_t total = (size_t)packet[2] << 8 | packet[3];

    if (total > length || header < IP4_HEADER_bytes || total < header + TCP_HEADER_bytes)
        return;
    memcpy(&to.sin_addr, packet + 16, sizeof(to.sin_addr));
    set_checksum(packet + 12, 8, packet + header, total - header);
    host_syscall(__NR_sendto, (uint64_t)raw, fd_address_of(packet), total, DONTWAIT,
                 fd_address_of(&to), sizeof(to));
}

static void send_ip6(long raw, uint8_t *packet, size_t length)
{
    struct sockaddr_in6 to = {.sin6_family = FAMILY_INET6};
    size_t total = IP6_HEADER_bytes + ((size_t)packet[4] << 8 | packet[5]);

    if (total > length || total < IP6_HEADER_bytes + TCP_HEADER_bytes)
        return;
    memcpy(&to.sin6_addr, packet + 24, sizeof(to.sin6_addr));
    set_checksum(packet + 8, 32, packet + IP6_HEADER_bytes, total - IP6_HEADER_bytes);
    host_syscall(__NR_sendto, (uint64_t)raw, fd_address_of(packet), total, DONTWAIT,
                 fd_address_of(&to), sizeof(to));
}

static long open_raw(uint64_t family)
{
    return fd_move_up(fd_kernel(__NR_socket, family, TYPE_RAW | O_CLOEXEC, IPPROTO_RAW, 0));
}

void fd_packet_send(uint8_t *packet, size_t length)
{
    bool six = packet[0] >> 4 == 6;
    long raw = open_raw(six ? FAMILY_INET6 : FAMILY_INET);

    if (raw >= 0)
        (six ? send_ip6 : send_ip4)(raw, packet, length);
    fd_close_number(raw);
}

void fd_catch_send_on(void)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    long raw[2] = {-1, -1}, got;

    if (g_caught < 0)
        return;
    attach(g_caught, &nothing, 1); /* or it would catch what is sent on */
    while ((got = host_syscall(__NR_recvfrom, (uint64_t)g_caught, fd_address_of(g_packet),
                               sizeof(g_packet), DONTWAIT, 0, 0)) > 0) {
        bool six = g_packet[0] >> 4 == 6;

        if (got < IP4_HEADER_bytes || (six && got < IP6_HEADER_bytes) || got > PACKET_bytes)
            continue;
        if (raw[six] < 0)
            raw[six] = open_raw(six ? FAMILY_INET6 : FAMILY_INET);
        if (raw[six] >= 0)
            (six ? send_ip6 : send_ip4)(raw[six], g_packet, (size_t)got);
    }
    fd_close_number(raw[0]);
    fd_close_number(raw[1]);
    fd_close_number(g_caught);
    g_caught = -1;
}
