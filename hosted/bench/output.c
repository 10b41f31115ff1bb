/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <sys/utsname.h>

struct section {
	const char *what;	/* begin of the part of the name behind the dot */
	const char *title;
};

static const struct section sections[] = {
	{ "round_trip_32", "round trip of 32 bytes, against the floor" },
	{ "round_trip_64", "round trip of 64 bytes, against the floor of 32" },
	{ "stream_64", "stream of 64 bytes, against memcpy" },
	{ "stream_4096", "stream of 4 KiB, against memcpy" },
	{ "stream_65536", "stream of 64 KiB, against memcpy" },
};

#define SECTIONS	(sizeof(sections) / sizeof(sections[0]))

static const char *
what_of(const struct figure *figure)
{
	return strchr(figure->name, '.') + 1;
}

static bool
is_cell(const struct figure *figure)
{
	return strncmp(figure->name, "channel-matrix.", 15) == 0;
}

static bool
is_in(const struct figure *figure, const struct section *section)
{
	if (is_cell(figure))
		return false;
	if (section != NULL)
		return strcmp(what_of(figure), section->what) == 0;
	for (size_t i = 0; i < SECTIONS; i++)
		if (is_in(figure, &sections[i]))
			return false;
	return true;
}

static void
output_figure(FILE *out, const struct figures *figures,
    const struct figure *figure)
{
	const struct figure *floor = figures_floor(figures, figure);
	struct summary summary = figure_summary(figure);
	char ratio[32] = "-", speed[32] = "-";

	if (floor != NULL)
		snprintf(ratio, sizeof(ratio), "%.2f",
		    figure_ratio(figure, floor));
	if (figure->size >= 64 && strcmp(figure->unit, "ns") == 0 &&
	    figure->kind == BENCH_STREAM)
		snprintf(speed, sizeof(speed), "%.2f",
		    (double)figure->size / summary.median);
	fprintf(out, "%-32s %12.1f %12.1f %6.0f %-7s %9s %8s  %s\n",
	    figure->name, summary.median, summary.best,
	    100 * (summary.high - summary.low) / summary.median,
	    figure->unit, ratio, speed, figure->text);
}

static void
output_section(FILE *out, const struct figures *figures,
    const struct section *section)
{
	fprintf(out, "\n%s\n", section == NULL ? "others" : section->title);
	fprintf(out, "%-32s %12s %12s %6s %-7s %9s %8s\n", "", "median",
	    "best", "+-%", "unit", "x floor", "GB/s");
	for (unsigned i = 0; i < figures->count; i++)
		if (figures->figure[i].rounds > 0 &&
		    is_in(&figures->figure[i], section))
			output_figure(out, figures, &figures->figure[i]);
}

/* Cells of one row follow each other. */
static void
output_matrix(FILE *out, const struct figures *figures)
{
	unsigned senders = 0, receivers, row = 0;

	for (unsigned i = 0; i < figures->count; i++) {
		const struct figure *figure = &figures->figure[i];

		if (!is_cell(figure) || sscanf(what_of(figure), "%ux%u",
		    &senders, &receivers) != 2)
			continue;
		if (row == 0)
			fprintf(out, "\nns of a message of 32 bytes, by senders "
			    "(down) and receivers (across: 1 2 4 8 16)");
		if (senders != row)
			fprintf(out, "\n%8u", senders);
		fprintf(out, " %9.1f", figure->values[0]);
		row = senders;
	}
	if (row != 0)
		fprintf(out, "\n");
}

void
output_table(FILE *out, const struct results *results)
{
	fprintf(out, "median of %u rounds of %lu ms each; +-: quartiles; "
	    "%.3f cycles in a ns\n", results->figures->rounds,
	    results->milliseconds, bench_cycles_per_ns());
	for (size_t i = 0; i < SECTIONS; i++)
		output_section(out, results->figures, &sections[i]);
	output_section(out, results->figures, NULL);
	output_matrix(out, results->figures);
	for (unsigned i = 0; i < results->absent_count; i++)
		fprintf(out, "%s%s: not measured: %s\n", i == 0 ? "\n" : "",
		    results->absent[i].name, results->absent[i].why);
}

static const char *const verdicts[] = { "met", "missed", "not measured" };

