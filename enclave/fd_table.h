/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of descriptors, part of the tables: they move with the enclave as they are.
 *
 *   descriptor number -> struct fd_entry -> struct open_file
 *
 * An open file is what POSIX calls an open file description: descriptors made by dup share it, and
 * with it the offset.  Everything refers to everything else by index; index 0 is "none", so zeroed
 * tables are empty tables.  Arrays are as large as they may ever become: pages that are never
 * touched cost nothing.
 */
#pragma once

#include <asm/termbits.h>
#include <asm/termios.h>

#include "enclave/runtime.h"

enum {
    FDS_MAX = 65536,         /* descriptors, and open files */
    FD_WATCHES_MAX = 262144, /* registrations in epoll sets */
    FD_OPTIONS_MAX = 131072, /* socket options that were set */
    FD_INOTIFY_MAX = 4096,   /* watched paths */
    FD_LOCKS_MAX = 4096,     /* file locks held */
    FD_PATHS_bytes = 16 << 20,
    FD_DATA_bytes = 512 << 20, /* contents of pipes and sockets at the stop */
    FD_ADDRESS_bytes = 124,    /* of a socket; the longest that moves is a unix one, 110 */
    FD_OPTION_bytes = 32,
    FD_NAME_bytes = 120,
};

struct fd_entry {
    uint32_t file; /* index of its open file; 0: the number is not in use */
    uint32_t cloexec;
};

struct fd_address {
    uint32_t length; /* 0: none */
    uint8_t bytes[FD_ADDRESS_bytes];
};

/* Inherited from whoever started the enclave. */
struct fd_stdio {
    int32_t number;         /* as it was inherited; above 2, the destination gives /dev/null */
    uint32_t terminal;      /* it is the program's terminal */
    uint64_t device, inode; /* at this host */
};

struct fd_data { /* a piece of fd_state.data */
    uint32_t start, length;
};

struct fd_plain {
    uint64_t offset;            /* valid after capture */
    uint32_t path;              /* offset into paths, 0: not known yet */
    uint32_t type;              /* S_IFREG, S_IFDIR, S_IFCHR, valid with path */
    bool lockable;              /* the program has asked for a lock on it */
    bool keeps;                 /* only the program can reach it (fd_kept.c); then: */
    uint32_t mode, seals, twin; /* twin: the open file that has the contents; 0: this one */
    struct fd_data contents;
    uint64_t device, inode, size; /* valid with path, at this host */
};

struct fd_pipe {
    uint32_t other; /* open file of the other end; 0: closed */
    uint32_t size;  /* F_GETPIPE_SZ; valid after capture */
    bool packets;   /* O_DIRECT: contents are packets, each with its length before it */
    struct fd_data contents;
};

struct fd_event {
    uint64_t count; /* valid after capture */
    bool semaphore;
};

struct fd_timer {
    int32_t clock;
    uint32_t cancel_on_set; /* of the last timerfd_settime */
    uint64_t expiry_ns;     /* on the program's clock; 0: not armed. Valid after capture */
    uint64_t interval_ns;
    uint64_t ticks; /* expirations not read yet */
};

struct fd_epoll {
    uint32_t first;     /* watch */
    uint32_t one_shots; /* watches with EPOLLONESHOT: the kernel disarms them behind our back */
};

struct fd_inotify {
    uint32_t first;     /* watched path */
    uint8_t lost;       /* a watch could not be recorded */
    uint8_t overflowed; /* IN_Q_OVERFLOW is the last event that is held */
    int32_t token;      /* watch whose event stands in the queue for those that are held; or 0 */
};

enum fd_socket_state {
    SOCKET_FRESH = 0,
    SOCKET_CONNECTING,
    SOCKET_CONNECTED,
};

/* An established connection at the stop (fd_tcp.c). */
struct fd_tcp {
    bool held;                                  /* captured, silent: not released yet */
    bool made;                                  /* again, by fd_tcp_restore */
    uint8_t state;                              /* enum tcp_state */
    uint8_t options, send_scale, receive_scale; /* as in struct tcp_info */
    uint32_t send_sequence, receive_sequence;   /* of the first byte in each queue */
    uint32_t segment, timestamp, unsent;        /* unsent: so much at the end of written */
    uint32_t window[5];                         /* struct tcp_repair_window */
    uint32_t send_buffer, receive_buffer, buffers_locked;
    uint32_t threshold, clamp; /* tcpi_rcv_ssthresh, TCP_WINDOW_CLAMP */
    struct fd_data received, written;
};

struct fd_socket {
    int32_t domain, type, protocol;
    uint8_t state;       /* enum fd_socket_state, of connection-oriented ones */
    uint8_t bound;       /* by bind(): has an address worth keeping */
    uint8_t shut;        /* 1: for reading, 2: for writing */
    uint8_t option_lost; /* one was too long to be recorded */
    uint8_t empty_seen;  /* FD_SOCKETPAIR: empty messages that a capture has looked at may wait */
    int32_t backlog;     /* FD_LISTENER */
    uint32_t owner;      /* user id; valid after capture */
    uint32_t path_mode;  /* of a unix socket's file; valid after prepare */
    uint32_t first_option;
    uint32_t other;          /* FD_SOCKETPAIR: the other end; 0: closed */
    struct fd_data contents; /* FD_SOCKETPAIR: what can be read here */
    struct fd_address local, peer;
    struct fd_tcp tcp;
};

