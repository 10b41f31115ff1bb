/* SPDX-License-Identifier: MIT */
/* demo-distributed-compute: docs/man/demo-distributed-compute.1. */
#include "crew.h"
#include "number.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KILLS_MAX	10000u

struct settings {
	struct crew_plan plan;
	int	 kind;			/* -1: all */
	uint64_t size;			/* 0: of its kind */
	const char *broker;
};

static const uint64_t default_size[COMPUTE_KINDS] = { 2000000, 200, 5000 };

static void
usage(FILE *out)
{
	fputs("usage: demo-distributed-compute [--workers N] "
	    "[--kill-workers N]\n"
	    "           [--size N] [--seed N] [--broker SOCKET] [--quiet]\n"
	    "           [primes | matrix | pi | all]\n", out);
}

static bool
read_kind(const char *text, int *out_kind)
{
	*out_kind = -1;
	if (strcmp(text, "all") == 0)
		return true;
	for (int kind = 0; kind < COMPUTE_KINDS; kind++)
		if (strcmp(text, compute_names[kind]) == 0)
			*out_kind = kind;
	return *out_kind >= 0;
}

static bool
set(struct settings *settings, int option, const char *text)
{
	uint64_t number = 0;
	bool fine = true;

	switch (option) {
	case 'w':
		fine = number_read(text, 0, FARM_WORKERS_MAX, &number);
		settings->plan.workers = (unsigned)number;
		return fine && number > 0;
	case 'k':
		fine = number_read(text, 0, KILLS_MAX, &number);
		settings->plan.kills = (unsigned)number;
		return fine;
	case 's':
		return number_read(text, 0, ~0ul, &settings->size);
	case 'r':
		return number_read(text, 0, ~0ul, &settings->plan.seed);
	case 'b':
		settings->broker = text;
		return true;
	case 'q':
		settings->plan.quiet = true;
		return true;
	default:
		return false;
	}
}

static int
parse(int argc, char **argv, struct settings *settings)
{
	static const struct option options[] = {
		{ "workers", required_argument, NULL, 'w' },
		{ "kill-workers", required_argument, NULL, 'k' },
		{ "size", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'r' },
		{ "broker", required_argument, NULL, 'b' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	bool fine = true;
	int option;

	while (fine && (option = getopt_long(argc, argv, "", options,
	    NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			exit(0);
		}
		fine = set(settings, option, optarg);
	}
	if (fine && optind < argc)
		fine = read_kind(argv[optind++], &settings->kind);
	if (fine && optind == argc)
		return 0;
	usage(stderr);
	return 2;
}

static void
compute_alone(struct compute_result *result)
{
	uint64_t values[COMPUTE_VALUES_MAX];

	for (uint32_t task = 0; task < result->job.tasks; task++) {
		compute_task(&result->job, task, values);
		compute_result_put(result, task, values);
	}
}

static int
report(const struct compute_result *result, const struct crew_report *crew,
    const struct compute_result *alone)
{
	bool same = compute_result_equal(result, alone);
	char text[128];

	compute_result_text(result, text, sizeof(text));
	printf("%s: %s; %.2f s, %u workers killed, %lu tasks handed out again, "
	    "%lu to %lu results a worker: %s\n",
	    compute_names[result->job.kind], text, crew->seconds, crew->killed,
	    crew->handed_again, crew->least, crew->most,
	    same ? "as computed alone" : "NOT AS COMPUTED ALONE");
	return same ? 0 : 1;
}

static int
run(struct meeting *meeting, const struct settings *settings,
    enum compute_kind kind)
{
	struct compute_result result, alone;
	struct crew_report crew;
	struct compute_job job;
	status_t status;
	int code;

	if (!compute_plan(kind, settings->size != 0 ? settings->size
	    : default_size[kind], &job)) {
		fprintf(stderr, "demo-distributed-compute: --size is out of "
		    "range for %s\n", compute_names[kind]);
		return 2;
	}
	if (!compute_result_create(&result, &job))
		return 1;
	if (!compute_result_create(&alone, &job)) {
		compute_result_destroy(&result);
		return 1;
	}
	status = crew_run(meeting, &settings->plan, &result, &crew);
	if (status != OK)
		fprintf(stderr, "demo-distributed-compute: status %lu%s\n",
		    status, status == ERR_GONE ? ": no broker" : "");
	compute_alone(&alone);
	code = status != OK ? 1 : report(&result, &crew, &alone);
	compute_result_destroy(&result);
	compute_result_destroy(&alone);
	return code;
}

int
main(int argc, char **argv)
{
	struct settings settings = { .plan = { .workers = 4, .seed = 1 },
		.kind = -1 };
	struct meeting meeting;
	int code = parse(argc, argv, &settings);

	if (code != 0)
		return code;
	if (!meeting_of_processes(&meeting, settings.broker, 0)) {
		perror("demo-distributed-compute: broker");
		return 1;
	}
	for (int kind = 0; kind < COMPUTE_KINDS && code == 0; kind++)
		if (settings.kind < 0 || settings.kind == kind)
			code = run(&meeting, &settings, kind);
	meeting_close(&meeting);
	return code;
}
