/* SPDX-License-Identifier: MIT */
/*
 * The broker and the hosted port: two or more connections of this process, or
 * of children, at a broker that runs as it does in life.
 */
#include "ends_host.h"

#include <lib/channel/hosted/link.h>
#include <lib/channel/lane.h>
#include <lib/channel/statistics.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>

TEST(test_zeroed_memory_becomes_the_same_lane_as_any_memory)
{
	static const enum channel_type types[] = {
		CHANNEL_ASYNC, CHANNEL_SYNC, CHANNEL_STREAM,
	};

	for (unsigned i = 0; i < 3; i++) {
		struct channel_config config = small, filled;
		size_t size;
		uint8_t *memory, *zeroed;

		config.type = types[i];
		EXPECT_EQ(channel_config_fill(&config, &filled), OK);
		size = lane_size(&filled);
		memory = aligned_alloc(64, size);
		zeroed = aligned_alloc(64, size);
		memset(memory, 0x5a, size);
		memset(zeroed, 0, size);
		lane_format(memory, &filled);
		lane_format_zeroed(zeroed, &filled);
		EXPECT(memcmp(memory, zeroed, size) == 0);
		free(memory);
		free(zeroed);
	}
}

TEST(test_lane_joins_two_connections)
{
	struct ring_producer producer;
	struct ring_consumer consumer;
	struct ring_message message = { 0 };

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

/* A lane whose whole memory is written over when it was looked at. */
static void
spoil_lane(const struct channel_config *config)
{
	struct channel_config filled;
	uint8_t *memory, *fresh;

	EXPECT_EQ(channel_config_fill(config, &filled), OK);
	fresh = aligned_alloc(64, lane_size(&filled));
	lane_format(fresh, &filled);
	EXPECT_EQ(end_create(&left, "a", config, &sends), OK);
	EXPECT_EQ(end_open(&right, "a", &receives), OK);
	EXPECT_EQ(end_await(&left), OK);
	memory = left.event.place.memory;
	EXPECT(memcmp(memory, fresh, lane_size(&filled)) == 0);
	memset(memory, 0xa5, lane_size(&filled));
	end_close(&left);
	end_close(&right);
	free(fresh);
}

/* Another lane keeps the segment, so that the slot is used again. */
TEST(test_lane_memory_is_new_for_the_next_lane)
{
	struct channel_config large = small;
	const struct channel_config *configs[] = { &small, &large };

	/* Of whole pages, and several in the first segment. */
	large.buffer_size = 8192;
	start(NULL);
	for (unsigned i = 0; i < 2; i++) {
		struct end keep = { .domain = left.domain };
		struct end kept = { .domain = right.domain };

		EXPECT_EQ(end_create(&keep, "keep", configs[i], &sends), OK);
		EXPECT_EQ(end_open(&kept, "keep", &receives), OK);
		for (unsigned j = 0; j < 10; j++)
			spoil_lane(configs[i]);
		end_close(&keep);
		end_close(&kept);
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

/* A child that was forked holds everything open that its parent had. */
TEST(test_death_is_seen_though_a_child_lives_on)
{
	pid_t child;
	int alive[2];
	char byte;

	start(NULL);
	EXPECT_EQ(pipe(alive), 0);
	EXPECT_EQ(end_create(&left, "a", &small, &receives), OK);
	child = fork();
	if (child == 0) {
		struct end own = { .domain = harness_connect(&harness) };

		if (end_open(&own, "a", &sends) != OK)
			_exit(1);
		close(alive[0]);
		if (fork() == 0) {
			(void)!write(alive[1], "", 1);
			harness_pause_ms(5000);
			_exit(0);
		}
		for (;;)
			pause();
	}
	close(alive[1]);
	EXPECT_EQ(end_await(&left), OK);
	EXPECT_EQ(left.event.kind, CHANNEL_LANE_IN);
	EXPECT_EQ(read(alive[0], &byte, 1), 1);
	kill(child, SIGKILL);
	EXPECT_EQ(end_await(&left), OK);
	EXPECT_EQ(left.event.kind, CHANNEL_PEER_GONE);
	/* It lives: nothing, not the end, is there to be read. */
	fcntl(alive[0], F_SETFL, O_NONBLOCK);
	EXPECT(read(alive[0], &byte, 1) < 0 && errno == EAGAIN);
	close(alive[0]);
	waitpid(child, NULL, 0);
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

TEST(test_channels_go_on_when_the_broker_died)
{
	struct ring_producer producer;
	struct ring_consumer consumer;
	struct ring_message message = { 0 };
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
