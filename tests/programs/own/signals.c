/* SPDX-License-Identifier: MIT */
/* Signals and alarms: handlers return by themselves, with no restorer. */
#include "tell.h"

static volatile int caught, told_code;
static volatile pid_t told_pid;

static void
catch(int number)
{
	caught = number;
}

static void
catch_with(int number, struct siginfo *info, void *context)
{
	caught = context != NULL ? number : 0;
	told_code = info->si_code;
	told_pid = info->si_pid;
}

static void
handlers(void)
{
	CHECK(signal(SIGUSR1, catch) == SIG_DFL);
	kill(getpid(), SIGUSR1);
	CHECK(caught == SIGUSR1);
	caught = 0;
	kill(getpid(), SIGUSR1);
	CHECK(caught == SIGUSR1);	/* it stays */
	CHECK(signal(SIGUSR1, SIG_IGN) == catch);
	CHECK(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
	TELL("signal of a wrong number", (long)signal(65, catch));
	TELL("signal of SIGKILL", (long)signal(SIGKILL, catch));
	TELL("signal to no handler", (long)signal(SIGUSR1, SIG_ERR));
}

static void
actions(void)
{
	struct sigaction act = {
		.sa_sigaction = catch_with,
		.sa_flags = SA_SIGINFO | SA_RESETHAND,
	}, before;

	TELL("sigaction", sigaction(SIGUSR2, &act, NULL));
	TELL("sigaction asks", sigaction(SIGUSR2, NULL, &before));
	CHECK(before.sa_sigaction == catch_with);
	CHECK((before.sa_flags & SA_SIGINFO) != 0);
	caught = 0;
	kill(getpid(), SIGUSR2);
	CHECK(caught == SIGUSR2 && told_pid == getpid() && told_code == 0);
	sigaction(SIGUSR2, NULL, &before);
	CHECK(before.sa_handler == SIG_DFL);
	TELL("sigaction of SIGSTOP", sigaction(SIGSTOP, &act, NULL));
	TELL("sigaction of a wrong number", sigaction(0, &act, NULL));
	TELL("sigaction from nowhere", sigaction(SIGUSR2, nowhere(), NULL));
	TELL("sigaction to nowhere", sigaction(SIGUSR2, NULL, nowhere()));
}

static void
masks(void)
{
	sigset_t set = 0, none = 0;

	signal(SIGUSR1, catch);
	CHECK(sgetmask() == 0);
	CHECK(ssetmask(1 << (SIGUSR1 - 1) | 1 << (SIGKILL - 1)) == 0);
	CHECK(sgetmask() == 1 << (SIGUSR1 - 1));
	caught = 0;
	kill(getpid(), SIGUSR1);
	CHECK(caught == 0);
	TELL("sigpending", sigpending(&set));
	CHECK(set == 1 << (SIGUSR1 - 1));
	TELL("sigpending to nowhere", sigpending(NULL));
	TELL("sigsuspend", sigsuspend(&none));
	CHECK(caught == SIGUSR1);
	CHECK(sgetmask() == 1 << (SIGUSR1 - 1));
	TELL("sigsuspend from nowhere", sigsuspend(NULL));
	/* All 32 of them, as a word that is no error. */
	CHECK(ssetmask(-1) == 1 << (SIGUSR1 - 1));
	CHECK((unsigned)sgetmask() == ~(1u << (SIGKILL - 1) |
	    1u << (SIGSTOP - 1)));
	ssetmask(0);
}

static void
alarms(void)
{
	/* Again and again: the first may come before pause begins. */
	struct itimerval soon = { { 0, 5000 }, { 0, 5000 } }, left;

	signal(SIGALRM, catch);
	caught = 0;
	TELL("setitimer", setitimer(ITIMER_REAL, &soon, NULL));
	TELL("pause", pause());
	CHECK(caught == SIGALRM);
	soon.it_value.tv_usec = soon.it_interval.tv_usec = 0;
	TELL("setitimer to nothing", setitimer(ITIMER_REAL, &soon, NULL));
	TELL("alarm", alarm(100));
	TELL("getitimer", getitimer(ITIMER_REAL, &left));
	CHECK(left.it_value.tv_sec >= 98 && left.it_interval.tv_sec == 0);
	CHECK(alarm(0) >= 98);
	TELL("getitimer of a wrong one", getitimer(7, &left));
	TELL("getitimer to nowhere", getitimer(ITIMER_REAL, NULL));
	soon.it_value.tv_usec = 1000000;
	TELL("setitimer of a wrong time", setitimer(ITIMER_REAL, &soon,
	    NULL));
	TELL("setitimer of a wrong one", setitimer(7, &soon, NULL));
}

/* A call that a handler of signal() interrupted goes on. */
static void
restarts(void)
{
	char byte = 0;
	int ends[2];

	pipe(ends);
	pid_t self = getpid(), pid = fork();
	if (pid == 0) {
		/* The parent reads by now, or the test proves less. */
		struct timeval wait = { 0, 20000 };
		select(0, NULL, NULL, NULL, &wait);
		kill(self, SIGUSR1);
		select(0, NULL, NULL, NULL, &wait);
		write(ends[1], "x", 1);
		exit(0);
	}
	caught = 0;
	TELL("read", read(ends[0], &byte, 1));
	CHECK(caught == SIGUSR1 && byte == 'x');
	waitpid(pid, NULL, 0);
}

int
main(void)
{
	handlers();
	actions();
	masks();
	alarms();
	restarts();
	return 0;
}
