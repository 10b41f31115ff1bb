/* SPDX-License-Identifier: MIT */
/* CPU time, resource limits, scheduling: what holds on every machine. */
#define _GNU_SOURCE
#include "say.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>

#define MS	1000000l

static long
now(int clock)
{
	struct timespec t;

	syscall(SYS_clock_gettime, clock, &t);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

static long
used(int who)
{
	struct rusage usage;

	if (getrusage(who, &usage) != 0)
		return -1;
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
	    (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

/* Computes until that much CPU time is used. */
static void
burn(long ns)
{
	long start = now(CLOCK_PROCESS_CPUTIME_ID);
	volatile unsigned long x = 1;

	while (now(CLOCK_PROCESS_CPUTIME_ID) - start < ns) {
		for (int i = 0; i < 10000; i++)
			x = x * 3 + 1;
	}
}

static void
cpu_time(void)
{
	struct timespec pause = { 0, 100 * MS };
	struct rusage usage;
	struct tms ticks;
	int status;

	burn(60 * MS);
	long self = used(RUSAGE_SELF);
	CHECK(self >= 40 * MS);
	CHECK(now(CLOCK_THREAD_CPUTIME_ID) >= 60 * MS);
	long before = now(CLOCK_PROCESS_CPUTIME_ID);
	nanosleep(&pause, NULL);
	CHECK(now(CLOCK_PROCESS_CPUTIME_ID) - before < 80 * MS);
	CHECK(used(RUSAGE_CHILDREN) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(used(RUSAGE_CHILDREN) == 0);
		CHECK(used(RUSAGE_SELF) < 50 * MS);
		if (fork() == 0) {
			burn(60 * MS);
			_exit(0);
		}
		wait(NULL);
		burn(30 * MS);
		_exit(0);
	}
	CHECK(wait4(pid, &status, 0, &usage) == pid);
	CHECK(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec >= 70000 ||
	    usage.ru_utime.tv_sec > 0);
	CHECK(used(RUSAGE_CHILDREN) >= 70 * MS);
	CHECK(times(&ticks) > 0);
	CHECK(ticks.tms_utime + ticks.tms_stime >= 4);
	CHECK(ticks.tms_cutime + ticks.tms_cstime >= 6);
	/* Who ignores its children does not inherit their bill. */
	before = used(RUSAGE_CHILDREN);
	signal(SIGCHLD, SIG_IGN);
	if (fork() == 0) {
		burn(30 * MS);
		_exit(0);
	}
	wait(NULL);
	signal(SIGCHLD, SIG_DFL);
	CHECK(used(RUSAGE_CHILDREN) == before);
	SAY("bad who", getrusage(7, &usage));
	SAY("bad pointer", syscall(SYS_getrusage, RUSAGE_SELF, 8));
}

static void
limit(const char *name, int resource, long soft, long hard)
{
	struct rlimit l = { (rlim_t)soft, (rlim_t)hard };

	SAY(name, setrlimit(resource, &l));
}

static void *
map(size_t length)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void
limits_of_child(void)
{
	struct rlimit l;
	int status;

	limit("files", RLIMIT_NOFILE, 10, 20);
	SAY("too many", dup2(0, 10));
	SAY("inside", dup2(0, 9));
	close(9);
	limit("soft above hard", RLIMIT_NOFILE, 21, 20);
	SAY("bad resource", setrlimit((__typeof__(RLIMIT_CPU))77, &l));
	pid_t pid = fork();
	if (pid == 0) {
		getrlimit(RLIMIT_NOFILE, &l);
		printf("inherited %ld %ld\n", (long)l.rlim_cur,
		    (long)l.rlim_max);
		while (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur != 7)
			usleep(1000);
		/* The new one counts soon, if not at once. */
		while (dup2(0, 8) == 8)
			usleep(1000);
		usleep(50000);
		printf("now %ld, dup2 fails\n", (long)l.rlim_cur);
		_exit(0);
	}
	l.rlim_cur = 7;
	l.rlim_max = 20;
	usleep(20000);
	SAY("of another", prlimit(pid, RLIMIT_NOFILE, &l, NULL));
	waitpid(pid, &status, 0);
	SAY("gone", prlimit(pid, RLIMIT_NOFILE, NULL, &l));
	SAY("gone", prlimit(-5, RLIMIT_NOFILE, NULL, &l));
	limit("space", RLIMIT_AS, 64 << 20, 64 << 20);
	SAY("large", map(128 << 20) == MAP_FAILED ? -1 : 0);
	CHECK(map(1 << 20) != MAP_FAILED);
	void *room = map(1 << 20);
	CHECK(mremap(room, 1 << 20, 128 << 20, MREMAP_MAYMOVE) == MAP_FAILED);
	CHECK(sbrk(128 << 20) == (void *)-1);
	limit("data", RLIMIT_DATA, 16 << 20, 16 << 20);
	SAY("large", map(32 << 20) == MAP_FAILED ? -1 : 0);
	CHECK(mmap(NULL, 32 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	    0) != MAP_FAILED);
	CHECK(map(1 << 20) != MAP_FAILED);
}

static void
limits(void)
{
	int status;

	if (fork() == 0) {
		limits_of_child();
		_exit(0);
	}
	wait(&status);
	SAY("limits", status);
}

static void
scheduling(void)
{
	struct sched_param param = { .sched_priority = 0 };
	cpu_set_t set;

	SAY("getscheduler", syscall(SYS_sched_getscheduler, 0));
	SAY("batch", syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &param));
	SAY("getscheduler", syscall(SYS_sched_getscheduler, 0));
	SAY("back", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &param));
	SAY("getparam", syscall(SYS_sched_getparam, 0, &param));
	SAY("priority", param.sched_priority);
	param.sched_priority = 5;
	SAY("other, 5", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER,
	    &param));
	SAY("bad policy", syscall(SYS_sched_setscheduler, 0, 9, &param));
	SAY("no process", syscall(SYS_sched_getscheduler, 3999999));
	SAY("max", syscall(SYS_sched_get_priority_max, SCHED_FIFO));
	SAY("min", syscall(SYS_sched_get_priority_min, SCHED_FIFO));
	SAY("max", syscall(SYS_sched_get_priority_max, SCHED_OTHER));
	SAY("max", syscall(SYS_sched_get_priority_max, 77));
	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
	CHECK(CPU_COUNT(&set) >= 1);
	CPU_ZERO(&set);
	SAY("no CPU", sched_setaffinity(0, sizeof(set), &set));
	CPU_SET(0, &set);
	SAY("CPU 0", sched_setaffinity(0, sizeof(set), &set));
	SAY("no process", sched_setaffinity(3999999, sizeof(set), &set));
	usleep(20000);
	CHECK(sched_getcpu() == 0);
	if (fork() == 0) {
		sched_getaffinity(0, sizeof(set), &set);
		SAY("inherited", CPU_COUNT(&set));
		_exit(0);
	}
	wait(NULL);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	cpu_time();
	limits();
	scheduling();
	return 0;
}
