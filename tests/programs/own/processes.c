/* SPDX-License-Identifier: MIT */
/* Processes: birth, end, relations, identity, limits, priority, times. */
#include "tell.h"

static int
status_of(pid_t pid)
{
	int status = -1;

	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static void
birth_and_end(void)
{
	pid_t self = getpid(), pid = fork();
	int status;

	if (pid == 0)
		exit(getppid() == self ? 0x1234 : 1);
	status = status_of(pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0x34);
	pid = fork();
	if (pid == 0) {
		pause();
		exit(1);
	}
	TELL("waitpid finds nobody", waitpid(pid, NULL, WNOHANG));
	TELL("kill probes", kill(pid, 0));
	TELL("kill", kill(pid, SIGKILL));
	CHECK(WTERMSIG(status_of(pid)) == SIGKILL);
	TELL("kill of who is gone", kill(pid, 0));
	TELL("kill by a wrong signal", kill(self, 99));
	TELL("waitpid without children", waitpid(-1, NULL, 0));
	TELL("waitpid by wrong options", waitpid(-1, NULL, 0x40));
	pid = fork();
	if (pid == 0)
		exit(0);
	TELL("waitpid to nowhere", waitpid(pid, nowhere(), 0));
}

static void
programs(void)
{
	char *argv[] = { "own-start", "one", NULL };
	pid_t pid = fork();

	if (pid == 0) {
		execve("/nothing", argv, environ);
		TELL("execve of nothing", -1);
		exit(0);
	}
	status_of(pid);
	TELL("execve of a folder", execve("/", argv, environ));
	TELL("execve of what is no program", execve("/etc/passwd", argv,
	    environ));
	TELL("execve from nowhere", execve(NULL, argv, environ));
	TELL("execve with wrong arguments", execve("/bin/true", nowhere(),
	    environ));
}

static void
relations(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		TELL("setpgid", setpgid(0, 0));
		CHECK(getpgrp() == getpid());
		TELL("setpgid of nobody", setpgid(1 << 30, 0));
		TELL("setpgid to a negative group", setpgid(0, -3));
		TELL("setsid of a leader", setsid());
		exit(0);
	}
	status_of(pid);
	pid = fork();
	if (pid == 0) {
		CHECK(setsid() == getpid() && getpgrp() == getpid());
		exit(0);
	}
	status_of(pid);
}

static void
identity(void)
{
	gid_t list[64];
	int count = getgroups(0, NULL);

	CHECK(getuid() == geteuid() && getgid() == getegid());
	TELL("setuid to oneself", setuid(getuid()));
	TELL("setgid to oneself", setgid(getgid()));
	TELL("setreuid changes nothing", setreuid((uid_t)-1, (uid_t)-1));
	TELL("setregid changes nothing", setregid((gid_t)-1, (gid_t)-1));
	CHECK(count >= 0 && getgroups(64, list) == count);
	TELL("getgroups of less than none", getgroups(-1, list));
	TELL("setgroups of too many", setgroups(70000, list));
	TELL("setgroups from nowhere", setgroups(1, NULL));
}

/* Who stopped being root stays so. */
static void
another_user(void)
{
	const gid_t group = 1000;
	pid_t pid = fork();

	if (pid != 0) {
		status_of(pid);
		return;
	}
	TELL("setgroups", setgroups(1, &group));
	TELL("setgid", setgid(1000));
	TELL("setuid", setuid(1000));
	CHECK(getuid() == 1000 && geteuid() == 1000 && getegid() == 1000);
	TELL("setuid to root", setuid(0));
	TELL("setreuid to root", setreuid(0, 0));
	TELL("setregid to root", setregid(0, 0));
	TELL("setgroups by a user", setgroups(1, &group));
	TELL("nice below", nice(-1));
	TELL("kill of another's", kill(1, SIGTERM));
	TELL("chmod of another's", chmod("/etc/passwd", 0666));
	exit(0);
}

static void
limits(void)
{
	struct rlimit limit;
	struct rusage usage;

	TELL("getrlimit", getrlimit(RLIMIT_CORE, &limit));
	limit.rlim_cur = 0;
	TELL("setrlimit", setrlimit(RLIMIT_CORE, &limit));
	limit.rlim_cur = 9;
	getrlimit(RLIMIT_CORE, &limit);
	CHECK(limit.rlim_cur == 0);
	TELL("getrlimit of nothing", getrlimit(99, &limit));
	TELL("getrlimit to nowhere", getrlimit(RLIMIT_CORE, NULL));
	limit = (struct rlimit){ 5, 4 };
	TELL("setrlimit above itself", setrlimit(RLIMIT_CORE, &limit));
	TELL("setrlimit from nowhere", setrlimit(RLIMIT_CORE, NULL));
	TELL("getrusage", getrusage(RUSAGE_SELF, &usage));
	CHECK(usage.ru_utime.tv_usec < 1000000);
	TELL("getrusage of nobody", getrusage(7, &usage));
	TELL("getrusage to nowhere", getrusage(RUSAGE_SELF, NULL));
}

static void
priorities(void)
{
	pid_t pid = fork();

	if (pid != 0) {
		status_of(pid);
		return;
	}
	TELL("setpriority", setpriority(PRIO_PROCESS, 0, 3));
	TELL("getpriority", getpriority(PRIO_PROCESS, 0));
	TELL("nice", nice(2));
	TELL("nice beyond the end", nice(100));
	TELL("getpriority of nobody", getpriority(PRIO_PROCESS, 1 << 30));
	TELL("getpriority of a wrong kind", getpriority(9, 0));
	TELL("setpriority of nobody", setpriority(PRIO_PROCESS, 1 << 30, 0));
	exit(0);
}

static void
clocks(void)
{
	struct timeval now = { 0, 0 };
	struct timezone zone = { 5, 5 };
	struct tms spent;
	time_t seconds = 0;

	CHECK(time(&seconds) == seconds && seconds > 1500000000);
	CHECK(time(NULL) >= seconds);
	TELL("time to nowhere", time(nowhere()));
	TELL("gettimeofday", gettimeofday(&now, &zone));
	CHECK(now.tv_sec >= seconds && now.tv_usec < 1000000);
	CHECK(zone.tz_minuteswest == 0 && zone.tz_dsttime == 0);
	TELL("gettimeofday to nowhere", gettimeofday(nowhere(),
	    NULL));
	CHECK(times(&spent) > 0 && spent.tms_utime >= 0);
	CHECK(times(NULL) > 0);
	TELL("times to nowhere", times(nowhere()));
	seconds = 0;
	TELL("stime", stime(&seconds));
	TELL("stime from nowhere", stime(NULL));
	seconds = -1;
	TELL("stime before all", stime(&seconds));
	TELL("settimeofday", settimeofday(&now, NULL));
	TELL("settimeofday sets nothing", settimeofday(NULL, NULL));
	now.tv_usec = 1000000;
	TELL("settimeofday of a wrong time", settimeofday(&now, NULL));
}

int
main(void)
{
	birth_and_end();
	programs();
	relations();
	identity();
	another_user();
	limits();
	priorities();
	clocks();
	return 0;
}
