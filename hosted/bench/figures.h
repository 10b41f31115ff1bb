/* SPDX-License-Identifier: MIT */
/*
 * Figures: what was measured, in which rounds, and what it means beside others.
 *
 * A figure has a name PEER.WHAT. Its values are times of one operation, of each
 * round; single figures (memory, CPU time of an idle member) have one value in
 * a unit of their own. Which figure is the floor of which is fixed here: round
 * trips stand on floor.round_trip_32, streams on memcpy of the same size.
 */
#pragma once

#include "runner.h"

#define FIGURE_NAME_MAX	64
#define FIGURES_MAX	256u
#define ROUNDS_MAX	1001u

struct figure {
	char	 name[FIGURE_NAME_MAX];
	const char *text;
	const char *unit;	/* "ns", "cycles", ... of one operation */
	size_t	 size;		/* bytes an operation moves, or 0 */
	struct runner *runner;	/* NULL: a single figure */
	const struct bench_local *local;
	enum bench_kind kind;	/* unless local */
	uint64_t batch;		/* operations of a batch */
	double	*values;	/* of each round */
	unsigned rounds;	/* that were measured; 0: failed */
};

struct figures {
	struct figure figure[FIGURES_MAX];
	unsigned count;
	unsigned rounds;	/* wanted */
	uint64_t batch_ns;	/* duration of a batch, about */
};

struct summary {
	double	 median, best, low, high;	/* low, high: quartiles */
};

/* Figures of a peer, if it runs. */
void figures_add(struct figures *figures, struct runner *runner);
/* False: no room. */
bool figures_add_single(struct figures *figures, const char *name,
    const char *text, const char *unit, double value);
/*
 * Finds how many operations make a batch, then measures all, in turn. A batch
 * in which a side was put off its CPU is measured again, some times.
 */
void figures_measure(struct figures *figures);
void figures_free(struct figures *figures);

const struct figure *figures_find(const struct figures *figures,
    const char *name);
/* NULL: it stands on nothing. */
const struct figure *figures_floor(const struct figures *figures,
    const struct figure *figure);
struct summary figure_summary(const struct figure *figure);
/* Median of the ratios of times, round by round. */
double figure_ratio(const struct figure *figure, const struct figure *other);
