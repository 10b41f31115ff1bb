/* SPDX-License-Identifier: MIT */
/*
 * A plain ring as anybody would write it first: two counts and places of one
 * size between them. Both sides spin and trust each other; no tokens, no
 * sleeping, no checks. What a channel does costs the difference.
 */
#include "bench.h"
#include "loops.h"

#include <stdlib.h>

#define DIRECTION	(BENCH_SHARED / 2)
#define AREA		(64ul << 10)	/* of places, if four of them fit */
#define PLACES_MIN	4u

struct direction {
	uint64_t *sent, *received;	/* shared, lines of their own */
	unsigned char *places;
	uint64_t count;			/* of this side */
	uint64_t other;			/* last seen of the other */
};

struct spin_ring {
	struct direction out, in;
};

static struct direction
direction_at(unsigned char *memory)
{
	return (struct direction){ .sent = (uint64_t *)memory,
		.received = (uint64_t *)(memory + 4 * BENCH_LINE),
		.places = memory + 4096 };
}

static void *
spin_ring_open(struct bench_rig *rig, enum bench_side side)
{
	struct spin_ring *ring = malloc(sizeof(*ring));
	struct direction there = direction_at(rig->shared);
	struct direction back = direction_at(rig->shared + DIRECTION);

	if (ring == NULL)
		return NULL;
	ring->out = side == BENCH_CLIENT ? there : back;
	ring->in = side == BENCH_CLIENT ? back : there;
	return ring;
}

static inline uint64_t
places_of(size_t size)
{
	return size * PLACES_MIN > AREA ? PLACES_MIN : AREA / size;
}

static inline bool
spin_ring_put(struct spin_ring *ring, const void *data, size_t size)
{
	struct direction *out = &ring->out;
	uint64_t places = places_of(size);

	while (out->count - out->other >= places)
		out->other = __atomic_load_n(out->received, __ATOMIC_ACQUIRE);
	memcpy(out->places + out->count % places * size, data, size);
	__atomic_store_n(out->sent, ++out->count, __ATOMIC_RELEASE);
	return true;
}

static inline bool
spin_ring_get(struct spin_ring *ring, void *data, size_t size)
{
	struct direction *in = &ring->in;

	while (in->count == in->other)
		in->other = __atomic_load_n(in->sent, __ATOMIC_ACQUIRE);
	memcpy(data, in->places + in->count % places_of(size) * size, size);
	__atomic_store_n(in->received, ++in->count, __ATOMIC_RELEASE);
	return true;
}

PEER_LOOPS(spin_ring)

const struct bench_peer peer_spin_ring = {
	.name = "spin-ring", .text = "plain ring without any check, spinning",
	.flags = PEER_SPINS | PEER_ROUND_TRIP | PEER_STREAM,
	.open = spin_ring_open, PEER_FIELDS(spin_ring), .close = free,
};
