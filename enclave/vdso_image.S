/* SPDX-License-Identifier: Apache-2.0 */
/* The vDSO as data of the runtime.  Its system call instructions belong to the program. */
        .section .rodata.vdso, "a", @progbits
        .balign 4096
        .globl vdso_image_start, vdso_image_end
vdso_image_start:
        .incbin "optmig-vdso.so"
vdso_image_end:
        .section .note.GNU-stack, "", @progbits
