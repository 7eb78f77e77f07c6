/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Established TCP connections, moved with the kernel's TCP_REPAIR (Linux 3.5; what each call does
 * is in net/ipv4/tcp.c, do_tcp_setsockopt, and in CRIU's soccr, which had it first).  The peer
 * notices nothing but a pause:
 *
 *   source, at the stop    a filter drops every packet that comes in, so nothing is acknowledged
 *                          any more; repair mode; sequence numbers, options, window and the
 *                          contents of both queues are read.
 *   source, shared         the socket is closed, in repair mode without a word to the peer: on one
 *                          machine the destination needs the addresses.  What arrives meanwhile
 *                          falls into a black hole, a listener with that filter; without it the
 *                          kernel would answer with a reset.
 *   destination, restored  the connection is there, in repair mode and behind the filter: silent.
 *   destination, released  after the start token: the filter goes, repair mode ends with a window
 *                          probe, and what the program had written but the kernel not yet sent is
 *                          sent.  What the peer sent meanwhile was caught by the source and is
 *                          sent on (fd_catch.c), or the peer repeats it.
 *
 * If the move fails the source does the same as the destination, with its own record.
 *
 * Listeners are behind the filter for as long: a client that connects at that moment asks again.
 */
#include <asm/ioctls.h>
#include <asm/socket.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/sockios.h>
#include <linux/tcp.h>

#include "enclave/fd_internal.h"
#include "enclave/fd_tcp.h"

enum {
    MESSAGE_PEEK = 2,
    MESSAGE_DONTWAIT = 0x40,
    OPTION_MSS = 2, /* kinds of TCP options, RFC 9293 and RFC 7323 */
    OPTION_WINDOW = 3,
    OPTION_SACK = 4,
    OPTION_TIMESTAMPS = 8,
    BUFFER_SPARE_bytes = 256 << 10, /* the kernel counts its own headers too */
    HOLES_MAX = 64,
    SHUT_READING = 1, /* fd_socket.shut */
    SEGMENT_MIN = 88, /* TCP_MAXSEG takes nothing else */
    SEGMENT_MAX = 32767,
};

/* Local addresses whose connections the source has closed. */
static struct {
    uint32_t count;
    struct {
        long fd;
        struct fd_address address;
    } hole[HOLES_MAX];
} g_holes;

static long set_level(long fd, int level, int name, const void *value, uint32_t length)
{
    return host_syscall(__NR_setsockopt, (uint64_t)fd, (uint64_t)level, (uint64_t)name,
                        fd_address_of(value), length, 0);
}

static long set(long fd, int name, int value)
{
    return set_level(fd, IPPROTO_TCP, name, &value, sizeof(value));
}

static long get_level(long fd, int level, int name, void *out, uint32_t length)
{
    uint32_t got = length;

    memset(out, 0, length);
    return host_syscall(__NR_getsockopt, (uint64_t)fd, (uint64_t)level, (uint64_t)name,
                        fd_address_of(out), fd_address_of(&got), 0);
}

static uint32_t queue_size(long fd, uint32_t request)
{
    int size = 0;

    return fd_kernel(__NR_ioctl, (uint64_t)fd, request, fd_address_of(&size), 0) == 0 && size > 0
               ? (uint32_t)size
               : 0;
}

static void attach(long fd, struct sock_filter *filter, unsigned short count)
{
    const struct sock_fprog program = {count, filter};

    set_level(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

void fd_tcp_silence(long fd, bool silent)
{
    struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);

    if (silent)
        attach(fd, &drop, 1);
    else
        set_level(fd, SOL_SOCKET, SO_DETACH_FILTER, &(int){0}, sizeof(int));
}

/* Packets begin with the TCP header here; byte 13 has the flags. */
void fd_tcp_silence_new(long listener)
{
    enum { FLAGS_AT = 13, SYN = 2, ACK = 16 };
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_AT),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN | ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };

    attach(listener, filter, OM_ARRAY_LENGTH(filter));
}

