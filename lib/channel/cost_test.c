/* SPDX-License-Identifier: MIT */
/*
 * Instructions of a message of 32 bytes that is sent and received without
 * anybody asleep, counted one by one (lib/test/step.h); copies, and what is
 * rare, are in the average. Compiled as for use, not as for tests.
 */
#include "state.h"

#include <lib/channel/typed.h>
#include <lib/test/ktap.h>
#include <lib/test/step.h>

#define ROUNDS		16ul
#define LIMIT_PLAIN	300u
#define LIMIT_RAW	400u
#define LIMIT_LITE	2000u
#define LIMIT_FULL	2200u

struct thing {
	uint64_t words[4];
};

CHANNEL_TYPED(thing, struct thing, 0x3)

static struct channel_domain *domain;
static struct channel *sender, *receiver;
static struct thing_channel thing_sender, thing_receiver;

static void
pass_bytes(void *unused)
{
	struct thing sent = { { 1 } }, got;

	(void)unused;
	for (uint64_t i = 0; i < ROUNDS; i++) {
		size_t length = sizeof(got);

		if (channel_send(sender, &sent, sizeof(sent), NULL) != OK ||
		    channel_receive(receiver, &got, &length, NULL) != OK)
			__builtin_trap();
	}
}

static void
pass_things(void *unused)
{
	struct thing sent = { { 1 } }, got;

	(void)unused;
	for (uint64_t i = 0; i < ROUNDS; i++)
		if (thing_send(&thing_sender, &sent, NULL) != OK ||
		    thing_receive(&thing_receiver, &got, NULL) != OK)
			__builtin_trap();
}

static bool
go_on(void *unused, uint64_t count)
{
	(void)unused;
	return count < 4000000;
}

/* Of one message; 0: single steps are not possible here. */
static uint64_t
count_instructions(void (*body)(void *unused))
{
	uint64_t instructions;
	enum step_end end = step_run(body, go_on, NULL, &instructions);

	EXPECT(end != STEP_DIED);
	return end == STEP_OK ? instructions / ROUNDS : 0;
}

TEST(test_bytes_cost_no_more_than_the_limit)
{
	struct channel_config config = { 0 };
	struct channel_options options = { .role = CHANNEL_RECEIVER };

	EXPECT_EQ(channel_create("cost", &config, &options, NULL, &receiver),
	    OK);
	options.role = CHANNEL_SENDER;
	EXPECT_EQ(channel_open("cost", &options, NULL, &sender), OK);
	pass_bytes(NULL);
	uint64_t cost = count_instructions(pass_bytes);
	printf("# bytes: %lu instructions\n", (unsigned long)cost);
	EXPECT(cost <= LIMIT_PLAIN);
	channel_close(sender);
	channel_close(receiver);
}

static void
check_typed(enum channel_serializer serializer, uint64_t limit)
{
	struct channel_config config = { 0 };
	struct channel_options options = { .role = CHANNEL_RECEIVER };

	EXPECT_EQ(thing_create("cost", &config, &options, NULL,
	    &thing_receiver), OK);
	options.role = CHANNEL_SENDER;
	options.serializer = serializer;
	EXPECT_EQ(thing_open("cost", &options, NULL, &thing_sender), OK);
	pass_things(NULL);
	uint64_t cost = count_instructions(pass_things);
	printf("# serializer %u: %lu instructions\n", serializer,
	    (unsigned long)cost);
	EXPECT(cost <= limit);
	thing_close(&thing_sender);
	thing_close(&thing_receiver);
}

TEST(test_each_serializer_costs_no_more_than_its_limit)
{
	check_typed(CHANNEL_RAW, LIMIT_RAW);
	check_typed(CHANNEL_LITE, LIMIT_LITE);
	check_typed(CHANNEL_FULL, LIMIT_FULL);
}

static status_t
set_up(void)
{
	status_t status = channel_domain_private(&domain);

	channel_domain_set_default(domain);
	return status;
}

TEST_MAIN(set_up())
