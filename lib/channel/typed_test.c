/* SPDX-License-Identifier: MIT */
/* Typed channels in each serializer, between members of each trust. */
#include "test_host.h"

#include <lib/channel/typed.h>
#include <lib/wire/lite.h>

struct position {
	uint64_t x, y;
	uint32_t colour;
	char	 name[17];
};

CHANNEL_TYPED(position, struct position, 0x5e2f0c1d9a7b3846ul)

struct block {
	uint8_t bytes[3001];
};

CHANNEL_TYPED(block, struct block, 0x2ul)

static const struct position here = {
	.x = 1, .y = ~0ul, .colour = 7, .name = "here",
};

static enum channel_serializer wanted;

/* Both ends; the sender asks for the serializer under test. */
static void
open_both(enum channel_type type, struct position_channel *sender,
    struct position_channel *receiver)
{
	struct channel_config config = { .type = type };
	struct channel_options options = {
		.domain = domain, .role = CHANNEL_RECEIVER,
	};

	must(position_create("typed", &config, &options, NULL, receiver),
	    "create");
	options.role = CHANNEL_SENDER;
	options.serializer = wanted;
	must(position_open("typed", &options, NULL, sender), "open");
}

static void
for_each_serializer(void (*law)(void))
{
	for (wanted = CHANNEL_RAW; wanted <= CHANNEL_FULL; wanted++)
		law();
}

static void
sent_is_received(void)
{
	struct position_channel sender, receiver;
	struct position got;

	open_both(CHANNEL_ASYNC, &sender, &receiver);
	for (uint64_t i = 0; i < 1000; i++) {
		struct position sent = here;

		sent.x = i;
		KTAP_EQUAL(position_send(&sender, &sent, NULL), OK);
		KTAP_EQUAL(position_receive(&receiver, &got, NULL), OK);
		KTAP_CHECK(memcmp(&sent, &got, sizeof(got)) == 0);
	}
	KTAP_EQUAL(channel_serializer(sender.typed.channel), wanted);
	KTAP_EQUAL(position_receive_until(&receiver, &got, NULL,
	    CHANNEL_NOW), ERR_TIMEOUT);
	position_close(&sender);
	position_close(&receiver);
}

static void
test_what_is_sent_is_received_in_every_serializer(void)
{
	for_each_serializer(sent_is_received);
}

static void
made_in_place(void)
{
	struct position_channel sender, receiver;
	struct position *made, copy;
	const struct position *seen;

	open_both(CHANNEL_ASYNC, &sender, &receiver);
	KTAP_EQUAL(position_reserve(&sender, CHANNEL_NOW, &made), OK);
	*made = here;
	KTAP_EQUAL(position_commit(&sender), OK);
	KTAP_EQUAL(statistic(sender.typed.channel).bytes_copied, 0);
	KTAP_EQUAL(position_peek(&receiver, CHANNEL_NOW, &copy, &seen), OK);
	KTAP_CHECK(memcmp(seen, &here, sizeof(here)) == 0);
	/* Only what needs no check is read where it lies. */
	KTAP_EQUAL(seen == &copy, wanted != CHANNEL_RAW);
	KTAP_EQUAL(position_release(&receiver), OK);
	KTAP_EQUAL(statistic(receiver.typed.channel).bytes_copied,
	    wanted == CHANNEL_RAW ? 0 : sizeof(here));
	position_close(&sender);
	position_close(&receiver);
}

static void
test_message_is_made_in_place_in_every_serializer(void)
{
	for_each_serializer(made_in_place);
}

/* Writes any bytes into the lane, marked as of the serializer. */
static void
forge(struct channel *sender, const void *bytes, uint32_t length)
{
	struct ring_producer *ring = &lane_out_at(sender, 0)->messages;
	void *room;

	must(ring_reserve(ring, length, &room), "room");
	memcpy(room, bytes, length);
	ring_commit(ring, length, lane_kind(wanted, 0), 0);
}

static void
damaged_is_thrown_away(void)
{
	struct position_channel sender, receiver;
	struct position got;
	uint64_t bytes[7] = { 0 };

	open_both(CHANNEL_ASYNC, &sender, &receiver);
	forge(sender.typed.channel, bytes, 3);
	forge(sender.typed.channel, bytes, sizeof(bytes));
	lite_seal(bytes, LITE_HEADER + sizeof(got), 1);
	forge(sender.typed.channel, bytes, LITE_HEADER + sizeof(got));
	for (unsigned i = 0; i < 3; i++) {
		status_t status = position_receive_until(&receiver, &got,
		    NULL, CHANNEL_NOW);

		KTAP_EQUAL(status, ERR_CORRUPT);
	}
	KTAP_EQUAL(position_send(&sender, &here, NULL), OK);
	KTAP_EQUAL(position_receive(&receiver, &got, NULL), OK);
	position_close(&sender);
	position_close(&receiver);
}

static void
test_message_of_no_such_type_is_thrown_away(void)
{
	for_each_serializer(damaged_is_thrown_away);
}

static void
test_long_struct_goes_to_many_through_buffers(void)
{
	struct channel_config config = {
		.type = CHANNEL_BROADCAST, .zero_copy = true,
		.buffer_size = 2048,
	};
	struct channel_options options = {
		.domain = domain, .role = CHANNEL_RECEIVER,
	};
	struct block_channel receiver[2], sender;
	static struct block sent, got;

	must(block_create("typed", &config, &options, NULL, &receiver[0]),
	    "create");
	must(block_open("typed", &options, NULL, &receiver[1]), "open");
	options.role = CHANNEL_SENDER;
	for (enum channel_serializer s = CHANNEL_RAW; s <= CHANNEL_FULL; s++) {
		options.serializer = s;
		must(block_open("typed", &options, NULL, &sender), "open");
		fill(sent.bytes, sizeof(sent.bytes), s);
		KTAP_EQUAL(block_send(&sender, &sent, NULL), OK);
		for (unsigned i = 0; i < 2; i++) {
			KTAP_EQUAL(block_receive(&receiver[i], &got, NULL),
			    OK);
			KTAP_CHECK(memcmp(&sent, &got, sizeof(got)) == 0);
		}
		block_close(&sender);
	}
	block_close(&receiver[1]);
	block_close(&receiver[0]);
}

static void
test_open_of_another_type_is_refused(void)
{
	struct position_channel position;
	struct block_channel block;
	struct channel_config config = { 0 };
	struct channel_options options = {
		.domain = domain, .role = CHANNEL_RECEIVER,
	};

	must(position_create("typed", &config, &options, NULL, &position),
	    "create");
	KTAP_EQUAL(block_open("typed", &options, NULL, &block), ERR_TYPE);
	position_close(&position);
	config.type = CHANNEL_STREAM;
	KTAP_EQUAL(position_create("typed", &config, &options, NULL,
	    &position), ERR_ARG);
	config.type = CHANNEL_SYNC;
	KTAP_EQUAL(position_create("typed", &config, &options, NULL,
	    &position), ERR_ARG);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_what_is_sent_is_received_in_every_serializer),
		KTAP_TEST(test_message_is_made_in_place_in_every_serializer),
		KTAP_TEST(test_message_of_no_such_type_is_thrown_away),
		KTAP_TEST(test_long_struct_goes_to_many_through_buffers),
		KTAP_TEST(test_open_of_another_type_is_refused),
	};
	if (channel_domain_private(&domain) != OK)
		return 1;
	channel_domain_set_default(domain);
	int failures = KTAP_RUN(tests);
	channel_domain_private_close(domain);
	return failures;
}
