/* SPDX-License-Identifier: MIT */
/*
 * The broker and the hosted port: two or more connections of this process, or
 * of children, at a broker that runs as it does in life.
 */
#include "harness_host.h"

#include <lib/channel/config.h>
#include <lib/channel/hosted/link.h>
#include <lib/channel/lane.h>
#include <lib/channel/statistics.h>
#include <lib/test/ktap.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SECOND_NS	1000000000ul

static const struct channel_config small = {
	.type = CHANNEL_ASYNC, .message_max = 48, .buffer_size = 1024,
};
static const struct channel_options sends = { .role = CHANNEL_SENDER };
static const struct channel_options receives = { .role = CHANNEL_RECEIVER };

/* One end at the level of the port. */
struct end {
	struct channel_domain *domain;
	struct channel_member member;
	struct channel_event event;
};

static status_t
end_create(struct end *end, const char *name,
    const struct channel_config *config, const struct channel_options *options)
{
	struct channel_config filled;
	status_t status = channel_config_fill(config, &filled);

	return status != OK ? status : end->domain->port->create(end->domain,
	    name, &filled, options, NULL, &end->member);
}

static status_t
end_open(struct end *end, const char *name,
    const struct channel_options *options)
{
	return end->domain->port->open(end->domain, name, options, NULL,
	    &end->member);
}

static status_t
end_next(struct end *end)
{
	return end->domain->port->next_event(end->domain, &end->member,
	    &end->event);
}

/* The next event, if need be after a while. */
static status_t
end_await(struct end *end)
{
	uint64_t deadline = end->domain->port->now_ns(end->domain) +
	    5 * SECOND_NS;
	status_t status;

	while ((status = end_next(end)) == ERR_EMPTY)
		if (end->domain->port->sleep(end->domain, &end->member, NULL,
		    0, deadline) == ERR_TIMEOUT)
			return ERR_TIMEOUT;
	return status;
}

static void
end_close(struct end *end)
{
	end->domain->port->close(end->domain, &end->member);
}

static void
end_drop(struct end *end)
{
	end->domain->port->drop_lane(end->domain, &end->member,
	    &end->event.place);
}

static struct harness harness;
static struct end left, right;

static void
start(const char *policy)
{
	harness_start(&harness, policy);
	left.domain = harness_connect(&harness);
	right.domain = harness_connect(&harness);
	if (left.domain == NULL || right.domain == NULL)
		abort();
}

static void
finish(void)
{
	struct broker_totals totals;

	channel_domain_hosted_close(left.domain);
	channel_domain_hosted_close(right.domain);
	EXPECT(harness_is_empty(&harness, &totals));
	EXPECT_EQ(harness_end(&harness), 0);
}

TEST(test_zeroes_are_an_empty_lane)
{
	static const enum channel_type types[] = {
		CHANNEL_ASYNC, CHANNEL_SYNC, CHANNEL_STREAM,
	};

	for (unsigned i = 0; i < 3; i++) {
		struct channel_config config = small, filled;
		size_t size;
		uint8_t *memory;

		config.type = types[i];
		EXPECT_EQ(channel_config_fill(&config, &filled), OK);
		size = lane_size(&filled);
		memory = aligned_alloc(64, size);
		memset(memory, 0, size);
		lane_format(memory, &filled);
		for (size_t j = 0; j < size; j++)
			EXPECT_EQ(memory[j], 0);
		free(memory);
	}
}

