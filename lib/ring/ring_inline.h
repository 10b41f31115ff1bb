/* SPDX-License-Identifier: MIT */
/*
 * The hot half of the line ring; included by ring.h. Whatever is rare (end of
 * the ring, own copy of head too old, broken rules) is a call into ring.c.
 */
#pragma once

#include <lib/ring/ring.h>

#include <lib/ring/atomic.h>

#define RING_LENGTH_BITS	28u

/* The slow halves. */
status_t ring_reserve_slow(struct ring_producer *producer, uint32_t length,
    void **out_data);
void ring_stage_padding(struct ring_producer *producer);
status_t ring_peek_slow(struct ring_consumer *consumer,
    struct ring_message *out_message);

/* Lines of a message; length <= RING_LENGTH_MAX. */
static inline uint32_t
ring_lines_of(uint32_t length)
{
	return (length + RING_HEADER + RING_LINE - 1) / RING_LINE;
}

/* What the sequence of the line at `position` is if a message starts there. */
static inline uint32_t
ring_sequence_of(uint64_t position)
{
	return (uint32_t)position + 1;
}

static inline struct ring_line *
ring_line_at(struct ring_memory *memory, uint32_t mask, uint64_t position)
{
	return &memory->lines[position & mask];
}

static inline status_t
ring_reserve(struct ring_producer *producer, uint32_t length, void **out_data)
{
	uint64_t start = producer->tail;
	uint64_t end = start + ring_lines_of(length);

	/* The line at end is needed too, for "empty": end < limit. */
	if (length > producer->longest || end >= producer->limit ||
	    (start & producer->mask) + (end - start) > producer->mask + 1ul)
		return ring_reserve_slow(producer, length, out_data);
	producer->start = start;
	producer->room = length + 1;
	*out_data = ring_line_at(producer->memory, producer->mask,
	    start)->payload;
	return OK;
}

/*
 * Writes the header of a message. Its sequence is stored at once only behind
 * others that are staged: nobody gets there before the first is seen.
 */
static inline void
ring_stage_at(struct ring_producer *producer, uint64_t start, uint64_t end,
    uint32_t shape)
{
	struct ring_memory *memory = producer->memory;
	struct ring_line *line = ring_line_at(memory, producer->mask, start);

	ring_put(&line->shape, shape);
	ring_store(&ring_line_at(memory, producer->mask, end)->sequence,
	    (uint32_t)end, RING_RELAXED);
	if (start != producer->published)
		ring_store(&line->sequence, ring_sequence_of(start),
		    RING_RELAXED);
	producer->tail = end;
}

static inline void
ring_stage(struct ring_producer *producer, uint32_t length, uint32_t kind,
    uint64_t tag)
{
	uint64_t start = producer->start;

	if (length >= producer->room || kind - 1 >= RING_KIND_MAX)
		__builtin_trap();
	if (start != producer->tail)
		ring_stage_padding(producer);
	ring_put(&ring_line_at(producer->memory, producer->mask, start)->tag,
	    tag);
	ring_stage_at(producer, start, start + ring_lines_of(length),
	    length | kind << RING_LENGTH_BITS);
	producer->room = 0;
	producer->start = producer->tail;
	producer->count++;
}

static inline void
ring_publish(struct ring_producer *producer)
{
	uint64_t first = producer->published;
	struct ring_memory *memory = producer->memory;

	if (first == producer->tail)
		return;
	producer->published = producer->tail;
	ring_store(&memory->sent, producer->count, RING_RELAXED);
	ring_store(&ring_line_at(memory, producer->mask, first)->sequence,
	    ring_sequence_of(first), RING_RELEASE);
}

static inline void
ring_commit(struct ring_producer *producer, uint32_t length, uint32_t kind,
    uint64_t tag)
{
	ring_stage(producer, length, kind, tag);
	ring_publish(producer);
}

static inline status_t
ring_send(struct ring_producer *producer, const void *data, uint32_t length,
    uint64_t tag)
{
	void *room;
	status_t status = ring_reserve(producer, length, &room);

	if (status != OK)
		return status;
	ring_copy_in(room, data, length);
	ring_commit(producer, length, RING_DATA, tag);
	return OK;
}

static inline status_t
ring_peek(struct ring_consumer *consumer, struct ring_message *out_message)
{
	uint64_t position = consumer->position;
	struct ring_line *line = ring_line_at(consumer->memory,
	    consumer->mask, position);

	if (consumer->corrupt)
		return ERR_CORRUPT;
	if (ring_load(&line->sequence, RING_ACQUIRE) !=
	    ring_sequence_of(position))
		return ERR_EMPTY;

	uint32_t shape = ring_get(&line->shape);
	uint32_t length = shape & RING_LENGTH_MAX;
	uint32_t kind = shape >> RING_LENGTH_BITS;
	uint32_t lines = ring_lines_of(length);
	/* Padding, or past the end of the ring. */
	if (kind == 0 || (position & consumer->mask) + lines >
	    consumer->mask + 1ul)
		return ring_peek_slow(consumer, out_message);
	consumer->held = lines;
	*out_message = (struct ring_message){
		.data = line->payload, .length = length, .kind = kind,
		.tag = ring_get(&line->tag), .position = consumer->count,
	};
	return OK;
}

static inline void
ring_release(struct ring_consumer *consumer)
{
	if (consumer->held == 0)
		return;
	consumer->position += consumer->held;
	consumer->held = 0;
	consumer->count++;
	ring_store(&consumer->memory->head, consumer->position, RING_RELEASE);
}

/* The question of both sides: is the other asleep by now? Lowers its flag. */
static inline bool
ring_must_wake(uint32_t *flag)
{
	/* What was published before must be seen by who raises the flag now. */
	ring_fence(RING_FULL);
	if (__builtin_expect(ring_load(flag, RING_RELAXED) == 0, 1))
		return false;
	return ring_exchange(flag, 0, RING_RELAXED) == 1;
}

static inline bool
ring_producer_must_wake(struct ring_producer *producer)
{
	return ring_must_wake(&producer->memory->consumer_asleep);
}

static inline bool
ring_consumer_must_wake(struct ring_consumer *consumer)
{
	return ring_must_wake(&consumer->memory->producer_asleep);
}
