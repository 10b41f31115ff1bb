/* SPDX-License-Identifier: MIT */
/*
 * load [OPTIONS] NAME...: runs loads at once, each in a process of its own.
 *
 *	--for MS	until so much time has passed (default 1000)
 *	--until end	or until standard input ends, whatever comes first
 *	--rounds N	at most so many rounds each
 *	--pause US	between rounds (default 500)
 *	--seed N	of what is done in which order
 *	--folder DIR	files go into DIR/load-NAME (default /tmp)
 *	--control FILE	the control device (default /dev/control)
 *	--sabotage KIND	the load breaks what it made, in round 2, to show that
 *			it finds out
 *
 * Prints for each round
 *
 *	load NAME round N US ok OPERATIONS
 *	load NAME round N US lost=N doubled=N silent=N error=ERRNO WHAT
 *	load NAME end rounds=N operations=N lost=N doubled=N silent=N bytes=N
 *
 * where US is CLOCK_MONOTONIC in microseconds, and `load NAME stuck` for one
 * that does not end. Numbers of rounds have no gap: the reader of the lines
 * checks the console. Exit code 1 if anything was wrong, 2 for wrong usage, 3
 * if standard output failed, 4 if a load was stuck or killed.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BAD_MAX		100u
#define BAD_PAUSE_US	10000u	/* more after each round in a row */
#define LOADS_MAX	16
/* After the end, longer than any recovery: who is not done never will be. */
#define STUCK_US	30000000ul
#define WAIT_STEP_US	20000u

static const struct load *const loads[] = {
	&load_files, &load_records, &load_pipes, &load_processes,
	&load_signals, &load_lines, &load_copy, &load_clients,
	&load_control,
};

static struct {
	uint64_t    for_us, rounds, pause_us, seed;
	const char *folder, *sabotage, *program;
	bool	    until_end;
	const struct load *chosen[LOADS_MAX];
	unsigned    count;
} options = {
	.for_us = 1000000, .rounds = UINT64_MAX, .pause_us = 500, .seed = 1,
	.folder = "/tmp", .sabotage = "",
};

/*
 * Read end of a pipe that nobody writes to. Its only writer is the process
 * that reads standard input, and ends with it. -1: none.
 */
static int stop_line = -1;

static uint64_t
now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static void
note(struct run *run, uint64_t *count, const char *what, int error)
{
	struct verdict *v = &run->verdict;

	(*count)++;
	if (v->error == 0)
		v->error = error;
	if (v->what[0] == '\0')
		snprintf(v->what, sizeof(v->what), "%s", what);
}

void
load_lost(struct run *run, const char *what)
{
	note(run, &run->verdict.lost, what, 0);
}

void
load_doubled(struct run *run, const char *what)
{
	note(run, &run->verdict.doubled, what, 0);
}

void
load_silent(struct run *run, const char *what)
{
	note(run, &run->verdict.silent, what, 0);
}

void
load_failed(struct run *run, const char *call)
{
	note(run, &run->verdict.lost, call, errno);
}

bool
load_did(struct run *run, const char *call, long result)
{
	run->verdict.operations++;
	if (result < 0)
		load_failed(run, call);
	return result >= 0;
}

bool
load_sabotages(struct run *run, const char *kind)
{
	if (run->round < 2 || strcmp(run->sabotage, kind) != 0)
		return false;
	run->sabotage = "";
	return true;
}

static uint64_t
mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdul;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ul;
	return x ^ x >> 33;
}

uint64_t
load_random(struct run *run)
{
	run->random += 0x9e3779b97f4a7c15ul;
	return mix(run->random);
}

uint64_t
load_hash(const void *data, size_t length)
{
	const uint8_t *byte = data;
	uint64_t hash = 0xcbf29ce484222325ul;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3ul;
	return mix(hash);
}

uint64_t
load_number_hash(uint64_t number)
{
	return mix(number + 0x9e3779b97f4a7c15ul);
}

long
load_write(int file, const void *data, size_t length)
{
	const char *from = data;

	for (size_t done = 0; done < length;) {
		ssize_t step = write(file, from + done, length - done);

		if (step < 0)
			return -1;
		done += (size_t)step;
	}
	return (long)length;
}

long
load_read(int file, void *data, size_t length)
{
	char *to = data;

	for (size_t done = 0; done < length;) {
		ssize_t step = read(file, to + done, length - done);

		if (step == 0)
			errno = EIO;
		if (step <= 0)
			return -1;
		done += (size_t)step;
	}
	return (long)length;
}

