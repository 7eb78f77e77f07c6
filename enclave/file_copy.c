/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See file_copy.h.  What is remembered belongs to this host's instance of the runtime and does not
 * move: at the destination there is nothing to reuse at first.
 *
 * Lock order: before mm_state.lock.
 */
#include "enclave/file_copy.h"

#include <linux/mman.h>

#include "enclave/mm.h"

static struct {
    struct lock lock;
    uint64_t start, end; /* equal: nothing */
    uint64_t offset;
    uint32_t area_flags;
    struct stat file;
} g_copy;

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtime == b->st_mtime && a->st_mtime_nsec == b->st_mtime_nsec &&
           a->st_ctime == b->st_ctime && a->st_ctime_nsec == b->st_ctime_nsec;
}

static bool contains(const struct file_copy *wanted)
{
    return wanted->start >= g_copy.start && wanted->start < g_copy.end &&
           wanted->length <= g_copy.end - wanted->start &&
           wanted->offset == g_copy.offset + (wanted->start - g_copy.start) &&
           wanted->area_flags == g_copy.area_flags && is_same_file(wanted->file, &g_copy.file);
}

void file_copy_note(const struct file_copy *copy)
{
    lock_take(&g_copy.lock);
    g_copy.start = copy->start;
    g_copy.end = OM_ALIGN_UP(copy->start + copy->length, OM_PAGE_SIZE);
    g_copy.offset = copy->offset;
    g_copy.area_flags = copy->area_flags;
    g_copy.file = *copy->file;
    lock_release(&g_copy.lock);
}

static void keep_behind(uint64_t start)
{
    g_copy.offset += start - g_copy.start;
    g_copy.start = start;
}

long file_copy_reuse(const struct file_copy *wanted)
{
    long result = 0;

    lock_take(&g_copy.lock);
    if (contains(wanted)) {
        result = mm_protect(wanted->start, wanted->length, wanted->prot);
        if (wanted->prot & PROT_WRITE) /* what follows in memory is behind it in the file as well */
            g_copy.end = wanted->start;
        else if (wanted->prot & PROT_EXEC) /* code is patched (fast_calls.h) */
            keep_behind(OM_ALIGN_UP(wanted->start + wanted->length, OM_PAGE_SIZE));
        if (result == 0)
            result = 1;
    }
    lock_release(&g_copy.lock);
    return result;
}

void file_copy_forget(uint64_t start, uint64_t length)
{
    lock_take(&g_copy.lock);
    if (start < g_copy.end && (length > g_copy.end || start + length > g_copy.start))
        g_copy.start = g_copy.end = 0;
    lock_release(&g_copy.lock);
}
