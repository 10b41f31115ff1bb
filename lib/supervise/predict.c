/* SPDX-License-Identifier: MIT */
/*
 * Predictor of failures; predict.h says what it measures.
 *
 * The past of a feature is its mean and its mean deviation, both in 1/256 and
 * both forgotten exponentially, the deviation more slowly: what creeps leaves
 * its past behind before the past has become wide enough to hold it. Nothing
 * is a deviation that is small in the unit of the feature, or beside its mean.
 */
#include <lib/supervise/predict.h>

#include <lib/base/string.h>

#define VALUE_MAX	(1ul << 40)	/* of a feature; more counts as this */
#define FIXED		256		/* 1 in mean and deviation */
#define MEAN_FORGETS	128		/* samples */
#define DEVIATION_FORGETS 256
#define USUAL		2000		/* thousandths of a deviation */
#define POINT_MAX	1000000		/* of a coordinate */
#define JUMP		2000		/* the same, least */
#define JUMP_LASTS	4u		/* samples */

#define LATENCY	0u
#define QUEUE	1u
#define GROWTH	2u
#define ERRORS	3u
#define CPU	4u
#define FAULTS	5u
#define RESTARTS 6u
#define JITTER	7u

#define LOAD		(1u << LATENCY | 1u << QUEUE | 1u << CPU | 1u << FAULTS)
#define SYMPTOMS	(~LOAD & ((1u << PREDICT_FEATURES) - 1))

/* The least deviation, beside an eighth of the mean. */
static const int64_t least[PREDICT_FEATURES] = {
	[LATENCY] = 1000 * FIXED,	/* ns */
	[QUEUE] = 1 * FIXED,
	[GROWTH] = 1 * FIXED,		/* frames */
	[ERRORS] = 1 * FIXED,
	[CPU] = 20 * FIXED,		/* thousandths */
	[FAULTS] = 8 * FIXED,
	[RESTARTS] = 1 * FIXED,
	[JITTER] = 100000 * FIXED,	/* ns */
};

void
predict_create(struct predict *p)
{
	memset(p, 0, sizeof(*p));
}

void
predict_restart(struct predict *p)
{
	memset(p->point, 0, sizeof(p->point));
	p->score = 0;
	p->high = 0;
	p->jumped = 0;
	p->age = 0;
	p->most_memory = 0;
}

static int64_t
fixed(uint64_t value)
{
	return (int64_t)(value < VALUE_MAX ? value : VALUE_MAX) * FIXED;
}

static void
read_features(struct predict *p, const struct predict_sample *sample,
    int64_t value[PREDICT_FEATURES])
{
	uint64_t growth = 0;

	if (sample->memory > p->most_memory) {
		/* What it needs to begin with is no growth. */
		if (p->age >= PREDICT_LEARN)
			growth = sample->memory - p->most_memory;
		p->most_memory = sample->memory;
	}
	if (p->age < PREDICT_LEARN)
		p->age++;
	/*
	 * Without an answer there is no latency: what is usual stays so. The
	 * first that is seen is usual.
	 */
	if (p->mean[LATENCY] == 0)
		p->mean[LATENCY] = fixed(sample->latency_ns);
	value[LATENCY] = sample->latency_ns != 0 ? fixed(sample->latency_ns) :
	    p->mean[LATENCY];
	value[QUEUE] = fixed(sample->queue);
	value[GROWTH] = fixed(growth);
	value[ERRORS] = fixed(sample->errors);
	value[CPU] = fixed(sample->cpu_permille);
	value[FAULTS] = fixed(sample->faults);
	value[RESTARTS] = fixed(sample->restarts);
	value[JITTER] = fixed(sample->jitter_ns);
}

static uint64_t
square_root(uint64_t value)
{
	uint64_t root = 0;

	for (uint64_t bit = 1ul << 31; bit != 0; bit >>= 1)
		if ((root | bit) * (root | bit) <= value)
			root |= bit;
	return root;
}

/* Of the features in the set. */
static uint64_t
length(const int64_t vector[PREDICT_FEATURES], unsigned set)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < PREDICT_FEATURES; i++)
		if ((set >> i & 1) != 0)
			sum += (uint64_t)(vector[i] * vector[i]);
	return square_root(sum);
}

