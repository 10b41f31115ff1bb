/* SPDX-License-Identifier: MIT */
/*
 * The predictor: laws of single samples, and how well it does on runs with
 * known ends (tests/predict; simulate.py there says what a line means).
 */
#include <lib/supervise/predict.h>
#include <lib/test/ktap.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES	256

/* Bounds that the recorded runs must keep. */
#define PREDICTED_PERMILLE	800u
#define FALSE_ALARMS_MAX	1u	/* healthy runs with an alarm */
#define RUNS_MIN		12u

static const struct predict_sample usual = {
	.latency_ns = 2000000, .queue = 3, .memory = 1000, .errors = 0,
	.cpu_permille = 300, .faults = 5, .jitter_ns = 50000,
};

static void
learn(struct predict *p, unsigned samples)
{
	predict_create(p);
	for (unsigned i = 0; i < samples; i++)
		predict_update(p, &usual);
}

TEST(nothing_is_said_before_enough_was_learned)
{
	struct predict p;
	struct predict_sample wild = usual;

	predict_create(&p);
	for (unsigned i = 0; i < PREDICT_LEARN; i++) {
		wild.errors = i * 1000;
		wild.latency_ns <<= 1;
		EXPECT_EQ(predict_update(&p, &wild), 0);
		EXPECT(!predict_asks(&p));
	}
	wild.errors = 1000000;
	EXPECT(predict_update(&p, &wild) > 0);
}

TEST(equal_samples_score_nothing)
{
	struct predict p;

	learn(&p, PREDICT_LEARN);
	for (unsigned i = 0; i < 1000; i++)
		EXPECT_EQ(predict_update(&p, &usual), 0);
}

TEST(less_than_usual_scores_nothing)
{
	struct predict p;
	const struct predict_sample none = { 0 };

	learn(&p, 100);
	EXPECT_EQ(predict_update(&p, &none), 0);
}

TEST(one_outlier_does_not_ask)
{
	struct predict p;
	struct predict_sample wild = usual;

	learn(&p, 100);
	wild.latency_ns = 1ul << 60;
	wild.errors = 1ul << 60;
	EXPECT(predict_update(&p, &wild) >= PREDICT_THRESHOLD);
	EXPECT(!predict_asks(&p));
	EXPECT_EQ(predict_update(&p, &usual), 0);
	EXPECT_EQ(p.high, 0);
}

TEST(a_symptom_that_stays_asks_at_the_third_sample)
{
	struct predict p;
	struct predict_sample bad = usual;

	learn(&p, 100);
	bad.errors = 50;
	for (unsigned i = 1; i <= 100; i++) {
		EXPECT(predict_update(&p, &bad) >= PREDICT_THRESHOLD);
		EXPECT_EQ(predict_asks(&p), i >= PREDICT_IN_A_ROW);
	}
}

TEST(samples_above_the_threshold_do_not_teach)
{
	struct predict p, before;
	struct predict_sample bad = usual;

	learn(&p, 100);
	before = p;
	bad.errors = 50;
	bad.jitter_ns = 100000000;
	for (unsigned i = 0; i < 10; i++)
		predict_update(&p, &bad);
	EXPECT(memcmp(p.mean, before.mean, sizeof(p.mean)) == 0);
	EXPECT(memcmp(p.deviation, before.deviation,
	    sizeof(p.deviation)) == 0);
}

TEST(load_that_jumps_and_stays_does_not_ask)
{
	struct predict p;
	struct predict_sample more = usual;

	learn(&p, 100);
	more.latency_ns *= 5;
	more.queue *= 10;
	more.cpu_permille = 900;
	more.faults *= 4;
	EXPECT(predict_update(&p, &more) >= PREDICT_THRESHOLD);
	for (unsigned i = 0; i < 100; i++) {
		predict_update(&p, &more);
		EXPECT(!predict_asks(&p));
	}
	EXPECT(p.score < PREDICT_THRESHOLD);
}

