/* SPDX-License-Identifier: MIT */
/*
 * What /proc says of the own process and of a child, held against what the
 * calls say. Prints the same on any Linux.
 */
#define _GNU_SOURCE
#include "say.h"

#include <dirent.h>
#include <stdbool.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/ioctl.h>
#include <sys/times.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#define PROC_MAGIC	0x9fa0

static char text[65536];

/* All of a file; its length, or -1. */
static long
slurp(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	long total = 0, step;

	text[0] = 0;
	if (fd < 0)
		return -1;
	while ((step = read(fd, text + total,
	    sizeof(text) - 1 - (size_t)total)) > 0)
		total += step;
	text[total] = 0;
	close(fd);
	return step < 0 ? -1 : total;
}

/* Number after "NAME:" in a file like status, or -1. */
static long
value_of(const char *path, const char *name)
{
	slurp(path);
	char *line = strstr(text, name);
	return line == NULL ? -1 : strtol(line + strlen(name), NULL, 0);
}

static void
own_stat(void)
{
	char state = 0, name[64] = "";
	int pid = 0, parent = 0, group = 0, session = 0, fields = 3;

	SAY("comm after exec", slurp("/proc/self/comm"));
	fputs(text, stdout);
	prctl(PR_SET_NAME, "od) R (d");
	CHECK(slurp("/proc/self/stat") > 0);
	char *end = strrchr(text, ')');
	CHECK(end != NULL && sscanf(end + 1, " %c %d %d %d", &state, &parent,
	    &group, &session) == 4);
	CHECK(sscanf(text, "%d (", &pid) == 1 && pid == getpid());
	memcpy(name, strchr(text, '('), (size_t)(end + 1 - strchr(text, '(')));
	puts(name);
	for (char *c = end + 2; *c != 0; c++)
		fields += *c == ' ';
	SAY("fields", fields);
	CHECK(state == 'R');
	CHECK(parent == getppid());
	CHECK(group == getpgrp());
	CHECK(session == getsid(0));
	SAY("comm", slurp("/proc/self/comm"));
	fputs(text, stdout);
	SAY("comm of thread", slurp("/proc/thread-self/comm"));
	fputs(text, stdout);
}

static void
own_status(void)
{
	const char *status = "/proc/self/status";
	struct rlimit limit;
	sigset_t set;

	CHECK(value_of(status, "\nPid:") == getpid());
	CHECK(value_of(status, "\nTgid:") == getpid());
	CHECK(value_of(status, "\nPPid:") == getppid());
	CHECK(value_of(status, "\nUid:") == (long)getuid());
	CHECK(value_of(status, "\nThreads:") == 1);
	CHECK(value_of(status, "\nVmRSS:") > 0);
	CHECK(value_of(status, "\nVmSize:") > 0);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, (void (*)(int))(void *)own_status);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	slurp(status);
	char *line = strstr(text, "SigBlk:");
	CHECK(line != NULL && (strtoul(line + 7, NULL, 16) & 1) == 1);
	line = strstr(text, "SigIgn:");
	CHECK(line != NULL && (strtoul(line + 7, NULL, 16) & 0x200) == 0x200);
	line = strstr(text, "SigCgt:");
	CHECK(line != NULL && (strtoul(line + 7, NULL, 16) & 0x800) == 0x800);
	getrlimit(RLIMIT_NOFILE, &limit);
	CHECK(value_of("/proc/self/limits", "Max open files") ==
	    (long)limit.rlim_cur);
}

static void
strings(char **argv)
{
	CHECK(slurp("/proc/self/cmdline") == (long)strlen(argv[0]) + 9);
	CHECK(strcmp(text, argv[0]) == 0);
	SAY("second argument",
	    strcmp(text + strlen(text) + 1, "one two"));
	CHECK(slurp("/proc/self/environ") > 0);
	CHECK(memmem(text, sizeof(text), "PROCFS=here", 12) != NULL);
	CHECK(slurp("/proc/self/maps") > 0);
	CHECK(strstr(text, "[stack]\n") != NULL);
	CHECK(strstr(text, " r-xp ") != NULL);
	unsigned long low = 0, high = 0, here = (unsigned long)&low;
	bool found = false;
	for (char *line = text; line != NULL && *line != 0;
	    line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		if (sscanf(line, "%lx-%lx", &low, &high) == 2)
			found = found || (here >= low && here < high);
	}
	CHECK(found);
}

static bool
links_to(const char *link, const char *wanted)
{
	char to[256];
	long length = readlink(link, to, sizeof(to) - 1);

	if (length < 0)
		return false;
	to[length] = 0;
	return strcmp(to, wanted) == 0;
}

