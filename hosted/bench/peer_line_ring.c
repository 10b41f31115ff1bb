/* SPDX-License-Identifier: MIT */
/*
 * The line ring under our channels (lib/ring), by itself: hostile counterparts
 * are checked, but there are no tokens, lanes or statistics. Spins.
 */
#include "bench.h"
#include "loops.h"

#include <lib/ring/ring.h>

#include <stdlib.h>

#define LINES		8192u	/* 512 KiB: 64 KiB messages have room, too */
#define DIRECTION	(BENCH_SHARED / 2)

struct line_ring {
	struct ring_producer out;
	struct ring_consumer in;
};

static int
line_ring_prepare(struct bench_rig *rig)
{
	ring_format(rig->shared, LINES);
	ring_format(rig->shared + DIRECTION, LINES);
	return 0;
}

static void *
line_ring_open(struct bench_rig *rig, enum bench_side side)
{
	struct line_ring *ring = aligned_alloc(BENCH_LINE,
	    (sizeof(*ring) + BENCH_LINE - 1) / BENCH_LINE * BENCH_LINE);
	unsigned char *there = rig->shared, *back = there + DIRECTION;
	bool client = side == BENCH_CLIENT;

	if (ring == NULL)
		return NULL;
	if (ring_producer_open(&ring->out, client ? there : back,
	    LINES) == OK &&
	    ring_consumer_open(&ring->in, client ? back : there, LINES) == OK)
		return ring;
	free(ring);
	return NULL;
}

static inline bool
line_ring_put(struct line_ring *ring, const void *data, size_t size)
{
	status_t status;

	do
		status = ring_send(&ring->out, data, (uint32_t)size, 0);
	while (status == ERR_FULL);
	return status == OK;
}

static inline bool
line_ring_get(struct line_ring *ring, void *data, size_t size)
{
	struct ring_message message;
	status_t status;

	do
		status = ring_peek(&ring->in, &message);
	while (status == ERR_EMPTY);
	if (status != OK || message.length != size)
		return false;
	memcpy(data, message.data, size);
	ring_release(&ring->in);
	return true;
}

PEER_LOOPS(line_ring)

const struct bench_peer peer_line_ring = {
	.name = "line-ring", .text = "the ring under channels, spinning",
	.flags = PEER_SPINS | PEER_ROUND_TRIP | PEER_STREAM,
	.prepare = line_ring_prepare, .open = line_ring_open,
	PEER_FIELDS(line_ring), .close = free,
};
