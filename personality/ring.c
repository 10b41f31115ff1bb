/* SPDX-License-Identifier: MIT */
#include "ring.h"

bool
ring_used(const struct ring *ring, uint64_t *out_used)
{
	uint64_t taken = ring_load(&ring->taken);
	uint64_t written = ring_load(&ring->written);

	*out_used = written - taken;
	return *out_used <= RING_SIZE;
}

void
ring_span(struct ring *ring, uint64_t position, uint64_t length,
    struct ring_span *out_span)
{
	uint64_t start = position % RING_SIZE;
	uint64_t first = RING_SIZE - start;

	if (first > length)
		first = length;
	out_span->piece[0] = ring->data + start;
	out_span->length[0] = first;
	out_span->piece[1] = ring->data;
	out_span->length[1] = length - first;
}

bool
ring_try_lock(uint64_t *lock, uint64_t self, uint64_t *out_owner)
{
	*out_owner = 0;
	return __atomic_compare_exchange_n(lock, out_owner, self, false,
	    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

bool
ring_take_over(uint64_t *lock, uint64_t self, uint64_t owner)
{
	return __atomic_compare_exchange_n(lock, &owner, self, false,
	    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Does nothing if a hostile peer gave the lock to another. */
void
ring_unlock(uint64_t *lock, uint64_t self)
{
	__atomic_compare_exchange_n(lock, &self, 0, false, __ATOMIC_RELEASE,
	    __ATOMIC_RELAXED);
}