/* ---- the stop ---- */

/* The queue that TCP_REPAIR_QUEUE names. */
static long read_queue(long fd, uint32_t length, struct fd_data *out)
{
    uint8_t *room;
    long got;

    *out = (struct fd_data){0};
    if (!length)
        return 0;
    room = fd_data_room(length, out);
    if (!room)
        return -ENOBUFS;
    got = host_syscall(__NR_recvfrom, (uint64_t)fd, fd_address_of(room), length,
                       MESSAGE_PEEK | MESSAGE_DONTWAIT, 0, 0);
    if (got < 0)
        return got;
    return got == (long)length ? 0 : -EIO;
}

/* A packet that had passed before the filter was there may still come in: then once more. */
static long read_received(long fd, struct fd_tcp *tcp)
{
    enum { ATTEMPTS = 8 };
    long error = set(fd, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE);
    uint32_t unread = 0, next = 0, again = 1;

    for (int i = 0; i < ATTEMPTS && !error && next != again; i++) {
        error = get_level(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &next, sizeof(next));
        unread = queue_size(fd, SIOCINQ);
        if (!error)
            error = get_level(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &again, sizeof(again));
    }
    tcp->receive_sequence = next - unread - fd_tcp_fin_received(tcp->state);
    return error ? error : read_queue(fd, unread, &tcp->received);
}

/* The kernel may go on sending in repair mode (a timer that paces, a queue of the device that has
 * room again), but not while this queue is chosen; so what is unsent is read after that, and no
 * other is chosen before the socket is closed. */
static long read_written(long fd, struct fd_tcp *tcp)
{
    uint32_t kept, unsent, fin_sent = fd_tcp_fin_sent(tcp->state);
    long error = set(fd, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE);

    if (error)
        return error;
    unsent = queue_size(fd, SIOCOUTQNSD);
    kept = queue_size(fd, SIOCOUTQ);
    kept -= OM_MIN(kept, fin_sent); /* nothing is kept once a FIN is acknowledged */
    tcp->unsent = OM_MIN(unsent - OM_MIN(unsent, fin_sent), kept);
    error =
        get_level(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &tcp->send_sequence, sizeof(tcp->send_sequence));
    tcp->send_sequence -= kept + fin_sent;
    return error ? error : read_queue(fd, kept, &tcp->written);
}

static long read_parameters(long fd, struct fd_tcp *tcp)
{
    struct tcp_info info;
    long error = get_level(fd, IPPROTO_TCP, TCP_INFO, &info, sizeof(info));

    if (!error)
        error = get_level(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, tcp->window, sizeof(tcp->window));
    if (!error)
        error = get_level(fd, IPPROTO_TCP, TCP_TIMESTAMP, &tcp->timestamp, sizeof(tcp->timestamp));
    if (!error) /* in repair mode: the limit that was agreed on */
        error = get_level(fd, IPPROTO_TCP, TCP_MAXSEG, &tcp->segment, sizeof(tcp->segment));
    if (error)
        return error;
    tcp->state = info.tcpi_state; /* it changes no more */
    tcp->options = info.tcpi_options;
    tcp->send_scale = info.tcpi_snd_wscale;
    tcp->receive_scale = info.tcpi_rcv_wscale;
    tcp->threshold = info.tcpi_rcv_ssthresh;
    get_level(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &tcp->clamp, sizeof(tcp->clamp));
    get_level(fd, SOL_SOCKET, SO_SNDBUF, &tcp->send_buffer, sizeof(tcp->send_buffer));
    get_level(fd, SOL_SOCKET, SO_RCVBUF, &tcp->receive_buffer, sizeof(tcp->receive_buffer));
    get_level(fd, SOL_SOCKET, SO_BUF_LOCK, &tcp->buffers_locked, sizeof(tcp->buffers_locked));
    return 0;
}

