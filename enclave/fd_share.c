/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between capture and commit, on one machine, source and destination need the same things at once.
 * The source, with all threads parked, makes that possible, and can take it back:
 *
 *   TCP and UDP ports      SO_REUSEPORT, set late.  The destination binds with it and then gives
 * the socket the program's own value again. Datagrams come to either; fd_udp.c. paths of unix
 * sockets  the file gets a second name. The destination unlinks the first and binds anew; to take
 * it back, the second is renamed to the first. abstract unix names    the socket is closed; to take
 * it back, it is made again. file locks released; to take them back, they are taken again.  service
 * addresses  fd_service.c  TCP connections  closed without a word (fd_tcp.c); to take them back,
 * they are made again from what was captured.
 *
 * Next: fd_socket.c, bind_name.
 */
#include <asm/socket.h>
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/time_types.h>

#include "enclave/fd_internal.h"

enum { SECOND_NAME_bytes = FD_ADDRESS_bytes + 32, WAIT_STEP_NS = 500000 };
#define WAIT_NS 2000000000ULL

static uint64_t g_wait_end_ns; /* on the host's clock */
static long g_nothing = -1;    /* what given up numbers refer to meanwhile */

bool fd_wait_for_destination(void)
{
    struct __kernel_timespec step = {0, WAIT_STEP_NS};

    if (clock_host_monotonic_ns() >= g_wait_end_ns)
        return false;
    fd_kernel(__NR_nanosleep, fd_address_of(&step), 0, 0, 0);
    return true;
}

static bool holds_port(const struct open_file *file)
{
    const struct fd_socket *socket = &file->socket;

    if (!fd_socket_is_inet(socket))
        return false;
    return file->kind == FD_LISTENER || !fd_socket_is_connection(socket) || socket->bound;
}

static void share_port(const struct open_file *file, bool share)
{
    fd_option_set(file->fd, SO_REUSEPORT,
                  share ? 1 : fd_option_number(file, SOL_SOCKET, SO_REUSEPORT));
    if (file->kind == FD_SOCKET && fd_socket_is_connection(&file->socket))
        fd_option_set(file->fd, SO_REUSEADDR,
                      share ? 1 : fd_option_number(file, SOL_SOCKET, SO_REUSEADDR));
}

/* ---- unix sockets ---- */

/* Of this process: another enclave may have a socket of the same name in another directory. */
static void second_name(const char *path, char out[SECOND_NAME_bytes])
{
    str_format(out, SECOND_NAME_bytes, "%s.moving-%u", path, g_facts.process_id);
}

static void share_path(const char *path, bool share)
{
    char second[SECOND_NAME_bytes];

    second_name(path, second);
    if (share) {
        fd_kernel(__NR_link, fd_address_of(path), fd_address_of(second), 0, 0);
        return;
    }
    fd_kernel(__NR_rename, fd_address_of(second), fd_address_of(path), 0, 0);
    /* rename does nothing if both are still names of one file. */
    fd_kernel(__NR_unlink, fd_address_of(second), 0, 0, 0);
}

/* Every number of the file becomes one of `fd`, or of the file's own first number. */
static void redirect(const struct open_file *file, long fd, bool and_first)
{
    const struct fd_state *state = fd_state();

    for (uint32_t number = 0; number < state->limit; number++) {
        if (fd_find(number) != file || (!and_first && file->fd == (int32_t)number))
            continue;
        fd_kernel(__NR_dup3, (uint64_t)fd, number, state->entries[number].cloexec ? O_CLOEXEC : 0,
                  0);
    }
}

/* The socket is closed; its numbers stay in use. */
static void give_up_socket(const struct open_file *file)
{
    if (g_nothing < 0)
        g_nothing = fd_move_up(
            host_syscall(__NR_openat, FD_AT_CWD, fd_address_of("/"), O_PATH | O_CLOEXEC, 0, 0, 0));
    if (g_nothing >= 0)
        redirect(file, g_nothing, true);
}

static bool take_socket_again(struct open_file *file, const char *what)
{
    long error;

    do
        error = fd_socket_restore(file);
    while ((error == -EADDRINUSE || error == -EADDRNOTAVAIL) && fd_wait_for_destination());
    if (error < 0) {
        log_error("fd %d, %s is lost (error %ld)", file->fd, what, -error);
        return false;
    }
    redirect(file, file->fd, false);
    if (fd_state()->entries[file->fd].cloexec)
        fd_control(file->fd, F_SETFD, FD_CLOEXEC);
    fd_epoll_rejoin(file);
    return true;
}

