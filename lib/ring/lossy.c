/* SPDX-License-Identifier: MIT */
/*
 * Lossy use of the line ring: the producer overwrites the oldest messages.
 *
 * The producer's line holds `oldest`: from there on messages are whole, what
 * lies before may be gone. The producer moves it past all messages that it is
 * about to touch, and only then, behind a release fence, touches them. The
 * consumer copies a message word by word and then, behind an acquire fence,
 * looks at `oldest` once more: if that is not past the message, the copy has
 * nothing of what came later in it. It is a sequence lock whose sequence is
 * the position, so one word covers the whole ring.
 *
 * The number of a message is the first word of its payload. So the consumer
 * knows how many it lost, though it knows nothing about those.
 *
 * To move on, the producer reads the headers of its own old messages. A hostile
 * consumer can change them: they are checked like everything else.
 */
#include <lib/ring/ring.h>

#define NUMBER_BYTES	8u

/* How often take starts anew before it says ERR_BUSY. */
#define TAKE_TRIES	64u

struct shape {
	uint32_t length, kind, lines;
};

/* Whether a message at `index` may look like this; one at most is padding. */
static bool
shape_read(uint32_t word, uint64_t index, uint32_t mask, struct shape *out_shape)
{
	uint64_t left = mask + 1ul - index;

	out_shape->length = word & RING_LENGTH_MAX;
	out_shape->kind = word >> RING_LENGTH_BITS;
	out_shape->lines = ring_lines_of(out_shape->length);
	if (out_shape->kind == 0)
		return index != 0 && word == left * RING_LINE - RING_HEADER;
	return out_shape->lines <= left && out_shape->length >= NUMBER_BYTES;
}

/* Gives up messages until the lines before `needed` may be written. */
static status_t
give_up_until(struct ring_producer *producer, uint64_t needed)
{
	struct ring_memory *memory = producer->memory;
	struct shape shape;

	if ((int64_t)(producer->oldest - needed) >= 0)
		return OK;
	while ((int64_t)(producer->oldest - needed) < 0) {
		uint64_t at = producer->oldest;
		struct ring_line *line = ring_line_at(memory, producer->mask,
		    at);
		if (ring_load(&line->sequence, RING_RELAXED) !=
		    ring_sequence_of(at) ||
		    !shape_read(ring_load(&line->shape, RING_RELAXED),
		    at & producer->mask, producer->mask, &shape) ||
		    shape.lines > producer->tail - at) {
			producer->limit = 0;
			return ERR_CORRUPT;
		}
		producer->oldest += shape.lines;
	}
	ring_store(&memory->oldest, producer->oldest, RING_RELAXED);
	/* Who reads a word that is written from here on sees oldest too. */
	ring_fence(RING_RELEASE);
	return OK;
}

static void
write_payload(struct ring_line *line, uint64_t number, const uint8_t *data,
    uint32_t length)
{
	uint64_t *to = line->payload;

	ring_word_store(to++, number);
	for (uint32_t at = 0; at < length; at += 8) {
		uint64_t word = 0;
		memcpy(&word, data + at, length - at < 8 ? length - at : 8);
		ring_word_store(to++, word);
	}
}

static void
write_padding(struct ring_producer *producer, uint64_t start)
{
	uint64_t tail = producer->tail;
	struct ring_line *line = ring_line_at(producer->memory,
	    producer->mask, tail);

	ring_store(&line->shape,
	    (uint32_t)((start - tail) * RING_LINE - RING_HEADER),
	    RING_RELAXED);
	ring_store(&ring_line_at(producer->memory, producer->mask,
	    start)->sequence, ring_sequence_of(start), RING_RELAXED);
}

