/* SPDX-License-Identifier: Apache-2.0 */
/* The libc torture: sockets, waiting for descriptors, names and addresses. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/ether.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/pass/torture.h"

/* ---- pairs, messages ---- */

/* A pair of sockets; the first has `text` to be read. */
static void pair(int fds[2], int type, const char *text)
{
    EXPECT(!socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds));
    if (text)
        EXPECT(write(fds[1], text, strlen(text)) == (ssize_t)strlen(text));
}

static void end(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

TORTURE(socketpair, KERNEL)
{
    int *fds = PLACES(int, 2);

    CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    EXPECT(fds[0] > 2 && fds[1] > 2);
    end(fds);
}

TORTURE(recv, KERNEL)
{
    char *to = TEXT(100);
    int fds[2];

    pair(fds, SOCK_STREAM, "words");
    CALL(recv(fds[0], to, 100, 0));
    EXPECT(!memcmp(to, "words", 5));
    end(fds);
}

/* Datagrams of the loopback, with the sender's address. */
static int udp(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof(*address);

    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    EXPECT(!bind(fd, (struct sockaddr *)address, length));
    EXPECT(!getsockname(fd, (struct sockaddr *)address, &length));
    return fd;
}

TORTURE(recvfrom, KERNEL | STAYS)
{
    struct sockaddr_in address, *from = PLACE(struct sockaddr_in);
    socklen_t *length = PLACE(socklen_t);
    size_t size = torture_some();
    char *to = TEXT(size), *sent = calloc(1, size);
    int fd = udp(&address);

    *length = sizeof(*from);
    EXPECT(sendto(fd, sent, size, 0, (struct sockaddr *)&address, sizeof(address)) ==
           (ssize_t)size);
    CALL(recvfrom(fd, to, size, 0, (struct sockaddr *)from, length));
    EXPECT(from->sin_port == address.sin_port && *length == sizeof(*from) && to[size - 1] == 0);
    close(fd);
    free(sent);
}

/* A header, many entries, control data and a name, each at its own place. */
static struct msghdr *header(unsigned entries, size_t bytes)
{
    struct msghdr *message = memset(PLACE(struct msghdr), 0, sizeof(*message));

    message->msg_iov = PLACES(struct iovec, entries);
    message->msg_iovlen = (int)entries;
    for (unsigned i = 0; i < entries; i++)
        message->msg_iov[i] = (struct iovec){TEXT(bytes), bytes};
    message->msg_control = torture_place(CMSG_SPACE(sizeof(int)), 8);
    message->msg_controllen = CMSG_SPACE(sizeof(int));
    message->msg_name = PLACE(struct sockaddr_in);
    message->msg_namelen = sizeof(struct sockaddr_in);
    return message;
}

static void send_descriptor(int fd, int sent, size_t size)
{
    char control[CMSG_SPACE(sizeof(int))] = {0}, *text = memset(malloc(size), 's', size);
    struct iovec entry = {text, size};
    struct msghdr message = {.msg_iov = &entry,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);

    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(first), &sent, sizeof(sent));
    EXPECT(sendmsg(fd, &message, 0) == (ssize_t)size);
    free(text);
}

TORTURE(recvmsg, KERNEL | STAYS)
{
    struct msghdr *message = header(12, 100);
    struct cmsghdr *first;
    int fds[2], got;

    pair(fds, SOCK_STREAM, NULL);
    send_descriptor(fds[1], 2, 1150);
    CALL(recvmsg(fds[0], message, 0));
    EXPECT(((char *)message->msg_iov[11].iov_base)[49] == 's');
    first = CMSG_FIRSTHDR(message);
    EXPECT(first && first->cmsg_type == SCM_RIGHTS);
    if (first) {
        memcpy(&got, CMSG_DATA(first), sizeof(got));
        EXPECT(got > 2 && !close(got));
    }
    end(fds);
}

TORTURE(recvmsg_named, KERNEL | STAYS)
{
    struct sockaddr_in address;
    struct msghdr *message = header(2, 100);
    int fd = udp(&address);

    sendto(fd, "words", 5, 0, (struct sockaddr *)&address, sizeof(address));
    CALL(recvmsg(fd, message, 0));
    EXPECT(!memcmp(message->msg_name, &address, sizeof(address)));
    close(fd);
}

