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
_Static_assert((uint64_t)RING_LINES_MAX * RING_LINE <= RING_LENGTH_MAX + 1ul,
    "padding is too long for any ring");

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
	return sizeof(struct ring_memory) + ((size_t)lines + 1) * RING_LINE;
}

uint32_t
ring_length_max(uint32_t lines)
{
	return lines / 2 * RING_LINE - RING_HEADER;
}

void
ring_format(void *memory, uint32_t lines)
{
	memset(memory, 0, ring_size(lines));
	ring_format_zeroed(memory, lines);
}

void
ring_format_zeroed(void *memory, uint32_t lines)
{
	struct ring_memory *ring = memory;

	/* Other lines are cleared when due. */
	ring_store(&ring->lines[0].sequence, ring_empty_of(0), RING_RELAXED);
	ring_store(&ring->lines[lines].sequence, ring_empty_of(0),
	    RING_RELAXED);
	ring_store(&ring->head, 0, RING_RELEASE);
}

status_t
ring_producer_open(struct ring_producer *producer, void *memory,
    uint32_t lines)
{
	struct ring_memory *ring = memory;

	if (!can_open(memory, lines))
		return ERR_ARG;
	*producer = (struct ring_producer){
		.line = ring->lines, .stop = ring->lines, .memory = ring,
		.bias = 0 - (uint64_t)(uintptr_t)ring->lines,
		.size = lines * RING_LINE, .longest = ring_length_max(lines),
	};
	return OK;
}

status_t
ring_consumer_open(struct ring_consumer *consumer, void *memory,
    uint32_t lines)
{
	struct ring_memory *ring = memory;

	if (!can_open(memory, lines))
		return ERR_ARG;
	*consumer = (struct ring_consumer){
		.line = ring->lines, .next = ring->lines,
		.end = ring->lines + lines, .memory = ring,
		.bias = 0 - (uint64_t)(uintptr_t)ring->lines,
		.size = lines * RING_LINE,
	};
	return OK;
}

/*
 * Takes over how far the consumer is. It can only have given back whole lines
 * that it was given, and never takes anything back.
 */
static status_t
read_head(struct ring_producer *producer)
{
	uint64_t published = producer->first != NULL ?
	    producer->first_position : ring_position(producer);

	if (producer->corrupt)
		return ERR_CORRUPT;
	/* Acquire: what the consumer read there, it has read. */
	uint64_t head = ring_load(&producer->memory->head, RING_ACQUIRE);
	if (head - producer->head > published - producer->head ||
	    head % RING_LINE != 0) {
		producer->corrupt = true;
		return ERR_CORRUPT;
	}
	producer->head = head;
	return OK;
}

/* Where a message ends that starts behind all others, or in the next lap. */
static uint64_t
end_of_message(const struct ring_producer *producer, uint32_t length)
{
	uint64_t start = ring_position(producer);
	uint64_t index = start & (producer->size - 1);

	if (index + ring_bytes_of(length) > producer->size)
		start += producer->size - index;
	return start + ring_bytes_of(length);
}

/* Whether a message can be sent now; asks the consumer only if need be. */
static status_t
look_for_room(struct ring_producer *producer, uint32_t length)
{
	uint64_t needed;

	if (length > producer->longest)
		return ERR_ARG;
	/* The line behind the message must be free too, for "empty". */
	needed = end_of_message(producer, length) + RING_LINE - producer->size;
	if (producer->corrupt || (int64_t)(needed - producer->head) > 0) {
		status_t status = read_head(producer);
		if (status != OK)
			return status;
	}
	return (int64_t)(needed - producer->head) > 0 ? ERR_FULL : OK;
}

static void
start_lap(struct ring_producer *producer)
{
	producer->line = producer->memory->lines;
	producer->bias += producer->size;
}

void
ring_stage_behind(struct ring_producer *producer, struct ring_line *end)
{
	struct ring_line *line = producer->line;
	uint64_t position = ring_position(producer);

	if (producer->first == NULL) {
		producer->first = line;
		producer->first_position = position;
	} else {
		/* Nobody gets here before the first is seen. */
		ring_store(&line->sequence, ring_sequence_of(position),
		    RING_RELAXED);
	}
	producer->line = end;
}

/* Longer than any room, so that the consumer stops at it. */
static void
stage_padding(struct ring_producer *producer)
{
	struct ring_line *end = producer->memory->lines +
	    producer->size / RING_LINE;

	ring_put(&producer->line->shape, RING_PADDING);
	ring_stage_behind(producer, end);
}

