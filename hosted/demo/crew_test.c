/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include <lib/test/ktap.h>

static const uint64_t sizes[COMPUTE_KINDS] = { 300000, 60, 1200 };

static struct meeting meeting;

static void
compute_alone(const struct compute_job *job, struct compute_result *result)
{
	uint64_t values[COMPUTE_VALUES_MAX];

	EXPECT(compute_result_create(result, job));
	for (uint32_t task = 0; task < job->tasks; task++) {
		compute_task(job, task, values);
		compute_result_put(result, task, values);
	}
}

static struct crew_report
expect_same(enum compute_kind kind, const struct crew_plan *plan)
{
	struct compute_result result, alone;
	struct crew_report report = { 0 };
	struct compute_job job;

	EXPECT(compute_plan(kind, sizes[kind], &job));
	EXPECT(compute_result_create(&result, &job));
	compute_alone(&job, &alone);
	EXPECT_EQ(crew_run(&meeting, plan, &result, &report), OK);
	EXPECT(compute_result_equal(&result, &alone));
	EXPECT_EQ(report.killed, plan->kills);
	EXPECT_EQ(report.died, 0);
	EXPECT_EQ(report.malformed, 0);
	compute_result_destroy(&result);
	compute_result_destroy(&alone);
	return report;
}

TEST(test_workers_compute_what_one_computes_alone)
{
	struct crew_plan plan = { .workers = 3, .seed = 7, .quiet = true };

	for (int kind = 0; kind < COMPUTE_KINDS; kind++) {
		struct crew_report report = expect_same(kind, &plan);

		EXPECT_EQ(report.handed_again, 0);
		EXPECT(report.most >= report.least);
	}
}

TEST(test_killed_workers_change_nothing)
{
	struct crew_plan plan = { .workers = 3, .kills = 8, .seed = 3,
		.quiet = true };

	for (int kind = 0; kind < COMPUTE_KINDS; kind++)
		expect_same(kind, &plan);
}

TEST(test_only_worker_may_be_killed)
{
	struct crew_plan plan = { .workers = 1, .kills = 4, .seed = 5,
		.quiet = true };

	expect_same(COMPUTE_PRIMES, &plan);
}

TEST(test_without_a_broker_there_is_an_error)
{
	struct crew_plan plan = { .workers = 2, .quiet = true };
	struct compute_result result;
	struct crew_report report;
	struct compute_job job;
	struct meeting nowhere;

	EXPECT(meeting_of_processes(&nowhere, "/nowhere/broker", 0));
	EXPECT(compute_plan(COMPUTE_PI, 100, &job));
	EXPECT(compute_result_create(&result, &job));
	EXPECT_EQ(crew_run(&nowhere, &plan, &result, &report), ERR_GONE);
	compute_result_destroy(&result);
	meeting_close(&nowhere);
}

TEST(test_broker_ends)
{
	meeting_close(&meeting);
	EXPECT_EQ(meeting.broker, 0);
}

TEST_MAIN(meeting_of_processes(&meeting, NULL, 0))
