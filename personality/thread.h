/* SPDX-License-Identifier: MIT */
/*
 * Thread block: where the entry code keeps the program's registers, found
 * through the user GS base. Offsets are shared with entry.S.
 */
#pragma once

#define TB_SELF		0
#define TB_STACK	8
#define TB_TABLE	16
#define TB_NUMBER	24
#define TB_RDI		32
#define TB_RSI		40
#define TB_RDX		48
#define TB_R10		56
#define TB_R8		64
#define TB_R9		72
#define TB_RSP		80
#define TB_UPCALL	88
#define TB_RBX		96
#define TB_RBP		104
#define TB_R12		112
#define TB_R13		120
#define TB_R14		128
#define TB_R15		136
#define TB_RESULT	144

#define CALL_COUNT	512	/* entries in a dispatch table */

#ifndef __ASSEMBLER__

#include <abi/utcb.h>
#include <idl/process.h>
#include <stddef.h>
#include <stdint.h>

struct thread_block {
	struct thread_block *self;
	uint64_t stack;		/* top of the stack that calls run on */
	const void *table;	/* dispatch table: plain or traced */
	uint64_t number;	/* the call being served, and its arguments */
	uint64_t rdi, rsi, rdx, r10, r8, r9;
	uint64_t rsp;		/* of the program */
	uint64_t upcall_stack;	/* top of the stack that upcalls run on */
	/* Stored only by calls that need them, and on the slow way out. */
	uint64_t rbx, rbp, r12, r13, r14, r15;
	uint64_t result;
};

_Static_assert(offsetof(struct thread_block, number) == TB_NUMBER, "");
_Static_assert(offsetof(struct thread_block, rsp) == TB_RSP, "");
_Static_assert(offsetof(struct thread_block, rbx) == TB_RBX, "");
_Static_assert(offsetof(struct thread_block, result) == TB_RESULT, "");

extern struct thread_block thread_block;

#define UTCB	((volatile struct utcb *)LIBOS_UTCB)
#define INFO	((const struct process_info *)LIBOS_INFO)
/* Another one after each change of ids. */
#define ROOT_DIRECTORY	(((const volatile struct process_info *)LIBOS_INFO)->root)

/* entry.S: loads the registers of *frame and leaves the libOS. */
_Noreturn void thread_resume(const struct user_frame *frame);

/*
 * The program's registers as the redirect left them, with the result of the
 * call in rax. Valid in calls whose entry is marked FULL, and on the slow way
 * out.
 */
void thread_frame(uint64_t result, struct user_frame *out_frame);

/* FS base of the program; it may have set it without us. */
uint64_t thread_fs_base(void);
void thread_set_fs_base(uint64_t base);

/* Once, before the first program. */
void thread_init(void);

/* Vector state, at most THREAD_VECTOR_MAX bytes, 64-byte aligned. */
#define THREAD_VECTOR_MAX	16384u
uint64_t thread_vector_size(void);
uint64_t thread_vector_mask(void);	/* 0: no XSAVE, FXSAVE layout */
void thread_vector_save(void *area);
/* Not 0: the area is malformed; the state is undefined then. */
int thread_vector_load(const void *area);
void thread_vector_reset(void);

#endif
