/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's memory calls, on top of mm.c.  A file mapping is a private copy of the file's
 * bytes, read when it is made: what other processes write to the file later is not seen (what the
 * program itself writes is: shared_files.h), and memory past the end of the file is zero instead of
 * a SIGBUS.  Shared writable mappings of files are refused.
 *
 * While a file is read into new memory the map says that the memory is writable, so that whoever
 * collects written pages looks at it; the protection that was asked for comes afterwards.
 */
#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/stat.h>

#include "enclave/fast_calls.h"
#include "enclave/file_copy.h"
#include "enclave/guard.h"
#include "enclave/tables.h"

enum {
    PATH_MAX_bytes = 1024, /* of the names in the map; longer ones are cut */
    READ_CHUNK_bytes = 64 << 20,
    PROT_ALL = PROT_READ | PROT_WRITE | PROT_EXEC,
    DEV_ZERO = 1 << 8 | 5,
    MINCORE_CHUNK_pages = 2048,
};

/* Newer than some distributions' headers. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define ROOM_32BIT_LOW 0x40000000ULL
#define ROOM_32BIT_HIGH 0x80000000ULL

/* ---- Contents ---- */

/* Gets the pages in one go, which is cheaper than a fault for each. Only ever an optimisation. */
static void populate(uint64_t start, uint64_t length, uint32_t prot)
{
    int advice = (prot & PROT_WRITE) ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;

    if (prot & (PROT_READ | PROT_WRITE))
        (void)host_syscall(__NR_madvise, start, OM_ALIGN_UP(length, OM_PAGE_SIZE), (uint64_t)advice,
                           0, 0, 0);
}

long mm_read_file(uint64_t start, uint64_t length, int fd, uint64_t offset)
{
    struct stat status;
    uint64_t done = 0;

    if (host_syscall(__NR_fstat, (uint64_t)fd, (uint64_t)&status, 0, 0, 0, 0))
        return -EBADF;
    if (offset >= (uint64_t)status.st_size)
        return 0;
    length = OM_MIN(length, (uint64_t)status.st_size - offset);
    while (done < length) {
        uint64_t part = OM_MIN(length - done, (uint64_t)READ_CHUNK_bytes);
        long got;

        if (done % READ_CHUNK_bytes == 0)
            populate(start + done, part, PROT_WRITE);
        got = host_syscall(__NR_pread64, (uint64_t)fd, start + done, part, offset + done, 0, 0);
        if (got == -EINTR)
            continue;
        if (got < 0)
            return got;
        if (got == 0) /* The file has become shorter. */
            break;
        done += (uint64_t)got;
    }
    return 0;
}

/* ---- mmap ---- */

struct mapping {
    uint64_t address, length, offset;
    uint32_t prot, flags;
    int fd; /* -1: anonymous */
    uint32_t kind, area_flags;
    struct stat file;
    char name[PATH_MAX_bytes];
};

static bool is_shared(const struct mapping *mapping)
{
    return (mapping->flags & MAP_TYPE) != MAP_PRIVATE;
}

static void read_name(struct mapping *mapping)
{
    char link[32];
    long length;

    str_format(link, sizeof(link), "/proc/self/fd/%d", mapping->fd);
    length = host_syscall(__NR_readlink, (uint64_t)link, (uint64_t)mapping->name,
                          sizeof(mapping->name) - 1, 0, 0, 0);
    mapping->name[length > 0 ? length : 0] = 0;
}

static long check_shared(const struct mapping *mapping, long open_flags)
{
    if (!is_shared(mapping) || !(mapping->prot & PROT_WRITE))
        return 0;
    if ((open_flags & O_ACCMODE) != O_RDWR)
        return -EACCES;
    log_warn("mmap: shared writable mapping of %s is not supported", mapping->name);
    return -ENODEV;
}

