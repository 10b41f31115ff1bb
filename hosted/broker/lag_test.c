/* SPDX-License-Identifier: MIT */
/*
 * A process that lags: the broker holds back what it has to tell it, because
 * it has not read what was told before. What it is told at last is complete.
 */
#include "ends_host.h"

#include <lib/channel/hosted/protocol.h>
#include <lib/channel/lane.h>

enum { MANY = BROKER_WINDOW + 8 };

static struct end crowd[MANY], full;

/* `left` has more to read than the broker sends at once. */
static void
fall_behind(void)
{
	full.domain = left.domain;
	EXPECT_EQ(end_create(&full, "full", &small, &receives), OK);
	for (unsigned i = 0; i < MANY; i++) {
		crowd[i].domain = right.domain;
		EXPECT_EQ(end_open(&crowd[i], "full", &sends), OK);
	}
}

static void
catch_up(void)
{
	for (unsigned i = 0; i < MANY; i++)
		end_close(&crowd[i]);
	end_close(&full);
}

/* The other end of `left`, which sends one message and leaves. */
static void
send_and_leave(uint64_t *out_number)
{
	struct ring_producer producer;

	EXPECT_EQ(end_open(&right, "a", &sends), OK);
	EXPECT_EQ(end_await(&right), OK);
	EXPECT_EQ(right.event.kind, CHANNEL_LANE_OUT);
	*out_number = right.member.number;
	memset(right.member.pool, 0x5a, lane_pool_size(&right.member.config));
	EXPECT_EQ(ring_producer_open(&producer, right.event.place.memory,
	    right.event.place.lines), OK);
	EXPECT_EQ(ring_send(&producer, "hello", 6, 7), OK);
	end_close(&right);
}

TEST(test_what_a_sender_left_is_told_before_its_end)
{
	struct channel_config config = small;
	struct ring_consumer consumer;
	struct ring_message message = { 0 };
	uint64_t number;

	config.zero_copy = config.pollable = true;
	start(NULL);
	EXPECT_EQ(end_create(&left, "a", &config, &receives), OK);
	fall_behind();
	send_and_leave(&number);
	EXPECT_EQ(end_await(&left), OK);
	EXPECT_EQ(left.event.kind, CHANNEL_LANE_IN);
	EXPECT_EQ(left.event.place.peer, number);
	EXPECT_EQ(((const uint8_t *)left.event.place.pool)[0], 0x5a);
	EXPECT_EQ(ring_consumer_open(&consumer, left.event.place.memory,
	    left.event.place.lines), OK);
	EXPECT_EQ(end_await(&left), OK);
	EXPECT_EQ(left.event.kind, CHANNEL_PEER_GONE);
	EXPECT_EQ(ring_peek(&consumer, &message), OK);
	EXPECT(message.length == 6 && memcmp(message.data, "hello", 6) == 0);
	end_drop(&left);
	EXPECT_EQ(end_next(&left), ERR_EMPTY);
	end_close(&left);
	catch_up();
	finish();
}

/* Who was never told of its lane has sent nothing: nobody hears of it. */
TEST(test_lane_that_its_sender_never_knew_is_not_told)
{
	start(NULL);
	EXPECT_EQ(end_create(&left, "a", &small, &sends), OK);
	fall_behind();
	EXPECT_EQ(end_open(&right, "a", &receives), OK);
	EXPECT_EQ(end_next(&right), OK);
	EXPECT_EQ(right.event.kind, CHANNEL_LANE_IN);
	end_close(&right);
	EXPECT_EQ(end_next(&left), ERR_EMPTY);
	harness_pause_ms(20);
	EXPECT_EQ(end_next(&left), ERR_EMPTY);
	end_close(&left);
	catch_up();
	finish();
}

TEST_MAIN(signal(SIGPIPE, SIG_IGN))
