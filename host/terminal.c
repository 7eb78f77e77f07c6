/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal of a program (optmig run -t): a pseudo-terminal, made where the program starts and
 * again where it arrives.  The program has the slave; the daemon takes the master out of this
 * process (pidfd_getfd) and serves whoever attaches.  Both stay open here, so that the terminal
 * lives as long as the process, whatever the program closes.
 *
 * A program that was started on the user's own terminal leaves it to him as it was found.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "host/host.h"
#include "host/terminal.h"

static int g_found = -1; /* the user's terminal */
static struct termios g_found_modes;

void host_terminal_find(void)
{
    int fd = STDIN_FILENO;

    while (fd <= STDERR_FILENO && tcgetattr(fd, &g_found_modes))
        fd++;
    if (fd > STDERR_FILENO)
        return;
    fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (fd >= 0)
        g_found = host_fd_keep(fd);
}

/* In the background it is another job's.  It may go there this very moment: then SIGTTOU must not
 * stop this process, which is about to end. */
void host_terminal_leave(void)
{
    pid_t group = g_found < 0 ? -1 : tcgetpgrp(g_found); /* -1: no job control on it */
    sigset_t set;

    if (g_found < 0 || (group >= 0 && group != getpgrp()))
        return;
    sigemptyset(&set);
    sigaddset(&set, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    tcsetattr(g_found, TCSANOW, &g_found_modes);
}

static int make(void)
{
    int slave, master = host_fd_keep(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));

    if (master < 0)
        return -errno;
    if (unlockpt(master))
        return -errno;
    slave = host_fd_keep(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (slave < 0)
        return -errno;
    /* Fails if this process leads no session, or has a terminal already: then keys that make
     * signals make none. */
    (void)!ioctl(slave, TIOCSCTTY, 0);
    control_terminal(master);
    return slave;
}

long host_terminal(void)
{
    static int slave = -1;

    if (slave < 0)
        slave = make();
    return slave;
}