static void share_unix(struct open_file *file, bool share)
{
    char path[FD_ADDRESS_bytes];

    if (!file->socket.bound || !fd_address_is_name(&file->socket.local) ||
        (fd_socket_is_connection(&file->socket) && file->socket.state != SOCKET_FRESH))
        return;
    fd_address_path(&file->socket.local, path);
    if (path[0])
        share_path(path, share);
    else if (share)
        give_up_socket(file);
    else
        take_socket_again(file, "a unix socket: its abstract name");
}

/* The hole first: it hears nothing while the connection exists. */
static void share_connection(struct open_file *file, bool share)
{
    if (share) {
        fd_tcp_leave(file);
        give_up_socket(file);
    } else if (!take_socket_again(file, "a connection")) {
        file->socket.tcp.held = false; /* then the program finds it reset */
        fd_socket_restore_begin();
        take_socket_again(file, "a connection, even its reset");
        fd_socket_restore_end();
    }
}

/* ---- all ---- */

static void forget_shared(void)
{
    fd_tcp_fill_holes();
    fd_close_number(g_nothing);
    g_nothing = -1;
}

/* What arrives when they have gone, only the packet socket sees. */
static void leave_services(void)
{
    fd_catch_datagrams();
    fd_catch_datagrams_leave();
    fd_services_leave();
    fd_catch_datagrams_left();
}

static void share_all(bool share)
{
    struct fd_walk walk = fd_walk();
    struct fd_obstacle lost = {0};
    struct open_file *file;

    g_wait_end_ns = clock_host_monotonic_ns() + WAIT_NS;
    if (!share && fd_services_take(&lost) != 0)
        log_error("%s", lost.what);
    /* All first numbers are known before the first socket is made again and joins its sets. */
    while (fd_walk_next(&walk))
        ;
    for (walk = fd_walk(); (file = fd_walk_next(&walk));) {
        if (file->kind != FD_SOCKET && file->kind != FD_LISTENER)
            continue;
        if (file->kind == FD_SOCKET && file->socket.tcp.held)
            share_connection(file, share);
        else if (holds_port(file))
            share_port(file, share);
        else if (file->socket.domain == FAMILY_UNIX)
            share_unix(file, share);
    }
    fd_locks_share(share);
    if (share)
        leave_services();
    fd_state()->shared = share;
    if (!share)
        forget_shared();
}

void fd_share_addresses(void)
{
    share_all(true);
}

/* Capture itself takes nothing away but the peers: what it reads it puts back at once. */
void fd_uncapture(void)
{
    if (fd_state()->shared)
        share_all(false);
    fd_release();
    fd_terminal_uncapture();
    fd_catch_send_on();
}

static void unlink_second_names(void)
{
    struct fd_walk walk = fd_walk();
    struct open_file *file;

    while ((file = fd_walk_next(&walk))) {
        char path[FD_ADDRESS_bytes], second[SECOND_NAME_bytes];

        if ((file->kind != FD_SOCKET && file->kind != FD_LISTENER) ||
            file->socket.domain != FAMILY_UNIX)
            continue;
        fd_address_path(&file->socket.local, path);
        second_name(path, second);
        if (path[0])
            fd_kernel(__NR_unlink, fd_address_of(second), 0, 0, 0);
    }
}

/* The host process's standard descriptors stay in use, so that nothing else gets their numbers.
 * What was caught is sent on when nothing silent listens here any more, or the kernel might give it
 * to that. */
void fd_close_all(void)
{
    enum { STANDARD = 3 };
    long null = fd_move_up(
        host_syscall(__NR_openat, FD_AT_CWD, fd_address_of("/dev/null"), O_RDWR, 0, 0, 0));

    unlink_second_names();
    fd_udp_pass_on();
    for (uint64_t fd = 0; null >= 0 && fd < STANDARD; fd++)
        fd_kernel(__NR_dup3, (uint64_t)null, fd, 0, 0);
    fd_close_number(null);
    fd_kernel(__NR_close_range, STANDARD, g_facts.host_fd_base - 1, 0, 0);
    forget_shared();
    fd_catch_send_on();
}
