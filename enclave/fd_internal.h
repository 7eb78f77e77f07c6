/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files about descriptors share.  fd.c keeps the table, fd_move.c drives a move through
 * all open files, fd_describe.c says to the destination what it must have; fd_file.c, fd_pipe.c,
 * fd_event.c, fd_epoll.c and fd_socket.c know one kind each; sys_fd.c, sys_socket.c and sys_ioctl.c
 * are the program's calls.
 *
 * While the program runs, the mover must not open anything, not even for a moment: the number would
 * be missing when the program opens something and counts on the lowest free one.  So fd_prepare
 * does with readlink, fstat and what was opened before the program started; at the stop all is
 * allowed.
 */
#pragma once

#include <asm/unistd.h>

#include "enclave/fd.h"
#include "enclave/tables.h"

struct wire;

/* Not in the kernel's headers for programs. */
enum { PATH_bytes = 4096 };
enum fd_socket_family { FAMILY_UNIX = 1, FAMILY_INET = 2, FAMILY_INET6 = 10, FAMILY_NETLINK = 16 };
enum fd_socket_type {
    TYPE_STREAM = 1,
    TYPE_DATAGRAM = 2,
    TYPE_SEQPACKET = 5,
    TYPE_MASK = 0xf,
};

/* open(2) does these once; the others describe the open file. */
#define FD_ONCE_FLAGS ((uint32_t)(O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | O_CLOEXEC))

/* Of the socket calls: the same bits as O_NONBLOCK and O_CLOEXEC. */
#define FD_AT_CWD ((uint64_t)(int64_t)-100)

static inline struct fd_state *fd_state(void)
{
    return &g_tables->fds;
}

