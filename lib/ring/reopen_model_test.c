/* SPDX-License-Identifier: MIT */
/*
 * Either end of a ring dies before any of its accesses, in every interleaving
 * and under weak memory, and is opened in the middle by its next incarnation:
 * the consumer gets each message once and in order, and nobody sleeps for ever.
 * What a commit made is in `world`: it changes between two accesses.
 *
 * With BENNU_TEST_MORE in the environment the programs are longer.
 */
#include <lib/ring/ring.h>

#include <lib/test/interleave.h>
#include <lib/test/ktap.h>

#include <stdio.h>
#include <stdlib.h>

#define LINES	4u
#define LONG	52u	/* bytes of a message of two lines */
#define FORGED	48u	/* its word that lies where a header could */

static _Alignas(RING_LINE) uint8_t memory[(4 + LINES + 1) * RING_LINE];

/* Each part belongs to one end: what is in its arena, and what is not. */
static struct {
	struct {
		struct ring_mark mark;
		uint32_t sent;
	} producer_arena;
	struct {
		struct ring_mark mark;
		uint32_t received;
	} consumer_arena;
	struct ring_producer producer;
	struct ring_consumer consumer;
	uint64_t generation[2];
	uint32_t at_once;	/* the producer's; another one in each life */
} world;

/* An access of its own before each commit, where its thread may die. */
static uint32_t door[2];

static uint32_t messages;
static const uint32_t *lengths;
static uint32_t together;	/* messages in a transaction */
static bool sleeps;		/* or looks again and again */

static const uint32_t small[] = { 4, 4, 4, 4, 4, 4 };
static const uint32_t large[] = { LONG, LONG, LONG, LONG, LONG, LONG };
static const uint32_t mixed[] = { 4, 4, 4, LONG, LONG, 4 };

static void
start(void)
{
	memset(&world, 0, sizeof(world));
	world.at_once = together;
	ring_format(memory, LINES);
	(void)ring_producer_open(&world.producer, memory, LINES);
	(void)ring_consumer_open(&world.consumer, memory, LINES);
}

static uint32_t *
word_at(const void *data, uint32_t offset)
{
	return (uint32_t *)((uintptr_t)data + offset);
}

/*
 * In the middle of long messages lies what a lap later would be the sequence of
 * a message that nobody sent.
 */
static status_t
stage_number(uint32_t number)
{
	uint64_t next;
	void *data;
	status_t status = ring_reserve(&world.producer, lengths[number],
	    &data);

	if (status != OK)
		return status;
	ring_put(word_at(data, 0), number);
	next = ring_position(&world.producer) + (LINES + 1) * RING_LINE;
	if (lengths[number] == LONG)
		ring_put(word_at(data, FORGED), ring_sequence_of(next));
	ring_stage(&world.producer, lengths[number], RING_DATA, number);
	return OK;
}

static void
wake_consumer(void)
{
	if (sleeps && ring_producer_must_wake(&world.producer))
		interleave_wake(ring_consumer_word(memory));
}

static void
wake_producer(void)
{
	if (sleeps && ring_consumer_must_wake(&world.consumer))
		interleave_wake(ring_producer_word(memory));
}

static void
wait_for_room(uint32_t length)
{
	if (!sleeps || !ring_producer_prepare_sleep(&world.producer, length))
		return;
	interleave_sleep(ring_producer_word(memory), 1);
	ring_producer_awake(&world.producer);
}

/* One transaction: as many as fit, at most `together`. */
static void
send_some(void)
{
	uint32_t number = world.producer_arena.sent, first = number;

	while (number < messages && number - first < world.at_once &&
	    stage_number(number) == OK)
		number++;
	INTERLEAVE_EXPECT(!world.producer.corrupt);
	if (number == first) {
		wait_for_room(lengths[number]);
		return;
	}
	(void)ring_load(&door[0], RING_RELAXED);
	ring_producer_mark(&world.producer, &world.producer_arena.mark);
	world.producer_arena.sent = number;
	ring_publish(&world.producer);
	wake_consumer();
}

static void
send_all(void)
{
	while (world.producer_arena.sent < messages)
		send_some();
}

static void
send_again(void)
{
	INTERLEAVE_EXPECT(ring_producer_open_at(&world.producer, memory, LINES,
	    &world.producer_arena.mark, ++world.generation[0]) == OK);
	world.at_once = world.at_once % together + 1;
	(void)ring_producer_must_wake(&world.producer);
	interleave_wake(ring_consumer_word(memory));
	send_all();
}

