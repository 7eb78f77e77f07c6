/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program of fuzz_marks runs on: a start, and the check of its marks.  Built without the
 * pass and without a libc; no part of it may write what is checked, or use routines that mark, so
 * everything it has lies in section .plain.
 *
 * Checked is all memory between marks_begin and marks_end (begin.s, end.s): static data,
 * thread-local data and the arena of the program.  The poll page cannot be read, so that each poll
 * faults.  At each fault, call of marks_safepoint, and `ud2` (which stands for a system call) each
 * cell of CARD_SHIFT bits that is not what it was at the last check has to have its card set, or
 * that of the cell before if only its head has changed.  Then the cards are cleared: what a round
 * of the collector does.
 *
 * It prints a line: "value V checks N written CELLS spare CARDS", status 0; or "missing ...",
 * status 3.
 */
#include <asm/prctl.h>
#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/ucontext.h> /* needs those before it */
#include <asm/unistd.h>
#include <elf.h>
#include <linux/mman.h>
#include <stddef.h>
#include <stdint.h>

#include "boundary/card.h"

#define PLAIN __attribute__((section(".plain")))

enum {
    CELL = 1 << CARD_SHIFT,
    TLS_BYTES = 8192,
    STACK_BYTES = 4 << 20,
    FULL_CHECKS = 4000, /* all of the first ones, then one in SPARSE */
    SPARSE = 64,
    MOST_FAULTS = 100000, /* then polls do not fault any more */
    MISSING = 3,
    FAULTED = 4,
    SA_RESTORER_FLAG = 0x04000000,
};

#ifndef UNMARKED
#define UNMARKED 0 /* 1: for the program without the pass, whose result is compared */
#endif
#define STACK_BASE 0x40000000UL /* the same in each run, and cards of its own */
#define SHADOW_BASE 0x8000000000UL

extern unsigned char marks_begin[], marks_end[], marks_tls[];
extern const Elf64_Ehdr __ehdr_start;

struct action {
    void (*handler)(int, siginfo_t *, struct ucontext *);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
};

static PLAIN unsigned char g_signal_stack[65536];
static PLAIN struct {
    uint64_t value, checks, faults, written, spare;
    uint32_t disarmed;
} g_run;

int main(void);
void marks_start(void);
void marks_run(void);
void marks_return(void);
void marks_safepoint(void);
void marks_value(uint64_t value);
int printf(const char *format, ...);

static long call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* ---- output ---- */

static void say(const char *text)
{
    size_t length = 0;

    while (text[length])
        length++;
    call(__NR_write, 1, (long)text, (long)length, 0, 0, 0);
}

static void say_number(const char *name, uint64_t number)
{
    char text[24], *at = text + sizeof(text);

    *--at = 0;
    do
        *--at = "0123456789abcdef"[number & 15];
    while (number >>= 4);
    say(name);
    say(" 0x");
    say(at);
    say(" ");
}

__attribute__((noreturn)) static void leave(int status)
{
    say("\n");
    call(__NR_exit_group, status, 0, 0, 0, 0, 0);
    __builtin_unreachable();
}

/* ---- the check ---- */

static uint64_t *shadow_of(const void *address)
{
    return (uint64_t *)(SHADOW_BASE + (uintptr_t)address);
}

static volatile unsigned char *card_of(const void *address)
{
    return (volatile unsigned char *)CARD_TABLE_BASE +
           ((uintptr_t)address >> CARD_SHIFT & (CARD_COUNT - 1));
}

__attribute__((noreturn)) static void missing(const uint64_t *word, uint64_t place)
{
    const unsigned char *now = (const unsigned char *)word,
                        *before = (const unsigned char *)shadow_of(word);
    unsigned i = 0;

    while (now[i] == before[i])
        i++;
    say_number("missing", (uintptr_t)(now + i));
    say_number("at", place);
    say_number("before", before[i]);
    say_number("now", now[i]);
    say_number("check", g_run.checks);
    leave(MISSING);
}

