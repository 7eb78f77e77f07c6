/* SPDX-License-Identifier: Apache-2.0 */
/* The first object of a program of fuzz_marks: where the memory begins that is checked. */
	.data
	.balign 4096
	.globl marks_begin
marks_begin:
	.quad 0
	.section .note.GNU-stack,"",@progbits