/* What the descriptor is, and whether it may be mapped so. */
static long check_file(struct mapping *mapping)
{
    uint64_t fd = (uint32_t)mapping->fd;
    struct stat *file = &mapping->file;
    long open_flags;

    if (fd >= g_facts.host_fd_base)
        return -EBADF;
    open_flags = host_syscall(__NR_fcntl, fd, F_GETFL, 0, 0, 0, 0);
    if (open_flags < 0 || (open_flags & O_PATH))
        return -EBADF;
    if (host_syscall(__NR_fstat, fd, (uint64_t)file, 0, 0, 0, 0))
        return -EBADF;
    if ((open_flags & O_ACCMODE) == O_WRONLY)
        return -EACCES;
    if (S_ISCHR(file->st_mode) && file->st_rdev == DEV_ZERO) {
        mapping->fd = -1; /* As good as anonymous. */
        return 0;
    }
    read_name(mapping);
    if (!S_ISREG(file->st_mode)) {
        log_warn("mmap: mapping of %s is not supported: not a regular file", mapping->name);
        return -ENODEV;
    }
    mapping->kind = AREA_FILE;
    return check_shared(mapping, open_flags);
}

static long check_mapping(struct mapping *mapping)
{
    uint32_t type = mapping->flags & MAP_TYPE;

    if (mapping->offset % OM_PAGE_SIZE || mapping->length == 0)
        return -EINVAL;
    if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE)
        return -EINVAL;
    if (type == MAP_SHARED_VALIDATE && (mapping->flags & MAP_SYNC))
        return -EOPNOTSUPP;
    if (mapping->length > PROGRAM_END || mapping->offset + mapping->length < mapping->offset)
        return -ENOMEM;
    if (mapping->flags & MAP_HUGETLB)
        return -ENOMEM; /* None are reserved: programs then go without. */
    mapping->area_flags = is_shared(mapping) ? AREA_SHARED : 0;
    if (mapping->flags & MAP_ANONYMOUS) {
        mapping->fd = -1;
        return 0;
    }
    return check_file(mapping);
}

static long place_fixed(const struct mapping *m, uint32_t prot)
{
    long error;

    if (m->address % OM_PAGE_SIZE)
        return -EINVAL;
    if (m->address < PROGRAM_BASE)
        return -EPERM; /* as below vm.mmap_min_addr */
    if (m->flags & MAP_FIXED_NOREPLACE)
        error = mm_map_vacant(m->address, m->length, prot, m->kind, m->area_flags, m->name);
    else
        error = mm_map_fixed(m->address, m->length, prot, m->kind, m->area_flags, m->name);
    return error ? error : (long)m->address;
}

