/* SPDX-License-Identifier: MIT */
/*
 * The queue of many and the tiers in every interleaving of their accesses and
 * under weak memory (lib/test/interleave.h). An item carries its number at both
 * of its ends: the parts that the explorer follows.
 *
 * With BENNU_TEST_MORE in the environment the programs are longer.
 */
#include <lib/ring/queue.h>
#include <lib/ring/tier.h>

#include <lib/test/interleave.h>
#include <lib/test/ktap.h>

#include <stdio.h>
#include <stdlib.h>

#define CELLS	2u

static _Alignas(64) uint8_t memory[4096];
static struct queue queue;
static struct tiers tiers;

static struct {
	uint32_t taken;		/* a bit per item */
	uint32_t put[2];	/* by producer */
	struct tier_producer producers[2];
	struct tier_consumer consumers[2];
} world;

static uint32_t per_producer, per_consumer;
static unsigned order_flags;
static bool overtaken;		/* in some run: a later item came first */

/* Producers 0 and 1 have items 0, 2, 4 ... and 1, 3, 5 ... */
static struct queue_item
item_of(uint32_t number)
{
	struct queue_item item = { .words = { number } };

	item.words[QUEUE_WORDS - 1] = (uint64_t)number << 32;
	return item;
}

static void
start_queue(void)
{
	world.taken = world.put[0] = world.put[1] = 0;
	queue_format(memory, CELLS);
	(void)queue_open(&queue, memory, CELLS);
}

static bool
explore(struct interleave_program program)
{
	struct interleave_result result;

	program.threads = program.body[2] != NULL ? 3 : 2;
	program.world = &world;
	program.world_size = sizeof(world);
	result = interleave_run(&program);
	printf("# %s: %llu states, %llu steps, %llu ends\n", program.name,
	    (unsigned long long)result.states,
	    (unsigned long long)result.steps,
	    (unsigned long long)result.ends);
	EXPECT(result.ends > 0);
	return result.failure == NULL;
}

static uint32_t
at_least(uint32_t few, uint32_t many)
{
	return getenv("BENNU_TEST_MORE") != NULL ? many : few;
}

/* Each item once, and after those that its producer put before it. */
static void
note_taken(const struct queue_item *item)
{
	uint32_t number = (uint32_t)item->words[0];

	INTERLEAVE_EXPECT(item->words[QUEUE_WORDS - 1] >> 32 == number);
	INTERLEAVE_EXPECT((world.taken >> number & 1) == 0);
	bool early = number >= 2 && (world.taken >> (number - 2) & 1) == 0;
	overtaken |= early;
	INTERLEAVE_EXPECT(order_flags == TIER_ANY_ORDER || !early);
	world.taken |= 1u << number;
}

static void
put_from(unsigned producer)
{
	for (uint32_t i = 0; i < per_producer; i++) {
		struct queue_item item = item_of(2 * i + producer);
		uint64_t number;
		while (queue_put(&queue, &item, &number) != OK)
			;
		world.put[producer]++;
	}
}

static void
put_even(void)
{
	put_from(0);
}

static void
put_odd(void)
{
	put_from(1);
}

static bool
get_one(void)
{
	struct queue_item item;

	if (queue_get(&queue, &item) != OK)
		return false;
	note_taken(&item);
	return true;
}

static void
get_all(void)
{
	for (uint32_t i = 0; i < per_consumer; i++) {
		while (!get_one())
			;
	}
}

static void
check_queue(void)
{
	while (get_one())
		;
	INTERLEAVE_EXPECT(world.taken ==
	    (1u << (world.put[0] + world.put[1])) - 1);
}

TEST(test_two_producers_keep_each_its_order)
{
	order_flags = 0;
	per_producer = at_least(3, 5);
	per_consumer = 2 * per_producer;
	EXPECT(explore((struct interleave_program){ .name = "two producers",
	    .start = start_queue, .check = check_queue,
	    .body = { put_even, put_odd, get_all } }));
}

/*
 * With two consumers the order in which they note is not that of taking: only
 * that each item is noted once is looked at.
 */
static void
get_some(void)
{
	for (uint32_t i = 0; i < per_consumer; i++)
		(void)get_one();
}

static void
put_while_there_is_room(void)
{
	for (uint32_t i = 0; i < per_producer; i++) {
		struct queue_item item = item_of(i);
		uint64_t number;
		if (queue_put(&queue, &item, &number) == OK)
			world.put[0]++;
		else
			break;
	}
}