uint8_t fd_tcp_state(long fd)
{
    uint8_t state = 0; /* the first byte of struct tcp_info */

    get_level(fd, IPPROTO_TCP, TCP_INFO, &state, sizeof(state));
    return state;
}

/* Repair mode and silence, in the order that lets nothing be acknowledged and not be captured. */
static long hold(struct open_file *file)
{
    struct fd_tcp *tcp = &file->socket.tcp;
    long error;

    fd_tcp_silence(file->fd, true);
    error = set(file->fd, TCP_REPAIR, TCP_REPAIR_ON);
    if (error) {
        fd_tcp_silence(file->fd, false);
        return error;
    }
    tcp->held = true;
    error = read_parameters(file->fd, tcp);
    if (!error)
        error = read_received(file->fd, tcp);
    if (!error)
        error = read_written(file->fd, tcp);
    if (!error) /* fd_catch_begin or fd_socket_settle has asked for the local one */
        fd_socket_peer(file->fd, &file->socket.peer);
    return error;
}

long fd_tcp_capture(struct open_file *file, struct fd_obstacle *out)
{
    struct fd_tcp *tcp = &file->socket.tcp;
    long error;

    *tcp = (struct fd_tcp){0};
    if (!fd_tcp_state_moves(fd_tcp_state(file->fd)))
        return 0; /* closed from both sides: fd_socket.c resets it */
    error = hold(file);
    switch (-error) {
    case 0:
        return 0;
    case ENOBUFS:
        return fd_refuse(out, file->fd, error,
                         "fd %d, a connection: the data that wait in all connections do not fit "
                         "into %d MiB; try again, or give connections up: --connections reset",
                         file->fd, FD_DATA_bytes >> 20);
    case EPERM:
        return fd_refuse(out, file->fd, error,
                         "fd %d, a connection: moving it needs CAP_NET_ADMIN (run the daemon as "
                         "root, or give connections up: --connections reset)",
                         file->fd);
    default:
        return fd_refuse(out, file->fd, error, "fd %d, a connection, cannot be read: error %ld",
                         file->fd, -error);
    }
}

/* ---- the black hole ---- */

static void dig_hole(const struct fd_socket *socket)
{
    const struct fd_address *local = &socket->local;
    long fd;

    for (uint32_t i = 0; i < g_holes.count; i++)
        if (g_holes.hole[i].address.length == local->length &&
            memcmp(g_holes.hole[i].address.bytes, local->bytes, local->length) == 0)
            return;
    if (g_holes.count == HOLES_MAX) {
        log_warn("more than %d local addresses: a packet may be answered by a reset", HOLES_MAX);
        return;
    }
    fd =
        fd_move_up(fd_kernel(__NR_socket, (uint64_t)socket->domain, TYPE_STREAM | O_CLOEXEC, 0, 0));
    if (fd < 0)
        return;
    fd_tcp_silence(fd, true);
    /* Repair mode lets it have an address that is in use, and this lets others have it too. */
    fd_option_set(fd, SO_REUSEPORT, 1);
    if (set(fd, TCP_REPAIR, TCP_REPAIR_ON) != 0 ||
        fd_kernel(__NR_bind, (uint64_t)fd, fd_address_of(local->bytes), local->length, 0) != 0 ||
        fd_kernel(__NR_listen, (uint64_t)fd, 1, 0, 0) != 0)
        log_warn("a local address is not guarded: a packet may be answered by a reset");
    g_holes.hole[g_holes.count].fd = fd;
    g_holes.hole[g_holes.count++].address = *local;
}

void fd_tcp_leave(const struct open_file *file)
{
    dig_hole(&file->socket);
}

void fd_tcp_fill_holes(void)
{
    while (g_holes.count)
        fd_close_number(g_holes.hole[--g_holes.count].fd);
}

/* ---- making it again ---- */

static void set_buffers(long fd, uint32_t send, uint32_t receive)
{
    set_level(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send, sizeof(send));
    set_level(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof(receive));
}

