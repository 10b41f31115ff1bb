/* SPDX-License-Identifier: MIT */
/*
 * What the portable kernel embeds for this architecture.
 *
 * GS base is the struct cpu while in the kernel and the program's value while
 * in user mode; SWAPGS at each crossing. struct arch_cpu is the first member
 * of struct cpu, so GS:0 is its own address.
 */
#pragma once

#include <machine/layout.h>
#include <stdbool.h>
#include <stdint.h>

struct cpu;
struct thread;
struct thread_setup;
struct utcb;
struct vspace;

struct tss {
	uint32_t reserved0;
	uint32_t rsp[6];		/* rsp0..2 */
	uint32_t reserved1[2];
	uint32_t ist[14];		/* ist1..7 */
	uint32_t reserved2[2];
	uint16_t reserved3;
	uint16_t io_map;
};

struct arch_cpu {
	struct cpu	*self;
	uint64_t	stack_top;	/* constant */
	uint64_t	scratch;	/* entry stubs only */
	uint8_t		exit_work;	/* set: kernel_exit() runs after a call */
	uint8_t		has_pku;	/* constant */
	uint8_t		has_fsgsbase;	/* constant */
	uint8_t		ts;		/* CR0.TS is set */
	uint8_t		mode;		/* arch_thread.mode of current */
	uint8_t		has_xsave;	/* 1 XSAVE, 2 XSAVEOPT; constant */
	uint32_t	apic_id;	/* constant */
	uint64_t	mask;		/* bit of this CPU; constant */
	struct vspace	*vspace;	/* loaded; NULL = the kernel's own */
	struct thread	*fpu_owner;	/* whose vector state is live */
	uint64_t	timer_deadline_ns;
	uint64_t	flush_fpu;	/* atomic; others ask for arch_fpu_flush */
	uint64_t	gdt[8];
	struct tss	tss;
} __attribute__((aligned(64)));

struct arch_vspace {
	uint64_t	root;		/* top table; loaded into CR3 */
};

#define FPU_NOWHERE	(~0u)

#define MODE_VECTOR	1u	/* owns vector state, FS and GS base */
#define MODE_PKRU	2u	/* its key register is its own */

struct arch_thread {
	/*
	 * Personality: a SYSCALL whose return address is outside
	 * [native_low, native_high) goes to redirect_entry in user mode.
	 */
	uint64_t	native_low, native_high;
	uint64_t	redirect_entry;
	struct utcb	*utcb;
	uint8_t		frame_full;	/* all registers count: leave by IRET */
	uint8_t		mode;		/* MODE_*; constant once started */
	uint32_t	pkru;
	uint32_t	fpu_cpu;	/* where its state is live; atomic */
	uint64_t	fs_base, gs_base;	/* valid while it is not current */
	void		*fpu_area;	/* one frame */
};

static inline struct cpu *
this_cpu(void)
{
	struct cpu *cpu;

	/* Not volatile: kernel code never changes CPU between two reads. */
	__asm__("movq %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/*
 * Takes over what the entry stubs and the switch need of a thread's setup:
 * thread->flags, thread->utcb and the personality. Before the thread starts.
 */
void arch_thread_set_personality(struct thread *thread,
    const struct thread_setup *setup);
/*
 * Fills frame.fs_base and frame.gs_base, which entry stubs leave alone; call
 * it before the frame is shown to anyone. arch_frame_sanitize() is the other
 * direction: it makes the values in the frame the thread's own.
 */
void arch_thread_get_bases(struct thread *thread);

/* Out-of-line parts of the switch. */
void arch_switch_state(struct cpu *cpu, struct thread *previous,
    struct thread *next);
void arch_answer_requests(struct cpu *cpu);
