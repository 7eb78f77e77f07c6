/* SPDX-License-Identifier: Apache-2.0 */
/* Card table and poll page of a program (boundary/card.h); optmig-cc links it in, and tells the linker where they belong. */
	.section .optmig_cards,"aw",@nobits
	.balign 4096
	.globl __optmig_cards_v1
	.type __optmig_cards_v1,@object
	.size __optmig_cards_v1,0x10000000
__optmig_cards_v1:
	.zero 0x10000000

	.section .optmig_poll,"aw",@nobits
	.balign 4096
	.globl __optmig_poll_v1
	.type __optmig_poll_v1,@object
	.size __optmig_poll_v1,4096
__optmig_poll_v1:
	.zero 4096

	.section .note.GNU-stack,"",@progbits
