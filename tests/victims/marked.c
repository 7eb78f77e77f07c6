/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that marks each of its stores, by hand (tests/lib/marked.h): the page-walker for the
 * barrier tracker where there is no optmig-cc.  No libc, so nothing in it writes unseen.
 *
 * Each page holds its address, its version, a sum, and a body of which every write changes one
 * word. A page's version follows from how many writes its writer has made, which the writer keeps
 * on its stack, where nothing is marked.  Beside the pages it checks memory that only system calls
 * write (read, clock_gettime) and memory that only a signal handler writes.
 *
 *   dir=DIR  mib=64  threads=1
 *   rate=0   pages a second and writer; 0: as fast as it goes
 *   skip=N   stores to page N of each writer are not marked: a check after a move finds it stale
 *   slow=N   each writer also counts to N million between two polls
 *   code=1   it makes a page of executable memory
 *   fault=1  a thread takes a fault of its own all the time, and handles it
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/mman.h>
#include <linux/sched.h>

#include "tests/lib/marked_program.h"

enum {
    PAGE_SIZE = 4096,
    PAGE_WORDS = 512,
    WORD_BODY = 3,
    BODY_WORDS = 508,
    WRITERS_MAX = 16,
    STACK_SIZE = 256 << 10,
    BATCH = 64,
    KEPT_WORDS = 600, /* on the stack, over more than one page */
    TICK_US = 3000,
};

struct kernel_action {
    void (*handler)(int, siginfo_t *, void *);
    uint64_t flags;
    void (*restorer)(void);
    uint64_t mask;
};

/* Pages of their own: what the kernel, the handler and the writers write. */
static struct page {
    uint64_t words[PAGE_WORDS];
} __attribute__((aligned(4096))) g_read, g_clock, g_ticks[2], g_published[WRITERS_MAX];
static struct {
    uint64_t *memory;
    uint64_t pages, threads, rate, skip, slow; /* pages: of each writer */
    int pipe[2];
    bool fault;
    uint64_t pause, paused, ended, end;
} g;

/* ---- pages ---- */

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 31) * 0x9e3779b97f4a7c15;
    return x ^ x >> 29;
}

static uint64_t body_value(uint64_t address, uint64_t slot, uint64_t version)
{
    return mix(address * 31 + slot * 0x10001 + (version << 40));
}

static uint64_t *page_of(uint64_t writer, uint64_t index)
{
    return g.memory + (index * g.threads + writer) * PAGE_WORDS;
}

static void fill_page(uint64_t *page)
{
    STORE(&page[0], (uint64_t)page);
    STORE(&page[1], 0ul);
    STORE(&page[2], mix((uint64_t)page));
    for (uint64_t i = 0; i < BODY_WORDS; i++) {
        STORE(&page[WORD_BODY + i], body_value((uint64_t)page, i, 0));
        poll_here();
    }
}

/* Stores without a mark: the damage that skip= does. */
static void store_unmarked(volatile uint64_t *to, uint64_t value)
{
    *to = value;
}

static void write_page(uint64_t *page, uint64_t version, bool marked)
{
    uint64_t address = (uint64_t)page, slot = version % BODY_WORDS;

    if (page[0] != address || page[1] != version - 1 || page[2] != mix(address + version - 1))
        fail("before a write, a wrong page:", address);
    if (!marked) {
        store_unmarked(&page[1], version);
        store_unmarked(&page[2], mix(address + version));
        store_unmarked(&page[WORD_BODY + slot], body_value(address, slot, version));
        return;
    }
    STORE(&page[1], version);
    STORE(&page[WORD_BODY + slot], body_value(address, slot, version));
    STORE(&page[2], mix(address + version));
}

static uint64_t slot_version(uint64_t slot, uint64_t version)
{
    return version < slot || version == 0 ? 0 : version - (version - slot) % BODY_WORDS;
}

static void check_page(const uint64_t *page, uint64_t version)
{
    uint64_t address = (uint64_t)page;

    if (page[0] != address || page[1] != version || page[2] != mix(address + version))
        fail(page[1] < version ? "a stale page:" : "a wrong page:", address);
    for (uint64_t i = 0; i < BODY_WORDS; i++) {
        if (page[WORD_BODY + i] != body_value(address, i, slot_version(i, version)))
            fail("a torn page:", address);
        poll_here();
    }
}

