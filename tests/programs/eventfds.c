/* SPDX-License-Identifier: MIT */
/* eventfd: values, modes, errors, sharing with children. */
#include "say.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define ROUNDS 300u

static uint64_t
take(int fd)
{
	uint64_t value = 0;

	return read(fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

static long
put(int fd, uint64_t value)
{
	return write(fd, &value, sizeof(value));
}

static short
ready(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };

	poll(&p, 1, 0);
	return p.revents;
}

static void
counts(void)
{
	int fd = eventfd(3, EFD_NONBLOCK);
	uint64_t value;

	CHECK(ready(fd) == (POLLIN | POLLOUT));
	CHECK(take(fd) == 3);
	SAY("read of nothing", read(fd, &value, 8));
	CHECK(ready(fd) == POLLOUT);
	SAY("write", put(fd, 5));
	SAY("write", put(fd, 6));
	CHECK(take(fd) == 11);
	SAY("write of nothing", put(fd, 0));
	CHECK(ready(fd) == POLLOUT);
	SAY("write of the greatest", put(fd, UINT64_MAX - 1));
	CHECK(ready(fd) == POLLIN);
	SAY("write of one more", put(fd, 1));
	SAY("write of nothing when full", put(fd, 0));
	SAY("write of too much", put(fd, UINT64_MAX));
	CHECK(take(fd) == UINT64_MAX - 1);
	close(fd);
}

static void
semaphore(void)
{
	int fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	uint64_t value;

	CHECK(take(fd) == 1);
	CHECK(take(fd) == 1);
	SAY("read of nothing", read(fd, &value, 8));
	put(fd, 3);
	CHECK(take(fd) == 1);
	CHECK(ready(fd) == (POLLIN | POLLOUT));
	close(fd);
}

static void
errors(void)
{
	struct stat st;
	char small[7] = "";
	uint64_t value = 1;
	int fd = eventfd(1, 0);

	SAY("wrong flags", eventfd(0, 1 << 20));
	SAY("short read", read(fd, small, 7));
	SAY("short write", write(fd, small, 7));
	SAY("empty read", read(fd, small, 0));
	SAY("empty write", write(fd, small, 0));
	SAY("long write", write(fd, (uint64_t[2]){ 1, 7 }, 16));
	CHECK(take(fd) == 1);
	SAY("pread", pread(fd, &value, 8, 0));
	SAY("lseek", lseek(fd, 5, SEEK_SET));
	SAY("ftruncate", ftruncate(fd, 0));
	SAY("fsync", fsync(fd));
	SAY("fstat", fstat(fd, &st));
	CHECK((st.st_mode & S_IFMT) == 0);
	CHECK((st.st_mode & 0777) == 0600);
	put(fd, 1);
	SAY("read to nowhere", syscall(SYS_read, fd, (void *)8, 8));
	SAY("write from nowhere", syscall(SYS_write, fd, (void *)8, 8));
	CHECK((fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == O_RDWR);
	CHECK(fcntl(fd, F_GETFD) == 0);
	close(fd);
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	close(fd);
	SAY("read when closed", read(fd, &value, 8));
}

/* Both wait for each other, without polling. */
static void
ping_pong(void)
{
	int there = eventfd(0, 0), back = eventfd(0, 0);
	uint64_t sum = 0;
	int status;
	pid_t child = fork();

	if (child == 0) {
		for (unsigned i = 0; i < ROUNDS; i++)
			put(back, take(there) + 1);
		_exit(0);
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		put(there, i + 1);
		sum += take(back);
	}
	CHECK(sum == ROUNDS * (ROUNDS + 1) / 2 + ROUNDS);
	waitpid(child, &status, 0);
	SAY("status", status);
	close(there);
	close(back);
}

/* A writer waits until there is room for all of it. */
static void
full(void)
{
	int fd = eventfd(0, 0), status;
	pid_t child;

	put(fd, UINT64_MAX - 5);
	child = fork();
	if (child == 0) {
		put(fd, 10);
		_exit(3);
	}
	usleep(20000);
	SAY("it still waits", waitpid(child, &status, WNOHANG));
	CHECK(take(fd) == UINT64_MAX - 5);
	SAY_OK("it goes on", waitpid(child, &status, 0));
	CHECK(take(fd) == 10);
	close(fd);
}

static int woken;

static void
note(int number)
{
	(void)number;
	woken++;
}

static void
interrupted(int flags, const char *name)
{
	struct sigaction act = { .sa_handler = note, .sa_flags = flags };
	int fd = eventfd(0, 0);
	uint64_t value;
	pid_t parent = getpid(), child;

	woken = 0;
	sigaction(SIGUSR1, &act, NULL);
	child = fork();
	if (child == 0) {
		usleep(20000);
		kill(parent, SIGUSR1);
		usleep(20000);
		put(fd, 4);
		_exit(0);
	}
	SAY(name, read(fd, &value, 8));
	SAY("handlers", woken);
	waitpid(child, NULL, 0);
	close(fd);
}

int
main(void)
{
	counts();
	semaphore();
	errors();
	ping_pong();
	full();
	interrupted(0, "interrupted");
	interrupted(SA_RESTART, "restarted");
	return 0;
}