/* More messages and entries than the runtime has marks for. */
TORTURE(recvmmsg, KERNEL | STAYS)
{
    enum { COUNT = 6 };
    struct mmsghdr *messages = memset(PLACES(struct mmsghdr, COUNT), 0, COUNT * sizeof(*messages));
    struct timespec *most = PLACE(struct timespec);
    struct sockaddr_in address;
    int fd = udp(&address), got;

    for (int i = 0; i < COUNT; i++) {
        messages[i].msg_hdr = *header(2, 60);
        messages[i].msg_hdr.msg_control = NULL;
        messages[i].msg_hdr.msg_controllen = 0;
        sendto(fd, "0123456789012345678901234567890123456789012345678901234567890123456789", 70, 0,
               (struct sockaddr *)&address, sizeof(address));
    }
    *most = (struct timespec){5, 0};
    CALL(got = recvmmsg(fd, messages, COUNT, MSG_WAITFORONE, most));
    EXPECT(got == COUNT && messages[COUNT - 1].msg_len == 70);
    EXPECT(!memcmp(messages[COUNT - 1].msg_hdr.msg_iov[1].iov_base, "0123456789", 10));
    close(fd);
}

TORTURE(sendmmsg, KERNEL | STAYS)
{
    struct mmsghdr *messages = memset(PLACES(struct mmsghdr, 3), 0, 3 * sizeof(*messages));
    struct iovec entry = {(void *)"words", 5};
    int fds[2], sent;

    pair(fds, SOCK_DGRAM, NULL);
    for (int i = 0; i < 3; i++) {
        messages[i].msg_hdr.msg_iov = &entry;
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    CALL(sent = sendmmsg(fds[0], messages, 3, 0));
    EXPECT(sent == 3 && messages[2].msg_len == 5);
    end(fds);
}

/* ---- addresses and options of sockets ---- */

static int listener(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof(*address);

    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    EXPECT(!bind(fd, (struct sockaddr *)address, length) && !listen(fd, 5));
    EXPECT(!getsockname(fd, (struct sockaddr *)address, &length));
    return fd;
}

#define TELLS_ADDRESS(function, call)                                                              \
    TORTURE(function, KERNEL | STAYS)                                                              \
    {                                                                                              \
        struct sockaddr_in address, *out = PLACE(struct sockaddr_in);                              \
        socklen_t *length = PLACE(socklen_t);                                                      \
        int waiting = listener(&address), fd = socket(AF_INET, SOCK_STREAM, 0), result;            \
                                                                                                   \
        EXPECT(!connect(fd, (struct sockaddr *)&address, sizeof(address)));                        \
        *length = 2 * sizeof(*out);                                                                \
        CALL(result = call);                                                                       \
        EXPECT(result >= 0 && *length == sizeof(*out) && out->sin_family == AF_INET);              \
        if (result > 2)                                                                            \
            close(result);                                                                         \
        close(fd);                                                                                 \
        close(waiting);                                                                            \
    }

TELLS_ADDRESS(accept, accept(waiting, (struct sockaddr *)out, length))
TELLS_ADDRESS(accept4, accept4(waiting, (struct sockaddr *)out, length, SOCK_CLOEXEC))
TELLS_ADDRESS(getpeername, getpeername(fd, (struct sockaddr *)out, length))
TELLS_ADDRESS(getsockname, getsockname(fd, (struct sockaddr *)out, length))

TORTURE(getsockopt, KERNEL)
{
    int *value = PLACE(int), fds[2];
    socklen_t *length = PLACE(socklen_t);

    pair(fds, SOCK_STREAM, NULL);
    *length = sizeof(*value);
    CALL(getsockopt(fds[0], SOL_SOCKET, SO_TYPE, value, length));
    EXPECT(*value == SOCK_STREAM && *length == sizeof(*value));
    end(fds);
}

TORTURE(getsockopt_long, KERNEL)
{
    struct timeval *value = PLACES(struct timeval, 20);
    socklen_t *length = PLACE(socklen_t);
    int fds[2];

    pair(fds, SOCK_STREAM, NULL);
    *length = 20 * sizeof(*value);
    CALL(getsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, value, length));
    EXPECT(*length == sizeof(*value) && value->tv_sec == 0);
    end(fds);
}

/* ---- waiting ---- */

TORTURE(poll, KERNEL)
{
    struct pollfd *polled = PLACES(struct pollfd, 3);
    int fds[2], ready;

    pair(fds, SOCK_STREAM, "words");
    for (int i = 0; i < 3; i++)
        polled[i] = (struct pollfd){.fd = fds[0], .events = POLLIN};
    CALL(ready = poll(polled, 3, 1000));
    EXPECT(ready == 3 && polled[2].revents == POLLIN);
    end(fds);
}

