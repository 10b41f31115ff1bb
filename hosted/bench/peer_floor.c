/* SPDX-License-Identifier: MIT */
/*
 * The floor of every round trip: a number goes to the other CPU in one cache
 * line and comes back in another. Nothing else is done, not even a payload.
 */
#include "bench.h"

#include <stdlib.h>

struct floor_end {
	uint64_t *out, *in;	/* lines of their own in shared memory */
	uint64_t last;		/* number sent, or answered, last */
};

static void *
floor_open(struct bench_rig *rig, enum bench_side side)
{
	struct floor_end *end = malloc(sizeof(*end));
	uint64_t *line = (uint64_t *)rig->shared;
	/* Not neighbours: CPUs fetch lines in pairs. */
	uint64_t *other = line + 4 * BENCH_LINE / sizeof(*line);

	if (end == NULL)
		return NULL;
	*end = (struct floor_end){ .out = side == BENCH_CLIENT ? line : other,
		.in = side == BENCH_CLIENT ? other : line };
	return end;
}

static bool
floor_round_trip(void *state, const struct bench_job *job)
{
	struct floor_end *end = state;
	uint64_t stop = end->last + job->count;

	while (end->last != stop) {
		end->last++;
		__atomic_store_n(end->out, end->last, __ATOMIC_RELEASE);
		while (__atomic_load_n(end->in, __ATOMIC_ACQUIRE) != end->last)
			;
	}
	return true;
}

static bool
floor_serve(void *state, const struct bench_job *job)
{
	struct floor_end *end = state;
	uint64_t stop = end->last + job->count;

	while (end->last != stop) {
		end->last++;
		while (__atomic_load_n(end->in, __ATOMIC_ACQUIRE) != end->last)
			;
		__atomic_store_n(end->out, end->last, __ATOMIC_RELEASE);
	}
	return true;
}

const struct bench_peer peer_floor = {
	.name = "floor", .text = "cache line there and back, spinning",
	.flags = PEER_SPINS | PEER_ROUND_TRIP,
	.open = floor_open, .round_trip = floor_round_trip,
	.serve = floor_serve, .close = free,
};
