/* SPDX-License-Identifier: MIT */
/* benchmark-ipc: docs/man/benchmark-ipc.1. */
#include "extras.h"
#include "output.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define PEERS_MAX	48u
#define ABSENT_MAX	128u
#define ROUNDS		31u
#define BATCH_MS	2u

struct settings {
	const char *json;
	unsigned rounds, batch_ms;
	char	**only;		/* names of peers, up to NULL; none: all */
};

struct bench {
	struct runner runner[PEERS_MAX];
	unsigned count;
	struct absent absent[ABSENT_MAX];
	unsigned absent_count;
	struct figures figures;
	char	 folder[32];
};

static struct bench bench;

static void
usage(FILE *out)
{
	fprintf(out,
	    "usage: benchmark-ipc [--json FILE] [--rounds N] [--batch MS]\n"
	    "                     [--list] [PEER...]\n"
	    "\n"
	    "Measures what messages cost by many ways, as ratios to the\n"
	    "floor. PEER picks some; floor and memcpy are always measured.\n");
}

static void
time_is_up(int number)
{
	static const char text[] = "benchmark-ipc: a peer does not answer\n";

	(void)!write(2, text, sizeof(text) - 1);
	_exit(1);
}

static bool
parse_number(const char *text, unsigned limit, unsigned *out_number)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	*out_number = (unsigned)number;
	return *text != '\0' && *end == '\0' && number > 0 && number <= limit;
}

static bool
is_peer(const char *name)
{
	for (const struct bench_entry *entry = bench_peers;
	    entry->name != NULL; entry++)
		if (strcmp(entry->name, name) == 0)
			return true;
	for (const struct bench_extra *extra = bench_extras;
	    extra->name != NULL; extra++)
		if (strcmp(extra->name, name) == 0)
			return true;
	return false;
}

static int
list(void)
{
	for (const struct bench_entry *entry = bench_peers;
	    entry->name != NULL; entry++)
		printf("%-18s %s%s\n", entry->name, entry->peer != NULL
		    ? entry->peer->text : "not built: needs ",
		    entry->peer != NULL ? "" : entry->needs);
	for (const struct bench_extra *extra = bench_extras;
	    extra->name != NULL; extra++)
		printf("%-18s %s\n", extra->name, extra->text);
	return 0;
}