static uint64_t check_writer(uint64_t writer)
{
    uint64_t writes = g_published[writer].words[0];

    for (uint64_t i = 0; i < g.pages; i++) {
        check_page(page_of(writer, i), writes / g.pages + (i < writes % g.pages));
        poll_here();
    }
    return writes;
}

/* ---- memory that others write ---- */

static void check_kernel_writes(uint64_t step)
{
    uint64_t sent = step, before = g_clock.words[8] * 1000000000 + g_clock.words[9];

    if (CALL(write, g.pipe[1], &sent, sizeof(sent), 0) != sizeof(sent) ||
        CALL(read, g.pipe[0], &g_read.words[7], sizeof(sent), 0) != sizeof(sent))
        fail("a pipe that does not work", 0);
    if (g_read.words[7] != sent)
        fail("read() gave another number:", g_read.words[7]);
    CALL(clock_gettime, CLOCK_MONOTONIC, &g_clock.words[8], 0, 0);
    if (g_clock.words[8] * 1000000000 + g_clock.words[9] < before)
        fail("the clock went back, or the page that holds it is old:", before);
}

static void on_tick(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    (void)context;
    poll_here();
    if (g_ticks[0].words[0] != g_ticks[1].words[100])
        fail("the handler's two counters differ", g_ticks[0].words[0]);
    STORE(&g_ticks[0].words[0], g_ticks[0].words[0] + 1);
    STORE(&g_ticks[1].words[100], g_ticks[1].words[100] + 1);
}

/* Goes on behind the faulting load, `movq (%rax), %rax`: 3 bytes. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
    uint64_t *rip = (uint64_t *)context + 21;

    (void)signal;
    (void)info;
    STORE(rip, *rip + 3);
}

__asm__(".text\nrestore_rt: mov $15, %eax\nsyscall\n");
extern void restore_rt(void);

static void handle(int signal, void (*handler)(int, siginfo_t *, void *))
{
    struct kernel_action action = {handler, SA_SIGINFO | SA_RESTORER, restore_rt, 0};

    CALL(rt_sigaction, signal, &action, 0, 8);
}

static void begin_ticks(void)
{
    struct itimerval every = {{0, TICK_US}, {0, TICK_US}};

    handle(SIGALRM, on_tick);
    CALL(setitimer, ITIMER_REAL, &every, 0, 0);
}

/* ---- writers ---- */

/* No poll, and no end in sight. */
__attribute__((noinline)) static void count_slowly(void)
{
    for (uint64_t i = g.slow * 1000000; i; i--)
        __asm__ volatile("" : "+r"(i));
}

static uint64_t write_batch(uint64_t writer, uint64_t step, volatile uint64_t *kept)
{
    for (int i = 0; i < BATCH; i++, step++) {
        uint64_t index = step % g.pages;

        write_page(page_of(writer, index), step / g.pages + 1, index != g.skip);
        /* On the stack and not marked. */
        if (kept[step % KEPT_WORDS] != (step < KEPT_WORDS ? 0 : mix(step - KEPT_WORDS)))
            fail("the stack is old at step", step);
        kept[step % KEPT_WORDS] = mix(step);
        STORE(&g_published[writer].words[0], step + 1);
        poll_here();
    }
    if (g.slow)
        count_slowly();
    if (g.rate)
        rest(1000000000ul * BATCH / g.rate);
    return step;
}

static void fault_once(void)
{
    uint64_t nowhere = 8;

    __asm__ volatile("movq (%%rax), %%rax" : "+a"(nowhere) : : "memory");
}

static void writer_main(uint64_t writer)
{
    uint64_t kept[KEPT_WORDS] = {0}, step = 0, ticks = 1ul << (SIGALRM - 1);

    CALL(rt_sigprocmask, SIG_BLOCK, &ticks, 0, 8);
    while (!*(volatile uint64_t *)&g.end) {
        step = write_batch(writer, step, kept);
        if (g.fault)
            fault_once();
        if (!*(volatile uint64_t *)&g.pause)
            continue;
        __atomic_fetch_add(&g.paused, 1, __ATOMIC_SEQ_CST);
        mark(&g.paused);
        while (*(volatile uint64_t *)&g.pause) {
            CALL(sched_yield, 0, 0, 0, 0);
            poll_here();
        }
        __atomic_fetch_sub(&g.paused, 1, __ATOMIC_SEQ_CST);
        mark(&g.paused);
    }
    __atomic_fetch_add(&g.ended, 1, __ATOMIC_SEQ_CST);
    mark(&g.ended);
    for (;;)
        CALL(exit, 0, 0, 0, 0);
}

