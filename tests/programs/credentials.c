/* SPDX-License-Identifier: MIT */
/*
 * Calls that change who a process is: each way of losing and getting back user
 * 0, groups, privileges, and what a child, an exec and /proc say of it. Each
 * case is a child that begins as root.
 */
#define _GNU_SOURCE
#include "privileges.h"
#include "say.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define NONE	((unsigned)-1)
#define SHOWN	((1u << CAP_CHOWN) | (1u << CAP_DAC_OVERRIDE) | \
		(1u << CAP_FOWNER) | (1u << CAP_KILL) | \
		(1u << CAP_SETGID) | (1u << CAP_SETUID))

static const char *own;

/* Raw calls: the C library would set all threads. */
#define RAW(name, ...)	SAY(#name " " #__VA_ARGS__, \
	syscall(SYS_##name, __VA_ARGS__))

static void
show_ids(void)
{
	uid_t uid[3];
	gid_t gid[3];

	syscall(SYS_getresuid, &uid[0], &uid[1], &uid[2]);
	syscall(SYS_getresgid, &gid[0], &gid[1], &gid[2]);
	printf("\tusers %d %d %d files %d, groups %d %d %d files %d\n",
	    uid[0], uid[1], uid[2], setfsuid(NONE), gid[0], gid[1], gid[2],
	    setfsgid(NONE));
}

static void
show_privileges(void)
{
	struct privileges now;

	if (get_privileges(&now) != 0) {
		printf("\tno capget\n");
		return;
	}
	printf("\teffective %x permitted %x inheritable %x "
	    "keep %d secure %d no_new %d dumpable %d\n",
	    now.effective & SHOWN, now.permitted & SHOWN,
	    now.inheritable & SHOWN, prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0),
	    prctl(PR_GET_SECUREBITS, 0, 0, 0, 0),
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
	    prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
}

static void
show(void)
{
	show_ids();
	show_privileges();
}

static void
drop_for_ever(void)
{
	RAW(setuid, 1000);
	show();
	RAW(setuid, 0);
	RAW(setreuid, 0, 0);
	RAW(setresuid, NONE, 0, NONE);
	RAW(setgid, 0);
	RAW(setgid, 5);
	RAW(setgroups, 0, NULL);
	RAW(setgroups, 65537, NULL);
	show();
}

static void
drop_and_return(void)
{
	RAW(setresuid, 1000, 1001, 0);
	show();
	RAW(setuid, 1002);
	RAW(setuid, 1000);
	show();
	RAW(setresuid, NONE, 0, NONE);
	show();
	RAW(setreuid, 1003, NONE);
	show();
	RAW(setuid, 7);
	show();
}

static void
exchange(void)
{
	RAW(setresuid, 1000, 1001, 1001);
	RAW(setreuid, 1001, 1000);
	show();
	RAW(setreuid, NONE, NONE);
	RAW(setreuid, 1002, NONE);
	show();
}

static void
groups(void)
{
	gid_t list[8] = { 30, 10, 20, 10, 5 };

	SAY("setgroups", setgroups(5, list));
	SAY("getgroups 0", getgroups(0, NULL));
	SAY("getgroups 4", getgroups(4, list));
	SAY("getgroups -1", syscall(SYS_getgroups, -1, list));
	memset(list, 0, sizeof(list));
	SAY("getgroups 8", getgroups(8, list));
	printf("%d %d %d %d %d\n", list[0], list[1], list[2], list[3],
	    list[4]);
	SAY("bad list", syscall(SYS_setgroups, 2, 16));
	SAY("bad room", syscall(SYS_getgroups, 8, 16));
	SAY("no room", setgroups(0, NULL));
	SAY("none", getgroups(8, list));
	RAW(setresgid, 10, 20, 30);
	show();
	RAW(setregid, 30, 10);
	show();
	RAW(setuid, 1000);
	RAW(setgid, 20);
	RAW(setgid, 30);
	RAW(setgid, 10);
	show();
}

static void
of_files(void)
{
	RAW(setfsuid, 1000);
	show();
	RAW(setfsuid, NONE);
	RAW(setfsuid, 0);
	show();
	RAW(setresuid, 1000, 1001, 1002);
	RAW(setfsuid, 0);
	RAW(setfsuid, 1002);
	show();
	RAW(setfsgid, 5);
	show();
}

static void
keep(void)
{
	SAY("keep 2", prctl(PR_SET_KEEPCAPS, 2, 0, 0, 0));
	SAY("keep", prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
	RAW(setuid, 1000);
	show();
	SAY("some", set_privileges(1 << CAP_CHOWN,
	    1 << CAP_CHOWN | 1 << CAP_KILL, 1 << CAP_KILL));
	show();
	SAY("back", set_privileges(1 << CAP_FOWNER, 1 << CAP_FOWNER, 0));
	SAY("too effective", set_privileges(1 << CAP_CHOWN, 0, 0));
	SAY("setuid", syscall(SYS_setuid, 0));
	SAY("ambient kill", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE,
	    CAP_KILL, 0, 0));
	SAY("ambient chown", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE,
	    CAP_CHOWN, 0, 0));
	SAY("is kill", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL,
	    0, 0));
	fflush(stdout);
	execl(own, own, "show", NULL);
	perror("exec");
}

