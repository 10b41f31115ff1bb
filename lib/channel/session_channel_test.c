/* SPDX-License-Identifier: MIT */
/* Sessions over channels of one process; client and server take turns. */
#include "test_host.h"

#include <lib/channel/session_channel.h>

#define SESSIONS	10000u
#define WINDOW		16u
#define MESSAGE		64u

static struct token_authority *authority;
static void *authority_memory;

/* Number of the session that the client has it under, then of the message. */
struct text {
	uint32_t session, number;
	uint8_t	 more[MESSAGE - 8];
};

static struct side {
	struct channel *out, *in;
	struct session_channel *sessions;
	unsigned opened, refused, asked;
	uint64_t identity;	/* last asked about */
	status_t verdict;
} client, server;

static status_t
note_accept(void *user, uint32_t session, uint64_t identity)
{
	struct side *side = user;

	side->asked++;
	side->identity = identity;
	return side->verdict;
}

static void
note_opened(void *user, uint32_t session, status_t status)
{
	struct side *side = user;

	side->opened += status == OK;
	side->refused += status == ERR_RIGHT;
}

static struct token
mint_all(void)
{
	struct token_grant grant = { .rights = TOKEN_ALL, .trust = 15 };
	struct token token;

	must(token_object_create(authority, &grant.object), "object");
	must(token_mint(authority, &grant, &token), "mint");
	return token;
}

/* Of the same channel, but another holder: another identity. */
static struct token
mint_for(const struct token *owner, uint16_t holder)
{
	struct token_grant grant = {
		.object = owner->object, .rights = TOKEN_SEND, .trust = 15,
		.holder = holder,
	};
	struct token token;

	must(token_mint(authority, &grant, &token), "mint");
	return token;
}

static struct channel *
end_open(const char *name, unsigned role, const struct token *token)
{
	struct channel_options options = { .domain = domain, .role = role };
	struct channel *channel;

	must(channel_open(name, &options, token, &channel), "open");
	return channel;
}

static struct channel *
end_create(const char *name, unsigned role, const struct token *token,
    uint32_t room)
{
	struct channel_config config = {
		.message_max = MESSAGE, .buffer_size = room,
	};
	struct channel_options options = { .domain = domain, .role = role };
	struct channel *channel;

	must(channel_create(name, &config, &options, token, &channel),
	    "create");
	return channel;
}

static struct session_channel_config
config_of(struct side *side, uint32_t count)
{
	return (struct session_channel_config){
		.out = side->out, .in = side->in,
		.mux = {
			.server = side == &server, .sessions = count,
			.window = WINDOW, .places = count * WINDOW,
			.message_max = MESSAGE,
		},
		.accept = note_accept, .opened = note_opened, .user = side,
	};
}

/* room: bytes of each lane. */
static struct token
fresh(uint32_t count, uint32_t room)
{
	struct token to = mint_all(), from = mint_all();
	struct token holder = mint_for(&to, 1);
	struct session_channel_config config;

	client = server = (struct side){ 0 };
	server.in = end_create("to", CHANNEL_RECEIVER, &to, room);
	server.out = end_create("from", CHANNEL_SENDER, &from, room);
	client.out = end_open("to", CHANNEL_SENDER, &holder);
	client.in = end_open("from", CHANNEL_RECEIVER, &from);
	config = config_of(&client, count);
	must(session_channel_create(&config, &client.sessions), "client");
	config = config_of(&server, count);
	must(session_channel_create(&config, &server.sessions), "server");
	return to;
}

static void
finish(void)
{
	KTAP_CHECK(session_mux_ok(session_channel_mux(client.sessions)));
	KTAP_CHECK(session_mux_ok(session_channel_mux(server.sessions)));
	session_channel_destroy(client.sessions);
	session_channel_destroy(server.sessions);
	channel_close(client.out);
	channel_close(client.in);
	channel_close(server.out);
	channel_close(server.in);
}

static status_t
receive(struct side *side, uint32_t *session, struct text *text)
{
	uint32_t length = sizeof(*text);

	return session_channel_receive(side->sessions, session, text, &length,
	    CHANNEL_NOW);
}

/* No messages are on the way: only what the muxes say. */
static void
settle(void)
{
	struct text text;
	uint32_t session;

	for (unsigned i = 0; i < 8; i++) {
		KTAP_EQUAL(receive(&server, &session, &text), ERR_TIMEOUT);
		KTAP_EQUAL(receive(&client, &session, &text), ERR_TIMEOUT);
	}
}

