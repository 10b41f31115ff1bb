/* SPDX-License-Identifier: MIT */
/*
 * Who may do what: tokens, revocation, trust and serializers. A revocation is
 * complete when token_revoke returns.
 */
#include "test_host.h"

#define SCHEMA	0x1234ul

static struct token_authority *authority;
static void *authority_memory;

static struct token
mint(uint64_t object, unsigned rights, unsigned trust)
{
	struct token_grant grant = {
		.object = object, .rights = (uint8_t)rights,
		.trust = (uint8_t)trust,
	};
	struct token token;

	must(token_mint(authority, &grant, &token), "mint");
	return token;
}

static uint64_t
new_object(void)
{
	uint64_t object;

	must(token_object_create(authority, &object), "object");
	return object;
}

static status_t
try_open(unsigned role, enum channel_serializer serializer,
    const struct token *token, struct channel **out_channel)
{
	struct channel_options options = {
		.domain = domain, .role = role, .serializer = serializer,
	};

	return channel_open("pair", &options, token, out_channel);
}

static struct channel *
open_as(unsigned role, const struct token *token)
{
	struct channel *channel;

	must(try_open(role, CHANNEL_AUTO, token, &channel), "open");
	return channel;
}

static struct channel *
create_as(const struct channel_config *config, const struct token *token)
{
	struct channel_options options = { .domain = domain };
	struct channel *channel;

	must(channel_create("pair", config, &options, token, &channel),
	    "create");
	return channel;
}

static void
test_each_role_needs_its_right(void)
{
	uint64_t object = new_object();
	struct token owner = mint(object, TOKEN_OWN, 15);
	struct token sends = mint(object, TOKEN_SEND, 15);
	struct token receives = mint(object, TOKEN_RECEIVE, 15);
	struct token forged = owner;
	struct channel_options options = { .domain = domain };
	struct channel_config config = { 0 };
	struct channel *channel, *other;

	KTAP_EQUAL(channel_create("pair", &config, &options, &sends,
	    &channel), ERR_RIGHT);
	KTAP_EQUAL(channel_create("pair", &config, &options, NULL, &channel),
	    ERR_RIGHT);
	forged.tag ^= 1;
	KTAP_EQUAL(channel_create("pair", &config, &options, &forged,
	    &channel), ERR_RIGHT);
	channel = create_as(&config, &owner);
	KTAP_EQUAL(channel_create("pair", &config, &options, &owner, &other),
	    ERR_EXIST);
	KTAP_EQUAL(try_open(CHANNEL_SENDER, 0, &receives, &other), ERR_RIGHT);
	KTAP_EQUAL(try_open(CHANNEL_RECEIVER, 0, &sends, &other), ERR_RIGHT);
	KTAP_EQUAL(try_open(CHANNEL_SENDER | CHANNEL_RECEIVER, 0, &sends,
	    &other), ERR_RIGHT);
	KTAP_EQUAL(try_open(CHANNEL_SENDER, 0, &sends, &other), OK);
	channel_close(other);
	channel_close(channel);
}

static void
test_token_of_another_channel_is_stale(void)
{
	struct token owner = mint(new_object(), TOKEN_ALL, 15);
	struct token other = mint(new_object(), TOKEN_ALL, 15);
	struct channel_config config = { 0 };
	struct channel *channel = create_as(&config, &owner), *sender;

	KTAP_EQUAL(try_open(CHANNEL_SENDER, 0, &other, &sender), ERR_STALE);
	channel_close(channel);
}

