/* SPDX-License-Identifier: MIT */
/*
 * The line ring in every interleaving of its accesses and under weak memory
 * (lib/test/interleave.h). Rings are as small as they can be, so that a few
 * messages go round: what is wrong with an order of accesses shows in these.
 *
 * With BENNU_TEST_MORE in the environment the programs are longer.
 */
#include <lib/ring/ring.h>

#include <lib/test/interleave.h>
#include <lib/test/ktap.h>

#include <stdio.h>
#include <stdlib.h>

#define LINES	4u

static _Alignas(RING_LINE) uint8_t memory[(4 + LINES + 1) * RING_LINE];

static struct {
	struct ring_producer producer;
	struct ring_consumer consumer;
	uint32_t received;
	uint64_t lost;
} world;

#define MESSAGES_MAX	8u
#define LONG		52u	/* bytes of a message of two lines */
#define FORGED		48u	/* its word that lies where a header could */

/* What the producer sends: bytes of each. */
static const uint32_t *lengths;
static uint32_t messages;

static void
start(void)
{
	ring_format(memory, LINES);
	world.received = 0;
	world.lost = 0;
	(void)ring_producer_open(&world.producer, memory, LINES);
	(void)ring_consumer_open(&world.consumer, memory, LINES);
}

static void
explore(struct interleave_program program)
{
	struct interleave_result result;

	program.threads = 2;
	program.start = program.start != NULL ? program.start : start;
	program.world = &world;
	program.world_size = sizeof(world);
	result = interleave_run(&program);
	printf("# %s: %llu states, %llu steps, %llu ends\n", program.name,
	    (unsigned long long)result.states,
	    (unsigned long long)result.steps,
	    (unsigned long long)result.ends);
	EXPECT(result.failure == NULL);
	EXPECT(result.ends > 0);
}

static uint32_t
at_least(uint32_t few, uint32_t many)
{
	return getenv("BENNU_TEST_MORE") != NULL ? many : few;
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
write_number(uint32_t number)
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
	return OK;
}

static status_t
stage_number(uint32_t number)
{
	status_t status = write_number(number);

	if (status == OK)
		ring_stage(&world.producer, lengths[number], RING_DATA, number);
	return status;
}

/* In turn by the short way and by the long one. */
static status_t
send_number(uint32_t number)
{
	status_t status = write_number(number);

	if (status == OK && number % 2 == 0)
		ring_commit(&world.producer, lengths[number], RING_DATA,
		    number);
	else if (status == OK)
		ring_stage(&world.producer, lengths[number], RING_DATA, number);
	ring_publish(&world.producer);
	return status;
}

/* Looks at the next message, if there is one: it must be the next. */
static status_t
receive_number(void)
{
	struct ring_message message;
	uint32_t number = world.received;
	status_t status = ring_peek(&world.consumer, &message);

	INTERLEAVE_EXPECT(status == OK || status == ERR_EMPTY);
	if (status != OK)
		return status;
	INTERLEAVE_EXPECT(number < messages);
	INTERLEAVE_EXPECT(message.tag == number);
	INTERLEAVE_EXPECT(message.length == lengths[number]);
	INTERLEAVE_EXPECT(ring_get(word_at(message.data, 0)) == number);
	if (message.length == LONG)
		(void)ring_get(word_at(message.data, FORGED));
	ring_release(&world.consumer);
	world.received++;
	return OK;
}

static void
send_all(void)
{
	for (uint32_t i = 0; i < messages; i++) {
		while (send_number(i) != OK)
			;
	}
}

static void
receive_all(void)
{
	while (world.received < messages)
		(void)receive_number();
}

static void
check_all(void)
{
	INTERLEAVE_EXPECT(receive_number() == ERR_EMPTY);
	INTERLEAVE_EXPECT(world.received == messages);
}

static void
explore_lengths(const char *name, uint32_t count, const uint32_t *list)
{
	messages = count;
	lengths = list;
	explore((struct interleave_program){ .name = name,
	    .body = { send_all, receive_all }, .check = check_all });
}

static const uint32_t small[MESSAGES_MAX] = { 4, 4, 4, 4, 4, 4, 4, 4 };
static const uint32_t large[MESSAGES_MAX] = {
	LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG,
};

TEST(test_what_is_published_is_seen_whole_and_in_order)
{
	explore_lengths("publish", at_least(8, 8), small);
}

TEST(test_messages_of_two_lines_and_their_room)
{
	explore_lengths("two lines", at_least(8, 8), large);
}

/* Position 5 held payload that looks like its own message. */
TEST(test_payload_of_a_lap_before_is_no_message)
{
	static const uint32_t list[] = { LONG, 4, 4, 4, 4, LONG, 4 };

	explore_lengths("clear ahead", at_least(7, 7), list);
}

TEST(test_padding_at_the_end_is_skipped)
{
	static const uint32_t list[] = { 4, 4, 4, LONG, 4, LONG, LONG };

	explore_lengths("padding", at_least(7, 7), list);
}

