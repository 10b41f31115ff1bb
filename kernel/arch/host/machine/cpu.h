/* SPDX-License-Identifier: MIT */
/*
 * What the portable kernel embeds when it runs as a Linux program (host.h).
 * Fields that portable code uses have the names of arch/x86_64.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cpu;
struct thread;
struct thread_setup;
struct utcb;
struct vspace;

struct arch_cpu {
	uint8_t		exit_work;	/* set: kernel_exit() runs after a call */
	struct vspace	*vspace;	/* loaded; NULL = the kernel's own */
	uint64_t	timer_deadline_ns;
};

struct arch_vspace {
	uint64_t	root;		/* frame of the top table */
	uint64_t	id;		/* tags translations; never reused */
	uint64_t	table_frames;	/* without the root */
};

#define FPU_NOWHERE	(~0u)

struct arch_thread {
	uint64_t	native_low, native_high;
	uint64_t	redirect_entry;
	struct utcb	*utcb;
	uint8_t		frame_full;
	uint32_t	fpu_cpu;
	uint64_t	fpu_area;	/* frame or 0 */
};

/* Each Linux thread may act as a CPU: host_become_cpu(). */
extern _Thread_local struct cpu *host_this_cpu;

static inline struct cpu *
this_cpu(void)
{
	return host_this_cpu;
}

void arch_thread_set_personality(struct thread *thread,
    const struct thread_setup *setup);
void arch_thread_get_bases(struct thread *thread);
