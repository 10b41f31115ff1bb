/* SPDX-License-Identifier: MIT */
/* mmap and its relatives, brk, and faults at their edges. */
#define _GNU_SOURCE
#include "say.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE	4096ul

static sigjmp_buf back;

static void
on_fault(int number)
{
	siglongjmp(back, number);
}

/* The signal of a touch, or 0. */
static int
touch(volatile char *at, int write)
{
	int number = sigsetjmp(back, 1);

	if (number != 0)
		return number;
	char c = *at;
	if (write)
		*at = c;
	return 0;
}

#define MAP(length, protection, flags) \
	mmap(NULL, length, protection, flags | MAP_ANONYMOUS, -1, 0)

static void
anonymous(void)
{
	char *p = MAP(16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	int clean = 1;

	CHECK(p != MAP_FAILED && ((uintptr_t)p & (PAGE - 1)) == 0);
	for (unsigned i = 0; i < 16 * PAGE; i++)
		clean = clean && p[i] == 0;
	CHECK(clean);
	memset(p, 'x', 16 * PAGE);
	SAY("unmap middle", munmap(p + 4 * PAGE, 2 * PAGE));
	SAY("before hole", touch(p + 4 * PAGE - 1, 1));
	SAY("in hole", touch(p + 4 * PAGE, 0));
	SAY("after hole", touch(p + 6 * PAGE, 1));
	SAY("protect", mprotect(p, 2 * PAGE, PROT_READ));
	SAY("read", touch(p, 0));
	SAY("write", touch(p, 1));
	SAY("next page", touch(p + 2 * PAGE, 1));
	SAY("protect over hole", mprotect(p, 16 * PAGE, PROT_READ));
	SAY("protect none", mprotect(p, PAGE, PROT_NONE));
	SAY("read none", touch(p, 0));
	SAY("protect back", mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	CHECK(p[0] == 'x');
	char *fixed = mmap(p + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(fixed == p + 4 * PAGE && fixed[0] == 0);
	fixed = mmap(p + 8 * PAGE, PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(fixed[0] == 0 && p[9 * PAGE] == 'x');
	SAY("dontneed", madvise(p + 9 * PAGE, PAGE, MADV_DONTNEED));
	SAY("dropped", p[9 * PAGE]);
	SAY("advice", madvise(p + 9 * PAGE, PAGE, 12345));
	SAY("unmap all", munmap(p, 16 * PAGE));
	SAY("gone", touch(p, 0));
	SAY("unmap nothing there", munmap(p, 16 * PAGE));
}

static long
bad(void *result)
{
	return result == MAP_FAILED ? -1 : 0;
}

static void
refused(void)
{
	char *p = MAP(PAGE, PROT_READ, MAP_PRIVATE);

	SAY("length 0", bad(MAP(0, PROT_READ, MAP_PRIVATE)));
	SAY("no type", bad(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0)));
	SAY("huge", bad(MAP(1ul << 62, PROT_READ, MAP_PRIVATE)));
	SAY("fixed unaligned", bad(mmap((void *)0x12345, PAGE, PROT_READ,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)));
	SAY("fixed in kernel half", bad(mmap((void *)0xffff800000000000, PAGE,
	    PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)));
	SAY("noreplace", bad(mmap(p, PAGE, PROT_READ, MAP_PRIVATE |
	    MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)));
	SAY("bad descriptor", bad(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 99,
	    0)));
	SAY("munmap unaligned", munmap(p + 1, PAGE));
	SAY("munmap 0", munmap(p, 0));
	SAY("mprotect unaligned", syscall(SYS_mprotect, p + 1, PAGE,
	    PROT_READ));
	SAY("mprotect hole", mprotect((void *)0x10000, PAGE, PROT_READ));
	munmap(p, PAGE);
}

static void
moving(void)
{
	char *p = MAP(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	p[0] = 'a';
	p[3 * PAGE] = 'd';
	char *q = mremap(p, 4 * PAGE, 400 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && q[0] == 'a' && q[3 * PAGE] == 'd');
	CHECK(q[399 * PAGE] == 0);
	q[399 * PAGE] = 1;
	CHECK(mremap(q, 400 * PAGE, PAGE, 0) == q);
	SAY("tail is gone", touch(q + PAGE, 0));
	SAY("mremap nothing", bad(mremap((void *)0x10000, PAGE, 2 * PAGE, 0)));
	munmap(q, PAGE);
}

static void
files(void)
{
	char name[] = "/tmp/mapping-XXXXXX", text[8];
	int fd = mkstemp(name);

	unlink(name);
	for (int i = 0; i < 1000; i++)
		write(fd, "0123456789", 10);
	char *p = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(memcmp(p, "0123", 4) == 0 && p[9999] == '9' && p[10000] == 0);
	p[1] = 'x';
	pread(fd, text, 4, 0);
	CHECK(memcmp(text, "0123", 4) == 0);
	char *r = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 4096);
	CHECK(r[0] == '6');
	SAY("make writable", mprotect(r, 4096, PROT_READ | PROT_WRITE));
	r[0] = 'y';
	CHECK(r[0] == 'y' && r[1] == '7');
	char *s = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(s != MAP_FAILED && s[1] == '1');
	SAY("beyond the file", touch(mmap(NULL, 16384, PROT_READ, MAP_SHARED,
	    fd, 0) + 12288, 0));
	SAY("unaligned offset", bad(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE,
	    fd, 100)));
	int out = open("/dev/null", O_WRONLY);
	SAY("write-only file", bad(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE,
	    out, 0)));
	close(out);
	close(fd);
	CHECK(s[4095] == '5');
}

static void
heap(void)
{
	char *start = sbrk(0);

	CHECK(sbrk(100000) == start);
	memset(start, 1, 100000);
	CHECK(sbrk(-50000) == start + 100000);
	CHECK(sbrk(50000) == start + 50000);
	CHECK(start[49999] == 1 && start[99999] == 0);
	SAY_OK("brk too far", (long)sbrk(1l << 45));
	SAY("end", (char *)sbrk(0) - start);
	void *blocks[100];
	for (int i = 0; i < 100; i++)
		memset(blocks[i] = malloc(1000 * i + 1), i, 1000 * i + 1);
	int good = 1;
	for (int i = 0; i < 100; i++) {
		good = good && ((char *)blocks[i])[1000 * i] == i;
		free(blocks[i]);
	}
	CHECK(good);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	anonymous();
	refused();
	moving();
	files();
#ifdef __GLIBC__
	heap();
#else
	(void)heap;	/* this C library keeps the break to itself */
#endif
	return 0;
}