/* Two by two: who sees the first of a pair sees the second. */
static void
send_pairs(void)
{
	for (uint32_t i = 0; i < messages; i += 2) {
		while (stage_number(i) != OK)
			;
		while (stage_number(i + 1) != OK)
			;
		ring_publish(&world.producer);
	}
}

static void
receive_pairs(void)
{
	while (world.received < messages) {
		if (receive_number() == OK)
			INTERLEAVE_EXPECT(receive_number() == OK);
	}
}

TEST(test_staged_messages_are_seen_together)
{
	static const uint32_t list[] = { 4, 4, 4, 4, 4, 4 };

	messages = 4;
	lengths = list;
	explore((struct interleave_program){ .name = "stage",
	    .body = { send_pairs, receive_pairs }, .check = check_all });
}

static void
send_sleeping(void)
{
	for (uint32_t i = 0; i < messages; i++) {
		while (send_number(i) != OK) {
			if (ring_producer_prepare_sleep(&world.producer,
			    lengths[i])) {
				interleave_sleep(ring_producer_word(memory),
				    1);
				ring_producer_awake(&world.producer);
			}
		}
		if (ring_producer_must_wake(&world.producer))
			interleave_wake(ring_consumer_word(memory));
	}
}

static void
receive_or_sleep(void)
{
	if (receive_number() == OK) {
		if (ring_consumer_must_wake(&world.consumer))
			interleave_wake(ring_producer_word(memory));
	} else if (ring_consumer_prepare_sleep(&world.consumer)) {
		interleave_sleep(ring_consumer_word(memory), 1);
		ring_consumer_awake(&world.consumer);
	}
}

static void
receive_sleeping(void)
{
	while (world.received < messages)
		receive_or_sleep();
}

TEST(test_no_wake_up_of_either_side_is_lost)
{
	messages = at_least(5, 8);
	lengths = large;
	explore((struct interleave_program){ .name = "sleep, long",
	    .body = { send_sleeping, receive_sleeping },
	    .check = check_all });
	messages = at_least(6, 8);
	lengths = small;
	explore((struct interleave_program){ .name = "sleep, short",
	    .body = { send_sleeping, receive_sleeping },
	    .check = check_all });
}

static void
send_and_close(void)
{
	for (uint32_t i = 0; i < messages; i++)
		INTERLEAVE_EXPECT(send_number(i) == OK);
	ring_close(&world.producer);
	if (ring_producer_must_wake(&world.producer))
		interleave_wake(ring_consumer_word(memory));
}

static void
receive_until_closed(void)
{
	while (!ring_is_closed(&world.consumer))
		receive_or_sleep();
}

TEST(test_close_wakes_and_comes_behind_all_messages)
{
	messages = at_least(3, 3);
	lengths = small;
	explore((struct interleave_program){ .name = "close",
	    .body = { send_and_close, receive_until_closed },
	    .check = check_all });
}

static void
overwrite_all(void)
{
	for (uint32_t i = 0; i < messages; i++) {
		uint64_t data = i * 3 + 1;
		INTERLEAVE_EXPECT(ring_overwrite(&world.producer, &data, 8,
		    i) == OK);
	}
}

static status_t
take_one(void)
{
	struct ring_message message;
	uint64_t data = 0, lost = 0;
	status_t status = ring_take(&world.consumer, &data, 8, &message,
	    &lost);

	INTERLEAVE_EXPECT(status == OK || status == ERR_EMPTY);
	if (status != OK)
		return status;
	INTERLEAVE_EXPECT(message.length == 8);
	INTERLEAVE_EXPECT(message.position == world.received + lost);
	INTERLEAVE_EXPECT(message.tag == message.position);
	INTERLEAVE_EXPECT(data == message.position * 3 + 1);
	world.received = (uint32_t)message.position + 1;
	return OK;
}

static void
take_some(void)
{
	for (unsigned i = 0; i < 2; i++)
		(void)take_one();
}

static void
take_rest(void)
{
	while (take_one() == OK)
		;
	INTERLEAVE_EXPECT(world.received == messages);
}

TEST(test_lossy_messages_are_whole_and_the_lost_are_counted)
{
	messages = at_least(6, 8);
	explore((struct interleave_program){ .name = "lossy",
	    .body = { overwrite_all, take_some }, .check = take_rest });
}

static void
overwrite_waking(void)
{
	for (uint32_t i = 0; i < messages; i++) {
		uint64_t data = i * 3 + 1;
		(void)ring_overwrite(&world.producer, &data, 8, i);
		if (ring_producer_must_wake(&world.producer))
			interleave_wake(ring_consumer_word(memory));
	}
}

static void
take_sleeping(void)
{
	while (world.received < messages) {
		if (take_one() == OK ||
		    !ring_consumer_prepare_sleep(&world.consumer))
			continue;
		interleave_sleep(ring_consumer_word(memory), 1);
		ring_consumer_awake(&world.consumer);
	}
}

TEST(test_who_sleeps_is_woken_though_its_message_is_overwritten)
{
	messages = at_least(4, 5);
	explore((struct interleave_program){ .name = "lossy sleep",
	    .body = { overwrite_waking, take_sleeping },
	    .check = take_rest });
}

TEST_MAIN(0)
