/* SPDX-License-Identifier: MIT */
/* Mappings of files that are written, grow and shrink; memory in children. */
#define _GNU_SOURCE
#include "say.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PAGE	4096ul
#define RW	(PROT_READ | PROT_WRITE)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif

static sigjmp_buf back;
static int code, armed;

static void
on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (!armed)
		_exit(99);
	armed = 0;
	code = info->si_code;
	siglongjmp(back, number);
}

/* The signal of a touch, or 0. */
static int
touch(volatile char *at, int write)
{
	int number = sigsetjmp(back, 1);

	if (number != 0)
		return number;
	armed = 1;
	char c = *at;
	if (write)
		*at = c;
	armed = 0;
	return 0;
}

static char *
map_at(int fd, size_t length, int protection, int flags, off_t offset)
{
	return mmap(NULL, length, protection, flags, fd, offset);
}

static long
bad(void *result)
{
	return result == MAP_FAILED ? -1 : 0;
}

/* A file without a name, of so many bytes; each page full of its letter. */
static int
make_file(size_t size)
{
	char name[] = "/tmp/mapfiles-XXXXXX", letters[PAGE];
	int fd = mkstemp(name);

	unlink(name);
	for (size_t done = 0; done < size; done += PAGE) {
		memset(letters, 'a' + (int)(done / PAGE), PAGE);
		write(fd, letters, size - done < PAGE ? size - done : PAGE);
	}
	return fd;
}

static char
byte_at(int fd, off_t offset)
{
	char c = '?';

	pread(fd, &c, 1, offset);
	return c;
}

static void
shared(void)
{
	int fd = make_file(3 * PAGE);
	char *p = map_at(fd, 3 * PAGE, RW, MAP_SHARED, 0);
	char *q = map_at(fd, PAGE, PROT_READ, MAP_SHARED, PAGE);
	char *own = map_at(fd, 3 * PAGE, RW, MAP_PRIVATE, 0);
	int status;

	CHECK(p != MAP_FAILED && q != MAP_FAILED && own != MAP_FAILED);
	CHECK(p[0] == 'a' && p[PAGE] == 'b' && q[0] == 'b');
	p[PAGE] = 'X';
	CHECK(q[0] == 'X' && byte_at(fd, PAGE) == 'X');
	pwrite(fd, "Y", 1, PAGE + 1);
	CHECK(p[PAGE + 1] == 'Y' && q[1] == 'Y');
	own[0] = 'a';
	own[2 * PAGE] = 'Z';
	CHECK(p[2 * PAGE] == 'c' && byte_at(fd, 2 * PAGE) == 'c');
	p[0] = 'W';
	if (fork() == 0) {
		p[2] = 'C';
		own[2] = 'C';
		_exit(p[0] == 'W' && own[2 * PAGE] == 'Z' ? 0 : 1);
	}
	wait(&status);
	SAY("child", WEXITSTATUS(status));
	CHECK(p[2] == 'C' && byte_at(fd, 2) == 'C' && own[2] == 'a');
	SAY("sync", msync(p, 3 * PAGE, MS_SYNC));
	SAY("sync both", msync(p, PAGE, MS_SYNC | MS_ASYNC));
	SAY("sync unaligned", msync(p + 1, PAGE, MS_SYNC));
	close(fd);
	p[1] = '!';
	CHECK(p[1] == '!' && q[1] == 'Y');
	SAY("unmap", munmap(p, 3 * PAGE));
	SAY("sync nothing", msync(p, PAGE, MS_SYNC));
	CHECK(q[0] == 'X');
}

/* What is written by name is seen in the mapping, and the other way round. */
static void
by_name(void)
{
	char name[] = "/tmp/mapfiles-XXXXXX", text[6] = "";
	int fd = mkstemp(name), other;
	struct stat before, after;

	ftruncate(fd, 100);
	fstat(fd, &before);
	char *p = map_at(fd, PAGE, RW, MAP_SHARED, 0);
	close(fd);
	memcpy(p, "hello", 5);
	other = open(name, O_RDWR);
	read(other, text, 5);
	CHECK(strcmp(text, "hello") == 0);
	pwrite(other, "J", 1, 0);
	CHECK(p[0] == 'J');
	msync(p, PAGE, MS_SYNC);
	fstat(other, &after);
	CHECK(after.st_size == 100);
	CHECK(after.st_mtim.tv_sec > before.st_mtim.tv_sec ||
	    (after.st_mtim.tv_sec == before.st_mtim.tv_sec &&
	    after.st_mtim.tv_nsec >= before.st_mtim.tv_nsec));
	unlink(name);
	CHECK(p[1] == 'e');
	p[200] = 'x';
	ftruncate(other, 300);
	CHECK(byte_at(other, 50) == 0);
	close(other);
}

