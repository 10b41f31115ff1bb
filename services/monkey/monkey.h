/* SPDX-License-Identifier: MIT */
/* What the monkey and its keeper share. */
#pragma once

#include <lib/peer/peer.h>

#define SHARED_PAGE	(PLACE_HEAP_BASE + 0x10000000ul)
#define HANDLES		48u

struct shared {
	uint64_t calls;		/* made so far; monkeys add */
	uint64_t random;	/* state of the generator */
	uint64_t ok, refused;	/* results seen */
	cap_t	 handles[HANDLES];	/* capabilities in the monkey's table */
	uint64_t handle_count;
};

#define SHARED ((struct shared *)SHARED_PAGE)

static inline uint64_t
random_next(void)
{
	uint64_t x = SHARED->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return SHARED->random = x;
}

/* Makes random system calls until it dies or blocks for good. */
void monkey_run(void);
