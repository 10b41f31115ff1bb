/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the shared memory of a ring: each end takes them for what they
 * are, ends, and stays inside.
 */
#include <lib/ring/ring.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
drain_from(struct ring_consumer *consumer, uint32_t lines)
{
	struct ring_message message;
	uint8_t copy[2048];

	/* Memory that stands still holds one lap at most. */
	for (uint32_t i = 0; ring_peek(consumer, &message) == OK; i++) {
		if (i > lines || message.length > sizeof(copy) ||
		    message.kind == 0 || message.kind > RING_KIND_MAX)
			abort();
		memcpy(copy, message.data, message.length);
		ring_release(consumer);
	}
	(void)ring_is_closed(consumer);
}

static void
drain(void *memory, uint32_t lines)
{
	struct ring_consumer consumer;

	if (ring_consumer_open(&consumer, memory, lines) != OK ||
	    ring_depth(&consumer) > lines)
		abort();
	drain_from(&consumer, lines);
}

static void
take_all(void *memory, uint32_t lines)
{
	struct ring_consumer consumer;
	struct ring_message message;
	uint8_t copy[2048];
	uint64_t lost;

	if (ring_consumer_open(&consumer, memory, lines) != OK)
		abort();
	for (uint32_t i = 0; ring_take(&consumer, copy, sizeof(copy), &message,
	    &lost) == OK; i++) {
		if (i > lines)
			abort();
	}
}

static void
fill(void *memory, uint32_t lines, bool lossy)
{
	struct ring_producer producer;
	uint8_t bytes[100] = { 0 };

	if (ring_producer_open(&producer, memory, lines) != OK)
		abort();
	for (uint32_t i = 0; i < 4 * lines; i++) {
		if (lossy)
			(void)ring_overwrite(&producer, bytes, i % 90, i);
		else
			(void)ring_send(&producer, bytes, i % 100, i);
	}
}

/* Ends that come back to any bytes, from marks that may be any. */
static void
come_back(void *memory, uint32_t lines, const uint8_t *data, size_t size)
{
	struct ring_producer producer;
	struct ring_consumer consumer;
	struct ring_mark mark = { 0 };
	void *room;

	memcpy(&mark, data, size < sizeof(mark) ? size : sizeof(mark));
	if (ring_producer_find(memory, lines, &mark) == OK &&
	    ring_producer_open_at(&producer, memory, lines, &mark, 1) == OK &&
	    ring_reserve(&producer, 40, &room) == OK)
		memset(room, 1, 40);
	if (ring_consumer_open_at(&consumer, memory, lines, &mark, 1) == OK)
		drain_from(&consumer, lines);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	uint32_t lines = RING_LINES_MIN << (data[0] & 3);
	size_t room = ring_size(lines);
	void *memory = aligned_alloc(RING_LINE, room);

	if (memory == NULL)
		return 0;
	for (unsigned use = 0; use < 4; use++) {
		ring_format(memory, lines);
		memcpy(memory, data + 1, size - 1 < room ? size - 1 : room);
		if (use < 2)
			fill(memory, lines, use == 1);
		if (use % 2 == 0)
			drain(memory, lines);
		else
			take_all(memory, lines);
	}
	ring_format(memory, lines);
	memcpy(memory, data + 1, size - 1 < room ? size - 1 : room);
	come_back(memory, lines, data + 1, size - 1);
	free(memory);
	return 0;
}