TEST(test_lane_joins_two_connections)
{
	struct ring_producer producer;
	struct ring_consumer consumer;
	struct ring_message message;

	start(NULL);
	EXPECT_EQ(end_create(&left, "a", &small, &sends), OK);
	EXPECT_EQ(end_open(&right, "a", &receives), OK);
	EXPECT_EQ(end_next(&right), OK);
	EXPECT_EQ(right.event.kind, CHANNEL_LANE_IN);
	EXPECT_EQ(right.event.place.peer, left.member.number);
	EXPECT_EQ(end_await(&left), OK);
	EXPECT_EQ(left.event.kind, CHANNEL_LANE_OUT);
	EXPECT_EQ(left.event.place.peer, right.member.number);
	EXPECT_EQ(end_next(&left), ERR_EMPTY);
	EXPECT_EQ(ring_producer_open(&producer, left.event.place.memory,
	    left.event.place.lines), OK);
	EXPECT_EQ(ring_consumer_open(&consumer, right.event.place.memory,
	    right.event.place.lines), OK);
	EXPECT_EQ(ring_send(&producer, "hello", 6, 7), OK);
	EXPECT_EQ(ring_peek(&consumer, &message), OK);
	EXPECT(message.length == 6 && memcmp(message.data, "hello", 6) == 0);
	end_close(&left);
	EXPECT_EQ(end_await(&right), OK);
	EXPECT_EQ(right.event.kind, CHANNEL_PEER_GONE);
	/* What was committed is there until the receiver lets it go. */
	EXPECT_EQ(ring_peek(&consumer, &message), OK);
	end_drop(&right);
	end_close(&right);
	finish();
}

TEST(test_names_are_created_once_and_go_with_the_creator)
{
	start(NULL);
	EXPECT_EQ(end_open(&right, "a", &receives), ERR_NOENT);
	EXPECT_EQ(end_create(&left, "a", &small, &sends), OK);
	EXPECT_EQ(end_create(&right, "a", &small, &sends), ERR_EXIST);
	EXPECT_EQ(end_open(&right, "a", &receives), OK);
	end_close(&left);
	EXPECT_EQ(end_create(&left, "a", &small, &sends), OK);
	EXPECT(left.member.channel != right.member.channel);
	end_close(&right);
	end_close(&left);
	EXPECT_EQ(end_open(&right, "a", &receives), ERR_NOENT);
	EXPECT_EQ(end_create(&left, "", &small, &sends), ERR_ARG);
	EXPECT_EQ(end_create(&left, "a\n", &small, &sends), ERR_ARG);
	finish();
}

TEST(test_small_lanes_share_segments_and_descriptors)
{
	enum { MANY = 2000 };
	static struct channel_member ends[2][MANY];
	struct broker_totals totals;
	char name[32];

	start(NULL);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "many-%u", i);
		EXPECT_EQ(end_create(&left, name, &small, &sends), OK);
		EXPECT_EQ(end_open(&right, name, &receives), OK);
		EXPECT_EQ(end_next(&right), OK);
		EXPECT_EQ(end_await(&left), OK);
		ends[0][i] = left.member;
		ends[1][i] = right.member;
	}
	EXPECT_EQ(channel_hosted_totals(left.domain, &totals), OK);
	EXPECT_EQ(totals.lanes, MANY);
	EXPECT(totals.segments < 30 && totals.descriptors < 60);
	/* 10^5 of them: less than 1 GiB. */
	EXPECT(totals.bytes / MANY < (1ul << 30) / 100000);
	for (unsigned i = 0; i < MANY; i++) {
		left.member = ends[0][i];
		right.member = ends[1][i];
		end_close(&left);
		end_close(&right);
	}
	finish();
}

/* A slot that was used comes back as zeroes, whatever was left in it. */
TEST(test_lane_memory_is_new_for_the_next_lane)
{
	struct channel_config large = small;

	large.buffer_size = 65536;
	start(NULL);
	for (unsigned i = 0; i < 40; i++) {
		const struct channel_config *config = i % 2 ? &large : &small;
		struct end other = { .domain = left.domain };
		uint64_t *words;

		EXPECT_EQ(end_create(&other, "keep", config, &sends), OK);
		EXPECT_EQ(end_create(&left, "a", config, &sends), OK);
		EXPECT_EQ(end_open(&right, "keep", &receives), OK);
		struct channel_member keep = right.member;
		EXPECT_EQ(end_open(&right, "a", &receives), OK);
		EXPECT_EQ(end_await(&left), OK);
		words = left.event.place.memory;
		for (unsigned j = 0; j < config->buffer_size / 8; j++)
			EXPECT_EQ(words[j], 0);
		memset(words, 0xa5, config->buffer_size);
		end_close(&left);
		end_close(&right);
		right.member = keep;
		if (i % 4 != 0) {
			end_close(&other);
			end_close(&right);
			continue;
		}
		/* The segment lives on. */
		end_close(&right);
		end_close(&other);
	}
	finish();
}

