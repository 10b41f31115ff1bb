/* SPDX-License-Identifier: MIT */
#include "farm.h"

#include <lib/test/ktap.h>

#include <string.h>

#define HEAD	offsetof(struct farm_request, values)

static struct compute_job
plan(enum compute_kind kind, uint64_t size)
{
	struct compute_job job;

	EXPECT(compute_plan(kind, size, &job));
	return job;
}

static struct compute_result
sequential(const struct compute_job *job)
{
	struct compute_result result;
	uint64_t values[COMPUTE_VALUES_MAX];

	EXPECT(compute_result_create(&result, job));
	for (uint32_t task = 0; task < job->tasks; task++) {
		compute_task(job, task, values);
		EXPECT(compute_result_put(&result, task, values));
	}
	return result;
}

TEST(test_primes_are_as_many_as_known)
{
	struct compute_job job = plan(COMPUTE_PRIMES, 100000);
	struct compute_result result = sequential(&job);
	char text[64];

	compute_result_text(&result, text, sizeof(text));
	EXPECT(strcmp(text, "9592 primes below 100000") == 0);
	compute_result_destroy(&result);
	job = plan(COMPUTE_PRIMES, 12345);
	result = sequential(&job);
	compute_result_text(&result, text, sizeof(text));
	EXPECT(strcmp(text, "1474 primes below 12345") == 0);
	compute_result_destroy(&result);
}

TEST(test_pi_is_near_and_always_the_same)
{
	struct compute_job job = plan(COMPUTE_PI, 1001);
	struct compute_result a = sequential(&job), b = sequential(&job);
	char text[64];

	compute_result_text(&a, text, sizeof(text));
	EXPECT(strncmp(text, "pi is about 3.14", 16) == 0);
	EXPECT(compute_result_equal(&a, &b));
	compute_result_destroy(&a);
	compute_result_destroy(&b);
}

TEST(test_size_has_limits)
{
	struct compute_job job;

	for (int kind = 0; kind < COMPUTE_KINDS; kind++) {
		EXPECT(!compute_plan(kind, 0, &job));
		EXPECT(!compute_plan(kind, ~0ul, &job));
	}
	EXPECT(!compute_plan(COMPUTE_MATRIX, COMPUTE_VALUES_MAX + 1, &job));
}

TEST(test_changed_value_is_not_equal)
{
	struct compute_job job = plan(COMPUTE_MATRIX, 20);
	struct compute_result a = sequential(&job), b = sequential(&job);

	EXPECT(compute_result_equal(&a, &b));
	b.values[399] ^= 1;
	EXPECT(!compute_result_equal(&a, &b));
	compute_result_destroy(&a);
	compute_result_destroy(&b);
}

static uint64_t state = 1;

static unsigned
pick(unsigned limit)
{
	state = state * 6364136223846793005ul + 1442695040888963407ul;
	return (unsigned)((state >> 33) % limit);
}

/* A worker as the farm sees it. */
struct model_worker {
	uint32_t number;
	uint32_t task;		/* FARM_NONE: nothing done yet */
};

static uint32_t
ask(struct farm *farm, struct model_worker *worker)
{
	struct farm_request request = { .worker = worker->number,
		.task = worker->task };
	struct farm_answer answer;

	if (worker->task != FARM_NONE) {
		request.count = compute_width(&farm->result.job);
		compute_task(&farm->result.job, worker->task, request.values);
	}
	EXPECT(farm_serve(farm, &request, HEAD + request.count * 8, &answer));
	worker->task = answer.task;
	return answer.task;
}

static void
join(struct farm *farm, struct model_worker *worker, uint32_t number)
{
	*worker = (struct model_worker){ number, FARM_NONE };
	EXPECT(farm_worker_joined(farm, number));
}

