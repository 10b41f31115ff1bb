/* SPDX-License-Identifier: MIT */
/*
 * Ways into the kernel and out of it.
 *
 * A SYSCALL from outside the native range of the thread is turned around: the
 * program counter goes to utcb.redirect_rip and user mode continues at the
 * redirect entry, on the program's own stack. RCX and R11 are lost, which the
 * program expects of a SYSCALL; flags start clean for the handler.
 *
 * All other entries store the registers in the frame of the current thread
 * (at its offset 0), load the stack of the CPU, and make cpu.epoch odd with a
 * locked instruction: a lookup must not pass it. There is one way out: the
 * registers of cpu.current, by SYSRET if only those that a call keeps matter,
 * by IRET if frame_full says all do.
 *
 * The stack pointer is the thread pointer for a while. That is safe: interrupts
 * are off, and what cannot be held off (NMI, #MC, #DB, #DF) has its own stack.
 */
#include <machine/layout.h>

	.text
	.p2align 4
	.globl	syscall_stub
syscall_stub:
	swapgs
	movq	%rsp, %gs:CPU_SCRATCH
	movq	%gs:CPU_CURRENT, %rsp
	cmpq	THREAD_NATIVE_LOW(%rsp), %rcx
	jb	redirect
	cmpq	THREAD_NATIVE_HIGH(%rsp), %rcx
	jae	redirect

	movq	%rax, FRAME_RAX(%rsp)
	movq	%rbx, FRAME_RBX(%rsp)
	movq	%rdx, FRAME_RDX(%rsp)
	movq	%rsi, FRAME_RSI(%rsp)
	movq	%rdi, FRAME_RDI(%rsp)
	movq	%rbp, FRAME_RBP(%rsp)
	movq	%r8, FRAME_R8(%rsp)
	movq	%r9, FRAME_R9(%rsp)
	movq	%r10, FRAME_R10(%rsp)
	movq	%r12, FRAME_R12(%rsp)
	movq	%r13, FRAME_R13(%rsp)
	movq	%r14, FRAME_R14(%rsp)
	movq	%r15, FRAME_R15(%rsp)
	movq	%rcx, FRAME_RIP(%rsp)
	movq	%r11, FRAME_RFLAGS(%rsp)
	movq	%rsp, %rdi
	movq	%gs:CPU_SCRATCH, %rax
	movq	%rax, FRAME_RSP(%rdi)
	movq	%gs:CPU_STACK, %rsp
	lock incq %gs:CPU_EPOCH
	cmpq	$SYSCALL_CALL, FRAME_RAX(%rdi)
	je	1f
	cmpq	$SYSCALL_REPLY_WAIT, FRAME_RAX(%rdi)
	je	2f
	call	syscall_entry
3:	cmpb	$0, %gs:CPU_EXIT_WORK
	jne	exit_slow

exit_fast:
	incq	%gs:CPU_EPOCH
	movq	%gs:CPU_CURRENT, %rsp
	cmpb	$0, THREAD_FRAME_FULL(%rsp)
	jne	exit_full
	movq	FRAME_RAX(%rsp), %rax
	movq	FRAME_RBX(%rsp), %rbx
	movq	FRAME_RDX(%rsp), %rdx
	movq	FRAME_RSI(%rsp), %rsi
	movq	FRAME_RDI(%rsp), %rdi
	movq	FRAME_RBP(%rsp), %rbp
	movq	FRAME_R8(%rsp), %r8
	movq	FRAME_R9(%rsp), %r9
	movq	FRAME_R10(%rsp), %r10
	movq	FRAME_R12(%rsp), %r12
	movq	FRAME_R13(%rsp), %r13
	movq	FRAME_R14(%rsp), %r14
	movq	FRAME_R15(%rsp), %r15
	movq	FRAME_RIP(%rsp), %rcx
	movq	FRAME_RFLAGS(%rsp), %r11
	movq	FRAME_RSP(%rsp), %rsp
	swapgs
	sysretq

1:	call	ipc_call_fast
	jmp	3b
2:	call	ipc_reply_wait_fast
	jmp	3b

	.p2align 4
redirect:
	movq	THREAD_UTCB(%rsp), %r11
	movq	%rcx, (%r11)		/* utcb.redirect_rip */
	movq	THREAD_REDIRECT_ENTRY(%rsp), %rcx
	movl	$0x202, %r11d		/* interrupts on, all else clear */
	movq	%gs:CPU_SCRATCH, %rsp
	swapgs
	sysretq

/* void arch_enter_user(void): leaves for current, whatever the frame needs. */
	.globl	arch_enter_user
arch_enter_user:
	movq	%gs:CPU_STACK, %rsp
	jmp	exit_fast

exit_slow:
	call	kernel_exit
	jmp	exit_fast

/*
 * Interrupts are off from here to IRET, and the five words it takes cannot
 * fault: arch_frame_sanitize() saw to it or hardware stored them.
 */
