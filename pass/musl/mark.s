# SPDX-License-Identifier: Apache-2.0
# What musl's assembly writes through a pointer it marks itself: a caller's mark would come after the system call that
# sigsetjmp ends with, and not at all if it calls by a pointer.  Stands in front of the sources that need it; spoils rcx.
# The card's place is boundary/card.h's.
	.macro optmig_mark place
	lea \place,%rcx
	shr $12,%rcx
	movb $1,__optmig_cards_v3(%rcx)
	.endm
