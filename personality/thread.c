/* SPDX-License-Identifier: MIT */
/*
 * Registers of the program that C code needs to see: the frame of a call, FS
 * base, and vector state. The libOS is built without vector instructions, so
 * these registers always hold the program's values while it runs.
 */
#include "thread.h"
#include "hot.h"

#include "user.h"

#include <idl/errno.h>
#include <lib/base/string.h>
#include <lib/sys/sys.h>

#define UPCALL_STACK	8192
#define RFLAGS_USER	0x202ul
#define MXCSR_DEFAULT	0x1f80u
#define FCW_DEFAULT	0x37fu
#define FX_SIZE		512u

extern const uint64_t user_fixup_table[][2];
_Noreturn void thread_resume_now(void);
void vector_xsave(void *area, uint64_t mask);
void vector_fxsave(void *area);

static uint8_t upcall_stack[UPCALL_STACK] __attribute__((aligned(64)));

HOT struct thread_block thread_block = {
	.self = &thread_block,
	.stack = LIBOS_STACK_TOP,
	.upcall_stack = (uint64_t)upcall_stack + UPCALL_STACK,
};

HOT static uint64_t fs_base_set;	/* last value set here; used without FSGSBASE */
HOT static bool has_fsgsbase;
HOT static uint64_t xsave_mask;	/* 0: FXSAVE */
HOT static uint64_t xsave_size = FX_SIZE;

static uint8_t reset_area[1024] __attribute__((aligned(64)));

static void
cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	__asm__ volatile("cpuid"
	    : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
	    : "a"(leaf), "c"(sub));
}

void
thread_init(void)
{
	uint32_t r[4];
	uint64_t base;

	has_fsgsbase = user_get_fs_base(&base) == 0;
	cpuid(1, 0, r);
	if ((r[2] & (1u << 27)) != 0) {
		uint32_t low, high;
		__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
		cpuid(13, 0, r);
		if (r[1] <= THREAD_VECTOR_MAX) {
			xsave_mask = (uint64_t)high << 32 | low;
			xsave_size = r[1];
		}
	}
	memcpy(reset_area, &(uint16_t){ FCW_DEFAULT }, 2);
	memcpy(reset_area + 24, &(uint32_t){ MXCSR_DEFAULT }, 4);
}

uint64_t
user_fixup(uint64_t rip)
{
	for (unsigned i = 0; user_fixup_table[i][0] != 0; i++) {
		if (user_fixup_table[i][0] == rip)
			return user_fixup_table[i][1];
	}
	return 0;
}

uint64_t
thread_fs_base(void)
{
	uint64_t base;

	if (has_fsgsbase && user_get_fs_base(&base) == 0)
		return base;
	return fs_base_set;
}

/* Without FSGSBASE the caller leaves through thread_resume, which loads it. */
void
thread_set_fs_base(uint64_t base)
{
	fs_base_set = base;
	if (has_fsgsbase)
		user_set_fs_base(base);
}

void
thread_frame(uint64_t result, struct user_frame *out_frame)
{
	const struct thread_block *tb = &thread_block;

	*out_frame = (struct user_frame){
		.rax = result, .rbx = tb->rbx, .rcx = UTCB->redirect_rip,
		.rdx = tb->rdx, .rsi = tb->rsi, .rdi = tb->rdi,
		.rbp = tb->rbp, .r8 = tb->r8, .r9 = tb->r9, .r10 = tb->r10,
		.r11 = RFLAGS_USER, .r12 = tb->r12, .r13 = tb->r13,
		.r14 = tb->r14, .r15 = tb->r15,
		.rip = UTCB->redirect_rip, .rflags = RFLAGS_USER,
		.rsp = tb->rsp, .fs_base = thread_fs_base(),
	};
}

void
thread_resume(const struct user_frame *frame)
{
	struct user_frame *target = (struct user_frame *)&UTCB->frame;

	fs_base_set = frame->fs_base;
	*target = *frame;
	target->gs_base = (uint64_t)&thread_block;
	thread_resume_now();
}

uint64_t
thread_vector_size(void)
{
	return xsave_size;
}

uint64_t
thread_vector_mask(void)
{
	return xsave_mask;
}

void
thread_vector_save(void *area)
{
	if (xsave_mask == 0) {
		vector_fxsave(area);
		return;
	}
	/* XSAVE leaves most of the header as it is. */
	memset((uint8_t *)area + FX_SIZE, 0, 64);
	vector_xsave(area, xsave_mask);
}

int
thread_vector_load(const void *area)
{
	if (xsave_mask == 0)
		return user_fxrstor(area);
	return user_xrstor(area, xsave_mask);
}

/* An empty header initialises every part of the state. */
void
thread_vector_reset(void)
{
	thread_vector_load(reset_area);
}

long
user_read(void *to, const void *from, size_t length)
{
	if (!user_range(from, length) || user_copy_raw(to, from, length) != 0)
		return -E_FAULT;
	return 0;
}

long
user_write(void *to, const void *from, size_t length)
{
	if (!user_range(to, length) || user_copy_raw(to, from, length) != 0)
		return -E_FAULT;
	return 0;
}

long
user_zero(void *to, size_t length)
{
	if (!user_range(to, length) || user_zero_raw(to, length) != 0)
		return -E_FAULT;
	return 0;
}

long
user_string(char *to, const char *from, size_t size)
{
	size_t max = size;

	if ((uint64_t)from >= PROGRAM_HIGH)
		return -E_FAULT;
	if (max > PROGRAM_HIGH - (uint64_t)from)
		max = PROGRAM_HIGH - (uint64_t)from;
	long length = user_string_raw(to, from, max);
	if (length < 0)
		return length;
	if ((size_t)length == max)
		return max == size ? -E_NAMETOOLONG : -E_FAULT;
	return length;
}
