/* SPDX-License-Identifier: MIT */
/*
 * many COUNT: so many processes sleep at once, are ended by their group, and
 * are waited for. many COUNT STAGES: a pipeline of so many stages as well.
 */
#include "say.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

static int group;

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void
took(const char *what, double since)
{
	fprintf(stderr, "%s: %.2f s\n", what, now() - since);
}

static int
make_sleepers(int count)
{
	for (int i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0) {
			printf("fork %d: %s\n", i, error_name(errno));
			return i;
		}
		if (pid == 0) {
			setpgid(0, group);
			for (;;)
				pause();
		}
		if (group == 0)
			group = pid;
		setpgid(pid, group);
	}
	return count;
}

static int
take_statuses(int signal)
{
	int status, count = 0;

	while (wait(&status) > 0)
		count += WIFSIGNALED(status) && WTERMSIG(status) == signal;
	return count;
}

static void
sleepers(int count)
{
	double start = now();
	int made = make_sleepers(count);

	took("made", start);
	CHECK(made == count);
	CHECK(kill(-group, 0) == 0);
	start = now();
	CHECK(kill(-group, SIGTERM) == 0);
	CHECK(take_statuses(SIGTERM) == made);
	took("ended", start);
	CHECK(kill(-group, 0) == -1 && errno == ESRCH);
}

/* One stage copies what it reads; returns the end behind it. */
static int
add_stage(int from, int feed)
{
	int next[2];
	char byte;

	if (pipe(next) != 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		close(next[0]);
		close(feed);
		while (read(from, &byte, 1) == 1)
			write(next[1], &byte, 1);
		_exit(0);
	}
	close(next[1]);
	close(from);
	return pid < 0 ? -1 : next[0];
}

static void
pipeline(int stages)
{
	double start = now();
	int ends[2], made = 0;
	char got[6] = "";

	pipe(ends);
	for (int at = ends[0]; made < stages; made++) {
		at = add_stage(at, ends[1]);
		if (at < 0)
			break;
		ends[0] = at;
	}
	CHECK(made == stages);
	CHECK(write(ends[1], "hello", 5) == 5);
	close(ends[1]);
	for (int used = 0; used < 5;)
		used += (int)read(ends[0], got + used, (size_t)(5 - used));
	CHECK(strcmp(got, "hello") == 0);
	CHECK(read(ends[0], got, 1) == 0);
	while (wait(NULL) > 0)
		made--;
	CHECK(made == 0);
	took("pipeline", start);
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		sleepers(atoi(argv[1]));
	if (argc > 2)
		pipeline(atoi(argv[2]));
	return 0;
}
