/* SPDX-License-Identifier: Apache-2.0 */
/* Linked in by --allow-untracked: this program has code that marks nothing (CARD_NOTE_UNTRACKED). */
	.section .note.optmig,"a",@note
	.balign 4
	.long 7, 20, 1
	.asciz "OptMig"
	.balign 4
	.long 3, 3, 0, 0, 0
	.section .note.GNU-stack,"",@progbits