/*
 * From here to `stop` messages go without another look: whole ones, within this
 * lap and the room that is known, at most half of the ring.
 */
static void
set_stop(struct ring_producer *producer)
{
	struct ring_line *end = producer->memory->lines +
	    producer->size / RING_LINE;
	uint64_t start = ring_position(producer);
	uint64_t lap_end = (uintptr_t)end + producer->bias;
	uint64_t stop = producer->head + producer->size - RING_LINE;

	if (stop > start + producer->longest + RING_HEADER)
		stop = (start + producer->longest + RING_HEADER) &
		    ~(RING_LINE - 1ul);
	if (stop > lap_end)
		stop = lap_end;
	producer->stop = ring_behind(producer->line, stop - start);
}

status_t
ring_make_room(struct ring_producer *producer, uint32_t length)
{
	status_t status = look_for_room(producer, length);
	struct ring_line *end = producer->memory->lines +
	    producer->size / RING_LINE;

	/* From here on every reserve comes here. */
	if (status == ERR_CORRUPT)
		producer->stop = producer->line;
	if (status != OK)
		return status;
	if (producer->line != end &&
	    ring_behind(producer->line, ring_bytes_of(length)) > end)
		stage_padding(producer);
	if (producer->line == end)
		start_lap(producer);
	set_stop(producer);
	return OK;
}

/* Never starts a message: its sequence is not that of its position. */
static struct ring_line corrupt_line;

/* From behind the last line to line 0. */
void
ring_wrap(struct ring_consumer *consumer)
{
	consumer->line = consumer->next = consumer->memory->lines;
	consumer->bias += consumer->size;
}

/* At a message that leaves the ring. False: it is no padding either. */
bool
ring_skip_padding(struct ring_consumer *consumer, uint32_t shape)
{
	if (shape == RING_PADDING && consumer->line != consumer->end &&
	    consumer->line != consumer->memory->lines) {
		ring_wrap(consumer);
		return true;
	}
	consumer->line = consumer->next = &corrupt_line;
	consumer->bias = RING_LINE - (uint64_t)(uintptr_t)&corrupt_line;
	consumer->corrupt = true;
	return false;
}

static uint64_t
next_position(const struct ring_consumer *consumer)
{
	return (uintptr_t)consumer->line + consumer->bias;
}

/* A message, or in lossy use the loss of some. */
static bool
has_news(const struct ring_consumer *consumer)
{
	struct ring_memory *memory = consumer->memory;
	uint64_t position = next_position(consumer);
	struct ring_line *line = consumer->line != consumer->end ?
	    consumer->line : memory->lines;

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
	ring_store(&producer->memory->producer_asleep, 1, RING_RELAXED);
	ring_fence(RING_FULL);
	if (look_for_room(producer, length) == ERR_FULL)
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
	struct ring_consumer look = *consumer;
	struct ring_line *line;
	uint64_t depth = 0;
	uint32_t shape;

	while (depth < look.size / RING_LINE &&
	    ring_find(&look, &line, &shape)) {
		look.line = look.next;
		depth++;
	}
	return depth;
}

uint64_t
ring_room(struct ring_producer *producer)
{
	uint64_t used = ring_position(producer) - producer->head;

	if (!producer->corrupt && used > producer->size / 2 &&
	    read_head(producer) == OK)
		used = ring_position(producer) - producer->head;
	return producer->corrupt ? 0 : (producer->size - used) / RING_LINE;
}

uint64_t
ring_unread(struct ring_producer *producer)
{
	uint64_t end = ring_position(producer), count = 0;

	if (read_head(producer) != OK)
		return 0;
	for (uint64_t at = producer->head; at < end;) {
		uint64_t index = at & (producer->size - 1);
		uint32_t shape = ring_get(&producer->memory->lines[index /
		    RING_LINE].shape);

		if (shape == RING_PADDING) {
			at += producer->size - index;
			continue;
		}
		at += ring_bytes_of(shape & RING_LENGTH_MAX);
		count++;
	}
	return count;
}

uint64_t
ring_untaken(const struct ring_producer *producer)
{
	uint64_t taken = ring_load(&producer->memory->head, RING_RELAXED);

	return taken < producer->count ? producer->count - taken : 0;
}
