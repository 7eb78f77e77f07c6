/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of TCP and UDP with their IP headers, sent as they are through a raw socket: as if they
 * came from their sender just now.  On one machine they arrive over its loopback interface.
 */
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/in6.h>

#include "enclave/fd_internal.h"

enum {
    TYPE_RAW = 3,
    DONTWAIT = 0x40,
    IP4_HEADER_bytes = 20,
    IP6_HEADER_bytes = 40,
    TCP_HEADER_bytes = 20,
    TCP_CHECKSUM_at = 16,
    UDP_HEADER_bytes = 8,
    UDP_CHECKSUM_at = 6,
    TTL = 64,
};

uint8_t *fd_put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

/* IPv4 may come through a socket of IPv6. */
size_t fd_packet_header(uint8_t at[FD_IP_HEADER_MAX], const struct fd_address *from,
                        const struct fd_address *to, uint8_t protocol, size_t length)
{
    size_t from_length, to_length;
    const uint8_t *source = fd_address_host(from, &from_length);
    const uint8_t *destination = fd_address_host(to, &to_length);

    memset(at, 0, FD_IP_HEADER_MAX);
    if (fd_address_is_mapped(to) || to_length == sizeof(struct in_addr)) {
        at[0] = 0x45;
        fd_put16(at + 2, (uint32_t)(IP4_HEADER_bytes + length));
        at[8] = TTL;
        at[9] = protocol;
        memcpy(at + 12, source + from_length - sizeof(struct in_addr), sizeof(struct in_addr));
        memcpy(at + 16, destination + to_length - sizeof(struct in_addr), sizeof(struct in_addr));
        return IP4_HEADER_bytes;
    }
    at[0] = 0x60;
    fd_put16(at + 4, (uint32_t)length);
    at[6] = protocol;
    at[7] = TTL;
    memcpy(at + 8, source, sizeof(struct in6_addr));
    memcpy(at + 24, destination, sizeof(struct in6_addr));
    return IP6_HEADER_bytes;
}

static uint32_t sum_words(uint32_t sum, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i + 1 < length; i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    if (length & 1)
        sum += (uint32_t)bytes[length - 1] << 8;
    return (sum & 0xffff) + (sum >> 16);
}

/* Over loopback the sender leaves it out.  `addresses`: both, as they lie in the header. */
static bool set_checksum(const uint8_t *addresses, size_t addresses_length, uint8_t protocol,
                         uint8_t *segment, size_t length)
{
    size_t at = protocol == IPPROTO_TCP ? TCP_CHECKSUM_at : UDP_CHECKSUM_at;
    uint32_t sum = protocol + (uint32_t)(length >> 16) + (uint32_t)(length & 0xffff);

    if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
        return false;
    if (length < (protocol == IPPROTO_TCP ? TCP_HEADER_bytes : UDP_HEADER_bytes))
        return false;
    segment[at] = segment[at + 1] = 0;
    sum = sum_words(sum, addresses, addresses_length);
    /* In pieces, so that 32 bits are enough. */
    for (size_t done = 0; done < length; done += 4096)
        sum = sum_words(sum, segment + done, OM_MIN(length - done, (size_t)4096));
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    fd_put16(segment + at, ~sum & 0xffff ? ~sum : 0xffff); /* in UDP 0 means: none */
    return true;
}

static void send_ip4(long raw, uint8_t *packet, size_t length)
{
    struct sockaddr_in to = {.sin_family = FAMILY_INET};
    size_t header = (size_t)(packet[0] & 0xf) * 4;
    size_t total = (size_t)packet[2] << 8 | packet[3];

    if (total > length || header < IP4_HEADER_bytes || total < header ||
        !set_checksum(packet + 12, 8, packet[9], packet + header, total - header))
        return;
    memcpy(&to.sin_addr, packet + 16, sizeof(to.sin_addr));
    host_syscall(__NR_sendto, (uint64_t)raw, fd_address_of(packet), total, DONTWAIT,
                 fd_address_of(&to), sizeof(to));
}

static void send_ip6(long raw, uint8_t *packet, size_t length)
{
    struct sockaddr_in6 to = {.sin6_family = FAMILY_INET6};
    size_t total = IP6_HEADER_bytes + ((size_t)packet[4] << 8 | packet[5]);

    if (length < IP6_HEADER_bytes || total > length ||
        !set_checksum(packet + 8, 32, packet[6], packet + IP6_HEADER_bytes,
                      total - IP6_HEADER_bytes))
        return;
    memcpy(&to.sin6_addr, packet + 24, sizeof(to.sin6_addr));
    host_syscall(__NR_sendto, (uint64_t)raw, fd_address_of(packet), total, DONTWAIT,
                 fd_address_of(&to), sizeof(to));
}

void fd_packets_send(struct fd_packets *through, uint8_t *packet, size_t length)
{
    bool six = length && packet[0] >> 4 == 6;

    if (length < IP4_HEADER_bytes)
        return;
    if (!through->raw[six])
        through->raw[six] = fd_move_up(fd_kernel(__NR_socket, six ? FAMILY_INET6 : FAMILY_INET,
                                                 TYPE_RAW | O_CLOEXEC, IPPROTO_RAW, 0));
    if (through->raw[six] >= 0)
        (six ? send_ip6 : send_ip4)(through->raw[six], packet, length);
}

void fd_packets_end(struct fd_packets *through)
{
    for (unsigned i = 0; i < OM_ARRAY_LENGTH(through->raw); i++)
        if (through->raw[i])
            fd_close_number(through->raw[i]);
    *through = (struct fd_packets){0};
}
