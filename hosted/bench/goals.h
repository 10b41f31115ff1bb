/* SPDX-License-Identifier: MIT */
/*
 * Goals of benchmark-ipc: tests/bench/ipc.toml, compiled in (goals.c is made by
 * tools/ipc_goals.py). Its head says what the keys mean.
 */
#pragma once

#include "figures.h"

struct goal {
	const char *name, *text;
	const char *figure, *against;	/* against: NULL, or another figure */
	double	 at_most, at_least;	/* one of them; 0: not given */
	double	 plus_cycles, below_ns;
	bool	 speed;			/* of the figure, in Gbit/s */
};

extern const struct goal bench_goals[];		/* up to one without a name */

enum verdict { GOAL_MET, GOAL_MISSED, GOAL_NOT_MEASURED };

struct outcome {
	enum verdict verdict;
	double	 value;		/* compared with at_most or at_least */
};

struct outcome goal_outcome(const struct figures *figures,
    const struct goal *goal);
