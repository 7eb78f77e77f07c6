/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal of a program (optmig run -t): a pseudo-terminal, made where the program starts and
 * again where it arrives.  The program has the slave; the daemon takes the master out of this
 * process (pidfd_getfd) and serves whoever attaches.  Both stay open here, so that the terminal
 * lives as long as the process, whatever the program closes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "host/host.h"
#include "host/terminal.h"

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
