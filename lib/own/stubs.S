/* SPDX-License-Identifier: MIT */
/*
 * Where a program begins, its note, and a stub for each call that needs no
 * more than its number (library.c has the others).
 *
 * All stubs end in own_call (enter.S), the one place that enters the system.
 * Arguments are in the registers of C functions, the number is in RAX.
 */
	.section .note.bennu.abi, "a", @note
	.balign	4
	.long	6, 4, 1			/* sizes, BENNU_NOTE_TYPE */
	.asciz	"Bennu"
	.balign	4
	.long	1			/* BENNU_ABI_VERSION */

	.text
	.globl	_start
	.type	_start, @function
_start:
	xorl	%ebp, %ebp
	movq	%rsp, %rdi
	andq	$-16, %rsp
	call	own_begin
	ud2

	/* The result; errors as -1 with errno. */
	.globl	own_checked
own_checked:
	subq	$8, %rsp
	call	own_call
	addq	$8, %rsp
	cmpq	$-4095, %rax
	jae	1f
	ret
1:	movq	%rax, %rdi
	jmp	bennu_result

	/* long bennu_call(long number, ...) */
	.globl	bennu_call
	.type	bennu_call, @function
bennu_call:
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %rcx
	movq	%r9, %r8
	movq	8(%rsp), %r9
	jmp	own_call

	.macro	STUB number, name
	/* The library does more than that for these. */
	.set	is_other, 0
	.irp	other, brk, nice, getpriority
	.ifc	\name, \other
	.set	is_other, 1
	.endif
	.endr
	.if	is_other == 0
	.globl	\name
	.type	\name, @function
\name:
	movl	$\number, %eax
	jmp	own_checked
	.size	\name, . - \name
	.endif
	.endm

#define CALL(number, NAME, name, arguments, linux) STUB number, name
#include <bennu/calls.def>

	.section .note.GNU-stack, "", @progbits