TEST(test_receiver_can_read_the_pool_and_never_write_it)
{
	struct channel_config config = small;
	uint8_t *pool;

	config.zero_copy = true;
	start(NULL);
	EXPECT_EQ(end_create(&left, "a", &config, &sends), OK);
	EXPECT(left.member.pool != NULL && left.member.config.zero_copy);
	EXPECT_EQ(end_open(&right, "a", &receives), OK);
	EXPECT_EQ(end_next(&right), OK);
	pool = right.event.place.pool;
	size_t size = lane_pool_size(&left.member.config);
	EXPECT(right.event.place.pool_size >= size);
	memset(left.member.pool, 0x5a, size);
	EXPECT_EQ(pool[size - 1], 0x5a);
	EXPECT(mprotect(pool, 4096, PROT_READ | PROT_WRITE) != 0);
	EXPECT_EQ(errno, EACCES);
	EXPECT(madvise(pool, 4096, MADV_REMOVE) != 0);
	end_close(&left);
	end_close(&right);
	finish();
}

TEST(test_statistics_page_is_zeroed_and_writable)
{
	uint8_t *bytes;

	start(NULL);
	EXPECT_EQ(end_create(&left, "a", &small, &sends), OK);
	bytes = (void *)left.member.statistics;
	for (unsigned i = 0; i < STATISTICS_PAGE; i++)
		EXPECT_EQ(bytes[i], 0);
	memset(bytes, 1, STATISTICS_PAGE);
	end_close(&left);
	finish();
}

TEST(test_wake_reaches_who_sleeps_on_one_of_several_words)
{
	struct end third;
	uint32_t *words[2];
	uint64_t before;

	start(NULL);
	third.domain = right.domain;
	EXPECT_EQ(end_create(&left, "a", &small, &receives), OK);
	EXPECT_EQ(end_open(&right, "a", &sends), OK);
	EXPECT_EQ(end_open(&third, "a", &sends), OK);
	EXPECT_EQ(end_await(&left), OK);
	words[0] = ring_consumer_word(left.event.place.memory);
	EXPECT_EQ(end_await(&left), OK);
	words[1] = ring_consumer_word(left.event.place.memory);
	EXPECT_EQ(end_next(&left), ERR_EMPTY);
	*words[0] = *words[1] = 1;
	before = left.domain->port->now_ns(left.domain);
	EXPECT_EQ(left.domain->port->sleep(left.domain, &left.member, words, 2,
	    before + SECOND_NS / 50), ERR_TIMEOUT);
	EXPECT(left.domain->port->now_ns(left.domain) >=
	    before + SECOND_NS / 50);
	/* The other one: the word is 0 already. */
	*words[1] = 0;
	EXPECT_EQ(left.domain->port->sleep(left.domain, &left.member, words, 2,
	    before + 60 * SECOND_NS), OK);
	end_close(&third);
	end_close(&right);
	end_close(&left);
	finish();
}

TEST(test_event_ends_a_sleep)
{
	pid_t child;
	int status;

	start(NULL);
	EXPECT_EQ(end_create(&left, "a", &small, &receives), OK);
	EXPECT_EQ(end_next(&left), ERR_EMPTY);
	child = fork();
	if (child == 0) {
		struct end own = { .domain = harness_connect(&harness) };

		harness_pause_ms(30);
		if (end_open(&own, "a", &sends) != OK)
			_exit(1);
		for (;;)
			pause();
	}
	EXPECT_EQ(end_await(&left), OK);
	EXPECT_EQ(left.event.kind, CHANNEL_LANE_IN);
	EXPECT_EQ(end_next(&left), ERR_EMPTY);
	kill(child, SIGKILL);
	EXPECT_EQ(end_await(&left), OK);
	EXPECT_EQ(left.event.kind, CHANNEL_PEER_GONE);
	end_drop(&left);
	waitpid(child, &status, 0);
	end_close(&left);
	finish();
}

