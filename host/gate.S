/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The assembly rows of boundary/calls.def: what program threads call.  No C, no TLS, no stack use
 * beyond the return address, so they work with any FS base and on the enclave's stacks.
 *
 *   host_gate_blocking_begin .. _end   between looking at the attention word and the system call
 *   host_gate_sigreturn_begin .. _end  between the runtime's last look and rt_sigreturn
 * The runtime's signal handler compares the interrupted program counter with these windows.
 */
        .text

/* long host_gate_syscall(long nr, a0, a1, a2, a3, a4, a5) */
        .globl host_gate_syscall
        .type host_gate_syscall, @function
host_gate_syscall:
        mov     %rdi, %rax
        mov     %rsi, %rdi
        mov     %rdx, %rsi
        mov     %rcx, %rdx
        mov     %r8, %r10
        mov     %r9, %r8
        mov     8(%rsp), %r9
        syscall
        ret

/* long host_gate_syscall_blocking(long nr, const uint64_t args[6], const volatile uint32_t *attention) */
        .globl host_gate_syscall_blocking, host_gate_blocking_begin, host_gate_blocking_end
        .globl host_gate_blocking_cancel
        .type host_gate_syscall_blocking, @function
host_gate_syscall_blocking:
        mov     %rdi, %rax
        mov     %rdx, %r11
        mov     40(%rsi), %r9
        mov     32(%rsi), %r8
        mov     24(%rsi), %r10
        mov     16(%rsi), %rdx
        mov     (%rsi), %rdi
        mov     8(%rsi), %rsi
host_gate_blocking_begin:
        cmpl    $0, (%r11)
        jne     host_gate_blocking_cancel
        syscall
host_gate_blocking_end:
        ret
host_gate_blocking_cancel:
        mov     $-600, %rax             /* -OM_ECANCELLED */
        ret

/* long host_gate_thread_create(void *stack_top, void (*entry)(void *), void *argument, uint32_t *tid) */
        .globl host_gate_thread_create
        .type host_gate_thread_create, @function
host_gate_thread_create:
        mov     %rsi, %r9               /* entry; the child inherits all registers but rax, rcx, r11 */
        mov     %rdx, %r8               /* argument, in the place of clone's unused tls */
        mov     %rdi, %rsi              /* stack */
        mov     %rcx, %rdx              /* parent tid */
        mov     %rcx, %r10              /* child tid, cleared at its end */
        mov     $0x00350f00, %edi       /* VM|FS|FILES|SIGHAND|THREAD|SYSVSEM|PARENT_SETTID|CHILD_CLEARTID */
        mov     $56, %eax
        syscall
        test    %rax, %rax
        jz      1f
        ret
1:      xor     %ebp, %ebp
        mov     %r8, %rdi
        call    *%r9
        ud2

        .globl host_gate_thread_exit
        .type host_gate_thread_exit, @function
host_gate_thread_exit:
        xor     %edi, %edi
        mov     $60, %eax
        syscall
        ud2

/* void host_gate_sigreturn(void *frame) */
        .globl host_gate_sigreturn, host_gate_sigreturn_end
        .type host_gate_sigreturn, @function
host_gate_sigreturn:
        lea     8(%rdi), %rsp
        mov     $15, %eax
        syscall
host_gate_sigreturn_end:
        ud2

/* The kernel wants a restorer; the runtime's handler never returns through it. */
        .globl host_gate_restorer
host_gate_restorer:
        mov     $15, %eax
        syscall
        ud2

/* long host_gate_ecall(entry, number, argument, stack_index): the enclave switches stacks itself. */
        .globl host_gate_ecall
        .type host_gate_ecall, @function
host_gate_ecall:
        push    %rbp
        push    %rbx
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        sub     $8, %rsp
        mov     %rdi, %rax
        mov     %rsi, %rdi
        mov     %rdx, %rsi
        mov     %rcx, %rdx
        call    *%rax
        add     $8, %rsp
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbx
        pop     %rbp
        ret

        .section .note.GNU-stack, "", @progbits
