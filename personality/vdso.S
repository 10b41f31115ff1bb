/* SPDX-License-Identifier: MIT */
/*
 * The vDSO: a complete ELF shared object, laid out by hand, that reads the
 * clock page at LIBOS_CLOCK_PAGE. A C library finds it through
 * AT_SYSINFO_EHDR, looks the names up through DT_HASH (one bucket: a list) and
 * checks the version LINUX_2.6.
 *
 * It is copied into memory of its own below PROGRAM_HIGH, because code inside
 * the libOS range would make native calls and take no signals. All addresses
 * in it are relative to its start.
 */
#define CLOCK_PAGE	0x7e0000102000
#define CP_SEQUENCE	0
#define CP_TSC_BASE	8
#define CP_NS_BASE	16
#define CP_MULT		24
#define CP_WALL		32

#define REL(label)	(label - vdso_start)

	.section .rodata.vdso, "a"
	.balign	64
	.globl	vdso_start
vdso_start:
	/* ELF header */
	.byte	0x7f, 'E', 'L', 'F', 2, 1, 1, 0
	.quad	0
	.short	3, 62			/* ET_DYN, x86-64 */
	.long	1
	.quad	0			/* no entry */
	.quad	REL(headers)
	.quad	0
	.long	0
	.short	64, 56, 2, 64, 0, 0

headers:
	.long	1, 5			/* PT_LOAD, read + execute */
	.quad	0, 0, 0
	.quad	REL(vdso_end), REL(vdso_end), 4096
	.long	2, 4			/* PT_DYNAMIC, read */
	.quad	REL(dynamic), REL(dynamic), REL(dynamic)
	.quad	dynamic_end - dynamic, dynamic_end - dynamic, 8

dynamic:
	.quad	14, name_soname - strings	/* DT_SONAME */
	.quad	4, REL(hash)			/* DT_HASH */
	.quad	5, REL(strings)			/* DT_STRTAB */
	.quad	6, REL(symbols)			/* DT_SYMTAB */
	.quad	10, strings_end - strings	/* DT_STRSZ */
	.quad	11, 24				/* DT_SYMENT */
	.quad	0x6ffffff0, REL(versions)	/* DT_VERSYM */
	.quad	0x6ffffffc, REL(definitions)	/* DT_VERDEF */
	.quad	0x6ffffffd, 2			/* DT_VERDEFNUM */
	.quad	0, 0
dynamic_end:

	.macro	SYMBOL name, label
	.long	\name - strings
	.byte	0x12, 0			/* global function */
	.short	1			/* any section but none */
	.quad	REL(\label), \label\()_end - \label
	.endm

symbols:
	.quad	0, 0, 0
	SYMBOL	name_gettime, clock_gettime
	SYMBOL	name_timeofday, gettimeofday
	SYMBOL	name_time, time
	SYMBOL	name_getcpu, getcpu

hash:
	.long	1, 5			/* buckets, symbols */
	.long	1			/* the bucket: symbol 1 */
	.long	0, 2, 3, 4, 0		/* chain */

versions:
	.short	0, 2, 2, 2, 2
	.balign	8
definitions:
	/* version 1, base: the object itself */
	.short	1, 1, 1, 1
	.long	0x0deebfa1, 20, 28
	.long	name_soname - strings, 0
	/* version 2: LINUX_2.6 */
	.short	1, 0, 2, 1
	.long	0x03ae75f6, 20, 0
	.long	name_version - strings, 0

strings:
	.byte	0
name_soname:	.asciz	"linux-vdso.so.1"
name_version:	.asciz	"LINUX_2.6"
name_gettime:	.asciz	"__vdso_clock_gettime"
name_timeofday:	.asciz	"__vdso_gettimeofday"
name_time:	.asciz	"__vdso_time"
name_getcpu:	.asciz	"__vdso_getcpu"
strings_end:

	/*
	 * Time since boot in rax, wall offset in r9; uses rcx rdx r8 r10 r11.
	 * Retries while the page is being written.
	 */
	.balign	16
now:
	movabsq	$CLOCK_PAGE, %r8
1:	movl	CP_SEQUENCE(%r8), %r11d
	testl	$1, %r11d
	jne	2f
	lfence
	rdtsc
	shlq	$32, %rdx
	orq	%rdx, %rax
	subq	CP_TSC_BASE(%r8), %rax
	mulq	CP_MULT(%r8)
	shrdq	$32, %rdx, %rax
	addq	CP_NS_BASE(%r8), %rax
	movq	CP_WALL(%r8), %r9
	lfence
	cmpl	CP_SEQUENCE(%r8), %r11d
	jne	2f
	ret
2:	pause
	jmp	1b

	/* rax nanoseconds -> rax seconds, rdx rest. */
split:
	xorl	%edx, %edx
	movl	$1000000000, %ecx
	divq	%rcx
	ret

	.balign	16
clock_gettime:
	cmpl	$11, %edi
	ja	3f
	movl	$0x0921, %eax		/* wall clocks: 0 5 8 11 */
	btl	%edi, %eax
	jc	1f
	movl	$0x02d2, %eax		/* since boot: 1 4 6 7 9 */
	btl	%edi, %eax
	jnc	3f
	call	now
	jmp	2f
1:	call	now
	addq	%r9, %rax
2:	call	split
	movq	%rax, (%rsi)
	movq	%rdx, 8(%rsi)
	xorl	%eax, %eax
	ret
3:	movl	$228, %eax
	syscall
	ret
clock_gettime_end:

	.balign	16
gettimeofday:
	testq	%rdi, %rdi
	je	1f
	call	now
	addq	%r9, %rax
	call	split
	movq	%rax, (%rdi)
	movq	%rdx, %rax
	xorl	%edx, %edx
	movl	$1000, %ecx
	divq	%rcx
	movq	%rax, 8(%rdi)
1:	testq	%rsi, %rsi
	je	2f
	movq	$0, (%rsi)
2:	xorl	%eax, %eax
	ret
gettimeofday_end:

	.balign	16
time:
	call	now
	addq	%r9, %rax
	call	split
	testq	%rdi, %rdi
	je	1f
	movq	%rax, (%rdi)
1:	ret
time_end:

	.balign	16
getcpu:
	movl	$309, %eax
	syscall
	ret
getcpu_end:

	/* Where a handler returns in a program of the own calls: sigreturn. */
	.balign	16
	.globl	vdso_own_return
vdso_own_return:
	movl	$101, %eax
	syscall
	ud2

	.globl	vdso_end
vdso_end:

	.section .note.GNU-stack, "", @progbits
