/* SPDX-License-Identifier: MIT */
/*
 * Queue of many and queue tiers, in one thread: order, room, where items go and
 * who finds them. Topologies are made up.
 */
#include <lib/ring/queue.h>
#include <lib/ring/tier.h>

#include <lib/test/ktap.h>

#include <stdlib.h>
#include <string.h>

#define CPUS 8u

static uint32_t random_state = 1;

static uint32_t
draw(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

static struct queue_item
item_of(uint64_t number)
{
	struct queue_item item;

	for (unsigned i = 0; i < QUEUE_WORDS; i++)
		item.words[i] = number * 7 + i;
	return item;
}

static uint64_t
number_of(const struct queue_item *item)
{
	for (unsigned i = 1; i < QUEUE_WORDS; i++)
		EXPECT_EQ(item->words[i], item->words[0] + i);
	return item->words[0] / 7;
}

TEST(test_queue_holds_as_many_as_it_has_cells_in_order)
{
	struct queue queue;
	struct queue_item item;
	uint64_t put, got, number;

	for (uint32_t cells = QUEUE_CELLS_MIN; cells <= 16; cells *= 2) {
		void *memory = aligned_alloc(64, queue_size(cells));
		memset(memory, 0xa5, queue_size(cells));
		queue_format(memory, cells);
		EXPECT_EQ(queue_open(&queue, memory, cells), OK);
		put = got = 0;
		for (unsigned step = 0; step < 10000; step++) {
			if (draw(2) == 0) {
				item = item_of(put);
				status_t status = queue_put(&queue, &item,
				    &number);
				EXPECT_EQ(status, put - got < cells ? OK :
				    ERR_FULL);
				if (status == OK)
					EXPECT_EQ(number, put++);
				continue;
			}
			status_t status = queue_get(&queue, &item);
			EXPECT_EQ(status, got < put ? OK : ERR_EMPTY);
			if (status == OK)
				EXPECT_EQ(number_of(&item), got++);
			EXPECT(!queue_is_taken(&queue, got));
			EXPECT(got == 0 || queue_is_taken(&queue, got - 1));
		}
		free(memory);
	}
}

TEST(test_queue_of_a_wrong_size_does_not_open)
{
	static _Alignas(64) uint8_t memory[1024];
	struct queue queue;

	EXPECT_EQ(queue_open(&queue, memory, 0), ERR_ARG);
	EXPECT_EQ(queue_open(&queue, memory, 1), ERR_ARG);
	EXPECT_EQ(queue_open(&queue, memory, 3), ERR_ARG);
	EXPECT_EQ(queue_open(&queue, memory, 2 * QUEUE_CELLS_MAX), ERR_ARG);
	EXPECT_EQ(queue_open(&queue, memory + 8, 4), ERR_ARG);
	EXPECT_EQ(queue_open(&queue, memory, 4), OK);
}

/* Two CPUs per socket, two sockets per node. */
static const struct tier_place places[CPUS] = {
	{ 0, 0 }, { 0, 0 }, { 1, 0 }, { 1, 0 },
	{ 2, 1 }, { 2, 1 }, { 3, 1 }, { 3, 1 },
};

static struct tier_topology topology = {
	.cpus = CPUS, .sockets = 4, .nodes = 2, .places = places,
	.cells = { 2, 4, 8, 16 },
};

static struct {
	void *memory;
	struct tiers tiers;
	struct tier_producer producer;
	struct tier_consumer consumer;
} bed;

static void
start(unsigned flags)
{
	size_t size = 0;

	free(bed.memory);
	EXPECT_EQ(tier_size(&topology, &size), OK);
	bed.memory = aligned_alloc(64, size);
	memset(bed.memory, 0xa5, size);
	tier_format(bed.memory, &topology);
	EXPECT_EQ(tier_open(&bed.tiers, bed.memory, &topology), OK);
	tier_producer_open(&bed.producer, &bed.tiers, flags);
	tier_consumer_open(&bed.consumer, &bed.tiers);
}

static status_t
put(uint32_t cpu, uint64_t number)
{
	struct queue_item item = item_of(number);

	return tier_put(&bed.producer, cpu, &item);
}

/* The number, ~0 if there is none. */
static uint64_t
get(uint32_t cpu)
{
	struct queue_item item;

	if (tier_get(&bed.consumer, cpu, &item) != OK)
		return ~0ul;
	return number_of(&item);
}

TEST(test_topology_out_of_range_is_refused)
{
	struct tier_topology wrong = topology;
	size_t size;

	wrong.sockets = 3;
	EXPECT_EQ(tier_size(&wrong, &size), ERR_ARG);
	wrong = topology;
	wrong.nodes = 1;
	EXPECT_EQ(tier_size(&wrong, &size), ERR_ARG);
	wrong = topology;
	wrong.cpus = TIER_UNITS_MAX + 1;
	EXPECT_EQ(tier_size(&wrong, &size), ERR_ARG);
	wrong = topology;
	wrong.cells[TIER_NODE] = 6;
	EXPECT_EQ(tier_size(&wrong, &size), ERR_ARG);
	start(0);
	EXPECT_EQ(put(CPUS, 0), ERR_ARG);
	EXPECT_EQ(get(CPUS), ~0ul);
}

TEST(test_items_spill_outwards_until_all_is_full)
{
	static const uint64_t wanted[TIER_LEVELS] = { 2, 4, 8, 16 };

	start(TIER_ANY_ORDER);
	for (uint64_t i = 0; i < 30; i++)
		EXPECT_EQ(put(2, i), OK);
	EXPECT_EQ(put(2, 30), ERR_FULL);
	EXPECT_EQ(bed.producer.refused, 1);
	for (unsigned level = 0; level < TIER_LEVELS; level++)
		EXPECT_EQ(bed.producer.put[level], wanted[level]);
	/* Another socket of the node has its own two levels. */
	for (uint64_t i = 30; i < 36; i++)
		EXPECT_EQ(put(0, i), OK);
	EXPECT_EQ(put(0, 36), ERR_FULL);
	for (uint64_t i = 0; i < 30; i++)
		EXPECT_EQ(get(2), i);
	for (unsigned level = 0; level < TIER_LEVELS; level++) {
		EXPECT_EQ(bed.consumer.got[level], wanted[level]);
		EXPECT_EQ(bed.consumer.stolen[level], 0);
	}
}

TEST(test_an_ordered_producer_stays_until_its_last_was_taken)
{
	start(0);
	EXPECT_EQ(put(0, 0), OK);
	EXPECT_EQ(put(7, 1), OK);
	EXPECT_EQ(bed.producer.last_unit, 0);
	EXPECT_EQ(put(0, 2), ERR_FULL);
	EXPECT_EQ(get(5), 0);
	EXPECT_EQ(put(7, 2), OK);
	EXPECT_EQ(bed.producer.last_unit, 0);
	EXPECT_EQ(get(5), 1);
	EXPECT_EQ(get(5), 2);
	EXPECT_EQ(put(7, 3), OK);
	EXPECT_EQ(bed.producer.last_unit, 7);
}

TEST(test_order_of_a_producer_holds_wherever_it_runs_and_who_takes)
{
	struct tier_producer producers[3];
	uint64_t sent[3] = { 0 }, seen[3] = { 0 };
	struct queue_item item;

	start(0);
	for (unsigned i = 0; i < 3; i++)
		tier_producer_open(&producers[i], &bed.tiers, 0);
	for (unsigned step = 0; step < 50000; step++) {
		unsigned who = draw(3);
		item = item_of(sent[who] * 3 + who);
		if (draw(2) == 0 &&
		    tier_put(&producers[who], draw(CPUS), &item) == OK)
			sent[who]++;
		uint64_t number = draw(2) == 0 ? get(draw(CPUS)) : ~0ul;
		if (number != ~0ul)
			EXPECT_EQ(number / 3, seen[number % 3]++);
	}
	for (unsigned i = 0; i < 3; i++)
		EXPECT(seen[i] > 5000);
}

TEST(test_every_item_is_found_from_every_cpu)
{
	for (uint32_t to = 0; to < CPUS; to++) {
		for (uint32_t from = 0; from < CPUS; from++) {
			start(TIER_ANY_ORDER);
			uint64_t all = 0;
			for (uint64_t i = 0; i < 30; i++)
				EXPECT_EQ(put(to, i), OK);
			for (uint64_t i = 0; i < 30; i++)
				all += get(from);
			EXPECT_EQ(all, 29 * 30 / 2);
			EXPECT_EQ(get(from), ~0ul);
			EXPECT_EQ(put(to, 5), OK);
			EXPECT_EQ(get(from), 5);
		}
	}
}

TEST(test_theft_begins_with_the_nearest)
{
	struct tier_producer others[3];
	static const uint32_t cpus[3] = { 7, 1, 2 };

	start(0);
	for (unsigned i = 0; i < 3; i++) {
		struct queue_item item = item_of(cpus[i]);
		tier_producer_open(&others[i], &bed.tiers, 0);
		EXPECT_EQ(tier_put(&others[i], cpus[i], &item), OK);
	}
	EXPECT_EQ(get(3), 2);
	EXPECT_EQ(get(3), 1);
	EXPECT_EQ(get(3), 7);
	EXPECT_EQ(bed.consumer.stolen[TIER_CPU], 3);
	EXPECT_EQ(get(3), ~0ul);
	EXPECT_EQ(bed.consumer.idle, 1);
}

TEST(test_idle_get_writes_nothing_once_the_bits_are_down)
{
	size_t size = 0;
	uint8_t *copy;

	start(TIER_ANY_ORDER);
	EXPECT_EQ(tier_size(&topology, &size), OK);
	EXPECT_EQ(put(0, 1), OK);
	EXPECT_EQ(get(4), 1);
	EXPECT_EQ(get(4), ~0ul);
	copy = malloc(size);
	memcpy(copy, bed.memory, size);
	for (uint32_t cpu = 0; cpu < CPUS; cpu++)
		EXPECT_EQ(get(cpu), ~0ul);
	EXPECT_EQ(memcmp(copy, bed.memory, size), 0);
	EXPECT_EQ(*(uint64_t *)bed.memory, 0);
	free(copy);
}

static void
release_memory(void)
{
	free(bed.memory);
}

TEST_MAIN(atexit(release_memory))