TORTURE(ppoll, KERNEL)
{
    struct pollfd *polled = PLACES(struct pollfd, 3);
    struct timespec most = {1, 0};
    int fds[2], ready;

    pair(fds, SOCK_STREAM, "words");
    for (int i = 0; i < 3; i++)
        polled[i] = (struct pollfd){.fd = fds[0], .events = POLLIN};
    CALL(ready = ppoll(polled, 3, &most, NULL));
    EXPECT(ready == 3 && polled[2].revents == POLLIN);
    end(fds);
}

static fd_set *watch(int a, int b)
{
    fd_set *result = PLACE(fd_set);

    FD_ZERO(result);
    FD_SET(a, result);
    FD_SET(b, result);
    return result;
}

TORTURE(select, KERNEL)
{
    struct timeval *most = PLACE(struct timeval);
    fd_set *in, *out, *bad;
    int fds[2], ready;

    pair(fds, SOCK_STREAM, "words");
    in = watch(fds[0], fds[1]);
    out = watch(fds[0], fds[1]);
    bad = watch(fds[0], fds[1]);
    *most = (struct timeval){5, 0};
    CALL(ready = select(FD_SETSIZE, in, out, bad, most));
    EXPECT(ready == 3 && !FD_ISSET(fds[1], in) && FD_ISSET(fds[1], out) && !FD_ISSET(fds[0], bad));
    end(fds);
}

TORTURE(pselect, KERNEL)
{
    struct timespec most = {5, 0};
    fd_set *in, *bad;
    int fds[2], ready;

    pair(fds, SOCK_STREAM, "words");
    in = watch(fds[0], fds[1]);
    bad = watch(fds[0], fds[1]);
    CALL(ready = pselect(FD_SETSIZE, in, NULL, bad, &most, NULL));
    EXPECT(ready == 1 && FD_ISSET(fds[0], in) && !FD_ISSET(fds[0], bad));
    end(fds);
}

