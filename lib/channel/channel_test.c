/* SPDX-License-Identifier: MIT */
/*
 * The laws of channel.h, with all members in one thread: what waits here waits
 * for nobody and ends at its deadline. threads_test.c has the rest.
 */
#include "test_host.h"

static void
test_message_arrives_as_it_was_sent(void)
{
	struct pair pair = pair_open(&(struct channel_config){ 0 });
	uint8_t message[4096], got[4096];

	for (size_t length = 0; length <= sizeof(message);
	    length += length < 70 ? 1 : 277) {
		size_t room = sizeof(got);

		fill(message, length, length);
		KTAP_REQUIRE(send_now(pair.sender, message, length) == OK);
		KTAP_REQUIRE(receive_now(pair.receiver, got, &room) == OK);
		KTAP_EQUAL(room, length);
		KTAP_CHECK(memcmp(got, message, length) == 0);
	}
	pair_close(&pair);
}

static void
test_order_is_kept_per_lane(void)
{
	struct pair pair = pair_open(&(struct channel_config){ 0 });

	for (uint64_t i = 0; i < 100; i++)
		KTAP_EQUAL(send_number(pair.sender, i), OK);
	for (uint64_t i = 0; i < 100; i++)
		KTAP_EQUAL(receive_number(pair.receiver), i);
	KTAP_EQUAL(receive_number(pair.receiver), NOTHING);
	pair_close(&pair);
}

static void
test_async_takes_one_receiver_in_turn(void)
{
	struct pair pair = pair_open(&(struct channel_config){ 0 });
	struct channel *second = join("pair", CHANNEL_RECEIVER, 0);
	unsigned got[2] = { 0 };

	for (uint64_t i = 0; i < 100; i++)
		KTAP_EQUAL(send_number(pair.sender, i), OK);
	while (receive_number(pair.receiver) != NOTHING)
		got[0]++;
	while (receive_number(second) != NOTHING)
		got[1]++;
	KTAP_EQUAL(got[0], 50);
	KTAP_EQUAL(got[1], 50);
	channel_close(second);
	pair_close(&pair);
}

static void
test_async_prefers_the_receiver_with_room(void)
{
	struct pair pair = pair_open(&(struct channel_config){
		.message_max = 40, .buffer_size = 4096,
	});
	struct channel *second = join("pair", CHANNEL_RECEIVER, 0);
	unsigned got = 0;

	/* The first one does not read: all that is left goes to the second. */
	for (uint64_t i = 0; i < 500; i++) {
		KTAP_REQUIRE(send_number(pair.sender, i) == OK);
		got += receive_number(second) != NOTHING;
	}
	KTAP_CHECK(got > 500 - 64);
	channel_close(second);
	pair_close(&pair);
}

static void
test_broadcast_reaches_every_receiver_once(void)
{
	struct pair pair = pair_open(&(struct channel_config){
		.type = CHANNEL_BROADCAST,
	});
	struct channel *second = join("pair", CHANNEL_RECEIVER, 0);

	for (uint64_t i = 0; i < 20; i++)
		KTAP_EQUAL(send_number(pair.sender, i), OK);
	for (uint64_t i = 0; i < 20; i++) {
		KTAP_EQUAL(receive_number(pair.receiver), i);
		KTAP_EQUAL(receive_number(second), i);
	}
	KTAP_EQUAL(receive_number(second), NOTHING);
	KTAP_EQUAL(statistic(pair.sender).sent, 40);
	channel_close(second);
	pair_close(&pair);
}

static void
test_multicast_reaches_the_groups_only(void)
{
	struct pair pair = pair_open(&(struct channel_config){
		.type = CHANNEL_MULTICAST,
	});
	struct channel *one = join("pair", CHANNEL_RECEIVER, 0x1);
	struct channel *both = join("pair", CHANNEL_RECEIVER, 0x3);

	channel_set_groups(pair.sender, 0x2);
	KTAP_EQUAL(send_number(pair.sender, 2), OK);
	channel_set_groups(pair.sender, 0x1);
	KTAP_EQUAL(send_number(pair.sender, 1), OK);
	channel_set_groups(pair.sender, 0x4);
	KTAP_EQUAL(send_number(pair.sender, 4), ERR_EMPTY);
	KTAP_EQUAL(receive_number(one), 1);
	KTAP_EQUAL(receive_number(one), NOTHING);
	KTAP_EQUAL(receive_number(both), 2);
	KTAP_EQUAL(receive_number(both), 1);
	/* It opened without a group. */
	KTAP_EQUAL(receive_number(pair.receiver), NOTHING);
	channel_close(one);
	channel_close(both);
	pair_close(&pair);
}