static bool
is_readable(int file)
{
	struct pollfd poll_file = { .fd = file, .events = POLLIN };

	return poll(&poll_file, 1, 0) == 1;
}

TEST(test_descriptor_is_readable_after_wake_and_after_events)
{
	struct channel_config config = small;
	const struct channel_port *port;
	int file;

	config.pollable = true;
	start(NULL);
	port = left.domain->port;
	EXPECT_EQ(end_create(&left, "a", &config, &receives), OK);
	EXPECT_EQ(port->descriptor(left.domain, &left.member, &file), OK);
	EXPECT(is_readable(file));
	EXPECT_EQ(end_next(&left), ERR_EMPTY);
	port->quiet(left.domain, &left.member);
	EXPECT(!is_readable(file));
	EXPECT_EQ(end_open(&right, "a", &sends), OK);
	EXPECT(is_readable(file));
	EXPECT_EQ(end_next(&left), OK);
	port->quiet(left.domain, &left.member);
	EXPECT(!is_readable(file));
	EXPECT_EQ(end_next(&right), OK);
	for (unsigned i = 0; i < 100000; i++)
		port->wake(right.domain, &right.event.place,
		    ring_consumer_word(right.event.place.memory));
	EXPECT(is_readable(file));
	port->quiet(left.domain, &left.member);
	EXPECT(!is_readable(file));
	end_close(&right);
	EXPECT(is_readable(file));
	EXPECT_EQ(end_await(&left), OK);
	EXPECT_EQ(left.event.kind, CHANNEL_PEER_GONE);
	port->quiet(left.domain, &left.member);
	EXPECT(!is_readable(file));
	end_close(&left);
	finish();
}

TEST(test_revocation_is_known_before_it_returns)
{
	struct token token;
	uint64_t generation;
	struct end own = { 0 };

	start(NULL);
	own.domain = left.domain;
	EXPECT_EQ(end_create(&left, "a", &small, &receives), OK);
	EXPECT_EQ(end_open(&own, "a", &sends), OK);
	EXPECT_EQ(end_open(&right, "a", &sends), OK);
	EXPECT_EQ(end_next(&right), OK);
	EXPECT_EQ(end_next(&right), ERR_EMPTY);
	EXPECT_EQ(channel_hosted_mint(left.domain, "a", TOKEN_ALL, 0, &token),
	    OK);
	EXPECT_EQ(right.domain->port->rights(right.domain, &right.member,
	    &token), TOKEN_ALL);
	generation = *right.domain->generation;
	struct token old = token;
	EXPECT_EQ(channel_hosted_revoke(left.domain, &token), OK);
	EXPECT(*right.domain->generation != generation);
	EXPECT_EQ(right.domain->port->rights(right.domain, &right.member,
	    &old), 0);
	EXPECT_EQ(right.domain->port->rights(right.domain, &right.member,
	    &token), TOKEN_ALL);
	EXPECT_EQ(channel_hosted_revoke(right.domain, &old), ERR_RIGHT);
	EXPECT_EQ(end_next(&right), OK);
	EXPECT_EQ(right.event.kind, CHANNEL_REVOKED);
	unsigned lanes = 0, revoked = 0;
	while (end_next(&left) == OK) {
		lanes += left.event.kind == CHANNEL_LANE_IN;
		revoked += left.event.kind == CHANNEL_PEER_REVOKED;
	}
	/* That of the revoker's own process is not touched. */
	EXPECT_EQ(lanes, 1 + revoked);
	end_close(&right);
	end_close(&own);
	end_close(&left);
	finish();
}

