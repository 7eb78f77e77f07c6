/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File descriptors and the kernel objects behind them.  The program's numbers are the host's
 * numbers (the host keeps its own at host_fd_base and up), so a call that only uses an fd passes
 * through. A record is made when a descriptor is made; at the stop only what changes is read
 * (offsets, counters, pipe contents), because that is inside the downtime.
 */
#pragma once

#include "enclave/syscall.h"

enum fd_kind {
    FD_NONE = 0,
    FD_STDIO, /* inherited from whoever started the enclave */
    FD_FILE,  /* regular file, or a character device named by its path (/dev/null, ...) */
    FD_DIRECTORY,
    FD_PIPE,
    FD_EVENTFD,
    FD_TIMERFD,
    FD_EPOLL,
    FD_SOCKET, /* not listening: unconnected, connected or connecting */
    FD_LISTENER,
    FD_SOCKETPAIR, /* unix, both ends inside the enclave */
    FD_SIGNALFD,
    FD_INOTIFY,
    FD_UNSUPPORTED /* named in `what` when a move is asked for */
};

/* What is in the way, in words for the user; fd_prepare and fd_check name all they find, with
 * OM_REASON_SEPARATOR between. */
struct fd_obstacle {
    int32_t fd;       /* of the last one */
    size_t described; /* fd_prepare: length of the description, of what can be described */
    char what[OM_REASON_MAX];
};

/* Called by sys_fd.c and the dispatcher as descriptors come and go; fd.c keeps the table. */
void fd_table_create(void); /* records 0, 1, 2 as they were inherited */
/* Before the program is loaded: it is to have these addresses.  0, or -errno and a reason. */
long fd_services_begin(const struct om_service *untrusted, uint32_t count, char *out_reason,
                       size_t capacity);
uint32_t fd_count(void); /* descriptors of the program */

/* Before the move, the program running: appends the description of every object that the
 * destination must have (files: path, flags, size, digest of the head) as bytes for fd_check; or
 * says what cannot move. Returns the length, or -errno with out_obstacle filled. */
long fd_prepare(uint8_t *out, size_t capacity, enum om_connections connections,
                struct fd_obstacle *out_obstacle);
/* At the destination: are those objects here?  Changes nothing.  0, or -errno with out_obstacle
 * filled. The bytes come from an authenticated peer, and are checked all the same. */
long fd_check(const uint8_t *description, size_t length, struct fd_obstacle *out_obstacle);

/* Rehearse fd_capture and fd_restore (expect.h). */
void fd_expect_capture(void);
void fd_expect_restore(void);
/* At the source, all threads parked: reads what changes into the table. 0 or -errno + obstacle. */
long fd_capture(struct fd_obstacle *out_obstacle);
/* At the source, after fd_capture, before the destination restores: lets it have what only one can
 * have on one machine (addresses, names of unix sockets, file locks). */
void fd_share_addresses(void);
/* At the source, if the move fails after fd_capture: takes it all back. */
void fd_uncapture(void);
/* At the destination, when the table has arrived and clock_continue was called, before the commit
 * point: makes every object again, under its number.  0, or -errno + obstacle: then this process
 * has some of them, and is of no use for another attempt. */
long fd_restore(struct fd_obstacle *out_obstacle);
/* At the destination, after the commit, before the program runs: its sockets hear their peers
 * again.
 */
void fd_release(void);
/* At the destination, if the move fails before the commit: what another process can use again. */
void fd_abandon(void);
/* A read or readv of inotify events that a move has taken along (fd_inotify.c): true, with the
 * result; false: the kernel is to be asked.  args: checked. */
bool fd_inotify_read(long nr, const uint64_t args[6], long *out_result);
/* At the source, after the commit: closes all of the program's descriptors. */
void fd_close_all(void);