static void
sizes(void)
{
	int fd = make_file(PAGE + 100);
	char *p = map_at(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	char *own = map_at(fd, 4 * PAGE, RW, MAP_PRIVATE, 0);
	char *seen = map_at(fd, 4 * PAGE, PROT_READ, MAP_PRIVATE, 0);

	CHECK(p[PAGE + 99] == 'b' && p[PAGE + 100] == 0);
	SAY("beyond", touch(p + 2 * PAGE, 0));
	CHECK(code == 2);	/* BUS_ADRERR */
	SAY("beyond, own", touch(own + 2 * PAGE, 1));
	SAY("beyond, read", touch(seen + 2 * PAGE, 0));
	ftruncate(fd, 3 * PAGE);
	SAY("grown", touch(p + 2 * PAGE, 1));
	SAY("grown, own", touch(own + 2 * PAGE, 1));
	SAY("grown, read", touch(seen + 2 * PAGE, 0));
	SAY("still beyond", touch(p + 3 * PAGE, 1));
	p[2 * PAGE] = 'n';
	CHECK(byte_at(fd, 2 * PAGE) == 'n' && seen[2 * PAGE] == 'n');
	SAY("protect beyond", mprotect(p, 4 * PAGE, PROT_READ));
	SAY("protected", touch(p + 2 * PAGE, 1));
	SAY("protect back", mprotect(p, 4 * PAGE, RW));
	SAY("write again", touch(p + 2 * PAGE, 1));
	ftruncate(fd, 100);
	SAY("cut", touch(p + PAGE, 0));
	SAY("cut, read", touch(seen + PAGE, 0));
	SAY("first page", touch(p, 1));
	ftruncate(fd, 2 * PAGE);
	CHECK(p[PAGE] == 0);
	SAY("back again", touch(p + PAGE, 1));
	int empty = make_file(0);
	char *none = map_at(empty, PAGE, RW, MAP_SHARED, 0);
	SAY("empty", touch(none, 0));
	write(empty, "filled", 6);
	SAY("filled", touch(none, 0));
	CHECK(none[0] == 'f');
	SAY("far beyond", bad(map_at(fd, PAGE, PROT_READ, MAP_SHARED,
	    1l << 40)));
	close(empty);
	close(fd);
}

static void
rights(void)
{
	char name[] = "/tmp/mapfiles-XXXXXX";
	int both = mkstemp(name), in = open(name, O_RDONLY);
	int out = open(name, O_WRONLY), place = open(name, O_PATH);

	ftruncate(both, PAGE);
	SAY("read only, shared", bad(map_at(in, PAGE, RW, MAP_SHARED, 0)));
	SAY("read only, private", bad(map_at(in, PAGE, RW, MAP_PRIVATE, 0)));
	SAY("write only", bad(map_at(out, PAGE, PROT_WRITE, MAP_SHARED, 0)));
	SAY("write only, read", bad(map_at(out, PAGE, PROT_READ, MAP_PRIVATE,
	    0)));
	SAY("place", bad(map_at(place, PAGE, PROT_READ, MAP_PRIVATE, 0)));
	int folder = open("/tmp", O_RDONLY);
	SAY("folder", bad(map_at(folder, PAGE, PROT_READ, MAP_PRIVATE, 0)));
	int null = open("/dev/null", O_RDWR);
	SAY("null", bad(map_at(null, PAGE, PROT_READ, MAP_PRIVATE, 0)));
	char *p = map_at(in, PAGE, PROT_READ, MAP_SHARED, 0);
	SAY("read only made writable", mprotect(p, PAGE, RW));
	char *q = map_at(both, PAGE, PROT_READ, MAP_SHARED, 0);
	close(both);
	SAY("made writable", mprotect(q, PAGE, RW));
	SAY("written", touch(q, 1));
	q[0] = 'q';
	CHECK(p[0] == 'q');
	SAY("no length, bad descriptor", bad(map_at(99, 0, PROT_READ,
	    MAP_PRIVATE, 0)));
	SAY("no length", bad(map_at(in, 0, PROT_READ, MAP_PRIVATE, 0)));
	SAY("no type", bad(map_at(in, PAGE, PROT_READ, 0, 0)));
	SAY("unknown flag", bad(map_at(in, PAGE, PROT_READ,
	    MAP_SHARED_VALIDATE | 0x200000, 0)));
	SAY("unknown flag, not validated", bad(map_at(in, PAGE, PROT_READ,
	    MAP_SHARED | 0x200000, 0)));
	SAY("sync flag", bad(map_at(in, PAGE, PROT_READ,
	    MAP_SHARED_VALIDATE | 0x80000, 0)));
	unlink(name);
}

static void
flags(void)
{
	int zero = open("/dev/zero", O_RDWR), status;
	int fd = make_file(2 * PAGE);
	char *p = map_at(zero, 2 * PAGE, RW, MAP_SHARED, 0);
	char *q = map_at(zero, 2 * PAGE, RW, MAP_PRIVATE, 0);

	CHECK(p[0] == 0 && q[PAGE] == 0);
	if (fork() == 0) {
		p[1] = q[1] = 5;
		_exit(0);
	}
	wait(&status);
	CHECK(p[1] == 5 && q[1] == 0);
	p = map_at(-1, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, 0);
	CHECK((uintptr_t)p < 1ul << 31);
	p = map_at(fd, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_POPULATE, 0);
	CHECK(p[PAGE] == 'b');
	p = map_at(-1, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
	    MAP_STACK | MAP_LOCKED, 0);
	CHECK(p != MAP_FAILED && p[0] == 0);
	/* A fixed place takes what is there, or not. */
	q = mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, PAGE);
	CHECK(q == p && p[0] == 'b');
	SAY("occupied", bad(mmap(p, PAGE, PROT_READ, MAP_PRIVATE |
	    MAP_FIXED_NOREPLACE, fd, 0)));
	CHECK(p[0] == 'b');
	SAY("bad descriptor leaves it", bad(mmap(p, PAGE, PROT_READ,
	    MAP_PRIVATE | MAP_FIXED, 99, 0)));
	CHECK(p[0] == 'b');
	/* Over a part of a mapping of the same file. */
	p = map_at(fd, 2 * PAGE, PROT_READ, MAP_PRIVATE, 0);
	q = mmap(p, PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, PAGE);
	CHECK(p[0] == 'b' && p[PAGE] == 'b');
	p[0] = 'x';
	CHECK(byte_at(fd, PAGE) == 'b' && p[PAGE] == 'b');
	close(fd);
	close(zero);
}

