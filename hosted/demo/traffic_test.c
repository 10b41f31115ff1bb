/* SPDX-License-Identifier: MIT */
#include "traffic.h"

#include <lib/test/ktap.h>

#include <sys/wait.h>
#include <unistd.h>

#define EACH	300u

struct member {
	struct traffic *traffic;
	unsigned number;
	bool	 produces;
	pthread_t thread;
	pid_t	 process;
};

static const struct {
	enum channel_serializer serializer;
	unsigned trust;
} cases[] = {
	{ CHANNEL_RAW, 0xe }, { CHANNEL_LITE, 0x8 }, { CHANNEL_FULL, 0 },
};

static void *
live(void *argument)
{
	struct member *member = argument;

	if (member->produces)
		traffic_produce(member->traffic, member->number);
	else
		traffic_consume(member->traffic, member->number);
	return NULL;
}

static void
start(struct member *member, bool process)
{
	if (!process) {
		EXPECT_EQ(pthread_create(&member->thread, NULL, live, member),
		    0);
		return;
	}
	fflush(stdout);
	member->process = fork();
	EXPECT(member->process >= 0);
	if (member->process == 0) {
		live(member);
		_exit(0);
	}
}

/* The channel stays until all members went. */
static void
run_members(struct traffic *traffic)
{
	unsigned count = traffic->producers + traffic->consumers;
	struct member member[2 * TRAFFIC_MEMBERS_MAX];
	bool processes = traffic->meeting->processes;

	for (unsigned i = 0; i < count; i++) {
		bool produces = i < traffic->producers;

		member[i] = (struct member){ .traffic = traffic,
			.produces = produces,
			.number = produces ? i : i - traffic->producers };
		start(&member[i], processes);
	}
	for (unsigned i = 0; i < count; i++) {
		if (processes)
			EXPECT_EQ(waitpid(member[i].process, NULL, 0),
			    member[i].process);
		else
			pthread_join(member[i].thread, NULL);
	}
}

static void
run(struct traffic *traffic)
{
	struct attendance attendance;
	struct channel *channel;

	EXPECT(meeting_enter(traffic->meeting, &attendance));
	EXPECT_EQ(traffic_open(traffic, &attendance, &channel), OK);
	run_members(traffic);
	channel_close(channel);
	meeting_leave(traffic->meeting, &attendance);
}

static void
expect_exact(bool processes, unsigned producers, unsigned consumers)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct meeting meeting;
		struct traffic traffic = { .meeting = &meeting,
			.producers = producers, .consumers = consumers,
			.count = EACH, .serializer = cases[i].serializer };

		EXPECT(processes
		    ? meeting_of_processes(&meeting, NULL, cases[i].trust)
		    : meeting_of_threads(&meeting, cases[i].trust));
		EXPECT(traffic_create(&traffic));
		run(&traffic);
		EXPECT(traffic_is_exact(&traffic));
		EXPECT_EQ(traffic_sums(&traffic).received.messages,
		    EACH * producers);
		traffic_destroy(&traffic);
		meeting_close(&meeting);
	}
}

TEST(test_threads_receive_each_parcel_once)
{
	expect_exact(false, 1, 1);
	expect_exact(false, 3, 2);
	expect_exact(false, 1, 4);
	expect_exact(false, 4, 1);
}

TEST(test_processes_receive_each_parcel_once)
{
	expect_exact(true, 2, 2);
	expect_exact(true, 1, 3);
}

TEST(test_serializer_weaker_than_trust_is_refused)
{
	struct meeting meeting;
	struct traffic traffic = { .meeting = &meeting, .producers = 1,
		.consumers = 1, .count = 1, .serializer = CHANNEL_RAW };
	struct attendance attendance;
	struct channel *channel;

	EXPECT(meeting_of_threads(&meeting, 0x8));
	EXPECT(meeting_enter(&meeting, &attendance));
	EXPECT(traffic_open(&traffic, &attendance, &channel) == ERR_RIGHT);
	meeting_leave(&meeting, &attendance);
	meeting_close(&meeting);
}

TEST(test_book_is_exact_only_if_all_agrees)
{
	struct meeting meeting;
	struct traffic traffic = { .meeting = &meeting, .producers = 1,
		.consumers = 1, .count = 5 };
	struct traffic_totals *sent, *received;

	EXPECT(traffic_create(&traffic));
	sent = &traffic.shared->producer[0];
	received = &traffic.shared->consumer[0];
	*sent = *received = (struct traffic_totals){ .messages = 5, .sum = 9 };
	EXPECT(traffic_is_exact(&traffic));
	received->messages--;
	EXPECT(!traffic_is_exact(&traffic));
	received->messages++;
	received->sum++;
	EXPECT(!traffic_is_exact(&traffic));
	received->sum--;
	received->wrong++;
	EXPECT(!traffic_is_exact(&traffic));
	received->wrong--;
	sent->status = ERR_GONE;
	EXPECT(!traffic_is_exact(&traffic));
	sent->status = OK;
	traffic.count = 6;
	EXPECT(!traffic_is_exact(&traffic));
	traffic_destroy(&traffic);
}

TEST_MAIN(0)
