/* SPDX-License-Identifier: MIT */
/*
 * kill -9 at any moment of either end: what was committed arrives or is counted,
 * and nothing stays behind. The child tells in memory that it shares with the
 * test how far it is; the kill comes after a random time.
 */
#include "harness_host.h"

#include <lib/test/ktap.h>

#include <sys/mman.h>

#define ROUNDS		100u	/* of each role */
#define NS_PER_SECOND	1000000000ul
#define PATIENCE_NS	(20 * NS_PER_SECOND)

struct shared {
	uint64_t started;	/* the child is at work */
	uint64_t done;		/* operations that returned OK */
	uint64_t wrong;		/* a message out of order */
};

static struct harness harness;
static struct channel_domain *domain;
static volatile struct shared *shared;
static uint32_t random_state = 1;
static uint64_t exchanged;

static uint32_t
next_random(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8;
}

static uint64_t
now_ns(void)
{
	return domain->port->now_ns(domain);
}

static const struct channel_config configs[] = {
	{ .type = CHANNEL_ASYNC, .message_max = 64, .buffer_size = 1024 },
	{ .type = CHANNEL_ASYNC, .message_max = 64, .buffer_size = 1024,
	    .pollable = true },
	{ .type = CHANNEL_ASYNC, .message_max = 256, .buffer_size = 4096,
	    .zero_copy = true, .buffers = 8 },
	{ .type = CHANNEL_BROADCAST, .message_max = 64, .buffer_size = 1024 },
};

/* The number at both ends, so that a torn message shows. */
struct message {
	uint64_t number;
	uint64_t filler[4];
	uint64_t again;
};

static struct channel *
connect_anew(unsigned role)
{
	struct channel_options options = {
		.domain = harness_connect(&harness), .role = role,
	};
	struct channel *channel;

	if (options.domain == NULL ||
	    channel_open("death", &options, NULL, &channel) != OK)
		_exit(1);
	return channel;
}

static void
send_on_and_on(void)
{
	struct channel *channel = connect_anew(CHANNEL_SENDER);

	shared->started = 1;
	for (uint64_t i = 0;; i++) {
		struct message message = { .number = i, .again = i };

		if (channel_send(channel, &message, sizeof(message), NULL) !=
		    OK)
			_exit(1);
		shared->done = i + 1;
	}
}

static void
receive_on_and_on(void)
{
	struct channel *channel = connect_anew(CHANNEL_RECEIVER);

	shared->started = 1;
	for (uint64_t i = 0;; i++) {
		struct message message;
		size_t length = sizeof(message);

		if (channel_receive_until(channel, &message, &length, NULL,
		    CHANNEL_FOREVER) != OK)
			_exit(1);
		if (message.number != i || message.again != i)
			shared->wrong = 1;
		shared->done = i + 1;
	}
}

static pid_t
start_child(void (*body)(void))
{
	pid_t child;

	memset((void *)shared, 0, sizeof(*shared));
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		body();
		_exit(1);
	}
	return child;
}

/* Most are killed at work, each fourth wherever it is on its way there. */
static bool
is_time(uint64_t *deadline_ns)
{
	if (*deadline_ns == 0)
		*deadline_ns = next_random() % 4 == 0 ?
		    now_ns() + next_random() % 3000000 : UINT64_MAX;
	if (*deadline_ns == UINT64_MAX && shared->started)
		*deadline_ns = now_ns() + next_random() % 2000000;
	return now_ns() >= *deadline_ns;
}

static struct channel *
create(const struct channel_config *config, unsigned role)
{
	struct channel_options options = { .domain = domain, .role = role };
	struct channel *channel;

	if (channel_create("death", config, &options, NULL, &channel) != OK)
		abort();
	return channel;
}

/* Receives in order while the child lives, then to the end. */
static void
sender_dies(const struct channel_config *config)
{
	struct channel *channel = create(config, CHANNEL_RECEIVER);
	pid_t child = start_child(send_on_and_on);
	uint64_t kill_ns = 0, count = 0, limit = now_ns() + PATIENCE_NS;
	status_t status = OK;
	bool killed = false;

	while (status != ERR_GONE && now_ns() < limit) {
		struct message message;
		size_t length = sizeof(message);

		if (!killed && is_time(&kill_ns)) {
			killed = true;
			kill(child, SIGKILL);
		}
		status = channel_receive_until(channel, &message, &length,
		    NULL, now_ns() + (killed ? 50000000 : 200000));
		/* It never came so far. */
		if (killed && status == ERR_TIMEOUT && !shared->started)
			status = ERR_GONE;
		if (status == OK) {
			EXPECT_EQ(message.number, count);
			EXPECT_EQ(message.again, count);
			count++;
		}
	}
	waitpid(child, NULL, 0);
	exchanged += count;
	EXPECT_EQ(status, ERR_GONE);
	/* Killed between the commit and telling of it: one more. */
	EXPECT(count == shared->done || count == shared->done + 1);
	channel_close(channel);
}

/* Sends while the child lives; what it did not take is counted. */
static void
receiver_dies(const struct channel_config *config)
{
	struct channel *channel = create(config, CHANNEL_SENDER);
	pid_t child = start_child(receive_on_and_on);
	uint64_t kill_ns = 0, count = 0, limit = now_ns() + PATIENCE_NS;
	struct channel_statistics seen;
	status_t status = OK;
	bool killed = false;

	while (now_ns() < limit) {
		struct message message = { .number = count, .again = count };

		if (!killed && is_time(&kill_ns)) {
			killed = true;
			kill(child, SIGKILL);
		}
		status = channel_send_until(channel, &message,
		    sizeof(message), NULL, now_ns() + 200000);
		count += status == OK;
		if (killed && status == ERR_EMPTY)
			break;
	}
	waitpid(child, NULL, 0);
	exchanged += shared->done;
	EXPECT_EQ(status, ERR_EMPTY);
	EXPECT_EQ(shared->wrong, 0);
	channel_statistics(channel, &seen);
	EXPECT_EQ(seen.sent, count);
	/* Taken, then killed before it could tell: one more. */
	EXPECT(seen.sent - seen.abandoned == shared->done ||
	    seen.sent - seen.abandoned == shared->done + 1);
	channel_close(channel);
}

static void
run(void (*round)(const struct channel_config *config))
{
	struct broker_totals before, after;

	harness_start(&harness, NULL);
	EXPECT(harness_is_empty(&harness, &before));
	domain = harness_connect(&harness);
	exchanged = 0;
	for (unsigned i = 0; i < ROUNDS && !ktap_state.failed; i++)
		round(&configs[i % (sizeof(configs) / sizeof(configs[0]))]);
	channel_domain_hosted_close(domain);
	/* Else nothing was tested. */
	EXPECT(exchanged > 0);
	EXPECT(harness_is_empty(&harness, &after));
	EXPECT_EQ(after.descriptors, before.descriptors);
	EXPECT_EQ(harness_end(&harness), 0);
}

TEST(test_killed_sender_loses_nothing_committed_and_leaves_nothing)
{
	run(sender_dies);
}

TEST(test_killed_receiver_is_accounted_for_and_leaves_nothing)
{
	run(receiver_dies);
}

static void
setup(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
}

TEST_MAIN((setup(), 0))