/* Are all bytes that have changed of the word at `offset` in its cell of the head? */
static int is_in_head(uint64_t now, uint64_t before, unsigned offset)
{
    unsigned last = 7 - (unsigned)__builtin_clzll(now ^ before) / 8;

    return offset + last < CARD_HEAD;
}

/* `place`: the safepoint's address. */
static void check(uint64_t place)
{
    int before_marked = 0;

    for (unsigned char *cell = marks_begin; cell < marks_end; cell += CELL) {
        const uint64_t *now = (const uint64_t *)cell;
        uint64_t *before = shadow_of(cell);
        volatile unsigned char *card = card_of(cell);
        int marked = *card, changed = 0;

        for (unsigned i = 0; i < CELL / sizeof(*now); i++) {
            if (now[i] == before[i])
                continue;
            if (!marked && !(before_marked && is_in_head(now[i], before[i], 8 * i)) && !UNMARKED)
                missing(now + i, place);
            before[i] = now[i];
            changed = 1;
        }
        g_run.written += (uint64_t)changed;
        g_run.spare += marked && !changed;
        before_marked = marked;
        *card = 0;
    }
    g_run.checks++;
}

void marks_safepoint(void)
{
    check((uint64_t)__builtin_return_address(0));
}

/* Part of the result. */
void marks_value(uint64_t value)
{
    g_run.value = (g_run.value ^ value) * 0x9e3779b97f4a7c15UL;
    g_run.value ^= g_run.value >> 29;
}

/* csmith's programs print one line: their checksum. */
int printf(const char *format, ...)
{
    __builtin_va_list list;

    __builtin_va_start(list, format);
    marks_value(__builtin_va_arg(list, unsigned));
    __builtin_va_end(list);
    return 0;
}

/* ---- faults ---- */

static void poll_page(unsigned long protection)
{
    call(__NR_mprotect, CARD_POLL_BASE, CARD_POLL_SIZE, (long)protection, 0, 0, 0);
}

/* testb %al, the poll page, or ud2; 0: it is neither. */
static unsigned safepoint_length(int signal, const siginfo_t *info, const unsigned char *code)
{
    uint64_t address = (uint64_t)info->_sifields._sigfault._addr;

    if (signal == SIGILL && code[0] == 0x0f && code[1] == 0x0b)
        return 2;
    if (signal == SIGSEGV && address >= CARD_POLL_BASE &&
        address < CARD_POLL_BASE + CARD_POLL_SIZE && code[0] == 0x84 && code[1] == 0x04 &&
        code[2] == 0x25)
        return 7;
    return 0;
}

static void fault(int signal, siginfo_t *info, struct ucontext *context)
{
    struct sigcontext *regs = &context->uc_mcontext;
    unsigned length = safepoint_length(signal, info, (const unsigned char *)regs->rip);

    if (!length) {
        say_number("fault", (uint64_t)signal);
        say_number("at", regs->rip);
        say_number("address", (uint64_t)info->_sifields._sigfault._addr);
        leave(FAULTED);
    }
    g_run.faults++;
    if (signal == SIGILL || g_run.checks < FULL_CHECKS || g_run.faults % SPARSE == 0)
        check(regs->rip);
    if (g_run.faults == MOST_FAULTS) {
        poll_page(PROT_READ | PROT_WRITE);
        g_run.disarmed = 1;
    }
    regs->rip += length;
}

static void catch_faults(void)
{
    stack_t stack = {.ss_sp = g_signal_stack, .ss_size = sizeof(g_signal_stack)};
    struct action action = {fault, SA_SIGINFO | SA_ONSTACK | SA_RESTORER_FLAG, marks_return, 0};

    call(__NR_sigaltstack, (long)&stack, 0, 0, 0, 0, 0);
    call(__NR_rt_sigaction, SIGSEGV, (long)&action, 0, 8, 0, 0);
    call(__NR_rt_sigaction, SIGILL, (long)&action, 0, 8, 0, 0);
}

