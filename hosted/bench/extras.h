/* SPDX-License-Identifier: MIT */
/*
 * What is measured once, apart from the rounds: the CPU time of a member that
 * waits, many senders and receivers on one channel, many channels.
 */
#pragma once

#include "figures.h"

struct bench_extra {
	const char *name, *text;
	/* Adds figures; false: failed. `quick`: as little as shows it works. */
	bool (*run)(struct figures *figures, bool quick);
};

extern const struct bench_extra bench_extras[];	/* up to one without a name */

bool extra_idle(struct figures *figures, bool quick);
bool extra_matrix(struct figures *figures, bool quick);
bool extra_many(struct figures *figures, bool quick);
