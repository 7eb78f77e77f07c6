/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See fast_calls.h: what of it is C.  fast_call() and fast_call_leave() are called by fast_calls.S
 * on the slot's stack; fast_calls_patch() by whoever maps a file.
 */
#include "enclave/fast_calls.h"

#include <asm/unistd.h>
#include <linux/mman.h>
#include <linux/signal.h>

#include "enclave/call_sites.h"
#include "enclave/offsets.h"
#include "enclave/signal.h"
#include "enclave/syscall_table.h"
#include "enclave/tables.h"

enum fast_way { FAST_DONE, FAST_LEAVE, FAST_DECLINE };

/* Called by fast_calls.S. */
extern void (*g_fast_call_way)(void);
void fast_call_entry(void);
void fast_call_accept(void);
void fast_call_decline(void);
uint32_t fast_call(struct thread *thread);
_Noreturn void fast_call_leave(struct thread *thread);

void (*g_fast_call_way)(void) = fast_call_decline;

_Static_assert(SLOTS_BASE >> SLOT_SHIFT_ASM == SLOT_FIRST_ASM && 1 << SLOT_SHIFT_ASM == SLOT_SIZE &&
                   SLOT_FIRST_ASM + THREADS_MAX - 1 == SLOT_LAST_ASM,
               "fast_calls.S");
_Static_assert(offsetof(struct thread, fast) == FAST_ASM, "fast_calls.S");
_Static_assert(offsetof(struct fast_call, rsp) == 48 && offsetof(struct fast_call, flags) == 56 &&
                   offsetof(struct fast_call, site) == 64 &&
                   offsetof(struct fast_call, result) == 72 &&
                   offsetof(struct fast_call, rbx) == 80 && offsetof(struct fast_call, r15) == 120,
               "fast_calls.S");

/* ---- the vector state, as the kernel of this host writes it ---- */

static struct _fpx_sw_bytes g_form;

void fast_calls_learn(const struct ucontext *uc)
{
    const struct _fpstate *state = uc->uc_mcontext.fpstate;

    if (g_fast_call_way == fast_call_accept || !g_facts.has_fsgsbase || !state ||
        state->sw_reserved.magic1 != FP_XSTATE_MAGIC1 ||
        state->sw_reserved.extended_size > XSAVE_MAX ||
        state->sw_reserved.xstate_size + 4 > state->sw_reserved.extended_size)
        return;
    /* Another thread may do the same, with the same form. */
    g_form = state->sw_reserved;
    __atomic_store_n(&g_fast_call_way, fast_call_accept, __ATOMIC_RELEASE);
}

static void save_vectors(struct thread *thread)
{
    enum { HEADER_AT = 512, HEADER_bytes = 64 };
    const uint32_t magic = FP_XSTATE_MAGIC2;
    struct _fpstate *state = (struct _fpstate *)thread->xsave;

    memset(thread->xsave + HEADER_AT, 0, HEADER_bytes);
    __asm__ volatile("xsave64 (%0)"
                     :
                     : "r"(thread->xsave), "a"((uint32_t)g_form.xfeatures),
                       "d"((uint32_t)(g_form.xfeatures >> 32))
                     : "memory");
    state->sw_reserved = g_form;
    memcpy(thread->xsave + g_form.xstate_size, &magic, sizeof(magic));
    thread->cpu.xsave_size = g_form.extended_size;
}

/* ---- one call ---- */

/* A temporary mask of signals is put into the frame of the signal, which is not there. */
static bool has_mask(long nr, const uint64_t args[6])
{
    return (nr == __NR_epoll_pwait && args[4]) || (nr == __NR_ppoll && args[3]);
}