static void
test_stream_has_no_boundaries(void)
{
	struct pair pair = pair_open(&(struct channel_config){
		.type = CHANNEL_STREAM, .message_max = 100,
	});
	char got[16];
	size_t length = 4;

	send_now(pair.sender, "abcdef", 6);
	send_now(pair.sender, "", 0);
	send_now(pair.sender, "ghi", 3);
	KTAP_EQUAL(receive_now(pair.receiver, got, &length), OK);
	KTAP_CHECK(length == 4 && memcmp(got, "abcd", 4) == 0);
	length = sizeof(got);
	KTAP_EQUAL(receive_now(pair.receiver, got, &length), OK);
	KTAP_CHECK(length == 5 && memcmp(got, "efghi", 5) == 0);
	length = sizeof(got);
	KTAP_EQUAL(receive_now(pair.receiver, got, &length), ERR_TIMEOUT);
	length = 0;
	KTAP_EQUAL(receive_now(pair.receiver, got, &length), ERR_ARG);
	pair_close(&pair);
}

static void
test_stream_has_one_receiver(void)
{
	struct channel *sender = create("one", CHANNEL_SENDER,
	    &(struct channel_config){ .type = CHANNEL_STREAM });
	struct channel *receiver = join("one", CHANNEL_RECEIVER, 0);
	struct channel_options options = {
		.domain = domain, .role = CHANNEL_RECEIVER,
	};
	struct channel *second;

	KTAP_EQUAL(channel_open("one", &options, NULL, &second), ERR_BUSY);
	channel_close(receiver);
	KTAP_EQUAL(channel_open("one", &options, NULL, &second), OK);
	channel_close(second);
	channel_close(sender);
}

static void
test_batch_becomes_visible_together(void)
{
	struct pair pair = pair_open(&(struct channel_config){
		.type = CHANNEL_BATCH, .batch = 3,
	});

	KTAP_EQUAL(send_number(pair.sender, 0), OK);
	KTAP_EQUAL(send_number(pair.sender, 1), OK);
	KTAP_EQUAL(receive_number(pair.receiver), NOTHING);
	KTAP_EQUAL(send_number(pair.sender, 2), OK);
	for (uint64_t i = 0; i < 3; i++)
		KTAP_EQUAL(receive_number(pair.receiver), i);
	KTAP_EQUAL(send_number(pair.sender, 3), OK);
	KTAP_EQUAL(receive_number(pair.receiver), NOTHING);
	KTAP_EQUAL(channel_flush(pair.sender), OK);
	KTAP_EQUAL(receive_number(pair.receiver), 3);
	pair_close(&pair);
}

static void
test_batch_goes_to_one_receiver(void)
{
	struct pair pair = pair_open(&(struct channel_config){
		.type = CHANNEL_BATCH, .batch = 4,
	});
	struct channel *second = join("pair", CHANNEL_RECEIVER, 0);
	unsigned got[2] = { 0 };

	for (uint64_t i = 0; i < 8; i++)
		KTAP_EQUAL(send_number(pair.sender, i), OK);
	while (receive_number(pair.receiver) != NOTHING)
		got[0]++;
	while (receive_number(second) != NOTHING)
		got[1]++;
	KTAP_EQUAL(got[0], 4);
	KTAP_EQUAL(got[1], 4);
	channel_close(second);
	pair_close(&pair);
}

static void
test_a_full_lane_ends_a_batch_early(void)
{
	struct pair pair = pair_open(&(struct channel_config){
		.type = CHANNEL_BATCH, .batch = 1000, .message_max = 40,
		.buffer_size = 1024,
	});

	uint64_t sent = 0;
	while (send_number(pair.sender, sent) == OK)
		sent++;
	KTAP_CHECK(sent >= 14);
	for (uint64_t i = 0; i < sent; i++)
		KTAP_EQUAL(receive_number(pair.receiver), i);
	pair_close(&pair);
}

static void
test_close_flushes_and_receiver_drains_then_sees_the_end(void)
{
	struct pair pair = pair_open(&(struct channel_config){
		.type = CHANNEL_BATCH, .batch = 10,
	});
	uint8_t byte;
	size_t length = 1;

	send_number(pair.sender, 1);
	send_number(pair.sender, 2);
	channel_close(pair.sender);
	pair.sender = NULL;
	KTAP_EQUAL(receive_number(pair.receiver), 1);
	KTAP_EQUAL(receive_number(pair.receiver), 2);
	KTAP_EQUAL(receive_now(pair.receiver, &byte, &length), ERR_GONE);
	length = 1;
	KTAP_EQUAL(channel_receive_until(pair.receiver, &byte, &length, NULL,
	    CHANNEL_FOREVER), ERR_GONE);
	pair_close(&pair);
}

