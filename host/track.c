/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding pages by the page tables.  Written pages: userfaultfd write protection in asynchronous
 * mode (the kernel itself lifts the protection at the first write and remembers it) and the
 * PAGEMAP_SCAN ioctl, which reports such pages and protects them again in one step.  Present pages:
 * PAGEMAP_SCAN, or /proc/self/pagemap where the kernel is older than 6.7.
 */
#include "host/track.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/host.h"
#include "host/kernel_abi.h"
#include "host/uffd.h"

enum { PAGEMAP_CHUNK = 4096 };

static struct {
    int uffd;    /* kept for the life of the process; -1: not open */
    int pagemap; /* /proc/self/pagemap */
    int memory;  /* /proc/self/mem */
    int begun;
    int no_scan; /* the kernel has no PAGEMAP_SCAN */
} g_track = {-1, -1, -1, 0, 0};

_Static_assert(sizeof(struct om_region) == sizeof(struct page_region) &&
                   offsetof(struct om_region, flags) == offsetof(struct page_region, categories),
               "a region of the boundary is filled by the kernel in place");

static int open_kept(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? -errno : host_fd_keep(fd);
}

static long prepare(void)
{
    if (g_track.pagemap < 0)
        g_track.pagemap = open_kept("/proc/self/pagemap");
    if (g_track.memory < 0)
        g_track.memory = open_kept("/proc/self/mem");
    return g_track.pagemap < 0 ? g_track.pagemap : 0;
}

void track_prepare(void)
{
    (void)prepare();
    if (g_track.uffd < 0)
        g_track.uffd = uffd_open(UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED, 0);
}

long host_track_begin(void)
{
    long error;

    track_prepare();
    if (g_track.uffd < 0)
        return g_track.uffd;
    g_track.begun = 1;
    error = uffd_register(g_track.uffd, PROGRAM_BASE, PROGRAM_END, UFFDIO_REGISTER_MODE_WP);
    if (!error)
        error = uffd_register(g_track.uffd, TABLES_BASE, TABLES_BASE + TABLES_SIZE,
                              UFFDIO_REGISTER_MODE_WP);
    if (error)
        host_track_end();
    return error;
}

/* Without PAGEMAP_SCAN: present pages from /proc/self/pagemap, one word a page. */
static long scan_pagemap(const struct om_scan *scan, struct om_region *out, uint32_t capacity,
                         uint64_t *out_walk_end)
{
    const uint64_t present = 3ULL << 62; /* present or swapped */
    uint64_t entries[PAGEMAP_CHUNK], at = scan->start;
    uint32_t count = 0;

    while (at < scan->end) {
        uint64_t wanted = (scan->end - at) / OM_PAGE_SIZE;
        ssize_t got;

        if (wanted > PAGEMAP_CHUNK)
            wanted = PAGEMAP_CHUNK;
        got = pread(g_track.pagemap, entries, wanted * 8, (off_t)(at / OM_PAGE_SIZE * 8));
        if (got < 8)
            return got < 0 ? -errno : -EIO;
        for (ssize_t i = 0; i < got / 8; i++, at += OM_PAGE_SIZE) {
            if (!(entries[i] & present))
                continue;
            if (count && out[count - 1].end == at) {
                out[count - 1].end += OM_PAGE_SIZE;
                continue;
            }
            if (count == capacity) {
                *out_walk_end = at;
                return count;
            }
            out[count++] = (struct om_region){at, at + OM_PAGE_SIZE, 0};
        }
    }
    *out_walk_end = at;
    return count;
}

long host_track_scan(const struct om_scan *scan, struct om_region *out_regions, uint32_t capacity,
                     uint64_t *out_walk_end)
{
    struct pm_scan_arg arg = {
        .size = sizeof(arg),
        .flags = scan->protect ? PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC : 0,
        .start = scan->start,
        .end = scan->end,
        .vec = (uint64_t)out_regions,
        .vec_len = capacity,
        /* The shared zero page is as good as no page: a write replaces it by an unprotected one. */
        .category_inverted = PAGE_IS_PFNZERO,
        .category_mask = PAGE_IS_PFNZERO | (scan->written_only ? PAGE_IS_WRITTEN : 0u),
        .category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
        .return_mask = PAGE_IS_PRESENT | PAGE_IS_HUGE,
    };
    long count = prepare();

    if (count)
        return count;
    if (g_track.no_scan)
        return scan->written_only || scan->protect
                   ? -ENOSYS
                   : scan_pagemap(scan, out_regions, capacity, out_walk_end);
    do
        count = ioctl(g_track.pagemap, PAGEMAP_SCAN, &arg);
    while (count < 0 && errno == EINTR);
    if (count < 0 && errno == ENOTTY) {
        g_track.no_scan = 1;
        return host_track_scan(scan, out_regions, capacity, out_walk_end);
    }
    if (count < 0)
        return -errno;
    for (long i = 0; i < count; i++)
        out_regions[i].flags = out_regions[i].flags & PAGE_IS_HUGE ? OM_REGION_HUGE : 0;
    /* The kernel gathers 512 regions at a time, and when it comes to the end after more than that,
     * its walk_end is where the last full gathering ended.  It stops early only when ours are used
     * up; and if they are used up just at the end, the last region tells how far it came. */
    *out_walk_end = count < (long)capacity ? scan->end : arg.walk_end;
    if (count == (long)capacity && count > 0 && *out_walk_end < out_regions[count - 1].end)
        *out_walk_end = out_regions[count - 1].end;
    return count;
}

long host_track_keep(uint64_t start, uint64_t end)
{
    /* Takes the write protection off; what is not protected is written. */
    struct uffdio_writeprotect keep = {.range = {start, end - start}, .mode = 0};
    long error;

    do
        error = ioctl(g_track.uffd, UFFDIO_WRITEPROTECT, &keep) ? -errno : 0;
    while (error == -EAGAIN);
    return error;
}

void host_track_end(void)
{
    if (!g_track.begun)
        return;
    uffd_unregister(g_track.uffd, PROGRAM_BASE, PROGRAM_END);
    uffd_unregister(g_track.uffd, TABLES_BASE, TABLES_BASE + TABLES_SIZE);
    g_track.begun = 0;
}

long host_memory_read(uint64_t from, void *to, size_t length)
{
    size_t done = 0;
    long error = prepare();

    if (error || g_track.memory < 0)
        return error ? error : g_track.memory;
    while (done < length) {
        ssize_t got = pread(g_track.memory, (char *)to + done, length - done, (off_t)(from + done));

        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        done += (size_t)got;
    }
    return 0;
}
