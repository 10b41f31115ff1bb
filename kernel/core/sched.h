/* SPDX-License-Identifier: MIT */
/*
 * Scheduler: a run queue per CPU, one list per class; class normal is ordered
 * by virtual deadline, the others are first come, first served.
 *
 * Running and blocked threads are in no queue, so IPC never touches one when
 * it hands the CPU over directly.
 */
#pragma once

#include <kernel/core/cpu.h>

#define SLICE_NS	4000000ul

void sched_init_cpu(struct cpu *cpu, unsigned index);
/* Puts a thread that became runnable into the best queue; may ask for a look. */
void sched_enqueue(struct thread *thread);
/* Takes a READY thread out of its queue; false if it is not in one. */
bool sched_dequeue(struct thread *thread);
/* The current thread stops running (it blocked or died). */
void sched_block_current(struct cpu *cpu);
/* The current thread stays runnable but others may go first. */
void sched_yield_current(struct cpu *cpu);
/* Gives the CPU to the best thread; cpu->current is NULL if there is none. */
void sched_choose(struct cpu *cpu);
void sched_set(struct thread *thread, unsigned class, unsigned weight);
/* Brings what `thread` has used up to date, if this CPU runs on its account. */
uint64_t sched_runtime(const struct thread *thread);
/* It is about to be taken apart: no CPU runs on its account any more. */
void sched_forget(struct thread *thread);
uint64_t sched_idle_ns(const struct cpu *cpu);
/* Marks work for kernel_exit() on this CPU. */
void sched_need_exit_work(struct cpu *cpu);
/* The same for a thread that may be running or queued; affinity 0 = unchanged. */
void sched_change(struct thread *thread, unsigned class, unsigned weight,
    uint64_t affinity);
