/* SPDX-License-Identifier: MIT */
/*
 * Channels between processes, through the whole library: each type, both kinds
 * of waiting, many channels at once.
 */
#include "harness_host.h"

#include <lib/test/ktap.h>

#include <poll.h>
#include <sys/resource.h>

#define COUNT		2000u
#define SENDERS		2u
#define SECOND_NS	1000000000ul
/* Checked memory has margins around each piece. */
#ifdef __SANITIZE_ADDRESS__
#define ROOM_FACTOR	2
#define MANY		20000u
#else
#define ROOM_FACTOR	1
#define MANY		100000u
#endif

static struct harness harness;
static struct channel_domain *domain;

struct message {
	uint64_t sender, number;
	uint8_t	 more[200];
};

static uint64_t
in_seconds(unsigned seconds)
{
	return domain->port->now_ns(domain) + seconds * SECOND_NS;
}

static struct channel *
create(const char *name, const struct channel_config *config, unsigned role)
{
	struct channel_options options = {
		.domain = domain, .role = role, .groups = ~0ul,
	};
	struct channel *channel = NULL;

	EXPECT_EQ(channel_create(name, config, &options, NULL, &channel), OK);
	return channel;
}

/* In a child: its own connection. */
static struct channel *
join(const char *name, unsigned role)
{
	struct channel_options options = { .role = role, .groups = ~0ul };
	struct channel *channel;

	domain = options.domain = harness_connect(&harness);
	if (domain == NULL ||
	    channel_open(name, &options, NULL, &channel) != OK)
		_exit(2);
	return channel;
}

static size_t
length_of(uint64_t number)
{
	return 16 + number % sizeof(((struct message *)0)->more);
}

static status_t
send_all(struct channel *channel, uint64_t sender)
{
	for (uint64_t i = 0; i < COUNT; i++) {
		struct message message = { .sender = sender, .number = i };
		status_t status;

		memset(message.more, (int)i, sizeof(message.more));
		status = channel_send_until(channel, &message, length_of(i),
		    NULL, in_seconds(20));
		if (status != OK)
			return status;
	}
	return channel_flush(channel);
}

static bool
is_whole(const struct message *message, size_t length, uint64_t number)
{
	if (message->number != number || length != length_of(number))
		return false;
	for (size_t i = 0; i < length - 16; i++)
		if (message->more[i] != (uint8_t)number)
			return false;
	return true;
}

static status_t
receive_waiting(struct channel *channel, int file, struct message *message,
    size_t *length)
{
	struct pollfd wait = { .fd = file, .events = POLLIN };
	status_t status;

	if (file < 0)
		return channel_receive_until(channel, message, length, NULL,
		    in_seconds(20));
	while ((status = channel_receive_until(channel, message, length, NULL,
	    CHANNEL_NOW)) == ERR_TIMEOUT)
		if (poll(&wait, 1, 20000) != 1)
			return ERR_TIMEOUT;
	return status;
}

/* Of each sender all, in order. */
static status_t
receive_all(struct channel *channel, int file, unsigned senders)
{
	uint64_t next[SENDERS] = { 0 };
	unsigned left = senders * COUNT;

	while (left > 0) {
		struct message message;
		size_t length = sizeof(message);
		status_t status = receive_waiting(channel, file, &message,
		    &length);

		/* One came and went before the other. */
		if (status == ERR_GONE) {
			harness_pause_ms(1);
			continue;
		}
		if (status != OK)
			return status;
		if (message.sender >= senders ||
		    !is_whole(&message, length, next[message.sender]++))
			return ERR_CORRUPT;
		left--;
	}
	return OK;
}

static bool
ends_well(pid_t child)
{
	int status = -1;

	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void
start(void)
{
	harness_start(&harness, NULL);
	domain = harness_connect(&harness);
	if (domain == NULL)
		abort();
}

static void
finish(void)
{
	struct broker_totals totals;

	channel_domain_hosted_close(domain);
	EXPECT(harness_is_empty(&harness, &totals));
	EXPECT_EQ(harness_end(&harness), 0);
}

static const struct channel_config kinds[] = {
	{ .type = CHANNEL_ASYNC },
	{ .type = CHANNEL_ASYNC, .buffer_size = 2048, .message_max = 256 },
	{ .type = CHANNEL_ASYNC, .zero_copy = true, .message_max = 256 },
	{ .type = CHANNEL_ASYNC, .pollable = true, .message_max = 256,
	    .buffer_size = 2048 },
	{ .type = CHANNEL_BROADCAST },
	{ .type = CHANNEL_BROADCAST, .zero_copy = true, .pollable = true },
	{ .type = CHANNEL_MULTICAST },
	{ .type = CHANNEL_BATCH },
};

static void
many_to_one(const struct channel_config *config)
{
	struct channel *channel = create("kind", config, CHANNEL_RECEIVER);
	pid_t child[SENDERS];
	int file = -1;

	for (unsigned i = 0; i < SENDERS; i++) {
		child[i] = fork();
		if (child[i] == 0) {
			struct channel *own = join("kind", CHANNEL_SENDER);
			status_t status = send_all(own, i);

			channel_close(own);
			channel_domain_hosted_close(domain);
			_exit(status == OK ? 0 : 1);
		}
	}
	if (config->pollable)
		EXPECT_EQ(channel_descriptor(channel, &file), OK);
	EXPECT_EQ(receive_all(channel, file, SENDERS), OK);
	for (unsigned i = 0; i < SENDERS; i++)
		EXPECT(ends_well(child[i]));
	channel_close(channel);
}

TEST(test_each_type_carries_all_messages_of_several_processes)
{
	start();
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]) &&
	    !ktap_state.failed; i++) {
		many_to_one(&kinds[i]);
		if (ktap_state.failed)
			printf("# kind %u\n", i);
	}
	finish();
}

