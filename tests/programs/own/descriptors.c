/* SPDX-License-Identifier: MIT */
/* Descriptors, pipes, waiting for them, and memory. */
#include "tell.h"

#define PAGE	4096ul

static void
copies(void)
{
	int fd = open("/dev/null", O_RDWR, 0), other = dup(fd);

	CHECK(other == fd + 1);
	TELL("dup of nothing", dup(99));
	TELL("dup2", dup2(fd, 20));
	TELL("dup2 onto itself", dup2(20, 20));
	TELL("dup2 of nothing", dup2(99, 20));
	TELL("dup2 to a wrong place", dup2(fd, -1));
	TELL("fcntl asks for a copy", fcntl(fd, F_DUPFD, 30));
	TELL("fcntl sets", fcntl(30, F_SETFD, FD_CLOEXEC));
	TELL("fcntl gets", fcntl(30, F_GETFD));
	TELL("fcntl gets flags", fcntl(fd, F_GETFL) & 3);
	TELL("fcntl of a wrong kind", fcntl(fd, 7777));
	TELL("fcntl of nothing", fcntl(99, F_GETFD));
	TELL("ioctl of a device", ioctl(fd, 0x5401, NULL));
	TELL("ioctl of nothing", ioctl(99, 0x5401, NULL));
	for (int i = fd; i <= 30; i++)
		close(i);
}

static void
pipes(void)
{
	struct timeval soon = { 0, 1000 };
	fd_set in = { 0 };
	char buffer[8];
	int ends[2];

	TELL("pipe", pipe(ends));
	TELL("pipe to nowhere", pipe(NULL));
	in.bits[0] = 1ul << ends[0];
	TELL("select finds nothing", select(ends[0] + 1, &in, NULL, NULL,
	    &soon));
	CHECK(in.bits[0] == 0);
	TELL("write", write(ends[1], "pipe", 4));
	in.bits[0] = 1ul << ends[0];
	TELL("select finds one", select(ends[0] + 1, &in, NULL, NULL, NULL));
	CHECK(in.bits[0] == 1ul << ends[0]);
	soon.tv_sec = -1;
	TELL("select of a wrong time", select(0, NULL, NULL, NULL, &soon));
	TELL("select of too many", select(-1, NULL, NULL, NULL, NULL));
	TELL("read", read(ends[0], buffer, 8));
	TELL("lseek", lseek(ends[0], 0, SEEK_SET));
	close(ends[0]);
	signal(SIGPIPE, SIG_IGN);
	TELL("write to nobody", write(ends[1], "x", 1));
	signal(SIGPIPE, SIG_DFL);
	close(ends[1]);
}

static void
memory(void)
{
	char *heap = sbrk(0), *page;
	int fd = open("/dev/zero", O_RDONLY, 0);

	TELL("brk grows", brk(heap + 3 * PAGE));
	heap[3 * PAGE - 1] = 7;
	CHECK(sbrk(0) == heap + 3 * PAGE);
	TELL("brk shrinks", brk(heap));
	TELL("brk below the program", brk((void *)PAGE));
	TELL("brk to the end of all", brk((void *)~0ul));
	CHECK(sbrk(0) == heap);
	page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(page != MAP_FAILED);
	page[PAGE] = 5;
	TELL("munmap", munmap(page, PAGE));
	CHECK(page[PAGE] == 5);
	TELL("munmap of half a page", munmap(page + 7, PAGE));
	TELL("mmap of nothing", (long)mmap(NULL, 0, PROT_READ,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	TELL("mmap without a kind", (long)mmap(NULL, PAGE, PROT_READ,
	    MAP_ANONYMOUS, -1, 0));
	TELL("mmap of no file", (long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE,
	    99, 0));
	TELL("mmap of half a page", (long)mmap(NULL, PAGE, PROT_READ,
	    MAP_PRIVATE, fd, 5));
	close(fd);
	munmap(page + PAGE, PAGE);
}

static void
sockets(void)
{
	unsigned long wrong[6] = { 12345, 1, 0 };

	TELL("socketcall of no kind", socketcall(0, wrong));
	TELL("socketcall beyond the kinds", socketcall(21, wrong));
	TELL("socketcall from nowhere", socketcall(SOCKET_SOCKET, NULL));
}

int
main(void)
{
	copies();
	pipes();
	memory();
	sockets();
	return 0;
}
