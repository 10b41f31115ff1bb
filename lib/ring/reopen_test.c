/* SPDX-License-Identifier: MIT */
/*
 * Ends opened in the middle, both in one thread: every place of a lap, what a
 * mark must not be, and a producer that finds its own end.
 */
#include <lib/ring/ring.h>

#include <lib/test/ktap.h>

#include <stdlib.h>
#include <string.h>

#define LINES	8u
#define LAPS	5u

static struct {
	struct ring_memory *memory;
	struct ring_producer producer;
	struct ring_consumer consumer;
	struct ring_mark produced, consumed;
	uint64_t generation;
} pair;

static void
start(void)
{
	free(pair.memory);
	memset(&pair, 0, sizeof(pair));
	pair.memory = aligned_alloc(RING_LINE, ring_size(LINES));
	ring_format(pair.memory, LINES);
	EXPECT_EQ(ring_producer_open(&pair.producer, pair.memory, LINES), OK);
	EXPECT_EQ(ring_consumer_open(&pair.consumer, pair.memory, LINES), OK);
}

static status_t
stage(uint64_t number, uint32_t length)
{
	void *room;
	status_t status = ring_reserve(&pair.producer, length, &room);

	if (status != OK)
		return status;
	memset(room, (int)number, length);
	ring_stage(&pair.producer, length, RING_DATA, number);
	return OK;
}

/* Nothing of the dead incarnation is left but memory and mark. */
static void
producer_again(void)
{
	memset(&pair.producer, 0xa5, sizeof(pair.producer));
	EXPECT_EQ(ring_producer_open_at(&pair.producer, pair.memory, LINES,
	    &pair.produced, ++pair.generation), OK);
}

static void
consumer_again(void)
{
	memset(&pair.consumer, 0xa5, sizeof(pair.consumer));
	EXPECT_EQ(ring_consumer_open_at(&pair.consumer, pair.memory, LINES,
	    &pair.consumed, ++pair.generation), OK);
}

static void
expect_number(uint64_t number, uint32_t length)
{
	struct ring_message message;

	EXPECT_EQ(ring_peek(&pair.consumer, &message), OK);
	EXPECT_EQ(message.tag, number);
	EXPECT_EQ(message.position, number);
	EXPECT_EQ(message.length, length);
	for (uint32_t i = 0; i < length; i++)
		EXPECT_EQ(((const uint8_t *)message.data)[i],
		    (uint8_t)number);
}

static void
expect_empty(void)
{
	struct ring_message message;

	EXPECT_EQ(ring_peek(&pair.consumer, &message), ERR_EMPTY);
}

/* Both ends die after each message, on either side of their commits. */
static void
go_round(uint32_t length)
{
	for (uint64_t number = 0; number < LAPS * LINES; number++) {
		EXPECT_EQ(stage(number + 100, length), OK);
		producer_again();
		expect_empty();
		EXPECT_EQ(stage(number, length), OK);
		ring_producer_mark(&pair.producer, &pair.produced);
		expect_empty();
		producer_again();
		expect_number(number, length);
		ring_pass(&pair.consumer);
		expect_empty();
		consumer_again();
		expect_number(number, length);
		ring_pass(&pair.consumer);
		ring_consumer_mark(&pair.consumer, &pair.consumed);
		consumer_again();
		expect_empty();
		EXPECT_EQ(pair.memory->head, pair.consumed.position);
	}
}

TEST(test_staged_and_not_committed_is_invisible_committed_is_seen)
{
	static const uint32_t lengths[] = { 0, 8, 48, 49, 100, 150 };

	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		start();
		go_round(lengths[i]);
	}
}

TEST(test_to_come_back_twice_is_to_come_back_once)
{
	start();
	EXPECT_EQ(stage(0, 8), OK);
	EXPECT_EQ(stage(1, 8), OK);
	ring_producer_mark(&pair.producer, &pair.produced);
	producer_again();
	/* A torn put of the incarnation between, over a lap's end. */
	for (uint64_t number = 2; stage(number + 100, 40) == OK;)
		number++;
	producer_again();
	expect_number(0, 8);
	ring_pass(&pair.consumer);
	expect_number(1, 8);
	ring_pass(&pair.consumer);
	expect_empty();
}

/*
 * The dead staged a pair, the second at the start of the next lap. The next one
 * sends only the first: the second must not show behind it.
 */
TEST(test_torn_pair_over_the_end_of_a_lap_is_not_seen)
{
	for (unsigned before = 0; before < LINES; before++) {
		start();
		for (uint64_t number = 0; number < before; number++) {
			EXPECT_EQ(stage(number, 8), OK);
			ring_producer_mark(&pair.producer, &pair.produced);
			ring_publish(&pair.producer);
			expect_number(number, 8);
			ring_release(&pair.consumer);
		}
		EXPECT_EQ(stage(100, 8), OK);
		EXPECT_EQ(stage(101, 8), OK);
		EXPECT_EQ(stage(102, 100), OK);
		producer_again();
		for (uint64_t number = before; number < before + 4; number++) {
			EXPECT_EQ(stage(number, 8), OK);
			ring_publish(&pair.producer);
			expect_number(number, 8);
			ring_release(&pair.consumer);
			expect_empty();
		}
	}
}

