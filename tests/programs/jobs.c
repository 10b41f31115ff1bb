/* SPDX-License-Identifier: MIT */
/* Stopping and continuing, as parents, groups and sessions see it. */
#define _GNU_SOURCE
#include "say.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static volatile sig_atomic_t caught, caught_code, caught_status, order[8];
static volatile sig_atomic_t caught_count;

static void
on_info(int number, siginfo_t *info, void *context)
{
	(void)context;
	caught = number;
	caught_code = info->si_code;
	caught_status = number == SIGCHLD ? info->si_status : 0;
	if (caught_count < 8)
		order[caught_count] = number;
	caught_count++;
}

static void
install(int number, int flags)
{
	struct sigaction act = { .sa_flags = flags | SA_SIGINFO };

	act.sa_sigaction = on_info;
	sigaction(number, &act, NULL);
}

static void
say_status(const char *what, int status)
{
	if (WIFSTOPPED(status))
		printf("%s: stopped by %d\n", what, WSTOPSIG(status));
	else if (WIFCONTINUED(status))
		printf("%s: continued\n", what);
	else if (WIFSIGNALED(status))
		printf("%s: killed by %d\n", what, WTERMSIG(status));
	else
		printf("%s: exited with %d\n", what, WEXITSTATUS(status));
}

static pid_t
child_that_sleeps(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	setpgid(pid, pid);
	return pid;
}

static void
wait_for(const char *what, pid_t pid, int options)
{
	int status;
	pid_t got = waitpid(pid, &status, options);

	if (got != pid || got < 0)
		printf("%s: %d %s\n", what, got > 0 ? 1 : (int)got,
		    got < 0 ? error_name(errno) : "");
	else
		say_status(what, status);
}

static void
reports(void)
{
	siginfo_t info;
	pid_t pid = child_that_sleeps();

	install(SIGCHLD, SA_RESTART);
	kill(pid, SIGSTOP);
	wait_for("stop", pid, WUNTRACED);
	printf("SIGCHLD code %d status %d\n", caught_code, caught_status);
	wait_for("again", pid, WUNTRACED | WNOHANG);
	kill(pid, SIGTERM);
	usleep(30000);
	wait_for("a stopped one gets no other signal", pid, WNOHANG);
	kill(pid, SIGTSTP);
	usleep(30000);
	wait_for("nor stops twice", pid, WUNTRACED | WNOHANG);
	kill(pid, SIGKILL);
	wait_for("but is killed", pid, 0);
	pid = child_that_sleeps();
	kill(pid, SIGTSTP);
	memset(&info, 0, sizeof(info));
	SAY("waitid", waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT));
	printf("code %d status %d signal %d, own %d\n", info.si_code,
	    info.si_status, info.si_signo, info.si_pid == pid);
	SAY("waitid by group", waitid(P_PGID, (id_t)pid, &info, WSTOPPED));
	memset(&info, 0, sizeof(info));
	SAY("nothing left", waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG));
	printf("pid %d\n", info.si_pid);
	caught_code = 0;
	kill(pid, SIGCONT);
	SAY("continued", waitid(P_ALL, 0, &info, WCONTINUED));
	printf("code %d status %d, own %d\n", info.si_code, info.si_status,
	    info.si_pid == pid);
	/* Told when the child runs again, which may be later. */
	while (caught_code == 0)
		usleep(1000);
	printf("SIGCHLD code %d status %d\n", caught_code, caught_status);
	install(SIGCHLD, SA_RESTART | SA_NOCLDSTOP);
	caught_count = 0;
	kill(pid, SIGSTOP);
	wait_for("stop", pid, WUNTRACED);
	kill(pid, SIGCONT);
	wait_for("continue", pid, WCONTINUED);
	SAY("SIGCHLD of these", caught_count);
	kill(pid, SIGTERM);
	SAY("only ended ones", waitid(P_PID, (id_t)pid, &info, WSTOPPED));
	wait_for("end", pid, 0);
	SAY("SIGCHLD of the end", caught_count);
	wait_for("none", -1, WUNTRACED);
	signal(SIGCHLD, SIG_DFL);
}

static void
discards(void)
{
	sigset_t set, pending;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		sigemptyset(&set);
		sigaddset(&set, SIGCONT);
		sigaddset(&set, SIGTSTP);
		sigprocmask(SIG_BLOCK, &set, NULL);
		install(SIGCONT, 0);
		kill(getpid(), SIGTSTP);
		sigpending(&pending);
		SAY("TSTP pending", sigismember(&pending, SIGTSTP));
		kill(getpid(), SIGCONT);
		sigpending(&pending);
		SAY("TSTP pending", sigismember(&pending, SIGTSTP));
		SAY("CONT pending", sigismember(&pending, SIGCONT));
		kill(getpid(), SIGTSTP);
		sigpending(&pending);
		SAY("TSTP pending", sigismember(&pending, SIGTSTP));
		SAY("CONT pending", sigismember(&pending, SIGCONT));
		_exit(3);
	}
	waitpid(pid, &status, 0);
	say_status("child", status);
}

