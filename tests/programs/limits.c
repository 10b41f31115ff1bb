/* SPDX-License-Identifier: MIT */
/*
 * Limits that end in an error or a signal: sizes of files, processes of a user,
 * descriptors, and who may raise them; and the names that uname tells.
 */
#define _GNU_SOURCE
#include "say.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

static volatile int caught;

static void
note(int number)
{
	caught = number;
}

static void
set(int resource, rlim_t soft, rlim_t hard)
{
	struct rlimit limit = { soft, hard };

	SAY("setrlimit", setrlimit(resource, &limit));
}

static void
show_caught(void)
{
	printf("\tcaught %s\n", caught == SIGXFSZ ? "SIGXFSZ" :
	    caught == 0 ? "nothing" : "another");
	caught = 0;
}

static void
size_of_files(void)
{
	char text[32] = "0123456789012345678901234567890";
	int fd = open("size", O_CREAT | O_RDWR | O_TRUNC, 0600);
	int appends = open("append", O_CREAT | O_RDWR | O_TRUNC | O_APPEND,
	    0600);
	struct stat s;

	signal(SIGXFSZ, note);
	SAY("larger before", ftruncate(appends, 30));
	set(RLIMIT_FSIZE, 20, RLIM_INFINITY);
	SAY("write 8", write(fd, text, 8));
	SAY("write 16", write(fd, text, 16));
	show_caught();
	SAY("write 1", write(fd, text, 1));
	show_caught();
	SAY("write 0", write(fd, text, 0));
	SAY("pwrite at 19", pwrite(fd, text, 5, 19));
	SAY("pwrite at 20", pwrite(fd, text, 5, 20));
	show_caught();
	SAY("over what is there", pwrite(fd, text, 20, 0));
	SAY("truncate 20", ftruncate(fd, 20));
	SAY("truncate 21", ftruncate(fd, 21));
	show_caught();
	SAY("truncate path", truncate("size", 21));
	show_caught();
	SAY("append", write(appends, text, 1));
	show_caught();
	SAY("shrink", ftruncate(appends, 25));
	SAY("inside", pwrite(fd, text, 3, 5));
	fstat(fd, &s);
	printf("size %ld\n", (long)s.st_size);
	if (fork() == 0) {
		signal(SIGXFSZ, SIG_DFL);
		write(fd, text, 1);
		pwrite(fd, text, 1, 20);
		_exit(3);
	}
	int status;
	wait(&status);
	printf("ended by SIGXFSZ: %d\n", WIFSIGNALED(status) &&
	    WTERMSIG(status) == SIGXFSZ);
	signal(SIGXFSZ, SIG_IGN);
	SAY("ignored", pwrite(fd, text, 5, 20));
	int pipes[2];
	if (pipe(pipes) == 0)
		SAY("pipes have no limit", write(pipes[1], text, 30));
}

static void
as_user(void)
{
	if (setgroups(0, NULL) != 0 || setgid(4321) != 0 || setuid(4321) != 0)
		exit(9);
}

static void
processes_of_a_user(void)
{
	int ends[2], made = 0, error = 0;
	char byte;

	as_user();
	set(RLIMIT_NPROC, 5, 5);
	if (pipe(ends) != 0)
		return;
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			close(ends[1]);
			read(ends[0], &byte, 1);
			_exit(0);
		}
		if (pid < 0)
			error = errno;
		made += pid > 0;
	}
	printf("made %d, then %s\n", made, error_name(error));
	close(ends[1]);
	while (wait(NULL) > 0)
		continue;
}

static void
who_raises(void)
{
	set(RLIMIT_NOFILE, 64, 128);
	as_user();
	set(RLIMIT_NOFILE, 128, 128);
	set(RLIMIT_NOFILE, 64, 129);
	set(RLIMIT_NOFILE, 129, 128);
	set(RLIMIT_NOFILE, 10, 100);
	int last = -1, fd;
	while ((fd = open("/", O_RDONLY)) >= 0)
		last = fd;
	printf("last %d, then %s\n", last, error_name(errno));
	SAY("dup2 at the limit", dup2(0, 10));
}

/* Where names are of the machine, in a space of its own. */
static void
names(void)
{
	struct utsname now;

	if (unshare(CLONE_NEWUTS) != 0 && (uname(&now) != 0 ||
	    strcmp(now.nodename, "bennu") != 0)) {
		puts("no space of names of its own");
		return;
	}
	SAY("name", sethostname("here", 4));
	SAY("domain", setdomainname("example.org", 11));
	uname(&now);
	printf("%s, %s, %s\n", now.sysname, now.nodename, now.domainname);
	SAY("longest", sethostname("0123456789012345678901234567890123456789"
	    "012345678901234567890123", 64));
	uname(&now);
	printf("%s\n", now.nodename);
	SAY("none", sethostname("", 0));
	uname(&now);
	printf("'%s'\n", now.nodename);
	SAY("too long", syscall(SYS_sethostname, now.nodename, 65));
	SAY("negative", syscall(SYS_sethostname, now.nodename, -1));
	SAY("bad address", syscall(SYS_sethostname, 16, 5));
	SAY("back", sethostname("bennu", 5));
	SAY("back", setdomainname("(none)", 6));
	as_user();
	SAY("as user", sethostname("x", 1));
	SAY("too long as user", syscall(SYS_sethostname, now.nodename, 65));
	SAY("domain as user", setdomainname("x", 1));
}

static void
run(const char *name, void (*body)(void))
{
	int status = 0;

	printf("-- %s\n", name);
	fflush(stdout);
	if (fork() == 0) {
		body();
		exit(0);
	}
	wait(&status);
	if (status != 0)
		printf("status %x\n", (unsigned)status);
}

#define RUN(body)	run(#body, body)

int
main(void)
{
	char top[] = "/tmp/limitsXXXXXX";

	if (mkdtemp(top) == NULL || chdir(top) != 0)
		return 1;
	RUN(size_of_files);
	RUN(processes_of_a_user);
	RUN(who_raises);
	RUN(names);
	return 0;
}
