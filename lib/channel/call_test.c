/* SPDX-License-Identifier: MIT */
/*
 * Calls, step by step in one thread: a caller that waits for nobody gives up,
 * and what comes later must not be taken for something else.
 */
#include "test_host.h"

static status_t
call(struct channel *channel, uint64_t request, void *answer, size_t *length)
{
	struct channel_exchange exchange = {
		.request = &request, .request_length = sizeof(request),
		.answer = answer, .answer_length = *length,
		.deadline_ns = soon(),
	};
	status_t status = channel_call(channel, &exchange);

	*length = exchange.answer_length;
	return status;
}

/* A request whose caller gives up; the receiver has it next. */
static void
give_up(struct pair *pair, uint64_t request)
{
	uint64_t answer;
	size_t length = sizeof(answer);

	KTAP_EQUAL(call(pair->sender, request, &answer, &length),
	    ERR_TIMEOUT);
}

static struct pair
open_sync(void)
{
	return pair_open(&(struct channel_config){
		.type = CHANNEL_SYNC, .message_max = 200,
		.buffer_size = 1024,
	});
}

static status_t
answer_number(struct channel *channel, uint64_t number)
{
	return channel_answer(channel, &number, sizeof(number));
}

static void
test_late_answer_is_not_taken_for_another(void)
{
	struct pair pair = open_sync();

	give_up(&pair, 1);
	KTAP_EQUAL(receive_number(pair.receiver), 1);
	KTAP_EQUAL(answer_number(pair.receiver, 111), OK);
	give_up(&pair, 2);
	KTAP_EQUAL(receive_number(pair.receiver), 2);
	KTAP_EQUAL(answer_number(pair.receiver, 222), OK);
	give_up(&pair, 3);
	pair_close(&pair);
}

static void
test_a_request_is_answered_once(void)
{
	struct pair pair = open_sync();

	KTAP_EQUAL(answer_number(pair.receiver, 1), ERR_STATE);
	give_up(&pair, 1);
	KTAP_EQUAL(receive_number(pair.receiver), 1);
	KTAP_EQUAL(answer_number(pair.receiver, 1), OK);
	KTAP_EQUAL(answer_number(pair.receiver, 1), ERR_STATE);
	pair_close(&pair);
}

static void
test_answer_never_waits_for_a_caller_that_takes_none(void)
{
	struct pair pair = open_sync();
	uint8_t answer[200] = { 0 };
	status_t status = OK;

	for (uint64_t i = 0; i < 14; i++)
		give_up(&pair, i);
	for (uint64_t i = 0; i < 14 && status == OK; i++) {
		KTAP_EQUAL(receive_number(pair.receiver), i);
		status = channel_answer(pair.receiver, answer,
		    sizeof(answer));
	}
	KTAP_EQUAL(status, ERR_FULL);
	KTAP_EQUAL(statistic(pair.receiver).refused, 1);
	pair_close(&pair);
}

static void
test_answer_to_a_caller_that_left_says_gone(void)
{
	struct pair pair = open_sync();

	give_up(&pair, 1);
	KTAP_EQUAL(receive_number(pair.receiver), 1);
	channel_close(pair.sender);
	pair.sender = NULL;
	status_t status = answer_number(pair.receiver, 1);
	KTAP_CHECK(status == ERR_GONE || status == ERR_STATE);
	pair_close(&pair);
}

static void
test_calls_are_for_sync_channels_only(void)
{
	struct pair pair = pair_open(&(struct channel_config){ 0 });
	struct channel_view view;
	uint64_t answer;
	size_t length = sizeof(answer);

	KTAP_EQUAL(call(pair.sender, 1, &answer, &length), ERR_STATE);
	KTAP_EQUAL(answer_number(pair.receiver, 1), ERR_STATE);
	pair_close(&pair);
	pair = open_sync();
	KTAP_EQUAL(channel_reserve(pair.sender, 1, &view, CHANNEL_NOW),
	    ERR_STATE);
	pair_close(&pair);
}

/* The receiver answers what nobody asked, in the memory of the lane. */
static void
test_forged_answer_costs_its_lane_only(void)
{
	static const struct {
		uint32_t kind, length;
		uint64_t tag;
	} forged[] = {
		{ LANE_RETURN, 8, 0 }, { LANE_KIND_MAX, 8, 0 },
		{ 1, 201, 0 }, { 1, 8, 1 }, { 1, 8, ~0ul },
	};

	for (unsigned i = 0; i < 5; i++) {
		struct pair pair = open_sync();
		uint64_t answer;
		size_t length = sizeof(answer);
		void *room;

		channel_catch_up(pair.receiver);
		struct ring_producer *back = &lane_in_at(pair.receiver,
		    0)->back;
		must(ring_reserve(back, forged[i].length, &room), "room");
		memset(room, 0, forged[i].length);
		ring_commit(back, forged[i].length, forged[i].kind,
		    forged[i].tag);
		KTAP_EQUAL(call(pair.sender, 1, &answer, &length),
		    ERR_CORRUPT);
		KTAP_EQUAL(statistic(pair.sender).corrupt, 1);
		length = sizeof(answer);
		KTAP_EQUAL(call(pair.sender, 1, &answer, &length),
		    ERR_EMPTY);
		pair_close(&pair);
	}
}

static void
test_an_answer_that_comes_again_is_forged(void)
{
	struct pair pair = open_sync();
	uint64_t answer;
	size_t length = sizeof(answer);
	void *room;

	give_up(&pair, 1);
	/* Not received: who has it in hand may not call here. */
	channel_catch_up(pair.receiver);
	struct ring_producer *back = &lane_in_at(pair.receiver, 0)->back;
	for (unsigned i = 0; i < 2; i++) {
		must(ring_reserve(back, 8, &room), "room");
		memset(room, 0, 8);
		ring_commit(back, 8, 1, 0);
	}
	KTAP_EQUAL(call(pair.sender, 2, &answer, &length), ERR_CORRUPT);
	pair_close(&pair);
}

static void
test_answer_longer_than_its_room_is_lost_and_says_so(void)
{
	struct pair pair = open_sync();
	uint8_t answer[8];
	size_t length = sizeof(answer);
	void *room;

	/* As if the receiver had answered the first call beforehand. */
	channel_catch_up(pair.receiver);
	struct ring_producer *back = &lane_in_at(pair.receiver, 0)->back;
	must(ring_reserve(back, 100, &room), "room");
	memset(room, 0, 100);
	ring_commit(back, 100, lane_kind(CHANNEL_RAW, 0), 0);
	KTAP_EQUAL(call(pair.sender, 1, answer, &length), ERR_RANGE);
	KTAP_EQUAL(length, 100);
	give_up(&pair, 2);
	pair_close(&pair);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_late_answer_is_not_taken_for_another),
		KTAP_TEST(test_a_request_is_answered_once),
		KTAP_TEST(test_answer_never_waits_for_a_caller_that_takes_none),
		KTAP_TEST(test_answer_to_a_caller_that_left_says_gone),
		KTAP_TEST(test_calls_are_for_sync_channels_only),
		KTAP_TEST(test_forged_answer_costs_its_lane_only),
		KTAP_TEST(test_an_answer_that_comes_again_is_forged),
		KTAP_TEST(test_answer_longer_than_its_room_is_lost_and_says_so),
	};
	if (channel_domain_private(&domain) != OK)
		return 1;
	int failures = KTAP_RUN(tests);
	channel_domain_private_close(domain);
	return failures;
}