static void
ignores(void)
{
	sigset_t set;
	int status;

	/* Blocked and ignored SIGCONT continues all the same. */
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGCONT, SIG_IGN);
		sigemptyset(&set);
		sigaddset(&set, SIGCONT);
		sigprocmask(SIG_BLOCK, &set, NULL);
		raise(SIGSTOP);
		_exit(4);
	}
	waitpid(pid, &status, WUNTRACED);
	say_status("child", status);
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	say_status("child", status);
	/* A handler for SIGTSTP instead of a stop, then the default again. */
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		install(SIGTSTP, 0);
		install(SIGCONT, 0);
		raise(SIGTSTP);
		SAY("handled", caught);
		signal(SIGTSTP, SIG_DFL);
		raise(SIGTSTP);
		SAY("continued, handled", caught);
		_exit(5);
	}
	setpgid(pid, pid);
	waitpid(pid, &status, WUNTRACED);
	say_status("child", status);
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	say_status("child", status);
}

/* Stops its parent for a moment. */
static pid_t
stopper(pid_t target, int fd)
{
	pid_t pid = fork();

	if (pid == 0) {
		usleep(60000);
		kill(target, SIGSTOP);
		usleep(60000);
		kill(target, SIGCONT);
		usleep(60000);
		if (fd >= 0)
			write(fd, "x", 1);
		_exit(0);
	}
	return pid;
}

static void
restarts_of_child(void)
{
	struct timespec time = { 0, 400000000 };
	sigset_t none, set;
	int p[2];
	char c;

	pipe(p);
	stopper(getpid(), -1);
	SAY("nanosleep", nanosleep(&time, NULL));
	wait(NULL);
	stopper(getpid(), p[1]);
	SAY("read", read(p[0], &c, 1));
	SAY("wait", wait(NULL) > 0);
	stopper(getpid(), -1);
	SAY("wait through it", wait(NULL) > 0);
	stopper(getpid(), p[1]);
	struct pollfd fd = { .fd = p[0], .events = POLLIN };
	SAY("poll", poll(&fd, 1, -1));
	read(p[0], &c, 1);
	wait(NULL);
	stopper(getpid(), -1);
	SAY("poll with a time", poll(&fd, 1, 400));
	wait(NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	stopper(getpid(), -1);
	/* The C library would hide that it was interrupted. */
	SAY("sigtimedwait", syscall(SYS_rt_sigtimedwait, &set, NULL, &time, 8));
	wait(NULL);
	/* A handler of SIGCONT ends what is not restarted. */
	install(SIGCONT, 0);
	sigemptyset(&none);
	stopper(getpid(), -1);
	SAY("sigsuspend", sigsuspend(&none));
	SAY("by", caught);
	wait(NULL);
}

static void
restarts(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		restarts_of_child();
		_exit(0);
	}
	while (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status))
		;
	say_status("child", status);
}

/* A leader ends while a member of a group in its session is stopped. */
static void
orphans(void)
{
	int p[2], status;
	char c;
	pid_t leader;

	pipe(p);
	leader = fork();
	if (leader == 0) {
		setsid();
		pid_t member = fork();
		if (member == 0) {
			setpgid(0, 0);
			caught_count = 0;
			install(SIGHUP, 0);
			install(SIGCONT, 0);
			kill(getpid(), SIGSTOP);
			while (caught_count < 2)
				usleep(1000);
			printf("member got %d and %d\n",
			    order[0] < order[1] ? order[0] : order[1],
			    order[0] < order[1] ? order[1] : order[0]);
			/* Nobody could continue it now. */
			kill(getpid(), SIGTSTP);
			kill(getpid(), SIGTTIN);
			kill(getpid(), SIGTTOU);
			printf("not stopped\n");
			write(p[1], "y", 1);
			_exit(0);
		}
		setpgid(member, member);
		waitpid(member, &status, WUNTRACED);
		say_status("member", status);
		_exit(0);
	}
	SAY("read", read(p[0], &c, 1));
	waitpid(leader, &status, 0);
	say_status("leader", status);
	close(p[0]);
	close(p[1]);
}

/* 1: the group is not what was asked for, with the next call. */
static int
group_is_wrong(int how, int from)
{
	char c;

	if (how == 0)
		setpgid(0, 0);
	else if (how == 1)
		setsid();
	else
		read(from, &c, 1);
	return getpgrp() != getpid();
}

/* On several CPUs the next call may come before proc has done anything else. */
static void
groups(void)
{
	int wrong = 0, status, p[2];

	for (int i = 0; i < 90; i++) {
		pipe(p);
		pid_t pid = fork();
		if (pid == 0)
			_exit(group_is_wrong(i % 3, p[0]));
		if (i % 3 == 2) {
			setpgid(pid, pid);
			write(p[1], "x", 1);
		}
		waitpid(pid, &status, 0);
		wrong += status != 0;
		close(p[0]);
		close(p[1]);
	}
	printf("wrong groups: %d\n", wrong);
}

/* The init process is not to be stopped: the tests run in a child of it. */
int
main(void)
{
	int status;

	setvbuf(stdout, NULL, _IONBF, 0);
	pid_t pid = fork();
	if (pid == 0) {
		reports();
		discards();
		ignores();
		restarts();
		orphans();
		groups();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	say_status("tests", status);
	return 0;
}
