/* SPDX-License-Identifier: MIT */
/*
 * Benchmark of Linux calls: ordinary POSIX code, so the same binary runs on
 * Bennu and on Linux. It counts with the time stamp counter, which under the
 * emulator's -icount is the number of instructions.
 *
 *	row NAME MEDIAN P99 0		instructions
 *	skip NAME WHY			the system cannot do it
 *
 * Goals are in tests/bench/rows.toml. Arguments name rows to measure; without
 * any all are measured but those of --many (hundreds of processes) and --boot
 * (time since the machine was turned on).
 */
#include "linux-bench.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_SAMPLES	1000
#define PAGE		4096
#define TOUCH_SAMPLES	400
#define LARGE		(64ul << 20)
#define DYNAMIC		"/bin/tests/linux-bench-exit"
#define NO_CALL		100000	/* a number that no system gives to a call */

char *bench_self;

static uint64_t samples[MAX_SAMPLES], empty;
static int file = -1, out_file = -1, self_pipe[2];
static char page[PAGE];
static char *untouched;
static volatile sig_atomic_t handled;
static int names;
static char **name_list;

uint64_t
bench_ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

void
bench_must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void
take_samples(unsigned count, void (*run)(void))
{
	for (unsigned i = 0; i < count / 10 + 2; i++)
		run();
	for (unsigned i = 0; i < count; i++) {
		uint64_t before = bench_ticks();
		run();
		samples[i] = bench_ticks() - before - empty;
	}
	qsort(samples, count, sizeof(samples[0]), compare);
}

void
bench_measure(const char *name, unsigned count, unsigned parts,
    void (*run)(void))
{
	take_samples(count, run);
	printf("row %s %llu %llu 0\n", name,
	    (unsigned long long)samples[count / 2] / parts,
	    (unsigned long long)samples[count * 99 / 100] / parts);
	fflush(stdout);
}

void
bench_value(const char *name, uint64_t value)
{
	printf("row %s %llu %llu 0\n", name, (unsigned long long)value,
	    (unsigned long long)value);
	fflush(stdout);
}

void
bench_skip(const char *name, const char *why)
{
	printf("skip %s %s\n", name, why);
	fflush(stdout);
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
do_getppid(void)
{
	syscall(SYS_getppid);
}

static void
do_no_call(void)
{
	syscall(NO_CALL);
}

static void
do_sigprocmask(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	bench_must(sigprocmask(SIG_SETMASK, &set, NULL) == 0, "sigprocmask");
}

static void
on_signal(int number)
{
	handled = number;
}

static void
do_signal(void)
{
	handled = 0;
	kill(getpid(), SIGUSR1);
	bench_must(handled == SIGUSR1, "signal");
}

/* A byte of the file, as a process and back. */
static void
do_lock(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_len = 1 };

	bench_must(fcntl(out_file, F_SETLK, &lock) == 0, "lock");
	lock.l_type = F_UNLCK;
	bench_must(fcntl(out_file, F_SETLK, &lock) == 0, "unlock");
}

static void
do_pwrite_1(void)
{
	bench_must(pwrite(out_file, page, 1, 0) == 1, "pwrite");
}

static void
do_stat(void)
{
	struct stat status;

	bench_must(stat("/bin/busybox", &status) == 0, "stat");
}

static void
do_open_close(void)
{
	int fd = open("/bin/busybox", O_RDONLY);

	bench_must(fd >= 0, "open");
	close(fd);
}

static void
do_pread(void)
{
	bench_must(pread(file, page, PAGE, PAGE) == PAGE, "pread");
}

static void
do_pread_1(void)
{
	bench_must(pread(file, page, 1, PAGE) == 1, "pread");
}

static void
do_pwrite(void)
{
	bench_must(pwrite(out_file, page, PAGE, PAGE) == PAGE, "pwrite");
}

static void
do_self_pipe(void)
{
	char byte = 1;

	bench_must(write(self_pipe[1], &byte, 1) == 1, "write");
	bench_must(read(self_pipe[0], &byte, 1) == 1, "read");
}

static char *
map_page(void)
{
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	bench_must(p != MAP_FAILED, "mmap");
	return p;
}

static void
do_map(void)
{
	munmap(map_page(), PAGE);
}

static void
do_map_touch(void)
{
	char *p = map_page();

	*(volatile char *)p = 1;
	munmap(p, PAGE);
}

static void
do_touch(void)
{
	*(volatile char *)untouched = 1;
	untouched += PAGE;
}

/* One page of a file, by a mapping of its own. */
static void
do_map_file(void)
{
	volatile char *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, file,
	    0);

	bench_must(page != MAP_FAILED && page[0] == 0x7f, "mmap of a file");
	munmap((void *)page, PAGE);
}

static void
do_create_unlink(void)
{
	int fd = open("/tmp/bench-file", O_CREAT | O_WRONLY | O_EXCL, 0600);

	bench_must(fd >= 0, "create");
	close(fd);
	bench_must(unlink("/tmp/bench-file") == 0, "unlink");
}

static void
do_fork(void)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(0);
	bench_must(child > 0 && waitpid(child, &status, 0) == child, "fork");
}

