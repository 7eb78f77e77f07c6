/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals of programs, from the master's side: what the program writes goes to its log, to a
 * bounded memory of what was shown last, and to whoever is attached (docs/control.md, "attach");
 * what they type goes to the program.  The host process has made the terminal and keeps both ends.
 *
 * Nobody has to be attached: what is written is read all the same, so that no program waits for a
 * reader.  While one who is attached reads too slowly the program waits, as at any terminal.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "cli/daemon.h"
#include "cli/units.h"

enum {
    SHOWN_bytes = 64 << 10,
    TYPED_bytes = 64 << 10, /* that the program has not read */
    CHUNK_bytes = 16 << 10,
    PAUSE_ms = 20,
    GATHER_ms = 2, /* so that many short lines come together; nobody sees it */
};

struct terminal {
    struct enclave *enclave;
    int master, log;
    int slave; /* to look at what the program leaves unread */
    struct watch *watch;
    struct timer *pause; /* nothing is read before it is over */
    char typed[TYPED_bytes];
    size_t typed_length;
    char shown[SHOWN_bytes];
    size_t shown_length;
};

static void update(struct terminal *terminal)
{
    int events = (terminal->pause ? 0 : UV_READABLE) | (terminal->typed_length ? UV_WRITABLE : 0);

    if (terminal->watch)
        watch_change(terminal->watch, events);
}

static void on_pause_over(void *owner)
{
    struct terminal *terminal = owner;

    timer_stop(&terminal->pause);
    update(terminal);
}

/* ---- what the program writes ---- */

static void remember(struct terminal *terminal, const char *bytes, size_t length)
{
    size_t room;

    if (length > SHOWN_bytes) {
        bytes += length - SHOWN_bytes;
        length = SHOWN_bytes;
    }
    room = SHOWN_bytes - terminal->shown_length;
    if (length > room) {
        memmove(terminal->shown, terminal->shown + length - room,
                terminal->shown_length - (length - room));
        terminal->shown_length -= length - room;
    }
    memcpy(terminal->shown + terminal->shown_length, bytes, length);
    terminal->shown_length += length;
}

/* A terminal adds a carriage return to each newline; in the log it means nothing. */
static void write_log(const struct terminal *terminal, const char *bytes, size_t length)
{
    char text[CHUNK_bytes];
    size_t count = 0;

    for (size_t i = 0; i < length; i++)
        if (bytes[i] != '\r' || i + 1 == length || bytes[i + 1] != '\n')
            text[count++] = bytes[i];
    if (terminal->log >= 0)
        (void)!write(terminal->log, text, count);
}

/* False: nothing more for now, or for ever. */
static bool show_some(struct terminal *terminal)
{
    char bytes[CHUNK_bytes];
    ssize_t got = read(terminal->master, bytes, sizeof(bytes));
    bool keep_up;

    if (got <= 0)
        return false;
    remember(terminal, bytes, (size_t)got);
    write_log(terminal, bytes, (size_t)got);
    keep_up =
        requesters_show(terminal->enclave, json_pack("{s:s, s:o}", "event", "output", "data",
                                                     units_any_bytes_to_json(bytes, (size_t)got)));
    if (!terminal->pause)
        terminal->pause = timer_start(&terminal->enclave->daemon->loop,
                                      keep_up ? GATHER_ms : PAUSE_ms, on_pause_over, terminal);
    return true;
}

json_t *terminal_shown(const struct terminal *terminal)
{
    const char *begin = terminal->shown, *line;
    size_t length = terminal->shown_length;

    if (length == SHOWN_bytes && (line = memchr(begin, '\n', length)) != NULL) {
        length -= (size_t)(line + 1 - begin);
        begin = line + 1;
    }
    return units_any_bytes_to_json(begin, length);
}

/* ---- what people type ---- */

static void pass_typed(struct terminal *terminal)
{
    ssize_t put = write(terminal->master, terminal->typed, terminal->typed_length);

    if (put <= 0)
        return;
    terminal->typed_length -= (size_t)put;
    memmove(terminal->typed, terminal->typed + put, terminal->typed_length);
}

void terminal_type(struct terminal *terminal, const char *bytes, size_t length)
{
    if (length > TYPED_bytes - terminal->typed_length)
        length = TYPED_bytes - terminal->typed_length; /* as a keyboard whose buffer is full */
    memcpy(terminal->typed + terminal->typed_length, bytes, length);
    terminal->typed_length += length;
    pass_typed(terminal);
    update(terminal);
}

void terminal_resize(struct terminal *terminal, unsigned rows, unsigned columns)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};

    if (rows && columns && rows <= UINT16_MAX && columns <= UINT16_MAX)
        ioctl(terminal->master, TIOCSWINSZ, &size); /* the kernel tells the program: SIGWINCH */
}

/* ---- its life ---- */

static void on_master(void *owner, int events)
{
    struct terminal *terminal = owner;

    if (events & UV_WRITABLE)
        pass_typed(terminal);
    if (events & UV_READABLE)
        show_some(terminal);
    update(terminal);
}

void terminal_open(struct enclave *enclave, int fd_of_host)
{
    struct terminal *terminal;
    int master = -1;

    if (enclave->terminal || fd_of_host < 0)
        return;
    if (enclave->pidfd >= 0)
        master = (int)syscall(SYS_pidfd_getfd, enclave->pidfd, fd_of_host, 0);
    if (master < 0) {
        daemon_log(enclave->daemon, OM_LOG_WARN, "%s: its terminal cannot be served: %s",
                   enclave->name, strerror(errno));
        return;
    }
    fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
    fcntl(master, F_SETFD, FD_CLOEXEC);
    terminal = calloc(1, sizeof(*terminal));
    if (!terminal)
        abort();
    terminal->enclave = enclave;
    terminal->master = master;
    terminal->slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    terminal->log =
        enclave->log_path ? open(enclave->log_path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
    enclave->terminal = terminal;
    terminal->watch = watch_start(&enclave->daemon->loop, master, UV_READABLE, on_master, terminal);
}

/* Since the program was stopped for its move.  What has not been passed on follows it. */
static void take_unread(struct terminal *terminal)
{
    char unread[TYPED_bytes];
    struct termios modes;
    ssize_t got = 0;

    if (terminal->slave >= 0 && tcgetattr(terminal->slave, &modes) == 0) {
        modes.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        modes.c_cc[VMIN] = modes.c_cc[VTIME] = 0;
        tcsetattr(terminal->slave, TCSANOW, &modes);
        got = read(terminal->slave, unread, sizeof(unread) - terminal->typed_length);
    }
    if (got <= 0)
        return;
    memmove(terminal->typed + got, terminal->typed, terminal->typed_length);
    memcpy(terminal->typed, unread, (size_t)got);
    terminal->typed_length += (size_t)got;
}

json_t *terminal_unread(const struct terminal *terminal)
{
    return units_any_bytes_to_json(terminal->typed, terminal->typed_length);
}

void terminal_end(struct terminal *terminal)
{
    if (!terminal || terminal->master < 0)
        return;
    while (show_some(terminal))
        ;
    take_unread(terminal);
    timer_stop(&terminal->pause);
    watch_stop(&terminal->watch);
    close(terminal->master);
    if (terminal->slave >= 0)
        close(terminal->slave);
    if (terminal->log >= 0)
        close(terminal->log);
    terminal->master = terminal->slave = terminal->log = -1;
}

void terminal_free(struct terminal **terminal)
{
    terminal_end(*terminal);
    free(*terminal);
    *terminal = NULL;
}
