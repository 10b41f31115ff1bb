/* SPDX-License-Identifier: MIT */
/*
 * The other side lies: between any two operations somebody writes what he likes
 * into the shared memory, at random or with care. Each operation must end, with
 * a status that it may have, and stay inside the ring: pages before and behind
 * it can not be touched.
 */
#include <lib/ring/ring.h>

#include <lib/test/ktap.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STEPS		1000000u
#define PAGE		4096u
#define LINES_MAX	32u

static struct {
	struct ring_memory *memory;
	uint32_t lines;
	struct ring_producer producer;
	struct ring_consumer consumer;
	uint64_t statuses;	/* a bit for each that was seen */
	uint64_t wrong;		/* statuses and places that must not be */
} bed;

static uint64_t random_state = 88172645463325252ul;

static uint64_t
draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t
draw_below(uint64_t limit)
{
	return draw() % limit;
}

/* The ring ends where a page ends; it starts somewhere in the first. */
static uint8_t *
guarded_pages(void)
{
	uint8_t *pages = mmap(NULL, 3 * PAGE, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED ||
	    mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE) != 0)
		return NULL;
	return pages + PAGE;
}

static void
open_ends(void)
{
	EXPECT_EQ(ring_producer_open(&bed.producer, bed.memory, bed.lines),
	    OK);
	EXPECT_EQ(ring_consumer_open(&bed.consumer, bed.memory, bed.lines),
	    OK);
}

static void
start(uint8_t *page)
{
	bed.lines = RING_LINES_MIN << draw_below(4);
	bed.memory = (struct ring_memory *)(void *)(page +
	    (draw_below(2) == 0 ? 0 : PAGE - ring_size(bed.lines)));
	ring_format(bed.memory, bed.lines);
	open_ends();
}

static void
note(status_t status, uint64_t allowed)
{
	bed.statuses |= 1ul << status;
	bed.wrong += (allowed >> status & 1) == 0;
}

/* A value that might pass a careless check. */
static uint64_t
clever_value(void)
{
	uint64_t size = bed.lines * RING_LINE;
	uint64_t at = draw_below(2) == 0 ? ring_position(&bed.producer) :
	    (uintptr_t)bed.consumer.line + bed.consumer.bias;

	switch (draw_below(6)) {
	case 0:
		return at + draw_below(2 * size) - size;
	case 1:
		return (at & ~(RING_LINE - 1ul)) + RING_LINE *
		    (draw_below(2 * bed.lines) - bed.lines);
	case 2:
		return size - RING_HEADER + draw_below(3) - 1;
	case 3:
		return RING_LENGTH_MAX - draw_below(80);
	case 4:
		return RING_PADDING - draw_below(2);
	default:
		return draw();
	}
}

static void
scribble(void)
{
	struct ring_line *line = &bed.memory->lines[draw_below(bed.lines + 1)];
	uint64_t value = clever_value();

	switch (draw_below(8)) {
	case 0:
		bed.memory->head = value;
		break;
	case 1:
		bed.memory->oldest = value;
		break;
	case 2:
		bed.memory->closed = value & 1;
		break;
	case 3:
		bed.memory->consumer_asleep = (uint32_t)value;
		bed.memory->producer_asleep = (uint32_t)(value >> 32);
		break;
	case 4:
		/* Where the victim looks next. */
		line = &bed.memory->lines[(bed.consumer.bias +
		    (uintptr_t)bed.consumer.line) / RING_LINE % bed.lines];
		line->sequence = ring_sequence_of(bed.consumer.bias +
		    (uintptr_t)bed.consumer.line);
		line->shape = (uint32_t)value;
		break;
	case 5:
		line->sequence = (uint32_t)value;
		break;
	case 6:
		line->shape = (uint32_t)value;
		break;
	default:
		((uint8_t *)bed.memory)[draw_below(ring_size(bed.lines))] =
		    (uint8_t)value;
	}
}

#define BIT(status)	(1ul << (status))

