/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Card table and poll page of a program (boundary/card.h), and where it begins; optmig-cc links it
 * in, and tells the linker where the sections belong.
 */
	.section .optmig_cards,"aw",@nobits
	.balign 4096
	.globl __optmig_cards_v3
	.type __optmig_cards_v3,@object
	.size __optmig_cards_v3,0x10000000
__optmig_cards_v3:
	.zero 0x10000000

	.section .optmig_poll,"aw",@nobits
	.balign 4096
	.globl __optmig_poll_v3
	.type __optmig_poll_v3,@object
	.size __optmig_poll_v3,4096
__optmig_poll_v3:
	.zero 4096

/* In an enclave, whose addresses end at 2^40, the table is enough; its loader has set the first card,
 * of no page, to say so.  Natively the cards of addresses up to 2^47 follow the poll page: 32 GiB of
 * addresses, of which a program touches a few pages.  No mark may come before this. */
	.set REST, 0x70001000		/* behind the poll page */
	.set REST_SIZE, 0x860000000 - REST
	.text
	.weak _start
	.globl __optmig_start
	.type __optmig_start,@function
__optmig_start:
	cmpb $0, __optmig_cards_v3
	jne _start
	movl $9, %eax			/* mmap */
	movl $REST, %edi
	movabsq $REST_SIZE, %rsi
	movl $3, %edx			/* PROT_READ | PROT_WRITE */
	movl $0x104022, %r10d		/* MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE */
	movq $-1, %r8
	xorl %r9d, %r9d
	syscall
	cmpq $REST, %rax
	je _start
	movl $1, %eax			/* write(2, ...) */
	movl $2, %edi
	movl $.Lwhy, %esi
	movl $.Lwhy_end - .Lwhy, %edx
	syscall
	movl $231, %eax			/* exit_group(127) */
	movl $127, %edi
	syscall
	hlt
	.size __optmig_start, . - __optmig_start

	.section .rodata
.Lwhy:
	.ascii "optmig: this program needs 32 GiB of addresses for its marks, and got none "
	.ascii "(ulimit -v, or vm.overcommit_memory = 2?); under `optmig run` it does not\n"
.Lwhy_end:

	.section .note.GNU-stack,"",@progbits
