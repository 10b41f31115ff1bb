/* SPDX-License-Identifier: MIT */
#include "extras.h"
#include "goals.h"
#include "runner.h"

#include <lib/test/ktap.h>

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGES	40u
#define ORDINARY	PEER_ROUND_TRIP | PEER_STREAM

static int cpu[2];
static char folder[] = "/tmp/bench-test.XXXXXX";

static bool
start(struct runner *runner, const struct bench_peer *peer)
{
	runner_prepare(runner, peer, folder, cpu);
	runner_start(runner);
	runner_open(runner);
	return runner->why[0] == '\0';
}

static bool
messages_pass(const struct bench_peer *peer)
{
	static const size_t sizes[] = { 8, 32, 64, 4096, 65536 };
	struct runner runner;
	bool fine = start(&runner, peer);

	if (fine && (peer->flags & PEER_ROUND_TRIP) != 0)
		for (unsigned i = 0; i < 3; i++)
			fine &= runner_measure(&runner, BENCH_ROUND_TRIP,
			    sizes[i], MESSAGES) > 0;
	/* From large to small and back: nothing of a size stays behind. */
	if (fine && (peer->flags & PEER_STREAM) != 0)
		for (unsigned i = 0; i < 10; i++)
			fine &= runner_measure(&runner, BENCH_STREAM,
			    sizes[i < 5 ? 4 - i : i - 5], MESSAGES) > 0;
	for (const struct bench_local *local = peer->locals;
	    fine && local != NULL && local->name != NULL; local++)
		fine &= local->run(runner.end, MESSAGES) > 0;
	fine |= strcmp(runner.why, "needs two CPUs") == 0;
	if (!fine)
		printf("# %s: %s\n", peer->name, runner.why);
	runner_close(&runner);
	return fine;
}

/* Each in a process of its own: some libraries cannot be forked once used. */
static void
expect_messages_pass(const struct bench_peer *peer)
{
	pid_t child;
	int status = 1;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		bool fine = messages_pass(peer);

		fflush(stdout);
		_exit(fine ? 0 : 1);
	}
	EXPECT(child > 0 && waitpid(child, &status, 0) == child);
	EXPECT_EQ(status, 0);
}

TEST(test_every_peer_brings_messages_whole_and_in_order)
{
	for (const struct bench_entry *entry = bench_peers;
	    entry->name != NULL; entry++)
		if (entry->peer != NULL)
			expect_messages_pass(entry->peer);
}

TEST(test_every_peer_has_the_name_of_its_entry)
{
	for (const struct bench_entry *entry = bench_peers;
	    entry->name != NULL; entry++) {
		EXPECT(entry->peer != NULL || entry->needs != NULL);
		EXPECT(entry->peer == NULL ||
		    strcmp(entry->peer->name, entry->name) == 0);
	}
}

/* A socket whose sides can be told to do wrong. */
static enum { HONEST, CHANGES, LOSES, REFUSES } behaviour;

static int
fake_prepare(struct bench_rig *rig)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, rig->fd);
}

static void *
fake_open(struct bench_rig *rig, enum bench_side side)
{
	if (behaviour == REFUSES && side == BENCH_SERVER)
		return NULL;
	return &rig->fd[side == BENCH_CLIENT ? 0 : 1];
}

static void
fake_close(void *end)
{
}

static bool
fake_get(void *end, const struct bench_job *job, uint64_t number)
{
	return recv(*(int *)end, job->buffer, job->size, 0) ==
	    (ssize_t)job->size && bench_has_number(job->buffer, number);
}

static bool
fake_put(void *end, const struct bench_job *job)
{
	return send(*(int *)end, job->buffer, job->size, MSG_NOSIGNAL) ==
	    (ssize_t)job->size;
}

static bool
fake_round_trip(void *end, const struct bench_job *job)
{
	for (uint64_t i = 0; i < job->count; i++) {
		bench_number(job->buffer, i);
		if (!fake_put(end, job) || !fake_get(end, job, i))
			return false;
	}
	return true;
}

