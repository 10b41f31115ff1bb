/* SPDX-License-Identifier: MIT */
/* Figures and goals for people and, as JSON, for programs. */
#pragma once

#include "goals.h"

/* Who was not measured, and why. */
struct absent {
	const char *name;
	char	 why[RUNNER_WHY_MAX];
};

struct results {
	const struct figures *figures;
	const struct absent *absent;
	unsigned absent_count;
	uint64_t milliseconds;	/* of a batch */
};

void output_table(FILE *out, const struct results *results);
void output_goals(FILE *out, const struct results *results);
void output_json(FILE *out, const struct results *results);