void
load_print(const char *format, ...)
{
	char line[200];
	va_list list;

	va_start(list, format);
	int length = vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	/* Without output nobody can be told: the reader misses the line. */
	if (load_write(STDOUT_FILENO, line, (size_t)length) < 0)
		_exit(3);
}

static void
print_round(const struct run *run)
{
	const struct verdict *v = &run->verdict;
	unsigned long at = now_us();

	if (v->lost + v->doubled + v->silent == 0)
		load_print("load %s round %lu %lu ok %lu\n", run->name,
		    run->round, at, v->operations);
	else
		load_print("load %s round %lu %lu lost=%lu doubled=%lu "
		    "silent=%lu error=%d %s\n", run->name, run->round, at,
		    v->lost, v->doubled, v->silent, v->error, v->what);
}

static void
add(struct verdict *total, const struct verdict *v)
{
	total->operations += v->operations;
	total->lost += v->lost;
	total->doubled += v->doubled;
	total->silent += v->silent;
}

static int
enter_folder(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/load-%s", options.folder, name);
	if (mkdir(path, 0700) == 0 && chdir(path) == 0)
		return 0;
	fprintf(stderr, "load: %s: %s\n", path, strerror(errno));
	return -1;
}

static void
leave_folder(struct run *run)
{
	char path[64];

	snprintf(path, sizeof(path), "../load-%s", run->name);
	if (rmdir(path) < 0)
		load_failed(run, "rmdir of the folder");
}

/* False if it found something. */
static bool
run_round(struct run *run, void (*round)(struct run *), struct verdict *total)
{
	run->round++;
	if (round != NULL)
		round(run);
	print_round(run);
	add(total, &run->verdict);
	bool clean = run->verdict.lost + run->verdict.doubled +
	    run->verdict.silent == 0;
	run->verdict = (struct verdict){ 0 };
	return clean;
}

/*
 * Where every call fails a round takes no time: who complains round after round
 * does it ever more slowly.
 */
static useconds_t
pause_after(bool clean, unsigned *bad_in_a_row)
{
	*bad_in_a_row = clean ? 0 : *bad_in_a_row + (*bad_in_a_row < BAD_MAX);
	return (useconds_t)options.pause_us + *bad_in_a_row * BAD_PAUSE_US;
}

static bool
is_over(const struct run *run, uint64_t start_us)
{
	char byte;

	return run->round >= options.rounds ||
	    now_us() - start_us >= options.for_us ||
	    (stop_line >= 0 && read(stop_line, &byte, 1) == 0);
}

static int
run_load(const struct load *load, uint64_t start_us)
{
	struct run run = {
		.name = load->name, .sabotage = options.sabotage,
		.program = options.program,
		.random = options.seed ^ load_hash(load->name,
		    strlen(load->name)),
	};
	struct verdict total = { 0 };
	unsigned bad_in_a_row = 0;

	if (enter_folder(load->name) < 0)
		return 2;
	if (load->start != NULL)
		load->start(&run);
	/* A whole round after the end was announced: it verifies all. */
	for (bool over = false; !over;) {
		over = is_over(&run, start_us);
		bool clean = run_round(&run, load->round, &total);
		usleep(pause_after(clean, &bad_in_a_row));
	}
	run_round(&run, load->end, &total);
	leave_folder(&run);
	run_round(&run, NULL, &total);
	load_print("load %s end rounds=%lu operations=%lu lost=%lu "
	    "doubled=%lu silent=%lu bytes=%lu\n", run.name, run.round,
	    total.operations, total.lost, total.doubled, total.silent,
	    run.bytes);
	return total.lost + total.doubled + total.silent != 0;
}

struct waiting {
	pid_t	 pid[LOADS_MAX];	/* 0: ended */
	pid_t	 watcher;
	unsigned left;
	int	 worst;			/* exit code so far */
	uint64_t end_us;		/* when the loads should end */
};

static void
note_end(struct waiting *waiting, pid_t ended, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 4;

	if (ended == waiting->watcher)
		waiting->end_us = now_us();
	for (unsigned i = 0; i < options.count; i++) {
		if (waiting->pid[i] != ended)
			continue;
		waiting->pid[i] = 0;
		waiting->worst = code > waiting->worst ? code : waiting->worst;
		waiting->left--;
	}
}

