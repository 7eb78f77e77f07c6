/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What peers send while nobody hears them is caught at the source and sent on when the destination
 * listens, or the source again: TCP (fd_tcp.c), and datagrams while a service address is between
 * its two hosts (fd_udp.c for all others).  Who uses TCP would repeat it, but not before a fifth of
 * a second has passed (TCP_RTO_MIN), which is a hundred times the downtime.
 *
 * A packet socket sees every packet that arrives for one of the program's ports, whatever the
 * filters of its sockets do with it; a raw socket sends it on as it is.  On one machine it comes to
 * the destination's sockets over the loopback interface; where the address has moved to another
 * host, over the network.  A datagram in several fragments is lost.
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
    OPTION_PACKET_LEVEL = 263, /* SOL_PACKET */
    PORTS_MAX = 32,            /* more: every TCP packet of the host is looked at */
    FILTER_MAX = 16 + PORTS_MAX,
    BUFFER_bytes = 32 << 20,
    PACKET_bytes = 128 << 10,
    DONTWAIT = 0x40,
    IP6_HEADER_bytes = 40,
    UDP_CHECKSUM_at = 6,
};

struct trap {
    uint8_t protocol;
    long fd; /* the packet socket; 0: none */
    /* The first ones, which sockets have got too; and the next ones, of which they may. */
    uint32_t skip, doubtful;
};

static struct trap g_segments = {.protocol = IPPROTO_TCP};
static struct trap g_datagrams = {.protocol = IPPROTO_UDP};
static uint16_t g_ports[PORTS_MAX];
static uint32_t g_port_count;
static uint8_t g_packet[PACKET_bytes];

/* Of the last datagrams that were read from sockets and sent on. */
enum { PASSED_MAX = 1024 };
static struct {
    uint32_t count;
    uint64_t digests[PASSED_MAX];
} g_passed;

static void add_port(uint16_t port)
{
    for (uint32_t i = 0; i < g_port_count && i < PORTS_MAX; i++)
        if (g_ports[i] == port)
            return;
    if (g_port_count < PORTS_MAX)
        g_ports[g_port_count] = port;
    g_port_count++;
}

static bool collect_datagram_ports(void)
{
    struct fd_walk walk = fd_walk();
    struct open_file *file;

    g_port_count = 0;
    while ((file = fd_walk_next(&walk)))
        if (fd_udp_is(file) && fd_address_port(&file->socket.local))
            add_port(__builtin_bswap16(fd_address_port(&file->socket.local)));
    return g_port_count;
}

static bool collect_segment_ports(void)
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

/* The protocol over IPv4 or IPv6 to one of the ports.  Offsets are from the network header. */
static uint32_t make_filter(uint8_t protocol, struct sock_filter out[FILTER_MAX])
{
    const uint32_t ports = g_port_count > PORTS_MAX ? 0 : g_port_count;
    const uint8_t first_port = 12, accept = (uint8_t)ports; /* from the first port's instruction */
    const uint8_t refuse = (uint8_t)(first_port + ports + (ports ? 2 : 1)); /* the last one */
    const struct sock_filter head[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 0, 5),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, protocol, 0, (uint8_t)(refuse - 5)),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
        BPF_JUMP(BPF_JMP | BPF_JA, 4, 0, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x60, 0, (uint8_t)(refuse - 9)),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, protocol, 0, (uint8_t)(refuse - 11)),
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