static void
links(void)
{
	char number[16], exe[256] = "", path[64], pipe_name[64];
	struct stat one, two;
	int ends[2];

	snprintf(number, sizeof(number), "%d", getpid());
	CHECK(links_to("/proc/self", number));
	CHECK(links_to("/proc/self/root", "/"));
	CHECK(links_to("/proc/mounts", "self/mounts"));
	CHECK(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	CHECK(stat("/proc/self/exe", &one) == 0 && stat(exe, &two) == 0 &&
	    one.st_ino == two.st_ino && one.st_dev == two.st_dev);
	chdir("/tmp");
	CHECK(links_to("/proc/self/cwd", "/tmp"));
	CHECK(stat("/proc/self/cwd/..", &one) == 0 && stat("/", &two) == 0 &&
	    one.st_ino == two.st_ino);
	int fd = open("/proc/self/cwd/procfs-file", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(links_to(path, "/tmp/procfs-file"));
	CHECK(lstat(path, &one) == 0 && S_ISLNK(one.st_mode));
	CHECK(stat(path, &one) == 0 && S_ISREG(one.st_mode));
	pipe(ends);
	fstat(ends[1], &one);
	snprintf(pipe_name, sizeof(pipe_name), "pipe:[%lu]", one.st_ino);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(),
		    ends[i]);
		CHECK(links_to(path, pipe_name));
	}
	close(ends[0]);
	close(ends[1]);
	SAY("closed", readlink(path, exe, sizeof(exe)));
	unlink("procfs-file");
	close(fd);
}

static void
directories(void)
{
	struct stat top, own, root;
	struct statfs fs;
	struct dirent *entry;
	char name[300], here[64], expected[64];
	bool self = false, pid = false;

	CHECK(stat("/", &root) == 0 && stat("/proc", &top) == 0 &&
	    top.st_dev != root.st_dev && S_ISDIR(top.st_mode));
	CHECK(stat("/proc/self/", &own) == 0 && own.st_dev == top.st_dev &&
	    own.st_uid == geteuid());
	CHECK(statfs("/proc", &fs) == 0 && fs.f_type == PROC_MAGIC);
	DIR *dir = opendir("/proc");
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		self = self || strcmp(entry->d_name, "self") == 0;
		pid = pid || atoi(entry->d_name) == getpid();
	}
	CHECK(self && pid);
	CHECK(fstatat(dirfd(dir), "self", &own, 0) == 0);
	snprintf(name, sizeof(name), "/proc/%d", getpid());
	CHECK(stat(name, &root) == 0 && root.st_ino == own.st_ino);
	closedir(dir);
	CHECK(chdir("/proc/self") == 0 && getcwd(here, sizeof(here)) != NULL);
	snprintf(expected, sizeof(expected), "/proc/%d", getpid());
	CHECK(strcmp(here, expected) == 0);
	CHECK(access("stat", R_OK) == 0);
	CHECK(access("../self/task", X_OK) == 0);
	CHECK(stat("../../tmp", &own) == 0 && stat("/tmp", &root) == 0 &&
	    own.st_ino == root.st_ino && own.st_dev == root.st_dev);
	CHECK(chdir("/") == 0 && access("proc/uptime", R_OK) == 0);
	int fd = open("/", O_RDONLY | O_DIRECTORY);
	CHECK(faccessat(fd, "proc/self/maps", R_OK, 0) == 0);
	close(fd);
}

static void
refused(void)
{
	char byte;

	SAY("mkdir", mkdir("/proc/new", 0700));
	SAY("mkdir existing", mkdir("/proc/self", 0700));
	SAY("unlink", unlink("/proc/uptime"));
	SAY("create", open("/proc/new", O_CREAT | O_WRONLY, 0600));
	SAY("exclusive", open("/proc/uptime", O_CREAT | O_EXCL, 0600));
	SAY("no process", open("/proc/4194304/stat", O_RDONLY));
	SAY("no number", open("/proc/01/stat", O_RDONLY));
	SAY("below a file", open("/proc/uptime/x", O_RDONLY));
	SAY("file with slash", open("/proc/uptime/", O_RDONLY));
	SAY("write a directory", open("/proc/self", O_WRONLY));
	SAY("not followed", open("/proc/self", O_RDONLY | O_NOFOLLOW));
	SAY("not a directory", open("/proc/uptime", O_DIRECTORY));
	int fd = open("/proc/self", O_RDONLY);
	SAY("read a directory", read(fd, &byte, 1));
	close(fd);
	SAY("link out", link("/proc/uptime", "/tmp/other"));
	SAY("rename out", rename("/proc/uptime", "/tmp/uptime"));
	SAY("not a link", readlink("/proc/uptime", &byte, 1));
	SAY("run", execl("/proc/uptime", "uptime", NULL));
}

/* A position counts, and each read is of the file as it is then. */
static void
positions(void)
{
	char whole[512] = "", part[512] = "";
	int fd = open("/proc/version", O_RDONLY);
	long length = read(fd, whole, sizeof(whole) - 1);

	CHECK(length > 20);
	SAY("at the end", read(fd, part, 10));
	SAY("back", lseek(fd, 5, SEEK_SET));
	SAY("part", read(fd, part, 10));
	CHECK(memcmp(part, whole + 5, 10) == 0);
	SAY("at a place", pread(fd, part, 6, 6));
	CHECK(memcmp(part, whole + 6, 6) == 0);
	SAY("now", lseek(fd, 0, SEEK_CUR));
	close(fd);
}

