/* SPDX-License-Identifier: MIT */
/*
 * The coordinator of distributed-compute and its workers: processes that call
 * it over one synchronous channel, through a broker. Workers that die, also by
 * the coordinator's own hand, are replaced, and what they held is handed out
 * again (farm.h).
 */
#pragma once

#include "farm.h"
#include "meeting.h"

struct crew_plan {
	unsigned workers;	/* 1 .. FARM_WORKERS_MAX */
	unsigned kills;		/* workers to kill at random */
	uint64_t seed;		/* of when and whom */
	bool	 quiet;		/* no statistics line on standard error */
};

struct crew_report {
	unsigned killed;	/* by the coordinator */
	unsigned died;		/* otherwise */
	uint64_t handed_again, malformed;
	uint64_t most, least;	/* results of one of the workers of the end */
	double	 seconds;
};

/*
 * Computes the job of `result`, which was made by compute_result_create and is
 * complete if this returns OK. ERR_GONE: no broker; ERR_LIMIT: workers die all
 * the time, or cannot be started; ERR_NOMEM; or why the channel cannot be made.
 */
status_t crew_run(struct meeting *meeting, const struct crew_plan *plan,
    struct compute_result *result, struct crew_report *out_report);
