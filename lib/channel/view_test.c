/* SPDX-License-Identifier: MIT */
/*
 * Messages made and read in place, the buffers they lie in, and lanes whose
 * other end breaks the rules: the test plays it, in the memory of the lane.
 */
#include "test_host.h"

static const struct channel_config large = {
	.zero_copy = true, .message_max = 8000, .buffer_size = 4096,
	.buffers = 4,
};

static struct channel_config
large_as(enum channel_type type, enum channel_overflow overflow)
{
	struct channel_config config = large;

	config.type = type;
	config.overflow = overflow;
	return config;
}

/* Makes a message in place. */
static status_t
make(struct channel *channel, size_t length, uint64_t seed)
{
	struct channel_view view;
	status_t status = channel_reserve(channel, length, &view, CHANNEL_NOW);

	if (status != OK)
		return status;
	fill(view.data, length, seed);
	status = channel_commit(channel, &view);
	if (status != OK)
		channel_cancel(channel, &view);
	return status;
}

/* Reads one in place. */
static bool
read_made(struct channel *channel, size_t length, uint64_t seed)
{
	static uint8_t expected[8192];
	struct channel_view view;

	if (channel_peek(channel, &view, CHANNEL_NOW) != OK)
		return false;
	fill(expected, length, seed);
	bool same = view.length == length &&
	    memcmp(view.data, expected, length) == 0;
	return channel_release(channel, &view) == OK && same;
}

/* The buffers that are neither lent nor reserved. */
static unsigned
free_buffers(struct channel *channel)
{
	uint32_t buffer[64];
	unsigned count = 0;

	while (count < 64 &&
	    channel_buffer_take(channel, 1, &buffer[count]) == OK)
		count++;
	for (unsigned i = 0; i < count; i++)
		pool_release(channel->pool, buffer[i]);
	KTAP_CHECK(pool_ok(channel->pool));
	return count;
}

static void
test_what_is_made_in_place_is_read_in_place(void)
{
	static const enum channel_type types[] = {
		CHANNEL_ASYNC, CHANNEL_BROADCAST, CHANNEL_BATCH,
	};

	for (unsigned t = 0; t < 3; t++) {
		struct channel_config config = large_as(types[t],
		    CHANNEL_BLOCK);
		struct pair pair = pair_open(&config);
		uint64_t random = t;

		for (uint64_t i = 0; i < 2000; i++) {
			random = random * 6364136223846793005ul + 1;
			size_t length = random >> 40;

			length = i % 2 == 0 ? length % 64 : length % 8001;
			KTAP_REQUIRE(make(pair.sender, length, i) == OK);
			channel_flush(pair.sender);
			KTAP_REQUIRE(read_made(pair.receiver, length, i));
		}
		struct channel_statistics out = statistic(pair.sender);
		struct channel_statistics in = statistic(pair.receiver);
		KTAP_EQUAL(out.bytes_copied + in.bytes_copied, 0);
		KTAP_EQUAL(out.zero_copy, 2000);
		KTAP_EQUAL(in.zero_copy, 2000);
		KTAP_EQUAL(free_buffers(pair.sender), 4);
		pair_close(&pair);
	}
}

static void
test_one_buffer_serves_every_receiver(void)
{
	struct channel_config config = large_as(CHANNEL_BROADCAST,
	    CHANNEL_BLOCK);
	struct pair pair = pair_open(&config);
	struct channel *second = join("pair", CHANNEL_RECEIVER, 0);
	struct channel_view one, two;

	KTAP_EQUAL(make(pair.sender, 8000, 1), OK);
	KTAP_EQUAL(free_buffers(pair.sender), 3);
	KTAP_EQUAL(channel_peek(pair.receiver, &one, CHANNEL_NOW), OK);
	KTAP_EQUAL(channel_peek(second, &two, CHANNEL_NOW), OK);
	KTAP_CHECK(one.data == two.data);
	KTAP_EQUAL(channel_release(pair.receiver, &one), OK);
	KTAP_EQUAL(free_buffers(pair.sender), 3);
	/* The other never gives it back, but goes away. */
	channel_close(second);
	channel_catch_up(pair.sender);
	KTAP_EQUAL(free_buffers(pair.sender), 4);
	KTAP_EQUAL(statistic(pair.sender).bytes_copied, 0);
	pair_close(&pair);
}