static void
of_child(void)
{
	char path[64], state = 0;
	int status, ready[2];

	pipe(ready);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_NAME, "the-child");
		write(ready[1], "x", 1);
		pause();
		_exit(0);
	}
	read(ready[0], path, 1);
	snprintf(path, sizeof(path), "/proc/%d/comm", child);
	SAY("comm of child", slurp(path));
	fputs(text, stdout);
	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	int fd = open(path, O_RDONLY);
	for (int i = 0; i < 100 && state != 'S'; i++) {
		usleep(i * 1000);
		slurp(path);
		state = strrchr(text, ')')[2];
	}
	CHECK(state == 'S');
	snprintf(path, sizeof(path), "/proc/%d/status", child);
	CHECK(value_of(path, "\nPPid:") == getpid());
	kill(child, SIGKILL);
	siginfo_t info;
	waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
	slurp(path);
	CHECK(strstr(text, "State:\tZ (zombie)") != NULL);
	CHECK(strstr(text, "VmSize") == NULL);
	snprintf(path, sizeof(path), "/proc/%d/cmdline", child);
	SAY("cmdline of zombie", slurp(path));
	snprintf(path, sizeof(path), "/proc/%d/exe", child);
	SAY("exe of zombie", readlink(path, text, sizeof(text)));
	waitpid(child, &status, 0);
	SAY("exe of nobody", readlink(path, text, sizeof(text)));
	SAY("read of nobody", read(fd, text, sizeof(text)));
	close(fd);
}

static long
field_of_stat(unsigned number)
{
	slurp("/proc/self/stat");
	char *at = strrchr(text, ')') + 2;
	for (; number > 3; number--)
		at = strchr(at, ' ') + 1;
	return strtol(at, NULL, 10);
}

static void
of_terminal(void)
{
	struct stat st;
	char path[64];
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	fflush(stdout);
	if (fork() == 0) {
		CHECK(field_of_stat(7) == 0 || getsid(0) != getpid());
		setsid();
		CHECK(field_of_stat(7) == 0);
		CHECK(field_of_stat(8) == -1);
		int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
		CHECK(ioctl(slave, TIOCSCTTY, 0) == 0);
		fstat(slave, &st);
		CHECK(field_of_stat(7) == (long)st.st_rdev);
		CHECK(field_of_stat(8) == getpid());
		snprintf(path, sizeof(path), "/proc/self/fd/%d", slave);
		CHECK(links_to(path, ptsname(master)));
		snprintf(path, sizeof(path), "/proc/self/fd/%d", master);
		CHECK(links_to(path, "/dev/ptmx") ||
		    links_to(path, "/dev/pts/ptmx"));
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	close(master);
}

/* Ticks here, and what times() tells, are of the same clock. */
static void
cpu_time(void)
{
	struct tms before, after;
	volatile unsigned long work = 0;

	times(&before);
	do {
		work++;
		times(&after);
	} while (after.tms_utime + after.tms_stime <
	    before.tms_utime + before.tms_stime + 10);
	long ticks = field_of_stat(14) + field_of_stat(15);
	CHECK(ticks >= after.tms_utime + after.tms_stime - 1);
	CHECK(ticks <= after.tms_utime + after.tms_stime + 20);
	CHECK(work > 0);
}

static void
machine(void)
{
	struct sysinfo info;
	double up = 0, idle = -1;
	long load = 0;

	sysinfo(&info);
	CHECK(slurp("/proc/uptime") > 0 &&
	    sscanf(text, "%lf %lf", &up, &idle) == 2);
	CHECK(up - (double)info.uptime > -2 && up - (double)info.uptime < 2 &&
	    idle >= 0);
	CHECK(value_of("/proc/meminfo", "MemTotal:") ==
	    (long)(info.totalram * info.mem_unit / 1024));
	CHECK(value_of("/proc/meminfo", "MemFree:") > 0);
	CHECK(slurp("/proc/loadavg") > 0 &&
	    sscanf(text, "%*f %*f %*f %ld/", &load) == 1 && load >= 1);
	CHECK(value_of("/proc/stat", "btime ") > 1500000000);
	CHECK(slurp("/proc/sys/kernel/ostype") == 6);
	fputs(text, stdout);
	CHECK(slurp("/proc/sys/kernel/random/uuid") == 37);
	CHECK(slurp("/proc/mounts") > 0 && strstr(text, " /proc proc ") != NULL);
	CHECK(slurp("/proc/cpuinfo") > 0 && strstr(text, "processor\t: 0") == text);
	CHECK(slurp("/proc/filesystems") > 0 &&
	    strstr(text, "nodev\tproc\n") != NULL);
}

int
main(int argc, char **argv)
{
	if (argc == 1) {
		setenv("PROCFS", "here", 1);
		execl("/proc/self/exe", argv[0], "one two", NULL);
		return 1;
	}
	strings(argv);
	own_stat();
	own_status();
	links();
	directories();
	refused();
	positions();
	of_child();
	of_terminal();
	cpu_time();
	machine();
	return 0;
}
