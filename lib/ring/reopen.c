/* SPDX-License-Identifier: MIT */
/*
 * Opening an end in the middle, for the next incarnation of its owner. Why no
 * message is lost or doubled by it is in ring.h, "Coming back".
 *
 * The mark comes from memory that only the owner writes; it is checked all the
 * same, because a mark of another ring would make an end leave the memory.
 */
#include <lib/ring/ring.h>

static struct ring_line *
line_at(struct ring_memory *memory, uint32_t size, uint64_t position)
{
	return &memory->lines[(position & (size - 1)) / RING_LINE];
}

void
ring_producer_mark(const struct ring_producer *producer,
    struct ring_mark *out_mark)
{
	uint64_t position = ring_position(producer);

	*out_mark = (struct ring_mark){
		.first = producer->first != NULL ? producer->first_position :
		    position,
		.position = position,
	};
}

void
ring_consumer_mark(const struct ring_consumer *consumer,
    struct ring_mark *out_mark)
{
	uint64_t position = (uintptr_t)consumer->line + consumer->bias;

	*out_mark = (struct ring_mark){
		.first = position, .position = position,
		.count = consumer->count,
	};
}

/* At a line, and no further from what is staged than a ring can hold. */
static bool
is_possible(const struct ring_mark *mark, uint32_t size)
{
	return mark->position % RING_LINE == 0 &&
	    mark->first % RING_LINE == 0 && mark->first <= mark->position &&
	    mark->position - mark->first <= size - RING_LINE;
}

/*
 * What was staged behind the first message has its sequence by then, and is
 * hidden by the "empty" of the message before it; but at the end of a lap that
 * goes behind the last line, and line 0 is not cleared (ring.h). So a message
 * that the dead staged at the start of the next lap is undone.
 */
static void
hide_next_lap(struct ring_memory *ring, uint32_t size, uint64_t position)
{
	uint64_t lap = (position + size - 1) & ~(uint64_t)(size - 1);
	uint32_t *sequence = &ring->lines[0].sequence;

	if (ring_load(sequence, RING_RELAXED) == ring_sequence_of(lap))
		ring_store(sequence, ring_empty_of(lap), RING_RELAXED);
}

status_t
ring_producer_open_at(struct ring_producer *producer, void *memory,
    uint32_t lines, const struct ring_mark *mark, uint64_t generation)
{
	struct ring_memory *ring = memory;
	status_t status = ring_producer_open(producer, memory, lines);
	uint32_t size = producer->size;

	if (status != OK)
		return status;
	if (!is_possible(mark, size))
		return ERR_ARG;
	/* No room is known: the first reserve asks for it. */
	producer->line = producer->stop = line_at(ring, size, mark->position);
	producer->bias = mark->position - (uint64_t)(uintptr_t)producer->line;
	/* The line behind the last message was free when that was made. */
	if (mark->position > size - RING_LINE)
		producer->head = mark->position + RING_LINE - size;
	hide_next_lap(ring, size, mark->position);
	ring_store(&ring->producer_generation, generation, RING_RELAXED);
	ring_producer_awake(producer);
	if (mark->first != mark->position) {
		producer->first = line_at(ring, size, mark->first);
		producer->first_position = mark->first;
		ring_publish(producer);
	}
	return OK;
}

status_t
ring_consumer_open_at(struct ring_consumer *consumer, void *memory,
    uint32_t lines, const struct ring_mark *mark, uint64_t generation)
{
	struct ring_memory *ring = memory;
	status_t status = ring_consumer_open(consumer, memory, lines);

	if (status != OK)
		return status;
	if (!is_possible(mark, consumer->size))
		return ERR_ARG;
	consumer->line = consumer->next = line_at(ring, consumer->size,
	    mark->position);
	consumer->bias = mark->position - (uint64_t)(uintptr_t)consumer->line;
	consumer->count = mark->count;
	ring_store(&ring->consumer_generation, generation, RING_RELAXED);
	ring_consumer_awake(consumer);
	ring_give_back(consumer);
	return OK;
}

status_t
ring_producer_find(void *memory, uint32_t lines, struct ring_mark *mark)
{
	struct ring_memory *ring = memory;
	struct ring_consumer look;
	struct ring_line *line;
	uint32_t shape;
	status_t status = ring_consumer_open(&look, memory, lines);

	if (status != OK)
		return status;
	if (!is_possible(mark, look.size))
		return ERR_ARG;
	/* What was given back may be written over since: not a chain. */
	uint64_t start = ring_load(&ring->head, RING_ACQUIRE);
	if (start % RING_LINE != 0 || start > mark->position + look.size)
		return ERR_CORRUPT;
	if (start < mark->position)
		start = mark->position;
	look.line = look.next = line_at(ring, look.size, start);
	look.bias = start - (uint64_t)(uintptr_t)look.line;
	for (uint32_t n = 0; n < lines && ring_find(&look, &line, &shape); n++)
		look.line = look.next;
	if (look.corrupt)
		return ERR_CORRUPT;
	mark->first = mark->position = (uintptr_t)look.line + look.bias;
	return OK;
}

uint64_t
ring_producer_generation(const void *memory)
{
	const struct ring_memory *ring = memory;

	return ring_load(&ring->producer_generation, RING_RELAXED);
}

uint64_t
ring_consumer_generation(const void *memory)
{
	const struct ring_memory *ring = memory;

	return ring_load(&ring->consumer_generation, RING_RELAXED);
}