status_t
ring_overwrite(struct ring_producer *producer, const void *data,
    uint32_t length, uint64_t tag)
{
	uint64_t lines = producer->mask + 1ul;
	uint64_t start = producer->tail;
	uint64_t index = start & producer->mask;
	struct ring_memory *memory = producer->memory;

	if (length > producer->longest - NUMBER_BYTES)
		return ERR_ARG;
	if (producer->limit == 0)
		return ERR_CORRUPT;
	if (index + ring_lines_of(length + NUMBER_BYTES) > lines)
		start += lines - index;
	uint64_t end = start + ring_lines_of(length + NUMBER_BYTES);
	/* The line at `end` is written too. */
	status_t status = give_up_until(producer, end + 1 - lines);
	if (status != OK)
		return status;

	struct ring_line *line = ring_line_at(memory, producer->mask, start);
	write_payload(line, producer->count, data, length);
	ring_word_store(&line->tag, tag);
	ring_store(&line->shape, (length + NUMBER_BYTES) |
	    RING_DATA << RING_LENGTH_BITS, RING_RELAXED);
	ring_store(&ring_line_at(memory, producer->mask, end)->sequence,
	    (uint32_t)end, RING_RELAXED);
	if (start != producer->tail)
		write_padding(producer, start);
	producer->tail = end;
	producer->count++;
	ring_publish(producer);
	return OK;
}

static bool
was_overtaken(const struct ring_consumer *consumer)
{
	/* Before this look, all that was copied was read. */
	ring_fence(RING_ACQUIRE);
	return ring_load(&consumer->memory->oldest, RING_RELAXED) >
	    consumer->position;
}

/* ERR_BUSY: overtaken. A padding is skipped. */
static status_t
find_oldest(struct ring_consumer *consumer, struct shape *out_shape)
{
	struct ring_memory *memory = consumer->memory;
	uint64_t oldest = ring_load(&memory->oldest, RING_ACQUIRE);

	if (oldest > consumer->position)
		consumer->position = oldest;
	uint64_t at = consumer->position;
	uint64_t index = at & consumer->mask;
	struct ring_line *line = &memory->lines[index];
	uint32_t sequence = ring_load(&line->sequence, RING_ACQUIRE);
	uint32_t word = ring_load(&line->shape, RING_RELAXED);
	if (was_overtaken(consumer))
		return ERR_BUSY;
	if (sequence != ring_sequence_of(at))
		return ERR_EMPTY;
	if (!shape_read(word, index, consumer->mask, out_shape)) {
		consumer->corrupt = true;
		return ERR_CORRUPT;
	}
	if (out_shape->kind != 0)
		return OK;
	consumer->position += out_shape->lines;
	return ERR_BUSY;
}

static void
copy_payload(struct ring_line *line, uint8_t *data, uint32_t length)
{
	uint64_t *from = line->payload + 1;

	for (uint32_t at = 0; at < length; at += 8) {
		uint64_t word = ring_word_load(from++);
		memcpy(data + at, &word, length - at < 8 ? length - at : 8);
	}
}

static status_t
try_take(struct ring_consumer *consumer, void *data, uint32_t room,
    struct ring_message *out_message, uint64_t *out_lost)
{
	struct shape shape;
	status_t status = find_oldest(consumer, &shape);

	if (status != OK)
		return status;
	struct ring_line *line = ring_line_at(consumer->memory,
	    consumer->mask, consumer->position);
	*out_message = (struct ring_message){
		.data = data, .length = shape.length - NUMBER_BYTES,
		.kind = shape.kind, .tag = ring_word_load(&line->tag),
		.position = ring_word_load(&line->payload[0]),
	};
	if (out_message->length > room)
		return ERR_RANGE;
	copy_payload(line, data, out_message->length);
	if (was_overtaken(consumer))
		return ERR_BUSY;
	if (out_message->position < consumer->count) {
		consumer->corrupt = true;
		return ERR_CORRUPT;
	}
	*out_lost = out_message->position - consumer->count;
	consumer->count = out_message->position + 1;
	/* For ring_untaken. */
	ring_store(&consumer->memory->head, consumer->count, RING_RELAXED);
	consumer->position += shape.lines;
	return OK;
}

status_t
ring_take(struct ring_consumer *consumer, void *data, uint32_t room,
    struct ring_message *out_message, uint64_t *out_lost)
{
	status_t status = consumer->corrupt ? ERR_CORRUPT : ERR_BUSY;

	for (unsigned i = 0; i < TAKE_TRIES && status == ERR_BUSY; i++)
		status = try_take(consumer, data, room, out_message, out_lost);
	return status;
}