TEST(test_broadcast_reaches_every_process)
{
	static const struct channel_config config = {
		.type = CHANNEL_BROADCAST, .zero_copy = true,
	};
	struct channel *channel;
	pid_t child[3];
	int ready[2];
	char byte;

	start();
	EXPECT_EQ(pipe(ready), 0);
	channel = create("all", &config, CHANNEL_SENDER);
	for (unsigned i = 0; i < 3; i++) {
		child[i] = fork();
		if (child[i] == 0) {
			struct channel *own = join("all", CHANNEL_RECEIVER);

			if (write(ready[1], "", 1) != 1)
				_exit(3);
			_exit(receive_all(own, -1, 1) == OK ? 0 : 1);
		}
	}
	for (unsigned i = 0; i < 3; i++)
		EXPECT_EQ(read(ready[0], &byte, 1), 1);
	EXPECT_EQ(send_all(channel, 0), OK);
	for (unsigned i = 0; i < 3; i++)
		EXPECT(ends_well(child[i]));
	close(ready[0]);
	close(ready[1]);
	channel_close(channel);
	finish();
}

static void
answer_all(void)
{
	struct channel *own = join("call", CHANNEL_RECEIVER);
	struct message message;

	for (;;) {
		size_t length = sizeof(message);
		status_t status = channel_receive_until(own, &message,
		    &length, NULL, in_seconds(20));

		if (status == ERR_GONE)
			_exit(0);
		if (status != OK)
			_exit(1);
		message.number += 1000;
		if (channel_answer(own, &message, 16) != OK)
			_exit(1);
	}
}

TEST(test_call_is_answered_by_another_process)
{
	static const struct channel_config config = { .type = CHANNEL_SYNC };
	struct channel *channel;
	pid_t child;

	start();
	channel = create("call", &config, CHANNEL_SENDER);
	child = fork();
	if (child == 0)
		answer_all();
	for (uint64_t i = 0; i < COUNT; i++) {
		struct message message = { .number = i }, answer = { 0 };
		struct channel_exchange exchange = {
			.request = &message, .request_length = 16,
			.answer = &answer, .answer_length = sizeof(answer),
			.deadline_ns = in_seconds(20),
		};

		EXPECT_EQ(channel_call(channel, &exchange), OK);
		EXPECT(exchange.answer_length == 16 &&
		    answer.number == i + 1000);
	}
	channel_close(channel);
	EXPECT(ends_well(child));
	finish();
}

TEST(test_stream_carries_bytes_in_order)
{
	static const struct channel_config config = {
		.type = CHANNEL_STREAM, .buffer_size = 4096,
		.message_max = 512,
	};
	struct channel *channel;
	uint64_t count = 0;
	status_t status = OK;
	pid_t child;

	start();
	channel = create("bytes", &config, CHANNEL_RECEIVER);
	child = fork();
	if (child == 0) {
		struct channel *own = join("bytes", CHANNEL_SENDER);
		uint8_t bytes[500];

		for (unsigned i = 0; i < 100000; i += sizeof(bytes)) {
			for (unsigned j = 0; j < sizeof(bytes); j++)
				bytes[j] = (uint8_t)((i + j) * 7);
			if (channel_send(own, bytes, sizeof(bytes), NULL) != OK)
				_exit(1);
		}
		channel_close(own);
		_exit(0);
	}
	while (status == OK) {
		uint8_t bytes[333];
		size_t length = sizeof(bytes);

		status = channel_receive_until(channel, bytes, &length, NULL,
		    in_seconds(20));
		for (size_t i = 0; status == OK && i < length; i++)
			EXPECT_EQ(bytes[i], (uint8_t)(count++ * 7));
	}
	EXPECT_EQ(status, ERR_GONE);
	EXPECT_EQ(count, 100000);
	EXPECT(ends_well(child));
	channel_close(channel);
	finish();
}

