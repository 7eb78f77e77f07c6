/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adds, removes and announces service addresses.  A gratuitous ARP is a request for the own address
 * (RFC 5227, section 3: an ARP announcement); neighbours that know the address take the new place
 * from it.  The unsolicited neighbour advertisement is RFC 4861, section 7.2.6.
 */
#include "host/service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { HOP_LIMIT = 255 }; /* RFC 4861, 7.1.2: others are ignored */

static size_t address_length(const struct om_service *service)
{
    return service->family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
}

/* ---- netlink ---- */

static long ask(struct nlmsghdr *message)
{
    char buffer[4096]; /* an acknowledgement has the request in it */
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    ssize_t got = -1;
    int result = -1, error;

    if (!socket)
        return -errno;
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 &&
        mnl_socket_sendto(socket, message, message->nlmsg_len) >= 0)
        got = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
    if (got >= 0)
        result = mnl_cb_run(buffer, (size_t)got, message->nlmsg_seq, mnl_socket_get_portid(socket),
                            NULL, NULL);
    error = errno;
    mnl_socket_close(socket);
    return result < 0 ? -error : 0;
}

/* Without duplicate address detection: the address is known to be ours, and waiting for a second
 * would be downtime. */
static long change(uint16_t type, uint16_t flags, const struct om_service *service, unsigned index)
{
    char buffer[256];
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    struct ifaddrmsg *body = mnl_nlmsg_put_extra_header(message, sizeof(*body));

    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    message->nlmsg_seq = 1;
    body->ifa_family = service->family;
    body->ifa_prefixlen = service->prefix;
    body->ifa_scope = RT_SCOPE_UNIVERSE;
    body->ifa_index = index;
    mnl_attr_put(message, IFA_LOCAL, address_length(service), service->address);
    mnl_attr_put(message, IFA_ADDRESS, address_length(service), service->address);
    if (service->family == AF_INET6)
        mnl_attr_put_u32(message, IFA_FLAGS, IFA_F_NODAD);
    return ask(message);
}

static long take(const struct om_service *service, unsigned index)
{
    long error = change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, service, index);

    return error == -EEXIST ? 0 : error;
}

static long leave(const struct om_service *service, unsigned index)
{
    long error = change(RTM_DELADDR, 0, service, index);

    return error == -EADDRNOTAVAIL ? 0 : error;
}

static long ask_device(unsigned index, unsigned long what, struct ifreq *request)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    long error = 0;

    if (fd < 0)
        return -errno;
    if_indextoname(index, request->ifr_name);
    if (ioctl(fd, what, request))
        error = -errno;
    close(fd);
    return error;
}

/* The device is there and up, and this process may change it. */
static long check(unsigned index)
{
    struct ifreq request = {0};
    long error = ask_device(index, SIOCGIFFLAGS, &request);

    if (error)
        return error;
    if (!(request.ifr_flags & IFF_UP))
        return -ENETDOWN;
    return ask_device(index, SIOCSIFFLAGS, &request); /* as they are: only to see whether it may */
}

/* ---- announcements ---- */

static long hardware_address(unsigned index, uint8_t out[ETH_ALEN])
{
    struct ifreq request = {0};
    long error = ask_device(index, SIOCGIFHWADDR, &request);

    if (error)
        return error;
    if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        return -EPROTONOSUPPORT;
    memcpy(out, request.ifr_hwaddr.sa_data, ETH_ALEN);
    return 0;
}

/* Kept for the life of the process: closing a packet socket waits for all processors (in the
 * kernel, synchronize_net), 10 ms and more, and the program stands still meanwhile.  It sends only:
 * without a protocol it hears nothing.  Its number is among the last, which no program has. */
static int packet_socket(void)
{
    enum { LAST = 8 };
    static int kept = -1;
    struct rlimit limit;
    int fd;

    if (kept >= 0)
        return kept;
    fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || getrlimit(RLIMIT_NOFILE, &limit))
        return -errno;
    kept = fcntl(fd, F_DUPFD_CLOEXEC, (int)limit.rlim_cur - LAST);
    if (kept < 0)
        return fd;
    close(fd);
    return kept;
}

static long announce_ip4(const struct om_service *service, unsigned index,
                         const uint8_t hardware[ETH_ALEN])
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ARP),
                             .sll_ifindex = (int)index,
                             .sll_halen = ETH_ALEN};
    struct ether_arp arp = {.ea_hdr = {.ar_hrd = htons(ARPHRD_ETHER),
                                       .ar_pro = htons(ETH_P_IP),
                                       .ar_hln = ETH_ALEN,
                                       .ar_pln = sizeof(struct in_addr),
                                       .ar_op = htons(ARPOP_REQUEST)}};
    int fd = packet_socket();

    if (fd < 0)
        return fd;
    memset(to.sll_addr, 0xff, ETH_ALEN);
    memcpy(arp.arp_sha, hardware, ETH_ALEN);
    memcpy(arp.arp_spa, service->address, sizeof(arp.arp_spa));
    memcpy(arp.arp_tpa, service->address, sizeof(arp.arp_tpa));
    if (sendto(fd, &arp, sizeof(arp), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
        return -errno;
    return 0;
}

static long announce_ip6(const struct om_service *service, unsigned index,
                         const uint8_t hardware[ETH_ALEN])
{
    struct {
        struct nd_neighbor_advert advert;
        struct nd_opt_hdr option;
        uint8_t hardware[ETH_ALEN];
    } message = {0};
    struct sockaddr_in6 from = {.sin6_family = AF_INET6}, to = {.sin6_family = AF_INET6};
    const int hops = HOP_LIMIT;
    int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
    long error = 0;

    if (fd < 0)
        return -errno;
    message.advert.nd_na_type = ND_NEIGHBOR_ADVERT;
    message.advert.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
    memcpy(&message.advert.nd_na_target, service->address, sizeof(struct in6_addr));
    message.option.nd_opt_type = ND_OPT_TARGET_LINKADDR;
    message.option.nd_opt_len = 1; /* in units of 8 bytes */
    memcpy(message.hardware, hardware, ETH_ALEN);
    memcpy(&from.sin6_addr, service->address, sizeof(from.sin6_addr));
    from.sin6_scope_id = to.sin6_scope_id = index;
    inet_pton(AF_INET6, "ff02::1", &to.sin6_addr);
    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops));
    if (bind(fd, (struct sockaddr *)&from, sizeof(from)) ||
        sendto(fd, &message, sizeof(message), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
        error = -errno;
    close(fd);
    return error;
}

/* Interfaces without Ethernet addresses have nobody to tell. */
static long announce(const struct om_service *service, unsigned index)
{
    uint8_t hardware[ETH_ALEN];
    long error = hardware_address(index, hardware);

    if (error)
        return error == -EPROTONOSUPPORT ? 0 : error;
    return service->family == AF_INET ? announce_ip4(service, index, hardware)
                                      : announce_ip6(service, index, hardware);
}

long service_order(enum om_service_order order, const struct om_service *service)
{
    unsigned index = if_nametoindex(service->device);

    if (!index)
        return -ENODEV;
    switch (order) {
    case OM_SERVICE_CHECK:
        return check(index);
    case OM_SERVICE_TAKE:
        return take(service, index);
    case OM_SERVICE_LEAVE:
        return leave(service, index);
    case OM_SERVICE_ANNOUNCE:
        return announce(service, index);
    case OM_SERVICE_OWN:
    case OM_SERVICE_DISOWN:
        break;
    }
    return 0;
}