static void
advice(void)
{
	int fd = make_file(3 * PAGE), status;
	char *p = map_at(fd, 3 * PAGE, RW, MAP_PRIVATE, 0);
	char *s = map_at(fd, 3 * PAGE, RW, MAP_SHARED, 0);
	char *a = map_at(-1, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, 0);

	p[0] = p[PAGE] = 'x';
	SAY("drop copy", madvise(p, PAGE, MADV_DONTNEED));
	CHECK(p[0] == 'a' && p[PAGE] == 'x');
	s[0] = 'y';
	SAY("drop shared", madvise(s, PAGE, MADV_DONTNEED));
	CHECK(s[0] == 'y');
	SAY("free copy", madvise(p, PAGE, MADV_FREE));
	SAY("free own", madvise(a, PAGE, MADV_FREE));
	SAY("hint", madvise(a, 3 * PAGE, MADV_WILLNEED));
	SAY("populate", madvise(a, 3 * PAGE, MADV_POPULATE_WRITE));
	SAY("populate shared", madvise(s, PAGE, MADV_POPULATE_READ));
	SAY("unknown", madvise(a, PAGE, 77));
	SAY("unaligned", madvise(a + 1, PAGE, MADV_DONTNEED));
	memset(a, 7, 3 * PAGE);
	SAY("not for children", madvise(a, PAGE, MADV_DONTFORK));
	SAY("zero for children", madvise(a + PAGE, PAGE, MADV_WIPEONFORK));
	SAY("zero of a file", madvise(p, PAGE, MADV_WIPEONFORK));
	if (fork() == 0) {
		SAY("child", touch(a, 0));
		CHECK(a[PAGE] == 0 && a[2 * PAGE] == 7);
		fflush(stdout);
		_exit(0);
	}
	wait(&status);
	CHECK(a[0] == 7 && a[PAGE] == 7);
	madvise(a, 3 * PAGE, MADV_DOFORK);
	madvise(a, 3 * PAGE, MADV_KEEPONFORK);
	if (fork() == 0)
		_exit(a[0] + a[PAGE]);
	wait(&status);
	SAY("both again", WEXITSTATUS(status));
	munmap(a + PAGE, PAGE);
	SAY("hole", madvise(a, 3 * PAGE, MADV_DONTNEED));
	CHECK(a[0] == 0 && a[2 * PAGE] == 0);
	close(fd);
}