static void begin(struct trap *trap)
{
    struct sock_filter filter[FILTER_MAX];
    struct sockaddr_ll everywhere = {.sll_family = FAMILY_PACKET,
                                     .sll_protocol = __builtin_bswap16(ETH_P_ALL)};
    const int one = 1, room = BUFFER_bytes;
    long fd;

    /* Without a protocol it hears nothing before bind, so nothing comes in before the filter. */
    fd = fd_move_up(fd_kernel(__NR_socket, FAMILY_PACKET, TYPE_DATAGRAM | O_CLOEXEC, 0, 0));
    if (fd < 0)
        return;
    attach(fd, filter, make_filter(trap->protocol, filter));
    set(fd, OPTION_PACKET_LEVEL, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
    set(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    fd_kernel(__NR_bind, (uint64_t)fd, fd_address_of(&everywhere), sizeof(everywhere), 0);
    trap->fd = fd;
    trap->skip = trap->doubtful = 0;
}

void fd_catch_begin(void)
{
    if (!g_segments.fd && collect_segment_ports())
        begin(&g_segments);
}

void fd_catch_datagrams(void)
{
    if (!g_datagrams.fd && fd_state()->service_count && collect_datagram_ports())
        begin(&g_datagrams);
}

/* Since it was asked for the last time. */
static uint32_t count_caught(const struct trap *trap)
{
    struct tpacket_stats stats = {0};
    uint32_t length = sizeof(stats);

    host_syscall(__NR_getsockopt, (uint64_t)trap->fd, OPTION_PACKET_LEVEL, PACKET_STATISTICS,
                 fd_address_of(&stats), fd_address_of(&length), 0);
    return stats.tp_packets;
}

void fd_catch_datagrams_leave(void)
{
    if (g_datagrams.fd)
        g_datagrams.skip = count_caught(&g_datagrams);
}

void fd_catch_datagrams_left(void)
{
    if (g_datagrams.fd)
        g_datagrams.doubtful = count_caught(&g_datagrams);
}

/* ---- those that sockets have got too ---- */

/* Of addresses, ports and contents: FNV-1a.  A wrong guess costs a datagram that says the same. */
static uint64_t digest_of(const uint8_t *packet, size_t length)
{
    const uint64_t begin = 0xcbf29ce484222325, prime = 0x100000001b3;
    bool six = packet[0] >> 4 == 6;
    size_t header = six ? IP6_HEADER_bytes : (size_t)(packet[0] & 0xf) * 4;
    size_t addresses = six ? 8 : 12;
    uint64_t digest = begin;

    for (size_t i = addresses; i < (six ? IP6_HEADER_bytes : 20) && i < length; i++)
        digest = (digest ^ packet[i]) * prime;
    for (size_t i = header; i < length; i++)
        if (i != header + UDP_CHECKSUM_at && i != header + UDP_CHECKSUM_at + 1)
            digest = (digest ^ packet[i]) * prime;
    return digest;
}

void fd_catch_passed(const uint8_t *packet, size_t length)
{
    if (g_datagrams.fd)
        g_passed.digests[g_passed.count++ % PASSED_MAX] = digest_of(packet, length);
}

static bool has_passed(const uint8_t *packet, size_t length)
{
    uint64_t digest = digest_of(packet, length);

    for (uint32_t i = 0; i < OM_MIN(g_passed.count, (uint32_t)PASSED_MAX); i++)
        if (g_passed.digests[i] == digest)
            return true;
    return false;
}

/* In the order in which they are read. */
static bool is_to_be_sent(struct trap *trap, const uint8_t *packet, size_t length)
{
    if (trap->skip) {
        trap->skip--;
        return false;
    }
    if (!trap->doubtful)
        return true;
    trap->doubtful--;
    return !has_passed(packet, length);
}

/* ---- sending on ---- */

static void send_on(struct trap *trap)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct fd_packets through = {0};
    long got;

    if (!trap->fd)
        return;
    attach(trap->fd, &nothing, 1); /* or it would catch what is sent on */
    while ((got = host_syscall(__NR_recvfrom, (uint64_t)trap->fd, fd_address_of(g_packet),
                               sizeof(g_packet), DONTWAIT, 0, 0)) > 0) {
        if (got <= PACKET_bytes && is_to_be_sent(trap, g_packet, (size_t)got))
            fd_packets_send(&through, g_packet, (size_t)got);
    }
    fd_packets_end(&through);
    fd_close_number(trap->fd);
    trap->fd = 0;
    g_passed.count = 0;
}

void fd_catch_send_on(void)
{
    send_on(&g_segments);
    send_on(&g_datagrams);
}
