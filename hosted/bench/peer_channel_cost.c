/* SPDX-License-Identifier: MIT */
/*
 * What single operations of a channel cost one thread that has both ends: it
 * sends some messages, takes them out again, and counts the cycles of either.
 * Nobody sleeps, so nobody is woken.
 */
#include "channel_ends.h"

#include <errno.h>
#include <stdlib.h>

#define SIZE		32u
#define GROUP		64u		/* messages before they are received */
#define BUFFER		(64u << 10)
#define BUFFERS		64u

struct cost {
	struct channel_place *place;
	struct channel_ends ends;	/* of 64 KiB buffers */
	struct channel *sender, *receiver;
	struct token_hot hot;
	uint64_t overhead;		/* cycles of reading the counter */
};

static uint64_t
counter_overhead(void)
{
	uint64_t least = ~0ul;

	for (unsigned i = 0; i < 1000; i++) {
		uint64_t start = bench_cycles();
		uint64_t cycles = bench_cycles() - start;

		if (cycles < least)
			least = cycles;
	}
	return least;
}