static void
test_who_acts_needs_the_right_too(void)
{
	uint64_t object = new_object();
	struct token owner = mint(object, TOKEN_ALL, 15);
	struct token sends = mint(object, TOKEN_SEND, 15);
	struct token receives = mint(object, TOKEN_RECEIVE, 15);
	struct token elsewhere = mint(new_object(), TOKEN_ALL, 15);
	struct channel_config config = { 0 };
	struct channel *channel = create_as(&config, &owner);
	struct channel *receiver = open_as(CHANNEL_RECEIVER, &receives);
	struct channel *sender = open_as(CHANNEL_SENDER, &sends);
	uint64_t number = 1;
	size_t length = 8;

	for (unsigned i = 0; i < 2; i++) {
		KTAP_EQUAL(channel_send(sender, &number, 8, &sends), OK);
		KTAP_EQUAL(channel_send(sender, &number, 8, &owner), OK);
		KTAP_EQUAL(channel_send(sender, &number, 8, &receives),
		    ERR_RIGHT);
		KTAP_EQUAL(channel_send(sender, &number, 8, &elsewhere),
		    ERR_RIGHT);
		KTAP_EQUAL(channel_receive(receiver, &number, &length,
		    &sends), ERR_RIGHT);
		KTAP_EQUAL(channel_receive(receiver, &number, &length,
		    &owner), OK);
		KTAP_EQUAL(channel_receive(receiver, &number, &length,
		    &receives), OK);
	}
	channel_close(sender);
	channel_close(receiver);
	channel_close(channel);
}

static void
test_every_changed_bit_of_a_token_is_refused(void)
{
	uint64_t object = new_object();
	struct token owner = mint(object, TOKEN_ALL, 15), forged;
	struct channel_config config = { 0 };
	struct channel *channel = create_as(&config, &owner);
	struct channel *receiver = open_as(CHANNEL_RECEIVER, &owner);
	struct channel *sender = open_as(CHANNEL_SENDER, &owner);

	for (unsigned bit = 0; bit < 8 * sizeof(forged); bit++) {
		forged = owner;
		((uint8_t *)&forged)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		KTAP_EQUAL(channel_send_until(sender, "x", 1, &forged,
		    CHANNEL_NOW), ERR_RIGHT);
	}
	KTAP_EQUAL(channel_send_until(sender, "x", 1, &owner, CHANNEL_NOW),
	    OK);
	channel_close(sender);
	channel_close(receiver);
	channel_close(channel);
}

static void
test_nothing_of_a_revoked_sender_is_received(void)
{
	uint64_t object = new_object();
	struct token owner = mint(object, TOKEN_ALL, 15);
	struct token bad = mint(object, TOKEN_SEND, 15);
	struct token good = mint(object, TOKEN_SEND, 15);
	struct channel_config config = { 0 };
	struct channel *channel = create_as(&config, &owner);
	struct channel *receiver = open_as(CHANNEL_RECEIVER, &owner);
	struct channel *revoked = open_as(CHANNEL_SENDER, &bad);
	struct channel *sender = open_as(CHANNEL_SENDER, &good);

	KTAP_EQUAL(send_number(revoked, 1), OK);
	KTAP_EQUAL(receive_number(receiver), 1);
	KTAP_EQUAL(send_number(revoked, 2), OK);
	KTAP_EQUAL(send_number(sender, 3), OK);
	KTAP_EQUAL(token_revoke_one(authority, &bad), OK);
	/* It ignores that, and writes into its lane. */
	KTAP_EQUAL(ring_send(&lane_out_at(revoked, 0)->messages, "12345678",
	    8, 0), OK);
	KTAP_EQUAL(receive_number(receiver), 3);
	KTAP_EQUAL(receive_number(receiver), NOTHING);
	KTAP_EQUAL(statistic(receiver).abandoned, 2);
	KTAP_EQUAL(send_number(revoked, 4), ERR_RIGHT);
	KTAP_EQUAL(send_number(sender, 5), OK);
	KTAP_EQUAL(receive_number(receiver), 5);
	channel_close(sender);
	channel_close(revoked);
	channel_close(receiver);
	channel_close(channel);
}

