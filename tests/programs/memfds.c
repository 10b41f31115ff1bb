/* SPDX-License-Identifier: MIT */
/* Files without a name: mapped, shared with children, sealed. */
#define _GNU_SOURCE
#include "say.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PAGE	4096ul
#define RW	(PROT_READ | PROT_WRITE)

static int
make(const char *name, unsigned flags)
{
	return (int)syscall(SYS_memfd_create, name, flags);
}

static long
bad(void *result)
{
	return result == MAP_FAILED ? -1 : 0;
}

static void
shared(void)
{
	int fd = make("some name", 1), status;
	struct stat stat;

	SAY_OK("made", fd);
	SAY("closed on exec", fcntl(fd, F_GETFD));
	SAY("access", fcntl(fd, F_GETFL) & O_ACCMODE);
	fstat(fd, &stat);
	printf("%o, %lu links, %ld bytes\n", stat.st_mode,
	    (unsigned long)stat.st_nlink, (long)stat.st_size);
	SAY("size", ftruncate(fd, 2 * PAGE));
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	p[PAGE] = 'm';
	if (fork() == 0) {
		char *q = mmap(NULL, PAGE, RW, MAP_SHARED, fd, PAGE);
		q[1] = q[0] + 1;
		pwrite(fd, "w", 1, PAGE + 2);
		_exit(0);
	}
	wait(&status);
	CHECK(p[PAGE + 1] == 'n' && p[PAGE + 2] == 'w');
	SAY("no seals to add", fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	SAY("seals", fcntl(fd, F_GET_SEALS));
	close(fd);
	CHECK(p[PAGE] == 'm');
}

static void
sealed(void)
{
	int fd = make("", 3);

	SAY("none yet", fcntl(fd, F_GET_SEALS));
	write(fd, "hello", 5);
	SAY("unknown seal", fcntl(fd, F_ADD_SEALS, 0x100));
	SAY("no growth", fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	SAY("write behind", pwrite(fd, "abc", 3, 4));
	SAY("write inside", pwrite(fd, "abc", 3, 2));
	SAY("grow", ftruncate(fd, 6));
	SAY("shrink", ftruncate(fd, 4));
	SAY("no shrinking", fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	SAY("shrink now", ftruncate(fd, 3));
	SAY("seals", fcntl(fd, F_GET_SEALS));
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	SAY("mapped to be written", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	p[0] = 'H';
	munmap(p, PAGE);
	char *own = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	SAY("no writing", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	SAY("write", pwrite(fd, "x", 1, 0));
	SAY("map to write", bad(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0)));
	p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED && p[0] == 'H' && p[2] == 'a');
	own[0] = 'o';
	CHECK(own[0] == 'o' && p[0] == 'H');
	SAY("no more seals", fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	SAY("one more", fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	SAY("seals", fcntl(fd, F_GET_SEALS));
	close(fd);
}

static void
refused(void)
{
	char name[300];
	int plain = open("/tmp", O_RDONLY), null = open("/dev/null", O_RDWR);

	memset(name, 'n', sizeof(name));
	name[249] = 0;
	SAY_OK("longest name", make(name, 0));
	name[249] = 'n';
	name[250] = 0;
	SAY_OK("too long", make(name, 0));
	SAY_OK("unknown flag", make("x", 0x100));
	SAY_OK("no name", make(NULL, 0));
	SAY("seals of a device", fcntl(null, F_GET_SEALS));
	SAY("more for a device", fcntl(null, F_ADD_SEALS, F_SEAL_GROW));
	SAY("nothing open", fcntl(99, F_GET_SEALS));
	close(plain);
	int fd = make("x", 2);
	SAY("nothing to add", fcntl(fd, F_ADD_SEALS, 0));
}

int
main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	shared();
	sealed();
	refused();
	return 0;
}
