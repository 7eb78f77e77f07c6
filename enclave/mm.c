/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map of the program's memory: the sorted array of areas, and the page tables that follow it.
 *
 * A change first asks the kernel and then edits the array, so a refusal (out of memory, out of
 * regions) leaves both as they were.  Writers hold the lock; mm_is_mapped and mm_next_area, which
 * every system call with a buffer needs, read without it and look again if the sequence moved.
 *
 * Lock order: mm_state.lock is taken last but for the hooks of a move, which are called under it.
 * Next: sys_mm.c (the calls), mm_layout.c (the destination of a move).
 */
#include "enclave/mm.h"

#include <asm/unistd.h>
#include <linux/mman.h>

#include "enclave/tables.h"

enum {
    AREAS_LIMIT = AREAS_MAX - 2, /* two are spare, for the splits in the middle of an edit */
    READ_ATTEMPTS = 64,
};

static struct mm_state *const g_mm = &g_tables->mm;
struct mm_hooks g_mm_hooks;

/* ---- The array.  The lock is held. ---- */

/* Index of the first area that ends above address. */
static uint32_t find(uint64_t address)
{
    uint32_t low = 0, high = g_mm->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (g_mm->areas[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void move_tail(uint32_t from, uint32_t to)
{
    memmove(&g_mm->areas[to], &g_mm->areas[from], (g_mm->count - from) * sizeof(struct area));
    g_mm->count += to - from;
}

static void insert(uint32_t index, const struct area *area)
{
    move_tail(index, index + 1);
    g_mm->areas[index] = *area;
}

/* Afterwards no area lies on both sides of address; gives the index of the first one behind it. */
static uint32_t split(uint64_t address)
{
    uint32_t index = find(address);
    struct area *area = &g_mm->areas[index];

    if (index == g_mm->count || area->start >= address)
        return index;
    insert(index, area);
    area[0].end = address;
    area[1].start = address;
    return index + 1;
}

static bool can_join(const struct area *a, const struct area *b)
{
    return a->end == b->start && a->prot == b->prot && a->kind == b->kind && a->flags == b->flags &&
           a->name == b->name;
}

/* Joins equal neighbours in and beside areas [first, last). */
static void join(uint32_t first, uint32_t last)
{
    uint32_t to = first > 0 ? first - 1 : 0;

    last = OM_MIN(last + 1, g_mm->count);
    for (uint32_t i = to + 1; i < last; i++) {
        if (can_join(&g_mm->areas[to], &g_mm->areas[i]))
            g_mm->areas[to].end = g_mm->areas[i].end;
        else
            g_mm->areas[++to] = g_mm->areas[i];
    }
    if (to + 1 < last)
        move_tail(last, to + 1);
}

/* Readers without the lock: release pairs with the acquire in read_begin and read_ended_well. */
static void edit_begin(void)
{
    __atomic_store_n(&g_mm->sequence, g_mm->sequence + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static void edit_end(void)
{
    __atomic_store_n(&g_mm->sequence, g_mm->sequence + 1, __ATOMIC_RELEASE);
}

static uint32_t read_begin(void)
{
    return __atomic_load_n(&g_mm->sequence, __ATOMIC_ACQUIRE);
}

static bool read_ended_well(uint32_t begin)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return begin % 2 == 0 && __atomic_load_n(&g_mm->sequence, __ATOMIC_RELAXED) == begin;
}

static bool is_vacant(uint64_t start, uint64_t end)
{
    uint32_t index = find(start);

    return index == g_mm->count || g_mm->areas[index].start >= end;
}

/* How far memory is mapped without a hole, with all of prot; at most to end. */
static uint64_t mapped_until(uint64_t start, uint64_t end, uint32_t prot)
{
    uint64_t at = start;

    for (uint32_t i = find(start), count = g_mm->count; i < count && at < end; i++) {
        const struct area *area = &g_mm->areas[i];

        if (area->start > at || (area->prot & prot) != prot)
            break;
        at = area->end;
    }
    return OM_MIN(at, end);
}

/* Offset of a name in mm_state.names; 0 when there is none, or no more room. */
static uint32_t intern(const char *name)
{
    uint32_t at = 1;
    size_t size;

    if (!name || !*name)
        return 0;
    while (at < g_mm->names_used) {
        if (strcmp(g_mm->names + at, name) == 0)
            return at;
        at += (uint32_t)strlen(g_mm->names + at) + 1;
    }
    size = strlen(name) + 1;
    if (size > sizeof(g_mm->names) - at)
        return 0;
    memcpy(g_mm->names + at, name, size);
    g_mm->names_used = at + (uint32_t)size;
    return at;
}

/* ---- The page tables.  The lock is held. ---- */

static long kernel_protect(uint64_t start, uint64_t end, uint32_t prot)
{
    long error = host_syscall(__NR_mprotect, start, end - start, prot, 0, 0, 0);
    void (*hook)(uint64_t, uint64_t, uint32_t) =
        __atomic_load_n(&g_mm_hooks.protected, __ATOMIC_ACQUIRE);

    if (!error && hook)
        hook(start, end, prot);
    return error;
}

/* After a refusal half-way: what the array says. */
static void restore_protection(uint64_t start, uint64_t end)
{
    uint32_t i = find(start);

    while (start < end) {
        const struct area *area = i < g_mm->count ? &g_mm->areas[i] : NULL;
        bool inside = area && area->start <= start;
        uint64_t stop = inside ? area->end : area ? area->start : end;

        stop = OM_MIN(stop, end);
        (void)kernel_protect(start, stop, inside ? area->prot : PROT_NONE);
        start = stop;
        i += inside;
    }
}

static long set_protection(uint64_t start, uint64_t end, uint32_t prot)
{
    long error = kernel_protect(start, end, prot);

    if (error)
        restore_protection(start, end);
    return error;
}

static void kernel_discard(uint64_t start, uint64_t end)
{
    void (*before)(uint64_t, uint64_t) = __atomic_load_n(&g_mm_hooks.discarding, __ATOMIC_ACQUIRE);
    void (*hook)(uint64_t, uint64_t) = __atomic_load_n(&g_mm_hooks.discarded, __ATOMIC_ACQUIRE);
    long error;

    if (before)
        before(start, end);
    error = host_syscall(__NR_madvise, start, end - start, MADV_DONTNEED, 0, 0, 0);
    om_assert(error == 0); /* Old contents would show up in new memory. */
    if (hook)
        hook(start, end);
}

/* ---- Changes.  The lock is held, and the arguments are good. ---- */

/* Card table and poll page (cards.h) stay as they were loaded: the runtime writes there too. */
static bool holds_cards(uint64_t start, uint64_t end)
{
    for (uint32_t i = find(start); i < g_mm->count && g_mm->areas[i].start < end; i++)
        if (g_mm->areas[i].kind == AREA_CARDS)
            return true;
    return false;
}

static long map_area(const struct area *area)
{
    bool vacant = is_vacant(area->start, area->end);
    uint32_t first, last;
    long error;

    if (g_mm->count + 2 > AREAS_LIMIT)
        return -ENOMEM;
    if (holds_cards(area->start, area->end))
        return -EPERM;
    error = set_protection(area->start, area->end, area->prot);
    if (error)
        return error;
    if (!vacant)
        kernel_discard(area->start, area->end);
    edit_begin();
    first = split(area->start);
    last = split(area->end);
    move_tail(last, first);
    insert(first, area);
    join(first, first + 1);
    edit_end();
    return 0;
}

static long unmap_range(uint64_t start, uint64_t end)
{
    uint32_t first = find(start), last;
    const struct area *area = &g_mm->areas[first];
    long error;

    if (is_vacant(start, end))
        return 0;
    if (holds_cards(start, end))
        return -EPERM;
    if (area->start < start && area->end > end && g_mm->count + 1 > AREAS_LIMIT)
        return -ENOMEM;
    /* First no access, then no contents: nobody can bring a page back in between. */
    error = set_protection(start, end, PROT_NONE);
    if (error)
        return error;
    kernel_discard(start, end);
    edit_begin();
    first = split(start);
    last = split(end);
    move_tail(last, first);
    edit_end();
    return 0;
}

static void edit_attributes(uint64_t start, uint64_t end, const struct area *mask,
                            const struct area *value)
{
    uint32_t first, last;

    edit_begin();
    first = split(start);
    last = split(end);
    for (uint32_t i = first; i < last; i++) {
        struct area *area = &g_mm->areas[i];

        area->prot = (area->prot & ~mask->prot) | value->prot;
        area->flags = (area->flags & ~mask->flags) | value->flags;
    }
    join(first, last);
    edit_end();
}

/* A copy of a file that other processes share cannot be made writable: they would not see it. */
static bool protection_is_refused(uint64_t start, uint64_t end, uint32_t prot)
{
    if (!(prot & PROT_WRITE))
        return false;
    for (uint32_t i = find(start); i < g_mm->count && g_mm->areas[i].start < end; i++)
        if (g_mm->areas[i].kind == AREA_FILE && (g_mm->areas[i].flags & AREA_SHARED))
            return true;
    return false;
}

static long protect_range(uint64_t start, uint64_t end, uint32_t prot)
{
    const struct area mask = {.prot = ~0U}, value = {.prot = prot};
    uint64_t mapped_end = mapped_until(start, end, 0);
    long error;

    if (protection_is_refused(start, mapped_end, prot) || holds_cards(start, mapped_end))
        return -EACCES;
    if (g_mm->count + 2 > AREAS_LIMIT)
        return -ENOMEM;
    if (mapped_end > start) {
        error = set_protection(start, mapped_end, prot);
        if (error)
            return error;
        edit_attributes(start, mapped_end, &mask, &value);
    }
    return mapped_end < end ? -ENOMEM : 0;
}

/* The highest place for length bytes; 0: none. */
static uint64_t find_room(const struct mm_room *room, uint64_t length)
{
    uint64_t top = room->high;

    for (uint32_t i = find(top) + 1; i-- > 0;) {
        const struct area *above = i < g_mm->count ? &g_mm->areas[i] : NULL;
        uint64_t bottom = i > 0 ? OM_MAX(g_mm->areas[i - 1].end, room->low) : room->low;

        if (above)
            top = OM_MIN(top, above->start);
        if (top >= bottom && top - bottom >= length) {
            uint64_t start = OM_ALIGN_DOWN(top - length, room->alignment);

            if (start >= bottom)
                return start;
        }
        if (bottom <= room->low)
            break;
    }
    return 0;
}

/* ---- What others call. ---- */

/* Checks a range as mmap(2) does and gives its end, rounded up to pages. */
static long check_range(uint64_t start, uint64_t length, uint64_t *out_end)
{
    if (start % OM_PAGE_SIZE || length == 0)
        return -EINVAL;
    if (start < PROGRAM_BASE || start > PROGRAM_END || length > PROGRAM_END - start)
        return -ENOMEM;
    *out_end = OM_ALIGN_UP(start + length, OM_PAGE_SIZE);
    return 0;
}

void mm_create(void)
{
    memset(g_mm, 0, offsetof(struct mm_state, names));
    g_mm->names_used = 1; /* Offset 0 says that there is no name. */
    g_mm->names[0] = 0;
    g_mm->map_top = PROGRAM_END;
}

static long map_checked(uint64_t start, uint64_t end, bool replace, const struct area *wanted,
                        const char *name)
{
    struct area area = *wanted;
    long error = -EEXIST;

    area.start = start;
    area.end = end;
    lock_take(&g_mm->lock);
    if (replace || is_vacant(start, end)) {
        area.name = intern(name);
        error = map_area(&area);
    }
    lock_release(&g_mm->lock);
    return error;
}

long mm_map_fixed(uint64_t start, uint64_t length, uint32_t prot, uint32_t kind, uint32_t flags,
                  const char *name)
{
    const struct area area = {.prot = prot, .kind = kind, .flags = flags};
    uint64_t end;
    long error = check_range(start, length, &end);

    return error ? error : map_checked(start, end, true, &area, name);
}

long mm_map_vacant(uint64_t start, uint64_t length, uint32_t prot, uint32_t kind, uint32_t flags,
                   const char *name)
{
    const struct area area = {.prot = prot, .kind = kind, .flags = flags};
    uint64_t end;
    long error = check_range(start, length, &end);

    return error ? error : map_checked(start, end, false, &area, name);
}

long mm_map_within(const struct mm_room *room, uint64_t length, uint32_t prot, uint32_t kind,
                   uint32_t flags, const char *name)
{
    struct area area = {.prot = prot, .kind = kind, .flags = flags};
    long result = -ENOMEM;

    if (length == 0)
        return -EINVAL;
    if (length > PROGRAM_END)
        return -ENOMEM;
    length = OM_ALIGN_UP(length, OM_PAGE_SIZE);
    lock_take(&g_mm->lock);
    area.start = find_room(room, length);
    if (area.start) {
        area.end = area.start + length;
        area.name = intern(name);
        result = map_area(&area);
    }
    lock_release(&g_mm->lock);
    return result ? result : (long)area.start;
}

long mm_map_anywhere(uint64_t length, uint32_t prot, uint32_t kind, uint32_t flags,
                     const char *name)
{
    const struct mm_room room = {
        .low = PROGRAM_BASE,
        .high = g_mm->map_top,
        .alignment = length >= OM_HUGE_SIZE ? OM_HUGE_SIZE : OM_PAGE_SIZE,
    };

    return mm_map_within(&room, length, prot, kind, flags, name);
}

long mm_unmap(uint64_t start, uint64_t length)
{
    uint64_t end;
    long error;

    if (start % OM_PAGE_SIZE || length == 0 || start > PROGRAM_END || length > PROGRAM_END - start)
        return -EINVAL;
    end = OM_ALIGN_UP(start + length, OM_PAGE_SIZE);
    start = OM_MAX(start, PROGRAM_BASE);
    if (start >= end)
        return 0;
    lock_take(&g_mm->lock);
    error = unmap_range(start, end);
    lock_release(&g_mm->lock);
    return error;
}

long mm_protect(uint64_t start, uint64_t length, uint32_t prot)
{
    uint64_t end;
    long error;

    if (length == 0 && start % OM_PAGE_SIZE == 0)
        return 0;
    error = check_range(start, length, &end);
    if (error)
        return error;
    lock_take(&g_mm->lock);
    error = protect_range(start, end, prot);
    lock_release(&g_mm->lock);
    return error;
}

long mm_discard(uint64_t start, uint64_t length)
{
    uint64_t end, at = start;
    long error = check_range(start, length, &end);

    if (error)
        return error;
    lock_take(&g_mm->lock);
    for (uint32_t i = find(start); i < g_mm->count && g_mm->areas[i].start < end; i++) {
        const struct area *area = &g_mm->areas[i];

        if (area->start > at)
            error = -ENOMEM;
        if (area->kind != AREA_FILE && area->kind != AREA_VDSO && area->kind != AREA_CALLS &&
            area->kind != AREA_CARDS)
            kernel_discard(OM_MAX(area->start, start), OM_MIN(area->end, end));
        at = area->end;
    }
    lock_release(&g_mm->lock);
    return at < end ? -ENOMEM : error;
}

long mm_set_flags(uint64_t start, uint64_t length, uint32_t set, uint32_t clear)
{
    const struct area mask = {.flags = set | clear}, value = {.flags = set};
    uint64_t end;
    long error = check_range(start, length, &end);

    if (error)
        return error;
    lock_take(&g_mm->lock);
    if (g_mm->count + 2 > AREAS_LIMIT)
        error = -ENOMEM;
    else
        edit_attributes(start, end, &mask, &value);
    lock_release(&g_mm->lock);
    return error;
}

void mm_brk_create(uint64_t start)
{
    g_mm->brk_start = g_mm->brk_end = start;
}

static long move_brk(uint64_t wanted)
{
    uint64_t old_end = OM_ALIGN_UP(g_mm->brk_end, OM_PAGE_SIZE);
    uint64_t new_end = OM_ALIGN_UP(wanted, OM_PAGE_SIZE);
    const struct area heap = {
        .start = old_end, .end = new_end, .prot = PROT_READ | PROT_WRITE, .kind = AREA_HEAP};

    if (wanted < g_mm->brk_start || wanted > PROGRAM_END)
        return -ENOMEM;
    if (new_end < old_end)
        return unmap_range(new_end, old_end);
    if (new_end == old_end)
        return 0;
    return is_vacant(old_end, new_end) ? map_area(&heap) : -ENOMEM;
}

uint64_t mm_brk(uint64_t wanted)
{
    uint64_t end;

    lock_take(&g_mm->lock);
    if (g_mm->brk_start && move_brk(wanted) == 0)
        g_mm->brk_end = wanted;
    end = g_mm->brk_end;
    lock_release(&g_mm->lock);
    return end;
}

bool mm_is_mapped(uint64_t start, uint64_t length, uint32_t prot)
{
    bool answer;

    if (start > PROGRAM_END || length > PROGRAM_END - start)
        return false;
    for (int i = 0; i < READ_ATTEMPTS; i++) {
        uint32_t begin = read_begin();

        answer = mapped_until(start, start + length, prot) == start + length;
        if (read_ended_well(begin))
            return answer;
        __builtin_ia32_pause();
    }
    lock_take(&g_mm->lock);
    answer = mapped_until(start, start + length, prot) == start + length;
    lock_release(&g_mm->lock);
    return answer;
}

static bool copy_next(uint64_t address, struct area *out_area)
{
    uint32_t index = find(address);

    if (index >= g_mm->count)
        return false;
    *out_area = g_mm->areas[index];
    return true;
}

const struct area *mm_area_from(uint64_t address)
{
    uint32_t index = find(address);

    return index < g_mm->count ? &g_mm->areas[index] : NULL;
}

const struct area *mm_area_at(uint64_t address)
{
    const struct area *area = mm_area_from(address);

    return area && area->start <= address ? area : NULL;
}

bool mm_next_area(uint64_t address, struct area *out_area)
{
    bool found;

    for (int i = 0; i < READ_ATTEMPTS; i++) {
        uint32_t begin = read_begin();

        found = copy_next(address, out_area);
        if (read_ended_well(begin))
            return found;
        __builtin_ia32_pause();
    }
    lock_take(&g_mm->lock);
    found = copy_next(address, out_area);
    lock_release(&g_mm->lock);
    return found;
}

const char *mm_area_name(const struct area *area)
{
    return area->name < sizeof(g_mm->names) ? g_mm->names + area->name : "";
}

uint64_t mm_mapped_bytes(void)
{
    uint64_t bytes = 0;

    lock_take(&g_mm->lock);
    for (uint32_t i = 0; i < g_mm->count; i++)
        bytes += g_mm->areas[i].end - g_mm->areas[i].start;
    lock_release(&g_mm->lock);
    return bytes;
}

uint32_t mm_layout_copy(struct area *out_areas, uint32_t capacity)
{
    uint32_t count;

    lock_take(&g_mm->lock);
    count = OM_MIN(g_mm->count, capacity);
    memcpy(out_areas, g_mm->areas, count * sizeof(*out_areas));
    lock_release(&g_mm->lock);
    return count;
}