static void
run_with_deaths(const struct compute_job *job, unsigned death_of_10)
{
	struct model_worker worker[8];
	struct compute_result expected = sequential(job);
	struct farm farm;
	uint32_t numbers = 0, left = 8;

	EXPECT(farm_create(&farm, job));
	for (unsigned i = 0; i < 8; i++)
		join(&farm, &worker[i], numbers++);
	while (left > 0) {
		struct model_worker *one = &worker[pick(8)];

		if (one->task == FARM_END)
			continue;
		if (pick(10) < death_of_10) {
			farm_worker_died(&farm, one->number);
			/* Its last request may come behind the news. */
			if (pick(2) == 0)
				EXPECT_EQ(ask(&farm, one), FARM_END);
			join(&farm, one, numbers++);
		} else if (ask(&farm, one) == FARM_END) {
			left--;
		}
		EXPECT(farm_ok(&farm));
	}
	EXPECT(compute_result_equal(&farm.result, &expected));
	EXPECT((farm.handed_again > 0) == (death_of_10 > 0));
	farm_destroy(&farm);
	compute_result_destroy(&expected);
}

TEST(test_result_is_the_same_whoever_dies)
{
	for (int kind = 0; kind < COMPUTE_KINDS; kind++) {
		struct compute_job job = plan(kind, kind == COMPUTE_PRIMES
		    ? 100000 : kind == COMPUTE_PI ? 200 : 30);

		for (unsigned death_of_10 = 0; death_of_10 < 8;
		    death_of_10 += 2)
			run_with_deaths(&job, death_of_10);
	}
}

TEST(test_result_of_a_task_that_was_taken_away_is_ignored)
{
	struct compute_job job = plan(COMPUTE_PRIMES, 20000);
	struct model_worker late, other;
	struct farm farm;

	EXPECT(farm_create(&farm, &job));
	join(&farm, &late, 1);
	join(&farm, &other, 2);
	EXPECT_EQ(ask(&farm, &late), 0);
	farm_worker_died(&farm, 1);
	EXPECT_EQ(ask(&farm, &other), 0);
	EXPECT_EQ(ask(&farm, &late), FARM_END);
	EXPECT_EQ(farm.late, 1);
	EXPECT_EQ(farm.result.done_count, 0);
	EXPECT(farm_ok(&farm));
	EXPECT_EQ(ask(&farm, &other), 1);
	EXPECT_EQ(farm.result.done_count, 1);
	farm_destroy(&farm);
}

TEST(test_worker_that_asks_again_gives_its_task_back)
{
	struct compute_job job = plan(COMPUTE_PRIMES, 20000);
	struct model_worker worker;
	struct farm farm;

	EXPECT(farm_create(&farm, &job));
	join(&farm, &worker, 1);
	EXPECT_EQ(ask(&farm, &worker), 0);
	worker.task = FARM_NONE;
	EXPECT_EQ(ask(&farm, &worker), 0);
	EXPECT(farm_ok(&farm));
	for (uint32_t i = 1; i < FARM_WORKERS_MAX; i++)
		EXPECT(farm_worker_joined(&farm, i + 1));
	EXPECT(!farm_worker_joined(&farm, 1000));
	farm_destroy(&farm);
}

TEST(test_malformed_request_changes_nothing)
{
	struct compute_job job = plan(COMPUTE_MATRIX, 10);
	struct farm_request request = { .worker = 3, .task = FARM_NONE };
	struct farm_answer answer;
	struct farm farm;

	EXPECT(farm_create(&farm, &job));
	EXPECT(!farm_serve(&farm, &request, HEAD - 1, &answer));
	EXPECT(!farm_serve(&farm, &request, HEAD + 8, &answer));
	request.count = 1;
	EXPECT(!farm_serve(&farm, &request, HEAD + 8, &answer));
	request.task = 0;
	EXPECT(!farm_serve(&farm, &request, HEAD + 8, &answer));
	request.count = 10;
	EXPECT(!farm_serve(&farm, &request, HEAD + 88, &answer));
	EXPECT(!farm_serve(&farm, &request, sizeof(request) + 8, &answer));
	request.count = ~0ul / 8 + 1;
	EXPECT(!farm_serve(&farm, &request, HEAD, &answer));
	EXPECT_EQ(farm.malformed, 7);
	EXPECT_EQ(farm.waiting_count, job.tasks);
	EXPECT(farm_ok(&farm));
	EXPECT(farm_worker_joined(&farm, 3));
	request.task = 1000000;
	request.count = 10;
	EXPECT(farm_serve(&farm, &request, HEAD + 80, &answer));
	EXPECT_EQ(farm.result.done_count, 0);
	farm_destroy(&farm);
}

TEST_MAIN(0)
