/* SPDX-License-Identifier: Apache-2.0 */
/* The last object of a program of fuzz_marks: a place for thread-local data, and where the memory ends that is checked. */
	.bss
	.balign 4096
	.globl marks_tls, marks_end
marks_tls:
	.zero 8192
marks_end:
	.zero 4096
	.section .note.GNU-stack,"",@progbits