uint32_t fast_call(struct thread *thread)
{
    struct fast_call *fast = &thread->fast;
    struct call call = {
        .thread = thread,
        .pc = fast->site[0],
        .nr = (long)fast->site[1],
        .args = {fast->rdi, fast->rsi, fast->rdx, fast->r10, fast->r8, fast->r9},
    };
    long result;

    if (thread->attention || !syscall_is_fast(call.nr) || has_mask(call.nr, call.args))
        return FAST_DECLINE;
    result = syscall_dispatch(&call);
    fast->result = (uint64_t)result;
    fast->interrupted = result == CALL_INTERRUPTED;
    return fast->interrupted ? FAST_LEAVE : FAST_DONE;
}

static uint64_t eflags_of(uint64_t flags)
{
    enum { OVERFLOW = 1 << 11, INTERRUPTS = 1 << 9, ALWAYS = 2 };
    uint64_t low = flags >> 8 & 0xff;

    return low | ALWAYS | INTERRUPTS | (flags & 1 ? OVERFLOW : 0);
}

/* As if the thread had been stopped right behind the system call, or at it. */
static void write_registers(struct thread *thread)
{
    enum { SYSCALL_bytes = 2 };
    const struct fast_call *fast = &thread->fast;
    struct sigcontext *regs = &thread->cpu.regs;
    uint64_t behind = fast->site[0] + SYSCALL_bytes;

    *regs = (struct sigcontext){
        .rdi = fast->rdi,
        .rsi = fast->rsi,
        .rdx = fast->rdx,
        .r10 = fast->r10,
        .r8 = fast->r8,
        .r9 = fast->r9,
        .rsp = fast->rsp,
        .rbx = fast->rbx,
        .rbp = fast->rbp,
        .r12 = fast->r12,
        .r13 = fast->r13,
        .r14 = fast->r14,
        .r15 = fast->r15,
        .rip = behind,
        .rcx = behind,
        .eflags = eflags_of(fast->flags),
        .r11 = eflags_of(fast->flags),
        .rax = fast->result,
    };
}

void fast_call_leave(struct thread *thread)
{
    struct ucontext uc = {0};
    struct call call = {.thread = thread, .uc = &uc, .nr = (long)thread->fast.site[1]};

    save_vectors(thread);
    write_registers(thread);
    host_syscall(__NR_rt_sigprocmask, SIG_BLOCK, 0, (uint64_t)&uc.uc_sigmask, 8, 0, 0);
    uc.uc_mcontext = thread->cpu.regs;
    if (thread->fast.interrupted)
        signal_syscall_finish(&call, CALL_INTERRUPTED);
    thread->cpu.regs = uc.uc_mcontext;
    thread->cpu.sigmask = uc.uc_sigmask;
    thread_enter(thread);
}

uint64_t fast_calls_stack(const struct thread *thread)
{
    return (uint64_t)thread + SLOT_SIZE - 16;
}

/* ---- GS ---- */

static bool is_slot(uint64_t base)
{
    return base >= SLOTS_BASE && base < SLOTS_END;
}

uint64_t fast_calls_gs_of_program(uint64_t base)
{
    return is_slot(base) ? 0 : base;
}

uint64_t fast_calls_gs_of_thread(const struct thread *thread, uint64_t base)
{
    return base && !is_slot(base) ? base : (uint64_t)thread;
}

/* ---- trampolines ---- */

enum {
    TRAMPOLINE_bytes = 48,
    RECORD_AT = 32,
    /* A little less than a far jump spans, to have room for both mappings. */
    REACH_bytes = 0x70000000,
};

struct trampolines {
    uint64_t page; /* 0: none yet */
    uint32_t used; /* bytes of it */
};

static bool read_file(const struct unwind_file *file, void *to, size_t length, uint64_t offset)
{
    return host_syscall(__NR_pread64, (uint64_t)file->fd, (uint64_t)to, length, offset, 0, 0) ==
           (long)length;
}

/* Ready: executable, and not to be written any more. */
static void close_page(struct trampolines *trampolines)
{
    if (trampolines->page)
        (void)mm_protect(trampolines->page, OM_PAGE_SIZE, PROT_READ | PROT_EXEC);
    trampolines->page = 0;
}

