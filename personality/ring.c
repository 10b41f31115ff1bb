/* SPDX-License-Identifier: MIT */
#include "ring.h"

bool
ring_take_over(uint64_t *lock, uint64_t self, uint64_t owner)
{
	return __atomic_compare_exchange_n(lock, &owner, self, false,
	    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

