/* SPDX-License-Identifier: MIT */
/*
 * Costs that should be flat: a fork while many processes live, and a pipeline
 * of many stages. And start-up: time since the machine was turned on.
 */
#include "linux-bench.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_LIVE	10000u
#define FORKS		40u

static pid_t live[MAX_LIVE];
static unsigned stages;
static int way_in;		/* the end that feeds the first stage */
static const char *failure;	/* what a row ran out of, or NULL */

static void
do_fork(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	if (child < 0 || waitpid(child, NULL, 0) != child)
		failure = strerror(errno);
}

/* Ends `count` children and takes their status. */
static void
end_live(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		kill(live[i], SIGKILL);
	for (unsigned i = 0; i < count; i++)
		waitpid(live[i], NULL, 0);
}

static void
measure_forks(unsigned count, const char *name)
{
	unsigned made = 0;

	failure = NULL;
	for (; made < count; made++) {
		live[made] = fork();
		if (live[made] < 0) {
			failure = strerror(errno);
			break;
		}
		if (live[made] == 0)
			for (;;)
				pause();
	}
	if (failure == NULL)
		do_fork();
	if (failure == NULL)
		bench_measure(name, FORKS, 1, do_fork);
	else
		bench_skip(name, failure);
	end_live(made);
}

/* Starts one stage that copies a byte; returns the end behind it, or -1. */
static int
start_stage(unsigned index, int from)
{
	int next[2];
	char byte;

	if (pipe(next) != 0)
		return -1;
	live[index] = fork();
	if (live[index] == 0) {
		close(next[0]);
		close(way_in);
		while (read(from, &byte, 1) == 1 &&
		    write(next[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	close(next[1]);
	if (live[index] < 0) {
		close(next[0]);
		return -1;
	}
	close(from);
	return next[0];
}

/* Starts all stages, sends a byte through them, and waits for their end. */
static void
do_pipeline(void)
{
	unsigned made = 0;
	int first[2];
	char byte = 1;

	if (pipe(first) != 0) {
		failure = strerror(errno);
		return;
	}
	int end = first[0];
	way_in = first[1];
	while (made < stages) {
		int next = start_stage(made, end);
		if (next < 0)
			break;
		end = next;
		made++;
	}
	if (made < stages)
		failure = strerror(errno);
	else if (write(way_in, &byte, 1) != 1 || read(end, &byte, 1) != 1)
		failure = "the byte was lost";
	/* The end of the input goes through all stages, as the byte did. */
	close(way_in);
	for (unsigned i = 0; i < made; i++)
		waitpid(live[i], NULL, 0);
	close(end);
}

static void
measure_pipeline(unsigned count, const char *name)
{
	failure = NULL;
	stages = count;
	do_pipeline();
	if (failure == NULL)
		bench_measure(name, count >= 1000 ? 3 : 20, count,
		    do_pipeline);
	if (failure != NULL)
		bench_skip(name, failure);
}

static const struct {
	const char *name;
	unsigned count;
	void (*run)(unsigned count, const char *name);
} rows[] = {
	{ "fork_at_10", 10, measure_forks },
	{ "fork_at_100", 100, measure_forks },
	{ "fork_at_1000", 1000, measure_forks },
	{ "fork_at_4000", 4000, measure_forks },
	{ "fork_at_10000", 10000, measure_forks },
	{ "pipeline_10", 10, measure_pipeline },
	{ "pipeline_100", 100, measure_pipeline },
	{ "pipeline_1000", 1000, measure_pipeline },
};

void
bench_many(int (*wanted)(const char *name))
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (wanted(rows[i].name))
			rows[i].run(rows[i].count, rows[i].name);
}

/* Starts an interactive shell and waits for its prompt. */
void
bench_boot(void)
{
	static char text[512];
	int prompt[2], input[2];
	size_t got = 0;

	bench_must(pipe(prompt) == 0 && pipe(input) == 0, "pipe");
	pid_t child = fork();
	bench_must(child >= 0, "fork");
	if (child == 0) {
		dup2(input[0], 0);
		dup2(prompt[1], 1);
		dup2(prompt[1], 2);
		execl("/bin/busybox", "sh", "-i", (char *)0);
		_exit(127);
	}
	close(prompt[1]);
	while (strstr(text, "# ") == NULL) {
		ssize_t part = read(prompt[0], text + got,
		    sizeof(text) - 1 - got);
		bench_must(part > 0, "no prompt");
		got += (size_t)part;
	}
	bench_value("boot_to_prompt", bench_ticks());
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}
