/* SPDX-License-Identifier: MIT */
/*
 * First instructions of the boot CPU.
 *
 * One ELF file, two protocols: PVH (QEMU -kernel) by a Xen note, Multiboot2
 * (GRUB) by a header. Both arrive here in 32-bit protected mode without paging,
 * EBX = information, EAX = magic for Multiboot2 and anything for PVH. Nothing
 * else about the machine state is assumed.
 *
 * Builds page tables of 2 MiB pages that show the first 4 GiB at 0 (for the
 * code here and the trampoline), at DIRECT_BASE, and 1 GiB at KERNEL_BASE, and
 * continues high, in boot_main(). Linked high; addresses are corrected by hand.
 *
 * The note segment must be aligned to 4, not 8: QEMU computes a wrong entry
 * address otherwise.
 */
#include <machine/layout.h>

#define PHYSICAL(symbol) ((symbol) - KERNEL_BASE)

	.section .note.xen, "a", @note
	.p2align 2
	.long	4			/* name size */
	.long	8			/* descriptor size */
	.long	18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.quad	PHYSICAL(boot_entry)

	.section .boot.header, "a"
	.p2align 3
multiboot2_header:
	.long	0xe85250d6
	.long	0			/* i386 */
	.long	multiboot2_end - multiboot2_header
	.long	-(0xe85250d6 + (multiboot2_end - multiboot2_header))
	.p2align 3
	.short	6, 0			/* modules on page boundaries */
	.long	8
	.p2align 3
	.short	0, 0			/* end */
	.long	8
multiboot2_end:

	.section .boot.text, "ax"
	.code32
	.globl	boot_entry
boot_entry:
	cli
	cld
	movl	%eax, %esi
	movl	%ebx, %ebp
	movl	$PHYSICAL(boot_directory), %edi
	movl	$0x83, %eax		/* present, writable, large */
	movl	$2048, %ecx
1:	movl	%eax, (%edi)
	movl	$0, 4(%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	1b
	movl	$PHYSICAL(boot_directory) + 3, %eax
	movl	$PHYSICAL(boot_pointers), %edi
	movl	$4, %ecx
2:	movl	%eax, (%edi)
	addl	$0x1000, %eax
	addl	$8, %edi
	loop	2b
	movl	$PHYSICAL(boot_directory) + 3, PHYSICAL(boot_pointers_high) + 510 * 8
	movl	$PHYSICAL(boot_pointers) + 3, PHYSICAL(boot_root)
	movl	$PHYSICAL(boot_pointers) + 3, PHYSICAL(boot_root) + 256 * 8
	movl	$PHYSICAL(boot_pointers_high) + 3, PHYSICAL(boot_root) + 511 * 8

	movl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$PHYSICAL(boot_root), %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* EFER: SYSCALL, long mode, NX */
	movl	$0x901, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$0x80010033, %eax	/* PG WP NE ET MP PE */
	movl	%eax, %cr0
	lgdt	PHYSICAL(boot_gdt_register)
	ljmp	$0x08, $PHYSICAL(boot_entry64)

	.code64
boot_entry64:
	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%eax, %ss
	movq	$boot_stack_top, %rsp
	movl	%esi, %edi
	movl	%ebp, %esi
	xorl	%ebp, %ebp
	movq	$boot_main, %rax
	call	*%rax
	ud2

	.section .boot.data, "aw"
	.p2align 3
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* 64-bit code */
	.quad	0x00cf93000000ffff	/* data */
boot_gdt_register:
	.word	. - boot_gdt - 1
	.long	PHYSICAL(boot_gdt)

	.section .boot.bss, "aw", @nobits
	.p2align 12
	.globl	boot_root
boot_root:
	.skip	4096
boot_pointers:
	.skip	4096
boot_pointers_high:
	.skip	4096
boot_directory:
	.skip	4 * 4096
	.skip	8192
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