static void
test_send_copies_what_is_long_into_a_buffer(void)
{
	struct pair pair = pair_open(&large);
	static uint8_t message[8000], got[8000];
	size_t length = sizeof(got);

	fill(message, sizeof(message), 3);
	KTAP_EQUAL(send_now(pair.sender, message, sizeof(message)), OK);
	KTAP_EQUAL(free_buffers(pair.sender), 3);
	KTAP_EQUAL(receive_now(pair.receiver, got, &length), OK);
	KTAP_CHECK(length == 8000 && memcmp(message, got, 8000) == 0);
	KTAP_EQUAL(free_buffers(pair.sender), 4);
	KTAP_EQUAL(statistic(pair.sender).bytes_copied, 8000);
	KTAP_EQUAL(statistic(pair.sender).bytes_sent, 8000);
	pair_close(&pair);
}

static void
test_lent_out_pool_blocks_or_drops(void)
{
	struct pair pair = pair_open(&large);

	for (unsigned i = 0; i < 4; i++)
		KTAP_EQUAL(make(pair.sender, 5000, i), OK);
	struct channel_view view;
	KTAP_EQUAL(channel_reserve(pair.sender, 5000, &view, soon()),
	    ERR_TIMEOUT);
	KTAP_EQUAL(statistic(pair.sender).refused, 1);
	KTAP_CHECK(read_made(pair.receiver, 5000, 0));
	KTAP_EQUAL(make(pair.sender, 5000, 4), OK);
	pair_close(&pair);

	struct channel_config config = large_as(CHANNEL_ASYNC,
	    CHANNEL_DROP_NEWEST);
	pair = pair_open(&config);
	for (unsigned i = 0; i < 4; i++)
		KTAP_EQUAL(make(pair.sender, 5000, i), OK);
	KTAP_EQUAL(make(pair.sender, 5000, 4), ERR_FULL);
	KTAP_EQUAL(statistic(pair.sender).dropped_newest, 1);
	pair_close(&pair);
}

static void
test_reservation_is_one_and_can_be_given_up(void)
{
	static const size_t lengths[] = { 8, 7000 };

	for (unsigned i = 0; i < 2; i++) {
		struct pair pair = pair_open(&large);
		struct channel_view view, other;

		KTAP_EQUAL(channel_commit(pair.sender, &view), ERR_STATE);
		KTAP_EQUAL(channel_reserve(pair.sender, lengths[i], &view,
		    CHANNEL_NOW), OK);
		KTAP_EQUAL(channel_reserve(pair.sender, 1, &other,
		    CHANNEL_NOW), ERR_STATE);
		KTAP_EQUAL(send_number(pair.sender, 1), ERR_STATE);
		channel_cancel(pair.sender, &view);
		KTAP_EQUAL(receive_number(pair.receiver), NOTHING);
		KTAP_EQUAL(send_number(pair.sender, 1), OK);
		KTAP_EQUAL(receive_number(pair.receiver), 1);
		KTAP_EQUAL(free_buffers(pair.sender), 4);
		/* Forgotten ones come back too. */
		channel_reserve(pair.sender, lengths[i], &view, CHANNEL_NOW);
		pair_close(&pair);
	}
}

