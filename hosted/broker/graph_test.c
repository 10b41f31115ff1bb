/* SPDX-License-Identifier: MIT */
/*
 * Dependencies and sessions between processes: who would wait in a circle is
 * refused by the broker, and who a session is from is known from it.
 */
#include "ends_host.h"
#include "state.h"

#include <lib/channel/hosted/depend.h>
#include <lib/channel/session_channel.h>

#define SESSIONS	200u
#define EACH		5u

static const struct channel_config sync_config = {
	.type = CHANNEL_SYNC, .message_max = 48, .buffer_size = 1024,
};

static struct channel_domain *domain;

static uint64_t
in_ms(unsigned ms)
{
	return domain->port->now_ns(domain) + ms * (SECOND_NS / 1000);
}

static struct channel *
create(const char *name, const struct channel_config *config, unsigned role)
{
	struct channel_options options = { .domain = domain, .role = role };
	struct channel *channel = NULL;

	if (channel_create(name, config, &options, NULL, &channel) != OK)
		abort();
	return channel;
}

static struct channel *
join(const char *name, unsigned role)
{
	struct channel_options options = { .domain = domain, .role = role };
	struct channel *channel = NULL;
	status_t status;

	/* Another process may not have come that far. */
	for (unsigned i = 0; i < 1000; i++) {
		status = channel_open(name, &options, NULL, &channel);
		if (status == OK)
			return channel;
		harness_pause_ms(5);
	}
	abort();
}

static status_t
call(struct channel *channel, unsigned ms)
{
	uint64_t number = 7, answer;
	struct channel_exchange exchange = {
		.request = &number, .request_length = sizeof(number),
		.answer = &answer, .answer_length = sizeof(answer),
		.deadline_ns = in_ms(ms),
	};

	return channel_call(channel, &exchange);
}

static status_t
receive(struct channel *channel, unsigned ms)
{
	uint64_t number;
	size_t length = sizeof(number);

	return channel_receive_until(channel, &number, &length, NULL,
	    in_ms(ms));
}