void
output_goals(FILE *out, const struct results *results)
{
	fprintf(out, "\ngoals\n");
	for (const struct goal *goal = bench_goals; goal->name != NULL;
	    goal++) {
		struct outcome outcome = goal_outcome(results->figures, goal);

		fprintf(out, "%-26s %10.2f  %s %7g  %-12s %s\n", goal->name,
		    outcome.value, goal->at_least > 0 ? ">=" : "<=",
		    goal->at_least > 0 ? goal->at_least : goal->at_most,
		    verdicts[outcome.verdict], goal->text);
	}
	fprintf(out, "reasons for what is missed: tests/bench/ipc.toml\n");
}

/* Names and texts of ours hold no control characters. */
static void
json_text(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		putc(*text, out);
	}
	putc('"', out);
}

static void
json_pair(FILE *out, const char *name, const char *text)
{
	fprintf(out, "\"%s\": ", name);
	json_text(out, text);
	fprintf(out, ", ");
}

static void
json_figure(FILE *out, const struct figures *figures,
    const struct figure *figure)
{
	const struct figure *floor = figures_floor(figures, figure);
	struct summary summary = figure_summary(figure);

	fprintf(out, "  {");
	json_pair(out, "name", figure->name);
	json_pair(out, "text", figure->text);
	json_pair(out, "unit", figure->unit);
	if (floor != NULL) {
		json_pair(out, "floor", floor->name);
		fprintf(out, "\"ratio\": %.4g, ", figure_ratio(figure, floor));
	}
	fprintf(out, "\"size\": %zu, \"median\": %.6g, \"best\": %.6g, "
	    "\"low\": %.6g, \"high\": %.6g}", figure->size, summary.median,
	    summary.best, summary.low, summary.high);
}

static void
json_goal(FILE *out, const struct figures *figures, const struct goal *goal)
{
	struct outcome outcome = goal_outcome(figures, goal);

	fprintf(out, "  {");
	json_pair(out, "name", goal->name);
	json_pair(out, "verdict", verdicts[outcome.verdict]);
	fprintf(out, "\"%s\": %g, \"value\": ",
	    goal->at_least > 0 ? "at_least" : "at_most",
	    goal->at_least > 0 ? goal->at_least : goal->at_most);
	if (outcome.verdict == GOAL_NOT_MEASURED)
		fprintf(out, "null}");
	else
		fprintf(out, "%.4g}", outcome.value);
}

static void
processor(char *text, size_t size)
{
	static const char key[] = "model name";
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(text, size, "unknown");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		char *value = strchr(line, ':');

		if (strncmp(line, key, sizeof(key) - 1) != 0 || value == NULL)
			continue;
		value[strcspn(value, "\n")] = '\0';
		snprintf(text, size, "%s", value + strspn(value, ": "));
		break;
	}
	if (file != NULL)
		fclose(file);
}

static void
json_machine(FILE *out, const struct results *results)
{
	struct utsname system = { .release = "unknown" };
	char model[128];

	uname(&system);
	processor(model, sizeof(model));
	fprintf(out, " \"machine\": {");
	json_pair(out, "processor", model);
	json_pair(out, "kernel", system.release);
	fprintf(out, "\"cycles_per_ns\": %.4g},\n", bench_cycles_per_ns());
	fprintf(out, " \"rounds\": %u,\n \"batch_ms\": %lu,\n",
	    results->figures->rounds, results->milliseconds);
}

void
output_json(FILE *out, const struct results *results)
{
	const struct figures *figures = results->figures;
	const char *comma = "";

	fprintf(out, "{\n");
	json_machine(out, results);
	fprintf(out, " \"rows\": [\n");
	for (unsigned i = 0; i < figures->count; i++) {
		if (figures->figure[i].rounds == 0)
			continue;
		fprintf(out, "%s", comma);
		json_figure(out, figures, &figures->figure[i]);
		comma = ",\n";
	}
	fprintf(out, "\n ],\n \"absent\": [\n");
	for (unsigned i = 0; i < results->absent_count; i++) {
		fprintf(out, "%s  {", i == 0 ? "" : ",\n");
		json_pair(out, "name", results->absent[i].name);
		fprintf(out, "\"why\": ");
		json_text(out, results->absent[i].why);
		putc('}', out);
	}
	fprintf(out, "\n ],\n \"goals\": [\n");
	for (const struct goal *goal = bench_goals; goal->name != NULL;
	    goal++) {
		fprintf(out, "%s", goal == bench_goals ? "" : ",\n");
		json_goal(out, figures, goal);
	}
	fprintf(out, "\n ]\n}\n");
}