static long write_sequence(long fd, int queue, uint32_t sequence)
{
    long error = set(fd, TCP_REPAIR_QUEUE, queue);

    return error ? error : set(fd, TCP_QUEUE_SEQ, (int)sequence);
}

static long write_all(long fd, const uint8_t *data, uint32_t length)
{
    uint32_t done = 0;

    while (done < length) {
        long sent = host_syscall(__NR_sendto, (uint64_t)fd, fd_address_of(data + done),
                                 length - done, MESSAGE_DONTWAIT, 0, 0);

        if (sent <= 0)
            return sent ? sent : -EIO;
        done += (uint32_t)OM_MIN((uint64_t)sent, (uint64_t)(length - done));
    }
    return 0;
}

static long write_queue(long fd, int queue, const struct fd_data *data, uint32_t length)
{
    const uint8_t *bytes = fd_data_at(data);
    long error;

    if (!length)
        return 0;
    if (!bytes || length > data->length)
        return -EINVAL;
    error = set(fd, TCP_REPAIR_QUEUE, queue);
    return error ? error : write_all(fd, bytes, length);
}

static long write_options(long fd, const struct fd_tcp *tcp)
{
    struct tcp_repair_opt options[4];
    uint32_t count = 0;
    const uint32_t scales = tcp->send_scale | (uint32_t)tcp->receive_scale << 16;

    options[count++] = (struct tcp_repair_opt){OPTION_MSS, tcp->segment};
    if (tcp->options & TCPI_OPT_WSCALE)
        options[count++] = (struct tcp_repair_opt){OPTION_WINDOW, scales};
    if (tcp->options & TCPI_OPT_SACK)
        options[count++] = (struct tcp_repair_opt){OPTION_SACK, 0};
    if (tcp->options & TCPI_OPT_TIMESTAMPS)
        options[count++] = (struct tcp_repair_opt){OPTION_TIMESTAMPS, 0};
    return set_level(fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, options,
                     count * (uint32_t)sizeof(options[0]));
}

/* How large a window the kernel offers follows from a threshold that no call sets: a larger clamp
 * raises it to the present window.  Without that a peer with large segments (loopback: 64 KiB)
 * waits for a window that never comes. */
static long write_window(long fd, const struct fd_tcp *tcp)
{
    enum { RECEIVE_WINDOW = 3, UPDATED_AT = 4 }; /* tcp_repair_window: rcv_wnd, rcv_wup */
    uint32_t window[OM_ARRAY_LENGTH(tcp->window)], original[OM_ARRAY_LENGTH(tcp->window)];
    uint32_t next = tcp->receive_sequence + tcp->received.length;

    memcpy(original, tcp->window, sizeof(original));
    if ((int32_t)(original[UPDATED_AT] - next) > 0)
        original[UPDATED_AT] = next; /* it counted a FIN, which comes later here */
    memcpy(window, original, sizeof(window));
    window[RECEIVE_WINDOW] = OM_MAX(tcp->threshold, window[RECEIVE_WINDOW]);
    if (tcp->clamp > tcp->threshold + 1 &&
        set_level(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, window, sizeof(window)) == 0) {
        set(fd, TCP_WINDOW_CLAMP, (int)tcp->clamp - 1);
        set(fd, TCP_WINDOW_CLAMP, (int)tcp->clamp);
    }
    return set_level(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, original, sizeof(original));
}