#define EPOLLS(function, ...)                                                                      \
    TORTURE(function, KERNEL)                                                                      \
    {                                                                                              \
        struct epoll_event *events = PLACES(struct epoll_event, 400),                              \
                           wanted = {.events = EPOLLIN};                                           \
        int fds[2], fd = epoll_create1(EPOLL_CLOEXEC), ready;                                      \
                                                                                                   \
        pair(fds, SOCK_STREAM, "words");                                                           \
        wanted.data.u64 = 77;                                                                      \
        EXPECT(!epoll_ctl(fd, EPOLL_CTL_ADD, fds[0], &wanted));                                    \
        CALL(ready = function(fd, events, 400, ##__VA_ARGS__));                                    \
        EXPECT(ready == 1 && events[0].data.u64 == 77);                                            \
        close(fd);                                                                                 \
        end(fds);                                                                                  \
    }

EPOLLS(epoll_wait, 1000)
EPOLLS(epoll_pwait, 1000, NULL)

TORTURE(epoll_ctl, QUIET | KERNEL)
{
    struct epoll_event *wanted = PLACE(struct epoll_event);
    int fds[2], fd = epoll_create1(EPOLL_CLOEXEC), error;

    pair(fds, SOCK_STREAM, NULL);
    memset(wanted, 0, sizeof(*wanted));
    CALL(error = epoll_ctl(fd, EPOLL_CTL_ADD, fds[0], wanted));
    EXPECT(error == 0);
    close(fd);
    end(fds);
}

TORTURE(eventfd_read, KERNEL)
{
    eventfd_t *value = PLACE(eventfd_t);
    int fd = eventfd(7, EFD_CLOEXEC);

    CALL(eventfd_read(fd, value));
    EXPECT(*value == 7);
    close(fd);
}

/* ---- addresses as text ---- */

TORTURE(inet_aton, 0)
{
    struct in_addr *address = PLACE(struct in_addr);

    CALL(inet_aton("127.0.0.1", address));
    EXPECT(address->s_addr == htonl(INADDR_LOOPBACK));
}

TORTURE(inet_pton, 0)
{
    struct in6_addr *address = PLACE(struct in6_addr);

    CALL(inet_pton(AF_INET6, "fe80::1:2", address));
    EXPECT(address->s6_addr[15] == 2);
}

TORTURE(inet_ntop, 0)
{
    char *text = TEXT(INET6_ADDRSTRLEN);
    struct in6_addr address = IN6ADDR_LOOPBACK_INIT;

    CALL(inet_ntop(AF_INET6, &address, text, INET6_ADDRSTRLEN));
    EXPECT(!strcmp(text, "::1"));
}

TORTURE(ether_aton_r, 0)
{
    struct ether_addr *address = PLACE(struct ether_addr);

    CALL(ether_aton_r("1:2:3:4:5:6", address));
    EXPECT(address->ether_addr_octet[5] == 6);
}

TORTURE(ether_ntoa_r, 0)
{
    struct ether_addr address = {{1, 2, 3, 4, 5, 6}};
    char *text = TEXT(18);

    CALL(ether_ntoa_r(&address, text));
    EXPECT(!strcmp(text, "01:02:03:04:05:06"));
}

TORTURE(if_indextoname, KERNEL)
{
    char *name = TEXT(IF_NAMESIZE);

    CALL(if_indextoname(1, name));
    EXPECT(!strcmp(name, "lo"));
}

TORTURE(if_nameindex, KERNEL | STAYS)
{
    struct if_nameindex *list;

    CALL(list = if_nameindex());
    EXPECT(list && list[0].if_index == 1);
    if (list)
        if_freenameindex(list);
}

TORTURE(if_freenameindex, QUIET | STAYS)
{
    struct if_nameindex *list = if_nameindex();

    CALL(if_freenameindex(list));
}

/* Netlink's answers do not move. */
TORTURE(getifaddrs, KERNEL | STAYS)
{
    struct ifaddrs **list = PLACE(struct ifaddrs *);
    int error;

    CALL(error = getifaddrs(list));
    EXPECT(error == 0);
    if (!error)
        freeifaddrs(*list);
}

TORTURE(freeifaddrs, QUIET | STAYS)
{
    struct ifaddrs *list = NULL;

    getifaddrs(&list);
    CALL(freeifaddrs(list));
}

TORTURE(SIOCGIFCONF, KERNEL)
{
    struct ifconf *list = PLACE(struct ifconf);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error;

    list->ifc_len = 10 * (int)sizeof(struct ifreq);
    list->ifc_buf = TEXT((size_t)list->ifc_len);
    CALL(error = ioctl(fd, SIOCGIFCONF, list));
    EXPECT(error == 0);
    close(fd);
}

TORTURE(SIOCGIFINDEX, KERNEL)
{
    struct ifreq *request = PLACE(struct ifreq);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error;

    strcpy(request->ifr_name, "lo");
    CALL(error = ioctl(fd, SIOCGIFINDEX, request));
    EXPECT(error == 0 && request->ifr_ifindex == 1);
    close(fd);
}

/* ---- netdb.h, without a network ---- */

TORTURE(getaddrinfo, KERNEL)
{
    struct addrinfo **list = PLACE(struct addrinfo *),
                    hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    int error;

    CALL(error = getaddrinfo("127.0.0.1", "80", &hints, list));
    EXPECT(error == 0 && (*list)->ai_family == AF_INET);
    freeaddrinfo(*list);
}

TORTURE(freeaddrinfo, 0)
{
    struct addrinfo *list = NULL, hints = {.ai_flags = AI_NUMERICHOST};

    getaddrinfo("127.0.0.1", "80", &hints, &list);
    CALL(freeaddrinfo(list));
}

TORTURE(getnameinfo, KERNEL)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char *host = TEXT(60), *service = TEXT(20);

    CALL(getnameinfo((struct sockaddr *)&address, sizeof(address), host, 60, service, 20,
                     NI_NUMERICHOST | NI_NUMERICSERV));
    EXPECT(!strcmp(host, "127.0.0.1") && !strcmp(service, "80"));
}

static void by_name(int (*ask)(struct hostent *, char *, size_t, struct hostent **, int *))
{
    struct hostent *entry = PLACE(struct hostent), **result = PLACE(struct hostent *);
    char *buffer = TEXT(1000);
    int *failure = PLACE(int), error;

    CALL(error = ask(entry, buffer, 1000, result, failure));
    EXPECT(error == 0 && *result == entry && entry->h_addrtype == AF_INET);
}

static int ask_by_name(struct hostent *entry, char *to, size_t size, struct hostent **result,
                       int *failure)
{
    return gethostbyname_r("127.0.0.1", entry, to, size, result, failure);
}

static int ask_by_name2(struct hostent *entry, char *to, size_t size, struct hostent **result,
                        int *failure)
{
    return gethostbyname2_r("127.0.0.1", AF_INET, entry, to, size, result, failure);
}

static int ask_by_address(struct hostent *entry, char *to, size_t size, struct hostent **result,
                          int *failure)
{
    struct in_addr address = {htonl(INADDR_LOOPBACK)};

    return gethostbyaddr_r(&address, sizeof(address), AF_INET, entry, to, size, result, failure);
}

TORTURE(gethostbyname_r, KERNEL)
{
    by_name(ask_by_name);
}

TORTURE(gethostbyname2_r, KERNEL)
{
    by_name(ask_by_name2);
}

TORTURE(gethostbyaddr_r, KERNEL)
{
    by_name(ask_by_address);
}

TORTURE(getservbyport_r, KERNEL)
{
    struct servent *entry = PLACE(struct servent), **result = PLACE(struct servent *);
    char *buffer = TEXT(1000);

    CALL(getservbyport_r(htons(80), "tcp", entry, buffer, 1000, result));
    EXPECT(!*result || entry->s_port == htons(80));
}

TORTURE(getservbyname_r, KERNEL)
{
    struct servent *entry = PLACE(struct servent), **result = PLACE(struct servent *);
    char *buffer = TEXT(1000);

    CALL(getservbyname_r("http", "tcp", entry, buffer, 1000, result));
    EXPECT(!*result || entry->s_port == htons(80));
}

/* ---- messages of the name service ---- */

TORTURE(res_mkquery, KERNEL)
{
    unsigned char *to = (unsigned char *)TEXT(300);
    int length;

    CALL(length = res_mkquery(0, "www.example.org", ns_c_in, ns_t_a, NULL, 0, NULL, to, 300));
    EXPECT(length == 33);
}

TORTURE(dn_comp, 0)
{
    unsigned char *to = (unsigned char *)TEXT(100), *names[4] = {NULL};

    CALL(dn_comp("www.example.org", to, 100, names, names + 4));
}

static const unsigned char c_message[] = {0, 1,   0x81, 0x80, 0,  1, 0, 1,    0,  0, 0, 0,
                                          1, 'a', 0,    0,    1,  0, 1, 0xc0, 12, 0, 1, 0,
                                          1, 0,   0,    0,    60, 0, 4, 127,  0,  0, 1};

TORTURE(dn_expand, 0)
{
    char *name = TEXT(100);
    int length;

    CALL(length = dn_expand(c_message, c_message + sizeof(c_message), c_message + 19, name, 100));
    EXPECT(length == 2 && !strcmp(name, "a"));
}

TORTURE(ns_name_uncompress, 0)
{
    char *name = TEXT(100);
    int length;

    CALL(length = ns_name_uncompress(c_message, c_message + sizeof(c_message), c_message + 19, name,
                                     100));
    EXPECT(length == 2 && !strcmp(name, "a"));
}

TORTURE(ns_initparse, 0)
{
    ns_msg *message = PLACE(ns_msg);
    int error;

    CALL(error = ns_initparse(c_message, sizeof(c_message), message));
    EXPECT(error == 0);
}

TORTURE(ns_parserr, 0)
{
    ns_msg *message = PLACE(ns_msg);
    ns_rr *record = PLACE(ns_rr);
    int error;

    ns_initparse(c_message, sizeof(c_message), message);
    CALL(error = ns_parserr(message, ns_s_an, 0, record));
    EXPECT(error == 0 && ns_rr_ttl(*record) == 60);
}

TORTURE(ns_put16, 0)
{
    unsigned char *to = (unsigned char *)TEXT(2);

    CALL(ns_put16(0x1234, to));
    EXPECT(to[0] == 0x12 && to[1] == 0x34);
}

TORTURE(ns_put32, 0)
{
    unsigned char *to = (unsigned char *)TEXT(4);

    CALL(ns_put32(0x12345678, to));
    EXPECT(to[0] == 0x12 && to[3] == 0x78);
}

/* musl has them for programs that call them; all fail. */
TORTURE(ether_hostton, QUIET)
{
    int error;

    CALL(error = ether_hostton("me", PLACE(struct ether_addr)));
    EXPECT(error == -1);
}

TORTURE(ether_line, QUIET)
{
    int error;

    CALL(error = ether_line("1:2:3:4:5:6 me", PLACE(struct ether_addr), TEXT(20)));
    EXPECT(error == -1);
}

TORTURE(ether_ntohost, QUIET)
{
    struct ether_addr address = {{0}};
    int error;

    CALL(error = ether_ntohost(TEXT(20), &address));
    EXPECT(error == -1);
}
