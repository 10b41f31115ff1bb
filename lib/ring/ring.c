/* SPDX-License-Identifier: MIT */
/*
 * The slow half of the line ring: making and opening, the end of the ring, the
 * other side's position, sleeping, closing. The formats and the protocol are
 * described in ring.h.
 */
#include <lib/ring/ring.h>

_Static_assert(sizeof(struct ring_line) == RING_LINE, "one line");
_Static_assert(offsetof(struct ring_line, payload) == RING_HEADER, "header");
_Static_assert(sizeof(struct ring_memory) == 4 * RING_LINE, "four lines");

static bool
size_is_valid(uint32_t lines)
{
	return lines >= RING_LINES_MIN && lines <= RING_LINES_MAX &&
	    (lines & (lines - 1)) == 0;
}

static bool
can_open(const void *memory, uint32_t lines)
{
	return size_is_valid(lines) && (uintptr_t)memory % RING_LINE == 0;
}

size_t
ring_size(uint32_t lines)
{
	return sizeof(struct ring_memory) + (size_t)lines * RING_LINE;
}

uint32_t
ring_length_max(uint32_t lines)
{
	uint32_t half = lines / 2 * RING_LINE - RING_HEADER;

	return half < RING_LENGTH_MAX ? half : RING_LENGTH_MAX;
}

void
ring_format(void *memory, uint32_t lines)
{
	struct ring_memory *ring = memory;

	/* Zero is "empty" at position 0; other lines are cleared when due. */
	memset(memory, 0, ring_size(lines));
	ring_store(&ring->head, 0, RING_RELEASE);
}

status_t
ring_producer_open(struct ring_producer *producer, void *memory,
    uint32_t lines)
{
	if (!can_open(memory, lines))
		return ERR_ARG;
	*producer = (struct ring_producer){
		.memory = memory, .mask = lines - 1,
		.longest = ring_length_max(lines), .limit = lines,
	};
	return OK;
}

status_t
ring_consumer_open(struct ring_consumer *consumer, void *memory,
    uint32_t lines)
{
	if (!can_open(memory, lines))
		return ERR_ARG;
	*consumer = (struct ring_consumer){
		.memory = memory, .mask = lines - 1,
	};
	return OK;
}

/*
 * Takes over how far the consumer is. It can only have given back what it was
 * given, and never takes anything back.
 */
static status_t
read_head(struct ring_producer *producer)
{
	uint64_t lines = producer->mask + 1ul;
	uint64_t known = producer->limit - lines;

	if (producer->limit == 0)
		return ERR_CORRUPT;
	/* Acquire: what the consumer read there, it has read. */
	uint64_t head = ring_load(&producer->memory->head, RING_ACQUIRE);
	if (head - known > producer->published - known) {
		producer->limit = 0;
		return ERR_CORRUPT;
	}
	producer->limit = head + lines;
	return OK;
}

/* Where a message of `length` bytes would start. */
static status_t
find_room(struct ring_producer *producer, uint32_t length, uint64_t *out_start)
{
	uint64_t lines = producer->mask + 1ul;
	uint64_t start = producer->tail;
	uint64_t index = start & producer->mask;

	if (length > producer->longest)
		return ERR_ARG;
	if (index + ring_lines_of(length) > lines)
		start += lines - index;
	uint64_t end = start + ring_lines_of(length);
	if (end >= producer->limit) {
		status_t status = read_head(producer);
		if (status != OK)
			return status;
		if (end >= producer->limit)
			return ERR_FULL;
	}
	*out_start = start;
	return OK;
}

status_t
ring_reserve_slow(struct ring_producer *producer, uint32_t length,
    void **out_data)
{
	uint64_t start;
	status_t status = find_room(producer, length, &start);

	if (status != OK)
		return status;
	producer->start = start;
	producer->room = length + 1;
	*out_data = ring_line_at(producer->memory, producer->mask,
	    start)->payload;
	return OK;
}

/* From tail to the end of the ring, which is where the message starts. */
void
ring_stage_padding(struct ring_producer *producer)
{
	uint64_t lines = producer->start - producer->tail;

	ring_stage_at(producer, producer->tail, producer->start,
	    (uint32_t)(lines * RING_LINE - RING_HEADER));
}

static status_t
corrupt(struct ring_consumer *consumer)
{
	consumer->corrupt = true;
	consumer->held = 0;
	return ERR_CORRUPT;
}

/*
 * At padding, or at a message that leaves the ring. Padding ends where the ring
 * ends and has a message behind it; a second padding would be at line 0.
 */