TEST(test_token_narrows_and_is_bound_to_its_channel)
{
	struct token token, narrow, other;
	struct token_grant grant;
	const struct channel_port *port;

	start(NULL);
	port = right.domain->port;
	EXPECT_EQ(end_create(&left, "a", &small, &receives), OK);
	struct end second = { .domain = left.domain };
	EXPECT_EQ(end_create(&second, "b", &small, &receives), OK);
	EXPECT_EQ(channel_hosted_mint(left.domain, "a", TOKEN_ALL, 0, &token),
	    OK);
	EXPECT_EQ(channel_hosted_mint(left.domain, "b", TOKEN_ALL, 0, &other),
	    OK);
	EXPECT_EQ(channel_hosted_mint(left.domain, "a", TOKEN_ALL, 1,
	    &narrow), ERR_RIGHT);
	grant = (struct token_grant){
		.object = token.object, .rights = TOKEN_SEND,
	};
	EXPECT_EQ(channel_hosted_derive(right.domain, &token, &grant, &narrow),
	    OK);
	EXPECT_EQ(port->open(right.domain, "a", &receives, &narrow,
	    &right.member), ERR_RIGHT);
	EXPECT_EQ(port->open(right.domain, "a", &sends, &other,
	    &right.member), ERR_STALE);
	narrow.rights |= TOKEN_RECEIVE;
	EXPECT_EQ(port->open(right.domain, "a", &receives, &narrow,
	    &right.member), ERR_RIGHT);
	narrow.rights = TOKEN_SEND;
	EXPECT_EQ(port->open(right.domain, "a", &sends, &narrow,
	    &right.member), OK);
	EXPECT_EQ(right.member.rights, TOKEN_SEND);
	grant.rights = TOKEN_SEND;
	EXPECT_EQ(channel_hosted_derive(right.domain, &narrow, &grant,
	    &other), ERR_RIGHT);
	end_close(&right);
	end_close(&second);
	end_close(&left);
	finish();
}

/* Runs body in a child under another user; its exit status. */
static int
as_user(uid_t uid, int (*body)(void))
{
	pid_t child = fork();
	int status = -1;

	if (child == 0)
		_exit(setgid(uid) == 0 && setuid(uid) == 0 ? body() : 100);
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
open_others(void)
{
	struct end own = { .domain = harness_connect(&harness) };
	struct broker_totals totals;
	struct broker_list list;

	if (own.domain == NULL)
		return 1;
	if (end_open(&own, "closed", &receives) != ERR_RIGHT)
		return 2;
	if (end_open(&own, "open-1", &sends) != ERR_RIGHT)
		return 3;
	if (end_open(&own, "open-1", &receives) != OK ||
	    own.member.trust != 0xe || own.member.rights != TOKEN_RECEIVE)
		return 4;
	if (end_create(&own, "open-2", &small, &sends) != ERR_RIGHT)
		return 5;
	if (end_create(&own, "mine", &small, &sends) != OK ||
	    own.member.trust != 0)
		return 6;
	if (channel_hosted_totals(own.domain, &totals) != ERR_RIGHT)
		return 7;
	if (channel_hosted_list(own.domain, 0, &list) != OK ||
	    list.count != 1)
		return 8;
	return 0;
}

static int
exceed_limits(void)
{
	struct end own = { .domain = harness_connect(&harness) };

	if (own.domain == NULL)
		return 1;
	for (unsigned i = 0; i < 3; i++) {
		char name[16];

		snprintf(name, sizeof(name), "c%u", i);
		if (end_create(&own, name, &small, &receives) !=
		    (i < 2 ? OK : ERR_LIMIT))
			return 2;
	}
	/* A lane is paid by who comes later. */
	if (end_open(&own, "large", &sends) != ERR_LIMIT)
		return 3;
	if (harness_connect(&harness) == NULL)
		return 4;
	return harness_connect(&harness) == NULL ? 0 : 5;
}

TEST(test_policy_decides_who_may_what)
{
	static const char policy[] =
	    "[shared]\nnames = [\"open-*\"]\nusers = [\"65533\"]\n"
	    "rights = [\"receive\"]\ntrust = 0xe\n"
	    "[mine]\nnames = [\"large\"]\nusers = [\"same\"]\n"
	    "rights = [\"create\", \"receive\"]\n"
	    "[large]\nnames = [\"large\"]\nusers = [\"*\"]\n"
	    "rights = [\"send\"]\n"
	    "[limits-few]\nusers = [\"65532\"]\nchannels = 2\n"
	    "processes = 2\nbytes = 1_000_000\n";
	struct channel_config large = small;
	struct end other;

	if (getuid() != 0)
		KTAP_SKIP("needs to become other users");
	start(policy);
	large.buffer_size = 1 << 20;
	other.domain = left.domain;
	EXPECT_EQ(end_create(&left, "closed", &small, &sends), OK);
	EXPECT_EQ(end_create(&right, "open-1", &small, &sends), OK);
	EXPECT_EQ(end_create(&other, "large", &large, &receives), OK);
	EXPECT_EQ(as_user(65533, open_others), 0);
	EXPECT_EQ(as_user(65532, exceed_limits), 0);
	end_close(&other);
	end_close(&left);
	end_close(&right);
	finish();
}

TEST(test_policy_of_a_bad_text_is_refused_with_its_reason)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "x = \n", "line 1" },
		{ "[a]\nnames = [\"*\"]\nrights = []\n", "users or groups" },
		{ "[a]\nnames = [\"*\"]\nusers = [\"*\"]\nfoo = 1\n", "'foo'" },
		{ "[a]\nusers = [\"*\"]\nrights = []\n", "names" },
		{ "[a]\nnames = [\"*\"]\nusers = [\"*\"]\ntrust = 16\n",
		    "trust" },
		{ "[a]\nnames = [\"*\"]\nusers = [\"*\"]\n"
		    "rights = [\"fly\"]\n", "'fly'" },
		{ "[a]\nnames = [\"*\"]\nusers = [\"no such user\"]\n",
		    "no such user" },
		{ "[limits]\nchannels = -1\n", "channels" },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy *policy = policy_create();
		const char *why = "";

		EXPECT_EQ(policy_read(policy, cases[i].text,
		    strlen(cases[i].text), &why), ERR_ARG);
		if (strstr(why, cases[i].why) == NULL)
			printf("# '%s' lacks '%s'\n", why, cases[i].why);
		EXPECT(strstr(why, cases[i].why) != NULL);
		policy_destroy(policy);
	}
}