/* Below the code: above it a heap may want to grow. */
static bool open_page(struct trampolines *trampolines, uint64_t code)
{
    const struct mm_room room = {code > PROGRAM_BASE + REACH_bytes ? code - REACH_bytes
                                                                   : PROGRAM_BASE,
                                 OM_ALIGN_DOWN(code, OM_PAGE_SIZE), OM_PAGE_SIZE};
    long page =
        mm_map_within(&room, OM_PAGE_SIZE, PROT_READ | PROT_WRITE, AREA_CALLS, 0, "[calls]");

    if (page < 0)
        return false;
    *trampolines = (struct trampolines){.page = (uint64_t)page};
    return true;
}

static uint8_t *put(uint8_t *at, uint64_t value, size_t length)
{
    memcpy(at, &value, length);
    return at + length;
}

static uint64_t write_trampoline(struct trampolines *trampolines, const struct call_site *site,
                                 uint64_t call)
{
    uint64_t start = trampolines->page + trampolines->used;
    uint8_t *at = (uint8_t *)start;

    at = site->length == CALL_SITE_SHORT_bytes
             ? put(at, 0xc031, 2)                              /* xor %eax,%eax */
             : put(at, 0xb8 | (uint64_t)site->number << 8, 5); /* mov $number,%eax */
    at = put(at, 0x0d8d48, 3);                                 /* lea record(%rip),%rcx */
    at = put(at, start + RECORD_AT - ((uint64_t)at + 4), 4);
    at = put(at, 0xbb49, 2); /* mov $entry,%r11 */
    at = put(at, (uint64_t)fast_call_entry, 8);
    (void)put(at, 0xe3ff41, 3); /* jmp *%r11 */
    at = put((uint8_t *)start + RECORD_AT, call, 8);
    (void)put(at, site->number, 8);
    trampolines->used += TRAMPOLINE_bytes;
    return start;
}

/* A jump at from, in the code as it lies in memory. */
static void write_jump(uint64_t from, uint64_t to)
{
    uint8_t *at = put((uint8_t *)from, 0xe9, 1);

    (void)put(at, to - (from + CALL_SITE_FAR_bytes), 4);
}

static void write_site(uint64_t start, const struct call_site *site, uint64_t trampoline)
{
    uint8_t *at = (uint8_t *)(start + site->at);

    if (site->length == CALL_SITE_FAR_bytes) {
        write_jump(start + site->at, trampoline);
        return;
    }
    write_jump(start + site->padding, trampoline);
    (void)put(at, 0xeb | (site->padding - (site->at + CALL_SITE_SHORT_bytes)) << 8, 2);
}

static bool is_wanted(uint32_t number)
{
    return syscall_is_fast((long)number);
}

void fast_calls_patch(uint64_t start, uint64_t length, int fd, uint64_t offset)
{
    const struct unwind_file file = {.read = read_file, .fd = fd};
    struct trampolines trampolines = {0};
    struct unwind unwind;
    struct call_code code = {(uint8_t *)start, length, 0, &unwind, is_wanted};
    struct call_site site;
    uint64_t from = 0;
    uint32_t count = 0;

    if (!g_tables->fast_calls || length > REACH_bytes / 2 || !unwind_open(&unwind, &file))
        return;
    code.address = unwind_address(&unwind, offset);
    while (code.address != UINT64_MAX && call_site_next(&code, &from, &site)) {
        if (trampolines.used + TRAMPOLINE_bytes > OM_PAGE_SIZE)
            close_page(&trampolines);
        if (!trampolines.page && !open_page(&trampolines, start))
            break;
        write_site(start, &site,
                   write_trampoline(&trampolines, &site, start + site.at + site.length));
        count++;
    }
    close_page(&trampolines);
    if (count)
        log_debug("%u system calls at %lx need no signal", count, start);
}
