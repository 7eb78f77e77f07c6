/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that are being closed, from one side or both.  TCP_REPAIR makes an established one;
 * what is missing is done when it is released:
 *
 *   the program had closed its side   shutdown in repair mode counts as a FIN that has been sent
 *                                     (tcp_write_xmit); the kernel repeats it until it is
 *                                     acknowledged
 *   the peer had acknowledged that    an acknowledgement as if from the peer
 *   the peer had closed its side      a FIN as if from the peer
 *
 * Both packets come from a raw socket of this host, over its loopback interface; CRIU's soccr does
 * the same.  A peer of flesh does not send them again: it believes that they were heard.
 *
 * Sequence numbers: the kernel counts a FIN as one byte, in TCP_QUEUE_SEQ of both queues and in
 * SIOCOUTQ and SIOCOUTQNSD, but not in SIOCINQ.
 */
#include <linux/in.h>
#include <linux/in6.h>

#include "enclave/fd_internal.h"
#include "enclave/fd_tcp.h"

enum {
    TCP_bytes = 20,
    FLAG_FIN = 1,
    FLAG_ACK = 16,
    WINDOW = 0xffff,
    SHUT_WRITING = 1, /* of shutdown */
};

bool fd_tcp_state_moves(uint8_t state)
{
    return state == TCP_STATE_ESTABLISHED || fd_tcp_fin_sent(state) || fd_tcp_fin_received(state);
}

bool fd_tcp_fin_sent(uint8_t state)
{
    return state == TCP_STATE_FIN_WAIT1 || state == TCP_STATE_FIN_WAIT2 ||
           state == TCP_STATE_CLOSING || state == TCP_STATE_LAST_ACK;
}

bool fd_tcp_fin_received(uint8_t state)
{
    return state == TCP_STATE_CLOSE_WAIT || state == TCP_STATE_CLOSING ||
           state == TCP_STATE_LAST_ACK;
}

/* The kernel has sent it before; otherwise the program's shutdown is done again. */
static bool fin_is_on_its_way(const struct fd_tcp *tcp)
{
    return tcp->unsent == 0 &&
           (tcp->state == TCP_STATE_FIN_WAIT1 || tcp->state == TCP_STATE_FIN_WAIT2);
}

static void close_writing(long fd)
{
    fd_kernel(__NR_shutdown, (uint64_t)fd, SHUT_WRITING, 0, 0);
}

/* ---- as if from the peer ---- */

static uint8_t *put32(uint8_t *at, uint32_t value)
{
    return fd_put16(fd_put16(at, value >> 16), value);
}

static void send_from_peer(const struct fd_socket *socket, uint32_t acknowledged, uint8_t flags)
{
    const struct fd_tcp *tcp = &socket->tcp;
    struct fd_packets through = {0};
    uint8_t packet[FD_IP_HEADER_MAX + TCP_bytes] = {0};
    size_t header = fd_packet_header(packet, &socket->peer, &socket->local, IPPROTO_TCP, TCP_bytes);
    uint8_t *at = packet + header;

    at = fd_put16(at, __builtin_bswap16(fd_address_port(&socket->peer)));
    at = fd_put16(at, __builtin_bswap16(fd_address_port(&socket->local)));
    at = put32(at, tcp->receive_sequence + tcp->received.length);
    at = put32(at, acknowledged);
    *at++ = TCP_bytes / 4 << 4;
    *at++ = flags;
    fd_put16(at, WINDOW);
    fd_packets_send(&through, packet, header + TCP_bytes);
    fd_packets_end(&through);
}

/* ---- release ---- */

void fd_tcp_before_repair_ends(const struct open_file *file)
{
    if (fin_is_on_its_way(&file->socket.tcp))
        close_writing(file->fd); /* the caller has chosen TCP_SEND_QUEUE */
}

void fd_tcp_after_repair_ended(const struct open_file *file)
{
    const struct fd_tcp *tcp = &file->socket.tcp;

    if (tcp->state == TCP_STATE_FIN_WAIT2)
        send_from_peer(&file->socket, tcp->send_sequence + tcp->written.length + 1, FLAG_ACK);
    if (fd_tcp_fin_received(tcp->state))
        send_from_peer(&file->socket, tcp->send_sequence, FLAG_FIN | FLAG_ACK);
    if (fd_tcp_fin_sent(tcp->state) && !fin_is_on_its_way(tcp))
        close_writing(file->fd);
}