static void
produce(void)
{
	uint32_t length = (uint32_t)draw_below(ring_length_max(bed.lines) + 2);
	const uint8_t *end = (uint8_t *)(bed.memory->lines + bed.lines);
	void *data;
	status_t status = ring_reserve(&bed.producer, length, &data);

	note(status, BIT(OK) | BIT(ERR_FULL) | BIT(ERR_CORRUPT) |
	    (length > ring_length_max(bed.lines) ? BIT(ERR_ARG) : 0));
	if (status != OK)
		return;
	bed.wrong += (uint8_t *)data < (uint8_t *)bed.memory->lines ||
	    (uint8_t *)data + length > end;
	memset(data, 0xff, length);
	scribble();
	if (draw_below(4) == 0)
		ring_stage(&bed.producer, length, RING_DATA, 1);
	else
		ring_commit(&bed.producer, length, RING_DATA, 1);
	if (draw_below(8) == 0)
		ring_publish(&bed.producer);
}

static void
consume(void)
{
	const uint8_t *end = (uint8_t *)(bed.memory->lines + bed.lines);
	struct ring_message message;
	status_t status = ring_peek(&bed.consumer, &message);
	volatile uint8_t sum = 0;

	note(status, BIT(OK) | BIT(ERR_EMPTY) | BIT(ERR_CORRUPT));
	if (status == OK) {
		const uint8_t *data = message.data;
		bool inside = data >= (uint8_t *)bed.memory->lines &&
		    data + message.length <= end;
		bed.wrong += !inside || message.kind == 0 ||
		    message.kind > RING_KIND_MAX;
		for (uint32_t i = 0; inside && i < message.length; i++)
			sum += data[i];
	}
	scribble();
	ring_release(&bed.consumer);
}

static void
lose(void)
{
	uint8_t data[LINES_MAX * RING_LINE];
	struct ring_message message;
	uint64_t lost;

	if (draw_below(2) == 0)
		note(ring_overwrite(&bed.producer, data, (uint32_t)draw_below(
		    ring_length_max(bed.lines)), 2), BIT(OK) | BIT(ERR_ARG) |
		    BIT(ERR_CORRUPT));
	else
		note(ring_take(&bed.consumer, data, (uint32_t)draw_below(
		    sizeof(data)), &message, &lost), BIT(OK) | BIT(ERR_EMPTY) |
		    BIT(ERR_CORRUPT) | BIT(ERR_RANGE) | BIT(ERR_BUSY));
}

static void
wait_and_ask(void)
{
	uint64_t depth = ring_depth(&bed.consumer);

	bed.wrong += depth > bed.lines;
	(void)ring_is_closed(&bed.consumer);
	(void)ring_producer_must_wake(&bed.producer);
	(void)ring_consumer_must_wake(&bed.consumer);
	if (ring_consumer_prepare_sleep(&bed.consumer))
		ring_consumer_awake(&bed.consumer);
	if (ring_producer_prepare_sleep(&bed.producer, 40))
		ring_producer_awake(&bed.producer);
}

static void
step(bool lossy)
{
	if (draw_below(3) == 0)
		scribble();
	if (draw_below(10) == 0)
		wait_and_ask();
	else if (lossy)
		lose();
	else if (draw_below(2) == 0)
		produce();
	else
		consume();
}

/* An end that said corrupt stays so; a new one is not impressed. */
static void
attack(bool lossy, uint32_t steps)
{
	uint8_t *page = guarded_pages();

	EXPECT(page != NULL);
	bed.wrong = bed.statuses = 0;
	start(page);
	/* An endless loop ends the test. */
	alarm(60);
	for (uint32_t i = 0; i < steps; i++) {
		step(lossy);
		if (draw_below(16) == 0 &&
		    (bed.producer.corrupt || bed.consumer.corrupt))
			open_ends();
		if (draw_below(200) == 0)
			start(page);
	}
	alarm(0);
	EXPECT_EQ(bed.wrong, 0);
	munmap(page - PAGE, 3 * PAGE);
}

TEST(test_scribbled_memory_is_corrupt_or_harmless)
{
	attack(false, STEPS);
	EXPECT_EQ(bed.statuses, BIT(OK) | BIT(ERR_EMPTY) | BIT(ERR_FULL) |
	    BIT(ERR_CORRUPT) | BIT(ERR_ARG));
}

TEST(test_scribbled_memory_is_corrupt_or_harmless_in_lossy_use)
{
	attack(true, STEPS);
	EXPECT((bed.statuses & BIT(OK)) != 0);
	EXPECT((bed.statuses & BIT(ERR_CORRUPT)) != 0);
	EXPECT((bed.statuses & BIT(ERR_RANGE)) != 0);
	EXPECT((bed.statuses & BIT(ERR_EMPTY)) != 0);
}

TEST_MAIN(0)
