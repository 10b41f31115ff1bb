/* SPDX-License-Identifier: MIT */
/* alarm and setitimer: when SIGALRM comes, what it interrupts, who keeps it. */
#define _GNU_SOURCE
#include "say.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

static volatile sig_atomic_t caught;
static siginfo_t last;

static void
on_alarm(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	caught++;
	last = *info;
}

static void
install(int flags)
{
	struct sigaction act = { .sa_flags = SA_SIGINFO | flags };

	act.sa_sigaction = on_alarm;
	sigaction(SIGALRM, &act, NULL);
}

static struct itimerval
every(long value_ms, long interval_ms)
{
	return (struct itimerval){
		.it_value = { value_ms / 1000, value_ms % 1000 * 1000 },
		.it_interval = { interval_ms / 1000,
		    interval_ms % 1000 * 1000 },
	};
}

static void
set(long value_ms, long interval_ms)
{
	struct itimerval wanted = every(value_ms, interval_ms);

	SAY("setitimer", setitimer(ITIMER_REAL, &wanted, NULL));
}

static void
interrupted(void)
{
	struct timespec long_time = { 5, 0 };
	char byte;
	int fds[2];

	/* Again and again: on a slow machine the first may come too early. */
	install(0);
	set(20, 500);
	SAY("pause", pause());
	CHECK(caught > 0);
	CHECK(last.si_code == SI_KERNEL && last.si_pid == 0);
	set(20, 500);
	SAY("nanosleep", nanosleep(&long_time, &long_time));
	CHECK(long_time.tv_sec >= 3);
	if (pipe(fds) != 0)
		return;
	set(20, 500);
	SAY("read", read(fds[0], &byte, 1));
	install(SA_RESTART);
	caught = 0;
	set(20, 0);
	pid_t child = fork();
	if (child == 0) {
		usleep(100000);
		_exit(write(fds[1], "x", 1) != 1);
	}
	SAY("restarted read", read(fds[0], &byte, 1));
	SAY("caught", caught);
	set(20, 0);
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	while (caught < 2)
		;
	SAY("caught in a loop", caught);
}

static void
repeated(void)
{
	struct itimerval now, none = { 0 };

	caught = 0;
	set(10, 10);
	while (caught < 5)
		pause();
	SAY("getitimer", getitimer(ITIMER_REAL, &now));
	CHECK(now.it_interval.tv_sec == 0 && now.it_interval.tv_usec == 10000);
	CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_usec <= 10000);
	SAY("stop", setitimer(ITIMER_REAL, &none, &now));
	CHECK(now.it_interval.tv_usec == 10000);
	caught = 0;
	usleep(50000);
	SAY("caught after the stop", caught);
	SAY("getitimer", getitimer(ITIMER_REAL, &now));
	CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_usec == 0);
}

static void
seconds(void)
{
	SAY("alarm", alarm(100));
	SAY("alarm again", alarm(7));
	SAY("alarm off", alarm(0));
	SAY("alarm off again", alarm(0));
	set(300, 0);
	SAY("a part of a second", alarm(0));
}

static void
refused(void)
{
	struct itimerval bad = every(1, 0);

	bad.it_value.tv_usec = 1000000;
	SAY("bad microseconds", setitimer(ITIMER_REAL, &bad, NULL));
	bad.it_value.tv_usec = -1;
	SAY("negative microseconds", setitimer(ITIMER_REAL, &bad, NULL));
	bad = every(1, 0);
	SAY("bad timer", setitimer(7, &bad, NULL));
	SAY("bad timer", getitimer(-1, &bad));
	SAY("bad address", getitimer(ITIMER_REAL, (void *)8));
}

/* Not passed on by fork, kept by exec, and its default action ends. */
static void
kept(char *self)
{
	struct itimerval now;
	int status = 0;

	alarm(50);
	pid_t child = fork();
	if (child == 0) {
		getitimer(ITIMER_REAL, &now);
		_exit(now.it_value.tv_sec != 0);
	}
	waitpid(child, &status, 0);
	SAY("child's timer", WEXITSTATUS(status));
	CHECK(alarm(0) > 0);
	child = fork();
	if (child == 0) {
		set(100, 500);
		execl(self, self, "exec", NULL);
		_exit(127);
	}
	waitpid(child, &status, 0);
	CHECK(WIFSIGNALED(status));
	SAY("ended by", WTERMSIG(status));
	/* Many at once. */
	for (int i = 0; i < 20; i++) {
		if (fork() == 0) {
			signal(SIGALRM, SIG_DFL);
			set(50 - i, 0);
			for (;;)
				pause();
		}
	}
	int ended = 0;
	while (wait(&status) > 0)
		ended += WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
	SAY("ended", ended);
}

static void
niceness(void)
{
	errno = 0;
	int before = getpriority(PRIO_PROCESS, 0);

	SAY("nice", nice(3) - before);
	SAY("getpriority", getpriority(PRIO_PROCESS, getpid()) - before);
	SAY("setpriority", setpriority(PRIO_PROCESS, 0, 99));
	SAY("the most", getpriority(PRIO_PROCESS, 0));
	SAY("nobody", setpriority(PRIO_PROCESS, 0x3fffffff, 1));
	SAY("bad kind", getpriority(9, 0));
	pid_t child = fork();
	if (child == 0)
		_exit(getpriority(PRIO_PROCESS, 0));
	int status;
	waitpid(child, &status, 0);
	SAY("inherited", WEXITSTATUS(status));
}

int
main(int count, char **arguments)
{
	if (count > 1) {
		pause();
		return 3;
	}
	setvbuf(stdout, NULL, _IONBF, 0);
	interrupted();
	repeated();
	seconds();
	refused();
	kept(arguments[0]);
	niceness();
	return 0;
}