static void
secure(void)
{
	SAY("no fixup", prctl(PR_SET_SECUREBITS, 0x4, 0, 0, 0));
	RAW(setresuid, 1000, 1000, 0);
	show();
	SAY("bounding", prctl(PR_CAPBSET_DROP, CAP_CHOWN, 0, 0, 0));
	SAY("read", prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0));
	SAY("read", prctl(PR_CAPBSET_READ, CAP_KILL, 0, 0, 0));
	SAY("read", prctl(PR_CAPBSET_READ, 64, 0, 0, 0));
	SAY("lock", prctl(PR_SET_SECUREBITS, 0xc, 0, 0, 0));
	SAY("unlock", prctl(PR_SET_SECUREBITS, 0, 0, 0, 0));
	SAY("no bits", prctl(PR_SET_SECUREBITS, 0xf000, 0, 0, 0));
	SAY("setuid", syscall(SYS_setresuid, NONE, 0, NONE));
	show();
	fflush(stdout);
	execl(own, own, "show", NULL);
	perror("exec");
}

static void
no_new(void)
{
	SAY("bad", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
	SAY("bad", prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
	SAY("set", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	RAW(setuid, 1000);
	SAY("dumpable 2", prctl(PR_SET_DUMPABLE, 2, 0, 0, 0));
	SAY("dumpable", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	fflush(stdout);
	if (fork() == 0) {
		show();
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
}

/* Without file privileges but user 0: a program gets them all again. */
static void
regain_by_exec(void)
{
	SAY("none", set_privileges(0, 0, 0));
	SAY("any user", syscall(SYS_setuid, 1000));
	show();
	fflush(stdout);
	execl(own, own, "show", NULL);
	perror("exec");
}

/* The saved user becomes the effective one. */
static void
exec_saves(void)
{
	RAW(setresuid, 1000, 1001, 1002);
	fflush(stdout);
	execl(own, own, "show", NULL);
	perror("exec");
}

static void
print_line(const char *from, const char *name)
{
	const char *line = strstr(from, name);

	if (line != NULL)
		printf("%.*s\n", (int)strcspn(line, "\n"), line);
}

static void
in_proc(void)
{
	static char text[8192];
	gid_t list[2] = { 9, 7 };

	setgroups(2, list);
	syscall(SYS_setresgid, 1, 2, 3);
	syscall(SYS_setresuid, 4, 5, 6);
	int fd = open("/proc/self/status", O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return;
	print_line(text, "Uid:");
	print_line(text, "Gid:");
	print_line(text, "Groups:");
	print_line(text, "CapInh:");
	print_line(text, "CapPrm:");
	print_line(text, "CapEff:");
	print_line(text, "CapAmb:");
	print_line(text, "NoNewPrivs:");
}

/* A victim that sleeps, with these users. */
static pid_t
victim(int real, int effective, int saved)
{
	int ready[2];
	char byte;

	if (pipe(ready) != 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		if (syscall(SYS_setresuid, real, effective, saved) != 0)
			_exit(1);
		write(ready[1], "r", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	read(ready[0], &byte, 1);
	close(ready[0]);
	return pid;
}

static void
others(void)
{
	struct rlimit limit = { 100, 100 };
	pid_t root = victim(0, 0, 0), user = victim(1000, 1000, 1000);
	pid_t saved = victim(5, 5, 1000), effective = victim(5, 1000, 5);

	if (fork() == 0) {
		syscall(SYS_setuid, 1000);
		SAY("kill root", kill(root, 0));
		SAY("kill user", kill(user, 0));
		SAY("kill saved", kill(saved, 0));
		SAY("kill effective", kill(effective, 0));
		SAY("continue root", kill(root, SIGCONT));
		SAY("nice root", setpriority(PRIO_PROCESS, root, 5));
		SAY("nice user", setpriority(PRIO_PROCESS, user, 5));
		SAY("nice saved", setpriority(PRIO_PROCESS, saved, 5));
		SAY("nice effective", setpriority(PRIO_PROCESS, effective, 5));
		SAY("less nice", setpriority(PRIO_PROCESS, user, 4));
		SAY("limit root", prlimit(root, RLIMIT_CORE, &limit, NULL));
		SAY("limit saved", prlimit(saved, RLIMIT_CORE, &limit, NULL));
		SAY("ask saved", prlimit(saved, RLIMIT_CORE, NULL, &limit));
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	SAY("kill", kill(saved, SIGKILL));
	SAY("kill", kill(effective, SIGKILL));
	SAY("kill", kill(root, SIGKILL));
	SAY("kill", kill(user, SIGKILL));
	while (wait(NULL) > 0)
		continue;
}

static void
run(const char *name, void (*body)(void))
{
	int status = 0;

	printf("-- %s\n", name);
	fflush(stdout);
	if (fork() == 0) {
		body();
		fflush(stdout);
		_exit(0);
	}
	wait(&status);
	if (status != 0)
		printf("status %x\n", (unsigned)status);
}

#define RUN(body)	run(#body, body)

int
main(int argc, char **argv)
{
	own = argv[0];
	if (argc > 1) {
		show();
		return 0;
	}
	setgroups(0, NULL);
	RUN(drop_for_ever);
	RUN(drop_and_return);
	RUN(exchange);
	RUN(groups);
	RUN(of_files);
	RUN(keep);
	RUN(secure);
	RUN(no_new);
	RUN(regain_by_exec);
	RUN(exec_saves);
	RUN(in_proc);
	RUN(others);
	return 0;
}