static inline uint64_t fd_address_of(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

static inline long fd_kernel(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    return host_syscall(nr, a, b, c, d, 0, 0);
}

static inline long fd_control(long fd, uint32_t command, uint64_t argument)
{
    return fd_kernel(__NR_fcntl, (uint64_t)fd, command, argument, 0);
}

static inline void fd_close_number(long fd)
{
    if (fd >= 0)
        fd_kernel(__NR_close, (uint64_t)fd, 0, 0, 0);
}

/* ---- the table (fd.c); "locked": the caller holds fd_state()->lock or every thread is parked ----
 */

/* The program's numbers are below. */
uint32_t fd_numbers_end(void);
/* The open file behind a number; NULL: none recorded.  Locked. */
struct open_file *fd_find(uint64_t fd);
uint32_t fd_index_of(const struct open_file *file);
struct open_file *fd_file_at(uint32_t index);

/* A descriptor was made for a new open file, of which `model` says what is known.  A number that
 * belongs to the host is closed again: -EMFILE.  Takes fd (or a negative error) and returns it. */
long fd_made(long fd, const struct open_file *model, bool cloexec);
/* Two at once, which know each other (kinds with `other`). */
long fd_made_pair(const int32_t fds[2], const struct open_file models[2], bool cloexec);
/* A descriptor was made for the open file behind `of`. */
long fd_duplicated(long fd, uint64_t of, bool cloexec);
/* The number was closed, or is about to be. */
void fd_gone(uint64_t fd);
void fd_gone_locked(uint64_t fd);
void fd_set_cloexec(uint64_t fd, bool cloexec);
uint32_t fd_pool_take(struct fd_pool *pool, void *elements, size_t size, size_t link,
                      uint32_t capacity);
void fd_pool_return(struct fd_pool *pool, void *elements, size_t size, size_t link, uint32_t index);
#define FD_TAKE(pool, array, link)                                                                 \
    fd_pool_take(&fd_state()->pool, fd_state()->array, sizeof(fd_state()->array[0]),               \
                 (size_t)((char *)&fd_state()->array[0].link - (char *)&fd_state()->array[0]),     \
                 (uint32_t)OM_ARRAY_LENGTH(fd_state()->array) - 1)
#define FD_RETURN(pool, array, link, index)                                                        \
    fd_pool_return(&fd_state()->pool, fd_state()->array, sizeof(fd_state()->array[0]),             \
                   (size_t)((char *)&fd_state()->array[0].link - (char *)&fd_state()->array[0]),   \
                   index)

/* Meets each open file once, in the order of its lowest number, which is then file->fd.  Locked, at
 * least at each step.  Start with struct fd_walk walk = fd_walk(). */
struct fd_walk {
    uint32_t next, pass;
};
struct fd_walk fd_walk(void);
struct open_file *fd_walk_next(struct fd_walk *walk);

/* A copy of a string or of bytes in the tables; 0 or false: no room. Locked. */
uint32_t fd_path_keep(const char *path);
const char *fd_path(uint32_t at);
uint8_t *fd_data_room(size_t length, struct fd_data *out); /* NULL: no room */
const uint8_t *fd_data_at(const struct fd_data *data);     /* NULL: not inside the buffer */

/* Fills out_obstacle and returns error. */
long fd_refuse(struct fd_obstacle *out, int32_t fd, long error, const char *format, ...)
    OM_PRINTF(4, 5);

const char *fd_kind_name(uint8_t kind); /* for messages */

/* Opens what fd_prepare will need: while no program runs here. */
void fd_look_around(void);
/* Makes the table agree with the kernel: descriptors that came by a message are recorded, records
 * whose descriptor is gone are dropped.  Takes the lock step by step. 0 or -errno. */
long fd_reconcile(void);

/* ---- a move (fd_move.c) ---- */

/* Gives the descriptor `made` the number `wanted`, which is free; closes `made` if it is another.
 * Negative numbers pass through.  Returns wanted or -errno. */
long fd_place(long made, int32_t wanted);
long fd_place_pair(const int32_t made[2], const int32_t wanted[2]);
/* Out of the way of the program's numbers; closes fd. */
long fd_move_up(long fd);
/* Reads a small file whole (of /proc); length or -errno.  Opens it: not while the program runs. */
long fd_read_file(const char *path, char *out, size_t capacity);

/* fd_share.c: the destination has failed, but may still be about to end: waits a moment, and says
 * whether it makes sense to try again. */
bool fd_wait_for_destination(void);

/* ---- the description (fd_describe.c) ---- */

void fd_describe_machine(void); /* learns on which machine it is; opens a file */

/* ---- kinds ----
 * capture:  at the source, parked; 0, or -errno and an obstacle
 * restore:  at the destination; makes the object and gives it the number file->fd; 0 or -errno */

/* fd_file.c */
long fd_link(int32_t fd, char *out, size_t capacity); /* of /proc/self/fd; length or -errno */
long fd_classify(int32_t fd, struct open_file *out);  /* 0 or -errno; opens nothing */
long fd_plain_look(int32_t fd, struct open_file *file, char *path, struct fd_obstacle *out);
long fd_plain_capture(struct open_file *file, struct fd_obstacle *out);
long fd_plain_restore(struct open_file *file);
long fd_plain_open(const char *path, uint32_t flags,
                   uint32_t type); /* as at restore; fd or -errno */
long fd_stdio_restore(struct open_file *file, const long kept[3]);
bool fd_is_output(const struct open_file *file); /* descriptor 1 or 2 refers to it */
long fd_classify_inherited(int32_t fd, struct open_file *out);
long fd_locks_restore(struct fd_obstacle *out); /* all of them */
void fd_locks_share(bool share);                /* source: released, or taken again */
bool fd_is_inherited(uint64_t device, uint64_t inode, int32_t *out_number);

/* fd_kept.c: deleted files and memfds */
struct stat;
bool fd_is_memfd(const char *link); /* of /proc/self/fd */
long fd_kept_look(struct open_file *file, const struct stat *status, const char *path,
                  struct fd_obstacle *out);
long fd_kept_capture(struct open_file *file, struct fd_obstacle *out);
long fd_kept_open(const struct open_file *file); /* as fd_plain_open, made again */

/* fd_pipe.c */
long fd_pipe_capture(struct open_file *file, struct fd_obstacle *out);
long fd_pipe_restore(struct open_file *file);

/* fd_event.c */
long fd_event_capture(struct open_file *file, struct fd_obstacle *out);
long fd_event_restore(struct open_file *file);
long fd_timer_capture(struct open_file *file, struct fd_obstacle *out);
long fd_timer_restore(struct open_file *file);
/* A moment on the program's clock for the kernel's; never 0, which would disarm a timer. */
uint64_t fd_timer_to_host(int32_t clock, uint64_t program_ns);
long fd_signal_restore(struct open_file *file);
bool fd_is_readable(int32_t fd);

/* fd_inotify.c */
long fd_inotify_capture(struct open_file *file, struct fd_obstacle *out);
long fd_inotify_restore(struct open_file *file);
void fd_inotify_clear(struct open_file *file); /* gives watches and events back.  Locked. */
/* FIONREAD, if events are held; else false, and the kernel knows. */
bool fd_inotify_unread(uint64_t fd, int32_t *out_bytes);

/* fd_epoll.c */
long fd_epoll_capture(struct open_file *file, struct fd_obstacle *out);
/* epoll_ctl has succeeded.  0, or -ENOSPC: not recorded. Locked. */
long fd_epoll_record(uint64_t set_fd, int32_t operation, uint64_t fd, uint32_t events,
                     uint64_t data);
long fd_epoll_restore(struct open_file *file);      /* empty */
void fd_epoll_fill(struct open_file *file);         /* when everything else exists */
void fd_epoll_rejoin(const struct open_file *file); /* into the sets that watch it */
void fd_epoll_clear(struct open_file *file);        /* the set is gone */
void fd_epoll_forget(struct open_file *file);       /* the file is gone: it leaves all sets */

/* fd_socket.c */
long fd_socket_capture(struct open_file *file, struct fd_obstacle *out);
long fd_socket_restore(struct open_file *file);
void fd_socket_restore_begin(void);
void fd_socket_restore_end(void);
void fd_socket_clear(struct open_file *file); /* gives the options back */
bool fd_socket_is_inet(const struct fd_socket *socket);
uint16_t fd_address_family(const struct fd_address *address);
uint16_t fd_address_port(const struct fd_address *address);          /* network order */
void fd_address_set_port(struct fd_address *address, uint16_t port); /* network order */
bool fd_address_is_loopback(const struct fd_address *address);
bool fd_address_is_mapped(const struct fd_address *address); /* ::ffff:a.b.c.d */
/* Address alone, without port, of IPv4 or IPv6 (other families: length 0). */
const uint8_t *fd_address_host(const struct fd_address *address, size_t *out_length);
bool fd_address_same_host(const struct fd_address *a, const struct fd_address *b);
void fd_address_text(const struct fd_address *address, char *out, size_t capacity);
bool fd_address_is_name(const struct fd_address *address); /* worth to be bound to */
void fd_address_path(const struct fd_address *address, char out[FD_ADDRESS_bytes]);

/* fd_tcp.c */
long fd_tcp_capture(struct open_file *file, struct fd_obstacle *out); /* held afterwards, or not */
long fd_tcp_restore(struct open_file *file);                          /* its descriptor or -errno */
void fd_tcp_release(struct open_file *file); /* held: talks to its peer again */
void fd_tcp_silence(long fd, bool silent);   /* drops what comes in */
void fd_tcp_silence_new(long listener);      /* drops what begins a connection */
/* Before a held connection is closed: nobody may answer its peer until the holes are filled. */
void fd_tcp_leave(const struct open_file *file);
void fd_tcp_fill_holes(void);

/* fd_backlog.c */
void fd_backlog_begin(void);                      /* before all others are captured */
long fd_backlog_capture(struct fd_obstacle *out); /* and after them */
void fd_backlog_release(void); /* when listeners and connections are heard again */
/* A descriptor that the kernel's accept gave, with no record yet: true if it stood for one that
 * waited, whose number and record *fd is now; or -EAGAIN: that one is no more. */
bool fd_backlog_accepted(long *fd, uint32_t flags);
void fd_backlog_forget(const struct open_file *listener); /* it is closed.  Locked. */

/* fd_packet.c */
enum { FD_IP_HEADER_MAX = 40 };
uint8_t *fd_put16(uint8_t *at, uint32_t value); /* network order; returns what follows */
/* An IP header in front of `length` bytes of the protocol; its own length. */
size_t fd_packet_header(uint8_t at[FD_IP_HEADER_MAX], const struct fd_address *from,
                        const struct fd_address *to, uint8_t protocol, size_t length);
struct fd_packets {
    long raw[2]; /* IPv4, IPv6; 0: not opened yet */
};
/* TCP or UDP with its IP header; sets the checksum.  What cannot be sent is dropped. */
void fd_packets_send(struct fd_packets *through, uint8_t *packet, size_t length);
void fd_packets_end(struct fd_packets *through);

/* fd_catch.c: before the first connection is held; after connections are released, here or there.
 */
void fd_catch_begin(void);
void fd_catch_send_on(void);
/* Datagrams too, if there are service addresses: before those leave, at that moment, and after. */
void fd_catch_datagrams(void);
void fd_catch_datagrams_leave(void);
void fd_catch_datagrams_left(void);
void fd_catch_passed(const uint8_t *packet, size_t length); /* a socket has got it */

/* fd_terminal.c */
bool fd_is_terminal(int32_t fd);
void fd_terminal_begin(void);                           /* the stop: none has been captured */
void fd_terminal_capture(const struct open_file *file); /* the first one counts */
void fd_terminal_uncapture(void);
/* A new descriptor of the terminal here, or -errno. */
long fd_terminal_open(const struct open_file *file);

/* fd_udp.c */
bool fd_udp_is(const struct open_file *file);
/* The sockets hear nothing any more; what waits in them goes to who has their addresses now. */
void fd_udp_pass_on(void);

/* fd_service.c */
void fd_services_describe(struct wire *to);
long fd_services_check(struct wire *from, bool same_network, struct fd_obstacle *out);
bool fd_service_arrives(const struct fd_address *address); /* the destination will have it */
long fd_services_take(struct fd_obstacle *out); /* before what is bound to them is made */
void fd_services_release(void);                 /* they are known to be here */
void fd_services_leave(void);                   /* the source */
void fd_services_abandon(void);                 /* the destination of a move that failed */

/* fd_pair.c */
long fd_pair_capture(struct open_file *file, struct fd_obstacle *out);
long fd_pair_restore(struct open_file *file);
/* What setsockopt was given, for a new socket at the destination. Locked. */
void fd_option_record(struct open_file *file, int32_t level, int32_t name, const void *value,
                      uint32_t length);
void fd_options_copy(struct open_file *to, const struct open_file *from); /* Locked. */
/* NULL: never set, or not recorded. Locked. */
const struct fd_option *fd_option_find(const struct open_file *file, int32_t level, int32_t name);
int32_t fd_option_number(const struct open_file *file, int32_t level,
                         int32_t name);                   /* 0: never set */
void fd_option_set(long fd, int32_t name, int32_t value); /* of SOL_SOCKET */
void fd_options_apply(long fd, const struct open_file *file);
void fd_socket_local(int32_t fd, struct fd_address *out); /* getsockname; length 0: none */
void fd_socket_peer(int32_t fd, struct fd_address *out);  /* getpeername; length 0: none */
bool fd_socket_listens_tcp(const struct open_file *file);
/* A connect that did not wait may have ended since: nobody tells us. At the stop, or of a copy. */
void fd_socket_settle(struct open_file *file);
/* Connected TCP, whether it can be moved or not. */
bool fd_socket_is_tcp_connection(const struct open_file *file);
bool fd_socket_is_connection(const struct fd_socket *socket); /* SOCK_STREAM, SOCK_SEQPACKET */

/* sys_fd.c; for ioctl */
long fd_set_status_flags(uint64_t fd, uint32_t flags);
long fd_get_status_flags(uint64_t fd);
