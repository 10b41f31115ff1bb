/* SPDX-License-Identifier: MIT */
/*
 * Kills children in whatever they are doing: computing, waiting for a child, a
 * signal, a pipe or the clock, in the middle of calls to storage, of copies of
 * a megabyte, of fork and of exec. Prints how many died as told; whether they
 * left anything behind is for the totals of the system to tell.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KINDS 10
#define BULK (1 << 20)

static char bulk[BULK];
static const char *self;

static void
child_stat(void)
{
	struct stat status;

	for (;;)
		stat("/bin/busybox", &status);
}

static void
child_bulk(int write_it)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "/tmp/bulk.%d", (int)getpid());
	fd = open(name, O_CREAT | O_RDWR, 0600);
	unlink(name);
	if (!write_it && write(fd, bulk, BULK) != BULK)
		_exit(3);
	for (;;) {
		if (write_it)
			pwrite(fd, bulk, BULK, 0);
		else
			pread(fd, bulk, BULK, 0);
	}
}

static void
child_pipe(int full)
{
	int ends[2];
	char byte = 0;

	if (pipe(ends) != 0)
		_exit(3);
	for (;;) {
		if (full)
			write(ends[1], bulk, BULK);
		else
			read(ends[0], &byte, 1);
	}
}

static void
child_waits(void)
{
	if (fork() == 0) {
		/* Outlives its parent for a moment, then goes by itself. */
		struct timespec moment = { 0, 2000000 };
		nanosleep(&moment, NULL);
		_exit(0);
	}
	for (;;)
		if (wait(NULL) < 0)
			pause();
}

static void
child_forks(void)
{
	for (;;) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

static void
child_execs(void)
{
	execl(self, self, "--again", (char *)0);
	_exit(3);
}

static void
child(int kind)
{
	volatile uint64_t count = 0;

	switch (kind) {
	case 0: child_stat(); break;
	case 1: child_bulk(0); break;
	case 2: child_bulk(1); break;
	case 3: child_pipe(0); break;
	case 4: child_pipe(1); break;
	case 5: child_waits(); break;
	case 6: child_forks(); break;
	case 7: child_execs(); break;
	case 8: for (;;) pause();
	default: for (;;) count++;
	}
}

static void
nap(long ns)
{
	struct timespec time = { 0, ns };

	nanosleep(&time, NULL);
}

int
main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 10, died = 0;
	pid_t pids[KINDS];

	self = argv[0];
	if (argc > 1 && argv[1][0] == '-')
		child_execs();
	srand(1);
	for (int round = 0; round < rounds; round++) {
		for (int kind = 0; kind < KINDS; kind++) {
			pids[kind] = fork();
			if (pids[kind] == 0)
				child(kind);
			if (pids[kind] < 0)
				return 2;
		}
		nap(rand() % 8000000);
		for (int kind = 0; kind < KINDS; kind++)
			kill(pids[kind], SIGKILL);
		for (int kind = 0; kind < KINDS; kind++) {
			int status = 0;
			waitpid(pids[kind], &status, 0);
			died += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		}
	}
	nap(300000000);	/* orphans end, exits are cleaned up */
	printf("%s\n", died == rounds * KINDS ? "all died as told" : "others");
	return 0;
}
