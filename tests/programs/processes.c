/* SPDX-License-Identifier: MIT */
/* fork, vfork, wait, groups, and what a child has and has not. */
#define _GNU_SOURCE
#include "say.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;
static int variable = 1;

static void
say_status(const char *name, int status)
{
	if (WIFEXITED(status))
		printf("%s: exited %d\n", name, WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		printf("%s: signal %d\n", name, WTERMSIG(status));
	else
		printf("%s: status %x\n", name, status);
}

static void
basics(void)
{
	int status;
	double value = 1.25;

	SAY("wait without child", wait(&status));
	pid_t child = fork();
	if (child == 0) {
		variable = 2;
		if (getppid() <= 0 || getpid() == getppid() || value != 1.25)
			_exit(1);
		_exit(33);
	}
	CHECK(child > 0);
	CHECK(waitpid(child, &status, 0) == child);
	say_status("child", status);
	SAY("variable", variable);
	SAY("wait again", waitpid(child, &status, 0));
	SAY("wait bad options", waitpid(-1, &status, 0x12345678));
	CHECK(value == 1.25);
	child = fork();
	if (child == 0) {
		usleep(30000);
		_exit(300);
	}
	SAY("nohang", waitpid(child, &status, WNOHANG));
	CHECK(wait4(child, &status, 0, &(struct rusage){ 0 }) == child);
	say_status("300", status);
	child = fork();
	if (child == 0)
		abort();
	wait(&status);
	say_status("abort", status);
	child = fork();
	if (child == 0)
		for (;;)
			pause();
	SAY("kill", kill(child, SIGKILL));
	wait(&status);
	say_status("killed", status);
	SAY("kill nobody", kill(child, 0));
	SAY("kill bad signal", kill(getpid(), 99));
}

static void
with_info(void)
{
	siginfo_t info;
	pid_t child = fork();

	if (child == 0)
		_exit(9);
	SAY("waitid nowait", waitid(P_PID, child, &info, WEXITED | WNOWAIT));
	CHECK(info.si_pid == child && info.si_code == CLD_EXITED);
	SAY("status", info.si_status);
	SAY("waitid", waitid(P_ALL, 0, &info, WEXITED));
	SAY("waitid none", waitid(P_ALL, 0, &info, WEXITED));
	SAY("waitid no option", waitid(P_ALL, 0, &info, 0));
}

/* The position of an open file is shared, its descriptor is not. */
static void
sharing(void)
{
	char name[] = "/tmp/processes-XXXXXX", text[4];
	int fd = mkstemp(name);
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	unlink(name);
	write(fd, "abcdef", 6);
	lseek(fd, 0, SEEK_SET);
	*shared = *private = 1;
	if (fork() == 0) {
		read(fd, text, 2);
		close(fd);
		*shared = *private = 2;
		_exit(0);
	}
	wait(NULL);
	SAY("read", read(fd, text, 2));
	printf("%.2s\n", text);
	SAY("shared", *shared);
	SAY("private", *private);
	close(fd);
	munmap(shared, 4096);
	munmap(private, 4096);
}

static int
in_clone(void *argument)
{
	return *(int *)argument + 1;
}

static void
other_ways(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	int status, argument = 20;
	pid_t child = vfork();

	if (child == 0)
		_exit(5);
	waitpid(child, &status, 0);
	say_status("vfork", status);
	child = clone(in_clone, stack + sizeof(stack), SIGCHLD, &argument);
	CHECK(child > 0);
	waitpid(child, &status, 0);
	say_status("clone", status);
	SAY("spawn", posix_spawn(&child, "/bin/busybox", NULL, NULL,
	    (char *[]){ "sh", "-c", "exit 12", NULL }, environ));
	waitpid(child, &status, 0);
	say_status("spawned", status);
	say_status("system", system("exit 3"));
	fflush(stdout);
	FILE *pipe = popen("echo through a pipe", "r");
	char line[64] = "";
	fgets(line, sizeof(line), pipe);
	printf("%s", line);
	say_status("pclose", pclose(pipe));
}

static void
groups(void)
{
	int p[2], status;
	char c;

	pipe(p);
	pid_t child = fork();
	if (child == 0) {
		setpgid(0, 0);
		write(p[1], getpgrp() == getpid() ? "y" : "n", 1);
		for (;;)
			pause();
	}
	read(p[0], &c, 1);
	printf("own group: %c\n", c);
	CHECK(getpgid(child) == child);
	SAY("wait for group", waitpid(-child, &status, WNOHANG));
	SAY("kill group", kill(-child, SIGTERM));
	CHECK(waitpid(-child, &status, 0) == child);
	say_status("group", status);
	child = fork();
	if (child == 0)
		_exit(setsid() == getpid() && getsid(0) == getpid() &&
		    setsid() == -1 ? 0 : 1);
	wait(&status);
	say_status("session", status);
	SAY("setpgid bad", setpgid(0, -5));
	close(p[0]);
	close(p[1]);
}

static void
many(void)
{
	int count = 0, sum = 0, status;

	for (int i = 0; i < 30; i++) {
		if (fork() == 0)
			_exit(i);
	}
	while (wait(&status) > 0) {
		count++;
		sum += WEXITSTATUS(status);
	}
	printf("%d children, sum %d\n", count, sum);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	basics();
	with_info();
	sharing();
	other_ways();
	groups();
	many();
	return 0;
}
