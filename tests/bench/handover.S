/* SPDX-License-Identifier: MIT */
/*
 * A kernel that is over at once: it prints the time stamp counter of its first
 * instruction to COM1, sixteen hexadecimal digits and a newline, and turns the
 * machine off. So it tells how long the firmware takes.
 */
#define LOG_PORT	0x3f8
#define EXIT_PORT	0xf4

	.section .note.xen, "a", @note
	.p2align 2
	.long	4			/* name size */
	.long	4			/* descriptor size */
	.long	18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start

	.text
	.code32
	.globl	_start
_start:
	rdtsc
	movl	%eax, %ebx
	movl	%edx, %esi
	movw	$LOG_PORT, %dx
	movl	$16, %ecx
1:	movl	%esi, %eax		/* ESI:EBX, the highest digit first */
	shrl	$28, %eax
	shldl	$4, %ebx, %esi
	shll	$4, %ebx
	addb	$'0', %al
	cmpb	$'9', %al
	jbe	2f
	addb	$('a' - '9' - 1), %al
2:	outb	%al, %dx
	loop	1b
	movb	$'\n', %al
	outb	%al, %dx
	movb	$0x10, %al		/* a program that ended with 0 */
	movw	$EXIT_PORT, %dx
	outb	%al, %dx
3:	hlt
	jmp	3b

	.section .note.GNU-stack, "", @progbits