static void
test_revoked_receiver_gets_nothing_more(void)
{
	uint64_t object = new_object();
	struct token owner = mint(object, TOKEN_ALL, 15);
	struct token bad = mint(object, TOKEN_RECEIVE, 15);
	struct channel_config config = { .type = CHANNEL_BROADCAST };
	struct channel *channel = create_as(&config, &owner);
	struct channel *revoked = open_as(CHANNEL_RECEIVER, &bad);
	struct channel *sender = open_as(CHANNEL_SENDER, &owner);
	uint64_t number;
	size_t length = 8;

	KTAP_EQUAL(send_number(sender, 1), OK);
	KTAP_EQUAL(token_revoke_one(authority, &bad), OK);
	KTAP_EQUAL(receive_now(revoked, &number, &length), ERR_RIGHT);
	KTAP_EQUAL(send_number(sender, 2), ERR_EMPTY);
	KTAP_EQUAL(statistic(sender).abandoned, 1);
	channel_close(sender);
	channel_close(revoked);
	channel_close(channel);
}

static void
test_revocation_reaches_members_of_a_channel_without_a_name(void)
{
	uint64_t object = new_object();
	struct token owner = mint(object, TOKEN_ALL, 15);
	struct token bad = mint(object, TOKEN_SEND, 15);
	struct channel_config config = { 0 };
	struct channel *channel = create_as(&config, &owner);
	struct channel *receiver = open_as(CHANNEL_RECEIVER, &owner);
	struct channel *revoked = open_as(CHANNEL_SENDER, &bad);

	channel_close(channel);
	KTAP_EQUAL(send_number(revoked, 1), OK);
	KTAP_EQUAL(token_revoke(authority, object), OK);
	KTAP_EQUAL(send_number(revoked, 2), ERR_RIGHT);
	channel_close(revoked);
	channel_close(receiver);
}

/* What happens while a member sleeps. */
static const struct channel_port *plain;
static struct {
	const struct token *revoke;
	struct channel *receiver, *sender;
} meanwhile;

static status_t
sleep_meanwhile(struct channel_domain *in, struct channel_member *member,
    uint32_t *const *words, uint32_t count, uint64_t deadline_ns)
{
	if (meanwhile.revoke != NULL)
		must(token_revoke_one(authority, meanwhile.revoke), "revoke");
	meanwhile.revoke = NULL;
	if (meanwhile.receiver != NULL)
		receive_number(meanwhile.receiver);
	if (meanwhile.sender != NULL)
		send_number(meanwhile.sender, 8);
	return OK;
}

/* It was right when the operation began, and is not when it could end. */
static void
test_token_revoked_while_it_waits_does_nothing_more(void)
{
	uint64_t object = new_object(), number = 7;
	struct token owner = mint(object, TOKEN_ALL, 15);
	struct token first = mint(object, TOKEN_ALL, 15);
	struct token second = mint(object, TOKEN_ALL, 15);
	struct channel_config config = {
		.message_max = 8, .buffer_size = 256, .spin_ns = 1,
	};
	struct channel *channel = create_as(&config, &owner);
	struct channel *receiver = open_as(CHANNEL_RECEIVER, &owner);
	struct channel *sender = open_as(CHANNEL_SENDER, &owner);
	struct channel_port port = *domain->port;
	unsigned sent = 0;
	size_t length = 8;

	port.sleep = sleep_meanwhile;
	plain = domain->port;
	while (send_number(sender, 1) == OK)
		sent++;
	domain->port = &port;
	meanwhile.revoke = &first;
	meanwhile.receiver = receiver;
	KTAP_EQUAL(channel_send_until(sender, &number, 8, &first,
	    CHANNEL_FOREVER), ERR_RIGHT);
	while (receive_number(receiver) != NOTHING)
		;
	KTAP_EQUAL(statistic(receiver).received, sent);
	meanwhile.revoke = &second;
	meanwhile.receiver = NULL;
	meanwhile.sender = sender;
	KTAP_EQUAL(channel_receive_until(receiver, &number, &length, &second,
	    CHANNEL_FOREVER), ERR_RIGHT);
	meanwhile.sender = NULL;
	domain->port = plain;
	KTAP_EQUAL(receive_number(receiver), 8);
	channel_close(sender);
	channel_close(receiver);
	channel_close(channel);
}