/* It sends as long as it may. */
static void
send_until_refused(void)
{
	struct channel *own = join("revoke", CHANNEL_SENDER);
	status_t status = OK;

	for (uint64_t i = 0; status == OK || status == ERR_TIMEOUT; i++)
		status = channel_send_until(own, &i, sizeof(i), NULL,
		    in_seconds(5));
	_exit(status == ERR_RIGHT ? 0 : 1);
}

TEST(test_nothing_of_a_revoked_sender_arrives_after_the_revocation)
{
	struct channel *channel;
	struct token token;
	status_t status = OK;
	pid_t child;

	start();
	for (unsigned i = 0; i < 20; i++) {
		uint64_t number;
		size_t length = sizeof(number);

		channel = create("revoke", &kinds[1], CHANNEL_RECEIVER);
		child = fork();
		if (child == 0)
			send_until_refused();
		for (uint64_t j = 0; j < 50 + i; j++) {
			EXPECT_EQ(channel_receive_until(channel, &number,
			    &length, NULL, in_seconds(5)), OK);
			EXPECT_EQ(number, j);
		}
		EXPECT_EQ(channel_hosted_mint(domain, "revoke", TOKEN_ALL, 0,
		    &token), OK);
		EXPECT_EQ(channel_hosted_revoke(domain, &token), OK);
		status = channel_receive_until(channel, &number, &length,
		    NULL, in_seconds(5));
		EXPECT_EQ(status, ERR_GONE);
		EXPECT(ends_well(child));
		channel_close(channel);
	}
	finish();
}

static uint64_t
cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) *
	    SECOND_NS + (uint64_t)(usage.ru_utime.tv_usec +
	    usage.ru_stime.tv_usec) * 1000;
}

TEST(test_idle_member_uses_no_cpu)
{
	struct channel *channel;
	struct message message;
	size_t length = sizeof(message);
	uint64_t before;

	start();
	channel = create("idle", &kinds[0], CHANNEL_RECEIVER);
	struct channel_options options = {
		.domain = domain, .role = CHANNEL_SENDER,
	};
	struct channel *other;
	EXPECT_EQ(channel_open("idle", &options, NULL, &other), OK);
	before = cpu_ns();
	EXPECT_EQ(channel_receive_until(channel, &message, &length, NULL,
	    domain->port->now_ns(domain) + SECOND_NS / 2), ERR_TIMEOUT);
	EXPECT(cpu_ns() - before < SECOND_NS / 50);
	channel_close(other);
	channel_close(channel);
	finish();
}

/* Shared pages are counted once, however often they are mapped. */
static uint64_t
used_bytes(pid_t process)
{
	char path[40], line[128];
	unsigned long kilobytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", process);
	file = fopen(path, "r");
	if (file == NULL)
		return 0;
	while (fgets(line, sizeof(line), file) != NULL &&
	    sscanf(line, "Pss: %lu kB", &kilobytes) != 1)
		;
	fclose(file);
	return kilobytes * 1024;
}

/* Both ends in this process: with the broker less than 1 GiB for 10^5. */
TEST(test_many_open_channels_need_little_memory)
{
	static const struct channel_config config = {
		.message_max = 48, .buffer_size = 1024,
	};
	const char *more = getenv("BENNU_TEST_MORE");
	uint32_t count = more != NULL ? MANY : 2000;
	struct channel **end = calloc(2 * count, sizeof(*end));
	struct channel_options options = { .role = CHANNEL_RECEIVER };
	struct channel_domain *other;
	uint64_t before, bytes;
	char name[32];

	start();
	other = harness_connect(&harness);
	before = used_bytes(getpid()) + used_bytes(harness.broker);
	for (uint32_t i = 0; i < count && !ktap_state.failed; i++) {
		uint64_t number = i, got = 0;
		size_t length = sizeof(got);

		snprintf(name, sizeof(name), "many-%u", i);
		end[i] = create(name, &config, CHANNEL_SENDER);
		options.domain = other;
		EXPECT_EQ(channel_open(name, &options, NULL,
		    &end[count + i]), OK);
		EXPECT_EQ(channel_send(end[i], &number, 8, NULL), OK);
		EXPECT_EQ(channel_receive(end[count + i], &got, &length,
		    NULL), OK);
		EXPECT_EQ(got, i);
	}
	bytes = used_bytes(getpid()) + used_bytes(harness.broker) -
	    before;
	printf("# %u channels, %lu bytes each\n", count, bytes / count);
	EXPECT(bytes / count < ROOM_FACTOR * (1ul << 30) / 100000);
	for (uint32_t i = 0; i < 2 * count; i++)
		channel_close(end[i]);
	free(end);
	channel_domain_hosted_close(other);
	finish();
}

TEST_MAIN(0)