/* ---- start ---- */

/* Thread-local data lies in front of the thread pointer, and is checked as well. */
static void set_thread_pointer(void)
{
    const Elf64_Phdr *header = (const void *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);
    unsigned char *pointer = marks_tls + TLS_BYTES - 64;

    *(void **)pointer = pointer;
    for (unsigned i = 0; i < __ehdr_start.e_phnum; i++, header++) {
        uint64_t size = (header->p_memsz + header->p_align - 1) & -header->p_align;

        if (header->p_type != PT_TLS)
            continue;
        for (uint64_t at = 0; at < header->p_filesz; at++)
            pointer[at - size] = ((const unsigned char *)header->p_vaddr)[at];
    }
    call(__NR_arch_prctl, ARCH_SET_FS, (long)pointer, 0, 0, 0, 0);
}

static void *memory(uint64_t address, uint64_t bytes)
{
    long result = call(__NR_mmap, (long)address, (long)bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);

    if (result != (long)address) {
        say("no memory");
        leave(FAULTED);
    }
    return (void *)address;
}

__attribute__((used)) void marks_run(void)
{
    uint64_t first = (uintptr_t)shadow_of(marks_begin) & ~4095UL;

    memory(first, (uint64_t)(marks_end - marks_begin) + 8192);
    set_thread_pointer();
    for (uint64_t *now = (uint64_t *)marks_begin; now < (uint64_t *)marks_end; now++)
        *shadow_of(now) = *now;
    catch_faults();
    poll_page(PROT_NONE);
    main();
    check((uint64_t)main);
    say_number("value", g_run.value);
    say_number("checks", g_run.checks);
    say_number("written", g_run.written);
    say_number("spare", g_run.spare);
    leave(0);
}

__attribute__((used)) static uint64_t new_stack(void)
{
    return (uint64_t)memory(STACK_BASE, STACK_BYTES) + STACK_BYTES;
}

/* As in libc, assembly marks what it writes itself. */
#define TEXT_OF(number) #number
#define AS_TEXT(number) TEXT_OF(number)
#define MARK(place)                                                                                \
    "  leaq " place                                                                                \
    ", %rcx\n  shrq $" AS_TEXT(CARD_SHIFT) ", %rcx\n  movb $1, __optmig_cards_v3(%rcx)\n"

__asm__(
    ".globl marks_start\n"
    "marks_start: xorl %ebp, %ebp\n"
    "  andq $-16, %rsp\n"
    "  call new_stack\n"
    "  movq %rax, %rsp\n"
    "  call marks_run\n"
    "  hlt\n"
    ".globl marks_return\n"
    "marks_return: movl $15, %eax\n" /* rt_sigreturn */
    "  syscall\n"
    ".globl setjmp, _setjmp, longjmp\n"
    "setjmp: _setjmp:\n"
    "  movq %rbx, (%rdi)\n  movq %rbp, 8(%rdi)\n  movq %r12, 16(%rdi)\n  movq %r13, 24(%rdi)\n"
    "  movq %r14, 32(%rdi)\n  movq %r15, 40(%rdi)\n  leaq 8(%rsp), %rdx\n  movq %rdx, 48(%rdi)\n"
    "  movq (%rsp), %rdx\n  movq %rdx, 56(%rdi)\n" MARK("(%rdi)") MARK("32(%rdi)")
        MARK("63(%rdi)") "  xorl %eax, %eax\n  ret\n"
                         "longjmp: movl %esi, %eax\n"
                         "  movq (%rdi), %rbx\n  movq 8(%rdi), %rbp\n  movq 16(%rdi), %r12\n  movq "
                         "24(%rdi), %r13\n"
                         "  movq 32(%rdi), %r14\n  movq 40(%rdi), %r15\n  movq 48(%rdi), %rsp\n  "
                         "jmp *56(%rdi)\n");