/* It is a member until it closes, but nobody's peer any more. */
static void
test_revoked_members_get_no_new_lanes(void)
{
	uint64_t object = new_object();
	struct token owner = mint(object, TOKEN_ALL, 15);
	struct token deaf = mint(object, TOKEN_RECEIVE, 15);
	struct token mute = mint(object, TOKEN_SEND, 15);
	struct channel_config config = { 0 };
	struct channel_options none = { .domain = domain };
	struct channel *channel, *receiver, *sender;

	must(channel_create("pair", &config, &none, &owner, &channel),
	    "create");
	struct channel *no_receiver = open_as(CHANNEL_RECEIVER, &deaf);
	struct channel *no_sender = open_as(CHANNEL_SENDER, &mute);
	KTAP_EQUAL(token_revoke_one(authority, &deaf), OK);
	KTAP_EQUAL(token_revoke_one(authority, &mute), OK);
	sender = open_as(CHANNEL_SENDER, &owner);
	KTAP_EQUAL(send_number(sender, 1), ERR_EMPTY);
	receiver = open_as(CHANNEL_RECEIVER, &owner);
	KTAP_EQUAL(send_number(no_sender, 2), ERR_RIGHT);
	KTAP_EQUAL(no_sender->out.count, 0);
	KTAP_EQUAL(send_number(sender, 3), OK);
	KTAP_EQUAL(receive_number(receiver), 3);
	KTAP_EQUAL(receiver->in.count, 1);
	channel_close(sender);
	channel_close(receiver);
	channel_close(no_sender);
	channel_close(no_receiver);
	channel_close(channel);
}

/* A revoked receiver does not keep a stream from getting another. */
static void
test_stream_of_a_revoked_receiver_takes_another(void)
{
	uint64_t object = new_object();
	struct token owner = mint(object, TOKEN_ALL, 15);
	struct token bad = mint(object, TOKEN_RECEIVE, 15);
	struct channel_config config = { .type = CHANNEL_STREAM };
	struct channel_options sends = {
		.domain = domain, .role = CHANNEL_SENDER,
	};
	struct channel *channel;

	must(channel_create("pair", &config, &sends, &owner, &channel),
	    "create");
	struct channel *revoked = open_as(CHANNEL_RECEIVER, &bad);
	KTAP_EQUAL(token_revoke_one(authority, &bad), OK);
	struct channel *receiver = open_as(CHANNEL_RECEIVER, &owner);
	KTAP_EQUAL(send_number(channel, 4), OK);
	KTAP_EQUAL(receive_number(receiver), 4);
	channel_close(receiver);
	channel_close(revoked);
	channel_close(channel);
}

/* What members with these trusts agree on, for typed messages. */
static enum channel_serializer
agreed(unsigned sender_trust, unsigned receiver_trust)
{
	uint64_t object = new_object();
	struct token owner = mint(object, TOKEN_OWN, 15);
	struct token sends = mint(object, TOKEN_SEND, sender_trust);
	struct token receives = mint(object, TOKEN_RECEIVE, receiver_trust);
	struct channel_config config = { .schema = SCHEMA };
	struct channel *channel = create_as(&config, &owner);
	struct channel *receiver = open_as(CHANNEL_RECEIVER, &receives);
	struct channel *sender = open_as(CHANNEL_SENDER, &sends);
	enum channel_serializer serializer = channel_serializer(sender);
	struct channel_view view;

	KTAP_EQUAL(send_number(sender, 1), OK);
	KTAP_EQUAL(channel_peek(receiver, &view, CHANNEL_NOW), OK);
	KTAP_EQUAL(view.serializer, serializer);
	KTAP_EQUAL(view.trust, sender_trust < receiver_trust ? sender_trust :
	    receiver_trust);
	channel_release(receiver, &view);
	channel_close(sender);
	channel_close(receiver);
	channel_close(channel);
	return serializer;
}