static void spawn(uint64_t writer)
{
    const uint64_t flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
    /* A guard below it, as libc makes one: the stack is a piece of memory of its own. */
    uint64_t base = (uint64_t)call6(__NR_mmap, 0, STACK_SIZE, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, (uint64_t)-1);
    uint64_t *top = (uint64_t *)(base + STACK_SIZE - 64);
    long result;

    CALL(mprotect, base, PAGE_SIZE, PROT_NONE, 0);
    STORE(&top[0], writer);
    STORE(&top[1], (uint64_t)writer_main);
    __asm__ volatile("xor %%r10d, %%r10d\n"
                     "xor %%r8d, %%r8d\n"
                     "syscall\n"
                     "test %%rax, %%rax\n"
                     "jnz 1f\n"
                     "pop %%rdi\n"
                     "pop %%rax\n"
                     "call *%%rax\n"
                     "1:\n"
                     : "=a"(result)
                     : "a"(__NR_clone), "D"(flags), "S"(top), "d"(0)
                     : "rcx", "r8", "r10", "r11", "memory");
    if (result < 0)
        fail("no thread", writer);
}

/* ---- orders ---- */

static void wait_paused(void)
{
    STORE(&g.pause, 1ul);
    while (*(volatile uint64_t *)&g.paused + *(volatile uint64_t *)&g.ended < g.threads) {
        CALL(sched_yield, 0, 0, 0, 0);
        poll_here();
    }
}

static void check(const char *leaf, uint64_t index)
{
    uint64_t writes = 0;

    for (uint64_t i = 0; i < g.threads; i++)
        writes += check_writer(i);
    answer(leaf, index, 0, 0, writes);
}

/* False: it is to end. */
static bool obey(uint64_t *next, bool pause)
{
    bool stop = exists("stop", 0), asked = exists("check", *next);

    if (!stop && !asked)
        return true;
    if (pause)
        wait_paused();
    if (asked)
        check("result", (*next)++);
    if (stop)
        check("result.stop", 0);
    STORE(&g.end, (uint64_t)stop);
    if (pause)
        STORE(&g.pause, 0ul);
    return !stop;
}

static void run_alone(void)
{
    uint64_t kept[KEPT_WORDS] = {0}, step = 0, next = 1;

    do {
        for (int i = 0; i < 16; i++)
            step = write_batch(0, step, kept);
        check_kernel_writes(step);
        if (g.fault)
            fault_once();
    } while (obey(&next, false));
}

static void run_threads(void)
{
    uint64_t next = 1, step = 0;

    for (uint64_t i = 0; i < g.threads; i++)
        spawn(i);
    do {
        rest(2000000);
        check_kernel_writes(step++);
    } while (obey(&next, true));
    while (*(volatile uint64_t *)&g.ended < g.threads)
        CALL(sched_yield, 0, 0, 0, 0);
}

_Noreturn void begin(uint64_t *stack)
{
    char **argv = (char **)(stack + 1);
    char path[512];

    STORE(&g_directory, argument(argv, "dir"));
    STORE(&g.threads, number(argv, "threads", 1));
    STORE(&g.rate, number(argv, "rate", 0));
    STORE(&g.skip, number(argv, "skip", ~0ul));
    STORE(&g.pages, (number(argv, "mib", 64) << 8) / g.threads);
    STORE(&g.slow, number(argv, "slow", 0));
    STORE(&g.fault, number(argv, "fault", 0) != 0);
    STORE(&g.memory,
          (uint64_t *)call6(__NR_mmap, 0, g.pages * g.threads * PAGE_SIZE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1));
    CALL(pipe2, g.pipe, 0, 0, 0);
    for (uint64_t i = 0; i < g.pages * g.threads; i++) {
        fill_page(g.memory + i * PAGE_WORDS);
        STORE(&g.memory[i * PAGE_WORDS + 2], mix((uint64_t)(g.memory + i * PAGE_WORDS)));
    }
    if (number(argv, "code", 0))
        call6(__NR_mmap, 0, PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
              (uint64_t)-1);
    begin_ticks();
    if (g.fault)
        handle(SIGSEGV, on_fault);
    path_of(path, "ready", 0);
    write_file(path, "ok\n");
    if (g.threads == 1)
        run_alone();
    else
        run_threads();
    for (;;)
        CALL(exit_group, 0, 0, 0, 0);
}