static void
test_length_may_be_lowered_before_commit(void)
{
	struct pair pair = pair_open(&large);
	struct channel_view view;

	for (size_t length = 100; length <= 8000; length += 7900) {
		KTAP_EQUAL(channel_reserve(pair.sender, length, &view,
		    CHANNEL_NOW), OK);
		fill(view.data, 60, 9);
		view.length = length + 1;
		KTAP_EQUAL(channel_commit(pair.sender, &view), ERR_ARG);
		view.length = 60;
		KTAP_EQUAL(channel_commit(pair.sender, &view), OK);
		KTAP_CHECK(read_made(pair.receiver, 60, 9));
	}
	KTAP_EQUAL(channel_reserve(pair.sender, 8001, &view, CHANNEL_NOW),
	    ERR_RANGE);
	pair_close(&pair);
}

static void
test_reserve_without_a_pool_works_for_many(void)
{
	struct pair pair = pair_open(&(struct channel_config){
		.type = CHANNEL_BROADCAST,
	});
	struct channel *second = join("pair", CHANNEL_RECEIVER, 0);

	KTAP_EQUAL(make(pair.sender, 4000, 7), OK);
	KTAP_CHECK(read_made(pair.receiver, 4000, 7));
	KTAP_CHECK(read_made(second, 4000, 7));
	channel_close(second);
	pair_close(&pair);
}

static void
test_peek_shows_the_same_until_release(void)
{
	struct pair pair = pair_open(&large);
	struct channel_view one, two;

	send_now(pair.sender, "a", 1);
	send_now(pair.sender, "b", 1);
	KTAP_EQUAL(channel_release(pair.receiver, &one), ERR_STATE);
	KTAP_EQUAL(channel_peek(pair.receiver, &one, CHANNEL_NOW), OK);
	KTAP_EQUAL(channel_peek(pair.receiver, &two, CHANNEL_NOW), OK);
	KTAP_CHECK(one.data == two.data);
	KTAP_EQUAL(channel_release(pair.receiver, &one), OK);
	KTAP_EQUAL(channel_peek(pair.receiver, &two, CHANNEL_NOW), OK);
	KTAP_CHECK(*(char *)two.data == 'b');
	KTAP_EQUAL(channel_release(pair.receiver, &two), OK);
	pair_close(&pair);
}

static void
test_stream_release_takes_some_bytes(void)
{
	struct pair pair = pair_open(&(struct channel_config){
		.type = CHANNEL_STREAM,
	});
	struct channel_view view;
	char got[8];
	size_t length = sizeof(got);

	send_now(pair.sender, "abcdef", 6);
	KTAP_EQUAL(channel_peek(pair.receiver, &view, CHANNEL_NOW), OK);
	KTAP_EQUAL(view.length, 6);
	view.length = 2;
	KTAP_EQUAL(channel_release(pair.receiver, &view), OK);
	KTAP_EQUAL(receive_now(pair.receiver, got, &length), OK);
	KTAP_CHECK(length == 4 && memcmp(got, "cdef", 4) == 0);
	pair_close(&pair);
}

static void
test_what_is_shown_stays_when_its_sender_leaves(void)
{
	struct pair pair = pair_open(&large);
	struct channel_view view;

	KTAP_EQUAL(make(pair.sender, 7000, 1), OK);
	KTAP_EQUAL(make(pair.sender, 7000, 2), OK);
	KTAP_EQUAL(channel_peek(pair.receiver, &view, CHANNEL_NOW), OK);
	channel_close(pair.sender);
	pair.sender = NULL;
	channel_catch_up(pair.receiver);
	KTAP_CHECK(read_made(pair.receiver, 7000, 1));
	KTAP_CHECK(read_made(pair.receiver, 7000, 2));
	KTAP_EQUAL(channel_peek(pair.receiver, &view, CHANNEL_NOW), ERR_GONE);
	pair_close(&pair);
}

static void
test_commit_to_a_receiver_that_left_says_gone(void)
{
	struct pair pair = pair_open(&large);
	struct channel_view view;

	KTAP_EQUAL(channel_reserve(pair.sender, 40, &view, CHANNEL_NOW), OK);
	channel_close(pair.receiver);
	pair.receiver = NULL;
	channel_catch_up(pair.sender);
	fill(view.data, 40, 1);
	KTAP_EQUAL(channel_commit(pair.sender, &view), ERR_GONE);
	KTAP_EQUAL(make(pair.sender, 40, 1), ERR_EMPTY);
	pair_close(&pair);
}