static void
test_lower_trust_picks_the_serializer(void)
{
	KTAP_EQUAL(agreed(0xf, 0xe), CHANNEL_RAW);
	KTAP_EQUAL(agreed(0xe, 0xd), CHANNEL_LITE);
	KTAP_EQUAL(agreed(0x8, 0xf), CHANNEL_LITE);
	KTAP_EQUAL(agreed(0xf, 0x7), CHANNEL_FULL);
	KTAP_EQUAL(agreed(0x0, 0xf), CHANNEL_FULL);
}

static void
test_weaker_serializer_than_the_trust_allows_is_refused(void)
{
	uint64_t object = new_object();
	struct token owner = mint(object, TOKEN_ALL, 15);
	struct token token = mint(object, TOKEN_SEND, 0x9);
	struct token low = mint(object, TOKEN_SEND, 0x2);
	struct channel_config config = { .schema = SCHEMA };
	struct channel *channel = create_as(&config, &owner), *sender;

	KTAP_EQUAL(try_open(CHANNEL_SENDER, CHANNEL_RAW, &token, &sender),
	    ERR_RIGHT);
	KTAP_EQUAL(try_open(CHANNEL_SENDER, CHANNEL_LITE, &low, &sender),
	    ERR_RIGHT);
	KTAP_EQUAL(try_open(CHANNEL_SENDER, CHANNEL_FULL, &token, &sender),
	    OK);
	KTAP_EQUAL(channel_serializer(sender), CHANNEL_FULL);
	channel_close(sender);
	channel_close(channel);
	/* The channel itself asks for it. */
	config.serializer = CHANNEL_LITE;
	channel = create_as(&config, &owner);
	KTAP_EQUAL(try_open(CHANNEL_SENDER, 0, &low, &sender), ERR_RIGHT);
	KTAP_EQUAL(try_open(CHANNEL_SENDER, 0, &token, &sender), OK);
	channel_close(sender);
	channel_close(channel);
}

static void
test_message_in_a_weaker_serializer_is_corrupt(void)
{
	uint64_t object = new_object();
	struct token owner = mint(object, TOKEN_ALL, 15);
	struct token low = mint(object, TOKEN_SEND, 0x2);
	struct channel_config config = { .schema = SCHEMA };
	struct channel *channel = create_as(&config, &owner);
	struct channel *receiver = open_as(CHANNEL_RECEIVER, &owner);
	struct channel *sender = open_as(CHANNEL_SENDER, &low);
	uint64_t number;
	size_t length = 8;

	KTAP_EQUAL(send_number(sender, 1), OK);
	KTAP_EQUAL(receive_number(receiver), 1);
	struct ring_producer *ring = &lane_out_at(sender, 0)->messages;
	void *room;
	must(ring_reserve(ring, 8, &room), "room");
	ring_commit(ring, 8, lane_kind(CHANNEL_LITE, 0), 0);
	KTAP_EQUAL(receive_now(receiver, &number, &length), ERR_CORRUPT);
	channel_close(sender);
	channel_close(receiver);
	channel_close(channel);
}