/* One exit code for all of them; what is stuck is told and killed. */
static int
wait_for_all(struct waiting *waiting)
{
	while (waiting->left > 0 && now_us() < waiting->end_us + STUCK_US) {
		int status;
		pid_t ended = waitpid(-1, &status, WNOHANG);

		if (ended > 0)
			note_end(waiting, ended, status);
		else
			usleep(WAIT_STEP_US);
	}
	for (unsigned i = 0; i < options.count; i++) {
		if (waiting->pid[i] == 0)
			continue;
		load_print("load %s stuck\n", options.chosen[i]->name);
		kill(waiting->pid[i], SIGKILL);
		waiting->worst = 4;
	}
	return waiting->worst;
}

/* Returns the process that ends with standard input, or -1. */
static pid_t
watch_input(void)
{
	char buffer[256];
	int end[2];

	if (pipe(end) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		close(end[0]);
		while (read(STDIN_FILENO, buffer, sizeof(buffer)) > 0)
			;
		_exit(0);
	}
	close(end[1]);
	fcntl(end[0], F_SETFL, O_NONBLOCK);
	stop_line = end[0];
	return pid;
}

static int
run_all(void)
{
	uint64_t start_us = now_us();
	struct waiting waiting = {
		.left = options.count, .end_us = start_us + options.for_us,
	};

	if (options.until_end && (waiting.watcher = watch_input()) < 0) {
		fprintf(stderr, "load: pipe, fork: %s\n", strerror(errno));
		return 2;
	}
	for (unsigned i = 0; i < options.count; i++) {
		pid_t pid = waiting.pid[i] = fork();

		if (pid < 0) {
			fprintf(stderr, "load: fork: %s\n", strerror(errno));
			return 2;
		}
		if (pid == 0)
			_exit(run_load(options.chosen[i], start_us));
	}
	int worst = wait_for_all(&waiting);
	if (waiting.watcher > 0)
		kill(waiting.watcher, SIGKILL);
	return worst;
}

static bool
take_option(const char *name, const char *value)
{
	uint64_t number = strtoul(value, NULL, 10);

	if (strcmp(name, "--for") == 0)
		options.for_us = number * 1000;
	else if (strcmp(name, "--until") == 0)
		options.until_end = strcmp(value, "end") == 0;
	else if (strcmp(name, "--rounds") == 0)
		options.rounds = number;
	else if (strcmp(name, "--pause") == 0)
		options.pause_us = number;
	else if (strcmp(name, "--seed") == 0)
		options.seed = number;
	else if (strcmp(name, "--folder") == 0)
		options.folder = value;
	else if (strcmp(name, "--control") == 0)
		load_control_device = value;
	else if (strcmp(name, "--sabotage") == 0)
		options.sabotage = value;
	else
		return false;
	return true;
}

static bool
take_load(const char *name)
{
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		if (strcmp(loads[i]->name, name) != 0 ||
		    options.count == LOADS_MAX)
			continue;
		options.chosen[options.count++] = loads[i];
		return true;
	}
	return false;
}

/* A sabotage that no load knows would show nothing. */
static bool
sabotage_known(void)
{
	bool known = options.sabotage[0] == '\0';

	for (unsigned i = 0; i < options.count; i++)
		for (const char *const *kind = options.chosen[i]->sabotages;
		    *kind != NULL; kind++)
			known = known || strcmp(*kind, options.sabotage) == 0;
	return known;
}

static int
usage(void)
{
	fprintf(stderr, "usage: load [--for MS] [--rounds N] [--pause US] "
	    "[--seed N] [--folder DIR] [--sabotage KIND] NAME...\n");
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		fprintf(stderr, "  %s, sabotage", loads[i]->name);
		for (const char *const *kind = loads[i]->sabotages;
		    *kind != NULL; kind++)
			fprintf(stderr, " %s", *kind);
		fprintf(stderr, "\n");
	}
	return 2;
}

int
main(int argc, char **argv)
{
	int at = 1;

	/* The child of load-processes.c: its name is its exit code. */
	if (argc == 3 && strcmp(argv[1], "exit") == 0)
		return atoi(argv[2]);
	/* A load enters its folder before it starts itself. */
	options.program = realpath(argv[0], NULL);
	for (; at + 1 < argc && argv[at][0] == '-'; at += 2)
		if (!take_option(argv[at], argv[at + 1]))
			return usage();
	for (; at < argc; at++)
		if (!take_load(argv[at]))
			return usage();
	if (options.count == 0 || options.program == NULL || !sabotage_known())
		return usage();
	return run_all();
}
