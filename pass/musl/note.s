
	.pushsection .note.optmig,"a",@note
	.balign 4
	.long 7, 20, 1
	.asciz "OptMig"
	.balign 4
	.long 3, 1, 0, 0, 0
	.popsection
