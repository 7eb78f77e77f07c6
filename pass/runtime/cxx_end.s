/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a C++ program, in the place of the compiler's crtend.o: optmig-cc links it behind everything else. */
	/* The unwinder looks for functions that have no entry in .eh_frame (libc's) up to this zero. */
	.section .eh_frame,"a",@progbits
	.balign 8
	.long 0

	/* What destructors of static objects are registered with (__cxa_atexit): there are no shared objects. */
	.section .rodata,"a",@progbits
	.balign 8
	.globl __dso_handle
	.hidden __dso_handle
__dso_handle:
	.quad 0

	.include "note.s"
	.section .note.GNU-stack,"",@progbits