static uint32_t
session_of(void)
{
	uint32_t session;

	must(session_channel_open(client.sessions, &session), "session");
	return session;
}

static status_t
say(uint32_t session, uint32_t number)
{
	struct text text = { .session = session, .number = number };

	return session_channel_send(client.sessions, session, &text,
	    sizeof(text));
}

static void
open_all(uint32_t *session)
{
	for (unsigned i = 0; i < SESSIONS; i++)
		session[i] = session_of();
	for (unsigned i = 0; i < 1000 && client.opened < SESSIONS; i++)
		settle();
	KTAP_EQUAL(client.opened, SESSIONS);
	KTAP_EQUAL(server.asked, SESSIONS);
}

/* The first session says as much as it may, before all others say a word. */
static void
test_ten_thousand_sessions_are_served_in_turn(void)
{
	static uint32_t session[SESSIONS], next[SESSIONS];
	unsigned greedy = 0, total = SESSIONS - 1 + WINDOW;

	memset(next, 0, sizeof(next));
	fresh(SESSIONS, 4u << 20);
	open_all(session);
	for (uint32_t i = 0; i < WINDOW; i++)
		KTAP_EQUAL(say(session[0], i), OK);
	KTAP_EQUAL(say(session[0], WINDOW), ERR_BUSY);
	for (unsigned i = 1; i < SESSIONS; i++)
		KTAP_EQUAL(say(session[i], 0), OK);
	for (unsigned i = 0; i < total && !ktap_state.failed; i++) {
		struct text text;
		uint32_t number;

		KTAP_EQUAL(receive(&server, &number, &text), OK);
		KTAP_EQUAL(text.session, number);
		KTAP_EQUAL(text.number, next[number % (1u << 20)]++);
		greedy += number == session[0];
		/* Without turns it would have had all 16 by now. */
		if (i == 2000)
			KTAP_CHECK(greedy <= 5);
	}
	KTAP_EQUAL(greedy, WINDOW);
	settle();
	KTAP_EQUAL(session_credit(session_channel_mux(client.sessions),
	    session[0]), WINDOW);
	finish();
}

/* A lane that is always full on both sides loses nothing. */
static void
test_sessions_wait_for_room_in_a_small_lane(void)
{
	uint32_t session[64], sent[64] = { 0 }, got = 0;

	fresh(64, 1024);
	for (unsigned i = 0; i < 64; i++)
		session[i] = session_of();
	settle();
	while (got < 64 * 100 && !ktap_state.failed) {
		uint32_t number;
		struct text text;

		for (unsigned i = 0; i < 64; i++)
			if (sent[i] < 100 && say(session[i], sent[i]) == OK)
				sent[i]++;
		while (receive(&server, &number, &text) == OK)
			got++;
		KTAP_EQUAL(receive(&client, &number, &text), ERR_TIMEOUT);
	}
	KTAP_EQUAL(got, 64 * 100);
	finish();
}

static void
test_close_of_the_channel_ends_all_sessions(void)
{
	struct text text;
	uint32_t first, second, number;

	fresh(4, 0);
	first = session_of();
	second = session_of();
	settle();
	KTAP_EQUAL(say(first, 1), OK);
	KTAP_EQUAL(session_channel_close(client.sessions, first), OK);
	KTAP_EQUAL(receive(&server, &number, &text), OK);
	KTAP_EQUAL(receive(&server, &number, &text), ERR_GONE);
	KTAP_EQUAL(number, first);
	KTAP_EQUAL(session_channel_close(server.sessions, first), OK);
	KTAP_EQUAL(say(second, 2), OK);
	channel_close(client.out);
	KTAP_EQUAL(receive(&server, &number, &text), OK);
	KTAP_EQUAL(number, second);
	KTAP_EQUAL(receive(&server, &number, &text), ERR_EMPTY);
	client.out = NULL;
	finish();
}

static uint64_t
open_tag(uint32_t number)
{
	return (uint64_t)SESSION_OPEN << 56 | (uint64_t)WINDOW << 32 | number;
}

/* As a client that says what it wants. */
static void
claim(struct channel *out, uint32_t number, uint64_t identity)
{
	channel_set_session(out, open_tag(number));
	KTAP_EQUAL(send_now(out, &identity, sizeof(identity)), OK);
}