/* The receiver gives back what it was not lent. */
static void
test_a_lying_return_costs_its_lane_only(void)
{
	static const uint32_t lies[] = { 0, 3, 4, ~0u };

	for (unsigned i = 0; i < 4; i++) {
		struct pair pair = pair_open(&large);
		struct channel *other = join("pair", CHANNEL_RECEIVER, 0);
		struct lane_in *lane;
		void *room;

		KTAP_EQUAL(receive_number(pair.receiver), NOTHING);
		lane = lane_in_at(pair.receiver, 0);
		ring_reserve(&lane->back, sizeof(struct lane_buffer), &room);
		memcpy(room, &(struct lane_buffer){ .number = lies[i] },
		    sizeof(struct lane_buffer));
		ring_commit(&lane->back, sizeof(struct lane_buffer),
		    LANE_RETURN, 0);
		KTAP_EQUAL(free_buffers(pair.sender), 4);
		for (unsigned j = 0; j < 4; j++)
			make(pair.sender, 6000, j);
		KTAP_EQUAL(make(pair.sender, 6000, 0), ERR_TIMEOUT);
		KTAP_EQUAL(statistic(pair.sender).corrupt, 1);
		KTAP_EQUAL(pair.sender->out.count, 1);
		while (read_made(other, 6000, 0) || read_made(other, 6000, 2))
			;
		channel_close(other);
		pair_close(&pair);
	}
}

/* A message that no sender of this library makes. */
static void
forge(struct channel *sender, const void *data, uint32_t length, uint32_t kind)
{
	struct lane_out *lane = lane_out_at(sender, 0);
	void *room;

	must(ring_reserve(&lane->messages, length, &room), "room");
	memcpy(room, data, length);
	ring_commit(&lane->messages, length, kind, 0);
}

static void
check_forged(const struct channel_config *config, const void *data,
    uint32_t length, uint32_t kind)
{
	struct pair pair = pair_open(config);
	struct channel *honest = join("pair", CHANNEL_SENDER, 0);
	struct channel_view view;

	KTAP_EQUAL(send_number(honest, 11), OK);
	KTAP_EQUAL(send_number(pair.sender, 12), OK);
	forge(pair.sender, data, length, kind);
	unsigned corrupt = 0, got = 0;
	for (unsigned i = 0; i < 4; i++) {
		status_t status = channel_peek(pair.receiver, &view,
		    CHANNEL_NOW);
		corrupt += status == ERR_CORRUPT;
		got += status == OK && view.length == 8;
		if (status == OK)
			channel_release(pair.receiver, &view);
	}
	KTAP_EQUAL(corrupt, 1);
	KTAP_EQUAL(got, 2);
	KTAP_EQUAL(statistic(pair.receiver).corrupt, 1);
	/* The honest one goes on; the other sees that its lane is gone. */
	KTAP_EQUAL(send_number(honest, 13), OK);
	KTAP_EQUAL(receive_number(pair.receiver), 13);
	KTAP_EQUAL(send_number(pair.sender, 14), ERR_EMPTY);
	channel_close(honest);
	pair_close(&pair);
}

static void
test_a_forged_message_costs_its_lane_only(void)
{
	static const uint8_t bytes[512];
	struct lane_buffer name = { .number = 4, .length = 1 };
	const uint32_t plain = lane_kind(CHANNEL_RAW, 0);

	struct channel_config typed = { .message_max = 100 };

	check_forged(&large, bytes, 8, LANE_CONTROL);
	check_forged(&large, bytes, 8, LANE_RETURN);
	check_forged(&large, bytes, 7, plain + LANE_STAMPED);
	check_forged(&large, bytes, 7, plain + LANE_BUFFER);
	check_forged(&large, &name, sizeof(name), plain + LANE_BUFFER);
	name = (struct lane_buffer){ .number = 0, .length = 8001 };
	check_forged(&large, &name, sizeof(name), plain + LANE_BUFFER);
	check_forged(&typed, bytes, 101, plain);
	/* A channel without buffers. */
	name.length = 1;
	check_forged(&typed, &name, sizeof(name), plain + LANE_BUFFER);
}

