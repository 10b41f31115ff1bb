/* SPDX-License-Identifier: MIT */
/*
 * Who has which task: the coordinator's book. A worker asks for a task and
 * brings the result of the one before; a task whose worker died is handed out
 * again. Fast workers ask more often, so the load balances itself. No input or
 * output here.
 *
 * Only who joined and did not die is given a task: a request can come later
 * than the news of the death of who sent it.
 */
#pragma once

#include "compute.h"

#define FARM_WORKERS_MAX	64u

/* A request of a worker, and the answer. */
struct farm_request {
	uint32_t worker;	/* its number; never used again */
	uint32_t task;		/* done, or FARM_NONE */
	uint64_t count;		/* of values that are sent */
	uint64_t values[COMPUTE_VALUES_MAX];
};

#define FARM_NONE	(~0u)	/* no task: ask again soon */
#define FARM_END	(~0u - 1)	/* nothing is left to do */

struct farm_answer {
	uint32_t task;
	uint32_t zero;
	struct compute_job job;
};

struct farm_holding {
	uint32_t worker;
	uint32_t task;		/* FARM_NONE: none at the moment */
};

struct farm {
	struct compute_result result;
	struct farm_holding holding[FARM_WORKERS_MAX];
	unsigned workers;	/* that joined and did not die */
	uint32_t *waiting;	/* tasks to hand out, a stack */
	uint32_t waiting_count;
	uint64_t handed_again;	/* after a death */
	uint64_t late;		/* requests of the dead */
	uint64_t malformed;	/* requests that were none */
};

/* False: no memory. */
bool farm_create(struct farm *farm, const struct compute_job *job);
void farm_destroy(struct farm *farm);
/* `length` bytes came as a request: fills the answer. False: they were none. */
bool farm_serve(struct farm *farm, const void *request, size_t length,
    struct farm_answer *out_answer);
/* A number never used before. False: FARM_WORKERS_MAX are there. */
bool farm_worker_joined(struct farm *farm, uint32_t worker);
void farm_worker_died(struct farm *farm, uint32_t worker);
bool farm_is_done(const struct farm *farm);
/* Every task is done, held or waiting, in exactly one of these. For tests. */
bool farm_ok(const struct farm *farm);