static bool
ends_well(pid_t child)
{
	int status = -1;

	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Serves b: asks a once, then again with a request in hand. */
static int
serve_b(void)
{
	struct channel *b, *a;

	domain = harness_connect(&harness);
	b = create("b", &sync_config, CHANNEL_RECEIVER);
	a = join("a", CHANNEL_SENDER);
	if (call(a, 20000) != OK)
		return 1;
	/* The request of whoever gave up is there still. */
	if (receive(b, 20000) != OK)
		return 2;
	if (call(a, 20000) != ERR_STATE)
		return 3;
	channel_answer(b, "", 0);
	channel_close(a);
	channel_close(b);
	channel_domain_hosted_close(domain);
	return 0;
}

TEST(test_call_back_between_processes_is_refused_before_it_waits)
{
	struct channel *a, *b;
	pid_t child;

	start(NULL);
	domain = left.domain;
	a = create("a", &sync_config, CHANNEL_RECEIVER);
	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(serve_b());
	b = join("b", CHANNEL_SENDER);
	EXPECT_EQ(receive(a, 20000), OK);
	/* a waits for b; b waits for a, so nobody answers. */
	EXPECT_EQ(call(b, 50), ERR_TIMEOUT);
	EXPECT_EQ(channel_answer(a, "", 0), OK);
	EXPECT(ends_well(child));
	/* Nothing was sent. */
	EXPECT(receive(a, 0) != OK);
	channel_close(a);
	channel_close(b);
	finish();
}

/* A short-lived channel leaves nothing behind at who called it. */
TEST(test_edges_to_channels_that_are_gone_do_not_count)
{
	struct broker_totals totals;
	struct end child = { .domain = NULL };

	start(NULL);
	child.domain = left.domain;
	EXPECT_EQ(end_create(&left, "a", &small, &receives), OK);
	for (unsigned i = 0; i < MEMBER_EDGES_MAX + 8; i++) {
		EXPECT_EQ(end_create(&child, "b", &small, &sends), OK);
		EXPECT_EQ(channel_hosted_depend(left.domain, &left.member,
		    &child.member), OK);
		end_close(&child);
	}
	EXPECT_EQ(end_create(&child, "b", &small, &sends), OK);
	for (unsigned i = 0; i < MEMBER_EDGES_MAX + 8; i++)
		EXPECT_EQ(channel_hosted_depend(left.domain, &left.member,
		    &child.member), OK);
	EXPECT_EQ(left.domain->port->remove_dep(left.domain, &left.member,
	    &child.member), OK);
	EXPECT_EQ(left.domain->port->remove_dep(left.domain, &left.member,
	    &child.member), ERR_NOENT);
	end_close(&child);
	end_close(&left);
	EXPECT_EQ(channel_hosted_totals(right.domain, &totals), OK);
	EXPECT_EQ(totals.edges, 0);
	finish();
}

static struct session_channel *
sessions_on(struct channel *out, struct channel *in, bool is_server)
{
	struct session_channel_config config = {
		.out = out, .in = in,
		.mux = {
			.server = is_server, .sessions = SESSIONS,
			.window = 2, .places = 2 * SESSIONS,
			.message_max = 48,
		},
	};
	struct session_channel *sessions;

	if (session_channel_create(&config, &sessions) != OK)
		abort();
	return sessions;
}

/* All sessions say their five numbers, then close. */
static int
say_all(struct session_channel *sessions)
{
	uint32_t session[SESSIONS], sent[SESSIONS] = { 0 }, left_over;

	for (unsigned i = 0; i < SESSIONS; i++)
		if (session_channel_open(sessions, &session[i]) != OK)
			return 2;
	do {
		uint32_t number, length = 0;
		status_t status = session_channel_receive(sessions, &number,
		    NULL, &length, in_ms(1));

		if (status != ERR_TIMEOUT)
			return 3;
		left_over = 0;
		for (unsigned i = 0; i < SESSIONS; i++) {
			if (sent[i] < EACH && session_channel_send(sessions,
			    session[i], &sent[i], sizeof(sent[i])) == OK)
				sent[i]++;
			left_over += EACH - sent[i];
		}
	} while (left_over != 0);
	return 0;
}

static int
be_client(bool honest)
{
	struct session_channel *sessions;
	struct channel *out, *in;
	uint64_t identity;
	int result = 0;

	domain = harness_connect(&harness);
	out = join("to", CHANNEL_SENDER);
	in = join("from", CHANNEL_RECEIVER);
	identity = channel_identity(out);
	if (identity == 0)
		return 1;
	if (honest) {
		sessions = sessions_on(out, in, false);
		result = say_all(sessions);
		session_channel_destroy(sessions);
	} else {
		identity++;
		channel_set_session(out, (uint64_t)SESSION_OPEN << 56 |
		    1ul << 32 | 1u << 20);
		if (channel_send(out, &identity, sizeof(identity), NULL) != OK)
			result = 4;
	}
	channel_close(out);
	channel_close(in);
	channel_domain_hosted_close(domain);
	return result;
}

/* Takes all that a client says, until it is gone. */
static struct session_channel *
serve(pid_t child, struct channel *out, struct channel *in,
    unsigned *out_received)
{
	struct session_channel *sessions = sessions_on(out, in, true);
	uint32_t next[SESSIONS] = { 0 };
	status_t status;

	do {
		uint32_t session, number, length = sizeof(number);

		status = session_channel_receive(sessions, &session, &number,
		    &length, in_ms(20000));
		if (status != OK)
			continue;
		EXPECT_EQ(number, next[session % (1u << 20)]++);
		++*out_received;
	} while (status == OK);
	EXPECT_EQ(status, ERR_EMPTY);
	EXPECT(ends_well(child));
	return sessions;
}

static void
serve_client(bool honest)
{
	struct channel_config config = { .message_max = 48 };
	struct session_channel *sessions;
	struct channel *out, *in;
	unsigned received = 0;
	pid_t child;

	start(NULL);
	domain = left.domain;
	in = create("to", &config, CHANNEL_RECEIVER);
	out = create("from", &config, CHANNEL_SENDER);
	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(be_client(honest));
	sessions = serve(child, out, in, &received);
	EXPECT_EQ(received, honest ? SESSIONS * EACH : 0);
	EXPECT_EQ(session_channel_imposters(sessions), !honest);
	session_channel_destroy(sessions);
	channel_close(in);
	channel_close(out);
	finish();
}

TEST(test_sessions_of_another_process_arrive_in_order)
{
	serve_client(true);
}

TEST(test_process_that_claims_another_identity_is_refused)
{
	serve_client(false);
}

TEST_MAIN(0)