static void
spawn(int vforked)
{
	pid_t child = vforked ? vfork() : fork();
	int status;

	if (child == 0) {
		execl(bench_self, bench_self, "--exit", (char *)0);
		_exit(127);
	}
	bench_must(child > 0 && waitpid(child, &status, 0) == child &&
	    status == 0, "spawn");
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

#define SPAWN_BENCH	"/bin/tests/own-bench"

/* By a program of the system's own calls, which a Linux has not. */
static void
measure_spawn(void)
{
	int status;
	pid_t child;

	if (access(SPAWN_BENCH, X_OK) != 0) {
		bench_skip("spawn", "Linux has no such call");
		bench_skip("spawn_wait", "Linux has no such call");
		return;
	}
	fflush(stdout);
	child = fork();
	if (child == 0) {
		execl(SPAWN_BENCH, SPAWN_BENCH, (char *)0);
		_exit(127);
	}
	bench_must(child > 0 && waitpid(child, &status, 0) == child &&
	    status == 0, SPAWN_BENCH);
}

static void
do_exec_dynamic(void)
{
	pid_t child = vfork();
	int status;

	if (child == 0) {
		execl(DYNAMIC, DYNAMIC, (char *)0);
		_exit(127);
	}
	bench_must(child > 0 && waitpid(child, &status, 0) == child &&
	    status == 0, "exec of a dynamic program");
}

static int
has_dynamic(void)
{
	return access(DYNAMIC, X_OK) == 0;
}

static void *
thread_end(void *argument)
{
	return argument;
}

static void
do_thread(void)
{
	pthread_t thread;

	bench_must(pthread_create(&thread, NULL, thread_end, NULL) == 0 &&
	    pthread_join(thread, NULL) == 0, "thread");
}

/* Whether a thread can be made at all; measures nothing. */
static int
has_threads(void)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, thread_end, NULL);

	if (error == 0)
		pthread_join(thread, NULL);
	errno = error;
	return error == 0;
}

static void
prepare(void)
{
	file = open("/bin/busybox", O_RDONLY);
	bench_must(file >= 0, "/bin/busybox");
	out_file = open("/tmp/bench-out", O_CREAT | O_RDWR, 0600);
	bench_must(out_file >= 0, "/tmp/bench-out");
	bench_must(pipe(self_pipe) == 0, "pipe");
	signal(SIGUSR1, on_signal);
	take_samples(MAX_SAMPLES, do_nothing);
	empty = samples[MAX_SAMPLES / 2];
}

/* The pages are gone before anything forks: a fork would pay for them. */
static void
measure_touch(void)
{
	size_t size = (TOUCH_SAMPLES * 11 / 10 + 2) * PAGE;
	/* Less than a large page, so that Linux cannot use one. */
	char *start = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	bench_must(start != MAP_FAILED, "mmap");
	untouched = start;
	bench_measure("page_touch", TOUCH_SAMPLES, 1, do_touch);
	munmap(start, size);
}

/* A fork of so much memory that was written. */
static void
measure_large_fork(void)
{
	char *start = mmap(NULL, LARGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	bench_must(start != MAP_FAILED, "mmap");
	for (size_t at = 0; at < LARGE; at += PAGE)
		start[at] = 1;
	bench_measure("fork_64m", 20, 1, do_fork);
	munmap(start, LARGE);
}

static const struct row {
	const char *name;
	unsigned count;
	void (*run)(void);
	int (*possible)(void);		/* NULL: always */
} rows[] = {
	{ "getpid", 1000, do_getpid, NULL },
	{ "getppid", 1000, do_getppid, NULL },
	{ "no_call", 400, do_no_call, NULL },
	{ "sigprocmask", 400, do_sigprocmask, NULL },
	{ "signal_self", 400, do_signal, NULL },
	{ "pread_4k", 400, do_pread, NULL },
	{ "pread_1", 400, do_pread_1, NULL },
	{ "pwrite_4k", 400, do_pwrite, NULL },
	{ "pwrite_1", 400, do_pwrite_1, NULL },
	{ "lock_unlock", 400, do_lock, NULL },
	{ "stat", 400, do_stat, NULL },
	{ "open_close", 400, do_open_close, NULL },
	{ "create_close_unlink", 400, do_create_unlink, NULL },
	{ "pipe_write_read", 400, do_self_pipe, NULL },
	{ "mmap_munmap", 400, do_map, NULL },
	{ "mmap_touch_munmap", 400, do_map_touch, NULL },
	{ "mmap_file_touch", 400, do_map_file, NULL },
	{ "fork_exit_wait", 100, do_fork, NULL },
	{ "vfork_exec_wait", 100, do_vfork_exec, NULL },
	{ "fork_exec_wait", 100, do_fork_exec, NULL },
	{ "vfork_exec_dynamic", 100, do_exec_dynamic, has_dynamic },
	{ "thread_create_join", 400, do_thread, has_threads },
};

static int
wanted(const char *name)
{
	for (int i = 0; i < names; i++)
		if (strcmp(name_list[i], name) == 0)
			return 1;
	return names == 0;
}

int
main(int argc, char **argv)
{
	uint64_t start = bench_ticks();

	bench_self = argv[0];
	if (argc == 2 && strcmp(argv[1], "--exit") == 0)
		_exit(0);
	if (argc == 2 && strcmp(argv[1], "--boot") == 0) {
		bench_value("boot_to_program", start);
		bench_boot();
		return 0;
	}
	int many = argc > 1 && strcmp(argv[1], "--many") == 0;
	names = argc - 1 - many;
	name_list = argv + 1 + many;
	prepare();
	if (many) {
		bench_many(wanted);
		return 0;
	}
	if (wanted("page_touch"))
		measure_touch();
	if (wanted("fork_64m"))
		measure_large_fork();
	for (const struct row *row = rows;
	    row < rows + sizeof(rows) / sizeof(rows[0]); row++) {
		if (!wanted(row->name))
			continue;
		if (row->possible == NULL || row->possible())
			bench_measure(row->name, row->count, 1, row->run);
		else
			bench_skip(row->name, strerror(errno));
	}
	if (wanted("spawn") || wanted("spawn_wait"))
		measure_spawn();
	bench_polls(wanted);
	bench_pairs(wanted);
	return 0;
}
