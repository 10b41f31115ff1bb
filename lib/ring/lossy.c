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
	uint32_t length, kind;
	uint64_t bytes;		/* of its lines */
	bool	 is_padding;
};

/* Whether a message at `index` may look like this. */
static bool
shape_read(uint32_t word, uint64_t index, uint32_t size,
    struct shape *out_shape)
{
	*out_shape = (struct shape){
		.length = word & RING_LENGTH_MAX,
		.kind = (word >> RING_LENGTH_BITS) + 1,
		.bytes = ring_bytes_of(word & RING_LENGTH_MAX),
		.is_padding = word == RING_PADDING,
	};
	if (out_shape->is_padding) {
		out_shape->bytes = size - index;
		return index != 0;
	}
	return out_shape->bytes <= size - index &&
	    out_shape->length >= NUMBER_BYTES;
}

static struct ring_line *
line_at(struct ring_memory *memory, uint32_t size, uint64_t position)
{
	return ring_behind(memory->lines, position & (size - 1));
}

/* Gives up messages until the lines before `needed` may be written. */
static status_t
give_up_until(struct ring_producer *producer, uint64_t needed)
{
	struct ring_memory *memory = producer->memory;
	uint32_t size = producer->size;
	struct shape shape;

	if ((int64_t)(producer->oldest - needed) >= 0)
		return OK;
	while ((int64_t)(producer->oldest - needed) < 0) {
		uint64_t at = producer->oldest;
		struct ring_line *line = line_at(memory, size, at);
		if (ring_load(&line->sequence, RING_RELAXED) !=
		    ring_sequence_of(at) ||
		    !shape_read(ring_load(&line->shape, RING_RELAXED),
		    at & (size - 1), size, &shape) ||
		    shape.bytes > ring_position(producer) - at) {
			producer->corrupt = true;
			return ERR_CORRUPT;
		}
		producer->oldest += shape.bytes;
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

/*
 * Makes a message from `start` to `end` seen, and the padding before it. The
 * first of the two is stored last.
 */
static void
publish(struct ring_producer *producer, uint64_t start, uint64_t end)
{
	struct ring_memory *memory = producer->memory;
	uint32_t size = producer->size;
	uint64_t tail = ring_position(producer);
	struct ring_line *line = line_at(memory, size, start);
	struct ring_line *behind = line_at(memory, size, end);

	ring_store(&behind->sequence, ring_empty_of(end), RING_RELAXED);
	if (start != tail) {
		ring_store(&producer->line->shape, RING_PADDING, RING_RELAXED);
		ring_store(&line->sequence, ring_sequence_of(start),
		    RING_RELAXED);
	}
	ring_store(&producer->line->sequence, ring_sequence_of(tail),
	    RING_RELEASE);
	producer->line = producer->stop = behind;
	producer->bias = end - (uintptr_t)behind;
	producer->count++;
}

status_t
ring_overwrite(struct ring_producer *producer, const void *data,
    uint32_t length, uint64_t tag)
{
	uint32_t size = producer->size;
	uint64_t start = ring_position(producer);
	uint64_t index = start & (size - 1);

	if (length > producer->longest - NUMBER_BYTES)
		return ERR_ARG;
	if (producer->corrupt)
		return ERR_CORRUPT;
	if (index + ring_bytes_of(length + NUMBER_BYTES) > size)
		start += size - index;
	uint64_t end = start + ring_bytes_of(length + NUMBER_BYTES);
	/* The line at `end` is written too. */
	status_t status = give_up_until(producer, end + RING_LINE - size);
	if (status != OK)
		return status;

	struct ring_line *line = line_at(producer->memory, size, start);
	write_payload(line, producer->count, data, length);
	ring_word_store(&line->tag, tag);
	ring_store(&line->shape, (length + NUMBER_BYTES) |
	    (RING_DATA - 1) << RING_LENGTH_BITS, RING_RELAXED);
	publish(producer, start, end);
	return OK;
}

static uint64_t
position_of(const struct ring_consumer *consumer)
{
	return (uintptr_t)consumer->line + consumer->bias;
}

static void
move_to(struct ring_consumer *consumer, uint64_t position)
{
	consumer->line = consumer->next = line_at(consumer->memory,
	    consumer->size, position);
	consumer->bias = position - (uintptr_t)consumer->line;
}

static bool
was_overtaken(const struct ring_consumer *consumer)
{
	/* Before this look, all that was copied was read. */
	ring_fence(RING_ACQUIRE);
	return ring_load(&consumer->memory->oldest, RING_RELAXED) >
	    position_of(consumer);
}

/* ERR_BUSY: overtaken. A padding is skipped. */
static status_t
find_oldest(struct ring_consumer *consumer, struct shape *out_shape)
{
	struct ring_memory *memory = consumer->memory;
	uint64_t oldest = ring_load(&memory->oldest, RING_ACQUIRE);

	if (oldest > position_of(consumer))
		move_to(consumer, oldest & ~(RING_LINE - 1ul));
	uint64_t at = position_of(consumer);
	struct ring_line *line = consumer->line;
	uint32_t sequence = ring_load(&line->sequence, RING_ACQUIRE);
	uint32_t word = ring_load(&line->shape, RING_RELAXED);
	if (was_overtaken(consumer))
		return ERR_BUSY;
	if (sequence != ring_sequence_of(at))
		return ERR_EMPTY;
	if (!shape_read(word, at & (consumer->size - 1), consumer->size,
	    out_shape)) {
		consumer->corrupt = true;
		return ERR_CORRUPT;
	}
	if (!out_shape->is_padding)
		return OK;
	move_to(consumer, at + out_shape->bytes);
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
	struct ring_line *line = consumer->line;
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
	move_to(consumer, position_of(consumer) + shape.bytes);
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
