/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal that the program was started on.  The destination's host makes a new one
 * (host/terminal.c), which gets the modes and the size of the old one, and what was typed there and
 * nobody has read, half a line too.  A program has one terminal: the first of its descriptors that
 * is one.
 *
 * Who types attaches to the daemon (cli/daemon_terminal.c), here or there.
 */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <linux/fcntl.h>

#include "enclave/fd_internal.h"

enum { STANDARD_LAST = 2, LINK_bytes = 32 };

static int32_t g_captured_fd; /* at the source */

static struct fd_terminal *terminal(void)
{
    return &fd_state()->terminal;
}

static long control(long fd, uint64_t request, const void *argument)
{
    return fd_kernel(__NR_ioctl, (uint64_t)fd, request, fd_address_of(argument), 0);
}

bool fd_is_terminal(int32_t fd)
{
    struct termios modes;

    return control(fd, TCGETS, &modes) == 0;
}

/* As its reader would find them, but whole at once, unseen and with no meaning: as bytes. */
static struct termios as_bytes(const struct termios *modes)
{
    struct termios bytes = *modes;

    bytes.c_iflag = 0;
    bytes.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ECHONL | ISIG | IEXTEN);
    bytes.c_cc[VMIN] = 0;
    bytes.c_cc[VTIME] = 0;
    return bytes;
}

/* ---- the stop ---- */

void fd_terminal_begin(void)
{
    terminal()->captured = false;
    terminal()->unread = 0;
}

/* Half a line can only be read while the terminal does not work by lines. */
static void read_input(long fd, struct fd_terminal *out)
{
    int waiting = 0;
    long got;

    if (control(fd, FIONREAD, &waiting) != 0 || waiting <= 0)
        return;
    got = fd_kernel(__NR_read, (uint64_t)fd, fd_address_of(out->input + out->unread),
                    OM_MIN((uint64_t)waiting, sizeof(out->input) - out->unread), 0);
    out->unread += got > 0 ? (uint32_t)got : 0;
}

/* What is typed from now on waits there as bytes: the daemon finds it when the program has moved,
 * and whoever typed it types it at the destination. */
void fd_terminal_capture(const struct open_file *file)
{
    struct fd_terminal *out = terminal();
    struct termios bytes;

    if (!file->stdio.terminal || out->captured || control(file->fd, TCGETS, &out->modes) != 0)
        return;
    out->captured = true;
    g_captured_fd = file->fd;
    control(file->fd, TIOCGWINSZ, &out->size);
    if ((file->flags & O_ACCMODE) == O_WRONLY)
        return;
    bytes = as_bytes(&out->modes);
    if (control(file->fd, TCSETS, &bytes) == 0)
        read_input(file->fd, out);
}

/* ---- there, or here again ---- */

/* As if it were typed: the kernel lets root do it, whatever dev.tty.legacy_tiocsti says. */
static void type_again(long fd)
{
    const struct fd_terminal *from = terminal();
    struct termios bytes = as_bytes(&from->modes);
    long error = 0;

    /* By lines, if it was: what is not a whole line yet can still be edited. */
    bytes.c_lflag |= from->modes.c_lflag & ICANON;
    if (!from->unread || control(fd, TCSETS, &bytes) != 0)
        return;
    for (uint32_t i = 0; i < OM_MIN(from->unread, (uint32_t)FD_TERMINAL_bytes) && !error; i++)
        error = control(fd, TIOCSTI, &from->input[i]);
    if (error)
        log_warn("the terminal: what was typed and not read is lost (error %ld)", -error);
}

void fd_terminal_uncapture(void)
{
    if (!terminal()->captured)
        return;
    read_input(g_captured_fd, terminal()); /* typed meanwhile */
    type_again(g_captured_fd);
    control(g_captured_fd, TCSETS, &terminal()->modes);
    terminal()->captured = false;
}

static long restore(void)
{
    struct fd_terminal *from = terminal();
    long fd = g_host.terminal();

    if (fd < (long)fd_numbers_end() || !fd_is_terminal((int32_t)fd)) {
        log_warn("no terminal can be made here (error %ld): input is at its end, output is in the "
                 "log",
                 -fd);
        return -ENOTTY;
    }
    if (from->captured) {
        type_again(fd);
        control(fd, TCSETS, &from->modes);
        control(fd, TIOCSWINSZ, &from->size);
        from->captured = false;
    }
    return fd;
}

/* One open file for input and output, as it was; one that the program has opened by its name is
 * another. */
long fd_terminal_open(const struct open_file *file)
{
    char name[LINK_bytes];
    long terminal_fd = restore(), fd;

    if (terminal_fd < 0)
        return terminal_fd;
    if (file->stdio.number >= 0 && file->stdio.number <= STANDARD_LAST) {
        fd = fd_control(terminal_fd, F_DUPFD, 0);
        fd_control(fd, F_SETFL, O_RDWR | (file->flags & O_NONBLOCK));
        return fd;
    }
    str_format(name, sizeof(name), "/proc/self/fd/%d", (int)terminal_fd);
    return fd_kernel(__NR_open, fd_address_of(name), (file->flags & ~FD_ONCE_FLAGS) | O_NOCTTY, 0,
                     0);
}