static void
teach(struct predict *p, const int64_t value[PREDICT_FEATURES])
{
	bool learns = p->samples < PREDICT_LEARN;
	int64_t known = (int64_t)(learns ? p->samples : PREDICT_LEARN);
	int64_t mean = learns ? known + 1 : MEAN_FORGETS;
	int64_t deviation = learns ? known : DEVIATION_FORGETS;

	for (unsigned i = 0; i < PREDICT_FEATURES; i++) {
		int64_t away = value[i] - p->mean[i];
		int64_t distance = away < 0 ? -away : away;

		p->mean[i] += away / mean;
		/* The first value has nothing to be away from. */
		if (known != 0)
			p->deviation[i] +=
			    (distance - p->deviation[i]) / deviation;
	}
}

static int64_t
coordinate(const struct predict *p, unsigned feature, int64_t value)
{
	int64_t unit = least[feature] + p->mean[feature] / 8;
	int64_t away = value - p->mean[feature];

	if (unit < p->deviation[feature])
		unit = p->deviation[feature];
	if (away <= 0)
		return 0;
	int64_t distance = away * 1000 / unit - USUAL;
	if (distance < 0)
		return 0;
	return distance < POINT_MAX ? distance : POINT_MAX;
}

/* The level that load has come to is its past from now on. */
static void
settle(struct predict *p, const int64_t value[PREDICT_FEATURES])
{
	for (unsigned i = 0; i < PREDICT_FEATURES; i++) {
		if ((LOAD >> i & 1) == 0 || p->point[i] == 0)
			continue;
		int64_t away = value[i] - p->mean[i];
		p->mean[i] = value[i];
		if (p->deviation[i] < away / 8)
			p->deviation[i] = away / 8;
	}
	p->high = 0;
}

/*
 * Load went a good part of its way in this step, not by and by. It is
 * remembered for some samples: it may take two steps, or the second look may be
 * needed to see that it stays.
 */
static void
watch_jump(struct predict *p, uint64_t load, uint64_t last_load)
{
	if (load >= last_load + JUMP && load >= last_load + load / 3)
		p->jumped = JUMP_LASTS;
	else if (p->jumped != 0)
		p->jumped--;
}

/* Above the threshold. Load that jumped and rises no more has a new level. */
static void
judge(struct predict *p, const int64_t value[PREDICT_FEATURES], uint64_t load,
    uint64_t last_load)
{
	bool symptoms = length(p->point, SYMPTOMS) >= PREDICT_THRESHOLD;

	if (p->jumped != 0 && p->jumped < JUMP_LASTS && !symptoms &&
	    load <= last_load + last_load / 2)
		settle(p, value);
	else
		p->high++;
}

uint64_t
predict_update(struct predict *p, const struct predict_sample *sample)
{
	int64_t value[PREDICT_FEATURES], step[PREDICT_FEATURES];
	uint64_t last = length(p->point, LOAD | SYMPTOMS);
	uint64_t last_load = length(p->point, LOAD);

	read_features(p, sample, value);
	if (p->samples < PREDICT_LEARN) {
		teach(p, value);
		p->samples++;
		return 0;
	}
	for (unsigned i = 0; i < PREDICT_FEATURES; i++) {
		int64_t now = coordinate(p, i, value[i]);
		step[i] = now - p->point[i];
		p->point[i] = now;
	}
	p->samples++;
	p->score = length(p->point, LOAD | SYMPTOMS);
	if (p->score > last)
		p->score += length(step, LOAD | SYMPTOMS);
	watch_jump(p, length(p->point, LOAD), last_load);
	if (p->score >= PREDICT_THRESHOLD) {
		judge(p, value, length(p->point, LOAD), last_load);
	} else {
		p->high = 0;
		teach(p, value);
	}
	return p->score;
}

bool
predict_asks(const struct predict *p)
{
	return p->high >= PREDICT_IN_A_ROW;
}

bool
predict_ok(const struct predict *p)
{
	for (unsigned i = 0; i < PREDICT_FEATURES; i++)
		if (p->mean[i] < 0 || p->mean[i] > fixed(VALUE_MAX) ||
		    p->deviation[i] < 0 ||
		    p->deviation[i] > fixed(VALUE_MAX) ||
		    p->point[i] < 0 || p->point[i] > POINT_MAX)
			return false;
	return p->jumped <= JUMP_LASTS;
}