/* A connection that speaks for itself. */
static int
raw_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int file = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, harness.path, sizeof(harness.path));
	if (connect(file, (struct sockaddr *)&address, sizeof(address)) != 0)
		abort();
	return file;
}

TEST(test_malformed_request_ends_its_connection_only)
{
	struct broker_packet packet = { .head.kind = BROKER_HELLO };
	struct broker_totals before, after;
	char answer[2048];
	uint32_t random = 1;

	start(NULL);
	EXPECT_EQ(channel_hosted_totals(left.domain, &before), OK);
	for (unsigned i = 0; i < 300; i++) {
		int file = raw_connect();
		size_t length = broker_request_length(BROKER_HELLO);

		packet.value = BROKER_VERSION;
		EXPECT(send(file, &packet, length, 0) == (ssize_t)length);
		uint8_t bytes[512];
		for (unsigned j = 0; j < sizeof(bytes); j++) {
			random = random * 1664525 + 1013904223;
			bytes[j] = (uint8_t)(random >> 24);
		}
		(void)!send(file, bytes, 1 + random % sizeof(bytes),
		    MSG_NOSIGNAL);
		while (recv(file, answer, sizeof(answer), 0) > 0)
			;
		close(file);
	}
	EXPECT_EQ(channel_hosted_totals(left.domain, &after), OK);
	EXPECT_EQ(after.malformed, before.malformed + 300);
	EXPECT_EQ(after.descriptors, before.descriptors);
	finish();
}

TEST(test_client_that_never_reads_delays_nobody)
{
	struct broker_packet hello = {
		.head.kind = BROKER_HELLO, .value = BROKER_VERSION,
	};
	struct broker_packet list = { .head.kind = BROKER_LIST };
	int deaf;
	unsigned sent = 0;

	start(NULL);
	deaf = raw_connect();
	EXPECT(send(deaf, &hello, broker_request_length(BROKER_HELLO), 0) > 0);
	while (send(deaf, &list, broker_request_length(BROKER_LIST),
	    MSG_DONTWAIT) > 0 || errno != EAGAIN) {
		sent++;
		if (sent % 64 == 0)
			harness_pause_ms(1);
		if (sent > 100000)
			break;
	}
	EXPECT(sent < 100000);
	for (unsigned i = 0; i < 100; i++) {
		EXPECT_EQ(end_create(&left, "a", &small, &sends), OK);
		EXPECT_EQ(end_open(&right, "a", &receives), OK);
		end_close(&right);
		end_close(&left);
	}
	close(deaf);
	finish();
}

