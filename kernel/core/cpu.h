/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU state. Only its own CPU touches a struct cpu, except for the fields
 * marked otherwise.
 */
#pragma once

#include <kernel/core/list.h>
#include <kernel/core/lock.h>
#include <abi/utcb.h>
#include <machine/cpu.h>	/* struct arch_cpu, this_cpu() */
#include <stdint.h>

#define CPU_MAX 64

struct object;
struct thread;
struct timer_node;

struct cpu {
	struct arch_cpu	arch;		/* must be first: entry stubs use offsets */

	unsigned	index;
	unsigned	node;		/* constant after boot */
	struct thread	*current;	/* NULL while idle */
	bool		need_resched;	/* look at the queue before user mode */
	bool		idle;		/* read by others: worth an IPI */
	bool		current_gone;	/* current blocked or died: choose another */

	/* Quiescence: odd while this CPU is in the kernel. Read by others. */
	uint64_t	epoch;

	struct lock	queue_lock;	/* guards the run queue below */
	struct list	queue[CLASS_COUNT];
	uint32_t	queue_mask;	/* bit c: queue[c] is not empty */
	uint32_t	queue_length;

	uint64_t	slice_end_ns;	/* current is preempted then */
	uint64_t	run_start_ns;	/* when current got the CPU */
	uint64_t	virtual_ns;	/* virtual time of class normal */
	/*
	 * Who pays for the time since run_start_ns: the thread that the
	 * scheduler chose, or a caller that got its answer since. Never a
	 * server in a call: it works on its caller's account.
	 */
	struct thread	*payer;		/* thread_die() of any CPU clears it */
	/* Idle so far << 1, or that less the time it began, << 1 | 1. */
	uint64_t	idle_time;	/* atomic; read by others */

	struct lock	timer_lock;	/* guards the heap */
	struct timer_node *timer_root;
	uint64_t	timer_armed_ns;	/* deadline given to the hardware */

	/* Objects that the running system call found; released at its end. */
	struct object	*held[8];
	unsigned	held_count;

	/* Statistics, read by others without a lock. */
	uint64_t	context_switches;
	uint64_t	ipc_fast, ipc_slow;
	uint64_t	cr3_loads, privileged_writes;
	uint32_t	latency[CLASS_COUNT][LATENCY_BUCKETS];
};

extern struct cpu cpu_table[CPU_MAX];
extern unsigned cpu_count;		/* set before secondaries start */
extern uint64_t cpu_online_mask;	/* atomic */
