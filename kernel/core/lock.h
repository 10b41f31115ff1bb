/* SPDX-License-Identifier: MIT */
/*
 * Spin locks. The kernel runs with interrupts off, so a lock never needs to
 * disable them; it never sleeps either. While it spins a CPU keeps answering
 * TLB shoot-downs (arch_spin_relax), else two CPUs could wait for each other.
 *
 * Order, outermost first; a CPU takes a lock only below those it holds:
 *
 *	derivation_lock		capability slots of all tables, the derivation tree
 *	vspace.lock		regions and page tables of one address space
 *	memory.lock		pages and mappings of one memory object (parent
 *				before clone: object ids ascend)
 *	irq.lock		interrupt lines
 *	endpoint.lock		callers, receivers, and every reply object that
 *				holds a call received from that endpoint
 *	notification.lock	word, waiters, event lists
 *	thread.lock		life cycle state of one thread
 *	cpu.queue_lock		run queue of one CPU
 *	timer.lock		one timer object
 *	timer_lock(cpu)		timer heap of one CPU
 *	slab.lock, frame_lock	allocators: leaves
 *	reap_lock		queues of dead objects: leaf
 *	log_lock		leaf
 *
 * Two locks of one kind are taken in address order, except where noted.
 */
#pragma once

#include <kernel/core/arch.h>
#include <stdbool.h>
#include <stdint.h>

struct lock {
	uint32_t held;
};

static inline bool
lock_try(struct lock *lock)
{
	return __atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE) == 0;
}

/* Spins; for when lock_try() has failed. */
void lock_contended(struct lock *lock);
void lock_acquire(struct lock *lock);

/* The same for hot paths, where a call would cost more than the space. */
static inline void
lock_acquire_inline(struct lock *lock)
{
	if (__builtin_expect(!lock_try(lock), 0))
		lock_contended(lock);
}

static inline void
lock_release(struct lock *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}
