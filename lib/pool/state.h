/* SPDX-License-Identifier: MIT */
/*
 * The private memory of a pool: this structure, then the arrays it points to.
 *
 * Free buffers of a class form a stack: `free` holds the number of the first
 * plus one (0: none) and, above it, a count that each change advances, so that
 * a stack which looks the same after others took and put back is noticed. A
 * lock would do too, but a thread that is stopped while it holds one would stop
 * the senders of all lanes.
 *
 * The ledger has one bit per lane and buffer. Setting and clearing it is one
 * atomic operation, and who changed the bit moves the reference: a return and a
 * reclaim at the same time give a buffer back once.
 */
#pragma once

#include <lib/pool/pool.h>

struct pool_range {		/* a class */
	uint64_t free;		/* atomic: count << 32 | first + 1 */
	size_t	 offset;	/* in the shared memory */
	uint32_t first, size, count;
} __attribute__((aligned(64)));

struct pool {
	struct pool_range range[POOL_CLASSES_MAX];
	unsigned classes, node;
	uint32_t buffers, lanes;
	size_t	 row;		/* words of the ledger per lane */
	uint8_t	*shared;
	/* Atomic, one per buffer. */
	uint32_t *references, *next;
	uint64_t *ledger;	/* atomic, lanes * row */
	uint32_t *lies;		/* atomic, one per lane */
	struct pool_counters counters __attribute__((aligned(64)));
};

#define LEDGER_BITS	64u

static inline uint64_t *
ledger_word(const struct pool *pool, uint32_t lane, uint32_t buffer)
{
	return &pool->ledger[lane * pool->row + buffer / LEDGER_BITS];
}

static inline uint64_t
ledger_bit(uint32_t buffer)
{
	return (uint64_t)1 << buffer % LEDGER_BITS;
}