/* Others join and leave, and it never looks: it costs them, not the broker. */
TEST(test_member_that_never_looks_bounds_who_joins)
{
	struct broker_totals totals;
	status_t status = OK;
	unsigned joined = 0;

	start(NULL);
	EXPECT_EQ(end_create(&left, "a", &small, &sends), OK);
	for (unsigned i = 0; i < 2000 && status == OK; i++) {
		status = end_open(&right, "a", &receives);
		if (status != OK)
			break;
		joined++;
		end_close(&right);
	}
	/* Only what was told, up to the window, is owed; the rest never was. */
	EXPECT_EQ(joined, 2000);
	EXPECT_EQ(channel_hosted_totals(right.domain, &totals), OK);
	EXPECT(totals.lanes <= BROKER_WINDOW);
	unsigned events = 0;
	while (end_next(&left) == OK) {
		events++;
		if (left.event.kind == CHANNEL_PEER_GONE)
			end_drop(&left);
	}
	EXPECT(events >= 2);
	/* Over the connection of the drops, so behind them. */
	EXPECT_EQ(channel_hosted_totals(left.domain, &totals), OK);
	EXPECT_EQ(totals.lanes, 0);
	end_close(&left);
	finish();
}

TEST(test_channels_go_on_when_the_broker_died)
{
	struct ring_producer producer;
	struct ring_consumer consumer;
	struct ring_message message;
	struct end late;

	start(NULL);
	EXPECT_EQ(end_create(&left, "a", &small, &sends), OK);
	EXPECT_EQ(end_open(&right, "a", &receives), OK);
	EXPECT_EQ(end_next(&right), OK);
	EXPECT_EQ(end_await(&left), OK);
	EXPECT(!channel_hosted_is_cut(left.domain));
	kill(harness.broker, SIGKILL);
	waitpid(harness.broker, NULL, 0);
	EXPECT_EQ(ring_producer_open(&producer, left.event.place.memory,
	    left.event.place.lines), OK);
	EXPECT_EQ(ring_consumer_open(&consumer, right.event.place.memory,
	    right.event.place.lines), OK);
	EXPECT_EQ(ring_send(&producer, "still", 6, 0), OK);
	EXPECT_EQ(ring_peek(&consumer, &message), OK);
	EXPECT_EQ(end_next(&left), ERR_EMPTY);
	EXPECT(channel_hosted_is_cut(left.domain));
	late.domain = left.domain;
	EXPECT_EQ(end_create(&late, "b", &small, &sends), ERR_GONE);
	EXPECT_EQ(end_open(&late, "a", &receives), ERR_GONE);
	EXPECT(harness_connect(&harness) == NULL);
	/* The next one takes the place of the socket that was left. */
	harness_serve(&harness, NULL);
	late.domain = harness_connect(&harness);
	EXPECT(late.domain != NULL);
	EXPECT_EQ(end_create(&late, "a", &small, &sends), OK);
	end_close(&late);
	channel_domain_hosted_close(late.domain);
	end_drop(&left);
	end_close(&left);
	end_close(&right);
	finish();
}

/* What a tool like bennu-top does. */
TEST(test_statistics_of_others_can_be_read_only)
{
	struct broker_watched watched;
	const struct statistics_page *page;
	unsigned found = 0;
	uint32_t from = 0;
	int file;

	start(NULL);
	EXPECT_EQ(end_create(&left, "a", &small, &sends), OK);
	memset((void *)left.member.statistics, 0, STATISTICS_PAGE);
	((struct statistics_page *)left.member.statistics)->member = 77;
	do {
		EXPECT_EQ(channel_hosted_watch(right.domain, from, &watched,
		    &file), OK);
		if (!watched.found)
			break;
		from = watched.next;
		EXPECT(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, file, 0) ==
		    MAP_FAILED);
		page = mmap(NULL, watched.segment_size, PROT_READ, MAP_SHARED,
		    file, 0);
		EXPECT(page != MAP_FAILED);
		found += page->member == 77;
		munmap((void *)(uintptr_t)page, watched.segment_size);
		close(file);
	} while (from != 0);
	EXPECT_EQ(found, 1);
	end_close(&left);
	finish();
}

