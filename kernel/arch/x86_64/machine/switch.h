/* SPDX-License-Identifier: MIT */
/*
 * arch_switch() for the IPC fast path: `next` is not NULL.
 *
 * A CPU sets its bit in vspace.active_cpus before it loads the root, and clears
 * the bit of the old space after: whoever changes a page table and then reads
 * the mask either sees the bit, or this CPU loads the root after the change.
 */
#pragma once

#include <kernel/object/thread.h>
#include <kernel/object/vspace.h>
#include <machine/x86.h>

static inline __attribute__((always_inline)) void
arch_switch_fast(struct cpu *cpu, struct thread *next)
{
	struct thread *previous = cpu->current;
	struct vspace *space = next->vspace;
	struct vspace *old = cpu->arch.vspace;

	cpu->current = next;
	if (space != old) {
		uint64_t mask = cpu->arch.mask;

		__atomic_or_fetch(&space->active_cpus, mask, __ATOMIC_SEQ_CST);
		write_cr3(space->arch.root);
		cpu->arch.vspace = space;
		cpu->cr3_loads++;
		if (old != NULL)
			__atomic_and_fetch(&old->active_cpus, ~mask,
			    __ATOMIC_SEQ_CST);
	}
	/*
	 * Any program can write its key register, so it is compared at every
	 * switch; threads without MODE_PKRU run with 0.
	 */
	if (cpu->arch.has_pku) {
		uint32_t pkru = read_pkru();

		if ((cpu->arch.mode & MODE_PKRU) && previous != NULL)
			previous->arch.pkru = pkru;
		if (pkru != next->arch.pkru)
			write_pkru(next->arch.pkru);
	}
	if ((cpu->arch.mode | next->arch.mode) & MODE_VECTOR)
		arch_switch_state(cpu, previous, next);
	cpu->arch.mode = next->arch.mode;
}
