/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel interfaces that are younger than Debian 12's headers (6.1): PAGEMAP_SCAN and asynchronous
 * write protection by userfaultfd (both Linux 6.7), as in include/uapi/linux/{fs,userfaultfd}.h.
 */
#pragma once

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/userfaultfd.h>

#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

#ifndef PAGEMAP_SCAN
enum {
    PAGE_IS_WPALLOWED = 1 << 0,
    PAGE_IS_WRITTEN = 1 << 1,
    PAGE_IS_FILE = 1 << 2,
    PAGE_IS_PRESENT = 1 << 3,
    PAGE_IS_SWAPPED = 1 << 4,
    PAGE_IS_PFNZERO = 1 << 5,
    PAGE_IS_HUGE = 1 << 6,
};

enum {
    PM_SCAN_WP_MATCHING = 1 << 0,
    PM_SCAN_CHECK_WPASYNC = 1 << 1,
};

struct page_region {
    __u64 start, end, categories;
};

struct pm_scan_arg {
    __u64 size;
    __u64 flags;
    __u64 start, end;
    __u64 walk_end;
    __u64 vec, vec_len;
    __u64 max_pages;
    __u64 category_inverted;
    __u64 category_mask;
    __u64 category_anyof_mask;
    __u64 return_mask;
};

#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
#endif
