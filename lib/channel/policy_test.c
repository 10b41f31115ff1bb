/* SPDX-License-Identifier: MIT */
/*
 * What happens to messages that do not fit: every type with every policy, and
 * the books that must balance whatever happens.
 */
#include "test_host.h"

#define OFFERED		1000000u

static const struct channel_config small = {
	.message_max = 40, .buffer_size = 1024,
};

static struct channel_config
with(enum channel_type type, enum channel_overflow overflow)
{
	struct channel_config config = small;

	config.type = type;
	config.overflow = overflow;
	return config;
}

static uint64_t
drain(struct channel *channel)
{
	uint64_t count = 0;

	while (receive_number(channel) != NOTHING)
		count++;
	return count;
}

static void
test_block_waits_until_its_deadline_and_counts(void)
{
	struct channel_config config = with(CHANNEL_ASYNC, CHANNEL_BLOCK);
	struct pair pair = pair_open(&config);
	uint64_t sent = 0, number = 0;

	while (send_number(pair.sender, sent) == OK)
		sent++;
	uint64_t end = soon();
	KTAP_EQUAL(channel_send_until(pair.sender, &number, sizeof(number),
	    NULL, end), ERR_TIMEOUT);
	KTAP_CHECK(now() >= end);
	KTAP_EQUAL(statistic(pair.sender).refused, 2);
	KTAP_EQUAL(drain(pair.receiver), sent);
	pair_close(&pair);
}

static void
test_error_refuses_and_loses_nothing(void)
{
	struct channel_config config = with(CHANNEL_ASYNC, CHANNEL_ERROR);
	struct pair pair = pair_open(&config);
	uint64_t sent = 0, number = 0;

	while (send_number(pair.sender, sent) == OK)
		sent++;
	/* Whatever the deadline. */
	KTAP_EQUAL(channel_send(pair.sender, &number, sizeof(number), NULL),
	    ERR_FULL);
	KTAP_EQUAL(statistic(pair.sender).refused, 2);
	for (uint64_t i = 0; i < sent; i++)
		KTAP_EQUAL(receive_number(pair.receiver), i);
	pair_close(&pair);
}

static void
test_drop_newest_keeps_what_was_there(void)
{
	struct channel_config config = with(CHANNEL_ASYNC,
	    CHANNEL_DROP_NEWEST);
	struct pair pair = pair_open(&config);
	uint64_t sent = 0;

	while (send_number(pair.sender, sent) == OK)
		sent++;
	KTAP_EQUAL(send_number(pair.sender, 0), ERR_FULL);
	KTAP_EQUAL(statistic(pair.sender).dropped_newest, 2);
	KTAP_EQUAL(statistic(pair.sender).refused, 0);
	for (uint64_t i = 0; i < sent; i++)
		KTAP_EQUAL(receive_number(pair.receiver), i);
	pair_close(&pair);
}

static void
test_drop_oldest_keeps_the_newest_and_says_how_many_went(void)
{
	struct channel_config config = with(CHANNEL_ASYNC,
	    CHANNEL_DROP_OLDEST);
	struct pair pair = pair_open(&config);
	struct channel_view view;
	uint64_t number, got = 0;

	for (uint64_t i = 0; i < 100; i++)
		KTAP_EQUAL(send_number(pair.sender, i), OK);
	KTAP_EQUAL(channel_peek(pair.receiver, &view, CHANNEL_NOW), OK);
	memcpy(&number, view.data, sizeof(number));
	KTAP_EQUAL(view.lost, number);
	KTAP_CHECK(number > 80 && number < 100);
	KTAP_EQUAL(channel_release(pair.receiver, &view), OK);
	for (got = number + 1; got < 100; got++)
		KTAP_EQUAL(receive_number(pair.receiver), got);
	KTAP_EQUAL(statistic(pair.receiver).dropped_oldest, number);
	pair_close(&pair);
}

/* A broadcast to a receiver that reads and one that does not. */
static void
check_slow_receiver(enum channel_overflow overflow, uint64_t expected_quick)
{
	struct channel_config config = with(CHANNEL_BROADCAST, overflow);
	struct pair pair = pair_open(&config);
	struct channel *quick = join("pair", CHANNEL_RECEIVER, 0);
	uint64_t got = 0, accepted = 0;

	for (uint64_t i = 0; i < 100; i++) {
		accepted += send_number(pair.sender, i) == OK;
		got += receive_number(quick) != NOTHING;
	}
	uint64_t slow = drain(pair.receiver);
	/* NOTHING: as many as the slow one had room for. */
	KTAP_EQUAL(got, expected_quick == NOTHING ? slow : expected_quick);
	if (expected_quick == NOTHING)
		KTAP_EQUAL(accepted, slow);
	struct channel_statistics sender = statistic(pair.sender);
	KTAP_EQUAL(sender.sent, got + slow +
	    statistic(pair.receiver).dropped_oldest);
	if (overflow == CHANNEL_DROP_NEWEST)
		KTAP_EQUAL(sender.dropped_newest, 100 - slow);
	channel_close(quick);
	pair_close(&pair);
}

static void
test_broadcast_that_blocks_reaches_all_or_none(void)
{
	check_slow_receiver(CHANNEL_BLOCK, NOTHING);
	check_slow_receiver(CHANNEL_ERROR, NOTHING);
}

static void
test_broadcast_that_drops_spares_those_with_room(void)
{
	check_slow_receiver(CHANNEL_DROP_NEWEST, 100);
	check_slow_receiver(CHANNEL_DROP_OLDEST, 100);
}

