/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a userfaultfd by whichever of the kernel's doors is open to this process. */
#include "host/uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/host.h"
#include "host/kernel_abi.h"

static int open_device(void)
{
    int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    int fd = -1;

    if (device < 0)
        return -1;
    fd = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
    close(device);
    return fd;
}

int uffd_open(uint64_t features, int kernel_faults)
{
    struct uffdio_api api = {.api = UFFD_API, .features = features};
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK), error;

    if (fd < 0 && errno == EPERM)
        fd = open_device();
    if (fd < 0 && !kernel_faults)
        fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    if (fd < 0)
        return errno == EACCES ? -EPERM : -errno;
    if (ioctl(fd, UFFDIO_API, &api)) {
        error = -errno;
        close(fd);
        return error;
    }
    fd = host_fd_keep(fd);
    return fd < 0 ? -errno : fd;
}

long uffd_register(int uffd, uint64_t start, uint64_t end, uint64_t mode)
{
    struct uffdio_register range = {.range = {start, end - start}, .mode = mode};

    return ioctl(uffd, UFFDIO_REGISTER, &range) ? -errno : 0;
}

void uffd_unregister(int uffd, uint64_t start, uint64_t end)
{
    struct uffdio_range range = {start, end - start};

    (void)ioctl(uffd, UFFDIO_UNREGISTER, &range);
}
