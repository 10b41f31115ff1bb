/* SPDX-License-Identifier: MIT */
/* In place of lib/own/enter.S: the call is translated by calls.c. */
	.text
	.globl	own_call
	.type	own_call, @function
own_call:
	pushq	%r9
	movq	%r8, %r9
	movq	%rcx, %r8
	movq	%rdx, %rcx
	movq	%rsi, %rdx
	movq	%rdi, %rsi
	movq	%rax, %rdi
	call	host_call
	addq	$8, %rsp
	ret
	.size	own_call, . - own_call

	/* What a handler returns to. */
	.globl	host_return
	.type	host_return, @function
host_return:
	movl	$15, %eax
	syscall
	ud2
	.size	host_return, . - host_return

	.section .note.GNU-stack, "", @progbits
