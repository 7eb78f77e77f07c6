/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways into the runtime.
 *
 *   runtime_entry         ECALL, on a host thread: changes to an ECALL stack in local memory
 *   signal_entry          every signal of a program thread, on its slot's stack
 *   signal_leave_begin    the way back into the program: look at the attention word, then rt_sigreturn
 *      .. signal_leave_end
 *   access_copy           copies to or from program memory; a fault in it makes it return early
 *
 * An order that arrives between the look and rt_sigreturn finds the program counter in
 * [signal_leave_begin, signal_leave_end) or in host/gate.S's sigreturn window; signal.c moves it back to
 * signal_leave_begin, where everything but %rbx (the frame) is made anew.
 */
#include "enclave/offsets.h"

        .text

/* long runtime_entry(number, argument, stack index) */
        .globl runtime_entry
        .type runtime_entry, @function
runtime_entry:
        push    %rbp
        mov     %rsp, %rbp
        and     $15, %edx
        inc     %rdx
        shl     $20, %rdx               /* ECALL_STACK_SIZE */
        movabs  $ECALL_STACKS_BASE_ASM, %rax
        add     %rdx, %rax
        mov     %rax, %rsp
        cld
        call    ecall_dispatch
        mov     %rbp, %rsp
        pop     %rbp
        ret

/* void signal_entry(int signal, siginfo_t *info, struct ucontext *uc), with the frame at rsp */
        .globl signal_entry
        .type signal_entry, @function
signal_entry:
        mov     %rsp, %rbx
        lea     -128(%rbx), %rsp
        and     $-16, %rsp
        cld
        call    signal_handle
        test    %eax, %eax
        jz      nested                  /* it interrupted the runtime or the host: back there at once */

        .globl signal_leave_begin, signal_leave_end
signal_leave_begin:
        lea     -128(%rbx), %rsp
        and     $-16, %rsp
        mov     %rsp, %rax
        and     $-SLOT_SIZE_ASM, %rax
        cmpl    $0, THREAD_ATTENTION_ASM(%rax)
        jne     1f
        mov     %rbx, %rdi
        jmp     *g_host_sigreturn(%rip)
signal_leave_end:
1:      mov     %rbx, %rdi
        call    signal_leave
        jmp     signal_leave_begin

nested:
        mov     %rbx, %rsp
        ret                             /* to the restorer, which is in no window */

/* void signal_resume(frame): a thread that has only a frame goes the way of all others */
        .globl signal_resume
        .type signal_resume, @function
signal_resume:
        mov     %rdi, %rbx
        lea     -128(%rbx), %rsp
        jmp     signal_leave_begin

/* long access_copy(to, from, length): 0, or -EFAULT by way of access_copy_fault */
        .globl access_copy, access_copy_end, access_copy_fault
        .type access_copy, @function
access_copy:
        mov     %rdx, %rcx
        rep movsb
access_copy_end:
        xor     %eax, %eax
        ret
access_copy_fault:
        mov     $-14, %rax
        ret

        .section .note.GNU-stack, "", @progbits
