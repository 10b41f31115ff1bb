/* SPDX-License-Identifier: MIT */
#include "figures.h"

#include <stdlib.h>

#define BATCH_MAX	(1ul << 24)
#define TRIES		2u
#define PATIENCE	4u	/* of disturbed batches */

static const size_t round_trip_sizes[] = { 32, 64 };
static const size_t stream_sizes[] = { 64, 4096, 65536 };

static const struct {
	const char *prefix, *floor;
} floors[] = {
	{ "round_trip_", "floor.round_trip_32" },
	{ "stream_64", "memcpy.stream_64" },
	{ "stream_4096", "memcpy.stream_4096" },
	{ "stream_65536", "memcpy.stream_65536" },
};

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

static struct figure *
figure_add(struct figures *figures, const char *peer, const char *what)
{
	struct figure *figure;

	if (figures->count == FIGURES_MAX)
		return NULL;
	figure = &figures->figure[figures->count];
	*figure = (struct figure){ .unit = "ns" };
	snprintf(figure->name, sizeof(figure->name), "%s.%s", peer, what);
	figure->values = calloc(figures->rounds, sizeof(double));
	if (figure->values == NULL)
		return NULL;
	figures->count++;
	return figure;
}

static void
add_kind(struct figures *figures, struct runner *runner, enum bench_kind kind,
    size_t size)
{
	struct figure *figure;
	char what[FIGURE_NAME_MAX];

	snprintf(what, sizeof(what), "%s_%zu",
	    kind == BENCH_STREAM ? "stream" : "round_trip", size);
	figure = figure_add(figures, runner->peer->name, what);
	if (figure == NULL)
		return;
	figure->text = runner->peer->text;
	figure->size = size;
	figure->runner = runner;
	figure->kind = kind;
}

static void
add_local(struct figures *figures, struct runner *runner,
    const struct bench_local *local)
{
	struct figure *figure = figure_add(figures, runner->peer->name,
	    local->name);

	if (figure == NULL)
		return;
	figure->text = local->text;
	figure->unit = local->unit == BENCH_CYCLES ? "cycles" : "ns";
	figure->size = local->size;
	figure->runner = runner;
	figure->local = local;
}

void
figures_add(struct figures *figures, struct runner *runner)
{
	const struct bench_peer *peer = runner->peer;

	if (runner->why[0] != '\0')
		return;
	if ((peer->flags & PEER_ROUND_TRIP) != 0)
		for (size_t i = 0; i < COUNT(round_trip_sizes); i++)
			add_kind(figures, runner, BENCH_ROUND_TRIP,
			    round_trip_sizes[i]);
	if ((peer->flags & PEER_STREAM) != 0)
		for (size_t i = 0; i < COUNT(stream_sizes); i++)
			add_kind(figures, runner, BENCH_STREAM,
			    stream_sizes[i]);
	for (const struct bench_local *local = peer->locals;
	    local != NULL && local->name != NULL; local++)
		add_local(figures, runner, local);
}

bool
figures_add_single(struct figures *figures, const char *name,
    const char *text, const char *unit, double value)
{
	const char *dot = strchr(name, '.');
	char peer[FIGURE_NAME_MAX];
	struct figure *figure;

	if (dot == NULL || (size_t)(dot - name) >= sizeof(peer))
		return false;
	memcpy(peer, name, (size_t)(dot - name));
	peer[dot - name] = '\0';
	figure = figure_add(figures, peer, dot + 1);
	if (figure == NULL)
		return false;
	figure->text = text;
	figure->unit = unit;
	figure->values[0] = value;
	figure->rounds = 1;
	return true;
}

/* In the unit of the figure, all operations together; 0: failed. */
static uint64_t
run_batch(struct figure *figure, uint64_t count)
{
	struct runner *runner = figure->runner;

	if (figure->local == NULL)
		return runner_measure(runner, figure->kind, figure->size,
		    count);
	if (runner->why[0] != '\0')
		return 0;
	return runner_measure_local(runner, figure->local, count);
}

/*
 * ns of `count` operations, the least of some: a thread that was put off once
 * says nothing. 0: failed.
 */
