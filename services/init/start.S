/* SPDX-License-Identifier: MIT */
/* The kernel has set the stack; RDI = struct boot_info. */
	.section .text.start, "ax", @progbits
	.globl	_start
	.type	_start, @function
_start:
	xorl	%ebp, %ebp
	andq	$-16, %rsp
	call	init_main
	ud2
	.size	_start, . - _start

	.section .note.GNU-stack, "", @progbits