/* The ring says that a message was lost, which no such ring ever says. */
static void
test_a_lane_that_keeps_its_receiver_awake_is_closed(void)
{
	struct pair pair = pair_open(&large);
	struct channel *honest = join("pair", CHANNEL_SENDER, 0);
	struct channel_view view;

	channel_catch_up(pair.sender);
	struct ring_memory *ring = lane_out_at(pair.sender, 0)->place.memory;
	ring->oldest = ~0ul >> 1;
	for (unsigned i = 0; i < 500 &&
	    statistic(pair.receiver).slept == 0; i++)
		KTAP_EQUAL(channel_peek(pair.receiver, &view, now() +
		    20000000), ERR_TIMEOUT);
	KTAP_EQUAL(statistic(pair.receiver).corrupt, 1);
	KTAP_CHECK(statistic(pair.receiver).slept != 0);
	KTAP_EQUAL(send_number(honest, 3), OK);
	KTAP_EQUAL(receive_number(pair.receiver), 3);
	channel_close(honest);
	pair_close(&pair);
}

static void
test_nearly_all_suitable_messages_move_without_a_copy(void)
{
	struct channel_config config = large_as(CHANNEL_BROADCAST,
	    CHANNEL_BLOCK);
	struct pair pair = pair_open(&config);
	struct channel *second = join("pair", CHANNEL_RECEIVER, 0);
	uint64_t random = 1;

	for (uint64_t i = 0; i < 5000; i++) {
		random = random * 6364136223846793005ul + 1;
		size_t length = 64 + (random >> 40) % 7900;

		KTAP_REQUIRE(make(pair.sender, length, i) == OK);
		KTAP_REQUIRE(read_made(pair.receiver, length, i));
		KTAP_REQUIRE(read_made(second, length, i));
	}
	struct channel_statistics out = statistic(pair.sender);
	struct channel_statistics in = statistic(second);
	KTAP_CHECK(out.zero_copy * 100 > out.sent * 95);
	KTAP_CHECK(in.zero_copy * 100 > in.received * 95);
	KTAP_CHECK(out.bytes_copied * 100 < out.bytes_sent * 5);
	channel_close(second);
	pair_close(&pair);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_what_is_made_in_place_is_read_in_place),
		KTAP_TEST(test_one_buffer_serves_every_receiver),
		KTAP_TEST(test_send_copies_what_is_long_into_a_buffer),
		KTAP_TEST(test_lent_out_pool_blocks_or_drops),
		KTAP_TEST(test_reservation_is_one_and_can_be_given_up),
		KTAP_TEST(test_length_may_be_lowered_before_commit),
		KTAP_TEST(test_reserve_without_a_pool_works_for_many),
		KTAP_TEST(test_peek_shows_the_same_until_release),
		KTAP_TEST(test_stream_release_takes_some_bytes),
		KTAP_TEST(test_what_is_shown_stays_when_its_sender_leaves),
		KTAP_TEST(test_commit_to_a_receiver_that_left_says_gone),
		KTAP_TEST(test_a_lying_return_costs_its_lane_only),
		KTAP_TEST(test_a_forged_message_costs_its_lane_only),
		KTAP_TEST(test_a_lane_that_keeps_its_receiver_awake_is_closed),
		KTAP_TEST(test_nearly_all_suitable_messages_move_without_a_copy),
	};
	if (channel_domain_private(&domain) != OK)
		return 1;
	int failures = KTAP_RUN(tests);
	channel_domain_private_close(domain);
	return failures;
}
