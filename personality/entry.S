/* SPDX-License-Identifier: MIT */
/*
 * The ways into and out of the libOS.
 *
 * redirect_entry	the program's SYSCALL: all registers are the program's
 *			but RCX and R11; the return address is in the UTCB
 * upcall_entry		an exception, or a kick in program code: everything is
 *			in the frame of the UTCB
 * child_entry		first instruction of a forked child
 *
 * On each the stack pointer is still the program's. Nothing may be pushed
 * before it was exchanged: below it lies the red zone, or no memory at all.
 *
 * The way out after a call is a restartable window. Each of its instructions
 * only reads the thread block and the UTCB, so a kick that finds the thread
 * anywhere inside moves it back to window_low, where the flag is looked at
 * again; RAX, the result, is not touched. The jump to the program is the last
 * instruction.
 */
#include "thread.h"

#define UTCB_ADDRESS	0x7e0000100000
#define UTCB_RIP	0
#define UTCB_KICK	8

#define NATIVE_RESUME	-38

	/* Faulting instructions and their fix-ups; a zero ends the table. */
	.section .rodata.fixup, "a"
	.balign	8
	.globl	user_fixup_table
user_fixup_table:

	.macro	STORE_CALLEE_SAVED
	movq	%rbx, %gs:TB_RBX
	movq	%rbp, %gs:TB_RBP
	movq	%r12, %gs:TB_R12
	movq	%r13, %gs:TB_R13
	movq	%r14, %gs:TB_R14
	movq	%r15, %gs:TB_R15
	.endm

	/* struct libos_header: the first bytes of the image. */
	.section .text.start, "ax"
	.quad	0x534f42494c4e4542
	.quad	2
	.quad	redirect_entry
	.quad	upcall_entry
	.quad	window_low
	.quad	window_high
	.quad	thread_block
	.quad	libos_view

	.globl	_start
_start:
	leaq	thread_block(%rip), %rax
	movq	TB_STACK(%rax), %rsp
	xorl	%ebp, %ebp
	call	libos_start
	ud2

	.text
	.globl	redirect_entry
	.type	redirect_entry, @function
redirect_entry:
	cld
	movq	%rsp, %gs:TB_RSP
	movq	%rdi, %gs:TB_RDI
	movq	%rsi, %gs:TB_RSI
	movq	%rdx, %gs:TB_RDX
	movq	%r10, %gs:TB_R10
	movq	%r8, %gs:TB_R8
	movq	%r9, %gs:TB_R9
	movq	%rax, %gs:TB_NUMBER
	movq	%gs:TB_STACK, %rsp
	cmpq	$CALL_COUNT, %rax
	jae	unknown_number
	movq	%r10, %rcx
	movq	%gs:TB_TABLE, %r11
	call	*(%r11, %rax, 8)
window_low:
	movabsq	$UTCB_ADDRESS, %rcx
	cmpq	$0, UTCB_KICK(%rcx)
	jne	slow_exit
	movq	%gs:TB_RDI, %rdi
	movq	%gs:TB_RSI, %rsi
	movq	%gs:TB_RDX, %rdx
	movq	%gs:TB_R10, %r10
	movq	%gs:TB_R8, %r8
	movq	%gs:TB_R9, %r9
	movq	%gs:TB_RSP, %rsp
	jmp	*UTCB_RIP(%rcx)
window_high:
	.size	redirect_entry, . - redirect_entry

unknown_number:
	call	call_unknown
	jmp	window_low

	/* A signal may be waiting: store what C would lose, never return. */
slow_exit:
	movq	%gs:TB_STACK, %rsp
	STORE_CALLEE_SAVED
	xorl	%ebp, %ebp
	movq	%rax, %rdi
	call	signal_slow_exit
	ud2

	/*
	 * Calls that look at, or replace, the whole register set. Under the
	 * tracer the registers are C's by now, and were stored before.
	 */
	.macro	FULL name
	.globl	full_\name
