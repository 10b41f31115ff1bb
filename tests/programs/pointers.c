/* SPDX-License-Identifier: MIT */
/* Bad pointers of every kind in every place: EFAULT, and life goes on. */
#define _GNU_SOURCE
#include "say.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define PAGE	4096

static int file, p[2];

/* Raw calls: a C library may look at the pointer before. */
static void
all_calls(const char *what, char *bad)
{
	printf("-- %s\n", what);
	SAY("read", syscall(SYS_read, file, bad, 100));
	SAY("pread", syscall(SYS_pread64, file, bad, 100, 0));
	SAY("read zero", syscall(SYS_read, open("/dev/zero", 0), bad, 10));
	close(p[1] + 1);
	SAY("write", syscall(SYS_write, file, bad, 100));
	write(p[1], "abc", 3);
	SAY("read pipe", syscall(SYS_read, p[0], bad, 3));
	SAY("write pipe", syscall(SYS_write, p[1], bad, 3));
	char drain[100];
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	while (read(p[0], drain, 100) > 0)
		;
	fcntl(p[0], F_SETFL, 0);
	SAY("open", syscall(SYS_open, bad, O_RDONLY));
	SAY("stat path", syscall(SYS_stat, bad, drain));
	SAY("mkdir", syscall(SYS_mkdir, bad, 0755));
	SAY("rename", syscall(SYS_rename, "/tmp", bad));
	SAY("readlink", syscall(SYS_readlink, bad, drain, 10));
	SAY("execve", syscall(SYS_execve, bad, NULL, NULL));
	SAY("getrandom", syscall(SYS_getrandom, bad, 8, 0));
	SAY("readv", syscall(SYS_readv, file, bad, 2));
	SAY("poll", syscall(SYS_poll, bad, 2, 0));
	SAY("nanosleep", syscall(SYS_nanosleep, bad, NULL));
	SAY("sigaction", syscall(SYS_rt_sigaction, SIGUSR1, bad, NULL, 8));
	SAY("sigprocmask", syscall(SYS_rt_sigprocmask, 0, bad, NULL, 8));
}

static void
output_calls(const char *what, char *bad)
{
	printf("-- %s\n", what);
	SAY("fstat", syscall(SYS_fstat, file, bad));
	SAY("stat", syscall(SYS_stat, "/tmp", bad));
	SAY("pipe", syscall(SYS_pipe, bad));
	SAY("uname", syscall(SYS_uname, bad));
	SAY("getcwd", syscall(SYS_getcwd, bad, 100));
	SAY("clock_gettime", syscall(SYS_clock_gettime, 0, bad));
	SAY("gettimeofday", syscall(SYS_gettimeofday, bad, NULL));
	SAY("readlink", syscall(SYS_readlink, "/proc/self/exe", bad, 10));
	SAY("getdents", syscall(SYS_getdents64, open("/tmp", O_RDONLY), bad,
	    1000));
	close(p[1] + 1);
	SAY("sysinfo", syscall(SYS_sysinfo, bad));
	SAY("getrlimit", syscall(SYS_getrlimit, 7, bad));
	SAY("old mask", syscall(SYS_rt_sigprocmask, 0, NULL, bad, 8));
	if (fork() == 0)
		_exit(0);
	SAY_OK("wait4", syscall(SYS_wait4, -1, bad, 0, NULL));
	wait(NULL);
}

int
main(void)
{
	char name[] = "/tmp/pointers-XXXXXX";
	char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct stat st;

	setvbuf(stdout, NULL, _IONBF, 0);
	file = mkstemp(name);
	unlink(name);
	write(file, "some bytes that can be read", 27);
	lseek(file, 0, SEEK_SET);
	pipe(p);
	munmap(map + PAGE, PAGE);
	all_calls("kernel half", (char *)0xffff800000001000);
	all_calls("not canonical", (char *)0x1234567800000000);
	all_calls("unmapped", map + PAGE);
	/* Far above the program; where the libOS lives, if there is one. */
	all_calls("high", (char *)0x7e0000000000);
	output_calls("null", NULL);
	output_calls("kernel half", (char *)0xffff800000001000);
	output_calls("unmapped", map + PAGE);
	output_calls("high", (char *)0x7e0000000000);
	char *constant = mmap(NULL, PAGE, PROT_READ,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	output_calls("read-only", constant);

	/* Across the edge of the last page. */
	strcpy(map + PAGE - 5, "/tmp");
	SAY("string ends at the edge", stat(map + PAGE - 5, &st));
	memcpy(map + PAGE - 4, "/tmp", 4);
	SAY("string runs over the edge", stat(map + PAGE - 4, &st));
	SAY("stat over the edge", syscall(SYS_stat, "/tmp", map + PAGE - 40));
	SAY("length wraps", syscall(SYS_write, file, map, -1l));
	fstat(file, &st);
	SAY("size", st.st_size > 1000);
	return 0;
}