status_t
ring_peek_slow(struct ring_consumer *consumer,
    struct ring_message *out_message)
{
	uint64_t index = consumer->position & consumer->mask;
	struct ring_line *line = &consumer->memory->lines[index];
	uint32_t shape = ring_get(&line->shape);
	uint64_t left = consumer->mask + 1ul - index;

	if (index == 0 || shape != left * RING_LINE - RING_HEADER)
		return corrupt(consumer);
	consumer->position += left;
	status_t status = ring_peek(consumer, out_message);
	return status == OK ? OK : corrupt(consumer);
}

/* A message, or in lossy use the loss of some. */
static bool
has_news(const struct ring_consumer *consumer)
{
	uint64_t position = consumer->position;
	struct ring_memory *memory = consumer->memory;
	struct ring_line *line = ring_line_at(memory, consumer->mask,
	    position);

	return ring_load(&line->sequence, RING_ACQUIRE) ==
	    ring_sequence_of(position) ||
	    ring_load(&memory->oldest, RING_RELAXED) > position;
}

bool
ring_consumer_prepare_sleep(struct ring_consumer *consumer)
{
	struct ring_memory *memory = consumer->memory;

	ring_store(&memory->consumer_asleep, 1, RING_RELAXED);
	/* Who publishes from here on sees the flag, or it is seen below. */
	ring_fence(RING_FULL);
	if (!consumer->corrupt && !has_news(consumer) &&
	    ring_load(&memory->closed, RING_RELAXED) == 0)
		return true;
	ring_consumer_awake(consumer);
	return false;
}

void
ring_consumer_awake(struct ring_consumer *consumer)
{
	ring_store(&consumer->memory->consumer_asleep, 0, RING_RELAXED);
}

uint32_t *
ring_consumer_word(void *memory)
{
	return &((struct ring_memory *)memory)->consumer_asleep;
}

bool
ring_producer_prepare_sleep(struct ring_producer *producer, uint32_t length)
{
	uint64_t start;

	ring_store(&producer->memory->producer_asleep, 1, RING_RELAXED);
	ring_fence(RING_FULL);
	if (find_room(producer, length, &start) == ERR_FULL)
		return true;
	ring_producer_awake(producer);
	return false;
}

void
ring_producer_awake(struct ring_producer *producer)
{
	ring_store(&producer->memory->producer_asleep, 0, RING_RELAXED);
}

uint32_t *
ring_producer_word(void *memory)
{
	return &((struct ring_memory *)memory)->producer_asleep;
}

void
ring_close(struct ring_producer *producer)
{
	ring_publish(producer);
	ring_store(&producer->memory->closed, 1, RING_RELEASE);
}

bool
ring_is_closed(const struct ring_consumer *consumer)
{
	/* In this order: what was sent before the close is seen behind it. */
	return ring_load(&consumer->memory->closed, RING_ACQUIRE) != 0 &&
	    !has_news(consumer);
}

uint64_t
ring_depth(const struct ring_consumer *consumer)
{
	uint64_t sent = ring_load(&consumer->memory->sent, RING_RELAXED);
	uint64_t lines = consumer->mask + 1ul;
	uint64_t depth = sent - consumer->count;

	/* The count may be read before those that were received by now. */
	if ((int64_t)depth < 0)
		return 0;
	return depth < lines ? depth : lines;
}

uint64_t
ring_room(struct ring_producer *producer)
{
	uint64_t lines = producer->mask + 1ul;
	uint64_t room = producer->limit - producer->tail;

	if (producer->limit != 0 && room < lines / 2 &&
	    read_head(producer) == OK)
		room = producer->limit - producer->tail;
	return producer->limit != 0 ? room : 0;
}

uint64_t
ring_unread(struct ring_producer *producer)
{
	uint64_t lines = producer->mask + 1ul;
	uint64_t count = 0;

	if (read_head(producer) != OK)
		return 0;
	uint64_t at = producer->limit - lines;
	while (at < producer->tail) {
		struct ring_line *line = ring_line_at(producer->memory,
		    producer->mask, at);
		uint32_t shape = ring_get(&line->shape);
		at += ring_lines_of(shape & RING_LENGTH_MAX);
		count += shape >> RING_LENGTH_BITS != 0;
	}
	return count;
}

uint64_t
ring_untaken(const struct ring_producer *producer)
{
	uint64_t taken = ring_load(&producer->memory->head, RING_RELAXED);

	return taken < producer->count ? producer->count - taken : 0;
}