static void
test_receiver_waits_for_a_first_sender_and_hears_another(void)
{
	struct channel *receiver = create("alone", CHANNEL_RECEIVER,
	    &(struct channel_config){ 0 });
	uint8_t byte;
	size_t length = 1;

	KTAP_EQUAL(receive_now(receiver, &byte, &length), ERR_TIMEOUT);
	channel_close(join("alone", CHANNEL_SENDER, 0));
	KTAP_EQUAL(receive_now(receiver, &byte, &length), ERR_GONE);
	struct channel *sender = join("alone", CHANNEL_SENDER, 0);
	KTAP_EQUAL(receive_now(receiver, &byte, &length), ERR_TIMEOUT);
	KTAP_EQUAL(send_number(sender, 7), OK);
	KTAP_EQUAL(receive_number(receiver), 7);
	channel_close(sender);
	channel_close(receiver);
}

static void
test_without_receivers_send_says_empty(void)
{
	static const enum channel_overflow policy[] = {
		CHANNEL_BLOCK, CHANNEL_DROP_OLDEST, CHANNEL_DROP_NEWEST,
		CHANNEL_ERROR,
	};

	for (unsigned i = 0; i < 4; i++) {
		struct channel *sender = create("alone", CHANNEL_SENDER,
		    &(struct channel_config){ .overflow = policy[i] });

		KTAP_EQUAL(send_number(sender, 1), ERR_EMPTY);
		KTAP_EQUAL(channel_send_until(sender, "", 1, NULL,
		    policy[i] == CHANNEL_BLOCK ? soon() : CHANNEL_FOREVER),
		    ERR_EMPTY);
		KTAP_EQUAL(statistic(sender).refused, 2);
		channel_close(sender);
	}
}

static void
test_what_a_receiver_left_behind_is_abandoned(void)
{
	struct pair pair = pair_open(&(struct channel_config){ 0 });

	for (uint64_t i = 0; i < 10; i++)
		send_number(pair.sender, i);
	for (uint64_t i = 0; i < 3; i++)
		receive_number(pair.receiver);
	channel_close(pair.receiver);
	pair.receiver = NULL;
	KTAP_EQUAL(send_number(pair.sender, 10), ERR_EMPTY);
	KTAP_EQUAL(statistic(pair.sender).abandoned, 7);
	pair_close(&pair);
}

static void
test_name_goes_with_the_creator_and_members_stay(void)
{
	struct pair pair = pair_open(&(struct channel_config){ 0 });
	struct channel *second = join("pair", CHANNEL_RECEIVER, 0);
	struct channel_options options = {
		.domain = domain, .role = CHANNEL_SENDER,
	};
	struct channel *other;

	/* The receiver created it. */
	channel_close(pair.receiver);
	pair.receiver = NULL;
	KTAP_EQUAL(channel_open("pair", &options, NULL, &other), ERR_NOENT);
	KTAP_EQUAL(send_number(pair.sender, 5), OK);
	KTAP_EQUAL(receive_number(second), 5);
	channel_close(second);
	pair_close(&pair);
}

static void
test_room_too_small_leaves_the_message(void)
{
	struct pair pair = pair_open(&(struct channel_config){ 0 });
	char got[8];
	size_t length = 3;

	send_now(pair.sender, "hello", 5);
	send_now(pair.sender, "you", 3);
	KTAP_EQUAL(receive_now(pair.receiver, got, &length), ERR_RANGE);
	KTAP_EQUAL(length, 5);
	KTAP_EQUAL(receive_now(pair.receiver, got, &length), OK);
	KTAP_CHECK(length == 5 && memcmp(got, "hello", 5) == 0);
	KTAP_EQUAL(receive_now(pair.receiver, got, &length), OK);
	KTAP_CHECK(length == 3 && memcmp(got, "you", 3) == 0);
	pair_close(&pair);
}

static void
test_too_long_a_message_is_refused(void)
{
	struct pair pair = pair_open(&(struct channel_config){
		.message_max = 100,
	});
	uint8_t message[101] = { 0 };

	KTAP_EQUAL(send_now(pair.sender, message, 101), ERR_RANGE);
	KTAP_EQUAL(send_now(pair.sender, message, 100), OK);
	pair_close(&pair);
}