/* Does create take this pair? */
static bool
is_taken(enum channel_type type, enum channel_overflow overflow,
    bool zero_copy)
{
	struct channel_config config = with(type, overflow);
	struct channel_options options = { .domain = domain };
	struct channel *channel;

	config.zero_copy = zero_copy;
	if (channel_create("any", &config, &options, NULL, &channel) != OK)
		return false;
	channel_close(channel);
	return true;
}

static void
test_only_policies_of_the_table_are_taken(void)
{
	/* Bits by enum channel_overflow. */
	static const unsigned table[] = {
		[CHANNEL_ASYNC] = 0xf, [CHANNEL_SYNC] = 0x9,
		[CHANNEL_BROADCAST] = 0xf, [CHANNEL_MULTICAST] = 0xf,
		[CHANNEL_STREAM] = 0x9, [CHANNEL_BATCH] = 0xd,
	};

	for (unsigned type = CHANNEL_ASYNC; type <= CHANNEL_BATCH; type++)
		for (unsigned policy = 0; policy < 4; policy++) {
			KTAP_EQUAL(is_taken(type, policy, false),
			    table[type] >> policy & 1);
			if (policy == CHANNEL_DROP_OLDEST)
				KTAP_CHECK(!is_taken(type, policy, true));
		}
	KTAP_CHECK(!is_taken(6, 0, false));
	KTAP_CHECK(!is_taken(0, 4, false));
}

static void
test_sizes_that_do_not_fit_are_refused(void)
{
	struct channel_config config = { .message_max = 4096,
		.buffer_size = 8192 };
	struct channel_config filled;

	KTAP_EQUAL(channel_config_fill(&config, &filled), ERR_ARG);
	config.buffer_size = 0;
	config.message_max = 100000;
	KTAP_EQUAL(channel_config_fill(&config, &filled), OK);
	KTAP_CHECK(lane_inline_max(&filled) >= 100000);
	config.message_max = ~0u;
	KTAP_EQUAL(channel_config_fill(&config, &filled), ERR_ARG);
	config = (struct channel_config){ .buffer_size = ~0u };
	KTAP_EQUAL(channel_config_fill(&config, &filled), ERR_ARG);
	config = (struct channel_config){ .buffers = ~0u };
	KTAP_EQUAL(channel_config_fill(&config, &filled), ERR_ARG);
}

static void
test_names_are_checked(void)
{
	char name[CHANNEL_NAME_MAX + 2];

	memset(name, 'a', sizeof(name));
	name[CHANNEL_NAME_MAX + 1] = '\0';
	KTAP_CHECK(!channel_name_valid(name));
	name[CHANNEL_NAME_MAX] = '\0';
	KTAP_CHECK(channel_name_valid(name));
	KTAP_CHECK(!channel_name_valid(""));
	KTAP_CHECK(!channel_name_valid("a\nb"));
}

/*
 * A million sends to a queue that is full most of the time, and a receiver that
 * reads now and then and at last goes away with some unread.
 */
static void
check_books(enum channel_type type, enum channel_overflow overflow)
{
	struct channel_config config = with(type, overflow);
	struct pair pair = pair_open(&config);
	uint64_t random = 1, received = 0, ok = 0;

	for (uint64_t i = 0; i < OFFERED; i++) {
		ok += send_number(pair.sender, i) == OK;
		random = random * 6364136223846793005ul + 1;
		if (random >> 61 == 0)
			received += receive_number(pair.receiver) != NOTHING;
	}
	channel_flush(pair.sender);
	struct channel_statistics in = statistic(pair.receiver);
	channel_close(pair.receiver);
	pair.receiver = NULL;
	channel_catch_up(pair.sender);
	struct channel_statistics out = statistic(pair.sender);
	KTAP_EQUAL(in.received, received);
	KTAP_EQUAL(out.sent, ok);
	KTAP_EQUAL(OFFERED, out.sent + out.dropped_newest + out.refused);
	KTAP_EQUAL(out.sent, in.received + in.dropped_oldest + out.abandoned);
	KTAP_CHECK(ok == OFFERED || overflow != CHANNEL_DROP_OLDEST);
	KTAP_CHECK(out.sent > OFFERED / 16);
	pair_close(&pair);
}

static void
test_a_million_sends_to_a_full_queue_balance(void)
{
	for (unsigned policy = 0; policy < 4; policy++) {
		check_books(CHANNEL_ASYNC, policy);
		check_books(CHANNEL_BROADCAST, policy);
		if (policy != CHANNEL_DROP_OLDEST)
			check_books(CHANNEL_BATCH, policy);
	}
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_block_waits_until_its_deadline_and_counts),
		KTAP_TEST(test_error_refuses_and_loses_nothing),
		KTAP_TEST(test_drop_newest_keeps_what_was_there),
		KTAP_TEST(test_drop_oldest_keeps_the_newest_and_says_how_many_went),
		KTAP_TEST(test_broadcast_that_blocks_reaches_all_or_none),
		KTAP_TEST(test_broadcast_that_drops_spares_those_with_room),
		KTAP_TEST(test_only_policies_of_the_table_are_taken),
		KTAP_TEST(test_sizes_that_do_not_fit_are_refused),
		KTAP_TEST(test_names_are_checked),
		KTAP_TEST(test_a_million_sends_to_a_full_queue_balance),
	};
	if (channel_domain_private(&domain) != OK)
		return 1;
	int failures = KTAP_RUN(tests);
	channel_domain_private_close(domain);
	return failures;
}
