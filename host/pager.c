/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serving missing pages by userfaultfd.  The descriptor is opened once and never closed: closing it
 * while pages are still missing would let the kernel fill them with zeros.  pager_end takes the
 * registration back, which wakes whoever still waits for a page.
 */
#include "host/pager.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/host.h"
#include "host/kernel_abi.h"
#include "host/uffd.h"

enum { RANGES_MAX = 64, MESSAGES_MAX = 64 };

static struct {
    int uffd;
    int wake; /* eventfd: pager_end was called */
    volatile int open;
    unsigned count;
    struct {
        uint64_t start, end;
    } ranges[RANGES_MAX];
} g_pager = {.uffd = -1, .wake = -1};

void pager_prepare(void)
{
    if (g_pager.wake < 0) {
        g_pager.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (g_pager.wake >= 0)
            g_pager.wake = host_fd_keep(g_pager.wake);
    }
    if (g_pager.uffd < 0)
        g_pager.uffd = uffd_open(0, 1);
}

long host_pager_begin(uint64_t start, uint64_t end)
{
    uint64_t old;
    long error;

    pager_prepare();
    if (g_pager.uffd < 0)
        return g_pager.uffd;
    if (g_pager.wake < 0)
        return -EMFILE;
    if (g_pager.count == RANGES_MAX)
        return -ENOSPC;
    error = uffd_register(g_pager.uffd, start, end, UFFDIO_REGISTER_MODE_MISSING);
    if (error)
        return error;
    if (g_pager.count == 0)
        (void)!read(g_pager.wake, &old, sizeof(old)); /* of an earlier move */
    g_pager.ranges[g_pager.count].start = start;
    g_pager.ranges[g_pager.count++].end = end;
    __atomic_store_n(&g_pager.open, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static long read_faults(uint64_t *out_addresses, uint32_t capacity)
{
    struct uffd_msg messages[MESSAGES_MAX];
    ssize_t got;
    long count = 0;

    if (capacity > MESSAGES_MAX)
        capacity = MESSAGES_MAX;
    got = read(g_pager.uffd, messages, capacity * sizeof(messages[0]));
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    for (size_t i = 0; i < (size_t)got / sizeof(messages[0]); i++)
        if (messages[i].event == UFFD_EVENT_PAGEFAULT)
            out_addresses[count++] = messages[i].arg.pagefault.address & ~(OM_PAGE_SIZE - 1);
    return count;
}

long host_pager_wait(uint64_t *out_addresses, uint32_t capacity, int timeout_ms)
{
    struct pollfd fds[2] = {{g_pager.uffd, POLLIN, 0}, {g_pager.wake, POLLIN, 0}};
    int ready;

    if (!__atomic_load_n(&g_pager.open, __ATOMIC_SEQ_CST))
        return -ESHUTDOWN;
    ready = poll(fds, 2, timeout_ms);
    if (ready < 0)
        return errno == EINTR ? 0 : -errno;
    if (fds[0].revents & POLLIN)
        return read_faults(out_addresses, capacity);
    return fds[1].revents ? -ESHUTDOWN : 0;
}

/* Several threads may hold a fault's page at one time, so EEXIST is left to the caller. */
long host_pager_copy(uint64_t to, const void *from, size_t length)
{
    struct uffdio_copy copy = {.dst = to, .src = (uint64_t)from, .len = length};
    size_t done = 0;

    while (done < length) {
        copy.dst = to + done;
        copy.src = (uint64_t)from + done;
        copy.len = length - done;
        copy.copy = 0;
        if (ioctl(g_pager.uffd, UFFDIO_COPY, &copy) == 0)
            return (long)length;
        if (copy.copy > 0)
            done += (size_t)copy.copy;
        else if (errno != EAGAIN)
            return done ? (long)done : -errno;
    }
    return (long)done;
}

long host_pager_zero(uint64_t to, size_t length)
{
    struct uffdio_zeropage zero = {.range = {to, length}};

    do {
        zero.zeropage = 0;
        if (ioctl(g_pager.uffd, UFFDIO_ZEROPAGE, &zero) == 0)
            return (long)length;
    } while (errno == EAGAIN && zero.zeropage <= 0);
    return zero.zeropage > 0 ? (long)zero.zeropage : -errno;
}

long host_pager_wake(uint64_t to, size_t length)
{
    struct uffdio_range range = {to, length};

    return ioctl(g_pager.uffd, UFFDIO_WAKE, &range) ? -errno : 0;
}

void host_pager_end(void)
{
    uint64_t one = 1;

    if (!__atomic_load_n(&g_pager.open, __ATOMIC_SEQ_CST))
        return;
    for (unsigned i = 0; i < g_pager.count; i++) {
        uint64_t start = g_pager.ranges[i].start, end = g_pager.ranges[i].end;

        uffd_unregister(g_pager.uffd, start, end);
        /* Linux wakes who waits before it takes the registration away, with no lock that a fault
         * needs: one that comes right in between would wait for ever. */
        (void)host_pager_wake(start, end - start);
    }
    g_pager.count = 0;
    __atomic_store_n(&g_pager.open, 0, __ATOMIC_SEQ_CST);
    (void)!write(g_pager.wake, &one, sizeof(one));
}
