/* SPDX-License-Identifier: MIT */
/*
 * First instructions of a secondary CPU: from real mode at TRAMPOLINE to long
 * mode on the boot page tables, then high. Copied there by smp.c, so it refers
 * to itself by TRAMPOLINE + offset only.
 *
 * The mailbox is taken with a compare and swap: a CPU that wakes up after the
 * boot CPU has given up on it finds it empty and sleeps for ever.
 */
#include <machine/layout.h>

#define AT(symbol) (TRAMPOLINE + (symbol) - trampoline_start)

	.section .boot.rodata, "a"
	.globl	trampoline_start, trampoline_end
	.code16
trampoline_start:
	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	AT(trampoline_gdt_register)
	movl	$0x11, %eax		/* PE, ET */
	movl	%eax, %cr0
	ljmpl	$0x18, $AT(trampoline32)

	.code32
trampoline32:
	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %ss
	movl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$(boot_root - KERNEL_BASE), %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* EFER: SYSCALL, long mode, NX */
	movl	$0x901, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$0x80010033, %eax	/* PG WP NE ET MP PE */
	movl	%eax, %cr0
	ljmpl	$0x08, $AT(trampoline64)

	.code64
trampoline64:
	movl	$TRAMPOLINE, %ebx
	movl	$MAILBOX_OFFERED, %eax
	movl	$MAILBOX_TAKEN, %ecx
	lock cmpxchgl %ecx, MAILBOX_STATE(%rbx)
	jne	1f
	movq	$secondary_entry, %rax
	jmp	*%rax
1:	cli
	hlt
	jmp	1b

	.p2align 3
trampoline_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* 64-bit code */
	.quad	0x00cf93000000ffff	/* data */
	.quad	0x00cf9b000000ffff	/* 32-bit code */
trampoline_gdt_register:
	.word	. - trampoline_gdt - 1
	.long	AT(trampoline_gdt)
trampoline_end:

	.section .note.GNU-stack, "", @progbits
