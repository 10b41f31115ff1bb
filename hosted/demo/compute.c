/* SPDX-License-Identifier: MIT */
#include "compute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRIMES_MAX	100000000ul
#define PRIMES_A_TASK	5000ul
#define PI_MAX		1000000ul
#define POINTS		1000ul		/* of one unit of size */
#define PI_A_TASK	20ul		/* units */

const char *const compute_names[COMPUTE_KINDS] = { "primes", "matrix", "pi" };

/* SplitMix64 (Steele, Lea, Flood 2014): a sequence for each seed. */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t value = *state += 0x9e3779b97f4a7c15ul;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ul;
	value = (value ^ value >> 27) * 0x94d049bb133111ebul;
	return value ^ value >> 31;
}

static uint64_t
tasks_of(uint64_t size, uint64_t each)
{
	return (size + each - 1) / each;
}

bool
compute_plan(enum compute_kind kind, uint64_t size,
    struct compute_job *out_job)
{
	uint64_t tasks = size;
	uint64_t limit = COMPUTE_VALUES_MAX;

	if (kind == COMPUTE_PRIMES) {
		limit = PRIMES_MAX;
		tasks = tasks_of(size, PRIMES_A_TASK);
	} else if (kind == COMPUTE_PI) {
		limit = PI_MAX;
		tasks = tasks_of(size, PI_A_TASK);
	}
	*out_job = (struct compute_job){ .kind = kind,
		.tasks = (uint32_t)tasks, .size = size };
	return size > 0 && size <= limit;
}

size_t
compute_width(const struct compute_job *job)
{
	return job->kind == COMPUTE_MATRIX ? job->size : 1;
}

static bool
is_prime(uint64_t number)
{
	if (number < 4)
		return number > 1;
	if (number % 2 == 0)
		return false;
	for (uint64_t divisor = 3; divisor * divisor <= number; divisor += 2)
		if (number % divisor == 0)
			return false;
	return true;
}

static uint64_t
count_primes(const struct compute_job *job, uint32_t task)
{
	uint64_t end = (task + 1) * PRIMES_A_TASK, count = 0;

	for (uint64_t number = task * PRIMES_A_TASK;
	    number < end && number < job->size; number++)
		count += is_prime(number);
	return count;
}

/* The factors are made from the places of their elements. */
static uint64_t
element(uint64_t which, uint64_t row, uint64_t column)
{
	uint64_t state = which << 40 ^ row << 20 ^ column;

	return next_random(&state) % 1000;
}

static void
multiply_row(const struct compute_job *job, uint32_t row,
    uint64_t *out_values)
{
	memset(out_values, 0, job->size * sizeof(*out_values));
	for (uint64_t k = 0; k < job->size; k++) {
		uint64_t left = element(1, row, k);

		for (uint64_t column = 0; column < job->size; column++)
			out_values[column] += left * element(2, k, column);
	}
}

static uint64_t
count_hits(const struct compute_job *job, uint32_t task)
{
	uint64_t first = task * PI_A_TASK, hits = 0, state = task;
	uint64_t units = job->size - first < PI_A_TASK ? job->size - first
	    : PI_A_TASK;

	for (uint64_t i = 0; i < units * POINTS; i++) {
		uint64_t both = next_random(&state);
		uint64_t x = both >> 32, y = both & 0xffffffffu;

		/* Squares of 31 bits: their sum fits. */
		x >>= 1;
		y >>= 1;
		hits += x * x + y * y < 1ul << 62;
	}
	return hits;
}

void
compute_task(const struct compute_job *job, uint32_t task,
    uint64_t *out_values)
{
	if (job->kind == COMPUTE_PRIMES)
		out_values[0] = count_primes(job, task);
	else if (job->kind == COMPUTE_PI)
		out_values[0] = count_hits(job, task);
	else
		multiply_row(job, task, out_values);
}

bool
compute_result_create(struct compute_result *result,
    const struct compute_job *job)
{
	*result = (struct compute_result){ .job = *job };
	result->values = calloc(job->tasks * compute_width(job),
	    sizeof(*result->values));
	result->done = calloc(job->tasks, sizeof(*result->done));
	if (result->values != NULL && result->done != NULL)
		return true;
	compute_result_destroy(result);
	return false;
}

void
compute_result_destroy(struct compute_result *result)
{
	free(result->values);
	free(result->done);
	result->values = NULL;
	result->done = NULL;
}

bool
compute_result_put(struct compute_result *result, uint32_t task,
    const uint64_t *values)
{
	size_t width = compute_width(&result->job);

	if (task >= result->job.tasks || result->done[task])
		return false;
	memcpy(result->values + task * width, values,
	    width * sizeof(*values));
	result->done[task] = 1;
	result->done_count++;
	return true;
}

bool
compute_result_equal(const struct compute_result *a,
    const struct compute_result *b)
{
	return a->done_count == a->job.tasks && b->done_count == b->job.tasks &&
	    memcmp(&a->job, &b->job, sizeof(a->job)) == 0 &&
	    memcmp(a->values, b->values,
	    a->job.tasks * compute_width(&a->job) * sizeof(*a->values)) == 0;
}

void
compute_result_text(const struct compute_result *result, char *text,
    size_t size)
{
	size_t count = result->job.tasks * compute_width(&result->job);
	uint64_t sum = 0, mixed = 0;

	for (size_t i = 0; i < count; i++) {
		sum += result->values[i];
		mixed = (mixed ^ result->values[i]) * 0x100000001b3ul;
	}
	if (result->job.kind == COMPUTE_PRIMES)
		snprintf(text, size, "%lu primes below %lu", sum,
		    result->job.size);
	else if (result->job.kind == COMPUTE_PI)
		snprintf(text, size, "pi is about %.6f", 4.0 * (double)sum /
		    (double)(result->job.size * POINTS));
	else
		snprintf(text, size, "product of checksum %016lx", mixed);
}
