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

/* `left` has to read at least what the broker sends at once. */
static void
fall_behind(unsigned many)
{
	full.domain = left.domain;
	EXPECT_EQ(end_create(&full, "full", &small, &receives), OK);
	for (unsigned i = 0; i < many; i++) {
		crowd[i].domain = right.domain;
		EXPECT_EQ(end_open(&crowd[i], "full", &sends), OK);
	}
}

static void
catch_up(unsigned many)
{
	for (unsigned i = 0; i < many; i++)
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
	fall_behind(MANY);
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
	catch_up(MANY);
	finish();
}

/* Who was never told of its lane has sent nothing: nobody hears of it. */
TEST(test_lane_that_its_sender_never_knew_is_not_told)
{
	start(NULL);
	EXPECT_EQ(end_create(&left, "a", &small, &sends), OK);
	fall_behind(MANY);
	EXPECT_EQ(end_open(&right, "a", &receives), OK);
	EXPECT_EQ(end_next(&right), OK);
	EXPECT_EQ(right.event.kind, CHANNEL_LANE_IN);
	end_close(&right);
	EXPECT_EQ(end_next(&left), ERR_EMPTY);
	harness_pause_ms(20);
	EXPECT_EQ(end_next(&left), ERR_EMPTY);
	end_close(&left);
	catch_up(MANY);
	finish();
}

/* The broker answers nothing for a while. */
static pid_t
pause_broker(void)
{
	pid_t child;

	kill(harness.broker, SIGSTOP);
	child = fork();
	if (child == 0) {
		harness_pause_ms(100);
		kill(harness.broker, SIGCONT);
		_exit(0);
	}
	return child;
}

/* No end of the events before a revocation that returned. */
TEST(test_revocation_reaches_who_lags_before_the_end_of_its_events)
{
	struct end third = { 0 };
	struct token token;
	unsigned told[CHANNEL_REVOKED + 1] = { 0 };
	pid_t child;

	start(NULL);
	EXPECT_EQ(end_create(&left, "a", &small, &receives), OK);
	EXPECT_EQ(end_open(&right, "a", &sends), OK);
	EXPECT_EQ(end_await(&left), OK);
	EXPECT_EQ(left.event.kind, CHANNEL_LANE_IN);
	fall_behind(MANY);
	third.domain = harness_connect(&harness);
	EXPECT_EQ(channel_hosted_mint(third.domain, "a", TOKEN_ALL, 0, &token),
	    OK);
	EXPECT_EQ(channel_hosted_revoke(third.domain, &token), OK);
	child = pause_broker();
	while (end_next(&left) == OK)
		told[left.event.kind]++;
	EXPECT_EQ(told[CHANNEL_REVOKED], 1);
	EXPECT_EQ(told[CHANNEL_PEER_REVOKED], 1);
	waitpid(child, NULL, 0);
	end_close(&right);
	end_close(&left);
	catch_up(MANY);
	channel_domain_hosted_close(third.domain);
	finish();
}

/* Nobody waits for a revocation of a member that was closed meanwhile. */
TEST(test_close_takes_back_the_revocation_that_was_held)
{
	struct token token;
	unsigned lanes = 0;

	start(NULL);
	EXPECT_EQ(end_create(&left, "a", &small, &receives), OK);
	fall_behind(BROKER_WINDOW);
	EXPECT_EQ(channel_hosted_mint(right.domain, "a", TOKEN_ALL, 0, &token),
	    OK);
	EXPECT_EQ(channel_hosted_revoke(right.domain, &token), OK);
	end_close(&left);
	while (end_next(&full) == OK)
		lanes += full.event.kind == CHANNEL_LANE_IN;
	EXPECT_EQ(lanes, BROKER_WINDOW);
	catch_up(BROKER_WINDOW);
	finish();
}

/* Nobody waits for ever for what a dead broker held back. */
TEST(test_death_of_the_broker_ends_the_wait_for_a_revocation)
{
	struct token token;

	start(NULL);
	EXPECT_EQ(end_create(&left, "a", &small, &receives), OK);
	fall_behind(MANY);
	EXPECT_EQ(channel_hosted_mint(right.domain, "a", TOKEN_ALL, 0, &token),
	    OK);
	EXPECT_EQ(channel_hosted_revoke(right.domain, &token), OK);
	kill(harness.broker, SIGKILL);
	waitpid(harness.broker, NULL, 0);
	EXPECT_EQ(end_next(&left), ERR_EMPTY);
	EXPECT(channel_hosted_is_cut(left.domain));
	end_close(&left);
	catch_up(MANY);
	harness_serve(&harness, NULL);
	finish();
}

TEST_MAIN(signal(SIGPIPE, SIG_IGN))
