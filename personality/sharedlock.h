/* SPDX-License-Identifier: MIT */
/*
 * Locks in memory that processes share (ring.h): the word is the thread id of
 * the owner, and who finds a dead owner takes the lock over. Held for a copy,
 * never while waiting.
 */
#pragma once

#include "ring.h"
#include "thread.h"

/* Another has it. */
void shared_lock_slowly(uint64_t *word, uint64_t self);

static inline void
shared_lock(uint64_t *word)
{
	uint64_t self = UTCB->thread_id, owner;

	if (!ring_try_lock(word, self, &owner))
		shared_lock_slowly(word, self);
}

static inline void
shared_unlock(uint64_t *word)
{
	ring_unlock(word, UTCB->thread_id);
}

/* For what is asked again after a while only. */
static inline uint64_t
shared_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}
