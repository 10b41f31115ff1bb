/* SPDX-License-Identifier: MIT */
/*
 * What distributed-compute computes: a job is cut into tasks that need nothing
 * of each other, so any worker may do any task, twice if need be, and the
 * result is the same. Everything is whole numbers: results are compared
 * exactly.
 *
 *	primes	how many primes there are below size; a task is a range
 *	matrix	the product of two matrices of size x size; a task is a row
 *	pi	how many of size x 1000 random points lie in the circle; a task
 *		has the seed of its own number
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMPUTE_VALUES_MAX	400u	/* of a task; the side of a matrix */

enum compute_kind { COMPUTE_PRIMES, COMPUTE_MATRIX, COMPUTE_PI, COMPUTE_KINDS };

struct compute_job {
	uint32_t kind;		/* enum compute_kind */
	uint32_t tasks;
	uint64_t size;
};

extern const char *const compute_names[COMPUTE_KINDS];

/* False: size out of range for its kind. */
bool compute_plan(enum compute_kind kind, uint64_t size,
    struct compute_job *out_job);
/* Values that each task gives. */
size_t compute_width(const struct compute_job *job);
void compute_task(const struct compute_job *job, uint32_t task,
    uint64_t *out_values);

/*
 * What is known so far; of each task the first result counts. tasks * width
 * values.
 */
struct compute_result {
	struct compute_job job;
	uint64_t *values;
	uint8_t	*done;		/* of each task */
	uint32_t done_count;
};

bool compute_result_create(struct compute_result *result,
    const struct compute_job *job);
void compute_result_destroy(struct compute_result *result);
/* False: no such task, or it was done before. */
bool compute_result_put(struct compute_result *result, uint32_t task,
    const uint64_t *values);
bool compute_result_equal(const struct compute_result *a,
    const struct compute_result *b);
/* One line for people: the number of primes, pi, a checksum. */
void compute_result_text(const struct compute_result *result, char *text,
    size_t size);
