/* SPDX-License-Identifier: MIT */
/* First instruction of an incarnation: phoenix has set the stack, RDI = 0. */
	.section .text.start, "ax", @progbits
	.globl	_start
	.type	_start, @function
_start:
	xorl	%ebp, %ebp
	andq	$-16, %rsp
	/* place_info.seed; its low byte 0 stops strings that run over. */
	movl	$0x20000048, %eax
	movq	(%rax), %rax
	movb	$0, %al
	movq	%rax, __stack_chk_guard
	call	main
	ud2
	.size	_start, . - _start

	.section .note.GNU-stack, "", @progbits
