/* SPDX-License-Identifier: MIT */
/*
 * The hot half of the line ring; included by ring.h. Whatever is rare (end of
 * the ring, own copy of head too old, batches, broken rules) is a call into
 * ring.c. cost_test.c counts the instructions.
 */
#pragma once

#include <lib/ring/ring.h>

#include <lib/ring/atomic.h>

#define RING_LENGTH_BITS	28u
/* The shape of padding; as a message it would be too long for any ring. */
#define RING_PADDING		0xffffffffu

/* The slow halves. */
status_t ring_make_room(struct ring_producer *producer, uint32_t length);
void ring_stage_behind(struct ring_producer *producer, struct ring_line *line);
void ring_wrap(struct ring_consumer *consumer);
bool ring_skip_padding(struct ring_consumer *consumer, uint32_t shape);

/* Bytes of the lines of a message. */
static inline uint64_t
ring_bytes_of(uint32_t length)
{
	return ((uint64_t)length + RING_HEADER + RING_LINE - 1) &
	    ~(RING_LINE - 1ul);
}

/* What the sequence of the line at `position` is if a message starts there. */
static inline uint32_t
ring_sequence_of(uint64_t position)
{
	return (uint32_t)position;
}

/* And what it is if none does. Odd, so it is nobody's sequence. */
static inline uint32_t
ring_empty_of(uint64_t position)
{
	return (uint32_t)position + 1;
}

static inline struct ring_line *
ring_behind(const struct ring_line *line, uint64_t bytes)
{
	return (struct ring_line *)((uintptr_t)line + bytes);
}

static inline status_t
ring_reserve(struct ring_producer *producer, uint32_t length, void **out_data)
{
	if (__builtin_expect(ring_behind(producer->line,
	    ring_bytes_of(length)) > producer->stop, 0)) {
		status_t status = ring_make_room(producer, length);
		if (status != OK)
			return status;
	}
	*out_data = producer->line->payload;
	return OK;
}

static inline uint64_t
ring_position(const struct ring_producer *producer)
{
	return (uintptr_t)producer->line + producer->bias;
}

/* Writes all of a message but its sequence; returns the line behind it. */
static inline struct ring_line *
ring_fill(struct ring_producer *producer, uint32_t length, uint32_t kind,
    uint64_t tag)
{
	struct ring_line *line = producer->line;
	uint64_t position = ring_position(producer);
	struct ring_line *end = ring_behind(line, ring_bytes_of(length));

	if (end > producer->stop || kind - 1 >= RING_KIND_MAX)
		__builtin_trap();
	ring_put(&line->shape, length | (kind - 1) << RING_LENGTH_BITS);
	ring_put(&line->tag, tag);
	ring_store(&end->sequence, ring_empty_of(position +
	    ring_bytes_of(length)), RING_RELAXED);
	return end;
}

static inline void
ring_stage(struct ring_producer *producer, uint32_t length, uint32_t kind,
    uint64_t tag)
{
	struct ring_line *end = ring_fill(producer, length, kind, tag);

	ring_stage_behind(producer, end);
}

static inline void
ring_publish(struct ring_producer *producer)
{
	struct ring_line *first = producer->first;

	if (first == NULL)
		return;
	producer->first = NULL;
	ring_store(&first->sequence,
	    ring_sequence_of(producer->first_position), RING_RELEASE);
}

static inline void
ring_commit(struct ring_producer *producer, uint32_t length, uint32_t kind,
    uint64_t tag)
{
	struct ring_line *line = producer->line;
	uint32_t sequence = ring_sequence_of(ring_position(producer));
	struct ring_line *end = ring_fill(producer, length, kind, tag);

	if (__builtin_expect(producer->first != NULL, 0)) {
		ring_stage_behind(producer, end);
		ring_publish(producer);
		return;
	}
	producer->line = end;
	ring_store(&line->sequence, sequence, RING_RELEASE);
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

/*
 * The line of the next message. False: none, or corrupt. At most three times
 * around: the end of the ring, padding.
 */
static inline bool
ring_find(struct ring_consumer *consumer, struct ring_line **out_line,
    uint32_t *out_shape)
{
	for (;;) {
		struct ring_line *line = consumer->line;
		uint64_t position = (uintptr_t)line + consumer->bias;
		uint32_t sequence = ring_load(&line->sequence, RING_ACQUIRE);
		if (__builtin_expect(sequence != ring_sequence_of(position),
		    0)) {
			if (__builtin_expect(line != consumer->end, 1))
				return false;
			ring_wrap(consumer);
			continue;
		}
		uint32_t shape = ring_get(&line->shape);
		struct ring_line *next = ring_behind(line,
		    ring_bytes_of(shape & RING_LENGTH_MAX));
		consumer->next = next;
		*out_line = line;
		*out_shape = shape;
		if (__builtin_expect(next <= consumer->end, 1))
			return true;
		if (!ring_skip_padding(consumer, shape))
			return false;
	}
}

static inline status_t
ring_peek(struct ring_consumer *consumer, struct ring_message *out_message)
{
	uint32_t shape;
	struct ring_line *line;

	if (__builtin_expect(!ring_find(consumer, &line, &shape), 0))
		return consumer->corrupt ? ERR_CORRUPT : ERR_EMPTY;
	*out_message = (struct ring_message){
		.data = line->payload, .length = shape & RING_LENGTH_MAX,
		.kind = (shape >> RING_LENGTH_BITS) + 1,
		.tag = ring_get(&line->tag), .position = consumer->count,
	};
	return OK;
}

static inline void
ring_release(struct ring_consumer *consumer)
{
	struct ring_line *next = consumer->next;

	if (__builtin_expect(next == consumer->line, 0))
		return;
	consumer->line = next;
	consumer->count++;
	/* Release: what lies before, this end has read. */
	ring_store(&consumer->memory->head, (uintptr_t)next + consumer->bias,
	    RING_RELEASE);
}

static inline void
ring_pass(struct ring_consumer *consumer)
{
	struct ring_line *next = consumer->next;

	if (next == consumer->line)
		return;
	consumer->line = next;
	consumer->count++;
}

static inline void
ring_give_back(struct ring_consumer *consumer)
{
	if (!consumer->corrupt)
		ring_store(&consumer->memory->head,
		    (uintptr_t)consumer->line + consumer->bias, RING_RELEASE);
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