/* As it was at the source, and silent. */
static long build(long fd, const struct open_file *file)
{
    const struct fd_socket *socket = &file->socket;
    const struct fd_tcp *tcp = &socket->tcp;
    uint32_t sent = tcp->written.length - OM_MIN(tcp->unsent, tcp->written.length);
    long error;

    fd_tcp_silence(fd, true);
    error = set(fd, TCP_REPAIR, TCP_REPAIR_ON);
    if (!error)
        error = write_sequence(fd, TCP_RECV_QUEUE, tcp->receive_sequence);
    if (!error)
        error = write_sequence(fd, TCP_SEND_QUEUE, tcp->send_sequence);
    if (!error)
        error = fd_kernel(__NR_bind, (uint64_t)fd, fd_address_of(socket->local.bytes),
                          socket->local.length, 0);
    /* The kernel reckons the size of what it sends when it connects, and not again when the options
     * say what was agreed on: without this it would be 536 bytes for ever. */
    if (!error)
        error = set(fd, TCP_MAXSEG, OM_MAX(OM_MIN((int)tcp->segment, SEGMENT_MAX), SEGMENT_MIN));
    if (!error)
        error = fd_kernel(__NR_connect, (uint64_t)fd, fd_address_of(socket->peer.bytes),
                          socket->peer.length, 0);
    if (!error)
        error = write_options(fd, tcp);
    if (!error)
        error = set(fd, TCP_TIMESTAMP, (int)tcp->timestamp);
    if (!error)
        set_buffers(fd, OM_MAX(2 * tcp->written.length + BUFFER_SPARE_bytes, tcp->send_buffer / 2),
                    OM_MAX(2 * tcp->received.length + BUFFER_SPARE_bytes, tcp->receive_buffer / 2));
    if (!error)
        error = write_queue(fd, TCP_RECV_QUEUE, &tcp->received, tcp->received.length);
    if (!error)
        error = write_queue(fd, TCP_SEND_QUEUE, &tcp->written, sent);
    return error ? error : write_window(fd, tcp);
}

long fd_tcp_restore(struct open_file *file)
{
    long fd = fd_kernel(__NR_socket, (uint64_t)file->socket.domain,
                        TYPE_STREAM | (file->flags & O_NONBLOCK), 0, 0);
    long error;

    if (fd < 0)
        return fd;
    fd_options_apply(fd, file);
    error = build(fd, file);
    if (error) {
        fd_close_number(fd);
        return error;
    }
    file->socket.tcp.made = true;
    return fd;
}

/* The kernel doubles what it is given, and grows a buffer itself unless the program has set it. */
static void restore_buffers(const struct open_file *file)
{
    const struct fd_tcp *tcp = &file->socket.tcp;

    set_buffers(file->fd, tcp->send_buffer / 2, tcp->receive_buffer / 2);
    set_level(file->fd, SOL_SOCKET, SO_BUF_LOCK, &tcp->buffers_locked, sizeof(tcp->buffers_locked));
}

void fd_tcp_release(struct open_file *file)
{
    struct fd_tcp *tcp = &file->socket.tcp;
    const uint8_t *written = fd_data_at(&tcp->written);
    uint32_t sent = tcp->written.length - OM_MIN(tcp->unsent, tcp->written.length);
    bool made = tcp->made;
    long error = 0;

    if (made && set(file->fd, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE) == 0)
        fd_tcp_before_repair_ends(file);
    fd_tcp_silence(file->fd, false);
    set(file->fd, TCP_REPAIR_QUEUE, TCP_NO_QUEUE);
    set(file->fd, TCP_REPAIR, TCP_REPAIR_OFF);
    /* Repair mode takes it away, and without it what is left of this connection when it is closed
     * would keep the port from the next destination on this machine. */
    fd_option_set(file->fd, SO_REUSEADDR, 1);
    if (made && tcp->written.length > sent && written)
        error = write_all(file->fd, written + sent, tcp->written.length - sent);
    if (error)
        log_error("fd %d, a connection: what was to be sent is lost (error %ld)", file->fd, -error);
    if (made)
        fd_tcp_after_repair_ended(file);
    if (made)
        restore_buffers(file);
    if (made && (file->socket.shut & SHUT_READING))
        fd_kernel(__NR_shutdown, (uint64_t)file->fd, 0, 0, 0);
    tcp->held = tcp->made = false;
}
