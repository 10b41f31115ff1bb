/* SPDX-License-Identifier: MIT */
/*
 * Numbers that assembly and C share: the address space, selectors, vectors,
 * and offsets into struct cpu and struct thread (asserted in tables.c).
 */
#pragma once

/* Kernel image: linked at -2 GiB; physical address = virtual - KERNEL_BASE. */
#define KERNEL_BASE		0xffffffff80000000
/* Stacks of all CPUs, in the last GiB. */
#define STACK_BASE		0xffffffffc0000000
/* All of RAM, and the interrupt controllers (uncached). */
#define DIRECT_BASE		0xffff800000000000

/* Segment selectors; the order is dictated by SYSCALL and SYSRET. */
#define SELECTOR_KERNEL_CODE	0x08
#define SELECTOR_KERNEL_DATA	0x10
#define SELECTOR_SYSRET_BASE	0x1b
#define SELECTOR_USER_DATA	0x23
#define SELECTOR_USER_CODE	0x2b
#define SELECTOR_TSS		0x30

/* Interrupt vectors. Line n of the I/O APICs comes in at VECTOR_LINE + n. */
#define VECTOR_LINE		32
#define LINE_MAX		96
#define VECTOR_TIMER		0xf0
#define VECTOR_RESCHED		0xf1
#define VECTOR_REQUEST		0xf2	/* shoot-down, vector state write-back */
#define VECTOR_SPURIOUS		0xff

/* struct cpu, seen through GS. */
#define CPU_SELF		0
#define CPU_STACK		8
#define CPU_SCRATCH		16
#define CPU_EXIT_WORK		24
#define CPU_ARCH_SIZE		256
#define CPU_CURRENT		(CPU_ARCH_SIZE + 8)
#define CPU_EPOCH		(CPU_ARCH_SIZE + 24)

/* struct user_frame at the start of struct thread, then struct arch_thread. */
#define FRAME_RAX		0
#define FRAME_RBX		8
#define FRAME_RCX		16
#define FRAME_RDX		24
#define FRAME_RSI		32
#define FRAME_RDI		40
#define FRAME_RBP		48
#define FRAME_R8		56
#define FRAME_R9		64
#define FRAME_R10		72
#define FRAME_R11		80
#define FRAME_R12		88
#define FRAME_R13		96
#define FRAME_R14		104
#define FRAME_R15		112
#define FRAME_RIP		120
#define FRAME_RFLAGS		128
#define FRAME_RSP		136
#define THREAD_NATIVE_LOW	184
#define THREAD_NATIVE_HIGH	192
#define THREAD_REDIRECT_ENTRY	200
#define THREAD_UTCB		208
#define THREAD_FRAME_FULL	216

/* The page below 64 KiB where secondary CPUs start, and its mailbox. */
#define TRAMPOLINE		0x8000
#define MAILBOX_STATE		0xff0	/* 32 bits: MAILBOX_* */
#define MAILBOX_STACK		0xfe8
#define MAILBOX_CPU		0xfe0
#define MAILBOX_ROOT		0xfd8
#define MAILBOX_EMPTY		0
#define MAILBOX_OFFERED		1
#define MAILBOX_TAKEN		2

/* RAX of the calls that have an entry of their own; asserted in tables.c. */
#define SYSCALL_CALL		-2
#define SYSCALL_REPLY_WAIT	-3