exit_full:
	movq	%rsp, %rdi
	movq	%gs:CPU_STACK, %rsp
	movb	$0, THREAD_FRAME_FULL(%rdi)
	pushq	$SELECTOR_USER_DATA
	pushq	FRAME_RSP(%rdi)
	pushq	FRAME_RFLAGS(%rdi)
	pushq	$SELECTOR_USER_CODE
	pushq	FRAME_RIP(%rdi)
	movq	FRAME_RAX(%rdi), %rax
	movq	FRAME_RBX(%rdi), %rbx
	movq	FRAME_RCX(%rdi), %rcx
	movq	FRAME_RDX(%rdi), %rdx
	movq	FRAME_RSI(%rdi), %rsi
	movq	FRAME_RBP(%rdi), %rbp
	movq	FRAME_R8(%rdi), %r8
	movq	FRAME_R9(%rdi), %r9
	movq	FRAME_R10(%rdi), %r10
	movq	FRAME_R11(%rdi), %r11
	movq	FRAME_R12(%rdi), %r12
	movq	FRAME_R13(%rdi), %r13
	movq	FRAME_R14(%rdi), %r14
	movq	FRAME_R15(%rdi), %r15
	movq	FRAME_RDI(%rdi), %rdi
	swapgs
	iretq

/*
 * Traps. At trap_common the stack holds vector, error code (or line), and what
 * the processor pushed: RIP CS RFLAGS RSP SS.
 */
	.p2align 4
trap_common:
	testb	$3, 24(%rsp)
	jz	trap_kernel
	swapgs
	movq	%rdi, %gs:CPU_SCRATCH
	movq	%gs:CPU_CURRENT, %rdi
	movq	%rax, FRAME_RAX(%rdi)
	movq	%rbx, FRAME_RBX(%rdi)
	movq	%rcx, FRAME_RCX(%rdi)
	movq	%rdx, FRAME_RDX(%rdi)
	movq	%rsi, FRAME_RSI(%rdi)
	movq	%rbp, FRAME_RBP(%rdi)
	movq	%r8, FRAME_R8(%rdi)
	movq	%r9, FRAME_R9(%rdi)
	movq	%r10, FRAME_R10(%rdi)
	movq	%r11, FRAME_R11(%rdi)
	movq	%r12, FRAME_R12(%rdi)
	movq	%r13, FRAME_R13(%rdi)
	movq	%r14, FRAME_R14(%rdi)
	movq	%r15, FRAME_R15(%rdi)
	movq	%gs:CPU_SCRATCH, %rax
	movq	%rax, FRAME_RDI(%rdi)
	movq	16(%rsp), %rax
	movq	%rax, FRAME_RIP(%rdi)
	movq	32(%rsp), %rax
	movq	%rax, FRAME_RFLAGS(%rdi)
	movq	40(%rsp), %rax
	movq	%rax, FRAME_RSP(%rdi)
	movb	$1, THREAD_FRAME_FULL(%rdi)
	movq	(%rsp), %rsi
	movq	8(%rsp), %rdx
	movq	%gs:CPU_STACK, %rsp
	pushq	$2			/* clears AC, NT and DF of the program */
	popfq
	xorl	%ebp, %ebp
	lock incq %gs:CPU_EPOCH
	call	trap_from_user
	jmp	exit_slow

/* Interrupts in the idle loop; anything else ends in a panic. */
trap_kernel:
	pushq	%rax
	pushq	%rbx
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%rbp
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	cld
	movq	%rsp, %rbx
	movq	%rsp, %rdi
	andq	$-16, %rsp
	call	trap_from_kernel
	movq	%rbx, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rbp
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rbx
	popq	%rax
	addq	$16, %rsp
	iretq

/*
 * NMI may come at any instruction, with either GS base. It only serves
 * arch_halt_all(), so it looks at one flag and touches no register.
 */
nmi_stub:
	cmpb	$0, halting(%rip)
	jne	1f
	iretq
1:	cli
	hlt
	jmp	1b

/* Exceptions, 16 bytes apart from trap_stubs on; the IDT builder relies on it. */
	.p2align 4
	.globl	trap_stubs
trap_stubs:
	.set	vector, 0
	.rept	32
	.p2align 4
	.if	vector == 2
	jmp	nmi_stub
	.else
	/* 8, 10..14, 17, 21, 29 and 30 push an error code. */
	.if	((0x60227d00 >> vector) & 1) == 0
	pushq	$0
	.endif
	pushq	$vector
	jmp	trap_common
	.endif
	.set	vector, vector + 1
	.endr

/* Interrupt lines, 8 bytes apart, error code = line. */
	.p2align 4
	.globl	line_stubs
line_stubs:
	.set	line, 0
	.rept	LINE_MAX
	.p2align 3
	pushq	$line
	jmp	line_common
	.set	line, line + 1
	.endr
	.p2align 4
line_common:
	pushq	$VECTOR_LINE
	jmp	trap_common

	.macro	local_stub name, vector
	.p2align 3
	.globl	\name
\name:
	pushq	$0
	pushq	$\vector
	jmp	trap_common
	.endm

	local_stub timer_stub, VECTOR_TIMER
	local_stub resched_stub, VECTOR_RESCHED
	local_stub request_stub, VECTOR_REQUEST
	.globl	spurious_stub
spurious_stub:
	iretq

/* void stack_switch(uint64_t top, void (*function)(void)): no way back. */
	.globl	stack_switch
stack_switch:
	movq	%rdi, %rsp
	xorl	%ebp, %ebp
	call	*%rsi
	ud2

/*
 * A secondary CPU, in long mode with the boot page tables. RBX = mailbox page
 * (identity mapped until CR3 is loaded).
 */
	.globl	secondary_entry
secondary_entry:
	movq	MAILBOX_STACK(%rbx), %rsp
	movq	MAILBOX_CPU(%rbx), %rdi
	movq	MAILBOX_ROOT(%rbx), %rax
	movq	%rax, %cr3
	xorl	%ebp, %ebp
	call	secondary_main
	ud2

	.section .note.GNU-stack, "", @progbits