static void
test_a_stricter_newcomer_is_told_once_and_then_obeyed(void)
{
	uint64_t object = new_object();
	struct token owner = mint(object, TOKEN_ALL, 15);
	struct token low = mint(object, TOKEN_RECEIVE, 0x2);
	struct channel_config config = {
		.schema = SCHEMA, .type = CHANNEL_BROADCAST,
	};
	struct channel *channel = create_as(&config, &owner);
	struct channel *trusted = open_as(CHANNEL_RECEIVER, &owner);
	struct channel *sender = open_as(CHANNEL_SENDER, &owner);
	struct channel_view view;

	KTAP_EQUAL(channel_serializer(sender), CHANNEL_RAW);
	struct channel *newcomer = open_as(CHANNEL_RECEIVER, &low);
	KTAP_EQUAL(send_number(sender, 1), ERR_STALE);
	KTAP_EQUAL(channel_serializer(sender), CHANNEL_FULL);
	KTAP_EQUAL(send_number(sender, 2), OK);
	KTAP_EQUAL(channel_peek(trusted, &view, CHANNEL_NOW), OK);
	KTAP_EQUAL(view.serializer, CHANNEL_FULL);
	KTAP_EQUAL(receive_number(newcomer), 2);
	KTAP_EQUAL(channel_reserve(sender, 8, &view, CHANNEL_NOW), OK);
	channel_close(newcomer);
	KTAP_EQUAL(channel_commit(sender, &view), OK);
	/* It is not taken back before the sender asked. */
	KTAP_EQUAL(channel_release(trusted, &(struct channel_view){ 0 }), OK);
	KTAP_EQUAL(channel_peek(trusted, &view, CHANNEL_NOW), OK);
	KTAP_EQUAL(view.serializer, CHANNEL_FULL);
	KTAP_EQUAL(channel_serializer(sender), CHANNEL_RAW);
	channel_close(sender);
	channel_close(trusted);
	channel_close(channel);
}

static void
test_another_schema_does_not_open(void)
{
	struct token owner = mint(new_object(), TOKEN_ALL, 15);
	struct channel_config config = { .schema = SCHEMA };
	struct channel *channel = create_as(&config, &owner), *other;
	struct channel_options options = {
		.domain = domain, .role = CHANNEL_SENDER, .schema = SCHEMA + 1,
	};

	KTAP_EQUAL(channel_open("pair", &options, &owner, &other), ERR_TYPE);
	options.schema = SCHEMA;
	KTAP_EQUAL(channel_open("pair", &options, &owner, &other), OK);
	channel_close(other);
	channel_close(channel);
}

static void
make_authority(void)
{
	static const uint8_t key[16] = "not a secret key";
	struct token_config config = {
		.objects = 64, .key = key,
		.revoked = channel_domain_private_revoked, .context = domain,
	};
	size_t size = token_authority_size(config.objects);

	authority_memory = aligned_alloc(TOKEN_ALIGNMENT,
	    (size + TOKEN_ALIGNMENT - 1) & ~(size_t)(TOKEN_ALIGNMENT - 1));
	must(token_authority_create(authority_memory, size, &config,
	    &authority), "authority");
	channel_domain_private_set_authority(domain, authority);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_each_role_needs_its_right),
		KTAP_TEST(test_token_of_another_channel_is_stale),
		KTAP_TEST(test_who_acts_needs_the_right_too),
		KTAP_TEST(test_every_changed_bit_of_a_token_is_refused),
		KTAP_TEST(test_nothing_of_a_revoked_sender_is_received),
		KTAP_TEST(test_revoked_receiver_gets_nothing_more),
		KTAP_TEST(test_revocation_reaches_members_of_a_channel_without_a_name),
		KTAP_TEST(test_token_revoked_while_it_waits_does_nothing_more),
		KTAP_TEST(test_revoked_members_get_no_new_lanes),
		KTAP_TEST(test_stream_of_a_revoked_receiver_takes_another),
		KTAP_TEST(test_lower_trust_picks_the_serializer),
		KTAP_TEST(test_weaker_serializer_than_the_trust_allows_is_refused),
		KTAP_TEST(test_message_in_a_weaker_serializer_is_corrupt),
		KTAP_TEST(test_a_stricter_newcomer_is_told_once_and_then_obeyed),
		KTAP_TEST(test_another_schema_does_not_open),
	};
	if (channel_domain_private(&domain) != OK)
		return 1;
	make_authority();
	int failures = KTAP_RUN(tests);
	channel_domain_private_close(domain);
	token_authority_destroy(authority);
	free(authority_memory);
	return failures;
}