static bool
parse(int argc, char **argv, struct settings *settings, int *out_code)
{
	static const struct option options[] = {
		{ "json", required_argument, NULL, 'j' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "batch", required_argument, NULL, 'b' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;
	bool fine = true;

	*out_code = 2;
	while (fine && (option = getopt_long(argc, argv, "", options,
	    NULL)) != -1) {
		if (option == 'h' || option == 'l') {
			*out_code = 0;
			if (option == 'h')
				usage(stdout);
			else
				list();
			return false;
		}
		if (option == 'j')
			settings->json = optarg;
		else if (option == 'r')
			fine = parse_number(optarg, ROUNDS_MAX,
			    &settings->rounds);
		else
			fine = option == 'b' && parse_number(optarg, 10000,
			    &settings->batch_ms);
	}
	settings->only = argv + optind;
	for (char **name = settings->only; fine && *name != NULL; name++)
		fine = is_peer(*name);
	if (!fine)
		usage(stderr);
	return fine;
}

static bool
is_wanted(const struct settings *settings, const char *name)
{
	if (*settings->only == NULL || strcmp(name, "floor") == 0 ||
	    strcmp(name, "memcpy") == 0)
		return true;
	for (char **only = settings->only; *only != NULL; only++)
		if (strcmp(*only, name) == 0)
			return true;
	return false;
}

static void
note_absent(const char *name, const char *format, const char *why)
{
	struct absent *absent = &bench.absent[bench.absent_count];

	if (bench.absent_count == ABSENT_MAX)
		return;
	bench.absent_count++;
	absent->name = name;
	snprintf(absent->why, sizeof(absent->why), format, why);
}

static void
start_all(const struct settings *settings)
{
	int cpu[2];

	runner_cpus(cpu);
	for (const struct bench_entry *entry = bench_peers;
	    entry->name != NULL; entry++) {
		if (!is_wanted(settings, entry->name))
			continue;
		if (entry->peer == NULL)
			note_absent(entry->name, "built without %s",
			    entry->needs);
		else
			runner_prepare(&bench.runner[bench.count++],
			    entry->peer, bench.folder, cpu);
	}
	/* No library has started threads here before the last fork. */
	for (unsigned thread = 0; thread < 2; thread++)
		for (unsigned i = 0; i < bench.count; i++)
			if (((bench.runner[i].peer->flags & PEER_THREAD) !=
			    0) == (thread != 0))
				runner_start(&bench.runner[i]);
	for (unsigned i = 0; i < bench.count; i++)
		runner_open(&bench.runner[i]);
	runner_pin(cpu);
}

static bool
write_json(const char *path, const struct results *results)
{
	FILE *file = fopen(path, "w");
	bool fine;

	if (file == NULL)
		return false;
	output_json(file, results);
	fine = !ferror(file);
	return fclose(file) == 0 && fine;
}

static int
report(const struct settings *settings)
{
	struct results results = { .figures = &bench.figures,
		.absent = bench.absent, .absent_count = bench.absent_count,
		.milliseconds = settings->batch_ms };

	output_table(stdout, &results);
	output_goals(stdout, &results);
	if (settings->json != NULL && !write_json(settings->json, &results)) {
		fprintf(stderr, "benchmark-ipc: %s: %s\n", settings->json,
		    strerror(errno));
		return 1;
	}
	return 0;
}

/* 1: one failed. */
static int
measure_extras(const struct settings *settings)
{
	bool quick = settings->batch_ms == 1;
	int code = 0;

	runner_unpin();
	for (const struct bench_extra *extra = bench_extras;
	    extra->name != NULL; extra++) {
		if (!is_wanted(settings, extra->name) ||
		    extra->run(&bench.figures, quick))
			continue;
		note_absent(extra->name, "%s", "failed");
		code = 1;
	}
	return code;
}

/* 1: a peer that was built failed. */
static int
measure(const struct settings *settings)
{
	int code = 0;

	for (unsigned i = 0; i < bench.count; i++)
		figures_add(&bench.figures, &bench.runner[i]);
	figures_measure(&bench.figures);
	for (unsigned i = 0; i < bench.figures.count; i++) {
		struct figure *figure = &bench.figures.figure[i];

		if (figure->local == NULL || figure->rounds > 0)
			continue;
		note_absent(figure->name, "%s", "failed");
		code = 1;
	}
	for (unsigned i = 0; i < bench.count; i++) {
		struct runner *runner = &bench.runner[i];

		if (runner->why[0] == '\0')
			continue;
		note_absent(runner->peer->name, "%s", runner->why);
		if ((runner->peer->flags & PEER_SPINS) == 0)
			code = 1;
	}
	return code;
}

int
main(int argc, char **argv)
{
	struct settings settings = { .rounds = ROUNDS, .batch_ms = BATCH_MS };
	int code;

	if (!parse(argc, argv, &settings, &code))
		return code;
	signal(SIGALRM, time_is_up);
	signal(SIGPIPE, SIG_IGN);
	strcpy(bench.folder, "/tmp/benchmark-ipc.XXXXXX");
	if (mkdtemp(bench.folder) == NULL) {
		perror("benchmark-ipc: mkdtemp");
		return 1;
	}
	bench.figures.rounds = settings.rounds;
	bench.figures.batch_ns = settings.batch_ms * 1000000ul;
	start_all(&settings);
	code = measure(&settings) | measure_extras(&settings);
	if (report(&settings) != 0)
		code = 1;
	for (unsigned i = 0; i < bench.count; i++)
		runner_close(&bench.runner[i]);
	figures_free(&bench.figures);
	rmdir(bench.folder);
	return code;
}