TEST(load_that_rises_on_and_on_asks)
{
	struct predict p;
	struct predict_sample more = usual;

	learn(&p, 100);
	for (unsigned i = 0; i < 40 && !predict_asks(&p); i++) {
		more.latency_ns += more.latency_ns / 5;
		predict_update(&p, &more);
	}
	EXPECT(predict_asks(&p));
}

TEST(growth_is_what_counts_not_memory)
{
	struct predict p;
	struct predict_sample more = usual;

	learn(&p, 100);
	more.memory = 100000;
	predict_update(&p, &more);	/* grew once */
	EXPECT_EQ(predict_update(&p, &more), 0);
	for (unsigned i = 0; i < 3; i++) {
		more.memory += 100;
		predict_update(&p, &more);
	}
	EXPECT(predict_asks(&p));
}

TEST(a_new_incarnation_is_not_on_the_old_way)
{
	struct predict p;
	struct predict_sample bad = usual, first = usual;

	learn(&p, 100);
	bad.errors = 50;
	for (unsigned i = 0; i < 10; i++)
		predict_update(&p, &bad);
	EXPECT(predict_asks(&p));
	predict_restart(&p);
	EXPECT(!predict_asks(&p));
	first.memory = 5000;		/* what it begins with */
	EXPECT_EQ(predict_update(&p, &first), 0);
	EXPECT(predict_update(&p, &bad) >= PREDICT_THRESHOLD);
}

TEST(growth_of_a_new_incarnation_is_beyond_its_own_most)
{
	struct predict p;
	struct predict_sample little = usual;

	learn(&p, 100);
	predict_restart(&p);
	little.memory = 10;
	for (unsigned i = 0; i < PREDICT_LEARN; i++)
		predict_update(&p, &little);
	for (unsigned i = 0; i < 3; i++) {
		EXPECT(!predict_asks(&p));
		little.memory += 100;
		predict_update(&p, &little);
	}
	EXPECT(predict_asks(&p));
}

TEST(what_is_a_little_more_becomes_usual)
{
	struct predict p;
	struct predict_sample more = usual;

	learn(&p, 100);
	more.errors = 3;
	EXPECT(predict_update(&p, &more) > 0);
	for (unsigned i = 0; i < 500; i++)
		predict_update(&p, &more);
	EXPECT_EQ(p.score, 0);
}

TEST(who_was_never_steady_may_go_on_like_that)
{
	struct predict p;
	struct predict_sample sample = usual;

	predict_create(&p);
	for (unsigned i = 0; i < 1000; i++) {
		sample.latency_ns = usual.latency_ns * (i % 2 != 0 ? 3 : 1);
		EXPECT_EQ(predict_update(&p, &sample), 0);
	}
	learn(&p, 1000);
	EXPECT(predict_update(&p, &sample) > 0);
}

TEST(any_numbers_leave_a_good_state)
{
	struct predict p;
	uint64_t random = 1;

	predict_create(&p);
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t word[8];
		struct predict_sample sample;

		for (unsigned k = 0; k < 8; k++) {
			random = random * 6364136223846793005ul + 1;
			word[k] = random >> (random >> 58);
		}
		memcpy(&sample, word, sizeof(sample));
		predict_update(&p, &sample);
		EXPECT(predict_ok(&p));
		if (random >> 40 % 1000 == 0)
			predict_restart(&p);
	}
}

struct run {
	char name[64];
	bool failed;
	unsigned samples, end, since;
	unsigned alarm;			/* first one, UINT32_MAX = none */
	unsigned early;			/* alarms before something was wrong */
	uint64_t highest;		/* score */
};

static bool
read_sample(const char *line, struct predict_sample *sample)
{
	unsigned long n[8];
	int used = 0;

	if (sscanf(line, "%lu,%lu,%lu,%lu,%lu,%lu,%lu,%lu%n", &n[0], &n[1],
	    &n[2], &n[3], &n[4], &n[5], &n[6], &n[7], &used) != 8 ||
	    line[used] != '\n')
		return false;
	*sample = (struct predict_sample){
		.latency_ns = n[0], .queue = n[1], .memory = n[2],
		.errors = n[3], .cpu_permille = n[4], .faults = n[5],
		.restarts = n[6], .jitter_ns = n[7],
	};
	return true;
}