static void
moving(void)
{
	int fd = make_file(3 * PAGE);
	char *p = map_at(fd, PAGE, RW, MAP_SHARED, 0);
	char *wall = mmap(p + PAGE, PAGE, PROT_READ, MAP_PRIVATE |
	    MAP_ANONYMOUS, -1, 0);

	p = mremap(p, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED && p[2 * PAGE] == 'c');
	p[0] = 'm';
	CHECK(byte_at(fd, 0) == 'm');
	char *second = mremap(p, 0, 2 * PAGE, MREMAP_MAYMOVE);
	CHECK(second != MAP_FAILED && second != p && second[PAGE] == 'b');
	second[1] = 's';
	CHECK(p[1] == 's');
	char *own = map_at(fd, 2 * PAGE, RW, MAP_PRIVATE, 0);
	own[0] = 'o';
	SAY("second of a private one", bad(mremap(own, 0, PAGE,
	    MREMAP_MAYMOVE)));
	own = mremap(own, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE);
	CHECK(own[0] == 'o' && own[PAGE] == 'b' && own[2 * PAGE] == 'c');
	char *to = map_at(-1, 3 * PAGE, PROT_NONE, MAP_PRIVATE |
	    MAP_ANONYMOUS, 0);
	CHECK(mremap(own, 3 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
	    to) == to);
	CHECK(to[0] == 'o' && to[PAGE] == 'b');
	SAY("left", touch(own, 0));
	SAY("behind", touch(to + 2 * PAGE, 0));
	/* The compiler knows too much of what mremap leaves alone. */
	volatile char *a = map_at(-1, 2 * PAGE, RW, MAP_PRIVATE |
	    MAP_ANONYMOUS, 0);
	a[0] = 'k';
	/* C libraries pass no address then, but Linux looks at it. */
	char *b = (char *)syscall(SYS_mremap, a, 2 * PAGE, 2 * PAGE,
	    MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	CHECK(b != MAP_FAILED && b != a);
	CHECK(b[0] == 'k');
	CHECK(a[0] == 0);
	SAY("keep and grow", bad(mremap((char *)a, PAGE, 2 * PAGE, MREMAP_MAYMOVE |
	    MREMAP_DONTUNMAP)));
	SAY("onto itself", bad(mremap((char *)a, 2 * PAGE, PAGE, MREMAP_MAYMOVE |
	    MREMAP_FIXED, (char *)a + PAGE)));
	SAY("fixed only", bad(mremap((char *)a, PAGE, PAGE, MREMAP_FIXED, (char *)a)));
	SAY("unknown flag", bad(mremap((char *)a, PAGE, PAGE, 64)));
	SAY("no new length", bad(mremap((char *)a, PAGE, 0, MREMAP_MAYMOVE)));
	SAY("too far", bad(mremap((char *)a, 64 * PAGE, 65 * PAGE, MREMAP_MAYMOVE)));
	char *grow = map_at(-1, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, 0);
	grow[0] = 'g';
	grow = mremap(grow, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	CHECK(grow[0] == 'g');
	SAY("beyond shared memory", touch(grow + PAGE, 0));
	munmap(wall, PAGE);
	close(fd);
}

static void
locking(void)
{
	char *a = map_at(-1, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	unsigned char there[2] = { 0 };

	SAY("lock", mlock(a + 5, PAGE));
	SAY("lock part", syscall(SYS_mlock2, a, PAGE, 1));
	SAY("lock unknown", syscall(SYS_mlock2, a, PAGE, 2));
	SAY("unlock", munlock(a, 2 * PAGE));
	SAY("lock all", mlockall(MCL_CURRENT));
	SAY("lock nothing", mlockall(0));
	SAY("lock what is not", mlockall(64));
	SAY("unlock all", munlockall());
	memset(a, 1, 2 * PAGE);
	SAY("in core", mincore(a, 2 * PAGE, there));
	CHECK((there[0] & 1) == 1 && (there[1] & 1) == 1);
	SAY("in core, unaligned", mincore(a + 1, PAGE, there));
	munmap(a + PAGE, PAGE);
	SAY("in core, hole", mincore(a, 2 * PAGE, there));
	SAY("lock hole", mlock(a, 2 * PAGE));
	SAY("in core, nowhere", mincore(a, PAGE, NULL));
}

/* Shared memory stays shared through a change of its protection. */
static void
protecting(void)
{
	char *p = map_at(-1, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, 0);
	int status;

	mprotect(p, PAGE, PROT_READ);
	mprotect(p, PAGE, RW);
	if (fork() == 0) {
		p[0] = p[PAGE] = 4;
		_exit(0);
	}
	wait(&status);
	CHECK(p[0] == 4 && p[PAGE] == 4);
	char *q = map_at(-1, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	munmap(q + PAGE, PAGE);
	SAY("protect to the hole", mprotect(q, 3 * PAGE, PROT_READ));
	SAY("before it", touch(q, 1));
	SAY("behind it", touch(q + 2 * PAGE, 1));
}

int
main(void)
{
	struct sigaction act = { .sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO };

	setvbuf(stdout, NULL, _IONBF, 0);
	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
	shared();
	by_name();
	sizes();
	rights();
	flags();
	advice();
	moving();
	locking();
	protecting();
	return 0;
}
