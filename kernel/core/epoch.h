/* SPDX-License-Identifier: MIT */
/*
 * Grace periods: when has every CPU left the kernel?
 *
 * cpu->epoch is odd while the CPU is in the kernel and even in user mode and
 * while idle. A pointer found without a lock lives at most until its CPU leaves
 * the kernel. So memory that nothing leads to any more may be reused once each
 * other CPU was seen with an even epoch, or with another one than before.
 */
#pragma once

#include <kernel/core/cpu.h>

struct epoch_snapshot {
	uint64_t waiting;		/* CPUs not yet seen outside */
	uint64_t epoch[CPU_MAX];
};

/*
 * On entry to the kernel. The store must be visible before the first lookup
 * reads memory, hence the full barrier: else a reaper could take this CPU for
 * idle while it already holds a pointer.
 */
static inline void
epoch_enter(struct cpu *cpu)
{
	(void)__atomic_exchange_n(&cpu->epoch, cpu->epoch + 1,
	    __ATOMIC_SEQ_CST);
}

/* Before user mode and before idling: all pointers found are forgotten. */
static inline void
epoch_leave(struct cpu *cpu)
{
	__atomic_store_n(&cpu->epoch, cpu->epoch + 1, __ATOMIC_RELEASE);
}

/* Starts a grace period for all that was unlinked before. */
void epoch_begin(struct epoch_snapshot *snapshot);
/*
 * Has it passed? The calling CPU counts as outside: it must hold no pointer
 * found without a lock.
 */
bool epoch_passed(struct epoch_snapshot *snapshot);