static void
test_claim_of_another_identity_is_refused(void)
{
	struct text text;
	uint32_t number;
	uint64_t own;

	fresh(4, 0);
	own = channel_identity(client.out);
	KTAP_CHECK(own != 0);
	claim(client.out, 1u << 20, own ^ 1);
	claim(client.out, 1u << 20 | 1, channel_identity(server.out));
	KTAP_EQUAL(receive(&server, &number, &text), ERR_TIMEOUT);
	KTAP_EQUAL(session_channel_imposters(server.sessions), 2);
	KTAP_EQUAL(server.asked, 0);
	claim(client.out, 1u << 20 | 2, own);
	KTAP_EQUAL(receive(&server, &number, &text), ERR_TIMEOUT);
	KTAP_EQUAL(session_channel_imposters(server.sessions), 2);
	KTAP_EQUAL(server.asked, 1);
	KTAP_EQUAL(server.identity, own);
	finish();
}

static void
test_stranger_is_not_listened_to(void)
{
	struct token to = fresh(4, 0), holder = mint_for(&to, 2);
	struct channel *stranger = end_open("to", CHANNEL_SENDER, &holder);
	uint32_t number, session = session_of();
	struct text text;

	settle();
	KTAP_CHECK(channel_identity(stranger) !=
	    channel_identity(client.out));
	claim(stranger, 2u << 20, channel_identity(stranger));
	/* Even nonsense costs only whoever says it. */
	channel_set_session(stranger, ~0ul);
	KTAP_EQUAL(send_number(stranger, 1), OK);
	KTAP_EQUAL(receive(&server, &number, &text), ERR_TIMEOUT);
	KTAP_EQUAL(session_channel_strangers(server.sessions), 2);
	KTAP_EQUAL(server.asked, 1);
	KTAP_EQUAL(say(session, 5), OK);
	KTAP_EQUAL(receive(&server, &number, &text), OK);
	KTAP_EQUAL(text.number, 5);
	channel_close(stranger);
	finish();
}

static void
test_peer_that_breaks_the_rules_is_not_heard_again(void)
{
	struct text text;
	uint32_t number, session;

	fresh(4, 0);
	session = session_of();
	settle();
	channel_set_session(client.out, ~0ul);
	KTAP_EQUAL(send_number(client.out, 1), OK);
	KTAP_EQUAL(receive(&server, &number, &text), ERR_CORRUPT);
	KTAP_EQUAL(say(session, 1), OK);
	KTAP_EQUAL(receive(&server, &number, &text), ERR_CORRUPT);
	finish();
}

static void
test_refused_session_is_told_so(void)
{
	fresh(4, 0);
	server.verdict = ERR_LIMIT;
	session_of();
	settle();
	KTAP_EQUAL(client.refused, 1);
	KTAP_EQUAL(client.opened, 0);
	finish();
}

static void
test_ends_that_do_not_fit_are_refused(void)
{
	struct session_channel_config config;
	struct session_channel *sessions;

	fresh(4, 0);
	config = config_of(&client, 4);
	config.out = client.in;
	KTAP_EQUAL(session_channel_create(&config, &sessions), ERR_ARG);
	config = config_of(&client, 4);
	config.mux.message_max = MESSAGE + 1;
	KTAP_EQUAL(session_channel_create(&config, &sessions), ERR_RANGE);
	config = config_of(&client, 0);
	KTAP_EQUAL(session_channel_create(&config, &sessions), ERR_RANGE);
	finish();
}

static void
make_authority(void)
{
	static const uint8_t key[16] = "not a secret key";
	struct token_config config = {
		.objects = 64, .key = key, .revoked = channel_domain_private_revoked,
		.context = domain,
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
		KTAP_TEST(
		    test_ten_thousand_sessions_are_served_in_turn),
		KTAP_TEST(test_sessions_wait_for_room_in_a_small_lane),
		KTAP_TEST(
		    test_close_of_the_channel_ends_all_sessions),
		KTAP_TEST(test_claim_of_another_identity_is_refused),
		KTAP_TEST(test_stranger_is_not_listened_to),
		KTAP_TEST(test_peer_that_breaks_the_rules_is_not_heard_again),
		KTAP_TEST(test_refused_session_is_told_so),
		KTAP_TEST(test_ends_that_do_not_fit_are_refused),
	};
	must(channel_domain_private(&domain), "domain");
	make_authority();
	int failures = KTAP_RUN(tests);
	channel_domain_private_close(domain);
	token_authority_destroy(authority);
	free(authority_memory);
	return failures;
}
