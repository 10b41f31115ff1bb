/* SPDX-License-Identifier: MIT */
/*
 * Predictor of failures: is a service on a way that it has never been on?
 *
 * Eight features, once for each period. Each is measured by its distance from
 * its own past in mean deviations, so a sample is a point in eight dimensions,
 * and two samples a step. The score is the length of the point plus that of a
 * step that leads away from the origin, in thousandths of a deviation.
 *
 * Only more than usual counts, and two deviations are usual. Latency, queue,
 * CPU and page faults are load, the others are symptoms. Load may jump to a new
 * level and stay there: that level becomes its past. A symptom may not, and
 * neither may load that rises on and on.
 *
 * Integers only; no allocation; struct predict may be copied byte by byte.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PREDICT_FEATURES	8u

/* Of one period, in units that are steady for the service. */
struct predict_sample {
	uint64_t latency_ns;	/* mean of answered requests, 0 = none */
	uint64_t queue;		/* requests open or waiting, largest seen */
	uint64_t memory;	/* frames of its container */
	uint64_t errors;	/* requests refused */
	uint64_t cpu_permille;
	uint64_t faults;	/* page faults */
	uint64_t restarts;
	uint64_t jitter_ns;	/* of the answer to the beat */
};

struct predict {
	uint64_t samples;	/* so far */
	uint64_t age;		/* the same of this incarnation, up to LEARN */
	uint64_t most_memory;	/* of it; growth beyond that is the feature */
	int64_t	 mean[PREDICT_FEATURES];	/* fixed point, 1/256 */
	int64_t	 deviation[PREDICT_FEATURES];	/* the same */
	int64_t	 point[PREDICT_FEATURES];	/* of the last sample */
	uint64_t score;		/* of the last sample */
	uint64_t high;		/* samples in a row above the threshold */
	uint64_t jumped;	/* samples for which a jump of load counts */
};

#define PREDICT_LEARN		16u	/* samples before it says anything */
#define PREDICT_THRESHOLD	6000u	/* score */
#define PREDICT_IN_A_ROW	3u

void predict_create(struct predict *p);
/* Returns the score; 0 while it learns. Samples above the threshold do not teach. */
uint64_t predict_update(struct predict *p, const struct predict_sample *sample);
/* It asks for a restart. */
bool predict_asks(const struct predict *p);
/* A new incarnation: its past stays, the way it was on is left. */
void predict_restart(struct predict *p);
/* False if a field is out of its range: then nothing else may be called. */
bool predict_ok(const struct predict *p);
