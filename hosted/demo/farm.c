/* SPDX-License-Identifier: MIT */
#include "farm.h"

#include <stdlib.h>
#include <string.h>

#define REQUEST_HEAD	offsetof(struct farm_request, values)

bool
farm_create(struct farm *farm, const struct compute_job *job)
{
	*farm = (struct farm){ .waiting_count = job->tasks };
	if (!compute_result_create(&farm->result, job))
		return false;
	farm->waiting = calloc(job->tasks, sizeof(*farm->waiting));
	if (farm->waiting == NULL) {
		compute_result_destroy(&farm->result);
		return false;
	}
	/* The first task is taken first. */
	for (uint32_t i = 0; i < job->tasks; i++)
		farm->waiting[i] = job->tasks - 1 - i;
	return true;
}

void
farm_destroy(struct farm *farm)
{
	compute_result_destroy(&farm->result);
	free(farm->waiting);
	farm->waiting = NULL;
}

static struct farm_holding *
find_worker(struct farm *farm, uint32_t worker)
{
	for (unsigned i = 0; i < farm->workers; i++)
		if (farm->holding[i].worker == worker)
			return &farm->holding[i];
	return NULL;
}

/* Copied first: who asks could change it while it is looked at. */
static bool
read_request(const struct farm *farm, const void *bytes, size_t length,
    struct farm_request *out_request)
{
	if (length < REQUEST_HEAD || length > sizeof(*out_request))
		return false;
	memcpy(out_request, bytes, length);
	if (out_request->task == FARM_NONE)
		return out_request->count == 0 && length == REQUEST_HEAD;
	return out_request->count == compute_width(&farm->result.job) &&
	    length == REQUEST_HEAD + out_request->count * sizeof(uint64_t);
}

/* A result counts only from who holds the task. */
static void
take_result(struct farm *farm, const struct farm_request *request,
    struct farm_holding *holding)
{
	if (holding->task == FARM_NONE)
		return;
	if (holding->task == request->task)
		compute_result_put(&farm->result, request->task,
		    request->values);
	else
		/* It asks again without having done it. */
		farm->waiting[farm->waiting_count++] = holding->task;
	holding->task = FARM_NONE;
}

bool
farm_serve(struct farm *farm, const void *request, size_t length,
    struct farm_answer *out_answer)
{
	struct farm_holding *holding;
	struct farm_request copy;

	*out_answer = (struct farm_answer){ .task = FARM_NONE,
		.job = farm->result.job };
	if (!read_request(farm, request, length, &copy)) {
		farm->malformed++;
		return false;
	}
	holding = find_worker(farm, copy.worker);
	if (holding == NULL) {
		farm->late++;
		out_answer->task = FARM_END;
		return true;
	}
	take_result(farm, &copy, holding);
	if (farm_is_done(farm))
		out_answer->task = FARM_END;
	else if (farm->waiting_count > 0)
		holding->task = out_answer->task =
		    farm->waiting[--farm->waiting_count];
	return true;
}

bool
farm_worker_joined(struct farm *farm, uint32_t worker)
{
	if (farm->workers == FARM_WORKERS_MAX)
		return false;
	farm->holding[farm->workers++] = (struct farm_holding){ worker,
		FARM_NONE };
	return true;
}

void
farm_worker_died(struct farm *farm, uint32_t worker)
{
	struct farm_holding *holding = find_worker(farm, worker);

	if (holding == NULL)
		return;
	if (holding->task != FARM_NONE) {
		farm->waiting[farm->waiting_count++] = holding->task;
		farm->handed_again++;
	}
	*holding = farm->holding[--farm->workers];
}

bool
farm_is_done(const struct farm *farm)
{
	return farm->result.done_count == farm->result.job.tasks;
}

bool
farm_ok(const struct farm *farm)
{
	uint32_t tasks = farm->result.job.tasks;
	uint8_t *seen = calloc(tasks, 1);
	bool fine = seen != NULL;

	for (uint32_t i = 0; fine && i < tasks; i++)
		seen[i] = farm->result.done[i];
	for (uint32_t i = 0; fine && i < farm->waiting_count; i++)
		fine = farm->waiting[i] < tasks && !seen[farm->waiting[i]]++;
	for (unsigned i = 0; fine && i < farm->workers; i++)
		fine = farm->holding[i].task == FARM_NONE ||
		    (farm->holding[i].task < tasks &&
		    !seen[farm->holding[i].task]++);
	for (uint32_t i = 0; fine && i < tasks; i++)
		fine = seen[i] == 1;
	free(seen);
	return fine;
}