static void
test_roles_are_kept(void)
{
	struct pair pair = pair_open(&(struct channel_config){ 0 });
	uint8_t byte;
	size_t length = 1;

	KTAP_EQUAL(send_number(pair.receiver, 1), ERR_STATE);
	KTAP_EQUAL(receive_now(pair.sender, &byte, &length), ERR_STATE);
	KTAP_EQUAL(channel_flush(pair.receiver), ERR_STATE);
	KTAP_EQUAL(channel_answer(pair.receiver, "", 0), ERR_STATE);
	pair_close(&pair);
}

static void
test_session_travels_with_the_message(void)
{
	struct pair pair = pair_open(&(struct channel_config){ 0 });
	struct channel_view view;

	for (uint64_t session = 5; session < 8; session++) {
		channel_set_session(pair.sender, session);
		send_number(pair.sender, session);
	}
	for (uint64_t session = 5; session < 8; session++) {
		KTAP_EQUAL(channel_peek(pair.receiver, &view, CHANNEL_NOW),
		    OK);
		KTAP_EQUAL(view.session, session);
		KTAP_EQUAL(channel_release(pair.receiver, &view), OK);
	}
	pair_close(&pair);
}

static void
test_lanes_of_one_receiver_take_turns(void)
{
	struct pair pair = pair_open(&(struct channel_config){ 0 });
	struct channel *other = join("pair", CHANNEL_SENDER, 0);
	unsigned from_other = 0;

	for (uint64_t i = 0; i < 100; i++) {
		send_number(pair.sender, 0);
		send_number(other, 1);
	}
	/* However much one sends, the other is heard after its share. */
	for (uint64_t i = 0; i < 64; i++)
		from_other += (unsigned)receive_number(pair.receiver);
	KTAP_EQUAL(from_other, 32);
	channel_close(other);
	pair_close(&pair);
}

static void
test_statistics_page_names_the_member(void)
{
	struct pair pair = pair_open(&(struct channel_config){ 0 });
	const struct statistics_page *page = pair.sender->page;

	for (uint64_t i = 0; i < 640; i++) {
		send_number(pair.sender, i);
		receive_number(pair.receiver);
	}
	KTAP_EQUAL(page->magic, STATISTICS_MAGIC);
	KTAP_CHECK(strcmp(page->name, "pair") == 0);
	KTAP_EQUAL(page->lanes_out, 1);
	KTAP_EQUAL(page->lanes_in, 0);
	KTAP_EQUAL(page->counters.sent, 640);
	uint64_t timed = 0;
	for (unsigned i = 0; i < 32; i++)
		timed += statistic(pair.receiver).latency[i];
	KTAP_EQUAL(timed, 10);
	/* Opening, the time of every 64th, and an empty first message. */
	KTAP_CHECK(statistic(pair.sender).slow <= 12);
	pair_close(&pair);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_message_arrives_as_it_was_sent),
		KTAP_TEST(test_order_is_kept_per_lane),
		KTAP_TEST(test_async_takes_one_receiver_in_turn),
		KTAP_TEST(test_async_prefers_the_receiver_with_room),
		KTAP_TEST(test_broadcast_reaches_every_receiver_once),
		KTAP_TEST(test_multicast_reaches_the_groups_only),
		KTAP_TEST(test_stream_has_no_boundaries),
		KTAP_TEST(test_stream_has_one_receiver),
		KTAP_TEST(test_batch_becomes_visible_together),
		KTAP_TEST(test_batch_goes_to_one_receiver),
		KTAP_TEST(test_a_full_lane_ends_a_batch_early),
		KTAP_TEST(test_close_flushes_and_receiver_drains_then_sees_the_end),
		KTAP_TEST(test_receiver_waits_for_a_first_sender_and_hears_another),
		KTAP_TEST(test_without_receivers_send_says_empty),
		KTAP_TEST(test_what_a_receiver_left_behind_is_abandoned),
		KTAP_TEST(test_name_goes_with_the_creator_and_members_stay),
		KTAP_TEST(test_room_too_small_leaves_the_message),
		KTAP_TEST(test_too_long_a_message_is_refused),
		KTAP_TEST(test_roles_are_kept),
		KTAP_TEST(test_session_travels_with_the_message),
		KTAP_TEST(test_lanes_of_one_receiver_take_turns),
		KTAP_TEST(test_statistics_page_names_the_member),
	};
	if (channel_domain_private(&domain) != OK)
		return 1;
	int failures = KTAP_RUN(tests);
	channel_domain_private_close(domain);
	return failures;
}
