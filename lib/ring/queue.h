/* SPDX-License-Identifier: MIT */
/*
 * Bounded queue for many producers and many consumers: threads of a process, or
 * processes that trust each other.
 *
 * A power of two of cells, one cache line each, in shared memory. put and get
 * are counts of all items ever put and taken; the cell of item p is p modulo
 * the number of cells. Its turn says what may be done with it:
 *
 *	turn == p		free for the producer who gets number p
 *	turn == p + 1		holds item p, for the consumer who gets number p
 *
 * A producer draws number p by a compare-and-swap of put when the turn of the
 * cell allows it, fills the cell, then passes the turn on with release order;
 * a consumer does the same with get and sets the turn to p + cells.
 *
 * Order: items come out in the order of their numbers; those of one producer in
 * the order it put them. That is the order of taking: two consumers may finish
 * in any order.
 *
 * Trust: none is needed for memory safety (indices are masked by a private
 * mask), all of it for content and progress: an end that stops between drawing
 * its number and passing the turn blocks the queue at that cell. Who must
 * survive the death of the other side uses a line ring (ring.h) for each.
 *
 * ERR_FULL and ERR_EMPTY are what this end could see: somebody may be in the
 * middle of making them untrue. No operation waits for another; one that fails
 * to draw a number tries again because somebody else succeeded.
 *
 * Thread safety: a struct queue is constant after open and may be shared.
 */
#pragma once

#include <abi/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_WORDS	7u
#define QUEUE_CELLS_MIN	2u
#define QUEUE_CELLS_MAX	(1u << 24)

struct queue_item {
	uint64_t words[QUEUE_WORDS];
};

/* What lies in shared memory. */
struct queue_cell {
	uint64_t turn;
	struct queue_item item;
};

struct queue_memory {
	uint64_t put;
	uint64_t unused_put[7];
	uint64_t get;
	uint64_t unused_get[7];
	struct queue_cell cells[];
};

struct queue {
	struct queue_memory *memory;
	uint64_t mask;		/* cells - 1 */
};

/* Bytes of shared memory, a multiple of 64. */
size_t queue_size(uint32_t cells);
/* Makes an empty queue in memory aligned to 64, before anybody opens it. */
void queue_format(void *memory, uint32_t cells);
/* ERR_ARG not a power of two, out of range, memory not aligned. */
status_t queue_open(struct queue *queue, void *memory, uint32_t cells);

/* ERR_FULL. The number is for queue_is_taken. */
status_t queue_put(const struct queue *queue, const struct queue_item *item,
    uint64_t *out_number);
/* ERR_EMPTY. */
status_t queue_get(const struct queue *queue, struct queue_item *out_item);
/*
 * Whether a consumer drew this number: what this thread puts from here on, in
 * whatever queue, is taken later.
 */
bool queue_is_taken(const struct queue *queue, uint64_t number);
