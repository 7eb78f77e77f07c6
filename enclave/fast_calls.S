/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a trampoline into the dispatcher and back (fast_calls.h).  A system call changes %rax, %rcx
 * and %r11 and nothing else, the flags included; what C changes is kept in the slot, not on a stack:
 * a signal that comes while %rsp is the program's is given the slot's stack from its top.
 */
#include "enclave/offsets.h"

/* From the thread at %rcx. */
        .macro  load_arguments
        mov     FAST_ASM+0(%rcx), %rdi
        mov     FAST_ASM+8(%rcx), %rsi
        mov     FAST_ASM+16(%rcx), %rdx
        mov     FAST_ASM+24(%rcx), %r10
        mov     FAST_ASM+32(%rcx), %r8
        mov     FAST_ASM+40(%rcx), %r9
        .endm

        .text

/* %rcx: the trampoline's record, address of the system call and its number.  %r11, %rax: free. */
        .globl fast_call_entry
        .type fast_call_entry, @function
fast_call_entry:
        jmp     *g_fast_call_way(%rip)

/* As if there were no trampoline. */
        .globl fast_call_decline
        .type fast_call_decline, @function
fast_call_decline:
        mov     8(%rcx), %rax
        mov     (%rcx), %r11
        jmp     *%r11

        .globl fast_call_accept
        .type fast_call_accept, @function
fast_call_accept:
        seto    %al
        lahf
        rdgsbase %r11
        /* A slot's address: turned so that the bits that must be zero come to the top. */
        ror     $SLOT_SHIFT_ASM, %r11
        cmp     $SLOT_FIRST_ASM, %r11
        jb      not_mine
        cmp     $SLOT_LAST_ASM, %r11
        ja      not_mine
        rol     $SLOT_SHIFT_ASM, %r11
        mov     %rdi, FAST_ASM+0(%r11)
        mov     %rsi, FAST_ASM+8(%r11)
        mov     %rdx, FAST_ASM+16(%r11)
        mov     %r10, FAST_ASM+24(%r11)
        mov     %r8, FAST_ASM+32(%r11)
        mov     %r9, FAST_ASM+40(%r11)
        mov     %rsp, FAST_ASM+48(%r11)
        mov     %rax, FAST_ASM+56(%r11)
        mov     %rcx, FAST_ASM+64(%r11)
        lea     SLOT_SIZE_ASM(%r11), %rsp
        pushfq
        testl   $0x40400, (%rsp)        /* AC, DF: not as C wants them */
        jnz     3f
        sub     $8, %rsp
        mov     %r11, %rdi
        call    fast_call               /* enum fast_way */
        cmp     $1, %eax
        je      2f
        ja      3f

        .globl fast_call_leave_begin, fast_call_leave_end
fast_call_leave_begin:
        mov     %rsp, %rcx
        and     $-SLOT_SIZE_ASM, %rcx
        cmpl    $0, THREAD_ATTENTION_ASM(%rcx)
        jne     2f
        load_arguments
        mov     FAST_ASM+64(%rcx), %r11
        mov     (%r11), %r11
        mov     FAST_ASM+56(%rcx), %rax
        add     $0x7f, %al              /* OF */
        sahf
        lea     2(%r11), %r11           /* behind the system call */
        mov     FAST_ASM+72(%rcx), %rax
        mov     FAST_ASM+48(%rcx), %rsp
        jmp     *%r11
fast_call_leave_end:

/* By a frame: the registers that C has kept are the program's again. */
2:      mov     %rsp, %rdi
        and     $-SLOT_SIZE_ASM, %rdi
        mov     %rbx, FAST_ASM+80(%rdi)
        mov     %rbp, FAST_ASM+88(%rdi)
        mov     %r12, FAST_ASM+96(%rdi)
        mov     %r13, FAST_ASM+104(%rdi)
        mov     %r14, FAST_ASM+112(%rdi)
        mov     %r15, FAST_ASM+120(%rdi)
        sub     $8192, %rsp             /* thread_enter builds the frame at the top */
        call    fast_call_leave
        ud2

/* The call is not made here after all. */
3:      mov     %rsp, %rcx
        and     $-SLOT_SIZE_ASM, %rcx
        load_arguments
        mov     FAST_ASM+56(%rcx), %rax
        mov     FAST_ASM+48(%rcx), %rsp
        mov     FAST_ASM+64(%rcx), %rcx
not_mine:
        add     $0x7f, %al
        sahf
        jmp     fast_call_decline

        .section .note.GNU-stack, "", @progbits
