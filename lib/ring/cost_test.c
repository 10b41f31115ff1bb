/* SPDX-License-Identifier: MIT */
/*
 * Instructions of a message, counted one by one (lib/test/step.h) in code that
 * is compiled as for the guest. What a loop with the same copies costs without
 * a ring is taken off; what is rare (the end of the ring, the other side's
 * position) is in the average.
 */
#include <lib/ring/cost_host.h>
#include <lib/ring/tier.h>

#include <lib/test/ktap.h>
#include <lib/test/step.h>

#include <stdlib.h>

#define LINES		256u
#define ROUNDS		(4ul * LINES)
#define LIMIT		40u	/* enqueue and dequeue */
#define LIMIT_WAKE	8u	/* the question whether to wake */

enum body { COPY, PASS, PASS_AND_ASK };

static struct ring_producer producer;
static struct ring_consumer consumer;
static uint64_t word;

static void
run_body(void *which)
{
	enum body body = *(enum body *)which;
	bool right = body == COPY ? cost_copy(&word, ROUNDS) :
	    body == PASS ? cost_pass(&producer, &consumer, ROUNDS) :
	    cost_pass_and_ask(&producer, &consumer, ROUNDS);

	if (!right)
		__builtin_trap();
}

static bool
go_on(void *unused, uint64_t count)
{
	(void)unused;
	return count < 1000000;
}

/* 0: single steps are not possible here. */
static uint64_t
count_instructions(enum body body)
{
	void *memory = aligned_alloc(RING_LINE, ring_size(LINES));
	uint64_t instructions;

	ring_format(memory, LINES);
	EXPECT_EQ(ring_producer_open(&producer, memory, LINES), OK);
	EXPECT_EQ(ring_consumer_open(&consumer, memory, LINES), OK);
	enum step_end end = step_run(run_body, go_on, &body, &instructions);
	EXPECT(end != STEP_DIED);
	free(memory);
	return end == STEP_OK ? instructions : 0;
}

TEST(test_a_message_costs_at_most_forty_instructions)
{
	uint64_t copy = count_instructions(COPY);

	if (copy == 0)
		KTAP_SKIP("no single steps here");
	uint64_t pass = count_instructions(PASS);
	uint64_t ask = count_instructions(PASS_AND_ASK);
	printf("# for %lu messages: %lu instructions, %lu for copies, %lu "
	    "for questions\n", ROUNDS, pass - copy, copy, ask - pass);
	EXPECT(copy > 4 * ROUNDS);
	EXPECT(pass - copy > 10 * ROUNDS);
	EXPECT(pass - copy <= LIMIT * ROUNDS);
	EXPECT(ask > pass);
	EXPECT(ask - pass <= LIMIT_WAKE * ROUNDS);
}

#define CPUS		64u
#define LOOKS		64ul
#define LIMIT_IDLE	400u	/* a get of 64 CPUs' tiers that finds nothing */

static struct tier_consumer idle;

static void
look_often(void *unused)
{
	struct queue_item item;

	(void)unused;
	for (uint32_t i = 0; i < LOOKS; i++) {
		if (tier_get(&idle, i / 16, &item) != ERR_EMPTY)
			__builtin_trap();
	}
}

TEST(test_looking_for_work_where_there_is_none_is_cheap)
{
	static struct tier_place places[CPUS];
	const struct tier_topology topology = {
		.cpus = CPUS, .sockets = 4, .nodes = 2, .places = places,
		.cells = { 4, 4, 4, 4 },
	};
	struct tiers tiers;
	uint64_t instructions;
	size_t size = 0;

	for (uint8_t i = 0; i < CPUS; i++)
		places[i] = (struct tier_place){ i / 16, i / 32 };
	EXPECT_EQ(tier_size(&topology, &size), OK);
	void *memory = aligned_alloc(64, size);
	tier_format(memory, &topology);
	EXPECT_EQ(tier_open(&tiers, memory, &topology), OK);
	tier_consumer_open(&idle, &tiers);
	enum step_end end = step_run(look_often, go_on, NULL, &instructions);
	free(memory);
	if (end == STEP_IMPOSSIBLE)
		KTAP_SKIP("no single steps here");
	EXPECT(end == STEP_OK);
	printf("# %lu instructions for %lu idle gets\n", instructions,
	    LOOKS);
	EXPECT(instructions > LOOKS * 20);
	EXPECT(instructions <= LOOKS * LIMIT_IDLE);
}

TEST_MAIN(0)