/* What was passed and not committed must not be written over. */
TEST(test_room_is_what_was_given_back)
{
	uint64_t number = 0;

	start();
	while (stage(number, 8) == OK)
		number++;
	EXPECT_EQ(number, LINES - 1);
	ring_producer_mark(&pair.producer, &pair.produced);
	ring_publish(&pair.producer);
	expect_number(0, 8);
	ring_pass(&pair.consumer);
	producer_again();
	EXPECT_EQ(stage(number, 8), ERR_FULL);
	consumer_again();
	expect_number(0, 8);
	ring_pass(&pair.consumer);
	ring_give_back(&pair.consumer);
	EXPECT_EQ(stage(number, 8), OK);
	EXPECT_EQ(stage(number, 8), ERR_FULL);
}

TEST(test_generation_tells_of_a_new_incarnation)
{
	uint64_t before;

	start();
	before = ring_producer_generation(pair.memory);
	producer_again();
	EXPECT(ring_producer_generation(pair.memory) != before);
	before = ring_consumer_generation(pair.memory);
	consumer_again();
	EXPECT(ring_consumer_generation(pair.memory) != before);
}

TEST(test_what_is_no_mark_of_this_ring_is_refused)
{
	const uint64_t size = LINES * RING_LINE;
	const struct ring_mark wrong[] = {
		{ .first = 0, .position = 1 },
		{ .first = 1, .position = RING_LINE + 1 },
		{ .first = RING_LINE, .position = 0 },
		{ .first = 0, .position = size },
		{ .first = ~0ul, .position = 0 },
	};

	start();
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		EXPECT_EQ(ring_producer_open_at(&pair.producer, pair.memory,
		    LINES, &wrong[i], 1), ERR_ARG);
		EXPECT_EQ(ring_consumer_open_at(&pair.consumer, pair.memory,
		    LINES, &wrong[i], 1), ERR_ARG);
	}
	EXPECT_EQ(ring_producer_open_at(&pair.producer, pair.memory, 7,
	    &pair.produced, 1), ERR_ARG);
	EXPECT_EQ(pair.memory->producer_generation, 0);
}

/* A consumer that takes back what it gave: loss is never silent. */
TEST(test_consumer_of_an_older_state_is_corrupt_for_the_producer)
{
	start();
	for (uint64_t number = 0; number < 3 * LINES; number++) {
		EXPECT_EQ(stage(number, 8), OK);
		ring_publish(&pair.producer);
		expect_number(number, 8);
		ring_release(&pair.consumer);
	}
	(void)ring_room(&pair.producer);
	consumer_again();
	for (uint64_t number = 0; number < LINES; number++)
		(void)stage(number, 8);
	EXPECT_EQ(stage(0, 8), ERR_CORRUPT);
}

TEST(test_producer_finds_what_it_published_since_the_mark)
{
	start();
	for (uint64_t number = 0; number < 3 * LINES; number++) {
		EXPECT_EQ(stage(number, number % 3 * 40), OK);
		ring_publish(&pair.producer);
		if (number % 4 == 0)
			ring_producer_mark(&pair.producer, &pair.produced);
		struct ring_mark found = pair.produced, now;
		EXPECT_EQ(ring_producer_find(pair.memory, LINES, &found), OK);
		ring_producer_mark(&pair.producer, &now);
		/* A lap that is over is the start of the next one. */
		EXPECT_EQ(found.position, now.position);
		if (number % 2 == 0) {
			expect_number(number, number % 3 * 40);
			ring_release(&pair.consumer);
		}
		if (number % 2 == 1) {
			while (pair.consumer.count <= number) {
				struct ring_message message;

				EXPECT_EQ(ring_peek(&pair.consumer, &message),
				    OK);
				ring_release(&pair.consumer);
			}
		}
	}
}

TEST(test_producer_does_not_follow_a_lie_out_of_the_ring)
{
	struct ring_mark mark = { 0 };

	start();
	EXPECT_EQ(stage(0, 8), OK);
	ring_publish(&pair.producer);
	pair.memory->lines[0].shape = 4096;
	EXPECT_EQ(ring_producer_find(pair.memory, LINES, &mark), ERR_CORRUPT);
	pair.memory->head = 1;
	EXPECT_EQ(ring_producer_find(pair.memory, LINES, &mark), ERR_CORRUPT);
	pair.memory->head = 64ul * RING_LINE * LINES;
	EXPECT_EQ(ring_producer_find(pair.memory, LINES, &mark), ERR_CORRUPT);
	free(pair.memory);
	pair.memory = NULL;
}

TEST_MAIN(0)