TEST(test_circle_of_channels_is_refused_across_processes)
{
	struct end a, b;
	struct broker_totals totals;

	start(NULL);
	a.domain = b.domain = right.domain;
	struct end c = { .domain = left.domain };
	/* left serves a and calls b; right serves b and would call a. */
	EXPECT_EQ(end_create(&left, "a", &small, &receives), OK);
	EXPECT_EQ(end_create(&b, "b", &small, &receives), OK);
	EXPECT_EQ(end_open(&c, "b", &sends), OK);
	EXPECT_EQ(end_open(&a, "a", &sends), OK);
	EXPECT_EQ(channel_hosted_depend(left.domain, &left.member, &c.member),
	    OK);
	EXPECT_EQ(channel_hosted_depend(right.domain, &b.member, &a.member),
	    ERR_STATE);
	EXPECT_EQ(channel_hosted_depend(right.domain, &left.member,
	    &a.member), ERR_NOENT);
	EXPECT_EQ(channel_hosted_depend(right.domain, &a.member, &b.member),
	    ERR_ARG);
	EXPECT_EQ(channel_hosted_totals(right.domain, &totals), OK);
	EXPECT_EQ(totals.edges, 1);
	/* The edge goes with who declared it. */
	end_close(&left);
	EXPECT_EQ(channel_hosted_depend(right.domain, &b.member, &a.member),
	    OK);
	end_close(&c);
	end_close(&a);
	end_close(&b);
	finish();
}

/* Linux before 5.16 has no futex_waitv. */
TEST(test_sleep_works_without_waiting_for_several_words)
{
	uint64_t before;
	uint32_t *word;

	start(NULL);
	hosted_of(left.domain)->has_waitv = false;
	EXPECT_EQ(end_create(&left, "a", &small, &receives), OK);
	EXPECT_EQ(end_open(&right, "a", &sends), OK);
	EXPECT_EQ(end_await(&left), OK);
	EXPECT_EQ(end_next(&left), ERR_EMPTY);
	word = ring_consumer_word(left.event.place.memory);
	*word = 1;
	before = left.domain->port->now_ns(left.domain);
	while (left.domain->port->sleep(left.domain, &left.member, &word, 1,
	    before + SECOND_NS / 50) == OK)
		;
	EXPECT(left.domain->port->now_ns(left.domain) >=
	    before + SECOND_NS / 50);
	*word = 0;
	EXPECT_EQ(left.domain->port->sleep(left.domain, &left.member, &word, 1,
	    before + 60 * SECOND_NS), OK);
	end_close(&right);
	EXPECT_EQ(end_await(&left), OK);
	EXPECT_EQ(left.event.kind, CHANNEL_PEER_GONE);
	end_close(&left);
	finish();
}

TEST(test_second_broker_on_a_socket_does_not_start)
{
	struct server_options options;
	pid_t child;
	int status;

	start(NULL);
	options = (struct server_options){
		.socket = harness.path, .policy = policy_create(), .ready = -1,
	};
	child = fork();
	if (child == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL)
			abort();
		exit(server_run(&options));
	}
	policy_destroy(options.policy);
	waitpid(child, &status, 0);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	EXPECT_EQ(end_create(&left, "a", &small, &sends), OK);
	end_close(&left);
	finish();
}

TEST(test_child_of_fork_must_connect_anew)
{
	pid_t child;
	int status;

	start(NULL);
	child = fork();
	if (child == 0)
		_exit(end_create(&left, "a", &small, &sends) == ERR_STATE ?
		    0 : 1);
	waitpid(child, &status, 0);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	EXPECT_EQ(end_create(&left, "a", &small, &sends), OK);
	end_close(&left);
	finish();
}

TEST_MAIN(signal(SIGPIPE, SIG_IGN))