TEST(test_two_consumers_take_each_item_once)
{
	order_flags = TIER_ANY_ORDER;
	per_producer = at_least(4, 8);
	per_consumer = at_least(2, 4);
	EXPECT(explore((struct interleave_program){ .name = "two consumers",
	    .start = start_queue, .check = check_queue,
	    .body = { put_while_there_is_room, get_some, get_some } }));
}

static const struct tier_place places[] = { { 0, 0 }, { 0, 0 } };
static const struct tier_topology topology = {
	.cpus = 2, .sockets = 1, .nodes = 1, .places = places,
	.cells = { CELLS, CELLS, CELLS, CELLS },
};

static void
start_tiers(void)
{
	size_t size = 0;

	world.taken = world.put[0] = world.put[1] = 0;
	(void)tier_size(&topology, &size);
	if (size > sizeof(memory))
		abort();
	tier_format(memory, &topology);
	(void)tier_open(&tiers, memory, &topology);
	for (unsigned i = 0; i < 2; i++) {
		tier_producer_open(&world.producers[i], &tiers, order_flags);
		tier_consumer_open(&world.consumers[i], &tiers);
	}
}

static bool
tier_put_one(unsigned producer, uint32_t cpu)
{
	struct queue_item item = item_of(2 * world.put[producer] + producer);

	if (tier_put(&world.producers[producer], cpu, &item) != OK)
		return false;
	world.put[producer]++;
	return true;
}

static bool
tier_get_one(unsigned consumer, uint32_t cpu)
{
	struct queue_item item;

	if (tier_get(&world.consumers[consumer], cpu, &item) != OK)
		return false;
	note_taken(&item);
	return true;
}

/* The bit of CPU 0 is up and its queue empty: thieves will lower it. */
static void
start_with_stale_bit(void)
{
	start_tiers();
	(void)tier_put_one(0, 0);
	(void)tier_get_one(0, 0);
}

static void
put_one_at_0(void)
{
	(void)tier_put_one(0, 0);
}

static void
steal_at_1(void)
{
	for (uint32_t i = 0; i < per_consumer; i++)
		(void)tier_get_one(1, 1);
}

/* Whoever looks after all this finds everything. */
static void
check_tiers(void)
{
	uint32_t all = 0;

	while (tier_get_one(1, 1))
		;
	for (uint32_t i = 0; i < 2 * per_producer; i++)
		all |= (i / 2 < world.put[i % 2] ? 1u : 0) << i;
	INTERLEAVE_EXPECT(world.taken == all);
}

TEST(test_a_thief_that_lowers_the_bit_loses_no_item)
{
	order_flags = 0;
	per_producer = 3;
	per_consumer = 1;
	EXPECT(explore((struct interleave_program){ .name = "steal",
	    .start = start_with_stale_bit, .check = check_tiers,
	    .body = { put_one_at_0, steal_at_1 } }));
}

/* What it put before, and one thief did not take, it finds. */
static void
put_two_at_0_and_steal_one(void)
{
	(void)tier_put_one(0, 0);
	(void)tier_put_one(0, 0);
	INTERLEAVE_EXPECT(tier_get_one(0, 1));
}

TEST(test_a_thief_that_lowers_the_bit_hides_no_other_item)
{
	order_flags = TIER_ANY_ORDER;
	per_producer = 3;
	per_consumer = 1;
	EXPECT(explore((struct interleave_program){ .name = "two thieves",
	    .start = start_with_stale_bit, .check = check_tiers,
	    .body = { put_two_at_0_and_steal_one, steal_at_1 } }));
}

/* The producer wanders between CPUs while a thief takes what it put. */
static void
wander(void)
{
	for (uint32_t i = 0; i < per_producer; i++)
		(void)tier_put_one(0, i % 2);
}

TEST(test_a_producer_that_wanders_keeps_its_order)
{
	order_flags = 0;
	per_producer = at_least(4, 6);
	per_consumer = at_least(3, 5);
	EXPECT(explore((struct interleave_program){ .name = "wander",
	    .start = start_tiers, .check = check_tiers,
	    .body = { wander, steal_at_1 } }));
}

TEST(test_without_order_a_later_item_can_come_first)
{
	order_flags = TIER_ANY_ORDER;
	per_producer = 3;
	per_consumer = 2;
	overtaken = false;
	EXPECT(explore((struct interleave_program){ .name = "any order",
	    .start = start_tiers, .check = check_tiers,
	    .body = { wander, steal_at_1 } }));
	EXPECT(overtaken);
}

TEST_MAIN(0)