struct open_file {
    uint8_t kind;         /* enum fd_kind */
    uint8_t owned;        /* F_SETOWN named the process */
    uint8_t io_signal;    /* F_SETSIG */
    uint8_t restored;     /* fd_restore has made it already: with its other end */
    uint32_t entries;     /* descriptors that refer to it; 0: the record is free */
    uint32_t flags;       /* O_*: access mode and status flags, as the program sees them */
    uint32_t generation;  /* a new one each time the record is taken */
    uint32_t first_watch; /* in epoll sets that watch it */
    uint32_t pass;        /* number of the last pass over all descriptors that met it */
    int32_t fd;           /* one of its numbers, as that pass found it */
    uint32_t next_free;
    union {
        struct fd_stdio stdio;
        struct fd_plain plain;
        struct fd_pipe pipe;
        struct fd_event event;
        struct fd_timer timer;
        struct fd_epoll epoll;
        struct fd_inotify inotify;
        struct fd_socket socket;
        uint64_t signal_mask;     /* signalfd */
        char name[FD_NAME_bytes]; /* FD_UNSUPPORTED: what it is */
    };
};

/* A registration in an epoll set; in a list of its set and in one of the file that it watches. */
struct fd_watch {
    uint32_t set, file; /* open files */
    int32_t fd;         /* number under which it was added */
    uint32_t events;
    uint64_t data;
    uint32_t set_next, set_previous, file_next, file_previous;
};

struct fd_option {
    uint32_t next;
    int32_t level, name;
    uint32_t length;
    uint8_t value[FD_OPTION_bytes];
};

struct fd_inotify_watch {
    uint32_t next;
    int32_t descriptor;
    uint32_t mask;
    char path[500];
};

enum fd_lock_kind { FD_LOCK_POSIX, FD_LOCK_DESCRIPTION, FD_LOCK_FLOCK };

struct fd_lock { /* read at the stop */
    uint32_t file;
    uint8_t kind; /* enum fd_lock_kind */
    uint8_t write;
    uint64_t start, length; /* length 0: to the end */
};

/* Takes and gives back elements of an array by index, from 1. */
struct fd_pool {
    uint32_t free; /* first of the returned ones, linked by the element's own next; 0: none */
    uint32_t used; /* elements 1..used have been taken at some time */
};

enum { FD_BACKLOG_MAX = 1024, FD_KEPT_bytes = 64 << 20 /* of one such file */ };

struct fd_backlog { /* fd_backlog.c */
    uint32_t count, dummy_count;
    int32_t fds[FD_BACKLOG_MAX];          /* connections that nobody has accepted, oldest first */
    uint16_t dummy_ports[FD_BACKLOG_MAX]; /* network order */
};

enum { FD_TERMINAL_bytes = 4096 }; /* what a terminal holds that nobody has read */

struct fd_terminal { /* read at the stop; fd_terminal.c */
    bool captured;
    struct termios modes;
    struct winsize size;
    uint32_t unread;
    uint8_t input[FD_TERMINAL_bytes];
};

/* Of inotify, not read yet; fd_inotify.c. */
enum { FD_EVENTS_bytes = 1 << 20, FD_EVENTS_RESERVE = 1 << 12 };

struct fd_events {
    uint32_t used;
    uint8_t bytes[FD_EVENTS_bytes];
};

struct fd_state {
    struct lock lock;
    uint32_t limit; /* numbers from here up have never been used */
    uint32_t count; /* descriptors in use */
    uint32_t pass;
    uint32_t generation;
    uint32_t shared;              /* fd_share_addresses is in force */
    uint32_t give_up_connections; /* the user's choice for this move */
    uint32_t paths_used, data_used, lock_count;
    uint32_t service_count;
    struct om_service services[OM_SERVICES_MAX];
    struct fd_backlog backlog;
    struct fd_events events;
    struct fd_terminal terminal;
    struct fd_stdio inherited[3]; /* 0, 1 and 2, even after the program closed them */
    struct fd_pool file_pool, watch_pool, option_pool, inotify_pool;
    struct fd_entry entries[FDS_MAX];
    struct open_file files[FDS_MAX + 1];
    struct fd_watch watches[FD_WATCHES_MAX + 1];
    struct fd_option options[FD_OPTIONS_MAX + 1];
    struct fd_inotify_watch inotify[FD_INOTIFY_MAX + 1];
    struct fd_lock locks[FD_LOCKS_MAX];
    char paths[FD_PATHS_bytes];
    uint8_t data[FD_DATA_bytes];
};