static uint64_t
least_time(struct figure *figure, uint64_t count)
{
	uint64_t least = ~0ul;

	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t time = run_batch(figure, count);

		if (time < least)
			least = time;
	}
	if (figure->local != NULL && figure->local->unit == BENCH_CYCLES)
		return (uint64_t)((double)least / bench_cycles_per_ns());
	return least;
}

/* Also the warm-up. */
static void
find_batch(const struct figures *figures, struct figure *figure)
{
	uint64_t count = 4, time;

	for (;;) {
		time = least_time(figure, count);
		if (time == 0)
			return;
		if (time >= figures->batch_ns / 4 || count >= BATCH_MAX)
			break;
		count *= 4;
	}
	count = count * figures->batch_ns / time;
	figure->batch = count == 0 ? 1 : count > BATCH_MAX ? BATCH_MAX : count;
}

/* Undisturbed, if that can be had. */
static double
measure_batch(struct figure *figure)
{
	uint64_t time;

	for (unsigned i = 0; i < PATIENCE; i++) {
		time = run_batch(figure, figure->batch);
		if (time == 0 || figure->runner->disturbances == 0)
			break;
	}
	return (double)time / (double)figure->batch;
}

static void
measure_round(struct figures *figures, unsigned round)
{
	for (unsigned i = 0; i < figures->count; i++) {
		struct figure *figure = &figures->figure[i];

		if (figure->runner == NULL || figure->batch == 0)
			continue;
		figure->values[round] = measure_batch(figure);
		figure->rounds = round + 1;
		if (figure->values[round] == 0)
			figure->rounds = figure->batch = 0;
	}
}

void
figures_measure(struct figures *figures)
{
	for (unsigned i = 0; i < figures->count; i++)
		if (figures->figure[i].runner != NULL)
			find_batch(figures, &figures->figure[i]);
	for (unsigned round = 0; round < figures->rounds; round++)
		measure_round(figures, round);
}

void
figures_free(struct figures *figures)
{
	for (unsigned i = 0; i < figures->count; i++)
		free(figures->figure[i].values);
	figures->count = 0;
}

const struct figure *
figures_find(const struct figures *figures, const char *name)
{
	for (unsigned i = 0; i < figures->count; i++)
		if (strcmp(figures->figure[i].name, name) == 0 &&
		    figures->figure[i].rounds > 0)
			return &figures->figure[i];
	return NULL;
}

const struct figure *
figures_floor(const struct figures *figures, const struct figure *figure)
{
	const char *what = strchr(figure->name, '.') + 1;

	for (size_t i = 0; i < COUNT(floors); i++) {
		size_t length = strlen(floors[i].prefix);

		if (strncmp(what, floors[i].prefix, length) == 0 &&
		    (what[length] == '\0' ||
		    floors[i].prefix[length - 1] == '_'))
			return figures_find(figures, floors[i].floor);
	}
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts the values. Between two values, the point in proportion. */
static double
quantile(double *values, unsigned count, double part)
{
	double place = part * (count - 1);
	unsigned below = (unsigned)place;
	double rest = place - below;

	qsort(values, count, sizeof(*values), compare);
	return below + 1 == count ? values[below]
	    : values[below] * (1 - rest) + values[below + 1] * rest;
}

struct summary
figure_summary(const struct figure *figure)
{
	double sorted[ROUNDS_MAX];

	if (figure->rounds == 0)
		return (struct summary){ 0 };
	memcpy(sorted, figure->values, figure->rounds * sizeof(double));
	return (struct summary){
		.median = quantile(sorted, figure->rounds, 0.5),
		.best = quantile(sorted, figure->rounds, 0),
		.low = quantile(sorted, figure->rounds, 0.25),
		.high = quantile(sorted, figure->rounds, 0.75) };
}

double
figure_ratio(const struct figure *figure, const struct figure *other)
{
	unsigned rounds = figure->rounds < other->rounds ? figure->rounds
	    : other->rounds;
	double ratios[ROUNDS_MAX];

	if (rounds == 0)
		return 0;
	for (unsigned i = 0; i < rounds; i++)
		ratios[i] = figure->values[i] / other->values[i];
	return quantile(ratios, rounds, 0.5);
}