static bool
fake_serve(void *end, const struct bench_job *job)
{
	for (uint64_t i = 0; i < job->count; i++) {
		if (!fake_get(end, job, i))
			return false;
		if (behaviour == CHANGES && i == 5)
			job->buffer[0] ^= 1;
		if (!fake_put(end, job))
			return false;
	}
	return true;
}

static bool
fake_send(void *end, const struct bench_job *job)
{
	for (uint64_t i = 0; i < job->count; i++) {
		bench_number(job->buffer, behaviour == LOSES && i > 5 ? i + 1
		    : i);
		if (!fake_put(end, job))
			return false;
	}
	return true;
}

static bool
fake_receive(void *end, const struct bench_job *job)
{
	for (uint64_t i = 0; i < job->count; i++)
		if (!fake_get(end, job, i))
			return false;
	return true;
}

static const struct bench_peer fake = {
	.name = "fake", .text = "fake", .flags = ORDINARY,
	.prepare = fake_prepare, .open = fake_open,
	.round_trip = fake_round_trip, .serve = fake_serve,
	.send = fake_send, .receive = fake_receive, .close = fake_close,
};

static uint64_t
measure_fake(int how, enum bench_kind kind, bool *out_started)
{
	struct runner runner;
	uint64_t time = 0;

	behaviour = how;
	*out_started = start(&runner, &fake);
	if (*out_started)
		time = runner_measure(&runner, kind, 64, MESSAGES);
	EXPECT((time == 0) == (runner.why[0] != '\0'));
	runner_close(&runner);
	return time;
}

TEST(test_wrong_peer_has_no_figure_and_ends)
{
	bool started;

	EXPECT(measure_fake(HONEST, BENCH_ROUND_TRIP, &started) > 0);
	EXPECT(measure_fake(HONEST, BENCH_STREAM, &started) > 0);
	EXPECT_EQ(measure_fake(CHANGES, BENCH_ROUND_TRIP, &started), 0);
	EXPECT(started);
	EXPECT_EQ(measure_fake(LOSES, BENCH_STREAM, &started), 0);
	EXPECT(started);
	EXPECT_EQ(measure_fake(REFUSES, BENCH_STREAM, &started), 0);
	EXPECT(!started);
}

TEST(test_dead_server_is_noticed)
{
	struct runner runner;

	behaviour = HONEST;
	EXPECT(start(&runner, &fake));
	EXPECT_EQ(kill(runner.server, SIGKILL), 0);
	EXPECT_EQ(runner_measure(&runner, BENCH_STREAM, 64, MESSAGES), 0);
	EXPECT(strcmp(runner.why, "the server is gone") == 0);
	runner_close(&runner);
}

static struct figures figures = { .rounds = 4 };

static struct figure *
make_figure(const char *name, const char *unit, const double *values,
    unsigned rounds)
{
	EXPECT(figures_add_single(&figures, name, "test", unit, 0));
	memcpy(figures.figure[figures.count - 1].values, values,
	    rounds * sizeof(*values));
	figures.figure[figures.count - 1].rounds = rounds;
	return &figures.figure[figures.count - 1];
}