full_\name:
	leaq	table_traced(%rip), %rax
	cmpq	%rax, %gs:TB_TABLE
	je	\name
	STORE_CALLEE_SAVED
	jmp	\name
	.endm

	.globl	trace_enter
trace_enter:
	STORE_CALLEE_SAVED
	jmp	trace_call

	FULL	linux_fork
	FULL	linux_vfork
	FULL	linux_clone
	FULL	linux_rt_sigreturn
	FULL	linux_arch_prctl

	.globl	upcall_entry
upcall_entry:
	cld
	movq	%gs:TB_UPCALL, %rsp
	xorl	%ebp, %ebp
	call	upcall_first	/* returns only for a fault of the program */
	movq	%gs:TB_STACK, %rsp
	call	upcall_program
	ud2

	.globl	child_entry
child_entry:
	cld
	movq	%gs:TB_STACK, %rsp
	xorl	%ebp, %ebp
	call	process_child
	ud2

	/* The frame lies in the UTCB already. */
	.globl	thread_resume_now
thread_resume_now:
	movq	$NATIVE_RESUME, %rax
	syscall
	ud2

	/*
	 * Memory of the program. Each faulting instruction has a line in the
	 * table: its address, and where to go on.
	 */
	.macro	FIXUP at, to
	.pushsection .rodata.fixup, "a"
	.quad	\at, \to
	.popsection
	.endm

	.globl	user_copy_raw
user_copy_raw:
	movq	%rdx, %rcx
	shrq	$3, %rcx
	andl	$7, %edx
1:	rep movsq
	movl	%edx, %ecx
2:	rep movsb
3:	movq	%rcx, %rax
	ret
4:	leaq	(%rdx, %rcx, 8), %rax
	ret
	FIXUP	1b, 4b
	FIXUP	2b, 3b

	.globl	user_zero_raw
user_zero_raw:
	movq	%rsi, %rcx
	xorl	%eax, %eax
	movl	%esi, %edx
	shrq	$3, %rcx
	andl	$7, %edx
1:	rep stosq
	movl	%edx, %ecx
2:	rep stosb
3:	movq	%rcx, %rax
	ret
4:	leaq	(%rdx, %rcx, 8), %rax
	ret
	FIXUP	1b, 4b
	FIXUP	2b, 3b

	.globl	user_string_raw
user_string_raw:
	xorl	%eax, %eax
1:	cmpq	%rdx, %rax
	jae	3f
2:	movb	(%rsi, %rax), %cl
	movb	%cl, (%rdi, %rax)
	testb	%cl, %cl
	je	3f
	incq	%rax
	jmp	1b
3:	ret
4:	movq	$-14, %rax
	ret
	FIXUP	2b, 4b

	.globl	user_set_fs_base
user_set_fs_base:
1:	wrfsbase %rdi
	xorl	%eax, %eax
	ret
	.globl	user_get_fs_base
user_get_fs_base:
2:	rdfsbase %rcx
	movq	%rcx, (%rdi)
	xorl	%eax, %eax
	ret
3:	movl	$1, %eax
	ret
	FIXUP	1b, 3b
	FIXUP	2b, 3b

	.globl	vector_xsave
vector_xsave:
	movl	%esi, %eax
	movq	%rsi, %rdx
	shrq	$32, %rdx
	xsave64	(%rdi)
	ret
	.globl	vector_fxsave
vector_fxsave:
	fxsave64 (%rdi)
	ret
	.globl	user_xrstor
user_xrstor:
	movl	%esi, %eax
	movq	%rsi, %rdx
	shrq	$32, %rdx
1:	xrstor64 (%rdi)
	xorl	%eax, %eax
	ret
	.globl	user_fxrstor
user_fxrstor:
2:	fxrstor64 (%rdi)
	xorl	%eax, %eax
	ret
	FIXUP	1b, 3b
	FIXUP	2b, 3b

	.section .rodata.fixup, "a"
	.quad	0, 0

	.section .note.GNU-stack, "", @progbits
