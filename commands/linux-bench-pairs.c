/* SPDX-License-Identifier: MIT */
/*
 * Round trips between two processes: the child sends back what it gets. Each
 * transport opens, or says with errno why it cannot; a child echoes until it is
 * killed. A first round trip shows whether the transport works at all.
 */
#include "linux-bench.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_BYTES	4096
#define FUTEX_WAIT	0	/* musl has no header of these */
#define FUTEX_WAKE	1

static int to_child[2], to_parent[2];
static size_t bytes;
static char buffer[MAX_BYTES];
static volatile uint32_t *turn;		/* 1: the child's, 0: the parent's */

/* A transfer may come in parts; 0 if the other side is gone. */
static int
read_all(int fd)
{
	for (size_t got = 0; got < bytes;) {
		ssize_t part = read(fd, buffer + got, bytes - got);
		if (part <= 0)
			return 0;
		got += (size_t)part;
	}
	return 1;
}

static int
write_all(int fd)
{
	for (size_t put = 0; put < bytes;) {
		ssize_t part = write(fd, buffer + put, bytes - put);
		if (part <= 0)
			return 0;
		put += (size_t)part;
	}
	return 1;
}

static int
open_pipes(void)
{
	return pipe(to_child) == 0 && pipe(to_parent) == 0;
}

/* Both ends carry both directions. */
static int
open_sockets(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return 0;
	to_child[1] = pair[0];
	to_child[0] = pair[1];
	to_parent[0] = dup(pair[0]);
	to_parent[1] = dup(pair[1]);
	return 1;
}

static void
echo_bytes(void)
{
	while (read_all(to_child[0]) && write_all(to_parent[1]))
		;
}

static int
send_and_receive(void)
{
	return write_all(to_child[1]) && read_all(to_parent[0]);
}

static void
close_ends(void)
{
	close(to_child[0]);
	close(to_child[1]);
	close(to_parent[0]);
	close(to_parent[1]);
}

static long
futex(int operation, uint32_t value, const struct timespec *timeout)
{
	return syscall(SYS_futex, turn, operation, value, timeout, NULL, 0);
}

static int
open_futex(void)
{
	if (turn == NULL) {
		void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (at == MAP_FAILED)
			return 0;
		turn = at;
	}
	*turn = 0;
	return futex(FUTEX_WAKE, 1, NULL) >= 0;
}

/* Gives the turn away and waits until it is back, or for ten seconds. */
static int
hand_over(uint32_t theirs)
{
	struct timespec limit = { .tv_sec = 10 };

	__atomic_store_n(turn, theirs, __ATOMIC_SEQ_CST);
	futex(FUTEX_WAKE, 1, NULL);
	while (__atomic_load_n(turn, __ATOMIC_SEQ_CST) == theirs)
		if (futex(FUTEX_WAIT, theirs, &limit) != 0 &&
		    errno != EAGAIN && errno != EINTR)
			return 0;
	return 1;
}

static void
echo_futex(void)
{
	while (hand_over(0))
		;
}

static int
futex_round_trip(void)
{
	return hand_over(1);
}

static void
close_futex(void)
{
}

static const struct pair {
	const char *name;
	size_t bytes;
	int (*open)(void);
	void (*echo)(void);
	int (*round_trip)(void);	/* 0: no answer */
	void (*close)(void);
} pairs[] = {
	{ "pipe_round_trip", 1, open_pipes, echo_bytes, send_and_receive,
	    close_ends },
	{ "pipe_round_trip_64", 64, open_pipes, echo_bytes, send_and_receive,
	    close_ends },
	{ "pipe_round_trip_4k", 4096, open_pipes, echo_bytes,
	    send_and_receive, close_ends },
	{ "futex_round_trip", 0, open_futex, echo_futex, futex_round_trip,
	    close_futex },
	{ "unix_round_trip_64", 64, open_sockets, echo_bytes,
	    send_and_receive, close_ends },
	{ "unix_round_trip_4k", 4096, open_sockets, echo_bytes,
	    send_and_receive, close_ends },
};

static const struct pair *measured;

static void
round_trip(void)
{
	bench_must(measured->round_trip(), measured->name);
}

static void
measure(const struct pair *pair)
{
	measured = pair;
	bytes = pair->bytes;
	if (!pair->open()) {
		bench_skip(pair->name, strerror(errno));
		return;
	}
	pid_t child = fork();
	bench_must(child >= 0, "fork");
	if (child == 0) {
		pair->echo();
		_exit(0);
	}
	if (pair->round_trip())
		bench_measure(pair->name, 400, 1, round_trip);
	else
		bench_skip(pair->name, "no answer");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	pair->close();
}

void
bench_pairs(int (*wanted)(const char *name))
{
	for (const struct pair *pair = pairs;
	    pair < pairs + sizeof(pairs) / sizeof(pairs[0]); pair++)
		if (wanted(pair->name))
			measure(pair);
}