static bool
near(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

TEST(test_summary_is_of_the_sorted_values)
{
	static const double values[] = { 40, 10, 30, 20 };
	struct figure *figure = make_figure("a.b", "ns", values, 4);
	struct summary summary = figure_summary(figure);

	EXPECT(near(summary.median, 25));
	EXPECT(near(summary.best, 10));
	EXPECT(near(summary.low, 17.5));
	EXPECT(near(summary.high, 32.5));
	EXPECT(near(figure->values[0], 40));
	figures_free(&figures);
}

TEST(test_ratio_is_the_median_of_the_rounds)
{
	static const double first[] = { 2, 20, 200 }, second[] = { 1, 5, 10 };
	struct figure *a = make_figure("a.round_trip_32", "ns", first, 3);
	struct figure *b = make_figure("floor.round_trip_32", "ns", second, 3);

	EXPECT(near(figure_ratio(a, b), 4));
	EXPECT(figures_floor(&figures, a) == b);
	figures_free(&figures);
}

TEST(test_stream_stands_on_memcpy_of_its_size)
{
	static const double one = 1;
	struct figure *small = make_figure("a.stream_64", "ns", &one, 1);
	struct figure *large = make_figure("a.stream_65536", "ns", &one, 1);
	struct figure *floor = make_figure("memcpy.stream_65536", "ns", &one,
	    1);

	EXPECT(figures_floor(&figures, small) == NULL);
	EXPECT(figures_floor(&figures, large) == floor);
	figures_free(&figures);
}

static enum verdict
verdict_of(struct goal goal, double *out_value)
{
	struct outcome outcome = goal_outcome(&figures, &goal);

	*out_value = outcome.value;
	return outcome.verdict;
}

TEST(test_goal_is_met_up_to_its_limit)
{
	static const double slow = 30, fast = 10;
	double value;

	make_figure("slow.x", "ns", &slow, 1);
	make_figure("fast.x", "ns", &fast, 1);
	EXPECT_EQ(verdict_of((struct goal){ .figure = "slow.x",
	    .at_most = 30 }, &value), GOAL_MET);
	EXPECT_EQ(verdict_of((struct goal){ .figure = "slow.x",
	    .at_most = 29 }, &value), GOAL_MISSED);
	EXPECT_EQ(verdict_of((struct goal){ .figure = "slow.x",
	    .against = "fast.x", .at_most = 2.9 }, &value), GOAL_MISSED);
	EXPECT(near(value, 3));
	EXPECT_EQ(verdict_of((struct goal){ .figure = "fast.x",
	    .against = "slow.x", .at_least = 3 }, &value), GOAL_MET);
	EXPECT_EQ(verdict_of((struct goal){ .figure = "fast.x",
	    .against = "slow.x", .at_least = 3.1 }, &value), GOAL_MISSED);
	EXPECT_EQ(verdict_of((struct goal){ .figure = "fast.x",
	    .against = "none.x", .at_most = 1 }, &value), GOAL_NOT_MEASURED);
	EXPECT_EQ(verdict_of((struct goal){ .figure = "none.x",
	    .at_most = 1 }, &value), GOAL_NOT_MEASURED);
	figures_free(&figures);
}

TEST(test_low_floor_allows_cycles_on_top)
{
	static const double floor = 10;
	double figure = 10 + 100 / bench_cycles_per_ns(), value;
	struct goal goal = { .figure = "a.x", .against = "floor.x",
		.at_most = 1.01, .plus_cycles = 150, .below_ns = 50 };

	make_figure("floor.x", "ns", &floor, 1);
	make_figure("a.x", "ns", &figure, 1);
	EXPECT_EQ(verdict_of(goal, &value), GOAL_MET);
	goal.below_ns = 5;
	EXPECT_EQ(verdict_of(goal, &value), GOAL_MISSED);
	goal.below_ns = 50;
	goal.plus_cycles = 50;
	EXPECT_EQ(verdict_of(goal, &value), GOAL_MISSED);
	figures_free(&figures);
}

TEST(test_speed_is_bits_per_ns)
{
	static const double time = 100;
	struct goal goal = { .figure = "a.x", .speed = true,
		.at_least = 327.68 };
	double value;

	make_figure("a.x", "ns", &time, 1)->size = 4096;
	EXPECT_EQ(verdict_of(goal, &value), GOAL_MET);
	goal.at_least = 327.69;
	EXPECT_EQ(verdict_of(goal, &value), GOAL_MISSED);
	figures_free(&figures);
}

static bool
setup(void)
{
	runner_cpus(cpu);
	return mkdtemp(folder) != NULL;
}

TEST(test_every_extra_has_figures)
{
	for (const struct bench_extra *extra = bench_extras;
	    extra->name != NULL; extra++) {
		unsigned before = figures.count;

		EXPECT(extra->run(&figures, true));
		EXPECT(figures.count > before);
	}
	figures_free(&figures);
}

TEST(test_sockets_are_removed)
{
	EXPECT_EQ(rmdir(folder), 0);
}

TEST_MAIN(setup())