static bool
read_end(const char *line, struct run *run)
{
	run->failed = sscanf(line, "failed %u since %u", &run->end,
	    &run->since) == 2;
	if (!run->failed)
		run->end = run->since = run->samples;
	return run->failed || strcmp(line, "healthy\n") == 0;
}

/* What the machine would do: a restarted service is on no way. */
static void
feed(struct predict *p, const struct predict_sample *sample, struct run *run)
{
	if (sample->restarts != 0)
		predict_restart(p);
	uint64_t score = predict_update(p, sample);
	if (score > run->highest)
		run->highest = score;
	if (predict_asks(p) && run->alarm == UINT32_MAX)
		run->alarm = run->samples;
	run->samples++;
}

/* False if the file is not a run. */
static bool
replay(FILE *file, struct run *run)
{
	char line[LINE_MAX_BYTES];
	struct predict_sample sample;
	struct predict p;
	bool ended = false;

	predict_create(&p);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (line[0] == '#')
			continue;
		if (ended)
			return false;
		if (read_sample(line, &sample))
			feed(&p, &sample, run);
		else if (read_end(line, run))
			ended = true;
		else
			return false;
	}
	return ended && run->samples > PREDICT_LEARN;
}

struct totals {
	unsigned failing, predicted, healthy, alarmed, bad;
	unsigned lead;			/* seconds, of all that were predicted */
};

static void
judge(const struct run *run, struct totals *totals)
{
	bool alarm = run->alarm != UINT32_MAX;
	bool early = alarm && run->alarm < run->since;
	bool predicted = run->failed && alarm && !early &&
	    run->alarm <= run->end;

	totals->failing += run->failed;
	totals->healthy += !run->failed;
	totals->alarmed += early;
	totals->predicted += predicted;
	if (predicted)
		totals->lead += run->end - run->alarm;
	printf("# %-16s %-7s", run->name, run->failed ? "failed" : "healthy");
	if (predicted)
		printf(" alarm %u s after its cause, %u s before its end",
		    run->alarm - run->since, run->end - run->alarm);
	else if (alarm)
		printf(" FALSE alarm at %u", run->alarm);
	else
		printf(" no alarm, highest score %lu", run->highest);
	printf("\n");
}

static void
replay_file(const char *name, struct totals *totals)
{
	struct run run = { .alarm = UINT32_MAX };
	char path[4096];
	size_t length = strlen(name);

	if (length < 5 || strcmp(name + length - 4, ".csv") != 0)
		return;
	snprintf(path, sizeof(path), "%s/%s", PREDICT_RUNS, name);
	snprintf(run.name, sizeof(run.name), "%.*s", (int)length - 4, name);
	FILE *file = fopen(path, "r");
	if (file == NULL || !replay(file, &run)) {
		printf("# %s: not a run\n", name);
		totals->bad++;
	} else {
		judge(&run, totals);
	}
	if (file != NULL)
		fclose(file);
}

TEST(recorded_failures_are_predicted_and_nothing_else)
{
	struct totals totals = { 0 };
	struct dirent **entries;
	int count = scandir(PREDICT_RUNS, &entries, NULL, alphasort);

	EXPECT(count > 0);
	for (int i = 0; i < count; i++) {
		replay_file(entries[i]->d_name, &totals);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	printf("# predicted %u of %u, %u s ahead on average; false alarms in "
	    "%u of %u\n", totals.predicted, totals.failing,
	    totals.predicted != 0 ? totals.lead / totals.predicted : 0,
	    totals.alarmed, totals.failing + totals.healthy);
	EXPECT_EQ(totals.bad, 0);
	EXPECT(totals.failing + totals.healthy >= RUNS_MIN);
	EXPECT(totals.predicted * 1000 >= totals.failing * PREDICTED_PERMILLE);
	EXPECT(totals.alarmed <= FALSE_ALARMS_MAX);
}

TEST_MAIN(0)
