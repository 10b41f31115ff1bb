/* SPDX-License-Identifier: MIT */
/* Stands in for init: shows that the kernel entered user space. */
	.section .text
	.globl	_start
_start:
	ud2

	.section .note.GNU-stack, "", @progbits
