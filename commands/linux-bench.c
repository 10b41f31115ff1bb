/* SPDX-License-Identifier: MIT */
/*
 * Benchmark of Linux calls: ordinary POSIX code, so the same binary runs on
 * Bennu and on Linux. It counts with the time stamp counter, which under the
 * emulator's -icount is the number of instructions.
 *
 *	row NAME MEDIAN P99 GOAL
 *
 * Goals are those of docs/performance.md. Arguments name rows to measure.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_SAMPLES 1000

static uint64_t samples[MAX_SAMPLES], empty;
static int file = -1, pipe_in[2], pipe_out[2], self_pipe[2];
static char page[4096];
static char *self_path;

static uint64_t
ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void
must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void
do_nothing(void)
{
	__asm__ volatile("");
}

static void
do_getpid(void)
{
	syscall(SYS_getpid);
}

static void
do_stat(void)
{
	struct stat status;

	must(stat("/bin/busybox", &status) == 0, "stat");
}

static void
do_open_close(void)
{
	int fd = open("/bin/busybox", O_RDONLY);

	must(fd >= 0, "open");
	close(fd);
}

static void
do_pread(void)
{
	must(pread(file, page, sizeof(page), 4096) == sizeof(page), "pread");
}

static void
do_pread_1(void)
{
	must(pread(file, page, 1, 4096) == 1, "pread");
}

static void
do_self_pipe(void)
{
	char byte = 1;

	must(write(self_pipe[1], &byte, 1) == 1, "write");
	must(read(self_pipe[0], &byte, 1) == 1, "read");
}

static void
do_pipe_round_trip(void)
{
	char byte = 1;

	must(write(pipe_out[1], &byte, 1) == 1, "write");
	must(read(pipe_in[0], &byte, 1) == 1, "read");
}

static void
do_mmap(void)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(p != MAP_FAILED, "mmap");
	*(volatile char *)p = 1;
	munmap(p, 4096);
}

static void
do_create_unlink(void)
{
	int fd = open("/tmp/bench-file", O_CREAT | O_WRONLY | O_EXCL, 0600);

	must(fd >= 0, "create");
	close(fd);
	must(unlink("/tmp/bench-file") == 0, "unlink");
}

static void
do_fork(void)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(0);
	must(child > 0 && waitpid(child, &status, 0) == child, "fork");
}

static void
spawn(int vforked)
{
	pid_t child = vforked ? vfork() : fork();
	int status;

	if (child == 0) {
		execl(self_path, self_path, "--exit", (char *)0);
		_exit(127);
	}
	must(child > 0 && waitpid(child, &status, 0) == child && status == 0,
	    "spawn");
}

static void
do_vfork_exec(void)
{
	spawn(1);
}

static void
do_fork_exec(void)
{
	spawn(0);
}

static void
echo_bytes(void)
{
	char byte;

	while (read(pipe_out[0], &byte, 1) == 1)
		if (write(pipe_in[1], &byte, 1) != 1)
			break;
	_exit(0);
}

static void
prepare(void)
{
	file = open("/bin/busybox", O_RDONLY);
	must(file >= 0, "/bin/busybox");
	must(pipe(pipe_in) == 0 && pipe(pipe_out) == 0 && pipe(self_pipe) == 0,
	    "pipe");
}

static void
measure(const char *name, uint64_t goal, unsigned count, void (*run)(void))
{
	for (unsigned i = 0; i < count / 10 + 2; i++)
		run();
	for (unsigned i = 0; i < count; i++) {
		uint64_t before = ticks();
		run();
		samples[i] = ticks() - before - empty;
	}
	qsort(samples, count, sizeof(samples[0]), compare);
	if (goal != 0 || strcmp(name, "empty") != 0)
		printf("row %s %llu %llu %llu\n", name,
		    (unsigned long long)samples[count / 2],
		    (unsigned long long)samples[count * 99 / 100],
		    (unsigned long long)goal);
	fflush(stdout);
}

struct row {
	const char *name;
	uint64_t goal;
	unsigned count;
	void (*run)(void);
};

static const struct row rows[] = {
	{ "getpid", 60, 1000, do_getpid },
	{ "pread_4k", 800, 400, do_pread },
	{ "pread_1", 200, 400, do_pread_1 },
	{ "stat", 2000, 400, do_stat },
	{ "open_close", 4000, 400, do_open_close },
	{ "create_close_unlink", 9000, 400, do_create_unlink },
	{ "pipe_write_read", 400, 400, do_self_pipe },
	{ "mmap_touch_munmap", 6000, 400, do_mmap },
	{ "fork_exit_wait", 80000, 100, do_fork },
	{ "vfork_exec_wait", 150000, 100, do_vfork_exec },
	{ "fork_exec_wait", 200000, 100, do_fork_exec },
};

static int
wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return 1;
	return argc == 1;
}

static void
measure_pipe_round_trip(void)
{
	pid_t child = fork();

	must(child >= 0, "fork");
	if (child == 0)
		echo_bytes();
	measure("pipe_round_trip", 4000, 400, do_pipe_round_trip);
	close(pipe_out[1]);
	kill(child, 9);
	waitpid(child, NULL, 0);
}

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--exit") == 0)
		_exit(0);
	self_path = argv[0];
	prepare();
	measure("empty", 0, MAX_SAMPLES, do_nothing);
	empty = samples[MAX_SAMPLES / 2];
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (wanted(rows[i].name, argc, argv))
			measure(rows[i].name, rows[i].goal, rows[i].count,
			    rows[i].run);
	if (wanted("pipe_round_trip", argc, argv))
		measure_pipe_round_trip();
	return 0;
}