static void
expect_number(const struct ring_message *message, uint32_t number)
{
	INTERLEAVE_EXPECT(number < world.producer_arena.sent);
	INTERLEAVE_EXPECT(message->tag == number);
	INTERLEAVE_EXPECT(message->position == number);
	INTERLEAVE_EXPECT(message->length == lengths[number]);
	INTERLEAVE_EXPECT(ring_get(word_at(message->data, 0)) == number);
	if (message->length == LONG)
		(void)ring_get(word_at(message->data, FORGED));
}

static void
wait_for_message(void)
{
	if (!sleeps || !ring_consumer_prepare_sleep(&world.consumer))
		return;
	interleave_sleep(ring_consumer_word(memory), 1);
	ring_consumer_awake(&world.consumer);
}

static void
receive_some(void)
{
	uint32_t number = world.consumer_arena.received, first = number;
	struct ring_message message;

	while (number - first < together &&
	    ring_peek(&world.consumer, &message) == OK) {
		expect_number(&message, number++);
		ring_pass(&world.consumer);
	}
	INTERLEAVE_EXPECT(!world.consumer.corrupt);
	if (number == first) {
		wait_for_message();
		return;
	}
	(void)ring_load(&door[1], RING_RELAXED);
	ring_consumer_mark(&world.consumer, &world.consumer_arena.mark);
	world.consumer_arena.received = number;
	ring_give_back(&world.consumer);
	wake_producer();
}

static void
receive_all(void)
{
	while (world.consumer_arena.received < messages)
		receive_some();
}

static void
receive_again(void)
{
	INTERLEAVE_EXPECT(ring_consumer_open_at(&world.consumer, memory, LINES,
	    &world.consumer_arena.mark, ++world.generation[1]) == OK);
	(void)ring_consumer_must_wake(&world.consumer);
	interleave_wake(ring_producer_word(memory));
	receive_all();
}

/* All was taken once, nothing is left, and who came back has said so. */
static void
check_all(void)
{
	struct ring_message message;

	INTERLEAVE_EXPECT(world.consumer_arena.received == messages);
	INTERLEAVE_EXPECT(ring_peek(&world.consumer, &message) == ERR_EMPTY);
	INTERLEAVE_EXPECT(ring_producer_generation(memory) ==
	    world.generation[0]);
	INTERLEAVE_EXPECT(ring_consumer_generation(memory) ==
	    world.generation[1]);
}

struct dying {
	bool	 producer, consumer;
	unsigned deaths, preemptions;
};

static void
explore(const char *name, struct dying dying)
{
	bool more = getenv("BENNU_TEST_MORE") != NULL;
	struct interleave_program program = {
		.name = name, .threads = 2, .start = start,
		.body = { send_all, receive_all },
		.again = { dying.producer ? send_again : NULL,
		    dying.consumer ? receive_again : NULL },
		.deaths = dying.deaths, .check = check_all,
		.world = &world, .world_size = sizeof(world),
		.preemptions = dying.preemptions +
		    (more && dying.preemptions != 0 ? 1 : 0),
	};
	struct interleave_result result = interleave_run(&program);

	printf("# %s: %llu states, %llu steps, %llu ends\n", name,
	    (unsigned long long)result.states,
	    (unsigned long long)result.steps,
	    (unsigned long long)result.ends);
	EXPECT(result.failure == NULL);
	EXPECT(result.ends > 0);
}

static void
plan(uint32_t count, const uint32_t *list, uint32_t at_once)
{
	messages = count;
	lengths = list;
	together = at_once;
}

TEST(test_producer_that_dies_loses_and_doubles_nothing)
{
	const struct dying dying = { .producer = true, .deaths = 2 };

	plan(4, small, 1);
	explore("producer dies", dying);
	plan(4, mixed, 2);
	explore("producer dies, two at once", dying);
	plan(5, small, 3);
	explore("producer dies, over the end of a lap", dying);
}

TEST(test_consumer_that_dies_loses_and_doubles_nothing)
{
	const struct dying dying = { .consumer = true, .deaths = 2 };

	plan(4, small, 1);
	explore("consumer dies", dying);
	plan(4, large, 2);
	explore("consumer dies, two at once", dying);
}

TEST(test_both_may_die)
{
	const struct dying dying = {
		.producer = true, .consumer = true, .deaths = 2,
	};

	plan(3, large, 1);
	explore("both die, long", dying);
	plan(4, mixed, 2);
	explore("both die, padding", dying);
}

TEST(test_nobody_sleeps_for_ever_because_the_other_died)
{
	const struct dying dying = {
		.producer = true, .consumer = true, .deaths = 1,
		.preemptions = 2,
	};

	sleeps = true;
	plan(2, large, 1);
	explore("asleep, full", dying);
	plan(2, small, 1);
	explore("asleep, empty", dying);
	sleeps = false;
}

TEST_MAIN(0)
