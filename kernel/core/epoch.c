/* SPDX-License-Identifier: MIT */
/*
 * Grace periods (see epoch.h). The barrier in epoch_begin() pairs with the one
 * in epoch_enter(): either we see the CPU inside, or it sees our unlinking.
 * A CPU that comes online later never saw what was unlinked before.
 */
#include <kernel/core/epoch.h>

static uint64_t
read_epoch(unsigned cpu)
{
	return __atomic_load_n(&cpu_table[cpu].epoch, __ATOMIC_ACQUIRE);
}

void
epoch_begin(struct epoch_snapshot *snapshot)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	snapshot->waiting = __atomic_load_n(&cpu_online_mask, __ATOMIC_ACQUIRE);
	for (uint64_t left = snapshot->waiting; left != 0; left &= left - 1) {
		unsigned cpu = (unsigned)__builtin_ctzl(left);

		snapshot->epoch[cpu] = read_epoch(cpu);
		if ((snapshot->epoch[cpu] & 1) == 0)
			snapshot->waiting &= ~(1ul << cpu);
	}
}

bool
epoch_passed(struct epoch_snapshot *snapshot)
{
	for (uint64_t left = snapshot->waiting; left != 0; left &= left - 1) {
		unsigned cpu = (unsigned)__builtin_ctzl(left);

		if (read_epoch(cpu) != snapshot->epoch[cpu] ||
		    cpu == this_cpu()->index)
			snapshot->waiting &= ~(1ul << cpu);
	}
	return snapshot->waiting == 0;
}
