/* SPDX-License-Identifier: MIT */
/* Spin locks, the waiting part. */
#include <kernel/core/lock.h>

void
lock_contended(struct lock *lock)
{
	do {
		while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED) != 0)
			arch_spin_relax();
	} while (!lock_try(lock));
}

void
lock_acquire(struct lock *lock)
{
	lock_acquire_inline(lock);
}
