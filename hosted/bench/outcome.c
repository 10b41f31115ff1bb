/* SPDX-License-Identifier: MIT */
#include "goals.h"

/* Where the floor is low, a fixed number of cycles on top of it will do. */
static bool
within_cycles(const struct goal *goal, const struct figure *figure,
    const struct figure *against)
{
	double floor_ns = figure_summary(against).median;

	return goal->plus_cycles > 0 && floor_ns < goal->below_ns &&
	    figure_summary(figure).median <=
	    floor_ns + goal->plus_cycles / bench_cycles_per_ns();
}

struct outcome
goal_outcome(const struct figures *figures, const struct goal *goal)
{
	const struct figure *figure = figures_find(figures, goal->figure);
	const struct figure *against = goal->against == NULL ? NULL
	    : figures_find(figures, goal->against);
	struct outcome outcome = { .verdict = GOAL_NOT_MEASURED };
	bool met;

	if (figure == NULL || (goal->against != NULL && against == NULL))
		return outcome;
	if (against != NULL && goal->at_least > 0)
		outcome.value = figure_ratio(against, figure);
	else if (against != NULL)
		outcome.value = figure_ratio(figure, against);
	else if (goal->speed)
		outcome.value = 8.0 * (double)figure->size /
		    figure_summary(figure).median;
	else
		outcome.value = figure_summary(figure).median;
	met = goal->at_least > 0 ? outcome.value >= goal->at_least
	    : outcome.value <= goal->at_most ||
	    (against != NULL && within_cycles(goal, figure, against));
	outcome.verdict = met ? GOAL_MET : GOAL_MISSED;
	return outcome;
}
