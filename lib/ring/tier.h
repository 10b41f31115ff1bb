/* SPDX-License-Identifier: MIT */
/*
 * Queue tiers: one pool of work whose items stay close to who put them.
 *
 * There is a queue (queue.h) per CPU, per socket and per node, and one more,
 * the spill, for all. put tries the queue of the current CPU, then that of its
 * socket, of its node, then the spill. get looks in the same order, then steals
 * from the queues of others, nearest first: level by level, own socket before
 * own node before the rest.
 *
 * Order
 *   - Items of one producer (struct tier_producer) are taken in the order it
 *     put them, whoever takes them, whatever CPU it ran on in between. For this
 *     a producer stays with the queue of its last item until that was taken;
 *     ERR_FULL then means that this queue is full, not all of them.
 *   - A producer opened with TIER_ANY_ORDER gives that up: each put takes the
 *     first queue with room. Only items that went into the same queue are in
 *     order among themselves.
 *   - Between producers there is no order.
 *   As in queue.h this is the order of taking; who takes may be late to finish.
 *
 * No item is lost: what was put before a get began (in the sense of happens
 * before), and was not taken by another, is found by it, unless some producer
 * is just in the middle of a put ahead of it in the same queue.
 *
 * Looking costs little when there is nothing: stealing goes by one word of bits
 * per level, all in one line, with a bit for each queue that may hold items.
 * put raises the bit behind a full barrier; who finds a queue empty marks it as
 * in doubt, lowers the bit and looks again. An idle get reads this line and its own four queues, and
 * writes nothing.
 *
 * Which CPU is where is the caller's knowledge (a table); which one it runs on
 * is a hint, right most of the time. Trust is that of queue.h.
 *
 * Thread safety: struct tiers is constant after open and may be shared. A
 * tier_producer or tier_consumer belongs to one thread at a time.
 */
#pragma once

#include <lib/ring/queue.h>

#define TIER_UNITS_MAX	64u	/* CPUs, sockets, nodes: each at most */

enum tier_level { TIER_CPU, TIER_SOCKET, TIER_NODE, TIER_SPILL, TIER_LEVELS };

struct tier_place {
	uint8_t socket;
	uint8_t node;
};

struct tier_topology {
	uint32_t cpus, sockets, nodes;		/* 1 .. TIER_UNITS_MAX */
	const struct tier_place *places;	/* of each CPU; outlives tiers */
	uint32_t cells[TIER_LEVELS];		/* of each queue of a level */
};

struct tiers {
	struct tier_memory *memory;
	const struct tier_place *places;
	uint32_t units[TIER_LEVELS];		/* queues of a level */
	struct queue first[TIER_LEVELS];	/* of unit 0 of a level */
	uint64_t near[TIER_UNITS_MAX][2];	/* CPUs of a socket, of a node */
};

#define TIER_ANY_ORDER	0x1u

struct tier_producer {
	const struct tiers *tiers;
	unsigned flags;
	bool	 has_last;	/* the four below are valid */
	struct queue last;	/* where the last item went */
	uint32_t last_level, last_unit;		/* the same as a place */
	uint64_t number;	/* its number there */
	uint64_t put[TIER_LEVELS];	/* items put, by level */
	uint64_t refused;	/* ERR_FULL */
};

struct tier_consumer {
	const struct tiers *tiers;
	uint32_t cpu;		/* of the last get; the queues are its own */
	struct queue own[TIER_LEVELS];
	uint64_t got[TIER_LEVELS];	/* items from the own queues */
	uint64_t stolen[TIER_LEVELS];	/* items from queues of others */
	uint64_t idle;		/* ERR_EMPTY */
};

/* ERR_ARG: a count, the size of a queue or a place is out of range. */
status_t tier_size(const struct tier_topology *topology, size_t *out_bytes);
/* Empty tiers in memory aligned to 64; the topology was accepted before. */
void tier_format(void *memory, const struct tier_topology *topology);
/* All ends are told the same topology. ERR_ARG, also if not aligned. */
status_t tier_open(struct tiers *tiers, void *memory,
    const struct tier_topology *topology);

/* flags: TIER_ANY_ORDER or 0. */
void tier_producer_open(struct tier_producer *producer,
    const struct tiers *tiers, unsigned flags);
void tier_consumer_open(struct tier_consumer *consumer,
    const struct tiers *tiers);

/* ERR_FULL, ERR_ARG no such CPU. */
status_t tier_put(struct tier_producer *producer, uint32_t cpu,
    const struct queue_item *item);
/* ERR_EMPTY, ERR_ARG no such CPU. */
status_t tier_get(struct tier_consumer *consumer, uint32_t cpu,
    struct queue_item *out_item);
