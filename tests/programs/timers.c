/* SPDX-License-Identifier: MIT */
/* timer_create and what belongs to it; clocks that can be slept on. */
#define _GNU_SOURCE
#include "say.h"

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define MS 1000000l

static volatile sig_atomic_t handled, last_code, last_value;

static void
note(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	handled++;
	last_code = info->si_code;
	last_value = info->si_value.sival_int;
}

/* The calls themselves: a C library makes more of some. */
static int
create(clockid_t clock, int notify, int signo, int value, int *out)
{
	struct sigevent event = { .sigev_notify = notify,
		.sigev_signo = signo, .sigev_value.sival_int = value };

	return (int)syscall(SYS_timer_create, clock, &event, out);
}

static int
set(int timer, int flags, int64_t first, int64_t interval,
    struct itimerspec *old)
{
	struct itimerspec t = {
		{ interval / 1000000000, interval % 1000000000 },
		{ first / 1000000000, first % 1000000000 } };

	return (int)syscall(SYS_timer_settime, timer, flags, &t, old);
}

static int64_t
now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000l + t.tv_nsec;
}

static void
expires(clockid_t clock, const char *name)
{
	int timer = -1;
	sigset_t set_of, none;
	int64_t start = now_ns(CLOCK_MONOTONIC);

	sigemptyset(&none);
	sigemptyset(&set_of);
	sigaddset(&set_of, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set_of, NULL);
	handled = 0;
	SAY(name, create(clock, SIGEV_SIGNAL, SIGRTMIN, 77, &timer));
	SAY("set", set(timer, 0, 20 * MS, 0, NULL));
	while (handled == 0)
		sigsuspend(&none);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20 * MS);
	CHECK(last_code == SI_TIMER && last_value == 77);
	start = now_ns(clock);
	SAY("absolute", set(timer, TIMER_ABSTIME, start + 20 * MS, 0, NULL));
	while (handled == 1)
		sigsuspend(&none);
	CHECK(now_ns(clock) - start >= 20 * MS);
	SAY("in the past", set(timer, TIMER_ABSTIME, 1, 0, NULL));
	sigsuspend(&none);
	SAY("handled", handled);
	SAY("delete", syscall(SYS_timer_delete, timer));
	SAY("delete again", syscall(SYS_timer_delete, timer));
	sigprocmask(SIG_UNBLOCK, &set_of, NULL);
}

static void
overruns(void)
{
	struct itimerspec old;
	siginfo_t info;
	int timer;
	sigset_t set_of;

	sigemptyset(&set_of);
	sigaddset(&set_of, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set_of, NULL);
	create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 1, 5, &timer);
	SAY("set", set(timer, 0, 5 * MS, 5 * MS, NULL));
	usleep(52000);
	CHECK(sigwaitinfo(&set_of, &info) == SIGRTMIN + 1);
	CHECK(info.si_code == SI_TIMER && info.si_overrun >= 8);
	CHECK(info.si_value.sival_int == 5);
	CHECK(syscall(SYS_timer_getoverrun, timer) == info.si_overrun);
	CHECK(sigwaitinfo(&set_of, &info) == SIGRTMIN + 1);
	SAY("stop", set(timer, 0, 0, 0, &old));
	CHECK(old.it_interval.tv_nsec == 5 * MS);
	CHECK(old.it_value.tv_nsec <= 5 * MS);
	SAY("delete", syscall(SYS_timer_delete, timer));
	sigprocmask(SIG_UNBLOCK, &set_of, NULL);
}

/* Also while the program computes. */
static void
busy(void)
{
	volatile uint64_t turns = 0;
	int timer;

	handled = 0;
	syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer);
	set(timer, 0, 10 * MS, 10 * MS, NULL);
	while (handled < 5)
		turns++;
	SAY("delete", syscall(SYS_timer_delete, timer));
	CHECK(last_value == timer);
	int seen = handled;
	usleep(30000);
	CHECK(handled == seen);
}

static void
silent(void)
{
	struct itimerspec now;
	int timer;

	SAY("none", create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, &timer));
	set(timer, 0, 1000 * MS, 0, NULL);
	SAY("get", syscall(SYS_timer_gettime, timer, &now));
	CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec > 0);
	set(timer, 0, 5 * MS, 0, NULL);
	usleep(10000);
	syscall(SYS_timer_gettime, timer, &now);
	CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
	syscall(SYS_timer_delete, timer);
}

static void
inherited(void)
{
	int timer, status;
	pid_t child;

	create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, &timer);
	child = fork();
	if (child == 0)
		_exit(syscall(SYS_timer_delete, timer) == -1 &&
		    errno == EINVAL ? 0 : 1);
	waitpid(child, &status, 0);
	SAY("no timer in a child", status);
	syscall(SYS_timer_delete, timer);
}

static void
errors(void)
{
	struct itimerspec bad = { .it_value.tv_nsec = 1000000000 };
	int timer;

	SAY("no such clock", create(77, SIGEV_NONE, 0, 0, &timer));
	SAY("raw clock", create(CLOCK_MONOTONIC_RAW, SIGEV_NONE, 0, 0,
	    &timer));
	SAY("no such signal", create(CLOCK_MONOTONIC, SIGEV_SIGNAL, 65, 0,
	    &timer));
	SAY("signal 0", create(CLOCK_MONOTONIC, SIGEV_SIGNAL, 0, 0, &timer));
	SAY("no such way", create(CLOCK_MONOTONIC, 99, SIGUSR1, 0, &timer));
	SAY("from nowhere", syscall(SYS_timer_create, CLOCK_MONOTONIC,
	    (void *)8, &timer));
	SAY("to nowhere", syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL,
	    (void *)8));
	SAY("set no timer", set(9999, 0, 1, 0, NULL));
	SAY("overrun of no timer", syscall(SYS_timer_getoverrun, 9999));
	create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, &timer);
	SAY("malformed", syscall(SYS_timer_settime, timer, 0, &bad, NULL));
	SAY("nothing", syscall(SYS_timer_settime, timer, 0, NULL, NULL));
	SAY("get to nowhere", syscall(SYS_timer_gettime, timer, (void *)8));
	syscall(SYS_timer_delete, timer);
	struct timespec t = { 0, MS };
	SAY("sleep on raw", syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC_RAW,
	    0, &t, NULL));
	SAY("sleep on boottime", syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME,
	    0, &t, NULL));
	SAY("sleep on thread time", syscall(SYS_clock_nanosleep,
	    CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL));
	SAY("sleep on nothing", syscall(SYS_clock_nanosleep, 77, 0, &t, NULL));
}

int
main(void)
{
	struct sigaction act = { .sa_sigaction = note,
		.sa_flags = SA_SIGINFO };

	sigaction(SIGRTMIN, &act, NULL);
	sigaction(SIGALRM, &act, NULL);
	expires(CLOCK_MONOTONIC, "monotonic");
	expires(CLOCK_REALTIME, "realtime");
	expires(CLOCK_BOOTTIME, "boottime");
	overruns();
	busy();
	silent();
	inherited();
	errors();
	return 0;
}
