/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads of the program.  Each has a slot: SLOT_SIZE bytes, aligned, in the tables (so it moves).
 * The slot's head is struct thread; the rest is the stack on which its signal handlers run, and
 * with them the whole runtime.  So the slot of the running thread is found from the stack pointer.
 *
 * A thread is in one of five situations (stop.c opens with how each is stopped):
 * program code, runtime code, a plain boundary call, a blocking boundary call, parked.
 */
#pragma once

#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/ucontext.h>

#include "enclave/runtime.h"
#include "enclave/scheduling.h"

enum {
    SLOT_SIZE = 128 * 1024,
    THREADS_MAX = 4096,
    PENDING_MAX = 32,
    XSAVE_MAX = 12 * 1024, /* AVX-512 needs 2.7 KiB, AMX 11 KiB */
    SIGNAL_COUNT = 64,
};

/* As the kernel lays out a signal frame below its handler's return address. */
struct ucontext_frame {
    uint64_t return_address;
    struct ucontext uc;
    siginfo_t info;
};

/* Where a program thread goes on: filled when it parks, used when it is started or restored. */
struct cpu_state {
    struct sigcontext regs; /* fpstate is ignored */
    uint64_t fs_base, gs_base;
    uint64_t sigmask;    /* of the program; bit n-1 is signal n */
    uint64_t pending;    /* blocked and pending in the kernel at the stop; bit n-1 is signal n */
    uint32_t xsave_size; /* 0: start with a fresh vector state */
    uint32_t reserved;
};

/* What the program has in its registers during a call without a signal (fast_calls.S). */
struct fast_call {
    uint64_t rdi, rsi, rdx, r10, r8, r9, rsp;
    uint64_t flags;       /* as lahf and seto give them */
    const uint64_t *site; /* address of the system call, and its number; program memory */
    uint64_t result;
    uint64_t rbx, rbp, r12, r13, r14, r15; /* written down for fast_call_leave only */
    uint64_t interrupted;                  /* the call is to be made again */
};

enum { ATTENTION_STOP = 1, ATTENTION_SIGNAL = 2 };

enum thread_state { THREAD_FREE = 0, THREAD_STARTING, THREAD_LIVE, THREAD_EXITING };

struct thread {
    volatile uint32_t state; /* enum thread_state */
    volatile uint32_t
        host_tid; /* written and, when the thread is gone, cleared and woken by the kernel */
    uint32_t tid; /* the program's view, stable over moves */
    volatile uint32_t attention;    /* ATTENTION_*; not zero: leave blocking calls */
    volatile uint32_t parked;       /* stop.c */
    volatile uint32_t parking;      /* from before its pending signals are read until it goes on */
    volatile uint64_t pending_late; /* signals sent to it by other threads since then; bit n-1 */
    struct lock signal_lock;        /* between who sends it a signal and its parking */
    uint32_t reserved;
    struct fast_call fast;
    uint64_t faults_blocked; /* SIGSEGV, SIGBUS: blocked by the program, though not in the kernel */
    uint32_t restored;       /* the kernel thread was made for a thread that was moved here */
    uint32_t pending_count;
    siginfo_t pending[PENDING_MAX]; /* arrived while in the runtime, not yet delivered */
    struct cpu_state cpu;
    uint64_t clear_child_tid; /* program address or 0 */
    uint64_t robust_list, robust_list_length;
    stack_t altstack; /* the program's, emulated */

    /* A blocking call that was interrupted by a stop and is to be made again: its absolute end. */
    uint64_t restart_pc; /* address of the syscall instruction; 0: none */
    long restart_nr;
    uint64_t restart_deadline_ns; /* CLOCK_MONOTONIC of the program; UINT64_MAX: none */

    uint64_t saved_sigmask; /* to be restored after rt_sigsuspend, ppoll, ... deliver a signal */
    bool has_saved_sigmask;

    /* Program buffers that the kernel may write during the call under way (guard.h). */
    volatile uint32_t kernel_write_count;
    struct {
        uint64_t start, end;
    } kernel_write[8];

    /* Stacks, for the barrier tracker (cards.h). */
    uint64_t stack_top;      /* where its stack began; 0: it has unmapped it, and will only end */
    uint64_t left_stack_at;  /* its stack pointer when a handler began on the alternate stack */
    uint64_t kicked_at;      /* program counter when last told to stop; 0: in a call */
    uint64_t call_left_at;   /* where its last system call left it, a safepoint; 0: none */
    uint32_t poll_requested; /* a signal waits for its next safepoint (safepoint.h) */
    uint32_t reserved_too;

    struct scheduling scheduling;
    char name[16];
    uint64_t syscalls; /* dispatched */
    uint8_t xsave[XSAVE_MAX] __attribute__((aligned(64)));
};

static inline struct thread *thread_current(void)
{
    return (struct thread *)OM_ALIGN_DOWN((uint64_t)__builtin_frame_address(0), SLOT_SIZE);
}

struct thread_table {
    struct lock lock;
    volatile uint32_t slot_limit; /* slots below this index have been used */
    uint32_t process_id;          /* the program's view */
    uint32_t next_tid;
    volatile uint32_t live; /* threads that are STARTING or LIVE */
};

struct thread *thread_slot(uint32_t index); /* whatever its state */
struct thread *thread_find(uint32_t tid);   /* NULL: no live thread has that id */

/* Takes a free slot; NULL: too many threads.  The caller fills cpu and calls thread_launch. */
struct thread *thread_allocate(void);
/* Gives it a kernel thread that goes on at thread->cpu.  0 or -errno (the slot is then free again).
 */
long thread_launch(struct thread *thread);

/* In the program's view the process and thread ids are virtual.  0 or -ESRCH. */
long thread_translate_tid(uint32_t tid, uint32_t *out_host_tid);

/* The calling thread leaves for good; the last one ends the process, with this status. */
_Noreturn void thread_exit(struct thread *thread, uint64_t status);

/* Builds a kernel signal frame from thread->cpu on its own slot's stack and goes there. */
_Noreturn void thread_enter(struct thread *thread);