static long place(const struct mapping *m, uint32_t prot)
{
    struct mm_room room = {PROGRAM_BASE, g_tables->mm.map_top, OM_PAGE_SIZE};
    uint64_t hint = OM_ALIGN_DOWN(m->address, OM_PAGE_SIZE);

    if (m->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
        return place_fixed(m, prot);
    if (hint && mm_map_vacant(hint, m->length, prot, m->kind, m->area_flags, m->name) == 0)
        return (long)hint;
    if (m->flags & MAP_32BIT) {
        room.low = ROOM_32BIT_LOW;
        room.high = ROOM_32BIT_HIGH;
    } else if (m->length >= OM_HUGE_SIZE && !(m->flags & MAP_STACK)) {
        room.alignment = OM_HUGE_SIZE;
    }
    return mm_map_within(&room, m->length, prot, m->kind, m->area_flags, m->name);
}

static struct file_copy copy_of(const struct mapping *mapping, uint64_t start)
{
    return (struct file_copy){
        .start = start,
        .length = mapping->length,
        .offset = mapping->offset,
        .prot = mapping->prot,
        .area_flags = mapping->area_flags,
        .file = &mapping->file,
    };
}

/* What was known about the contents of memory that goes away. */
static void forget_files(uint64_t start, uint64_t length)
{
    file_copy_forget(start, length);
    shared_files_forget(start, length);
}

/* The memory is mapped writable: reads the file, then sets the protection. */
static long fill(struct call *call, const struct mapping *mapping, uint64_t start)
{
    const struct file_copy copy = copy_of(mapping, start);
    long error;

    guard_open(call->thread, start, mapping->length);
    error = mm_read_file(start, mapping->length, mapping->fd, mapping->offset);
    if (!error && mapping->prot & PROT_EXEC)
        fast_calls_patch(start, mapping->length, mapping->fd, mapping->offset);
    guard_close(call->thread);
    if (!error && mapping->prot != (PROT_READ | PROT_WRITE))
        error = mm_protect(start, mapping->length, mapping->prot);
    if (error)
        (void)mm_unmap(start, mapping->length);
    else if (!(mapping->prot & (PROT_WRITE | PROT_EXEC)))
        file_copy_note(&copy);
    return error;
}

static long note_shared(const struct mapping *mapping, uint64_t start)
{
    long error = is_shared(mapping)
                     ? shared_files_note(start, mapping->length, mapping->offset, &mapping->file)
                     : 0;

    if (error)
        (void)mm_unmap(start, mapping->length);
    return error;
}

/* Code, which is there already, becomes executable: the last moment at which it may be changed. */
static long make_executable(struct call *call, const struct mapping *mapping)
{
    uint64_t start = mapping->address, length = mapping->length;
    long error = mm_protect(start, length, PROT_READ | PROT_WRITE);

    if (error)
        return error;
    guard_open(call->thread, start, length);
    fast_calls_patch(start, length, mapping->fd, mapping->offset);
    guard_close(call->thread);
    return mm_protect(start, length, mapping->prot);
}

/* Over memory that holds just these bytes already.  As file_copy_reuse. */
static long map_again(struct call *call, const struct mapping *mapping)
{
    const struct file_copy wanted = copy_of(mapping, mapping->address);

    if (!(mapping->flags & MAP_FIXED) || mapping->address % OM_PAGE_SIZE)
        return 0;
    if (mapping->fd >= 0 && !(mapping->flags & MAP_FIXED_NOREPLACE)) {
        long result = file_copy_reuse(&wanted), error = 0;

        if (result > 0 && mapping->prot & PROT_EXEC && !is_shared(mapping) && g_tables->fast_calls)
            error = make_executable(call, mapping);
        if (result > 0 && !error)
            error = note_shared(mapping, mapping->address);
        if (result)
            return error ? error : result;
    }
    forget_files(mapping->address, mapping->length);
    return 0;
}

static long map_new(struct call *call, const struct mapping *mapping)
{
    bool anonymous = mapping->fd < 0;
    long address = place(mapping, anonymous ? mapping->prot : PROT_READ | PROT_WRITE);
    long error = 0;

    if (address < 0)
        return address;
    if (!anonymous) {
        error = fill(call, mapping, (uint64_t)address);
        if (!error)
            error = note_shared(mapping, (uint64_t)address);
    } else if (mapping->flags & (MAP_POPULATE | MAP_LOCKED))
        populate((uint64_t)address, mapping->length, mapping->prot);
    return error ? error : address;
}

long sys_mmap(struct call *call)
{
    struct mapping mapping = {
        .address = call->args[0],
        .length = call->args[1],
        .prot = (uint32_t)call->args[2] & PROT_ALL,
        .flags = (uint32_t)call->args[3],
        .fd = (int)call->args[4],
        .offset = call->args[5],
        .kind = AREA_ANONYMOUS,
    };
    long result = check_mapping(&mapping);

    if (result == 0)
        result = map_again(call, &mapping);
    if (result == 0)
        return map_new(call, &mapping);
    return result < 0 ? result : (long)mapping.address;
}

/* A detached thread of musl's unmaps the stack that it runs on, and then ends.  Others may have
 * that memory before it does. */
static void forget_own_stack(struct call *call)
{
    uint64_t start = call->args[0], length = call->args[1];
    uint64_t sp = call->uc ? call->uc->uc_mcontext.rsp : call->thread->fast.rsp; /* fast_calls.h */

    if (sp - start < length && call->thread->stack_top - 1 - start < length)
        call->thread->stack_top = 0;
}

long sys_munmap(struct call *call)
{
    long error;

    forget_files(call->args[0], call->args[1]);
    error = mm_unmap(call->args[0], call->args[1]);
    if (!error)
        forget_own_stack(call);
    return error;
}

long sys_brk(struct call *call)
{
    return (long)mm_brk(call->args[0]);
}

/* ---- mprotect ---- */

long sys_mprotect(struct call *call)
{
    uint64_t start = call->args[0], length = call->args[1];
    uint32_t prot = (uint32_t)call->args[2], extra = prot & ~(uint32_t)(PROT_ALL | PROT_SEM);
    struct area area;

    if (extra == PROT_GROWSDOWN) { /* glibc, when a library wants an executable stack */
        if (!mm_next_area(start, &area) || area.kind != AREA_STACK || area.start > start)
            return -EINVAL;
        length += start - area.start;
        start = area.start;
    } else if (extra) {
        return -EINVAL;
    }
    if (prot & PROT_WRITE)
        file_copy_forget(start, length);
    return mm_protect(start, length, prot & PROT_ALL);
}

/* ---- mremap ---- */

/* Pages are only read where they hold nothing: the new place stays as sparse as the old one was. */
static long copy_pages(uint64_t from, uint64_t to, uint64_t length)
{
    _Alignas(16) uint8_t page[OM_PAGE_SIZE];
    long error = 0;

    for (uint64_t done = 0; done < length && !error; done += sizeof(page)) {
        error = copy_from_program(page, from + done, sizeof(page));
        if (!error && !page_is_zero(page))
            error = copy_to_program(to + done, page, sizeof(page));
        if (!error && (done + sizeof(page)) % OM_HUGE_SIZE == 0) /* so that both need less memory */
            (void)mm_discard(from + done + sizeof(page) - OM_HUGE_SIZE, OM_HUGE_SIZE);
    }
    return error;
}

/* The memory at `from` goes to `to`, which is mapped readable and writable and as large as wanted.
 */
static long move_area(const struct area *area, uint64_t from, uint64_t length, uint64_t to,
                      uint64_t to_length)
{
    long error = 0;

    if (area->flags & AREA_HUGE_ADVISED)
        (void)host_syscall(__NR_madvise, to, to_length, MADV_HUGEPAGE, 0, 0, 0);
    if (!(area->prot & PROT_READ))
        error = mm_protect(from, length, PROT_READ);
    if (!error)
        error = copy_pages(from, to, OM_MIN(length, to_length));
    if (!error && area->prot != (PROT_READ | PROT_WRITE))
        error = mm_protect(to, to_length, area->prot);
    if (error) {
        (void)mm_unmap(to, to_length);
        return error;
    }
    shared_files_moved(from, to, OM_MIN(length, to_length));
    (void)mm_unmap(from, length);
    return (long)to;
}

struct remap {
    uint64_t old_start, old_length, new_length, flags, new_start;
};

static long check_remap(struct remap *remap, struct area *out_area)
{
    uint64_t known = MREMAP_MAYMOVE | MREMAP_FIXED, end;

    if (remap->flags & MREMAP_DONTUNMAP) {
        log_warn("mremap: MREMAP_DONTUNMAP is not supported");
        return -EINVAL;
    }
    if ((remap->flags & ~known) || remap->flags == MREMAP_FIXED ||
        remap->old_start % OM_PAGE_SIZE || remap->new_length == 0 || remap->old_length == 0)
        return -EINVAL;
    if (remap->old_length > PROGRAM_END || remap->new_length > PROGRAM_END)
        return -ENOMEM;
    remap->old_length = OM_ALIGN_UP(remap->old_length, OM_PAGE_SIZE);
    remap->new_length = OM_ALIGN_UP(remap->new_length, OM_PAGE_SIZE);
    end = remap->old_start + remap->old_length;
    if (!mm_next_area(remap->old_start, out_area) || out_area->start > remap->old_start ||
        out_area->end < end || out_area->kind == AREA_CARDS)
        return -EFAULT;
    if (remap->new_length > remap->old_length && out_area->kind == AREA_FILE) {
        /* The descriptor is not known any more, so what follows in the file cannot be read. */
        log_info("mremap: a mapping of %s cannot grow", mm_area_name(out_area));
        return -ENOMEM;
    }
    return 0;
}

static long remap_fixed(const struct remap *remap, const struct area *area)
{
    uint64_t to = remap->new_start, length = OM_MIN(remap->old_length, remap->new_length);
    long error;

    if (to % OM_PAGE_SIZE ||
        (to < remap->old_start + remap->old_length && remap->old_start < to + remap->new_length))
        return -EINVAL;
    forget_files(to, remap->new_length);
    error = mm_map_fixed(to, remap->new_length, PROT_READ | PROT_WRITE, area->kind, area->flags,
                         mm_area_name(area));
    if (error)
        return error;
    if (length < remap->old_length)
        (void)mm_unmap(remap->old_start + length, remap->old_length - length);
    return move_area(area, remap->old_start, length, to, remap->new_length);
}

static long remap_grow(const struct remap *remap, const struct area *area)
{
    uint64_t end = remap->old_start + remap->old_length;
    long to = mm_map_vacant(end, remap->new_length - remap->old_length, area->prot, area->kind,
                            area->flags, mm_area_name(area));

    if (to == 0)
        return (long)remap->old_start;
    if (!(remap->flags & MREMAP_MAYMOVE))
        return -ENOMEM;
    to = mm_map_anywhere(remap->new_length, PROT_READ | PROT_WRITE, area->kind, area->flags,
                         mm_area_name(area));
    if (to < 0)
        return to;
    return move_area(area, remap->old_start, remap->old_length, (uint64_t)to, remap->new_length);
}

long sys_mremap(struct call *call)
{
    struct remap remap = {call->args[0], call->args[1], call->args[2], call->args[3],
                          call->args[4]};
    struct area area;
    long error = check_remap(&remap, &area);

    if (error)
        return error;
    file_copy_forget(remap.old_start, remap.old_length);
    if (remap.flags & MREMAP_FIXED)
        return remap_fixed(&remap, &area);
    if (remap.new_length > remap.old_length)
        return remap_grow(&remap, &area);
    if (remap.new_length < remap.old_length)
        error = mm_unmap(remap.old_start + remap.new_length, remap.old_length - remap.new_length);
    return error ? error : (long)remap.old_start;
}

/* ---- Advice ---- */

/* Memory that the program gives up until it writes to it: giving it back at once is one of the two
 * things that the kernel may do, and it is less to move. */
static long advise_free(uint64_t start, uint64_t length)
{
    struct area area;

    if (mm_next_area(start, &area) && area.start <= start && area.kind == AREA_FILE)
        return -EINVAL;
    return mm_discard(start, length);
}

static long advise_huge(uint64_t start, uint64_t length, int advice)
{
    bool huge = advice == MADV_HUGEPAGE;
    long error;

    if (!mm_is_mapped(start, length, PROT_NONE))
        return -ENOMEM;
    error = host_syscall(__NR_madvise, start, length, (uint64_t)advice, 0, 0, 0);
    if (error)
        return error;
    return mm_set_flags(start, length, huge ? AREA_HUGE_ADVISED : 0, huge ? 0 : AREA_HUGE_ADVISED);
}

static long advise_mapped(uint64_t start, uint64_t length, int advice, bool by_kernel)
{
    if (!mm_is_mapped(start, length, PROT_NONE))
        return -ENOMEM;
    return by_kernel ? host_syscall(__NR_madvise, start, length, (uint64_t)advice, 0, 0, 0) : 0;
}

enum advice_effect {
    ADVICE_UNKNOWN,
    ADVICE_REFUSED,
    ADVICE_IGNORED,
    ADVICE_DISCARD,
    ADVICE_FREE,
    ADVICE_HUGE,
    ADVICE_BY_KERNEL,
};

static enum advice_effect advice_effect(int advice)
{
    switch (advice) {
    case MADV_DONTNEED:
    case MADV_DONTNEED_LOCKED:
        return ADVICE_DISCARD;
    case MADV_FREE:
        return ADVICE_FREE;
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
        return ADVICE_HUGE;
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
    case MADV_COLLAPSE:
        return ADVICE_BY_KERNEL;
    case MADV_NORMAL: /* What follows is about reading ahead, paging out, fork, dumps, merging. */
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_COLD:
    case MADV_PAGEOUT:
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_WIPEONFORK:
    case MADV_KEEPONFORK:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
        return ADVICE_IGNORED;
    case MADV_HWPOISON:
    case MADV_SOFT_OFFLINE:
        return ADVICE_REFUSED;
    default: /* MADV_REMOVE too: there are no shared files. */
        return ADVICE_UNKNOWN;
    }
}

static long advise(uint64_t start, uint64_t length, int advice)
{
    switch (advice_effect(advice)) {
    case ADVICE_DISCARD:
        return mm_discard(start, length);
    case ADVICE_FREE:
        return advise_free(start, length);
    case ADVICE_HUGE:
        return advise_huge(start, length, advice);
    case ADVICE_BY_KERNEL:
        return advise_mapped(start, length, advice, true);
    case ADVICE_IGNORED:
        return advise_mapped(start, length, advice, false);
    case ADVICE_REFUSED:
        return -EPERM;
    case ADVICE_UNKNOWN:
        break;
    }
    return -EINVAL;
}

long sys_madvise(struct call *call)
{
    uint64_t start = call->args[0], length = OM_ALIGN_UP(call->args[1], OM_PAGE_SIZE);
    int advice = (int)call->args[2];

    if (advice_effect(advice) == ADVICE_UNKNOWN || start % OM_PAGE_SIZE || length < call->args[1] ||
        start + length < start)
        return -EINVAL;
    return length ? advise(start, length, advice) : 0;
}

/* ---- Calls with little or nothing to do ---- */

static long check_mapped(uint64_t start, uint64_t length)
{
    uint64_t end = OM_ALIGN_UP(start + length, OM_PAGE_SIZE);

    start = OM_ALIGN_DOWN(start, OM_PAGE_SIZE);
    if (end < start)
        return -EINVAL;
    return mm_is_mapped(start, end - start, PROT_NONE) ? 0 : -ENOMEM;
}

long sys_msync(struct call *call)
{
    uint64_t flags = call->args[2];

    if (call->args[0] % OM_PAGE_SIZE || (flags & ~(uint64_t)(MS_ASYNC | MS_SYNC | MS_INVALIDATE)) ||
        (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
        return -EINVAL;
    return check_mapped(call->args[0], call->args[1]);
}

long sys_mincore(struct call *call)
{
    uint8_t present[MINCORE_CHUNK_pages];
    uint64_t start = call->args[0], to = call->args[2];
    uint64_t left = OM_ALIGN_UP(call->args[1], OM_PAGE_SIZE) / OM_PAGE_SIZE;
    long error;

    if (start % OM_PAGE_SIZE)
        return -EINVAL;
    if (!mm_is_mapped(start, left * OM_PAGE_SIZE, PROT_NONE))
        return -ENOMEM;
    while (left > 0) {
        uint64_t part = OM_MIN(left, (uint64_t)MINCORE_CHUNK_pages);

        error = host_syscall(__NR_mincore, start, part * OM_PAGE_SIZE, (uint64_t)present, 0, 0, 0);
        if (!error)
            error = copy_to_program(to, present, part);
        if (error)
            return error;
        start += part * OM_PAGE_SIZE;
        to += part;
        left -= part;
    }
    return 0;
}

/* Locked memory would have to be locked at the destination too; nothing that works depends on it.
 */
long sys_mlock(struct call *call)
{
    return check_mapped(call->args[0], call->args[1]);
}

long sys_mlock2(struct call *call)
{
    return call->args[2] & ~(uint64_t)MLOCK_ONFAULT ? -EINVAL : sys_mlock(call);
}

long sys_munlock(struct call *call)
{
    return check_mapped(call->args[0], call->args[1]);
}

long sys_mlockall(struct call *call)
{
    uint64_t flags = call->args[0];

    if (flags == 0 || flags == MCL_ONFAULT ||
        (flags & ~(uint64_t)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)))
        return -EINVAL;
    return 0;
}

long sys_munlockall(struct call *call)
{
    (void)call;
    return 0;
}
